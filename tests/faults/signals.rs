//! SIGINT, SIGTERM and SIGHUP at any moment: exit code 130, what was there stays as it is, and
//! nothing else is left. Or the program was faster: then its work is done.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::disks::{Entry, tree};
use crate::process::{end, has_mapped, send, start, wait_until};
use crate::program::{expect, file, folder, many_keys, path_in, run, stderr};
use crate::util::in_place::says_in_use;
use crate::util::resp::encode;
use crate::util::rng::{self, Rng};

const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// A log whose commands are done twice over.
fn some_log(keys: usize) -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..keys {
        let key = format!("key:{n}");
        encode(&["SET", &key, "1"], &mut log);
        encode(&["APPEND", &key, &"v".repeat(100)], &mut log);
    }
    log
}

/// Feeds so many bytes, of which the program has taken all but what a pipe holds.
fn feed(child: &mut Child, bytes: &[u8]) -> std::process::ChildStdin {
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(bytes).unwrap();
    pipe
}

#[test]
fn interruption_while_a_pipe_is_read() {
    let snapshot = many_keys(6000);
    let log = some_log(6000);
    let target = "--target=redis-7.2";
    let jobs: [(&[&str], &[u8], &str); 7] = [
        (&["convert", "-"], &snapshot, "out.ndjson"),
        (&["convert", "-", "--pretty"], &snapshot, "out.json"),
        (&["convert", "-", target], &snapshot, "out.rdb"),
        (&["convert", "-", target], &snapshot, "out.aof"),
        (&["convert", "-", target], &snapshot, "out/"),
        (&["convert", "-"], &log, "out.ndjson"),
        (&["rewrite", "-"], &log, "out/"),
    ];
    for seed in rng::seeds(31, 1) {
        for (args, bytes, name) in jobs {
            for signal in SIGNALS {
                for exists in [false, true] {
                    let dir = folder();
                    let out = path_in(&dir, name);
                    if exists && name.ends_with('/') {
                        fs::create_dir(&out).unwrap();
                    } else if exists {
                        fs::write(&out, b"old").unwrap();
                    }
                    let before = tree(dir.path());
                    let mut args = [args, &["-o", &out]].concat();
                    if exists && !name.ends_with('/') {
                        args.push("--force");
                    }
                    let label = format!("{signal}, RDBKIT_SEED={seed}: {args:?}");
                    let mut rng = Rng::new(seed).fork(&label);
                    // More than a pipe holds: it has begun to read, and handles signals.
                    let len = rng.range(100_000, bytes.len() - 1);
                    let mut child = start(&args, Stdio::piped());
                    let pipe = feed(&mut child, &bytes[..len]);
                    send(&child, signal);
                    let output = end(child);
                    drop(pipe);
                    assert_eq!(output.status.code(), Some(130), "{label}: {output:?}");
                    assert_eq!(stderr(&output), "", "{label}");
                    assert!(tree(dir.path()) == before, "{label}");
                }
            }
        }
    }
}

/// An input that is mapped, and what is made of it.
struct Work {
    args: Vec<String>,
    input: String,
    /// The output; none for `--in-place`.
    out: Option<String>,
}

fn works(dir: &TempDir) -> Vec<Work> {
    let rdb = file(dir, "in.rdb", &many_keys(20_000));
    let log = file(dir, "in.aof", &some_log(15_000));
    let other = file(dir, "other.aof", &some_log(5_000));
    let set = path_in(dir, "set");
    fs::create_dir(&set).unwrap();
    fs::write(format!("{set}/x.1.incr.aof"), some_log(15_000)).unwrap();
    let manifest = "file x.1.incr.aof seq 1 type i\n";
    fs::write(format!("{set}/x.manifest"), manifest).unwrap();
    let part = format!("{set}/x.1.incr.aof");
    let to = |args: &[&str], input: &str, name: &str| {
        let out = path_in(dir, name);
        let args = [args, &["-o", &out]].concat();
        Work {
            args: args.into_iter().map(str::to_owned).collect(),
            input: input.to_owned(),
            out: Some(out),
        }
    };
    let in_place = |args: &[&str], input: &str| Work {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        input: input.to_owned(),
        out: None,
    };
    let target = "--target=redis-7.2";
    vec![
        to(&["convert", &rdb], &rdb, "out.ndjson"),
        to(&["convert", &rdb, target], &rdb, "out.rdb"),
        to(&["convert", &rdb, target], &rdb, "out/"),
        to(&["rewrite", &log], &log, "out.aof"),
        to(&["rewrite", &set], &part, "out/"),
        to(&["rewrite", &log, &other, "--jobs=1"], &log, "several/"),
        in_place(&["rewrite", "--in-place", &log], &log),
        in_place(&["rewrite", "--in-place", &set], &part),
    ]
}

