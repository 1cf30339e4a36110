//! Strings: SET and its many forms, counters, APPEND, SETRANGE.
//!
//! | option of SET | since |
//! |---|---|
//! | EX PX NX XX | 2.6.12 |
//! | KEEPTTL | 6.0 |
//! | GET EXAT PXAT | 6.2 |
//! | IFEQ | Valkey 8.1, Redis 8.4 |
//! | IFNE IFDEQ IFDNE | Redis 8.4 |

use crate::bytes::Text;
use crate::model::ValueType;
use crate::num::{Flavor, LongDouble, Product, parse_i64, parse_i64_of};
use crate::store::{KeySlot, Str, Value};

use super::reply::{
    BAD_COUNT, INVALID_EXPIRE, NOT_FLOAT, NOT_INTEGER, OVERFLOW, SYNTAX, WRONG_TYPE,
};
use super::{Args, Reject, Replayer, Reply};

/// What a command does to the deadline of the key that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ttl {
    Clear,
    Keep,
    At(i64),
}

/// When a command writes at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition<'r> {
    Always,
    Missing,
    Exists,
    Equal(&'r [u8]),
    NotEqual(&'r [u8]),
    DigestEqual(&'r [u8]),
    DigestNotEqual(&'r [u8]),
}

impl<'r> Condition<'r> {
    /// IFEQ, IFNE, IFDEQ or IFDNE at an argument, with the next one.
    fn of_option(args: Args<'r, '_>, at: usize) -> Result<Option<Self>, Reject> {
        type Make<'r> = fn(&'r [u8]) -> Condition<'r>;
        let make: Make<'r> = match () {
            () if args.is(at, "ifeq") => Condition::Equal,
            () if args.is(at, "ifne") => Condition::NotEqual,
            () if args.is(at, "ifdeq") => Condition::DigestEqual,
            () if args.is(at, "ifdne") => Condition::DigestNotEqual,
            () => return Ok(None),
        };
        Ok(Some(make(args.get(args.value_of(at)?))))
    }

    /// Whether it is about what the value is.
    fn looks_at_value(self) -> bool {
        !matches!(
            self,
            Condition::Always | Condition::Missing | Condition::Exists
        )
    }

    /// Whether it holds for a key that is there, and its value if that is a string.
    fn holds(self, old: Option<&Str<'_>>) -> Result<bool, Reject> {
        let text = || old.ok_or(WRONG_TYPE);
        Ok(match self {
            Condition::Always | Condition::Exists => true,
            Condition::Missing => false,
            Condition::Equal(with) => *text()? == *with,
            Condition::NotEqual(with) => *text()? != *with,
            Condition::DigestEqual(digest) => has_digest(text()?, digest)?,
            Condition::DigestNotEqual(digest) => !has_digest(text()?, digest)?,
        })
    }
}

/// Whether the digest of a value is this: XXH3 of 64 bits as 16 hexadecimal digits.
fn has_digest(text: &Str<'_>, digest: &[u8]) -> Result<bool, Reject> {
    if digest.len() != 16 {
        return Err(Reject::error(
            "ERR must be exactly 16 hexadecimal characters",
        ));
    }
    let mut buffer = itoa::Buffer::new();
    let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes(&mut buffer));
    Ok(format!("{hash:016x}")
        .as_bytes()
        .eq_ignore_ascii_case(digest))
}

/// A deadline as `EX`, `PX`, `EXAT` or `PXAT` give it, in milliseconds since 1970.
///
/// Servers refuse nothing here but zero and below, and what does not fit.
pub(super) fn deadline(
    replayer: &mut Replayer<'_>,
    value: i64,
    seconds: bool,
    relative: bool,
) -> Result<i64, Reject> {
    if value <= 0 {
        return Err(INVALID_EXPIRE);
    }
    let mut ms = value;
    if seconds {
        ms = ms.checked_mul(1000).ok_or(INVALID_EXPIRE)?;
    }
    if relative {
        ms = ms.checked_add(replayer.now_ms()).ok_or(INVALID_EXPIRE)?;
    }
    Ok(ms)
}

