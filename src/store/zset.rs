//! Sorted sets: member to score, and an order by (score, member bytes).
//!
//! The order is built when something first asks for a rank or a range, so logs
//! that only ZADD and ZREM never pay for it. From then on it is kept up, at
//! O(log n) a change, until twice as many changes as members came without such a
//! question. Up to 16 members are sorted when asked.
//!
//! All ranges are ranges of ranks, smallest first: [`SortedSet::score_range`] and
//! [`SortedSet::lex_range`] find them.

use std::cmp::Ordering;
use std::ops::{Bound, Range};

use super::order::Order;
use super::{Bytes, KeyHash, Map};

/// The servers' defaults of `zset-max-listpack-entries` and `zset-max-listpack-value`.
const PACKED_MEMBERS: usize = 128;
const PACKED_MEMBER_BYTES: usize = 64;

/// A sorted set.
#[derive(Clone, Debug, Default)]
pub struct SortedSet<'a> {
    members: Map<'a, f64>,
    order: Option<Box<Order>>,
    /// A server would hold it as a skip list: it once was too large to be packed.
    large: bool,
    /// Changes since the order was last used.
    changes: usize,
}

/// A bound of a range by member bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'b> {
    /// `-`, below all members.
    Min,
    /// `+`, above all members.
    Max,
    /// `[`, with the member itself.
    Included(&'b [u8]),
    /// `(`, without it.
    Excluded(&'b [u8]),
}

/// Orders scores as a server does: -0 equals 0; NaN, which none has, comes last.
fn compare_scores(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl<'a> SortedSet<'a> {
    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn members(&self) -> &Map<'a, f64> {
        &self.members
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The score of a member.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.members.get(member).copied()
    }

    /// The members; no order is promised.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes<'a>, f64)> {
        self.members.iter().map(|(member, score)| (member, *score))
    }

    /// The members by (score, bytes), sorted for the purpose.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&Bytes<'a>, f64)> {
        let mut sorted: Vec<_> = self.iter().collect();
        sorted.sort_unstable_by(|a, b| compare_scores(a.1, b.1).then_with(|| a.0.cmp(b.0)));
        sorted
    }

    /// Whether a server with default settings would hold it packed: never more than
    /// 128 members since it was made, nor one of more than 64 bytes.
    ///
    /// It matters to a score of -0 alone, whose sign such servers lose.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        !self.large
    }

    /// Says that a server would hold it as a skip list from now on.
    pub fn unpack(&mut self) {
        self.large = true;
    }

    /// Turns scores of -0 into 0 if the whole would be packed (an RDB is loaded so).
    pub fn forget_negative_zeros_if_small(&mut self) {
        let packed = self.fits_packed();
        self.large = !packed;
        if packed {
            for (_, score) in self.members.iter_mut() {
                if *score == 0.0 {
                    *score = 0.0;
                }
            }
        }
    }

    /// Whether as many members of such lengths fit a packed set.
    fn fits_packed(&self) -> bool {
        self.len() <= PACKED_MEMBERS
            && self
                .iter()
                .all(|(member, _)| member.len() <= PACKED_MEMBER_BYTES)
    }

    /// Makes room for so many more members.
    pub fn reserve(&mut self, more: usize) {
        self.members.reserve(more);
    }

    /// Sets the score of a member; gives the old one.
    pub fn insert(&mut self, member: Bytes<'a>, score: f64) -> Option<f64> {
        let hash = self.members.is_indexed().then(|| KeyHash::of(&member));
        let found = match hash {
            Some(hash) => self.members.find_hashed(hash, &member),
            None => self.members.find(&member),
        };
        self.forget_unused_order();
        let Some(slot) = found else {
            self.large |= self.len() >= PACKED_MEMBERS || member.len() > PACKED_MEMBER_BYTES;
            let slot = self.members.insert_new(hash, member, score);
            self.enter(slot);
            return None;
        };
        let rank = self.order_rank(slot);
        let old = match self.members.slot_mut(slot) {
            Some((_, old)) => std::mem::replace(old, score),
            None => return None,
        };
        if let (Some(order), Some(rank)) = (&mut self.order, rank) {
            order.remove(rank..rank + 1);
            self.enter(slot);
        }
        Some(old)
    }

    /// Removes a member; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = KeyHash::of(member);
        let slot = self.members.find_hashed(hash, member)?;
        self.forget_unused_order();
        if let Some(rank) = self.order_rank(slot)
            && let Some(order) = &mut self.order
        {
            order.remove(rank..rank + 1);
        }
        let (_, score) = self.members.remove_slot(hash, slot)?;
        self.shrink();
        Some(score)
    }

    fn shrink(&mut self) {
        if self.members.shrink() {
            self.order = None;
        }
    }

    fn forget_unused_order(&mut self) {
        if self.order.is_some() {
            self.changes += 1;
            if self.changes > 2 * self.members.len() {
                self.order = None;
            }
        }
    }

    fn compare_slots(&self, a: usize, b: usize) -> Ordering {
        match (self.members.slot(a), self.members.slot(b)) {
            (Some(a), Some(b)) => compare_scores(*a.1, *b.1).then_with(|| a.0.cmp(b.0)),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }

    /// Rank of a slot that is in the order, if there is one.
    fn order_rank(&self, slot: usize) -> Option<usize> {
        let order = self.order.as_ref()?;
        Some(order.partition(|other| self.compare_slots(other as usize, slot).is_lt()))
    }

    /// Puts a slot into the order, if there is one.
    fn enter(&mut self, slot: usize) {
        if let Some(rank) = self.order_rank(slot) {
            match (&mut self.order, u32::try_from(slot)) {
                (Some(order), Ok(slot)) => order.insert(slot, rank),
                (order, _) => *order = None,
            }
        }
    }

    fn sorted_slots(&self) -> Vec<usize> {
        let mut slots: Vec<_> = self.members.used_slots().collect();
        slots.sort_unstable_by(|a, b| self.compare_slots(*a, *b));
        slots
    }

    /// Builds the order if the set is large enough to want one.
    fn build_order(&mut self) {
        self.changes = 0;
        if self.order.is_some() || !self.members.is_indexed() {
            return;
        }
        let slots = self.sorted_slots().into_iter().map(u32::try_from);
        // Beyond 2^32 slots every question sorts.
        if let Ok(slots) = slots.collect::<Result<Vec<_>, _>>() {
            self.order = Some(Box::new(Order::build(&slots, self.members.slot_count())));
        }
    }

    /// Number of members, smallest first, for which `before` holds; it must hold for
    /// a first part of the order and for nothing after it.
    pub fn partition(&mut self, mut before: impl FnMut(&[u8], f64) -> bool) -> usize {
        self.build_order();
        let holds = |slot: usize| {
            self.members
                .slot(slot)
                .is_some_and(|(member, score)| before(member, *score))
        };
        match &self.order {
            Some(order) => {
                let mut holds = holds;
                order.partition(|slot| holds(slot as usize))
            }
            None => {
                let mut holds = holds;
                self.sorted_slots().partition_point(|slot| holds(*slot))
            }
        }
    }

    /// The rank of a member, smallest first.
    pub fn rank(&mut self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.partition(|other, other_score| {
            compare_scores(other_score, score)
                .then_with(|| other.cmp(member))
                .is_lt()
        }))
    }

    /// The ranks of the members with scores between two bounds.
    pub fn score_range(&mut self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        let start = match min {
            Bound::Unbounded => 0,
            Bound::Included(min) => self.partition(|_, score| score < min),
            Bound::Excluded(min) => self.partition(|_, score| score <= min),
        };
        let end = match max {
            Bound::Unbounded => self.len(),
            Bound::Included(max) => self.partition(|_, score| score <= max),
            Bound::Excluded(max) => self.partition(|_, score| score < max),
        };
        start..end.max(start)
    }

    /// The ranks of the members between two bounds; meaningful if all scores are equal.
    pub fn lex_range(&mut self, min: LexBound<'_>, max: LexBound<'_>) -> Range<usize> {
        let start = match min {
            LexBound::Min => 0,
            LexBound::Max => self.len(),
            LexBound::Included(min) => self.partition(|member, _| member < min),
            LexBound::Excluded(min) => self.partition(|member, _| member <= min),
        };
        let end = match max {
            LexBound::Min => 0,
            LexBound::Max => self.len(),
            LexBound::Included(max) => self.partition(|member, _| member <= max),
            LexBound::Excluded(max) => self.partition(|member, _| member < max),
        };
        start..end.max(start)
    }

    fn slots_of(&mut self, ranks: Range<usize>) -> Vec<usize> {
        let ranks = ranks.start.min(self.len())..ranks.end.min(self.len());
        if ranks.is_empty() {
            return Vec::new();
        }
        self.build_order();
        match &self.order {
            Some(order) => order
                .range(ranks)
                .into_iter()
                .map(|slot| slot as usize)
                .collect(),
            None => self.sorted_slots().get(ranks).unwrap_or_default().to_vec(),
        }
    }

    /// The members of these ranks, in order.
    pub fn range(&mut self, ranks: Range<usize>) -> Vec<(&Bytes<'a>, f64)> {
        let slots = self.slots_of(ranks);
        slots
            .into_iter()
            .filter_map(|slot| self.members.slot(slot))
            .map(|(member, score)| (member, *score))
            .collect()
    }

    /// Removes the members of these ranks and gives them, in order.
    pub fn remove_range(&mut self, ranks: Range<usize>) -> Vec<(Bytes<'a>, f64)> {
        let slots = self.slots_of(ranks.clone());
        if let Some(order) = &mut self.order {
            order.remove(ranks.start.min(order.len())..ranks.end);
        }
        let indexed = self.members.is_indexed();
        let mut removed = Vec::with_capacity(slots.len());
        if indexed {
            for slot in slots {
                let hash = match self.members.slot(slot) {
                    Some((member, _)) => KeyHash::of(member),
                    None => continue,
                };
                removed.extend(self.members.remove_slot(hash, slot));
            }
        } else {
            // Slots of a small map move: look each up by name.
            let names: Vec<_> = slots
                .iter()
                .filter_map(|slot| self.members.slot(*slot))
                .map(|(member, _)| member.clone())
                .collect();
            for name in names {
                removed.extend(self.members.remove(&name));
            }
        }
        self.shrink();
        removed
    }
}

