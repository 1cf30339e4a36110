//! Streams: nodes of entries, counters, consumer groups, idempotent producers.
//!
//! ```text
//! length n, n × (string node key of 16 bytes, string(listpack))   see encoding/stream_node.rs
//! length length, ID last_id
//! [V2] ID first_id, ID max_deleted_id, length entries_added
//! length g, g × group
//! [V4] length duration_s, length max, length p, p × producer, length iids_added, length iids_duplicates
//!
//! ID       = length ms, length seq
//! group    = string name, ID last_id, [V2] length entries_read (2^64-1 is unknown)
//!            length n, n × (RAW id, i64 delivered_at_ms, length count)
//!            length c, c × consumer, [V5] length n, n × RAW id nacked
//! consumer = string name, i64 seen_at_ms, [V3] i64 active_at_ms, length n, n × RAW id
//! producer = string id, length n, n × (string iid, ID)
//! RAW id   = 16 bytes: u64 BE ms, u64 BE seq
//! ```
//!
//! Types 15, 19, 21, 26 and 27 are V1 (5.0), V2 (7.0), V3 (7.2), V4 (Redis 8.6) and
//! V5 (Redis 8.8). Source: `rdb.c rdbLoadObject`. A consumer's ids must be in its
//! group's PEL, each with one owner; before V5 every pending entry has one.

use nom::bytes::streaming::take;
use nom::number::streaming::{be_u64, le_i64};

use super::{RawValue, Scratch, skip_strings};
use crate::bytes::Text;
use crate::encoding::StreamNode;

use crate::error::{Code, Fail, Flaw, Parsed, Result};
use crate::model::stream::{Consumer, Group, Idmp, Pending, Producer, StreamId, StreamState};
use crate::rdb::length::{count, length};
use crate::rdb::string::{blob, skip_string, string};

/// Which fields a stream has, by its type byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Version {
    V1,
    V2,
    V3,
    V4,
    V5,
}

pub(super) const RAW_ID_BYTES: usize = 16;

impl Version {
    pub(super) fn skip(self, input: &[u8]) -> Parsed<'_, ()> {
        let (mut rest, nodes) = count(input)?;
        for _ in 0..nodes {
            (rest, ()) = skip_strings(rest, 2)?;
        }
        (rest, ()) = skip_lengths(rest, if self >= Version::V2 { 8 } else { 3 })?;
        let groups;
        (rest, groups) = count(rest)?;
        for _ in 0..groups {
            (rest, ()) = self.skip_group(rest)?;
        }
        match self >= Version::V4 {
            true => skip_idmp(rest),
            false => Ok((rest, ())),
        }
    }

    fn skip_group(self, input: &[u8]) -> Parsed<'_, ()> {
        let (rest, ()) = skip_string(input)?;
        let (rest, ()) = skip_lengths(rest, if self >= Version::V2 { 3 } else { 2 })?;
        let (mut rest, pending) = count(rest)?;
        for _ in 0..pending {
            (rest, _) = take(RAW_ID_BYTES + size_of::<i64>())(rest)?;
            (rest, _) = length(rest)?;
        }
        let consumers;
        (rest, consumers) = count(rest)?;
        for _ in 0..consumers {
            (rest, ()) = skip_string(rest)?;
            (rest, _) = take(if self >= Version::V3 { 16usize } else { 8 })(rest)?;
            (rest, ()) = skip_raw_ids(rest)?;
        }
        match self >= Version::V5 {
            true => skip_raw_ids(rest),
            false => Ok((rest, ())),
        }
    }
}

fn skip_lengths(mut input: &[u8], n: u32) -> Parsed<'_, ()> {
    for _ in 0..n {
        (input, _) = length(input)?;
    }
    Ok((input, ()))
}

fn skip_raw_ids(input: &[u8]) -> Parsed<'_, ()> {
    let (mut rest, n) = count(input)?;
    for _ in 0..n {
        (rest, _) = take(RAW_ID_BYTES)(rest)?;
    }
    Ok((rest, ()))
}

fn skip_idmp(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, ()) = skip_lengths(input, 2)?;
    let (mut rest, producers) = count(rest)?;
    for _ in 0..producers {
        (rest, ()) = skip_string(rest)?;
        let entries;
        (rest, entries) = count(rest)?;
        for _ in 0..entries {
            (rest, ()) = skip_string(rest)?;
            (rest, ()) = skip_lengths(rest, 2)?;
        }
    }
    skip_lengths(rest, 2)
}

fn id(input: &[u8]) -> Parsed<'_, StreamId> {
    let (rest, ms) = length(input)?;
    let (rest, seq) = length(rest)?;
    Ok((rest, StreamId { ms, seq }))
}

