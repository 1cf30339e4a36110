//! The replay of a server's log equals the server: DEBUG DIGEST while it runs, and after
//! it has loaded its own log.

mod util;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rdbkit::aof::AofSet;
use rdbkit::num::Flavor;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::store::Store;
use rdbkit::store::digest::{digest_entry, digest_store};

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

/// Each key with the digest of its value, and its deadline where the release tells it.
type Keys = BTreeMap<(u32, Vec<u8>), (String, Option<i64>)>;

fn keys_of_server(client: &mut Client, release: &Release) -> Keys {
    let mut all = Keys::new();
    for db in 0..4 {
        client.ok(&["SELECT", &db.to_string()]);
        for key in client.ok(&["KEYS", "*"]).items() {
            let key = key.bytes();
            let digest = client
                .ok(&[b"DEBUG".as_slice(), b"DIGEST-VALUE", &key])
                .items()[0]
                .text();
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
            let digest = digest_entry(None, entry, flavor, 0).unwrap().to_string();
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
        let (theirs, ours) = if release.redis_since(5, 0) {
            (
                keys_of_server(&mut client, release),
                keys_of_store(store, release),
            )
        } else {
            Default::default()
        };
        let differences = differences(&theirs, &ours);
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
    for round in 0..rng::rounds(3) {
        let seed = rng::seed(0x5eed) + round;
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
