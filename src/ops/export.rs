//! From a record of an RDB to a sink of keys and values.

use crate::bytes::Text;
use crate::error::{Error, Flaw, Result};
use crate::json::is_document;
use crate::model::sink::{KeyHead, KeyMetaEntry, ModuleData, ModuleField, ValueSink};
use crate::rdb::module::{ModuleItem, ModuleItems, json_document};
use crate::rdb::object::array::{ArrayElement, float_text};
use crate::rdb::object::{Array, ModuleValue, Value};
use crate::rdb::{ModuleId, RdbString, Record, Scratch, vectorset};

/// Tells `sink` one key and its value.
///
/// # Errors
/// The first rule that the value breaks, with database and key; the sink has forgotten the key then.
pub fn export_record(
    record: &Record<'_>,
    scratch: &mut Scratch,
    key_scratch: &mut Vec<u8>,
    sink: &mut impl ValueSink,
) -> Result<()> {
    let key = record.key_bytes(key_scratch)?;
    export_keyed(record, key, scratch, sink)
}

/// The same where the key's bytes are known.
///
/// # Errors
/// As [`export_record`].
pub(super) fn export_keyed(
    record: &Record<'_>,
    key: &[u8],
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    let outcome = export_with_key(record, key, scratch, sink);
    scratch.trim();
    outcome.map_err(|error| error.in_key(record.db, key))
}

fn export_with_key(
    record: &Record<'_>,
    key: &[u8],
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    let value = record.value();
    let key_meta = key_meta_entries(record)?;
    let head = |encoding| key_head(record, key, encoding, key_meta.as_deref());
    if let Value::String(string) = &value {
        // Parsed once: where strings are short this is a tenth of the time.
        let stored = string.stored()?;
        let text = string.expand(stored, scratch)?;
        let head = head(Some(stored.encoding_name()));
        loop {
            sink.begin_key(&head);
            sink.string(text);
            if sink.end_key() {
                return Ok(());
            }
        }
    }
    let head = head(encoding_name(&value)?);
    loop {
        sink.begin_key(&head);
        export_value(&value, record.encoded_len(), scratch, sink)
            .inspect_err(|_| sink.abandon_key())?;
        if sink.end_key() {
            return Ok(());
        }
    }
}

/// What a record says of its key.
pub(super) fn key_head<'k>(
    record: &Record<'_>,
    key: &'k [u8],
    encoding: Option<&'static str>,
    key_meta: Option<&'k [KeyMetaEntry]>,
) -> KeyHead<'k> {
    KeyHead {
        db: record.db,
        key,
        value_type: record.value_type(),
        encoding,
        expire_at_ms: record.expire_at_ms,
        idle_s: record.idle_s,
        freq: record.freq,
        key_meta,
    }
}

