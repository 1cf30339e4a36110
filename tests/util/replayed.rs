//! A server's log replayed, and everything in the keyspace that it determines, as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rdbkit::aof::{AofSet, Event, LogReader};
use rdbkit::num::Flavor;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::rdb::Items;
use rdbkit::replay::table::find;
use rdbkit::store::{Owner, Quantization, Store, Str, Stream, Value};

use super::resp;
use super::server::{Family, Release};

pub(crate) fn flavor(release: &Release) -> Flavor {
    let (major, minor) = (release.version.0 as u16, release.version.1 as u16);
    match release.family {
        Family::Redis => Flavor::redis(major, minor),
        Family::Valkey => Flavor::valkey(major, minor),
    }
}

/// The files of a log, in order.
pub(crate) fn parts(aof: &Path) -> Vec<Vec<u8>> {
    if aof.is_file() {
        return vec![std::fs::read(aof).unwrap()];
    }
    let set = AofSet::open(aof).unwrap();
    let parts = set.parts.iter();
    parts
        .map(|part| std::fs::read(&part.path).unwrap())
        .collect()
}

/// Replays parts that no server could refuse.
pub(crate) fn replay<'a>(parts: &'a [Vec<u8>], release: &Release, label: &str) -> Store<'a> {
    let mut options = ReplayOptions::default();
    options.replay.flavor = flavor(release);
    options.replay.scripts = true;
    let parts: Vec<_> = parts
        .iter()
        .map(|bytes| LogPart { name: None, bytes })
        .collect();
    let mut findings = Vec::new();
    let replayed = replay_log(&parts, &options, &mut |finding| {
        findings.push(finding.to_string());
    });
    let replayed = replayed.unwrap();
    assert!(findings.is_empty(), "{label}:\n{}", findings.join("\n"));
    assert!(replayed.exact, "{label}");
    replayed.replayer.store
}

/// Everything in a store that a log determines, a line for each thing.
pub(crate) fn describe(store: &Store<'_>, counters: bool) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    for (db, key, entry) in store.iter() {
        let mut text = format!("expires {:?} ", entry.expire_at_ms());
        match entry.value() {
            Value::Hash(hash) => {
                let fields: BTreeMap<_, _> = hash
                    .iter()
                    .map(|(name, field)| (name, (&field.value, field.expire_at_ms())))
                    .collect();
                for (name, (value, deadline)) in fields {
                    let value = shown(value);
                    write!(text, "\n  {name:?} = {value} until {deadline:?}").unwrap();
                }
            }
            Value::VectorSet(set) => {
                write!(text, "{:?} {} {}", set.quantization, set.dim, set.m).unwrap();
                let elements: BTreeMap<_, _> = set.elements.iter().collect();
                for (name, vector) in elements {
                    // Servers set no range where there are no bytes.
                    let range = match set.quantization {
                        Quantization::Int8 => vector.range.to_bits(),
                        _ => 0,
                    };
                    let length = vector.l2_norm.to_bits();
                    let (data, attributes) = (&vector.data, &vector.attributes);
                    write!(
                        text,
                        "\n  {name:?} {range:x} {length:x} {data:?} {attributes:?}"
                    )
                    .unwrap();
                }
            }
            Value::Stream(stream) => describe_stream(stream, counters, &mut text),
            Value::String(string) => write!(text, "{}", shown(string)).unwrap(),
            Value::List(list) => {
                for item in list.iter() {
                    write!(text, "\n  {}", shown(item)).unwrap();
                }
            }
            Value::Set(set) => {
                let members: BTreeSet<_> = set.iter().collect();
                write!(text, "{members:?}").unwrap();
            }
            Value::SortedSet(set) => {
                let members: BTreeMap<_, _> = set
                    .sorted()
                    .into_iter()
                    .map(|(member, score)| (member, score.to_bits()))
                    .collect();
                write!(text, "{members:x?}").unwrap();
            }
            other => write!(text, "{other:?}").unwrap(),
        }
        lines.insert(format!("{db} {key:?}"), text);
    }
    for (name, code) in &store.functions {
        lines.insert(format!("function {name:?}"), format!("{code:?}"));
    }
    lines
}

/// Numbers and their texts are the same.
fn shown(text: &Str<'_>) -> String {
    let mut buffer = itoa::Buffer::new();
    text.as_bytes(&mut buffer).escape_ascii().to_string()
}

fn describe_stream(stream: &Stream<'_>, counters: bool, text: &mut String) {
    let ids: Vec<_> = stream.entries.keys().map(ToString::to_string).collect();
    write!(
        text,
        "\n  last {} entries {}",
        stream.last_id,
        ids.join(" ")
    )
    .unwrap();
    if counters {
        let (deleted, added) = (stream.max_deleted_id, stream.entries_added);
        write!(text, "\n  deleted {deleted} added {added}").unwrap();
    }
    for (name, group) in &stream.groups {
        write!(text, "\n  group {name:?} last {}", group.last_id).unwrap();
        if counters {
            write!(text, " read {}", group.entries_read).unwrap();
        }
        for (id, owner, pending) in group.iter_pending() {
            let owner = match owner {
                Owner::Consumer(name) => resp::shown(name),
                Owner::Nobody => "nobody".to_owned(),
            };
            let (at, count) = (pending.delivered_at_ms, pending.count);
            write!(text, "\n    {id} {owner} at {at} {count} times").unwrap();
        }
        let names: Vec<_> = group
            .consumers()
            .map(|(name, _)| format!("{name:?}"))
            .collect();
        write!(text, "\n    consumers {}", names.join(" ")).unwrap();
    }
    let idmp = &stream.idmp;
    write!(
        text,
        "\n  idmp {} s, {}; {} added, {} repeated",
        idmp.duration_s, idmp.max_entries, idmp.iids_added, idmp.iids_duplicates
    )
    .unwrap();
    for (name, producer) in &idmp.producers {
        for (iid, id) in producer.iter() {
            write!(text, "\n    {name:?} {iid:?} {id}").unwrap();
        }
    }
}

/// The names of the commands in a log, in lower case; `container|subcommand`.
pub(crate) fn names(parts: &[Vec<u8>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in parts {
        let mut log = part.as_slice();
        if log.starts_with(b"REDIS") || log.starts_with(b"VALKEY") {
            let mut items = Items::new(part);
            assert!(items.by_ref().all(|item| item.is_ok()));
            log = items.rest();
        }
        let mut reader = LogReader::new(log, 0);
        while let Some(event) = reader.next_event() {
            if let Event::Command { args, .. } = event
                && let Some(command) = find(args)
            {
                names.insert(command.name.to_owned());
            }
        }
    }
    names
}
