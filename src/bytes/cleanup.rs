//! Temporary files and new folders that must not outlive the program, whatever ends it.
//!
//! A signal handler may neither lock nor allocate. So every path lies ready as a
//! C string behind an atomic pointer, in blocks that are chained and never freed.
//! Nothing is kept unless the program switched the registry on: a library that
//! dies by a signal leaves cleaning to its host.
//!
//! A path's C string is not freed either, because a handler may be reading it: a
//! few dozen bytes for each output of a program's run.

use std::ffi::c_char;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

const SLOTS: usize = 64;

struct Block {
    slots: [AtomicPtr<c_char>; SLOTS],
    next: OnceLock<Box<Block>>,
}

impl Block {
    const fn new() -> Self {
        Block {
            slots: [const { AtomicPtr::new(null_mut()) }; SLOTS],
            next: OnceLock::new(),
        }
    }
}

static FILES: Block = Block::new();
static FOLDERS: Block = Block::new();
static ENABLED: AtomicBool = AtomicBool::new(false);

/// Keeps paths from now on, because a handler that reads them is there.
#[cfg(all(unix, feature = "cli"))]
pub(super) fn enable() {
    ENABLED.store(true, Ordering::SeqCst);
}

/// Whether there is a handler.
pub(super) fn is_enabled() -> bool {
    ENABLED.load(Ordering::SeqCst)
}

/// Passes on the path of every registered file, as a C string. Async-signal-safe if `f` is.
#[cfg(all(unix, feature = "cli"))]
pub(super) fn for_each_file(f: impl FnMut(*const c_char)) {
    for_each(&FILES, f);
}

/// As [`for_each_file`], for folders.
#[cfg(all(unix, feature = "cli"))]
pub(super) fn for_each_folder(f: impl FnMut(*const c_char)) {
    for_each(&FOLDERS, f);
}

#[cfg(all(unix, feature = "cli"))]
fn for_each(first: &Block, mut f: impl FnMut(*const c_char)) {
    let mut block = Some(first);
    while let Some(Block { slots, next }) = block {
        for slot in slots {
            let path = slot.load(Ordering::SeqCst);
            if !path.is_null() {
                f(path);
            }
        }
        block = next.get().map(|next| &**next);
    }
}

/// A path that is removed if a signal ends the program while this value lives.
#[derive(Debug)]
pub(crate) struct Doomed(Option<&'static AtomicPtr<c_char>>);

impl Drop for Doomed {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.store(null_mut(), Ordering::SeqCst);
        }
    }
}

/// Registers a file, by a path that stays right as long as the program does not change its folder.
pub(crate) fn register(path: &Path) -> Doomed {
    register_in(&FILES, path)
}

/// Registers a folder, which is removed if it is empty by then.
pub(crate) fn register_folder(path: &Path) -> Doomed {
    register_in(&FOLDERS, path)
}

fn register_in(first: &'static Block, path: &Path) -> Doomed {
    if !is_enabled() {
        return Doomed(None);
    }
    let Some(path) = c_path(path) else {
        return Doomed(None);
    };
    let mut block = first;
    loop {
        let free = |slot: &&AtomicPtr<c_char>| {
            slot.compare_exchange(null_mut(), path, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        };
        match block.slots.iter().find(free) {
            Some(slot) => return Doomed(Some(slot)),
            None => block = block.next.get_or_init(|| Box::new(Block::new())),
        }
    }
}

#[cfg(unix)]
fn c_path(path: &Path) -> Option<*mut c_char> {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::CString::new(path.as_os_str().as_bytes())
        .ok()
        .map(std::ffi::CString::into_raw)
}

#[cfg(not(unix))]
fn c_path(_: &Path) -> Option<*mut c_char> {
    None
}

#[cfg(all(test, unix, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn registry_keeps_more_paths_than_a_block_and_forgets_them() {
        enable();
        let mine = |n: usize| format!("/nowhere/rdbkit-registry-test-{n}");
        let count = || {
            let mut count = 0;
            for_each_file(|_| count += 1);
            count
        };
        let doomed: Vec<_> = (0..3 * SLOTS)
            .map(|n| register(Path::new(&mine(n))))
            .collect();
        assert!(count() >= 3 * SLOTS);
        drop(doomed);
        // Other tests may hold paths of their own.
        assert!(count() < SLOTS);
    }
}
