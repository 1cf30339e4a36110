//! Looks at what the next commands need, so that it is in the processor's cache when
//! they come.
//!
//! A command on a keyspace larger than the cache waits for memory several times in a
//! row: the index, the key's slot, the value behind it, the value's own index, the
//! member. Each wait depends on the one before, but not on those of other commands.
//! So the same step is taken for a whole batch of commands before the next step,
//! and the processor waits for all of them at once. Nothing here changes anything or
//! knows what the commands do; a wrong guess costs the look.
//!
//! On the churn log of `benches/` this halves the time of a replay.

use std::hint::black_box;

use super::{Db, Entry, KeyHash, Map, Str, Value};
use crate::bytes::Text;

/// How many commands are looked at together.
pub const BATCH: usize = 32;

/// What a command may need: its key, and its next two arguments, which may be members.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'w> {
    /// The key's hash.
    pub hash: KeyHash,
    /// The member of a set, the field of a hash.
    pub first: &'w [u8],
    /// The member of a sorted set, which follows its score.
    pub second: &'w [u8],
}

fn glance(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |byte| usize::from(*byte))
}

impl Str<'_> {
    /// Looks at its beginning.
    fn glance(&self) -> usize {
        match self.text() {
            Text::Bytes(bytes) => glance(bytes),
            Text::Int(_) => 0,
        }
    }
}

impl<V> Map<'_, V> {
    /// The slot that a key most likely has, by the index alone.
    fn guess(&self, key: &[u8]) -> Option<usize> {
        self.guess_slot(KeyHash::of(key))
    }

    /// Touches a slot, or all of those of a small map.
    fn touch(&self, slot: Option<usize>) -> usize {
        match slot {
            Some(slot) => usize::from(self.slot(slot).is_some()),
            None if !self.is_indexed() => self.used_slots().count(),
            None => 0,
        }
    }
}

impl<'a> Db<'a> {
    /// Looks at the places of at most [`BATCH`] commands.
    pub fn warm(&self, wanted: &[Wanted<'_>]) {
        let keys = self.keys();
        if !keys.is_indexed() {
            return;
        }
        // Short loops, so that several turns of one fit into what the processor looks ahead.
        let looked = wanted
            .iter()
            .fold(0, |sum, wanted| sum ^ keys.touch_index(wanted.hash));
        black_box(looked);
        let mut slots = [None; BATCH];
        for (slot, wanted) in slots.iter_mut().zip(wanted) {
            *slot = keys.guess_slot(wanted.hash);
        }
        let mut touched = 0;
        let mut entries: [Option<&Entry<'a>>; BATCH] = [None; BATCH];
        for (entry, slot) in entries.iter_mut().zip(slots) {
            *entry = slot
                .and_then(|slot| keys.slot(slot))
                .map(|(_, entry)| entry);
            touched += usize::from(entry.is_some());
        }
        for entry in entries.iter().flatten() {
            touched += match entry.known_value() {
                Some(Value::List(list)) => list.len(),
                Some(Value::Set(set)) => set.len(),
                Some(Value::SortedSet(zset)) => zset.len(),
                Some(Value::Hash(hash)) => hash.len(),
                Some(Value::Stream(stream)) => stream.len(),
                _ => 0,
            };
        }
        for ((slot, entry), wanted) in slots.iter_mut().zip(entries).zip(wanted) {
            *slot = match entry.and_then(Entry::known_value) {
                Some(Value::Set(set)) => set.members().guess(wanted.first),
                Some(Value::Hash(hash)) => hash.fields().guess(wanted.first),
                Some(Value::SortedSet(zset)) => zset.members().guess(wanted.second),
                _ => None,
            };
        }
        for (slot, entry) in slots.iter().zip(entries) {
            touched += match entry.and_then(Entry::known_value) {
                Some(Value::Set(set)) => set.members().touch(*slot),
                Some(Value::Hash(hash)) => hash.fields().touch(*slot),
                Some(Value::SortedSet(zset)) => zset.members().touch(*slot),
                _ => 0,
            };
        }
        black_box(touched);
    }
}

/// Elements of a value that are looked at before it is read as a whole.
const ELEMENTS: usize = 16;

impl Entry<'_> {
    /// Looks at the values of entries that are going to be read one after another.
    pub(crate) fn warm_whole<'e>(entries: impl Iterator<Item = &'e Self> + Clone)
    where
        Self: 'e,
    {
        let values = entries.filter_map(Entry::known_value);
        let lens = values.clone().map(|value| match value {
            Value::String(text) => text.glance(),
            Value::List(list) => list.len(),
            Value::Set(set) => set.len(),
            Value::SortedSet(zset) => zset.len(),
            Value::Hash(hash) => hash.len(),
            Value::Stream(stream) => stream.len(),
            _ => 0,
        });
        black_box(lens.sum::<usize>());
        let elements = values.map(|value| match value {
            Value::List(list) => list.iter().take(ELEMENTS).map(Str::glance).sum(),
            Value::Set(set) => set.iter().take(ELEMENTS).map(|member| glance(member)).sum(),
            Value::SortedSet(zset) => {
                let members = zset.members().iter().take(ELEMENTS);
                members.map(|(member, _)| glance(member)).sum()
            }
            Value::Hash(hash) => {
                let fields = hash.iter().take(ELEMENTS);
                fields.map(|(_, field)| field.value.glance()).sum()
            }
            _ => 0,
        });
        black_box(elements.fold(0, usize::wrapping_add));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bytes, Hash, List, Set, SortedSet};
    use super::*;

    #[test]
    fn looking_ahead_changes_nothing_whatever_is_there() {
        let mut db = Db::default();
        let wanted = Wanted {
            hash: KeyHash::of(b"7"),
            first: b"7",
            second: b"7",
        };
        db.warm(&[wanted; BATCH + 1]);
        for n in 0..100i64 {
            let members = (0..n).map(|n| Bytes::from(super::super::Str::from(n)));
            let value = match n % 5 {
                0 => Value::String(n.into()),
                4 => {
                    let mut list = List::default();
                    members.for_each(|member| list.push_back(member.to_vec().into()));
                    Value::List(Box::new(list))
                }
                1 => Value::Set(Box::new(members.collect::<Set<'_>>())),
                2 => Value::SortedSet(Box::new(
                    members
                        .map(|member| (member, 1.0))
                        .collect::<SortedSet<'_>>(),
                )),
                _ => {
                    let mut hash = Hash::default();
                    members.for_each(|field| {
                        hash.insert(field, n.into());
                    });
                    Value::Hash(Box::new(hash))
                }
            };
            db.insert(Bytes::from(super::super::Str::from(n)), value.into());
        }
        let before = format!("{db:?}");
        for n in 0..200i64 {
            let text = n.to_string();
            let hash = KeyHash::of(text.as_bytes());
            db.warm(&[Wanted { hash, ..wanted }; BATCH]);
        }
        let entries: Vec<_> = db.iter().map(|(_, entry)| entry).collect();
        Entry::warm_whole(entries.into_iter());
        assert_eq!(format!("{db:?}"), before);
    }
}
