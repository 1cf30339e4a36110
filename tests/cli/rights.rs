//! Files and folders that the user may not open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::program::{PROGRAM, demo, exited, file, names, one_error, path_in, run, stdout};
use crate::util::in_place::{patiently, says_in_use};

/// A user without rights: this one, unless it is root.
pub(crate) enum Nobody {
    ThisUser,
    /// Runs `rdbkit` in this folder: a copy of the program that every user can reach.
    Copy(TempDir),
}

impl Nobody {
    /// Finds one, or says loudly that there is none.
    pub(crate) fn find() -> Option<Self> {
        if !is_root() {
            return Some(Nobody::ThisUser);
        }
        let dir = open_folder();
        let program = dir.path().join("rdbkit");
        // By another program: a file that this one has open for writing cannot be executed,
        // nor while a child of another test still has it open.
        let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
        assert!(copied.unwrap().success());
        let nobody = Nobody::Copy(dir);
        match nobody.try_run(&["--version"]) {
            Ok(output) if output.status.success() => Some(nobody),
            failed => {
                eprintln!("LEFT OUT: rights of files: running as root, and setpriv: {failed:?}");
                None
            }
        }
    }

    pub(crate) fn try_run(&self, args: &[&str]) -> std::io::Result<Output> {
        match self {
            Nobody::ThisUser => Ok(run(args)),
            Nobody::Copy(dir) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                    .arg(dir.path().join("rdbkit"))
                    .args(args)
                    .stdin(Stdio::null());
                let in_use = |ran: &std::io::Result<Output>| ran.as_ref().is_ok_and(says_in_use);
                patiently(|| command.output(), in_use)
            }
        }
    }

    /// Runs a command, which must end with 2.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str]) -> Output {
        let output = self.try_run(args).unwrap();
        exited(&output, 2, &format!("{args:?}"));
        output
    }
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// A folder that every user may read.
fn open_folder() -> TempDir {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

fn set_mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn input_that_may_not_be_read_is_one_error_and_no_verdict_on_it() {
    let Some(nobody) = Nobody::find() else { return };
    let dir = open_folder();
    let closed_file = file(&dir, "closed.rdb", &fs::read(demo()).unwrap());
    let closed_folder = path_in(&dir, "closed");
    fs::create_dir(&closed_folder).unwrap();
    for path in [&closed_file, &closed_folder] {
        set_mode(path, 0o000);
        for args in [
            &["convert", path, "--to", "json"][..],
            &["convert", path, "--to", "ndjson", "--meta"],
            &["inspect", path],
            &["inspect", "--json", path],
            &["digest", path],
        ] {
            let output = nobody.fails(args);
            one_error(&output, &[path, "Permission denied"]);
            assert_eq!(stdout(&output), "", "{args:?}");
        }
        let text = stdout(&nobody.fails(&["verify", path]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("error: ") && lines[0].contains("Permission denied"));
        assert_eq!(lines[1], format!("{path}: unreadable"));
        let output = nobody.fails(&["verify", "--json", path]);
        let summary: Json = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
        assert_eq!(summary["data"]["verdict"], "unreadable");
        assert_eq!(summary["data"]["exit"], 2);
        assert_eq!(summary["data"]["findings"]["io"], 1);
        // So that it can be removed.
        set_mode(path, 0o755);
    }
}

#[test]
fn closed_file_of_a_folder_is_not_passed_over() {
    let Some(nobody) = Nobody::find() else { return };
    let dir = open_folder();
    let open = file(&dir, "open.rdb", &fs::read(demo()).unwrap());
    set_mode(&open, 0o644);
    let closed = file(&dir, "closed.rdb", &fs::read(demo()).unwrap());
    set_mode(&closed, 0o000);
    let text = stdout(&nobody.fails(&["verify", dir.path().to_str().unwrap()]));
    assert!(text.contains("closed.rdb: unreadable\n"), "{text}");
    assert!(text.contains("open.rdb: sound"), "{text}");
    assert!(text.ends_with("2 files checked: unreadable\n"), "{text}");
}

#[test]
fn output_in_a_closed_folder_is_one_error() {
    let Some(nobody) = Nobody::find() else { return };
    let dir = open_folder();
    let open = file(&dir, "open.rdb", &fs::read(demo()).unwrap());
    set_mode(&open, 0o644);
    let log = file(
        &dir,
        "open.aof",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
    );
    set_mode(&log, 0o644);
    // Only its owner may write into it.
    set_mode(
        dir.path().to_str().unwrap(),
        if is_root() { 0o755 } else { 0o555 },
    );
    let out = path_in(&dir, "out.json");
    let output = nobody.fails(&["convert", &open, "-o", &out]);
    one_error(&output, &["out.json", "Permission denied"]);
    let open_log = path_in(&dir, "open.aof");
    for (command, from, to) in [
        ("convert", &open, "out.rdb"),
        ("convert", &open, "out.aof"),
        ("convert", &open, "out/"),
        ("rewrite", &open_log, "out.aof"),
        ("rewrite", &open_log, "out/"),
    ] {
        let out = path_in(&dir, to);
        let output = nobody.fails(&[command, from, "-o", &out, "--target=redis-7.2"]);
        one_error(&output, &["out", "Permission denied"]);
    }
    assert_eq!(names(dir.path()), ["open.aof", "open.rdb"]);
    set_mode(dir.path().to_str().unwrap(), 0o755);
}

/// What another group might do with the old file, ours may not with the new one.
#[test]
fn file_of_another_group_is_not_opened_to_ours() {
    let Some(nobody) = Nobody::find() else { return };
    if !is_root() {
        eprintln!("LEFT OUT: files of another group: only root can make them");
        return;
    }
    let dir = open_folder();
    let commands = file(&dir, "in.aof", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
    set_mode(&commands, 0o644);
    std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
    for (old, new) in [
        (0o664, 0o644),
        (0o660, 0o600),
        (0o6755, 0o755),
        (0o646, 0o666),
    ] {
        let out = file(&dir, "out.ndjson", b"old");
        set_mode(&out, old);
        let args = ["convert", &commands, "-o", &out, "--force"];
        let output = nobody.try_run(&args).unwrap();
        exited(&output, 0, &format!("{old:o}"));
        let is = fs::metadata(&out).unwrap();
        assert_eq!(is.permissions().mode() & 0o7777, new, "{old:o}");
        fs::remove_file(out).unwrap();
    }
}
