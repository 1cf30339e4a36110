//! A log that is replaced in place, on a disk that fails or loses power at any call.
//!
//! No server is needed: what is left is replayed. `in_place.rs` has real ones.

mod util;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rdbkit::aof::AofSet;
use rdbkit::aof::in_place::Options;
use rdbkit::aof::layout::LayoutFinding;
use rdbkit::bytes::disk::{Disk, DiskCall};
use tempfile::TempDir;
use util::in_place::{log_in, names, rewrite};
use util::replayed::{describe, parts, replay};
use util::resp::encode;
use util::server::Release;

fn log(lines: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in lines {
        encode(&line.split(' ').collect::<Vec<_>>(), &mut log);
    }
    log
}

type Files = Vec<(&'static str, Vec<u8>)>;

/// Logs of every layout: name, release, files.
fn logs() -> Vec<(&'static str, &'static str, Files)> {
    let first = log(&["SELECT 0", "SET s v", "INCR n", "RPUSH l a b"]);
    let second = log(&["SELECT 0", "INCR n", "INCR n", "RPUSH l c"]);
    let third = log(&["SELECT 3", "INCR n", "SADD set a b c"]);
    let manifest = |lines: &[&str]| -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| format!("file {line}\n").into_bytes())
            .collect()
    };
    vec![
        (
            "single",
            "redis-6.2.14",
            vec![("appendonly.aof", [first.clone(), second.clone()].concat())],
        ),
        (
            "fresh set",
            "redis-7.0.15",
            vec![
                ("a.1.base.rdb", b"REDIS0010\xff\0\0\0\0\0\0\0\0".to_vec()),
                ("a.1.incr.aof", first.clone()),
                (
                    "a.manifest",
                    manifest(&["a.1.base.rdb seq 1 type b", "a.1.incr.aof seq 1 type i"]),
                ),
            ],
        ),
        (
            "many parts, history, orphans",
            "redis-8.6.2",
            vec![
                ("a b.4.base.aof", first.clone()),
                ("a b.7.incr.aof", second.clone()),
                ("a b.9.incr.aof", third.clone()),
                ("a b.3.base.rdb", b"old".to_vec()),
                ("a b.6.incr.aof", second.clone()),
                ("a b.5.base.rdb", b"orphan".to_vec()),
                ("a b.10.incr.aof", Vec::new()),
                ("a b.1.incr.aof", third.clone()),
                ("temp-a b.manifest", b"half".to_vec()),
                ("temp-rewriteaof-rdbkit.aof", b"half".to_vec()),
                (
                    "a b.manifest",
                    manifest(&[
                        "\"a b.4.base.aof\" seq 4 type b",
                        "\"a b.3.base.rdb\" seq 3 type h",
                        "\"a b.6.incr.aof\" seq 6 type h",
                        "\"a b.7.incr.aof\" seq 7 type i startoffset 100",
                        "\"a b.9.incr.aof\" seq 9 type i startoffset 200 endoffset 300",
                    ]),
                ),
            ],
        ),
        (
            "only an upgraded base",
            "valkey-8.1.8",
            vec![
                ("appendonly.aof", [first, third].concat()),
                (
                    "appendonly.aof.manifest",
                    manifest(&["appendonly.aof seq 1 type b"]),
                ),
            ],
        ),
    ]
}

fn lay(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    names(folder).into_iter().map(read).collect()
}

/// The dataset, and that no server will replay anything twice.
fn dataset(folder: &Path, release: &Release, label: &str) -> BTreeMap<String, String> {
    let log = log_in(folder);
    if log.is_dir() {
        let set = AofSet::open(&log).unwrap();
        assert!(set.missing.is_empty(), "{label}: {:?}", set.missing);
        for finding in &set.findings {
            // An empty one does no harm.
            if let LayoutFinding::OrphanToBeReplayed(path) = finding {
                assert!(fs::read(path).unwrap().is_empty(), "{label}: {finding:?}");
            }
        }
    }
    let parts = parts(&log);
    describe(&replay(&parts, release, label), true)
}

/// What a rewrite leaves when all goes well: names, with the number of bytes of the empty ones.
fn expected_names(name: &str, preamble: bool) -> Vec<String> {
    let extension = if preamble { "rdb" } else { "aof" };
    let names: &[&str] = match name {
        "single" => &["appendonly.aof"],
        "fresh set" => &["a.2.base.", "a.2.incr.aof", "a.manifest"],
        "only an upgraded base" => &[
            "appendonly.aof.1.incr.aof",
            "appendonly.aof.2.base.",
            "appendonly.aof.manifest",
        ],
        // The orphan with commands is no part of what is replaced.
        _ => &[
            "a b.1.incr.aof",
            "a b.11.incr.aof",
            "a b.5.base.",
            "a b.manifest",
        ],
    };
    let mut names: Vec<String> = names
        .iter()
        .map(|name| match name.ends_with('.') {
            true => format!("{name}{extension}"),
            false => (*name).to_owned(),
        })
        .collect();
    names.sort();
    names
}