fn remove(path: &str) {
    let path = path.trim_end_matches('/');
    if Path::new(path).is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if Path::new(path).exists() {
        fs::remove_file(path).unwrap();
    }
}

/// Puts a folder back into a state.
fn restore(dir: &Path, state: &[Entry]) {
    for (name, _) in tree(dir).into_iter().rev() {
        let path = dir.join(&name);
        if !state.iter().any(|(known, _)| *known == name) {
            match name.ends_with('/') {
                true => fs::remove_dir(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
    }
    for (name, bytes) in state.iter().filter(|(name, _)| !name.ends_with('/')) {
        fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
fn interruption_at_random_moments() {
    const ROUNDS: u64 = 6;
    let mut interrupted = 0;
    let mut rounds = 0;
    for seed in rng::seeds(32, 1) {
        let dir = folder();
        for work in works(&dir) {
            let args: Vec<&str> = work.args.iter().map(String::as_str).collect();
            let before = tree(dir.path());
            // How long it takes says only where to interrupt it.
            let started = Instant::now();
            let output = run(&args);
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            let took = started.elapsed();
            let done = tree(dir.path());
            restore(dir.path(), &before);
            let mut rng = Rng::new(seed).fork(&format!("{args:?}"));
            for round in 0..ROUNDS {
                let signal = *rng.pick(&SIGNALS);
                let label = format!("{signal}, round {round}, RDBKIT_SEED={seed}: {args:?}");
                let mut child = start(&args, Stdio::null());
                let input = Path::new(&work.input);
                let is_under_way = wait_until(&mut child, |child| has_mapped(child, input));
                let pause = took.mul_f64(rng.below(1000) as f64 / 1000.0);
                thread::sleep(pause.min(Duration::from_secs(5)));
                // It may have ended.
                if is_under_way && child.try_wait().unwrap().is_none() {
                    send(&child, signal);
                }
                let output = end(child);
                rounds += 1;
                let left = tree(dir.path());
                match output.status.code() {
                    Some(130) => {
                        interrupted += 1;
                        assert_eq!(stdout_errors(&stderr(&output)), 0, "{label}");
                        // Of several results some may be complete.
                        let mut left = left.clone();
                        if args.contains(&"--jobs=1") {
                            left.retain(|entry| before.contains(entry) || !done.contains(entry));
                        }
                        if left != before {
                            // The new log has its place; the program was interrupted behind that.
                            assert_done(&work, &left, &done, &label);
                        }
                    }
                    // A child of another test may have what this process had open a moment ago.
                    Some(2) if says_in_use(&output) => assert!(left == before, "{label}"),
                    code => {
                        assert_eq!(code, Some(0), "{label}: {}", stderr(&output));
                        assert_done(&work, &left, &done, &label);
                    }
                }
                restore(dir.path(), &before);
            }
            if let Some(out) = &work.out {
                remove(out);
            }
        }
    }
    eprintln!("{interrupted} of {rounds} were interrupted");
    assert!(interrupted > 5, "{interrupted} of {rounds}");
}

fn stdout_errors(talk: &str) -> usize {
    talk.lines()
        .filter(|line| line.starts_with("error"))
        .count()
}

/// Checks that the result is whole: an RDB in a log has the time of writing in it, so it is read.
/// Parts that the new manifest has as history may be there still.
fn assert_done(work: &Work, left: &[Entry], done: &[Entry], label: &str) {
    let manifests = left.iter().filter(|(name, _)| name.ends_with(".manifest"));
    let lines = manifests.flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n'));
    let history: Vec<String> = lines
        .map(String::from_utf8_lossy)
        .filter(|line| line.ends_with(" type h"))
        .filter_map(|line| Some(line.split(' ').nth(1)?.to_owned()))
        .collect();
    let names = |entries: &[Entry]| -> Vec<String> {
        let of_result = |(name, _): &&Entry| {
            let is_history = history.iter().any(|old| name.ends_with(&format!("/{old}")));
            !name.contains(".old") && !is_history
        };
        entries
            .iter()
            .filter(of_result)
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert_eq!(names(left), names(done), "{label}");
    let result = match &work.out {
        Some(out) => out.as_str(),
        None => work.args.last().unwrap().as_str(),
    };
    if !result.ends_with("several/") {
        expect(&["verify", result], 0);
    }
}
