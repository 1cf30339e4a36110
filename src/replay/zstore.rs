//! Sorted sets made of others: ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE, ZRANGESTORE.

use std::ops::Range;

use crate::num::parse_f64;
use crate::store::{Bytes, Map, Set, SortedSet, Value};

use super::list::counted_keys;
use super::reply::{SYNTAX, WRONG_TYPE};
use super::zset::{LexUse, insert, lex_bound, lex_ranks, rank_range, score_bound, with_set};
use super::{Args, Reject, Replayer, Reply};

/// How scores of one member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// How many inputs have the member, by their weights (Redis 8.8).
    Count,
}

impl Aggregate {
    /// Of 0 and -0 neither is less, and the first one stays.
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            // The infinities cancel out.
            Aggregate::Sum | Aggregate::Count => or_zero(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// A set or a sorted set.
#[derive(Clone, Copy)]
enum Input<'s, 'a> {
    Set(&'s Set<'a>),
    Scored(&'s SortedSet<'a>),
}

impl<'s, 'a> Input<'s, 'a> {
    fn of(value: &'s Value<'a>) -> Result<Self, Reject> {
        match value {
            Value::Set(set) => Ok(Input::Set(set)),
            Value::SortedSet(set) => Ok(Input::Scored(set)),
            _ => Err(WRONG_TYPE),
        }
    }

    fn len(self) -> usize {
        match self {
            Input::Set(set) => set.len(),
            Input::Scored(set) => set.len(),
        }
    }

    /// The score of a member; members of a set count as one.
    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Input::Set(set) => set.contains(member).then_some(1.0),
            Input::Scored(set) => set.score(member),
        }
    }

    fn iter(self) -> Box<dyn Iterator<Item = (&'s Bytes<'a>, f64)> + 's> {
        match self {
            Input::Set(set) => Box::new(set.iter().map(|member| (member, 1.0))),
            Input::Scored(set) => Box::new(set.iter()),
        }
    }
}

/// The options after the keys.
struct Recipe {
    keys: Range<usize>,
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

/// Reads the number of keys at an argument, and what follows. Where there is no
/// destination before it, scores can be asked for.
fn recipe(
    replayer: &Replayer<'_>,
    args: Args<'_, '_>,
    counted_at: usize,
    takes_options: bool,
) -> Result<Recipe, Reject> {
    let keys = counted_keys(args, counted_at)?;
    let mut weights = vec![1.0; keys.len()];
    let mut aggregate = Aggregate::Sum;
    let mut with_scores = false;
    let mut at = keys.end;
    while at < args.len() {
        match () {
            () if takes_options && args.is(at, "weights") && args.len() - at > keys.len() => {
                for (weight, text) in weights.iter_mut().zip(args.from(at + 1)) {
                    const BAD: Reject = Reject::error("ERR weight value is not a float");
                    *weight = parse_f64(text, replayer.flavor()).ok_or(BAD)?;
                }
                at += 1 + keys.len();
            }
            () if takes_options && args.is(at, "aggregate") && at + 1 < args.len() => {
                aggregate = match () {
                    () if args.is(at + 1, "sum") => Aggregate::Sum,
                    () if args.is(at + 1, "min") => Aggregate::Min,
                    () if args.is(at + 1, "max") => Aggregate::Max,
                    () if args.is(at + 1, "count") => Aggregate::Count,
                    () => return Err(SYNTAX),
                };
                at += 2;
            }
            () if counted_at == 1 && args.is(at, "withscores") => {
                with_scores = true;
                at += 1;
            }
            () => return Err(SYNTAX),
        }
    }
    Ok(Recipe {
        keys,
        weights,
        aggregate,
        with_scores,
    })
}

fn inputs<'s, 'a>(
    replayer: &'s Replayer<'a>,
    args: Args<'_, 'a>,
    keys: Range<usize>,
) -> Result<Vec<Option<Input<'s, 'a>>>, Reject> {
    keys.map(|at| {
        let entry = replayer
            .store
            .db(replayer.db)
            .and_then(|db| db.get(args.get(at)));
        entry.map(|entry| Input::of(entry.value())).transpose()
    })
    .collect()
}

fn store<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    members: Vec<(Bytes<'a>, f64)>,
) -> Result<Reply<'a>, Reject> {
    // The result is built as a skip list, and packed at the end if it is small.
    let mut set: SortedSet<'a> = members.into_iter().collect();
    if replayer.flavor().small_zsets_lose_negative_zero() {
        set.forget_negative_zeros_if_small();
    }
    let len = set.len();
    replayer.store_result(args, 1, set);
    Ok(Reply::count(len))
}

/// A weighted score, which is no number for 0 times infinity.
fn weighted(aggregate: Aggregate, weight: f64, score: f64) -> f64 {
    match aggregate {
        Aggregate::Count => weight,
        _ => weight * score,
    }
}

