//! The form of a value's own strings: whether a server would have written them shorter.
//!
//! Servers read any form. They write lengths and integers in the fewest bytes,
//! canonical 32-bit decimals as integers, and LZF blocks only where they are
//! smaller. Nodes of a quicklist are left out of the last rule: those that were
//! compressed in memory are saved as they are.

use nom::bytes::streaming::take;
use nom::number::streaming::{le_i64, u8};

use super::{Layout, hash, list, set, zset};
use crate::encoding::canonical_i64;
use crate::error::Fail;
use crate::rdb::constants::{string_encoding, text_score};
use crate::rdb::length::{Length, count, is_shortest, length, length_or_special};
use crate::rdb::string::{RdbString, string};

/// The longest text that servers try to store as an integer.
const LONGEST_INTEGER_BYTES: usize = 11;

/// The first length, count or string that is longer than need be, and where in the value.
pub(crate) fn longer_than_need_be(layout: Layout, input: &[u8]) -> Option<(usize, &'static str)> {
    let mut found = None;
    // The value was framed before, so nothing in it fails to parse.
    let _ = walk(layout, input, &mut |rest, what| {
        found = Some((input.len() - rest.len(), what));
        None
    });
    found
}

/// Gets the rest of the value and a reason; `None` ends the walk.
type Report<'r> = dyn FnMut(&[u8], &'static str) -> Option<()> + 'r;

fn walk(layout: Layout, input: &[u8], report: &mut Report<'_>) -> Option<()> {
    match layout {
        Layout::String
        | Layout::List(list::Layout::Ziplist)
        | Layout::Set(set::Layout::Intset | set::Layout::Listpack)
        | Layout::Zset(zset::Layout::Ziplist | zset::Layout::Listpack)
        | Layout::Hash(
            hash::Layout::Zipmap
            | hash::Layout::Ziplist
            | hash::Layout::Listpack
            | hash::Layout::ListpackExPreGa,
        ) => one_string(input, true, report).map(drop),
        Layout::Hash(hash::Layout::ListpackEx) => {
            let (rest, _hint) = le_i64::<_, Fail>(input).ok()?;
            one_string(rest, true, report).map(drop)
        }
        Layout::List(list::Layout::Strings) | Layout::Set(set::Layout::Strings) => {
            each(input, report, |rest, report| one_string(rest, true, report))
        }
        Layout::Hash(hash::Layout::Strings) => each(input, report, |rest, report| {
            let rest = one_string(rest, true, report)?;
            one_string(rest, true, report)
        }),
        Layout::Hash(hash::Layout::ValkeyHash2) => each(input, report, |rest, report| {
            let rest = one_string(rest, true, report)?;
            let rest = one_string(rest, true, report)?;
            le_i64::<_, Fail>(rest).ok().map(|(rest, _)| rest)
        }),
        Layout::Zset(zset::Layout::BinaryScores) => each(input, report, |rest, report| {
            let rest = one_string(rest, true, report)?;
            le_i64::<_, Fail>(rest).ok().map(|(rest, _)| rest)
        }),
        Layout::Zset(zset::Layout::TextScores) => each(input, report, |rest, report| {
            let rest = one_string(rest, true, report)?;
            let (rest, len) = u8::<_, Fail>(rest).ok()?;
            let len = if len >= text_score::NAN { 0 } else { len };
            take::<_, _, Fail>(len)(rest).ok().map(|(rest, _)| rest)
        }),
        Layout::List(list::Layout::Quicklist) => each(input, report, |rest, report| {
            one_string(rest, false, report)
        }),
        Layout::List(list::Layout::Quicklist2) => each(input, report, |rest, report| {
            let (rest, _container) = length(rest).ok()?;
            one_string(rest, false, report)
        }),
        Layout::Hash(_) | Layout::Stream(_) | Layout::Array | Layout::Module => Some(()),
    }
}

/// Walks over a count and as many elements.
fn each<'i>(
    input: &'i [u8],
    report: &mut Report<'_>,
    mut element: impl FnMut(&'i [u8], &mut Report<'_>) -> Option<&'i [u8]>,
) -> Option<()> {
    let (mut rest, n) = count(input).ok()?;
    if !is_shortest(n, input.len() - rest.len()) {
        report(input, "a count in the fewest bytes")?;
    }
    for _ in 0..n {
        rest = element(rest, report)?;
    }
    Some(())
}

/// Checks one string and steps over it.
fn one_string<'i>(
    input: &'i [u8],
    lzf_is_smaller: bool,
    report: &mut Report<'_>,
) -> Option<&'i [u8]> {
    let (behind_length, first) = length_or_special(input).ok()?;
    let (rest, stored) = string(input).ok()?;
    let used = input.len() - behind_length.len();
    let flaw = match (first, stored) {
        (Length::Plain(n), _) if !is_shortest(n, used) => Some("a length in the fewest bytes"),
        (_, RdbString::Raw(text)) if is_short_integer(text) => Some("an integer in binary"),
        (Length::Special(string_encoding::INT16), RdbString::Int(n)) if i8::try_from(n).is_ok() => {
            Some("an integer in the fewest bytes")
        }
        (Length::Special(string_encoding::INT32), RdbString::Int(n))
            if i16::try_from(n).is_ok() =>
        {
            Some("an integer in the fewest bytes")
        }
        (
            _,
            RdbString::Lzf {
                compressed,
                expanded_len,
            },
        ) if lzf_is_smaller && compressed.len() as u64 >= expanded_len => {
            Some("a string without compression that does not make it smaller")
        }
        _ => None,
    };
    if let Some(what) = flaw {
        report(input, what)?;
    }
    Some(rest)
}

/// Whether a text is one that servers store as an integer of 32 bits.
#[inline]
pub(crate) fn is_short_integer(text: &[u8]) -> bool {
    text.len() <= LONGEST_INTEGER_BYTES
        && canonical_i64(text).is_some_and(|n| i32::try_from(n).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_longer_than_need_be_are_found() {
        let table: &[(&str, Layout, &[u8], Option<usize>)] = &[
            ("raw", Layout::String, b"\x01a", None),
            ("length of two bytes", Layout::String, b"\x40\x01a", Some(0)),
            ("text of an integer", Layout::String, b"\x0212", Some(0)),
            (
                "text of no canonical integer",
                Layout::String,
                b"\x03012",
                None,
            ),
            ("wide integer", Layout::String, b"\xc1\x01\x00", Some(0)),
            ("integer", Layout::String, b"\xc0\x01", None),
            ("useless LZF", Layout::String, b"\xc3\x02\x01\x00a", Some(0)),
            (
                "second member",
                Layout::Set(set::Layout::Strings),
                b"\x02\x01a\x0212",
                Some(3),
            ),
            (
                "count",
                Layout::Set(set::Layout::Strings),
                b"\x40\x01\x01a",
                Some(0),
            ),
            (
                "value of a field",
                Layout::Hash(hash::Layout::Strings),
                b"\x01\x01f\x40\x01v",
                Some(3),
            ),
        ];
        for (name, layout, input, expected) in table {
            let found = longer_than_need_be(*layout, input).map(|(at, _)| at);
            assert_eq!(found, *expected, "{name}");
        }
    }
}
