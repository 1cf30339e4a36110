//! Values that nobody has asked for yet: as their RDB stores them.
//!
//! Most keys of a snapshot are not named by the log behind it. Their values are proved when
//! they are loaded and stay a slice of the file, whose pages belong to the system and not to us;
//! one that a command names is decoded then.

use std::panic::panic_any;
use std::sync::OnceLock;

use super::Value;
use super::load::{self, Room};
use crate::error::{Error, ErrorKind};
use crate::model::ValueType;
use crate::num::Flavor;
use crate::rdb::object::RawValue;
use crate::rdb::template::Templates;
use crate::rdb::{Scratch, Value as View};

/// A value as an RDB stores it, which every rule of its encoding was checked for.
#[derive(Clone, Debug)]
pub(super) struct Packed<'a> {
    stored: RawValue<'a>,
    flavor: Flavor,
    value: OnceLock<Box<Value<'a>>>,
}

impl<'a> Packed<'a> {
    pub(super) fn new(stored: RawValue<'a>, flavor: Flavor) -> Self {
        Packed {
            stored: RawValue {
                // All that were defined up to the value, of which it needs none.
                templates: Templates::default(),
                ..stored
            },
            flavor,
            value: OnceLock::new(),
        }
    }

    /// Whether a value may stay as it is stored: the keyspace has it no different.
    pub(super) fn can_hold(stored: &RawValue<'_>, flavor: Flavor) -> bool {
        /// More than a sorted set has whose scores of -0 a loader changes: 128 members of 64 bytes,
        /// each with 2 bytes of lengths and a score of at most 252.
        const SMALL_BYTES: usize = 64 << 10;
        match View::new(stored.clone()) {
            View::String(_) | View::List(_) | View::Set(_) => true,
            View::Hash(hash) => !hash.names_template(),
            View::Zset(zset) => {
                let loses_zeros = zset.is_skiplist() && flavor.small_zsets_lose_negative_zero();
                !loses_zeros || stored.bytes.len() > SMALL_BYTES
            }
            View::Stream(_) | View::Array(_) | View::Module(_) => false,
        }
    }

    /// The value as the file has it.
    pub(super) fn stored(&self) -> View<'a> {
        View::new(self.stored.clone())
    }

    pub(super) fn stored_len(&self) -> u64 {
        self.stored.bytes.len() as u64
    }

    pub(super) fn value_type(&self) -> ValueType {
        self.stored.layout.value_type()
    }

    /// The value, if somebody has asked for it.
    pub(super) fn known(&self) -> Option<&Value<'a>> {
        self.value.get().map(Box::as_ref)
    }

    /// The value, which is kept from now on.
    pub(super) fn value(&self) -> &Value<'a> {
        self.value.get_or_init(|| Box::new(self.decode()))
    }

    /// The value, to be kept elsewhere.
    pub(super) fn take(&mut self) -> Value<'a> {
        match self.value.take() {
            Some(value) => *value,
            None => self.decode(),
        }
    }

    /// Shows the value, and keeps it no longer than that.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Value<'a>) -> R) -> R {
        match self.known() {
            Some(value) => look(value),
            None => look(&self.decode()),
        }
    }

    /// Decodes the value.
    ///
    /// # Panics
    /// With an [`Error`] if it is not sound any more: the mapped file was written to.
    fn decode(&self) -> Value<'a> {
        let keeper = load::Keeper::new(self.stored.bytes);
        let buffers = (&mut Scratch::new(), &mut Room::default());
        match load::value(self.stored(), keeper, self.flavor, buffers.0, buffers.1) {
            Ok(value) => value,
            Err(_) => {
                let changed = ErrorKind::InputChanged;
                panic_any(Error::new(changed).at_offset(self.stored.end_offset))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::error::Code;
    use crate::rdb::object::Layout;

    fn string(bytes: &[u8]) -> Packed<'_> {
        let stored = RawValue {
            layout: Layout::String,
            bytes,
            end_offset: 100,
            templates: Default::default(),
        };
        Packed::new(stored, Flavor::redis(7, 0))
    }

    #[test]
    fn value_is_decoded_when_it_is_asked_for() {
        // "aaaaaaaa": a literal and a reference to it.
        let mut packed = string(b"\xc3\x04\x08\x00a\xa0\x00");
        assert!(packed.known().is_none());
        packed.look(|value| assert_eq!(value.type_name(), "string"));
        assert!(packed.known().is_none());
        let text = |value: &Value<'_>| match value {
            Value::String(text) => text.as_bytes(&mut itoa::Buffer::new()).to_vec(),
            _ => Vec::new(),
        };
        assert_eq!(text(packed.value()), b"aaaaaaaa");
        assert!(packed.known().is_some());
        assert_eq!(text(&packed.take()), b"aaaaaaaa");
    }

    #[test]
    fn value_that_is_not_sound_any_more_says_that_the_input_changed() {
        // A reference to before the first byte.
        let packed = string(b"\xc3\x02\x05\x20\x02");
        let asked = catch_unwind(AssertUnwindSafe(|| packed.look(|_| ())));
        let error = asked.unwrap_err().downcast::<Error>().unwrap();
        assert_eq!(error.code(), Code::InputChanged);
    }
}
