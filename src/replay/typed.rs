//! From a key to a value of the type that a command wants.

use crate::store::{Array, Hash, KeySlot, List, Set, SortedSet, Str, Stream, Value, VectorSet};

use super::reply::WRONG_TYPE;
use super::{Args, Reject, Replayer};

/// A type of value.
pub(crate) trait Typed<'a>: Sized {
    /// The value, if it is of this type.
    fn of<'v>(value: &'v Value<'a>) -> Option<&'v Self>;
    /// The value, to be changed.
    fn of_mut<'v>(value: &'v mut Value<'a>) -> Option<&'v mut Self>;
    /// A value of this type.
    fn into_value(self) -> Value<'a>;
}

macro_rules! boxed {
    ($($type:ident)*) => {$(
        impl<'a> Typed<'a> for $type<'a> {
            fn of<'v>(value: &'v Value<'a>) -> Option<&'v Self> {
                match value {
                    Value::$type(value) => Some(value),
                    _ => None,
                }
            }

            fn of_mut<'v>(value: &'v mut Value<'a>) -> Option<&'v mut Self> {
                match value {
                    Value::$type(value) => Some(value),
                    _ => None,
                }
            }

            fn into_value(self) -> Value<'a> {
                Value::$type(Box::new(self))
            }
        }
    )*};
}

boxed!(List Set SortedSet Hash Stream Array VectorSet);

impl<'a> Typed<'a> for Str<'a> {
    fn of<'v>(value: &'v Value<'a>) -> Option<&'v Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn of_mut<'v>(value: &'v mut Value<'a>) -> Option<&'v mut Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn into_value(self) -> Value<'a> {
        Value::String(self)
    }
}

impl<'a> Replayer<'a> {
    /// The value of a key that must be of a type if it is there.
    pub(super) fn get<T: Typed<'a>>(&self, key: &[u8]) -> Result<Option<&T>, Reject> {
        let hash = self.hash_of(key);
        match self
            .store
            .db(self.db)
            .and_then(|db| db.get_hashed(hash, key))
        {
            Some(entry) => T::of(entry.value()).map(Some).ok_or(WRONG_TYPE),
            None => Ok(None),
        }
    }

    /// Changes the value of a key that is there, and removes the key if that made an
    /// empty collection of it.
    pub(super) fn update<T: Typed<'a>, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut T) -> Result<R, Reject>,
    ) -> Result<Option<R>, Reject> {
        match self.entry(key) {
            KeySlot::Occupied(mut place) => {
                let value = T::of_mut(place.get_mut().value_mut()).ok_or(WRONG_TYPE)?;
                let outcome = change(value)?;
                place.remove_if_empty();
                Ok(Some(outcome))
            }
            KeySlot::Vacant(_) => Ok(None),
        }
    }

    /// Changes the value of the key that stands at an argument; if there is none yet,
    /// makes an empty one and keeps it unless it stays an empty collection.
    pub(super) fn upsert<T: Typed<'a> + Default, R>(
        &mut self,
        args: Args<'_, 'a>,
        at: usize,
        change: impl FnOnce(&mut T) -> Result<R, Reject>,
    ) -> Result<R, Reject> {
        match self.entry(args.get(at)) {
            KeySlot::Occupied(mut place) => {
                let value = T::of_mut(place.get_mut().value_mut()).ok_or(WRONG_TYPE)?;
                let outcome = change(value)?;
                place.remove_if_empty();
                Ok(outcome)
            }
            KeySlot::Vacant(place) => {
                let mut value = T::default();
                let outcome = change(&mut value)?;
                let value = value.into_value();
                if !value.is_empty() {
                    place.insert(args.bytes(at), value.into());
                }
                Ok(outcome)
            }
        }
    }

    /// Puts a value under the key at an argument, without a deadline; an empty
    /// collection removes the key (what commands do that store a result).
    pub(super) fn store_result<T: Typed<'a>>(&mut self, args: Args<'_, 'a>, at: usize, value: T) {
        let value = value.into_value();
        if value.is_empty() {
            self.db().remove(args.get(at));
        } else {
            self.put(args, at, value, None);
        }
    }

    /// Puts a value under the key at an argument, with this deadline or none.
    pub(super) fn put(
        &mut self,
        args: Args<'_, 'a>,
        at: usize,
        value: Value<'a>,
        expire_at_ms: Option<i64>,
    ) {
        match self.entry(args.get(at)) {
            KeySlot::Occupied(mut place) => {
                let entry = place.get_mut();
                entry.set_value(value);
                entry.set_expire_at_ms(expire_at_ms);
            }
            KeySlot::Vacant(place) => {
                let entry = crate::store::Entry::with_expiry(value, expire_at_ms);
                place.insert(args.bytes(at), entry);
            }
        }
    }
}
