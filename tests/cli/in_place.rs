//! `rewrite --in-place`: what it refuses, what it leaves alone, and what it makes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::program::{demo, expect, file, folder, log, names, one_error, path_in, stderr, stdout};
use crate::rights::{Nobody, is_root};
use crate::util::disk::SmallDisk;

const LINES: [&str; 5] = ["SELECT 0", "SET a 1", "INCR a", "SELECT 2", "RPUSH l x y"];

/// A log of commands alone.
fn plain(dir: &TempDir) -> String {
    file(dir, "appendonly.aof", &log(&LINES))
}

/// A set of two parts in its own folder, by no release in particular.
fn set(dir: &TempDir) -> String {
    let set = dir.path().join("appendonlydir");
    fs::create_dir(&set).unwrap();
    fs::write(set.join("a.1.base.aof"), log(&LINES)).unwrap();
    fs::write(set.join("a.1.incr.aof"), log(&["SELECT 0", "INCR a"])).unwrap();
    let manifest = "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
    fs::write(set.join("a.manifest"), manifest).unwrap();
    set.to_str().unwrap().to_owned()
}

/// A log that begins with an RDB of a known release.
fn hybrid(dir: &TempDir) -> String {
    let path = path_in(dir, "hybrid.aof");
    expect(
        &[
            "convert",
            &demo(),
            "-o",
            &path,
            "--preamble",
            "yes",
            "--target",
            "redis-7.4",
        ],
        0,
    );
    path
}

/// Everything below a folder, with what it is and holds.
fn state(folder: &Path) -> BTreeMap<String, (u64, Vec<u8>)> {
    let mut state = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(&name);
        let inode = path.symlink_metadata().unwrap().ino();
        if path.is_dir() {
            let inner = self::state(&path).into_iter();
            state.extend(inner.map(|(inner, is)| (format!("{name}/{inner}"), is)));
        } else {
            state.insert(name, (inode, fs::read(&path).unwrap_or_default()));
        }
    }
    state
}

/// Runs what must end with an exit code and leave everything as it was.
#[track_caller]
fn untouched(dir: &TempDir, args: &[&str], exit: i32, words: &[&str]) {
    let before = state(dir.path());
    let output = expect(args, exit);
    one_error(&output, words);
    assert_eq!(state(dir.path()), before, "{args:?}");
}

fn digest(path: &str) -> String {
    stdout(&expect(&["digest", "-q", "--flavor", "redis-7.2", path], 0))
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    let dir = folder();
    let log = plain(&dir);
    for args in [
        &["rewrite", &log][..],
        &["rewrite", &log, "--in-place", "-o", "x"],
        &["rewrite", &log, "--in-place", "--force"],
        &["rewrite", &log, "-o", "x", "--force-offline"],
    ] {
        let before = state(dir.path());
        expect(args, 2);
        assert_eq!(state(dir.path()), before, "{args:?}");
    }
    untouched(
        &dir,
        &["rewrite", "--in-place", "-"],
        2,
        &["stdin cannot be replaced"],
    );
    let report = file(&dir, "report", b"");
    let args = ["rewrite", "--in-place", &log, "--report", &report];
    untouched(&dir, &args, 2, &["report", "exists already"]);
}

#[test]
fn data_is_left_out_only_where_that_is_allowed() {
    let flags: [&[&str]; 14] = [
        &["--until", "command:3"],
        &["--no-functions"],
        &["--keep-going"],
        &["--db", "0"],
        &["--key", "a*"],
        &["--key-regex", "a"],
        &["--not-key", "b"],
        &["--type", "string"],
        &["--ttl", "persistent"],
        &["--size", "0..9"],
        &["--slot", "0-9"],
        &["--sample", "1%"],
        &["--drop-expired"],
        &["--drop-expired", "--now", "5"],
    ];
    for flags in flags {
        let dir = folder();
        let log = plain(&dir);
        let args = [&["rewrite", "--in-place", &log], flags].concat();
        let what = match flags[0] {
            flag @ ("--until" | "--no-functions" | "--keep-going") => flag,
            _ => "a filter",
        };
        untouched(&dir, &args, 2, &[what, "--allow-loss"]);
        expect(&[&args[..], &["--allow-loss"]].concat(), 0);
        assert_eq!(names(dir.path()), ["appendonly.aof"]);
    }
    let dir = folder();
    let log = plain(&dir);
    expect(
        &[
            "rewrite",
            "--in-place",
            &log,
            "--until",
            "command:3",
            "--allow-loss",
        ],
        0,
    );
    let before = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    assert_eq!(fs::read_to_string(&log).unwrap(), before);
    expect(&["rewrite", "--in-place", &log, "--now", "5"], 0);
}

