//! Sets, and the sets that others make.

use crate::store::{Bytes, Set, Str};

use super::list::count_arg;
use super::{Args, Reject, Replayer, Reply};

pub(super) fn sadd<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let added = replayer.upsert(args, 1, |set: &mut Set<'a>| {
        Ok((2..args.len())
            .filter(|at| set.insert(args.bytes(*at)))
            .count())
    })?;
    Ok(Reply::count(added))
}

pub(super) fn srem<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let removed = replayer.update(args.get(1), |set: &mut Set<'a>| {
        Ok(args
            .from(2)
            .filter(|member| set.remove(member).is_some())
            .count())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

/// `SMOVE source destination member`
pub(super) fn smove<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let Some(source) = replayer.get::<Set<'a>>(args.get(1))? else {
        return Ok(Reply::Int(0));
    };
    let there = source.contains(args.get(3));
    replayer.get::<Set<'a>>(args.get(2))?;
    if !there || args.get(1) == args.get(2) {
        return Ok(Reply::bool(there));
    }
    replayer.update(args.get(1), |set: &mut Set<'a>| Ok(set.remove(args.get(3))))?;
    replayer.upsert(args, 2, |set: &mut Set<'a>| Ok(set.insert(args.bytes(3))))?;
    Ok(Reply::Int(1))
}

/// `SPOP key [count]`: chance decides, so servers log what it did; only a count that
/// takes all members has one outcome.
pub(super) fn spop<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let count = match args.len() {
        2 => None,
        3 => Some(count_arg(args, 2)?),
        _ => return Err(Reject::WrongArity),
    };
    let none = count.map_or(Reply::Nil, |_| Reply::Array(Vec::new()));
    let Some(set) = replayer.get::<Set<'a>>(args.get(1))? else {
        return Ok(none);
    };
    if count == Some(0) {
        return Ok(none);
    }
    if count.unwrap_or(1) < set.len() {
        return Err(Reject::unsupported(
            "SPOP that leaves members: chance chose which",
        ));
    }
    let members = set
        .iter()
        .cloned()
        .map(|member| Reply::Bulk(Str::from(member)));
    let mut members: Vec<_> = members.collect();
    replayer.db().remove(args.get(1));
    Ok(match count {
        None => members.pop().unwrap_or(Reply::Nil),
        Some(_) => Reply::Array(members),
    })
}

/// The sets of the keys from an argument on.
fn sets<'s, 'a>(
    replayer: &'s Replayer<'a>,
    args: Args<'_, 'a>,
    from: usize,
) -> Result<Vec<Option<&'s Set<'a>>>, Reject> {
    args.from(from)
        .map(|key| replayer.get::<Set<'a>>(key))
        .collect()
}

fn store<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    members: Vec<Bytes<'a>>,
) -> Result<Reply<'a>, Reject> {
    let set: Set<'a> = members.into_iter().collect();
    let len = set.len();
    replayer.store_result(args, 1, set);
    Ok(Reply::count(len))
}

/// The members that all sets of the keys from an argument on have.
pub(super) fn intersection<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    from: usize,
) -> Result<Vec<Bytes<'a>>, Reject> {
    let all: Option<Vec<&Set<'a>>> = match replayer.flavor().intersects_until_missing() {
        // Nothing behind a missing key is looked at, its type included.
        true => args
            .from(from)
            .map(|key| replayer.get::<Set<'a>>(key).transpose())
            .collect::<Option<Result<_, _>>>()
            .transpose()?,
        false => sets(replayer, args, from)?.into_iter().collect(),
    };
    let smallest = all.iter().flatten().min_by_key(|set| set.len());
    let in_all = |member: &&Bytes<'a>| all.iter().flatten().all(|set| set.contains(member));
    Ok(smallest
        .into_iter()
        .flat_map(|set| set.iter())
        .filter(in_all)
        .cloned()
        .collect())
}

/// The members that any of them has, some more than once.
pub(super) fn union<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    from: usize,
) -> Result<Vec<Bytes<'a>>, Reject> {
    let sets = sets(replayer, args, from)?;
    Ok(sets
        .into_iter()
        .flatten()
        .flat_map(|set| set.iter())
        .cloned()
        .collect())
}

/// The members of the first that no other has.
pub(super) fn difference<'a>(
    replayer: &Replayer<'a>,
    args: Args<'_, 'a>,
    from: usize,
) -> Result<Vec<Bytes<'a>>, Reject> {
    let sets = sets(replayer, args, from)?;
    Ok(match sets.split_first() {
        Some((Some(first), others)) => first
            .iter()
            .filter(|member| !others.iter().flatten().any(|set| set.contains(member)))
            .cloned()
            .collect(),
        _ => Vec::new(),
    })
}

pub(super) fn sinterstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let members = intersection(replayer, args, 2)?;
    store(replayer, args, members)
}

pub(super) fn sunionstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let members = union(replayer, args, 2)?;
    store(replayer, args, members)
}

pub(super) fn sdiffstore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let members = difference(replayer, args, 2)?;
    store(replayer, args, members)
}
