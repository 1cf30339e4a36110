//! Consumer groups: XGROUP, XACK, XACKDEL, XNACK. Who owns what changes in
//! `stream_claim.rs`.

use super::reply::SYNTAX;
use super::stream::{delete_unless_referenced, references_and_ids};
use super::stream_id;
use super::{Args, Reject, Replayer, Reply};
use crate::num::{Flavor, Product};
use crate::store::{Group, Owner, Stream, StreamId};

pub(super) const NO_GROUP: Reject =
    Reject::error("NOGROUP No such key or consumer group in the stream");
const NO_KEY: Reject = Reject::error(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// Whether ENTRIESREAD stops at the number of entries ever added.
fn clamps_entries_read(flavor: Flavor) -> bool {
    flavor.product == Product::Redis && (flavor.major, flavor.minor) >= (8, 2)
}

/// Where a group begins, as XGROUP CREATE and SETID take it.
struct Start {
    /// `$`, the last id of the stream, is none.
    id: Option<StreamId>,
    entries_read: i64,
    mkstream: bool,
    clamp: bool,
}

impl Start {
    fn parse(replayer: &Replayer<'_>, args: Args<'_, '_>) -> Result<Self, Reject> {
        let mut start = Start {
            id: match args.get(4) {
                b"$" => None,
                text => Some(stream_id::parse(text, 0)?),
            },
            entries_read: -1,
            mkstream: false,
            clamp: clamps_entries_read(replayer.flavor()),
        };
        let mut at = 5;
        while at < args.len() {
            if args.is(at, "MKSTREAM") && args.is(1, "CREATE") {
                start.mkstream = true;
                at += 1;
            } else if args.is(at, "ENTRIESREAD") {
                start.entries_read = args.int(args.value_of(at)?)?;
                if start.entries_read < -1 {
                    return Err(Reject::error(
                        "ERR value for ENTRIESREAD must be positive or -1",
                    ));
                }
                at += 2;
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(start)
    }

    /// The last id and the number of entries read.
    fn of(&self, stream: &Stream<'_>) -> (StreamId, i64) {
        let entries_read = match i64::try_from(stream.entries_added) {
            Ok(added) if self.clamp => self.entries_read.min(added),
            _ => self.entries_read,
        };
        (self.id.unwrap_or(stream.last_id), entries_read)
    }
}

/// `XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD n]`
pub(super) fn xgroup_create<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let start = Start::parse(replayer, args)?;
    if !start.mkstream && replayer.get::<Stream<'a>>(args.get(2))?.is_none() {
        return Err(NO_KEY);
    }
    replayer.upsert(args, 2, |stream: &mut Stream<'a>| {
        if stream.groups.contains_key(args.get(3)) {
            return Err(Reject::error(
                "BUSYGROUP Consumer Group name already exists",
            ));
        }
        let (last_id, entries_read) = start.of(stream);
        stream
            .groups
            .insert(args.bytes(3), Group::new(last_id, entries_read));
        Ok(Reply::Ok)
    })
}

/// Changes a group that must be there.
fn with_group<'a, R>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
    change: impl FnOnce(&mut Group<'a>) -> R,
) -> Result<R, Reject> {
    let done = replayer.update(args.get(2), |stream: &mut Stream<'a>| {
        let group = stream.groups.get_mut(args.get(3)).ok_or(NO_GROUP)?;
        Ok(change(group))
    })?;
    done.ok_or(NO_KEY)
}

/// `XGROUP SETID key group id | $ [ENTRIESREAD n]`
pub(super) fn xgroup_setid<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let start = Start::parse(replayer, args)?;
    let done = replayer.update(args.get(2), |stream: &mut Stream<'a>| {
        let (last_id, entries_read) = start.of(stream);
        let group = stream.groups.get_mut(args.get(3)).ok_or(NO_GROUP)?;
        group.last_id = last_id;
        group.entries_read = entries_read;
        Ok(Reply::Ok)
    })?;
    done.ok_or(NO_KEY)
}

/// `XGROUP DESTROY key group`
pub(super) fn xgroup_destroy<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let done = replayer.update(args.get(2), |stream: &mut Stream<'a>| {
        Ok(Reply::bool(stream.groups.remove(args.get(3)).is_some()))
    })?;
    done.ok_or(NO_KEY)
}

