//! Layer 1: the self-contained blobs in which servers keep small collections.
//!
//! Each file has the layout of one blob, a borrowed view over its bytes, and, where
//! something we write needs it, an encoder. A view checks the header when it is made and
//! every element when it is iterated; nothing is allocated, and no declared number
//! sizes anything. After an error an iterator ends: what follows a broken element has no
//! known beginning.
//!
//! | file | blob | used by |
//! |---|---|---|
//! | [`intset`] | sorted integers | sets |
//! | [`zipmap`] | pairs | hashes of version 2.4 |
//! | [`ziplist`] | strings and integers, doubly linked | lists, hashes, sorted sets until 6.2 |
//! | [`listpack`] | the same, simpler | everything since 7.0, streams since 5.0 |
//! | [`stream_node`] | a listpack of stream entries | streams |

mod frame;
pub mod intset;
pub mod listpack;
pub mod stream_node;
pub mod ziplist;
pub mod zipmap;

#[cfg(test)]
mod testing;

pub use intset::Intset;
pub use listpack::{Listpack, ListpackBuilder};
pub use stream_node::StreamNode;
pub use ziplist::{Ziplist, ZiplistBuilder};
pub use zipmap::Zipmap;

use crate::bytes::Text;
use crate::error::{Code, ErrorKind, Fail, Flaw};

/// Longest decimal text of an `i64`, `-9223372036854775808`.
const MAX_INTEGER_BYTES: usize = 20;

/// The number whose decimal text these bytes are, the text that a server would print for it:
/// no sign but a minus, no leading zeros, no `-0`, within `i64`.
///
/// Servers store such a text as an integer wherever an encoding has integers
/// (`util.c string2ll`).
#[must_use]
#[inline]
pub fn canonical_i64(text: &[u8]) -> Option<i64> {
    // Most texts are told by their first byte.
    match text {
        [b'-' | b'0'..=b'9', ..] => canonical_number(text),
        _ => None,
    }
}

fn canonical_number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'0'] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if text.len() > MAX_INTEGER_BYTES || !matches!(digits, [b'1'..=b'9', ..]) {
        return None;
    }
    // Collected below zero, where there is room for i64::MIN.
    let mut value = 0_i64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// The integer that an element is, whether it is stored as one or as its text.
#[must_use]
#[inline]
pub fn integer(text: Text<'_>) -> Option<i64> {
    match text {
        Text::Int(value) => Some(value),
        Text::Bytes(bytes) => canonical_i64(bytes),
    }
}

/// A signed little-endian integer of up to eight bytes.
#[inline]
fn signed_le(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    let len = bytes.len().min(8);
    wide[..len].copy_from_slice(&bytes[..len]);
    let unused_bits = 64 - 8 * len as u32;
    // Shifting up and down again copies the sign; no bytes, no shift.
    (i64::from_le_bytes(wide)
        .checked_shl(unused_bits)
        .unwrap_or(0))
        >> (unused_bits & 63)
}

/// Makes a flaw of what a nom parser says, given where in the blob its input ended.
#[cold]
fn flaw(error: nom::Err<Fail>, code: Code, input: &[u8], end: usize) -> Flaw {
    let fail = match error {
        nom::Err::Error(fail) | nom::Err::Failure(fail) => fail,
        nom::Err::Incomplete(needed) => {
            let needed = match needed {
                nom::Needed::Size(more) => input.len().saturating_add(more.get()),
                nom::Needed::Unknown => input.len().saturating_add(1),
            };
            let what = "the bytes of an element";
            return Flaw::new(code, end - input.len(), what, needed, input.len());
        }
    };
    let error = fail.locate(end as u64);
    let at = error.offset().map_or(end, |at| at as usize);
    match *error.kind() {
        ErrorKind::Broken {
            code,
            what,
            expected,
            found,
            ..
        } => Flaw::new(code, at, what, expected, found),
        _ => Flaw::new(code, at, "a well-formed element", "one", "none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_i64_takes_exactly_what_a_server_prints() {
        for value in [0, 1, -1, 10, i64::MAX, i64::MIN, 1 << 40] {
            assert_eq!(canonical_i64(value.to_string().as_bytes()), Some(value));
        }
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "01",
            "1 ",
            " 1",
            "1a",
            "--1",
            "-01",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "100000000000000000000",
        ] {
            assert_eq!(canonical_i64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn signed_le_extends_the_sign_of_every_width() {
        for value in [0, 1, -1, 127, -128, -8388608, 8388607, i64::MIN, i64::MAX] {
            for width in 1..=8 {
                let unused = 64 - 8 * width as u32;
                let expected = value << unused >> unused;
                assert_eq!(signed_le(&value.to_le_bytes()[..width]), expected);
            }
        }
        assert_eq!(signed_le(&[]), 0);
    }
}
