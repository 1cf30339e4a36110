//! Cluster slots: which of the 16384 a key belongs to.
//!
//! ```text
//! {user1000}.following     the slot of `user1000`
//! foo{}{bar}               of the whole key: nothing between the first brace and the one that closes it
//! foo{{bar}}zap            of `{bar`
//! ```
//!
//! The rule of `cluster.h keyHashSlot`; keys are bytes, not text.

use crate::bytes::crc16::crc16;

/// How many slots a cluster has.
pub const SLOTS: u16 = 16384;

/// The slot of a key: that of its hashtag, if it has one.
///
/// ```
/// use rdbkit::model::slot::key_slot;
///
/// assert_eq!(key_slot(b"{user1000}.following"), key_slot(b"{user1000}.followers"));
/// ```
#[must_use]
#[inline]
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_part(key)) % SLOTS
}

/// What is hashed: between the first `{` and the first `}` after it, if anything stands there.
fn hash_part(key: &[u8]) -> &[u8] {
    let tag = memchr::memchr(b'{', key).and_then(|open| {
        let rest = &key[open + 1..];
        memchr::memchr(b'}', rest).map(|close| &rest[..close])
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_cluster_keyslot() {
        let table: &[(&[u8], u16)] = &[(b"123456789", 12739), (b"foo", 12182), (b"", 0)];
        for (key, slot) in table {
            assert_eq!(key_slot(key), *slot, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn hashtag_is_between_the_first_braces() {
        let table: &[(&[u8], &[u8])] = &[
            (b"{user1000}.following", b"user1000"),
            (b"foo{}{bar}", b"foo{}{bar}"),
            (b"foo{{bar}}zap", b"{bar"),
            (b"foo{bar}{zap}", b"bar"),
            (b"a}b{c}", b"c"),
            (b"{open", b"{open"),
            (b"\x00{\xff}\x00", b"\xff"),
        ];
        for (key, part) in table {
            assert_eq!(hash_part(key), *part, "{}", key.escape_ascii());
        }
    }
}
