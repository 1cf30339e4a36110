//! Streams: entries by id, the counters, consumer groups and IDMP records.
//!
//! A B-tree keeps the entries: appending, trimming the head and deleting anywhere
//! take O(log n). The first id is that of the first entry; the others are counters
//! that commands move by their own rules (aof replay sets them, nothing here does
//! except [`Stream::append`]).

use std::collections::{BTreeMap, VecDeque};

use super::{Bytes, Group, Map};
use crate::model::stream as model;

pub use super::fields::{Fields, Pairs};
pub use crate::model::stream::StreamId;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream<'a> {
    /// The entries that are there.
    pub entries: BTreeMap<StreamId, Fields<'a>>,
    /// The highest id ever added.
    pub last_id: StreamId,
    /// The highest id ever deleted (XDEL, not trimming).
    pub max_deleted_id: StreamId,
    /// Number of entries ever added.
    pub entries_added: u64,
    /// Consumer groups by name.
    pub groups: BTreeMap<Bytes<'a>, Group<'a>>,
    /// Deduplication by message ids (Redis 8.6).
    pub idmp: Idmp<'a>,
}

impl<'a> Stream<'a> {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none. An empty stream is still a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The id of the first entry, or `0-0`.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.entries
            .first_key_value()
            .map_or(StreamId::MIN, |(id, _)| *id)
    }

    /// Adds an entry and moves `last_id` and `entries_added`; false, and nothing
    /// done, if the id is not above `last_id` or is `0-0`.
    pub fn append(&mut self, id: StreamId, fields: Fields<'a>) -> bool {
        if id <= self.last_id {
            return false;
        }
        self.entries.insert(id, fields);
        self.last_id = id;
        self.entries_added = self.entries_added.saturating_add(1);
        true
    }

    /// Deletes an entry and moves `max_deleted_id` (XDEL).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let deleted = self.entries.remove(&id).is_some();
        if deleted {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        deleted
    }

    /// Removes entries from the head until `len` are left (MAXLEN); gives their ids.
    pub fn trim_to_len(&mut self, len: usize) -> Vec<StreamId> {
        let surplus = self.entries.len().saturating_sub(len);
        let mut removed = Vec::with_capacity(surplus);
        while removed.len() < surplus {
            match self.entries.pop_first() {
                Some((id, _)) => removed.push(id),
                None => break,
            }
        }
        removed
    }

    /// Removes the entries below an id (MINID); gives their ids.
    pub fn trim_below(&mut self, min: StreamId) -> Vec<StreamId> {
        let mut removed = Vec::new();
        while let Some(first) = self
            .entries
            .first_entry()
            .filter(|first| *first.key() < min)
        {
            removed.push(first.remove_entry().0);
        }
        removed
    }
}

/// Which message ids producers have used, so that a repeated XADD does nothing.
#[derive(Clone, Debug)]
pub struct Idmp<'a> {
    /// Seconds for which a message id is remembered.
    pub duration_s: u64,
    /// Message ids remembered per producer.
    pub max_entries: u64,
    /// Producers by id.
    pub producers: BTreeMap<Bytes<'a>, Producer<'a>>,
    /// Message ids ever added.
    pub iids_added: u64,
    /// Repetitions ever seen.
    pub iids_duplicates: u64,
}

impl Default for Idmp<'_> {
    fn default() -> Self {
        let settings = model::Idmp::default();
        Idmp {
            duration_s: settings.duration_s,
            max_entries: settings.max,
            producers: BTreeMap::new(),
            iids_added: 0,
            iids_duplicates: 0,
        }
    }
}

impl<'a> Idmp<'a> {
    /// Whether nothing was ever set or recorded.
    #[must_use]
    pub fn is_default(&self) -> bool {
        let Idmp {
            duration_s,
            max_entries,
            ..
        } = Idmp::default();
        self.producers.is_empty()
            && self.iids_added == 0
            && self.iids_duplicates == 0
            && (self.duration_s, self.max_entries) == (duration_s, max_entries)
    }

    /// The entry that a producer's message id stands for.
    #[must_use]
    pub fn find(&self, producer: &[u8], iid: &[u8]) -> Option<StreamId> {
        self.producers.get(producer)?.find(iid)
    }
}

/// The message ids of one producer, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Producer<'a> {
    by_iid: Map<'a, StreamId>,
    oldest: VecDeque<Bytes<'a>>,
}

impl<'a> Producer<'a> {
    /// Number of message ids.
    #[must_use]
    pub fn len(&self) -> usize {
        self.oldest.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.oldest.is_empty()
    }

    /// The entry that a message id stands for.
    #[must_use]
    pub fn find(&self, iid: &[u8]) -> Option<StreamId> {
        self.by_iid.get(iid).copied()
    }

    /// Remembers a message id as the newest; false if it is known already.
    pub fn insert(&mut self, iid: Bytes<'a>, id: StreamId) -> bool {
        if self.by_iid.contains(&iid) {
            return false;
        }
        self.oldest.push_back(iid.clone());
        self.by_iid.insert(iid, id);
        true
    }

    /// Forgets the oldest message id.
    pub fn pop_oldest(&mut self) -> Option<(Bytes<'a>, StreamId)> {
        let iid = self.oldest.pop_front()?;
        self.by_iid.remove(&iid)
    }

    /// The message ids, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes<'a>, StreamId)> {
        self.oldest
            .iter()
            .filter_map(|iid| Some((iid, *self.by_iid.get(iid)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_counters_move_as_commands_say() {
        let mut stream = Stream::default();
        assert!(!stream.append(StreamId::MIN, Fields::default()));
        for ms in 1..=10 {
            assert!(stream.append(StreamId::new(ms, 0), Fields::default()));
        }
        assert!(!stream.append(StreamId::new(10, 0), Fields::default()));
        assert!(stream.delete(StreamId::new(5, 0)));
        assert!(!stream.delete(StreamId::new(5, 0)));
        assert_eq!(stream.trim_to_len(7).len(), 2);
        assert_eq!(stream.trim_below(StreamId::new(6, 0)).len(), 2);
        assert_eq!(stream.first_id(), StreamId::new(6, 0));
        assert_eq!(stream.max_deleted_id, StreamId::new(5, 0));
        assert_eq!((stream.len(), stream.entries_added), (5, 10));
        assert_eq!(StreamId::new(1, u64::MAX).next(), Some(StreamId::new(2, 0)));
        assert_eq!(StreamId::MAX.next(), None);
    }

    #[test]
    fn producers_forget_the_oldest_first() {
        let mut producer = Producer::default();
        for n in 0..40u64 {
            let iid = Bytes::from(n.to_string().into_bytes());
            assert!(producer.insert(iid.clone(), StreamId::new(n, 0)));
            assert!(!producer.insert(iid, StreamId::MAX));
        }
        for n in 0..20u64 {
            assert_eq!(
                producer.pop_oldest().map(|(_, id)| id),
                Some(StreamId::new(n, 0))
            );
        }
        assert_eq!(producer.find(b"19"), None);
        let left: Vec<_> = producer.iter().map(|(_, id)| id.ms).collect();
        assert_eq!(left, (20..40).collect::<Vec<_>>());
    }
}
