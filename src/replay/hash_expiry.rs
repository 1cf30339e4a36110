//! Deadlines of hash fields (Redis 7.4, Valkey 9.0): HEXPIRE and its family, HSETEX,
//! HGETEX, HGETDEL.
//!
//! A deadline that has passed is kept like any other; on a running server it would
//! have removed the field, and the log would say HDEL.

use super::reply::{INVALID_EXPIRE, NOT_INTEGER, SYNTAX};
use super::{Args, Reject, Replayer, Reply};
use crate::num::Product;
use crate::store::{Bytes, Hash, Str};

const BAD_NUMBER: Reject = Reject::error("ERR number of fields must be a positive integer");
const WRONG_NUMBER: Reject =
    Reject::error("ERR the numfields parameter must match the number of arguments");
/// The latest deadline that Redis keeps for a field; Valkey keeps any.
const REDIS_LIMIT_MS: i64 = (1 << 46) - 1;
const NO_FIELDS: Reject =
    Reject::error("ERR mandatory argument FIELDS is missing or not at the right position");

/// What a time in a command is relative to, and its unit.
#[derive(Clone, Copy)]
enum Clock {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Clock {
    /// The option's word, as SET spells it.
    fn of_option(args: Args<'_, '_>, at: usize) -> Option<Self> {
        [
            ("EX", Clock::Seconds),
            ("PX", Clock::Milliseconds),
            ("EXAT", Clock::UnixSeconds),
            ("PXAT", Clock::UnixMilliseconds),
        ]
        .into_iter()
        .find_map(|(word, clock)| args.is(at, word).then_some(clock))
    }

    /// The deadline in milliseconds since 1970. One of 0 Redis drops if the hash is
    /// packed, and keeps, which is to say that the field goes, if it is a table.
    fn deadline(self, replayer: &mut Replayer<'_>, time: i64) -> Result<i64, Reject> {
        if time < 0 {
            return Err(INVALID_EXPIRE);
        }
        let in_ms = match self {
            Clock::Seconds | Clock::UnixSeconds => time.checked_mul(1000),
            Clock::Milliseconds | Clock::UnixMilliseconds => Some(time),
        };
        let since = match self {
            Clock::Seconds | Clock::Milliseconds => replayer.now_ms(),
            Clock::UnixSeconds | Clock::UnixMilliseconds => 0,
        };
        let limit_ms = match replayer.flavor().product {
            Product::Redis => REDIS_LIMIT_MS,
            Product::Valkey => i64::MAX,
        };
        let at_ms = in_ms
            .and_then(|time| time.checked_add(since))
            .filter(|at_ms| *at_ms <= limit_ms)
            .ok_or(INVALID_EXPIRE)?;
        if at_ms == 0 && replayer.flavor().product == Product::Redis {
            return Err(Reject::unsupported(
                "a field deadline of 0, which depends on how the server holds the hash; servers log HDEL",
            ));
        }
        Ok(at_ms)
    }
}

/// `FIELDS n`, `n` times `width` arguments: where the first of them is, and `n`.
fn fields(args: Args<'_, '_>, at: usize, width: usize) -> Result<(usize, usize), Reject> {
    if !args.is(at, "FIELDS") {
        return Err(NO_FIELDS);
    }
    let number = args.int(at + 1).ok().filter(|number| *number > 0);
    let number = usize::try_from(number.ok_or(BAD_NUMBER)?).map_err(|_| BAD_NUMBER)?;
    let first = at + 2;
    let there = args.len().saturating_sub(first) / width;
    if number > there {
        return Err(WRONG_NUMBER);
    }
    Ok((first, number))
}

/// The same where nothing may follow.
fn last_fields(args: Args<'_, '_>, at: usize, width: usize) -> Result<(usize, usize), Reject> {
    let (first, number) = fields(args, at, width)?;
    if first + number * width == args.len() {
        Ok((first, number))
    } else {
        Err(WRONG_NUMBER)
    }
}

/// Which fields get a new deadline.
#[derive(Clone, Copy)]
enum Condition {
    Always,
    /// Those without a deadline.
    Nx,
    /// Those with one.
    Xx,
    /// Those whose deadline is before the new one; none is infinitely late.
    Gt,
    /// Those whose deadline is after the new one, or that have none.
    Lt,
}

impl Condition {
    fn of_option(args: Args<'_, '_>, at: usize) -> Option<Self> {
        [
            ("NX", Condition::Nx),
            ("XX", Condition::Xx),
            ("GT", Condition::Gt),
            ("LT", Condition::Lt),
        ]
        .into_iter()
        .find_map(|(word, condition)| args.is(at, word).then_some(condition))
    }