/// The expiry options of a command. An option that stands there again has its last
/// value, and only that is looked at; a second one is refused, but not before 3.2.
#[derive(Clone, Copy, Default)]
struct Expiry {
    /// The option, and where its value stands or would stand.
    last: Option<(&'static str, usize)>,
}

impl Expiry {
    /// Takes the option at an argument; gives the place after it, or nothing if it is
    /// another one.
    fn take(
        &mut self,
        args: Args<'_, '_>,
        at: usize,
        flavor: Flavor,
    ) -> Result<Option<usize>, Reject> {
        let words = ["keepttl", "persist", "pxat", "px", "exat", "ex"];
        let Some(word) = words.into_iter().find(|word| args.is(at, word)) else {
            return Ok(None);
        };
        let any = flavor.product == Product::Redis && (flavor.major, flavor.minor) < (3, 2);
        if self.last.is_some_and(|(last, _)| last != word) && !any {
            return Err(SYNTAX);
        }
        let end = match word {
            "keepttl" | "persist" => at + 1,
            _ => args.value_of(at)? + 1,
        };
        self.last = Some((word, at + 1));
        Ok(Some(end))
    }

    /// What becomes of the deadline, if an option says so.
    fn ttl(self, replayer: &mut Replayer<'_>, args: Args<'_, '_>) -> Result<Option<Ttl>, Reject> {
        let Some((word, at)) = self.last else {
            return Ok(None);
        };
        let (seconds, relative) = match word {
            "keepttl" => return Ok(Some(Ttl::Keep)),
            "persist" => return Ok(Some(Ttl::Clear)),
            word => (word.starts_with("ex"), !word.ends_with("at")),
        };
        let ms = deadline(replayer, args.int(at)?, seconds, relative)?;
        Ok(Some(Ttl::At(ms)))
    }
}

fn only_once(seen: &mut bool) -> Result<(), Reject> {
    if std::mem::replace(seen, true) {
        Err(SYNTAX)
    } else {
        Ok(())
    }
}

pub(super) fn set<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut expiry = Expiry::default();
    let mut condition = Condition::Always;
    // Whether the key has to be there.
    let mut wanted = None;
    let mut want_old = false;
    let is_valkey = replayer.flavor().product == Product::Valkey;
    let mut at = 3;
    while at < args.len() {
        if !args.is(at, "persist")
            && let Some(next) = expiry.take(args, at, replayer.flavor())?
        {
            at = next;
            continue;
        }
        if let Some(given) = Condition::of_option(args, at)? {
            // Redis takes one kind of these again, and NX or XX behind it.
            let again = std::mem::discriminant(&condition) == std::mem::discriminant(&given);
            if wanted.is_some() || condition != Condition::Always && (is_valkey || !again) {
                return Err(SYNTAX);
            }
            condition = given;
            at += 2;
            continue;
        }
        match () {
            () if args.is(at, "get") => want_old = true,
            () if args.is(at, "nx") || args.is(at, "xx") => {
                let exists = args.is(at, "xx");
                if wanted == Some(!exists) || is_valkey && condition != Condition::Always {
                    return Err(SYNTAX);
                }
                wanted = Some(exists);
            }
            () => return Err(SYNTAX),
        }
        at += 1;
    }
    let ttl = expiry.ttl(replayer, args)?.unwrap_or(Ttl::Clear);
    match (wanted, condition) {
        (None, _) => {}
        (Some(true), Condition::Always) => condition = Condition::Exists,
        (Some(false), Condition::Always) => condition = Condition::Missing,
        // Both conditions hold, or nothing happens.
        (Some(exists), _) => {
            let is_there = replayer.db().contains(args.get(1));
            if exists != is_there && !want_old {
                return Ok(Reply::Nil);
            }
            if exists != is_there {
                condition = if exists {
                    Condition::Exists
                } else {
                    Condition::Missing
                };
            }
        }
    }
    set_key(replayer, args, want_old, condition, ttl)
}

