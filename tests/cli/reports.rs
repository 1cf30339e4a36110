//! What verify and inspect print.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::util::resp::encode;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::program::{corrupt, demo, expect, file, folder, path_in, run, stderr, stdout, testdata};

#[test]
fn json_report_has_the_documented_members() {
    let dir = folder();
    let input = corrupt(&dir);
    let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
    let output = expect(&["verify", "--format", "json", &input, &bad, &demo()], 1);
    let lines: Vec<Json> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, others) = lines.split_last().unwrap();
    assert_eq!(last["type"], "summary");
    for member in [
        "verdict", "exit", "bytes", "keys", "expires", "findings", "inputs",
    ] {
        assert!(
            last["data"].get(member).is_some(),
            "summary without {member}: {last}"
        );
    }
    assert_eq!(last["data"]["verdict"], "damaged");
    assert_eq!(last["data"]["exit"], 1);
    assert_eq!(last["data"]["findings"]["checksum_mismatch"], 1);
    for line in others {
        assert!(["finding", "warning", "input"].contains(&line["type"].as_str().unwrap()));
    }
    let findings: Vec<&Json> = others
        .iter()
        .filter(|line| line["type"] == "finding")
        .collect();
    assert!(findings.len() >= 2);
    for finding in &findings {
        for member in ["file", "offset", "code", "level", "message"] {
            assert!(
                finding["data"].get(member).is_some(),
                "{finding} without {member}"
            );
        }
    }
    let in_key = findings
        .iter()
        .find(|finding| finding["data"].get("key").is_some())
        .unwrap();
    assert_eq!(in_key["data"]["key"], "key");
    assert_eq!(in_key["data"]["db"], 0);

    let output = expect(&["verify", "--json", &demo()], 0);
    let summary: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["data"]["verdict"], "sound");
    for member in ["kind", "version", "magic"] {
        assert!(
            summary["data"].get(member).is_some(),
            "{summary} without {member}"
        );
    }

    let output = expect(&["inspect", "--json", &demo()], 0);
    let inspection: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspection["type"], "inspection");
    assert!(inspection["data"].is_object());
}

/// What Python's XML parser says of a document: suites, cases, failures.
fn parse_xml(xml: &[u8]) -> Option<String> {
    const SCRIPT: &str = "import sys, xml.etree.ElementTree as t
r = t.fromstring(sys.stdin.buffer.read())
print(r.tag, len(list(r.iter('testcase'))), len(list(r.iter('failure'))), len(list(r.iter('error'))))
";
    let child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        assert_ne!(
            std::env::var("RDBKIT_SERVERS").as_deref(),
            Ok("required"),
            "no python3"
        );
        eprintln!("LEFT OUT: XML of the junit report: no python3");
        return None;
    };
    child.stdin.take().unwrap().write_all(xml).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(xml));
    Some(stdout(&output).trim().to_owned())
}

#[test]
fn junit_report_is_xml() {
    let dir = folder();
    let input = corrupt(&dir);
    // A name and a key full of what XML cannot hold as it is.
    let odd = fs::read(odd_keys(&dir)).unwrap();
    let named = file(&dir, "a<b>&\"c'\u{1b}.rdb", &odd);
    let missing = path_in(&dir, "missing.rdb");
    let output = expect(
        &[
            "verify",
            "--format",
            "junit",
            &demo(),
            &input,
            &named,
            &missing,
        ],
        2,
    );
    if let Some(seen) = parse_xml(&output.stdout) {
        assert_eq!(seen, "testsuites 4 5 0", "{}", stdout(&output));
    }
}

/// A file whose keys and values are full of terminal escapes, and whose values are bad.
fn odd_keys(folder: &TempDir) -> String {
    let mut bytes = b"REDIS0003\xfe\x00".to_vec();
    for key in [
        b"\x1b[31mred\x1b[0m".as_slice(),
        b"\x9b2J\x07",
        "\u{202e}evil\u{9b}".as_bytes(),
    ] {
        // A set with the same member twice.
        bytes.extend([2, key.len() as u8]);
        bytes.extend(key);
        bytes.extend(b"\x02\x04\x1b[2J\x04\x1b[2J");
    }
    bytes.push(0xff);
    file(folder, "odd.rdb", &bytes)
}