fn raw_id(input: &[u8]) -> Parsed<'_, StreamId> {
    let (rest, ms) = be_u64(input)?;
    let (rest, seq) = be_u64(rest)?;
    Ok((rest, StreamId { ms, seq }))
}

fn name(input: &[u8]) -> Parsed<'_, Vec<u8>> {
    let (rest, name) = string(input)?;
    match name.to_vec() {
        Ok(name) => Ok((rest, name)),
        Err(flaw) => Err(nom::Err::Failure(flaw.in_string(input))),
    }
}

/// Room for `declared` elements, as far as the bytes left could hold so many.
fn room<T>(declared: u64, left: &[u8], element_bytes: usize) -> Vec<T> {
    let possible = (left.len() / element_bytes) as u64;
    Vec::with_capacity(declared.min(possible) as usize)
}

/// Checks that no name stands twice.
fn each_once<'n>(
    names: impl Iterator<Item = &'n Vec<u8>>,
    input: &[u8],
    what: &'static str,
) -> Result<(), nom::Err<Fail>> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadStream,
            what,
            "each once",
            "one twice",
        ))),
        false => Ok(()),
    }
}

/// A stream value.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    pub(crate) raw: RawValue<'a>,
    pub(crate) version: Version,
}

/// What the nodes of a stream hold, counted while walking them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryTotals {
    /// Nodes of the radix tree.
    pub nodes: u64,
    /// Entries that are not deleted.
    pub live: u64,
    /// Entries marked as deleted.
    pub deleted: u64,
    /// Id of the first live entry.
    pub first_id: Option<StreamId>,
    /// The greatest id, deleted ones included.
    pub greatest_id: Option<StreamId>,
    /// The greatest id that is marked as deleted.
    pub greatest_deleted_id: Option<StreamId>,
}

impl Stream<'_> {
    /// The name of the encoding.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self.version {
            Version::V1 => "stream_v1",
            Version::V2 => "stream_v2",
            Version::V3 => "stream_v3",
            Version::V4 => "stream_v4",
            Version::V5 => "stream_v5",
        }
    }

    /// Calls `f` with id and fields of each live entry, ascending, and counts what is there.
    ///
    /// # Errors
    /// A node that breaks a rule, or ids that do not ascend; entries before it were passed on.
    pub fn for_each_entry(
        &self,
        scratch: &mut Scratch,
        f: impl FnMut(StreamId, &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>),
    ) -> Result<EntryTotals> {
        self.walk(scratch, f)
            .map_err(|failure| self.raw.locate(failure))
    }

    fn walk(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(StreamId, &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>),
    ) -> Result<EntryTotals, nom::Err<Fail>> {
        let (mut rest, nodes) = count(self.raw.bytes)?;
        let mut totals = EntryTotals {
            nodes,
            ..EntryTotals::default()
        };
        for _ in 0..nodes {
            let (after, key) = blob(rest, &mut scratch.first)?;
            let master = match raw_id(key) {
                Ok(([], master)) => master,
                _ => {
                    return Err(nom::Err::Failure(Fail::broken(
                        rest,
                        Code::BadStream,
                        "length of a node key",
                        RAW_ID_BYTES,
                        key.len(),
                    )));
                }
            };
            let (next, bytes) = blob(after, &mut scratch.blob)?;
            let flawed =
                |flaw: Flaw| -> nom::Err<Fail> { nom::Err::Failure(flaw.in_string(after)) };
            let listpack = scratch.form.node(bytes).map_err(flawed)?;
            let node = StreamNode::of(listpack, (master.ms, master.seq)).map_err(flawed)?;
            let mut entries = node.entries();
            while let Some(mut entry) = entries.next_entry().map_err(flawed)? {
                let (ms, seq) = entry.id();
                let id = StreamId { ms, seq };
                if totals.greatest_id.is_some_and(|greatest| greatest >= id) {
                    let what = "id of a stream entry";
                    let fail = Fail::broken(
                        rest,
                        Code::BadOrder,
                        what,
                        "one above those of the nodes before",
                        "one that is not",
                    );
                    return Err(nom::Err::Failure(fail));
                }
                totals.greatest_id = Some(id);
                if entry.deleted() {
                    totals.deleted += 1;
                    totals.greatest_deleted_id = Some(id);
                    continue;
                }
                totals.live += 1;
                totals.first_id.get_or_insert(id);
                let mut flaw = None;
                let mut fields = entry
                    .fields()
                    .map_while(|field| field.map_err(|found| flaw = Some(found)).ok());
                f(id, &mut fields);
                drop(fields);
                flaw.map_or(Ok(()), |flaw| Err(flawed(flaw)))?;
            }
            scratch.form.note(entries.non_canonical());
            rest = next;
        }
        Ok(totals)
    }

    /// Everything but the entries.
    ///
    /// # Errors
    /// A broken rule: names or ids twice, an owner or a pending entry missing, settings out of range.
    pub fn state(&self) -> Result<StreamState> {
        let parsed =
            skip_nodes(self.raw.bytes).and_then(|(rest, nodes)| self.version.state(rest, nodes));
        parsed
            .map(|(_, state)| state)
            .map_err(|failure| self.raw.locate(failure))
    }
}