fn set_key<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    want_old: bool,
    condition: Condition<'_>,
    ttl: Ttl,
) -> Result<Reply<'a>, Reject> {
    let value = args.str(2);
    match replayer.entry(args.get(1)) {
        KeySlot::Vacant(place) => {
            if matches!(
                condition,
                Condition::Exists | Condition::Equal(_) | Condition::DigestEqual(_)
            ) {
                return Ok(Reply::Nil);
            }
            let entry = place.insert(args.bytes(1), Value::String(value).into());
            if let Ttl::At(ms) = ttl {
                entry.set_expire_at_ms(Some(ms));
            }
            Ok(if want_old { Reply::Nil } else { Reply::Ok })
        }
        KeySlot::Occupied(mut place) => {
            let entry = place.get_mut();
            let is_looked_at = want_old || condition.looks_at_value();
            let old = match is_looked_at.then(|| entry.value()) {
                Some(Value::String(old)) => Some(old),
                _ if want_old => return Err(WRONG_TYPE),
                _ => None,
            };
            let holds = condition.holds(old)?;
            let reply = match old {
                Some(old) if want_old => Reply::Bulk(old.clone()),
                _ if holds => Reply::Ok,
                _ => Reply::Nil,
            };
            if holds {
                entry.set_value(Value::String(value));
                match ttl {
                    Ttl::Keep => {}
                    Ttl::Clear => entry.set_expire_at_ms(None),
                    Ttl::At(ms) => entry.set_expire_at_ms(Some(ms)),
                }
            }
            Ok(reply)
        }
    }
}

pub(super) fn getset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    set_key(replayer, args, true, Condition::Always, Ttl::Clear)
}

fn set_until<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    seconds: bool,
) -> Result<Reply<'a>, Reject> {
    let ms = deadline(replayer, args.int(2)?, seconds, true)?;
    replayer.put(args, 1, Value::String(args.str(3)), Some(ms));
    Ok(Reply::Ok)
}

pub(super) fn setex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    set_until(replayer, args, true)
}

pub(super) fn psetex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    set_until(replayer, args, false)
}

pub(super) fn setnx<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    match replayer.entry(args.get(1)) {
        KeySlot::Occupied(_) => Ok(Reply::Int(0)),
        KeySlot::Vacant(place) => {
            place.insert(args.bytes(1), Value::String(args.str(2)).into());
            Ok(Reply::Int(1))
        }
    }
}

pub(super) fn getdel<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    match replayer.entry(args.get(1)) {
        KeySlot::Occupied(place) => {
            if place.get().value_type() != ValueType::String {
                return Err(WRONG_TYPE);
            }
            match place.remove().map(|(_, entry)| entry.into_value()) {
                Some(Value::String(old)) => Ok(Reply::Bulk(old)),
                _ => Ok(Reply::Nil),
            }
        }
        KeySlot::Vacant(_) => Ok(Reply::Nil),
    }
}

pub(super) fn getex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut expiry = Expiry::default();
    let mut at = 2;
    while at < args.len() {
        if args.is(at, "keepttl") {
            return Err(SYNTAX);
        }
        at = expiry.take(args, at, replayer.flavor())?.ok_or(SYNTAX)?;
    }
    let ttl = expiry.ttl(replayer, args)?.unwrap_or(Ttl::Keep);
    let Some(entry) = replayer.db().get_mut(args.get(1)) else {
        return Ok(Reply::Nil);
    };
    let Value::String(text) = entry.value() else {
        return Err(WRONG_TYPE);
    };
    let reply = Reply::Bulk(text.clone());
    match ttl {
        Ttl::Keep => {}
        Ttl::Clear => entry.set_expire_at_ms(None),
        Ttl::At(ms) => entry.set_expire_at_ms(Some(ms)),
    }
    Ok(reply)
}

pub(super) fn append<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let len = replayer.upsert(args, 1, |text: &mut Str<'a>| {
        // A key that is made borrows its value.
        if text.is_empty() {
            *text = args.str(2);
        } else {
            text.to_mut().extend_from_slice(args.get(2));
        }
        Ok(text.len())
    })?;
    Ok(Reply::count(len))
}

