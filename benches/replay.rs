//! Logs: framing, replay by type of value, digest of what is left.
//!
//! `cargo bench --bench replay`. Each log has 20 000 commands (`churn` as many of the data
//! set of that name); what must come of it is asserted before it is timed. Bytes per
//! second are those of the log, for the digest too.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};

use rdbkit::aof::LogReader;
use rdbkit::num::Flavor;
use rdbkit::ops::replay::{LogPart, ReplayOptions, Replayed, replay_log};
use rdbkit::store::digest::digest_store;

mod datasets;

use datasets::commands::Commands;
use datasets::random::Random;

const SEED: u64 = 1;
const COMMANDS: u64 = 20_000;

const LOGS: &[&str] = &[
    "string_set",
    "string_incrby",
    "list_push_pop",
    "set_add",
    "hash_set",
    "zset_add",
    "zset_trim",
    "stream_add",
    "expire",
    "transaction",
    "churn",
];

fn main() {
    divan::main();
}

/// A log whose keys, and members of a key, come again as they do in life.
fn log(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Commands::new(&mut bytes);
    if name == "churn" {
        let scale = COMMANDS as f64 / 4e6;
        datasets::churn::write(&mut out, SEED, scale).expect("a vector takes it");
    } else {
        let mut random = Random::part(SEED, name);
        for n in 0..COMMANDS {
            write_command(name, n, &mut random, &mut out);
        }
    }
    out.finish().expect("a vector takes it");
    let mut reader = LogReader::new(&bytes, 0);
    let mut records = 0;
    while reader.next_event().is_some() {
        records += 1;
    }
    assert_eq!(records, COMMANDS);
    assert!(reader.end().is_some_and(|end| end.is_clean()));
    bytes
}

fn write_command(name: &str, n: u64, random: &mut Random, out: &mut Commands<&mut Vec<u8>>) {
    let key = format!("{name}:{}", random.skewed(500));
    let key = key.as_bytes();
    let member = format!("member:{}", random.skewed(2000));
    let member = member.as_bytes();
    let written = match name {
        "string_set" => out.send(&[b"SET", key, &random.token(100)]),
        "string_incrby" => out.send(&[b"INCRBY", key, b"7"]),
        "list_push_pop" if n % 3 == 2 => out.send(&[b"LPOP", key]),
        "list_push_pop" => out.send(&[b"RPUSH", key, &random.token(40)]),
        "set_add" => out.send(&[b"SADD", key, member]),
        "hash_set" => out.send(&[b"HSET", key, member, &random.token(20)]),
        "zset_trim" if n % 10 == 9 => out.send(&[b"ZREMRANGEBYRANK", key, b"0", b"-40"]),
        "zset_add" | "zset_trim" => out.send(&[b"ZADD", key, &random.score(), member]),
        "stream_add" => {
            let id = format!("{}-0", 1_700_000_000_000 + n);
            out.send(&[
                b"XADD",
                key,
                id.as_bytes(),
                b"user",
                member,
                b"type",
                b"view",
            ])
        }
        "expire" if n.is_multiple_of(2) => out.send(&[b"SET", key, b"1"]),
        "expire" => out.send(&[b"PEXPIREAT", key, b"4102444800000"]),
        _ => match n % 4 {
            0 => out.send(&[b"MULTI"]),
            3 => out.send(&[b"EXEC"]),
            _ => out.send(&[b"SET", key, member]),
        },
    };
    written.expect("a vector takes it");
}

fn replay(log: &[u8]) -> Replayed<'_> {
    let part = LogPart {
        name: None,
        bytes: log,
    };
    let options = ReplayOptions::default();
    let replayed = replay_log(&[part], &options, &mut |finding| panic!("{finding}"));
    replayed.expect("options that make sense")
}

#[divan::bench(args = LOGS)]
fn frame(bencher: Bencher<'_, '_>, name: &str) {
    let log = log(name);
    bencher.counter(BytesCount::new(log.len())).bench(|| {
        let mut reader = LogReader::new(black_box(&log), 0);
        while let Some(event) = reader.next_event() {
            black_box(event);
        }
    });
}

#[divan::bench(args = LOGS)]
fn replay_serial(bencher: Bencher<'_, '_>, name: &str) {
    let log = log(name);
    let replayed = replay(&log);
    assert!(replayed.exact && !replayed.replayer.store.is_empty());
    assert_eq!(replayed.records, COMMANDS);
    assert_eq!(replayed.counters().errors, 0);
    bencher
        .counter(BytesCount::new(log.len()))
        .bench(|| replay(black_box(&log)).replayer.store.len());
}

#[divan::bench(args = LOGS)]
fn digest(bencher: Bencher<'_, '_>, name: &str) {
    let log = log(name);
    let replayed = replay(&log);
    let store = &replayed.replayer.store;
    assert!(digest_store(store, Flavor::redis(8, 6), 0).is_ok());
    bencher
        .counter(BytesCount::new(log.len()))
        .bench(|| digest_store(black_box(store), Flavor::redis(8, 6), 0));
}
