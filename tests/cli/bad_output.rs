//! Outputs for servers that cannot be completed: whatever goes wrong, one error, exit code 2,
//! the source as it was, and nothing under the final name.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{
    PROGRAM, command, exited, expect, file, folder, many_keys, names, one_error, path_in, stderr,
};

/// A log whose rewrite is as long as itself, about 5 MB.
fn big_log() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..20_000 {
        log.extend(format!("*3\r\n$3\r\nSET\r\n$8\r\nk{n:07}\r\n$200\r\n").bytes());
        log.extend((0..200).map(|at| b'a' + ((n * 7 + at * at) % 26) as u8));
        log.extend(b"\r\n");
    }
    log
}

/// An RDB, a log and a set, each large.
struct Inputs {
    dir: TempDir,
    rdb: String,
    log: String,
    set: String,
}

fn inputs() -> Inputs {
    let dir = folder();
    let rdb = file(&dir, "in.rdb", &many_keys(20_000));
    let log = file(&dir, "in.aof", &big_log());
    let set = path_in(&dir, "set");
    fs::create_dir(&set).unwrap();
    fs::write(
        format!("{set}/x.manifest"),
        b"file x.1.incr.aof seq 1 type i\n",
    )
    .unwrap();
    fs::copy(&log, format!("{set}/x.1.incr.aof")).unwrap();
    Inputs { dir, rdb, log, set }
}

impl Inputs {
    /// Every command that writes for a server, with the name of its output.
    fn jobs(&self) -> Vec<(Vec<&str>, &'static str)> {
        let target = "--target=redis-7.2";
        vec![
            (vec!["convert", &self.rdb, target, "--to", "rdb"], "out.rdb"),
            (vec!["convert", &self.rdb, target, "--to", "aof"], "out.aof"),
            (vec!["convert", &self.log, target, "--to", "rdb"], "out.rdb"),
            (vec!["rewrite", &self.log, target], "out.aof"),
            (vec!["rewrite", &self.log, "--preamble", "no"], "out.aof"),
            (vec!["rewrite", &self.set, target], "out"),
        ]
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        let part = format!("{}/x.1.incr.aof", self.set);
        [&self.rdb, &self.log, &part]
            .map(|path| fs::read(path).unwrap())
            .to_vec()
    }
}

#[test]
fn full_device_is_one_error() {
    let inputs = inputs();
    let before = inputs.bytes();
    for (mut args, name) in inputs.jobs() {
        // A folder is no device.
        if name == "out" {
            continue;
        }
        args.extend(["-o", "/dev/full"]);
        one_error(&expect(&args, 2), &["/dev/full", "No space left"]);
        let stdout = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        args.pop();
        args.push("-");
        let output = command(&args).stdout(stdout).output().unwrap();
        exited(&output, 2, &args.join(" "));
        one_error(&output, &["stdout", "No space left"]);
    }
    assert!(inputs.bytes() == before);
}

/// Runs in a file system of 256 KiB that only it sees; none where the system lets nobody
/// mount one. Its stdout ends with what is left there.
fn on_a_small_disk(args: &[&str], disk: &Path, before: &str) -> Option<Output> {
    let can = Command::new("unshare")
        .args(["-rm", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can {
        eprintln!("not tested: no file system can be mounted here");
        return None;
    }
    let script = format!(
        r#"mount -t tmpfs -o size=256k tmpfs "$DISK" || exit 99
cd "$DISK"; {before}
"$@"; code=$?
find . -type f -printf '%P %s\n'; find . -mindepth 1 -type d -printf '%P\n'
exit $code"#
    );
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script, "sh", PROGRAM])
        .args(args)
        .env("DISK", disk)
        .output()
        .unwrap();
    (output.status.code() != Some(99)).then_some(output)
}

#[test]
fn full_disk_leaves_nothing_and_keeps_what_was_there() {
    let inputs = inputs();
    let disk = inputs.dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let before = inputs.bytes();
    for (args, name) in inputs.jobs() {
        let args = [&args[..], &["-o", name]].concat();
        let Some(output) = on_a_small_disk(&args, &disk, "") else {
            return;
        };
        exited(&output, 2, &args.join(" "));
        one_error(&output, &["No space left"]);
        assert_eq!(output.stdout, b"", "{args:?}");
        if name == "out" {
            continue;
        }
        let args = [&args[..], &["--force"]].concat();
        let output = on_a_small_disk(&args, &disk, &format!("printf old > {name}")).unwrap();
        exited(&output, 2, &args.join(" "));
        one_error(&output, &["No space left"]);
        let left = String::from_utf8(output.stdout).unwrap();
        assert_eq!(left, format!("{name} 3\n"), "{args:?}");
    }
    assert!(inputs.bytes() == before);
}

#[test]
fn closed_pipe_ends_quietly() {
    let inputs = inputs();
    for (mut args, name) in inputs.jobs() {
        if name == "out" {
            continue;
        }
        args.extend(["-q", "-o", "-"]);
        let mut child = command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        exited(&output, 2, &args.join(" "));
        assert_eq!(stderr(&output), "", "{args:?}");
    }
}