#[test]
fn terminal_escapes_of_keys_stay_out_of_reports() {
    let dir = folder();
    let input = odd_keys(&dir);
    let mut wrong_listpack = b"REDIS0010\xfe\x00\x10\x05\x1b[2Jx\x04abcd\xff".to_vec();
    wrong_listpack.extend([0; 8]);
    let broken = file(&dir, "bro\u{1b}[5mken\n.rdb", &wrong_listpack);
    let evil = "evil\u{1b}[2J\nerror: no\u{9b}1m";
    let mut log = Vec::new();
    encode(&["SELECT", "0"], &mut log);
    encode(&["EVAL", "error(KEYS[1])", "1", evil], &mut log);
    let script = file(&dir, "script.aof", &log);
    let mut other_server = b"REDIS0009\xfa\x09redis-ver".to_vec();
    other_server.push(evil.len() as u8);
    other_server.extend(evil.as_bytes());
    other_server.extend([0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    let server = file(&dir, "server.rdb", &other_server);
    let part = b"file evil\x1b[2J seq 1 type i\n";
    let manifest = file(&dir, "appendonly.aof.manifest", part);
    for args in [
        &["verify", &input][..],
        &["verify", "--color", "never", &broken],
        &["inspect", &input],
        &["inspect", &broken],
        &["verify", &script],
        &["digest", &script],
        &["inspect", &server],
        &["verify", &manifest],
        &["inspect", &manifest],
        &["convert", &broken, "--to", "ndjson"],
        &["convert", &input, "--to", "json"],
        &["convert", &input, "--to", "json", "--pretty"],
        &["convert", &input, "--to", "ndjson"],
        &["convert", &broken, "--to", "ndjson", "--keep-going"],
        &["verify", &path_in(&dir, "missing\u{1b}[31m.rdb")],
        &[
            "convert",
            &path_in(&dir, "missing\u{1b}[31m.rdb"),
            "--to",
            "json",
        ],
    ] {
        let output = run(args);
        let said = [stdout(&output), stderr(&output)].concat();
        assert!(!said.is_empty(), "{args:?}");
        let is_raw = |c: char| c != '\n' && c.is_control();
        let shown = said.escape_debug();
        assert!(!said.contains(is_raw), "{args:?}: {shown}");
        // JSON has the text as it is, but for control characters.
        if args[0] != "convert" || args.contains(&broken.as_str()) {
            assert!(!said.contains('\u{202e}'), "{args:?}: {shown}");
        }
    }
}

#[test]
fn strict_and_shallow() {
    let odd = testdata("corrupt/resizedb_too_many.rdb");
    let output = expect(&["verify", &odd], 0);
    assert!(stdout(&output).contains("warning: "));
    expect(&["verify", "--strict", &odd], 1);
    let inner = testdata("corrupt/set_member_duplicate.rdb");
    expect(&["verify", &inner], 1);
    expect(&["verify", "--shallow", &inner], 0);
}

#[test]
fn color_is_as_wished() {
    let missing = "/no/such/file.rdb";
    for (args, wanted) in [
        (&["convert", missing, "--to", "json"][..], false),
        (
            &["convert", missing, "--to", "json", "--color", "always"],
            true,
        ),
        (
            &["convert", missing, "--to", "json", "--color", "never"],
            false,
        ),
    ] {
        let output = expect(args, 2);
        assert_eq!(output.stderr.contains(&0x1b), wanted, "{args:?}");
    }
}

#[test]
fn quiet_and_verbose() {
    let functions = testdata("redis-7.0.15/functions.rdb");
    let output = expect(&["convert", &functions, "--to", "ndjson"], 0);
    assert!(stderr(&output).contains("--meta"), "left out, and said so");
    let quiet = expect(&["convert", &functions, "--to", "ndjson", "-q"], 0);
    assert_eq!(stderr(&quiet), "");
    assert_eq!(quiet.stdout, output.stdout);
    let verbose = expect(&["convert", &demo(), "--to", "ndjson", "-v"], 0);
    assert!(stderr(&verbose).contains(" s] "), "{}", stderr(&verbose));
}

#[test]
fn inspect_of_a_log_stops_where_replay_would() {
    let dir = folder();
    let set = |value: &str| format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n{value}\r\n");
    let log = format!("{}#TS:1700000000\r\n{}{}", set("1"), set("2"), set("3"));
    let log = file(&dir, "log.aof", log.as_bytes());
    let seen = |until: &[&str]| -> Json {
        let args = [&["inspect", "--json", &log], until].concat();
        serde_json::from_str(&stdout(&expect(&args, 0))).unwrap()
    };
    let data = |until: &[&str], name: &str| seen(until)["data"][name].clone();
    // A rewrite is a SELECT of 23 bytes and one SET of 27.
    assert_eq!(data(&[], "bytes"), 3 * 27 + 16);
    assert_eq!(data(&[], "live_bytes"), 23 + 27);
    assert_eq!(data(&[], "dead_bytes"), 2 * 27 + 16 - 23);
    for until in ["ts:1699999999", "command:2", "offset:30"] {
        assert_eq!(data(&["--until", until], "commands"), 1, "{until}");
    }
    assert_eq!(data(&["--until", "command:3"], "commands"), 2);
    let text = stdout(&expect(&["inspect", &log], 0));
    assert!(text.contains("dead"), "{text}");
}
