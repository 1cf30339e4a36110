//! An arbitrary value, written for any release, reads back equal or is reported as lost.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use rdbkit::bytes::Text;
use rdbkit::model::ValueType;
use rdbkit::model::loss::Loss;
use rdbkit::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use rdbkit::model::stream::{Consumer, Group, Idmp, Pending, Producer, StreamId, StreamState};
use rdbkit::ops::aof_write::write_records;
use rdbkit::ops::export::export_record;
use rdbkit::ops::export_store::export_entry;
use rdbkit::ops::rdb_write::{Form, WriteOptions, survey_rdb, write_rdb};
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::ops::verify::VerifyOptions;
use rdbkit::rdb::{Encodings, Item, Items, RdbReader, RdbWriter, RecordEncoder, Scratch, Target};

type Bytes = Vec<u8>;

/// A value as a client would see it.
#[derive(Clone, Debug, PartialEq)]
enum Model {
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
    fn value_type(&self) -> ValueType {
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
    fn tell(&self, sink: &mut impl ValueSink) {
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
struct Collector {
    expire_at_ms: Option<i64>,
    model: Option<Model>,
}

impl ValueSink for Collector {
    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.expire_at_ms = head.expire_at_ms;
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

fn bytes() -> impl Strategy<Value = Bytes> {
    let len = prop_oneof![8 => 0..30usize, 4 => 60..70usize, 1 => 120..130usize];
    prop_oneof![
        6 => len.prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)),
        2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => any::<i8>().prop_map(|n| n.to_string().into_bytes()),
        2 => "-?[0-9]{0,3}[.]?[0-9]{0,3}".prop_map(String::into_bytes),
        2 => (0..400usize).prop_map(|len| b"abcab".iter().copied().cycle().take(len).collect()),
    ]
}

/// Some long enough for nodes of their own and for the odd back lengths.
fn long_bytes() -> impl Strategy<Value = Bytes> {
    let lens = prop_oneof![8180..8200usize, 16370..16390usize, Just(4096usize)];
    prop_oneof![
        20 => bytes(),
        1 => lens.prop_map(|len| vec![b'z'; len]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<f64>().prop_filter("a number", |x| !x.is_nan()),
        4 => (-1000i64..1000).prop_map(|n| n as f64 / 8.0),
        2 => any::<i64>().prop_map(|n| n as f64),
        1 => Just(-0.0),
        1 => Just(f64::INFINITY),
    ]
}

fn counts() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 1..20usize, 2 => 100..140usize, 1 => 500..530usize]
}

/// At most so many elements: what comes twice is not tried again.
fn set_of<T: Ord + std::fmt::Debug>(
    element: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = BTreeSet<T>> {
    prop::collection::vec(element, most).prop_map(|all| all.into_iter().collect())
}

/// At most so many pairs.
fn map_of<K: Ord + std::fmt::Debug, V: std::fmt::Debug>(
    key: impl Strategy<Value = K>,
    value: impl Strategy<Value = V>,
    most: usize,
) -> impl Strategy<Value = BTreeMap<K, V>> {
    prop::collection::vec((key, value), most).prop_map(|all| all.into_iter().collect())
}

fn deadline() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        3 => Just(None),
        1 => (1i64..1 << 48).prop_map(Some),
    ]
}

fn id() -> impl Strategy<Value = StreamId> {
    prop_oneof![(1..50u64, 0..5u64), (any::<u64>(), any::<u64>()),]
        .prop_map(|(ms, seq)| StreamId::new(ms, seq))
}

fn group() -> impl Strategy<Value = Group> {
    let pending = prop::collection::btree_map(id(), (0..4u32, any::<i64>(), any::<u64>()), 0..8);
    (id(), any::<u16>(), pending, any::<bool>()).prop_map(|(last_id, read, pending, unknown)| {
        let consumers: Vec<_> = (0..3)
            .map(|n| Consumer {
                name: format!("consumer {n}").into_bytes(),
                seen_at_ms: 1_700_000_000_000 + n,
                active_at_ms: Some(if n == 0 { -1 } else { 1_700_000_000_001 }),
            })
            .collect();
        let pending: Vec<_> = pending
            .into_iter()
            .map(|(id, (owner, delivered_at_ms, count))| Pending {
                id,
                // The fourth is nobody.
                consumer: (owner < 3).then_some(owner),
                delivered_at_ms,
                count,
            })
            .collect();
        let nacked = pending.iter().filter(|entry| entry.consumer.is_none());
        Group {
            name: Vec::new(),
            last_id,
            entries_read: Some(if unknown { -1 } else { i64::from(read) }),
            nacked: Some(nacked.map(|entry| entry.id).collect()),
            pending,
            consumers,
        }
    })
}

