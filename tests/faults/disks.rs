//! The program on disks that are full at any point, under a limit of file sizes, and with no
//! room for temporary files.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::program::{
    PROGRAM, command, demo, exited, expect, file, folder, log, many_keys, names, one_error,
    path_in, run, stderr,
};
use crate::util::disk::SmallDisk;

/// A name and what the file holds; nothing for a folder.
pub(crate) type Entry = (String, Vec<u8>);

/// Everything below a folder.
pub(crate) fn tree(folder: &Path) -> Vec<Entry> {
    let mut tree = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            tree.push((format!("{name}/"), Vec::new()));
            let inner = self::tree(&path).into_iter();
            tree.extend(inner.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            // A link may lead nowhere.
            tree.push((name, fs::read(path).unwrap_or_default()));
        }
    }
    tree
}

/// An RDB, a log, a set and two logs of about 60 KB, so that outputs take some dozens of KiB.
struct Inputs {
    dir: TempDir,
    rdb: String,
    log: String,
    set: String,
    other: String,
}

impl Inputs {
    fn new() -> Inputs {
        let dir = folder();
        let lines: Vec<_> = (0..1200)
            .map(|n| format!("SET key:{n} value:{n}:{n}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let (base, incr) = lines.split_at(600);
        let set = path_in(&dir, "set");
        fs::create_dir(&set).unwrap();
        fs::write(format!("{set}/x.1.base.aof"), log(base)).unwrap();
        fs::write(format!("{set}/x.1.incr.aof"), log(incr)).unwrap();
        let manifest = "file x.1.base.aof seq 1 type b\nfile x.1.incr.aof seq 1 type i\n";
        fs::write(format!("{set}/x.manifest"), manifest).unwrap();
        Inputs {
            rdb: file(&dir, "in.rdb", &many_keys(250)),
            log: file(&dir, "in.aof", &log(&lines)),
            other: file(&dir, "other.aof", &log(incr)),
            set,
            dir,
        }
    }

    /// Every way to write, with the name of the output.
    fn jobs(&self) -> Vec<(Vec<&str>, &'static str)> {
        let target = "--target=redis-7.2";
        let (rdb, log, set) = (self.rdb.as_str(), self.log.as_str(), self.set.as_str());
        vec![
            (vec!["convert", rdb], "out.ndjson"),
            (vec!["convert", rdb, "--pretty"], "out.json"),
            (vec!["convert", rdb, target], "out.rdb"),
            (vec!["convert", rdb, target], "out.aof"),
            (vec!["convert", rdb, target], "out/"),
            (vec!["convert", log], "out.ndjson"),
            (vec!["convert", log, target], "out.rdb"),
            (vec!["rewrite", log, target], "out.aof"),
            (vec!["rewrite", log, "--preamble", "no"], "out.aof"),
            (vec!["rewrite", set, target], "out/"),
            (vec!["rewrite", set, "--preamble", "no"], "out/"),
            (vec!["rewrite", log, &self.other], SEVERAL),
        ]
    }
}

/// The folder of the results of several logs, of which each is complete or not there.
const SEVERAL: &str = "several/";

/// Checks what is left of a command that could not be completed: nothing, or of several results
/// some, which are whole.
fn check_left(name: &str, folder: &Path, before: &[Entry], whole: &[Entry], label: &str) {
    let mut left = tree(folder);
    if name == SEVERAL {
        left.retain(|entry| !whole.contains(entry));
    }
    assert!(left == before, "{label}");
}

/// Runs under a limit of file sizes, in KiB.
fn limited(kib: usize, args: &[&str]) -> Output {
    let script = format!("ulimit -f {kib} && exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script, PROGRAM])
        .args(args)
        .stdin(Stdio::null());
    command.output().unwrap()
}

/// The length of the longest file below a path, in KiB, rounded up.
fn longest_kib(path: &Path) -> usize {
    let bytes = match path.is_dir() {
        true => {
            let all = tree(path).into_iter().map(|(_, bytes)| bytes.len());
            all.max().unwrap()
        }
        false => fs::metadata(path).unwrap().len() as usize,
    };
    bytes.div_ceil(1024)
}

fn remove(path: &str) {
    let path = path.trim_end_matches('/');
    match Path::new(path).is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => fs::remove_file(path).unwrap(),
    }
}

#[test]
fn file_that_may_not_grow_is_one_error_and_nothing_is_left() {
    let inputs = Inputs::new();
    let mut points = 0;
    for (args, name) in inputs.jobs() {
        let out = path_in(&inputs.dir, name);
        let args = [&args[..], &["-o", &out]].concat();
        let before = tree(inputs.dir.path());
        expect(&args, 0);
        let kib = longest_kib(Path::new(&out));
        assert!(kib > 8, "{args:?}: {kib}");
        let mut whole = tree(inputs.dir.path());
        whole.retain(|entry| !before.contains(entry));
        remove(&out);
        for limit in (0..kib).step_by(3).chain([kib - 1]) {
            let label = format!("{limit} of {kib} KiB: {args:?}");
            let output = limited(limit, &args);
            exited(&output, 2, &label);
            assert!(stderr(&output).contains("File too large"), "{label}");
            check_left(name, inputs.dir.path(), &before, &whole, &label);
            if Path::new(&out).exists() {
                remove(&out);
            }
            points += 1;
        }
        exited(&limited(kib, &args), 0, &format!("{kib} KiB: {args:?}"));
        remove(&out);
        // What was there stays as it is.
        if !name.ends_with('/') {
            fs::write(&out, b"old").unwrap();
            let output = limited(kib / 2, &[&args[..], &["--force"]].concat());
            exited(&output, 2, &format!("{args:?}"));
            one_error(&output, &["File too large", name]);
            assert_eq!(fs::read(&out).unwrap(), b"old");
            remove(&out);
        }
        assert!(tree(inputs.dir.path()) == before, "{args:?}");
    }
    eprintln!("{points} limits");
}

#[test]
fn log_that_may_not_be_replaced_for_its_size_stays() {
    let inputs = Inputs::new();
    for log in [&inputs.log, &inputs.set] {
        for preamble in ["yes", "no"] {
            let args = ["rewrite", "--in-place", log, "--preamble", preamble];
            let before = tree(inputs.dir.path());
            for limit in (0..20).step_by(3) {
                let output = limited(limit, &args);
                exited(&output, 2, &format!("{limit} KiB: {args:?}"));
                one_error(&output, &["File too large"]);
                assert!(tree(inputs.dir.path()) == before, "{limit} KiB: {args:?}");
            }
        }
    }
}

#[test]
fn disk_that_is_full_at_any_point_is_an_error_and_nothing_is_left() {
    let inputs = Inputs::new();
    let Some(disk) = SmallDisk::mount(256) else {
        return;
    };
    let mut points = 0;
    for (args, name) in inputs.jobs() {
        let out = disk.path().join(name);
        let args = [&args[..], &["-o", out.to_str().unwrap()]].concat();
        expect(&args, 0);
        let whole = tree(disk.path());
        remove(out.to_str().unwrap());
        let mut was_done;
        for free_kib in (0..).step_by(4) {
            disk.leave_free(free_kib);
            let before = tree(disk.path());
            let output = run(&args);
            let label = format!("{free_kib} KiB free: {args:?}");
            was_done = output.status.success();
            if !was_done {
                exited(&output, 2, &label);
                assert!(stderr(&output).contains("No space left"), "{label}");
                check_left(name, disk.path(), &before, &whole, &label);
                points += 1;
            }
            if out.exists() {
                remove(out.to_str().unwrap());
            }
            if was_done {
                break;
            }
        }
        disk.clear();
    }
    assert!(points > 60, "{points}");
    eprintln!("{points} disks");
}

/// Runs with no room for temporary files.
fn without_room(args: &[&str], input: &str, room: &Path) -> Output {
    let mut command = command(args);
    command.env("TMPDIR", room);
    if args.contains(&"-") {
        // By way of a pipe, from which nothing can be read twice.
        let mut cat = Command::new("cat")
            .arg(input)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        command.stdin(cat.stdout.take().unwrap());
        let output = command.output().unwrap();
        cat.wait().unwrap();
        return output;
    }
    command.output().unwrap()
}

#[test]
fn no_room_for_temporary_files_is_an_error_that_says_where() {
    let inputs = Inputs::new();
    let json = path_in(&inputs.dir, "in.ndjson");
    expect(&["convert", &inputs.rdb, "-o", &json], 0);
    let Some(disk) = SmallDisk::mount(64) else {
        return;
    };
    disk.leave_free(0);
    let nowhere = inputs.dir.path().join("nowhere");
    let before = tree(inputs.dir.path());
    let out = path_in(&inputs.dir, "out.rdb");
    let target = "--target=redis-7.2";
    for (room, why) in [
        (disk.path(), "No space left on device"),
        (&nowhere, "No such file or directory"),
    ] {
        let words = ["temporary file in", room.to_str().unwrap(), "TMPDIR", why];
        for (args, input) in [
            // Two passes over a pipe.
            (&["convert", "-", "-o", &out, target][..], &inputs.rdb),
            (&["convert", "-", "--to", "json", "--meta"], &inputs.rdb),
            // A log is replayed from a file.
            (&["convert", "-", "-o", &out, target], &inputs.log),
            (&["rewrite", "-", "-o", &out], &inputs.log),
            (&["digest", "-"], &inputs.log),
            (&["inspect", "-"], &inputs.log),
            // So is JSON read.
            (&["convert", "-", "-o", &out, target], &json),
            (&["convert", &json, "-o", &out, target], &json),
            (&["digest", "-"], &json),
        ] {
            let output = without_room(args, input, room);
            exited(&output, 2, &format!("{args:?} of {input}"));
            one_error(&output, &words);
            assert!(tree(inputs.dir.path()) == before, "{args:?}");
        }
        for input in [&inputs.log, &json] {
            let output = without_room(&["verify", "-"], input, room);
            exited(&output, 2, "verify");
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
    // What needs no temporary file does without.
    for args in [
        &["verify", "-"][..],
        &["convert", "-", "--to", "ndjson"],
        &["digest", "-"],
        &["inspect", "-"],
    ] {
        exited(
            &without_room(args, &demo(), &nowhere),
            0,
            &format!("{args:?}"),
        );
    }
}

/// More keys than are compared within little memory: some of what is known of them would have to
/// wait in a temporary file.
#[test]
fn keys_that_cannot_be_compared_for_want_of_room_are_said() {
    let dir = folder();
    let mut rdb = b"REDIS0003\xfe\x00".to_vec();
    for n in 0..1_100_000u32 {
        rdb.extend([0, 4]);
        rdb.extend(n.to_be_bytes());
        rdb.extend([1, b'v']);
    }
    rdb.push(0xff);
    let rdb = file(&dir, "many.rdb", &rdb);
    let nowhere = dir.path().join("nowhere");
    for (flag, exit) in [("--jobs=1", 0), ("--strict", 1)] {
        let args = ["verify", &rdb, "--max-memory=16M", flag];
        let output = without_room(&args, "", &nowhere);
        exited(&output, exit, flag);
        let text = String::from_utf8(output.stdout).unwrap();
        for word in [
            "[duplicates_not_checked]",
            "temporary file in",
            "nowhere",
            "TMPDIR",
        ] {
            assert!(text.contains(word), "{text}");
        }
    }
}
