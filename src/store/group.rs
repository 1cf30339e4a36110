//! Consumer groups: who has been given which entries of a stream.
//!
//! The pending entries list (PEL) of the group holds each id once, with its
//! owner: a consumer, or nobody since an XNACK (Redis 8.8). Released entries also
//! stand in the NACK zone, oldest release first.

use std::collections::BTreeMap;

use super::{Bytes, StreamId};

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The last id given to any consumer.
    pub last_id: StreamId,
    /// Number of entries read, -1 if unknown.
    pub entries_read: i64,
    pending: BTreeMap<StreamId, Pending>,
    zone: BTreeMap<u64, StreamId>,
    consumers: BTreeMap<Bytes<'a>, Consumer>,
    names: Vec<Option<Bytes<'a>>>,
    released: u64,
}

/// A consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    number: usize,
    pending: usize,
    /// When it was last heard of.
    pub seen_at_ms: i64,
    /// When it last got or claimed something, -1 if never.
    pub active_at_ms: i64,
}

impl Consumer {
    /// Number of entries that it owns.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }
}

/// One pending entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    owner: Holder,
    /// When it was last delivered.
    pub delivered_at_ms: i64,
    /// How often it was.
    pub count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Consumer(usize),
    Zone(u64),
}

/// Who owns a pending entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'b> {
    /// The consumer of that name.
    Consumer(&'b [u8]),
    /// Nobody: it was released.
    Nobody,
}

