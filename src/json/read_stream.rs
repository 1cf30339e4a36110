//! Streams of the schema: entries, counters, groups, idempotent producers.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::cursor::{Cursor, Parsed};
use super::reader::once;
use crate::bytes::Text;
use crate::model::sink::ValueSink;
use crate::model::stream::{Consumer, Group, Idmp, Pending, Producer, StreamId, StreamState};

/// Takes a stream and tells its entries, then its state.
pub(super) fn export_stream(cursor: &mut Cursor<'_>, sink: &mut impl ValueSink) -> Parsed<()> {
    cursor.peek();
    let start = *cursor;
    let mut entries = None;
    let mut length: Option<(usize, u64)> = None;
    let mut last_id = None;
    let mut state = StreamState::default();
    let mut names = HashSet::new();
    cursor.members("a stream: an object", |cursor, name, at| {
        match &*name {
            b"entries" => once(cursor, &mut entries)?,
            b"length" => length = Some((at, cursor.integer("a count")?)),
            b"last_id" => last_id = Some((at, id(cursor)?)),
            b"first_id" => state.first_id = Some(id(cursor)?),
            b"max_deleted_id" => state.max_deleted_id = Some(id(cursor)?),
            b"entries_added" => state.entries_added = Some(cursor.integer("a count")?),
            b"groups" => cursor.array("groups: an array", |cursor| {
                let group = group(cursor)?;
                if !names.insert(group.name.clone()) {
                    return cursor.wrong(at, "groups of different names", "two of one name");
                }
                state.groups.push(group);
                Ok(())
            })?,
            b"idmp" => state.idmp = Some(idmp(cursor)?),
            _ => return cursor.wrong(at, "a member of a stream", "another name"),
        }
        Ok(())
    })?;
    let Some(mut entries) = entries else {
        return start.wrong(start.at, "`entries`", "a stream without them");
    };
    let mut greatest = None;
    entries.array("entries: an array", |cursor| {
        entry(cursor, &mut greatest, sink)?;
        state.length += 1;
        Ok(())
    })?;
    if let Some((at, declared)) = length
        && declared != state.length
    {
        return start.wrong(at, "the number of entries as `length`", "another number");
    }
    let greatest = greatest.unwrap_or_default();
    state.last_id = match last_id {
        None => greatest,
        Some((at, last)) if last < greatest => {
            return start.wrong(
                at,
                "the greatest id or one above as `last_id`",
                "a smaller one",
            );
        }
        Some((_, last)) => last,
    };
    sink.stream_state(&state);
    Ok(())
}

fn entry(
    cursor: &mut Cursor<'_>,
    greatest: &mut Option<StreamId>,
    sink: &mut impl ValueSink,
) -> Parsed<()> {
    cursor.peek();
    let start = *cursor;
    let (mut entry_id, mut fields) = (None, None);
    cursor.members("an entry: an object", |cursor, name, at| {
        match &*name {
            b"id" => entry_id = Some(id(cursor)?),
            b"fields" => once(cursor, &mut fields)?,
            _ => return cursor.wrong(at, "`id` or `fields`", "another name"),
        }
        Ok(())
    })?;
    let (Some(entry_id), Some(mut fields)) = (entry_id, fields) else {
        return start.wrong(start.at, "`id` and `fields`", "an entry without them");
    };
    if greatest.is_some_and(|greatest| entry_id <= greatest) {
        return start.wrong(start.at, "ascending ids", "one that is not above the last");
    }
    *greatest = Some(entry_id);
    let mut pairs = Vec::new();
    fields.array("fields: an array of pairs", |cursor| {
        pairs.push(cursor.pair(
            "a field and its value",
            |cursor| cursor.text("a string"),
            |cursor, _| cursor.text("a string"),
        )?);
        Ok(())
    })?;
    let mut pairs = pairs
        .iter()
        .map(|(field, value)| (Text::Bytes(field), Text::Bytes(value)));
    sink.entry(entry_id, &mut pairs);
    Ok(())
}

