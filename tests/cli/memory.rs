//! `--max-memory`.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Output};

use super::program::{
    PROGRAM, exited, expect, file, folder, many_keys, names, one_error, path_in, run,
};
use super::util::resp::encode;

/// A log whose dataset takes far more than 16 MiB.
fn large_log() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..40_000 {
        let key = format!("key:{n:08}");
        // Appending makes a text of our own of a slice of the log.
        for value in ["x".repeat(400), "y".repeat(400)] {
            encode(&["APPEND", &key, &value], &mut log);
        }
    }
    log
}

#[test]
fn replay_ends_before_it_takes_more_memory() {
    let folder = folder();
    let log = file(&folder, "large.aof", &large_log());
    let out = path_in(&folder, "out.ndjson");
    let output = run(&["convert", &log, "-o", &out, "--max-memory", "16M"]);
    exited(&output, 2, "16 MiB");
    one_error(&output, &["limit exceeded", "--max-memory", "16777216"]);
    assert_eq!(names(folder.path()), ["large.aof"]);
    expect(&["convert", &log, "-o", &out, "--max-memory", "1G"], 0);
    let lines = fs::read(&out).unwrap();
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 40_000);
}

/// Snapshots of any size pass with little; what is seen does not depend on it.
#[test]
fn snapshots_are_read_within_little_memory() {
    let folder = folder();
    let snapshot = file(&folder, "many.rdb", &many_keys(150_000));
    let plain = expect(&["verify", "--json", &snapshot], 0);
    let bounded = expect(&["verify", "--json", &snapshot, "--max-memory", "20M"], 0);
    assert_eq!(plain.stdout, bounded.stdout);
    let out = path_in(&folder, "out.ndjson");
    expect(
        &["convert", &snapshot, "-o", &out, "--max-memory", "20M"],
        0,
    );
    assert!(fs::metadata(&out).unwrap().len() > 150_000 * 200);
}

/// Threads that read a file each have a share of the memory, not all of it.
#[test]
fn several_snapshots_at_once_take_no_more_memory_than_one() {
    const KEYS: u32 = 600_000;
    let folder = folder();
    let mut bytes = b"REDIS0011\xfe\x00".to_vec();
    for n in 0..KEYS {
        bytes.extend(b"\x00\x04");
        bytes.extend(n.to_be_bytes());
        bytes.extend(b"\x01v");
    }
    bytes.extend([0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    let snapshot = file(&folder, "small-keys.rdb", &bytes);
    let several = [snapshot.as_str(); 4];
    // The names of the keys of each take 9.6 MB, or wait in a temporary file.
    let args = [
        &["verify", "--jobs", "4", "--max-memory", "32M"],
        &several[..],
    ];
    expect(&args.concat(), 0);
}

/// The text of a key can be many times as long as the key in the file.
#[test]
fn long_texts_of_short_keys_take_no_more_memory() {
    const ELEMENTS: usize = 4_000_000;
    let folder = folder();
    // A list of integers of 5 bytes each, whose text takes 14.
    let mut bytes = b"REDIS0003\xfe\x00\x01\x04long\x80".to_vec();
    bytes.extend((ELEMENTS as u32).to_be_bytes());
    bytes.extend([0xc2, 0x00, 0x00, 0x00, 0x80].repeat(ELEMENTS));
    bytes.push(0xff);
    let snapshot = file(&folder, "long.rdb", &bytes);
    let out = path_in(&folder, "out.ndjson");
    expect(
        &["convert", &snapshot, "-o", &out, "--max-memory", "40M"],
        0,
    );
    let element = "\"-2147483648\",";
    let mut text =
        r#"{"db":0,"key":"long","type":"list","encoding":"linkedlist","value":["#.to_owned();
    text += &element.repeat(ELEMENTS);
    text.pop();
    text += "]}\n";
    assert!(fs::read(&out).unwrap() == text.as_bytes());
    let out = path_in(&folder, "out.aof");
    let args = ["convert", &snapshot, "-o", &out, "--target", "redis-7.2"];
    expect(&[&args[..], &["--max-memory", "40M"]].concat(), 0);
    let elements = "$11\r\n-2147483648\r\n".repeat(64);
    let command = format!("*66\r\n$5\r\nRPUSH\r\n$4\r\nlong\r\n{elements}");
    let log = format!(
        "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n{}",
        command.repeat(ELEMENTS / 64)
    );
    assert!(fs::read(&out).unwrap() == log.as_bytes());
}

/// Runs the program under a bound that the kernel enforces: writable memory of its own, touched or not.
pub(crate) fn within_kib(kib: u32, args: &[&str]) -> Output {
    let script = format!("ulimit -d {kib} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, PROGRAM]).args(args);
    command.output().unwrap()
}

/// A snapshot of so many strings of 1 MiB; they are zeros, so it takes no room on the disk.
fn write_sparse(path: &Path, strings: u32) {
    const LEN: u32 = 1 << 20;
    let mut file = File::create(path).unwrap();
    file.write_all(b"REDIS0011\xfe\x00").unwrap();
    for n in 0..strings {
        let head = format!("\0\x08{n:08}\u{0}");
        let mut head = head.into_bytes();
        *head.last_mut().unwrap() = 0x80;
        file.write_all(&head).unwrap();
        file.write_all(&LEN.to_be_bytes()).unwrap();
        file.seek(SeekFrom::Current(LEN.into())).unwrap();
    }
    // No checksum.
    file.write_all(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
}

#[test]
fn file_of_gigabytes_takes_64_mib() {
    const STRINGS: u32 = 2500;
    let folder = folder();
    let path = folder.path().join("large.rdb");
    write_sparse(&path, STRINGS);
    let path = path.to_str().unwrap();
    let copy = [
        "convert",
        path,
        "--to",
        "rdb",
        "--target",
        "redis-7.2",
        "-o",
        "/dev/null",
    ];
    for args in [&["verify", path][..], &["inspect", path], &copy] {
        let output = within_kib(64 << 10, args);
        exited(&output, 0, &format!("{args:?}"));
        if args[0] == "verify" {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("sound") && text.contains("2.4 GiB"), "{text}");
        }
    }
    // The bound is one: with next to nothing the program cannot run.
    assert!(!within_kib(64, &["verify", path]).status.success());
}

#[test]
fn sizes_of_memory_are_numbers() {
    for size in ["", "lots", "-1", "1T"] {
        expect(&["verify", "any.rdb", &format!("--max-memory={size}")], 2);
    }
}