    fn holds(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::Nx => old.is_none(),
            Condition::Xx => old.is_some(),
            Condition::Gt => old.is_some_and(|old| old < new),
            Condition::Lt => old.is_none_or(|old| old > new),
        }
    }
}

/// An answer per field, -2 for each if there is no key.
fn per_field<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    (first, number): (usize, usize),
    mut one: impl FnMut(&mut Hash<'a>, usize) -> Reply<'a>,
    missing: Reply<'a>,
) -> Result<Reply<'a>, Reject> {
    let fields = first..first + number;
    let answers = replayer.update(args.get(1), |hash: &mut Hash<'a>| {
        Ok(fields.clone().map(|at| one(hash, at)).collect())
    })?;
    Ok(Reply::Array(answers.unwrap_or_else(|| {
        fields.map(|_| missing.clone()).collect()
    })))
}

/// `HEXPIRE key time [NX | XX | GT | LT] FIELDS n field ..` and its three siblings.
fn expire<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    clock: Clock,
) -> Result<Reply<'a>, Reject> {
    let deadline = clock.deadline(replayer, args.int(2)?)?;
    let condition = Condition::of_option(args, 3);
    let fields_at = if condition.is_some() { 4 } else { 3 };
    let fields = last_fields(args, fields_at, 1)?;
    let condition = condition.unwrap_or(Condition::Always);
    let one = |hash: &mut Hash<'a>, at| {
        let name = args.get(at);
        let Some(old) = hash.get(name).map(|field| field.expire_at_ms()) else {
            return Reply::Int(-2);
        };
        let holds = condition.holds(old, deadline);
        if holds {
            hash.set_expire_at_ms(name, Some(deadline));
        }
        Reply::bool(holds)
    };
    per_field(replayer, args, fields, one, Reply::Int(-2))
}

/// `HEXPIRE`: in seconds from now.
pub(super) fn hexpire<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire(replayer, args, Clock::Seconds)
}

/// `HPEXPIRE`: in milliseconds from now.
pub(super) fn hpexpire<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire(replayer, args, Clock::Milliseconds)
}

/// `HEXPIREAT`: in seconds since 1970.
pub(super) fn hexpireat<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire(replayer, args, Clock::UnixSeconds)
}

/// `HPEXPIREAT`: in milliseconds since 1970; what a log holds.
pub(super) fn hpexpireat<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    expire(replayer, args, Clock::UnixMilliseconds)
}

/// `HPERSIST key FIELDS n field ..`: clears deadlines.
pub(super) fn hpersist<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let fields = last_fields(args, 2, 1)?;
    let one = |hash: &mut Hash<'a>, at| {
        let name = args.get(at);
        match hash.get(name).map(|field| field.expire_at_ms()) {
            None => Reply::Int(-2),
            Some(None) => Reply::Int(-1),
            Some(Some(_)) => Reply::bool(hash.set_expire_at_ms(name, None)),
        }
    };
    per_field(replayer, args, fields, one, Reply::Int(-2))
}

fn value_of<'a>(hash: &Hash<'a>, name: &[u8]) -> Reply<'a> {
    hash.get(name)
        .map_or(Reply::Nil, |field| Reply::Bulk(field.value.clone()))
}

/// `HGETEX key [EX | PX | EXAT | PXAT time | PERSIST] FIELDS n field ..`: reads, and
/// gives the fields a deadline or takes it.
pub(super) fn hgetex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    // The deadline to be set, if any is.
    let mut deadline = None;
    let mut named = None;
    let mut at = 2;
    while at < args.len() {
        if args.is(at, "FIELDS") && named.is_none() {
            let (first, number) = fields(args, at, 1)?;
            named = Some((first, number));
            at = first + number;
        } else if args.is(at, "PERSIST") && deadline.is_none() {
            deadline = Some(None);
            at += 1;
        } else if let (Some(clock), None) = (Clock::of_option(args, at), deadline) {
            let time = args.int(args.value_of(at)?)?;
            deadline = Some(Some(clock.deadline(replayer, time)?));
            at += 2;
        } else {
            return Err(SYNTAX);
        }
    }
    let one = |hash: &mut Hash<'a>, at| {
        if let Some(deadline) = deadline {
            hash.set_expire_at_ms(args.get(at), deadline);
        }
        value_of(hash, args.get(at))
    };
    per_field(replayer, args, named.ok_or(NO_FIELDS)?, one, Reply::Nil)
}

