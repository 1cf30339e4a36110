//! HyperLogLogs, which are strings: PFADD, PFMERGE, PFCOUNT, PFDEBUG.

use crate::store::hll::{self, BadHll};
use crate::store::{KeySlot, Str, Value};

use super::reply::WRONG_TYPE;
use super::{Args, Reject, Replayer, Reply};

const NOT_HLL: Reject = Reject::error("WRONGTYPE Key is not a valid HyperLogLog string value.");

impl From<BadHll> for Reject {
    fn from(_: BadHll) -> Self {
        NOT_HLL
    }
}

pub(super) fn pfadd<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    match replayer.entry(args.get(1)) {
        KeySlot::Occupied(mut place) => {
            let Value::String(text) = place.get_mut().value_mut() else {
                return Err(WRONG_TYPE);
            };
            let mut buffer = itoa::Buffer::new();
            hll::check(text.as_bytes(&mut buffer))?;
            let changed = hll::add(text.to_mut(), args.from(2))?;
            Ok(Reply::bool(changed))
        }
        KeySlot::Vacant(place) => {
            let mut bytes = hll::new();
            hll::created(&mut bytes);
            hll::add(&mut bytes, args.from(2))?;
            place.insert(args.bytes(1), Value::String(Str::from(bytes)).into());
            Ok(Reply::Int(1))
        }
    }
}

/// `PFMERGE destination [source ..]`
pub(super) fn pfmerge<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut sources = Vec::with_capacity(args.len());
    for key in args.from(2) {
        if let Some(text) = replayer.get::<Str<'a>>(key)? {
            let mut buffer = itoa::Buffer::new();
            // Copied, because the destination may be among them.
            let bytes = text.as_bytes(&mut buffer).to_vec();
            hll::check(&bytes)?;
            sources.push(bytes);
        }
    }
    let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
    let dense = replayer.flavor().merges_hll_dense();
    match replayer.entry(args.get(1)) {
        KeySlot::Occupied(mut place) => {
            let Value::String(text) = place.get_mut().value_mut() else {
                return Err(WRONG_TYPE);
            };
            if dense {
                hll::to_dense(text.to_mut())?;
            }
            hll::merge(text.to_mut(), &sources)?;
        }
        KeySlot::Vacant(place) => {
            let mut bytes = hll::new();
            if dense {
                hll::to_dense(&mut bytes)?;
            }
            hll::merge(&mut bytes, &sources)?;
            place.insert(args.bytes(1), Value::String(Str::from(bytes)).into());
        }
    }
    Ok(Reply::Ok)
}

/// A count of one key refreshes what the string remembers, which the digest sees.
pub(super) fn pfcount<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let estimator = match replayer.flavor().counts_hll_by_bias() {
        true => hll::Estimator::Bias,
        false => hll::Estimator::Ertl,
    };
    if args.len() == 2 {
        let count = replayer.update(args.get(1), |text: &mut Str<'a>| {
            let mut buffer = itoa::Buffer::new();
            hll::check(text.as_bytes(&mut buffer))?;
            Ok(hll::count(text.to_mut(), estimator)?.0)
        })?;
        let count = i64::try_from(count.unwrap_or(0)).unwrap_or(i64::MAX);
        return Ok(Reply::Int(count));
    }
    let mut union = hll::new();
    for key in args.from(1) {
        if let Some(text) = replayer.get::<Str<'a>>(key)? {
            let mut buffer = itoa::Buffer::new();
            hll::merge(&mut union, &[text.as_bytes(&mut buffer)])?;
        }
    }
    let (count, _) = hll::count(&mut union, estimator)?;
    Ok(Reply::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// `PFDEBUG GETREG|TODENSE|DECODE|ENCODING|SIMD key`; the first two make it dense.
pub(super) fn pfdebug<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    if !(args.is(1, "getreg") || args.is(1, "todense")) {
        return Ok(Reply::Unread);
    }
    let converted = replayer.update(args.get(2), |text: &mut Str<'a>| {
        let mut buffer = itoa::Buffer::new();
        hll::check(text.as_bytes(&mut buffer))?;
        Ok(hll::to_dense(text.to_mut())?)
    })?;
    match converted {
        Some(converted) => Ok(Reply::bool(converted)),
        None => Err(Reject::error("ERR The specified key does not exist")),
    }
}
