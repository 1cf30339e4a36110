//! `--max-memory`.

use std::fs;

use super::program::{exited, expect, file, folder, many_keys, names, one_error, path_in, run};
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
}

#[test]
fn sizes_of_memory_are_numbers() {
    for size in ["", "lots", "-1", "1T"] {
        expect(&["verify", "any.rdb", &format!("--max-memory={size}")], 2);
    }
}
