//! A program that is under way: what it has open, and signals to it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::PROGRAM;

/// Starts the program as a shell does that runs it in the foreground: a test that runs in the
/// background was begun with some signals ignored, and so would the program be.
pub(crate) fn start(args: &[&str], stdin: Stdio) -> Child {
    Command::new("env")
        .args(["--default-signal", PROGRAM])
        .args(args)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill")
        .args([&format!("-{signal}"), &id])
        .status();
    assert!(sent.unwrap().success(), "{signal}");
}

/// Waits for an event; `false` if the program has ended before.
pub(crate) fn wait_until(child: &mut Child, mut is_so: impl FnMut(&Child) -> bool) -> bool {
    let limit = Instant::now() + Duration::from_secs(120);
    loop {
        if is_so(child) {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < limit, "nothing happens");
        thread::sleep(Duration::from_micros(300));
    }
}

/// Whether a file is mapped.
pub(crate) fn has_mapped(child: &Child, path: &Path) -> bool {
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id()));
    let name = path.to_str().unwrap();
    maps.is_ok_and(|maps| maps.lines().any(|line| line.ends_with(name)))
}

/// Whether some of a file was read, by calls.
pub(crate) fn has_read(child: &Child, path: &Path) -> bool {
    let proc = format!("/proc/{}", child.id());
    let Ok(files) = fs::read_dir(format!("{proc}/fd")) else {
        return false;
    };
    files.flatten().any(|file| {
        let number = file.file_name();
        let info = fs::read_to_string(format!("{proc}/fdinfo/{}", number.to_string_lossy()));
        let is_at_0 = |info: String| info.lines().any(|line| line == "pos:\t0");
        fs::read_link(file.path()).is_ok_and(|target| target == path)
            && info.is_ok_and(|info| !is_at_0(info))
    })
}

/// Takes what the program still has to say, and waits for its end.
pub(crate) fn end(child: Child) -> Output {
    child.wait_with_output().unwrap()
}
