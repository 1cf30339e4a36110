//! Files that change while they are read: `input_changed`, exit code 2, no output, no crash.
//!
//! The program is stopped when it has the file mapped, or has read some of it; then the file
//! changes, and the program goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::process::{end, has_mapped, has_read, send, start, wait_until};
use crate::program::{exited, file, folder, many_keys, names, path_in, stderr, stdout};
use crate::util::resp::encode;

/// What happens to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It is cut to nothing.
    Emptied,
    /// It is cut to the half.
    Halved,
    /// The last byte goes.
    Shortened,
    /// It grows.
    Grown,
    /// Some bytes change.
    Overwritten,
    /// They change to what looks like another release's.
    Garbled,
    /// Another file takes its name, as when a server saves.
    Replaced,
}

impl Change {
    const ALL: [Change; 7] = [
        Change::Emptied,
        Change::Halved,
        Change::Shortened,
        Change::Grown,
        Change::Overwritten,
        Change::Garbled,
        Change::Replaced,
    ];

    fn make(self, path: &Path) {
        let mut file = File::options().read(true).write(true).open(path).unwrap();
        let len = file.metadata().unwrap().len();
        match self {
            Change::Emptied => file.set_len(0).unwrap(),
            Change::Halved => file.set_len(len / 2).unwrap(),
            Change::Shortened => file.set_len(len - 1).unwrap(),
            Change::Grown => {
                file = File::options().append(true).open(path).unwrap();
                file.write_all(b"more").unwrap();
            }
            Change::Overwritten => file.write_all_at(b"changed", len - 100).unwrap(),
            Change::Garbled => {
                // Type bytes and lengths that no release knows, all over.
                let garbage = vec![0xd7; 4096];
                let places = (1 << 20..len - 4096).step_by(1 << 20);
                places.for_each(|at| file.write_all_at(&garbage, at).unwrap());
            }
            Change::Replaced => {
                let new = path.with_extension("new");
                fs::write(&new, b"REDIS0011\xff").unwrap();
                fs::rename(new, path).unwrap();
            }
        }
    }
}

/// The bytes of a large file, that a build without optimisation needs a while for.
fn large_rdb() -> Vec<u8> {
    many_keys(100_000)
}

fn large_log() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..60_000 {
        encode(&["SET", &format!("key:{n}"), &"v".repeat(150)], &mut log);
    }
    log
}

/// A file that was written long ago, under a name.
fn old_file(dir: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = file(dir, name, bytes);
    let then = SystemTime::now() - Duration::from_secs(1000);
    File::open(&path).unwrap().set_modified(then).unwrap();
    path
}

/// Runs a command on a file that changes when the program is at work on it.
fn run_and_change(args: &[&str], path: &str, bytes: &[u8], change: Change) -> Output {
    let path = Path::new(path);
    for _ in 0..50 {
        let mut child = start(args, Stdio::null());
        let at_work = wait_until(&mut child, |child| {
            has_mapped(child, path) || has_read(child, path)
        });
        if at_work {
            send(&child, "STOP");
            // It may have come to its end before it was stopped.
            if has_mapped(&child, path) || has_read(&child, path) {
                change.make(path);
                send(&child, "CONT");
                return end(child);
            }
            send(&child, "CONT");
        }
        end(child);
        fs::write(path, bytes).unwrap();
    }
    panic!("the program is always faster: {args:?}");
}

/// Checks a command with every one of some changes.
fn check(dir: &TempDir, args: &[&str], path: &str, bytes: &[u8], changes: &[Change]) {
    for &change in changes {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        old_file(dir, name, bytes);
        let before = names(dir.path());
        let output = run_and_change(args, path, bytes, change);
        let label = format!("{change:?}: {args:?}");
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        if change == Change::Replaced {
            // What is open stays whole.
            exited(&output, 0, &label);
            assert!(!said.contains("changed"), "{label}: {said}");
            for made in names(dir.path())
                .iter()
                .filter(|name| !before.contains(name))
            {
                fs::remove_file(dir.path().join(made)).unwrap();
            }
        } else {
            exited(&output, 2, &label);
            assert!(
                said.contains("input changed while it was read"),
                "{label}: {}",
                said.chars().take(2000).collect::<String>()
            );
        }
        assert_eq!(names(dir.path()), before, "{label}");
    }
}

