//! Errors and codes: what went wrong, where, and whose fault it is.
//!
//! There is one public error, [`Error`]: a boxed record of an [`ErrorKind`]
//! (what), a [`Context`] (file, offset, database, key) and, for I/O, its source.
//! Parsers use [`Fail`] instead: one word, no place names, an offset counted
//! from the end of their input. The reader turns a `Fail` into an `Error` once,
//! at its boundary, because only it knows where the input lies in the file.

mod fail;
mod printable;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;

use crate::rdb::dialect::Dialect;

pub use fail::Flaw;
pub(crate) use fail::{Fail, Parsed};
pub(crate) use printable::Printable;
pub use printable::printable;

/// The result of everything public that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its kind, place and cause.
///
/// ```
/// let error = rdbkit::rdb::Items::new(b"not an rdb").next().unwrap().unwrap_err();
/// assert_eq!(error.code().as_str(), "bad_magic");
/// assert_eq!(error.context().offset, Some(0));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: Context,
    source: Option<io::Error>,
}

/// Where an error or finding lies; absent parts are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The file as the user named it.
    pub file: Option<String>,
    /// The part of a multi-part AOF.
    pub part: Option<String>,
    /// Byte offset in the (decompressed) file.
    pub offset: Option<u64>,
    /// Database number.
    pub db: Option<u32>,
    /// The whole key.
    pub key: Option<Vec<u8>>,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// A stable word for each thing that can be wrong; programs match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The snake_case word that reports print.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $word,)* }
            }
        }
    };
}

