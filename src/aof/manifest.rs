//! Manifests: which parts make a multi-part AOF, in which order.
//!
//! ```text
//! manifest = 1*( comment | entry )
//! comment  = "#" ... LF                          ; first byte of the line
//! entry    = key value key value key value ... LF
//! key      = file NAME | seq INT | type T | startoffset INT | endoffset INT | other (ignored)
//! ```
//!
//! Redis 7.0 and newer, every Valkey (`aof.c aofLoadManifestFromFile`); the two
//! offsets since Redis 8.0. Keys come in any case and order, the last of equal
//! ones counts, and at least three must be there. Only the first byte of a type
//! counts: `b`ase, `i`ncr, `h`istory. Numbers are what `atoll` makes of them.
//! A line has at most 1024 bytes with its LF, and the last line has one too;
//! only a comment may be longer, and then its rest is taken for a line. A token
//! is plain, or quoted as in a shell: see [`split_args`].
//!
//! Stricter than servers: a name with NUL, which they would cut there, is refused
//! like a path. Valkey 9.1 lets a token go on behind its closing quote (`"a"b`
//! is `ab`); every other server refuses that, and so do we.

use std::fmt;

use crate::error::{Code, Error, ErrorKind, Value, escape_key};

/// The longest line, with its LF: `MANIFEST_MAX_LINE`.
pub const MAX_LINE_BYTES: usize = 1024;

/// Which part of the log a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// `b`: the dataset at the last rewrite.
    Base,
    /// `i`: commands since then.
    Incr,
    /// `h`: replaced by a rewrite, to be deleted.
    History,
}

impl EntryKind {
    /// The letter in the manifest.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            EntryKind::Base => 'b',
            EntryKind::Incr => 'i',
            EntryKind::History => 'h',
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EntryKind::Base => "base",
            EntryKind::Incr => "incr",
            EntryKind::History => "history",
        })
    }
}

/// One line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the file, beside the manifest.
    pub file: Vec<u8>,
    /// Sequence number; base and incr count apart.
    pub seq: i64,
    /// Which part it is.
    pub kind: EntryKind,
    /// Replication offset at which the file was opened (Redis 8.0 and newer).
    pub start_offset: Option<i64>,
    /// Replication offset at which it was closed.
    pub end_offset: Option<i64>,
    /// Keys that no server knows, with their values, as they stand.
    pub ignored: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// An entry without offsets.
    #[must_use]
    pub fn new(file: impl Into<Vec<u8>>, seq: i64, kind: EntryKind) -> Self {
        Entry {
            file: file.into(),
            seq,
            kind,
            start_offset: None,
            end_offset: None,
            ignored: Vec::new(),
        }
    }
}

/// The parts of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What is loaded first.
    pub base: Option<Entry>,
    /// What is loaded then, in this order.
    pub incrs: Vec<Entry>,
    /// What is not loaded.
    pub history: Vec<Entry>,
}

macro_rules! manifest_flaws {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What is wrong with a manifest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ManifestFlaw { $($(#[$doc])* $variant,)* }

        impl ManifestFlaw {
            /// What the server says.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self { $(ManifestFlaw::$variant => $text,)* }
            }
        }
    };
}

manifest_flaws! {
    /// No byte at all.
    Empty = "Found an empty AOF manifest",
    /// No LF within 1024 bytes, or none at the end, or NUL before it.
    LineTooLong = "The AOF manifest file contains too long line",
    /// Blank, badly quoted, fewer than three pairs, or without file, seq or type.
    BadLine = "Invalid AOF manifest file format",
    /// The name has a slash, a backslash or NUL.
    NotBaseName = "File can't be a path, just a filename",
    /// Two bases.
    DuplicateBase = "Found duplicate base file information",
    /// An incr whose number is not above the one before.
    NotMonotonic = "Found a non-monotonic sequence number",
    /// A type that begins with another letter.
    UnknownType = "Unknown AOF file type",
}

/// A manifest that servers refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    flaw: ManifestFlaw,
    line_number: u64,
    offset: u64,
    line: Vec<u8>,
}

impl ManifestError {
    /// What is wrong.
    #[must_use]
    pub fn flaw(&self) -> ManifestFlaw {
        self.flaw
    }

