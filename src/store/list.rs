//! Lists: a deque.
//!
//! Pushes and pops at both ends and look-ups by index take constant time. LREM,
//! LINSERT and LTRIM take one pass, as they do on a server, which has to compare
//! the elements anyway; an insertion in the middle moves the shorter side, 24
//! bytes an element. A chunked list would save that move and pay for it with
//! every index; nothing here is worse than linear in a command.

use std::collections::VecDeque;

use super::Str;

/// A list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List<'a> {
    items: VecDeque<Str<'a>>,
}

impl<'a> List<'a> {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Makes room for so many more elements.
    pub fn reserve(&mut self, more: usize) {
        self.items.reserve_exact(more);
    }

    /// Adds at the head.
    pub fn push_front(&mut self, item: Str<'a>) {
        self.room_for_one();
        self.items.push_front(item);
    }

    /// Adds at the tail.
    pub fn push_back(&mut self, item: Str<'a>) {
        self.room_for_one();
        self.items.push_back(item);
    }

    /// Lists grow by half: most stay short, and there are many of them.
    fn room_for_one(&mut self) {
        if self.items.len() == self.items.capacity() {
            self.items.reserve_exact((self.items.len() / 2).max(1));
        }
    }

    /// Takes from the head.
    pub fn pop_front(&mut self) -> Option<Str<'a>> {
        let item = self.items.pop_front();
        self.give_back();
        item
    }

    /// Takes from the tail.
    pub fn pop_back(&mut self) -> Option<Str<'a>> {
        let item = self.items.pop_back();
        self.give_back();
        item
    }

    /// Gives memory back once three quarters are unused.
    fn give_back(&mut self) {
        let capacity = self.items.capacity();
        if capacity > 64 && self.items.len() < capacity / 4 {
            self.items.shrink_to(capacity / 2);
        }
    }

    /// Turns an index as commands give it, negative from the tail, into a place.
    #[must_use]
    pub fn place(&self, index: i64) -> Option<usize> {
        let len = i64::try_from(self.items.len()).ok()?;
        let index = if index < 0 {
            len.checked_add(index)?
        } else {
            index
        };
        (0..len).contains(&index).then_some(index as usize)
    }

    /// The element at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Str<'a>> {
        self.items.get(place)
    }

    /// Replaces an element; false if there is no such place.
    pub fn set(&mut self, place: usize, item: Str<'a>) -> bool {
        match self.items.get_mut(place) {
            Some(old) => {
                *old = item;
                true
            }
            None => false,
        }
    }

    /// Place of the first element that equals `pivot`.
    #[must_use]
    pub fn position(&self, pivot: &[u8]) -> Option<usize> {
        self.items.iter().position(|item| *item == *pivot)
    }

    /// Inserts before the first element that equals `pivot` (LINSERT BEFORE).
    pub fn insert_before(&mut self, pivot: &[u8], item: Str<'a>) -> bool {
        self.insert_beside(pivot, 0, item)
    }

    /// Inserts after the first element that equals `pivot` (LINSERT AFTER).
    pub fn insert_after(&mut self, pivot: &[u8], item: Str<'a>) -> bool {
        self.insert_beside(pivot, 1, item)
    }

    fn insert_beside(&mut self, pivot: &[u8], distance: usize, item: Str<'a>) -> bool {
        match self.position(pivot) {
            Some(place) => {
                self.items.insert(place + distance, item);
                true
            }
            None => false,
        }
    }

    /// Removes elements that equal `item` (LREM): all of them for 0, at most `count`
    /// from the head, or `-count` from the tail. Gives the number removed.
    pub fn remove(&mut self, count: i64, item: &[u8]) -> usize {
        let limit = match count {
            0 => usize::MAX,
            count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
        };
        let matches = |other: &Str<'_>| *other == *item;
        // From the tail: those before the limit-th from the end stay.
        let mut skip = match count {
            ..0 => self
                .items
                .iter()
                .filter(|item| matches(item))
                .count()
                .saturating_sub(limit),
            _ => 0,
        };
        let before = self.items.len();
        let mut left = limit;
        self.items.retain(|other| {
            if left == 0 || !matches(other) {
                return true;
            }
            if skip > 0 {
                skip -= 1;
                return true;
            }
            left -= 1;
            false
        });
        self.give_back();
        before - self.items.len()
    }

    /// Keeps the elements from `start` to `stop`, both included and negative from
    /// the tail (LTRIM); out of range empties the list.
    pub fn trim(&mut self, start: i64, stop: i64) {
        let len = i64::try_from(self.items.len()).unwrap_or(i64::MAX);
        let from_tail = |index: i64| {
            if index < 0 {
                len.saturating_add(index)
            } else {
                index
            }
        };
        let start = from_tail(start).max(0);
        let stop = from_tail(stop).min(len - 1);
        if start > stop || start >= len {
            self.items.clear();
        } else {
            self.items.truncate(stop as usize + 1);
            self.items.drain(..start as usize);
        }
        self.give_back();
    }

    /// The elements, head to tail.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Str<'a>> + ExactSizeIterator {
        self.items.iter()
    }
}