codes! {
    /// The file does not begin like an RDB.
    BadMagic = "bad_magic",
    /// A version that this release does not know.
    UnsupportedVersion = "unsupported_version",
    /// An opcode that the file's version does not have.
    UnknownOpcode = "unknown_opcode",
    /// An object type that the file's version does not have.
    UnknownType = "unknown_type",
    /// Known, and not readable by this release.
    Unsupported = "unsupported",
    /// The input ends inside something.
    UnexpectedEof = "unexpected_eof",
    /// A length or count that the bytes present cannot back, or no length at all.
    BadLength = "bad_length",
    /// A string with an unknown special encoding.
    BadString = "bad_string",
    /// An LZF block that does not expand to its declared length.
    BadLzf = "bad_lzf",
    /// A broken intset.
    BadIntset = "bad_intset",
    /// A broken ziplist.
    BadZiplist = "bad_ziplist",
    /// A broken zipmap.
    BadZipmap = "bad_zipmap",
    /// A broken listpack.
    BadListpack = "bad_listpack",
    /// A broken quicklist.
    BadQuicklist = "bad_quicklist",
    /// A broken list.
    BadList = "bad_list",
    /// A broken set.
    BadSet = "bad_set",
    /// A broken sorted set.
    BadZset = "bad_zset",
    /// A broken hash.
    BadHash = "bad_hash",
    /// A broken stream.
    BadStream = "bad_stream",
    /// A broken array.
    BadArray = "bad_array",
    /// A broken module value, module aux record or key metadata.
    BadModule = "bad_module",
    /// A broken function record.
    BadFunction = "bad_function",
    /// A broken or missing hash template.
    BadTemplate = "bad_template",
    /// An opcode where it cannot stand, or with impossible contents.
    BadOpcode = "bad_opcode",
    /// The stored CRC64 is not that of the bytes.
    ChecksumMismatch = "checksum_mismatch",
    /// The file stores no CRC64.
    ChecksumMissing = "checksum_missing",
    /// A key stands twice in one database.
    DuplicateKey = "duplicate_key",
    /// A member or field stands twice in one key.
    DuplicateMember = "duplicate_member",
    /// Duplicates could not be looked for.
    DuplicatesNotChecked = "duplicates_not_checked",
    /// A collection without elements, which servers drop.
    EmptyKey = "empty_key",
    /// Elements are not in the order their encoding demands.
    BadOrder = "bad_order",
    /// Counts of RESIZEDB or slot info differ from what is there.
    CountMismatch = "count_mismatch",
    /// Stream counters that disagree with the stream's entries.
    StreamCounters = "stream_counters",
    /// A pending entry whose owner or message is wrong.
    PelMismatch = "pel_mismatch",
    /// A longer form than the server would write.
    NotCanonical = "not_canonical",
    /// More than one expiry for a key, or one with a special meaning.
    OddExpiry = "odd_expiry",
    /// Bytes after the end.
    TrailingBytes = "trailing_bytes",
    /// A broken manifest.
    BadManifest = "bad_manifest",
    /// A broken command frame.
    BadResp = "bad_resp",
    /// A transaction without its EXEC.
    OpenMulti = "open_multi",
    /// A part that the manifest names is not there.
    MissingPart = "missing_part",
    /// A part that no manifest names.
    OrphanPart = "orphan_part",
    /// A file that an interrupted rewrite left.
    RewriteTemp = "rewrite_temp",
    /// A command that no release has.
    UnknownCommand = "unknown_command",
    /// A command that its server would have refused.
    ReplayRejected = "replay_rejected",
    /// Text that is no JSON, or not of the schema.
    BadJson = "bad_json",
    /// A broken gzip, zstd or lz4 file.
    BadCompression = "bad_compression",
    /// The release to write for has no place for some of the data.
    DataLoss = "data_loss",
    /// A bound of this program was hit.
    LimitExceeded = "limit_exceeded",
    /// The input changed while it was read.
    InputChanged = "input_changed",
    /// A file that is to be replaced is in use.
    InUse = "in_use",
    /// The operating system said no.
    Io = "io",
    /// The call makes no sense.
    Usage = "usage",
    /// A defect of rdbkit.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong, with the numbers that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first bytes are no RDB magic.
    BadMagic {
        /// Up to nine bytes of what is there.
        found: Vec<u8>,
        /// What those bytes look like, if they look like anything.
        looks_like: Option<&'static str>,
    },
    /// A version beyond the tables of this release.
    UnsupportedVersion {
        /// `REDIS` or `VALKEY`.
        magic: &'static str,
        /// The number after it.
        version: u16,
    },
    /// A byte that is no opcode and no type in this dialect.
    UnknownType {
        /// The byte.
        byte: u8,
        /// Family and version of the file.
        dialect: Dialect,
        /// What is known about the byte; `None` if no release writes it.
        known: Option<&'static str>,
    },
    /// Something that is recognised and cannot be read.
    Unsupported {
        /// Its name, and why.
        what: Cow<'static, str>,
    },
    /// The input ends here.
    UnexpectedEof {
        /// At least so many more bytes were needed.
        needed: u64,
    },
    /// A rule of the format is broken.
    Broken {
        /// The family of rules.
        code: Code,
        /// Offset inside the decompressed blob, when there is one.
        at: Option<u64>,
        /// The rule, as a noun phrase.
        what: &'static str,
        /// What the rule wants.
        expected: Value,
        /// What is there.
        found: Value,
    },
    /// Text that is no JSON, or not of the schema.
    BadJson {
        /// The line, from 1.
        line: u64,
        /// The byte within the line, from 1.
        column: u64,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: Cow<'static, str>,
    },
    /// The input is broken, as findings before this error say in detail.
    Damaged {
        /// What could not be done because of it.
        what: &'static str,
    },
    /// The release to write for has no place for some of the data.
    DataLoss {
        /// Which release, and what of the data.
        what: String,
    },
    /// The CRC64 at the end differs.
    ChecksumMismatch {
        /// The file's own.
        stored: u64,
        /// That of its bytes.
        computed: u64,
    },
    /// A bound was hit.
    LimitExceeded {
        /// Which one.
        what: &'static str,
        /// Its value.
        limit: u64,
    },
    /// The input shrank or changed while it was read.
    InputChanged,
    /// A file that is to be replaced is in use.
    InUse {
        /// Who uses it, and how that is known.
        by: Cow<'static, str>,
    },
    /// Reading or writing failed; see [`std::error::Error::source`].
    Io {
        /// What was being done.
        doing: Cow<'static, str>,
    },
    /// The caller asked for something impossible.
    Usage(String),
    /// A defect of rdbkit.
    Internal(&'static str),
}

/// A side of "expected, found".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing to say.
    None,
    /// A count, size or offset.
    Unsigned(u64),
    /// A number that may be negative.
    Signed(i64),
    /// A phrase.
    Text(&'static str),
    /// A byte, shown as hex and, if printable, as itself.
    Byte(u8),
    /// A line of a text file, from 1.
    Line(u64),
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Value::Unsigned(n)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Signed(n)
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Value::Unsigned(n as u64)
    }
}

