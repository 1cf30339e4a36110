//! Streams: entries. Consumer groups are in `stream_group.rs` and `stream_claim.rs`,
//! idempotent production in `stream_idmp.rs`.

use super::reply::{NO_SUCH_KEY, SYNTAX};
use super::stream_id::{self, NewId};
use super::stream_idmp::Message;
use super::stream_trim::{References, TrimOptions, dereference, is_referenced};
use super::{Args, Reject, Replayer, Reply};
use crate::store::stream::Fields;
use crate::store::{Stream, StreamId};

/// What XADD says before the fields.
struct Add {
    no_mkstream: bool,
    trim: TrimOptions,
    message: Option<Message>,
    id: NewId,
    /// Index of the first field.
    fields: usize,
}

impl Add {
    fn parse(args: Args<'_, '_>) -> Result<Self, Reject> {
        let mut no_mkstream = false;
        let mut trim = TrimOptions::default();
        let mut message = None;
        let mut at = 2;
        while at < args.len() {
            if args.get(at) == b"*" {
                break;
            } else if args.is(at, "NOMKSTREAM") {
                no_mkstream = true;
                at += 1;
            } else if let Some((found, next)) = Message::take(args, at)? {
                if message.replace(found).is_some() {
                    return Err(Reject::error(
                        "ERR syntax error, IDMP/IDMPAUTO specified multiple times",
                    ));
                }
                at = next;
            } else {
                match trim.take(args, at)? {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
        trim.check()?;
        let fields = at + 1;
        if args.len() < fields + 2 || !(args.len() - fields).is_multiple_of(2) {
            return Err(Reject::WrongArity);
        }
        let id = stream_id::parse_new(args.get(at))?;
        Ok(Add {
            no_mkstream,
            trim,
            message,
            id,
            fields,
        })
    }
}

/// The id that a new entry gets.
fn next_id(stream: &Stream<'_>, id: NewId, now_ms: u64) -> Result<StreamId, Reject> {
    const NOT_ABOVE: Reject = Reject::error(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
    let last = stream.last_id;
    let after_last = last.next().ok_or(Reject::error(
        "ERR The stream has exhausted the last possible ID, unable to add more items",
    ))?;
    let id = match id {
        NewId::Auto if now_ms > last.ms => StreamId::new(now_ms, 0),
        NewId::Auto => after_last,
        NewId::AutoSeq(ms) if ms == last.ms => {
            StreamId::new(ms, last.seq.checked_add(1).ok_or(NOT_ABOVE)?)
        }
        NewId::AutoSeq(ms) => StreamId::new(ms, 0),
        NewId::Given(id) => id,
    };
    if id > last { Ok(id) } else { Err(NOT_ABOVE) }
}

/// `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMP producer id | IDMPAUTO
/// producer] [MAXLEN | MINID [= | ~] threshold [LIMIT n]] <* | ms-* | id> field value ..`
pub(super) fn xadd<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let add = Add::parse(args)?;
    if add.id == NewId::Given(StreamId::MIN) {
        let stream = replayer.get::<Stream<'a>>(args.get(1))?;
        if stream.is_none() && add.trim.empties() {
            // So Redis 5.0 rewrites a stream that never had an entry. It refuses that
            // record when it loads it, but has made the stream by then.
            replayer.upsert(args, 1, |_: &mut Stream<'a>| Ok(()))?;
            return Ok(Reply::Nil);
        }
        return Err(Reject::error(
            "ERR The ID specified in XADD must be greater than 0-0",
        ));
    }
    let stream = replayer.get::<Stream<'a>>(args.get(1))?;
    let repeated = |message: Message| message.is_known(args, add.fields, stream);
    if matches!(add.id, NewId::Auto) && add.message.is_some_and(repeated) {
        replayer.update(args.get(1), |stream: &mut Stream<'a>| {
            stream.idmp.iids_duplicates += 1;
            Ok(())
        })?;
        return Ok(Reply::Nil);
    }
    if add.no_mkstream && replayer.get::<Stream<'a>>(args.get(1))?.is_none() {
        return Ok(Reply::Nil);
    }
    let now_ms = match add.id {
        NewId::Auto => u64::try_from(replayer.now_ms()).unwrap_or(0),
        _ => 0,
    };
    let fields: Fields<'a> = (add.fields..args.len())
        .step_by(2)
        .map(|at| (args.str(at), args.str(at + 1)))
        .collect();
    let id = replayer.upsert(args, 1, |stream: &mut Stream<'a>| {
        let id = next_id(stream, add.id, now_ms)?;
        add.trim.check_exact(stream, 1)?;
        stream.append(id, fields);
        if let Some(message) = add.message {
            message.record(args, add.fields, stream, id);
        }
        add.trim.apply(stream);
        Ok(id)
    })?;
    Ok(Reply::Bulk(id.to_string().into_bytes().into()))
}

/// `XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT n] [KEEPREF | DELREF | ACKED]`
pub(super) fn xtrim<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut trim = TrimOptions::default();
    let mut at = 2;
    while at < args.len() {
        at = trim.take(args, at)?.ok_or(SYNTAX)?;
    }
    if !trim.is_given() {
        return Err(SYNTAX);
    }
    let removed = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        trim.check_exact(stream, 0)?;
        Ok(trim.apply(stream))
    })?;
    Ok(Reply::count(removed.unwrap_or(0)))
}

