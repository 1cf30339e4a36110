//! What a server says about its own keys, as plain data: the expectation that a file
//! of the same server is compared with.
//!
//! The model has one variant per type, holds only what the protocol tells, and is
//! ordered (sets and hashes by bytes, keys by database and name), so that two
//! snapshots are equal exactly if the datasets are. Times that a release tells only
//! relative to now are marked and compare with a tolerance ([`Deadline`]).
//! `compare.rs` holds a key against one line of JSON; what it does not know (times and
//! counters that the protocol hides) it skips.
//!
//! Reading changes access data: idle times and frequencies are read before the values,
//! and a file meant to hold the same must be saved before the snapshot.

use super::resp::{Client, Reply, shown};
use super::server::Release;
use crate::command;

/// One key of a server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedKey {
    pub(crate) db: u32,
    pub(crate) key: Vec<u8>,
    /// `TYPE`: `string`, `hash`, `ReJSON-RL` ...
    pub(crate) kind: String,
    pub(crate) deadline: Option<Deadline>,
    /// `OBJECT ENCODING`; a reload may choose another one, so it takes no part in
    /// equality.
    pub(crate) encoding: Informative<String>,
    /// `OBJECT IDLETIME` under an LRU policy. It grows while one looks.
    pub(crate) idle_s: Informative<Option<u64>>,
    /// `OBJECT FREQ` under an LFU policy. It decays.
    pub(crate) freq: Informative<Option<u8>>,
    pub(crate) value: ExpectedValue,
}

/// A fact beside the data: every value of it equals every other.
#[derive(Clone, Debug)]
pub(crate) struct Informative<T>(pub(crate) T);

impl<T> PartialEq for Informative<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A point in time in ms since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at_ms: i64,
    /// False where the release tells only the time that is left: then right to within
    /// [`Deadline::TOLERANCE_MS`].
    pub(crate) exact: bool,
}

impl Deadline {
    pub(crate) const TOLERANCE_MS: i64 = 3000;