impl From<u8> for Value {
    fn from(n: u8) -> Self {
        Value::Unsigned(u64::from(n))
    }
}

impl From<&'static str> for Value {
    fn from(s: &'static str) -> Self {
        Value::Text(s)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("nothing"),
            Value::Unsigned(n) => write!(f, "{n}"),
            Value::Signed(n) => write!(f, "{n}"),
            Value::Text(s) => f.write_str(s),
            Value::Byte(b) if b.is_ascii_graphic() => write!(f, "{b:#04x} ('{}')", char::from(*b)),
            Value::Line(n) => write!(f, "line {n}"),
            Value::Byte(b) => write!(f, "{b:#04x}"),
        }
    }
}

/// Who has to act on an error; the program's exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The input is damaged, or cannot become what is wanted: we looked, and the answer is no.
    Input,
    /// The caller.
    Usage,
    /// This release of rdbkit cannot read it.
    Unsupported,
    /// A bound.
    Limit,
    /// The operating system.
    Io,
    /// A defect of rdbkit.
    Internal,
}

impl ErrorKind {
    /// The stable word for this kind.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            ErrorKind::BadMagic { .. } => Code::BadMagic,
            ErrorKind::UnsupportedVersion { .. } => Code::UnsupportedVersion,
            ErrorKind::UnknownType { byte, .. } if *byte >= 240 => Code::UnknownOpcode,
            ErrorKind::UnknownType { .. } => Code::UnknownType,
            ErrorKind::Unsupported { .. } => Code::Unsupported,
            ErrorKind::UnexpectedEof { .. } => Code::UnexpectedEof,
            ErrorKind::Broken { code, .. } => *code,
            ErrorKind::BadJson { .. } => Code::BadJson,
            ErrorKind::Damaged { .. } => Code::ReplayRejected,
            ErrorKind::DataLoss { .. } => Code::DataLoss,
            ErrorKind::ChecksumMismatch { .. } => Code::ChecksumMismatch,
            ErrorKind::LimitExceeded { .. } => Code::LimitExceeded,
            ErrorKind::InputChanged => Code::InputChanged,
            ErrorKind::InUse { .. } => Code::InUse,
            ErrorKind::Io { .. } => Code::Io,
            ErrorKind::Usage(_) => Code::Usage,
            ErrorKind::Internal(_) => Code::Internal,
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            ErrorKind::BadMagic { looks_like, .. } => match looks_like {
                Some(_) => Fault::Unsupported,
                None => Fault::Input,
            },
            ErrorKind::UnexpectedEof { .. }
            | ErrorKind::Broken { .. }
            | ErrorKind::BadJson { .. }
            | ErrorKind::UnknownType { known: None, .. }
            | ErrorKind::Damaged { .. }
            | ErrorKind::DataLoss { .. }
            | ErrorKind::ChecksumMismatch { .. } => Fault::Input,
            ErrorKind::UnsupportedVersion { .. }
            | ErrorKind::UnknownType { known: Some(_), .. }
            | ErrorKind::Unsupported { .. } => Fault::Unsupported,
            ErrorKind::LimitExceeded { .. } => Fault::Limit,
            ErrorKind::InputChanged | ErrorKind::InUse { .. } | ErrorKind::Io { .. } => Fault::Io,
            ErrorKind::Usage(_) => Fault::Usage,
            ErrorKind::Internal(_) => Fault::Internal,
        }
    }

    /// What the rule wanted and what was there, when the kind has two such sides.
    #[must_use]
    pub fn sides(&self) -> Option<(String, String)> {
        match self {
            ErrorKind::Broken {
                expected: Value::None,
                found: Value::None,
                ..
            } => None,
            ErrorKind::Broken {
                expected, found, ..
            } => Some((expected.to_string(), found.to_string())),
            ErrorKind::BadJson {
                expected, found, ..
            } => Some(((*expected).to_owned(), found.clone().into_owned())),
            ErrorKind::ChecksumMismatch { stored, computed } => {
                Some((format!("{computed:#018x}"), format!("{stored:#018x}")))
            }
            ErrorKind::UnexpectedEof { needed } => {
                Some((format!("{needed} more bytes"), "end of input".into()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::BadMagic {
                found,
                looks_like: None,
            } => {
                write!(
                    f,
                    "not an RDB file: begins with \"{}\"",
                    found.escape_ascii()
                )
            }
            ErrorKind::BadMagic {
                looks_like: Some(what),
                ..
            } => write!(f, "not an RDB file: {what}"),
            ErrorKind::UnsupportedVersion { magic, version } => {
                write!(f, "unsupported version {version} of {magic} files")
            }
            ErrorKind::UnknownType {
                byte,
                dialect,
                known,
            } => {
                let noun = if *byte >= 240 { "opcode" } else { "type" };
                let (adjective, known) = match known {
                    Some(known) => ("unsupported", *known),
                    None => ("unknown", "no release writes it"),
                };
                write!(
                    f,
                    "{adjective} {noun} {byte} (0x{byte:02x}) in a {dialect} file: {known}"
                )
            }
            ErrorKind::Unsupported { what } => write!(f, "unsupported: {what}"),
            ErrorKind::UnexpectedEof { needed: 0 } => f.write_str("unexpected end of input"),
            ErrorKind::UnexpectedEof { needed } => {
                write!(
                    f,
                    "unexpected end of input: at least {needed} more bytes needed"
                )
            }
            ErrorKind::Broken {
                code,
                at,
                what,
                expected,
                found,
            } => {
                match code.as_str().strip_prefix("bad_") {
                    Some(noun) => write!(f, "bad {noun}: {what}")?,
                    None => f.write_str(what)?,
                }
                match (expected, found) {
                    (Value::None, Value::None) => {}
                    (Value::None, found) => write!(f, ": {found}")?,
                    (expected, Value::None) => write!(f, ": expected {expected}")?,
                    (expected, found) => write!(f, ": expected {expected}, found {found}")?,
                }
                match at {
                    Some(at) => write!(f, " (byte {at} of the blob)"),
                    None => Ok(()),
                }
            }
            ErrorKind::ChecksumMismatch { stored, computed } => {
                write!(
                    f,
                    "checksum mismatch: stored {stored:#018x}, computed {computed:#018x}"
                )
            }
            ErrorKind::BadJson {
                line,
                column,
                expected,
                found,
            } => write!(
                f,
                "bad JSON in line {line}, column {column}: expected {expected}, found {found}"
            ),
            ErrorKind::Damaged { what } => f.write_str(what),
            ErrorKind::DataLoss { what } => f.write_str(what),
            ErrorKind::LimitExceeded { what, limit } => {
                write!(f, "limit exceeded: {what} is at most {limit}")
            }
            ErrorKind::InputChanged => f.write_str("the input changed while it was read"),
            ErrorKind::InUse { by } => write!(f, "is in use: {by}"),
            ErrorKind::Io { doing } => f.write_str(doing),
            ErrorKind::Usage(message) => f.write_str(message),
            ErrorKind::Internal(message) => write!(f, "internal error: {message}"),
        }
    }
}

impl Error {
    /// Makes an error of a kind, with no place yet.
    #[cold]
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Error(Box::new(Inner {
            kind,
            context: Context::default(),
            source: None,
        }))
    }

    /// Makes an I/O error that says what was being done.
    #[cold]
    #[must_use]
    pub fn io(doing: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let kind = ErrorKind::Io {
            doing: doing.into(),
        };
        Error(Box::new(Inner {
            kind,
            context: Context::default(),
            source: Some(source),
        }))
    }

    /// Makes a usage error.
    #[cold]
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Usage(message.into()))
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.kind.code()
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.kind.fault()
    }

    /// Where it happened.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// Byte offset in the file, if known.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.context.offset
    }

    /// The I/O error beneath, if there is one.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.source.as_ref()
    }

    /// Adds the file's name unless one is there.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.0.context.file.get_or_insert_with(|| file.into());
        self
    }

    /// Adds the offset unless one is there.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.0.context.offset.get_or_insert(offset);
        self
    }

    /// Adds the database unless one is there.
    #[must_use]
    pub fn in_db(mut self, db: u32) -> Self {
        self.0.context.db.get_or_insert(db);
        self
    }

    /// Adds database and key unless they are there.
    #[must_use]
    pub fn in_key(mut self, db: u32, key: &[u8]) -> Self {
        self.0.context.db.get_or_insert(db);
        self.0.context.key.get_or_insert_with(|| key.to_vec());
        self
    }
}

