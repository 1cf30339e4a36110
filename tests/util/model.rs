//! A value as a client sees it, told to a writer and put together from what a reader tells.

use std::collections::{BTreeMap, BTreeSet};

use rdbkit::bytes::Text;
use rdbkit::model::ValueType;
use rdbkit::model::loss::Loss;
use rdbkit::model::sink::{KeyHead, KeyMetaEntry, ModuleData, ModuleField, ValueSink};
use rdbkit::model::stream::{Group, Pending, StreamId, StreamState};
use rdbkit::ops::export::export_record;
use rdbkit::rdb::{Encodings, Item, Items, RdbWriter, RecordEncoder, Scratch, Target};

pub(crate) type Bytes = Vec<u8>;

/// A value as a client would see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Model {
    String(Bytes),
    List(Vec<Bytes>),
    Set(BTreeSet<Bytes>),
    /// Scores as bits, so that -0 is not 0.
    Zset(BTreeMap<Bytes, u64>),
    Hash(BTreeMap<Bytes, (Bytes, Option<i64>)>),
    Stream(BTreeMap<StreamId, Vec<(Bytes, Bytes)>>, StreamState),
    Array(BTreeMap<u64, Bytes>, Option<u64>),
    Module(String, u16, Vec<ModuleField>),
}

impl Model {
    pub(crate) fn value_type(&self) -> ValueType {
        match self {
            Model::String(_) => ValueType::String,
            Model::List(_) => ValueType::List,
            Model::Set(_) => ValueType::Set,
            Model::Zset(_) => ValueType::Zset,
            Model::Hash(_) => ValueType::Hash,
            Model::Stream(..) => ValueType::Stream,
            Model::Array(..) => ValueType::Array,
            Model::Module(..) => ValueType::Module,
        }
    }

    /// Tells a sink the value.
    pub(crate) fn tell(&self, sink: &mut impl ValueSink) {
        if let Model::String(text) = self {
            return sink.string(Text::Bytes(text));
        }
        sink.begin_value();
        match self {
            Model::String(_) => {}
            Model::List(items) => items
                .iter()
                .for_each(|item| sink.element(Text::Bytes(item))),
            Model::Set(items) => items
                .iter()
                .for_each(|item| sink.element(Text::Bytes(item))),
            Model::Zset(members) => {
                let mut order: Vec<_> = members.iter().collect();
                let score = |bits: u64| f64::from_bits(bits);
                order.sort_by(|a, b| score(*a.1).partial_cmp(&score(*b.1)).unwrap());
                for (member, bits) in order {
                    sink.scored(Text::Bytes(member), score(*bits));
                }
            }
            Model::Hash(fields) => {
                for (field, (value, at)) in fields {
                    sink.field(Text::Bytes(field), Text::Bytes(value), *at);
                }
            }
            Model::Stream(entries, state) => {
                for (id, fields) in entries {
                    let mut pairs = fields
                        .iter()
                        .map(|(field, value)| (Text::Bytes(field), Text::Bytes(value)));
                    sink.entry(*id, &mut pairs);
                }
                sink.stream_state(state);
            }
            Model::Array(items, insert_index) => {
                for (index, item) in items {
                    sink.item(*index, Text::Bytes(item));
                }
                sink.array_state(*insert_index);
            }
            Model::Module(name, version, items) => {
                sink.module(name, *version, None, &mut items.iter().cloned(), 0);
            }
        }
        sink.end_value();
    }
}

/// Puts together what a reader tells.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) expire_at_ms: Option<i64>,
    pub(crate) key_meta: Vec<KeyMetaEntry>,
    pub(crate) model: Option<Model>,
}

impl ValueSink for Collector {
    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.expire_at_ms = head.expire_at_ms;
        self.key_meta = head.key_meta.unwrap_or_default().to_vec();
        self.model = Some(match head.value_type {
            ValueType::String => Model::String(Bytes::new()),
            ValueType::List => Model::List(Vec::new()),
            ValueType::Set => Model::Set(BTreeSet::new()),
            ValueType::Zset => Model::Zset(BTreeMap::new()),
            ValueType::Hash => Model::Hash(BTreeMap::new()),
            ValueType::Stream => Model::Stream(BTreeMap::new(), StreamState::default()),
            ValueType::Array => Model::Array(BTreeMap::new(), None),
            ValueType::Module => Model::Module(String::new(), 0, Vec::new()),
            other => panic!("{other:?}"),
        });
    }

    fn string(&mut self, text: Text<'_>) {
        self.model = Some(Model::String(text.to_vec()));
    }

    fn begin_value(&mut self) {}

    fn element(&mut self, element: Text<'_>) {
        match &mut self.model {
            Some(Model::List(items)) => items.push(element.to_vec()),
            Some(Model::Set(items)) => assert!(items.insert(element.to_vec()), "twice"),
            other => panic!("{other:?}"),
        }
    }

    fn scored(&mut self, member: Text<'_>, score: f64) {
        if let Some(Model::Zset(members)) = &mut self.model {
            let old = members.insert(member.to_vec(), score.to_bits());
            assert_eq!(old, None, "twice");
        }
    }

    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        if let Some(Model::Hash(fields)) = &mut self.model {
            let old = fields.insert(field.to_vec(), (value.to_vec(), expire_at_ms));
            assert_eq!(old, None, "twice");
        }
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        if let Some(Model::Stream(entries, _)) = &mut self.model {
            let fields = fields.map(|(field, value)| (field.to_vec(), value.to_vec()));
            entries.insert(id, fields.collect());
        }
    }

    fn stream_state(&mut self, state: &StreamState) {
        if let Some(Model::Stream(_, own)) = &mut self.model {
            *own = state.clone();
        }
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        if let Some(Model::Array(items, _)) = &mut self.model {
            items.insert(index, text.to_vec());
        }
    }

    fn array_state(&mut self, insert_index: Option<u64>) {
        if let Some(Model::Array(_, own)) = &mut self.model {
            *own = insert_index;
        }
    }

    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        _data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        _encoded_len: u64,
    ) {
        self.model = Some(Model::Module(
            name.to_owned(),
            encoding_version,
            items.collect(),
        ));
    }

    fn end_value(&mut self) {}

    fn end_key(&mut self) -> bool {
        true
    }

    fn abandon_key(&mut self) {}
}

