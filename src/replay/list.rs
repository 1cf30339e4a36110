//! Lists. Blocking commands act at once, or not at all.

use crate::store::{List, Str};

use super::reply::{BAD_COUNT, NO_SUCH_KEY, OUT_OF_RANGE, SYNTAX};
use super::{Args, Reject, Replayer, Reply};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn parse(args: Args<'_, '_>, at: usize) -> Result<Self, Reject> {
        match () {
            () if args.is(at, "left") => Ok(Side::Left),
            () if args.is(at, "right") => Ok(Side::Right),
            () => Err(SYNTAX),
        }
    }

    fn push<'a>(self, list: &mut List<'a>, item: Str<'a>) {
        match self {
            Side::Left => list.push_front(item),
            Side::Right => list.push_back(item),
        }
    }

    fn pop<'a>(self, list: &mut List<'a>) -> Option<Str<'a>> {
        match self {
            Side::Left => list.pop_front(),
            Side::Right => list.pop_back(),
        }
    }
}

fn push<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    side: Side,
) -> Result<Reply<'a>, Reject> {
    let len = replayer.upsert(args, 1, |list: &mut List<'a>| {
        for at in 2..args.len() {
            side.push(list, args.str(at));
        }
        Ok(list.len())
    })?;
    Ok(Reply::count(len))
}

fn push_existing<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    side: Side,
) -> Result<Reply<'a>, Reject> {
    let len = replayer.update(args.get(1), |list: &mut List<'a>| {
        for at in 2..args.len() {
            side.push(list, args.str(at));
        }
        Ok(list.len())
    })?;
    Ok(Reply::count(len.unwrap_or(0)))
}

pub(super) fn lpush<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    push(replayer, args, Side::Left)
}

pub(super) fn rpush<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    push(replayer, args, Side::Right)
}

pub(super) fn lpushx<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    push_existing(replayer, args, Side::Left)
}

pub(super) fn rpushx<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    push_existing(replayer, args, Side::Right)
}

/// Takes up to `count` elements of a key that is there.
fn take<'a>(
    replayer: &mut Replayer<'a>,
    key: &[u8],
    side: Side,
    count: usize,
) -> Result<Option<Vec<Str<'a>>>, Reject> {
    replayer.update(key, |list: &mut List<'a>| {
        let count = count.min(list.len());
        Ok((0..count).filter_map(|_| side.pop(list)).collect())
    })
}

/// Takes one element of a key that is there.
fn take_one<'a>(
    replayer: &mut Replayer<'a>,
    key: &[u8],
    side: Side,
) -> Result<Option<Str<'a>>, Reject> {
    let taken = replayer.update(key, |list: &mut List<'a>| Ok(side.pop(list)))?;
    Ok(taken.flatten())
}

/// A count of elements: an integer that is not negative.
pub(super) fn count_arg(args: Args<'_, '_>, at: usize) -> Result<usize, Reject> {
    const NEGATIVE: Reject = Reject::error("ERR value is out of range, must be positive");
    usize::try_from(args.int(at)?).map_err(|_| NEGATIVE)
}

fn bulks<'a>(items: Vec<Str<'a>>) -> Reply<'a> {
    Reply::Array(items.into_iter().map(Reply::Bulk).collect())
}

/// `LPOP key [count]`
fn pop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    side: Side,
) -> Result<Reply<'a>, Reject> {
    let count = match args.len() {
        2 => None,
        3 => Some(count_arg(args, 2)?),
        _ => return Err(Reject::WrongArity),
    };
    Ok(match count {
        None => take_one(replayer, args.get(1), side)?.map_or(Reply::Nil, Reply::Bulk),
        Some(count) => take(replayer, args.get(1), side, count)?.map_or(Reply::Nil, bulks),
    })
}

pub(super) fn lpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop(replayer, args, Side::Left)
}

pub(super) fn rpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop(replayer, args, Side::Right)
}

/// `BLPOP key .. timeout`: the first key that is there gives one element.
fn pop_first<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    side: Side,
) -> Result<Reply<'a>, Reject> {
    for at in 1..args.len() - 1 {
        if let Some(items) = take(replayer, args.get(at), side, 1)? {
            let mut reply = vec![Reply::Bulk(args.str(at))];
            reply.extend(items.into_iter().map(Reply::Bulk));
            return Ok(Reply::Array(reply));
        }
    }
    Ok(Reply::Nil)
}

