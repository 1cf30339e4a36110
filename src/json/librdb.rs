//! The JSON of librdb, `rdb-cli dump.rdb json`, for people who switch.
//!
//! ```text
//! [{
//!     "k1":"v",
//!     "z":{"m":"1.5"},
//!     "mystream":{
//!       "entries":[
//!         { "id":"1695649068107-0", "items":{"f1":"v1", "f2":"v2"} }
//!    ]}
//! },{
//!     "y":"1"
//! }]
//! ```
//!
//! One object per database without its number, no deadlines; every scalar is a
//! string. A module's value is a placeholder with its name and size. A stream
//! field that occurs twice is a JSON name that occurs twice.
//!
//! Strings follow its default, plain escapes: byte by byte, so `é` is
//! `\u00c3\u00a9`. No byte is lost, but a reader sees Latin-1 text.
//!
//! Scores are those of the servers' `d2string`: integers as such, else the
//! shortest digits; `-0` is `0`, and `inf`, `-inf` and `nan` are words.
//!
//! With [`with_stream_meta`](LibrdbWriter::with_stream_meta) streams have the
//! members of `-i stream-meta`. Where that tool then prints invalid JSON (names
//! of groups and consumers as they are, a missing bracket) ours is valid.
//! Where it differs: a database without keys is absent; an array of Redis 8.8,
//! which it does not know, is an object from index to element.

use super::compat::{Databases, Decimal, Separators, is_plain, write_unit};
use super::document::Document;
use super::native::Header;
use crate::bytes::{Text, double};
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{Consumer, Group, StreamId, StreamState};

const SEPARATORS: Separators = Separators {
    begin_file: b"[",
    first_db: b"{\n    ",
    next_db: b"\n},{\n    ",
    next_key: b",\n    ",
    end_db: b"\n}",
    end_file: b"]\n",
};

/// Writes keys into a buffer that its owner empties between keys.
#[derive(Debug)]
pub struct LibrdbWriter {
    /// The text so far.
    pub out: Vec<u8>,
    databases: Databases,
    value_type: Option<ValueType>,
    is_first: bool,
    has_stream_meta: bool,
}

impl Default for LibrdbWriter {
    fn default() -> Self {
        LibrdbWriter::new()
    }
}

impl LibrdbWriter {
    /// Makes a writer of a whole document.
    #[must_use]
    pub fn document() -> Self {
        let mut writer = LibrdbWriter::new();
        writer.begin_file();
        writer
    }

    /// Makes an empty writer. Without [`begin_file`](Self::begin_file) it writes a fragment.
    #[must_use]
    pub fn new() -> Self {
        LibrdbWriter {
            out: Vec::new(),
            databases: Databases::new(&SEPARATORS),
            value_type: None,
            is_first: false,
            has_stream_meta: false,
        }
    }

    /// Adds counters and groups to streams.
    #[must_use]
    pub fn with_stream_meta(mut self) -> Self {
        self.has_stream_meta = true;
        self
    }

    /// Opens the document.
    pub fn begin_file(&mut self) {
        self.databases.begin_file(&mut self.out);
    }

    /// Closes the document.
    pub fn end_file(&mut self) {
        self.databases.end_file(&mut self.out);
    }

    /// Takes over the keys of a fragment, which is empty afterwards.
    pub fn append(&mut self, fragment: &mut LibrdbWriter) {
        self.databases
            .append(&mut self.out, &mut fragment.databases, &mut fragment.out);
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(b',');
        }
    }
}

/// Appends a string, escaped byte by byte.
#[inline]
fn write_text(text: Text<'_>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let bytes = text.as_bytes(&mut digits);
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        bytes
            .iter()
            .for_each(|&byte| write_unit(u16::from(byte), out));
    }
    out.push(b'"');
}

