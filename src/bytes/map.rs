//! Files mapped into memory, and what happens when they shrink under the map.
//!
//! This file may be unsafe: for `mmap`, for telling the system which pages are done with, and
//! for signal handlers. So may [`super::lease`] and [`super::prefetch`]; no other file of the
//! crate is.
//!
//! # The contract of a map
//! Another process may write to the file at any time. Then the mapped bytes change
//! between two looks at them; nothing here or above trusts a length that it read
//! once and compared once, and every access is bounds-checked against the size of
//! the map, so a change can only lead to wrong or broken data. It is noticed at the
//! end, by [`Map::check_unchanged`]: what was read until then is worth nothing if
//! that fails. A change that keeps the size and falls into one tick of the file
//! system's clock (some milliseconds) with the opening goes unnoticed.
//!
//! If the file shrinks, touching a page behind its new end raises `SIGBUS`, which
//! kills the process. A program calls [`install_fault_handler`] for a message and
//! an exit code; a library that cannot live with this reads through a window, which
//! is why maps are off by default there.

#![expect(
    unsafe_code,
    reason = "mmap, madvise and signal handlers have no safe interface"
)]

use std::fmt;
use std::fs::File;
use std::io;

use super::file_id::FileStamp;
use super::mapped::{self, Named};
use crate::error::{Error, Result};

/// A whole file, readable as one slice.
pub struct Map {
    // Goes before the addresses do.
    named: Option<Named>,
    /// Absent for an empty file, which cannot be mapped everywhere.
    mapped: Option<memmap2::Mmap>,
    file: File,
    stamp: FileStamp,
}