pub(super) fn blpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop_first(replayer, args, Side::Left)
}

pub(super) fn brpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop_first(replayer, args, Side::Right)
}

/// Reads `numkeys key ..` at `at`: the places of the keys.
pub(super) fn counted_keys(
    args: Args<'_, '_>,
    at: usize,
) -> Result<std::ops::Range<usize>, Reject> {
    let count = crate::num::parse_i64(args.get(at)).and_then(|n| usize::try_from(n).ok());
    let count = count.filter(|n| *n > 0).ok_or(BAD_COUNT)?;
    let end = count.checked_add(at + 1).ok_or(SYNTAX)?;
    if end > args.len() {
        return Err(SYNTAX);
    }
    Ok(at + 1..end)
}

/// `numkeys key .. end [COUNT n]` from `at` on: the first key that is there gives as
/// many elements from its end, which LMPOP and ZMPOP name in words of their own.
pub(super) fn pop_several<'a, E: Copy>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    at: usize,
    end: impl FnOnce(Args<'_, 'a>, usize) -> Result<E, Reject>,
    take: impl Fn(&mut Replayer<'a>, &[u8], E, usize) -> Result<Option<Reply<'a>>, Reject>,
) -> Result<Reply<'a>, Reject> {
    let keys = counted_keys(args, at)?;
    let end = end(args, keys.end)?;
    let count = match args.len() - keys.end {
        1 => 1,
        3 if args.is(keys.end + 1, "count") => match count_arg(args, keys.end + 2)? {
            0 => return Err(Reject::error("ERR count should be greater than 0")),
            count => count,
        },
        _ => return Err(SYNTAX),
    };
    for at in keys {
        if let Some(items) = take(replayer, args.get(at), end, count)? {
            return Ok(Reply::Array(vec![Reply::Bulk(args.str(at)), items]));
        }
    }
    Ok(Reply::Nil)
}

fn mpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    at: usize,
) -> Result<Reply<'a>, Reject> {
    pop_several(
        replayer,
        args,
        at,
        Side::parse,
        |replayer, key, side, count| Ok(take(replayer, key, side, count)?.map(bulks)),
    )
}

/// `LMPOP numkeys key .. LEFT|RIGHT [COUNT n]`
pub(super) fn lmpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    mpop(replayer, args, 1)
}

/// `BLMPOP timeout numkeys key .. LEFT|RIGHT [COUNT n]`
pub(super) fn blmpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    mpop(replayer, args, 2)
}

pub(super) fn lset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    if replayer.get::<List<'a>>(args.get(1))?.is_none() {
        return Err(NO_SUCH_KEY);
    }
    let mut index = args.int(2)?;
    if replayer.flavor().truncates_list_places() {
        index = i64::from(index as i32);
    }
    replayer.update(args.get(1), |list: &mut List<'a>| {
        let place = list.place(index).ok_or(OUT_OF_RANGE)?;
        list.set(place, args.str(3));
        Ok(())
    })?;
    Ok(Reply::Ok)
}

/// `LINSERT key BEFORE|AFTER pivot element`
pub(super) fn linsert<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let before = match () {
        () if args.is(2, "before") => true,
        () if args.is(2, "after") => false,
        () => return Err(SYNTAX),
    };
    let len = replayer.update(args.get(1), |list: &mut List<'a>| {
        let (pivot, item) = (args.get(3), args.str(4));
        let found = if before {
            list.insert_before(pivot, item)
        } else {
            list.insert_after(pivot, item)
        };
        Ok(if found {
            Reply::count(list.len())
        } else {
            Reply::Int(-1)
        })
    })?;
    Ok(len.unwrap_or(Reply::Int(0)))
}

pub(super) fn lrem<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let count = args.int(2)?;
    let removed = replayer.update(args.get(1), |list: &mut List<'a>| {
        Ok(list.remove(count, args.get(3)))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

pub(super) fn ltrim<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    replayer.update(args.get(1), |list: &mut List<'a>| {
        list.trim(start, stop);
        Ok(())
    })?;
    Ok(Reply::Ok)
}