fn write_number(n: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

fn write_id(id: StreamId, out: &mut Vec<u8>) {
    out.push(b'"');
    write_number(id.ms, out);
    out.push(b'-');
    write_number(id.seq, out);
    out.push(b'"');
}

/// Appends the text of a score, as `util.c d2string` lays it out.
fn write_score(score: f64, out: &mut Vec<u8>) {
    if let Some(n) = double::integral(score) {
        return write_number(n, out);
    }
    if !score.is_finite() {
        return double::shortest(score, out);
    }
    if score == 0.0 {
        return out.push(b'0');
    }
    let decimal = Decimal::new(score);
    let digits = decimal.digits().len() as i32;
    let zeros = decimal.point - digits;
    let exponent = (decimal.point - 1).abs();
    let is_plain = match zeros {
        0.. => exponent < digits + 7,
        _ => zeros > -7 || exponent < 4,
    };
    if is_plain {
        decimal.write_plain(out);
    } else {
        decimal.write_exponential(1, out);
    }
}

/// Appends `,` before every element but the first of what `write` appends.
fn write_list<T>(
    elements: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(element, out);
    }
    out.push(b']');
}

fn write_stream_meta(state: &StreamState, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\n      \"length\":");
    write_number(state.length, out);
    out.extend_from_slice(b",\n      \"entriesAdded\":");
    write_number(state.entries_added.unwrap_or(state.length), out);
    let ids: [(&str, StreamId); 3] = [
        ("firstID", state.first_id.unwrap_or_default()),
        ("lastID", state.last_id),
        ("maxDelEntryID", state.max_deleted_id.unwrap_or_default()),
    ];
    for (name, id) in ids {
        out.extend_from_slice(format!(",\n      \"{name}\":").as_bytes());
        write_id(id, out);
    }
    out.extend_from_slice(b",\n      \"groups\":");
    write_list(&state.groups, out, write_group);
}

fn write_group(group: &Group, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    write_text(Text::Bytes(&group.name), out);
    out.extend_from_slice(b",\"lastid\":");
    write_id(group.last_id, out);
    out.extend_from_slice(b",\"entriesRead\":");
    write_number(group.entries_read.unwrap_or(-1), out);
    out.extend_from_slice(b",\"pending\":");
    write_list(&group.pending, out, |entry, out| {
        out.extend_from_slice(b"{\"sent\":");
        write_number(entry.delivered_at_ms, out);
        out.extend_from_slice(b",\"id\":");
        write_id(entry.id, out);
        out.extend_from_slice(b",\"count\":");
        write_number(entry.count, out);
        out.push(b'}');
    });
    // One pass over the group's PEL, not one per consumer.
    let mut owned = vec![Vec::new(); group.consumers.len()];
    for entry in &group.pending {
        let owner = entry
            .consumer
            .and_then(|index| owned.get_mut(index as usize));
        owner.into_iter().for_each(|ids| ids.push(entry.id));
    }
    out.extend_from_slice(b",\"consumers\":");
    write_list(
        group.consumers.iter().zip(owned),
        out,
        |(consumer, ids), out| write_consumer(consumer, &ids, out),
    );
    out.push(b'}');
}

fn write_consumer(consumer: &Consumer, pending: &[StreamId], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    write_text(Text::Bytes(&consumer.name), out);
    out.extend_from_slice(b",\"activeTime\":");
    write_number(consumer.active_at_ms.unwrap_or(consumer.seen_at_ms), out);
    out.extend_from_slice(b",\"seenTime\":");
    write_number(consumer.seen_at_ms, out);
    out.extend_from_slice(b",\"pending\":");
    write_list(pending, out, |&id, out| {
        out.extend_from_slice(b"{\"id\":");
        write_id(id, out);
        out.push(b'}');
    });
    out.push(b'}');
}

impl Document for LibrdbWriter {
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn fragment(&self) -> Self {
        LibrdbWriter {
            has_stream_meta: self.has_stream_meta,
            ..LibrdbWriter::new()
        }
    }

