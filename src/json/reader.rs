//! rdbkit's own JSON, read back: what [`super::native`] writes, in any member order.
//!
//! ```text
//! {record} {record} ...          NDJSON, or records in any white space
//! [{record}, {record}, ...]      JSON
//! ```
//!
//! A record with the member `rdbkit` is a header, any other a key. `encoding` says
//! nothing; members of other names are refused, since what they say would be lost.
//! Sets, hashes and sorted sets name a member once. The schema stands in the README.

use std::borrow::Cow;

use super::cursor::{Cursor, Mistake, Parsed};
use super::native::{Header, ModuleAuxRecord};
pub use super::read_module::ModuleMeaning;
use super::read_module::{MODULE_NAME, key_meta, module_items};
use super::read_value;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ValueType;
use crate::model::function::{LibraryNames, library_name};
use crate::model::sink::{KeyHead, KeyMetaEntry, ValueSink};
use crate::rdb::ModuleId;

/// Reads records of a whole text, one after the other.
///
/// ```
/// use rdbkit::json::reader::{JsonReader, JsonRecord};
///
/// let text = br#"{"key":"greeting","type":"string","value":"hello"}"#;
/// let mut reader = JsonReader::new(text);
/// let Some(JsonRecord::Key(key)) = reader.next_record()? else {
///     panic!("a key");
/// };
/// assert_eq!((key.db(), key.key()), (0, &b"greeting"[..]));
/// assert!(reader.next_record()?.is_none());
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonReader<'a> {
    text: &'a [u8],
    cursor: Cursor<'a>,
    state: State,
    is_lines: bool,
    counted: Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Beginning,
    Lines,
    Array,
    Over,
}

/// A record of the schema.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonRecord<'a> {
    /// What belongs to no key.
    Header(Header),
    /// A key.
    Key(JsonKey<'a>),
}

/// A key whose value is read when it is asked for.
#[derive(Debug)]
pub struct JsonKey<'a> {
    text: &'a [u8],
    at: usize,
    db: u32,
    key: Cow<'a, [u8]>,
    value_type: ValueType,
    expire_at_ms: Option<i64>,
    idle_s: Option<u64>,
    freq: Option<u8>,
    key_meta: Option<Vec<KeyMetaEntry>>,
    deadlines: Option<Cursor<'a>>,
    value: Cursor<'a>,
    encoded_len: u64,
    counted: Counted,
}

impl<'a> JsonReader<'a> {
    /// Reads a text that is there as a whole.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        JsonReader {
            text,
            cursor: Cursor::new(text),
            state: State::Beginning,
            is_lines: false,
            counted: Counted::default(),
        }
    }

    /// Index of the first byte that was not read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.cursor.at as u64
    }

    /// Begins at a record that [`JsonKey::offset`] has told.
    #[must_use]
    pub fn at(text: &'a [u8], offset: u64) -> Self {
        let mut reader = JsonReader::new(text);
        reader.cursor.at = usize::try_from(offset).map_or(text.len(), |at| at.min(text.len()));
        reader.state = State::Lines;
        reader
    }

    /// Goes on behind the line of a mistake, where records stand on lines of their own; `false` if
    /// they do not, or there is no other line.
    pub fn skip_line(&mut self) -> bool {
        let rest = &self.text[self.cursor.at..];
        match (self.is_lines, memchr::memchr(b'\n', rest)) {
            (true, Some(newline)) => {
                self.cursor.at += newline + 1;
                self.state = State::Lines;
                true
            }
            _ => false,
        }
    }

    /// Reads the next record; `None` behind the last.
    ///
    /// # Errors
    /// `bad_json`, with line and column: text that is no JSON or not of the schema. Nothing
    /// is read behind it, unless [`skip_line`](Self::skip_line) finds a way.
    pub fn next_record(&mut self) -> Result<Option<JsonRecord<'a>>> {
        let record = self.record();
        if record.is_err() {
            self.state = State::Over;
        }
        record.map_err(|mistake| explain(self.text, mistake, &mut self.counted))
    }

    fn record(&mut self) -> Parsed<Option<JsonRecord<'a>>> {
        let is_first = self.state == State::Beginning;
        if is_first {
            self.state = match self.cursor.take(b'[') {
                true => State::Array,
                false => State::Lines,
            };
            self.is_lines = self.state == State::Lines;
        }
        match self.state {
            State::Lines if self.cursor.peek().is_none() => return Ok(None),
            State::Lines => {}
            State::Array => {
                if self.cursor.take(b']') {
                    self.state = State::Over;
                } else if !is_first && !self.cursor.take(b',') {
                    return self.cursor.mistake("`,` or `]`");
                }
            }
            State::Beginning | State::Over => {}
        }
        if self.state == State::Over {
            return match self.cursor.peek() {
                None => Ok(None),
                Some(_) => self.cursor.mistake("nothing behind the records"),
            };
        }
        self.counted.keep_up(self.text, self.cursor.at);
        record(&mut self.cursor, self.text, self.counted).map(Some)
    }
}

