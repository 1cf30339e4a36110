//! Ids as stream commands take them.

use super::{Args, Reject};
use crate::store::StreamId;

const INVALID: Reject = Reject::error("ERR Invalid stream ID specified as stream command argument");

/// The id that XADD takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: by the clock.
    Auto,
    /// `ms-*`: the next in that millisecond.
    AutoSeq(u64),
    /// In full.
    Given(StreamId),
}

/// `ms` or `ms-seq`; `missing_seq` stands for a sequence number that is not written.
pub(super) fn parse(text: &[u8], missing_seq: u64) -> Result<StreamId, Reject> {
    let (ms, seq) = match memchr::memchr(b'-', text) {
        Some(dash) => (text.get(..dash), text.get(dash + 1..)),
        None => (Some(text), None),
    };
    let ms = ms.and_then(number).ok_or(INVALID)?;
    let seq = match seq {
        Some(seq) => number(seq).ok_or(INVALID)?,
        None => missing_seq,
    };
    Ok(StreamId::new(ms, seq))
}

/// A bound of a range: `-`, `+`, an id without `missing_seq` or with it, or `(` before
/// one, which excludes it.
pub(super) fn parse_bound(text: &[u8], missing_seq: u64) -> Result<(StreamId, bool), Reject> {
    match text {
        b"-" => Ok((StreamId::MIN, false)),
        b"+" => Ok((StreamId::MAX, false)),
        [b'(', id @ ..] => Ok((parse(id, missing_seq)?, true)),
        id => Ok((parse(id, missing_seq)?, false)),
    }
}

/// `*`, `ms-*` (7.0), `ms` or `ms-seq`.
pub(super) fn parse_new(text: &[u8]) -> Result<NewId, Reject> {
    match text {
        b"*" => Ok(NewId::Auto),
        [ms @ .., b'-', b'*'] => Ok(NewId::AutoSeq(number(ms).ok_or(INVALID)?)),
        text => parse(text, 0).map(NewId::Given),
    }
}

/// All ids from an argument on, checked before the first is used.
pub(super) fn parse_all(args: Args<'_, '_>, from: usize) -> Result<Vec<StreamId>, Reject> {
    args.from(from).map(|text| parse(text, 0)).collect()
}

/// `IDS n id ..`: the ids, and where they end.
pub(super) fn parse_counted(
    args: Args<'_, '_>,
    at: usize,
) -> Result<(Vec<StreamId>, usize), Reject> {
    const NOT_POSITIVE: Reject = Reject::error("ERR Number of IDs must be a positive integer");
    let number = args.int(at + 1).map_err(|_| NOT_POSITIVE)?;
    let number = usize::try_from(number).ok().filter(|n| *n > 0);
    let first = at + 2;
    let end = number
        .ok_or(NOT_POSITIVE)?
        .checked_add(first)
        .filter(|end| *end <= args.len())
        .ok_or(Reject::error(
            "ERR The `numids` parameter must match the number of arguments",
        ))?;
    let ids: Result<Vec<_>, _> = (first..end).map(|at| parse(args.get(at), 0)).collect();
    Ok((ids?, end))
}

/// Reads a number as `t_stream.c string2ull` does: what is not a plain decimal goes
/// to `strtoull`, which also takes blanks in front, a `+` and leading zeros. (It takes
/// a minus too and wraps around; here that is no number.)
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_servers_read_them() {
        let id = StreamId::new;
        let cases: &[(&str, Option<StreamId>)] = &[
            ("5-3", Some(id(5, 3))),
            ("5", Some(id(5, 9))),
            ("007-01", Some(id(7, 1))),
            (
                "18446744073709551615-18446744073709551615",
                Some(StreamId::MAX),
            ),
            ("18446744073709551616", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("5-", None),
            ("-5", None),
            ("5-3-1", None),
            ("5-*", None),
            ("a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes(), 9).ok(), *expected, "{text}");
        }
        assert_eq!(parse_new(b"*"), Ok(NewId::Auto));
        assert_eq!(parse_new(b"5-*"), Ok(NewId::AutoSeq(5)));
        assert_eq!(parse_new(b"5"), Ok(NewId::Given(id(5, 0))));
    }
}
