//! Arrays (Redis 8.8): sparse, with a cursor behind which ARINSERT goes on.
//!
//! ARRING writes around a ring of as many elements as it says. When that is not the
//! size that the array has, what the ring holds moves to its beginning first, oldest
//! first; [`ring_items`] says how much of it.
//!
//! Written from what the releases document; there was no server to compare with.

use super::{Args, Reject, Replayer, Reply};
use crate::store::{Array, Str};

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

/// Whether a ring of a size other than the array's is laid out anew, and how many
/// elements that keeps at most.
fn ring_room(array: &Array<'_>, size: u64) -> Option<u64> {
    let len = array.len();
    if len == 0 || size == len {
        return None;
    }
    if size < len {
        return Some(size);
    }
    // A ring that grows does so behind its end, unless it has come round before.
    let last = array.insert_index?;
    (last.saturating_add(1) < len).then_some(len)
}

/// The elements that a ring keeps when it is laid out anew, oldest first: backwards
/// from the last one written, around the end, to the first hole.
fn ring_items<'a>(array: &Array<'a>, room: u64) -> Vec<Str<'a>> {
    let len = array.len();
    let mut at = array.insert_index.map_or(len - 1, |last| last % len);
    let mut kept = Vec::new();
    while (kept.len() as u64) < room {
        let Some(item) = array.items.get(&at) else {
            break;
        };
        kept.push(item.clone());
        at = at.checked_sub(1).unwrap_or(len - 1);
    }
    kept.reverse();
    kept
}

/// `ARRING key size value ..`: as ARINSERT, but the index after `size - 1` is 0.
pub(super) fn arring<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    const BAD_SIZE: Reject = Reject::error("ERR size must be positive");
    let size = args.int(2).map_err(|_| Reject::error("ERR invalid size"))?;
    let size = u64::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or(BAD_SIZE)?;
    replayer.upsert(args, 1, |array: &mut Array<'a>| {
        if let Some(room) = ring_room(array, size) {
            let items = ring_items(array, room);
            array.insert_index = (items.len() as u64).checked_sub(1);
            array.items = (0..).zip(items).collect();
        }
        let mut last = 0;
        for at in 3..args.len() {
            last = array
                .insert_index
                .map_or(0, |last| last.saturating_add(1) % size);
            array.items.insert(last, args.str(at));
            array.insert_index = Some(last);
        }
        Ok(Reply::Int(i64::try_from(last).unwrap_or(i64::MAX)))
    })
}

/// `ARSEEK key index`: the next ARINSERT goes there; 0 forgets where the last one went.
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
    Ok(done.unwrap_or(Reply::Int(0)))
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

/// `ARDELRANGE key start end ..`: both ends go too, and may stand in either order.
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
    let removed = replayer.update(args.get(1), |array: &mut Array<'a>| {
        let ranges = ranges.iter();
        Ok(ranges
            .map(|(start, end)| array.remove_range(*start.min(end), *start.max(end)))
            .sum())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use crate::replay::testing::Session;
    use crate::store::{Str, Value};

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
            ("ARSEEK none 5", "0"),
            ("ARSEEK a x", "!ERR"),
            ("ARDEL a 0 1 3", "2"),
            ("ARDELRANGE a 60 2 7 7", "5"),
            ("ARDEL a 100", "1"),
            ("ARDEL a 100", "0"),
            ("ARSEEK a 5", "0"),
        ]);
    }

    /// The elements of the array `a`, and where its cursor is.
    fn shown(session: &Session) -> String {
        let entry = session.0.store.db(0).and_then(|db| db.get(b"a"));
        let Some(Value::Array(array)) = entry.map(|entry| entry.value()) else {
            return "none".into();
        };
        let items = array.items.iter();
        let one = |(at, item): (&u64, &Str<'_>)| {
            let mut buffer = itoa::Buffer::new();
            format!("{at}{}", item.as_bytes(&mut buffer).escape_ascii())
        };
        let items: Vec<_> = items.map(one).collect();
        format!("{} after {:?}", items.join(" "), array.insert_index)
    }

    #[test]
    fn rings_come_round_and_change_their_size() {
        let cases = [
            ("ARRING a 0 x", "none"),
            ("ARRING a x x", "none"),
            ("ARRING a 3 a b", "0a 1b after Some(1)"),
            ("ARRING a 3 c d", "0d 1b 2c after Some(0)"),
            // It has come round, so it is put in order before it grows.
            ("ARRING a 5 e", "0b 1c 2d 3e after Some(3)"),
            ("ARRING a 5 f g", "0g 1c 2d 3e 4f after Some(0)"),
            // The last ones stay.
            ("ARRING a 2 h", "0h 1g after Some(0)"),
            // From the end of the array, as nothing says which was the last.
            ("ARSEEK a 0", "0h 1g after None"),
            ("ARRING a 1 i", "0i after Some(0)"),
            ("ARSET a 0 p q r s", "0p 1q 2r 3s after Some(0)"),
            ("ARDEL a 1", "0p 2r 3s after Some(0)"),
            // A hole ends what stays.
            ("ARSEEK a 4", "0p 2r 3s after Some(3)"),
            ("ARRING a 3 t", "0r 1s 2t after Some(2)"),
            ("ARSEEK a 0", "0r 1s 2t after None"),
            // Nothing moves for a ring that begins anew.
            ("ARRING a 9 u", "0u 1s 2t after Some(0)"),
        ];
        let mut session = Session::new();
        for (command, expected) in cases {
            session.run(command);
            assert_eq!(shown(&session), expected, "{command}");
        }
    }
}
