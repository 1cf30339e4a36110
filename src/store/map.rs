//! The hash map beneath the keyspace and the keyed value types.
//!
//! ```text
//! slots   [ (key, value) | free -> n | (key, value) | .. ]     one vector
//! index   [ hash (30 bits) . slot (34 bits) | empty | .. ]     open addressing
//! ```
//!
//! Up to [`SMALL`] entries there is no index: a look-up compares all keys, and
//! nothing is hashed. Beyond, the index (`index.rs`) holds part of each hash, so that
//! it grows without touching keys. Slots stay where they are while others come and go,
//! which the order of a sorted set relies on; freed slots are used again first.
//! Iteration goes by slot: insertion order as long as nothing was removed, and
//! the same for the same history on every run although the hash is seeded.
//!
//! An entry costs its slot and 10 to 22 bytes of index, 12 where it was known how many
//! come, with no moment at which two copies of the entries exist.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::quality::RandomState;

use super::Bytes;
use super::index::Index;
use crate::bytes::prefetch::prefetch;

/// Entries without an index.
pub(super) const SMALL: usize = 16;

/// No slot: the end of the list of freed ones.
const NO_SLOT: u32 = u32::MAX;
/// Freed slots are given back when more than three in four are free.
const SPARSE: usize = 4;

/// One seed for the process, so that a key's hash is good for every database. Of foldhash's two
/// forms the one whose upper bits are good whatever the seed: with `fast`, one seed in a dozen
/// made look-ups half as long again.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of a key, for looking it up in more than one map.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHash(u32);

impl KeyHash {
    /// As many bits as an index keeps.
    pub(super) const BITS: u32 = 30;

    /// Hashes a key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        let mut hasher = SEED.build_hasher();
        hasher.write(key);
        KeyHash((hasher.finish() >> (64 - Self::BITS)) as u32)
    }

    /// What [`KeyHash::bits`] gave.
    pub(super) fn of_bits(bits: u32) -> Self {
        KeyHash(bits)
    }

    /// The hash as a number below 2^30.
    pub(super) fn bits(self) -> u32 {
        self.0
    }
}

#[derive(Clone, Debug)]
enum Slot<'a, V> {
    Full(Bytes<'a>, V),
    Free { next: u32 },
}

/// A map from bytes to `V`.
#[derive(Clone)]
pub struct Map<'a, V> {
    slots: Vec<Slot<'a, V>>,
    /// Without places as long as there is none.
    index: Index,
    free: u32,
    /// A freed slot was used again.
    is_mixed: bool,
    len: usize,
}

impl<V> Default for Map<'_, V> {
    fn default() -> Self {
        Map {
            slots: Vec::new(),
            index: Index::default(),
            free: NO_SLOT,
            is_mixed: false,
            len: 0,
        }
    }
}

impl<'a, V> Map<'a, V> {
    /// Makes an empty map.
    #[must_use]
    pub fn new() -> Self {
        Map::default()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether iteration goes by insertion, also if some entries were removed.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        !self.is_mixed
    }

    /// Whether slots stay where they are: no longer small.
    pub(super) fn is_indexed(&self) -> bool {
        !self.index.is_absent()
    }