#[test]
fn snapshot_that_changes_while_it_is_verified() {
    let dir = folder();
    let bytes = large_rdb();
    let path = path_in(&dir, "in.rdb");
    check(&dir, &["verify", &path], &path, &bytes, &Change::ALL);
    let changes = [Change::Halved, Change::Garbled];
    for flag in ["--jobs=1", "--json", "--shallow"] {
        check(&dir, &["verify", &path, flag], &path, &bytes, &changes);
    }
}

#[test]
fn snapshot_that_changes_while_it_is_converted() {
    let dir = folder();
    let bytes = large_rdb();
    let path = path_in(&dir, "in.rdb");
    let (lines, rdb) = (path_in(&dir, "out.ndjson"), path_in(&dir, "out.rdb"));
    let (aof, set) = (path_in(&dir, "out.aof"), path_in(&dir, "out/"));
    let target = "--target=redis-7.2";
    check(
        &dir,
        &["convert", &path, "-o", &lines],
        &path,
        &bytes,
        &Change::ALL,
    );
    let changes = [Change::Halved, Change::Overwritten, Change::Garbled];
    for out in [&rdb, &aof, &set] {
        check(
            &dir,
            &["convert", &path, "-o", out, target],
            &path,
            &bytes,
            &changes,
        );
    }
}

#[test]
fn snapshot_that_changes_while_something_else_reads_it() {
    let dir = folder();
    let bytes = large_rdb();
    let path = path_in(&dir, "in.rdb");
    let other = file(&dir, "other.rdb", &bytes);
    let changes = [Change::Emptied, Change::Overwritten];
    for args in [
        &["digest", "--key=none", &path][..],
        &["inspect", &path],
        &["diff", &path, &other],
    ] {
        check(&dir, args, &path, &bytes, &changes);
    }
}

#[test]
fn log_that_changes_while_it_is_read() {
    let dir = folder();
    let bytes = large_log();
    let path = path_in(&dir, "in.aof");
    let (new, lines) = (path_in(&dir, "out.aof"), path_in(&dir, "out.ndjson"));
    check(
        &dir,
        &["rewrite", &path, "-o", &new],
        &path,
        &bytes,
        &Change::ALL,
    );
    let changes = [Change::Halved, Change::Grown, Change::Garbled];
    check(
        &dir,
        &["convert", &path, "-o", &lines],
        &path,
        &bytes,
        &changes,
    );
    check(&dir, &["verify", &path], &path, &bytes, &changes);
}

/// What is compressed is read by calls.
#[test]
fn compressed_snapshot_that_changes_while_it_is_read() {
    let dir = folder();
    let plain = file(&dir, "plain", &large_rdb());
    let packed = Command::new("gzip")
        .args(["-1", "-c", &plain])
        .output()
        .unwrap();
    fs::remove_file(&plain).unwrap();
    let path = path_in(&dir, "in.rdb.gz");
    let out = path_in(&dir, "out.ndjson");
    let changes = [
        Change::Emptied,
        Change::Halved,
        Change::Grown,
        Change::Replaced,
    ];
    for args in [&["convert", &path, "-o", &out][..], &["verify", &path]] {
        check(&dir, args, &path, &packed.stdout, &changes);
    }
}

/// A file that shrinks where the program has it mapped raises a signal, whichever thread looks.
#[test]
fn fault_of_a_mapped_file_says_so_and_is_no_crash() {
    let dir = folder();
    let bytes = large_rdb();
    let path = old_file(&dir, "in.rdb", &bytes);
    let out = path_in(&dir, "out.ndjson");
    let args = ["convert", &path, "-o", &out, "--jobs=1"];
    let output = run_and_change(&args, &path, &bytes, Change::Emptied);
    exited(&output, 2, "emptied");
    assert_eq!(stdout(&output), "");
    assert_eq!(names(dir.path()), ["in.rdb"]);
    let talk = stderr(&output);
    let start = format!("error: {path}: the input changed while it was read (at 0x");
    assert!(talk.starts_with(&start) && talk.ends_with(")\n"), "{talk}");
    assert_eq!(talk.lines().count(), 1, "{talk}");
}
