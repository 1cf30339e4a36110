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
//! an integer (`1`), the bytes themselves where a file before version 8 stores text
//! (`0.10000000000000001`), else a `float` (`1.0`, `1.5`, `1e+20`, `inf`, `-0.0`). A
//! dataset after a replay, which that tool cannot read, gets floats.
//!
//! Compared byte for byte with redis-rdb-tools 0.1.15, which reads versions up to 9.
//! Where it differs: a database without keys is absent instead of `{}`, and one that is
//! selected again is not begun again; a file whose keys follow no database number, for
//! which that tool opens no object, has one; module aux data, on which that tool fails,
//! is left out; an array of Redis 8.8, which it does not know, is an object from index
//! to element.

use super::compat::{CompatWriter, Decimal, Score, Separators, Shape, write_unit};
use super::parts::write_number;
use crate::bytes::{Text, double};
use crate::model::stream::StreamId;

/// Writes keys as redis-rdb-tools does, into a buffer that its owner empties between keys.
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
pub type RdbtoolsWriter = CompatWriter<Rdbtools>;

/// The shape of redis-rdb-tools.
#[derive(Debug)]
pub struct Rdbtools;

impl Shape for Rdbtools {
    const SEPARATORS: &'static Separators = &Separators {
        begin_file: b"[",
        first_db: b"{\r\n",
        next_db: b"},{\r\n",
        next_key: b",\r\n",
        end_db: b"}",
        end_file: b"]",
    };
    const STREAM_START: &'static [u8] = b"{";
    const STREAM_END: &'static [u8] = b"}";

    /// As `json.dumps(bytes_to_unicode(..))` does.
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

    fn write_score(score: Score<'_>, out: &mut Vec<u8>) {
        match score.stored {
            Some(Text::Int(n)) => write_number(n, out),
            Some(Text::Bytes(text)) if !score.in_blob => out.extend_from_slice(text),
            _ => write_python_float(score.value, out),
        }
    }

    fn write_entry(
        _is_first: bool,
        _id: StreamId,
        _fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>,
        _out: &mut Vec<u8>,
    ) {
    }

    fn write_module(_name: &str, _encoded_len: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::compat::write_text;
    use crate::json::compat_tests::{head, put_string};
    use crate::model::ValueType;
    use crate::model::sink::ValueSink as _;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_text::<Rdbtools>(Text::Bytes(bytes), &mut out);
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

    fn score(value: f64, stored: Option<&str>, in_blob: bool) -> String {
        let stored = stored.map(|text| match text.parse() {
            Ok(n) if in_blob => Text::Int(n),
            _ => Text::Bytes(text.as_bytes()),
        });
        let mut out = Vec::new();
        let score = Score {
            value,
            stored,
            in_blob,
        };
        Rdbtools::write_score(score, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn binary_scores_are_those_of_str() {
        let table = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-17.0, "-17.0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1e20, "1e+20"),
            (-1.7976931348623157e308, "-1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in table {
            assert_eq!(score(value, None, false), expected);
        }
    }

    #[test]
    fn stored_scores_are_integers_floats_or_the_text_itself() {
        // What a ziplist holds: an integer, or text that is read as a float.
        assert_eq!(score(17.0, Some("17"), true), "17");
        assert_eq!(
            score(1e16, Some("10000000000000000"), true),
            "10000000000000000"
        );
        assert_eq!(score(3.19, Some("3.1899999999999999"), true), "3.19");
        // What a file before version 8 holds comes out as it stands.
        for text in ["-0", "17", "3.1899999999999999", "1e+17", "inf"] {
            assert_eq!(score(text.parse().unwrap(), Some(text), false), text);
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