/// `XDEL key id ..`
pub(super) fn xdel<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let ids = stream_id::parse_all(args, 2)?;
    let deleted = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        Ok(ids.into_iter().filter(|id| stream.delete(*id)).count())
    })?;
    Ok(Reply::count(deleted.unwrap_or(0)))
}

/// `[KEEPREF | DELREF | ACKED] IDS n id ..`, in either order.
pub(super) fn references_and_ids(
    args: Args<'_, '_>,
    mut at: usize,
) -> Result<(References, Vec<StreamId>), Reject> {
    let mut references = None;
    let mut ids = None;
    while at < args.len() {
        if let (Some(found), None) = (References::of_option(args, at), references) {
            references = Some(found);
            at += 1;
        } else if args.is(at, "IDS") && ids.is_none() {
            let (found, end) = stream_id::parse_counted(args, at)?;
            ids = Some(found);
            at = end;
        } else {
            return Err(SYNTAX);
        }
    }
    Ok((references.unwrap_or_default(), ids.ok_or(SYNTAX)?))
}

/// Deletes an entry as XDELEX and XACKDEL do: 1 deleted, 2 kept because a group still
/// refers to it, -1 no such entry.
pub(super) fn delete_unless_referenced(
    stream: &mut Stream<'_>,
    id: StreamId,
    references: References,
) -> i64 {
    match references {
        References::Acked if is_referenced(stream, id) => return 2,
        References::Delete => dereference(stream, id),
        References::Keep | References::Acked => {}
    }
    if stream.delete(id) { 1 } else { -1 }
}

/// `XDELEX key [KEEPREF | DELREF | ACKED] IDS n id ..`
pub(super) fn xdelex<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (references, ids) = references_and_ids(args, 2)?;
    let missing = ids.len();
    let answers = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        Ok(ids
            .into_iter()
            .map(|id| Reply::Int(delete_unless_referenced(stream, id, references)))
            .collect())
    })?;
    Ok(Reply::Array(
        answers.unwrap_or_else(|| vec![Reply::Int(-1); missing]),
    ))
}

/// `XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]`
pub(super) fn xsetid<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    const BELOW_DELETED: Reject =
        Reject::error("ERR The ID specified in XSETID is smaller than the greatest deleted ID");
    let id = stream_id::parse(args.get(2), 0)?;
    let mut entries_added = None;
    let mut max_deleted_id = StreamId::MIN;
    let mut at = 3;
    while at < args.len() {
        let value = args.value_of(at)?;
        if args.is(at, "ENTRIESADDED") {
            const NEGATIVE: Reject = Reject::error("ERR entries_added must be positive");
            entries_added = Some(u64::try_from(args.int(value)?).map_err(|_| NEGATIVE)?);
        } else if args.is(at, "MAXDELETEDID") {
            max_deleted_id = stream_id::parse(args.get(value), 0)?;
            if id < max_deleted_id {
                return Err(BELOW_DELETED);
            }
        } else {
            return Err(SYNTAX);
        }
        at = value + 1;
    }
    let done = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        if id < stream.max_deleted_id {
            return Err(BELOW_DELETED);
        }
        if let Some((last, _)) = stream.entries.last_key_value() {
            if id < *last {
                return Err(Reject::error(
                    "ERR The ID specified in XSETID is smaller than the target stream top item",
                ));
            }
            if entries_added.is_some_and(|added| added < stream.len() as u64) {
                return Err(Reject::error(
                    "ERR The entries_added specified in XSETID is smaller than the target stream length",
                ));
            }
        }
        stream.last_id = id;
        if let Some(entries_added) = entries_added {
            stream.entries_added = entries_added;
        }
        // 0-0 leaves the old one.
        if max_deleted_id != StreamId::MIN {
            stream.max_deleted_id = max_deleted_id;
        }
        Ok(())
    })?;
    done.map(|()| Reply::Ok).ok_or(NO_SUCH_KEY)
}

