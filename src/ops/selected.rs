//! Which keys the filters choose: records of an RDB, of JSON, entries of a keyspace.

use crate::error::Result;
use crate::json::reader::JsonKey;
use crate::rdb::Record;
use crate::select::Selection;
use crate::store::Entry;

/// Whether a record is selected. A key is expanded only if there are filters.
///
/// # Errors
/// A key that does not expand.
pub fn is_selected(
    selection: &Selection,
    record: &Record<'_>,
    key_scratch: &mut Vec<u8>,
) -> Result<bool> {
    if selection.is_everything() {
        return Ok(true);
    }
    Ok(selection.matches(
        record.db,
        record.key_bytes(key_scratch)?,
        record.value_type(),
        record.expire_at_ms,
        Some(record.encoded_len()),
    ))
}

/// Whether a key of rdbkit's own JSON is selected; its size is that of its text.
#[must_use]
pub fn is_json_selected(selection: &Selection, key: &JsonKey<'_>) -> bool {
    let size = Some(key.encoded_len());
    selection.matches(
        key.db(),
        key.key(),
        key.value_type(),
        key.expire_at_ms(),
        size,
    )
}

/// Whether a key of a keyspace is selected; it has no encoded size.
#[must_use]
pub fn is_entry_selected(selection: &Selection, db: u32, key: &[u8], entry: &Entry<'_>) -> bool {
    let (value_type, at) = (entry.value_type(), entry.expire_at_ms());
    selection.matches(db, key, value_type, at, None)
}
