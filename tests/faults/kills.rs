//! `rewrite --in-place` killed at random moments, and several at once, with real servers that
//! load what is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{end, start, wait_until};
use crate::program::{expect, names, stderr, stdout};
use crate::util::in_place::{copied, log_in, says_in_use};
use crate::util::rng::{self, Rng};
use crate::util::server::{Release, Server, Start, server_named};

/// A log as a server left it.
struct Source {
    folder: TempDir,
    digest: String,
}

impl Source {
    /// Of some megabytes, so that a rewrite takes a while.
    fn new(release: Release) -> Source {
        let server = Server::start(release, &["--appendonly", "yes", "--appendfsync", "no"]);
        let mut client = server.client();
        client.ok(&["DEBUG", "POPULATE", "5"]);
        for n in 0..4000 {
            let key = format!("key:{}", n % 900);
            match n % 5 {
                0 => client.ok(&["RPUSH", &format!("l{key}"), "a", "b"]),
                1 => client.ok(&["INCR", &format!("n{key}")]),
                2 => client.ok(&["APPEND", &format!("s{key}"), &"v".repeat(300)]),
                3 => client.ok(&["ZINCRBY", &format!("z{key}"), "1.5", "m"]),
                _ => client.ok(&["XADD", "x", "*", "f", "v"]),
            };
        }
        let folder = copied(&server.aof());
        // What DEBUG POPULATE makes is in no log.
        let loaded = Start::new(release).aof(&log_in(folder.path())).start();
        let digest = loaded.unwrap().digest();
        Source { folder, digest }
    }

    fn copy(&self) -> TempDir {
        copied(&log_in(self.folder.path()))
    }
}

/// How a server that starts on the log sees it.
fn digest_of_server(release: Release, folder: &Path, label: &str) -> String {
    let copy = copied(&log_in(folder));
    let server = Start::new(release).aof(&log_in(copy.path())).start();
    server
        .unwrap_or_else(|log| panic!("{label}:\n{log}"))
        .digest()
}

fn digest_of_rdbkit(log: &Path) -> String {
    let text = stdout(&expect(&["digest", "-q", log.to_str().unwrap()], 0));
    text.split_whitespace().next().unwrap().to_owned()
}

/// How many files there are, and how large they are: what a rewrite changes.
fn looks(folder: &Path) -> Vec<(PathBuf, u64)> {
    let files = fs::read_dir(folder).unwrap().flatten();
    let mut looks: Vec<_> = files
        .filter_map(|file| Some((file.path(), file.metadata().ok()?.len())))
        .collect();
    looks.sort();
    looks
}

/// Kills it when the folder has looked otherwise for so many times, or after a pause.
fn killed(folder: &Path, preamble: &str, changes: u64, pause: Duration) -> bool {
    let log = log_in(folder);
    let args = [
        "rewrite",
        "--in-place",
        log.to_str().unwrap(),
        "--preamble",
        preamble,
    ];
    let mut child = start(&args, Stdio::null());
    let mut last = looks(folder);
    let mut seen = 0;
    let still_runs = wait_until(&mut child, |_| {
        let now = looks(folder);
        seen += u64::from(now != last);
        last = now;
        seen >= changes
    });
    thread::sleep(pause);
    let is_killed = still_runs && child.try_wait().unwrap().is_none();
    if is_killed {
        child.kill().unwrap();
    }
    let output = end(child);
    // What this process had open a moment ago, a child of another test may still have.
    assert!(
        is_killed || output.status.success() || says_in_use(&output),
        "{}",
        stderr(&output)
    );
    output.status.code().is_none()
}

/// What a killed run leaves beside the log is taken away by the next one.
fn check_tidy(folder: &Path, label: &str) {
    let left = names(folder);
    let is_litter = |name: &String| name.contains("rdbkit") || name.starts_with("temp-");
    assert!(!left.iter().any(is_litter), "{label}: {left:?}");
    let is_set = left.iter().any(|name| name.ends_with(".manifest"));
    assert_eq!(left.len(), if is_set { 3 } else { 1 }, "{label}: {left:?}");
}

