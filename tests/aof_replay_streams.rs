//! Hashes with field deadlines, streams and functions: what replaying a server's log
//! gives equals the server's digest, and the file that a server writes which has loaded
//! the same log.

mod util;

use rdbkit::store::digest::digest_store;
use util::families::{Writer, function_libraries, hashes, streams, vector_sets};
use util::replayed::{describe, flavor, parts, replay};
use util::rng::{self, Rng};
use util::server::{Release, Server, Start, old_servers, servers};

/// One round: random writes, then three views of them.
fn round(release: Release, seed: u64, write: fn(&mut Writer<'_>)) {
    let label = format!("{} with RDBKIT_SEED={seed}", release.name);
    // Other settings put writes off while a sync is under way.
    let settings = ["--appendonly", "yes", "--appendfsync", "no"];
    let server = Server::expect(Start::new(release).args(&settings));
    let mut client = server.client();
    let mut writer = Writer {
        client: &mut client,
        release,
        rng: Rng::new(seed),
        commands: 0,
        errors: 0,
    };
    for step in 0..3 {
        for _ in 0..150 {
            write(&mut writer);
        }
        if step == 1 {
            server.rewrite_aof();
        }
    }
    assert!(
        writer.errors * 3 < writer.commands * 2,
        "{label}: of {} commands {} were refused",
        writer.commands,
        writer.errors
    );
    let aof = server.aof();
    let files = parts(&aof);
    let ours = replay(&files, &release, &label);
    let second = Server::load_aof(release, &aof)
        .unwrap_or_else(|log| panic!("{label}: refuses its own log:\n{log}"));
    let rdb = vec![std::fs::read(second.save()).unwrap()];
    let theirs = replay(&rdb, &release, &label);
    let counters = release.has_stream_counters();
    let store = ours;
    let (ours, theirs) = (describe(&store, counters), describe(&theirs, counters));
    for key in ours.keys().chain(theirs.keys()) {
        assert_eq!(
            ours.get(key),
            theirs.get(key),
            "{label}: {key}, replayed and loaded by the server:\n{}\n{}",
            ours.get(key).map_or("", String::as_str),
            theirs.get(key).map_or("", String::as_str),
        );
    }
    let now_ms = i64::MIN;
    let digest = digest_store(&store, flavor(&release), now_ms).unwrap();
    assert_eq!(digest.to_string(), server.digest(), "{label}: DEBUG DIGEST");

    eprintln!("{label}: {} keys, {} commands", ours.len(), writer.commands);
}

fn every_server(has: fn(&Release) -> bool, write: fn(&mut Writer<'_>)) {
    for seed in rng::seeds(1, 2) {
        for release in servers().into_iter().chain(old_servers()).filter(has) {
            round(release, seed, write);
        }
    }
}

#[test]
fn hashes_replay_as_servers_load_them() {
    every_server(|_| true, hashes);
}

#[test]
fn streams_replay_as_servers_load_them() {
    every_server(Release::has_streams, streams);
}

#[test]
fn functions_replay_as_servers_load_them() {
    every_server(Release::has_functions, function_libraries);
}

#[test]
fn vector_sets_replay_as_servers_load_them() {
    every_server(Release::has_vector_sets, vector_sets);
}
