//! Exit codes by class of input.

use std::fs;

use serde_json::Value as Json;

use crate::program::{
    corrupt, cut, demo, exited, expect, file, folder, names, one_error, path_in, run_on, stderr,
    stdout, testdata,
};

const READERS: &[&[&str]] = &[
    &["convert", "--to", "ndjson"],
    &["convert", "--to", "json"],
    &["convert", "--to", "json", "--meta"],
    &["convert", "--to", "json", "--compat", "librdb"],
    &["inspect"],
    &["inspect", "--json"],
    &["verify"],
    &["verify", "--json"],
    &["verify", "--format", "junit"],
];

/// What a reading command says about an input: exit code, and words of the error.
#[track_caller]
fn each_reader(input: &str, exits: impl Fn(&str) -> i32, words: &[&str]) {
    for reader in READERS {
        let args: Vec<&str> = reader.iter().copied().chain([input]).collect();
        let exit = exits(reader[0]);
        let output = expect(&args, exit);
        if reader[0] == "verify" {
            assert!(!output.stdout.is_empty(), "{args:?}");
        } else if exit == 0 {
            assert_eq!(stderr(&output), "", "{args:?}");
        } else {
            one_error(&output, words);
        }
    }
}

#[test]
fn sound_file_exits_0() {
    each_reader(&demo(), |_| 0, &[]);
}

#[test]
fn damaged_files_exit_1() {
    let dir = folder();
    // inspect shows what can be read; a checksum is not its matter.
    let inspect_is_lenient = |command: &str| i32::from(command != "inspect");
    each_reader(
        &corrupt(&dir),
        inspect_is_lenient,
        &["corrupt.rdb", "checksum mismatch"],
    );
    each_reader(&cut(&dir), |_| 1, &["cut.rdb", "(at 0x"]);
    each_reader(&file(&dir, "empty.rdb", b""), |_| 1, &["empty.rdb"]);
    let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
    each_reader(
        &bad,
        inspect_is_lenient,
        &["listpack_backlen_wrong.rdb", "db 0", "key \"key\""],
    );
}

#[test]
fn what_cannot_be_looked_at_exits_2() {
    let dir = folder();
    let missing = path_in(&dir, "missing.rdb");
    each_reader(&missing, |_| 2, &["missing.rdb", "No such file"]);
    let text = file(
        &dir,
        "notes.txt",
        b"Dear diary,\ntoday I saved no snapshot.\n",
    );
    each_reader(&text, |_| 2, &["notes.txt"]);
    each_reader(&testdata("corrupt/file_version_16.rdb"), |_| 2, &["16"]);
    each_reader(&testdata("corrupt/type_33_gcra.rdb"), |_| 2, &["33"]);
}