/// The name of a value's encoding, as JSON and reports show it.
pub fn encoding_name(value: &Value<'_>) -> Result<Option<&'static str>> {
    Ok(match value {
        Value::String(string) => Some(string.stored()?.encoding_name()),
        Value::List(list) => Some(list.encoding_name()),
        Value::Set(set) => Some(set.encoding_name()),
        Value::Zset(zset) => Some(zset.encoding_name()),
        Value::Hash(hash) => Some(hash.encoding_name()),
        Value::Stream(stream) => Some(stream.encoding_name()),
        Value::Array(_) | Value::Module(_) => None,
    })
}

/// The module of a value, if it is one's.
pub fn module_id(value: &Value<'_>) -> Result<Option<ModuleId>> {
    match value {
        Value::Module(module) => module.id().map(Some),
        _ => Ok(None),
    }
}

/// Tells `sink` a value of any type as a keyspace that has it does: sorted sets ascend, and their
/// scores are numbers.
pub(super) fn export_stored(
    value: &Value<'_>,
    encoded_len: u64,
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    match value {
        Value::String(string) => sink.string(string.text(scratch)?),
        Value::Zset(zset) => {
            sink.begin_value();
            zset.for_each_ascending(scratch, |member, score| sink.scored(member, score))?;
            sink.end_value();
        }
        value => export_value(value, encoded_len, scratch, sink)?,
    }
    scratch.trim();
    Ok(())
}

fn export_value(
    value: &Value<'_>,
    encoded_len: u64,
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    sink.begin_value();
    match value {
        Value::String(_) => {}
        Value::List(list) => list.for_each(scratch, |element| sink.element(element))?,
        Value::Set(set) => set.for_each(scratch, |member| sink.element(member))?,
        Value::Zset(zset) if sink.wants_score_order() => {
            zset.for_each_ascending(scratch, |member, score| sink.scored(member, score))?;
        }
        Value::Zset(zset) => {
            zset.for_each_as_stored(scratch, |member, score| match score.stored {
                Some(stored) => sink.scored_as_stored(member, score.value, stored),
                None => sink.scored(member, score.value),
            })?;
        }
        Value::Hash(hash) => {
            hash.for_each(scratch, |field, value, at| sink.field(field, value, at))?
        }
        Value::Stream(stream) => {
            stream.for_each_entry(scratch, |id, fields| sink.entry(id, fields))?;
            sink.stream_state(&stream.state()?);
        }
        Value::Array(array) => export_array(array, scratch, sink)?,
        Value::Module(module) => export_module(module, encoded_len, sink)?,
    }
    sink.end_value();
    Ok(())
}

/// Tells `sink` the elements of an array.
pub(super) fn export_array(
    array: &Array<'_>,
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    let mut digits = Vec::new();
    array.for_each(scratch, |index, element| match element {
        ArrayElement::Text(text) => sink.item(index, text),
        ArrayElement::Float(x) => {
            digits.clear();
            float_text(x, &mut digits);
            sink.item(index, Text::Bytes(&digits));
        }
    })?;
    sink.array_state(array.insert_index()?);
    Ok(())
}

/// Tells `sink` the value of a module.
pub(super) fn export_module(
    module: &ModuleValue<'_>,
    encoded_len: u64,
    sink: &mut impl ValueSink,
) -> Result<()> {
    let id = module.id()?;
    let name = id.name();
    let mut failure = None;
    let data = known_module_data(id, module.items()?).map_err(|flaw| Error::new(flaw.into()))?;
    let mut fields = module
        .items()?
        .map_while(|item| field(item).map_err(|flaw| failure = Some(flaw)).ok());
    sink.module(
        &name,
        id.encoding_version(),
        data.as_ref(),
        &mut fields,
        encoded_len,
    );
    drop(fields);
    match failure {
        None => Ok(()),
        Some(flaw) => Err(Error::new(flaw.into())),
    }
}

/// Decodes the modules that are understood beyond their items.
pub(crate) fn known_module_data<'i>(
    id: ModuleId,
    items: impl Iterator<Item = ModuleItem<'i>> + Clone,
) -> Result<Option<ModuleData>, Flaw> {
    if let Some(text) = json_document(id, items.clone())? {
        // A document that is no JSON cannot be spliced; its items still say it all.
        return Ok(is_document(&text).then_some(ModuleData::Json(text)));
    }
    match (id.name().as_str(), id.encoding_version()) {
        (vectorset::MODULE_NAME, 0) => {
            vectorset::decode(items).map(|set| Some(ModuleData::VectorSet(set)))
        }
        _ => Ok(None),
    }
}

/// The same for items that a JSON record gives; what they mean is none of its business where
/// they are broken.
pub(crate) fn module_data_of_fields(
    name: &str,
    encoding_version: u16,
    fields: &[ModuleField],
) -> Option<ModuleData> {
    let id = ModuleId::new(name, encoding_version)?;
    let items = fields.iter().map(|field| match field {
        ModuleField::Sint(n) => ModuleItem::Sint(*n),
        ModuleField::Uint(n) => ModuleItem::Uint(*n),
        ModuleField::Float(x) => ModuleItem::Float(*x),
        ModuleField::Double(x) => ModuleItem::Double(*x),
        ModuleField::String(bytes) => ModuleItem::String(RdbString::Raw(bytes)),
    });
    known_module_data(id, items).ok().flatten()
}

fn field(item: ModuleItem<'_>) -> Result<ModuleField, Flaw> {
    Ok(match item {
        ModuleItem::Sint(n) => ModuleField::Sint(n),
        ModuleItem::Uint(n) => ModuleField::Uint(n),
        ModuleItem::Float(x) => ModuleField::Float(x),
        ModuleItem::Double(x) => ModuleField::Double(x),
        ModuleItem::String(stored) => ModuleField::String(stored.to_vec()?),
    })
}

/// Decodes items of module data for a report.
pub fn module_fields(items: ModuleItems<'_>) -> Result<Vec<ModuleField>> {
    items
        .map(field)
        .collect::<Result<_, Flaw>>()
        .map_err(|flaw| Error::new(flaw.into()))
}

fn key_meta_entries(record: &Record<'_>) -> Result<Option<Vec<KeyMetaEntry>>> {
    let Some(meta) = &record.key_meta else {
        return Ok(None);
    };
    let entry = |class: crate::rdb::module::KeyMetaClass<'_>| {
        let items = module_fields(class.items)?;
        Ok(KeyMetaEntry {
            class: class.name(),
            version: class.version(),
            flags: class.flags(),
            items,
        })
    };
    meta.classes().map(entry).collect::<Result<_>>().map(Some)
}