impl<'a> FromIterator<Str<'a>> for List<'a> {
    fn from_iter<I: IntoIterator<Item = Str<'a>>>(items: I) -> Self {
        List {
            items: items.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive_remove(model: &mut Vec<i64>, count: i64, item: i64) -> usize {
        let mut left = if count == 0 {
            u64::MAX
        } else {
            count.unsigned_abs()
        };
        let mut removed = 0;
        while left > 0 {
            let found = if count < 0 {
                model.iter().rposition(|other| *other == item)
            } else {
                model.iter().position(|other| *other == item)
            };
            let Some(place) = found else { break };
            model.remove(place);
            removed += 1;
            left -= 1;
        }
        removed
    }

    proptest! {
        #[test]
        fn list_equals_model(ops in proptest::collection::vec((0u8..10, -5i64..5, -12i64..12), 0..200)) {
            let mut list = List::default();
            let mut model: Vec<i64> = Vec::new();
            for (op, value, number) in ops {
                let text = value.to_string();
                match op {
                    0 | 1 => { list.push_back(value.into()); model.push(value); }
                    2 | 3 => { list.push_front(Str::copied(text.as_bytes())); model.insert(0, value); }
                    4 => prop_assert_eq!(list.pop_back().and_then(|s| s.parse_int()), model.pop()),
                    5 => {
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(list.pop_front().and_then(|s| s.parse_int()), expected);
                    }
                    6 => prop_assert_eq!(list.remove(number / 4, text.as_bytes()), naive_remove(&mut model, number / 4, value)),
                    7 => {
                        let place = model.iter().position(|other| *other == value);
                        if let Some(place) = place { model.insert(place + 1, 77); }
                        prop_assert_eq!(list.insert_after(text.as_bytes(), 77.into()), place.is_some());
                    }
                    8 => {
                        let place = model.iter().position(|other| *other == value);
                        if let Some(place) = place { model.insert(place, 78); }
                        prop_assert_eq!(list.insert_before(text.as_bytes(), 78.into()), place.is_some());
                    }
                    _ => {
                        let len = model.len() as i64;
                        let stop = value * 3;
                        let fix = |n: i64| if n < 0 { len + n } else { n };
                        let kept = (0..len).filter(|n| (fix(number)..=fix(stop)).contains(n));
                        model = kept.map(|n| model[n as usize]).collect();
                        list.trim(number, stop);
                    }
                }
                let got: Vec<_> = list.iter().filter_map(Str::parse_int).collect();
                prop_assert_eq!(&got, &model);
            }
        }
    }

    #[test]
    fn places_count_from_both_ends() {
        let list: List<'_> = (0..3i64).map(Str::from).collect();
        assert_eq!(list.place(-1), Some(2));
        assert_eq!(list.place(-4), None);
        assert_eq!(list.place(3), None);
        assert_eq!(list.place(i64::MIN), None);
    }
}
