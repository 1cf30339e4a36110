//! Strings of JSON: UTF-8 as it is, anything else as base64.
//!
//! A string that is valid UTF-8 becomes a JSON string in which only what JSON demands is
//! escaped, and the other control characters, U+007F to U+009F, which terminals may obey. Any
//! other becomes `{"$b64":".."}`, so that no byte is lost and no reader has to guess an encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The one control character of ASCII that is above 0x1f.
const DELETE: u8 = 0x7f;

/// What each byte of a string becomes: 0 itself, `u` a `\u00XX`, else a backslash and this letter.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[DELETE as usize] = b'u';
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
    // Most texts with something to escape; ASCII is found faster than UTF-8 and C1 characters.
    if bytes.is_ascii() {
        write_escaped(bytes, out);
        return true;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            match has_c1(bytes) {
                false => write_escaped(bytes, out),
                true => write_escaped_c1(text, out),
            }
            true
        }
        Err(_) => false,
    }
}

/// Whether all bytes are ASCII that needs no escape.
///
/// Folding over fixed chunks lets the compiler use vector registers. The end is looked at
/// in a chunk that overlaps the one before, so that only strings below 8 bytes go byte by byte.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    const LANES: usize = 16;
    let odd = |byte: u8| !(0x20..DELETE).contains(&byte) | (byte == b'"') | (byte == b'\\');
    let clean = |chunk: &[u8; LANES]| !chunk.iter().fold(false, |any, &byte| any | odd(byte));
    if let Some(last) = bytes.last_chunk::<LANES>() {
        return bytes.as_chunks::<LANES>().0.iter().all(clean) && clean(last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return to_escape(*first) | to_escape(*last) == 0;
    }
    !bytes.iter().any(|&byte| odd(byte))
}

/// Marks, in bit 7 of its place, each byte that is no ASCII or needs an escape; and sometimes
/// a byte behind such a one.
#[inline]
fn to_escape(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let word = u64::from_le_bytes(bytes);
    // A byte below n borrows from its bit 7; one that had the bit set is marked at the end.
    let below = |word: u64, n: u64| word.wrapping_sub(n * ONES);
    let quote = word ^ (b'"' as u64 * ONES);
    let backslash = word ^ (b'\\' as u64 * ONES);
    // One more makes a byte above 0x7f of a delete, and spills over from 0xff only.
    let delete = word.wrapping_add(ONES);
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1) | delete | word) & HIGH
}

/// Whether UTF-8 has a control character from U+0080 to U+009F: two bytes, the first 0xc2.
fn has_c1(bytes: &[u8]) -> bool {
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    pairs.fold(false, |any, (&first, &second)| {
        any | ((first == 0xc2) & (second < 0xa0))
    })
}

/// [`write_escaped`] of a text that has such characters.
#[cold]
fn write_escaped_c1(text: &str, out: &mut Vec<u8>) {
    let is_c1 = |character: char| ('\u{80}'..='\u{9f}').contains(&character);
    out.push(b'"');
    for piece in text.split_inclusive(is_c1) {
        let last = piece.chars().next_back().filter(|&last| is_c1(last));
        let clean = &piece[..piece.len() - last.map_or(0, char::len_utf8)];
        put_text(clean.as_bytes(), out);
        if let Some(last) = last {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(last)).as_bytes());
        }
    }
    out.push(b'"');
}

/// What a byte becomes: up to six bytes, and in the last one how many.
const REPLACEMENTS: [[u8; 8]; 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match ESCAPES[byte] {
            0 => [byte as u8, 0, 0, 0, 0, 0, 0, 1],
            b'u' => [
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[byte >> 4],
                HEX[byte & 15],
                0,
                6,
            ],
            letter => [b'\\', letter, 0, 0, 0, 0, 0, 2],
        };
        byte += 1;
    }
    table
};

/// Appends the UTF-8 of a text as a JSON string in quotes.
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    put_text(text, out);
    out.push(b'"');
}

/// Appends the UTF-8 of a text with what ASCII has to escape replaced.
///
/// Eight bytes at a time: clean ones are copied, others replaced by table, without a branch
/// for each byte. Documents have a quote in nearly every word, so a search for the next
/// one would guess wrong all the time.
fn put_text(text: &[u8], out: &mut Vec<u8>) {
    /// Room for 64 bytes of text and one replacement's overrun.
    const BLOCK_BYTES: usize = 64;
    let mut block = [0_u8; 6 * BLOCK_BYTES + ROOM_BYTES];
    for piece in text.chunks(BLOCK_BYTES) {
        let mut len = 0;
        let (words, tail) = piece.as_chunks::<8>();
        for word in words {
            if to_escape(*word) == 0 {
                block[len..len + 8].copy_from_slice(word);
                len += 8;
            } else {
                len += put(word, &mut block[len..]);
            }
        }
        len += put(tail, &mut block[len..]);
        out.extend_from_slice(&block[..len]);
    }
}

/// Room for what eight bytes become: at most 48 bytes and the overrun of the last one.
const ROOM_BYTES: usize = 72;

/// Puts what up to eight bytes become at the front of `room` and returns its length.
#[inline(always)]
fn put(bytes: &[u8], room: &mut [u8]) -> usize {
    let Some(room) = room.first_chunk_mut::<ROOM_BYTES>() else {
        return 0;
    };
    let mut len = 0;
    for &byte in bytes {
        let replacement = REPLACEMENTS[usize::from(byte)];
        // The length is at most 48; the mask tells the compiler that it needs no check.
        let at = len & 63;
        room[at..at + 8].copy_from_slice(&replacement);
        len += usize::from(replacement[7]);
    }
    len
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
                b"\"\\u0000\\u001f\\u007f\\n\\r\\t\\b\\f\"",
            ),
            (
                "\u{9b}31m\u{a0}©\"\u{80}\u{9f}".as_bytes(),
                "\"\\u009b31m\u{a0}©\\\"\\u0080\\u009f\"".as_bytes(),
            ),
            ("é€😀".as_bytes(), "\"é€😀\"".as_bytes()),
            (b"\xff\x00", b"{\"$b64\":\"/wA=\"}"),
            (b"\xed\xa0\x80", b"{\"$b64\":\"7aCA\"}"),
        ];
        for (bytes, expected) in table {
            assert_eq!(written(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_is_written_as_json() {
        for byte in 0..0x80_u8 {
            for len in 1..40 {
                for at in 0..len {
                    let mut bytes = vec![b'a'; len];
                    bytes[at] = byte;
                    let written = written(&bytes);
                    assert!(!written.iter().any(u8::is_ascii_control));
                    let read: String = serde_json::from_slice(&written).unwrap();
                    assert_eq!(read.as_bytes(), bytes);
                }
            }
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
