//! What the tests of both shapes share.

use crate::bytes::Text;
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ValueSink};

pub(super) fn head(db: u32, key: &[u8], value_type: ValueType) -> KeyHead<'_> {
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

pub(super) fn put_string(sink: &mut impl ValueSink, db: u32, key: &[u8], value: &[u8]) {
    sink.begin_key(&head(db, key, ValueType::String));
    sink.string(Text::Bytes(value));
    assert!(sink.end_key());
}
