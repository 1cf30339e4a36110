//! The size that `inspect` says a rewrite to commands would have is the size that it has, and
//! about what a server's own has.

mod util;

use std::process::Command;

use rdbkit::aof::AofSet;
use rdbkit::aof::layout::Content;
use rdbkit::input::{Input, Kind, OpenOptions};
use rdbkit::ops::inspect_log::{LogInspection, inspect_log};
use rdbkit::ops::log::Log;
use rdbkit::ops::replay::ReplayOptions;
use util::rng::{self, Rng};
use util::server::{Release, Server, servers};
use util::writes::Writes;

/// What `inspect` says that a rewrite would leave, and what one leaves.
fn said_and_written(log: &str, label: &str) -> (Option<u64>, u64) {
    let rdbkit = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
            .args(args)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{label}: {args:?}: {errors}");
        output.stdout
    };
    let input = |path: &str| {
        let options = OpenOptions::new().map(true).as_kind(Kind::Aof);
        Log::of_input(Input::open(path, &options).unwrap()).unwrap()
    };
    let mut seen = LogInspection::default();
    let options = ReplayOptions::default();
    inspect_log(&input(log), 0, &options, &mut seen, &mut |finding| {
        panic!("{label}: {finding}")
    });
    let flags = ["rewrite", log, "-o", "-", "--preamble", "no"];
    let written = rdbkit(&flags);
    (seen.live_bytes, written.len() as u64)
}

/// Random writes, a rewrite to commands, and the base file that it leaves.
fn round(release: Release, seed: u64) {
    let label = format!("{} with RDBKIT_SEED={seed}", release.name);
    let args = [
        "--appendonly",
        "yes",
        "--appendfsync",
        "no",
        "--aof-use-rdb-preamble",
        "no",
    ];
    let server = Server::start(release, &args);
    let mut client = server.client();
    let mut writes = Writes::new(release, Rng::new(seed), false);
    for _ in 0..400 {
        client.cmd(&writes.next());
    }
    // A score of -0 that was written may be 0 when it is read again.
    for db in 0..4 {
        client.ok(&["SELECT", &db.to_string()]);
        for key in client.ok(&["KEYS", "z*"]).items() {
            client.ok(&[b"DEL".as_slice(), &key.bytes()]);
        }
    }
    for score in ["0.1", "-inf", "1e300", "3", "-2.5e-7", "12345678901234567"] {
        client.ok(&["ZADD", "scores", score, score]);
    }
    // More elements than one command takes.
    for n in 0..150 {
        let n = n.to_string();
        client.cmd(&["RPUSH", "long:list", &n]);
        client.cmd(&["ZADD", "long:zset", &n, &n]);
        client.cmd(&["SADD", "long:set", &n]);
        client.cmd(&["HSET", "long:hash", &n, &n]);
    }
    // Servers write a hash that once had a deadline as if it still had one, so each of
    // these keeps its own.
    if release.has_field_ttl() {
        for n in 0..20 {
            let key = format!("timed:{n}");
            client.ok(&["HSET", &key, "f", "value", "g", "12345678901234567890"]);
            let at = (4_102_444_800_000u64 + n).to_string();
            client.ok(&["HPEXPIREAT", &key, &at, "FIELDS", "1", "f"]);
        }
    }
    server.rewrite_aof();
    let set = AofSet::open(&server.aof()).unwrap();
    let base = std::fs::read(&set.parts[0].path).unwrap();
    assert_eq!(Content::of(&base[..16]), Content::Log, "{label}");
    let path = set.parts[0].path.to_str().unwrap();
    let (said, written) = said_and_written(path, &label);
    assert_eq!(said, Some(written), "{label}");
    // Ours are longer by what theirs does not say, shorter by commands for several at once.
    let theirs = base.len() as f64;
    let share = written as f64 / theirs;
    println!("{label}: {written} bytes, {share:.3} of the server's own");
    assert!((0.9..1.02).contains(&share), "{label}: {share}");
}

#[test]
fn rewrites_have_the_size_that_inspect_says() {
    for seed in rng::seeds(1, 2) {
        for release in servers().into_iter().filter(Release::has_multi_part_aof) {
            round(release, seed);
        }
    }
}
