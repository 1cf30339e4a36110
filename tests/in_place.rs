//! A log that is replaced in place and servers: killed at any call that changes the disk, what
//! is left is loaded by the server that wrote it, twice, with writes between.
//!
//! The killed process is this program itself, run for one ignored test. `in_place_disk.rs` has
//! disks that fail, and more layouts.

mod util;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use rdbkit::aof::in_place::Options;
use rdbkit::bytes::disk::Disk;
use tempfile::TempDir;
use util::in_place::{copied, log_in, names, patiently, rewrite, says_in_use};
use util::server::{Release, Server, Start, server_named};

const LOG: &str = "RDBKIT_TEST_LOG";
const RELEASE: &str = "RDBKIT_TEST_RELEASE";
const PREAMBLE: &str = "RDBKIT_TEST_PREAMBLE";
const KILL_AT: &str = "RDBKIT_TEST_KILL_AT";

/// Commands are in the log when they are answered. By default a server may wait for an fsync.
const AT_ONCE: [&str; 2] = ["--appendfsync", "no"];

/// A log as a server left it.
struct Source {
    folder: TempDir,
    digest: String,
}

impl Source {
    fn new(release: Release, rewritten: bool) -> Source {
        let server = Server::start(release, &["--appendonly", "yes", AT_ONCE[0], AT_ONCE[1]]);
        let mut client = server.client();
        if rewritten {
            write(&server);
            server.rewrite_aof();
        }
        write(&server);
        client.ok(&["SELECT", "3"]);
        client.ok(&["INCR", "n"]);
        let folder = copied(&server.aof());
        let digest = server.digest();
        Source { folder, digest }
    }

    fn log(&self) -> PathBuf {
        log_in(self.folder.path())
    }

    /// The log once more, for one use.
    fn copy(&self) -> TempDir {
        copied(&self.log())
    }
}

/// Commands that say another thing when they are done twice.
fn write(server: &Server) {
    let mut client = server.client();
    let lines = [
        "INCR n",
        "INCR n",
        "APPEND s xyz",
        "RPUSH l a b c",
        "LPOP l",
        "HINCRBY h f 2",
        "ZINCRBY z 1.5 m",
        "SADD set a b c",
        "XADD x * f v",
        "PEXPIREAT s 4102444800000",
        "SELECT 5",
        "INCR n",
        "LPUSH l z",
    ];
    for line in lines {
        client.ok(&line.split(' ').collect::<Vec<_>>());
    }
    if server.release.has_functions() {
        let code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
        client.ok(&["FUNCTION", "LOAD", "REPLACE", code]);
    }
}

fn rdbkit(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(args)
        .output()
        .unwrap()
}

/// Starts servers on a log, with writes between: nothing is lost, nothing comes twice.
fn check(release: Release, folder: &Path, digest: &str, label: &str) {
    let mut folder = copied(&log_in(folder));
    let mut digest = digest.to_owned();
    for start in 1..=3 {
        let log = log_in(folder.path());
        let server = Start::new(release).aof(&log).args(&AT_ONCE).start();
        let server = server.unwrap_or_else(|log| panic!("{label}, start {start}:\n{log}"));
        assert_eq!(server.digest(), digest, "{label}, start {start}");
        if start < 3 {
            write(&server);
            digest = server.digest();
            folder = copied(&server.aof());
        }
    }
}

#[test]
#[ignore = "runs in a child process"]
fn child_replaces_a_log() {
    let text = |name| env::var(name).unwrap();
    let kill_at: usize = text(KILL_AT).parse().unwrap();
    let calls = AtomicUsize::new(0);
    let disk = Disk::watched(move |call| {
        if calls.fetch_add(1, Ordering::SeqCst) == kill_at {
            eprintln!("before {call:?}");
            std::process::abort();
        }
        Ok(())
    });
    let release = Release::named(&text(RELEASE));
    let options = Options::new().disk(disk);
    rewrite(
        Path::new(&text(LOG)),
        &release,
        text(PREAMBLE) == "yes",
        options,
    )
    .unwrap();
}

/// Replaces a log in a process that is killed before a call; before which, or `None` if it has
/// fewer calls.
fn killed(log: &Path, release: &Release, preamble: &str, kill_at: usize) -> Option<String> {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "child_replaces_a_log",
        ])
        .envs([
            (LOG, log.to_str().unwrap()),
            (RELEASE, release.name),
            (PREAMBLE, preamble),
        ])
        .env(KILL_AT, kill_at.to_string())
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return None;
    }
    assert!(
        output.status.code().is_none() && talk.starts_with("before "),
        "{talk}"
    );
    let call = talk.lines().next().unwrap();
    Some(call.chars().take(160).collect())
}

/// Kills before every call that changes the disk.
fn kill_everywhere(release: &str) {
    let Some(release) = server_named(release) else {
        return;
    };
    for (rewritten, preamble) in [(false, "yes"), (false, "no"), (true, "yes"), (true, "no")] {
        let source = Source::new(release, rewritten);
        let mut kills = 0;
        for kill_at in 0.. {
            let folder = source.copy();
            let killed = killed(&log_in(folder.path()), &release, preamble, kill_at);
            let call = killed.as_deref().unwrap_or("not killed");
            let label = format!(
                "{}, rewritten {rewritten}, preamble {preamble}, kill {kill_at} {call}, left {:?}",
                release.name,
                names(folder.path())
            );
            // Two in three places are enough for the logs whose incr is not the first.
            if !rewritten || kill_at % 3 != 2 {
                check(release, folder.path(), &source.digest, &label);
            }
            let log = log_in(folder.path());
            let rewrite = || rdbkit(&["rewrite", "--in-place", log.to_str().unwrap()]);
            let again = patiently(rewrite, says_in_use);
            let talk = String::from_utf8_lossy(&again.stderr);
            assert!(again.status.success(), "{label}: {talk}");
            let left = names(folder.path());
            let is_litter = |name: &String| name.contains("rdbkit") || name.starts_with("temp-");
            assert!(!left.iter().any(is_litter), "{label}: {left:?}");
            let parts = if log.is_dir() { 3 } else { 1 };
            assert_eq!(left.len(), parts, "{label}: {left:?}");
            let is_last = killed.is_none();
            if is_last || kill_at % 5 == 0 {
                check(
                    release,
                    folder.path(),
                    &source.digest,
                    &format!("{label}, again"),
                );
            } else {
                let digest = rdbkit(&["digest", "-q", log.to_str().unwrap()]);
                let digest = String::from_utf8(digest.stdout).unwrap();
                assert!(
                    digest.starts_with(&source.digest),
                    "{label}, again: {digest}"
                );
            }
            if is_last {
                break;
            }
            kills += 1;
        }
        eprintln!("{}: killed before each of {kills} calls", release.name);
        assert!(
            kills >= if source.log().is_dir() { 20 } else { 8 },
            "{kills}"
        );
    }
}

#[test]
fn redis_6_2_loads_what_a_killed_rewrite_left() {
    kill_everywhere("redis-6.2.14");
}

#[test]
fn redis_7_0_loads_what_a_killed_rewrite_left() {
    kill_everywhere("redis-7.0.15");
}

#[test]
fn redis_8_6_loads_what_a_killed_rewrite_left() {
    kill_everywhere("redis-8.6.2");
}

#[test]
fn valkey_8_1_loads_what_a_killed_rewrite_left() {
    kill_everywhere("valkey-8.1.8");
}

#[test]
fn valkey_9_1_loads_what_a_killed_rewrite_left() {
    kill_everywhere("valkey-9.1.2");
}
