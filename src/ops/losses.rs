//! What a release cannot carry, key by key: the table that every writer asks first.
//!
//! | what | carried by | else |
//! |---|---|---|
//! | stream | Redis 5.0, Valkey | the key is lost |
//! | array | Redis 8.8 | the key is lost, or a hash, if that is wanted |
//! | vector set | Redis 8.0 | the key is lost |
//! | module value | Redis 4.0, Valkey; it needs the module | the key is lost |
//! | field deadline | Redis 7.4 (1 to 2^48-1 ms), Valkey 9.0 | lost |
//! | key metadata | Redis 8.6 | lost |
//! | stream counters | Redis 7.0, Valkey; Redis 8.8 only what can be | lost unless the loader's guess is right |
//! | given-back entries | Redis 8.8 | pending for the consumer `nacked` |
//! | message ids (IDMP) | Redis 8.6 | lost unless there is nothing but defaults |
//! | functions | Redis 7.0, Valkey | lost |
//! | module data beside keys | Redis 5.0, Valkey | lost |
//! | idle time, frequency | Redis 5.0, Valkey | noted |
//! | active time of a consumer | Redis 7.2, Valkey | noted |
//!
//! The answers themselves are [`Target`]'s; here they meet the data.

use crate::error::Result;
use crate::model::ValueType;
use crate::model::loss::{Loss, Losses, Note};
use crate::model::stream::{Idmp, StreamId, StreamState};
use crate::rdb::object::Value;
use crate::rdb::object::stream::Version;
use crate::rdb::target::{FieldDeadlines, Target};
use crate::rdb::{Record, Scratch, vectorset};
use crate::store::{Entry, Value as Stored};

use super::export_store::stream_state;
use super::rdb_write::WriteOptions;

/// Which key is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyPlace<'k> {
    pub(crate) db: u32,
    pub(crate) key: &'k [u8],
}

/// The kind of a key that is lost as a whole.
#[inline]
pub(crate) fn lost_key(record: &Record<'_>, options: &WriteOptions) -> Result<Option<Loss>> {
    let value_type = record.value_type();
    if is_always_carried(value_type) {
        return Ok(None);
    }
    let module = match record.value() {
        Value::Module(module) => Some(module.id()?),
        _ => None,
    };
    let is_vector_set = module.is_some_and(|id| id.name() == vectorset::MODULE_NAME);
    Ok(lost_type(value_type, is_vector_set, options))
}

/// Whether every release has the type.
fn is_always_carried(value_type: ValueType) -> bool {
    matches!(
        value_type,
        ValueType::String | ValueType::List | ValueType::Set | ValueType::Zset | ValueType::Hash
    )
}

/// The kind of a keyspace's key that is lost as a whole.
pub(crate) fn lost_entry(entry: &Entry<'_>, options: &WriteOptions) -> Option<Loss> {
    let value_type = entry.value_type();
    if is_always_carried(value_type) {
        return None;
    }
    let is_vector_set = entry.look(|value| matches!(value, Stored::VectorSet(_)));
    lost_type(value_type, is_vector_set, options)
}

fn lost_type(value_type: ValueType, is_vector_set: bool, options: &WriteOptions) -> Option<Loss> {
    let target = options.target;
    let (loss, is_carried) = match value_type {
        ValueType::Stream => (Loss::Stream, target.has_streams()),
        ValueType::Array => (Loss::Array, target.has_arrays() || options.array_as_hash),
        ValueType::Module if is_vector_set => (Loss::VectorSet, target.has_vector_sets()),
        ValueType::Module => (Loss::Module, target.has_modules()),
        ValueType::String
        | ValueType::List
        | ValueType::Set
        | ValueType::Zset
        | ValueType::Hash => return None,
    };
    (!is_carried).then_some(loss)
}

/// Counts what a record loses on its way to a release; says whether the key arrives.
///
/// # Errors
/// A value that had to be looked at and is broken.
pub(crate) fn of_record(
    record: &Record<'_>,
    place: KeyPlace<'_>,
    options: &WriteOptions,
    scratch: &mut Scratch,
    losses: &mut Losses,
) -> Result<bool> {
    let target = options.target;
    let KeyPlace { db, key } = place;
    if let Some(loss) = lost_key(record, options)? {
        losses.add(loss, 1, db, key);
        return Ok(false);
    }
    deadline(record.expire_at_ms, place, losses);
    if record.key_meta.is_some() && !target.has_key_meta() {
        losses.add(Loss::KeyMeta, 1, db, key);
    }
    let has_eviction_data = record.idle_s.is_some() || record.freq.is_some();
    if has_eviction_data && !target.has_eviction_data() {
        losses.note(Note::EvictionData, 1);
    }
    let value_type = record.value_type();
    if is_always_carried(value_type) && value_type != ValueType::Hash {
        return Ok(true);
    }
    match record.value() {
        // What the target reads as it is keeps its deadlines.
        Value::Hash(hash)
            if hash.may_have_deadlines()
                && !target.reads(record.type_byte, record.dialect.family) =>
        {
            let form = target.field_deadlines();
            let mut lost = 0;
            hash.for_each(scratch, |_, _, at| {
                lost += u64::from(at.is_some_and(|at| !form.carries(at)));
            })?;
            losses.add(Loss::FieldDeadline, lost, db, key);
        }
        Value::Stream(stream)
            if target.stream_version() < Some(stream.version)
                || target.checks_stream_counters() =>
        {
            of_stream(&stream.state()?, place, target, losses);
        }
        Value::Array(_) if options.turns_into_hash(ValueType::Array) => {
            losses.note(Note::ArraysAsHashes, 1);
        }
        _ => {}
    }
    Ok(true)
}