/// What clients may make of a string; a server that loads does not look at it.
const MAX_STRING_BYTES: usize = 512 << 20;
const TOO_LONG: Reject = Reject::unsupported("a string of more than 512 MB");

/// Makes sure that a string may be padded to a length.
pub(super) fn check_len(len: usize) -> Result<(), Reject> {
    if len > MAX_STRING_BYTES {
        return Err(TOO_LONG);
    }
    Ok(())
}

pub(super) fn setrange<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let offset = args.int(2)?;
    let offset =
        usize::try_from(offset).map_err(|_| Reject::error("ERR offset is out of range"))?;
    let piece = args.get(3);
    if piece.is_empty() {
        let text = replayer.get::<Str<'a>>(args.get(1))?;
        return Ok(Reply::count(text.map_or(0, Str::len)));
    }
    let end = offset.checked_add(piece.len()).ok_or(TOO_LONG)?;
    let len = replayer.upsert(args, 1, |text: &mut Str<'a>| {
        if end > text.len() {
            check_len(end)?;
        }
        let bytes = text.to_mut();
        if end > bytes.len() {
            bytes.resize(end, 0);
        }
        if let Some(room) = bytes.get_mut(offset..end) {
            room.copy_from_slice(piece);
        }
        Ok(bytes.len())
    })?;
    Ok(Reply::count(len))
}

fn add<'a>(replayer: &mut Replayer<'a>, args: Args<'_, 'a>, by: i64) -> Result<Reply<'a>, Reject> {
    let flavor = replayer.flavor();
    match replayer.entry(args.get(1)) {
        KeySlot::Occupied(mut place) => {
            let Value::String(text) = place.get_mut().value_mut() else {
                return Err(WRONG_TYPE);
            };
            let old = match text.text() {
                Text::Int(n) => Some(n),
                Text::Bytes(bytes) => parse_i64_of(bytes, flavor),
            };
            let old = old.ok_or(NOT_INTEGER)?;
            let sum = old.checked_add(by).ok_or(OVERFLOW)?;
            *text = sum.into();
            Ok(Reply::Int(sum))
        }
        KeySlot::Vacant(place) => {
            place.insert(args.bytes(1), Value::String(by.into()).into());
            Ok(Reply::Int(by))
        }
    }
}

pub(super) fn incr<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    add(replayer, args, 1)
}

pub(super) fn decr<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    add(replayer, args, -1)
}

pub(super) fn incrby<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    add(replayer, args, args.int(2)?)
}

pub(super) fn decrby<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let by = args.int(2)?;
    // Before 7.0 the least integer is its own opposite, and so it stands in their logs.
    let opposite = match by.checked_neg() {
        None if replayer.flavor().negates_least_integer() => by,
        None => return Err(Reject::error("ERR decrement would overflow")),
        Some(opposite) => opposite,
    };
    add(replayer, args, opposite)
}

pub(super) fn incrbyfloat<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let by = LongDouble::parse(args.get(2)).ok_or(NOT_FLOAT)?;
    let loose = replayer.flavor().reads_empty_floats();
    let is_new = replayer.get::<Str<'a>>(args.get(1))?.is_none();
    let text = replayer.upsert(args, 1, |text: &mut Str<'a>| {
        let old = match text.as_int() {
            Some(n) => LongDouble::from(n),
            None if is_new || text.is_empty() && loose => LongDouble::from(0),
            None => {
                let mut buffer = itoa::Buffer::new();
                LongDouble::parse(text.as_bytes(&mut buffer)).ok_or(NOT_FLOAT)?
            }
        };
        let sum = old + by;
        if !sum.is_finite() {
            return Err(Reject::error("ERR increment would produce NaN or Infinity"));
        }
        *text = Str::from(sum.to_string().into_bytes());
        Ok(text.clone())
    })?;
    Ok(Reply::Bulk(text))
}

