//! XREADGROUP, which servers log as XCLAIM and XGROUP SETID: only logs that no server
//! wrote hold it, and scripts.

use super::reply::SYNTAX;
use super::stream_claim::{answer, give, refuse_released};
use super::stream_group::NO_GROUP;
use super::stream_id;
use super::{Args, Reject, Replayer, Reply};
use crate::num::{Flavor, Product};
use crate::store::{Group, Owner, Stream, StreamId};

/// How a group counts what it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// Not at all (before 7.0).
    None,
    /// From one entry to the next unless an entry after it was deleted.
    SinceEntry,
    /// From one entry to the next unless one after the last that was read is missing.
    SinceLastRead,
}

/// Where releases differ.
#[derive(Clone, Copy, Debug)]
struct Rules {
    counting: Counting,
    /// A consumer is made even if there is nothing to read.
    creates_consumer: bool,
    /// An empty read depends on the last entry, not on the last id.
    asks_last_entry: bool,
    claim: bool,
    caps: bool,
}

impl Rules {
    fn of(flavor: Flavor) -> Self {
        let is_redis = flavor.product == Product::Redis;
        let version = (flavor.major, flavor.minor);
        let counting = match flavor.product {
            Product::Redis if version < (7, 0) => Counting::None,
            Product::Redis if version < (8, 0) => Counting::SinceEntry,
            Product::Valkey if version < (8, 1) => Counting::SinceEntry,
            _ => Counting::SinceLastRead,
        };
        Rules {
            counting,
            creates_consumer: !is_redis || version >= (7, 2),
            asks_last_entry: !is_redis || version >= (6, 2),
            claim: is_redis && version >= (8, 4),
            caps: is_redis && version >= (8, 10),
        }
    }
}

/// What a stream says about the number of entries before one of its own.
#[derive(Clone, Copy, Debug)]
struct Shape {
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    len: u64,
    entries_added: u64,
}

impl Shape {
    fn of(stream: &Stream<'_>) -> Self {
        Shape {
            first_id: stream.first_id(),
            last_id: stream.last_id,
            max_deleted_id: stream.max_deleted_id,
            len: stream.len() as u64,
            entries_added: stream.entries_added,
        }
    }

    /// Whether an entry at or after an id was deleted, among those that are there.
    fn is_missing_after(&self, id: StreamId) -> bool {
        self.max_deleted_id != StreamId::MIN
            && self.first_id <= self.max_deleted_id
            && id <= self.max_deleted_id
    }

    /// The number of entries ever added up to an id, -1 if it cannot be known.
    fn entries_up_to(&self, id: StreamId, counting: Counting) -> i64 {
        let added = i64::try_from(self.entries_added).unwrap_or(i64::MAX);
        let len = i64::try_from(self.len).unwrap_or(i64::MAX);
        match () {
            () if self.len == 0 && id <= self.last_id => added,
            () if counting == Counting::SinceLastRead && id < self.max_deleted_id => -1,
            () if id == self.last_id => added,
            () if id > self.last_id || self.max_deleted_id >= self.first_id => -1,
            () if id < self.first_id => added - len,
            () if id == self.first_id => added - len + 1,
            () => -1,
        }
    }

    /// Moves a group on to an entry.
    fn advance(&self, group: &mut Group<'_>, id: StreamId, counting: Counting) {
        let counts_on = group.entries_read != -1
            && match counting {
                Counting::None => false,
                Counting::SinceEntry => !self.is_missing_after(id),
                Counting::SinceLastRead => {
                    group.last_id >= self.first_id && !self.is_missing_after(group.last_id)
                }
            };
        if counts_on {
            group.entries_read = group.entries_read.saturating_add(1);
        } else if counting != Counting::None && self.entries_added > 0 {
            group.entries_read = self.entries_up_to(id, counting);
        }
        group.last_id = id;
    }
}

/// The options of XREADGROUP.
struct Read {
    /// Index of the group; the consumer follows.
    group: usize,
    count: usize,
    no_ack: bool,
    /// CLAIM: milliseconds for which an entry must have been idle.
    min_idle_ms: Option<i64>,
    /// Index of the first key.
    keys: usize,
    /// Number of keys; as many ids follow.
    streams: usize,
}