/// Escapes a key for a person: printable ASCII as it is, all else as `\xHH`, cut at 64 bytes.
#[must_use]
pub fn escape_key(key: &[u8]) -> String {
    const SHOWN_BYTES: usize = 64;
    let shown = &key[..key.len().min(SHOWN_BYTES)];
    let dots = if key.len() > SHOWN_BYTES { "…" } else { "" };
    format!("\"{}\"{dots}", shown.escape_ascii())
}

impl fmt::Display for Context {
    /// Writes the place in brackets, `(at 0x1f40, db 0, key "user:1")`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.part.as_ref().map(|part| format!("part {part}")));
        parts.extend(self.offset.map(|offset| format!("at {offset:#x}")));
        parts.extend(self.db.map(|db| format!("db {db}")));
        parts.extend(
            self.key
                .as_ref()
                .map(|key| format!("key {}", escape_key(key))),
        );
        if parts.is_empty() {
            Ok(())
        } else {
            write!(f, "({})", parts.join(", "))
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            context,
            source,
        } = &*self.0;
        let mut out = Printable(f);
        if let Some(file) = &context.file {
            write!(out, "{file}: ")?;
        }
        write!(out, "{kind}")?;
        if let Some(source) = source {
            write!(out, ": {source}")?;
        }
        let place = context.to_string();
        if place.is_empty() {
            Ok(())
        } else {
            write!(out, " {place}")
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            context,
            source,
        } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("context", context)
            .field("source", source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_snake_case_words() {
        let mut words: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            words
                .iter()
                .all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[test]
    fn error_displays_file_kind_and_place_on_one_line() {
        let error = Error::new(ErrorKind::ChecksumMismatch {
            stored: 1,
            computed: 2,
        })
        .in_file("dump.rdb")
        .at_offset(0x1f40)
        .in_key(0, b"user:1\n");
        assert_eq!(
            error.to_string(),
            "dump.rdb: checksum mismatch: stored 0x0000000000000001, computed 0x0000000000000002 \
             (at 0x1f40, db 0, key \"user:1\\n\")"
        );
    }
}
