//! The size that a rewrite would have is the size that a server's rewrite has.

mod util;

use rdbkit::aof::AofSet;
use rdbkit::aof::layout::Content;
use rdbkit::ops::compact_size::compact_size;
use util::replayed::{flavor, replay};
use util::rng::{self, Rng};
use util::server::{Release, Server, servers};
use util::writes::Writes;

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
    let base = vec![base];
    let store = replay(&base, &release, &label);
    assert!(store.len() > 20, "{label}");
    let size = compact_size(&store, flavor(&release));
    assert_eq!(size, base[0].len() as u64, "{label}");
}

#[test]
fn rewrites_of_all_servers_have_the_counted_size() {
    for seed in rng::seeds(1, 2) {
        for release in servers().into_iter().filter(Release::has_multi_part_aof) {
            round(release, seed);
        }
    }
}
