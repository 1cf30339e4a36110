//! Every file of `testdata` beside what is expected of it.
//!
//! `X.rdb` is converted with `--meta` and verified. The output must be that of
//! `X.ndjson`; findings, if there are any, those of `X.findings.jsonl`, which ends
//! with the summary and so pins the exit code. A dropped-in file is a test;
//! `BLESS=1` writes what is missing or different.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rdbkit::keyset::join::Side;
use rdbkit::ops::diff::{Diff, DiffOptions, Names};
use rdbkit::rdb::RdbReader;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The fixtures that are one RDB each, or a DUMP payload, or a replication stream.
fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut found = Vec::new();
    files(&root, &mut found);
    found.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "rdb" || extension == "bin")
    });
    found.sort();
    found
}

fn rdbkit(fixture: &Path, args: &[&str]) -> Output {
    let name = fixture.file_name().unwrap().to_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdbkit"));
    // From inside the folder, so that reports name the file alone.
    command
        .current_dir(fixture.parent().unwrap())
        .args(args)
        .arg(name);
    if name.starts_with("dump_payload") && !name.ends_with("json") {
        command.arg("--dump-payload");
    }
    command.output().unwrap()
}

/// Compares with a file beside the fixture, or writes it.
fn expect(fixture: &Path, extension: &str, actual: &[u8], differences: &mut Vec<String>) {
    let path = fixture.with_extension(extension);
    let expected = fs::read(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    if std::env::var_os("BLESS").is_some() {
        match actual {
            [] => fs::remove_file(&path).unwrap(),
            actual => fs::write(&path, actual).unwrap(),
        }
        return;
    }
    let first = expected
        .split(|&b| b == b'\n')
        .zip(actual.split(|&b| b == b'\n'))
        .find(|(a, b)| a != b);
    let (wanted, found) = first.unwrap_or((b"(fewer or more lines)", b""));
    differences.push(format!(
        "{}:\n  expected {}\n  found    {}",
        path.display(),
        wanted.escape_ascii(),
        found.escape_ascii()
    ));
}

#[test]
fn every_fixture_converts_and_verifies_as_expected() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 700, "only {} fixtures", fixtures.len());
    let mut differences = Vec::new();
    for fixture in &fixtures {
        let converted = rdbkit(
            fixture,
            &["convert", "--to", "ndjson", "--meta", "--keep-going"],
        );
        expect(fixture, "ndjson", &converted.stdout, &mut differences);
        let verified = rdbkit(fixture, &["verify", "--format", "json"]);
        let has_findings = verified.stdout.starts_with(b"{\"type\":\"finding\"");
        let report = if has_findings {
            &verified.stdout[..]
        } else {
            b""
        };
        expect(fixture, "findings.jsonl", report, &mut differences);
        if !has_findings {
            assert_eq!(verified.status.code(), Some(0), "{}", fixture.display());
            assert_eq!(
                converted.status.code(),
                Some(0),
                "{}: {}",
                fixture.display(),
                String::from_utf8_lossy(&converted.stderr)
            );
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// The records of NDJSON without what says nothing about the dataset.
fn records(ndjson: &[u8]) -> Vec<serde_json::Value> {
    let lines = ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut record: serde_json::Value = serde_json::from_slice(line).unwrap();
            record.as_object_mut().unwrap().remove("encoding");
            record
        })
        .collect()
}

/// How many keys of an RDB and of a JSON text differ.
fn differences(rdb: &Path, json: &[u8]) -> u64 {
    let rdb = fs::read(rdb).unwrap();
    let mut diff = Diff::new(DiffOptions::default());
    let mut reader = RdbReader::from_slice(&rdb);
    diff.add_rdb(Side::A, &mut reader).unwrap();
    diff.add_json(Side::B, json).unwrap();
    let names = [Names::Rdb(&rdb, 0), Names::Json(json)];
    let diffed = diff.finish(names, |_| Ok(())).unwrap();
    assert_eq!(diffed.keys[0], diffed.keys[1]);
    let lines = json.split(|byte| *byte == b'\n');
    let keys = lines.filter(|line| line.starts_with(b"{\"db\":")).count();
    assert_eq!(diffed.keys[1], keys as u64);
    assert!(diffed.functions.is_empty());
    diffed.only[0] + diffed.only[1] + diffed.differing
}

#[test]
fn the_json_of_every_sound_fixture_reads_back_into_the_same_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = 0;
    for fixture in fixtures() {
        if fixture.with_extension("findings.jsonl").exists() {
            continue;
        }
        let json = fixture.with_extension("ndjson");
        let again = rdbkit(&json, &["convert", "--to", "ndjson", "--meta"]);
        let stderr = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success(), "{}: {stderr}", json.display());
        let written = fs::read(&json).unwrap();
        assert_eq!(
            records(&again.stdout),
            records(&written),
            "{}",
            json.display()
        );
        let verified = rdbkit(&json, &["verify"]);
        assert!(verified.status.success(), "{}", json.display());
        if fixture
            .extension()
            .is_some_and(|extension| extension == "rdb")
        {
            assert_eq!(differences(&fixture, &written), 0, "{}", json.display());
        }
        let rdb = folder.path().join("it.rdb");
        let made = rdbkit(
            &json,
            &["convert", "--force", "-q", "-o", rdb.to_str().unwrap()],
        );
        let stderr = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{}: {stderr}", json.display());
        let digests = [&fixture, &json, &rdb].map(|input| rdbkit(input, &["digest"]).stdout);
        assert_eq!(digests[0], digests[1], "{}", json.display());
        assert_eq!(digests[0], digests[2], "{} as an RDB", json.display());
        read += 1;
    }
    assert!(read > 500, "only {read} fixtures");
}

/// Odd files that every server loads without losing anything, and that say so here.
const HARMLESS: &[&str] = &[
    // XGROUP takes any id and any count.
    "stream_group_last_id_beyond_stream",
    "stream_group_read_beyond_added",
    // Pending entries are sorted on load.
    "stream_pel_unordered",
    // An iid that stands twice is one iid.
    "stream_idmp_message_duplicate",
    // All items of a document are kept, whatever its module will say to the second.
    "module_json_two_items",
    // Version 11 has no type 22 of its own; the layout of Redis 7.4-rc reads it.
    "type_22_in_valkey_8_file",
];

#[test]
fn every_corrupt_fixture_has_a_finding() {
    let silent: Vec<_> = fixtures()
        .into_iter()
        .filter(|path| path.parent().unwrap().ends_with("corrupt"))
        .filter(|path| !path.with_extension("findings.jsonl").exists())
        .filter(|path| {
            HARMLESS
                .iter()
                .all(|name| path.file_stem().unwrap() != *name)
        })
        .collect();
    assert!(silent.is_empty(), "no finding for {silent:?}");
}

/// Rows `<file> <DEBUG DIGEST>` that the server of a folder said of its own files.
#[test]
fn every_digest_is_that_of_the_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut found = Vec::new();
    files(&root, &mut found);
    let mut compared = 0;
    for list in found.iter().filter(|path| path.ends_with("DIGESTS")) {
        for row in fs::read_to_string(list).unwrap().lines() {
            let (name, expected) = row.split_once(' ').unwrap();
            let fixture = list.with_file_name(name);
            let output = rdbkit(&fixture, &["digest"]);
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said.trim_end(), expected, "{}: {errors}", fixture.display());
            compared += 1;
        }
    }
    assert!(compared > 420, "only {compared} digests compared");
}
