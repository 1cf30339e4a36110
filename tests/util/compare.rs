//! Compares what a server says of its keys with another server's word, and with JSON.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::expect::{ExpectedField, ExpectedKey, ExpectedModule, ExpectedStream, ExpectedValue};
use super::resp::shown;

/// Says what differs between two snapshots; empty when nothing does.
pub(crate) fn snapshot_differences(left: &[ExpectedKey], right: &[ExpectedKey]) -> Vec<String> {
    let index = |side: &[ExpectedKey]| -> BTreeMap<(u32, Vec<u8>), ExpectedKey> {
        side.iter()
            .map(|key| ((key.db, key.key.clone()), key.clone()))
            .collect()
    };
    let (left, right) = (index(left), index(right));
    let mut found = Vec::new();
    for (name, one) in &left {
        match right.get(name) {
            None => found.push(format!("{}: missing on the right", one.label())),
            Some(other) if one != other => {
                found.push(format!(
                    "{}:\n  left  {}\n  right {}",
                    one.label(),
                    brief(one),
                    brief(other)
                ));
            }
            Some(_) => {}
        }
    }
    found.extend(
        right
            .iter()
            .filter(|(name, _)| !left.contains_key(*name))
            .map(|(_, key)| format!("{}: missing on the left", key.label())),
    );
    found
}

