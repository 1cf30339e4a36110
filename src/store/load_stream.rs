//! Streams of an RDB: entries, counters, groups, idempotent producers.

use std::collections::HashMap;

use crate::error::{Code, Error, ErrorKind, Result, Value as Found};
use crate::model::stream as file;
use crate::rdb::{Scratch, object};
use crate::store::{Bytes, Group, Idmp, Producer, Stream, StreamId};

use super::load::Keeper;

fn id(id: file::StreamId) -> StreamId {
    StreamId::new(id.ms, id.seq)
}

pub(super) fn stream<'a>(
    view: &object::Stream<'_>,
    keeper: Keeper<'a>,
    scratch: &mut Scratch,
) -> Result<Stream<'a>> {
    let mut stream = Stream::default();
    view.for_each_entry(scratch, |at, fields| {
        let fields = fields
            .map(|(field, value)| (keeper.str(field), keeper.str(value)))
            .collect();
        stream.entries.insert(id(at), fields);
    })?;
    let state = view.state()?;
    stream.last_id = id(state.last_id);
    stream.max_deleted_id = state.max_deleted_id.map(id).unwrap_or_default();
    // Before 7.0 only the length was kept, and loaders start counting from it.
    stream.entries_added = state.entries_added.unwrap_or(state.length);
    for group in &state.groups {
        let name = Bytes::copied(&group.name);
        let group = self::group(group, &stream)?;
        stream.groups.insert(name, group);
    }
    if let Some(idmp) = &state.idmp {
        stream.idmp = self::idmp(idmp);
    }
    Ok(stream)
}

fn counters_of(stream: &Stream<'_>) -> file::StreamState {
    file::StreamState {
        length: stream.len() as u64,
        last_id: stream.last_id,
        first_id: Some(stream.first_id()),
        max_deleted_id: Some(stream.max_deleted_id),
        entries_added: Some(stream.entries_added),
        ..file::StreamState::default()
    }
}

/// Makes the counters those that a loader comes to which is told none.
pub(crate) fn guess_counters(stream: &mut Stream<'_>) {
    stream.max_deleted_id = StreamId::MIN;
    stream.entries_added = stream.len() as u64;
    let counters = counters_of(stream);
    for group in stream.groups.values_mut() {
        let StreamId { ms, seq } = group.last_id;
        group.entries_read = counters.estimated_reads(file::StreamId::new(ms, seq));
    }
}

fn group<'a>(from: &file::Group, stream: &Stream<'a>) -> Result<Group<'a>> {
    let last_id = id(from.last_id);
    let entries_read = from
        .entries_read
        .unwrap_or_else(|| counters_of(stream).estimated_reads(last_id));
    let mut group = Group::new(last_id, entries_read);
    for consumer in &from.consumers {
        let name = Bytes::copied(&consumer.name);
        group.create_consumer(name, consumer.seen_at_ms);
        if let Some(made) = group.consumer_mut(&consumer.name) {
            // Before 7.2 there was one time for both.
            made.active_at_ms = consumer.active_at_ms.unwrap_or(consumer.seen_at_ms);
        }
    }
    for pending in &from.pending {
        let owner = match pending.consumer {
            Some(owner) => from.consumers.get(owner as usize),
            None => continue,
        };
        let (at, count) = (pending.delivered_at_ms, pending.count);
        let owned = owner.is_some_and(|owner| group.assign(id(pending.id), &owner.name, at, count));
        if !owned {
            return Err(Error::new(ErrorKind::Broken {
                code: Code::PelMismatch,
                at: None,
                what: "owner of a pending entry",
                expected: Found::Text("a consumer of the group"),
                found: Found::Text("none"),
            }));
        }
    }
    let by_id = match &from.nacked {
        Some(nacked) if !nacked.is_empty() => from.pending.iter(),
        _ => [].iter(),
    };
    let by_id: HashMap<_, _> = by_id.map(|pending| (pending.id, pending)).collect();
    for nacked in from.nacked.iter().flatten() {
        if let Some(pending) = by_id.get(nacked) {
            group.release(id(*nacked), pending.delivered_at_ms, pending.count);
        }
    }
    Ok(group)
}

fn idmp<'a>(from: &file::Idmp) -> Idmp<'a> {
    let mut idmp = Idmp {
        duration_s: from.duration_s,
        max_entries: from.max,
        iids_added: from.iids_added,
        iids_duplicates: from.iids_duplicates,
        ..Idmp::default()
    };
    for producer in &from.producers {
        let mut iids = Producer::default();
        for (iid, entry) in &producer.entries {
            iids.insert(Bytes::copied(iid), id(*entry));
        }
        idmp.producers.insert(Bytes::copied(&producer.id), iids);
    }
    idmp
}