/// No number counts as 0.
fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// The inputs in the order in which servers join them: by size, ties in no order that
/// matters except to the last bit of a sum, for which a stable sort is as good as theirs.
fn by_size<'s, 'a>(
    inputs: &[Option<Input<'s, 'a>>],
    weights: &[f64],
) -> Vec<(Option<Input<'s, 'a>>, f64)> {
    let mut order: Vec<_> = inputs
        .iter()
        .copied()
        .zip(weights.iter().copied())
        .collect();
    order.sort_by_key(|(input, _)| input.map_or(0, Input::len));
    order
}

/// Members with their scores, and whether the scores were asked for.
type Joined<'a> = (Vec<(Bytes<'a>, f64)>, bool);

/// What ZUNION finds whose number of keys stands at an argument.
pub(super) fn union<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    counted_at: usize,
) -> Result<Joined<'a>, Reject> {
    let recipe = recipe(replayer, args, counted_at, true)?;
    let inputs = inputs(replayer, args, recipe.keys.clone())?;
    let mut union: Map<'a, f64> = Map::new();
    for (input, weight) in by_size(&inputs, &recipe.weights) {
        for (member, score) in input.into_iter().flat_map(Input::iter) {
            let score = or_zero(weighted(recipe.aggregate, weight, score));
            match union.get_mut(member) {
                Some(so_far) => *so_far = recipe.aggregate.join(*so_far, score),
                None => {
                    union.insert(member.clone(), score);
                }
            }
        }
    }
    let members = union
        .iter()
        .map(|(member, score)| (member.clone(), *score))
        .collect();
    Ok((members, recipe.with_scores))
}

/// What ZINTER finds.
pub(super) fn intersection<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    counted_at: usize,
) -> Result<Joined<'a>, Reject> {
    let recipe = recipe(replayer, args, counted_at, true)?;
    let inputs = inputs(replayer, args, recipe.keys.clone())?;
    let order = by_size(&inputs, &recipe.weights);
    let mut members = Vec::new();
    if let Some(((Some(first), weight), others)) = order.split_first() {
        for (member, score) in first.iter() {
            let first = or_zero(weighted(recipe.aggregate, *weight, score));
            let joined = others.iter().try_fold(first, |so_far, (input, weight)| {
                let score = (*input)?.score(member)?;
                let score = weighted(recipe.aggregate, *weight, score);
                Some(recipe.aggregate.join(so_far, score))
            });
            members.extend(joined.map(|score| (member.clone(), score)));
        }
    }
    Ok((members, recipe.with_scores))
}

/// What ZDIFF finds.
pub(super) fn difference<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    counted_at: usize,
) -> Result<Joined<'a>, Reject> {
    let recipe = recipe(replayer, args, counted_at, false)?;
    let inputs = inputs(replayer, args, recipe.keys)?;
    let members = match inputs.split_first() {
        Some((Some(first), others)) => first
            .iter()
            .filter(|(member, _)| {
                let mut others = others.iter().flatten();
                !others.any(|other| other.score(member).is_some())
            })
            .map(|(member, score)| (member.clone(), score))
            .collect(),
        _ => Vec::new(),
    };
    Ok((members, recipe.with_scores))
}

/// `ZUNIONSTORE destination numkeys key .. [WEIGHTS w ..] [AGGREGATE SUM|MIN|MAX|COUNT]`
pub(super) fn zunionstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (members, _) = union(replayer, args, 2)?;
    store(replayer, args, members)
}

pub(super) fn zinterstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (members, _) = intersection(replayer, args, 2)?;
    store(replayer, args, members)
}

pub(super) fn zdiffstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (members, _) = difference(replayer, args, 2)?;
    store(replayer, args, members)
}

/// What the bounds of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// A range of a sorted set.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeQuery {
    by: By,
    reverse: bool,
    limit: Option<(i64, i64)>,
    /// Whether the answer has the scores, too.
    pub(super) with_scores: bool,
}

impl RangeQuery {
    fn new(by: By, reverse: bool) -> Self {
        RangeQuery {
            by,
            reverse,
            limit: None,
            with_scores: false,
        }
    }

