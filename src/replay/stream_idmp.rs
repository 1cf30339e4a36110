//! Idempotent production (Redis 8.6): XADD with IDMP or IDMPAUTO, XCFGSET, XIDMPRECORD.
//!
//! A producer's message id is remembered with the entry that it made. Servers forget
//! it after a time, which is not followed: an XADD with an explicit id was new to the
//! server that wrote the log, whatever is remembered here, and one with `*` repeated
//! a message. IDMPAUTO derives the message id from the fields in a way that is not
//! known; such ids are counted, not kept.

use super::reply::{NO_SUCH_KEY, SYNTAX};
use super::stream_id;
use super::{Args, Reject, Replayer, Reply};
use crate::store::{Idmp, Stream, StreamId};

/// IDMP or IDMPAUTO as given: the indexes of what they name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    producer: usize,
    /// None for IDMPAUTO.
    iid: Option<usize>,
}

impl Message {
    /// Takes the option at an argument; gives the place after it.
    pub(super) fn take(args: Args<'_, '_>, at: usize) -> Result<Option<(Self, usize)>, Reject> {
        let words = if args.is(at, "IDMP") {
            2
        } else if args.is(at, "IDMPAUTO") {
            1
        } else {
            return Ok(None);
        };
        let next = at + 1 + words;
        if next > args.len() {
            return Err(SYNTAX);
        }
        if args.get(at + 1).is_empty() || words == 2 && args.get(at + 2).is_empty() {
            return Err(Reject::error(
                "ERR IDMP requires a non-empty producer ID and idempotent ID",
            ));
        }
        let message = Message {
            producer: at + 1,
            iid: (words == 2).then_some(at + 2),
        };
        Ok(Some((message, next)))
    }

    /// Makes sure that a message which the log calls repeated is remembered.
    pub(super) fn find(
        self,
        args: Args<'_, '_>,
        stream: Option<&Stream<'_>>,
    ) -> Result<(), Reject> {
        let producer = stream.and_then(|stream| stream.idmp.producers.get(args.get(self.producer)));
        let known = producer.is_some_and(|producer| match self.iid {
            Some(iid) => producer.find(args.get(iid)).is_some(),
            None => producer.underived > 0 || !producer.is_empty(),
        });
        if known {
            Ok(())
        } else {
            Err(Reject::unsupported(
                "XADD with `*` for a message that is not remembered as sent",
            ))
        }
    }

    /// Remembers the entry that the message made.
    pub(super) fn record<'a>(self, args: Args<'_, 'a>, stream: &mut Stream<'a>, id: StreamId) {
        let idmp = &mut stream.idmp;
        idmp.iids_added += 1;
        let max_entries = idmp.max_entries;
        let producer = idmp.producers.entry(args.bytes(self.producer)).or_default();
        let Some(iid) = self.iid else {
            producer.underived += 1;
            return;
        };
        // What was remembered had been forgotten by the server, and so had all before it.
        while producer.find(args.get(iid)).is_some() {
            producer.pop_oldest();
        }
        producer.insert(args.bytes(iid), id);
        while producer.len() as u64 > max_entries {
            producer.pop_oldest();
        }
    }
}

/// `XCFGSET key [IDMP-DURATION s] [IDMP-MAXSIZE n]`: forgets all messages if that
/// changes anything.
pub(super) fn xcfgset<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut duration = None;
    let mut max_entries = None;
    for at in (2..args.len()).step_by(2) {
        let (setting, range) = if args.is(at, "IDMP-DURATION") {
            (&mut duration, 1..=86_400)
        } else if args.is(at, "IDMP-MAXSIZE") {
            (&mut max_entries, 1..=10_000)
        } else {
            return Err(SYNTAX);
        };
        let value = u64::try_from(args.int(args.value_of(at)?)?).unwrap_or(0);
        if !range.contains(&value) {
            return Err(Reject::error("ERR a setting of IDMP is out of range"));
        }
        if setting.replace(value).is_some() {
            return Err(Reject::error(
                "ERR a setting of IDMP specified multiple times",
            ));
        }
    }
    if args.len() == 2 {
        return Err(Reject::error(
            "ERR At least one parameter must be specified",
        ));
    }
    let done = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        let idmp = &mut stream.idmp;
        let new = (
            duration.unwrap_or(idmp.duration_s),
            max_entries.unwrap_or(idmp.max_entries),
        );
        if new != (idmp.duration_s, idmp.max_entries) {
            *idmp = Idmp {
                duration_s: new.0,
                max_entries: new.1,
                iids_added: idmp.iids_added,
                iids_duplicates: idmp.iids_duplicates,
                ..Idmp::default()
            };
        }
        Ok(())
    })?;
    done.map(|()| Reply::Ok).ok_or(NO_SUCH_KEY)
}

/// `XIDMPRECORD key producer message-id id`: remembers a message (in rewritten logs).
pub(super) fn xidmprecord<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let message = Message {
        producer: 2,
        iid: Some(3),
    };
    if args.get(2).is_empty() || args.get(3).is_empty() {
        return Err(Reject::error(
            "ERR IDMP requires a non-empty producer ID and idempotent ID",
        ));
    }
    let id = stream_id::parse(args.get(4), 0)?;
    let done = replayer.update(args.get(1), |stream: &mut Stream<'a>| {
        if !stream.entries.contains_key(&id) {
            return Err(Reject::error("ERR No such message in stream"));
        }
        match stream.idmp.find(args.get(2), args.get(3)) {
            Some(old) if old == id => {}
            Some(_) => {
                return Err(Reject::error(
                    "ERR IID already exists for this producer with a different stream ID",
                ));
            }
            None => message.record(args, stream, id),
        }
        Ok(())
    })?;
    done.map(|()| Reply::Ok).ok_or(NO_SUCH_KEY)
}
