//! Sorted sets: members, scores, ranges to remove.

use std::ops::{Bound, Range};

use crate::num::strtod::parse_range_f64;
use crate::num::{Flavor, parse_f64, score_text};
use crate::store::{KeySlot, LexBound, SortedSet, Str, Value};

use super::list::{count_arg, pop_several};
use super::reply::{NOT_FLOAT, SYNTAX, WRONG_TYPE};
use super::{Args, Reject, Replayer, Reply};

/// Sets a score as a server stores it: where small sets are packed, -0 becomes 0.
pub(super) fn insert<'a>(
    set: &mut SortedSet<'a>,
    member: crate::store::Bytes<'a>,
    score: f64,
    flavor: Flavor,
) -> Option<f64> {
    if score == 0.0 && score.is_sign_negative() && flavor.small_zsets_lose_negative_zero() {
        // Whether the set is packed is known only with the member in it.
        let old = set.insert(member.clone(), 0.0);
        if set.is_packed() {
            return old;
        }
        set.insert(member, score);
        return old;
    }
    set.insert(member, score)
}

/// A score as that release shows it.
pub(super) fn score_reply<'a>(score: f64, flavor: Flavor) -> Reply<'a> {
    Reply::Bulk(Str::from(score_text(score, flavor).as_bytes().to_vec()))
}

#[derive(Clone, Copy, Debug, Default)]
struct AddOptions {
    only_new: bool,
    only_existing: bool,
    greater: bool,
    less: bool,
    changed: bool,
    increment: bool,
}

/// Sets scores, given by the place of each score argument and its number; the member
/// is the argument after the score.
fn add<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    options: AddOptions,
    scores: &[(usize, f64)],
) -> Result<Reply<'a>, Reject> {
    const NAN: Reject = Reject::error("ERR resulting score is not a number (NaN)");
    let flavor = replayer.flavor();
    if options.only_existing && !replayer.db().contains(args.get(1)) {
        return Ok(if options.increment {
            Reply::Nil
        } else {
            Reply::Int(0)
        });
    }
    // When a server unpacks a set matters to scores of -0 alone.
    let large = flavor.sizes_zsets_ahead() && scores.len() > 128
        || flavor.measures_zset_members_ahead()
            && scores.iter().any(|(at, _)| args.get(at + 1).len() > 64);
    replayer.upsert(args, 1, |set: &mut SortedSet<'a>| {
        if large {
            set.unpack();
        }
        let (mut added, mut updated) = (0, 0);
        let mut last = None;
        for (at, score) in scores {
            let member = args.get(at + 1);
            let old = set.score(member);
            let mut score = *score;
            match old {
                None if options.only_existing => continue,
                None => added += 1,
                Some(_) if options.only_new => continue,
                Some(old) => {
                    if options.increment {
                        score += old;
                        if score.is_nan() {
                            return Err(NAN);
                        }
                    }
                    if options.less && score >= old || options.greater && score <= old {
                        continue;
                    }
                    if score == old {
                        last = Some(old);
                        continue;
                    }
                    updated += 1;
                }
            }
            insert(set, args.bytes(at + 1), score, flavor);
            last = Some(score);
        }
        Ok(match (options.increment, last) {
            (true, Some(score)) => score_reply(score, flavor),
            (true, None) => Reply::Nil,
            (false, _) if options.changed => Reply::count(added + updated),
            (false, _) => Reply::count(added),
        })
    })
}

