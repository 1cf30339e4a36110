//! The replay of a server's log equals the server: DEBUG DIGEST while it runs, and after
//! it has loaded its own log.

mod util;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rdbkit::aof::AofSet;
use rdbkit::num::{Flavor, score_text};
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::store::digest::{digest_entry, digest_store};
use rdbkit::store::{Store, Str, Value};

use util::resp::Client;
use util::rng::{self, Rng};
use util::server::{Release, Server, old_servers, servers};
use util::writes::Writes;

/// Replays a log and hands its keyspace on; what was rejected is listed.
fn with_replay<R>(
    release: &Release,
    path: &Path,
    look: impl FnOnce(&Store<'_>, &[String]) -> R,
) -> R {
    let set = AofSet::open(path).unwrap();
    let files: Vec<Vec<u8>> = set
        .parts
        .iter()
        .map(|part| fs::read(&part.path).unwrap())
        .collect();
    let parts: Vec<LogPart<'_>> = files
        .iter()
        .map(|bytes| LogPart { name: None, bytes })
        .collect();
    let mut options = ReplayOptions::default();
    options.replay.flavor = Flavor::parse(release.name).unwrap();
    let mut findings = Vec::new();
    let replayed = replay_log(&parts, &options, &mut |finding| {
        findings.push(finding.to_string());
    })
    .unwrap();
    look(&replayed.replayer.store, &findings)
}

fn content(kind: &str, mut items: Vec<Vec<u8>>) -> String {
    if kind == "set" {
        items.sort();
    }
    // Values of a HyperLogLog's length say nothing to a reader.
    items.iter_mut().for_each(|item| item.truncate(300));
    let items: Vec<_> = items
        .iter()
        .map(|item| item.escape_ascii().to_string())
        .collect();
    format!("{kind} {}", items.join(" "))
}

fn content_of_server(client: &mut Client, key: &[u8]) -> String {
    let kind = client.ok(&[b"TYPE".as_slice(), key]).text();
    let command: &[&[u8]] = match &*kind {
        "string" => return content(&kind, vec![client.ok(&[b"GET".as_slice(), key]).bytes()]),
        "list" => &[b"LRANGE", key, b"0", b"-1"],
        "set" => &[b"SMEMBERS", key],
        "zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
        _ => return kind,
    };
    let items = client
        .ok(command)
        .items()
        .iter()
        .map(|item| item.bytes())
        .collect();
    content(&kind, items)
}

fn content_of_store(value: &Value<'_>, flavor: Flavor) -> String {
    let text = |text: &Str<'_>| text.text().to_vec();
    let items = match value {
        Value::String(string) => vec![text(string)],
        Value::List(list) => list.iter().map(text).collect(),
        Value::Set(set) => set.iter().map(|member| member.to_vec()).collect(),
        Value::SortedSet(set) => set
            .sorted()
            .into_iter()
            .flat_map(|(member, score)| {
                [
                    member.to_vec(),
                    score_text(score, flavor).as_bytes().to_vec(),
                ]
            })
            .collect(),
        other => return other.type_name().to_owned(),
    };
    content(value.type_name(), items)
}

/// Each key with the digest of its value (before 5.0 its content), and its deadline where the release tells it.
type Keys = BTreeMap<(u32, Vec<u8>), (String, Option<i64>)>;

/// Without it the content and whether there is a deadline must do.
fn has_digest_value(release: &Release) -> bool {
    release.redis_since(5, 0)
}

fn keys_of_server(client: &mut Client, release: &Release) -> Keys {
    let mut all = Keys::new();
    for db in 0..4 {
        client.ok(&["SELECT", &db.to_string()]);
        for key in client.ok(&["KEYS", "*"]).items() {
            let key = key.bytes();
            let digest = if has_digest_value(release) {
                let command = [b"DEBUG".as_slice(), b"DIGEST-VALUE", &key];
                client.ok(&command).items()[0].text()
            } else {
                let expires = client.ok(&[b"PTTL".as_slice(), &key]).int() >= 0;
                format!("{} {expires}", content_of_server(client, &key))
            };
            let at = release
                .has_expiretime()
                .then(|| client.ok(&[b"PEXPIRETIME".as_slice(), &key]).int());
            all.insert((db, key), (digest, at.map(|at| at.max(-1))));
        }
    }
    all
}

fn keys_of_store(store: &Store<'_>, release: &Release) -> Keys {
    let flavor = Flavor::parse(release.name).unwrap();
    store
        .iter()
        .map(|(db, key, entry)| {
            let digest = if has_digest_value(release) {
                digest_entry(None, entry, flavor, 0).unwrap().to_string()
            } else {
                let expires = entry.expire_at_ms().is_some();
                format!("{} {expires}", content_of_store(entry.value(), flavor))
            };
            let at = release
                .has_expiretime()
                .then(|| entry.expire_at_ms().unwrap_or(-1));
            ((db, key.to_vec()), (digest, at))
        })
        .collect()
}

fn differences(server: &Keys, ours: &Keys) -> Vec<String> {
    let names = server.keys().chain(ours.keys());
    let names: std::collections::BTreeSet<_> = names.collect();
    names
        .into_iter()
        .filter(|name| server.get(*name) != ours.get(*name))
        .map(|name| {
            let key = name.1.escape_ascii();
            format!(
                "db {} {key}: server {:?}, replay {:?}",
                name.0,
                server.get(name),
                ours.get(name)
            )
        })
        .collect()
}

fn compare(server: &Server, release: &Release, label: &str) {
    let expected = server.digest();
    let mut client = server.client();
    with_replay(release, &server.aof(), |store, findings| {
        let flavor = Flavor::parse(release.name).unwrap();
        let found = digest_store(store, flavor, 0).unwrap().to_string();
        let theirs = keys_of_server(&mut client, release);
        let ours = keys_of_store(store, release);
        let mut differences = differences(&theirs, &ours);
        for (db, key) in theirs
            .keys()
            .filter(|name| theirs.get(*name) != ours.get(*name))
        {
            client.ok(&["SELECT", &db.to_string()]);
            let ours = store.db(*db).and_then(|db| db.get(key));
            differences.push(format!(
                "server {}\nreplay {:?}",
                content_of_server(&mut client, key),
                ours.map(|entry| content_of_store(entry.value(), flavor))
            ));
        }
        if !differences.is_empty() || found != expected || !findings.is_empty() {
            let kept = std::env::temp_dir().join(format!("replay-{}", release.name));
            let _ = std::process::Command::new("cp")
                .args(["-r".as_ref(), server.aof().as_os_str(), kept.as_os_str()])
                .status();
            panic!(
                "{label}: server {expected}, replay {found}; log kept in {}\n{}\n{}",
                kept.display(),
                differences.join("\n"),
                findings.join("\n")
            );
        }
    });
}

/// Copies a key by way of its payload, which may come from any encoding.
fn dump_and_restore(client: &mut Client, writes: &mut Writes) {
    let from = *writes.rng.pick(&["s1", "l1", "t1", "z1", "p1", "g1", "b1"]);
    let payload = client.cmd(&["DUMP", from]);
    if payload.is_nil() || payload.error().is_some() {
        return;
    }
    let to = *writes.rng.pick(&["s0", "l0", "t0", "z0"]);
    let payload = payload.bytes();
    let mut command = command!["RESTORE", to, 0, payload];
    if writes.rng.one_in(2) {
        command.push(b"REPLACE".to_vec());
    }
    if writes.rng.one_in(2) {
        command[2] = b"4102444900000".to_vec();
        command.push(b"ABSTTL".to_vec());
    }
    client.cmd(&command);
}

fn run(release: Release, preamble: &str, seed: u64, unstable: bool) {
    let label = format!(
        "{} preamble {preamble}, RDBKIT_SEED={seed}, unstable {unstable}",
        release.name
    );
    println!("{label}");
    let args = [
        "--appendonly",
        "yes",
        "--aof-use-rdb-preamble",
        preamble,
        "--appendfsync",
        "no",
    ];
    // Before 4.0 there is no preamble.
    let args = if release.redis_since(4, 0) {
        &args[..]
    } else {
        &args[..2]
    };
    let server = Server::start(release, args);
    let mut client = server.client();
    let mut writes = Writes::new(release, Rng::new(seed), unstable);
    for stage in 0..4 {
        for _ in 0..150 {
            if writes.rng.one_in(12) {
                client.ok(&["MULTI"]);
                for _ in 0..writes.rng.range(1, 5) {
                    client.cmd(&writes.next());
                }
                client.cmd(&["EXEC"]);
            } else {
                client.cmd(&writes.next());
            }
            if writes.rng.one_in(10) {
                dump_and_restore(&mut client, &mut writes);
            }
        }
        if !unstable {
            compare(&server, &release, &format!("{label}, stage {stage}"));
        }
        if stage == 1 {
            server.rewrite_aof();
            if !unstable {
                compare(&server, &release, &format!("{label}, after the rewrite"));
            }
        }
    }
    server.client().ok(&["DEBUG", "LOADAOF"]);
    compare(&server, &release, &format!("{label}, after a reload"));
}

fn rounds_of(release: Release, unstable: bool) {
    for seed in rng::seeds(0x5eed, 1) {
        for preamble in ["no", "yes"] {
            run(release, preamble, seed, unstable);
        }
    }
}

#[test]
fn logs_of_all_servers_replay_to_their_digests() {
    for release in servers() {
        rounds_of(release, false);
    }
}

#[test]
fn logs_of_old_servers_replay_to_their_digests() {
    for release in old_servers() {
        rounds_of(release, false);
    }
}

#[test]
fn what_servers_lose_on_reload_is_lost_here_too() {
    for release in servers() {
        rounds_of(release, true);
    }
}
