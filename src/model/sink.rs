//! What a writer of keys and values must answer to.
//!
//! Readers walk a value and tell a [`ValueSink`] what they meet; each JSON shape
//! is one sink. Calls come in this order: `begin_key`; then `string`, or
//! `begin_value`, elements of one kind, `end_value`; then `end_key`.

use crate::bytes::Text;
use crate::model::ValueType;
use crate::model::stream::{StreamId, StreamState};

/// What is known of a key before its value.
#[derive(Clone, Copy, Debug)]
pub struct KeyHead<'k> {
    /// Database number.
    pub db: u32,
    /// The key.
    pub key: &'k [u8],
    /// Logical type.
    pub value_type: ValueType,
    /// How the source stored it; `None` after a replay.
    pub encoding: Option<&'static str>,
    /// Deadline.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the last access.
    pub idle_s: Option<u64>,
    /// LFU counter.
    pub freq: Option<u8>,
    /// Key metadata, one entry per class, if the key has any.
    pub key_meta: Option<&'k [KeyMetaEntry]>,
}

impl<'k> KeyHead<'k> {
    /// A key of which nothing else is known.
    #[must_use]
    pub fn new(db: u32, key: &'k [u8], value_type: ValueType) -> Self {
        KeyHead {
            db,
            key,
            value_type,
            encoding: None,
            expire_at_ms: None,
            idle_s: None,
            freq: None,
            key_meta: None,
        }
    }
}

/// A score as a file stores it.
#[derive(Clone, Copy, Debug)]
pub struct StoredScore<'a> {
    /// Its text, or an integer of a ziplist or listpack.
    pub text: Text<'a>,
    /// Whether that is known to be what C's `%.17g` prints for the number.
    pub is_17g: bool,
}

/// One class of key metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyMetaEntry {
    /// The class's four characters.
    pub class: String,
    /// Its version.
    pub version: u8,
    /// Its flags.
    pub flags: u8,
    /// What it stored, each item already in the form of the schema.
    pub items: Vec<ModuleField>,
}

/// An item of a module's data, decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum ModuleField {
    /// A signed integer.
    Sint(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// A string.
    String(Vec<u8>),
}

/// What the data of a module means, where that is known.
#[derive(Clone, Debug)]
pub enum ModuleData {
    /// A JSON document: its text, checked to be valid.
    Json(Vec<u8>),
    /// A vector set.
    VectorSet(crate::model::vectorset::VectorSet),
}

/// Takes keys and values, one at a time.
pub trait ValueSink {
    /// Whether members of a sorted set must come in the order of their scores, rather
    /// than as the file has them.
    fn wants_score_order(&self) -> bool {
        true
    }

    /// A key begins.
    fn begin_key(&mut self, head: &KeyHead<'_>);
    /// The value of a string.
    fn string(&mut self, text: Text<'_>);
    /// A value with elements begins.
    fn begin_value(&mut self);
    /// An element of a list, or a member of a set.
    fn element(&mut self, element: Text<'_>);
    /// A member of a sorted set and its score; ascending if [`wants_score_order`](Self::wants_score_order).
    fn scored(&mut self, member: Text<'_>, score: f64);
    /// The same, from a file that stores the score as `stored`. Called only without
    /// [`wants_score_order`](Self::wants_score_order).
    fn scored_as_stored(&mut self, member: Text<'_>, score: f64, stored: StoredScore<'_>) {
        let _ = stored;
        self.scored(member, score);
    }
    /// A field of a hash, its value and deadline.
    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>);
    /// An entry of a stream.
    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>);
    /// What follows the entries of a stream.
    fn stream_state(&mut self, state: &StreamState);
    /// An element of an array.
    fn item(&mut self, index: u64, text: Text<'_>);
    /// What follows the elements of an array.
    fn array_state(&mut self, insert_index: Option<u64>);
    /// A module's value; `encoded_len` is its length in the file.
    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        encoded_len: u64,
    );
    /// The elements are complete.
    fn end_value(&mut self);
    /// The key is complete. `false`: what was learnt on the way makes this key's
    /// text wrong; the same calls must come again, from `begin_key`.
    #[must_use]
    fn end_key(&mut self) -> bool;
    /// Forgets the key that was begun.
    fn abandon_key(&mut self);
}
