//! Strings of JSON: UTF-8 as it is, anything else as base64.
//!
//! A string that is valid UTF-8 becomes a JSON string in which only what JSON
//! demands is escaped. Any other becomes `{"$b64":".."}`, so that no byte is lost
//! and no reader has to guess an encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What each byte of a string becomes: 0 itself, `u` a `\u00XX`, else a backslash and this letter.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table
};

/// Appends a string of the schema: a JSON string, or an object with its base64.
#[inline]
pub fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    if !write_utf8(bytes, out) {
        out.extend_from_slice(b"{\"$b64\":\"");
        let start = out.len();
        let len = base64::encoded_len(bytes.len(), true).unwrap_or(usize::MAX);
        out.resize(start + len, 0);
        let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
        out.extend_from_slice(b"\"}");
    }
}

/// Appends a JSON string, or nothing if the bytes are no UTF-8.
#[inline]
pub fn write_utf8(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if is_plain(bytes) {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return true;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            write_escaped(text, out);
            true
        }
        Err(_) => false,
    }
}

/// Whether all bytes are ASCII that needs no escape.
///
/// Folding over fixed chunks lets the compiler use vector registers.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    const LANES: usize = 16;
    let odd = |byte: u8| !(0x20..0x80).contains(&byte) | (byte == b'"') | (byte == b'\\');
    let (chunks, tail) = bytes.as_chunks::<LANES>();
    chunks
        .iter()
        .all(|chunk| !chunk.iter().fold(false, |any, &byte| any | odd(byte)))
        && !tail.iter().any(|&byte| odd(byte))
}

/// Appends the text of a JSON string in quotes.
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    out.push(b'"');
    while let Some(stop) = rest
        .iter()
        .position(|&byte| ESCAPES[usize::from(byte)] != 0)
    {
        out.extend_from_slice(&rest[..stop]);
        let byte = rest[stop];
        match ESCAPES[usize::from(byte)] {
            b'u' => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &rest[stop + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_string(bytes, &mut out);
        out
    }

    #[test]
    fn strings_become_json_strings_or_base64() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b"\"\""),
            (b"plain", b"\"plain\""),
            (b"a\"b\\c/d", b"\"a\\\"b\\\\c/d\""),
            (
                b"\x00\x1f\x7f\n\r\t\x08\x0c",
                b"\"\\u0000\\u001f\x7f\\n\\r\\t\\b\\f\"",
            ),
            ("é€😀".as_bytes(), "\"é€😀\"".as_bytes()),
            (b"\xff\x00", b"{\"$b64\":\"/wA=\"}"),
            (b"\xed\xa0\x80", b"{\"$b64\":\"7aCA\"}"),
        ];
        for (bytes, expected) in table {
            assert_eq!(written(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn strings_read_back_by_serde_json(bytes: Vec<u8>, text: String) {
            let value: serde_json::Value = serde_json::from_slice(&written(text.as_bytes())).unwrap();
            prop_assert_eq!(value.as_str(), Some(text.as_str()));
            let value: serde_json::Value = serde_json::from_slice(&written(&bytes)).unwrap();
            let read = match value.as_str() {
                Some(text) => text.as_bytes().to_vec(),
                None => STANDARD.decode(value["$b64"].as_str().unwrap()).unwrap(),
            };
            prop_assert_eq!(read, bytes);
        }
    }
}
