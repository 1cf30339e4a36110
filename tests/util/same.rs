//! Whether two RDBs hold the same keys, as rdbkit's own JSON says it; and what tests of
//! writers start from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rdbkit::rdb::Target;
use serde_json::Value as Json;

use super::dataset::{FillOptions, fill};
use super::rng::Rng;
use super::server::{Family, Release, Server, Start, old_servers, servers};

pub(crate) fn target_of(release: &Release) -> &'static Target {
    let (major, minor, _) = release.version;
    let family = match release.family {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    };
    Target::named(&format!("{family}-{major}.{minor}")).unwrap()
}

pub(crate) fn all_servers() -> Vec<Release> {
    old_servers().into_iter().chain(servers()).collect()
}

pub(crate) fn filled(release: Release, seed: u64) -> Vec<u8> {
    let server = Server::expect(Start::new(release));
    let options = FillOptions {
        modules: false,
        ..FillOptions::default()
    };
    fill(
        &mut server.client(),
        &release,
        &mut Rng::new(seed),
        &options,
    );
    fs::read(server.save()).unwrap()
}

/// Each key as JSON, without what depends on how it is stored.
pub(crate) fn keys_of(rdb: &Path) -> BTreeMap<String, Json> {
    let output = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(["convert", "--to", "ndjson", "-q"])
        .arg(rdb)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", rdb.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut keys = BTreeMap::new();
    for line in text.lines() {
        let mut key: Json = serde_json::from_str(line).unwrap();
        let members = key.as_object_mut().unwrap();
        for member in ["encoding", "idle_s", "freq"] {
            members.remove(member);
        }
        let name = format!("{} {}", members["db"], members["key"]);
        let kind = members["type"].as_str().unwrap().to_owned();
        // Members of a hash may be in any order, too, when they are pairs.
        if kind == "set" || kind == "hash" {
            for member in ["value", "field_expire_at_ms"] {
                if let Some(Json::Array(items)) = members.get_mut(member) {
                    items.sort_by_key(Json::to_string);
                }
            }
        }
        if kind != "module" {
            keys.insert(name, key);
        }
    }
    keys
}

/// Keeps of objects only what both have: releases differ in what they say of a stream.
fn common(a: &Json, b: &Json) -> (Json, Json) {
    match (a, b) {
        (Json::Object(a), Json::Object(b)) => {
            let (mut left, mut right) = (serde_json::Map::new(), serde_json::Map::new());
            for (name, value) in a {
                if let Some(other) = b.get(name) {
                    let (value, other) = common(value, other);
                    left.insert(name.clone(), value);
                    right.insert(name.clone(), other);
                }
            }
            (Json::Object(left), Json::Object(right))
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let (left, right) = a.iter().zip(b).map(|(a, b)| common(a, b)).unzip();
            (Json::Array(left), Json::Array(right))
        }
        _ => (a.clone(), b.clone()),
    }
}

/// What consumers did last, which commands do not say.
pub(crate) const TIMES: &[&str] = &["seen_at_ms", "active_at_ms"];

fn remove_members(json: &mut Json, names: &[&str]) {
    match json {
        Json::Object(members) => {
            members.retain(|name, _| !names.contains(&name.as_str()));
            members
                .values_mut()
                .for_each(|member| remove_members(member, names));
        }
        Json::Array(items) => items
            .iter_mut()
            .for_each(|item| remove_members(item, names)),
        _ => {}
    }
}

#[track_caller]
pub(crate) fn assert_same_keys(ours: &Path, theirs: &Path, label: &str) {
    assert_same_keys_but(&[], ours, theirs, label);
}

/// The same, without some members of streams.
#[track_caller]
pub(crate) fn assert_same_keys_but(but: &[&str], ours: &Path, theirs: &Path, label: &str) {
    let (ours, theirs) = (keys_of(ours), keys_of(theirs));
    let names = |keys: &BTreeMap<String, Json>| keys.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "{label}: keys");
    for (name, ours) in &ours {
        let (mut ours, mut theirs) = common(ours, &theirs[name]);
        if ours["type"] == "stream" {
            remove_members(&mut ours, but);
            remove_members(&mut theirs, but);
        }
        if let Some(difference) = difference(&ours, &theirs) {
            panic!("{label}: {name}: {difference}");
        }
    }
}

/// Where two values differ first.
fn difference(a: &Json, b: &Json) -> Option<String> {
    match (a, b) {
        (Json::Object(left), Json::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(name, member)| {
                let inside = match right.get(name) {
                    Some(other) => difference(member, other)?,
                    None => " is only in one".to_owned(),
                };
                Some(format!(".{name}{inside}"))
            })
        }
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(at, (a, b))| Some(format!("[{at}]{}", difference(a, b)?)))
        }
        _ => (a != b).then(|| format!(": {a} and {b}")),
    }
}