#[test]
fn what_is_no_log_of_its_own_is_refused() {
    let dir = folder();
    let set = set(&dir);
    let part = format!("{set}/a.1.incr.aof");
    untouched(
        &dir,
        &["rewrite", "--in-place", &part],
        2,
        &["part of the set", "a.manifest"],
    );
    let link = path_in(&dir, "link.manifest");
    symlink(format!("{set}/a.manifest"), &link).unwrap();
    untouched(
        &dir,
        &["rewrite", "--in-place", &link],
        2,
        &["symbolic link"],
    );
    let zipped = path_in(&dir, "log.gz");
    let status = Command::new("gzip").arg("-c").arg(&part).output().unwrap();
    fs::write(&zipped, status.stdout).unwrap();
    untouched(
        &dir,
        &["rewrite", "--in-place", &zipped],
        2,
        &["is compressed"],
    );
    let fifo = path_in(&dir, "fifo");
    crate::program::mkfifo(&fifo);
    let output = expect(&["rewrite", "--in-place", &fifo], 2);
    one_error(&output, &["no regular file"]);
    fs::remove_file(fifo).unwrap();
    let odd = path_in(&dir, "odd");
    fs::create_dir(&odd).unwrap();
    fs::write(format!("{odd}/temp-a.manifest"), log(&LINES)).unwrap();
    fs::write(
        format!("{odd}/a.manifest"),
        "file temp-a.manifest seq 1 type b\n",
    )
    .unwrap();
    untouched(
        &dir,
        &["rewrite", "--in-place", &odd],
        2,
        &["name of a temporary one"],
    );
    let dump = path_in(&dir, "dump.rdb");
    fs::copy(demo(), &dump).unwrap();
    untouched(&dir, &["rewrite", "--in-place", &dump], 2, &["is no log"]);
    let nothing = path_in(&dir, "nothing");
    untouched(
        &dir,
        &["rewrite", "--in-place", &nothing],
        2,
        &["cannot open"],
    );
    let empty = path_in(&dir, "empty");
    fs::create_dir(&empty).unwrap();
    untouched(
        &dir,
        &["rewrite", "--in-place", &empty],
        2,
        &["without an AOF manifest"],
    );
}

#[test]
fn single_file_that_a_server_would_move_is_replaced_by_its_name() {
    let dir = folder();
    let single = plain(&dir);
    let set = dir.path().join("appendonlydir");
    fs::create_dir(&set).unwrap();
    let manifest = "file appendonly.aof seq 1 type b\n";
    fs::write(set.join("appendonly.aof.manifest"), manifest).unwrap();
    let data = dir.path().to_str().unwrap();
    untouched(
        &dir,
        &["rewrite", "--in-place", data],
        2,
        &["names no part yet", "appendonly.aof"],
    );
    expect(&["rewrite", "--in-place", &single], 0);
    assert_eq!(names(dir.path()), ["appendonly.aof", "appendonlydir"]);
    assert_eq!(
        fs::read(&single).unwrap(),
        log(&["SELECT 0", "SET a 2", "SELECT 2", "RPUSH l x y"])
    );
    assert_eq!(digest(data), digest(&single));
}

#[test]
fn damaged_logs_are_left_alone() {
    let dir = folder();
    let broken = [
        &log(&LINES)[..],
        b"*2\r\n$3\r\nDEL\r\n:1\r\n",
        &log(&["INCR a"]),
    ]
    .concat();
    let broken = file(&dir, "broken.aof", &broken);
    let before = state(dir.path());
    let output = expect(&["rewrite", "--in-place", &broken], 1);
    assert!(stderr(&output).contains("cannot be replayed to its end"));
    assert_eq!(state(dir.path()), before);
    expect(
        &[
            "rewrite",
            "--in-place",
            "--keep-going",
            "--allow-loss",
            &broken,
        ],
        1,
    );
    assert_eq!(names(dir.path()), ["broken.aof"]);
    let mended = file(
        &dir,
        "mended.aof",
        &log(&[&LINES[..], &["INCR a"]].concat()),
    );
    assert_eq!(digest(&broken), digest(&mended));

    let dir = folder();
    let set = set(&dir);
    fs::remove_file(format!("{set}/a.1.incr.aof")).unwrap();
    let before = state(dir.path());
    let output = expect(&["rewrite", "--in-place", &set], 1);
    assert!(stderr(&output).contains("missing"), "{}", stderr(&output));
    assert_eq!(state(dir.path()), before);
    expect(
        &[
            "rewrite",
            "--in-place",
            &set,
            "--keep-going",
            "--allow-loss",
        ],
        1,
    );
    assert_eq!(
        names(Path::new(&set)),
        ["a.2.base.aof", "a.2.incr.aof", "a.manifest"]
    );
}