#[test]
fn usage_errors_exit_2() {
    let demo = demo();
    for args in [
        &["convert"][..],
        &["frobnicate"],
        &[],
        &["convert", &demo],
        &["convert", &demo, "--to", "xml"],
        &["convert", &demo, "-o", "out.txt"],
        &["convert", &demo, "--to", "json", "--ttl", "soon"],
        &["convert", &demo, "--to", "json", "--size", "1..x"],
        &["convert", &demo, "--to", "json", "--slot", "16384"],
        &["convert", &demo, "--to", "json", "--sample", "2"],
        &["convert", &demo, "--to", "json", "--type", "blob"],
        &["convert", &demo, "--to", "json", "--key-regex", "("],
        &["convert", &demo, "--to", "ndjson", "--pretty"],
        &["convert", &demo, "--to", "ndjson", "--compat", "librdb"],
        &[
            "convert", &demo, "--to", "json", "--compat", "librdb", "--meta",
        ],
        &["convert", &demo, "--to", "json", "--jobs", "0"],
        &["verify"],
        &["verify", &demo, "--json", "--format", "text"],
        &["inspect"],
        &["completions", "tcsh"],
        &["man"],
    ] {
        let output = expect(args, 2);
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn folders() {
    let dir = folder();
    fs::copy(demo(), dir.path().join("a.rdb")).unwrap();
    fs::copy(demo(), dir.path().join("b.bak")).unwrap();
    file(&dir, "notes.txt", b"hello\n");
    let path = dir.path().to_str().unwrap();

    let output = expect(&["verify", path], 0);
    assert!(stdout(&output).ends_with("2 files checked, 1 not recognised and left out: sound\n"));
    let output = expect(&["verify", path, "--json"], 0);
    let summary: Json = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    assert_eq!(summary["data"]["inputs"], 2);
    assert_eq!(summary["data"]["skipped"], 1);
    let output = expect(&["inspect", path, "--json"], 0);
    assert_eq!(stdout(&output).lines().count(), 2);
    one_error(&expect(&["convert", path, "--to", "json"], 2), &[path]);

    // One that is damaged does not hide the others; one that cannot be read beats it.
    corrupt(&dir);
    let output = expect(&["verify", path], 1);
    assert!(stdout(&output).contains("checksum_mismatch"));
    assert!(stdout(&output).contains("a.rdb: sound"));
    let missing = path_in(&dir, "missing.rdb");
    let output = expect(&["verify", &missing, path], 2);
    assert!(stdout(&output).contains("checksum_mismatch"));

    // A file that is named *.rdb is looked at even if it is none.
    let dir = folder();
    file(&dir, "cut_to_nothing.rdb", b"");
    expect(&["verify", dir.path().to_str().unwrap()], 1);

    let dir = folder();
    for name in ["a.manifest", "b.manifest"] {
        file(&dir, name, b"file x.1.incr.aof seq 1 type i\n");
    }
    for command in ["verify", "inspect"] {
        let output = expect(&[command, dir.path().to_str().unwrap()], 2);
        let said = stdout(&output) + &stderr(&output);
        assert!(
            said.contains("a.manifest") && said.contains("b.manifest"),
            "{said}"
        );
    }
    one_error(
        &expect(
            &["convert", dir.path().to_str().unwrap(), "--to", "json"],
            2,
        ),
        &["a.manifest"],
    );
}

/// Servers refuse a whole file for one library without its first line.
#[test]
fn function_that_is_no_library_is_damage_in_every_form() {
    let dir = folder();
    let snapshot = testdata("corrupt/function_without_shebang.rdb");
    for name in ["out.ndjson", "out.rdb"] {
        let out = path_in(&dir, name);
        let output = expect(&["convert", &snapshot, "-o", &out], 1);
        one_error(&output, &["bad function", "(at 0x9)"]);
    }
    let header = b"{\"rdbkit\":1,\"source\":\"rdb\",\"functions\":[\"return 1\"]}\n";
    let json = file(&dir, "in.ndjson", header);
    expect(&["verify", &json], 1);
    let out = path_in(&dir, "out.rdb");
    let output = expect(&["convert", &json, "-o", &out], 1);
    one_error(
        &output,
        &["bad JSON in line 1, column", "#!engine name=library"],
    );
    assert_eq!(names(dir.path()), ["in.ndjson"]);
}

/// No server has such a dataset, so there is no digest of it.
#[test]
fn key_that_stands_twice_has_no_digest() {
    let dir = folder();
    let record = b"\x00\x03key\x05value";
    let snapshot = [b"REDIS0003\xfe\x00", &record[..], record, b"\xff"].concat();
    let path = file(&dir, "twice.rdb", &snapshot);
    let output = expect(&["digest", &path], 1);
    one_error(&output, &["key of a database", "twice", "(at 0x16)"]);
    let output = run_on(&["digest", "-"], &snapshot);
    exited(&output, 1, "from a pipe");
    assert_eq!(stdout(&output), "");
    // In another database it is another key.
    let other = [
        b"REDIS0003\xfe\x00",
        &record[..],
        b"\xfe\x01",
        record,
        b"\xff",
    ]
    .concat();
    expect(&["digest", &file(&dir, "other.rdb", &other)], 0);
}

#[test]
fn rewrite_needs_a_place() {
    let dir = folder();
    let log = file(&dir, "a.aof", b"*1\r\n$4\r\nPING\r\n");
    let output = expect(&["rewrite", &log], 2);
    one_error(&output, &["-o OUT", "--in-place"]);
    assert_eq!(fs::read(&log).unwrap(), b"*1\r\n$4\r\nPING\r\n");
}