/// How many lines end before a place: the lines of a text with many mistakes are counted once.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    at: usize,
    lines: u64,
}

impl Counted {
    /// Counts up to a place, if much was read since.
    fn keep_up(&mut self, text: &[u8], at: usize) {
        /// So little that a mistake on every line is found fast, and sound lines cost nothing.
        const MUCH_BYTES: usize = 64 * 1024;
        if at.saturating_sub(self.at) > MUCH_BYTES {
            self.lines_before(text, at);
        }
    }

    fn lines_before(&mut self, text: &[u8], at: usize) -> u64 {
        if at < self.at {
            *self = Counted::default();
        }
        let between = text.get(self.at..at).unwrap_or_default();
        self.lines += memchr::memchr_iter(b'\n', between).count() as u64;
        self.at = at;
        self.lines
    }
}

/// Turns a mistake into an error with line, column and what is there.
#[cold]
fn explain(text: &[u8], mistake: Mistake, counted: &mut Counted) -> Error {
    let Mistake {
        at,
        expected,
        found,
    } = mistake;
    let before = &text[..at.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let kind = ErrorKind::BadJson {
        line: 1 + counted.lines_before(text, before.len()),
        column: 1 + (before.len() - line_start) as u64,
        expected,
        found: found.map_or_else(|| Cursor::describe(text, at).into(), Cow::Borrowed),
    };
    Error::new(kind).at_offset(at as u64)
}

/// Where the value of each known member of a record begins.
#[derive(Default)]
struct Members<'a> {
    db: Option<Cursor<'a>>,
    key: Option<Cursor<'a>>,
    value_type: Option<Cursor<'a>>,
    expire_at_ms: Option<Cursor<'a>>,
    idle_s: Option<Cursor<'a>>,
    freq: Option<Cursor<'a>>,
    key_meta: Option<Cursor<'a>>,
    deadlines: Option<Cursor<'a>>,
    value: Option<Cursor<'a>>,
    encoding: Option<Cursor<'a>>,
}