    /// The line, counted from 1; 0 in an empty manifest.
    #[must_use]
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// Where the line begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The line, without the blanks around it; at most 1024 bytes.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.flaw.message())?;
        if self.line_number > 0 {
            write!(
                f,
                " (line {}: {})",
                self.line_number,
                escape_key(&self.line)
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Error::new(ErrorKind::Broken {
            code: Code::BadManifest,
            at: None,
            what: error.flaw.message(),
            expected: Value::None,
            found: match error.line_number {
                0 => Value::None,
                line => Value::Line(line),
            },
        })
        .at_offset(error.offset)
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// ```
    /// use rdbkit::aof::Manifest;
    ///
    /// let text = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
    /// let manifest = Manifest::parse(text)?;
    /// assert_eq!(manifest.incrs[0].file, b"a.1.incr.aof");
    /// assert_eq!(manifest.encode(), text);
    /// # Ok::<(), rdbkit::aof::manifest::ManifestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What a server refuses, with its message.
    pub fn parse(input: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        let fail = |flaw, line_number, offset, line: &[u8]| {
            Err(ManifestError {
                flaw,
                line_number,
                offset: offset as u64,
                line: line.to_vec(),
            })
        };
        if input.is_empty() {
            return fail(ManifestFlaw::Empty, 0, 0, b"");
        }
        let (mut at, mut line_number) = (0, 0);
        while at < input.len() {
            line_number += 1;
            let offset = at;
            let window = &input[at..input.len().min(at + MAX_LINE_BYTES)];
            let line = memchr::memchr(b'\n', window).map_or(window, |lf| &window[..=lf]);
            at += line.len();
            if line.starts_with(b"#") {
                continue;
            }
            // The server looks for LF in a C string, so NUL hides it.
            if memchr::memchr2(b'\n', 0, line).is_none_or(|at| line[at] == 0) {
                return fail(ManifestFlaw::LineTooLong, line_number, offset, line);
            }
            let line = trim(line);
            if let Err(flaw) = parse_entry(line).and_then(|entry| manifest.add(entry)) {
                return fail(flaw, line_number, offset, line);
            }
        }
        Ok(manifest)
    }

    fn add(&mut self, entry: Entry) -> Result<(), ManifestFlaw> {
        match entry.kind {
            EntryKind::Base if self.base.is_some() => return Err(ManifestFlaw::DuplicateBase),
            EntryKind::Base => self.base = Some(entry),
            EntryKind::History => self.history.push(entry),
            EntryKind::Incr => {
                if entry.seq <= self.incrs.last().map_or(0, |last| last.seq) {
                    return Err(ManifestFlaw::NotMonotonic);
                }
                self.incrs.push(entry);
            }
        }
        Ok(())
    }

    /// Whether it names nothing that is loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incrs.is_empty()
    }

    /// Every entry, in the order servers write them: base, history, incr.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.base.iter().chain(&self.history).chain(&self.incrs)
    }

    /// The text of the manifest as servers write it; ignored keys are left out, as they do.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in self.entries() {
            encode_entry_into(entry, &mut out);
        }
        out
    }
}

fn encode_entry_into(entry: &Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(b"file ");
    encode_name_into(&entry.file, out);
    out.extend_from_slice(format!(" seq {} type {}", entry.seq, entry.kind.letter()).as_bytes());
    if let Some(start) = entry.start_offset {
        out.extend_from_slice(format!(" startoffset {start}").as_bytes());
        // Servers write the end only behind a start.
        if let Some(end) = entry.end_offset {
            out.extend_from_slice(format!(" endoffset {end}").as_bytes());
        }
    }
    out.push(b'\n');
}

