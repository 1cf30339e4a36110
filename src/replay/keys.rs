//! Commands on keys of any type. No deadline is ever acted on, also not a past one.

use crate::rdb::{ChecksumMode, DumpPayload, Scratch};
use crate::store::{Bytes, Entry, KeySlot};

use super::reply::{INVALID_EXPIRE, NO_SUCH_KEY, NOT_INTEGER, SYNTAX};
use super::server::db_arg;
use super::{Args, Reject, Replayer, Reply};
use crate::store::load::{self, Keeper};

pub(super) fn del<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let removed = args.from(1).filter(|key| match replayer.entry(key) {
        KeySlot::Occupied(place) => place.remove().is_some(),
        KeySlot::Vacant(_) => false,
    });
    Ok(Reply::count(removed.count()))
}

pub(super) fn unlink<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    del(replayer, args)
}

fn rename_key<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    replace: bool,
) -> Result<bool, Reject> {
    let db = replayer.db();
    if !db.contains(args.get(1)) {
        return Err(NO_SUCH_KEY);
    }
    if args.get(1) == args.get(2) {
        return Ok(replace);
    }
    if !replace && db.contains(args.get(2)) {
        return Ok(false);
    }
    if let Some((_, entry)) = db.remove(args.get(1)) {
        db.insert(args.bytes(2), entry);
    }
    Ok(true)
}

pub(super) fn rename<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    rename_key(replayer, args, true).map(|_| Reply::Ok)
}

pub(super) fn renamenx<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    rename_key(replayer, args, false).map(Reply::bool)
}

const SAME_OBJECT: Reject = Reject::error("ERR source and destination objects are the same");

/// `COPY source destination [DB n] [REPLACE]`
pub(super) fn copy<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (mut to_db, mut replace) = (replayer.db, false);
    let mut at = 3;
    while at < args.len() {
        match () {
            () if args.is(at, "replace") => replace = true,
            () if args.is(at, "db") => {
                at = args.value_of(at)?;
                to_db = db_arg(replayer, args.get(at))?;
            }
            () => return Err(SYNTAX),
        }
        at += 1;
    }
    if to_db == replayer.db && args.get(1) == args.get(2) {
        return Err(SAME_OBJECT);
    }
    let Some(entry) = replayer.db().get(args.get(1)) else {
        return Ok(Reply::Int(0));
    };
    let entry = entry.clone();
    match replayer.store.db_mut(to_db).entry(args.get(2)) {
        KeySlot::Occupied(_) if !replace => return Ok(Reply::Int(0)),
        KeySlot::Occupied(mut place) => *place.get_mut() = entry,
        KeySlot::Vacant(place) => {
            place.insert(args.bytes(2), entry);
        }
    }
    Ok(Reply::Int(1))
}

/// `MOVE key db`
pub(super) fn move_key<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let to_db = db_arg(replayer, args.get(2))?;
    if to_db == replayer.db {
        return Err(SAME_OBJECT);
    }
    let there = replayer
        .store
        .db(to_db)
        .is_some_and(|db| db.contains(args.get(1)));
    if there {
        return Ok(Reply::Int(0));
    }
    let forgets_deadline = replayer.flavor().moves_without_deadline();
    match replayer.db().remove(args.get(1)) {
        Some((key, mut entry)) => {
            if forgets_deadline {
                entry.set_expire_at_ms(None);
            }
            replayer.store.db_mut(to_db).insert(key, entry);
            Ok(Reply::Int(1))
        }
        None => Ok(Reply::Int(0)),
    }
}

pub(super) fn persist<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let had = match replayer.entry_mut(args.get(1)) {
        Some(entry) => {
            let had = entry.expire_at_ms().is_some();
            entry.set_expire_at_ms(None);
            had
        }
        None => false,
    };
    Ok(Reply::bool(had))
}

/// Conditions of the EXPIRE family (7.0); without a deadline a key counts as living forever.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    none: bool,
    some: bool,
    later: bool,
    earlier: bool,
}