/// Takes `"ms-seq"`.
fn id(cursor: &mut Cursor<'_>) -> Parsed<StreamId> {
    const EXPECTED: &str = "an id, as \"1526919030474-0\"";
    cursor.peek();
    let at = cursor.at;
    let text = cursor.string(EXPECTED)?;
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    let parsed = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.split_once('-'))
        .and_then(|(ms, seq)| Some(StreamId::new(number(ms)?, number(seq)?)));
    match parsed {
        Some(id) => Ok(id),
        None => cursor.wrong(at, EXPECTED, "another string"),
    }
}

fn group(cursor: &mut Cursor<'_>) -> Parsed<Group> {
    cursor.peek();
    let start = *cursor;
    let mut group = Group::default();
    let (mut is_named, mut pending) = (false, None);
    cursor.members("a group: an object", |cursor, name, at| {
        match &*name {
            b"name" => {
                is_named = true;
                group.name = cursor.text("a name: a string")?.into_owned();
            }
            b"last_id" => group.last_id = id(cursor)?,
            b"entries_read" => group.entries_read = Some(cursor.integer("a count or -1")?),
            b"pending" => once(cursor, &mut pending)?,
            b"consumers" => cursor.array("consumers: an array", |cursor| {
                group.consumers.push(consumer(cursor)?);
                Ok(())
            })?,
            b"nacked" => {
                let mut ids = Vec::new();
                cursor.array("ids: an array", |cursor| {
                    ids.push(id(cursor)?);
                    Ok(())
                })?;
                group.nacked = Some(ids);
            }
            _ => return cursor.wrong(at, "a member of a group", "another name"),
        }
        Ok(())
    })?;
    if !is_named {
        return start.wrong(start.at, "a group with a `name`", "one without");
    }
    let mut owners = HashMap::new();
    for (index, consumer) in group.consumers.iter().enumerate() {
        if owners.insert(consumer.name.clone(), index as u32).is_some() {
            return start.wrong(start.at, "consumers of different names", "two of one name");
        }
    }
    if let Some(mut cursor) = pending {
        let mut last = None;
        cursor.array("pending entries: an array", |cursor| {
            cursor.peek();
            let at = cursor.at;
            let pending = pending_entry(cursor, &owners)?;
            if last.is_some_and(|last| pending.id <= last) {
                return cursor.wrong(at, "ascending ids", "one that is not above the last");
            }
            last = Some(pending.id);
            group.pending.push(pending);
            Ok(())
        })?;
    }
    check_nacked(&mut group, start)?;
    Ok(group)
}

/// Entries without an owner are those that were given back, and no others.
fn check_nacked(group: &mut Group, start: Cursor<'_>) -> Parsed<()> {
    let ownerless = group
        .pending
        .iter()
        .filter(|entry| entry.consumer.is_none());
    let mut ownerless: Vec<StreamId> = ownerless.map(|entry| entry.id).collect();
    let Some(nacked) = &group.nacked else {
        // Their order is lost with the member; ascending is as good as any.
        group.nacked = (!ownerless.is_empty()).then_some(ownerless);
        return Ok(());
    };
    let mut listed = nacked.clone();
    listed.sort_unstable();
    ownerless.sort_unstable();
    match listed == ownerless {
        true => Ok(()),
        false => start.wrong(
            start.at,
            "`nacked` with the pending entries that have no consumer",
            "other ids",
        ),
    }
}

