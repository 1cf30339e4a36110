//! Damage, places to stop, and parts.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::aof::CommandEncoder;
use crate::aof::resp::encode_record_into;
use crate::json::native::{Arrangement, NativeWriter};
use crate::ops::export_store::export_entry;
use crate::rdb::{Encodings, RecordEncoder, Target};
use crate::store::digest::digest_store;

fn log(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        if line.starts_with('#') {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        encode_record_into(&words, &mut bytes);
    }
    bytes
}

struct Outcome {
    keys: Vec<String>,
    codes: Vec<String>,
    exact: bool,
    stopped: bool,
    dropped: u64,
    digest: String,
}

fn replay(parts: &[&[u8]], options: ReplayOptions) -> Outcome {
    let parts: Vec<_> = parts
        .iter()
        .map(|bytes| LogPart { name: None, bytes })
        .collect();
    let mut codes = Vec::new();
    let replayed = replay_log(&parts, &options, &mut |finding| {
        codes.push(format!("{}:{}", finding.level.as_str(), finding.code));
    })
    .unwrap();
    let store = &replayed.replayer.store;
    let mut keys: Vec<_> = store
        .iter()
        .map(|(db, key, _)| format!("{db}/{}", key.escape_ascii()))
        .collect();
    keys.sort();
    let digest = digest_store(store, options.replay.flavor, 0).unwrap();
    Outcome {
        keys,
        codes,
        exact: replayed.exact,
        stopped: replayed.stopped,
        dropped: replayed.dropped_tails,
        digest: digest.to_string(),
    }
}

fn until(until: Until) -> ReplayOptions {
    ReplayOptions {
        until,
        ..ReplayOptions::default()
    }
}

#[test]
fn a_log_cut_at_any_byte_gives_its_last_consistent_state() {
    let lines = [
        "SET a 1", "MULTI", "SET b 2", "SET c 3", "EXEC", "SELECT 3", "SET d 4",
    ];
    let whole = log(&lines);
    // The states between commands, by the offset from which they hold.
    let mut states = vec![(0, log(&[]))];
    for end in [1, 5, 6, 7] {
        states.push((log(&lines[..end]).len(), log(&lines[..end])));
    }
    for cut in 0..=whole.len() {
        let outcome = replay(&[&whole[..cut]], ReplayOptions::default());
        let (_, state) = states.iter().rev().find(|(from, _)| *from <= cut).unwrap();
        let expected = replay(&[state], ReplayOptions::default());
        assert_eq!(outcome.digest, expected.digest, "cut at {cut}");
        assert!(outcome.exact);
        let clean = states.iter().any(|(from, _)| *from == cut);
        assert_eq!(
            outcome.codes.is_empty(),
            clean,
            "cut at {cut}: {:?}",
            outcome.codes
        );
        assert_eq!(outcome.dropped, u64::from(!clean));
    }
}

#[test]
fn replay_stops_before_the_place() {
    let bytes = log(&[
        "#TS:100", "SET a 1", "#TS:200", "MULTI", "SET b 2", "EXEC", "#TS:300", "SET c 3",
    ]);
    let keys = |place| replay(&[&bytes], until(place)).keys;
    assert!(keys(Until::Timestamp(99)).is_empty());
    assert_eq!(keys(Until::Timestamp(100)), ["0/a"]);
    assert_eq!(keys(Until::Timestamp(299)), ["0/a", "0/b"]);
    assert_eq!(keys(Until::Timestamp(300)), ["0/a", "0/b", "0/c"]);
    assert!(keys(Until::Command(1)).is_empty());
    assert_eq!(keys(Until::Command(2)), ["0/a"]);
    // Inside the transaction: as before it.
    assert_eq!(keys(Until::Command(4)), ["0/a"]);
    assert_eq!(keys(Until::Command(5)), ["0/a", "0/b"]);
    let first_end = log(&["#TS:100", "SET a 1"]).len() as u64;
    assert!(keys(Until::Offset(first_end - 1)).is_empty());
    assert_eq!(keys(Until::Offset(first_end)), ["0/a"]);
    assert!(replay(&[&bytes], until(Until::Command(4))).stopped);
    let untimed = log(&["SET a 1"]);
    let outcome = replay(&[&untimed], until(Until::Timestamp(1)));
    assert_eq!(outcome.codes, ["warning:usage"]);
}

#[test]
fn parts_begin_in_database_0_outside_a_transaction() {
    let first = log(&["SELECT 5", "SET a 1"]);
    let second = log(&["SET b 2"]);
    let outcome = replay(&[&first, &second], ReplayOptions::default());
    assert_eq!(outcome.keys, ["0/b", "5/a"]);
    let rdb = b"REDIS0003\xfe\x02\x00\x01k\x01v\xff";
    let hybrid = [rdb.as_slice(), &second].concat();
    let outcome = replay(&[&hybrid], ReplayOptions::default());
    assert_eq!(outcome.keys, ["0/b", "2/k"]);
    let bytes = [LogPart {
        name: None,
        bytes: &hybrid,
    }];
    assert!(replay_log(&bytes, &until(Until::Offset(3)), &mut |_| {}).is_err());
}

