//! A key and its value in a few hashes: equal exactly if the data is, however it is stored.
//!
//! Hashes have 128 bits where the verdict rests on them and a seed of their own in every run,
//! so no input can be made to collide. Elements without an order add up; what has an order
//! is hashed in it. What a source leaves out counts as what loaders make of it: a stream
//! of Redis 6.2 equals the same stream of 8.6.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::RandomState;

use crate::bytes::Text;
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{Group, Idmp, StreamId, StreamState};
use crate::model::vectorset::VectorSet;

/// The seeds of a run; both sides of a comparison need the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeds(RandomState, RandomState);

/// What is compared of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// Database and key.
    pub(super) key: u128,
    pub(super) value_type: ValueType,
    /// Elements and their order.
    pub(super) value: u128,
    /// Counters, groups and idempotent producers of a stream.
    pub(super) state: u64,
    pub(super) expire_at_ms: Option<i64>,
    pub(super) field_deadlines: u64,
    pub(super) key_meta: u64,
}

type SeededHasher = <RandomState as BuildHasher>::Hasher;

/// Hashes a sequence of parts twice.
struct Sequence(SeededHasher, SeededHasher);

impl Seeds {
    fn sequence(&self) -> Sequence {
        Sequence(self.0.build_hasher(), self.1.build_hasher())
    }

    pub(super) fn of_key(&self, db: u32, key: &[u8]) -> u128 {
        let mut hash = self.sequence();
        hash.number(u64::from(db));
        hash.bytes(key);
        hash.finish()
    }
}

impl Sequence {
    fn number(&mut self, n: u64) {
        self.0.write_u64(n);
        self.1.write_u64(n);
    }

    /// A part of any length; the length goes first, so that parts cannot run into each other.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn text(&mut self, text: Text<'_>) {
        self.bytes(text.as_bytes(&mut itoa::Buffer::new()));
    }

    fn id(&mut self, id: StreamId) {
        self.number(id.ms);
        self.number(id.seq);
    }

    fn finish(&self) -> u128 {
        u128::from(self.0.finish()) << 64 | u128::from(self.1.finish())
    }
}

/// Makes fingerprints of keys that are told to it.
#[derive(Debug)]
pub(super) struct FingerprintSink {
    seeds: Seeds,
    print: Option<Fingerprint>,
    /// How many ordered elements came before.
    position: u64,
    first_id: Option<StreamId>,
}

impl FingerprintSink {
    pub(super) fn new(seeds: Seeds) -> Self {
        FingerprintSink {
            seeds,
            print: None,
            position: 0,
            first_id: None,
        }
    }

    /// That of the key that ended.
    pub(super) fn take(&mut self) -> Option<Fingerprint> {
        self.print.take()
    }

    fn add(&mut self, hash: u128) {
        if let Some(print) = &mut self.print {
            print.value = print.value.wrapping_add(hash);
        }
    }

    /// Adds an element whose place among the others matters.
    fn add_in_order(&mut self, feed: impl FnOnce(&mut Sequence)) {
        let mut hash = self.seeds.sequence();
        hash.number(self.position);
        feed(&mut hash);
        self.position += 1;
        self.add(hash.finish());
    }
}

impl ValueSink for FingerprintSink {
    fn wants_score_order(&self) -> bool {
        false
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.position = 0;
        self.first_id = None;
        let mut key_meta = self.seeds.sequence();
        for entry in head.key_meta.unwrap_or_default() {
            key_meta.bytes(entry.class.as_bytes());
            key_meta.number(u64::from(entry.version));
            key_meta.number(u64::from(entry.flags));
            entry
                .items
                .iter()
                .for_each(|item| item_of(&mut key_meta, item));
        }
        self.print = Some(Fingerprint {
            key: self.seeds.of_key(head.db, head.key),
            value_type: head.value_type,
            value: 0,
            state: 0,
            expire_at_ms: head.expire_at_ms,
            field_deadlines: 0,
            key_meta: key_meta.finish() as u64,
        });
    }

    fn string(&mut self, text: Text<'_>) {
        self.add_in_order(|hash| hash.text(text));
    }

    fn begin_value(&mut self) {}

    fn element(&mut self, element: Text<'_>) {
        match self.print.map(|print| print.value_type) {
            Some(ValueType::List) => self.add_in_order(|hash| hash.text(element)),
            _ => {
                let mut hash = self.seeds.sequence();
                hash.text(element);
                self.add(hash.finish());
            }
        }
    }