#[test]
fn log_is_replaced_and_nothing_else_is_left() {
    for (name, release, files) in logs() {
        let release = Release::named(release);
        for preamble in [true, false] {
            let label = format!("{name}, preamble {preamble}");
            let folder = lay(&files);
            let before = dataset(folder.path(), &release, &label);
            rewrite(&log_in(folder.path()), &release, preamble, Options::new()).unwrap();
            assert_eq!(dataset(folder.path(), &release, &label), before, "{label}");
            assert_eq!(
                names(folder.path()),
                expected_names(name, preamble),
                "{label}"
            );
            if name == "single" {
                let is_rdb = fs::read(folder.path().join("appendonly.aof"))
                    .unwrap()
                    .starts_with(b"REDIS");
                assert_eq!(is_rdb, preamble);
                continue;
            }
            let set = AofSet::open(folder.path()).unwrap();
            assert!(
                set.manifest.history.is_empty() && set.history.is_empty(),
                "{label}"
            );
            assert_eq!(set.parts.len(), 2, "{label}");
            assert_eq!(set.parts[1].bytes, 0, "{label}");
            let offset = name.starts_with("many").then_some(300);
            assert_eq!(set.manifest.incrs[0].start_offset, offset, "{label}");
            // And again, on what it left.
            rewrite(folder.path(), &release, !preamble, Options::new()).unwrap();
            assert_eq!(dataset(folder.path(), &release, &label), before, "{label}");
        }
    }
}

/// A disk on which the calls that `fails` names fail.
fn failing(
    fails: impl Fn(usize, &DiskCall) -> bool + Send + Sync + 'static,
) -> (Disk, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&count);
    let disk = Disk::watched(move |call| {
        let n = calls.fetch_add(1, Ordering::SeqCst);
        match fails(n, call) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    });
    (disk, count)
}

/// Runs rewrites of every log with a disk for each `n` until one has fewer calls than that.
fn for_every_call(make: impl Fn(usize) -> (Disk, Arc<AtomicUsize>), what: &str, undone: bool) {
    for (name, release, files) in logs() {
        let release = Release::named(release);
        for preamble in [true, false] {
            let mut failures = 0;
            for n in 0.. {
                let label = format!("{name}, preamble {preamble}, {what} {n}");
                let folder = lay(&files);
                let before = contents(folder.path());
                let data = dataset(folder.path(), &release, &label);
                let (disk, count) = make(n);
                let options = Options::new().disk(disk);
                let outcome = rewrite(&log_in(folder.path()), &release, preamble, options);
                assert_eq!(dataset(folder.path(), &release, &label), data, "{label}");
                match &outcome {
                    Ok(_) => {}
                    Err(error) => {
                        failures += 1;
                        assert_eq!(error.code().as_str(), "io", "{label}: {error}");
                        assert!(
                            error.context().file.is_some()
                                || error.to_string().contains("cannot write"),
                            "{label}: {error}"
                        );
                    }
                }
                // Until the new log has its name, an error leaves all files as they were,
                // but for what an earlier run had left.
                let mut after = contents(folder.path());
                let mut old = before.clone();
                for files in [&mut old, &mut after] {
                    files.retain(|name, _| !name.starts_with("temp-") && name != "a b.5.base.rdb");
                }
                if undone && outcome.is_err() && !is_durable_step(&outcome) {
                    assert_eq!(old, after, "{label}");
                }
                rewrite(&log_in(folder.path()), &release, preamble, Options::new()).unwrap();
                assert_eq!(dataset(folder.path(), &release, &label), data, "{label}");
                assert!(
                    !names(folder.path())
                        .iter()
                        .any(|name| name.contains("rdbkit")),
                    "{label}"
                );
                if count.load(Ordering::SeqCst) <= n {
                    break;
                }
            }
            assert!(
                failures > 3,
                "{name}, preamble {preamble}: {failures} failures"
            );
        }
    }
}

/// Whether making the new names durable failed: then the new log is there, and the old one too.
fn is_durable_step<T>(outcome: &rdbkit::error::Result<T>) -> bool {
    outcome
        .as_ref()
        .is_err_and(|error| error.to_string().contains("durable"))
}

#[test]
fn one_failing_call_loses_nothing() {
    let make = |at| failing(move |n, call| n == at && !matches!(call, DiskCall::Unlink(_)));
    for_every_call(make, "fails call", true);
}