#[test]
fn cut_tail_is_dropped_as_servers_do() {
    let dir = folder();
    let cut = [log(&LINES), log(&["INCR a"])].concat();
    let cut = file(&dir, "cut.aof", &cut[..cut.len() - 3]);
    let before = state(dir.path());
    expect(&["rewrite", "--in-place", "--strict", &cut], 1);
    assert_eq!(state(dir.path()), before);
    expect(&["rewrite", "--in-place", &cut], 0);
    assert_eq!(digest(&cut), digest(&plain(&dir)));
}

/// What hides records in a tail that servers drop without a word.
#[test]
fn damaged_tail_with_records_in_it_is_not_dropped_from_the_only_copy() {
    let dir = folder();
    let kept = log(&LINES);
    let rest = String::from_utf8(log(&["INCRBY a 3", "INCR a"])).unwrap();
    let rest = rest.replacen("$6", "$6000", 1);
    let path = file(&dir, "damaged.aof", &[&kept, rest.as_bytes()].concat());
    let args = ["rewrite", "--in-place", &path];
    let words = ["damaged rather than cut", "a record begins in it at offset"];
    untouched(&dir, &args, 1, &words);
    expect(&["rewrite", &path, "-o", &path_in(&dir, "new.aof")], 0);
    expect(&[&args[..], &["--allow-loss"]].concat(), 0);
    assert_eq!(digest(&path), digest(&plain(&dir)));
}

#[test]
fn loss_that_is_not_allowed_leaves_the_log_alone() {
    let dir = folder();
    let fields = file(
        &dir,
        "fields.aof",
        &log(&[
            "SELECT 0",
            "HSET h f v",
            "HPEXPIREAT h 4102444800000 FIELDS 1 f",
        ]),
    );
    let args = ["rewrite", "--in-place", &fields, "--target", "redis-7.2"];
    untouched(&dir, &args, 1, &["1 field deadline"]);
    expect(&[&args[..], &["--allow-loss"]].concat(), 0);
    assert_eq!(names(dir.path()), ["fields.aof"]);
}

#[test]
fn form_is_that_of_the_log_unless_another_is_wanted() {
    let starts_with_rdb = |path: &str| fs::read(path).unwrap().starts_with(b"REDIS");
    let dir = folder();
    let (plain, hybrid) = (plain(&dir), hybrid(&dir));
    let (plain_digest, hybrid_digest) = (digest(&plain), digest(&hybrid));
    for (log, flags, is_rdb) in [
        (&plain, &[][..], false),
        (&plain, &["--flavor", "redis-6.2"], true),
        (&plain, &["--preamble", "no"], false),
        (&plain, &["--preamble", "yes"], true),
        (&hybrid, &[], true),
        (&hybrid, &["--preamble", "no"], false),
        (&hybrid, &["--target", "redis-7.4"], true),
    ] {
        expect(&[&["rewrite", "--in-place", log], flags].concat(), 0);
        assert_eq!(starts_with_rdb(log), is_rdb, "{log} {flags:?}");
    }
    assert_eq!(
        (digest(&plain), digest(&hybrid)),
        (plain_digest, hybrid_digest)
    );
    assert_eq!(names(dir.path()), ["appendonly.aof", "hybrid.aof"]);

    let set = set(&dir);
    let before = digest(&set);
    for (round, (flags, end)) in [
        (&[][..], "aof"),
        (&["--preamble", "yes"], "rdb"),
        // Now it says which release wrote it.
        (&[], "rdb"),
        (&["--preamble", "no"], "aof"),
    ]
    .into_iter()
    .enumerate()
    {
        expect(&[&["rewrite", "--in-place", &set], flags].concat(), 0);
        let number = round + 2;
        let files = [
            format!("a.{number}.base.{end}"),
            format!("a.{number}.incr.aof"),
        ];
        let manifest = format!(
            "file {} seq {number} type b\nfile {} seq {number} type i\n",
            files[0], files[1]
        );
        assert_eq!(names(Path::new(&set)), [&files[0], &files[1], "a.manifest"]);
        assert_eq!(
            fs::read_to_string(format!("{set}/a.manifest")).unwrap(),
            manifest
        );
        assert_eq!(digest(&set), before, "{flags:?}");
    }
}

#[test]
fn symbolic_link_stays_and_its_target_is_replaced() {
    let dir = folder();
    let elsewhere = folder();
    let target = plain(&elsewhere);
    let link = path_in(&dir, "link.aof");
    symlink(&target, &link).unwrap();
    expect(&["rewrite", "--in-place", &link], 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(dir.path()), ["link.aof"]);
    assert_eq!(names(elsewhere.path()), ["appendonly.aof"]);
    let text = fs::read_to_string(&target).unwrap();
    assert!(!text.contains("INCR"), "{text}");
}

