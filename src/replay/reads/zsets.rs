//! Answers of read commands on sorted sets.

use super::super::zset::{LexUse, lex_bound, lex_ranks, score_bound, score_reply, with_set};
use super::super::zstore::{self, By, RangeQuery};
use super::{Args, Reject, Replayer, Reply, bulk};
use crate::store::{Bytes, SortedSet};

type Answer<'a> = Result<Reply<'a>, Reject>;

pub(super) fn zcard<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let set = replayer.get::<SortedSet<'a>>(args.get(1))?;
    Ok(Reply::count(set.map_or(0, SortedSet::len)))
}

fn scores<'a>(replayer: &Replayer<'a>, args: Args<'_, 'a>) -> Result<Vec<Reply<'a>>, Reject> {
    let flavor = replayer.flavor();
    let set = replayer.get::<SortedSet<'a>>(args.get(1))?;
    let score = |member: &[u8]| {
        let score = set.and_then(|set| set.score(member));
        score.map_or(Reply::Nil, |score| score_reply(score, flavor))
    };
    Ok(args.from(2).map(score).collect())
}

pub(super) fn zscore<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let score = scores(replayer, args)?.into_iter().next();
    Ok(score.unwrap_or(Reply::Nil))
}

pub(super) fn zmscore<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    scores(replayer, args).map(Reply::Array)
}

fn rank<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>, reverse: bool) -> Answer<'a> {
    if args.len() != 3 {
        return Err(Reject::WrongArity);
    }
    let rank = with_set(replayer, args.get(1), |set| {
        let rank = set.rank(args.get(2))?;
        Some(if reverse { set.len() - 1 - rank } else { rank })
    })?;
    Ok(rank.flatten().map_or(Reply::Nil, Reply::count))
}

pub(super) fn zrank<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    rank(replayer, args, false)
}

pub(super) fn zrevrank<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    rank(replayer, args, true)
}

/// `ZCOUNT key min max`
pub(super) fn zcount<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let flavor = replayer.flavor();
    let (min, max) = (
        score_bound(args.get(2), flavor)?,
        score_bound(args.get(3), flavor)?,
    );
    let count = with_set(replayer, args.get(1), |set| set.score_range(min, max).len())?;
    Ok(Reply::count(count.unwrap_or(0)))
}

/// `ZLEXCOUNT key min max`
pub(super) fn zlexcount<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let (min, max) = (lex_bound(args.get(2))?, lex_bound(args.get(3))?);
    let ranks = with_set(replayer, args.get(1), |set| {
        lex_ranks(set, min, max, LexUse::Count)
    })?;
    Ok(Reply::count(
        ranks.transpose()?.map_or(0, |ranks| ranks.len()),
    ))
}

/// Members, each with its score if that was asked for.
fn listed<'a>(
    replayer: &Replayer<'a>,
    found: Vec<(Bytes<'a>, f64)>,
    with_scores: bool,
) -> Reply<'a> {
    let flavor = replayer.flavor();
    let mut items = Vec::new();
    for (member, score) in found {
        items.push(bulk(member));
        if with_scores {
            items.push(score_reply(score, flavor));
        }
    }
    Reply::Array(items)
}

fn range<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    by: Option<By>,
    reverse: bool,
) -> Answer<'a> {
    let query = match by {
        // Only ZRANGE says what its bounds are.
        None => RangeQuery::parse(args, 4, true)?,
        Some(by) => RangeQuery::parse_old(args, by, reverse)?,
    };
    let found = query.run(replayer, args, 1)?;
    Ok(listed(replayer, found, query.with_scores))
}

/// `ZRANGE key min max [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub(super) fn zrange<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let says_what = (replayer.flavor().major, replayer.flavor().minor) >= (6, 2);
    let by = (!says_what).then_some(By::Rank);
    range(replayer, args, by, false)
}

pub(super) fn zrevrange<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, Some(By::Rank), true)
}

pub(super) fn zrangebyscore<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, Some(By::Score), false)
}

pub(super) fn zrevrangebyscore<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, Some(By::Score), true)
}

pub(super) fn zrangebylex<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, Some(By::Lex), false)
}

pub(super) fn zrevrangebylex<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, Some(By::Lex), true)
}

/// What a joined set would hold, in order.
fn joined<'a>(replayer: &Replayer<'a>, found: (Vec<(Bytes<'a>, f64)>, bool)) -> Reply<'a> {
    let (members, with_scores) = found;
    let set: SortedSet<'a> = members.into_iter().collect();
    let found = set.sorted();
    let found = found
        .into_iter()
        .map(|(member, score)| (member.clone(), score));
    listed(replayer, found.collect(), with_scores)
}

/// `ZUNION numkeys key .. [WEIGHTS w ..] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub(super) fn zunion<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let found = zstore::union(replayer, args, 1)?;
    Ok(joined(replayer, found))
}

pub(super) fn zinter<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let found = zstore::intersection(replayer, args, 1)?;
    Ok(joined(replayer, found))
}

/// `ZDIFF numkeys key .. [WITHSCORES]`
pub(super) fn zdiff<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let found = zstore::difference(replayer, args, 1)?;
    Ok(joined(replayer, found))
}