fn brief(key: &ExpectedKey) -> String {
    let mut text = format!("{:?} {:?}", key.deadline, key.value);
    if text.len() > 3000 {
        let mut end = 3000;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}

impl ExpectedKey {
    /// `db 0 key "user:1" (hash)`.
    pub(crate) fn label(&self) -> String {
        format!(
            "db {} key \"{}\" ({}, {})",
            self.db,
            shown(&self.key),
            self.kind,
            self.encoding.0
        )
    }

    /// What differs between this key and one line of NDJSON; empty when nothing does.
    /// Order counts where it means something (lists, streams, sorted sets) and not where
    /// it does not (sets, hashes, groups, consumers).
    pub(crate) fn differences(&self, line: &str) -> Vec<String> {
        let json: Json = match serde_json::from_str(line) {
            Ok(json) => json,
            Err(error) => return vec![format!("{}: no JSON: {error}", self.label())],
        };
        let mut check = Check { found: Vec::new() };
        check.equal(
            "db",
            json.get("db").and_then(Json::as_u64),
            Some(u64::from(self.db)),
        );
        check.equal(
            "key",
            json.get("key").and_then(string),
            Some(self.key.clone()),
        );
        let kind = match &self.value {
            ExpectedValue::Module(_) => "module",
            _ => &*self.kind,
        };
        check.equal("type", json.get("type").and_then(Json::as_str), Some(kind));
        let at = json.get("expire_at_ms").and_then(Json::as_i64);
        match (&self.deadline, at) {
            (None, None) => {}
            (Some(deadline), Some(at)) if deadline.matches(at) => {}
            (expected, found) => check.say(format!(
                "expire_at_ms: expected {expected:?}, found {found:?}"
            )),
        }
        let empty = Json::Null;
        let value = json.get("value").unwrap_or(&empty);
        match &self.value {
            ExpectedValue::String(bytes) => {
                check.equal("value", string(value), Some(bytes.clone()))
            }
            ExpectedValue::List(items) => check.equal("value", strings(value), Some(items.clone())),
            ExpectedValue::Set(members) => {
                let found = strings(value).map(|mut found| {
                    found.sort();
                    found
                });
                check.equal("value", found, Some(members.clone()));
            }
            ExpectedValue::Zset(members) => check.zset(members, line),
            ExpectedValue::Hash(fields) => {
                check.hash(fields, value, json.get("field_expire_at_ms"))
            }
            ExpectedValue::Stream(stream) => check.stream(stream, value),
            ExpectedValue::Module(module) => check.module(&self.kind, module, value),
        }
        check
            .found
            .into_iter()
            .map(|text| format!("{}: {text}", self.label()))
            .collect()
    }
}

/// A string of the schema: text, or `{"$b64": ..}`.
pub(crate) fn string(json: &Json) -> Option<Vec<u8>> {
    use base64::Engine as _;
    match json {
        Json::String(text) => Some(text.clone().into_bytes()),
        Json::Object(map) if map.len() == 1 => base64::engine::general_purpose::STANDARD
            .decode(map.get("$b64")?.as_str()?)
            .ok(),
        _ => None,
    }
}

fn strings(json: &Json) -> Option<Vec<Vec<u8>>> {
    json.as_array()?.iter().map(string).collect()
}

/// An object or an array of pairs, as pairs.
fn pairs(json: &Json) -> Option<Vec<(Vec<u8>, &Json)>> {
    match json {
        Json::Object(map) => Some(
            map.iter()
                .map(|(name, value)| (name.clone().into_bytes(), value))
                .collect(),
        ),
        Json::Array(items) => items
            .iter()
            .map(|pair| match pair.as_array()?.as_slice() {
                [name, value] => Some((string(name)?, value)),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// The members and scores of a sorted set, from the text of its line: serde_json rounds
/// some doubles wrongly unless it is told not to, the standard library never does.
fn scored(line: &str) -> Option<Vec<(Vec<u8>, f64)>> {
    use serde_json::value::RawValue;
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).ok()?;
    let pairs: Vec<(Json, Box<RawValue>)> =
        serde_json::from_str(members.get("value")?.get()).ok()?;
    pairs
        .iter()
        .map(|(member, score)| {
            let score = match score.get() {
                "\"inf\"" => f64::INFINITY,
                "\"-inf\"" => f64::NEG_INFINITY,
                text => text.parse().ok()?,
            };
            Some((string(member)?, score))
        })
        .collect()
}

struct Check {
    found: Vec<String>,
}

impl Check {
    fn say(&mut self, text: String) {
        self.found.push(text);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            let cut = |value: &T| format!("{value:?}").chars().take(500).collect::<String>();
            self.say(format!(
                "{what}: expected {}, found {}",
                cut(&expected),
                cut(&found)
            ));
        }
    }

    fn zset(&mut self, members: &[(Vec<u8>, String)], line: &str) {
        let Some(found) = scored(line) else {
            return self.say("value: no array of members and scores".into());
        };
        self.equal("members", found.len(), members.len());
        for ((member, text), (found, score)) in members.iter().zip(found) {
            let expected: f64 = text
                .parse()
                .unwrap_or_else(|_| panic!("the server's score {text}"));
            self.equal("member", found, member.clone());
            if score.to_bits() != expected.to_bits() {
                // By bits: -0 is not 0.
                self.say(format!(
                    "score of \"{}\": expected {expected:?}, found {score:?}",
                    shown(member)
                ));
            }
        }
    }

    fn hash(&mut self, fields: &[ExpectedField], value: &Json, deadlines: Option<&Json>) {
        let Some(found) = pairs(value) else {
            return self.say("value: neither an object nor pairs".into());
        };
        let mut found: Vec<(Vec<u8>, Option<Vec<u8>>)> = found
            .into_iter()
            .map(|(field, value)| (field, string(value)))
            .collect();
        found.sort();
        let expected: Vec<(Vec<u8>, Option<Vec<u8>>)> = fields
            .iter()
            .map(|field| (field.field.clone(), Some(field.value.clone())))
            .collect();
        self.equal("value", found, expected);

        let Some(found) = deadlines.map_or(Some(Vec::new()), pairs) else {
            return self.say("field_expire_at_ms: neither an object nor pairs".into());
        };
        let mut found: Vec<(Vec<u8>, Option<i64>)> = found
            .into_iter()
            .map(|(field, at)| (field, at.as_i64()))
            .collect();
        found.sort();
        let expected: Vec<(Vec<u8>, Option<i64>)> = fields
            .iter()
            .filter(|field| field.deadline_ms.is_some())
            .map(|field| (field.field.clone(), field.deadline_ms))
            .collect();
        self.equal("field_expire_at_ms", found, expected);
    }

    fn text(&mut self, what: &str, json: &Json, member: &str, expected: Option<&String>) {
        if let Some(expected) = expected {
            self.equal(
                what,
                json.get(member).and_then(Json::as_str),
                Some(expected.as_str()),
            );
        }
    }

    fn stream(&mut self, stream: &ExpectedStream, value: &Json) {
        let empty = Vec::new();
        let array = |json: &Json, member: &str| -> Vec<Json> {
            json.get(member)
                .and_then(Json::as_array)
                .unwrap_or(&empty)
                .clone()
        };
        /// Id and fields of an entry, as far as they are there.
        type Entry = (Option<String>, Option<Vec<(Vec<u8>, Option<Vec<u8>>)>>);
        let found: Vec<Entry> = array(value, "entries")
            .iter()
            .map(|entry| {
                let id = entry.get("id").and_then(Json::as_str).map(str::to_owned);
                let fields = entry.get("fields").and_then(pairs);
                (
                    id,
                    fields.map(|fields| {
                        fields
                            .into_iter()
                            .map(|(name, value)| (name, string(value)))
                            .collect()
                    }),
                )
            })
            .collect();
        let expected: Vec<_> = stream
            .entries
            .iter()
            .map(|entry| {
                let fields = entry
                    .fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Some(value.clone())));
                (Some(entry.id.clone()), Some(fields.collect::<Vec<_>>()))
            })
            .collect();
        self.equal("entries", found, expected);
        self.equal(
            "length",
            value.get("length").and_then(Json::as_u64),
            Some(stream.entries.len() as u64),
        );
        self.text("last_id", value, "last_id", Some(&stream.last_id));
        self.text("first_id", value, "first_id", stream.first_id.as_ref());
        self.text(
            "max_deleted_id",
            value,
            "max_deleted_id",
            stream.max_deleted_id.as_ref(),
        );
        if let Some(added) = stream.entries_added {
            self.equal(
                "entries_added",
                value.get("entries_added").and_then(Json::as_u64),
                Some(added),
            );
        }
        let mut groups = array(value, "groups");
        groups.sort_by_key(|group| group.get("name").and_then(string));
        self.equal("number of groups", groups.len(), stream.groups.len());
        for (group, found) in stream.groups.iter().zip(&groups) {
            let label = format!("group \"{}\"", shown(&group.name));
            self.equal(
                &label,
                found.get("name").and_then(string),
                Some(group.name.clone()),
            );
            self.text(
                &format!("{label}: last_id"),
                found,
                "last_id",
                Some(&group.last_id),
            );
            if let Some(Some(read)) = group.entries_read {
                let found = found.get("entries_read").and_then(Json::as_u64);
                self.equal(&format!("{label}: entries_read"), found, Some(read));
            }
            let pending = array(found, "pending");
            self.equal(
                &format!("{label}: pending entries"),
                pending.len(),
                group.pending.len(),
            );
            for (expected, found) in group.pending.iter().zip(&pending) {
                let label = format!("{label}: pending {}", expected.id);
                self.text(&label, found, "id", Some(&expected.id));
                self.equal(
                    &label,
                    found.get("consumer").and_then(string),
                    Some(expected.consumer.clone()),
                );
                self.equal(
                    &label,
                    found.get("count").and_then(Json::as_u64),
                    Some(expected.count),
                );
                let at = found.get("delivered_at_ms").and_then(Json::as_i64);
                if !at.is_some_and(|at| expected.delivered_at.matches(at)) {
                    self.say(format!(
                        "{label}: expected {:?}, found {at:?}",
                        expected.delivered_at
                    ));
                }
            }
            let mut consumers = array(found, "consumers");
            consumers.sort_by_key(|consumer| consumer.get("name").and_then(string));
            self.equal(
                &format!("{label}: consumers"),
                consumers.len(),
                group.consumers.len(),
            );
            for (expected, found) in group.consumers.iter().zip(&consumers) {
                let label = format!("{label}: consumer \"{}\"", shown(&expected.name));
                self.equal(
                    &label,
                    found.get("name").and_then(string),
                    Some(expected.name.clone()),
                );
                let at = found.get("seen_at_ms").and_then(Json::as_i64);
                if !at.is_some_and(|at| expected.seen_at.matches(at)) {
                    self.say(format!(
                        "{label}: expected {:?}, found {at:?}",
                        expected.seen_at
                    ));
                }
                // How "never" is written is the schema's business: absent, null or -1.
                if let Some(Some(expected)) = expected.active_at_ms {
                    self.equal(
                        &label,
                        found.get("active_at_ms").and_then(Json::as_i64),
                        Some(expected),
                    );
                }
            }
        }
        if let Some(expected) = &stream.idmp {
            let Some(found) = value.get("idmp") else {
                return self.say("idmp: missing".into());
            };
            self.equal(
                "idmp duration",
                found.get("duration_s").and_then(Json::as_u64),
                Some(expected.duration_s),
            );
            self.equal(
                "idmp max",
                found.get("max").and_then(Json::as_u64),
                Some(expected.max),
            );
            let producers = array(found, "producers");
            let ids: usize = producers
                .iter()
                .map(|producer| array(producer, "entries").len())
                .sum();
            self.equal("idmp producers", producers.len() as u64, expected.producers);
            self.equal("idmp message ids", ids as u64, expected.message_ids);
        }
    }

    fn module(&mut self, kind: &str, module: &ExpectedModule, value: &Json) {
        self.equal(
            "module",
            value.get("module").and_then(Json::as_str),
            Some(kind),
        );
        if let Some(expected) = &module.json {
            let expected: Json = serde_json::from_slice(expected).expect("the server's JSON");
            self.equal("data", value.get("data"), Some(&expected));
        }
    }
}

/// Compares a snapshot with NDJSON text, key by key in any order. Lines without a
/// `key` (the header) are skipped.
pub(crate) fn json_differences(expected: &[ExpectedKey], ndjson: &str) -> Vec<String> {
    let mut lines: BTreeMap<(u64, Vec<u8>), &str> = BTreeMap::new();
    let mut found = Vec::new();
    for line in ndjson.lines() {
        let json: Json = match serde_json::from_str(line) {
            Ok(json) => json,
            Err(error) => {
                found.push(format!("no JSON: {error}: {}", shown(line.as_bytes())));
                continue;
            }
        };
        let Some(key) = json.get("key").and_then(string) else {
            continue;
        };
        let db = json.get("db").and_then(Json::as_u64).unwrap_or(u64::MAX);
        if lines.insert((db, key.clone()), line).is_some() {
            found.push(format!("db {db} key \"{}\": twice", shown(&key)));
        }
    }
    for key in expected {
        match lines.remove(&(u64::from(key.db), key.key.clone())) {
            Some(line) => found.extend(key.differences(line)),
            None => found.push(format!("{}: missing", key.label())),
        }
    }
    found.extend(
        lines
            .into_keys()
            .map(|(db, key)| format!("db {db} key \"{}\": not on the server", shown(&key))),
    );
    found
}