fn idmp() -> impl Strategy<Value = Idmp> {
    let entries = prop::collection::vec((bytes(), id()), 1..4);
    let producers = prop::collection::btree_map(bytes(), entries, 0..3);
    let used = (1..=86_400u64, 1..=10_000u64, producers, any::<u32>());
    prop_oneof![
        Just(Idmp {
            duration_s: 100,
            max: 100,
            ..Idmp::default()
        }),
        used.prop_map(|(duration_s, max, producers, added)| Idmp {
            duration_s,
            max,
            producers: producers
                .into_iter()
                .map(|(id, entries)| Producer { id, entries })
                .collect(),
            iids_added: u64::from(added),
            iids_duplicates: 3,
        }),
    ]
}

fn stream() -> impl Strategy<Value = Model> {
    let entries = counts().prop_flat_map(|n| {
        let fields = prop::collection::vec((bytes(), long_bytes()), 1..4);
        map_of(id(), fields, n)
    });
    let groups = prop::collection::vec(group(), 0..3);
    let deleted = prop_oneof![2 => Just(StreamId::MIN), 1 => id()];
    (entries, groups, idmp(), deleted, 0..3u64).prop_map(
        |(entries, mut groups, idmp, deleted, more)| {
            let added = entries.len() as u64 + more * 70_000;
            for (number, group) in groups.iter_mut().enumerate() {
                group.name = format!("group {number}").into_bytes();
                // Redis 8.8 loads no group that has read more than there ever was.
                let most = |read: i64| read.min(added as i64);
                group.entries_read = group.entries_read.map(most);
            }
            let (first, last) = (entries.keys().next(), entries.keys().last());
            let state = StreamState {
                length: entries.len() as u64,
                last_id: *last.unwrap(),
                first_id: first.copied(),
                max_deleted_id: Some(deleted.min(*last.unwrap())),
                entries_added: Some(added),
                groups,
                idmp: Some(idmp),
            };
            Model::Stream(entries, state)
        },
    )
}

fn value() -> impl Strategy<Value = Model> {
    prop_oneof![
        bytes().prop_map(Model::String),
        counts()
            .prop_flat_map(|n| prop::collection::vec(long_bytes(), n))
            .prop_map(Model::List),
        counts()
            .prop_flat_map(|n| set_of(bytes(), n))
            .prop_map(Model::Set),
        counts()
            .prop_flat_map(|n| set_of(any::<i32>(), n))
            .prop_map(|all| {
                Model::Set(
                    all.into_iter()
                        .map(|n| n.to_string().into_bytes())
                        .collect(),
                )
            }),
        counts()
            .prop_flat_map(|n| map_of(bytes(), score(), n))
            .prop_map(|all| {
                let bits = all
                    .into_iter()
                    .map(|(member, score)| (member, score.to_bits()));
                Model::Zset(bits.collect())
            }),
        (counts(), any::<bool>())
            .prop_flat_map(|(n, timed)| {
                let deadline = if timed {
                    deadline().boxed()
                } else {
                    Just(None).boxed()
                };
                map_of(bytes(), (bytes(), deadline), n)
            })
            .prop_map(Model::Hash),
        stream(),
        (
            prop::collection::btree_map(0..u64::MAX - 1, bytes(), 1..20),
            prop::option::of(0..u64::MAX - 1)
        )
            .prop_map(|(items, index)| Model::Array(items, index)),
        Just(Model::Module(
            "test-modu".to_owned(),
            7,
            vec![
                ModuleField::Sint(-5),
                ModuleField::Uint(u64::MAX),
                ModuleField::Float(1.5),
                ModuleField::Double(-0.1),
                ModuleField::String(b"123".to_vec()),
            ],
        )),
    ]
}

/// A file with one key.
fn file(model: &Model, expire_at_ms: Option<i64>, target: &'static Target) -> Bytes {
    let mut encoder = RecordEncoder::new(target, Encodings::Default);
    let mut head = KeyHead::new(3, b"key", model.value_type());
    head.expire_at_ms = expire_at_ms;
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

fn read(file: &[u8]) -> Option<(Model, Option<i64>)> {
    let mut collector = Collector::default();
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    for item in Items::new(file) {
        if let Item::Key(record) = item.unwrap() {
            assert_eq!(record.db, 3);
            export_record(&record, &mut scratch, &mut key_scratch, &mut collector).unwrap();
        }
    }
    Some((collector.model?, collector.expire_at_ms))
}

/// Everything that verify says about a file, warnings too.
fn findings(file: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = RdbReader::from_slice(file);
    rdbkit::ops::verify::verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
        found.push(finding.to_string());
    });
    found
}

/// What a target makes of a value, by the losses that it reports.
fn expected(model: &Model, lost: &[Loss], target: &Target) -> Option<Model> {
    let has = |loss| lost.contains(&loss);
    Some(match model {
        Model::Hash(fields) if has(Loss::FieldDeadline) => {
            assert!(!target.has_field_deadlines());
            let bare = fields.iter();
            let bare = bare.map(|(field, (value, _))| (field.clone(), (value.clone(), None)));
            Model::Hash(bare.collect())
        }
        Model::Array(..) if has(Loss::Array) => return None,
        Model::Module(..) if has(Loss::Module) => return None,
        Model::Stream(..) if has(Loss::Stream) => return None,
        other => other.clone(),
    })
}