/// `HGETDEL key FIELDS n field ..`: reads and removes fields.
pub(super) fn hgetdel<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let fields = last_fields(args, 2, 1)?;
    let one = |hash: &mut Hash<'a>, at| {
        let removed = hash.remove(args.get(at));
        removed.map_or(Reply::Nil, |field| Reply::Bulk(field.value))
    };
    per_field(replayer, args, fields, one, Reply::Nil)
}

/// What HSETEX does about deadlines.
#[derive(Clone, Copy)]
enum NewDeadline {
    Clear,
    Keep,
    At(i64),
}

/// When HSETEX does anything.
#[derive(Clone, Copy, Default)]
struct SetIf {
    /// FNX (false): no field is there; FXX (true): all are.
    fields: Option<bool>,
    /// NX (false): no key (Valkey); XX (true): there is one.
    key: Option<bool>,
}

impl SetIf {
    fn of_option(&mut self, args: Args<'_, '_>, at: usize) -> Option<()> {
        let (side, exists) = if args.is(at, "FNX") {
            (&mut self.fields, false)
        } else if args.is(at, "FXX") {
            (&mut self.fields, true)
        } else if args.is(at, "NX") {
            (&mut self.key, false)
        } else if args.is(at, "XX") {
            (&mut self.key, true)
        } else {
            return None;
        };
        if side.is_some() {
            return None;
        }
        *side = Some(exists);
        Some(())
    }
}

/// `HSETEX key [NX | XX] [FNX | FXX] [EX | PX | EXAT | PXAT time | KEEPTTL] FIELDS n
/// field value ..`: sets fields with a deadline.
pub(super) fn hsetex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut set_if = SetIf::default();
    let mut deadline = None;
    let mut named = None;
    let mut at = 2;
    while at < args.len() {
        if args.is(at, "FIELDS") && named.is_none() {
            let (first, number) = fields(args, at, 2)?;
            named = Some((first, number));
            at = first + 2 * number;
        } else if args.is(at, "KEEPTTL") && deadline.is_none() {
            deadline = Some(NewDeadline::Keep);
            at += 1;
        } else if let (Some(clock), None) = (Clock::of_option(args, at), deadline) {
            let time = args.int(args.value_of(at)?).map_err(|_| NOT_INTEGER)?;
            deadline = Some(NewDeadline::At(clock.deadline(replayer, time)?));
            at += 2;
        } else {
            set_if.of_option(args, at).ok_or(SYNTAX)?;
            at += 1;
        }
    }
    let (first, number) = named.ok_or(NO_FIELDS)?;
    let names = (first..first + 2 * number).step_by(2);
    let deadline = deadline.unwrap_or(NewDeadline::Clear);

    let there = replayer.get::<Hash<'a>>(args.get(1))?;
    let has = |at| there.is_some_and(|hash| hash.contains(args.get(at)));
    let fields_hold = match set_if.fields {
        None => true,
        Some(false) => !names.clone().any(has),
        Some(true) => names.clone().all(has),
    };
    if !fields_hold || set_if.key.is_some_and(|exists| exists != there.is_some()) {
        return Ok(Reply::Int(0));
    }
    replayer.upsert(args, 1, |hash: &mut Hash<'a>| {
        for at in names {
            set(hash, args.bytes(at), args.str(at + 1), deadline);
        }
        Ok(Reply::Int(1))
    })
}

fn set<'a>(hash: &mut Hash<'a>, field: Bytes<'a>, value: Str<'a>, deadline: NewDeadline) {
    match deadline {
        NewDeadline::Clear => hash.insert(field, value),
        NewDeadline::Keep => hash.insert_keeping(field, value),
        NewDeadline::At(ms) => hash.insert_until(field, value, Some(ms)),
    };
}