fn conditions(args: Args<'_, '_>) -> Result<Conditions, Reject> {
    let mut conditions = Conditions::default();
    for at in 3..args.len() {
        match () {
            () if args.is(at, "nx") => conditions.none = true,
            () if args.is(at, "xx") => conditions.some = true,
            () if args.is(at, "gt") => conditions.later = true,
            () if args.is(at, "lt") => conditions.earlier = true,
            () => return Err(Reject::error("ERR Unsupported option")),
        }
    }
    let Conditions {
        none,
        some,
        later,
        earlier,
    } = conditions;
    if none && (some || later || earlier) {
        return Err(Reject::error(
            "ERR NX and XX, GT or LT options at the same time are not compatible",
        ));
    }
    if later && earlier {
        return Err(Reject::error(
            "ERR GT and LT options at the same time are not compatible",
        ));
    }
    Ok(conditions)
}

impl Conditions {
    fn hold(self, old: Option<i64>, new: i64) -> bool {
        match old {
            None => !self.some && !self.later,
            Some(_) if self.none => false,
            Some(old) if self.later => new > old,
            Some(old) if self.earlier => new < old,
            Some(_) => true,
        }
    }
}

/// `EXPIRE key time [NX|XX|GT|LT]`; a past deadline is kept as it is.
fn expire_key<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    seconds: bool,
    relative: bool,
) -> Result<Reply<'a>, Reject> {
    let conditions = conditions(args)?;
    let mut ms = args.int(2)?;
    if seconds {
        ms = ms.checked_mul(1000).ok_or(INVALID_EXPIRE)?;
    }
    if relative {
        ms = ms.checked_add(replayer.now_ms()).ok_or(INVALID_EXPIRE)?;
    }
    let Some(entry) = replayer.entry_mut(args.get(1)) else {
        return Ok(Reply::Int(0));
    };
    let holds = conditions.hold(entry.expire_at_ms(), ms);
    if holds {
        entry.set_expire_at_ms(Some(ms));
    }
    Ok(Reply::bool(holds))
}

pub(super) fn expire<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire_key(replayer, args, true, true)
}

pub(super) fn pexpire<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire_key(replayer, args, false, true)
}

pub(super) fn expireat<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire_key(replayer, args, true, false)
}

pub(super) fn pexpireat<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire_key(replayer, args, false, false)
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]`
pub(super) fn restore<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (mut replace, mut absolute) = (false, false);
    let mut at = 4;
    while at < args.len() {
        match () {
            () if args.is(at, "replace") => replace = true,
            () if args.is(at, "absttl") => absolute = true,
            () if args.is(at, "idletime") || args.is(at, "freq") => {
                at = args.value_of(at)?;
                if args.int(at)? < 0 {
                    return Err(SYNTAX);
                }
            }
            () => return Err(SYNTAX),
        }
        at += 1;
    }
    if !replace && replayer.db().contains(args.get(1)) {
        return Err(Reject::error("BUSYKEY Target key name already exists."));
    }
    let ttl = crate::num::parse_i64(args.get(2)).ok_or(NOT_INTEGER)?;
    let expire_at_ms = match ttl {
        ..0 => return Err(Reject::error("ERR Invalid TTL value, must be >= 0")),
        0 => None,
        ttl if absolute => Some(ttl),
        ttl => Some(ttl.saturating_add(replayer.now_ms())),
    };
    let payload = DumpPayload::parse(args.get(3), ChecksumMode::Require).map_err(bad_payload)?;
    if payload.key_meta().is_some() {
        return Err(Reject::unsupported(
            "RESTORE of a key with metadata of a module",
        ));
    }
    // What stands raw in the log stays there.
    let keeper = Keeper::new(args.in_log(3).unwrap_or_default());
    let value = load::value(
        payload.record().value(),
        keeper,
        replayer.flavor(),
        &mut Scratch::new(),
        &mut load::Room::default(),
    )
    .map_err(bad_payload)?;
    if value.is_empty() {
        return Err(Reject::error("ERR Bad data format"));
    }
    let key: Bytes<'a> = args.bytes(1);
    replayer
        .db()
        .insert(key, Entry::with_expiry(value, expire_at_ms));
    Ok(Reply::Ok)
}

/// Servers refuse a damaged payload; what this program cannot read it must not skip.
fn bad_payload(error: crate::error::Error) -> Reject {
    match error.fault() {
        crate::error::Fault::Input => {
            Reject::Error(format!("ERR DUMP payload version or checksum are wrong: {error}").into())
        }
        _ => Reject::Unsupported(format!("RESTORE payload: {error}").into()),
    }
}