#[cfg(test)]
mod tests {
    use crate::num::Flavor;
    use crate::replay::testing::Session;

    #[test]
    fn entries_come_and_go_as_on_servers() {
        Session::new().all(&[
            ("XADD s NOMKSTREAM 1-1 a b", "nil"),
            ("XADD s 0-0 a b", "!ERR"),
            ("XADD s MAXLEN 1 0-0 a b", "!ERR"),
            ("XADD empty MAXLEN 0 0-0 x y", "nil"),
            ("XSETID empty 0-0", "OK"),
            ("XADD empty MAXLEN 0 0-0 x y", "!ERR"),
            ("XADD s 0-* a b", "0-1"),
            ("XADD s 0-* a b", "0-2"),
            ("XADD s 0-2 a b", "!ERR"),
            ("XADD s 5 a b", "5-0"),
            ("XADD s 5-* a b c", "!wrong"),
            ("XADD s 3-* a b", "!ERR"),
            ("XADD s * a b", "1000000-0"),
            ("XADD s * a b", "1000000-1"),
            ("xadd s maxlen = 2 limit 5 1000001-0 a b", "1000001-0"),
            ("XADD s MAXLEN ~ 3 1000002-0 a b", "1000002-0"),
            ("XADD s MAXLEN ~ 3 1000003-0 a b", "!unsupported:"),
            ("XTRIM s MINID 1000001", "1"),
            ("XTRIM s MINID 1000001 LIMIT 5", "0"),
            ("XTRIM s LIMIT 5", "!ERR"),
            ("XTRIM s MAXLEN -1", "!ERR"),
            ("XDEL s 1000001-0 7-7", "1"),
            ("XDEL s 1000002-0 x", "!ERR"),
            ("XSETID s 1000001", "!ERR"),
            ("XSETID s 1000009 ENTRIESADDED 0", "!ERR"),
            ("XSETID s 1000009 MAXDELETEDID 1000010", "!ERR"),
            ("XSETID s 1000009 ENTRIESADDED 20 MAXDELETEDID 0-0", "OK"),
            ("XSETID none 1", "!ERR"),
            (
                "XADD s MAXLEN 0 18446744073709551615-18446744073709551615 a b",
                "18446744073709551615-18446744073709551615",
            ),
            ("XADD s * a b", "!ERR"),
        ]);
    }

    #[test]
    fn references_follow_the_policy() {
        let mut session = Session::new();
        for ms in 1..=8 {
            session.run(&format!("XADD s {ms}-0 a b"));
        }
        session.run("XGROUP CREATE s g 6-0");
        session.run("XCLAIM s g c 0 4-0 5-0 6-0 TIME 1 RETRYCOUNT 1 FORCE JUSTID");
        session.all(&[
            ("XDELEX s ACKED IDS 3 1-0 4-0 8-0", "[1 2 2]"),
            ("XTRIM s MAXLEN 5 ACKED", "2"),
            ("XDELEX s DELREF IDS 1 4-0", "[1]"),
            ("XACK s g 4-0", "0"),
            ("XACKDEL s g IDS 2 5-0 8-0", "[1 -1]"),
            ("XACKDEL s g ACKED IDS 1 6-0", "[1]"),
            ("XACKDEL s none IDS 1 6-0", "[-1]"),
            ("XDELEX s IDS 2 6-0", "!ERR"),
            ("XDELEX s KEEPREF DELREF IDS 1 6-0", "!ERR"),
            ("XTRIM s MAXLEN 0", "2"),
        ]);
    }

