//! Files and folders that the user may not open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use crate::program::{PROGRAM, demo, exited, file, names, one_error, path_in, run};

/// Runs a command as a user without rights, if that can be done.
fn as_nobody(args: &[&str]) -> Option<Output> {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        return Some(run(args));
    }
    // A copy that every user can reach.
    let dir = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let program = dir.path().join("rdbkit");
    // By another program: a file that this one has open for writing cannot be executed,
    // nor while a child of another test still has it open.
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
    assert!(copied.unwrap().success());
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("LEFT OUT: rights of files: running as root, and setpriv: {error}");
            None
        }
    }
}

#[test]
fn rights_that_are_missing() {
    let dir = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let open = file(&dir, "open.rdb", &fs::read(demo()).unwrap());
    let closed = file(&dir, "closed.rdb", &fs::read(demo()).unwrap());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let out = path_in(&dir, "out.json");

    let Some(output) = as_nobody(&["convert", &closed, "--to", "json"]) else {
        return;
    };
    exited(&output, 2, "closed file");
    one_error(&output, &["closed.rdb", "Permission denied"]);
    // In a folder it is not passed over.
    let output = as_nobody(&["verify", dir.path().to_str().unwrap()]).unwrap();
    exited(&output, 2, "folder with a closed file");
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        let output = as_nobody(&["convert", &open, "-o", &out]).unwrap();
        exited(&output, 2, "closed folder");
        one_error(&output, &["out.json", "Permission denied"]);
        assert_eq!(names(dir.path()), ["closed.rdb", "open.rdb"]);
    }
}
