//! What once failed in a fuzz target is tried again, and every property on bytes of other seeds.

#![expect(
    clippy::duplicate_mod,
    reason = "the targets have copies of their own of two files of util"
)]

mod util;

use std::fs;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own in fuzz/")]
mod fuzz;

use util::rng::{self, Rng};

/// Files below `fuzz/regressions/NAME`, the oldest finding of a target first.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = util::repo().join("fuzz/regressions").join(target);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn what_once_failed_holds() {
    let mut tried = 0;
    for (target, property) in fuzz::TARGETS {
        for (name, bytes) in inputs(target) {
            eprintln!("{name}");
            property(&bytes);
            tried += 1;
        }
    }
    let folders = fs::read_dir(util::repo().join("fuzz/regressions")).unwrap();
    for folder in folders {
        let name = folder.unwrap().file_name();
        let is_known = fuzz::TARGETS
            .iter()
            .any(|(target, _)| *target == name.to_str().unwrap());
        assert!(is_known, "{name:?} is no target");
    }
    assert!(tried > 0);
}

/// Bytes that draw values: any, so that every kind of them comes up.
#[test]
fn structured_targets_hold_on_random_bytes() {
    for seed in rng::seeds(31, 1) {
        for (target, property) in [
            ("roundtrip", fuzz::roundtrip::run as fuzz::Property),
            ("replay_vs_model", fuzz::replay_vs_model::run),
            ("encodings", fuzz::encodings::run),
            ("oracle", fuzz::oracle::run),
        ] {
            let mut rng = Rng::new(seed).fork(target);
            for round in 0..300 {
                let most = 1 << rng.range(2, 12);
                let len = rng.range(1, most);
                let bytes = rng.bytes(len);
                eprintln!("RDBKIT_SEED={seed} {target} round {round}");
                property(&bytes);
            }
        }
    }
}

/// A sound file, cut and flipped here and there: the properties of readers.
#[test]
fn readers_hold_on_mutated_fixtures() {
    let fixtures = [
        "redis-7.0.15",
        "redis-8.6.2",
        "valkey-9.1.2",
        "redis-2.8.17",
    ];
    for seed in rng::seeds(32, 1) {
        for folder in fixtures {
            let mut files = util::fixtures(&["rdb"]);
            files.retain(|path| path.parent().is_some_and(|parent| parent.ends_with(folder)));
            assert!(files.len() > 5, "{folder}");
            let mut rng = Rng::new(seed).fork(folder);
            for path in &files {
                let mut bytes = fs::read(path).unwrap();
                if bytes.len() > 4096 {
                    continue;
                }
                let at = rng.below(bytes.len() as u64) as usize;
                match rng.below(3) {
                    0 => bytes.truncate(at),
                    1 => bytes[at] ^= 1 << rng.below(8),
                    _ => bytes[at] = rng.next() as u8,
                }
                eprintln!("RDBKIT_SEED={seed} {}", path.display());
                fuzz::rdb_read::run(&bytes);
                fuzz::verify::run(&bytes);
                bytes.insert(0, rng.next() as u8);
                fuzz::rdb_chunked::run(&bytes);
                fuzz::rdb_write::run(&bytes);
            }
        }
    }
}

/// A dictionary's line for these bytes.
fn line(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{text}\"\n")
}

/// The words of `fuzz/dictionaries/NAME`; `BLESS=1` writes them anew.
fn check_dictionary(name: &str, words: &[Vec<u8>]) {
    let path = util::repo().join("fuzz/dictionaries").join(name);
    let text: String = words.iter().map(|word| line(word)).collect();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "BLESS=1 writes {} anew", path.display());
}

#[test]
fn dictionaries_have_every_opcode_and_command() {
    let mut words: Vec<Vec<u8>> = vec![b"REDIS0011".to_vec(), b"VALKEY080".to_vec()];
    // A key in front of each type byte, and behind each opcode.
    words.extend((0..=32).map(|byte| vec![byte, 1, b'k']));
    words.extend((242..=255).map(|byte| vec![byte]));
    words.extend([[0x80, 0, 0, 0, 1], [0x80, 0xff, 0xff, 0xff, 0xff]].map(Vec::from));
    words.extend(
        [
            &[0x81, 0, 0, 0, 0, 0, 0, 0, 1][..],
            &[0xc0, 1],
            &[0xc1, 0, 1],
            &[0xc2, 0, 0, 0, 1],
            &[0xc3, 5, 20],
        ]
        .map(Vec::from),
    );
    check_dictionary("rdb.dict", &words);
    let mut words: Vec<Vec<u8>> = Vec::new();
    for command in rdbkit::replay::table::COMMANDS {
        let names = command.name.split('|').map(str::to_ascii_uppercase);
        words.extend(names.map(|name| format!("${}\r\n{name}\r\n", name.len()).into_bytes()));
    }
    words.extend((1..9).map(|argc| format!("*{argc}\r\n").into_bytes()));
    words.extend(
        [
            &b"#TS:1700000000\r\n"[..],
            b"$1\r\n1\r\n",
            b"$1\r\nk\r\n",
            b"$1\r\n*\r\n",
        ]
        .map(Vec::from),
    );
    words.sort();
    words.dedup();
    check_dictionary("aof.dict", &words);
}