    #[test]
    fn repeated_messages_do_nothing() {
        Session::new().all(&[
            ("XADD s IDMP p i 5-0 a b", "5-0"),
            ("XADD s IDMP p i * a b", "nil"),
            ("XADD s IDMP p i 6-0 a b", "6-0"),
            ("XADD s IDMPAUTO q 7-0 a b", "7-0"),
            ("XADD s IDMPAUTO q * a b", "nil"),
            ("XADD s IDMPAUTO q 8-0 a c", "8-0"),
            ("XCFGSET s", "!ERR"),
            ("XCFGSET s IDMP-MAXSIZE 0", "!ERR"),
            ("XCFGSET s IDMP-DURATION 5 IDMP-DURATION 5", "!ERR"),
            ("XCFGSET s IDMP-MAXSIZE 100", "OK"),
            ("XIDMPRECORD s p i 6-0", "OK"),
            ("XIDMPRECORD s p i 7-0", "!ERR"),
            ("XIDMPRECORD s p k 9-0", "!ERR"),
            ("XCFGSET s IDMP-MAXSIZE 2", "OK"),
            ("XIDMPRECORD s p a 5-0", "OK"),
            ("XIDMPRECORD s p b 6-0", "OK"),
            ("XIDMPRECORD s p c 7-0", "OK"),
            ("XIDMPRECORD s p a 7-0", "OK"),
            // Forgotten: a new entry, at the time of the replay.
            ("XADD s IDMP p i * a b", "1000000-0"),
            ("XADD s IDMP p i * a b", "nil"),
            ("XADD none IDMP p i * a b", "1000000-0"),
            ("XADD none IDMPAUTO q * a b", "1000000-1"),
        ]);
    }

    #[test]
    fn groups_differ_by_release() {
        let claim = [
            ("XADD s 1-0 a b", "1-0"),
            ("XADD s 2-0 a b", "2-0"),
            ("XGROUP CREATE s g 0 ENTRIESREAD 9", "OK"),
            ("XGROUP CREATE s g 0", "!BUSYGROUP"),
            ("XGROUP CREATE none g 0", "!ERR"),
            ("XGROUP SETID s none 0", "!NOGROUP"),
            ("XGROUP SETID s g 0 MKSTREAM", "!ERR"),
            (
                "XCLAIM s g c 0 1-0 TIME 9 RETRYCOUNT 3 FORCE JUSTID LASTID 1-0",
                "[1-0]",
            ),
            ("XCLAIM s none c 0 1-0", "!NOGROUP"),
            ("XDEL s 1-0", "1"),
            ("XCLAIM s g e 0 7-0 TIME 9 FORCE JUSTID", "[]"),
        ];
        for (flavor, taken, new) in [
            (Flavor::redis(5, 0), "1", "0"),
            (Flavor::redis(6, 2), "1", "1"),
            (Flavor::redis(7, 0), "0", "1"),
            (Flavor::redis(7, 4), "0", "0"),
            (Flavor::valkey(8, 1), "0", "0"),
        ] {
            let mut session = Session::of(flavor);
            session.all(&claim);
            session.run("XCLAIM s g d 0 1-0 TIME 9 RETRYCOUNT 4 FORCE JUSTID");
            assert_eq!(session.run("XGROUP DELCONSUMER s g d"), taken, "{flavor:?}");
            assert_eq!(
                session.run("XGROUP CREATECONSUMER s g e"),
                new,
                "{flavor:?}"
            );
        }
    }

    #[test]
    fn nacked_entries_have_no_owner() {
        Session::new().all(&[
            ("XADD s 1-0 a b", "1-0"),
            ("XADD s 2-0 a b", "2-0"),
            ("XGROUP CREATE s g 0", "OK"),
            ("XNACK s none FAIL IDS 1 1-0", "!NOGROUP"),
            ("XNACK s g FAIL IDS 2 1-0 2-0", "0"),
            (
                "XCLAIM s g c 0 1-0 TIME 9 RETRYCOUNT 3 FORCE JUSTID",
                "[1-0]",
            ),
            ("XNACK s g SILENT IDS 1 1-0", "1"),
            ("XGROUP DELCONSUMER s g c", "0"),
            ("XNACK s g FATAL IDS 1 1-0", "!unsupported:"),
            ("XNACK s g FATAL IDS 2 2-0 9-0 FORCE RETRYCOUNT 7", "1"),
            ("XNACK s g FATAL IDS 2 2-0", "!ERR"),
            ("XACK s g 1-0 2-0", "2"),
        ]);
    }
}
