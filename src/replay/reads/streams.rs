//! Answers of read commands on streams.

use super::super::reply::SYNTAX;
use super::super::{stream_claim, stream_id};
use super::{Args, Reject, Replayer, Reply, bulk};
use crate::store::stream::Fields;
use crate::store::{Stream, StreamId};

type Answer<'a> = Result<Reply<'a>, Reject>;

pub(super) fn xlen<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    let stream = replayer.get::<Stream<'a>>(args.get(1))?;
    Ok(Reply::count(stream.map_or(0, Stream::len)))
}

fn entry<'a>((id, fields): (&StreamId, &Fields<'a>)) -> Reply<'a> {
    stream_claim::answer(*id, Some(fields), false)
}

fn range<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    (start, end): (usize, usize),
    reverse: bool,
) -> Answer<'a> {
    const EXCLUDED: Reject = Reject::error("ERR invalid start ID for the interval");
    const EXCLUDED_END: Reject = Reject::error("ERR invalid end ID for the interval");
    let (mut start, excludes_start) = stream_id::parse_bound(args.get(start), 0)?;
    if excludes_start {
        start = start.next().ok_or(EXCLUDED)?;
    }
    let (mut end, excludes_end) = stream_id::parse_bound(args.get(end), u64::MAX)?;
    if excludes_end {
        end = end.previous().ok_or(EXCLUDED_END)?;
    }
    let mut count = None;
    for at in (4..args.len()).step_by(2) {
        if !args.is(at, "count") {
            return Err(SYNTAX);
        }
        let number = args.int(args.value_of(at)?)?;
        count = Some(usize::try_from(number).unwrap_or(0));
    }
    let Some(stream) = replayer.get::<Stream<'a>>(args.get(1))? else {
        return Ok(Reply::Array(Vec::new()));
    };
    if count == Some(0) {
        return Ok(Reply::Nil);
    }
    if start > end {
        return Ok(Reply::Array(Vec::new()));
    }
    let count = count.unwrap_or(usize::MAX);
    let entries = stream.entries.range(start..=end);
    Ok(Reply::Array(if reverse {
        entries.rev().take(count).map(entry).collect()
    } else {
        entries.take(count).map(entry).collect()
    }))
}

/// `XRANGE key start end [COUNT n]`
pub(super) fn xrange<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, (2, 3), false)
}

/// `XREVRANGE key end start [COUNT n]`
pub(super) fn xrevrange<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    range(replayer, args, (3, 2), true)
}

/// `XREAD [COUNT n] [BLOCK ms] STREAMS key .. id ..`
pub(super) fn xread<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>) -> Answer<'a> {
    const UNBALANCED: Reject = Reject::error(
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
    );
    let mut count = usize::MAX;
    let mut at = 1;
    while !args.is(at, "streams") {
        let number = args.int(args.value_of(at)?)?;
        match () {
            () if args.is(at, "count") && number > 0 => {
                count = usize::try_from(number).unwrap_or(usize::MAX);
            }
            () if args.is(at, "count") => {}
            () if args.is(at, "block") => {
                return Err(Reject::error(
                    "ERR xread command is not allowed with BLOCK option from scripts",
                ));
            }
            () => return Err(SYNTAX),
        }
        at += 2;
    }
    let keys = at + 1;
    let words = args.len() - keys;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(UNBALANCED);
    }
    let mut found = Vec::new();
    for key in keys..keys + words / 2 {
        let id = args.get(key + words / 2);
        let stream = replayer.get::<Stream<'a>>(args.get(key))?;
        let after = match (id, stream) {
            (b"$", Some(stream)) => stream.last_id,
            (b"$", None) => StreamId::MIN,
            (id, _) => stream_id::parse(id, 0)?,
        };
        let (Some(stream), Some(first)) = (stream, after.next()) else {
            continue;
        };
        let entries = stream.entries.range(first..).take(count);
        let entries: Vec<_> = entries.map(entry).collect();
        if !entries.is_empty() {
            let name = bulk(args.bytes(key));
            found.push(Reply::Array(vec![name, Reply::Array(entries)]));
        }
    }
    Ok(match found.is_empty() {
        true => Reply::Nil,
        false => Reply::Array(found),
    })
}