/// A file with one key.
pub(crate) fn file(
    model: &Model,
    expire_at_ms: Option<i64>,
    key_meta: &[KeyMetaEntry],
    target: &'static Target,
) -> Bytes {
    let mut encoder = RecordEncoder::new(target, Encodings::Default);
    let mut head = KeyHead::new(3, b"key", model.value_type());
    head.expire_at_ms = expire_at_ms;
    head.key_meta = Some(key_meta).filter(|classes| !classes.is_empty());
    encoder.begin_key(&head);
    model.tell(&mut encoder);
    assert!(encoder.end_key());
    let mut record = Vec::new();
    assert!(encoder.take(&mut record).unwrap());
    let mut writer = RdbWriter::new(Vec::new(), target).unwrap();
    writer.select_db(3).unwrap();
    writer
        .resize_db(1, u64::from(expire_at_ms.is_some()))
        .unwrap();
    writer.raw(&record).unwrap();
    writer.finish().unwrap()
}

/// The key of a file of at most one.
pub(crate) fn collect(file: &[u8]) -> Collector {
    let mut collector = Collector::default();
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    for item in Items::new(file) {
        if let Item::Key(record) = item.unwrap() {
            assert_eq!(record.db, 3);
            export_record(&record, &mut scratch, &mut key_scratch, &mut collector).unwrap();
        }
    }
    collector
}

/// What a target makes of a value, by the losses that it reports.
pub(crate) fn expected(model: &Model, lost: &[Loss], target: &Target) -> Option<Model> {
    let has = |loss| lost.contains(&loss);
    Some(match model {
        Model::Hash(fields) if has(Loss::FieldDeadline) => {
            assert!(!target.has_field_deadlines());
            let bare = fields.iter();
            let bare = bare.map(|(field, (value, _))| (field.clone(), (value.clone(), None)));
            Model::Hash(bare.collect())
        }
        Model::Array(..) if has(Loss::Array) => return None,
        Model::Module(..) if has(Loss::Module) || has(Loss::VectorSet) => return None,
        Model::Stream(..) if has(Loss::Stream) => return None,
        other => other.clone(),
    })
}

/// Compares two states in what both say; what was reported as lost may differ.
pub(crate) fn assert_same_stream(before: &StreamState, after: &StreamState, lost: &[Loss]) {
    let has = |loss| lost.contains(&loss);
    assert_eq!(before.length, after.length);
    assert_eq!(before.last_id, after.last_id);
    if !has(Loss::StreamCounters) {
        let guess = |at: Option<StreamId>| at.unwrap_or_default();
        assert_eq!(guess(before.max_deleted_id), guess(after.max_deleted_id));
        let added = after.entries_added.unwrap_or(after.length);
        assert_eq!(before.entries_added, Some(added));
    }
    assert_eq!(before.groups.len(), after.groups.len());
    for (before, after) in before.groups.iter().zip(&after.groups) {
        assert_eq!(before.name, after.name);
        assert_eq!(before.last_id, after.last_id);
        if after.entries_read.is_some() {
            assert_eq!(before.entries_read, after.entries_read);
        }
        let owner = |group: &Group, entry: &Pending| {
            let consumer = entry.consumer?;
            Some(group.consumers[consumer as usize].name.clone())
        };
        assert_eq!(before.pending.len(), after.pending.len());
        for (was, is) in before.pending.iter().zip(&after.pending) {
            assert_eq!((was.id, was.count), (is.id, is.count));
            assert_eq!(was.delivered_at_ms, is.delivered_at_ms);
            match owner(before, was) {
                None if has(Loss::Nack) => {
                    assert_eq!(owner(after, is).as_deref(), Some(&b"nacked"[..]));
                }
                known => assert_eq!(known, owner(after, is)),
            }
        }
        for (was, is) in before.consumers.iter().zip(&after.consumers) {
            assert_eq!((&was.name, was.seen_at_ms), (&is.name, is.seen_at_ms));
            if is.active_at_ms.is_some() {
                assert_eq!(was.active_at_ms, is.active_at_ms);
            }
        }
        if !has(Loss::Nack) && after.nacked.is_some() {
            assert_eq!(before.nacked, after.nacked);
        }
    }
    match &after.idmp {
        Some(idmp) => assert_eq!(before.idmp.as_ref(), Some(idmp)),
        None if has(Loss::Idmp) => {}
        None => {
            let idmp = before.idmp.as_ref().unwrap();
            assert_eq!((idmp.duration_s, idmp.max, idmp.iids_added), (100, 100, 0));
            assert!(idmp.producers.is_empty());
        }
    }
}