fn record<'a>(cursor: &mut Cursor<'a>, text: &'a [u8], counted: Counted) -> Parsed<JsonRecord<'a>> {
    cursor.peek();
    let start = *cursor;
    let mut members = Members::default();
    let mut is_header = false;
    let mut of_header = None;
    cursor.members("a record: an object", |cursor, name, at| {
        if is_header {
            return cursor.value().map(drop);
        }
        let member = match &*name {
            b"rdbkit" => {
                is_header = true;
                return cursor.value().map(drop);
            }
            b"db" => &mut members.db,
            b"key" => &mut members.key,
            b"type" => &mut members.value_type,
            b"expire_at_ms" => &mut members.expire_at_ms,
            b"idle_s" => &mut members.idle_s,
            b"freq" => &mut members.freq,
            b"key_meta" => &mut members.key_meta,
            b"field_expire_at_ms" => &mut members.deadlines,
            b"value" => &mut members.value,
            b"encoding" => &mut members.encoding,
            // A header may name its own members first.
            b"source" | b"magic" | b"version" | b"flavor" | b"aux" | b"functions"
            | b"module_aux" | b"lua" => {
                of_header.get_or_insert(at);
                return cursor.value().map(drop);
            }
            _ => return cursor.wrong(at, "a member of the schema", "another name"),
        };
        once(cursor, member)
    })?;
    let end = cursor.at;
    if is_header {
        let mut cursor = start;
        return header(&mut cursor).map(JsonRecord::Header);
    }
    if let Some(at) = of_header {
        return start.wrong(at, "a member of a key", "one of a header");
    }
    let missing = |expected| start.wrong(start.at, expected, "a record without one");
    let Some(mut key) = members.key else {
        return missing("a record with a `key`");
    };
    let Some(mut value_type) = members.value_type else {
        return missing("a record with a `type`");
    };
    let Some(value) = members.value else {
        return missing("a record with a `value`");
    };
    let integer = |member: Option<Cursor<'a>>| {
        member
            .map(|mut cursor| cursor.integer("a deadline in milliseconds"))
            .transpose()
    };
    let value_type = read_type(&mut value_type)?;
    if let (Some(deadlines), true) = (&members.deadlines, value_type != ValueType::Hash) {
        return start.wrong(
            deadlines.at,
            "`field_expire_at_ms` with a hash",
            "another type",
        );
    }
    Ok(JsonRecord::Key(JsonKey {
        text,
        at: start.at,
        db: match members.db {
            None => 0,
            Some(mut cursor) => database(&mut cursor)?,
        },
        key: key.text("a key: a string")?,
        value_type,
        expire_at_ms: integer(members.expire_at_ms)?,
        idle_s: members
            .idle_s
            .map(|mut cursor| cursor.integer("seconds"))
            .transpose()?,
        freq: members
            .freq
            .map(|mut cursor| cursor.integer("a counter from 0 to 255"))
            .transpose()?,
        key_meta: members
            .key_meta
            .map(|mut cursor| key_meta(&mut cursor))
            .transpose()?,
        deadlines: members.deadlines,
        value,
        encoded_len: (end - start.at) as u64,
        counted,
    }))
}

/// Remembers where a member stands, and steps over it.
pub(super) fn once<'a>(cursor: &mut Cursor<'a>, member: &mut Option<Cursor<'a>>) -> Parsed<()> {
    cursor.peek();
    *member = Some(*cursor);
    cursor.value().map(drop)
}

fn database(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    cursor.peek();
    let at = cursor.at;
    match cursor.integer("the number of a database")? {
        db @ ..=0x7fff_ffff => Ok(db),
        _ => cursor.wrong(at, "a database below 2^31", "one above"),
    }
}

fn read_type(cursor: &mut Cursor<'_>) -> Parsed<ValueType> {
    const EXPECTED: &str = "string, list, set, zset, hash, stream, array or module";
    cursor.peek();
    let at = cursor.at;
    let name = cursor.string(EXPECTED)?;
    let known = std::str::from_utf8(&name).ok().and_then(|name| {
        ValueType::ALL
            .iter()
            .find(|known| known.name() == name)
            .copied()
    });
    match known {
        Some(value_type) => Ok(value_type),
        None => cursor.wrong(at, EXPECTED, "another type"),
    }
}