fn skip_nodes(input: &[u8]) -> Parsed<'_, u64> {
    let (mut rest, nodes) = count(input)?;
    for _ in 0..nodes {
        (rest, ()) = skip_strings(rest, 2)?;
    }
    Ok((rest, nodes))
}

/// The bytes of a framed stream up to its state: the number of nodes and the nodes.
pub(crate) fn nodes_of(framed: &[u8]) -> &[u8] {
    let behind = skip_nodes(framed).map_or(framed, |(rest, _)| rest);
    &framed[..framed.len() - behind.len()]
}

impl Version {
    fn state(self, input: &[u8], nodes: u64) -> Parsed<'_, StreamState> {
        let (rest, length_) = length(input)?;
        if length_ > 0 && nodes == 0 {
            return Err(nom::Err::Failure(Fail::broken(
                input,
                Code::BadStream,
                "length of a stream without nodes",
                0u64,
                length_,
            )));
        }
        let (mut rest, last_id) = id(rest)?;
        let mut state = StreamState {
            length: length_,
            last_id,
            ..StreamState::default()
        };
        if self >= Version::V2 {
            let (after, first_id) = id(rest)?;
            let (after, max_deleted_id) = id(after)?;
            let (after, entries_added) = length(after)?;
            state.first_id = Some(first_id);
            state.max_deleted_id = Some(max_deleted_id);
            state.entries_added = Some(entries_added);
            rest = after;
        }
        let (mut rest, groups) = count(rest)?;
        for _ in 0..groups {
            let (after, group) = self.group(rest)?;
            state.groups.push(group);
            rest = after;
        }
        each_once(
            state.groups.iter().map(|group| &group.name),
            input,
            "names of the groups",
        )?;
        if self >= Version::V4 {
            let (after, idmp) = idmp(rest)?;
            state.idmp = Some(idmp);
            rest = after;
        }
        Ok((rest, state))
    }

    fn group(self, input: &[u8]) -> Parsed<'_, Group> {
        let (rest, name) = name(input)?;
        let (rest, last_id) = id(rest)?;
        let (rest, entries_read) = match self >= Version::V2 {
            // 2^64-1 reads as -1: unknown.
            true => length(rest).map(|(rest, n)| (rest, Some(n as i64)))?,
            false => (rest, None),
        };
        let (rest, mut pending) = pending_entries(rest)?;
        let (mut rest, n) = count(rest)?;
        let mut consumers: Vec<Consumer> = Vec::new();
        for index in 0..n {
            let (after, consumer) = self.consumer(rest, index, &mut pending)?;
            consumers.push(consumer);
            rest = after;
        }
        each_once(
            consumers.iter().map(|consumer| &consumer.name),
            input,
            "names of the consumers",
        )?;
        let mut nacked = None;
        if self >= Version::V5 {
            let (after, ids) = raw_ids(rest)?;
            check_nacked(&ids, &pending, rest)?;
            nacked = Some(ids);
            rest = after;
        }
        let ownerless = pending
            .iter()
            .filter(|entry| entry.consumer.is_none())
            .count();
        let expected = nacked.as_ref().map_or(0, Vec::len);
        if ownerless != expected {
            return Err(nom::Err::Failure(Fail::broken(
                input,
                Code::PelMismatch,
                "pending entries without a consumer",
                expected,
                ownerless,
            )));
        }
        Ok((
            rest,
            Group {
                name,
                last_id,
                entries_read,
                pending,
                consumers,
                nacked,
            },
        ))
    }

    /// Parses a consumer and makes it the owner of its entries.
    fn consumer<'i>(
        self,
        input: &'i [u8],
        index: u64,
        pending: &mut [Pending],
    ) -> Parsed<'i, Consumer> {
        let (rest, name) = name(input)?;
        let (rest, seen_at_ms) = le_i64(rest)?;
        let (rest, active_at_ms) = match self >= Version::V3 {
            true => le_i64(rest).map(|(rest, ms)| (rest, Some(ms)))?,
            false => (rest, None),
        };
        let (mut rest, n) = count(rest)?;
        for _ in 0..n {
            let (after, id) = raw_id(rest)?;
            let entry = pending
                .binary_search_by_key(&id, |entry| entry.id)
                .ok()
                .map(|found| &mut pending[found]);
            match entry {
                Some(entry) if entry.consumer.is_none() => entry.consumer = Some(index as u32),
                Some(_) => {
                    let fail = Fail::broken(
                        rest,
                        Code::PelMismatch,
                        "owner of a pending entry",
                        "one consumer",
                        "two",
                    );
                    return Err(nom::Err::Failure(fail));
                }
                None => {
                    let fail = Fail::broken(
                        rest,
                        Code::PelMismatch,
                        "entry of a consumer",
                        "one of its group's pending entries",
                        "another id",
                    );
                    return Err(nom::Err::Failure(fail));
                }
            }
            rest = after;
        }
        Ok((
            rest,
            Consumer {
                name,
                seen_at_ms,
                active_at_ms,
            },
        ))
    }
}

