//! From a keyspace to a sink of keys and values: what a replayed log says.

use crate::bytes::Text;
use crate::error::{Error, ErrorKind, Flaw, Result};
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{self, Consumer, Idmp, Pending, Producer, StreamState};
use crate::model::vectorset::{self, VectorElement};
use crate::rdb::Scratch;
use crate::rdb::module::{ModuleId, ModuleItems};
use crate::store::group::Owner;
use crate::store::{Entry, Group, Module, Str, Stream, Value, VectorSet};

use super::export;

/// Tells `sink` one key and its value.
///
/// # Errors
/// A module's data that does not expand; the sink has forgotten the key then.
pub fn export_entry(
    db: u32,
    key: &[u8],
    entry: &Entry<'_>,
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    let head = KeyHead {
        db,
        key,
        value_type: entry.value_type(),
        encoding: None,
        expire_at_ms: entry.expire_at_ms(),
        idle_s: None,
        freq: None,
        key_meta: None,
    };
    loop {
        sink.begin_key(&head);
        let told = match entry.stored() {
            // It was sound when it was loaded.
            Some((value, len)) => export::export_stored(&value, len, scratch, sink)
                .map_err(|_| Error::new(ErrorKind::InputChanged)),
            None => export_value(entry.value(), sink),
        };
        if let Err(error) = told {
            sink.abandon_key();
            return Err(error.in_key(db, key));
        }
        if sink.end_key() {
            return Ok(());
        }
    }
}

fn text<'t>(value: &'t Str<'_>) -> Text<'t> {
    value.text()
}

fn export_value(value: &Value<'_>, sink: &mut impl ValueSink) -> Result<()> {
    if let Value::String(string) = value {
        sink.string(text(string));
        return Ok(());
    }
    sink.begin_value();
    match value {
        Value::String(_) => {}
        Value::List(list) => list.iter().for_each(|element| sink.element(text(element))),
        Value::Set(set) => set
            .iter()
            .for_each(|member| sink.element(Text::Bytes(member))),
        Value::SortedSet(zset) => {
            for (member, score) in zset.sorted() {
                sink.scored(Text::Bytes(member), score);
            }
        }
        Value::Hash(hash) => {
            for (name, field) in hash.iter() {
                sink.field(Text::Bytes(name), text(&field.value), field.expire_at_ms());
            }
        }
        Value::Stream(stream) => {
            for (id, fields) in &stream.entries {
                sink.entry(*id, &mut fields.iter());
            }
            sink.stream_state(&stream_state(stream));
        }
        Value::Array(array) => {
            for (index, item) in &array.items {
                sink.item(*index, text(item));
            }
            sink.array_state(array.insert_index);
        }
        Value::VectorSet(set) => {
            let data = ModuleData::VectorSet(vector_set(set));
            sink.module("vectorset", 0, Some(&data), &mut std::iter::empty(), 0);
        }
        Value::Module(module) => export_module(module, sink)?,
    }
    sink.end_value();
    Ok(())
}

/// What a stream knows beside its entries.
pub(crate) fn stream_state(stream: &Stream<'_>) -> StreamState {
    let idmp = &stream.idmp;
    StreamState {
        length: stream.len() as u64,
        last_id: stream.last_id,
        first_id: Some(stream.first_id()),
        max_deleted_id: Some(stream.max_deleted_id),
        entries_added: Some(stream.entries_added),
        groups: stream
            .groups
            .iter()
            .map(|(name, group)| model_group(name, group))
            .collect(),
        // Settings that are a server's own defaults say nothing.
        idmp: (!idmp.is_default()).then(|| Idmp {
            duration_s: idmp.duration_s,
            max: idmp.max_entries,
            producers: idmp
                .producers
                .iter()
                .map(|(id, producer)| Producer {
                    id: id.to_vec(),
                    entries: producer
                        .iter()
                        .map(|(iid, id)| (iid.to_vec(), id))
                        .collect(),
                })
                .collect(),
            iids_added: idmp.iids_added,
            iids_duplicates: idmp.iids_duplicates,
        }),
    }
}

fn model_group(name: &[u8], group: &Group<'_>) -> stream::Group {
    let consumers: Vec<Consumer> = group
        .consumers()
        .map(|(name, consumer)| Consumer {
            name: name.to_vec(),
            seen_at_ms: consumer.seen_at_ms,
            active_at_ms: Some(consumer.active_at_ms),
        })
        .collect();
    let pending = group
        .iter_pending()
        .map(|(id, owner, pending)| Pending {
            id,
            consumer: match owner {
                // Consumers come ascending by name.
                Owner::Consumer(name) => {
                    let found =
                        consumers.binary_search_by(|consumer| consumer.name.as_slice().cmp(name));
                    found.ok().map(|index| index as u32)
                }
                Owner::Nobody => None,
            },
            delivered_at_ms: pending.delivered_at_ms,
            count: pending.count,
        })
        .collect();
    let nacked: Vec<_> = group.nacked().collect();
    stream::Group {
        name: name.to_vec(),
        last_id: group.last_id,
        entries_read: Some(group.entries_read),
        pending,
        consumers,
        nacked: (!nacked.is_empty()).then_some(nacked),
    }
}

fn vector_set(set: &VectorSet<'_>) -> vectorset::VectorSet {
    vectorset::VectorSet {
        dim: set.dim,
        quantization: set.quantization,
        projected_from: set
            .projection
            .as_ref()
            .map(|projection| projection.input_dim),
        elements: set
            .elements
            .iter()
            .map(|(name, vector)| VectorElement {
                name: name.to_vec(),
                vector: vector.data.to_vec(),
                attributes: vector.attributes.as_ref().map(|text| text.to_vec()),
            })
            .collect(),
    }
}

fn export_module(module: &Module<'_>, sink: &mut impl ValueSink) -> Result<()> {
    let name = String::from_utf8_lossy(&module.name).into_owned();
    let id = ModuleId::new(&name, module.encver);
    let items = ModuleItems::new(&module.record);
    let data = match id {
        Some(id) => {
            export::known_module_data(id, items).map_err(|flaw: Flaw| Error::new(flaw.into()))?
        }
        None => None,
    };
    let fields: Vec<ModuleField> = export::module_fields(items)?;
    let encoded_len = module.record.len() as u64;
    sink.module(
        &name,
        module.encver,
        data.as_ref(),
        &mut fields.into_iter(),
        encoded_len,
    );
    Ok(())
}