/// `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member ..`
pub(super) fn zadd<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut options = AddOptions::default();
    let mut at = 2;
    loop {
        match () {
            () if args.is(at, "nx") => options.only_new = true,
            () if args.is(at, "xx") => options.only_existing = true,
            () if args.is(at, "gt") => options.greater = true,
            () if args.is(at, "lt") => options.less = true,
            () if args.is(at, "ch") => options.changed = true,
            () if args.is(at, "incr") => options.increment = true,
            () => break,
        }
        at += 1;
    }
    let words = args.len().saturating_sub(at);
    if words == 0 || words % 2 != 0 {
        return Err(SYNTAX);
    }
    if options.only_new && options.only_existing {
        return Err(Reject::error(
            "ERR XX and NX options at the same time are not compatible",
        ));
    }
    if usize::from(options.greater) + usize::from(options.less) + usize::from(options.only_new) > 1
    {
        return Err(Reject::error(
            "ERR GT, LT, and/or NX options at the same time are not compatible",
        ));
    }
    if options.increment && words != 2 {
        return Err(Reject::error(
            "ERR INCR option supports a single increment-element pair",
        ));
    }
    let flavor = replayer.flavor();
    let score = |at| match parse_f64(args.get(at), flavor) {
        Some(score) => Ok((at, score)),
        None => Err(NOT_FLOAT),
    };
    // One member, as most have, needs no list.
    if words == 2 {
        return add(replayer, args, options, &[score(at)?]);
    }
    let scores: Result<Vec<_>, _> = (at..args.len()).step_by(2).map(score).collect();
    add(replayer, args, options, &scores?)
}

/// `ZINCRBY key increment member`
pub(super) fn zincrby<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let by = parse_f64(args.get(2), replayer.flavor()).ok_or(NOT_FLOAT)?;
    let options = AddOptions {
        increment: true,
        ..AddOptions::default()
    };
    add(replayer, args, options, &[(2, by)])
}

/// Sets the scores of members that stand elsewhere (GEOADD).
pub(super) fn add_scored<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    (only_new, only_existing, changed): (bool, bool, bool),
    scores: &[(usize, f64)],
) -> Result<Reply<'a>, Reject> {
    let options = AddOptions {
        only_new,
        only_existing,
        changed,
        ..AddOptions::default()
    };
    add(replayer, args, options, scores)
}

pub(super) fn zrem<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let removed = replayer.update(args.get(1), |set: &mut SortedSet<'a>| {
        Ok(args
            .from(2)
            .filter(|member| set.remove(member).is_some())
            .count())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

/// Ranks from `start` to `stop`, both included and negative from the end.
pub(super) fn rank_range(len: usize, start: i64, stop: i64) -> Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |n: i64| if n < 0 { len.saturating_add(n) } else { n };
    let start = from_end(start).max(0).min(len);
    let end = from_end(stop).min(len - 1) + 1;
    start as usize..end.max(start) as usize
}

/// Reads a bound of a range by score: a number, `(` before it if it is not included.
pub(super) fn score_bound(text: &[u8], flavor: Flavor) -> Result<Bound<f64>, Reject> {
    const BAD: Reject = Reject::error("ERR min or max is not a float");
    let (number, included) = match text {
        [b'(', number @ ..] => (number, false),
        number => (number, true),
    };
    let number = parse_range_f64(number, flavor)
        .filter(|n| !n.is_nan())
        .ok_or(BAD)?;
    Ok(if included {
        Bound::Included(number)
    } else {
        Bound::Excluded(number)
    })
}

/// Reads a bound of a range by member: `[member`, `(member`, `-` or `+`.
pub(super) fn lex_bound(text: &[u8]) -> Result<LexBound<'_>, Reject> {
    match text {
        b"-" => Ok(LexBound::Min),
        b"+" => Ok(LexBound::Max),
        [b'[', member @ ..] => Ok(LexBound::Included(member)),
        [b'(', member @ ..] => Ok(LexBound::Excluded(member)),
        _ => Err(Reject::error("ERR min or max not valid string range item")),
    }
}

/// Whether a member is not below a lower bound.
fn reaches(member: &[u8], min: LexBound<'_>) -> bool {
    match min {
        LexBound::Min => true,
        LexBound::Max => false,
        LexBound::Included(min) => member >= min,
        LexBound::Excluded(min) => member > min,
    }
}

/// Whether a member is not above an upper bound.
fn stays_below(member: &[u8], max: LexBound<'_>) -> bool {
    match max {
        LexBound::Min => false,
        LexBound::Max => true,
        LexBound::Included(max) => member <= max,
        LexBound::Excluded(max) => member < max,
    }
}

