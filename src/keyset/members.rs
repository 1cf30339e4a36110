//! "Seen before?" within one value: members of a set, fields of a hash.
//!
//! A [`MemberSet`] keeps 8 bytes per element, the hash, and serves one value after
//! the other. It tells which hashes occur twice; as two elements may share a
//! hash, the caller walks the value again and compares those few.

use std::hash::{BuildHasher, Hasher};

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
    /// Halves of hashes.
    table: Vec<u32>,
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
            (None, Text::Bytes(bytes)) => {
                let mut hasher = self.hasher.build_hasher();
                hasher.write(bytes);
                hasher.finish()
            }
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
            some if some <= MOST_IN_TABLE => may_repeat_by_table(&self.hashes, &mut self.table),
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
/// Compares 16 bits of each with each, eight at a time: folding without a branch lets the
/// compiler use vector registers. In full only if that finds any.
fn has_repeat(hashes: &[u64]) -> bool {
    let mut short = [0_u16; FEW];
    let short = &mut short[..hashes.len().min(FEW)];
    for (short, hash) in short.iter_mut().zip(hashes) {
        *short = *hash as u16;
    }
    let may_repeat = short.iter().enumerate().any(|(index, hash)| {
        let differences = short[..index].iter().map(|other| u16::from(other == hash));
        differences.fold(0, |any, same| any | same) != 0
    });
    may_repeat
        && hashes
            .iter()
            .enumerate()
            .any(|(index, hash)| hashes[..index].contains(hash))
}

/// Whether a hash may occur twice: enters the upper halves into a table at most half full, which
/// takes some nanoseconds each, where sorting takes ten times that. Equal halves of different
/// hashes are as good as never met.
fn may_repeat_by_table(hashes: &[u64], table: &mut Vec<u32>) -> bool {
    let slots = (2 * hashes.len()).next_power_of_two();
    table.clear();
    table.resize(slots, 0);
    for &hash in hashes {
        // 0 marks a free slot.
        let half = ((hash >> 32) as u32).max(1);
        let mut slot = hash as usize;
        loop {
            let entry = &mut table[slot & (slots - 1)];
            if *entry == 0 {
                *entry = half;
                break;
            }
            if *entry == half {
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
