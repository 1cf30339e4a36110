//! A log that is to be replaced in place while somebody else has it, or comes for it.

mod util;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rdbkit::aof::in_place::Options;
use rdbkit::bytes::disk::{Disk, DiskCall};
use tempfile::TempDir;
use util::in_place::{copied, log_in, names, patiently, rewrite, rewrite_and, says_in_use};
use util::resp::{Address, Client};
use util::server::{Release, Server, server_named};

fn rdbkit(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(args)
        .output()
        .unwrap()
}

/// What the program said, for an exit code.
#[track_caller]
fn said(args: &[&str], exit: i32) -> String {
    let output = rdbkit(args);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {talk}");
    talk
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file of a log, with its inode.
fn state(folder: &Path) -> Vec<(String, u64, Vec<u8>)> {
    let look = |name: String| {
        let path = folder.join(&name);
        (
            name,
            fs::metadata(&path).unwrap().ino(),
            fs::read(&path).unwrap(),
        )
    };
    names(folder).into_iter().map(look).collect()
}

/// A server in a folder that is not its own, and that stays.
struct Guest {
    child: Child,
    socket: PathBuf,
    // Only the socket and the server's own log are here.
    _own: TempDir,
}

impl Guest {
    fn spawn(release: Release, data: &Path) -> Guest {
        let own = tempfile::tempdir().unwrap();
        let socket = own.path().join("sock");
        let mut command = Command::new(release.binary());
        command
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "no",
            ])
            .args(["--unixsocket", text(&socket), "--dir", text(data)])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if release.has_functions() {
            command.args(["--enable-debug-command", "yes"]);
        }
        Guest {
            child: command.spawn().unwrap(),
            socket,
            _own: own,
        }
    }

    fn client(&mut self) -> Client {
        for _ in 0..6_000 {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "the server has ended"
            );
            if let Ok(mut client) = Client::connect(&Address::Unix(self.socket.clone()))
                && client
                    .try_cmd(&["PING"])
                    .is_ok_and(|reply| reply.error().is_none())
            {
                return client;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not answer");
    }

    fn digest(&mut self) -> String {
        self.client().ok(&["DEBUG", "DIGEST"]).text()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log in a data folder, as a server left it: the folder, the log, its digest.
fn source(release: Release) -> (TempDir, PathBuf, String) {
    let server = Server::start(release, &["--appendonly", "yes", "--appendfsync", "no"]);
    for line in ["INCR n", "INCR n", "RPUSH l a b", "XADD x 1-1 f v"] {
        let words: Vec<_> = line.split(' ').collect();
        server.client().ok(&words);
    }
    let digest = server.digest();
    let data = tempfile::tempdir().unwrap();
    let parts = copied(&server.aof());
    let log = data.path().join(match release.has_multi_part_aof() {
        true => "appendonlydir",
        false => "appendonly.aof",
    });
    match release.has_multi_part_aof() {
        true => fs::rename(parts.keep(), &log).unwrap(),
        false => fs::rename(log_in(parts.path()), &log).unwrap(),
    }
    (data, log, digest)
}

fn folder_of(log: &Path) -> &Path {
    if log.is_dir() {
        log
    } else {
        log.parent().unwrap()
    }
}

/// Another process that opens a file, as the shell's redirection says, and keeps it.
fn opener(path: &Path, redirection: &str) -> Child {
    Command::new("sh")
        .args([
            "-c",
            &format!("exec 3{redirection}\"$1\"; echo; exec sleep 100"),
            "sh",
            text(path),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for_open(child: &mut Child) {
    use std::io::Read as _;
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Waits until somebody waits for a lease on one of the files of a folder.
fn wait_for_break(inodes: &[u64]) {
    for _ in 0..6_000 {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let is_broken = |line: &str| {
            let inode = line.split_ascii_whitespace().find_map(|word| {
                let mut numbers = word.split(':').skip(2);
                numbers.next()?.parse().ok()
            });
            line.contains("BREAK") && inode.is_some_and(|inode| inodes.contains(&inode))
        };
        if locks.lines().any(is_broken) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("nobody comes");
}

fn inodes(folder: &Path) -> Vec<u64> {
    state(folder)
        .into_iter()
        .map(|(_, inode, _)| inode)
        .collect()
}

const BOTH: [&str; 2] = ["redis-6.2.14", "redis-7.0.15"];

#[test]
fn log_of_a_running_server_is_refused() {
    for name in ["redis-6.2.14", "redis-7.0.15", "valkey-9.1.2"] {
        let Some(release) = server_named(name) else {
            continue;
        };
        let (data, log, digest) = source(release);
        let mut guest = Guest::spawn(release, data.path());
        guest.client();
        let before = state(folder_of(&log));
        for flags in [&["--in-place"][..], &["--in-place", "--force-offline"]] {
            let talk = said(&[&["rewrite", text(&log)], flags].concat(), 2);
            assert!(
                talk.contains("is in use") && talk.contains("-server (pid "),
                "{talk}"
            );
            assert!(talk.contains("stop what uses it"), "{talk}");
        }
        assert_eq!(state(folder_of(&log)), before, "{name}");
        assert_eq!(guest.digest(), digest);
        drop(guest);
        let rewrite = || rdbkit(&["rewrite", text(&log), "--in-place"]);
        let output = patiently(rewrite, says_in_use);
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(talk.contains("dead commands dropped"), "{talk}");
        assert_eq!(Guest::spawn(release, data.path()).digest(), digest);
    }
}

#[test]
fn second_rewrite_is_refused_and_the_first_one_goes_on() {
    for name in BOTH {
        let Some(release) = server_named(name) else {
            continue;
        };
        let (data, log, digest) = source(release);
        rewrite_and(&log, &release, true, Options::new(), || {
            let talk = said(&["rewrite", text(&log), "--in-place"], 2);
            assert!(
                talk.contains("another rewrite works in its folder"),
                "{talk}"
            );
        })
        .unwrap();
        assert_eq!(Guest::spawn(release, data.path()).digest(), digest);
    }
}

#[test]
fn log_that_somebody_opens_meanwhile_is_left_alone() {
    for name in BOTH {
        let Some(release) = server_named(name) else {
            continue;
        };
        let (_data, log, _) = source(release);
        for (file, redirection) in files_of(&log).iter().flat_map(|f| [(f, "<"), (f, ">>")]) {
            let before = state(folder_of(&log));
            let mut child = None;
            let outcome = rewrite_and(&log, &release, true, Options::new(), || {
                child = Some(opener(file, redirection));
                wait_for_break(&[fs::metadata(file).unwrap().ino()]);
            });
            let error = outcome.unwrap_err();
            assert_eq!(
                error.code().as_str(),
                "input_changed",
                "{redirection}: {error}"
            );
            assert!(error.to_string().starts_with(text(file)), "{error}");
            let mut child = child.unwrap();
            wait_for_open(&mut child);
            end(child);
            assert_eq!(state(folder_of(&log)), before, "{redirection}");
        }
    }
}

#[test]
fn log_whose_files_are_replaced_or_removed_meanwhile_is_left_alone() {
    for name in BOTH {
        let Some(release) = server_named(name) else {
            continue;
        };
        let (_data, log, _) = source(release);
        for (file, is_replaced) in files_of(&log).iter().flat_map(|f| [(f, true), (f, false)]) {
            let copy = copied(&log);
            let file = copy.path().join(file.file_name().unwrap());
            let new = copy.path().join("new");
            fs::copy(&file, &new).unwrap();
            let log = log_in(copy.path());
            let outcome = rewrite_and(&log, &release, true, Options::new(), || match is_replaced {
                true => fs::rename(&new, &file).unwrap(),
                false => fs::rename(&file, copy.path().join("gone")).unwrap(),
            });
            let error = outcome.unwrap_err();
            assert_eq!(error.code().as_str(), "input_changed", "{error}");
            let left = names(copy.path());
            let is_ours = |name: &String| name.contains("rdbkit") || name.contains(".2.");
            assert!(!left.iter().any(is_ours), "{left:?}");
        }
    }
}

/// The files that a log is read from.
fn files_of(log: &Path) -> Vec<PathBuf> {
    match log.is_dir() {
        true => names(log).into_iter().map(|name| log.join(name)).collect(),
        false => vec![log.to_owned()],
    }
}

/// A disk that has something happen once, before a call.
fn once(
    is_it: impl Fn(&DiskCall) -> bool + Send + Sync + 'static,
    happen: impl FnOnce() + Send + 'static,
) -> Disk {
    let happen = Arc::new(Mutex::new(Some(happen)));
    Disk::watched(move |call| {
        if is_it(call)
            && let Some(happen) = happen.lock().unwrap().take()
        {
            happen();
        }
        Ok(())
    })
}

fn is_commit(call: &DiskCall) -> bool {
    matches!(call, DiskCall::Rename(_, to)
        if to.ends_with("appendonly.aof.manifest") || to.ends_with("appendonly.aof"))
}

/// Behind the last check and before the new log has its name.
#[test]
fn server_that_starts_in_the_last_moment_gets_the_old_log() {
    for name in [
        "redis-6.2.14",
        "redis-7.0.15",
        "redis-8.6.2",
        "valkey-8.1.8",
    ] {
        let Some(release) = server_named(name) else {
            continue;
        };
        let (data, log, digest) = source(release);
        let before = state(folder_of(&log));
        let (data_folder, waited_for) = (data.path().to_owned(), inodes(folder_of(&log)));
        let guest = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&guest);
        let disk = once(is_commit, move || {
            *slot.lock().unwrap() = Some(Guest::spawn(release, &data_folder));
            wait_for_break(&waited_for);
        });
        let outcome = rewrite(&log, &release, true, Options::new().disk(disk));
        let error = outcome.unwrap_err();
        assert_eq!(error.code().as_str(), "input_changed", "{name}: {error}");
        let mut guest = guest.lock().unwrap().take().unwrap();
        assert_eq!(guest.digest(), digest, "{name}");
        guest.client().ok(&["INCR", "n"]);
        let digest = guest.digest();
        drop(guest);
        for start in 0..2 {
            let mut guest = Guest::spawn(release, data.path());
            assert_eq!(guest.digest(), digest, "{name}, start {start}");
        }
        let (old, new) = (&before, state(folder_of(&log)));
        let names: Vec<_> = new.iter().map(|(name, ..)| name).collect();
        let old_names: Vec<_> = old.iter().map(|(name, ..)| name).collect();
        assert_eq!(names, old_names, "{name}");
    }
}

/// When the new manifest has its name, and the old parts are about to go.
#[test]
fn server_that_starts_behind_the_commit_gets_the_new_log() {
    for name in [
        "redis-7.0.15",
        "redis-8.6.2",
        "valkey-8.1.8",
        "valkey-9.1.2",
    ] {
        let Some(release) = server_named(name) else {
            continue;
        };
        let (data, log, digest) = source(release);
        let guest = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&guest);
        let (data_folder, folder) = (data.path().to_owned(), log.clone());
        let is_first_of_history = |call: &DiskCall| matches!(call, DiskCall::Unlink(path) if path.ends_with("appendonly.aof.1.base.rdb"));
        let disk = once(is_first_of_history, move || {
            let waited_for = inodes_without_opening(&folder);
            *slot.lock().unwrap() = Some(Guest::spawn(release, &data_folder));
            wait_for_break(&waited_for);
        });
        let replaced = rewrite(&log, &release, true, Options::new().disk(disk)).unwrap();
        assert!(replaced.left.is_empty(), "{:?}", replaced.left);
        let mut guest = guest.lock().unwrap().take().unwrap();
        assert_eq!(guest.digest(), digest, "{name}");
        guest.client().ok(&["INCR", "n"]);
        let digest = guest.digest();
        drop(guest);
        for start in 0..2 {
            let mut guest = Guest::spawn(release, data.path());
            assert_eq!(guest.digest(), digest, "{name}, start {start}");
        }
        let names = names(&log);
        assert_eq!(
            names,
            [
                "appendonly.aof.2.base.rdb",
                "appendonly.aof.2.incr.aof",
                "appendonly.aof.manifest"
            ],
            "{name}"
        );
    }
}

fn inodes_without_opening(folder: &Path) -> Vec<u64> {
    let inode = |name: String| fs::metadata(folder.join(name)).unwrap().ino();
    names(folder).into_iter().map(inode).collect()
}