#[test]
fn what_servers_refuse_ends_the_replay() {
    let mut middle = log(&["SET a 1"]);
    middle.extend_from_slice(b"garbage");
    middle.extend(log(&["SET b 2"]));
    let outcome = replay(&[&middle], ReplayOptions::default());
    assert_eq!(
        (outcome.keys, outcome.exact),
        (vec!["0/a".to_owned()], false)
    );
    let going = ReplayOptions {
        keep_going: true,
        ..ReplayOptions::default()
    };
    let outcome = replay(&[&middle], going);
    assert_eq!(outcome.keys, ["0/a", "0/b"]);
    assert_eq!(outcome.codes, ["error:bad_resp"]);

    for (line, code) in [
        ("NOSUCH k", "error:unknown_command"),
        ("SET k", "error:replay_rejected"),
        ("JSON.SET k $ 1", "error:unsupported"),
        ("SPOP s", "error:unsupported"),
    ] {
        let bytes = log(&["SADD s 1 2", line, "SET b 2"]);
        let outcome = replay(&[&bytes], ReplayOptions::default());
        assert_eq!(outcome.codes, [code], "{line}");
        assert_eq!(outcome.keys, ["0/s"], "{line}");
        assert!(!outcome.exact, "{line}");
    }
    // A refused command is only told.
    let bytes = log(&["SET a 1", "LPUSH a x", "SET b 2"]);
    let outcome = replay(&[&bytes], ReplayOptions::default());
    assert_eq!(outcome.codes, ["error:replay_rejected"]);
    assert_eq!((outcome.keys.len(), outcome.exact), (2, true));
    // A part cut short is fatal unless it is the last.
    let cut = &log(&["SET a 1", "SET b 2"])[..50];
    let outcome = replay(&[cut, &log(&["SET c 1"])], ReplayOptions::default());
    assert_eq!(
        (outcome.keys, outcome.exact),
        (vec!["0/a".to_owned()], false)
    );
}

#[test]
fn records_that_only_servers_accept_are_replayed_with_a_warning() {
    let bytes = b"*2\n$3\nDEL\r\n$1\nk\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    let outcome = replay(&[bytes], ReplayOptions::default());
    assert_eq!(outcome.codes, ["warning:bad_resp"]);
    assert_eq!(
        (outcome.keys, outcome.exact),
        (vec!["0/a".to_owned()], true)
    );
}

/// Every RDB of a folder and the folders in it.
fn rdbs_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => rdbs_below(&path, found),
            false if path.extension().is_some_and(|name| name == "rdb") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn values_as_stored_are_what_decoding_makes_of_them() {
    /// What three sinks are told of a key; the last takes sorted sets in any order.
    fn told(db: u32, key: &[u8], entry: &Entry<'_>) -> [Vec<u8>; 3] {
        let mut scratch = Scratch::new();
        let mut json = NativeWriter::new(Arrangement::Lines);
        export_entry(db, key, entry, &mut scratch, &mut json).unwrap();
        let mut records =
            RecordEncoder::new(Target::named("redis-8.6").unwrap(), Encodings::Default);
        export_entry(db, key, entry, &mut scratch, &mut records).unwrap();
        let mut record = Vec::new();
        records.take(&mut record).unwrap();
        let mut commands = CommandEncoder::new(Target::named("redis-8.6").unwrap(), 0);
        export_entry(db, key, entry, &mut scratch, &mut commands).unwrap();
        let mut command = Vec::new();
        commands.take(&mut command).unwrap();
        [json.out, record, command]
    }
    let mut files = Vec::new();
    rdbs_below(Path::new("testdata"), &mut files);
    let mut compared = 0;
    for file in &files {
        let bytes = fs::read(file).unwrap();
        for flavor in ["redis-6.2", "redis-8.6", "valkey-9.1"] {
            let options = ReplayOptions {
                replay: Options {
                    flavor: Flavor::parse(flavor).unwrap(),
                    ..Options::default()
                },
                ..ReplayOptions::default()
            };
            let parts = [LogPart {
                name: None,
                bytes: &bytes,
            }];
            let replayed = replay_log(&parts, &options, &mut |_| {}).unwrap();
            for (db, key, entry) in replayed.replayer.store.iter() {
                let Some((_, stored_len)) = entry.stored() else {
                    continue;
                };
                let place = || {
                    format!(
                        "{} {db} {}, {stored_len} bytes",
                        file.display(),
                        key.escape_ascii()
                    )
                };
                let before = told(db, key, entry);
                let value = entry.value();
                assert_eq!(value.value_type(), entry.value_type(), "{}", place());
                assert!(!value.is_empty(), "{}", place());
                assert!(entry.stored().is_none(), "{}", place());
                assert!(before == told(db, key, entry), "{}", place());
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn scores_of_minus_zero_are_lost_however_long_their_text_is() {
    let mut file = b"REDIS0007\xfe\x00\x03\x01z\x40\x80".to_vec();
    for n in 0..128 {
        file.push(60);
        file.extend(format!("{n:060}").into_bytes());
        file.push(243);
        file.extend(format!("-0.{}", "0".repeat(240)).into_bytes());
    }
    file.extend(b"\xff\0\0\0\0\0\0\0\0");
    for (flavor, is_kept) in [
        ("redis-4.0", true),
        ("redis-7.2", false),
        ("valkey-9.1", false),
    ] {
        let mut options = ReplayOptions::default();
        options.replay.flavor = Flavor::parse(flavor).unwrap();
        let parts = [LogPart {
            name: None,
            bytes: &file,
        }];
        let replayed = replay_log(&parts, &options, &mut |_| {}).unwrap();
        let (db, key, entry) = replayed.replayer.store.iter().next().unwrap();
        let mut json = NativeWriter::new(Arrangement::Lines);
        export_entry(db, key, entry, &mut Scratch::new(), &mut json).unwrap();
        let text = String::from_utf8(json.out).unwrap();
        assert_eq!(text.contains("-0"), is_kept, "{flavor}");
    }
}
