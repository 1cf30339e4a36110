//! Hashes: field to value, a field perhaps with a deadline of its own.
//!
//! Deadlines are only kept; whether a field past its deadline counts is for the
//! reader to decide (the number of fields counts it, as HLEN does).

use super::{Bytes, Deadline, Map, Str};

/// A packed hash has at most so many fields in servers' default settings.
const MAX_PACKED: usize = 512;
/// And so many bytes in a name or value.
const MAX_PACKED_BYTES: usize = 64;

/// A hash.
#[derive(Clone, Debug, Default)]
pub struct Hash<'a> {
    fields: Map<'a, Field<'a>>,
    deadlines: u32,
    /// It has been too large for a packed hash.
    is_unpacked: bool,
}

/// The value of a field.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The value; changing it leaves the deadline alone.
    pub value: Str<'a>,
    deadline: Deadline,
}

impl Field<'_> {
    /// The deadline.
    #[must_use]
    pub fn expire_at_ms(&self) -> Option<i64> {
        self.deadline.get()
    }
}

impl<'a> Hash<'a> {
    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn fields(&self) -> &Map<'a, Field<'a>> {
        &self.fields
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Number of fields with a deadline.
    #[must_use]
    pub fn deadlines(&self) -> usize {
        self.deadlines as usize
    }

    /// Whether [`Hash::iter`] goes by the order that a server's HGETALL has: that of
    /// insertion, as long as the hash has never been too large for a packed one.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        !self.is_unpacked && self.fields.is_in_order()
    }

    /// A field.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&Field<'a>> {
        self.fields.get(field)
    }

    /// A field whose value is to be changed in place.
    pub fn get_mut(&mut self, field: &[u8]) -> Option<&mut Field<'a>> {
        self.fields.get_mut(field)
    }

    /// Whether the field is there.
    #[must_use]
    pub fn contains(&self, field: &[u8]) -> bool {
        self.fields.contains(field)
    }

    /// Makes room for so many more fields.
    pub fn reserve(&mut self, more: usize) {
        self.fields.reserve(more);
    }

    /// Sets a field and clears its deadline (HSET); true if it is new.
    pub fn insert(&mut self, field: Bytes<'a>, value: Str<'a>) -> bool {
        self.insert_until(field, value, None)
    }

    /// Sets a field and its deadline; true if it is new.
    pub fn insert_until(
        &mut self,
        field: Bytes<'a>,
        value: Str<'a>,
        expire_at_ms: Option<i64>,
    ) -> bool {
        let deadline = Deadline::from(expire_at_ms);
        self.is_unpacked |= field.len() > MAX_PACKED_BYTES
            || value.len() > MAX_PACKED_BYTES
            || self.fields.len() >= MAX_PACKED;
        let old = self.fields.insert(field, Field { value, deadline });
        self.deadlines += u32::from(deadline.is_some());
        self.deadlines -= u32::from(old.as_ref().is_some_and(|old| old.deadline.is_some()));
        old.is_none()
    }

    /// Sets a field and keeps the deadline it has (HINCRBY, KEEPTTL); true if it is new.
    pub fn insert_keeping(&mut self, field: Bytes<'a>, value: Str<'a>) -> bool {
        match self.fields.get_mut(&field) {
            Some(old) => {
                self.is_unpacked |= value.len() > MAX_PACKED_BYTES;
                old.value = value;
                false
            }
            None => self.insert(field, value),
        }
    }

    /// Sets or clears the deadline of a field; false if there is no such field.
    pub fn set_expire_at_ms(&mut self, field: &[u8], expire_at_ms: Option<i64>) -> bool {
        let Some(field) = self.fields.get_mut(field) else {
            return false;
        };
        let deadline = Deadline::from(expire_at_ms);
        self.deadlines += u32::from(deadline.is_some());
        self.deadlines -= u32::from(field.deadline.is_some());
        field.deadline = deadline;
        true
    }

    /// Removes a field.
    pub fn remove(&mut self, field: &[u8]) -> Option<Field<'a>> {
        let (_, field) = self.fields.remove(field)?;
        self.deadlines -= u32::from(field.deadline.is_some());
        Some(field)
    }

    /// The fields; in order of insertion while [`Hash::is_in_order`] says so.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes<'a>, &Field<'a>)> {
        self.fields.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_follow_the_field() {
        let mut hash = Hash::default();
        assert!(hash.insert_until(Bytes::borrowed(b"f"), 1.into(), Some(10)));
        assert!(!hash.insert_keeping(Bytes::borrowed(b"f"), 2.into()));
        assert_eq!(hash.get(b"f").unwrap().expire_at_ms(), Some(10));
        assert_eq!(hash.deadlines(), 1);
        assert!(!hash.insert(Bytes::borrowed(b"f"), 3.into()));
        assert_eq!((hash.deadlines(), hash.len()), (0, 1));
        assert!(hash.set_expire_at_ms(b"f", Some(20)));
        assert!(!hash.set_expire_at_ms(b"g", Some(20)));
        assert_eq!(hash.remove(b"f").unwrap().value, Str::from(3));
        assert_eq!((hash.deadlines(), hash.len()), (0, 0));
    }
}
