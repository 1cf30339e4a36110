//! An arbitrary value, written for any release, reads back equal or is reported as lost.

mod util;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use rdbkit::model::sink::ModuleField;
use rdbkit::model::stream::{Consumer, Group, Idmp, Pending, Producer, StreamId, StreamState};
use rdbkit::ops::aof_write::{write_and_survey, write_records};
use rdbkit::ops::export_store::export_entry;
use rdbkit::ops::rdb_write::{Form, WriteOptions, survey_rdb, write_rdb};
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::ops::verify::VerifyOptions;
use rdbkit::rdb::{Encodings, RdbReader, Scratch, Target};
use util::model::{Bytes, Collector, Model, assert_same_stream, collect, expected, file};

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

/// Everything that verify says about a file, warnings too.
fn findings(file: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = RdbReader::from_slice(file);
    rdbkit::ops::verify::verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
        found.push(finding.to_string());
    });
    found
}

fn read(file: &[u8]) -> Option<(Model, Option<i64>)> {
    let key = collect(file);
    Some((key.model?, key.expire_at_ms))
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
        let source = file(&model, at, &[], newest);
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
                (
                    Some(Model::Stream(entries, state)),
                    Some((Model::Stream(found, left), deadline)),
                ) => {
                    prop_assert_eq!(deadline, &at, "{}", target);
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
        let source = file(&model, at, &[], newest);
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
            let mut reader = RdbReader::from_slice(&source);
            let at_once = write_and_survey(&mut reader, &options, Vec::new(), &mut report);
            let (same_log, same_written, same_survey) = at_once.unwrap();
            prop_assert!(same_log == log && same_written == written, "{}", target);
            prop_assert_eq!(&same_survey.losses, &survey.losses, "{}", target);
            prop_assert_eq!(&same_survey.modules, &survey.modules, "{}", target);
            let expected = expected(&model, &lost, target);
            let (after, commands) = replay(&log, target);
            prop_assert_eq!(commands, written.commands, "{}", target);
            match (&expected, &after) {
                (
                    Some(Model::Stream(entries, state)),
                    Some((Model::Stream(found, left), deadline)),
                ) => {
                    prop_assert_eq!(deadline, &at, "{}", target);
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
        export_entry(db, key, entry, &mut Scratch::new(), &mut collector).unwrap();
    }
    let found = collector.model.map(|model| (model, collector.expire_at_ms));
    (found, replayed.records)
}
