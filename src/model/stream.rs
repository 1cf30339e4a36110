//! A stream's state beside its entries: counters, consumer groups, idempotent producers.

use std::fmt;
use std::ops::RangeInclusive;

/// The id of a stream entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds.
    pub ms: u64,
    /// Sequence number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// `0-0`.
    pub const MIN: StreamId = StreamId::new(0, 0);
    /// The last possible id.
    pub const MAX: StreamId = StreamId::new(u64::MAX, u64::MAX);

    /// Makes an id.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// The next id, unless this is the last.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId::new(self.ms, seq)),
            None => Some(StreamId::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id before this one; nothing comes before `0-0`.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId::new(self.ms, seq)),
            None => Some(StreamId::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// What a stream knows beside its entries; what its version lacks is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Entries that are not deleted.
    pub length: u64,
    /// The greatest id ever used.
    pub last_id: StreamId,
    /// The id of the first entry (7.0+).
    pub first_id: Option<StreamId>,
    /// The greatest id ever deleted (7.0+).
    pub max_deleted_id: Option<StreamId>,
    /// Entries ever added (7.0+).
    pub entries_added: Option<u64>,
    /// Consumer groups, in file order.
    pub groups: Vec<Group>,
    /// Idempotent producers (8.6+).
    pub idmp: Option<Idmp>,
}

impl StreamState {
    /// Whether as many entries were added as there are, and no group has read more of them:
    /// Redis 8.8 loads no other stream.
    #[must_use]
    pub fn counters_agree(&self) -> bool {
        let added = self.entries_added.unwrap_or(self.length);
        let is_possible = |group: &Group| {
            let read = group.entries_read.unwrap_or(-1);
            u64::try_from(read).is_ok_and(|read| read <= added) || read == -1
        };
        added >= self.length && self.groups.iter().all(is_possible)
    }

    /// The nearest counters that agree: what a group cannot have read is unknown.
    #[must_use]
    pub fn with_possible_counters(mut self) -> Self {
        let added = self.entries_added.unwrap_or(self.length).max(self.length);
        self.entries_added = self.entries_added.map(|_| added);
        for group in &mut self.groups {
            let is_possible = |read: &i64| u64::try_from(*read).is_ok_and(|read| read <= added);
            group.entries_read = group
                .entries_read
                .map(|read| Some(read).filter(is_possible).unwrap_or(-1));
        }
        self
    }

    /// How many entries were added up to an id, -1 if that cannot be told
    /// (`t_stream.c streamEstimateDistanceFromFirstEverEntry`). What the state lacks counts
    /// as loaders count it: nothing deleted, and as many added as there are.
    #[must_use]
    pub fn estimated_reads(&self, at: StreamId) -> i64 {
        let added = self.entries_added.unwrap_or(self.length);
        let added = i64::try_from(added).unwrap_or(i64::MAX);
        let len = i64::try_from(self.length).unwrap_or(i64::MAX);
        if added == 0 {
            return 0;
        }
        if len == 0 && at <= self.last_id {
            return added;
        }
        if at == self.last_id {
            return added;
        }
        if at > self.last_id {
            return -1;
        }
        let first = self.first_id.unwrap_or_default();
        let deleted = self.max_deleted_id.unwrap_or_default();
        let whole = deleted == StreamId::MIN || deleted < first;
        match at.cmp(&first) {
            std::cmp::Ordering::Less if whole => added - len,
            std::cmp::Ordering::Equal if whole => added - len + 1,
            _ => -1,
        }
    }
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Vec<u8>,
    /// The last id delivered.
    pub last_id: StreamId,
    /// Entries the group has read; -1 is unknown (7.0+).
    pub entries_read: Option<i64>,
    /// Delivered and not acknowledged, ascending.
    pub pending: Vec<Pending>,
    /// Consumers, in file order.
    pub consumers: Vec<Consumer>,
    /// Ids given back without acknowledgement, in the order of claiming (8.8+).
    pub nacked: Option<Vec<StreamId>>,
}

/// An entry of a group's PEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The entry.
    pub id: StreamId,
    /// Index of its owner in [`Group::consumers`]; none after a NACK.
    pub consumer: Option<u32>,
    /// When it was delivered last.
    pub delivered_at_ms: i64,
    /// How often.
    pub count: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it was seen last.
    pub seen_at_ms: i64,
    /// When it got something last; -1 is never (7.2+).
    pub active_at_ms: Option<i64>,
}

/// Settings and memory of idempotent production (Redis 8.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idmp {
    /// How long an id is remembered, in seconds.
    pub duration_s: u64,
    /// How many are remembered per producer.
    pub max: u64,
    /// Producers, in file order.
    pub producers: Vec<Producer>,
    /// Idempotent ids ever added.
    pub iids_added: u64,
    /// Duplicates ever refused.
    pub iids_duplicates: u64,
}

/// The settings of a new stream.
impl Default for Idmp {
    fn default() -> Self {
        Idmp {
            duration_s: 100,
            max: 100,
            producers: Vec::new(),
            iids_added: 0,
            iids_duplicates: 0,
        }
    }
}

impl Idmp {
    /// What [`Idmp::duration_s`] may be: servers load nothing else.
    pub const DURATIONS_S: RangeInclusive<u64> = 1..=86_400;
    /// What [`Idmp::max`] may be: servers load nothing else.
    pub const MAXIMA: RangeInclusive<u64> = 1..=10_000;

    /// Whether idempotent production was ever used or set up otherwise than by default.
    #[must_use]
    pub fn says_something(&self) -> bool {
        let default = Idmp::default();
        (self.duration_s, self.max) != (default.duration_s, default.max)
            || self.iids_added > 0
            || self.iids_duplicates > 0
            || self
                .producers
                .iter()
                .any(|producer| !producer.entries.is_empty())
    }
}

/// A producer and what it sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: Vec<u8>,
    /// Idempotent ids and the entries they made, oldest first.
    pub entries: Vec<(Vec<u8>, StreamId)>,
}