/// Parses a group's PEL and sorts it by id.
fn pending_entries(input: &[u8]) -> Parsed<'_, Vec<Pending>> {
    const MIN_ENTRY_BYTES: usize = RAW_ID_BYTES + size_of::<i64>() + 1;
    let (mut rest, n) = count(input)?;
    let mut pending: Vec<Pending> = room(n, rest, MIN_ENTRY_BYTES);
    for _ in 0..n {
        let (after, id) = raw_id(rest)?;
        let (after, delivered_at_ms) = le_i64(after)?;
        let (after, count) = length(after)?;
        pending.push(Pending {
            id,
            consumer: None,
            delivered_at_ms,
            count,
        });
        rest = after;
    }
    // Servers write them ascending and read them in any order.
    pending.sort_by_key(|entry| entry.id);
    if pending.windows(2).any(|pair| pair[0].id == pair[1].id) {
        return Err(nom::Err::Failure(Fail::broken(
            input,
            Code::PelMismatch,
            "pending entries of a group",
            "each once",
            "one twice",
        )));
    }
    Ok((rest, pending))
}

fn raw_ids(input: &[u8]) -> Parsed<'_, Vec<StreamId>> {
    let (mut rest, n) = count(input)?;
    let mut ids = room(n, rest, RAW_ID_BYTES);
    for _ in 0..n {
        let (after, id) = raw_id(rest)?;
        ids.push(id);
        rest = after;
    }
    Ok((rest, ids))
}

/// Checks that each id of a NACK zone is pending, has no owner, and stands there once.
fn check_nacked(ids: &[StreamId], pending: &[Pending], input: &[u8]) -> Result<(), nom::Err<Fail>> {
    let bad = |found: &'static str| {
        let fail = Fail::broken(
            input,
            Code::PelMismatch,
            "id of the NACK zone",
            "a pending entry without consumer, once",
            found,
        );
        Err(nom::Err::Failure(fail))
    };
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return bad("one twice");
    }
    for id in ids {
        match pending.binary_search_by_key(id, |entry| entry.id) {
            Ok(found) if pending[found].consumer.is_none() => {}
            Ok(_) => return bad("one that a consumer owns"),
            Err(_) => return bad("one that is not pending"),
        }
    }
    Ok(())
}

fn idmp(input: &[u8]) -> Parsed<'_, Idmp> {
    let (rest, duration_s) = length(input)?;
    if !Idmp::DURATIONS_S.contains(&duration_s) {
        return Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadStream,
            "IDMP duration",
            "1 to 86400",
            duration_s,
        )));
    }
    let (after, max) = length(rest)?;
    if !Idmp::MAXIMA.contains(&max) {
        return Err(nom::Err::Failure(Fail::broken(
            rest,
            Code::BadStream,
            "IDMP maximum",
            "1 to 10000",
            max,
        )));
    }
    let (mut rest, n) = count(after)?;
    let mut producers: Vec<Producer> = Vec::new();
    for _ in 0..n {
        let (after, producer) = producer(rest)?;
        producers.push(producer);
        rest = after;
    }
    each_once(
        producers.iter().map(|producer| &producer.id),
        input,
        "ids of the producers",
    )?;
    let (rest, iids_added) = length(rest)?;
    let (rest, iids_duplicates) = length(rest)?;
    Ok((
        rest,
        Idmp {
            duration_s,
            max,
            producers,
            iids_added,
            iids_duplicates,
        },
    ))
}

fn producer(input: &[u8]) -> Parsed<'_, Producer> {
    let (rest, producer_id) = name(input)?;
    let (mut rest, n) = count(rest)?;
    let mut entries = Vec::new();
    for _ in 0..n {
        let (after, iid) = name(rest)?;
        let (after, entry) = id(after)?;
        entries.push((iid, entry));
        rest = after;
    }
    Ok((
        rest,
        Producer {
            id: producer_id,
            entries,
        },
    ))
}