fn pending_entry(cursor: &mut Cursor<'_>, owners: &HashMap<Vec<u8>, u32>) -> Parsed<Pending> {
    cursor.peek();
    let start = *cursor;
    let (mut entry_id, mut owner) = (None, None);
    let (mut delivered_at_ms, mut count) = (0, 0);
    cursor.members("a pending entry: an object", |cursor, name, at| {
        match &*name {
            b"id" => entry_id = Some(id(cursor)?),
            b"consumer" if cursor.null() => owner = Some((at, None)),
            b"consumer" => owner = Some((at, Some(cursor.text("a name, or null")?))),
            b"delivered_at_ms" => delivered_at_ms = cursor.integer("milliseconds")?,
            b"count" => count = cursor.integer("a count")?,
            _ => return cursor.wrong(at, "a member of a pending entry", "another name"),
        }
        Ok(())
    })?;
    let (Some(entry_id), Some((owner_at, owner))) = (entry_id, owner) else {
        return start.wrong(
            start.at,
            "`id` and `consumer`",
            "a pending entry without them",
        );
    };
    let consumer = match owner
        .as_ref()
        .map(|name: &Cow<'_, [u8]>| owners.get(&**name))
    {
        None => None,
        Some(Some(index)) => Some(*index),
        Some(None) => return start.wrong(owner_at, "a consumer of the group", "another"),
    };
    Ok(Pending {
        id: entry_id,
        consumer,
        delivered_at_ms,
        count,
    })
}

fn consumer(cursor: &mut Cursor<'_>) -> Parsed<Consumer> {
    cursor.peek();
    let start = *cursor;
    let mut consumer = Consumer::default();
    let mut is_named = false;
    cursor.members("a consumer: an object", |cursor, name, at| {
        match &*name {
            b"name" => {
                is_named = true;
                consumer.name = cursor.text("a name: a string")?.into_owned();
            }
            b"seen_at_ms" => consumer.seen_at_ms = cursor.integer("milliseconds")?,
            b"active_at_ms" => consumer.active_at_ms = Some(cursor.integer("milliseconds")?),
            _ => return cursor.wrong(at, "a member of a consumer", "another name"),
        }
        Ok(())
    })?;
    match is_named {
        true => Ok(consumer),
        false => start.wrong(start.at, "a consumer with a `name`", "one without"),
    }
}

fn idmp(cursor: &mut Cursor<'_>) -> Parsed<Idmp> {
    let mut idmp = Idmp::default();
    let mut ids = HashSet::new();
    cursor.members("idempotent producers: an object", |cursor, name, at| {
        match &*name {
            b"duration_s" => {
                idmp.duration_s = cursor.integer("seconds")?;
                if !Idmp::DURATIONS_S.contains(&idmp.duration_s) {
                    return cursor.wrong(at, "1 to 86400 as `duration_s`", "another number");
                }
            }
            b"max" => {
                idmp.max = cursor.integer("a count")?;
                if !Idmp::MAXIMA.contains(&idmp.max) {
                    return cursor.wrong(at, "1 to 10000 as `max`", "another number");
                }
            }
            b"iids_added" => idmp.iids_added = cursor.integer("a count")?,
            b"iids_duplicates" => idmp.iids_duplicates = cursor.integer("a count")?,
            b"producers" => cursor.array("producers: an array", |cursor| {
                let producer = producer(cursor)?;
                if !ids.insert(producer.id.clone()) {
                    return cursor.wrong(at, "producers of different ids", "two of one id");
                }
                idmp.producers.push(producer);
                Ok(())
            })?,
            _ => return cursor.wrong(at, "a member of `idmp`", "another name"),
        }
        Ok(())
    })?;
    Ok(idmp)
}

fn producer(cursor: &mut Cursor<'_>) -> Parsed<Producer> {
    let mut producer = Producer::default();
    cursor.members("a producer: an object", |cursor, name, at| {
        match &*name {
            b"id" => producer.id = cursor.text("an id: a string")?.into_owned(),
            b"entries" => cursor.array("entries: an array", |cursor| {
                let (iid, entry) = cursor.pair(
                    "an idempotent id and an entry's",
                    |c| c.text("a string"),
                    |cursor, _| id(cursor),
                )?;
                producer.entries.push((iid.into_owned(), entry));
                Ok(())
            })?,
            _ => return cursor.wrong(at, "`id` or `entries`", "another name"),
        }
        Ok(())
    })?;
    Ok(producer)
}