/// What a range by member is for: commands look in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexUse {
    /// From the lower bound on, after some members.
    Forward(usize),
    /// From the upper bound down, after some members.
    Reverse(usize),
    /// How many there are.
    #[cfg_attr(
        not(feature = "lua"),
        expect(dead_code, reason = "only a script reads the answer")
    )]
    Count,
    /// To be removed.
    Remove,
}

/// The ranks of the members between two bounds.
///
/// If scores differ, members need not ascend, and what a server takes depends on how it
/// looks for the bound at which it begins: in a packed set from one end, in a skip list
/// along levels that chance made, so that only one bound that parts the members in two
/// gives the same on every server. From there it goes on as long as the other holds.
pub(super) fn lex_ranks(
    set: &mut SortedSet<'_>,
    min: LexBound<'_>,
    max: LexBound<'_>,
    wanted: LexUse,
) -> Result<Range<usize>, Reject> {
    let len = set.len();
    let score_at = |set: &mut SortedSet<'_>, rank: usize| {
        set.range(rank..rank + 1).first().map(|(_, score)| *score)
    };
    if len == 0 || score_at(set, 0) == score_at(set, len - 1) {
        let ranks = set.lex_range(min, max);
        return Ok(match wanted {
            LexUse::Forward(skipped) => {
                ranks.end.min(ranks.start.saturating_add(skipped))..ranks.end
            }
            LexUse::Reverse(skipped) => {
                ranks.start..ranks.start.max(ranks.end.saturating_sub(skipped))
            }
            LexUse::Count | LexUse::Remove => ranks,
        });
    }
    let packed = set.is_packed();
    let (mut reach, mut stay) = (Vec::with_capacity(len), Vec::with_capacity(len));
    for (member, _) in set.range(0..len) {
        reach.push(reaches(member, min));
        stay.push(stays_below(member, max));
    }
    let parts = |holds: &[bool]| holds.is_sorted() || holds.iter().rev().is_sorted();
    let crossed = match (min, max) {
        (
            LexBound::Included(min) | LexBound::Excluded(min),
            LexBound::Included(max) | LexBound::Excluded(max),
        ) => min > max,
        (LexBound::Max, _) | (_, LexBound::Min) => true,
        _ => false,
    };
    let looks_at_ends = packed || wanted != LexUse::Remove;
    if looks_at_ends && (crossed || reach.last() != Some(&true) || stay.first() != Some(&true)) {
        return Ok(0..0);
    }
    let is_known = packed
        || match wanted {
            LexUse::Remove | LexUse::Forward(0) => parts(&reach),
            LexUse::Forward(_) | LexUse::Reverse(_) | LexUse::Count => {
                parts(&reach) && parts(&stay)
            }
        };
    if !is_known {
        return Err(Reject::unsupported(
            "a range by members of a large sorted set with unequal scores, which depends on chance: the levels of the server's skip list",
        ));
    }
    if let LexUse::Reverse(skipped) = wanted {
        let Some(last) = stay.iter().rposition(|stays| *stays) else {
            return Ok(0..0);
        };
        let end = (last + 1).saturating_sub(skipped);
        let begun = reach.get(last) == Some(&true);
        let reached = reach.iter().take(end).rev().take_while(|reaches| **reaches);
        let taken = if begun { reached.count() } else { 0 };
        return Ok(end - taken..end);
    }
    let skipped = match wanted {
        LexUse::Forward(skipped) => skipped,
        _ => 0,
    };
    let first = reach.iter().position(|reaches| *reaches).unwrap_or(len);
    let start = first.saturating_add(skipped).min(len);
    let begun = stay.get(first) == Some(&true);
    let staying = stay.iter().skip(start).take_while(|stays| **stays);
    let taken = if begun { staying.count() } else { 0 };
    Ok(start..start + taken)
}

fn remove_ranks<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    ranks: impl FnOnce(&mut SortedSet<'a>) -> Result<Range<usize>, Reject>,
) -> Result<Reply<'a>, Reject> {
    let removed = replayer.update(args.get(1), |set: &mut SortedSet<'a>| {
        let ranks = ranks(set)?;
        Ok(set.remove_range(ranks).len())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

pub(super) fn zremrangebyrank<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    remove_ranks(replayer, args, |set| Ok(rank_range(set.len(), start, stop)))
}

