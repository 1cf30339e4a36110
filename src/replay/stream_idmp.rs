//! Idempotent production (Redis 8.6): XADD with IDMP or IDMPAUTO, XCFGSET, XIDMPRECORD.
//!
//! A producer's message id is remembered with the entry that it made. Servers forget
//! it after a time, which is not followed: an XADD with an explicit id was new to the
//! server that wrote the log, whatever is remembered here, and one with `*` repeated
//! a message. When a server rewrites its log it leaves out messages whose entries
//! are gone; one that is repeated after that makes a new entry in a server that loads
//! the log, at the time of loading, and so it does here.
//!
//! IDMPAUTO derives the message id from the entry, whatever the order of its fields:
//!
//! ```text
//! hash of a pair = XXH3-128(field, length of the field as 8 bytes LE, value)
//! low  = sum of the pairs' low words  ^ (xor of their high words rotated left by 1)
//! high = sum of the pairs' high words ^ (xor of their low words rotated left by 1)
//! message id = low and high, 8 bytes LE each
//! ```

use std::borrow::Cow;

use xxhash_rust::xxh3::Xxh3;

use super::reply::{NO_SUCH_KEY, SYNTAX};
use super::stream_id;
use super::{Args, Reject, Replayer, Reply};
use crate::model::stream::Idmp as Settings;
use crate::store::{Bytes, Idmp, Stream, StreamId};

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

    /// The message id; `fields` is the index of the entry's first field.
    fn iid<'b>(self, args: Args<'b, '_>, fields: usize) -> Cow<'b, [u8]> {
        match self.iid {
            Some(at) => Cow::Borrowed(args.get(at)),
            None => {
                let pairs = (fields..args.len()).step_by(2);
                let derived = derive_iid(pairs.map(|at| (args.get(at), args.get(at + 1))));
                Cow::Owned(derived.to_vec())
            }
        }
    }

    /// Whether the message is remembered as sent.
    pub(super) fn is_known(
        self,
        args: Args<'_, '_>,
        fields: usize,
        stream: Option<&Stream<'_>>,
    ) -> bool {
        let iid = self.iid(args, fields);
        stream.is_some_and(|stream| stream.idmp.find(args.get(self.producer), &iid).is_some())
    }

    /// Remembers the entry that the message made.
    pub(super) fn record<'a>(
        self,
        args: Args<'_, 'a>,
        fields: usize,
        stream: &mut Stream<'a>,
        id: StreamId,
    ) {
        let iid = match self.iid {
            Some(at) => args.bytes(at),
            None => Bytes::from(self.iid(args, fields).into_owned()),
        };
        let idmp = &mut stream.idmp;
        idmp.iids_added += 1;
        let max_entries = idmp.max_entries;
        let producer = idmp.producers.entry(args.bytes(self.producer)).or_default();
        // What was remembered had been forgotten by the server, and so had all before it.
        while producer.find(&iid).is_some() {
            producer.pop_oldest();
        }
        producer.insert(iid, id);
        while producer.len() as u64 > max_entries {
            producer.pop_oldest();
        }
    }
}

/// The message id that IDMPAUTO gives to an entry.
fn derive_iid<'b>(pairs: impl Iterator<Item = (&'b [u8], &'b [u8])>) -> [u8; 16] {
    let (mut sum, mut xor) = ([0u64; 2], [0u64; 2]);
    for (field, value) in pairs {
        let mut hasher = Xxh3::new();
        hasher.update(field);
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(value);
        let hash = hasher.digest128();
        for (at, word) in [hash as u64, (hash >> 64) as u64].into_iter().enumerate() {
            sum[at] = sum[at].wrapping_add(word);
            xor[at] ^= word;
        }
    }
    let low = sum[0] ^ xor[1].rotate_left(1);
    let high = sum[1] ^ xor[0].rotate_left(1);
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
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
            (&mut duration, Settings::DURATIONS_S)
        } else if args.is(at, "IDMP-MAXSIZE") {
            (&mut max_entries, Settings::MAXIMA)
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
            None => message.record(args, args.len(), stream, id),
        }
        Ok(())
    })?;
    done.map(|()| Reply::Ok).ok_or(NO_SUCH_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Redis 8.6.2 derived them.
    #[test]
    fn derived_message_ids_are_those_of_servers() {
        let derived = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(f, v)| (f.as_bytes(), v.as_bytes()));
            let bytes = derive_iid(pairs);
            bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        assert_eq!(derived(&[("f", "v")]), "6e95729ee727f0814aedffba55730079");
        assert_eq!(derived(&[("fv", "")]), "e3567d0a61d4ef6b654a49dbcd9ddb90");
        let two = "845d09935adce8c49c7b239550de2bcd";
        assert_eq!(derived(&[("f", "v"), ("g", "w")]), two);
        assert_eq!(derived(&[("g", "w"), ("f", "v")]), two);
    }
}