/// Compares two states in what both say; what was reported as lost may differ.
fn assert_same_stream(before: &StreamState, after: &StreamState, lost: &[Loss]) {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn value_reads_back_or_is_reported(
        model in value(),
        at in prop::option::of(1i64..1 << 50),
        universal in any::<bool>(),
        targets in prop::collection::vec(any::<prop::sample::Index>(), 4),
    ) {
        // The newest release carries everything.
        let newest = Target::named("redis-8.10").unwrap();
        let source = file(&model, at, newest);
        prop_assert_eq!(read(&source), Some((model.clone(), at)));
        let all: Vec<&'static Target> = Target::all().collect();
        let mut written = None;
        for target in targets.iter().map(|index| *index.get(&all)) {
            let mut options = WriteOptions::new(target);
            if universal {
                options.encodings = Encodings::Universal;
            }
            let survey = survey_rdb(&mut RdbReader::from_slice(&source), &options).unwrap();
            let lost: Vec<_> = survey.losses.data.keys().copied().collect();
            let mut reader = RdbReader::from_slice(&source);
            let mut report = |finding| panic!("{target}: {finding}");
            let (out, _) =
                write_rdb(&mut reader, &options, &survey, Vec::new(), &mut report).unwrap();
            prop_assert!(out.starts_with(target.dialect().to_string().as_bytes()));
            let expected = expected(&model, &lost, target);
            let after = read(&out);
            match (&expected, &after) {
                (Some(Model::Stream(entries, state)), Some((Model::Stream(found, left), _))) => {
                    prop_assert_eq!(entries, found, "{}", target);
                    assert_same_stream(state, left, &lost);
                }
                _ => prop_assert_eq!(&expected.map(|model| (model, at)), &after, "{}", target),
            }
            written = Some((target, out));
        }
        // Looking for duplicates takes a large table each time, so one file must do.
        if let Some((target, out)) = written {
            let odd = |finding: &String| !finding.contains("stream_counters");
            let findings: Vec<_> = findings(&out).into_iter().filter(odd).collect();
            prop_assert!(findings.is_empty(), "{}: {}", target, findings.join("\n"));
        }
    }

    #[test]
    fn commands_make_the_value_again(
        model in value(),
        at in prop::option::of(1i64..1 << 50),
        targets in prop::collection::vec(any::<prop::sample::Index>(), 4),
    ) {
        let newest = Target::named("redis-8.10").unwrap();
        let source = file(&model, at, newest);
        let all: Vec<&'static Target> = Target::all().collect();
        for target in targets.iter().map(|index| *index.get(&all)) {
            let mut options = WriteOptions::new(target);
            options.form = Form::Commands { now_ms: 1_800_000_000_000 };
            let survey = survey_rdb(&mut RdbReader::from_slice(&source), &options).unwrap();
            let lost: Vec<_> = survey.losses.data.keys().copied().collect();
            let mut reader = RdbReader::from_slice(&source);
            let mut report = |finding| panic!("{target}: {finding}");
            let (log, written) =
                write_records(&mut reader, &options, &survey, Vec::new(), &mut report).unwrap();
            let expected = expected(&model, &lost, target);
            let (after, commands) = replay(&log, target);
            prop_assert_eq!(commands, written.commands, "{}", target);
            match (&expected, &after) {
                (Some(Model::Stream(entries, state)), Some((Model::Stream(found, left), _))) => {
                    prop_assert_eq!(entries, found, "{}", target);
                    let mut left = without_times(left);
                    if target.dialect().version < 10 {
                        // These releases do not count what a group has read.
                        left.groups.iter_mut().for_each(|group| group.entries_read = None);
                    }
                    assert_same_stream(&without_times(state), &left, &lost);
                }
                _ => prop_assert_eq!(&expected.map(|model| (model, at)), &after, "{}", target),
            }
        }
    }
}

/// A state without what commands do not say: when consumers were seen.
fn without_times(state: &StreamState) -> StreamState {
    let mut state = state.clone();
    for group in &mut state.groups {
        group.consumers.sort_by(|a, b| a.name.cmp(&b.name));
        for consumer in &mut group.consumers {
            (consumer.seen_at_ms, consumer.active_at_ms) = (0, None);
        }
        group.nacked = group.nacked.take().filter(|ids| !ids.is_empty());
    }
    state
}

/// What a log of one key leaves, and its commands.
fn replay(log: &[u8], target: &Target) -> (Option<(Model, Option<i64>)>, u64) {
    let parts = [LogPart {
        name: None,
        bytes: log,
    }];
    let mut options = ReplayOptions::default();
    options.replay.flavor = target.flavor();
    let mut report = |finding| panic!("{target}: {finding}");
    let replayed = replay_log(&parts, &options, &mut report).unwrap();
    assert!(replayed.exact, "{target}");
    let mut collector = Collector::default();
    for (db, key, entry) in replayed.replayer.store.iter() {
        assert_eq!((db, &**key), (3, &b"key"[..]));
        export_entry(db, key, entry, &mut collector).unwrap();
    }
    let found = collector.model.map(|model| (model, collector.expire_at_ms));
    (found, replayed.records)
}