impl Map {
    /// Maps a regular file for reading; see the module for what that entails.
    ///
    /// # Errors
    /// The file cannot be mapped, for one because it is larger than the address space.
    pub fn new(file: File) -> io::Result<Map> {
        let stamp = FileStamp::of(&file)?;
        let len = usize::try_from(stamp.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::FileTooLarge, "larger than the address space")
        })?;
        let mapped = match len {
            0 => None,
            len => {
                // SAFETY: the map is read-only and lives as long as the slices of it. That
                // nobody else writes to the file cannot be promised: the module says how
                // that is borne. All access is by bounds-checked loads of plain bytes.
                let map = unsafe { memmap2::MmapOptions::new().len(len).map(&file)? };
                // A hint: without it everything works, slower.
                #[cfg(unix)]
                let _ = map.advise(memmap2::Advice::Sequential);
                Some(map)
            }
        };
        Ok(Map {
            named: None,
            mapped,
            file,
            stamp,
        })
    }

    /// Gives the file a name, by which [`install_fault_handler`]'s handler tells of it.
    #[must_use]
    pub fn named(mut self, name: &str) -> Map {
        let bytes = self.bytes().as_ptr_range();
        #[cfg(unix)]
        let file = std::os::fd::AsRawFd::as_raw_fd(&self.file);
        #[cfg(not(unix))]
        let file = -1;
        self.named = mapped::register(bytes.start as usize..bytes.end as usize, name, file);
        self
    }

    /// All bytes, as many as the file had when it was opened.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.mapped.as_deref().unwrap_or_default()
    }

    /// The file, for looking at it again.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file, at the position it was handed over at; the map is gone.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// Size, time and identity when the file was mapped.
    #[must_use]
    pub fn stamp(&self) -> &FileStamp {
        &self.stamp
    }

    /// Checks that the file is as it was when it was mapped.
    ///
    /// # Errors
    /// `input_changed`: nothing that was read can be relied on.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        self.stamp.check_unchanged(&self.file)
    }

    /// Gives back the memory of bytes that are not needed for now.
    ///
    /// Looking at them again is allowed and reads them again.
    pub fn release(&self, range: std::ops::Range<usize>) {
        #[cfg(unix)]
        if let Some(map) = &self.mapped {
            // madvise wants page bounds; a page that is half in use stays.
            const PAGE_BYTES: usize = 64 * 1024;
            let start = range.start.div_ceil(PAGE_BYTES) * PAGE_BYTES;
            let end = range.end.min(map.len()) / PAGE_BYTES * PAGE_BYTES;
            if start < end {
                // SAFETY: dropped pages of a shared read-only file mapping come back from the
                // file on the next access, so no slice of them ever sees anything else.
                let _ = unsafe {
                    map.unchecked_advise_range(
                        memmap2::UncheckedAdvice::DontNeed,
                        start,
                        end - start,
                    )
                };
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("len", &self.bytes().len())
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}

/// Makes an input that shrinks, and memory that the system refuses, end the program with a
/// message and exit code 2; and a file that grows beyond what the user may write (`ulimit -f`)
/// an error of writing.
///
/// Temporary outputs are removed. For a program's `main`; elsewhere than on Unix,
/// where no such signals exist, it does nothing.
///
/// # Errors
/// The system refuses.
#[cfg(feature = "cli")]
pub fn install_fault_handler() -> io::Result<()> {
    #[cfg(unix)]
    {
        handler::install(&[libc::SIGBUS, libc::SIGABRT])?;
        handler::ignore(libc::SIGXFSZ)?;
    }
    Ok(())
}

/// Makes SIGINT, SIGTERM and SIGHUP end the program with exit code 130 and no temporary output.
///
/// A signal that the program was started to ignore, as by `nohup`, stays ignored.
///
/// # Errors
/// The system refuses.
#[cfg(feature = "cli")]
pub fn install_interrupt_handler() -> io::Result<()> {
    #[cfg(unix)]
    handler::install(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])?;
    Ok(())
}

/// Ends the program at once, without its temporary outputs: for a thread that finds that
/// the others must not go on.
#[cfg(feature = "cli")]
pub fn abandon(exit: i32) -> ! {
    #[cfg(unix)]
    handler::abandon(exit);
    #[cfg(not(unix))]
    std::process::exit(exit)
}

#[cfg(all(unix, feature = "cli"))]
mod handler {
    use std::ffi::CStr;
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr::{null, null_mut};

    use crate::bytes::cleanup;
    use crate::bytes::mapped::{self, Place};

    const CHANGED: &[u8] = b"the input changed while it was read";
    const UNREADABLE: &[u8] = b"cannot read: input/output error";
    /// What the runtime says before it aborts: how many bytes the system refused, or that a
    /// stack has overflowed.
    const ABORTED: &[u8] = b"error: cannot go on, see above; no output file is left\n\
        hint: with more memory, or with --jobs 1, it may end\n";
    const EXIT_UNABLE: libc::c_int = 2;
    const EXIT_INTERRUPTED: libc::c_int = 130;

    type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

    /// Ends the program. Calls only what POSIX allows in a handler.
    extern "C" fn end(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        match signal {
            libc::SIGBUS => {
                // SAFETY: with SA_SIGINFO the system passes what it knows of the signal, and of
                // this one it knows the address.
                let address = unsafe { (*info).si_addr() } as usize;
                tell_fault(address);
            }
            libc::SIGABRT => say(ABORTED),
            _ => abandon(EXIT_INTERRUPTED),
        }
        abandon(EXIT_UNABLE)
    }

    /// Says what is wrong with the file that is mapped at an address.
    fn tell_fault(address: usize) {
        let mut line = Line::new();
        line.push(b"error: ");
        match mapped::find(address) {
            None => line.push(CHANGED),
            Some(Place { name, file, offset }) => {
                // SAFETY: the registry hands out C strings that are never freed.
                line.push(unsafe { CStr::from_ptr(name) }.to_bytes());
                line.push(b": ");
                line.push(match is_behind_the_end(file, offset) {
                    true => CHANGED,
                    false => UNREADABLE,
                });
                line.push(b" (at 0x");
                line.push_hex(offset);
                line.push(b")");
            }
        }
        line.end();
    }

    /// Whether a file is shorter than that by now; else the disk is at fault.
    pub(super) fn is_behind_the_end(file: libc::c_int, offset: usize) -> bool {
        let mut status = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: fstat is async-signal-safe, and the answer goes to memory of its type.
        let is_known = unsafe { libc::fstat(file, status.as_mut_ptr()) } == 0;
        // SAFETY: zeroed is valid, and fstat has filled it.
        let len = unsafe { status.assume_init() }.st_size;
        !is_known || u64::try_from(len).is_ok_and(|len| len <= offset as u64)
    }

    /// A line that is put together without allocating; what does not fit is left out.
    struct Line {
        text: [u8; 1024],
        len: usize,
    }

    impl Line {
        fn new() -> Line {
            Line {
                text: [0; 1024],
                len: 0,
            }
        }

        fn push(&mut self, bytes: &[u8]) {
            // The last place is that of the line's end.
            let last = self.text.len() - 1;
            for (place, byte) in self.text[self.len..last].iter_mut().zip(bytes) {
                *place = *byte;
                self.len += 1;
            }
        }

        fn push_hex(&mut self, number: usize) {
            let digits = usize::BITS - (number | 1).leading_zeros();
            for digit in (0..digits.div_ceil(4)).rev() {
                let nibble = number >> (4 * digit) & 0xf;
                self.push(&[b"0123456789abcdef"[nibble]]);
            }
        }

        fn end(mut self) {
            self.text[self.len] = b'\n';
            say(&self.text[..=self.len]);
        }
    }

    fn say(text: &[u8]) {
        // SAFETY: the buffer is of that length; write is async-signal-safe.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }

    /// Removes the temporary outputs and ends. Calls only what POSIX allows in a handler.
    pub(super) fn abandon(exit: libc::c_int) -> ! {
        cleanup::for_each_file(|path| {
            // SAFETY: the registry hands out C strings that are never freed; unlink is
            // async-signal-safe, and a file that is gone is no harm.
            unsafe { libc::unlink(path) };
        });
        cleanup::for_each_folder(|path| {
            // SAFETY: as above; a folder that holds something stays.
            unsafe { libc::rmdir(path) };
        });
        // SAFETY: _exit is async-signal-safe and runs no destructors.
        unsafe { libc::_exit(exit) }
    }

    pub(super) fn install(signals: &[libc::c_int]) -> io::Result<()> {
        cleanup::enable();
        for &signal in signals {
            let is_fault = matches!(signal, libc::SIGBUS | libc::SIGABRT);
            if is_fault || !is_ignored(signal)? {
                set(signal, end as Handler as libc::sighandler_t)?;
            }
        }
        Ok(())
    }

    /// Leaves it to the call that the signal accompanies to say what is wrong.
    pub(super) fn ignore(signal: libc::c_int) -> io::Result<()> {
        set(signal, libc::SIG_IGN)
    }

    /// `handler` is [`end`], or a constant of the system.
    fn set(signal: libc::c_int, handler: libc::sighandler_t) -> io::Result<()> {
        // SAFETY: all fields of a sigaction may be zero; those that matter are set.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler;
        // The runtime gives threads an alternate stack; a fault may come with none left.
        action.sa_flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
        // SAFETY: the mask is a valid signal set to fill.
        unsafe { libc::sigfillset(&mut action.sa_mask) };
        // SAFETY: the action is complete, and its handler is async-signal-safe.
        match unsafe { libc::sigaction(signal, &action, null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
        let mut old = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null action only asks; the answer goes to memory of its type.
        if unsafe { libc::sigaction(signal, null(), old.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: zeroed is valid, and sigaction has filled it.
        Ok(unsafe { old.assume_init() }.sa_sigaction == libc::SIG_IGN)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::Code;

    #[test]
    fn map_of_a_file_is_its_bytes_also_after_release() {
        let mut temp = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        temp.write_all(&bytes).unwrap();
        let map = Map::new(File::open(temp.path()).unwrap()).unwrap();
        assert_eq!(map.bytes(), bytes);
        map.release(0..bytes.len());
        map.release(1..usize::MAX);
        assert_eq!(map.bytes(), bytes);
        map.check_unchanged().unwrap();
        temp.write_all(b"more").unwrap();
        assert_eq!(map.bytes().len(), bytes.len());
        assert_eq!(
            map.check_unchanged().unwrap_err().code(),
            Code::InputChanged
        );
    }

    #[test]
    fn map_of_an_empty_file_is_empty() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        let map = Map::new(temp.reopen().unwrap()).unwrap();
        assert_eq!(map.bytes(), b"");
        map.release(0..0);
    }

    #[cfg(all(unix, feature = "cli"))]
    #[test]
    fn fault_is_behind_the_end_or_the_disks() {
        use std::os::fd::AsRawFd as _;
        let mut temp = tempfile::NamedTempFile::new().unwrap();
        temp.write_all(&[1; 5000]).unwrap();
        let file = temp.as_file().as_raw_fd();
        assert!(!handler::is_behind_the_end(file, 4999));
        assert!(handler::is_behind_the_end(file, 5000));
        temp.as_file().set_len(0).unwrap();
        assert!(handler::is_behind_the_end(file, 0));
    }

    /// Tests that need a process of their own run this binary again, for one ignored test.
    #[cfg(all(unix, feature = "cli"))]
    mod children {
        use std::path::{Path, PathBuf};
        use std::process::{Command, Output, Stdio};

        use super::*;
        use crate::bytes::sink::{OutputFile, OutputOptions};

        const FOLDER: &str = "RDBKIT_TEST_FOLDER";

        fn run(test: &str, folder: &Path, meanwhile: impl FnOnce(&std::process::Child)) -> Output {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
                .arg(format!("bytes::map::tests::children::{test}"))
                .env(FOLDER, folder)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            meanwhile(&child);
            child.wait_with_output().unwrap()
        }

        fn folder() -> PathBuf {
            std::env::var_os(FOLDER).unwrap().into()
        }

        fn names(folder: &Path) -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }

        fn begin_output() -> OutputFile {
            let mut output =
                OutputFile::create(folder().join("output"), &OutputOptions::new()).unwrap();
            output.write_all(b"half of it").unwrap();
            output
        }

        #[test]
        #[ignore = "runs in a child process"]
        fn child_reads_a_file_that_shrinks() {
            install_fault_handler().unwrap();
            let _output = begin_output();
            let path = folder().join("input");
            std::fs::write(&path, vec![1; 1 << 20]).unwrap();
            let map = Map::new(File::open(&path).unwrap()).unwrap();
            std::fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(0)
                .unwrap();
            let sum: u64 = map.bytes().iter().map(|b| u64::from(*b)).sum();
            unreachable!("read {sum} behind the end");
        }

        #[test]
        fn fault_of_a_shrinking_input_exits_2_without_output() {
            let folder = tempfile::tempdir().unwrap();
            let output = run("child_reads_a_file_that_shrinks", folder.path(), |_| ());
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.ends_with("error: the input changed while it was read\n"));
            assert_eq!(names(folder.path()), ["input"]);
        }

        #[test]
        #[ignore = "runs in a child process"]
        fn child_waits_for_a_signal() {
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                // SAFETY: sets the default action. Whoever runs the tests in the background has
                // them begun with SIGINT ignored, which the handler would respect.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
            }
            install_interrupt_handler().unwrap();
            let _output = begin_output();
            std::fs::write(folder().join("ready"), "").unwrap();
            std::thread::sleep(std::time::Duration::from_secs(60));
        }

        #[test]
        fn interruption_exits_130_without_output() {
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                let folder = tempfile::tempdir().unwrap();
                let output = run("child_waits_for_a_signal", folder.path(), |child| {
                    while !folder.path().join("ready").exists() {
                        std::thread::sleep(std::time::Duration::from_millis(10));
                    }
                    assert_eq!(names(folder.path()).len(), 2);
                    let pid = libc::pid_t::try_from(child.id()).unwrap();
                    // SAFETY: sends a signal to a child that was started here and not waited for.
                    unsafe { libc::kill(pid, signal) };
                });
                assert_eq!(output.status.code(), Some(130));
                assert_eq!(names(folder.path()), ["ready"]);
            }
        }
    }
}