fn header(cursor: &mut Cursor<'_>) -> Parsed<Header> {
    let mut header = Header::default();
    let mut magic = None;
    let mut version: Option<u16> = None;
    let mut libraries = LibraryNames::default();
    cursor.members("a header: an object", |cursor, name, at| {
        match &*name {
            b"rdbkit" => {
                cursor.peek();
                let at = cursor.at;
                if cursor.integer::<u64>("version 1 of the schema")? != 1 {
                    return cursor.wrong(at, "version 1 of the schema", "another version");
                }
            }
            b"source" => {
                header.source = match &*cursor.string("rdb or aof")? {
                    b"aof" => "aof",
                    _ => "rdb",
                }
            }
            b"magic" => {
                magic = match &*cursor.string("REDIS or VALKEY")? {
                    b"REDIS" => Some("REDIS"),
                    b"VALKEY" => Some("VALKEY"),
                    _ => return cursor.wrong(at, "REDIS or VALKEY", "another magic"),
                }
            }
            b"version" => version = Some(cursor.integer("the version of an RDB")?),
            b"flavor" => {
                let flavor = cursor.string("a release, as redis-7.2")?;
                header.flavor = Some(String::from_utf8_lossy(&flavor).into_owned());
            }
            b"aux" => cursor.array("aux fields: an array", |cursor| {
                let pair = cursor.pair(
                    "an aux field: name and value",
                    |cursor| cursor.text("a name"),
                    |cursor, _| cursor.text("a value"),
                )?;
                header.aux.push((pair.0.into_owned(), pair.1.into_owned()));
                Ok(())
            })?,
            b"functions" => cursor.array("function libraries: an array", |cursor| {
                cursor.peek();
                let at = cursor.at;
                let code = cursor.text("a string")?;
                let Some(name) = library_name(&code) else {
                    return cursor.wrong(at, "#!engine name=library", "another first line");
                };
                if libraries.meet(name).is_err() {
                    return cursor.wrong(at, "each function library once", "one twice");
                }
                header.functions.push(code.into_owned());
                Ok(())
            })?,
            b"lua" => texts(cursor, "scripts: an array", &mut header.lua)?,
            b"module_aux" => cursor.array("module records: an array", |cursor| {
                header.module_aux.push(module_aux(cursor)?);
                Ok(())
            })?,
            _ => return cursor.wrong(at, "a member of a header", "another name"),
        }
        Ok(())
    })?;
    header.magic = magic.zip(version);
    Ok(header)
}

fn texts(cursor: &mut Cursor<'_>, expected: &'static str, to: &mut Vec<Vec<u8>>) -> Parsed<()> {
    cursor.array(expected, |cursor| {
        to.push(cursor.text("a string")?.into_owned());
        Ok(())
    })
}

fn module_aux(cursor: &mut Cursor<'_>) -> Parsed<ModuleAuxRecord> {
    cursor.peek();
    let start = *cursor;
    let mut record = ModuleAuxRecord {
        module: String::new(),
        encoding_version: 0,
        when: 0,
        items: Vec::new(),
    };
    cursor.members("a module record: an object", |cursor, name, at| {
        match &*name {
            b"module" => {
                let name = cursor.string("the name of a module's type")?;
                record.module = String::from_utf8_lossy(&name).into_owned();
            }
            b"encver" => record.encoding_version = cursor.integer("an encoding version")?,
            b"when" => record.when = cursor.integer("1 or 2")?,
            b"items" => record.items = module_items(cursor)?,
            _ => return cursor.wrong(at, "a member of a module record", "another name"),
        }
        Ok(())
    })?;
    match ModuleId::new(&record.module, record.encoding_version) {
        Some(_) => Ok(record),
        None => start.wrong(start.at, MODULE_NAME, "another string, or a greater number"),
    }
}

impl<'a> JsonKey<'a> {
    /// Database number.
    #[must_use]
    pub fn db(&self) -> u32 {
        self.db
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Logical type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Deadline.
    #[must_use]
    pub fn expire_at_ms(&self) -> Option<i64> {
        self.expire_at_ms
    }

    /// Whether fields of a hash may have deadlines.
    #[must_use]
    pub fn has_field_deadlines(&self) -> bool {
        self.deadlines.is_some()
    }

    /// Index of the record in the text.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at as u64
    }

    /// Length of the record's text in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> u64 {
        self.encoded_len
    }

    /// Tells `sink` the key and its value; `meaning` says what the items of a module are.
    ///
    /// # Errors
    /// `bad_json` with line and column, database and key: a value that is not of the schema. The
    /// sink has forgotten the key then.
    pub fn export(&self, meaning: ModuleMeaning, sink: &mut impl ValueSink) -> Result<()> {
        let head = KeyHead {
            db: self.db,
            key: &self.key,
            value_type: self.value_type,
            encoding: None,
            expire_at_ms: self.expire_at_ms,
            idle_s: self.idle_s,
            freq: self.freq,
            key_meta: self.key_meta.as_deref(),
        };
        loop {
            sink.begin_key(&head);
            let mut value = self.value;
            let told =
                read_value::export(self.value_type, &mut value, self.deadlines, meaning, sink);
            if let Err(mistake) = told {
                sink.abandon_key();
                let mut counted = self.counted;
                let error = explain(self.text, mistake, &mut counted);
                return Err(error.in_key(self.db, &self.key));
            }
            if sink.end_key() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
