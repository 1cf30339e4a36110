//! `convert --to rdb`: targets, losses, reports, filters, and what is left when it refuses.

use std::fs;

use serde_json::Value as Json;

use crate::program::{
    cut, demo, expect, file, folder, names, one_error, path_in, run_on, stderr, stdout, testdata,
};

fn digest(path: &str, flavor: &str) -> String {
    stdout(&expect(&["digest", path, "--flavor", flavor, "-q"], 0))
}

fn lines(path: &str) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap();
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

#[test]
fn file_for_its_own_release_is_copied_byte_for_byte() {
    let dir = folder();
    let out = path_in(&dir, "out.rdb");
    expect(&["convert", &demo(), "-o", &out], 0);
    assert!(fs::read(&out).unwrap() == fs::read(demo()).unwrap());
    // Through pipes on both sides, too.
    let bytes = fs::read(demo()).unwrap();
    let output = run_on(&["convert", "-", "--to", "rdb"], &bytes);
    assert!(output.status.success() && output.stdout == bytes);
    // With rdbchecksum no the stored checksum is 0, and stays so.
    let unchecked = testdata("redis-7.0.15/no_checksum.rdb");
    expect(&["convert", &unchecked, "-o", &out, "--force"], 0);
    assert!(fs::read(&out).unwrap() == fs::read(&unchecked).unwrap());
}

#[test]
fn target_decides_magic_and_keeps_the_data() {
    let dir = folder();
    let source = testdata("redis-8.6.2/zset_listpack.rdb");
    for (target, magic) in [
        ("redis-2.6", "REDIS0006"),
        ("redis-4.0", "REDIS0008"),
        ("redis-8.10", "REDIS0015"),
        ("valkey-8.1", "REDIS0011"),
        ("valkey-9.1", "VALKEY080"),
    ] {
        for encoding in ["default", "universal"] {
            let out = path_in(&dir, &format!("{target}-{encoding}.rdb"));
            let args = ["--target", target, "--encoding", encoding];
            expect(&[&["convert", &source, "-o", &out], &args[..]].concat(), 0);
            assert!(fs::read(&out).unwrap().starts_with(magic.as_bytes()));
            expect(&["verify", "--strict", "-q", &out], 0);
            assert_eq!(digest(&source, target), digest(&out, target), "{target}");
        }
    }
    let out = path_in(&dir, "none.rdb");
    let refused = expect(
        &["convert", &demo(), "-o", &out, "--target", "redis-1.0"],
        2,
    );
    one_error(&refused, &["redis-1.0", "valkey-9.1"]);
    // Nobody knows which release wrote a file of version 3.
    let old = testdata("handmade/header_0003.rdb");
    let refused = expect(&["convert", &old, "-o", &out], 2);
    one_error(&refused, &["REDIS0003", "--target"]);
    assert!(!fs::exists(&out).unwrap());
}

#[test]
fn data_loss_refuses_and_is_reported() {
    let dir = folder();
    let (out, report) = (path_in(&dir, "out.rdb"), path_in(&dir, "report.jsonl"));
    let source = testdata("redis-7.4.1/hash_field_ttl_hashtable.rdb");
    let args = ["convert", &source, "-o", &out, "--target", "redis-7.2"];
    let refused = expect(&args, 1);
    assert!(stderr(&refused).contains("2 field deadlines (db 0 \"key\", ..)"));
    assert!(stderr(&refused).contains("--allow-loss"));
    assert_eq!(names(dir.path()), [""; 0]);

    expect(&[&args[..], &["--report", &report]].concat(), 1);
    let said = lines(&report);
    assert_eq!(said[0]["type"], "loss");
    assert_eq!(said[0]["data"]["kind"], "field_deadlines");
    assert_eq!(said[0]["data"]["count"], 2);
    assert_eq!(said[0]["data"]["examples"][0]["key"], "key");
    assert_eq!(said.last().unwrap()["data"]["verdict"], "refused");
    assert_eq!(names(dir.path()), ["report.jsonl"]);

    let allowed = [&args[..], &["--allow-loss", "--report", &report, "--force"]].concat();
    let done = expect(&allowed, 0);
    assert!(stderr(&done).contains("2 field deadlines"));
    let summary = lines(&report).pop().unwrap();
    assert_eq!(summary["data"]["verdict"], "written");
    assert_eq!(summary["data"]["keys"], 1);
    expect(&["verify", "--strict", "-q", &out], 0);
    assert_eq!(digest(&source, "redis-7.2"), digest(&out, "redis-7.2"));
}

