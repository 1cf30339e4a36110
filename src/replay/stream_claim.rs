//! Who owns pending entries: XCLAIM, as logs hold it, and the client form XAUTOCLAIM,
//! which servers log as XCLAIM.

use super::reply::SYNTAX;
use super::stream_group::NO_GROUP;
use super::stream_id;
use super::{Args, Reject, Replayer, Reply};
use crate::num::{Flavor, Product};
use crate::store::stream::Fields;
use crate::store::{Group, Str, Stream, StreamId};

/// How releases treat pending entries whose entry was deleted, and new consumers.
#[derive(Clone, Copy)]
struct Rules {
    /// Such an entry goes when it is claimed; before 7.0 it changes its owner.
    drops_deleted: bool,
    /// A consumer is made even if nothing can be claimed (before 6.2, and from 7.2 on).
    creates_consumer: bool,
}

impl Rules {
    fn of(flavor: Flavor) -> Self {
        let since =
            |version| flavor.product == Product::Valkey || (flavor.major, flavor.minor) >= version;
        Rules {
            drops_deleted: since((7, 0)),
            creates_consumer: since((7, 2)) || !since((6, 2)),
        }
    }
}

/// The options of XCLAIM.
#[derive(Default)]
struct Claim {
    min_idle_ms: i64,
    ids: Vec<StreamId>,
    /// IDLE or TIME.
    delivered: Option<Delivered>,
    retry_count: Option<u64>,
    last_id: StreamId,
    force: bool,
    just_id: bool,
}

#[derive(Clone, Copy)]
enum Delivered {
    Ago(i64),
    At(i64),
}

impl Claim {
    fn parse(args: Args<'_, '_>) -> Result<Self, Reject> {
        let mut claim = Claim {
            min_idle_ms: args.int(4)?.max(0),
            ..Claim::default()
        };
        let mut at = 5;
        while at < args.len() {
            // The first argument that is no id begins the options.
            match stream_id::parse(args.get(at), 0) {
                Ok(id) => claim.ids.push(id),
                Err(_) => break,
            }
            at += 1;
        }
        while at < args.len() {
            if args.is(at, "FORCE") {
                claim.force = true;
                at += 1;
                continue;
            }
            if args.is(at, "JUSTID") {
                claim.just_id = true;
                at += 1;
                continue;
            }
            let value = args.value_of(at)?;
            if args.is(at, "IDLE") {
                claim.delivered = Some(Delivered::Ago(args.int(value)?));
            } else if args.is(at, "TIME") {
                claim.delivered = Some(Delivered::At(args.int(value)?));
            } else if args.is(at, "RETRYCOUNT") {
                claim.retry_count = u64::try_from(args.int(value)?).ok();
            } else if args.is(at, "LASTID") {
                claim.last_id = stream_id::parse(args.get(value), 0)?;
            } else {
                return Err(SYNTAX);
            }
            at = value + 1;
        }
        Ok(claim)
    }

    /// The time that claimed entries get. A server replaces a time in its future by its
    /// own; a log holds only times that were past, so one is taken as it stands.
    fn delivered_at_ms(&self, replayer: &mut Replayer<'_>) -> i64 {
        match self.delivered {
            Some(Delivered::At(ms)) if ms >= 0 => ms,
            Some(Delivered::Ago(ms)) => {
                let now_ms = replayer.now_ms();
                let at_ms = now_ms.saturating_sub(ms);
                if (0..=now_ms).contains(&at_ms) {
                    at_ms
                } else {
                    now_ms
                }
            }
            Some(Delivered::At(_)) | None => replayer.now_ms(),
        }
    }
}

/// `XCLAIM key group consumer min-idle id .. [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE]
/// [JUSTID] [LASTID id]`
pub(super) fn xclaim<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let claim = Claim::parse(args)?;
    let rules = Rules::of(replayer.flavor());
    let delivered_at_ms = claim.delivered_at_ms(replayer);
    let now_ms = if claim.min_idle_ms > 0 {
        replayer.now_ms()
    } else {
        replayer.load_time_ms()
    };
    let claimed = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        let Stream {
            groups, entries, ..
        } = stream;
        let group = groups.get_mut(args.get(2)).ok_or(NO_GROUP)?;
        group.last_id = group.last_id.max(claim.last_id);
        if rules.creates_consumer {
            group.create_consumer(args.bytes(3), now_ms);
        }
        let mut claimed = Vec::new();
        for id in &claim.ids {
            let entry = entries.get(id);
            let old = group.pending(*id).map(|(_, pending)| *pending);
            match (entry, old) {
                (None, Some(_)) if rules.drops_deleted => {
                    group.acknowledge(*id);
                    continue;
                }
                (None, None) | (Some(_), None) if entry.is_none() || !claim.force => continue,
                _ => {}
            }
            let idle_ms = old.map_or(i64::MAX, |old| now_ms.saturating_sub(old.delivered_at_ms));
            // An annotation's whole second may lie before the delivery.
            if claim.min_idle_ms > 0 && idle_ms < claim.min_idle_ms {
                continue;
            }
            let count = match (claim.retry_count, old) {
                (Some(count), _) => count,
                (None, Some(old)) => old.count.saturating_add(u64::from(!claim.just_id)),
                // A new item counts as delivered once, and then as claimed.
                (None, None) => 1 + u64::from(!claim.just_id),
            };
            give(group, args, 3, *id, delivered_at_ms, count, now_ms);
            claimed.push(answer(*id, entry, claim.just_id));
        }
        Ok(Reply::Array(claimed))
    })?;
    claimed.ok_or(NO_GROUP)
}

