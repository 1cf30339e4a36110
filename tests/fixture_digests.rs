//! The digest of every committed file equals what the server that wrote it said.

use std::fs;
use std::path::{Path, PathBuf};

use rdbkit::aof::AofSet;
use rdbkit::num::Flavor;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::rdb::{Items, Scratch};
use rdbkit::replay::{Options, Replayer};
use rdbkit::store::digest::digest_store;

/// Modules hash what only they know.
const UNKNOWABLE: &[&str] = &["module_"];

fn oracles() -> Vec<(PathBuf, String, Flavor)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut all = Vec::new();
    for folder in fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(lines) = fs::read_to_string(folder.join("DIGESTS")) else {
            continue;
        };
        let release = folder.file_name().unwrap().to_str().unwrap();
        let flavor = Flavor::parse(release).unwrap();
        for line in lines.lines() {
            let (file, digest) = line.split_once(' ').unwrap();
            all.push((folder.join(file), digest.to_owned(), flavor));
        }
    }
    assert!(!all.is_empty());
    all
}

#[test]
fn every_rdb_digests_as_its_server_says() {
    let mut checked = 0;
    for (path, expected, flavor) in oracles() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".rdb") || UNKNOWABLE.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let mut options = Options::default();
        options.flavor = flavor;
        let mut replayer = Replayer::new(options);
        let mut scratch = Scratch::new();
        for item in Items::new(&bytes) {
            let item = item.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            replayer
                .load(&item, &bytes, &mut scratch)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        let found = digest_store(&replayer.store, flavor, 0).unwrap();
        assert_eq!(found.to_string(), expected, "{}", path.display());
        checked += 1;
    }
    println!("{checked} files");
}

#[test]
fn every_log_digests_as_its_server_says() {
    let mut checked = 0;
    for (path, expected, flavor) in oracles() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.contains("appendonly") {
            continue;
        }
        let set = AofSet::open(&path).unwrap();
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
        options.replay.flavor = flavor;
        let mut findings = Vec::new();
        let replayed = replay_log(&parts, &options, &mut |finding| findings.push(finding)).unwrap();
        let shown: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{}: {shown:?}", path.display());
        let found = digest_store(&replayed.replayer.store, flavor, 0).unwrap();
        assert_eq!(found.to_string(), expected, "{}", path.display());
        checked += 1;
    }
    assert!(checked >= 19, "only {checked} logs");
}
