//! Answers of read commands on lists, sets and hashes.

use super::super::reply::SYNTAX;
use super::super::{set, zset};
use super::{Args, Reject, Replayer, Reply, bulk, members};
use crate::store::{Field, Hash, List, Set, Str};

type Answer<'a> = Result<Reply<'a>, Reject>;

pub(super) fn llen<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let list = replayer.get::<List<'a>>(args.get(1))?;
    Ok(Reply::count(list.map_or(0, List::len)))
}

/// `LINDEX key index`
pub(super) fn lindex<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let Some(list) = replayer.get::<List<'a>>(args.get(1))? else {
        return Ok(Reply::Nil);
    };
    let place = list.place(args.int(2)?);
    let item = place.and_then(|place| list.get(place));
    Ok(item.map_or(Reply::Nil, |item| Reply::Bulk(item.clone())))
}

/// `LRANGE key start stop`
pub(super) fn lrange<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    let Some(list) = replayer.get::<List<'a>>(args.get(1))? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let range = zset::rank_range(list.len(), start, stop);
    let items = list.iter().skip(range.start).take(range.len());
    Ok(Reply::Array(items.cloned().map(Reply::Bulk).collect()))
}

/// `LPOS key element [RANK rank] [COUNT count] [MAXLEN len]`
pub(super) fn lpos<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let (mut rank, mut count, mut most) = (1, None, 0);
    for at in (3..args.len()).step_by(2) {
        let value = args.value_of(at)?;
        let not_negative = |what: &'static str| {
            let number = args.int(value).unwrap_or(-1);
            usize::try_from(number).map_err(|_| Reject::error(what))
        };
        match () {
            () if args.is(at, "rank") => {
                rank = args.int(value)?;
                if rank == 0 {
                    return Err(Reject::error(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from \
                         the second, ...",
                    ));
                }
            }
            () if args.is(at, "count") => {
                count = Some(not_negative("ERR COUNT can't be negative")?);
            }
            () if args.is(at, "maxlen") => most = not_negative("ERR MAXLEN can't be negative")?,
            () => return Err(SYNTAX),
        }
    }
    let Some(list) = replayer.get::<List<'a>>(args.get(1))? else {
        return Ok(count.map_or(Reply::Nil, |_| Reply::Array(Vec::new())));
    };
    let most = if most == 0 { usize::MAX } else { most };
    let wanted = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let skipped = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let mut buffer = itoa::Buffer::new();
    let mut is_match = |item: &Str<'a>| item.as_bytes(&mut buffer) == args.get(2);
    let places: Vec<usize> = if rank > 0 {
        let items = list.iter().enumerate().take(most);
        let found = items.filter(|(_, item)| is_match(item)).map(|(at, _)| at);
        found.skip(skipped).take(wanted).collect()
    } else {
        let items = list.iter().enumerate().rev().take(most);
        let found = items.filter(|(_, item)| is_match(item)).map(|(at, _)| at);
        found.skip(skipped).take(wanted).collect()
    };
    Ok(match count {
        None => places.first().map_or(Reply::Nil, |at| Reply::count(*at)),
        Some(_) => Reply::Array(places.into_iter().map(Reply::count).collect()),
    })
}

pub(super) fn scard<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let set = replayer.get::<Set<'a>>(args.get(1))?;
    Ok(Reply::count(set.map_or(0, Set::len)))
}

pub(super) fn sismember<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let set = replayer.get::<Set<'a>>(args.get(1))?;
    Ok(Reply::bool(
        set.is_some_and(|set| set.contains(args.get(2))),
    ))
}

pub(super) fn smismember<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let set = replayer.get::<Set<'a>>(args.get(1))?;
    let has = |member: &[u8]| Reply::bool(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(args.from(2).map(has).collect()))
}

pub(super) fn smembers<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let set = replayer.get::<Set<'a>>(args.get(1))?;
    Ok(members(set.into_iter().flat_map(Set::iter).cloned()))
}

pub(super) fn sinter<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    set::intersection(replayer, args, 1).map(members)
}

pub(super) fn sunion<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let union: Set<'a> = set::union(replayer, args, 1)?.into_iter().collect();
    Ok(members(union.iter().cloned()))
}

pub(super) fn sdiff<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    set::difference(replayer, args, 1).map(members)
}

fn value<'a>(field: Option<&Field<'a>>) -> Reply<'a> {
    field.map_or(Reply::Nil, |field| Reply::Bulk(field.value.clone()))
}

pub(super) fn hget<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    Ok(value(hash.and_then(|hash| hash.get(args.get(2)))))
}

pub(super) fn hmget<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    let values = args
        .from(2)
        .map(|field| value(hash.and_then(|hash| hash.get(field))));
    Ok(Reply::Array(values.collect()))
}

pub(super) fn hexists<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    Ok(Reply::bool(
        hash.is_some_and(|hash| hash.contains(args.get(2))),
    ))
}

pub(super) fn hlen<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    Ok(Reply::count(hash.map_or(0, Hash::len)))
}

pub(super) fn hstrlen<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    let field = hash.and_then(|hash| hash.get(args.get(2)));
    Ok(Reply::count(field.map_or(0, |field| field.value.len())))
}

pub(super) fn hkeys<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    let fields = hash.into_iter().flat_map(Hash::iter);
    Ok(members(fields.map(|(name, _)| name.clone())))
}

pub(super) fn hvals<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let hash = replayer.get::<Hash<'a>>(args.get(1))?;
    let fields = hash.into_iter().flat_map(Hash::iter);
    let values = fields.map(|(_, field)| Reply::Bulk(field.value.clone()));
    Ok(Reply::Array(values.collect()))
}

/// `HGETALL key`: nobody sorts it, so it is known only as long as the fields stand in the
/// order in which they came, in one packed blob.
pub(super) fn hgetall<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let Some(hash) = replayer.get::<Hash<'a>>(args.get(1))? else {
        return Ok(Reply::Array(Vec::new()));
    };
    if hash.len() > 1 && !hash.is_in_order() {
        return Err(Reject::unsupported(
            "HGETALL in a script of a hash whose order only the server knows",
        ));
    }
    let pairs = hash
        .iter()
        .flat_map(|(name, field)| [bulk(name.clone()), Reply::Bulk(field.value.clone())]);
    Ok(Reply::Array(pairs.collect()))
}
