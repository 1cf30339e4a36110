//! A replayed keyspace beside what a server answers, in what DEBUG DIGEST leaves out:
//! deadlines of keys and fields, streams with their groups, functions.

use std::fmt::Debug;

use rdbkit::store::{Entry, Owner, Store, Stream, Value};

use super::expect::{ExpectedKey, ExpectedStream, ExpectedValue, functions, snapshot};
use super::server::{Release, Server};

/// What a server answers otherwise than a store has it.
pub(crate) fn differences(store: &Store<'_>, server: &Server, release: &Release) -> Vec<String> {
    let mut client = server.client();
    let mut found = Vec::new();
    let keys = snapshot(&mut client, release);
    compare(&mut found, "keys", store.len(), keys.len());
    for key in &keys {
        match store.db(key.db).and_then(|db| db.get(&key.key)) {
            Some(entry) => compare_key(&mut found, key, entry, release),
            None => found.push(format!("{}: not replayed", key.label())),
        }
    }
    if release.has_functions() {
        let libraries = store.functions.iter();
        let libraries: Vec<_> = libraries
            .map(|(name, code)| (String::from_utf8_lossy(name).into_owned(), code.to_vec()))
            .collect();
        let theirs = functions(&mut client, release);
        compare(&mut found, "functions", libraries, theirs);
    }
    found
}

fn compare<T: PartialEq + Debug>(found: &mut Vec<String>, what: &str, ours: T, theirs: T) {
    if ours != theirs {
        found.push(format!("{what}: replayed {ours:?}, server {theirs:?}"));
    }
}

fn compare_key(found: &mut Vec<String>, key: &ExpectedKey, entry: &Entry<'_>, release: &Release) {
    let what = |part: &str| format!("{}: {part}", key.label());
    let same_deadline = match (&key.deadline, entry.expire_at_ms()) {
        // Before 7.0 a server tells what is left, and computes it again for its log.
        (Some(theirs), Some(ours)) => theirs.matches(ours) || !theirs.exact,
        (theirs, ours) => theirs.is_none() && ours.is_none(),
    };
    if !same_deadline {
        let (ours, theirs) = (entry.expire_at_ms(), &key.deadline);
        found.push(what(&format!("replayed {ours:?}, server {theirs:?}")));
    }
    match (&key.value, entry.value()) {
        (ExpectedValue::Hash(theirs), Value::Hash(ours)) => {
            let mut ours: Vec<_> = ours
                .iter()
                .map(|(name, field)| (name.to_vec(), field.expire_at_ms()))
                .collect();
            ours.sort();
            let theirs = theirs.iter();
            let theirs = theirs.map(|field| (field.field.clone(), field.deadline_ms));
            compare(found, &what("field deadlines"), ours, theirs.collect());
        }
        // 5.0 tells only for how long entries have been idle.
        (ExpectedValue::Stream(theirs), Value::Stream(ours)) if release.redis_since(6, 0) => {
            let ours = stream_lines(ours, theirs.entries_added.is_some());
            compare(found, &what("stream"), ours, expected_lines(theirs));
        }
        _ => {}
    }
}

/// What XINFO FULL tells of a stream and no release computes again, a line for each
/// thing.
fn stream_lines(stream: &Stream<'_>, counters: bool) -> Vec<String> {
    let mut lines = vec![format!("{} {}", stream.len(), stream.last_id)];
    if counters {
        let (first, deleted) = (stream.first_id(), stream.max_deleted_id);
        lines.push(format!("{first} {deleted} {}", stream.entries_added));
    }
    for (name, group) in &stream.groups {
        let read = counters.then_some(group.entries_read);
        lines.push(format!("{:?} {} {read:?}", name.to_vec(), group.last_id));
        for (id, owner, pending) in group.iter_pending() {
            let owner = match owner {
                Owner::Consumer(name) => name.to_vec(),
                Owner::Nobody => Vec::new(),
            };
            let (at_ms, count) = (pending.delivered_at_ms, pending.count);
            lines.push(format!("{id} {owner:?} {at_ms} {count}"));
        }
        for (name, _) in group.consumers() {
            lines.push(format!("{:?}", name.to_vec()));
        }
    }
    lines
}

fn expected_lines(stream: &ExpectedStream) -> Vec<String> {
    let mut lines = vec![format!("{} {}", stream.entries.len(), stream.last_id)];
    if let (Some(first), Some(deleted), Some(added)) = (
        &stream.first_id,
        &stream.max_deleted_id,
        stream.entries_added,
    ) {
        lines.push(format!("{first} {deleted} {added}"));
    }
    for group in &stream.groups {
        let read = group
            .entries_read
            .map(|read| read.map_or(-1, |read| read as i64));
        lines.push(format!("{:?} {} {read:?}", group.name, group.last_id));
        for pending in &group.pending {
            let (owner, at_ms) = (&pending.consumer, pending.delivered_at.at_ms);
            lines.push(format!(
                "{} {owner:?} {at_ms} {}",
                pending.id, pending.count
            ));
        }
        for consumer in &group.consumers {
            lines.push(format!("{:?}", consumer.name));
        }
    }
    lines
}