impl Read {
    fn parse(args: Args<'_, '_>, rules: Rules) -> Result<Self, Reject> {
        let mut read = Read {
            group: 0,
            count: usize::MAX,
            no_ack: false,
            min_idle_ms: None,
            keys: 0,
            streams: 0,
        };
        let mut at = 1;
        while at < args.len() {
            if args.is(at, "NOACK") {
                read.no_ack = true;
                at += 1;
                continue;
            }
            let value = args.value_of(at)?;
            if args.is(at, "STREAMS") {
                read.keys = value;
                break;
            } else if args.is(at, "GROUP") {
                read.group = value;
                at = args.value_of(value)? + 1;
                continue;
            } else if args.is(at, "BLOCK") {
                check_block(args, value)?;
            } else if args.is(at, "COUNT") {
                let count = usize::try_from(args.int(value)?).unwrap_or(0);
                read.count = if count == 0 { usize::MAX } else { count };
            } else if rules.claim && args.is(at, "CLAIM") {
                const NEGATIVE: Reject =
                    Reject::error("ERR min-idle-time must be a positive integer");
                let min_idle_ms = args.int(value)?;
                read.min_idle_ms = Some(min_idle_ms);
                if min_idle_ms < 0 {
                    return Err(NEGATIVE);
                }
            } else if rules.caps && (args.is(at, "MAXCOUNT") || args.is(at, "MAXSIZE")) {
                return Err(Reject::unsupported(
                    "XREADGROUP with MAXCOUNT or MAXSIZE, which no server at hand has",
                ));
            } else {
                return Err(SYNTAX);
            }
            at = value + 1;
        }
        if read.keys == 0 {
            return Err(SYNTAX);
        }
        let words = args.len() - read.keys;
        if !words.is_multiple_of(2) {
            return Err(Reject::error(
                "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
            ));
        }
        read.streams = words / 2;
        if read.group == 0 {
            return Err(Reject::error("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(read)
    }
}

/// A client that stands for a log never waits.
fn check_block(args: Args<'_, '_>, at: usize) -> Result<(), Reject> {
    if args.in_log(at).is_none() {
        return Err(Reject::error(
            "ERR xreadgroup command is not allowed with BLOCK option from scripts",
        ));
    }
    const BAD: Reject = Reject::error("ERR timeout is not an integer or out of range");
    match args.int(at) {
        Ok(0..) => Ok(()),
        Ok(_) => Err(Reject::error("ERR timeout is negative")),
        Err(_) => Err(BAD),
    }
}

/// `XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] [CLAIM min-idle]
/// STREAMS key .. id | > ..`
pub(super) fn xreadgroup<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let rules = Rules::of(replayer.flavor());
    let read = Read::parse(args, rules)?;
    // All are looked at before the first is read.
    let mut wanted = Vec::with_capacity(read.streams);
    for key in read.keys..read.keys + read.streams {
        let stream = replayer.get::<Stream<'a>>(args.get(key))?.ok_or(NO_GROUP)?;
        let group = stream.groups.get(args.get(read.group)).ok_or(NO_GROUP)?;
        let after = match args.get(key + read.streams) {
            b">" => None,
            // Servers write `>` as the last id there can be.
            id => Some(stream_id::parse(id, 0)?).filter(|id| *id != StreamId::MAX),
        };
        if read.min_idle_ms.is_some() && after.is_none() {
            refuse_released(group)?;
        }
        wanted.push((key, after));
    }
    let now_ms = replayer.load_time_ms();
    let mut found = Vec::new();
    let mut depends_on_time = false;
    for (key, after) in wanted {
        let answers = replayer.update(args.get(key), |stream: &mut Stream<'a>| {
            let mut reader = Reader {
                args,
                read: &read,
                rules,
                now_ms,
                depends_on_time: false,
            };
            let answers = match after {
                Some(id) => reader.history(stream, id)?,
                None => reader.new_entries(stream)?,
            };
            depends_on_time |= reader.depends_on_time;
            Ok(answers)
        })?;
        if let Some(Some(answers)) = answers {
            let name = Reply::Bulk(args.str(key));
            found.push(Reply::Array(vec![name, Reply::Array(answers)]));
        }
    }
    if depends_on_time {
        replayer.now_ms();
    }
    Ok(match found.is_empty() {
        true => Reply::Nil,
        false => Reply::Array(found),
    })
}

/// One stream read by one consumer; answers are absent where there was nothing to do.
struct Reader<'r, 'a> {
    args: Args<'r, 'a>,
    read: &'r Read,
    rules: Rules,
    now_ms: i64,
    depends_on_time: bool,
}

impl<'a> Reader<'_, 'a> {
    fn consumer(&self) -> usize {
        self.read.group + 1
    }

