//! Arrays (Redis 8.8): sparse, with a cursor behind which ARINSERT goes on.
//!
//! Written from the commands' descriptions; there was no server to compare with. What
//! ARRING does to the elements beyond its size, and what the cursor of a missing key
//! is, they do not say.

use super::{Args, Reject, Replayer, Reply};
use crate::store::Array;

const INVALID_INDEX: Reject = Reject::error("ERR invalid array index");

/// An index: any number but the last, which is not used.
fn index(args: Args<'_, '_>, at: usize) -> Result<u64, Reject> {
    let text = std::str::from_utf8(args.get(at)).map_err(|_| INVALID_INDEX)?;
    let canonical = text == "0" || text.starts_with(|first: char| ('1'..='9').contains(&first));
    let index = text.parse().ok().filter(|_| canonical);
    index
        .filter(|index| *index != u64::MAX)
        .ok_or(INVALID_INDEX)
}

/// `ARSET key index value ..`: sets elements one after the other.
pub(super) fn arset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let first = index(args, 2)?;
    let last = first.checked_add(args.len() as u64 - 4);
    if last.is_none_or(|last| last == u64::MAX) {
        return Err(INVALID_INDEX);
    }
    replayer.upsert(args, 1, |array: &mut Array<'a>| {
        let values = (first..).zip(3..args.len());
        let new = values.filter(|(index, at)| array.items.insert(*index, args.str(*at)).is_none());
        Ok(Reply::count(new.count()))
    })
}

/// `ARMSET key index value ..`: sets elements anywhere.
pub(super) fn armset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    if !args.len().is_multiple_of(2) {
        return Err(Reject::WrongArity);
    }
    let pairs = (2..args.len()).step_by(2);
    let indexes: Result<Vec<_>, Reject> = pairs.map(|at| Ok((index(args, at)?, at + 1))).collect();
    let indexes = indexes?;
    replayer.upsert(args, 1, |array: &mut Array<'a>| {
        let pairs = indexes.into_iter();
        let new = pairs.filter(|(index, at)| array.items.insert(*index, args.str(*at)).is_none());
        Ok(Reply::count(new.count()))
    })
}

/// `ARINSERT key value ..`: sets elements behind the cursor and moves it along.
pub(super) fn arinsert<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    replayer.upsert(args, 1, |array: &mut Array<'a>| {
        let first = array
            .insert_index
            .map_or(Some(0), |last| last.checked_add(1));
        let last = first.and_then(|first| first.checked_add(args.len() as u64 - 3));
        let (Some(first), Some(last)) = (first, last.filter(|last| *last != u64::MAX)) else {
            return Err(INVALID_INDEX);
        };
        for (index, at) in (first..=last).zip(2..) {
            array.items.insert(index, args.str(at));
        }
        array.insert_index = Some(last);
        Ok(Reply::Int(i64::try_from(last).unwrap_or(i64::MAX)))
    })
}

/// `ARRING key size value ..`
pub(super) fn arring<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported(
        "ARRING, whose treatment of elements beyond its size is not documented",
    ))
}

/// `ARSEEK key index`: the next ARINSERT goes there.
pub(super) fn arseek<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    // One behind the last index is a place too: no ARINSERT fits any more.
    let next = match args.get(2) {
        b"18446744073709551615" => u64::MAX,
        _ => index(args, 2)?,
    };
    let done = replayer.update(args.get(1), |array: &mut Array<'a>| {
        array.insert_index = next.checked_sub(1);
        Ok(Reply::Int(1))
    })?;
    done.ok_or(Reject::unsupported("ARSEEK on a key that is not there"))
}

/// `ARDEL key index ..`
pub(super) fn ardel<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let indexes: Result<Vec<_>, _> = (2..args.len()).map(|at| index(args, at)).collect();
    let indexes = indexes?;
    let removed = replayer.update(args.get(1), |array: &mut Array<'a>| {
        let removed = indexes.iter().filter(|at| array.items.remove(at).is_some());
        Ok(removed.count())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

/// `ARDELRANGE key start end ..`: both ends go too.
pub(super) fn ardelrange<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    if !args.len().is_multiple_of(2) {
        return Err(Reject::WrongArity);
    }
    let pairs = (2..args.len()).step_by(2);
    let ranges: Result<Vec<_>, Reject> = pairs
        .map(|at| Ok((index(args, at)?, index(args, at + 1)?)))
        .collect();
    let ranges = ranges?;
    if ranges.iter().any(|(start, end)| start > end) {
        return Err(Reject::unsupported(
            "ARDELRANGE of a range that ends before it starts",
        ));
    }
    let removed = replayer.update(args.get(1), |array: &mut Array<'a>| {
        let ranges = ranges.iter();
        Ok(ranges
            .map(|(start, end)| array.remove_range(*start, *end))
            .sum())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use crate::replay::testing::Session;

    #[test]
    fn arrays_follow_their_descriptions() {
        Session::new().all(&[
            ("ARSET a 5 x y", "2"),
            ("ARSET a 6 z w", "1"),
            ("ARSET a 18446744073709551614 x y", "!ERR"),
            ("ARSET a -1 x", "!ERR"),
            ("ARSET a 05 x", "!ERR"),
            ("ARMSET a 1 x 100 y 6 z", "2"),
            ("ARMSET a 1 x 2", "!wrong"),
            ("ARINSERT a p q", "1"),
            ("ARINSERT a r", "2"),
            ("ARSEEK a 50", "1"),
            ("ARINSERT a s", "50"),
            ("ARSEEK a 18446744073709551615", "1"),
            ("ARINSERT a s", "!ERR"),
            ("ARSEEK none 5", "!unsupported:"),
            ("ARRING a 3 x", "!unsupported:"),
            ("ARDEL a 0 1 3", "2"),
            ("ARDELRANGE a 6 5", "!unsupported:"),
            ("ARDELRANGE a 2 60 7 7", "5"),
            ("ARDEL a 100", "1"),
            ("ARDEL a 100", "0"),
            ("ARSEEK a 5", "!unsupported:"),
        ]);
    }
}
