//! Leases: whether another process has a file open, and whether one came for it since.
//!
//! Servers lock nothing. What tells that one has a log open is a write lease
//! (`fcntl F_SETLEASE F_WRLCK`, Linux 2.4 and newer), which the system grants only while no
//! other open file description of the file exists, in no process and no container. Whoever
//! opens or truncates the file then waits until the lease is given back, at most
//! `/proc/sys/fs/lease-break-time` (45 s); [`Lease::is_held`] says that somebody waits or
//! waited.
//!
//! ```text
//! open by the holder, mapped, dup()    one open file description: no obstacle
//! a second open() by the holder        as by anybody else: refused, or waits for itself
//! open to read                         F_GETLEASE says F_RDLCK from then on
//! open to write, truncate              F_GETLEASE says F_UNLCK from then on
//! stat, link, rename, unlink           leave the lease alone
//! ```
//!
//! The system tells the holder of a break by a signal, SIGIO, which ends a process that does
//! not expect it. Here it is SIGURG (`F_SETSIG`), which nobody notices who did not ask for it.
//!
//! A child that another thread forks has, until it runs its program, what the parent had open:
//! a file that was written and closed a moment ago is in use for that long. [`Lease::take`]
//! waits for such children; a server keeps its log open.
//!
//! Only the owner of a file and root get leases, and network file systems know none.
//! `fcntl` with these words has no safe interface (rustix 1.1, nix 0.31), so this is a file
//! that may be unsafe, besides [`super::map`].

#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "F_SETLEASE has no safe interface")
)]

use std::fs::File;
use std::io;
use std::thread;
use std::time::Duration;

use super::file_id::FileId;

/// How often, and after what pause, a file in use is asked for again: one second in all.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Why there is no lease.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoLease {
    /// The file is open elsewhere.
    InUse,
    /// The file belongs to somebody else.
    NotOwner,
    /// The system or the file system has no leases.
    Unsupported(io::Error),
}

/// Nobody else has the file open, unless [`Lease::is_held`] says otherwise. Ends when dropped.
#[derive(Debug)]
pub struct Lease {
    // The same open file description as the file that it was taken for.
    file: File,
}

impl Lease {
    /// Takes a lease on a regular file that is open once.
    ///
    /// A file that is open elsewhere is given a second to be closed there.
    ///
    /// ```
    /// use std::fs::{self, File};
    /// use rdbkit::bytes::lease::{Lease, NoLease};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("file");
    /// fs::write(&path, "bytes")?;
    /// let file = File::open(&path)?;
    /// match Lease::take(&file) {
    ///     Ok(lease) => assert!(lease.is_held()),
    ///     Err(NoLease::Unsupported(_)) => {} // not on Linux
    ///     Err(refused) => panic!("{refused:?}"),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Another open of the file exists, or there are no leases for us.
    pub fn take(file: &File) -> Result<Lease, NoLease> {
        let lease = Lease {
            file: file.try_clone().map_err(NoLease::Unsupported)?,
        };
        for _ in 0..ATTEMPTS {
            match sys::take(&lease.file) {
                Ok(()) => return Ok(lease),
                Err(e) => match e.kind() {
                    io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
                    io::ErrorKind::PermissionDenied => return Err(NoLease::NotOwner),
                    _ => return Err(NoLease::Unsupported(e)),
                },
            }
        }
        Err(NoLease::InUse)
    }

    /// Whether nobody has opened or truncated the file since.
    #[must_use]
    pub fn is_held(&self) -> bool {
        sys::is_held(&self.file)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        sys::give_back(&self.file);
    }
}

#[cfg(target_os = "linux")]
mod sys {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;

    fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the descriptor is open while `file` is borrowed; the commands of this module
        // take an integer or nothing, and touch no memory of ours.
        match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
            -1 => Err(io::Error::last_os_error()),
            answer => Ok(answer),
        }
    }

    /// `F_SETSIG` of `fcntl.h`, which the libc crate lacks for glibc.
    const F_SETSIG: libc::c_int = 10;

    pub(super) fn take(file: &File) -> io::Result<()> {
        // Before the lease, or a break between the two would end the process.
        fcntl(file, F_SETSIG, libc::SIGURG)?;
        fcntl(file, libc::F_SETLEASE, libc::F_WRLCK).map(drop)
    }

    pub(super) fn is_held(file: &File) -> bool {
        fcntl(file, libc::F_GETLEASE, 0).is_ok_and(|kind| kind == libc::F_WRLCK)
    }

    pub(super) fn give_back(file: &File) {
        // Without a lease, or when the system has ended it, there is nothing to give back.
        let _ = fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::fs::File;
    use std::io;

    pub(super) fn take(_: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_held(_: &File) -> bool {
        false
    }

    pub(super) fn give_back(_: &File) {}
}

/// A process that has a file open, as far as we may know: `redis-server (pid 123)`.
///
/// Other users' processes and those of other containers stay hidden.
#[must_use]
pub fn who_has_open(id: &FileId) -> Option<String> {
    let me = std::process::id().to_string();
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|pid| *pid != me) else {
            continue;
        };
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(open) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let is_it = |path: std::path::PathBuf| FileId::of_path(&path).is_ok_and(|is| is == *id);
        if open.flatten().any(|open| is_it(open.path())) {
            let word = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let word: String = word.trim().escape_debug().collect();
            return Some(format!("{word} (pid {pid})"));
        }
    }
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::bytes::map::Map;

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "bytes").unwrap();
        (folder, path)
    }

    /// A process that opens the file as the shell does for `redirection`, and waits.
    fn opener(path: &Path, redirection: &str) -> Child {
        Command::new("sh")
            .arg("-c")
            .arg(format!(
                "exec 3{redirection}\"$1\" && echo open && sleep 60"
            ))
            .args(["sh", path.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn wait_for_open(child: &mut Child) {
        use std::io::Read as _;
        let mut byte = [0];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut byte)
            .unwrap();
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn mapped_file_with_copies_of_its_descriptor_gets_a_lease() {
        let (_folder, path) = file();
        let file = File::open(&path).unwrap();
        let copy = file.try_clone().unwrap();
        let map = Map::new(file).unwrap();
        let lease = Lease::take(map.file()).unwrap();
        drop(copy);
        assert!(lease.is_held());
        assert_eq!(map.bytes(), b"bytes");
        // Names may change, and be looked at.
        let other = path.with_extension("other");
        fs::hard_link(&path, &other).unwrap();
        fs::rename(&other, &path).unwrap();
        fs::metadata(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(lease.is_held());
    }

    #[test]
    fn file_that_is_open_for_writing_can_have_a_lease() {
        let (_folder, path) = file();
        let mut file = File::create(&path).unwrap();
        let lease = Lease::take(&file).unwrap();
        io::Write::write_all(&mut file, b"more").unwrap();
        assert!(lease.is_held());
    }

    #[test]
    fn file_that_is_closed_elsewhere_in_a_moment_gets_a_lease() {
        let (_folder, path) = file();
        let file = File::open(&path).unwrap();
        let other = File::options().write(true).open(&path).unwrap();
        let closing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(other);
        });
        assert!(Lease::take(&file).unwrap().is_held());
        closing.join().unwrap();
    }

    #[test]
    fn file_that_is_open_elsewhere_gets_none() {
        let (_folder, path) = file();
        for redirection in ["<", ">>"] {
            let mut child = opener(&path, redirection);
            wait_for_open(&mut child);
            let file = File::open(&path).unwrap();
            assert!(matches!(Lease::take(&file), Err(NoLease::InUse)));
            let id = FileId::of_path(&path).unwrap();
            let who = who_has_open(&id).unwrap();
            assert!(who.contains("(pid "), "{who}");
            end(child);
        }
        let _second = File::open(&path).unwrap();
        let file = File::open(&path).unwrap();
        assert!(matches!(Lease::take(&file), Err(NoLease::InUse)));
    }

    #[test]
    fn opening_the_file_waits_and_breaks_the_lease_without_killing_the_holder() {
        for redirection in ["<", ">>", ">"] {
            let (_folder, path) = file();
            let file = File::open(&path).unwrap();
            let lease = Lease::take(&file).unwrap();
            let mut child = opener(&path, redirection);
            while lease.is_held() {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(fs::metadata(&path).unwrap().len(), 5, "{redirection}");
            drop(lease);
            wait_for_open(&mut child);
            end(child);
        }
    }
}
