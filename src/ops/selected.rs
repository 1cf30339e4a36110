//! Which records of an RDB the filters choose.

use crate::error::Result;
use crate::rdb::Record;
use crate::select::Selection;

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
