//! The keyspace: what a server would hold in memory.
//!
//! A [`Store`] has numbered databases, a [`Db`] has keys, a key has an [`Entry`]:
//! a [`Value`] and perhaps a deadline. Nothing here does I/O or expires; deadlines are kept
//! as they are, in milliseconds since 1970.
//!
//! | type | structure | file |
//! |---|---|---|
//! | string, HyperLogLog | [`Str`] | `text.rs`, `hll.rs` |
//! | list | deque | `list.rs` |
//! | set | [`Map`] without values | `set.rs` |
//! | sorted set | [`Map`] to scores, order built when first asked for | `zset.rs`, `order.rs` |
//! | hash | [`Map`] to values with deadlines | `hash.rs` |
//! | stream | B-tree by id, fields in one piece, groups, IDMP | `stream.rs`, `fields.rs`, `group.rs` |
//! | array, vector set, module | sparse B-tree, [`Map`], raw bytes | `other.rs` |
//! | any, as its RDB stores it, until a command asks for it | slice of the file | `packed.rs` |
//!
//! `load.rs`, `load_stream.rs` and `load_vectors.rs` make values of what an RDB stores.
//!
//! Collections vanish when they become empty, except streams: commands call
//! [`Db::remove_if_empty`] after they took something out.

mod dbs;
pub mod digest;
mod fields;
pub mod group;
pub mod hash;
pub mod hll;
mod index;
pub mod keyspace;
pub mod list;
pub(crate) mod load;
pub(crate) mod load_stream;
mod load_vectors;
pub mod map;
#[cfg(test)]
mod model_tests;
mod order;
pub mod other;
mod packed;
pub mod set;
pub mod stream;
pub mod text;
pub(crate) mod warm;
pub mod zset;

pub use group::{Consumer, Group, Owner, Pending};
pub use hash::{Field, Hash};
pub use keyspace::{Db, Entry, KeySlot, OccupiedKey, Store, VacantKey, Value};
pub use list::List;
pub use map::{KeyHash, Map};
pub use other::{Array, Module, Projection, Quantization, Vector, VectorSet};
pub use set::Set;
pub use stream::{Idmp, Producer, Stream, StreamId};
pub use text::{Bytes, Str};
pub use zset::{LexBound, SortedSet};

/// An optional deadline in one word: milliseconds since 1970.
///
/// `i64::MIN` stands for none; a deadline of that very value, before the age of
/// the universe, is kept as one millisecond later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Deadline(i64);

impl Deadline {
    /// No deadline.
    pub const NONE: Deadline = Deadline(i64::MIN);

    /// A deadline.
    #[must_use]
    pub fn at(ms: i64) -> Self {
        Deadline(ms.max(i64::MIN + 1))
    }

    /// The deadline, if there is one.
    #[must_use]
    pub fn get(self) -> Option<i64> {
        (self != Deadline::NONE).then_some(self.0)
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Deadline::NONE
    }
}

impl From<Option<i64>> for Deadline {
    fn from(ms: Option<i64>) -> Self {
        ms.map_or(Deadline::NONE, Deadline::at)
    }
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}