#[test]
fn filters_count_the_keys_of_each_database_anew() {
    let dir = folder();
    let out = path_in(&dir, "out.rdb");
    let source = testdata("redis-7.0.15/multi_db.rdb");
    let whole = stdout(&expect(&["convert", &source, "--to", "ndjson"], 0));
    let dbs: std::collections::BTreeSet<u64> = whole
        .lines()
        .map(|line| {
            serde_json::from_str::<Json>(line).unwrap()["db"]
                .as_u64()
                .unwrap()
        })
        .collect();
    for db in dbs {
        let db = db.to_string();
        let args = ["--db", &db, "--force"];
        expect(&[&["convert", &source, "-o", &out], &args[..]].concat(), 0);
        // Counts that differ are a warning.
        expect(&["verify", "--strict", "-q", &out], 0);
        let expected = expect(&["convert", &source, "--to", "ndjson", "--db", &db], 0);
        let found = expect(&["convert", &out, "--to", "ndjson"], 0);
        assert_eq!(stdout(&expected), stdout(&found), "db {db}");
    }
}

#[test]
fn log_becomes_an_rdb() {
    let dir = folder();
    let log = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    let log = file(&dir, "appendonly.aof", log);
    let out = path_in(&dir, "out.rdb");
    let output = expect(&["convert", &log, "-o", &out], 0);
    // The log does not say who wrote it.
    assert!(stderr(&output).contains("redis-6.2"), "{}", stderr(&output));
    assert!(fs::read(&out).unwrap().starts_with(b"REDIS0009"));
    expect(&["verify", "--strict", "-q", &out], 0);
    assert_eq!(digest(&log, "redis-6.2"), digest(&out, "redis-6.2"));
}

