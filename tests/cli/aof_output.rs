//! `convert --to aof`, `aof-dir` and `rewrite`: forms, refusals, reports, and what is left.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::program::{
    corrupt, demo, expect, file, folder, log, names, one_error, path_in, run_on, stderr, stdout,
    testdata,
};

const SET: [&str; 3] = [
    "appendonly.aof.1.base.rdb",
    "appendonly.aof.1.incr.aof",
    "appendonly.aof.manifest",
];

/// The words of a log, a command on each line.
fn commands(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let mut out = String::new();
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        match line.as_bytes()[0] {
            b'*' if !out.is_empty() => out.push('\n'),
            b'*' | b'$' => {}
            _ => {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push(' ');
                }
                out.push_str(line);
            }
        }
    }
    out
}

#[test]
fn name_or_flag_decides_the_form() {
    let dir = folder();
    let demo = demo();
    let out = path_in(&dir, "out.aof");
    expect(&["convert", &demo, "-o", &out], 0);
    let written = fs::read(&out).unwrap();
    assert!(written.starts_with(b"*"));
    let to_stdout = expect(&["convert", &demo, "--to", "aof", "-o", "-"], 0);
    assert!(to_stdout.stdout == written);
    let from_stdin = run_on(&["convert", "-", "--to", "aof"], &fs::read(&demo).unwrap());
    assert!(from_stdin.stdout == written);

    let hybrid = path_in(&dir, "hybrid.aof");
    expect(&["convert", &demo, "-o", &hybrid, "--preamble", "yes"], 0);
    assert!(fs::read(&hybrid).unwrap().starts_with(b"REDIS"));

    let set = path_in(&dir, "set/");
    expect(&["convert", &demo, "-o", &set, "--target", "redis-7.4"], 0);
    assert_eq!(names(Path::new(&set)), SET);
    let plain = path_in(&dir, "plain");
    let args = [
        "--to",
        "aof-dir",
        "--preamble",
        "no",
        "--target",
        "valkey-9.1",
    ];
    expect(&[&["convert", &demo, "-o", &plain], &args[..]].concat(), 0);
    assert!(names(Path::new(&plain)).contains(&"appendonly.aof.1.base.aof".to_owned()));

    let of = |path: &str| {
        let digest = expect(&["digest", path, "--flavor", "redis-7.2", "-q"], 0);
        stdout(&digest)
    };
    for path in [&out, &hybrid, &set, &plain] {
        assert_eq!(of(path), of(&demo), "{path}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let dir = folder();
    let demo = demo();
    let full = path_in(&dir, "full");
    fs::create_dir(&full).unwrap();
    fs::write(format!("{full}/file"), b"").unwrap();
    let log = file(&dir, "in.aof", &log(&["SET a 1"]));
    let before = names(dir.path());
    let (new, hybrid) = (path_in(&dir, "new/"), path_in(&dir, "new.aof"));
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["convert", &demo, "--to", "aof-dir", "-o", &full],
            &["not empty"],
        ),
        (&["convert", &demo, "--to", "aof-dir"], &["-o"]),
        (
            &["convert", &demo, "--to", "aof-dir", "-o", &log],
            &["not a folder"],
        ),
        (
            &["convert", &demo, "-o", &new, "--target", "redis-6.2"],
            &["redis-6.2", "one file"],
        ),
        (
            &[
                "convert",
                &demo,
                "-o",
                &hybrid,
                "--target",
                "redis-3.2",
                "--preamble",
                "yes",
            ],
            &["redis-3.2", "--preamble"],
        ),
        (
            &["convert", &demo, "--to", "rdb", "--preamble", "yes"],
            &["--preamble"],
        ),
        (
            &["convert", &demo, "--to", "json", "--preamble", "no"],
            &["--preamble"],
        ),
        (&["rewrite", &demo, "-o", &hybrid], &["no log"]),
        (&["rewrite", &log, "-o", "-", "--json"], &["--json"]),
        (
            &["rewrite", &log, "-o", &log, "--force"],
            &["input and the output"],
        ),
        (&["rewrite", &log, "-o", &log], &["in.aof"]),
    ];
    for (args, words) in cases {
        one_error(&expect(args, 2), words);
        assert_eq!(names(dir.path()), before, "{args:?}");
    }
    // Damage shows when the folder has been made.
    let broken = folder();
    let corrupt = corrupt(&broken);
    expect(
        &["convert", &corrupt, "-o", &new, "--target", "redis-7.4"],
        1,
    );
    assert_eq!(names(dir.path()), before);
}

#[test]
fn modules_own_records_are_lost_in_commands_and_kept_in_a_preamble() {
    let dir = folder();
    let source = testdata("redis-7.4.1/module_search_aux.rdb");
    let out = path_in(&dir, "out.aof");
    let refused = expect(&["convert", &source, "-o", &out], 1);
    assert!(
        stderr(&refused).contains("records of modules"),
        "{}",
        stderr(&refused)
    );
    assert!(!fs::exists(&out).unwrap());
    expect(&["convert", &source, "-o", &out, "--preamble", "yes"], 0);
    assert!(fs::read(&out).unwrap().starts_with(b"REDIS"));
    // So they are by a replay, which says it as well.
    let again = path_in(&dir, "again.aof");
    let refused = expect(&["rewrite", &out, "-o", &again], 1);
    assert!(
        stderr(&refused).contains("records of modules"),
        "{}",
        stderr(&refused)
    );
    expect(&["rewrite", &out, "-o", &again, "--allow-loss"], 0);
}

