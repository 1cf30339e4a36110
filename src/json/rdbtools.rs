//! The JSON of redis-rdb-tools, `rdb -c json`, for people who switch.
//!
//! ```text
//! [{\r\n"k":"v",\r\n"l":["a","b"],\r\n"z":{"m":"1.5"}},{\r\n"y":"1"}]
//! ```
//!
//! One object per database without its number, no deadlines, no newline at the
//! end; all values are strings. Streams and modules are `{}`.
//!
//! Strings follow its default `-e utf8` and Python's `json.dumps`: UTF-8 becomes
//! `\uXXXX` beyond printable ASCII, surrogate pairs beyond the BMP; each byte
//! that is no UTF-8 becomes the four characters `\xHH`, so it cannot be told from
//! a string that holds those.
//!
//! Scores are `str()` of what its parser holds: an `int` where a ziplist stores
//! an integer (`1`), else a `float` (`1.0`, `1.5`, `1e+20`, `inf`, `-0.0`). A
//! server before 7.2 stores a score in a ziplist as an integer where `%.17g` has
//! neither point nor exponent: integral, not `-0`, below 10^17. Files before
//! version 8 store other scores as text, which comes out as it stands: `%.17g`,
//! `-0` as `0` ([`with_text_scores`](RdbtoolsWriter::with_text_scores)). A dataset
//! after a replay, which that tool cannot read, gets floats.
//!
//! Where it differs: a database without keys is absent instead of `{}`; module
//! aux data, on which that tool fails, is left out; an array of Redis 8.8, which
//! it does not know, is an object from index to element.

use super::compat::{Databases, Decimal, Separators, is_plain, write_unit};
use super::document::Document;
use super::native::Header;
use crate::bytes::{Text, double};
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{StreamId, StreamState};

const SEPARATORS: Separators = Separators {
    begin_file: b"[",
    first_db: b"{\r\n",
    next_db: b"},{\r\n",
    next_key: b",\r\n",
    end_db: b"}",
    end_file: b"]",
};

/// Writes keys into a buffer that its owner empties between keys.
///
/// ```
/// use rdbkit::bytes::Text;
/// use rdbkit::json::rdbtools::RdbtoolsWriter;
/// use rdbkit::model::ValueType;
/// use rdbkit::model::sink::{KeyHead, ValueSink};
///
/// let mut writer = RdbtoolsWriter::new();
/// writer.begin_file();
/// writer.begin_key(&KeyHead {
///     db: 0, key: b"k", value_type: ValueType::String, encoding: None,
///     expire_at_ms: None, idle_s: None, freq: None, key_meta: None,
/// });
/// writer.string(Text::Bytes(b"\xff"));
/// assert!(writer.end_key());
/// writer.end_file();
/// assert_eq!(writer.out, b"[{\r\n\"k\":\"\\\\xFF\"}]");
/// ```
#[derive(Debug)]
pub struct RdbtoolsWriter {
    /// The text so far.
    pub out: Vec<u8>,
    databases: Databases,
    value_type: Option<ValueType>,
    has_compact_scores: bool,
    has_text_scores: bool,
    is_first: bool,
}

impl Default for RdbtoolsWriter {
    fn default() -> Self {
        RdbtoolsWriter::new()
    }
}

impl RdbtoolsWriter {
    /// Makes a writer of a whole document.
    #[must_use]
    pub fn document() -> Self {
        let mut writer = RdbtoolsWriter::new();
        writer.begin_file();
        writer
    }

    /// Makes an empty writer. Without [`begin_file`](Self::begin_file) it writes a fragment.
    #[must_use]
    pub fn new() -> Self {
        RdbtoolsWriter {
            out: Vec::new(),
            databases: Databases::new(&SEPARATORS),
            value_type: None,
            has_compact_scores: false,
            has_text_scores: false,
            is_first: false,
        }
    }

    /// Prints the scores of skiplists as files before version 8 store them.
    #[must_use]
    pub fn with_text_scores(mut self) -> Self {
        self.has_text_scores = true;
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
    pub fn append(&mut self, fragment: &mut RdbtoolsWriter) {
        self.databases
            .append(&mut self.out, &mut fragment.databases, &mut fragment.out);
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(b',');
        }
    }
}

/// Appends a string as `json.dumps(bytes_to_unicode(..))` does.
#[inline]
fn write_text(text: Text<'_>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let bytes = text.as_bytes(&mut digits);
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        write_escaped(bytes, out);
    }
    out.push(b'"');
}

fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for chunk in bytes.utf8_chunks() {
        for unit in chunk.valid().encode_utf16() {
            write_unit(unit, out);
        }
        for &byte in chunk.invalid() {
            out.extend_from_slice(b"\\\\x");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
}

/// Appends `str(float)` of Python 3: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
fn write_python_float(x: f64, out: &mut Vec<u8>) {
    if !x.is_finite() {
        return double::shortest(x, out);
    }
    if x == 0.0 {
        let text: &[u8] = if x.is_sign_negative() {
            b"-0.0"
        } else {
            b"0.0"
        };
        return out.extend_from_slice(text);
    }
    let decimal = Decimal::new(x);
    match decimal.point {
        -3..=16 => {
            decimal.write_plain(out);
            if usize::try_from(decimal.point).is_ok_and(|point| point >= decimal.digits().len()) {
                out.extend_from_slice(b".0");
            }
        }
        _ => decimal.write_exponential(2, out),
    }
}

/// Appends what `rdb.c rdbSaveDoubleValue` stores: `%.17g`, which the parser passes on.
fn write_text_score(x: f64, out: &mut Vec<u8>) {
    match Decimal::with_17_digits(x) {
        // Words have no text in the file either.
        _ if !x.is_finite() => double::shortest(x, out),
        _ if x == 0.0 => out.push(b'0'),
        decimal if (-3..=17).contains(&decimal.point) => decimal.write_plain(out),
        decimal => decimal.write_exponential(2, out),
    }
}

/// The integer as which a ziplist stores a score, if it does.
fn compact_integer(score: f64) -> Option<i64> {
    /// Where `%.17g` begins to print exponents.
    const LIMIT: u64 = 100_000_000_000_000_000;
    double::integral(score).filter(|n| n.unsigned_abs() < LIMIT)
}

impl Document for RdbtoolsWriter {
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn fragment(&self) -> Self {
        RdbtoolsWriter {
            has_text_scores: self.has_text_scores,
            ..RdbtoolsWriter::new()
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

impl ValueSink for RdbtoolsWriter {
    fn wants_score_order(&self) -> bool {
        false
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.databases.begin_key(head.db, &mut self.out);
        self.value_type = Some(head.value_type);
        self.has_compact_scores = matches!(head.encoding, Some("ziplist" | "listpack"));
        write_text(Text::Bytes(head.key), &mut self.out);
        self.out.push(b':');
    }

    fn string(&mut self, text: Text<'_>) {
        write_text(text, &mut self.out);
    }

    fn begin_value(&mut self) {
        self.is_first = true;
        self.out.push(match self.value_type {
            Some(ValueType::List | ValueType::Set) => b'[',
            _ => b'{',
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
        match compact_integer(score).filter(|_| self.has_compact_scores) {
            Some(n) => self
                .out
                .extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
            None if self.has_text_scores && !self.has_compact_scores => {
                write_text_score(score, &mut self.out);
            }
            None => write_python_float(score, &mut self.out),
        }
        self.out.push(b'"');
    }

    #[inline]
    fn field(&mut self, field: Text<'_>, value: Text<'_>, _expire_at_ms: Option<i64>) {
        self.comma();
        write_text(field, &mut self.out);
        self.out.push(b':');
        write_text(value, &mut self.out);
    }

    fn entry(&mut self, _id: StreamId, _fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {}

    fn stream_state(&mut self, _state: &StreamState) {}

    fn item(&mut self, index: u64, text: Text<'_>) {
        self.comma();
        self.out.push(b'"');
        self.out
            .extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        self.out.extend_from_slice(b"\":");
        write_text(text, &mut self.out);
    }

    fn array_state(&mut self, _insert_index: Option<u64>) {}

    fn module(
        &mut self,
        _name: &str,
        _encoding_version: u16,
        _data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        _encoded_len: u64,
    ) {
        // Walking them is what finds their flaws.
        items.for_each(drop);
    }

    fn end_value(&mut self) {
        self.out.push(match self.value_type {
            Some(ValueType::List | ValueType::Set) => b']',
            _ => b'}',
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
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_text(Text::Bytes(bytes), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_those_of_json_dumps() {
        let table: &[(&[u8], &str)] = &[
            (b"", r#""""#),
            (b"plain /~", r#""plain /~""#),
            (b"\"\\\n\r\t\x08\x0c", r#""\"\\\n\r\t\b\f""#),
            (b"\x00\x1f\x7f", r#""\u0000\u001f\u007f""#),
            ("é€😀".as_bytes(), r#""\u00e9\u20ac\ud83d\ude00""#),
            (
                b"\x00\x24\x20\x7e\x30\x7f\xff\x0a\xaa",
                r#""\u0000$ ~0\u007f\\xFF\n\\xAA""#,
            ),
            (b"\xed\xa0\x80\xe2\x82", r#""\\xED\\xA0\\x80\\xE2\\x82""#),
            (b"\\xFF", r#""\\xFF""#),
        ];
        for (bytes, expected) in table {
            assert_eq!(text(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn scores_are_those_of_str() {
        let table = [
            (0.0, "0.0", "0"),
            (-0.0, "-0.0", "-0.0"),
            (1.0, "1.0", "1"),
            (-17.0, "-17.0", "-17"),
            (1.5, "1.5", "1.5"),
            (0.1, "0.1", "0.1"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "1e-05"),
            (1.25e-7, "1.25e-07", "1.25e-07"),
            (
                123_456_789_012_345.6,
                "123456789012345.6",
                "123456789012345.6",
            ),
            (1e15, "1000000000000000.0", "1000000000000000"),
            (1e16, "1e+16", "10000000000000000"),
            (1e17, "1e+17", "1e+17"),
            (1e20, "1e+20", "1e+20"),
            (
                -1.7976931348623157e308,
                "-1.7976931348623157e+308",
                "-1.7976931348623157e+308",
            ),
            (5e-324, "5e-324", "5e-324"),
            (f64::INFINITY, "inf", "inf"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
            (f64::NAN, "nan", "nan"),
        ];
        for (score, float, compact) in table {
            for (encoding, expected) in [("skiplist", float), ("ziplist", compact)] {
                let mut writer = RdbtoolsWriter::new();
                let mut head = head(0, b"z", ValueType::Zset);
                head.encoding = Some(encoding);
                writer.begin_key(&head);
                writer.begin_value();
                writer.scored(Text::Bytes(b"m"), score);
                writer.end_value();
                assert!(writer.end_key());
                let written = String::from_utf8(writer.out).unwrap();
                assert_eq!(written, format!("\"z\":{{\"m\":\"{expected}\"}}"));
            }
        }
    }

    #[test]
    fn text_scores_are_those_of_printf() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (-17.0, "-17"),
            (1.5, "1.5"),
            (3.19, "3.1899999999999999"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e-300, "1e-300"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (score, expected) in table {
            let mut out = Vec::new();
            write_text_score(score, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn databases_become_objects_of_one_array() {
        let mut writer = RdbtoolsWriter::new();
        writer.begin_file();
        put_string(&mut writer, 0, b"k", b"v");
        writer.begin_key(&head(1, b"lost", ValueType::List));
        writer.begin_value();
        writer.element(Text::Int(1));
        writer.abandon_key();
        writer.begin_key(&head(0, b"l", ValueType::List));
        writer.begin_value();
        writer.element(Text::Bytes(b"a"));
        writer.element(Text::Int(-2));
        writer.end_value();
        assert!(writer.end_key());
        let mut fragment = RdbtoolsWriter::new();
        writer.append(&mut fragment);
        put_string(&mut fragment, 0, b"m", b"n");
        put_string(&mut fragment, 3, b"y", b"1");
        writer.append(&mut fragment);
        put_string(&mut writer, 3, b"s", b"");
        writer.end_file();
        assert_eq!(
            String::from_utf8(writer.out).unwrap(),
            "[{\r\n\"k\":\"v\",\r\n\"l\":[\"a\",\"-2\"],\r\n\"m\":\"n\"},{\r\n\"y\":\"1\",\r\n\"s\":\"\"}]"
        );
    }

    #[test]
    fn file_without_keys_is_an_empty_array() {
        let mut writer = RdbtoolsWriter::new();
        writer.begin_file();
        writer.end_file();
        assert_eq!(writer.out, b"[]");
    }

    proptest! {
        #[test]
        fn strings_are_ascii_json(bytes: Vec<u8>, utf8: String) {
            let written = text(&bytes);
            prop_assert!(written.is_ascii());
            serde_json::from_str::<String>(&written).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&text(utf8.as_bytes())).unwrap(), utf8);
        }
    }
}