    fn append(&mut self, fragment: &mut Self) {
        self.append(fragment);
    }

    fn header(&mut self, _header: &Header) {
        // The shape has no place for it.
    }

    fn finish(&mut self) {
        self.end_file();
    }
}

impl ValueSink for LibrdbWriter {
    fn wants_score_order(&self) -> bool {
        false
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.databases.begin_key(head.db, &mut self.out);
        self.value_type = Some(head.value_type);
        write_text(Text::Bytes(head.key), &mut self.out);
        self.out.push(b':');
    }

    fn string(&mut self, text: Text<'_>) {
        write_text(text, &mut self.out);
    }

    fn begin_value(&mut self) {
        self.is_first = true;
        self.out.extend_from_slice(match self.value_type {
            Some(ValueType::List | ValueType::Set) => b"[",
            Some(ValueType::Stream) => b"{\n      \"entries\":[ ",
            Some(ValueType::Module) => b"",
            _ => b"{",
        });
    }

    #[inline]
    fn element(&mut self, element: Text<'_>) {
        self.comma();
        write_text(element, &mut self.out);
    }

    #[inline]
    fn scored(&mut self, member: Text<'_>, score: f64) {
        self.comma();
        write_text(member, &mut self.out);
        self.out.extend_from_slice(b":\"");
        write_score(score, &mut self.out);
        self.out.push(b'"');
    }