/// Whether a name of a temporary file of ours.
fn is_temporary(name: &str) -> bool {
    name.starts_with(".rdbkit-") && name.ends_with(".tmp")
}

#[test]
fn killed_program_leaves_nothing_under_the_final_name() {
    let made = folder();
    let old = file(&made, "old.rdb", &many_keys(20_000));
    let own = path_in(&made, "own.rdb");
    expect(&["convert", &old, "-o", &own, "--target=redis-7.2"], 0);
    let whole = fs::read(&own).unwrap();
    for existing in [false, true] {
        let dir = folder();
        let out = path_in(&dir, "out.rdb");
        if existing {
            fs::write(&out, b"old").unwrap();
        }
        let before = names(dir.path());
        // For its own release a pipe is copied as it comes.
        let mut child = command(&["convert", "-", "-o", &out, "--force"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let fed = whole.clone();
        // It may be gone before it has taken all of this.
        let feeder = std::thread::spawn(move || {
            let _ = pipe.write_all(&fed[..fed.len() - 1]);
            pipe
        });
        let limit = Instant::now() + Duration::from_secs(30);
        let half_written = || {
            names(dir.path()).iter().any(|name| {
                let path = dir.path().join(name);
                is_temporary(name) && fs::metadata(path).is_ok_and(|file| file.len() > 0)
            })
        };
        while !half_written() {
            assert!(Instant::now() < limit, "nothing is written");
            std::thread::sleep(Duration::from_millis(5));
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        drop(feeder.join().unwrap());
        let left: Vec<_> = names(dir.path())
            .into_iter()
            .filter(|name| !is_temporary(name))
            .collect();
        assert_eq!(left, before);
        if existing {
            assert_eq!(fs::read(&out).unwrap(), b"old");
        }
        // What it left does not stand in the way.
        let source = file(&dir, "in.rdb", &whole);
        expect(&["convert", &source, "-o", &out, "--force"], 0);
        assert!(fs::read(&out).unwrap().starts_with(b"REDIS"));
    }
}

#[test]
fn what_exists_needs_force() {
    let inputs = inputs();
    for (args, name) in inputs.jobs() {
        let out = path_in(&inputs.dir, name);
        let before = names(inputs.dir.path());
        if name == "out" {
            fs::create_dir(&out).unwrap();
            fs::write(format!("{out}/file"), b"old").unwrap();
            let args = [&args[..], &["-o", &out]].concat();
            one_error(&expect(&args, 2), &["not empty"]);
            assert_eq!(fs::read(format!("{out}/file")).unwrap(), b"old");
            fs::remove_dir_all(&out).unwrap();
        } else {
            fs::write(&out, b"old").unwrap();
            let args = [&args[..], &["-o", &out]].concat();
            one_error(&expect(&args, 2), &[name, "--force"]);
            assert_eq!(fs::read(&out).unwrap(), b"old");
            let args = [&args[..], &["--force"]].concat();
            expect(&args, 0);
            assert!(fs::read(&out).unwrap().len() > 1000);
            fs::remove_file(&out).unwrap();
        }
        assert_eq!(names(inputs.dir.path()), before);
    }
}

#[test]
fn source_is_no_target_by_any_name() {
    let inputs = inputs();
    let before = inputs.bytes();
    let part = format!("{}/x.1.incr.aof", inputs.set);
    let others = path_in(&inputs.dir, "others");
    fs::create_dir(&others).unwrap();
    symlink(inputs.dir.path(), format!("{others}/folder")).unwrap();
    for (source, input, name) in [
        (&inputs.rdb, &inputs.rdb, "in.rdb"),
        (&inputs.log, &inputs.log, "in.aof"),
        (&part, &inputs.set, "set/x.1.incr.aof"),
    ] {
        let hard = format!("{others}/hard.aof");
        let soft = format!("{others}/soft.aof");
        fs::hard_link(source, &hard).unwrap();
        symlink(source, &soft).unwrap();
        let by_folder = format!("{others}/folder/{name}");
        for out in [source, &hard, &soft, &by_folder] {
            for args in [
                &["convert", input, "--to", "rdb", "--target=redis-7.2"][..],
                &["convert", input, "--to", "aof", "--target=redis-7.2"],
                &["rewrite", input, "--preamble", "no"],
            ] {
                if args[0] == "rewrite" && input == &inputs.rdb {
                    continue;
                }
                let args = [args, &["-o", out, "--force"]].concat();
                let output = expect(&args, 2);
                one_error(&output, &[]);
                let said = stderr(&output);
                assert!(
                    said.contains("input and the output") || said.contains("folder of the log"),
                    "{args:?}: {said}"
                );
            }
        }
        fs::remove_file(hard).unwrap();
        fs::remove_file(soft).unwrap();
    }
    assert!(inputs.bytes() == before);
    assert_eq!(
        names(Path::new(&inputs.set)),
        ["x.1.incr.aof", "x.manifest"]
    );
}