    pub(crate) fn matches(&self, at_ms: i64) -> bool {
        if self.exact {
            self.at_ms == at_ms
        } else {
            self.at_ms.abs_diff(at_ms) <= Self::TOLERANCE_MS as u64
        }
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.at_ms) || other.matches(self.at_ms)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExpectedValue {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    /// Sorted by bytes.
    Set(Vec<Vec<u8>>),
    /// Members with their scores as text, in the server's order.
    Zset(Vec<(Vec<u8>, String)>),
    /// Sorted by field.
    Hash(Vec<ExpectedField>),
    Stream(Box<ExpectedStream>),
    Module(ExpectedModule),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedField {
    pub(crate) field: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) deadline_ms: Option<i64>,
}

/// A stream. What a release does not have, or does not tell, is `None`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedStream {
    pub(crate) entries: Vec<ExpectedEntry>,
    pub(crate) last_id: String,
    pub(crate) first_id: Option<String>,
    pub(crate) max_deleted_id: Option<String>,
    pub(crate) entries_added: Option<u64>,
    /// Sorted by name.
    pub(crate) groups: Vec<ExpectedGroup>,
    pub(crate) idmp: Option<ExpectedIdmp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedEntry {
    pub(crate) id: String,
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedGroup {
    pub(crate) name: Vec<u8>,
    pub(crate) last_id: String,
    /// `Some(None)`: the release has the counter, and its value is unknown.
    pub(crate) entries_read: Option<Option<u64>>,
    /// Sorted by id.
    pub(crate) pending: Vec<ExpectedPending>,
    /// Sorted by name.
    pub(crate) consumers: Vec<ExpectedConsumer>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedPending {
    pub(crate) id: String,
    pub(crate) consumer: Vec<u8>,
    pub(crate) delivered_at: Deadline,
    pub(crate) count: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedConsumer {
    pub(crate) name: Vec<u8>,
    pub(crate) seen_at: Deadline,
    /// `Some(None)`: never active.
    pub(crate) active_at_ms: Option<Option<i64>>,
}

/// The protocol tells how much is remembered, not what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedIdmp {
    pub(crate) duration_s: u64,
    pub(crate) max: u64,
    pub(crate) producers: u64,
    pub(crate) message_ids: u64,
}

/// A value of a module: what its read commands answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedModule {
    /// The document of a JSON value, in the module's own formatting.
    pub(crate) json: Option<Vec<u8>>,
    /// `(command, answer)`.
    pub(crate) reads: Vec<(String, Reply)>,
    /// The `DUMP` payload. Some modules put addresses and uninitialised memory into
    /// theirs, so it takes no part in equality.
    pub(crate) dump: Informative<Vec<u8>>,
}

/// Reads every key of every database.
#[track_caller]
pub(crate) fn snapshot(client: &mut Client, release: &Release) -> Vec<ExpectedKey> {
    let policy = match client.cmd(&["CONFIG", "GET", "maxmemory-policy"]) {
        Reply::Array(Some(items)) if items.len() == 2 => items[1].text(),
        _ => String::new(),
    };
    if release.redis_since(7, 2) {
        client.ok(&["CLIENT", "NO-TOUCH", "ON"]);
    }
    let mut all = Vec::new();
    for db in databases(client) {
        client.ok(&command!["SELECT", db]);
        let keys = scan(client);
        let metadata: Vec<Metadata> = keys
            .iter()
            .map(|key| metadata(client, release, key, &policy))
            .collect();
        for (key, metadata) in keys.into_iter().zip(metadata) {
            let value = value(client, release, &key, &metadata.kind);
            all.push(ExpectedKey {
                db,
                key,
                kind: metadata.kind,
                deadline: metadata.deadline,
                encoding: Informative(metadata.encoding),
                idle_s: Informative(metadata.idle_s),
                freq: Informative(metadata.freq),
                value,
            });
        }
    }
    client.ok(&["SELECT", "0"]);
    all
}

/// The libraries of functions as `(name, code)`, sorted by name.
#[track_caller]
pub(crate) fn functions(client: &mut Client, release: &Release) -> Vec<(String, Vec<u8>)> {
    if !release.has_functions() {
        return Vec::new();
    }
    let list = client.ok(&["FUNCTION", "LIST", "WITHCODE"]);
    let mut found: Vec<(String, Vec<u8>)> = list
        .items()
        .iter()
        .map(|library| {
            (
                get(library, "library_name").text(),
                get(library, "library_code").bytes(),
            )
        })
        .collect();
    found.sort();
    found
}

struct Metadata {
    kind: String,
    deadline: Option<Deadline>,
    encoding: String,
    idle_s: Option<u64>,
    freq: Option<u8>,
}

fn metadata(client: &mut Client, release: &Release, key: &[u8], policy: &str) -> Metadata {
    let kind = client.ok(&command!["TYPE", key]).text();
    let deadline = if release.has_expiretime() {
        let at_ms = client.ok(&command!["PEXPIRETIME", key]).int();
        (at_ms >= 0).then_some(Deadline { at_ms, exact: true })
    } else {
        let left = client.ok(&command!["PTTL", key]).int();
        (left >= 0).then(|| Deadline {
            at_ms: now_ms(client) + left,
            exact: false,
        })
    };
    let encoding = client.ok(&command!["OBJECT", "ENCODING", key]).text();
    let idle_s = policy
        .ends_with("lru")
        .then(|| client.ok(&command!["OBJECT", "IDLETIME", key]).int() as u64);
    let freq = policy
        .ends_with("lfu")
        .then(|| client.ok(&command!["OBJECT", "FREQ", key]).int() as u8);
    Metadata {
        kind,
        deadline,
        encoding,
        idle_s,
        freq,
    }
}

fn now_ms(client: &mut Client) -> i64 {
    let time = client.ok(&["TIME"]);
    time.items()[0].int() * 1000 + time.items()[1].int() / 1000
}

/// The databases that hold keys.
fn databases(client: &mut Client) -> Vec<u32> {
    let info = client.ok(&["INFO", "keyspace"]).text();
    let mut found: Vec<u32> = info
        .lines()
        .filter_map(|line| line.strip_prefix("db")?.split_once(':')?.0.parse().ok())
        .collect();
    found.sort_unstable();
    found
}

/// All keys of the selected database, sorted.
fn scan(client: &mut Client) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let reply = client.ok(&command!["SCAN", cursor, "COUNT", 1000]);
        cursor = reply.items()[0].bytes();
        keys.extend(reply.items()[1].items().iter().map(Reply::bytes));
        if cursor == b"0" {
            break;
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

fn value(client: &mut Client, release: &Release, key: &[u8], kind: &str) -> ExpectedValue {
    match kind {
        "string" => ExpectedValue::String(client.ok(&command!["GET", key]).bytes()),
        "list" => ExpectedValue::List(all_bytes(&client.ok(&command!["LRANGE", key, 0, -1]))),
        "set" => {
            let mut members = all_bytes(&client.ok(&command!["SMEMBERS", key]));
            members.sort();
            ExpectedValue::Set(members)
        }
        "zset" => {
            let reply = client.ok(&command!["ZRANGE", key, 0, -1, "WITHSCORES"]);
            ExpectedValue::Zset(
                reply
                    .pairs()
                    .map(|(member, score)| (member.bytes(), score.text()))
                    .collect(),
            )
        }
        "hash" => hash(client, release, key),
        "stream" => ExpectedValue::Stream(Box::new(stream(client, release, key))),
        _ => ExpectedValue::Module(module(client, key, kind)),
    }
}

fn all_bytes(reply: &Reply) -> Vec<Vec<u8>> {
    reply.items().iter().map(Reply::bytes).collect()
}

fn hash(client: &mut Client, release: &Release, key: &[u8]) -> ExpectedValue {
    let reply = client.ok(&command!["HGETALL", key]);
    let mut fields: Vec<ExpectedField> = reply
        .pairs()
        .map(|(field, value)| ExpectedField {
            field: field.bytes(),
            value: value.bytes(),
            deadline_ms: None,
        })
        .collect();
    fields.sort_by(|a, b| a.field.cmp(&b.field));
    if release.has_field_ttl() && !fields.is_empty() {
        let mut ask = command!["HPEXPIRETIME", key, "FIELDS", fields.len()];
        ask.extend(fields.iter().map(|field| field.field.clone()));
        let reply = client.ok(&ask);
        for (field, at) in fields.iter_mut().zip(reply.items()) {
            field.deadline_ms = (at.int() >= 0).then_some(at.int());
        }
    }
    ExpectedValue::Hash(fields)
}

#[track_caller]
fn get<'a>(map: &'a Reply, name: &str) -> &'a Reply {
    map.field(name)
        .unwrap_or_else(|| panic!("the answer has no {name}: {map:?}"))
}

fn exact(at_ms: i64) -> Deadline {
    Deadline { at_ms, exact: true }
}

fn stream(client: &mut Client, release: &Release, key: &[u8]) -> ExpectedStream {
    let entries = client
        .ok(&command!["XRANGE", key, "-", "+"])
        .items()
        .iter()
        .map(|entry| ExpectedEntry {
            id: entry.items()[0].text(),
            fields: entry.items()[1]
                .pairs()
                .map(|(field, value)| (field.bytes(), value.bytes()))
                .collect(),
        })
        .collect();
    if !release.redis_since(6, 0) {
        return stream_before_full(client, key, entries);
    }
    let info = client.ok(&command!["XINFO", "STREAM", key, "FULL", "COUNT", 0]);
    let counters = release.has_stream_counters();
    let mut groups: Vec<ExpectedGroup> = get(&info, "groups")
        .items()
        .iter()
        .map(|group| expected_group(group, release))
        .collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    ExpectedStream {
        entries,
        last_id: get(&info, "last-generated-id").text(),
        first_id: counters.then(|| get(&info, "recorded-first-entry-id").text()),
        max_deleted_id: counters.then(|| get(&info, "max-deleted-entry-id").text()),
        entries_added: counters.then(|| get(&info, "entries-added").int() as u64),
        groups,
        idmp: release.has_stream_idmp().then(|| ExpectedIdmp {
            duration_s: get(&info, "idmp-duration").int() as u64,
            max: get(&info, "idmp-maxsize").int() as u64,
            producers: get(&info, "pids-tracked").int() as u64,
            message_ids: get(&info, "iids-tracked").int() as u64,
        }),
    }
}

fn expected_group(group: &Reply, release: &Release) -> ExpectedGroup {
    // 6.2 and 7.0 name the two lists alike, later ones too; `pel` was an earlier name.
    let pending_of = |map: &Reply| map.field("pending").or_else(|| map.field("pel")).cloned();
    let pending = pending_of(group).unwrap_or_else(|| panic!("no pending entries in {group:?}"));
    let mut consumers: Vec<ExpectedConsumer> = get(group, "consumers")
        .items()
        .iter()
        .map(|consumer| ExpectedConsumer {
            name: get(consumer, "name").bytes(),
            seen_at: exact(get(consumer, "seen-time").int()),
            active_at_ms: release.has_consumer_active_time().then(|| {
                let at = get(consumer, "active-time");
                (!at.is_nil() && at.int() >= 0).then(|| at.int())
            }),
        })
        .collect();
    consumers.sort_by(|a, b| a.name.cmp(&b.name));
    ExpectedGroup {
        name: get(group, "name").bytes(),
        last_id: get(group, "last-delivered-id").text(),
        entries_read: release.has_stream_counters().then(|| {
            let read = get(group, "entries-read");
            (!read.is_nil()).then(|| read.int() as u64)
        }),
        pending: pending
            .items()
            .iter()
            .map(|entry| ExpectedPending {
                id: entry.items()[0].text(),
                consumer: entry.items()[1].bytes(),
                delivered_at: exact(entry.items()[2].int()),
                count: entry.items()[3].int() as u64,
            })
            .collect(),
        consumers,
    }
}

/// 5.0 has no `XINFO STREAM .. FULL`: the same from several commands, with times
/// relative to now.
fn stream_before_full(
    client: &mut Client,
    key: &[u8],
    entries: Vec<ExpectedEntry>,
) -> ExpectedStream {
    let info = client.ok(&command!["XINFO", "STREAM", key]);
    let mut groups = Vec::new();
    for group in client.ok(&command!["XINFO", "GROUPS", key]).items() {
        let name = get(group, "name").bytes();
        let now = now_ms(client);
        let ago = |ms: &Reply| Deadline {
            at_ms: now - ms.int(),
            exact: false,
        };
        let pending = client
            .ok(&command!["XPENDING", key, name, "-", "+", 1_000_000])
            .items()
            .iter()
            .map(|entry| ExpectedPending {
                id: entry.items()[0].text(),
                consumer: entry.items()[1].bytes(),
                delivered_at: ago(&entry.items()[2]),
                count: entry.items()[3].int() as u64,
            })
            .collect();
        let mut consumers: Vec<ExpectedConsumer> = client
            .ok(&command!["XINFO", "CONSUMERS", key, name])
            .items()
            .iter()
            .map(|consumer| ExpectedConsumer {
                name: get(consumer, "name").bytes(),
                seen_at: ago(get(consumer, "idle")),
                active_at_ms: None,
            })
            .collect();
        consumers.sort_by(|a, b| a.name.cmp(&b.name));
        let last_id = get(group, "last-delivered-id").text();
        groups.push(ExpectedGroup {
            name,
            last_id,
            entries_read: None,
            pending,
            consumers,
        });
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    ExpectedStream {
        entries,
        last_id: get(&info, "last-generated-id").text(),
        first_id: None,
        max_deleted_id: None,
        entries_added: None,
        groups,
        idmp: None,
    }
}

fn module(client: &mut Client, key: &[u8], kind: &str) -> ExpectedModule {
    let mut json = None;
    let asks: Vec<Vec<Vec<u8>>> = match kind {
        "ReJSON-RL" => {
            json = Some(client.ok(&command!["JSON.GET", key]).bytes());
            vec![]
        }
        "MBbloom--" => vec![
            command!["BF.CARD", key],
            command!["BF.INFO", key, "CAPACITY"],
            command!["BF.INFO", key, "FILTERS"],
            command!["BF.INFO", key, "EXPANSION"],
            command!["BF.SCANDUMP", key, 0],
        ],
        "MBbloomCF" => vec![command!["CF.INFO", key]],
        "CMSk-TYPE" => vec![command!["CMS.INFO", key]],
        "TopK-TYPE" => vec![
            command!["TOPK.INFO", key],
            command!["TOPK.LIST", key, "WITHCOUNT"],
        ],
        "TDIS-TYPE" => vec![
            command!["TDIGEST.MIN", key],
            command!["TDIGEST.MAX", key],
            command!["TDIGEST.QUANTILE", key, "0.1", "0.5", "0.99"],
        ],
        "TSDB-TYPE" => vec![command!["TS.RANGE", key, "-", "+"]],
        "vectorset" => {
            let mut asks = vec![command!["VCARD", key], command!["VDIM", key]];
            let count = client.ok(&command!["VCARD", key]).int();
            let mut elements = client
                .ok(&command!["VRANDMEMBER", key, count])
                .items()
                .to_vec();
            elements.sort_by_key(Reply::bytes);
            for element in elements {
                let element = element.bytes();
                asks.push(command!["VEMB", key, element, "RAW"]);
                asks.push(command!["VGETATTR", key, element]);
            }
            asks
        }
        _ => vec![],
    };
    let reads = asks
        .into_iter()
        .map(|ask| {
            let label: Vec<String> = ask.iter().map(|word| shown(word)).collect();
            (label.join(" "), client.ok(&ask))
        })
        .collect();
    let dump = client.ok(&command!["DUMP", key]).bytes();
    ExpectedModule {
        json,
        reads,
        dump: Informative(dump),
    }
}
