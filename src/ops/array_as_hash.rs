//! An array as a hash, for releases that have no arrays: each index a field.

use crate::bytes::Text;
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, StoredScore, ValueSink};
use crate::model::stream::{StreamId, StreamState};

/// Tells a sink of hashes where it is told of arrays. The cursor of ARINSERT is left out.
pub(super) struct ArrayAsHash<'s, S>(pub(super) &'s mut S);

impl<S: ValueSink> ValueSink for ArrayAsHash<'_, S> {
    fn wants_score_order(&self) -> bool {
        self.0.wants_score_order()
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        let value_type = match head.value_type {
            ValueType::Array => ValueType::Hash,
            other => other,
        };
        self.0.begin_key(&KeyHead {
            value_type,
            ..*head
        });
    }

    fn string(&mut self, text: Text<'_>) {
        self.0.string(text);
    }

    fn begin_value(&mut self) {
        self.0.begin_value();
    }

    fn element(&mut self, element: Text<'_>) {
        self.0.element(element);
    }

    fn scored(&mut self, member: Text<'_>, score: f64) {
        self.0.scored(member, score);
    }

    fn scored_as_stored(&mut self, member: Text<'_>, score: f64, stored: StoredScore<'_>) {
        self.0.scored_as_stored(member, score, stored);
    }

    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        self.0.field(field, value, expire_at_ms);
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        self.0.entry(id, fields);
    }

    fn stream_state(&mut self, state: &StreamState) {
        self.0.stream_state(state);
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        let mut digits = itoa::Buffer::new();
        let field = Text::Bytes(digits.format(index).as_bytes());
        self.0.field(field, text, None);
    }

    fn array_state(&mut self, _insert_index: Option<u64>) {}

    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        encoded_len: u64,
    ) {
        self.0
            .module(name, encoding_version, data, items, encoded_len);
    }

    fn end_value(&mut self) {
        self.0.end_value();
    }

    fn end_key(&mut self) -> bool {
        self.0.end_key()
    }

    fn abandon_key(&mut self) {
        self.0.abandon_key();
    }
}
