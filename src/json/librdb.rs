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
//! Scores are those of fpconv for integers, too: `100000`, but `5e+9`; `-0` is `0`.
//!
//! Compared byte for byte with librdb 2.1.0, which reads versions up to 12. Where it
//! differs: a value without elements (an emptied stream), of which that tool prints
//! nothing behind the colon and no JSON, is `[]`, `{}` or a stream without entries; a
//! database without keys is absent instead of `{}`, and one that is selected again is
//! not begun again; an array of Redis 8.8, which it does not know, is an object from
//! index to element.

use super::compat::{CompatWriter, Score, Separators, Shape, write_text, write_unit};
use super::parts::{write_id, write_number};
use crate::bytes::{Text, double};
use crate::model::stream::StreamId;
use crate::num::fpconv;

/// Writes keys as librdb does, into a buffer that its owner empties between keys.
pub type LibrdbWriter = CompatWriter<Librdb>;

/// The shape of librdb.
#[derive(Debug)]
pub struct Librdb;

impl Shape for Librdb {
    const SEPARATORS: &'static Separators = &Separators {
        begin_file: b"[",
        first_db: b"{\n    ",
        next_db: b"\n},{\n    ",
        next_key: b",\n    ",
        end_db: b"\n}",
        end_file: b"]\n",
    };
    const STREAM_START: &'static [u8] = b"{\n      \"entries\":[ ";
    const STREAM_END: &'static [u8] = b"\n   ]}";

    fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            write_unit(u16::from(byte), out);
        }
    }

    fn write_score(score: Score<'_>, out: &mut Vec<u8>) {
        /// Below it integers are printed without an exponent, whatever their digits.
        const LIMIT: i64 = 100_000_000;
        match double::integral(score.value) {
            Some(n) if (-LIMIT + 1..LIMIT).contains(&n) => write_number(n, out),
            _ if score.value == 0.0 => out.push(b'0'),
            _ => out.extend_from_slice(fpconv::text(score.value).as_bytes()),
        }
    }

    fn write_entry(
        is_first: bool,
        id: StreamId,
        fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>,
        out: &mut Vec<u8>,
    ) {
        if !is_first {
            out.push(b',');
        }
        out.extend_from_slice(b"\n        { \"id\":");
        write_id(id, out);
        out.extend_from_slice(b", \"items\":{");
        for (index, (field, value)) in fields.enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            write_text::<Librdb>(field, out);
            out.push(b':');
            write_text::<Librdb>(value, out);
        }
        out.extend_from_slice(b"} }");
    }

    fn write_module(name: &str, encoded_len: u64, out: &mut Vec<u8>) {
        let text = format!(
            "<Content of Module '{name}'. Occupies a serialized size of {encoded_len} bytes>"
        );
        write_text::<Librdb>(Text::Bytes(text.as_bytes()), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::compat_tests::{head, put_string};
    use crate::model::ValueType;
    use crate::model::sink::ValueSink as _;
    use crate::model::stream::StreamState;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_text::<Librdb>(Text::Bytes(bytes), &mut out);
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
    fn scores_are_those_of_fpconv() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (99_999_999.0, "99999999"),
            (-99_999_999.0, "-99999999"),
            (10_000_000.0, "10000000"),
            (100_000_000.0, "1e+8"),
            (123_456_789.0, "123456789"),
            (5e9, "5e+9"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (1e-7, "1e-7"),
            (0.000_123, "0.000123"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (12_345_678_901_234_567_000.0, "12345678901234567000"),
            (1e17, "1e+17"),
            (1.25e100, "1.25e+100"),
            (2.141_592_653_589_793, "2.141592653589793"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in table {
            let mut out = Vec::new();
            let score = Score {
                value,
                stored: None,
                in_blob: false,
            };
            Librdb::write_score(score, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn integers_are_printed_as_by_fpconv() {
        for n in (-100_000_100..100_000_100_i64).step_by(9973) {
            let mut out = Vec::new();
            let score = Score {
                value: n as f64,
                stored: None,
                in_blob: true,
            };
            Librdb::write_score(score, &mut out);
            assert_eq!(out, fpconv::text(n as f64).as_bytes(), "{n}");
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
        writer.stream_state(&StreamState::default());
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