    fn create_consumer(&self, group: &mut Group<'a>) {
        group.create_consumer(self.args.bytes(self.consumer()), self.now_ms);
    }

    fn give(&mut self, group: &mut Group<'a>, id: StreamId, count: u64) {
        self.depends_on_time = true;
        let consumer = self.consumer();
        give(
            group,
            self.args,
            consumer,
            id,
            self.now_ms,
            count,
            self.now_ms,
        );
    }

    /// What the consumer has pending after an id, delivered once more.
    fn history(
        &mut self,
        stream: &mut Stream<'a>,
        after: StreamId,
    ) -> Result<Option<Vec<Reply<'a>>>, Reject> {
        let name = self.args.get(self.read.group);
        let group = stream.groups.get_mut(name).ok_or(NO_GROUP)?;
        self.create_consumer(group);
        let owner = Owner::Consumer(self.args.get(self.consumer()));
        let first = after.next().unwrap_or(StreamId::MAX);
        let own: Vec<_> = group
            .iter_pending_from(first)
            .filter(|(_, other, _)| *other == owner)
            .take(self.read.count)
            .map(|(id, _, pending)| (id, pending.count))
            .collect();
        let mut answers = Vec::new();
        for (id, count) in own {
            let fields = stream.entries.get(&id);
            if fields.is_some() {
                self.depends_on_time = true;
                if let Some(pending) = group.pending_mut(id) {
                    pending.delivered_at_ms = self.now_ms;
                    pending.count = count.saturating_add(1);
                }
            }
            answers.push(match fields {
                Some(_) => answer(id, fields, false),
                None => Reply::Array(vec![answer(id, None, true), Reply::Nil]),
            });
        }
        Ok(Some(answers))
    }

    /// What nobody has read yet; with CLAIM first what others have left lying.
    fn new_entries(&mut self, stream: &mut Stream<'a>) -> Result<Option<Vec<Reply<'a>>>, Reject> {
        let shape = Shape::of(stream);
        let Stream {
            groups, entries, ..
        } = stream;
        let name = self.args.get(self.read.group);
        let group = groups.get_mut(name).ok_or(NO_GROUP)?;
        if self.rules.creates_consumer {
            self.create_consumer(group);
        }
        let mut left = self.read.count;
        let mut answers = Vec::new();
        if let Some(min_idle_ms) = self.read.min_idle_ms {
            let mut idle: Vec<_> = group
                .iter_pending()
                .map(|(id, _, pending)| (pending.delivered_at_ms, id, pending.count))
                .filter(|(at_ms, ..)| self.now_ms.saturating_sub(*at_ms) >= min_idle_ms)
                .collect();
            self.depends_on_time |= group.pending_len() > 0;
            idle.sort_unstable();
            for (_, id, count) in idle {
                if left == 0 {
                    break;
                }
                // What was deleted stays pending where it was.
                let Some(fields) = entries.get(&id) else {
                    continue;
                };
                self.give(group, id, count.saturating_add(1));
                answers.push(answer(id, Some(fields), false));
                left -= 1;
            }
        }
        let last = match entries.last_key_value() {
            Some((last, _)) if self.rules.asks_last_entry => *last,
            Some(_) => shape.last_id,
            None => StreamId::MIN,
        };
        if last <= group.last_id {
            return Ok(Some(answers).filter(|answers| !answers.is_empty()));
        }
        self.create_consumer(group);
        let first = group.last_id.next().unwrap_or(StreamId::MAX);
        for (id, fields) in entries.range(first..).take(left) {
            shape.advance(group, *id, self.rules.counting);
            if !self.read.no_ack {
                self.give(group, *id, 1);
            }
            answers.push(answer(*id, Some(fields), false));
        }
        Ok(Some(answers))
    }
}