#[test]
fn new_files_have_owner_and_mode_of_the_old() {
    let dir = folder();
    let (single, set) = (plain(&dir), set(&dir));
    let modes = [
        ("a.1.base.aof", 0o640),
        ("a.1.incr.aof", 0o600),
        ("a.manifest", 0o664),
    ];
    let change = |path: &str, mode: u32, owner: u32| {
        if is_root() {
            std::os::unix::fs::chown(path, Some(owner), Some(owner + 1)).unwrap();
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let look = |path: &str| {
        let is = fs::metadata(path).unwrap();
        (is.mode() & 0o7777, if is_root() { is.uid() } else { 1234 })
    };
    change(&single, 0o660, 1234);
    for (name, mode) in modes {
        change(&format!("{set}/{name}"), mode, 1234);
    }
    expect(&["rewrite", "--in-place", &single], 0);
    expect(&["rewrite", "--in-place", &set], 0);
    assert_eq!(look(&single), (0o660, 1234));
    for (name, mode) in [
        ("a.2.base.aof", 0o640),
        ("a.2.incr.aof", 0o600),
        ("a.manifest", 0o664),
    ] {
        assert_eq!(look(&format!("{set}/{name}")), (mode, 1234), "{name}");
    }
}

#[test]
fn report_says_what_the_log_was_and_became() {
    let dir = folder();
    let set = set(&dir);
    let bytes = (log(&LINES).len() + log(&["SELECT 0", "INCR a"]).len()) as u64;
    let output = expect(&["rewrite", "--in-place", "--json", &set], 0);
    let line = stdout(&output);
    let line: Json = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(line["type"], "summary");
    let summary = &line["data"];
    assert_eq!(summary["verdict"], "written");
    assert_eq!(summary["bytes_before"], bytes);
    assert_eq!(summary["commands_before"], 7);
    assert_eq!(summary["commands"], 4);
    assert_eq!(summary["dead_commands"], 3);
    let base = fs::metadata(format!("{set}/a.2.base.aof")).unwrap();
    assert_eq!(summary["bytes"], base.len());
    let report = path_in(&dir, "report");
    expect(
        &["rewrite", "--in-place", "-q", "--report", &report, &set],
        0,
    );
    assert!(
        fs::read_to_string(report)
            .unwrap()
            .contains("\"verdict\":\"written\"")
    );
}

#[test]
fn file_of_another_user_needs_the_word_that_no_server_runs() {
    let Some(nobody) = Nobody::find() else { return };
    if !is_root() {
        eprintln!("LEFT OUT: files of another user: only root can make them");
        return;
    }
    let dir = folder();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = plain(&dir);
    let before = state(dir.path());
    let output = nobody.fails(&["rewrite", "--in-place", &path]);
    one_error(&output, &["only its owner and root", "--force-offline"]);
    // Then the new file could not have the old one's owner.
    let output = nobody.fails(&["rewrite", "--in-place", "--force-offline", &path]);
    one_error(&output, &["owner and mode"]);
    assert_eq!(state(dir.path()), before);
    // Its own file in a folder that is closed to it.
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let output = nobody.fails(&["rewrite", "--in-place", &path]);
    one_error(&output, &["Permission denied"]);
    assert_eq!(state(dir.path()), before);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let output = nobody.try_run(&["rewrite", "--in-place", &path]).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(names(dir.path()), ["appendonly.aof"]);
}

#[test]
fn full_disk_leaves_the_log_as_it_was() {
    let Some(disk) = SmallDisk::mount(512) else {
        return;
    };
    let lines: Vec<_> = (0..4000)
        .map(|n| format!("SET key:{n} value:{n}"))
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let (half, rest) = lines.split_at(2000);
    let single = file(disk.folder(), "single.aof", &log(half));
    let set = set(disk.folder());
    fs::write(format!("{set}/a.1.incr.aof"), log(rest)).unwrap();
    // Something may fit; it takes more and more room.
    let mut outcomes = Vec::new();
    for round in 0..60 {
        let free = disk.path().join(format!("filler{round}"));
        let _ = fs::write(free, vec![1; 8 << 10]);
        for log in [&single, &set] {
            let (before, digested) = (state(disk.path()), digest(log));
            let output = crate::program::run(&["rewrite", "--in-place", log, "--preamble", "no"]);
            let is_done = output.status.success();
            if !is_done {
                assert_eq!(output.status.code(), Some(2));
                one_error(&output, &["No space left"]);
                assert_eq!(state(disk.path()), before);
            }
            assert_eq!(digest(log), digested);
            outcomes.push(is_done);
        }
    }
    assert!(outcomes[0] && !outcomes[outcomes.len() - 1], "{outcomes:?}");
}