impl<'a> Group<'a> {
    /// Makes a group without consumers.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: i64) -> Self {
        Group {
            last_id,
            entries_read,
            pending: BTreeMap::new(),
            zone: BTreeMap::new(),
            consumers: BTreeMap::new(),
            names: Vec::new(),
            released: 0,
        }
    }

    /// The consumer of a name.
    #[must_use]
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// The consumer of a name, to be changed.
    pub fn consumer_mut(&mut self, name: &[u8]) -> Option<&mut Consumer> {
        self.consumers.get_mut(name)
    }

    /// Makes a consumer, seen at a time and never active; false if it is there.
    pub fn create_consumer(&mut self, name: Bytes<'a>, seen_at_ms: i64) -> bool {
        if self.consumers.contains_key(&*name) {
            return false;
        }
        let consumer = Consumer {
            number: self.names.len(),
            pending: 0,
            seen_at_ms,
            active_at_ms: -1,
        };
        self.names.push(Some(name.clone()));
        self.consumers.insert(name, consumer);
        true
    }

    /// Deletes a consumer with what it owns; gives the number of entries dropped.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        let holder = Holder::Consumer(consumer.number);
        if consumer.pending > 0 {
            self.pending.retain(|_, pending| pending.owner != holder);
        }
        if let Some(name) = self.names.get_mut(consumer.number) {
            *name = None;
        }
        Some(consumer.pending)
    }

    /// Consumers by name.
    pub fn consumers(&self) -> impl Iterator<Item = (&Bytes<'a>, &Consumer)> {
        self.consumers.iter()
    }

    /// A pending entry.
    #[must_use]
    pub fn pending(&self, id: StreamId) -> Option<(Owner<'_>, &Pending)> {
        let pending = self.pending.get(&id)?;
        Some((self.owner(pending), pending))
    }

    /// A pending entry whose time and count are to be changed.
    pub fn pending_mut(&mut self, id: StreamId) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    fn owner(&self, pending: &Pending) -> Owner<'_> {
        match pending.owner {
            Holder::Zone(_) => Owner::Nobody,
            Holder::Consumer(number) => match self.names.get(number) {
                Some(Some(name)) => Owner::Consumer(name),
                _ => Owner::Nobody,
            },
        }
    }

    /// Number of pending entries.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The pending entries by id.
    pub fn iter_pending(&self) -> impl Iterator<Item = (StreamId, Owner<'_>, &Pending)> {
        self.pending
            .iter()
            .map(|(id, pending)| (*id, self.owner(pending), pending))
    }

    /// The pending entries by id, those below an id left out.
    pub fn iter_pending_from(
        &self,
        first: StreamId,
    ) -> impl Iterator<Item = (StreamId, Owner<'_>, &Pending)> {
        self.pending
            .range(first..)
            .map(|(id, pending)| (*id, self.owner(pending), pending))
    }

    /// The ids of released entries, oldest release first.
    pub fn nacked(&self) -> impl Iterator<Item = StreamId> {
        self.zone.values().copied()
    }

    /// Gives an entry to a consumer that exists, from whoever had it; false if
    /// there is no such consumer.
    pub fn assign(&mut self, id: StreamId, to: &[u8], delivered_at_ms: i64, count: u64) -> bool {
        let Some(number) = self.consumers.get(to).map(|consumer| consumer.number) else {
            return false;
        };
        self.acknowledge(id);
        if let Some(consumer) = self.consumers.get_mut(to) {
            consumer.pending += 1;
        }
        let pending = Pending {
            owner: Holder::Consumer(number),
            delivered_at_ms,
            count,
        };
        self.pending.insert(id, pending);
        true
    }

    /// Puts an entry at the end of the NACK zone, from whoever had it.
    pub fn release(&mut self, id: StreamId, delivered_at_ms: i64, count: u64) {
        self.acknowledge(id);
        self.zone.insert(self.released, id);
        let pending = Pending {
            owner: Holder::Zone(self.released),
            delivered_at_ms,
            count,
        };
        self.released += 1;
        self.pending.insert(id, pending);
    }

    /// Takes an entry off the list (XACK); false if it is not on it.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        match pending.owner {
            Holder::Zone(order) => {
                self.zone.remove(&order);
            }
            Holder::Consumer(number) => {
                if let Some(Some(name)) = self.names.get(number)
                    && let Some(consumer) = self.consumers.get_mut(&**name)
                {
                    consumer.pending = consumer.pending.saturating_sub(1);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn group_equals_model(ops in proptest::collection::vec((0u8..6, 0u64..20, 0u8..4), 0..300)) {
            let mut group = Group::new(StreamId::MIN, -1);
            // id to consumer, None for released; and the order of releases
            let mut model: BTreeMap<u64, Option<u8>> = BTreeMap::new();
            let mut zone: Vec<u64> = Vec::new();
            for (op, id, name) in ops {
                let stream_id = StreamId::new(id, 0);
                match op {
                    0..=2 => {
                        group.create_consumer(Bytes::copied(&[name]), 0);
                        prop_assert!(group.assign(stream_id, &[name], 1, 1));
                        zone.retain(|other| *other != id);
                        model.insert(id, Some(name));
                    }
                    3 => {
                        group.release(stream_id, 0, 2);
                        zone.retain(|other| *other != id);
                        zone.push(id);
                        model.insert(id, None);
                    }
                    4 => {
                        zone.retain(|other| *other != id);
                        prop_assert_eq!(group.acknowledge(stream_id), model.remove(&id).is_some());
                    }
                    _ => {
                        let before = model.len();
                        model.retain(|_, owner| *owner != Some(name));
                        prop_assert_eq!(group.delete_consumer(&[name]).unwrap_or(0), before - model.len());
                    }
                }
                let got: BTreeMap<_, _> = group.iter_pending().map(|(id, owner, _)| (id.ms, match owner {
                    Owner::Consumer(name) => Some(name[0]),
                    Owner::Nobody => None,
                })).collect();
                prop_assert_eq!(&got, &model);
                prop_assert_eq!(group.nacked().map(|id| id.ms).collect::<Vec<_>>(), zone.clone());
                for (name, consumer) in group.consumers() {
                    let owned = model.values().filter(|owner| **owner == Some(name[0])).count();
                    prop_assert_eq!(consumer.pending(), owned);
                }
            }
        }
    }
}
