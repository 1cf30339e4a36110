//! Length encoding: the variable-length numbers of the format.
//!
//! ```text
//! 00xxxxxx                     0..63
//! 01xxxxxx b                   14 bits, big-endian
//! 10000000 b b b b             32 bits, big-endian
//! 10000001 b b b b b b b b     64 bits, big-endian (version 8+)
//! 11xxxxxx                     no length: a special string encoding x
//! ```
//!
//! Source: `rdb.c rdbLoadLenByRef`. Stricter than the servers in one point: where
//! a number is wanted they take the low bits of a special code for it; here that
//! is an error. Over-long forms are accepted, as by every server.

use nom::number::streaming::{be_u32, be_u64, u8};

use crate::error::{Code, Fail, Parsed};

/// What a length byte introduces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// A number.
    Plain(u64),
    /// A special string encoding.
    Special(u8),
}

/// Parses a number or a special code.
///
/// Nearly all lengths have one byte or two, so those are taken by hand; the grammar below
/// knows them as well, and a test compares the two.
#[inline(always)]
pub(crate) fn length_or_special(input: &[u8]) -> Parsed<'_, Length> {
    match *input {
        [first @ 0..0x40, ref rest @ ..] => Ok((rest, Length::Plain(u64::from(first)))),
        [first @ 0x40..0x80, second, ref rest @ ..] => {
            let n = u64::from(first & 0x3f) << 8 | u64::from(second);
            Ok((rest, Length::Plain(n)))
        }
        _ => length_by_grammar(input),
    }
}

#[inline(never)]
fn length_by_grammar(input: &[u8]) -> Parsed<'_, Length> {
    let (rest, first) = u8(input)?;
    let low = first & 0x3f;
    match (first >> 6, first) {
        (0, _) => Ok((rest, Length::Plain(u64::from(low)))),
        (1, _) => {
            let (rest, second) = u8(rest)?;
            Ok((rest, Length::Plain(u64::from(low) << 8 | u64::from(second))))
        }
        (2, 0x80) => be_u32(rest).map(|(rest, n)| (rest, Length::Plain(u64::from(n)))),
        (2, 0x81) => be_u64(rest).map(|(rest, n)| (rest, Length::Plain(n))),
        (2, _) => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadLength,
            "first byte of a length",
            "0x80 or 0x81",
            first,
        ))),
        (_, _) => Ok((rest, Length::Special(low))),
    }
}

/// Parses a number.
#[inline(always)]
pub(crate) fn length(input: &[u8]) -> Parsed<'_, u64> {
    match length_or_special(input)? {
        (rest, Length::Plain(n)) => Ok((rest, n)),
        (_, Length::Special(code)) => Err(nom::Err::Failure(special_as_number(input, code))),
    }
}

#[cold]
fn special_as_number(input: &[u8], code: u8) -> Fail {
    Fail::broken(
        input,
        Code::BadLength,
        "special string code where a number must be",
        "a number",
        0xc0 | code,
    )
}

/// Parses the number of things that follow; servers reserve 2^64-1 for failure.
#[inline]
pub(crate) fn count(input: &[u8]) -> Parsed<'_, u64> {
    match length(input)? {
        (_, u64::MAX) => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadLength,
            "count",
            "less than 2^64-1",
            u64::MAX,
        ))),
        counted => Ok(counted),
    }
}

/// Appends a number in its shortest form.
pub fn encode_length(n: u64, out: &mut Vec<u8>) {
    match n {
        0..0x40 => out.push(n as u8),
        0x40..0x4000 => out.extend_from_slice(&(0x4000 | n as u16).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// Whether a number stands in its shortest form, given how many bytes it took.
pub(crate) fn is_shortest(n: u64, bytes: usize) -> bool {
    bytes
        == match n {
            0..0x40 => 1,
            0x40..0x4000 => 2,
            0x4000..=0xffff_ffff => 5,
            _ => 9,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(&str, &[u8], u64)] = &[
        ("six bits", &[0x00], 0),
        ("six bits, greatest", &[0x3f], 63),
        ("fourteen bits", &[0x40, 0x40], 64),
        ("fourteen bits, greatest", &[0x7f, 0xff], 16383),
        ("32 bits", &[0x80, 0, 0, 0x40, 0], 16384),
        (
            "32 bits, greatest",
            &[0x80, 0xff, 0xff, 0xff, 0xff],
            u32::MAX as u64,
        ),
        ("64 bits", &[0x81, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
        (
            "64 bits, greatest",
            &[0x81, 255, 255, 255, 255, 255, 255, 255, 255],
            u64::MAX,
        ),
    ];

    #[test]
    fn length_reads_every_form_and_encode_writes_the_shortest() {
        for (name, bytes, expected) in TABLE {
            assert_eq!(length(bytes), Ok((&b""[..], *expected)), "{name}");
            let mut out = Vec::new();
            encode_length(*expected, &mut out);
            assert_eq!(out, *bytes, "{name}");
            assert!(is_shortest(*expected, bytes.len()), "{name}");
            for cut in 0..bytes.len() {
                assert!(
                    matches!(length(&bytes[..cut]), Err(nom::Err::Incomplete(_))),
                    "{name} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn length_by_hand_agrees_with_the_grammar() {
        for first in 0..=255 {
            let bytes = [first, 1, 2, 3, 4, 5, 6, 7, 8, 9];
            for cut in 0..bytes.len() {
                let input = &bytes[..cut];
                assert_eq!(length_or_special(input), length_by_grammar(input));
            }
        }
    }

    #[test]
    fn length_accepts_overlong_forms() {
        assert_eq!(length(&[0x40, 5]), Ok((&b""[..], 5)));
        assert!(!is_shortest(5, 2));
    }

    #[test]
    fn length_rejects_special_codes_and_unknown_first_bytes() {
        for first in (0x82..=0xbf).chain(0xc0..=0xff) {
            assert!(
                matches!(
                    length(&[first, 0, 0, 0, 0, 0, 0, 0, 0]),
                    Err(nom::Err::Failure(_))
                ),
                "{first:#x}"
            );
        }
    }
}
