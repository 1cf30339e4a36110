//! Where the output goes, and what is left of it when something goes wrong.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::program::{
    PROGRAM, command, corrupt, cut, demo, exited, expect, file, folder, many_keys, mkfifo, names,
    one_error, path_in, stderr, stdout, testdata,
};
use crate::util::rng::{self, Rng};

#[test]
fn name_of_the_output_decides_the_format() {
    let dir = folder();
    let demo = demo();
    for (name, to) in [
        ("a.json", "json"),
        ("a.ndjson", "ndjson"),
        ("a.jsonl", "ndjson"),
        ("A.JSON", "json"),
    ] {
        let out = path_in(&dir, name);
        let output = expect(&["convert", &demo, "-o", &out], 0);
        assert_eq!(stdout(&output), "");
        let expected = expect(&["convert", &demo, "--to", to], 0).stdout;
        assert_eq!(fs::read(&out).unwrap(), expected, "{name}");
        let mode = fs::metadata(&out).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // --to beats the name.
    let out = path_in(&dir, "b.json");
    expect(&["convert", &demo, "-o", &out, "--to", "ndjson"], 0);
    assert!(fs::read(&out).unwrap().starts_with(b"{"));
    assert_eq!(
        names(dir.path()),
        ["A.JSON", "a.json", "a.jsonl", "a.ndjson", "b.json"]
    );
}

#[test]
fn existing_target_needs_force_and_keeps_its_mode() {
    let dir = folder();
    let out = file(&dir, "out.json", b"old");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o640)).unwrap();
    let output = expect(&["convert", &demo(), "-o", &out], 2);
    one_error(&output, &["out.json"]);
    assert_eq!(fs::read(&out).unwrap(), b"old");

    let link = path_in(&dir, "link.json");
    symlink("out.json", &link).unwrap();
    expect(&["convert", &demo(), "-o", &link, "--force"], 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read(&out).unwrap().starts_with(b"["));
    assert_eq!(
        fs::metadata(&out).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(names(dir.path()), ["link.json", "out.json"]);
}

#[test]
fn failure_leaves_the_target_as_it_was() {
    let dir = folder();
    let inputs = [corrupt(&dir), cut(&dir)];
    let before = names(dir.path());
    let out = path_in(&dir, "out.ndjson");
    for input in &inputs {
        expect(&["convert", input, "-o", &out], 1);
        assert_eq!(names(dir.path()), before);
    }
    fs::write(&out, b"old").unwrap();
    for input in &inputs {
        expect(&["convert", input, "-o", &out, "--force"], 1);
        assert_eq!(fs::read(&out).unwrap(), b"old");
    }
    fs::remove_file(&out).unwrap();
    // With --keep-going what is left is written, and the exit code still says so.
    let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
    expect(&["convert", &bad, "-o", &out, "--keep-going"], 1);
}

#[test]
fn targets_that_cannot_be_written() {
    let dir = folder();
    let demo = demo();
    let source = file(&dir, "source.rdb", &fs::read(&demo).unwrap());
    let there = path_in(&dir, "no/such/folder/out.json");
    one_error(
        &expect(&["convert", &demo, "-o", &there], 2),
        &["out.json", "No such file"],
    );
    let path = dir.path().to_str().unwrap();
    one_error(
        &expect(
            &["convert", &demo, "-o", path, "--to", "json", "--force"],
            2,
        ),
        &[path],
    );
    // The source is no target, by whatever name.
    let link = path_in(&dir, "link.rdb");
    symlink(&source, &link).unwrap();
    let hard = path_in(&dir, "hard.rdb");
    fs::hard_link(&source, &hard).unwrap();
    for target in [&source, &link, &hard] {
        let output = expect(
            &["convert", &source, "-o", target, "--to", "json", "--force"],
            2,
        );
        one_error(&output, &[]);
    }
    assert_eq!(fs::read(&source).unwrap(), fs::read(&demo).unwrap());
    assert_eq!(names(dir.path()), ["hard.rdb", "link.rdb", "source.rdb"]);
}

