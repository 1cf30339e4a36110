//! Which files are mapped where, for the handler of faults: it can neither lock nor allocate.
//!
//! A name's C string is not freed, because the handler may be reading it. Nothing is kept unless
//! the program has a handler ([`super::cleanup`]).

use std::ffi::{CString, c_char};
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use super::cleanup;

/// As many maps as have a name; faults of more are told without one.
const SLOTS: usize = 256;

/// Taken, and not filled in yet.
const TAKEN: usize = 1;

struct Slot {
    /// 0 for a free one.
    start: AtomicUsize,
    end: AtomicUsize,
    name: AtomicPtr<c_char>,
    file: AtomicI32,
}

static MAPS: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        name: AtomicPtr::new(null_mut()),
        file: AtomicI32::new(-1),
    }
}; SLOTS];

/// A map that has a name, while this value lives.
#[derive(Debug)]
pub(super) struct Named(&'static AtomicUsize);

impl Drop for Named {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// Gives the addresses of a map of a file the name for messages.
pub(super) fn register(addresses: Range<usize>, name: &str, file: i32) -> Option<Named> {
    if !cleanup::is_enabled() || addresses.is_empty() {
        return None;
    }
    let name = CString::new(name).ok()?;
    let take = |slot: &&Slot| {
        let order = Ordering::SeqCst;
        let taken = slot.start.compare_exchange(0, TAKEN, order, order);
        taken.is_ok()
    };
    let slot = MAPS.iter().find(take)?;
    slot.end.store(addresses.end, Ordering::SeqCst);
    slot.name.store(name.into_raw(), Ordering::SeqCst);
    slot.file.store(file, Ordering::SeqCst);
    slot.start.store(addresses.start, Ordering::SeqCst);
    Some(Named(&slot.start))
}

/// A place in a mapped file.
#[cfg(all(unix, feature = "cli"))]
pub(super) struct Place {
    /// Its name, which ends with NUL.
    pub(super) name: *const c_char,
    pub(super) file: i32,
    pub(super) offset: usize,
}

/// Finds the file that is mapped at an address. Async-signal-safe.
#[cfg(all(unix, feature = "cli"))]
pub(super) fn find(address: usize) -> Option<Place> {
    MAPS.iter().find_map(|slot| {
        let start = slot.start.load(Ordering::SeqCst);
        let is_there = start > TAKEN && (start..slot.end.load(Ordering::SeqCst)).contains(&address);
        is_there.then(|| Place {
            name: slot.name.load(Ordering::SeqCst),
            file: slot.file.load(Ordering::SeqCst),
            offset: address - start,
        })
    })
}

#[cfg(all(test, unix, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn map_is_found_by_its_addresses_while_it_is_there() {
        cleanup::enable();
        // Addresses that no map has: nothing is read there.
        let all: Vec<_> = (10..20usize)
            .map(|n| register(n << 8..(n << 8) + 0x80, "name", n as i32))
            .collect();
        let place = find(0xc7f).unwrap();
        assert_eq!((place.file, place.offset), (12, 0x7f));
        assert!(!place.name.is_null());
        assert!(find(0xc80).is_none() && find(0x9ff).is_none());
        assert!(register(7..7, "empty", 1).is_none());
        assert!(register(0x100..0x200, "not a\0name", 1).is_none());
        drop(all);
        assert!(find(0xc7f).is_none());
    }
}