impl<'a> FromIterator<(Bytes<'a>, f64)> for SortedSet<'a> {
    fn from_iter<I: IntoIterator<Item = (Bytes<'a>, f64)>>(members: I) -> Self {
        let mut set = SortedSet::default();
        for (member, score) in members {
            set.insert(member, score);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sorted_model(model: &BTreeMap<Vec<u8>, f64>) -> Vec<(Vec<u8>, f64)> {
        let mut sorted: Vec<_> = model.iter().map(|(m, s)| (m.clone(), *s)).collect();
        sorted.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
        sorted
    }

    proptest! {
        #[test]
        fn sorted_set_equals_model(ops in proptest::collection::vec((0u8..16, 0u16..120, -4i8..4), 0..600)) {
            let mut set = SortedSet::default();
            let mut model: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
            for (op, name, score) in ops {
                let name = name.to_string().into_bytes();
                let score = f64::from(score);
                match op {
                    0..=9 => {
                        let old = set.insert(Bytes::copied(&name), score);
                        prop_assert_eq!(old, model.insert(name, score));
                    }
                    10 | 11 => prop_assert_eq!(set.remove(&name), model.remove(&name)),
                    12 => {
                        let expected = sorted_model(&model).iter().position(|(m, _)| *m == name);
                        prop_assert_eq!(set.rank(&name), expected);
                    }
                    13 => {
                        let ranks = set.score_range(Bound::Included(score), Bound::Excluded(score + 2.0));
                        let got: Vec<_> = set.range(ranks).into_iter().map(|(m, s)| (m.to_vec(), s)).collect();
                        let expected: Vec<_> = sorted_model(&model).into_iter().filter(|(_, s)| *s >= score && *s < score + 2.0).collect();
                        prop_assert_eq!(got, expected);
                    }
                    14 => {
                        let got: Vec<_> = set.remove_range(0..2).into_iter().map(|(m, s)| (m.to_vec(), s)).collect();
                        let expected: Vec<_> = sorted_model(&model).into_iter().take(2).collect();
                        for (member, _) in &expected { model.remove(member); }
                        prop_assert_eq!(got, expected);
                    }
                    _ => {
                        let got: Vec<_> = set.sorted().into_iter().map(|(m, s)| (m.to_vec(), s)).collect();
                        prop_assert_eq!(got, sorted_model(&model));
                    }
                }
                prop_assert_eq!(set.len(), model.len());
            }
        }

        #[test]
        fn lex_ranges_equal_model(names in proptest::collection::btree_set("[a-d]{0,3}", 0..60), a in "[a-d]{0,3}", b in "[a-d]{0,3}") {
            let mut set: SortedSet<'_> = names.iter().map(|name| (Bytes::copied(name.as_bytes()), 0.0)).collect();
            let ranks = set.lex_range(LexBound::Included(a.as_bytes()), LexBound::Excluded(b.as_bytes()));
            let got: Vec<_> = set.range(ranks).into_iter().map(|(m, _)| m.to_vec()).collect();
            let expected: Vec<_> = names.iter().filter(|n| **n >= a && **n < b).map(|n| n.clone().into_bytes()).collect();
            prop_assert_eq!(got, expected);
            let all = set.lex_range(LexBound::Min, LexBound::Max);
            prop_assert_eq!(all, 0..names.len());
        }
    }
}