#[test]
fn devices_and_pipes_are_written_straight() {
    let demo = demo();
    expect(&["convert", &demo, "-o", "/dev/null", "--to", "json"], 0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let output = expect(&["convert", &demo, "-o", "/dev/full", "--to", "json"], 2);
    one_error(&output, &["/dev/full", "No space left"]);
    for args in [
        &["convert", &demo, "--to", "json"][..],
        &["verify", &demo],
        &["verify", &demo, "--json"],
        &["verify", &demo, "--format", "junit"],
        &["inspect", &demo],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command(args).stdout(full).output().unwrap();
        exited(&output, 2, &args.join(" "));
        one_error(&output, &["No space left"]);
    }
    let dir = folder();
    let fifo = path_in(&dir, "fifo");
    mkfifo(&fifo);
    let child = command(&["convert", &demo, "-o", &fifo, "--to", "json"])
        .spawn()
        .unwrap();
    let read = fs::read(&fifo).unwrap();
    exited(&child.wait_with_output().unwrap(), 0, "FIFO");
    assert_eq!(read, expect(&["convert", &demo, "--to", "json"], 0).stdout);
}

#[test]
fn stdout_that_is_closed_early_ends_it_quietly() {
    let dir = folder();
    let big = file(&dir, "big.rdb", &many_keys(20_000));
    let many = vec![big.as_str(); 200];
    let verify = [&["verify", "--json"], &many[..]].concat();
    let first_line_only: &[&[&str]] = &[
        &["convert", &big, "--to", "ndjson"],
        &["convert", &big, "--to", "json", "--pretty"],
        &verify[..2],
    ];
    for args in &first_line_only[..2] {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        exited(&output, 2, &args.join(" "));
        assert_eq!(stderr(&output), "", "{args:?}");
    }
    for args in [
        &["verify", &big][..],
        &["inspect", &big],
        &["completions", "zsh"],
        &["--help"],
    ] {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(stderr(&output), "", "{args:?}");
        if args != ["--help"] {
            exited(&output, 2, &args.join(" "));
        }
    }
}

#[test]
fn stdout_of_a_damaged_input_is_whole_lines() {
    let whole = many_keys(3000);
    let dir = folder();
    let input = file(&dir, "cut.rdb", &whole[..whole.len() / 2 + 50]);
    let output = expect(&["convert", &input, "--to", "ndjson"], 1);
    let text = stdout(&output);
    assert!(text.ends_with("}\n"));
    assert!(text.lines().count() > 1400, "{}", text.lines().count());
    for line in text.lines() {
        serde_json::from_str::<Json>(line).unwrap();
    }
    // An array that is not closed cannot be taken for a whole one.
    let output = expect(&["convert", &input, "--to", "json"], 1);
    let text = stdout(&output);
    assert!(text.starts_with('[') && !text.trim_end().ends_with(']'));
    assert!(serde_json::from_str::<Json>(&text).is_err());
    assert!(serde_json::from_str::<Json>(&format!("{text}]")).is_ok());
}

/// A conversion that has read half of its input and waits for the rest.
fn waiting(out: &str, bytes: &[u8]) -> (Child, std::process::ChildStdin) {
    // Tests that run in the background are begun with SIGINT ignored, and so would the program be.
    let mut child = Command::new("env")
        .args(["--default-signal", PROGRAM, "convert", "-", "-o", out])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&bytes[..bytes.len() / 2]).unwrap();
    (child, pipe)
}

#[test]
fn interruption_leaves_no_file_and_exits_130() {
    let whole = many_keys(5000);
    for (signal, existing) in [("INT", false), ("TERM", false), ("INT", true)] {
        let dir = folder();
        let out = path_in(&dir, "out.ndjson");
        let before = names(dir.path());
        let (mut child, pipe) = waiting(&out, &whole);
        let limit = Instant::now() + Duration::from_secs(20);
        // The temporary file shows that it is under way.
        while names(dir.path()).len() == before.len() {
            assert!(Instant::now() < limit, "no temporary file");
            std::thread::sleep(Duration::from_millis(5));
        }
        for name in names(dir.path()) {
            let mode = fs::metadata(dir.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "the temporary file's mode");
        }
        if existing {
            fs::write(&out, b"appeared meanwhile").unwrap();
        }
        let id = child.id().to_string();
        let kill = Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status();
        assert!(kill.unwrap().success());
        let status = child.wait().unwrap();
        drop(pipe);
        assert_eq!(status.code(), Some(130), "{signal}: {status}");
        let left: &[&str] = if existing { &["out.ndjson"] } else { &[] };
        assert_eq!(names(dir.path()), left, "{signal}");
    }
}

#[test]
fn input_that_ends_early_in_a_pipe_leaves_no_file() {
    let dir = folder();
    let out = path_in(&dir, "out.ndjson");
    let (child, pipe) = waiting(&out, &many_keys(5000));
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    exited(&output, 1, "cut pipe");
    one_error(&output, &["stdin"]);
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

/// Snapshots of strings around the size of a batch and of a window, cut in the middle.
#[test]
fn what_comes_before_an_error_does_not_depend_on_the_number_of_threads() {
    let dir = folder();
    let mut rng = Rng::new(rng::seed(402));
    for largest in [4_000, 90_000, 900_000] {
        let mut rdb = b"REDIS0009".to_vec();
        while rdb.len() < 2_000_000 {
            let len = rng.below(largest);
            rdb.extend([0, 8]);
            rdb.extend(format!("{:08}", rdb.len()).bytes());
            rdb.push(0x80);
            rdb.extend((len as u32).to_be_bytes());
            rdb.extend((0..len).map(|n| b'a' + (n * 7 % 26) as u8));
        }
        // More of the last record than a window holds is left, and then less.
        rdb.extend(*b"\x00\x01k\x80\x00\x10\x00\x00");
        rdb.resize(rdb.len() + 700_000, b'x');
        for len in [rdb.len(), rdb.len() - 600_000] {
            let input = file(&dir, "cut.rdb", &rdb[..len]);
            for to in ["ndjson", "aof", "rdb"] {
                let args = ["convert", &input, "--to", to, "--allow-loss"];
                let alone = expect(&[&args[..], &["--jobs", "1"]].concat(), 1);
                one_error(&alone, &["unexpected end of input"]);
                for jobs in ["2", "3", "8"] {
                    let output = expect(&[&args[..], &["--jobs", jobs]].concat(), 1);
                    assert!(output == alone, "{to} of {len} bytes, --jobs {jobs}");
                }
            }
            for args in [["inspect", &input], ["verify", &input]] {
                let alone = expect(&[&args[..], &["--jobs", "1"]].concat(), 1);
                assert!(alone == expect(&args, 1), "{args:?} of {len} bytes");
            }
        }
    }
}