#[cfg(test)]
mod tests {
    use crate::replay::testing::Session;

    fn deadline(session: &Session, field: &str) -> Option<i64> {
        let entry = session.0.store.db(0)?.get(b"h")?;
        match entry.value() {
            crate::store::Value::Hash(hash) => hash.get(field.as_bytes())?.expire_at_ms(),
            _ => None,
        }
    }

    #[test]
    fn deadlines_follow_conditions_and_options() {
        let mut session = Session::new();
        // command, answer, the deadline of field a afterwards
        let table = [
            ("HPEXPIREAT h 5 FIELDS 1 a", "[-2]", None),
            ("HSET h a 1 b 2", "2", None),
            ("HPEXPIREAT h 5000 GT FIELDS 1 a", "[0]", None),
            ("HPEXPIREAT h 5000 XX FIELDS 1 a", "[0]", None),
            ("HPEXPIREAT h 5000 LT FIELDS 2 a x", "[1 -2]", Some(5000)),
            ("HPEXPIREAT h 6000 NX FIELDS 1 a", "[0]", Some(5000)),
            ("HEXPIREAT h 6 GT FIELDS 1 a", "[1]", Some(6000)),
            ("HEXPIRE h 1 FIELDS 1 a", "[1]", Some(1_001_000)),
            ("hpexpire h 1 fields 1 a", "[1]", Some(1_000_001)),
            ("HPEXPIREAT h -1 FIELDS 1 a", "!ERR", Some(1_000_001)),
            (
                "HPEXPIREAT h 0 FIELDS 1 a",
                "!unsupported:",
                Some(1_000_001),
            ),
            (
                "HEXPIREAT h 9223372036854775807 FIELDS 1 a",
                "!ERR",
                Some(1_000_001),
            ),
            ("HPEXPIREAT h 5 FIELDS 2 a", "!ERR", Some(1_000_001)),
            ("HPEXPIREAT h 5 FIELDS 0 a", "!ERR", Some(1_000_001)),
            ("HPEXPIREAT h 5 FIELDS 1 a b", "!ERR", Some(1_000_001)),
            ("HINCRBY h a 1", "2", Some(1_000_001)),
            ("HINCRBYFLOAT h a 1", "3", Some(1_000_001)),
            ("HPERSIST h FIELDS 3 a b x", "[1 -1 -2]", None),
            ("HGETEX h PXAT 7 FIELDS 2 a x", "[3 nil]", Some(7)),
            ("HGETEX h FIELDS 1 a", "[3]", Some(7)),
            ("HGETEX h PERSIST FIELDS 1 a", "[3]", None),
            ("HGETEX h EXAT 7 PERSIST FIELDS 1 a", "!ERR", None),
            ("HSETEX h PXAT 8 FIELDS 1 a 4", "1", Some(8)),
            ("HSETEX h KEEPTTL FIELDS 1 a 5", "1", Some(8)),
            ("HSETEX h FNX PXAT 9 FIELDS 2 z 1 a 6", "0", Some(8)),
            ("HSETEX h FXX PXAT 9 FIELDS 2 z 1 a 6", "0", Some(8)),
            ("HSETEX h FXX PXAT 9 FIELDS 2 b 1 a 6", "1", Some(9)),
            ("HSETEX h NX PXAT 9 FIELDS 1 a 7", "0", Some(9)),
            ("HSETEX h XX FIELDS 1 a 7", "1", None),
            ("HSETEX h FIELDS 1 a 7 PX 5", "1", Some(1_000_005)),
            ("HSETEX h FNX FXX FIELDS 1 a 7", "!ERR", Some(1_000_005)),
            ("HSETEX h FIELDS 2 a 7 b", "!ERR", Some(1_000_005)),
            ("HSET h a 1", "0", None),
            ("HGETDEL h FIELDS 3 a x b", "[1 nil 1]", None),
            ("HGETDEL h FIELDS 1 a", "[nil]", None),
            ("HSETEX h XX FIELDS 1 a 7", "0", None),
            ("HSETEX h FNX FIELDS 1 a 7", "1", None),
        ];
        for (command, answer, expected) in table {
            assert_eq!(session.run(command), answer, "{command}");
            assert_eq!(deadline(&session, "a"), expected, "{command}");
        }
    }
}