/// Writes a name, quoted if it must be (`sds.c sdsneedsrepr`, `sdscatrepr`).
///
/// A name that is empty or has a `'` is quoted too: servers leave these plain, and
/// then cannot read the line.
fn encode_name_into(name: &[u8], out: &mut Vec<u8>) {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'\'');
    if !name.is_empty() && name.iter().all(plain) {
        out.extend_from_slice(name);
        return;
    }
    out.push(b'"');
    for &byte in name {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

fn parse_entry(line: &[u8]) -> Result<Entry, ManifestFlaw> {
    let tokens = split_args(line).ok_or(ManifestFlaw::BadLine)?;
    if tokens.len() < 6 || !tokens.len().is_multiple_of(2) {
        return Err(ManifestFlaw::BadLine);
    }
    let (mut file, mut seq, mut letter) = (None, 0, None);
    let (mut start_offset, mut end_offset) = (None, None);
    let mut ignored = Vec::new();
    for pair in tokens.chunks_exact(2) {
        let [key, value] = pair else { continue };
        let is = |name: &str| c_str(key).eq_ignore_ascii_case(name.as_bytes());
        if is("file") {
            if value.iter().any(|b| matches!(b, b'/' | b'\\' | 0)) {
                return Err(ManifestFlaw::NotBaseName);
            }
            file = Some(value.clone());
        } else if is("seq") {
            seq = atoll(value);
        } else if is("type") {
            letter = c_str(value).first().copied();
        } else if is("startoffset") {
            start_offset = offset(value);
        } else if is("endoffset") {
            end_offset = offset(value);
        } else {
            ignored.push((key.clone(), value.clone()));
        }
    }
    let (Some(file), Some(letter)) = (file, letter) else {
        return Err(ManifestFlaw::BadLine);
    };
    if seq == 0 {
        return Err(ManifestFlaw::BadLine);
    }
    let kind = match letter {
        b'b' => EntryKind::Base,
        b'i' => EntryKind::Incr,
        b'h' => EntryKind::History,
        _ => return Err(ManifestFlaw::UnknownType),
    };
    Ok(Entry {
        file,
        seq,
        kind,
        start_offset,
        end_offset,
        ignored,
    })
}

/// An offset; servers use -1 for "none".
fn offset(value: &[u8]) -> Option<i64> {
    Some(atoll(value)).filter(|offset| *offset != -1)
}

/// Splits a line into tokens (`sds.c sdssplitargs`); `None` if its quotes are wrong.
///
/// A plain token ends at blank, tab, CR, LF or NUL. `"…"` knows `\n \r \t \b \a`
/// and `\xHH`, and takes any other byte after a backslash as it is; `'…'` knows only
/// `\'`. Quotes may open inside a token, but the closing one must end it.
#[must_use]
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
    // The server's strings end at NUL.
    let mut rest = c_str(line);
    let mut tokens = Vec::new();
    loop {
        let blanks = rest.iter().take_while(|b| is_space(b)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Some(tokens);
        }
        let mut token = Vec::new();
        let mut quote = None;
        loop {
            match (quote, rest) {
                (Some(_), []) => return None,
                (None, [] | [b' ' | b'\n' | b'\r' | b'\t', ..]) => break,
                (None, [open @ (b'"' | b'\''), tail @ ..]) => {
                    quote = Some(*open);
                    rest = tail;
                }
                (Some(open), [close, tail @ ..]) if open == *close => {
                    if tail.first().is_some_and(|b| !is_space(b)) {
                        return None;
                    }
                    rest = tail;
                    break;
                }
                (Some(b'"'), [b'\\', b'x', high, low, tail @ ..])
                    if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    token.push(hex_digit(*high) << 4 | hex_digit(*low));
                    rest = tail;
                }
                (Some(b'"'), [b'\\', escaped, tail @ ..]) => {
                    token.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 0x08,
                        b'a' => 0x07,
                        other => *other,
                    });
                    rest = tail;
                }
                (Some(b'\''), [b'\\', b'\'', tail @ ..]) => {
                    token.push(b'\'');
                    rest = tail;
                }
                (_, [byte, tail @ ..]) => {
                    token.push(*byte);
                    rest = tail;
                }
            }
        }
        tokens.push(token);
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// What C sees of a string.
fn c_str(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..]
    | [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = line
    {
        line = rest;
    }
    line
}

/// The C function: blanks, a sign, digits; 0 without any, the nearest bound beyond them.
fn atoll(text: &[u8]) -> i64 {
    let blanks = text
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'..=b'\r'))
        .count();
    let (sign, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    digits
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0i64, |n, digit| {
            n.saturating_mul(10)
                .saturating_add(sign * i64::from(digit - b'0'))
        })
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
