//! Answers of read commands on keys, strings and bits.

use super::super::bits;
use super::super::reply::SYNTAX;
use super::{Args, Reject, Replayer, Reply, bulk};
use crate::select::Glob;
use crate::store::{Str, Value};

type Answer<'a> = Result<Reply<'a>, Reject>;

pub(super) fn get<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let text = replayer.get::<Str<'a>>(args.get(1))?;
    Ok(text.map_or(Reply::Nil, |text| Reply::Bulk(text.clone())))
}

/// Keys of other types count as missing.
pub(super) fn mget<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let values = args.from(1).map(|key| match replayer.get::<Str<'a>>(key) {
        Ok(Some(text)) => Reply::Bulk(text.clone()),
        _ => Reply::Nil,
    });
    Ok(Reply::Array(values.collect()))
}

pub(super) fn strlen<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let text = replayer.get::<Str<'a>>(args.get(1))?;
    Ok(Reply::count(text.map_or(0, Str::len)))
}

/// Looks at the bytes of a string; those of a missing key are none.
fn with_bytes<'a, R>(
    replayer: &Replayer<'a>,
    key: &[u8],
    look: impl FnOnce(&[u8]) -> R,
) -> Result<R, Reject> {
    let text = replayer.get::<Str<'a>>(key)?;
    let mut buffer = itoa::Buffer::new();
    Ok(look(text.map_or(&[], |text| text.as_bytes(&mut buffer))))
}

/// The bytes from `start` to `end`, both included and negative from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> std::ops::Range<usize> {
    let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_end = |n: i64| if n < 0 { len.saturating_add(n) } else { n };
    let start = from_end(start).max(0);
    let end = from_end(end).max(0).min(len - 1);
    if start > end || len == 0 {
        return 0..0;
    }
    start as usize..end as usize + 1
}

/// `GETRANGE key start end`
pub(super) fn getrange<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let (start, end) = (args.int(2)?, args.int(3)?);
    with_bytes(replayer, args.get(1), |bytes| {
        let range = slice(bytes, start, end);
        bulk(bytes.get(range).unwrap_or_default().to_vec())
    })
}

/// `GETBIT key offset`
pub(super) fn getbit<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let offset = bits::string_bit_offset(args.get(2))?;
    with_bytes(replayer, args.get(1), |bytes| {
        Reply::bool(bits::read_bits(bytes, offset, 1) == 1)
    })
}

/// `BITCOUNT key [start end]`
pub(super) fn bitcount<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    // The type comes first, then the number of arguments.
    let is_there = replayer.get::<Str<'a>>(args.get(1))?.is_some();
    if !is_there {
        return Ok(Reply::Int(0));
    }
    let (start, end) = match args.len() {
        2 => (0, -1),
        4 => (args.int(2)?, args.int(3)?),
        _ => return Err(SYNTAX),
    };
    with_bytes(replayer, args.get(1), |bytes| {
        let range = slice(bytes, start, end);
        let bytes = bytes.get(range).unwrap_or_default();
        Reply::count(bytes.iter().map(|byte| byte.count_ones() as usize).sum())
    })
}

/// `BITPOS key bit [start [end]]`: behind a string without an end all bits are 0.
pub(super) fn bitpos<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let bit = args.int(2)?;
    if bit != 0 && bit != 1 {
        return Err(Reject::error("ERR The bit argument must be 1 or 0."));
    }
    if replayer.get::<Str<'a>>(args.get(1))?.is_none() {
        return Ok(Reply::Int(if bit == 1 { -1 } else { 0 }));
    }
    let (start, end) = match args.len() {
        3 => (0, -1),
        4 => (args.int(3)?, -1),
        5 => (args.int(3)?, args.int(4)?),
        _ => return Err(SYNTAX),
    };
    let has_end = args.len() == 5;
    with_bytes(replayer, args.get(1), |bytes| {
        // Other than GETRANGE's, bounds that cross are not looked at first.
        let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let from_end = |n: i64| if n < 0 { len.saturating_add(n) } else { n };
        let start = from_end(start).max(0);
        let end = from_end(end).max(0).min(len - 1);
        if start > end {
            return Reply::Int(-1);
        }
        let (start, end) = (start as usize, end as usize + 1);
        let part = bytes.get(start..end).unwrap_or_default();
        let skipped = if bit == 1 { 0x00 } else { 0xff };
        match part.iter().position(|byte| *byte != skipped) {
            Some(at) => {
                let byte = part.get(at).copied().unwrap_or_default() ^ skipped;
                Reply::count((start + at) * 8 + byte.leading_zeros() as usize)
            }
            None if bit == 0 && !has_end => Reply::count(end * 8),
            None => Reply::Int(-1),
        }
    })
}

/// `BITFIELD_RO key GET type offset ..`
pub(super) fn bitfield_ro<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    const ONLY_GET: Reject = Reject::error("ERR BITFIELD_RO only supports the GET subcommand");
    if (2..args.len()).step_by(3).any(|at| !args.is(at, "get")) {
        return Err(ONLY_GET);
    }
    bits::bitfield(replayer, args)
}

/// `EXISTS key ..`, and TOUCH, which counts the same.
pub(super) fn exists<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let db = replayer.db();
    Ok(Reply::count(
        args.from(1).filter(|key| db.contains(key)).count(),
    ))
}

/// `TYPE key`
pub(super) fn type_of<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let value = replayer.db().get(args.get(1)).map(|entry| entry.value());
    let name = value.map_or("none", Value::type_name);
    Ok(Reply::Status(name.into()))
}

pub(super) fn dbsize<'a>(replayer: &mut Replayer<'a>, _: Args<'_, 'a>) -> Answer<'a> {
    Ok(Reply::count(replayer.db().len()))
}

/// `KEYS pattern`
pub(super) fn keys<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let glob = Glob::new(args.get(1));
    let keys = replayer.db().iter().filter(|(key, _)| glob.matches(key));
    Ok(super::members(keys.map(|(key, _)| key.clone())))
}

/// What is left of a key's time; depends on the time of the replay, which is counted.
fn remaining<'a>(replayer: &mut Replayer<'a>, key: &[u8], unit_ms: i64) -> Answer<'a> {
    let deadline = match replayer.db().get(key) {
        None => return Ok(Reply::Int(-2)),
        Some(entry) => match entry.expire_at_ms() {
            None => return Ok(Reply::Int(-1)),
            Some(deadline) => deadline,
        },
    };
    let left = deadline.saturating_sub(replayer.now_ms()).max(0);
    Ok(Reply::Int(left.saturating_add(unit_ms / 2) / unit_ms))
}

pub(super) fn ttl<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    remaining(replayer, args.get(1), 1000)
}

pub(super) fn pttl<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    remaining(replayer, args.get(1), 1)
}

pub(super) fn echo<'a>(_: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    Ok(Reply::Bulk(args.str(1)))
}

/// `PING [message]`
pub(super) fn ping<'a>(_: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    match args.len() {
        1 => Ok(Reply::Status(b"PONG".to_vec())),
        2 => Ok(Reply::Bulk(args.str(1))),
        _ => Err(Reject::error(
            "ERR wrong number of arguments for 'ping' command",
        )),
    }
}

/// `PUBLISH channel message`: a server that loads a log has nobody to hear it.
pub(super) fn publish<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Answer<'a> {
    Ok(Reply::Int(0))
}