/// Moves one element; source and destination may be the same list.
fn move_one<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    from: Side,
    to: Side,
) -> Result<Reply<'a>, Reject> {
    // Both types are checked before anything moves.
    if replayer.get::<List<'a>>(args.get(1))?.is_none() {
        return Ok(Reply::Nil);
    }
    replayer.get::<List<'a>>(args.get(2))?;
    if args.get(1) == args.get(2) {
        let moved = replayer.update(args.get(1), |list: &mut List<'a>| {
            let item = from.pop(list).unwrap_or_default();
            to.push(list, item.clone());
            Ok(item)
        })?;
        return Ok(moved.map_or(Reply::Nil, Reply::Bulk));
    }
    let item = take(replayer, args.get(1), from, 1)?.and_then(|mut items| items.pop());
    let Some(item) = item else {
        return Ok(Reply::Nil);
    };
    replayer.upsert(args, 2, |list: &mut List<'a>| {
        to.push(list, item.clone());
        Ok(())
    })?;
    Ok(Reply::Bulk(item))
}

pub(super) fn rpoplpush<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    move_one(replayer, args, Side::Right, Side::Left)
}

pub(super) fn brpoplpush<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    move_one(replayer, args, Side::Right, Side::Left)
}

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`
pub(super) fn lmove<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (from, to) = (Side::parse(args, 3)?, Side::parse(args, 4)?);
    move_one(replayer, args, from, to)
}

pub(super) fn blmove<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    lmove(replayer, args)
}

/// `LMOVEM source destination LEFT|RIGHT LEFT|RIGHT [COUNT|EXACTLY n OBO|BULK]` (Redis 8.10)
///
/// OBO moves one by one, so that elements arrive as repeated LMOVEs bring them; BULK
/// moves them as a block in its order; either way all are taken before any arrives,
/// also within one list. EXACTLY moves nothing if there are fewer.
pub(super) fn lmovem<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    move_several(replayer, args, 5)
}

/// The same, where the number of elements stands from an argument on.
fn move_several<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    options: usize,
) -> Result<Reply<'a>, Reject> {
    let (from, to) = (Side::parse(args, 3)?, Side::parse(args, 4)?);
    let (count, exactly, block) = match args.len() - options {
        0 => (1, false, false),
        3 => {
            let exactly = match () {
                () if args.is(options, "exactly") => true,
                () if args.is(options, "count") => false,
                () => return Err(SYNTAX),
            };
            let block = match () {
                () if args.is(options + 2, "bulk") => true,
                () if args.is(options + 2, "obo") => false,
                () => return Err(SYNTAX),
            };
            (count_arg(args, options + 1)?, exactly, block)
        }
        _ => return Err(SYNTAX),
    };
    let there = replayer.get::<List<'a>>(args.get(1))?.map_or(0, List::len);
    replayer.get::<List<'a>>(args.get(2))?;
    if there == 0 || count == 0 || exactly && there < count {
        return Ok(Reply::Array(Vec::new()));
    }
    let (mut items, same) = (Vec::new(), args.get(1) == args.get(2));
    replayer.update(args.get(1), |list: &mut List<'a>| {
        items.extend((0..count.min(there)).filter_map(|_| from.pop(list)));
        // Taken from one end and pushed to the same, a block would turn round.
        if block && from == to {
            items.reverse();
        }
        if same {
            items.iter().for_each(|item| to.push(list, item.clone()));
        }
        Ok(())
    })?;
    if !same {
        replayer.upsert(args, 2, |list: &mut List<'a>| {
            items.iter().for_each(|item| to.push(list, item.clone()));
            Ok(())
        })?;
    }
    Ok(bulks(items))
}

/// `BLMOVEM source destination LEFT|RIGHT LEFT|RIGHT timeout [COUNT|EXACTLY n OBO|BULK]`
/// (Redis 8.10): in a log nothing waits. Servers log what it did as LMOVEM.
pub(super) fn blmovem<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    move_several(replayer, args, 6)
}