    /// Reads the options of ZRANGE and ZRANGESTORE from an argument on; only the first has
    /// WITHSCORES.
    pub(super) fn parse(
        args: Args<'_, '_>,
        from: usize,
        takes_scores: bool,
    ) -> Result<Self, Reject> {
        let mut query = RangeQuery::new(By::Rank, false);
        let mut at = from;
        while at < args.len() {
            match () {
                () if args.is(at, "byscore") => query.by = By::Score,
                () if args.is(at, "bylex") => query.by = By::Lex,
                () if args.is(at, "rev") => query.reverse = true,
                () if takes_scores && args.is(at, "withscores") => query.with_scores = true,
                () if args.is(at, "limit") && at + 2 < args.len() => {
                    query.limit = Some((args.int(at + 1)?, args.int(at + 2)?));
                    at += 2;
                }
                () => return Err(SYNTAX),
            }
            at += 1;
        }
        if query.limit.is_some() && query.by == By::Rank {
            return Err(Reject::error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if query.with_scores && query.by == By::Lex {
            return Err(Reject::error(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        Ok(query)
    }

    /// Reads the options of a command whose name says what its bounds are.
    #[cfg(feature = "lua")]
    pub(super) fn parse_old(args: Args<'_, '_>, by: By, reverse: bool) -> Result<Self, Reject> {
        let mut query = RangeQuery::new(by, reverse);
        let mut at = 4;
        while at < args.len() {
            match () {
                () if by != By::Lex && args.is(at, "withscores") => query.with_scores = true,
                () if by != By::Rank && args.is(at, "limit") && at + 2 < args.len() => {
                    query.limit = Some((args.int(at + 1)?, args.int(at + 2)?));
                    at += 2;
                }
                () => return Err(SYNTAX),
            }
            at += 1;
        }
        Ok(query)
    }

    /// Finds the members; key and bounds stand at an argument and the next two.
    pub(super) fn run<'a>(
        &self,
        replayer: &mut Replayer<'a>,
        args: Args<'_, 'a>,
        key: usize,
    ) -> Result<Vec<(Bytes<'a>, f64)>, Reject> {
        let RangeQuery {
            by, reverse, limit, ..
        } = *self;
        // Reversed, the greater bound comes first.
        let (min, max) = if reverse && by != By::Rank {
            (key + 2, key + 1)
        } else {
            (key + 1, key + 2)
        };
        let flavor = replayer.flavor();
        let found = match by {
            By::Rank => {
                let (start, stop) = (args.int(min)?, args.int(max)?);
                with_set(replayer, args.get(key), |set| {
                    let ranks = rank_range(set.len(), start, stop);
                    let ranks = if reverse {
                        set.len() - ranks.end..set.len() - ranks.start
                    } else {
                        ranks
                    };
                    range(set, ranks)
                })?
            }
            By::Score => {
                let (min, max) = (args.get(min), args.get(max));
                let (min, max) = (score_bound(min, flavor)?, score_bound(max, flavor)?);
                with_set(replayer, args.get(key), |set| {
                    let ranks = set.score_range(min, max);
                    let ranks = limited(ranks, limit, reverse);
                    range(set, ranks)
                })?
            }
            By::Lex => {
                let (min, max) = (lex_bound(args.get(min))?, lex_bound(args.get(max))?);
                with_set(replayer, args.get(key), |set| {
                    let (offset, count) = limit.unwrap_or((0, -1));
                    let Ok(offset) = usize::try_from(offset) else {
                        return Ok(Vec::new());
                    };
                    let wanted = if reverse {
                        LexUse::Reverse(offset)
                    } else {
                        LexUse::Forward(offset)
                    };
                    let ranks = lex_ranks(set, min, max, wanted)?;
                    let ranks = limited(ranks, Some((0, count)), reverse);
                    Ok::<_, Reject>(range(set, ranks))
                })?
                .transpose()?
            }
        };
        let mut found = found.unwrap_or_default();
        if reverse {
            found.reverse();
        }
        Ok(found)
    }
}

/// `ZRANGESTORE destination source min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]`
pub(super) fn zrangestore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let flavor = replayer.flavor();
    let query = RangeQuery::parse(args, 5, false)?;
    let found = query.run(replayer, args, 2)?;
    let mut set = SortedSet::default();
    // Only of ranks the server knows beforehand how many there will be.
    if query.by == By::Rank && found.len() > 128 {
        set.unpack();
    }
    for (member, score) in found {
        insert(&mut set, member, score, flavor);
    }
    let len = set.len();
    replayer.store_result(args, 1, set);
    Ok(Reply::count(len))
}

fn range<'a>(set: &mut SortedSet<'a>, ranks: Range<usize>) -> Vec<(Bytes<'a>, f64)> {
    let found = set.range(ranks);
    found
        .into_iter()
        .map(|(member, score)| (member.clone(), score))
        .collect()
}

/// The part of a range that LIMIT leaves: skip from its beginning, or its end if reversed.
fn limited(ranks: Range<usize>, limit: Option<(i64, i64)>, reverse: bool) -> Range<usize> {
    let Some((offset, count)) = limit else {
        return ranks;
    };
    let Ok(offset) = usize::try_from(offset) else {
        return ranks.start..ranks.start;
    };
    let offset = offset.min(ranks.len());
    // A negative count takes all.
    let count = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(ranks.len() - offset);
    if reverse {
        ranks.end - offset - count..ranks.end - offset
    } else {
        ranks.start + offset..ranks.start + offset + count
    }
}
