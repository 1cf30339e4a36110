//! Hashes: fields and their values. Deadlines of fields are in `hash_expiry.rs`.
//!
//! A field past its deadline counts as there: the server that wrote the log put an
//! HDEL in front of every command for which one had expired. (Redis 7.4 and newer
//! hide such a field from a few commands while they load, so that a log which is
//! loaded late can give them other data than was written; that is not followed.)

use super::reply::OVERFLOW;
use super::{Args, Reject, Replayer, Reply};
use crate::num::{LongDouble, parse_i64_of};
use crate::store::{Hash, Str};

const NOT_INTEGER: Reject = Reject::error("ERR hash value is not an integer");
const NOT_FLOAT: Reject = Reject::error("ERR hash value is not a float");
const NOT_FINITE: Reject = Reject::error("ERR increment would produce NaN or Infinity");

/// `HSET key field value ..`: sets fields and clears their deadlines.
pub(super) fn hset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    if !args.len().is_multiple_of(2) {
        return Err(Reject::WrongArity);
    }
    replayer.upsert(args, 1, |hash: &mut Hash<'a>| {
        let new = (2..args.len())
            .step_by(2)
            .filter(|&at| hash.insert(args.bytes(at), args.str(at + 1)))
            .count();
        Ok(Reply::count(new))
    })
}

/// `HMSET key field value ..`: the same with another reply.
pub(super) fn hmset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    hset(replayer, args).map(|_| Reply::Ok)
}

/// `HSETNX key field value`: sets a field that is not there.
pub(super) fn hsetnx<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    replayer.upsert(args, 1, |hash: &mut Hash<'a>| {
        let new = !hash.contains(args.get(2));
        if new {
            hash.insert(args.bytes(2), args.str(3));
        }
        Ok(Reply::bool(new))
    })
}

/// `HDEL key field ..`: removes fields, and the key with the last of them.
pub(super) fn hdel<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let removed = replayer.update(args.get(1), |hash: &mut Hash<'a>| {
        Ok(args.from(2).filter_map(|field| hash.remove(field)).count())
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

/// `HINCRBY key field n`: adds to a field, 0 if it is not there, and keeps its deadline.
pub(super) fn hincrby<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let increment = args.int(3)?;
    let flavor = replayer.flavor();
    replayer.upsert(args, 1, |hash: &mut Hash<'a>| {
        let Some(field) = hash.get_mut(args.get(2)) else {
            hash.insert(args.bytes(2), increment.into());
            return Ok(Reply::Int(increment));
        };
        let old = match field.value.as_int() {
            Some(n) => n,
            None => parse_i64_of(field.value.as_bytes(&mut itoa::Buffer::new()), flavor)
                .ok_or(NOT_INTEGER)?,
        };
        let sum = old.checked_add(increment).ok_or(OVERFLOW)?;
        field.value = sum.into();
        Ok(Reply::Int(sum))
    })
}

/// `HINCRBYFLOAT key field x`: adds in long double and keeps the deadline.
pub(super) fn hincrbyfloat<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let increment = LongDouble::parse(args.get(3)).ok_or(super::reply::NOT_FLOAT)?;
    let loose = replayer.flavor().reads_empty_fields_as_floats();
    replayer.upsert(args, 1, |hash: &mut Hash<'a>| {
        let old = match hash.get(args.get(2)) {
            Some(field) if loose && field.value.is_empty() => LongDouble::from(0),
            Some(field) => LongDouble::parse(field.value.as_bytes(&mut itoa::Buffer::new()))
                .ok_or(NOT_FLOAT)?,
            None => LongDouble::from(0),
        };
        let sum = old + increment;
        if !sum.is_finite() {
            return Err(NOT_FINITE);
        }
        let text = Str::from(sum.to_string().into_bytes());
        hash.insert_keeping(args.bytes(2), text.clone());
        Ok(Reply::Bulk(text))
    })
}

#[cfg(test)]
mod tests {
    use crate::replay::testing::Session;
    use crate::store::{Bytes, Value};

    #[test]
    fn hash_commands_answer_as_servers_do() {
        Session::new().all(&[
            ("HSET h a 1 b x", "2"),
            ("HSET h a", "!wrong"),
            ("HSET h a 1 b", "!wrong"),
            ("HMSET h a 2 c 3", "OK"),
            ("HSETNX h a 9", "0"),
            ("HSETNX h d 9", "1"),
            ("HINCRBY h a 5", "7"),
            ("HINCRBY h new -5", "-5"),
            ("HINCRBY h b 1", "!ERR"),
            ("HINCRBY h a 9223372036854775807", "!ERR"),
            ("HINCRBY h a 1.5", "!ERR"),
            ("HINCRBYFLOAT h a 0.1", "7.1"),
            ("HINCRBYFLOAT h f 5.0e3", "5000"),
            ("HINCRBYFLOAT h b 1", "!ERR"),
            ("HINCRBYFLOAT h a inf", "!ERR"),
            ("HINCRBYFLOAT nothing f inf", "!ERR"),
            ("HDEL h a b c d new x", "5"),
            ("HDEL h f", "1"),
            ("HDEL h f", "0"),
        ]);
    }

    #[test]
    fn a_refused_command_makes_no_key() {
        let mut session = Session::new();
        session.run("HINCRBYFLOAT h f inf");
        session.run("HINCRBY h f x");
        assert!(session.0.store.is_empty());
        let text = Value::String("text".to_owned().into_bytes().into());
        session
            .0
            .store
            .db_mut(0)
            .insert(Bytes::borrowed(b"s"), text.into());
        assert_eq!(session.run("HSET s f v"), "!WRONGTYPE");
    }
}
