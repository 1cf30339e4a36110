//! What a conversion cannot carry: counted by kind, with some keys as examples.
//!
//! Data loss changes what a client can see, or what it would be given next; metadata only
//! helps a server, or can be learnt again.

use std::collections::BTreeMap;

/// Data that a target has no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// A stream, where there is no such type: the key.
    Stream,
    /// An array, where there is no such type: the key.
    Array,
    /// A vector set, where it is not built in: the key.
    VectorSet,
    /// A module's value, where modules cannot add types: the key.
    Module,
    /// A deadline that no file can say: -1.
    Deadline,
    /// The deadline of a hash's field.
    FieldDeadline,
    /// What modules attached to a key.
    KeyMeta,
    /// A stream's counters, which the target would guess otherwise.
    StreamCounters,
    /// An entry that was given back unacknowledged, which gets an owner.
    Nack,
    /// Producers' message ids of a stream, their settings and counters.
    Idmp,
    /// A function library.
    Function,
    /// A module's data beside its keys.
    ModuleAux,
}

impl Loss {
    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Loss::Stream => "streams",
            Loss::Array => "arrays",
            Loss::VectorSet => "vector_sets",
            Loss::Module => "module_values",
            Loss::Deadline => "deadlines",
            Loss::FieldDeadline => "field_deadlines",
            Loss::KeyMeta => "key_metadata",
            Loss::StreamCounters => "stream_counters",
            Loss::Nack => "nacks",
            Loss::Idmp => "idmp",
            Loss::Function => "functions",
            Loss::ModuleAux => "module_aux",
        }
    }

    /// What is lost, for people: `3 field deadlines`.
    #[must_use]
    pub fn describe(self, count: u64) -> String {
        let (one, many) = match self {
            Loss::Stream => ("stream", "streams"),
            Loss::Array => ("array", "arrays"),
            Loss::VectorSet => ("vector set", "vector sets"),
            Loss::Module => ("value of a module", "values of modules"),
            Loss::Deadline => ("deadline of -1", "deadlines of -1"),
            Loss::FieldDeadline => ("field deadline", "field deadlines"),
            Loss::KeyMeta => ("key's metadata", "keys' metadata"),
            Loss::StreamCounters => ("stream's counters", "streams' counters"),
            Loss::Nack => (
                "entry given back (it becomes one of the consumer \"nacked\")",
                "entries given back (they become those of the consumer \"nacked\")",
            ),
            Loss::Idmp => (
                "stream's memory of message ids",
                "streams' memories of message ids",
            ),
            Loss::Function => ("function library", "function libraries"),
            Loss::ModuleAux => (
                "record of a module beside its keys",
                "records of modules beside their keys",
            ),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

/// Metadata that a target has no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Note {
    /// Idle times and frequencies.
    EvictionData,
    /// When consumers were last active.
    ConsumerTimes,
    /// Aux fields.
    Aux,
    /// Where replication was.
    ReplicationPosition,
    /// Key counts of cluster slots.
    SlotHints,
    /// Slot migrations that were under way.
    SlotImport,
    /// Cached scripts.
    Scripts,
    /// Collections without elements, which servers take for no keys.
    EmptyKeys,
    /// Graphs of vector sets, which are made anew.
    Graphs,
    /// Arrays that became hashes.
    ArraysAsHashes,
}

impl Note {
    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Note::EvictionData => "eviction_data",
            Note::ConsumerTimes => "consumer_times",
            Note::Aux => "aux_fields",
            Note::ReplicationPosition => "replication_position",
            Note::SlotHints => "slot_hints",
            Note::SlotImport => "slot_imports",
            Note::Scripts => "scripts",
            Note::EmptyKeys => "empty_keys",
            Note::Graphs => "graphs",
            Note::ArraysAsHashes => "arrays_as_hashes",
        }
    }
}

/// How much of one kind is lost, and of which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LossCount {
    /// How often.
    pub count: u64,
    /// Databases and keys of the first.
    pub examples: Vec<(u32, Vec<u8>)>,
}

/// How many examples are kept of each kind.
const MOST_EXAMPLES: usize = 3;

/// All that a conversion cannot carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Data, by kind.
    pub data: BTreeMap<Loss, LossCount>,
    /// Metadata, by kind.
    pub notes: BTreeMap<Note, u64>,
}

impl Losses {
    /// Counts data of a key.
    pub fn add(&mut self, loss: Loss, count: u64, db: u32, key: &[u8]) {
        if count == 0 {
            return;
        }
        let entry = self.data.entry(loss).or_default();
        entry.count += count;
        if entry.examples.len() < MOST_EXAMPLES {
            entry.examples.push((db, key.to_vec()));
        }
    }

    /// Counts data that belongs to no key.
    pub fn add_keyless(&mut self, loss: Loss) {
        self.data.entry(loss).or_default().count += 1;
    }

    /// Counts metadata.
    pub fn note(&mut self, note: Note, count: u64) {
        if count > 0 {
            *self.notes.entry(note).or_default() += count;
        }
    }

    /// Adds what was counted behind this.
    pub fn merge(&mut self, other: &Losses) {
        for (loss, counted) in &other.data {
            let entry = self.data.entry(*loss).or_default();
            entry.count += counted.count;
            let room = MOST_EXAMPLES.saturating_sub(entry.examples.len());
            let examples = counted.examples.iter().take(room).cloned();
            entry.examples.extend(examples);
        }
        for (note, count) in &other.notes {
            self.note(*note, *count);
        }
    }

    /// Whether any data is lost.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        !self.data.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_add_up_and_keep_the_first_examples() {
        let mut losses = Losses::default();
        for key in 0..2u8 {
            losses.add(Loss::Stream, 1, 0, &[key]);
        }
        losses.add(Loss::Stream, 0, 0, b"none");
        let mut behind = Losses::default();
        for key in 2..7u8 {
            behind.add(Loss::Stream, 2, 1, &[key]);
        }
        behind.note(Note::Scripts, 4);
        losses.merge(&behind);
        let counted = &losses.data[&Loss::Stream];
        assert_eq!(counted.count, 12);
        assert_eq!(counted.examples, [(0, vec![0]), (0, vec![1]), (1, vec![2])]);
        assert_eq!(losses.notes[&Note::Scripts], 4);
        assert!(losses.loses_data());
    }
}
