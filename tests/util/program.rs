//! Runs the program and makes files for it.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::in_place::{patiently, says_in_use};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rdbkit");

pub(crate) fn testdata(name: &str) -> String {
    super::repo()
        .join("testdata")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

pub(crate) fn demo() -> String {
    testdata("demo.rdb")
}

pub(crate) fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(args)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR");
    command
}

pub(crate) fn run<S: AsRef<OsStr>>(args: &[S]) -> Output {
    patiently(|| command(args).output().unwrap(), says_in_use)
}

/// Runs with bytes on stdin.
pub(crate) fn run_on<S: AsRef<OsStr>>(args: &[S], stdin: &[u8]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    // The program may refuse before it has read everything.
    let feeder = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs, demands an exit code and hands out what was printed.
#[track_caller]
pub(crate) fn expect<S: AsRef<OsStr> + Debug>(args: &[S], exit: i32) -> Output {
    let output = run(args);
    exited(&output, exit, &format!("{args:?}"));
    output
}

#[track_caller]
pub(crate) fn exited(output: &Output, exit: i32, what: &str) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{what}: {talk}");
    assert!(!talk.contains("panicked"), "{what}: {talk}");
    if exit == 0 {
        assert!(!talk.contains("error: "), "{what}: {talk}");
    }
}

/// One line for an error, and at most one more with a hint.
#[track_caller]
pub(crate) fn one_error(output: &Output, words: &[&str]) {
    let talk = stderr(output);
    let errors: Vec<&str> = talk
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{talk}");
    for line in talk.lines() {
        let known = ["error: ", "hint: ", "warning: ", "note: "];
        assert!(known.iter().any(|word| line.starts_with(word)), "{talk}");
    }
    for word in words {
        assert!(errors[0].contains(word), "no {word} in {talk}");
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file into a folder and hands out its path.
pub(crate) fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

pub(crate) fn path_in(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A damaged file: the demo with one byte changed.
pub(crate) fn corrupt(folder: &TempDir) -> String {
    let mut bytes = fs::read(demo()).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    file(folder, "corrupt.rdb", &bytes)
}

pub(crate) fn cut(folder: &TempDir) -> String {
    let bytes = fs::read(demo()).unwrap();
    file(folder, "cut.rdb", &bytes[..bytes.len() * 2 / 3])
}

pub(crate) fn mkfifo(path: &str) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A file with many keys, so that a conversion takes several writes.
pub(crate) fn many_keys(keys: usize) -> Vec<u8> {
    let mut bytes = b"REDIS0003\xfe\x00".to_vec();
    for n in 0..keys {
        let key = format!("key:{n:08}");
        bytes.extend([0, key.len() as u8]);
        bytes.extend(key.as_bytes());
        bytes.extend([0x40, 0xc8]);
        bytes.extend([b'v'; 200]);
    }
    bytes.push(0xff);
    bytes
}

/// A log of commands, whose words are divided by spaces.
pub(crate) fn log(lines: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        log.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            log.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
    }
    log
}