    fn scored(&mut self, member: Text<'_>, score: f64) {
        let mut hash = self.seeds.sequence();
        hash.text(member);
        hash.number(score.to_bits());
        self.add(hash.finish());
    }

    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        let mut hash = self.seeds.sequence();
        hash.text(field);
        if let (Some(at), Some(print)) = (expire_at_ms, &mut self.print) {
            let mut deadline = self.seeds.sequence();
            deadline.text(field);
            deadline.number(at as u64);
            print.field_deadlines = print.field_deadlines.wrapping_add(deadline.finish() as u64);
        }
        hash.text(value);
        self.add(hash.finish());
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        self.first_id.get_or_insert(id);
        self.add_in_order(|hash| {
            hash.id(id);
            for (field, value) in fields {
                hash.text(field);
                hash.text(value);
            }
        });
    }

    fn stream_state(&mut self, state: &StreamState) {
        let mut hash = self.seeds.sequence();
        hash.id(state.last_id);
        hash.id(state.max_deleted_id.unwrap_or_default());
        hash.number(state.entries_added.unwrap_or(state.length));
        let whole = StreamState {
            first_id: state.first_id.or(self.first_id),
            groups: Vec::new(),
            idmp: None,
            ..state.clone()
        };
        let groups = state.groups.iter();
        let groups = groups.map(|group| hash_of_group(&self.seeds, group, &whole));
        hash.number(groups.fold(0, u64::wrapping_add));
        if let Some(idmp) = state.idmp.as_ref().filter(|idmp| idmp.says_something()) {
            idmp_of(&mut hash, idmp);
        }
        if let Some(print) = &mut self.print {
            print.state = hash.finish() as u64;
        }
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        let mut hash = self.seeds.sequence();
        hash.number(index);
        hash.text(text);
        self.add(hash.finish());
    }

    fn array_state(&mut self, insert_index: Option<u64>) {
        let mut hash = self.seeds.sequence();
        hash.number(u64::from(insert_index.is_some()));
        hash.number(insert_index.unwrap_or_default());
        self.add(hash.finish());
    }

    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        _encoded_len: u64,
    ) {
        let mut hash = self.seeds.sequence();
        hash.bytes(name.as_bytes());
        hash.number(u64::from(encoding_version));
        match data {
            // Its graph is different in every server.
            Some(ModuleData::VectorSet(set)) => vectors_of(&mut hash, &self.seeds, set),
            _ => items.for_each(|item| item_of(&mut hash, &item)),
        }
        self.add(hash.finish());
    }

    fn end_value(&mut self) {}

    fn end_key(&mut self) -> bool {
        true
    }

    fn abandon_key(&mut self) {
        self.print = None;
    }
}

fn item_of(hash: &mut Sequence, item: &ModuleField) {
    match item {
        ModuleField::Sint(n) => {
            hash.number(0);
            hash.number(*n as u64);
        }
        ModuleField::Uint(n) => {
            hash.number(1);
            hash.number(*n);
        }
        ModuleField::Float(x) => {
            hash.number(2);
            hash.number(u64::from(x.to_bits()));
        }
        ModuleField::Double(x) => {
            hash.number(3);
            hash.number(x.to_bits());
        }
        ModuleField::String(bytes) => {
            hash.number(4);
            hash.bytes(bytes);
        }
    }
}

fn vectors_of(hash: &mut Sequence, seeds: &Seeds, set: &VectorSet) {
    hash.number(u64::from(set.dim));
    hash.bytes(set.quantization.name().as_bytes());
    hash.number(u64::from(set.projected_from.unwrap_or_default()));
    let elements = set.elements.iter().map(|element| {
        let mut hash = seeds.sequence();
        hash.bytes(&element.name);
        hash.bytes(&element.vector);
        hash.bytes(element.attributes.as_deref().unwrap_or_default());
        hash.finish()
    });
    let sum = elements.fold(0, u128::wrapping_add);
    hash.number((sum >> 64) as u64);
    hash.number(sum as u64);
}

/// A group without the times of its consumers, which are only told.
fn hash_of_group(seeds: &Seeds, group: &Group, stream: &StreamState) -> u64 {
    let mut hash = seeds.sequence();
    hash.bytes(&group.name);
    hash.id(group.last_id);
    let read = group.entries_read;
    hash.number(read.unwrap_or_else(|| stream.estimated_reads(group.last_id)) as u64);
    for pending in &group.pending {
        hash.id(pending.id);
        let owner = pending
            .consumer
            .and_then(|n| group.consumers.get(n as usize));
        hash.number(u64::from(owner.is_some()));
        hash.bytes(owner.map_or(&[], |owner| &owner.name));
        hash.number(pending.delivered_at_ms as u64);
        hash.number(pending.count);
    }
    let consumers = group.consumers.iter().map(|consumer| {
        let mut hash = seeds.sequence();
        hash.bytes(&consumer.name);
        hash.finish() as u64
    });
    hash.number(consumers.fold(0, u64::wrapping_add));
    group.nacked.iter().flatten().for_each(|id| hash.id(*id));
    hash.finish() as u64
}

fn idmp_of(hash: &mut Sequence, idmp: &Idmp) {
    hash.number(idmp.duration_s);
    hash.number(idmp.max);
    hash.number(idmp.iids_added);
    hash.number(idmp.iids_duplicates);
    let mut producers: Vec<_> = idmp.producers.iter().collect();
    producers.sort_by(|a, b| a.id.cmp(&b.id));
    for producer in producers {
        hash.bytes(&producer.id);
        hash.number(producer.entries.len() as u64);
        for (iid, id) in &producer.entries {
            hash.bytes(iid);
            hash.id(*id);
        }
    }
}