#[test]
fn rewrite_reports_what_the_log_was_and_became() {
    let dir = folder();
    let lines = [
        "SELECT 0",
        "SET a 1",
        "INCR a",
        "RPUSH l x y",
        "LPOP l",
        "SET gone 1",
        "DEL gone",
    ];
    let source = file(&dir, "in.aof", &log(&lines));
    let bytes = fs::read(&source).unwrap().len();
    let out = path_in(&dir, "out.aof");
    let report = path_in(&dir, "report.jsonl");
    let flags = [
        "--preamble",
        "no",
        "--target",
        "redis-7.2",
        "--json",
        "--report",
        &report,
    ];
    let output = expect(&[&["compact", &source, "-o", &out], &flags[..]].concat(), 0);
    let written = fs::read(&out).unwrap();
    let mut sorted: Vec<_> = commands(&written).lines().map(str::to_owned).collect();
    sorted.sort();
    assert_eq!(sorted, ["RPUSH l y", "SELECT 0", "SET a 2"]);
    assert_eq!(fs::read_to_string(&report).unwrap(), stdout(&output));
    let summary: Json = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    assert_eq!(summary["type"], "summary");
    for (member, value) in [
        ("bytes_before", bytes),
        ("bytes", written.len()),
        ("commands_before", 7),
        ("commands", 3),
        ("dead_commands", 4),
        ("keys", 2),
    ] {
        assert_eq!(summary["data"][member], value, "{member}");
    }
    assert!(stderr(&output).contains("4 dead commands dropped"));

    let args = ["--until", "command:4", "--key", "a", "--force"];
    let args = [&["rewrite", &source, "-o", &out], &flags[..4], &args[..]].concat();
    expect(&args, 0);
    assert_eq!(commands(&fs::read(&out).unwrap()), "SELECT 0\nSET a 2");
}

#[test]
fn log_that_names_no_server_is_written_for_the_lowest_that_knows_its_commands() {
    let dir = folder();
    let cases = [
        ("SET a 1", "redis-6.2"),
        // The data would fit 6.2, the command is newer.
        ("LMPOP 1 nosuch LEFT", "redis-7.0"),
        ("FUNCTION FLUSH", "redis-7.0"),
        ("HPERSIST h FIELDS 1 f", "redis-7.4"),
        ("HSETEX h FIELDS 1 f v", "redis-8.6"),
        ("ARSET a 3 x", "redis-8.8"),
    ];
    for (line, release) in cases {
        let source = file(&dir, "in.aof", &log(&["SET b 1", line]));
        for command in ["convert", "rewrite"] {
            let out = path_in(&dir, "out.aof");
            let output = expect(&[command, &source, "-o", &out, "--force"], 0);
            let said = stderr(&output);
            assert!(said.contains(&format!("for {release} ")), "{line}: {said}");
        }
    }
    // Only releases from 7.0 on divide a log into parts.
    let source = file(&dir, "in.aof", &log(&["SET b 1"]));
    let output = expect(&["rewrite", &source, "-o", &path_in(&dir, "set/")], 0);
    assert!(stderr(&output).contains("for redis-7.0 "));
}

#[test]
fn target_of_a_rewrite_does_not_change_what_its_commands_do() {
    let dir = folder();
    // Some releases keep the sign of a zero, some do not.
    let source = file(&dir, "in.aof", &log(&["ZADD z -0 a"]));
    for target in ["redis-6.2", "valkey-9.1"] {
        let flags = ["--preamble", "no", "--target", target];
        let written = ["convert", "rewrite"].map(|command| {
            let args = [command, &source, "-o", &path_in(&dir, "out.aof"), "--force"];
            expect(&[&args, &flags[..]].concat(), 0);
            fs::read(path_in(&dir, "out.aof")).unwrap()
        });
        assert_eq!(commands(&written[0]), "SELECT 0\nZADD z 0 a", "{target}");
        assert!(written[0] == written[1], "{target}");
    }
}

#[test]
fn set_stays_a_set_with_its_names() {
    let dir = folder();
    let set = path_in(&dir, "set");
    fs::create_dir(&set).unwrap();
    let manifest = b"file my.aof.7.incr.aof seq 7 type i\n";
    fs::write(format!("{set}/my.aof.manifest"), manifest).unwrap();
    fs::write(format!("{set}/my.aof.7.incr.aof"), log(&["SET a 1"])).unwrap();
    let out = path_in(&dir, "out");
    expect(&["rewrite", &set, "-o", &out], 0);
    let all = ["my.aof.1.base.rdb", "my.aof.1.incr.aof", "my.aof.manifest"];
    assert_eq!(names(Path::new(&out)), all);
    let one = path_in(&dir, "one.aof");
    expect(&["rewrite", &set, "-o", &one, "--preamble", "no"], 0);
    assert_eq!(commands(&fs::read(&one).unwrap()), "SELECT 0\nSET a 1");
    assert_eq!(names(Path::new(&set)).len(), 2);
}