#[test]
fn damaged_values_are_written_by_nobody() {
    let dir = folder();
    let out = path_in(&dir, "out.rdb");
    for target in [
        &[][..],
        &["--target", "redis-8.6"],
        &["--target", "redis-6.2"],
    ] {
        let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
        let args = [&["convert", &bad, "-o", &out], target].concat();
        let output = expect(&args, 1);
        assert!(
            stderr(&output).contains("bad_listpack"),
            "{}",
            stderr(&output)
        );
        let cut = cut(&dir);
        expect(&[&["convert", &cut, "-o", &out], target].concat(), 1);
        assert!(!fs::exists(&out).unwrap());
        let going = [
            &["convert", &bad, "-o", &out, "--keep-going", "--force"],
            target,
        ]
        .concat();
        expect(&going, 1);
        expect(&["verify", "-q", &out], 0);
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn what_no_server_loads_is_not_written() {
    let dir = folder();
    let out = path_in(&dir, "out.rdb");
    for (name, target, word) in [
        ("key_duplicate", "redis-7.0", "twice"),
        ("key_duplicate_as_integer", "valkey-9.1", "twice"),
        ("function_without_shebang", "redis-8.6", "first line"),
        ("stream_length_too_high", "valkey-9.1", "length of a stream"),
        ("type_22_in_valkey_8_file", "redis-7.2", "newer"),
    ] {
        let source = testdata(&format!("corrupt/{name}.rdb"));
        for flags in [&[][..], &["--target", target]] {
            // A server of the source's own release loads a wrong length.
            if flags.is_empty() && name.starts_with("stream") {
                continue;
            }
            // What 22 means is known, and then it is a hash.
            if !flags.is_empty() && name.starts_with("type") {
                continue;
            }
            let output = expect(&[&["convert", &source, "-o", &out], flags].concat(), 1);
            assert!(stderr(&output).contains(word), "{}", stderr(&output));
        }
        // From a pipe, where nothing can be read again, nobody gets a whole file.
        let bytes = fs::read(&source).unwrap();
        if !name.starts_with("stream") {
            let output = run_on(&["convert", "-", "--to", "rdb"], &bytes);
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(
                !output.stdout.ends_with(&bytes[bytes.len() - 9..]),
                "{name}"
            );
        }
    }
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn flags_of_one_format_are_refused_by_the_other() {
    let demo = demo();
    for (format, flags, word) in [
        ("rdb", &["--meta"][..], "--meta"),
        ("rdb", &["--pretty"], "--pretty"),
        ("rdb", &["--compat", "librdb"], "--compat"),
        ("json", &["--target", "redis-7.2"], "--target"),
        ("json", &["--encoding", "universal"], "--encoding"),
        ("ndjson", &["--no-check"], "--no-check"),
    ] {
        let output = expect(&[&["convert", &demo, "--to", format], flags].concat(), 2);
        one_error(&output, &[word]);
    }
}

#[test]
fn source_is_no_target_even_with_force() {
    let dir = folder();
    let source = path_in(&dir, "dump.rdb");
    fs::copy(demo(), &source).unwrap();
    let before = fs::read(&source).unwrap();
    let output = expect(&["convert", &source, "-o", &source, "--force"], 2);
    one_error(&output, &["both the input and the output"]);
    let other = file(&dir, "old.rdb", b"old");
    expect(&["convert", &source, "-o", &other], 2);
    assert_eq!(fs::read(&other).unwrap(), b"old");
    assert!(fs::read(&source).unwrap() == before);
    assert_eq!(names(dir.path()), ["dump.rdb", "old.rdb"]);
}

/// The keys of a file with their values, and their types.
fn values(path: &str) -> Vec<(String, String, Json)> {
    let output = expect(&["convert", path, "--to", "ndjson", "-q"], 0);
    let mut all: Vec<_> = stdout(&output)
        .lines()
        .map(|line| {
            let record: Json = serde_json::from_str(line).unwrap();
            let text = |name: &str| record[name].as_str().unwrap().to_owned();
            (text("key"), text("type"), record["value"].clone())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn arrays_become_hashes_where_that_is_wanted() {
    let dir = folder();
    let source = testdata("handmade/array_28_all_tags.rdb");
    let json = path_in(&dir, "in.ndjson");
    expect(&["convert", &source, "--meta", "-o", &json], 0);
    let arrays = values(&source);
    assert!(arrays.iter().all(|(_, kind, _)| kind == "array"));
    let as_hash = |array: &Json| {
        let items = array["items"].as_array().unwrap();
        let fields = items.iter().map(|item| {
            let index = item[0].as_u64().unwrap().to_string();
            (index, item[1].clone())
        });
        Json::Object(fields.collect())
    };
    for (input, out) in [
        (&source, "out.rdb"),
        (&source, "out.aof"),
        (&json, "json.rdb"),
        (&json, "json.aof"),
    ] {
        let out = path_in(&dir, out);
        let args = ["convert", input, "-o", &out, "--target", "redis-7.2"];
        one_error(&expect(&args, 1), &["no place for", "array"]);
        let report = path_in(&dir, "report.jsonl");
        let flags = ["--array-as", "hash", "--report", &report, "--force"];
        let output = expect(&[&args[..], &flags].concat(), 0);
        assert!(stderr(&output).contains("became hashes"), "{out}");
        let report = fs::read_to_string(&report).unwrap();
        assert!(report.contains("arrays_as_hashes"), "{report}");
        let found = values(&out);
        assert_eq!(found.len(), arrays.len());
        for ((key, _, array), (name, kind, hash)) in arrays.iter().zip(&found) {
            assert_eq!((key, "hash"), (name, kind.as_str()), "{out}");
            assert_eq!(&as_hash(array), hash, "{out}");
        }
    }
    // A release that has arrays keeps them.
    let out = path_in(&dir, "own.rdb");
    let flags = ["--target", "redis-8.10", "--array-as", "hash"];
    expect(&[&["convert", &source, "-o", &out], &flags[..]].concat(), 0);
    assert_eq!(values(&out), arrays);

    let log = file(
        &dir,
        "in.aof",
        b"*4\r\n$5\r\nARSET\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nx\r\n",
    );
    let out = path_in(&dir, "small.aof");
    let flags = ["--target", "redis-7.2", "--array-as", "hash"];
    expect(&[&["rewrite", &log, "-o", &out], &flags[..]].concat(), 0);
    let hash = serde_json::json!({"3": "x"});
    assert_eq!(values(&out), [("a".to_owned(), "hash".to_owned(), hash)]);
    let args = ["convert", &source, "--to", "json", "--array-as", "hash"];
    one_error(&expect(&args, 2), &["--array-as"]);
}