/// Counts what a keyspace's key loses on its way to a release; says whether the key arrives.
pub(crate) fn of_entry(
    entry: &Entry<'_>,
    place: KeyPlace<'_>,
    options: &WriteOptions,
    losses: &mut Losses,
) -> bool {
    let target = options.target;
    if let Some(loss) = lost_entry(entry, options) {
        losses.add(loss, 1, place.db, place.key);
        return false;
    }
    deadline(entry.expire_at_ms(), place, losses);
    // Most values have nothing to lose, and need not be decoded to say so.
    match entry.stored() {
        Some((Value::String(_) | Value::List(_) | Value::Set(_) | Value::Zset(_), _)) => {
            return true;
        }
        Some((Value::Hash(hash), _)) if !hash.may_have_deadlines() => return true,
        _ => {}
    }
    entry.look(|value| match value {
        Stored::Hash(hash) if hash.deadlines() > 0 => {
            let form = target.field_deadlines();
            of_hash(
                hash.iter().filter_map(|(_, field)| field.expire_at_ms()),
                form,
                place,
                losses,
            );
        }
        Stored::Stream(stream) => of_stream(&stream_state(stream), place, target, losses),
        Stored::Array(_) if options.turns_into_hash(ValueType::Array) => {
            losses.note(Note::ArraysAsHashes, 1);
        }
        _ => {}
    });
    true
}

/// Notes what a record that arrives loses on its way into commands.
///
/// # Errors
/// A stream's state that is broken.
pub(crate) fn of_record_as_commands(
    record: &Record<'_>,
    target: &Target,
    losses: &mut Losses,
) -> Result<()> {
    let has_eviction_data = record.idle_s.is_some() || record.freq.is_some();
    if has_eviction_data && target.has_eviction_data() {
        losses.note(Note::EvictionData, 1);
    }
    if record.value_type() == ValueType::Stream
        && let Value::Stream(stream) = record.value()
    {
        times_of_consumers(&stream.state()?, target, losses);
    }
    Ok(())
}

/// Notes what a keyspace's key that arrives loses on its way into commands.
pub(crate) fn of_entry_as_commands(entry: &Entry<'_>, target: &Target, losses: &mut Losses) {
    if entry.value_type() != ValueType::Stream {
        return;
    }
    entry.look(|value| {
        if let Stored::Stream(stream) = value {
            times_of_consumers(&stream_state(stream), target, losses);
        }
    });
}

/// Notes the times of consumers, which no command says. Of older releases they are noted already.
fn times_of_consumers(state: &StreamState, target: &Target, losses: &mut Losses) {
    if target.stream_version() >= Some(Version::V3) {
        let consumers = state.groups.iter().map(|group| group.consumers.len());
        losses.note(Note::ConsumerTimes, consumers.sum::<usize>() as u64);
    }
}

fn of_hash(
    deadlines: impl Iterator<Item = i64>,
    form: FieldDeadlines,
    place: KeyPlace<'_>,
    losses: &mut Losses,
) {
    let lost = deadlines.filter(|at| !form.carries(*at)).count() as u64;
    losses.add(Loss::FieldDeadline, lost, place.db, place.key);
}

fn deadline(expire_at_ms: Option<i64>, place: KeyPlace<'_>, losses: &mut Losses) {
    if expire_at_ms == Some(-1) {
        losses.add(Loss::Deadline, 1, place.db, place.key);
    }
}

/// Counts what the state of a stream loses.
pub(crate) fn of_stream(
    state: &StreamState,
    place: KeyPlace<'_>,
    target: &Target,
    losses: &mut Losses,
) {
    let Some(version) = target.stream_version() else {
        return;
    };
    let KeyPlace { db, key } = place;
    if version < Version::V5 {
        let nacked = state.groups.iter().flat_map(|group| &group.pending);
        let nacked = nacked.filter(|entry| entry.consumer.is_none()).count();
        losses.add(Loss::Nack, nacked as u64, db, key);
    }
    if version < Version::V4 && state.idmp.as_ref().is_some_and(Idmp::says_something) {
        losses.add(Loss::Idmp, 1, db, key);
    }
    if version < Version::V3 {
        let consumers = state.groups.iter().flat_map(|group| &group.consumers);
        // Loaders of older streams take the one time for both.
        let differ = consumers.filter(|consumer| {
            consumer
                .active_at_ms
                .is_some_and(|active| active != consumer.seen_at_ms)
        });
        losses.note(Note::ConsumerTimes, differ.count() as u64);
    }
    let keeps_counters = match version {
        Version::V1 => are_guessed(state),
        _ => !target.checks_stream_counters() || state.counters_agree(),
    };
    if !keeps_counters {
        losses.add(Loss::StreamCounters, 1, db, key);
    }
}

/// Whether a loader that is not told a stream's counters comes to the same ones.
fn are_guessed(state: &StreamState) -> bool {
    let guess = StreamState {
        max_deleted_id: None,
        entries_added: None,
        ..state.clone()
    };
    state.max_deleted_id.unwrap_or_default() == StreamId::MIN
        && state
            .entries_added
            .is_none_or(|added| added == state.length)
        && state.groups.iter().all(|group| {
            group
                .entries_read
                .is_none_or(|read| read == guess.estimated_reads(group.last_id))
        })
}
