//! Numbers and ids, which every shape prints alike.

use crate::model::stream::StreamId;

/// Appends an integer.
#[inline]
pub(super) fn write_number(n: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends the id of a stream entry in quotes, `"1-0"`.
pub(super) fn write_id(id: StreamId, out: &mut Vec<u8>) {
    out.push(b'"');
    write_number(id.ms, out);
    out.push(b'-');
    write_number(id.seq, out);
    out.push(b'"');
}
