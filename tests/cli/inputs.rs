//! Where the input comes from.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::program::{
    command, demo, exited, expect, file, folder, log, mkfifo, path_in, run, run_on, stderr,
    testdata,
};

/// Only its aux fields tell a hybrid AOF's head from an RDB; commands behind one without them are
/// no snapshot, and are not left out in silence.
#[test]
fn a_log_behind_an_rdb_that_announces_none_needs_a_word() {
    let mut bytes = fs::read(demo()).unwrap();
    bytes.extend(log(&["SELECT 0", "SET behind 1"]));
    let dir = folder();
    let path = file(&dir, "appendonly.aof", &bytes);
    let out = path_in(&dir, "out");
    for args in [
        &["verify"][..],
        &["digest"],
        &["convert", "--to", "ndjson", "-o", &out],
        &["convert", "--to", "aof", "-o", &out],
        &[
            "convert",
            "--to",
            "rdb",
            "--target",
            "redis-8.2",
            "-o",
            &out,
        ],
    ] {
        let output = run(&[args, &[&path]].concat());
        exited(&output, 2, "without a word");
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("--as aof"), "{args:?}: {said}");
        assert!(fs::metadata(&out).is_err(), "{args:?}");
        expect(&[args, &["--as", "aof", &path]].concat(), 0);
        let _ = fs::remove_file(&out);
    }
}

#[test]
fn every_way_to_the_same_bytes_gives_the_same_output() {
    let bytes = fs::read(demo()).unwrap();
    for args in [
        &["convert", "--to", "ndjson"][..],
        &["convert", "--to", "json", "--meta"],
        &["convert", "--to", "json", "--pretty"],
        &["convert", "--to", "json", "--compat", "rdbtools"],
    ] {
        let with = |input: &str| -> Vec<String> {
            let words = args.iter().copied().chain([input]);
            words.map(str::to_owned).collect()
        };
        let expected = expect(&with(&demo()), 0).stdout;
        assert!(!expected.is_empty());

        let output = run_on(&with("-"), &bytes);
        exited(&output, 0, "pipe");
        assert_eq!(output.stdout, expected, "{args:?} from a pipe");

        let dir = folder();
        for packer in ["gzip", "zstd", "lz4"] {
            let packed = Command::new(packer).args(["-c", &demo()]).output();
            let Ok(packed) = packed.map(|output| output.stdout) else {
                eprintln!("LEFT OUT: {packer}: not installed");
                continue;
            };
            // Told by content, not by name.
            let path = file(&dir, "data", &packed);
            assert_eq!(
                expect(&with(&path), 0).stdout,
                expected,
                "{args:?} {packer}"
            );
            let output = run_on(&with("-"), &packed);
            assert_eq!(output.stdout, expected, "{args:?} {packer} from a pipe");
            let cut = file(&dir, "cut", &packed[..packed.len() - 12]);
            assert_ne!(run(&with(&cut)).status.code(), Some(0), "{packer} cut");
        }

        let fifo = path_in(&dir, "fifo");
        mkfifo(&fifo);
        let child = command(&with(&fifo))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        fs::write(&fifo, &bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.stdout, expected, "{args:?} from a FIFO");

        let link = path_in(&dir, "link");
        symlink(demo(), &link).unwrap();
        assert_eq!(
            expect(&with(&link), 0).stdout,
            expected,
            "{args:?} by a link"
        );
    }
}

#[test]
fn replication_streams_and_payloads() {
    for server in ["redis-6.2.14", "redis-8.6.2", "valkey-9.1.2"] {
        for framing in ["fullsync_eof.bin", "fullsync_length.bin"] {
            let path = testdata(&format!("{server}/{framing}"));
            let output = expect(&["convert", &path, "--to", "ndjson"], 0);
            assert!(!output.stdout.is_empty(), "{path}");
            let piped = run_on(
                &["convert", "-", "--to", "ndjson"],
                &fs::read(&path).unwrap(),
            );
            assert_eq!(piped.stdout, output.stdout, "{path}");
            expect(&["verify", &path], 0);
        }
        let path = testdata(&format!("{server}/dump_payload_hash.bin"));
        let output = expect(&["convert", &path, "--to", "ndjson", "--dump-payload"], 0);
        let json: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["type"], "hash", "{path}");
        let same = expect(
            &["convert", &path, "--to", "ndjson", "--as", "dump-payload"],
            0,
        );
        assert_eq!(same.stdout, output.stdout);
        expect(&["verify", &path, "--dump-payload"], 0);
    }
}