fn kill_at_random(name: &str) {
    const ROUNDS: u64 = 20;
    let Some(release) = server_named(name) else {
        return;
    };
    let source = Source::new(release);
    let folder = source.copy();
    let started = Instant::now();
    expect(
        &[
            "rewrite",
            "--in-place",
            log_in(folder.path()).to_str().unwrap(),
        ],
        0,
    );
    let took = started.elapsed();
    let mut kills = 0;
    for seed in rng::seeds(41, 1) {
        let mut rng = Rng::new(seed).fork(name);
        // A log that was rewritten has other parts.
        let mut folder = source.copy();
        for round in 0..ROUNDS {
            if round % 4 == 0 {
                folder = source.copy();
            }
            let preamble = *rng.pick(&["yes", "no"]);
            // A single file is replaced in fewer steps.
            let steps = if release.has_multi_part_aof() { 7 } else { 3 };
            let changes = rng.below(steps);
            let pause = match changes {
                0 => took.mul_f64(rng.below(1000) as f64 / 1000.0),
                _ => Duration::from_micros(rng.below(3000)),
            };
            kills += u32::from(killed(folder.path(), preamble, changes, pause));
            let label = format!(
                "{name}, round {round}, {changes} changes, RDBKIT_SEED={seed}, left {:?}",
                names(folder.path())
            );
            assert_eq!(
                digest_of_server(release, folder.path(), &label),
                source.digest,
                "{label}"
            );
            let log = log_in(folder.path());
            expect(&["rewrite", "--in-place", "-q", log.to_str().unwrap()], 0);
            check_tidy(folder.path(), &label);
            assert_eq!(digest_of_rdbkit(&log), source.digest, "{label}, again");
        }
        let label = format!("{name}, in the end");
        assert_eq!(
            digest_of_server(release, folder.path(), &label),
            source.digest,
            "{label}"
        );
    }
    eprintln!("{name}: killed {kills} times");
    assert!(kills > 2, "{kills}");
}

#[test]
fn redis_6_2_loads_a_file_whose_rewrite_was_killed_at_random() {
    kill_at_random("redis-6.2.14");
}

#[test]
fn redis_7_0_loads_a_set_whose_rewrite_was_killed_at_random() {
    kill_at_random("redis-7.0.15");
}

#[test]
fn valkey_9_1_loads_a_set_whose_rewrite_was_killed_at_random() {
    kill_at_random("valkey-9.1.2");
}

/// Each is done, or says that another one is at work; the log is whole all the time.
#[test]
fn several_rewrites_at_once_never_damage_the_log() {
    const ROUNDS: usize = 6;
    for name in ["redis-6.2.14", "redis-7.0.15"] {
        let Some(release) = server_named(name) else {
            continue;
        };
        let source = Source::new(release);
        let (mut done, mut refused) = (0, 0);
        for round in 0..ROUNDS {
            let folder = source.copy();
            let log = log_in(folder.path());
            let args = ["rewrite", "--in-place", log.to_str().unwrap()];
            let all: Vec<_> = (0..4).map(|_| start(&args, Stdio::null())).collect();
            let all: Vec<_> = all.into_iter().map(end).collect();
            let label = format!("{name}, round {round}");
            let (won, lost): (Vec<_>, Vec<_>) =
                all.iter().partition(|output| output.status.success());
            for output in &lost {
                let talk = stderr(output);
                assert_eq!(output.status.code(), Some(2), "{label}: {talk}");
                assert!(talk.contains("is in use"), "{label}: {talk}");
            }
            // A child of another test may have what this process had open a moment ago.
            if won.is_empty() {
                assert!(lost.iter().any(|output| says_in_use(output)), "{label}");
                continue;
            }
            done += won.len();
            refused += lost.len();
            check_tidy(folder.path(), &label);
            assert_eq!(digest_of_rdbkit(&log), source.digest, "{label}");
            if round == 0 {
                let digest = digest_of_server(release, folder.path(), &label);
                assert_eq!(digest, source.digest, "{label}");
            }
        }
        eprintln!("{name}: {done} rewrites done, {refused} refused");
        assert!(done > 0 && refused > 0, "{name}: {done}, {refused}");
    }
}