pub(super) fn zremrangebyscore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let flavor = replayer.flavor();
    let min = score_bound(args.get(2), flavor)?;
    let max = score_bound(args.get(3), flavor)?;
    remove_ranks(replayer, args, |set| Ok(set.score_range(min, max)))
}

pub(super) fn zremrangebylex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (min, max) = (lex_bound(args.get(2))?, lex_bound(args.get(3))?);
    remove_ranks(replayer, args, |set| {
        lex_ranks(set, min, max, LexUse::Remove)
    })
}

/// Takes the members with the least or greatest scores.
fn take<'a>(
    replayer: &mut Replayer<'a>,
    key: &[u8],
    greatest: bool,
    count: usize,
) -> Result<Option<Vec<Reply<'a>>>, Reject> {
    let flavor = replayer.flavor();
    replayer.update(key, |set: &mut SortedSet<'a>| {
        let count = count.min(set.len());
        let ranks = if greatest {
            set.len() - count..set.len()
        } else {
            0..count
        };
        let mut taken = set.remove_range(ranks);
        if greatest {
            taken.reverse();
        }
        let pair = |(member, score)| [Reply::Bulk(Str::from(member)), score_reply(score, flavor)];
        Ok(taken.into_iter().flat_map(pair).collect())
    })
}

/// `ZPOPMIN key [count]`
fn pop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    greatest: bool,
) -> Result<Reply<'a>, Reject> {
    let count = match args.len() {
        2 => 1,
        3 => count_arg(args, 2)?,
        _ => return Err(SYNTAX),
    };
    let taken = take(replayer, args.get(1), greatest, count)?;
    Ok(Reply::Array(taken.unwrap_or_default()))
}

pub(super) fn zpopmin<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop(replayer, args, false)
}

pub(super) fn zpopmax<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop(replayer, args, true)
}

/// `BZPOPMIN key .. timeout`
fn pop_first<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    greatest: bool,
) -> Result<Reply<'a>, Reject> {
    for at in 1..args.len() - 1 {
        if let Some(taken) = take(replayer, args.get(at), greatest, 1)? {
            let mut reply = vec![Reply::Bulk(args.str(at))];
            reply.extend(taken);
            return Ok(Reply::Array(reply));
        }
    }
    Ok(Reply::Nil)
}

pub(super) fn bzpopmin<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop_first(replayer, args, false)
}

pub(super) fn bzpopmax<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    pop_first(replayer, args, true)
}

/// Whether MIN or MAX stands at an argument.
fn is_max(args: Args<'_, '_>, at: usize) -> Result<bool, Reject> {
    match () {
        () if args.is(at, "min") => Ok(false),
        () if args.is(at, "max") => Ok(true),
        () => Err(SYNTAX),
    }
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
        is_max,
        |replayer, key, greatest, count| Ok(take(replayer, key, greatest, count)?.map(Reply::Array)),
    )
}

/// `ZMPOP numkeys key .. MIN|MAX [COUNT n]`
pub(super) fn zmpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    mpop(replayer, args, 1)
}

/// `BZMPOP timeout numkeys key .. MIN|MAX [COUNT n]`
pub(super) fn bzmpop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    mpop(replayer, args, 2)
}

/// The ranges of a sorted set change nothing that can be seen, but build its order,
/// so they want it for themselves.
pub(super) fn with_set<'a, R>(
    replayer: &mut Replayer<'a>,
    key: &[u8],
    look: impl FnOnce(&mut SortedSet<'a>) -> R,
) -> Result<Option<R>, Reject> {
    match replayer.entry(key) {
        KeySlot::Occupied(mut place) => match place.get_mut().value_mut() {
            Value::SortedSet(set) => Ok(Some(look(set))),
            _ => Err(WRONG_TYPE),
        },
        KeySlot::Vacant(_) => Ok(None),
    }
}
