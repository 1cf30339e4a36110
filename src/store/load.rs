//! From a value of an RDB, or of a RESTORE payload, to a value of the store.
//!
//! What stands raw in the input stays a slice of it; integers stay integers; only
//! what was compressed or packed is copied.

use crate::bytes::Text;
use crate::error::{Code, Error, ErrorKind, Result, Value as Found};
use crate::num::Flavor;
use crate::rdb::object::RawValue;
use crate::rdb::object::array::{ArrayElement, float_text};
use crate::rdb::{RdbString, Record, Scratch, Value as View, object, vectorset};

use super::{
    Array, Bytes, Hash, List, Module, Set, SortedSet, Str, Value, load_stream, load_vectors,
};

/// Tells what stands in the input from what was decoded elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeper<'a> {
    input: &'a [u8],
}

impl<'a> Keeper<'a> {
    /// Keeps slices of `input`, and copies everything else.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Keeper { input }
    }

    /// The same bytes with the lifetime of the input, if they are a part of it.
    fn find(self, bytes: &[u8]) -> Option<&'a [u8]> {
        let start = (bytes.as_ptr() as usize).checked_sub(self.input.as_ptr() as usize)?;
        self.input.get(start..start.checked_add(bytes.len())?)
    }

    /// The stored form of a record's value, if it is a part of the input.
    pub(crate) fn stored(self, record: &Record<'_>) -> Option<RawValue<'a>> {
        let stored = record.stored();
        let bytes = self.find(stored.bytes)?;
        Some(RawValue { bytes, ..stored })
    }

    pub(crate) fn bytes(self, text: Text<'_>) -> Bytes<'a> {
        match text {
            Text::Int(n) => Text::Int(n).into(),
            Text::Bytes(bytes) => match self.find(bytes) {
                Some(bytes) => Bytes::borrowed(bytes),
                None => Bytes::copied(bytes),
            },
        }
    }

    /// The content of a string of the file.
    pub(crate) fn string(self, stored: &RdbString<'_>) -> Result<Bytes<'a>> {
        match stored {
            RdbString::Raw(bytes) => Ok(self.bytes(Text::Bytes(bytes))),
            other => match other.to_vec() {
                Ok(bytes) => Ok(bytes.into()),
                Err(flaw) => Err(Error::new(flaw.into())),
            },
        }
    }

    pub(crate) fn str(self, text: Text<'_>) -> Str<'a> {
        match text {
            Text::Int(n) => n.into(),
            bytes => self.bytes(bytes).into(),
        }
    }
}

pub(crate) fn twice(code: Code, what: &'static str) -> Error {
    Error::new(ErrorKind::Broken {
        code,
        at: None,
        what,
        expected: Found::Text("once"),
        found: Found::Text("twice"),
    })
}

/// The last elements of a value, so that a collection gets as much room as it needs: most are
/// small, and known to be complete before they are made.
#[derive(Debug, Default)]
pub(crate) struct Room<'a> {
    elements: Vec<Str<'a>>,
    members: Vec<Bytes<'a>>,
    scored: Vec<(Bytes<'a>, f64)>,
    fields: Vec<(Bytes<'a>, Str<'a>, Option<i64>)>,
}

impl Room<'_> {
    /// What a value has left that is broken.
    fn clear(&mut self) {
        self.elements.clear();
        self.members.clear();
        self.scored.clear();
        self.fields.clear();
    }
}

/// Lets an element wait; when many do, they go to their collection.
fn wait<T>(waiting: &mut Vec<T>, element: T, go: impl FnMut(T)) {
    const MOST: usize = 4096;
    if waiting.len() == MOST {
        waiting.drain(..).for_each(go);
    }
    waiting.push(element);
}

/// The value that an RDB stores.
///
/// # Errors
/// A rule of its encoding that is broken, or a member that stands twice.
pub(crate) fn value<'a>(
    stored: View<'_>,
    keeper: Keeper<'a>,
    flavor: Flavor,
    scratch: &mut Scratch,
    room: &mut Room<'a>,
) -> Result<Value<'a>> {
    room.clear();
    let mut duplicate = false;
    let value = match stored {
        View::String(view) => Value::String(keeper.str(view.text(scratch)?)),
        View::List(view) => {
            let mut list = List::default();
            let waiting = &mut room.elements;
            view.for_each(scratch, |element| {
                wait(waiting, keeper.str(element), |element| {
                    list.push_back(element)
                });
            })?;
            list.reserve(waiting.len());
            waiting
                .drain(..)
                .for_each(|element| list.push_back(element));
            Value::List(list.into())
        }
        View::Set(view) => {
            let mut set = Set::default();
            let waiting = &mut room.members;
            view.for_each(scratch, |member| {
                wait(waiting, keeper.bytes(member), |member| {
                    duplicate |= !set.insert(member);
                });
            })?;
            set.reserve(waiting.len());
            for member in waiting.drain(..) {
                duplicate |= !set.insert(member);
            }
            Value::Set(set.into())
        }
        View::Zset(view) => {
            let mut set = SortedSet::default();
            let waiting = &mut room.scored;
            view.for_each(scratch, |member, score| {
                wait(waiting, (keeper.bytes(member), score), |(member, score)| {
                    duplicate |= set.insert(member, score).is_some();
                });
            })?;
            set.reserve(waiting.len());
            for (member, score) in waiting.drain(..) {
                duplicate |= set.insert(member, score).is_some();
            }
            if view.is_skiplist() && flavor.small_zsets_lose_negative_zero() {
                set.forget_negative_zeros_if_small();
            }
            Value::SortedSet(set.into())
        }
        View::Hash(view) => {
            let mut hash = Hash::default();
            let waiting = &mut room.fields;
            view.for_each(scratch, |field, value, at| {
                let field = (keeper.bytes(field), keeper.str(value), at);
                wait(waiting, field, |(field, value, at)| {
                    duplicate |= !hash.insert_until(field, value, at);
                });
            })?;
            hash.reserve(waiting.len());
            for (field, value, at) in waiting.drain(..) {
                duplicate |= !hash.insert_until(field, value, at);
            }
            Value::Hash(hash.into())
        }
        View::Stream(view) => Value::Stream(load_stream::stream(&view, keeper, scratch)?.into()),
        View::Array(view) => {
            let mut array = Array::default();
            let mut digits = Vec::new();
            view.for_each(scratch, |index, element| {
                let text = match element {
                    ArrayElement::Text(text) => keeper.str(text),
                    ArrayElement::Float(x) => {
                        digits.clear();
                        float_text(x, &mut digits);
                        Str::copied(&digits)
                    }
                };
                duplicate |= array.items.insert(index, text).is_some();
            })?;
            array.insert_index = view.insert_index()?;
            Value::Array(array.into())
        }
        View::Module(view) => module(&view, keeper)?,
    };
    if duplicate {
        return Err(twice(Code::DuplicateMember, "a member of a value"));
    }
    Ok(value)
}

fn module<'a>(view: &object::ModuleValue<'_>, keeper: Keeper<'a>) -> Result<Value<'a>> {
    let id = view.id()?;
    let items = view.items()?;
    if (id.name().as_str(), id.encoding_version()) == (vectorset::MODULE_NAME, 0) {
        let vectors =
            load_vectors::vector_set(items, keeper).map_err(|flaw| Error::new(flaw.into()))?;
        return Ok(Value::VectorSet(vectors.into()));
    }
    let mut name = [b'-'; 9];
    for (to, from) in name.iter_mut().zip(id.name().bytes()) {
        *to = from;
    }
    let module = Module {
        name,
        encver: id.encoding_version(),
        record: keeper.bytes(Text::Bytes(items.as_bytes())),
    };
    Ok(Value::Module(module.into()))
}