/// Makes the consumer that an argument names the owner of an entry.
pub(super) fn give<'a>(
    group: &mut Group<'a>,
    args: Args<'_, 'a>,
    consumer: usize,
    id: StreamId,
    delivered_at_ms: i64,
    count: u64,
    now_ms: i64,
) {
    group.create_consumer(args.bytes(consumer), now_ms);
    group.assign(id, args.get(consumer), delivered_at_ms, count);
    if let Some(consumer) = group.consumer_mut(args.get(consumer)) {
        consumer.active_at_ms = now_ms;
    }
}

/// An entry, or its id.
pub(super) fn answer<'a>(id: StreamId, fields: Option<&Fields<'a>>, just_id: bool) -> Reply<'a> {
    let id = Reply::Bulk(id.to_string().into_bytes().into());
    if just_id {
        return id;
    }
    let Some(fields) = fields else {
        return Reply::Nil;
    };
    let texts = fields.iter().flat_map(|(field, value)| [field, value]);
    let texts = texts.map(|text| Reply::Bulk(Str::from(text.to_vec())));
    let fields = texts.collect();
    Reply::Array(vec![id, Reply::Array(fields)])
}

/// The options of XAUTOCLAIM.
struct AutoClaim {
    min_idle_ms: i64,
    start: StreamId,
    count: usize,
    just_id: bool,
}

impl AutoClaim {
    /// Pending entries looked at for each one that may be claimed.
    const ATTEMPTS: usize = 10;

    fn parse(args: Args<'_, '_>) -> Result<Self, Reject> {
        const BAD_COUNT: Reject = Reject::error("ERR COUNT must be > 0");
        const EXCLUDED: Reject = Reject::error("ERR invalid start ID for the interval");
        let (mut start, excluded) = stream_id::parse_bound(args.get(5), 0)?;
        let mut claim = AutoClaim {
            min_idle_ms: args.int(4)?.max(0),
            start,
            count: 100,
            just_id: false,
        };
        if excluded {
            start = start.next().ok_or(EXCLUDED)?;
            claim.start = start;
        }
        let mut at = 6;
        while at < args.len() {
            if args.is(at, "JUSTID") {
                claim.just_id = true;
            } else if args.is(at, "COUNT") {
                at = args.value_of(at)?;
                let count = usize::try_from(args.int(at)?).ok();
                // The servers' own bound: ids of 16 bytes.
                let in_range = |count: &usize| (1..=i64::MAX as usize / 16).contains(count);
                claim.count = count.filter(in_range).ok_or(BAD_COUNT)?;
            } else {
                return Err(SYNTAX);
            }
            at += 1;
        }
        Ok(claim)
    }
}

/// `XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]`, which servers log
/// as XCLAIM.
pub(super) fn xautoclaim<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let claim = AutoClaim::parse(args)?;
    let rules = Rules::of(replayer.flavor());
    let now_ms = replayer.load_time_ms();
    let claimed = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        let Stream {
            groups, entries, ..
        } = stream;
        let group = groups.get_mut(args.get(2)).ok_or(NO_GROUP)?;
        refuse_released(group)?;
        if rules.creates_consumer {
            group.create_consumer(args.bytes(3), now_ms);
        }
        let attempts = claim.count.saturating_mul(AutoClaim::ATTEMPTS);
        let mut left = claim.count;
        let (mut taken, mut deleted) = (Vec::new(), Vec::new());
        let mut looked_at = 0;
        let mut cursor = StreamId::MIN;
        for (id, _, pending) in group.iter_pending_from(claim.start) {
            if looked_at == attempts || left == 0 {
                cursor = id;
                break;
            }
            looked_at += 1;
            if rules.drops_deleted && !entries.contains_key(&id) {
                deleted.push(id);
                left -= 1;
            } else if now_ms.saturating_sub(pending.delivered_at_ms) >= claim.min_idle_ms
                || claim.min_idle_ms == 0
            {
                taken.push((id, pending.count));
                left -= 1;
            }
        }
        let answers = taken.iter().map(|(id, count)| {
            let count = count.saturating_add(u64::from(!claim.just_id));
            give(group, args, 3, *id, now_ms, count, now_ms);
            answer(*id, entries.get(id), claim.just_id)
        });
        let answers = Reply::Array(answers.collect());
        for id in &deleted {
            group.acknowledge(*id);
        }
        let mut reply = vec![answer(cursor, None, true), answers];
        if rules.drops_deleted {
            let deleted = deleted.into_iter().map(|id| answer(id, None, true));
            reply.push(Reply::Array(deleted.collect()));
        }
        Ok((Reply::Array(reply), looked_at > 0))
    })?;
    let (reply, depends_on_time) = claimed.ok_or(NO_GROUP)?;
    if depends_on_time {
        replayer.now_ms();
    }
    Ok(reply)
}

/// Refuses a group with entries that XNACK released: no server was at hand to show in
/// which order they are claimed.
pub(super) fn refuse_released(group: &Group<'_>) -> Result<(), Reject> {
    match group.nacked().next() {
        Some(_) => Err(Reject::unsupported(
            "a claim by idle time in a group with entries that XNACK released",
        )),
        None => Ok(()),
    }
}