/// `XGROUP CREATECONSUMER key group consumer`
pub(super) fn xgroup_createconsumer<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let seen_at_ms = replayer.load_time_ms();
    let created = with_group(replayer, args, |group| {
        group.create_consumer(args.bytes(4), seen_at_ms)
    })?;
    Ok(Reply::bool(created))
}

/// `XGROUP DELCONSUMER key group consumer`: with all that it has pending.
pub(super) fn xgroup_delconsumer<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let dropped = with_group(replayer, args, |group| group.delete_consumer(args.get(4)))?;
    Ok(Reply::count(dropped.unwrap_or(0)))
}

/// `XACK key group id ..`
pub(super) fn xack<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let ids = stream_id::parse_all(args, 3)?;
    let acknowledged = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        Ok(match stream.groups.get_mut(args.get(2)) {
            Some(group) => ids.into_iter().filter(|id| group.acknowledge(*id)).count(),
            None => 0,
        })
    })?;
    Ok(Reply::count(acknowledged.unwrap_or(0)))
}

/// `XACKDEL key group [KEEPREF | DELREF | ACKED] IDS n id ..`: acknowledges, then
/// deletes what was pending.
pub(super) fn xackdel<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let (references, ids) = references_and_ids(args, 3)?;
    let missing = ids.len();
    let answers = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        let mut one = |id| {
            let group = stream.groups.get_mut(args.get(2));
            if !group.is_some_and(|group| group.acknowledge(id)) {
                return -1;
            }
            // 1 also if the entry itself had gone before.
            delete_unless_referenced(stream, id, references).abs()
        };
        Ok(ids.into_iter().map(|id| Reply::Int(one(id))).collect())
    })?;
    Ok(Reply::Array(
        answers.unwrap_or_else(|| vec![Reply::Int(-1); missing]),
    ))
}

/// What XNACK does to the number of deliveries.
#[derive(Clone, Copy)]
enum Failure {
    /// Takes the delivery back.
    Silent,
    /// Leaves the number.
    Fail,
    /// Makes it the greatest there is.
    Fatal,
}

impl Failure {
    fn parse(args: Args<'_, '_>, at: usize) -> Result<Self, Reject> {
        [
            ("SILENT", Failure::Silent),
            ("FAIL", Failure::Fail),
            ("FATAL", Failure::Fatal),
        ]
        .into_iter()
        .find_map(|(word, failure)| args.is(at, word).then_some(failure))
        .ok_or(SYNTAX)
    }

    fn count(self, old: u64) -> u64 {
        match self {
            Failure::Silent => old.saturating_sub(1),
            Failure::Fail => old,
            Failure::Fatal => i64::MAX as u64,
        }
    }
}

/// `XNACK key group SILENT | FAIL | FATAL IDS n id .. [RETRYCOUNT n] [FORCE]` (8.8):
/// takes pending entries from their consumers. FORCE makes entries pending that are
/// not.
pub(super) fn xnack<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let failure = Failure::parse(args, 3)?;
    if !args.is(4, "IDS") {
        return Err(SYNTAX);
    }
    let (ids, mut at) = stream_id::parse_counted(args, 4)?;
    let mut retry_count = None;
    let mut force = false;
    while at < args.len() {
        if args.is(at, "FORCE") {
            force = true;
            at += 1;
        } else if args.is(at, "RETRYCOUNT") {
            let count = args.int(args.value_of(at)?)?;
            retry_count = Some(u64::try_from(count).map_err(|_| SYNTAX)?);
            at += 2;
        } else {
            return Err(SYNTAX);
        }
    }
    let released = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        let Stream {
            groups, entries, ..
        } = stream;
        let group = groups.get_mut(args.get(2)).ok_or(NO_GROUP)?;
        if ids.iter().any(|id| is_released(group, *id)) {
            return Err(Reject::unsupported(
                "XNACK of an entry that nobody owns: its place in the order of releases",
            ));
        }
        let mut released = 0;
        for id in ids {
            let old = match group.pending(id) {
                Some((_, pending)) => failure.count(pending.count),
                None if force && entries.contains_key(&id) => match failure {
                    Failure::Fatal => failure.count(0),
                    Failure::Silent | Failure::Fail => 0,
                },
                None => continue,
            };
            group.release(id, 0, retry_count.unwrap_or(old));
            released += 1;
        }
        Ok(released)
    })?;
    Ok(Reply::count(released.ok_or(NO_GROUP)?))
}

fn is_released(group: &Group<'_>, id: StreamId) -> bool {
    matches!(group.pending(id), Some((Owner::Nobody, _)))
}
