//! "Seen before?" within one value: members of a set, fields of a hash.
//!
//! A [`MemberSet`] keeps 8 bytes per element, the hash, and serves one value after
//! the other. It tells which hashes occur twice; as two elements may share a
//! hash, the caller walks the value again and compares those few.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::bytes::Text;
use crate::encoding::integer;

/// Up to here comparing each with each is faster than sorting.
const FEW: usize = 64;
/// Beyond this a table would leave the cache, and cost as much as sorting.
const MOST_IN_TABLE: usize = 1 << 16;
/// Capacity that is kept for the next value.
const KEPT_HASHES: usize = 1 << 20;

/// The hashes of a value's elements.
///
/// ```
/// use rdbkit::bytes::Text;
/// use rdbkit::keyset::members::MemberSet;
///
/// let mut members = MemberSet::new();
/// for member in [Text::Bytes(b"a"), Text::Int(1), Text::Bytes(b"1")] {
///     let hash = members.hash(member);
///     members.insert(hash);
/// }
/// let again = members.hash(Text::Int(1));
/// assert_eq!(members.candidates(), [again]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemberSet {
    hasher: RandomState,
    hashes: Vec<u64>,
    table: Vec<u64>,
}

impl MemberSet {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        MemberSet::default()
    }

    /// Hashes an element; an integer and its decimal text are the same element.
    #[must_use]
    #[inline]
    pub fn hash(&self, element: Text<'_>) -> u64 {
        // As a number if it is one, however it is stored: printing it would cost more.
        match (integer(element), element) {
            (Some(n), _) | (None, Text::Int(n)) => self.hasher.hash_one(n),
            (None, Text::Bytes(bytes)) => self.hasher.hash_one(bytes),
        }
    }

    /// Adds an element by its hash.
    #[inline]
    pub fn insert(&mut self, hash: u64) {
        self.hashes.push(hash);
    }

    /// Makes the set ready for another value. Much memory is given back.
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.hashes.shrink_to(KEPT_HASHES);
    }

    /// The hashes that occur more than once, ascending, each once; the set holds nothing else afterwards.
    ///
    /// A binary search in them says whether an element of a second walk is worth comparing.
    pub fn candidates(&mut self) -> &[u64] {
        let may_repeat = match self.hashes.len() {
            0 | 1 => false,
            few if few <= FEW => has_repeat(&self.hashes),
            some if some <= MOST_IN_TABLE => has_repeat_by_table(&self.hashes, &mut self.table),
            _ => true,
        };
        if !may_repeat {
            self.hashes.clear();
            return &[];
        }
        self.hashes.sort_unstable();
        let (mut kept, mut start) = (0, 0);
        for end in 1..=self.hashes.len() {
            if self.hashes.get(end) == self.hashes.get(start) {
                continue;
            }
            if end - start > 1 {
                self.hashes[kept] = self.hashes[start];
                kept += 1;
            }
            start = end;
        }
        self.hashes.truncate(kept);
        &self.hashes
    }
}

/// Whether a hash occurs twice among a few.
///
/// Folding without a branch lets the compiler use vector registers.
fn has_repeat(hashes: &[u64]) -> bool {
    hashes.iter().enumerate().any(|(index, hash)| {
        hashes[..index]
            .iter()
            .fold(false, |any, other| any | (other == hash))
    })
}

/// Whether a hash occurs twice: enters them into a table at most half full, which takes
/// some nanoseconds each, where sorting takes ten times that.
fn has_repeat_by_table(hashes: &[u64], table: &mut Vec<u64>) -> bool {
    let slots = (2 * hashes.len()).next_power_of_two();
    table.clear();
    table.resize(slots, 0);
    for &hash in hashes {
        // 0 marks a free slot.
        let hash = hash.max(1);
        let mut slot = hash as usize;
        loop {
            let entry = &mut table[slot & (slots - 1)];
            if *entry == 0 {
                *entry = hash;
                break;
            }
            if *entry == hash {
                return true;
            }
            slot = slot.wrapping_add(1);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn candidates_are_those_of_a_map(values in proptest::collection::vec(0..60u64, 0..200)) {
            let mut members = MemberSet::new();
            for _ in 0..2 {
                members.clear();
                values.iter().for_each(|&hash| members.insert(hash));
                let twice = |n: &u64| values.iter().filter(|value| *value == n).count() > 1;
                let expected: Vec<u64> = (0..60).filter(twice).collect();
                prop_assert_eq!(members.candidates(), &expected[..]);
            }
        }
    }

    #[test]
    fn integers_are_their_text() {
        let members = MemberSet::new();
        assert_eq!(
            members.hash(Text::Int(-12)),
            members.hash(Text::Bytes(b"-12"))
        );
        assert_ne!(
            members.hash(Text::Int(-12)),
            members.hash(Text::Bytes(b"12"))
        );
    }
}