/// Sets keys and values that alternate from `first` on.
fn set_pairs<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    first: usize,
    end: usize,
    ttl: Ttl,
) {
    for at in (first..end).step_by(2) {
        let value = Value::String(args.str(at + 1));
        let expire_at_ms = match ttl {
            Ttl::Clear => None,
            Ttl::At(ms) => Some(ms),
            Ttl::Keep => replayer
                .db()
                .get(args.get(at))
                .and_then(crate::store::Entry::expire_at_ms),
        };
        replayer.put(args, at, value, expire_at_ms);
    }
}

fn even_pairs(args: Args<'_, '_>) -> Result<(), Reject> {
    match args.len() % 2 {
        0 => Err(Reject::WrongArity),
        _ => Ok(()),
    }
}

pub(super) fn mset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    even_pairs(args)?;
    set_pairs(replayer, args, 1, args.len(), Ttl::Clear);
    Ok(Reply::Ok)
}

pub(super) fn msetnx<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    even_pairs(args)?;
    let db = replayer.db();
    if args.from(1).step_by(2).any(|key| db.contains(key)) {
        return Ok(Reply::Int(0));
    }
    set_pairs(replayer, args, 1, args.len(), Ttl::Clear);
    Ok(Reply::Int(1))
}

/// `MSETEX numkeys key value .. [NX|XX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`
pub(super) fn msetex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let pairs = parse_i64(args.get(1)).and_then(|n| usize::try_from(n).ok());
    let pairs = pairs.filter(|n| *n > 0).ok_or(BAD_COUNT)?;
    let end = pairs.checked_mul(2).and_then(|n| n.checked_add(2));
    let end = end
        .filter(|end| *end <= args.len())
        .ok_or(Reject::WrongArity)?;
    let (mut expiry, mut exists) = (Expiry::default(), None);
    let mut condition_seen = false;
    let mut at = end;
    while at < args.len() {
        if !args.is(at, "persist")
            && let Some(next) = expiry.take(args, at, replayer.flavor())?
        {
            at = next;
            continue;
        }
        only_once(&mut condition_seen)?;
        exists = match () {
            () if args.is(at, "nx") => Some(false),
            () if args.is(at, "xx") => Some(true),
            () => return Err(SYNTAX),
        };
        at += 1;
    }
    let ttl = expiry.ttl(replayer, args)?.unwrap_or(Ttl::Clear);
    if let Some(exists) = exists {
        let db = replayer.db();
        let mut keys = (2..end).step_by(2);
        if keys.any(|at| db.contains(args.get(at)) != exists) {
            return Ok(Reply::Int(0));
        }
    }
    set_pairs(replayer, args, 2, end, ttl);
    Ok(Reply::Int(1))
}

/// `DELEX key [IFEQ value|IFNE value|IFDEQ digest|IFDNE digest]`
pub(super) fn delex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    match args.len() {
        2 => {
            let removed = replayer.db().remove(args.get(1)).is_some();
            Ok(Reply::bool(removed))
        }
        4 => {
            let condition = Condition::of_option(args, 2)?.ok_or(SYNTAX)?;
            const NO_STRING: Reject =
                Reject::error("ERR Key should be of string type if conditions are specified");
            remove_if(replayer, args, condition, NO_STRING)
        }
        _ => Err(Reject::WrongArity),
    }
}

/// `DELIFEQ key value`
pub(super) fn delifeq<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    remove_if(replayer, args, Condition::Equal(args.get(2)), WRONG_TYPE)
}

fn remove_if<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    condition: Condition<'_>,
    wrong_type: Reject,
) -> Result<Reply<'a>, Reject> {
    let Some(text) = replayer
        .get::<Str<'a>>(args.get(1))
        .map_err(|_| wrong_type)?
    else {
        return Ok(Reply::Int(0));
    };
    let holds = condition.holds(Some(text))?;
    if holds {
        replayer.db().remove(args.get(1));
    }
    Ok(Reply::bool(holds))
}

/// Servers log what INCREX did as a SET, so its own form is hand-made.
pub(super) fn increx<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("INCREX; servers log its effect as SET"))
}