#[test]
fn full_disk_from_any_call_on_loses_nothing_and_leaves_no_litter() {
    let needs_space = |call: &DiskCall| {
        matches!(
            call,
            DiskCall::Create(_) | DiskCall::Write(..) | DiskCall::Sync(_) | DiskCall::Link(..)
        )
    };
    let make = move |at| failing(move |n, call| n >= at && needs_space(call));
    for_every_call(make, "full from call", true);
}

#[test]
fn disk_that_fails_for_good_loses_nothing() {
    let make = |at| failing(move |n, _| n >= at);
    for_every_call(make, "fails from call", false);
}

/// A name that goes, and a name that comes with its file, in one moment.
type Change = (Option<PathBuf>, Option<(PathBuf, usize)>);

/// A disk whose power can fail: what was not made durable may be there, or not.
#[derive(Clone, Default)]
struct Power {
    /// What each file holds, and how much of it is durable.
    files: Vec<(Vec<u8>, usize)>,
    /// Names that are durable.
    durable: BTreeMap<PathBuf, usize>,
    /// Names as programs see them.
    seen: BTreeMap<PathBuf, usize>,
    /// Changes of names since they were made durable.
    pending: Vec<Change>,
}

impl Power {
    fn new(folder: &Path) -> Power {
        let mut power = Power::default();
        for (name, bytes) in contents(folder) {
            let path = folder.join(name);
            power.durable.insert(path.clone(), power.files.len());
            power.seen.insert(path, power.files.len());
            power.files.push((bytes.clone(), bytes.len()));
        }
        power
    }

    fn change(&mut self, gone: Option<&PathBuf>, new: Option<(&PathBuf, usize)>) {
        let new = new.map(|(path, file)| (path.clone(), file));
        let change = (gone.cloned(), new);
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    fn call(&mut self, call: &DiskCall) {
        match call {
            DiskCall::Create(path) => {
                self.files.push((Vec::new(), 0));
                self.change(None, Some((path, self.files.len() - 1)));
            }
            DiskCall::Write(path, bytes) => self.files[self.seen[path]].0.extend(bytes),
            DiskCall::Own(_) | DiskCall::Mode(_) => {}
            DiskCall::Sync(path) => {
                let (bytes, durable) = &mut self.files[self.seen[path]];
                *durable = bytes.len();
            }
            DiskCall::Link(from, to) => self.change(None, Some((to, self.seen[from]))),
            DiskCall::Rename(from, to) => self.change(Some(from), Some((to, self.seen[from]))),
            DiskCall::Unlink(path) => self.change(Some(path), None),
            DiskCall::SyncFolder(_) => {
                self.durable.clone_from(&self.seen);
                self.pending.clear();
            }
            other => panic!("{other:?} is not simulated"),
        }
    }

    /// Lays out what may be left after a power failure: the changes of names that `kept` says,
    /// and of bytes that were not made durable none.
    fn left(&self, kept: usize) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut names = self.durable.clone();
        for (n, change) in self.pending.iter().enumerate() {
            if kept >> n & 1 == 1 {
                apply(&mut names, change);
            }
        }
        for (path, file) in names {
            let (bytes, durable) = &self.files[file];
            let name = path.file_name().unwrap();
            fs::write(folder.path().join(name), &bytes[..*durable]).unwrap();
        }
        folder
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, (gone, new): &Change) {
    if let Some(path) = gone {
        names.remove(path);
    }
    if let Some((path, file)) = new {
        names.insert(path.clone(), *file);
    }
}

/// Every set of name changes that were not made durable may have reached the disk, in any order.
#[test]
fn power_failure_behind_any_call_loses_nothing() {
    let mut states = 0;
    for (name, release, files) in logs() {
        let release = Release::named(release);
        for preamble in [true, false] {
            let folder = lay(&files);
            let mut power = Power::new(folder.path());
            let data = dataset(folder.path(), &release, name);
            let calls = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&calls);
            let disk = Disk::watched(move |call| {
                seen.lock().unwrap().push(call.clone());
                Ok(())
            });
            let log = log_in(&folder.path().canonicalize().unwrap());
            rewrite(&log, &release, preamble, Options::new().disk(disk)).unwrap();
            let calls = calls.lock().unwrap();
            for (n, call) in calls.iter().enumerate() {
                power.call(call);
                for kept in 0..1 << power.pending.len() {
                    let label =
                        format!("{name}, preamble {preamble}, after {n} {call:?}, {kept:b}");
                    let left = power.left(kept);
                    assert_eq!(dataset(left.path(), &release, &label), data, "{label}");
                    states += 1;
                }
            }
        }
    }
    assert!(states > 200, "{states}");
}
