//! The search for equal keys: one pass over one partition, or over a part of it.
//!
//! An open-addressing table with linear probing maps a tag to the offset of the
//! first key that has it. Two different keys with one tag are two entries.

use std::collections::BinaryHeap;

use super::{DISTANCE_BITS, Duplicate, Duplicates};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::LISTED_DUPLICATES;

/// What a key of a pass takes: up to four slots, and an offset.
pub(super) const BYTES_PER_KEY: usize = 5 * size_of::<u64>();
const INDEX_BITS: u32 = DISTANCE_BITS;
/// The most entries that an index, less the one that means none, can tell apart.
const MAX_ENTRIES: usize = (1 << INDEX_BITS) - 1;

#[derive(Debug)]
pub(super) struct Search<F> {
    confirm: F,
    /// Tag and index of its offset plus one; 0 is free. At most half are taken.
    slots: Vec<u64>,
    offsets: Vec<u64>,
    /// Those that came first in the file, the last of them on top.
    listed: BinaryHeap<Duplicate>,
    count: u64,
}

impl<F: FnMut(u64, u64) -> Result<bool>> Search<F> {
    pub(super) fn new(confirm: F) -> Self {
        Search {
            confirm,
            slots: Vec::new(),
            offsets: Vec::new(),
            listed: BinaryHeap::new(),
            count: 0,
        }
    }

    /// Forgets the keys of the pass before and makes room for so many.
    pub(super) fn begin_pass(&mut self, keys: usize) {
        const MIN_SLOTS: usize = 16;
        let slots = (2 * keys.min(MAX_ENTRIES)).next_power_of_two();
        self.slots.clear();
        self.slots.resize(slots.max(MIN_SLOTS), 0);
        self.offsets.clear();
    }

    /// Compares a key with those of its tag.
    #[inline]
    pub(super) fn add(&mut self, tag: u64, offset: u64) -> Result<()> {
        let mask = self.slots.len() - 1;
        let mut at = tag as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            if slot >> INDEX_BITS == tag && self.is_same(slot, offset)? {
                return Ok(());
            }
            at = (at + 1) & mask;
        }
        self.offsets.push(offset);
        self.slots[at] = tag << INDEX_BITS | self.offsets.len() as u64;
        match 2 * self.offsets.len() > self.slots.len() {
            true => self.grow(),
            false => Ok(()),
        }
    }

    #[cold]
    fn is_same(&mut self, slot: u64, offset: u64) -> Result<bool> {
        let first_offset = self.offsets[(slot as usize & MAX_ENTRIES) - 1];
        let is_same = (self.confirm)(first_offset, offset)?;
        if is_same {
            self.count += 1;
            self.listed.push(Duplicate {
                offset,
                first_offset,
            });
            if self.listed.len() > LISTED_DUPLICATES {
                self.listed.pop();
            }
        }
        Ok(is_same)
    }

    #[cold]
    fn grow(&mut self) -> Result<()> {
        if self.offsets.len() == MAX_ENTRIES {
            return Err(Error::new(ErrorKind::LimitExceeded {
                what: "number of keys whose hashes are nearly equal",
                limit: MAX_ENTRIES as u64,
            }));
        }
        let slots = vec![0; 2 * self.slots.len()];
        let mask = slots.len() - 1;
        for slot in std::mem::replace(&mut self.slots, slots) {
            let mut at = (slot >> INDEX_BITS) as usize & mask;
            while slot != 0 && self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            if slot != 0 {
                self.slots[at] = slot;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Duplicates {
        Duplicates {
            listed: self.listed.into_sorted_vec(),
            count: self.count,
        }
    }
}