    /// One more than the highest slot.
    pub(super) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        match self.is_indexed() {
            true => self.find_hashed(KeyHash::of(key), key),
            false => self.scan(key),
        }
    }

    fn scan(&self, key: &[u8]) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| matches!(slot, Slot::Full(other, _) if other.is(key)))
    }

    pub(super) fn find_hashed(&self, hash: KeyHash, key: &[u8]) -> Option<usize> {
        if !self.is_indexed() {
            return self.scan(key);
        }
        self.index.find(
            hash,
            |slot| matches!(self.slots.get(slot), Some(Slot::Full(other, _)) if other.is(key)),
        )
    }

    /// Asks for the place in the index where a key with this hash would be; of a small map for
    /// its entries.
    pub(super) fn prefetch(&self, hash: KeyHash) {
        match self.is_indexed() {
            true => self.index.prefetch(hash),
            false => self.slots.iter().for_each(prefetch),
        }
    }

    /// Asks for the first slots.
    pub(super) fn prefetch_slots(&self, many: usize) {
        self.slots.iter().take(many).for_each(prefetch);
    }

    /// Asks for the slot of the first key with this hash, which may be another key; gives it. A small
    /// map finds none.
    pub(super) fn prefetch_slot(&self, hash: KeyHash) -> Option<usize> {
        let slot = self.index.find(hash, |_| true)?;
        prefetch(self.slots.get(slot)?);
        Some(slot)
    }

    /// The entry in a slot.
    pub(super) fn slot(&self, slot: usize) -> Option<(&Bytes<'a>, &V)> {
        match self.slots.get(slot)? {
            Slot::Full(key, value) => Some((key, value)),
            Slot::Free { .. } => None,
        }
    }

    pub(super) fn slot_mut(&mut self, slot: usize) -> Option<(&Bytes<'a>, &mut V)> {
        match self.slots.get_mut(slot)? {
            Slot::Full(key, value) => Some((key, value)),
            Slot::Free { .. } => None,
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.slot(self.find(key)?).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let slot = self.find(key)?;
        self.slot_mut(slot).map(|(_, value)| value)
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// Inserts or replaces; gives back what was there.
    pub fn insert(&mut self, key: Bytes<'a>, value: V) -> Option<V> {
        let hash = self.is_indexed().then(|| KeyHash::of(&key));
        let found = match hash {
            Some(hash) => self.find_hashed(hash, &key),
            None => self.scan(&key),
        };
        match found.and_then(|slot| self.slot_mut(slot)) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.insert_new(hash, key, value);
                None
            }
        }
    }

    /// Inserts a key that is not there; gives its slot.
    pub(super) fn insert_new(&mut self, hash: Option<KeyHash>, key: Bytes<'a>, value: V) -> usize {
        if !self.is_indexed() && self.len >= SMALL {
            self.build_index(self.len + 1);
        }
        let hash = self
            .is_indexed()
            .then(|| hash.unwrap_or_else(|| KeyHash::of(&key)));
        let slot = match self.free {
            slot if slot != NO_SLOT => {
                let slot = slot as usize;
                if let Some(Slot::Free { next }) = self.slots.get(slot) {
                    self.free = *next;
                }
                self.is_mixed = true;
                self.slots[slot] = Slot::Full(key, value);
                slot
            }
            _ => {
                // By half: most collections stay small, and there are many of them.
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact((self.slots.len() / 2).max(1));
                }
                self.slots.push(Slot::Full(key, value));
                self.slots.len() - 1
            }
        };
        self.len += 1;
        if let Some(hash) = hash {
            self.index.reserve(self.len - 1, 1);
            self.index.insert(hash, slot);
        }
        slot
    }

    fn build_index(&mut self, capacity: usize) {
        let mut index = Index::for_entries(capacity);
        for (slot, entry) in self.slots.iter().enumerate() {
            if let Slot::Full(key, _) = entry {
                index.insert(KeyHash::of(key), slot);
            }
        }
        self.index = index;
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) -> Option<(Bytes<'a>, V)> {
        let hash = match self.is_indexed() {
            true => KeyHash::of(key),
            false => KeyHash::default(),
        };
        let slot = self.find_hashed(hash, key)?;
        let removed = self.remove_slot(hash, slot);
        self.shrink();
        removed
    }

    /// Empties a slot without moving any other (small maps: the later ones move up).
    pub(super) fn remove_slot(&mut self, hash: KeyHash, slot: usize) -> Option<(Bytes<'a>, V)> {
        if !matches!(self.slots.get(slot)?, Slot::Full(..)) {
            return None;
        }
        self.len -= 1;
        if !self.is_indexed() {
            return match self.slots.remove(slot) {
                Slot::Full(key, value) => Some((key, value)),
                Slot::Free { .. } => None,
            };
        }
        self.index.remove(hash, slot);
        // A slot beyond the reach of the free list is lost until the map shrinks.
        let next = self.free;
        if let Some(free) = u32::try_from(slot).ok().filter(|slot| *slot != NO_SLOT) {
            self.free = free;
        }
        match std::mem::replace(&mut self.slots[slot], Slot::Free { next }) {
            Slot::Full(key, value) => Some((key, value)),
            Slot::Free { .. } => None,
        }
    }

    /// Gives memory back when most slots are free; slots move, and then it says true.
    pub(super) fn shrink(&mut self) -> bool {
        if !self.is_indexed()
            || self.slots.len() <= 4 * SMALL
            || self.len > self.slots.len() / SPARSE
        {
            return false;
        }
        self.slots.retain(|slot| matches!(slot, Slot::Full(..)));
        self.slots.shrink_to_fit();
        self.free = NO_SLOT;
        self.index = Index::default();
        if self.len > SMALL {
            self.build_index(self.len + 1);
        }
        true
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Map::default();
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes<'a>, &V)> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Full(key, value) => Some((key, value)),
            Slot::Free { .. } => None,
        })
    }

    /// Makes room for so many more entries, and no more than these.
    pub fn reserve(&mut self, more: usize) {
        self.slots.reserve_exact(more);
        if self.is_indexed() {
            self.index.reserve(self.len, more);
        } else if self.len + more > SMALL {
            self.build_index(self.len + more);
        }
    }

    /// Hands all entries over.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (Bytes<'a>, V)> {
        self.slots.into_iter().filter_map(|slot| match slot {
            Slot::Full(key, value) => Some((key, value)),
            Slot::Free { .. } => None,
        })
    }

    /// Numbers of the slots in use.
    pub(super) fn used_slots(&self) -> impl Iterator<Item = usize> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| matches!(slot, Slot::Full(..)))
            .map(|(slot, _)| slot)
    }

    /// All entries, values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Bytes<'a>, &mut V)> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Full(key, value) => Some((&*key, value)),
            Slot::Free { .. } => None,
        })
    }
}

impl<V: std::fmt::Debug> std::fmt::Debug for Map<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn map_equals_model(ops in proptest::collection::vec((0u8..4, 0u16..200, any::<u32>()), 0..2000)) {
            let mut map = Map::new();
            let mut model = BTreeMap::new();
            for (op, key, value) in ops {
                let key = key.to_string().into_bytes();
                if op < 2 {
                    let old = map.insert(Bytes::copied(&key), value);
                    prop_assert_eq!(old, model.insert(key, value));
                } else if op == 2 {
                    let old = map.remove(&key).map(|(_, value)| value);
                    prop_assert_eq!(old, model.remove(&key));
                } else {
                    prop_assert_eq!(map.get(&key), model.get(&key));
                }
                prop_assert_eq!(map.len(), model.len());
            }
            let sorted: BTreeMap<_, _> = map.iter().map(|(k, v)| (k.to_vec(), *v)).collect();
            prop_assert_eq!(sorted, model);
        }
    }

    #[test]
    fn map_that_lost_most_entries_shrinks_and_still_finds() {
        let mut map = Map::new();
        for n in 0..10_000u32 {
            map.insert(Bytes::copied(&n.to_le_bytes()), n);
        }
        for n in 0..9_990u32 {
            assert_eq!(map.remove(&n.to_le_bytes()).map(|(_, v)| v), Some(n));
        }
        assert!(map.slot_count() < 100);
        for n in 9_990..10_000u32 {
            assert_eq!(map.get(&n.to_le_bytes()), Some(&n));
        }
    }
}