    #[inline]
    fn field(&mut self, field: Text<'_>, value: Text<'_>, _expire_at_ms: Option<i64>) {
        self.comma();
        write_text(field, &mut self.out);
        self.out.push(b':');
        write_text(value, &mut self.out);
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        self.comma();
        self.out.extend_from_slice(b"\n        { \"id\":");
        write_id(id, &mut self.out);
        self.out.extend_from_slice(b", \"items\":{");
        for (index, (field, value)) in fields.enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            write_text(field, &mut self.out);
            self.out.push(b':');
            write_text(value, &mut self.out);
        }
        self.out.extend_from_slice(b"} }");
    }

    fn stream_state(&mut self, state: &StreamState) {
        self.out.extend_from_slice(b"\n   ]");
        if self.has_stream_meta {
            write_stream_meta(state, &mut self.out);
        }
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        self.comma();
        self.out.push(b'"');
        write_number(index, &mut self.out);
        self.out.extend_from_slice(b"\":");
        write_text(text, &mut self.out);
    }

    fn array_state(&mut self, _insert_index: Option<u64>) {}

    fn module(
        &mut self,
        name: &str,
        _encoding_version: u16,
        _data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        encoded_len: u64,
    ) {
        // Walking them is what finds their flaws.
        items.for_each(drop);
        let text = format!(
            "<Content of Module '{name}'. Occupies a serialized size of {encoded_len} bytes>"
        );
        write_text(Text::Bytes(text.as_bytes()), &mut self.out);
    }

    fn end_value(&mut self) {
        self.out.extend_from_slice(match self.value_type {
            Some(ValueType::List | ValueType::Set) => b"]",
            Some(ValueType::Module) => b"",
            _ => b"}",
        });
    }

    fn end_key(&mut self) -> bool {
        true
    }

    fn abandon_key(&mut self) {
        self.databases.abandon_key(&mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::compat_tests::{head, put_string};
    use crate::model::stream::Pending;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_text(Text::Bytes(bytes), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_byte_by_byte() {
        let table: &[(&[u8], &str)] = &[
            (b"", r#""""#),
            (b"plain /~", r#""plain /~""#),
            (b"\"\\\n\r\t\x08\x0c", r#""\"\\\n\r\t\b\f""#),
            (b"\x00\x1f\x7f", r#""\u0000\u001f\u007f""#),
            ("é".as_bytes(), r#""\u00c3\u00a9""#),
            (b"\xff", r#""\u00ff""#),
        ];
        for (bytes, expected) in table {
            assert_eq!(text(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn scores_are_those_of_d2string() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (1e-7, "1e-7"),
            (0.000_123, "0.000123"),
            (1e18, "1000000000000000000"),
            (5e18, "5e+18"),
            (1e20, "1e+20"),
            (1.25e100, "1.25e+100"),
            (2.141_592_653_589_793, "2.141592653589793"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (score, expected) in table {
            let mut out = Vec::new();
            write_score(score, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    fn put_stream(writer: &mut LibrdbWriter) {
        writer.begin_key(&head(0, b"mystream", ValueType::Stream));
        writer.begin_value();
        let fields = [("f1", "v1"), ("f2", "v2")];
        let id = StreamId {
            ms: 1_695_649_068_107,
            seq: 0,
        };
        writer.entry(
            id,
            &mut fields
                .iter()
                .map(|(f, v)| (Text::Bytes(f.as_bytes()), Text::Bytes(v.as_bytes()))),
        );
        writer.stream_state(&StreamState {
            length: 1,
            last_id: id,
            groups: vec![Group {
                name: b"g\"\xff".to_vec(),
                pending: vec![Pending {
                    id,
                    consumer: Some(0),
                    delivered_at_ms: 5,
                    count: 2,
                }],
                consumers: vec![Consumer::default(), Consumer::default()],
                ..Group::default()
            }],
            ..StreamState::default()
        });
        writer.end_value();
        assert!(writer.end_key());
    }

    #[test]
    fn document_has_the_layout_of_the_tool() {
        let mut writer = LibrdbWriter::new();
        writer.begin_file();
        put_string(&mut writer, 0, b"k1", b"v");
        writer.begin_key(&head(0, b"z", ValueType::Zset));
        writer.begin_value();
        writer.scored(Text::Bytes(b"m"), 1.5);
        writer.scored(Text::Int(7), 2.0);
        writer.end_value();
        assert!(writer.end_key());
        writer.begin_key(&head(0, b"j", ValueType::Module));
        writer.begin_value();
        writer.module("ReJSON-RL", 3, None, &mut std::iter::empty(), 12);
        writer.end_value();
        assert!(writer.end_key());
        put_stream(&mut writer);
        put_string(&mut writer, 1, b"y", b"1");
        writer.end_file();
        let expected = r#"[{
    "k1":"v",
    "z":{"m":"1.5","7":"2"},
    "j":"<Content of Module 'ReJSON-RL'. Occupies a serialized size of 12 bytes>",
    "mystream":{
      "entries":[ 
        { "id":"1695649068107-0", "items":{"f1":"v1", "f2":"v2"} }
   ]}
},{
    "y":"1"
}]
"#;
        assert_eq!(String::from_utf8(writer.out).unwrap(), expected);
    }

    #[test]
    fn stream_meta_is_valid_json() {
        let mut writer = LibrdbWriter::new().with_stream_meta();
        writer.begin_file();
        put_stream(&mut writer);
        writer.end_file();
        let document: serde_json::Value = serde_json::from_slice(&writer.out).unwrap();
        let group = &document[0]["mystream"]["groups"][0];
        assert_eq!(group["name"], "g\"\u{ff}");
        assert_eq!(group["consumers"][0]["pending"][0]["id"], "1695649068107-0");
        assert_eq!(group["consumers"][1]["pending"], serde_json::json!([]));
    }

    #[test]
    fn file_without_keys_is_an_empty_array() {
        let mut writer = LibrdbWriter::new();
        writer.begin_file();
        writer.end_file();
        assert_eq!(writer.out, b"[]\n");
    }

    proptest! {
        #[test]
        fn strings_are_latin_1_json(bytes: Vec<u8>) {
            let read: String = serde_json::from_str(&text(&bytes)).unwrap();
            let read: Vec<u8> = read.chars().map(|c| u8::try_from(c).unwrap()).collect();
            prop_assert_eq!(read, bytes);
        }
    }
}
