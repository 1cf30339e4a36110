//! The index of a [`Map`](super::Map): open addressing over words of hash and slot.
//!
//! ```text
//! word = hash (30 bits) . slot (34 bits), or all ones: empty
//! ```
//!
//! A hash's first place is where it lies among all hashes, the others follow one by one,
//! so that a look-up reads one cache line most of the time, and one array only. Any number
//! of places will do: a map whose entries are counted beforehand has two for three of them
//! taken, one that grows at most three in four. Who removes a word closes the gap: there
//! are no marks of words that were there.

use super::KeyHash;
use crate::bytes::prefetch::prefetch;

const SLOT_BITS: u32 = 64 - KeyHash::BITS;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
const EMPTY: u64 = u64::MAX;
const LEAST: usize = 32;

/// Hashes and slots; absent as long as it has no places.
#[derive(Clone, Default)]
pub(super) struct Index {
    words: Box<[u64]>,
}

fn word(hash: KeyHash, slot: usize) -> u64 {
    u64::from(hash.bits()) << SLOT_BITS | (slot as u64 & SLOT_MASK)
}

impl Index {
    /// An index with room for so many entries.
    pub(super) fn for_entries(entries: usize) -> Self {
        Index::of_places(entries.saturating_add(entries / 2))
    }

    fn of_places(places: usize) -> Self {
        Index {
            words: vec![EMPTY; places.max(LEAST)].into_boxed_slice(),
        }
    }

    /// Whether there is none.
    pub(super) fn is_absent(&self) -> bool {
        self.words.is_empty()
    }

    /// The first place of a hash. An index of more places than hashes crowds; it stays right.
    fn home(&self, hash: KeyHash) -> usize {
        ((u128::from(hash.bits()) * self.words.len() as u128) >> KeyHash::BITS) as usize
    }

    /// The place behind another.
    fn behind(&self, at: usize) -> usize {
        let next = at + 1;
        if next == self.words.len() { 0 } else { next }
    }

    /// How many places there are from one to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        match to.checked_sub(from) {
            Some(distance) => distance,
            None => to + self.words.len() - from,
        }
    }

    /// Asks for the first place of a hash.
    pub(super) fn prefetch(&self, hash: KeyHash) {
        if let Some(word) = self.words.get(self.home(hash)) {
            prefetch(word);
        }
    }

    /// The slot with this hash that is the one.
    pub(super) fn find(&self, hash: KeyHash, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        let wanted = u64::from(hash.bits());
        loop {
            let word = *self.words.get(at)?;
            if word >> SLOT_BITS == wanted && word != EMPTY {
                let slot = (word & SLOT_MASK) as usize;
                if is(slot) {
                    return Some(slot);
                }
            } else if word == EMPTY {
                return None;
            }
            at = self.behind(at);
        }
    }

    /// Makes room for `more` beside the `entries` that there are.
    pub(super) fn reserve(&mut self, entries: usize, more: usize) {
        let wanted = entries.saturating_add(more);
        let places = self.words.len();
        if wanted <= places - places.div_ceil(4) {
            return;
        }
        // One that grows by the way doubles; one that is told how much comes need not.
        let least = if more == 1 {
            places * 2
        } else {
            places / 2 * 3
        };
        let exact = wanted.saturating_add(wanted / 2);
        let old = std::mem::replace(self, Index::of_places(exact.max(least)));
        for word in old.words.iter().filter(|word| **word != EMPTY) {
            self.insert(hash_of(*word), (*word & SLOT_MASK) as usize);
        }
    }

    /// Puts a slot in that is not there; there is room.
    pub(super) fn insert(&mut self, hash: KeyHash, slot: usize) {
        let mut at = self.home(hash);
        while let Some(place) = self.words.get_mut(at) {
            if *place == EMPTY {
                *place = word(hash, slot);
                return;
            }
            at = self.behind(at);
        }
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, hash: KeyHash, slot: usize) {
        let gone = word(hash, slot);
        let mut at = self.home(hash);
        loop {
            match self.words.get(at) {
                Some(&found) if found == gone => break,
                Some(&EMPTY) | None => return,
                Some(_) => at = self.behind(at),
            }
        }
        // Those behind move up unless that puts them before their first place.
        let mut gap = at;
        loop {
            at = self.behind(at);
            let Some(&next) = self.words.get(at) else {
                return;
            };
            if next == EMPTY {
                break;
            }
            let home = self.home(hash_of(next));
            let is_movable = self.distance(home, at) >= self.distance(gap, at);
            if is_movable && let Some(place) = self.words.get_mut(gap) {
                *place = next;
                gap = at;
            }
        }
        if let Some(place) = self.words.get_mut(gap) {
            *place = EMPTY;
        }
    }
}

fn hash_of(word: u64) -> KeyHash {
    KeyHash::of_bits((word >> SLOT_BITS) as u32)
}
