//! Databases, cluster slots, and what is no data command.

use crate::model::slot::{SLOTS, key_slot};
use crate::num::parse_i64;

use super::reply::{NOT_INTEGER, SYNTAX};
use super::{Args, Reject, Replayer, Reply};

/// The number of a database.
pub(super) fn db_arg(replayer: &Replayer<'_>, text: &[u8]) -> Result<u32, Reject> {
    let number = parse_i64(text).ok_or(NOT_INTEGER)?;
    u32::try_from(number)
        .ok()
        .filter(|number| *number < replayer.options.databases)
        .ok_or(Reject::error("ERR DB index is out of range"))
}

/// A database that is not there stays selected out: what follows lands in the old one,
/// as on a server.
pub(super) fn select<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    replayer.db = db_arg(replayer, args.get(1))?;
    Ok(Reply::Ok)
}

pub(super) fn swapdb<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let a = db_arg(replayer, args.get(1))?;
    let b = db_arg(replayer, args.get(2))?;
    replayer.store.swap_dbs(a, b);
    Ok(Reply::Ok)
}

/// FLUSHDB and FLUSHALL take ASYNC or SYNC.
fn flush_mode(args: Args<'_, '_>) -> Result<(), Reject> {
    match args.len() {
        1 => Ok(()),
        2 if args.is(1, "async") || args.is(1, "sync") => Ok(()),
        _ => Err(SYNTAX),
    }
}

pub(super) fn flushdb<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    flush_mode(args)?;
    replayer.store.flush_db(replayer.db);
    Ok(Reply::Ok)
}

pub(super) fn flushall<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    flush_mode(args)?;
    replayer.store.flush_all();
    Ok(Reply::Ok)
}

fn slot_arg(text: &[u8]) -> Result<u16, Reject> {
    parse_i64(text)
        .and_then(|slot| u16::try_from(slot).ok())
        .filter(|slot| *slot < SLOTS)
        .ok_or(Reject::error("ERR Invalid or out of range slot"))
}

/// Removes the keys of some slots, in every database.
fn remove_slots(replayer: &mut Replayer<'_>, doomed: impl Fn(u16) -> bool) {
    for (_, db) in replayer.store.dbs_mut() {
        db.remove_all_where(|key, _| doomed(key_slot(key)));
    }
}

/// `TRIMSLOTS RANGES n first last ..` (Redis 8.4): the keys of these slots are gone.
pub(super) fn trimslots<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    if !args.is(1, "ranges") {
        return Err(SYNTAX);
    }
    let count = usize::try_from(args.int(2)?).ok();
    if count.and_then(|n| n.checked_mul(2)) != Some(args.len() - 3) {
        return Err(SYNTAX);
    }
    let mut ranges = Vec::with_capacity(args.len() / 2);
    for at in (3..args.len()).step_by(2) {
        let (first, last) = (slot_arg(args.get(at))?, slot_arg(args.get(at + 1))?);
        ranges.push(first..=last);
    }
    remove_slots(replayer, |slot| {
        ranges.iter().any(|range| range.contains(&slot))
    });
    Ok(Reply::Ok)
}

/// `CLUSTER FLUSHSLOT slot [ASYNC|SYNC]` (Valkey 9)
pub(super) fn cluster_flushslot<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let doomed = slot_arg(args.get(2))?;
    match args.len() {
        3 => {}
        4 if args.is(3, "async") || args.is(3, "sync") => {}
        _ => return Err(SYNTAX),
    }
    remove_slots(replayer, |slot| slot == doomed);
    Ok(Reply::Ok)
}

/// Servers log what MIGRATE removed as DEL.
pub(super) fn migrate<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported(
        "MIGRATE; servers log its effect as DEL",
    ))
}

/// No server logs these, and to run them would be to guess.
pub(super) fn administrative<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported(
        "a command that runs the server and that no server logs",
    ))
}

/// MULTI, EXEC and DISCARD come here only out of place.
pub(super) fn transaction<'a>(
    _: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    match () {
        () if args.is(0, "multi") => Err(Reject::error("ERR MULTI calls can not be nested")),
        () if args.is(0, "exec") => Err(Reject::error("ERR EXEC without MULTI")),
        () => Err(Reject::error("ERR DISCARD without MULTI")),
    }
}
