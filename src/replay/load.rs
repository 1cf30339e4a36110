//! From the records of an RDB, or of a RESTORE payload, to values of the store.
//!
//! What stands raw in the input stays a slice of it; integers stay integers; only
//! what was compressed or packed is copied.

use sha1::{Digest as _, Sha1};

use crate::bytes::Text;
use crate::error::{Code, Error, ErrorKind, Result, Value as Found};
use crate::model::function::checked_library_name;
use crate::num::Flavor;
use crate::rdb::object::array::{ArrayElement, float_text};
use crate::rdb::{Item, RdbString, Record, Scratch, Value as View, object, vectorset};
use crate::store::{Array, Bytes, Entry, Hash, KeySlot, List, Module, Set, SortedSet, Str, Value};

use super::{Replayer, load_stream, load_vectors};

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loaded {
    /// It is in the store.
    Stored,
    /// It says nothing about the dataset.
    Nothing,
    /// A collection without elements; servers drop the key.
    EmptyKey,
    /// Data of a module beside its keys; it is not kept.
    ModuleAux,
}

/// Tells what stands in the input from what was decoded elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeper<'a> {
    input: &'a [u8],
}

impl<'a> Keeper<'a> {
    /// Keeps slices of `input`, and copies everything else.
    pub(super) fn new(input: &'a [u8]) -> Self {
        Keeper { input }
    }

    /// The same bytes with the lifetime of the input, if they are a part of it.
    fn find(self, bytes: &[u8]) -> Option<&'a [u8]> {
        let start = (bytes.as_ptr() as usize).checked_sub(self.input.as_ptr() as usize)?;
        self.input.get(start..start.checked_add(bytes.len())?)
    }

    pub(super) fn bytes(self, text: Text<'_>) -> Bytes<'a> {
        match text {
            Text::Int(n) => Text::Int(n).into(),
            Text::Bytes(bytes) => match self.find(bytes) {
                Some(bytes) => Bytes::borrowed(bytes),
                None => Bytes::copied(bytes),
            },
        }
    }

    pub(super) fn str(self, text: Text<'_>) -> Str<'a> {
        match text {
            Text::Int(n) => n.into(),
            bytes => self.bytes(bytes).into(),
        }
    }
}

fn twice(code: Code, what: &'static str) -> Error {
    Error::new(ErrorKind::Broken {
        code,
        at: None,
        what,
        expected: Found::Text("once"),
        found: Found::Text("twice"),
    })
}

/// The value of a record.
///
/// # Errors
/// A rule of its encoding that is broken, or a member that stands twice.
pub(super) fn value<'a>(
    record: &Record<'_>,
    keeper: Keeper<'a>,
    flavor: Flavor,
    scratch: &mut Scratch,
) -> Result<Value<'a>> {
    let mut duplicate = false;
    let value = match record.value() {
        View::String(view) => Value::String(keeper.str(view.text(scratch)?)),
        View::List(view) => {
            let mut list = List::default();
            view.for_each(scratch, |element| list.push_back(keeper.str(element)))?;
            Value::List(list.into())
        }
        View::Set(view) => {
            let mut set = Set::default();
            view.for_each(scratch, |member| {
                duplicate |= !set.insert(keeper.bytes(member));
            })?;
            Value::Set(set.into())
        }
        View::Zset(view) => {
            let mut set = SortedSet::default();
            view.for_each(scratch, |member, score| {
                duplicate |= set.insert(keeper.bytes(member), score).is_some();
            })?;
            if view.is_skiplist() && flavor.small_zsets_lose_negative_zero() {
                set.forget_negative_zeros_if_small();
            }
            Value::SortedSet(set.into())
        }
        View::Hash(view) => {
            let mut hash = Hash::default();
            view.for_each(scratch, |field, value, at| {
                duplicate |= !hash.insert_until(keeper.bytes(field), keeper.str(value), at);
            })?;
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

impl<'a> Replayer<'a> {
    /// Puts one item of an RDB into the store. The item must come from a slice that
    /// lives as long as the log.
    ///
    /// # Errors
    /// What [`crate::rdb::object`] views report, a key or member that stands twice,
    /// with the place of the key.
    pub fn load(&mut self, item: &Item<'a>, scratch: &mut Scratch) -> Result<Loaded> {
        match item {
            Item::Key(record) => self.load_key(record, scratch),
            Item::Aux {
                key: RdbString::Raw(b"lua"),
                value,
            } => {
                let body = borrowing(value)?;
                self.store.scripts.insert(Sha1::digest(&*body).into(), body);
                Ok(Loaded::Stored)
            }
            Item::Function(code) => {
                let code = borrowing(code)?;
                let name = Bytes::copied(checked_library_name(&code)?);
                match self.store.functions.insert(name, code) {
                    None => Ok(Loaded::Stored),
                    Some(_) => Err(twice(Code::BadFunction, "a function library")),
                }
            }
            Item::FunctionPreGa(_) => Err(Error::new(ErrorKind::Unsupported {
                what: "functions of a release candidate of Redis 7.0".into(),
            })),
            Item::ModuleAux(_) => Ok(Loaded::ModuleAux),
            _ => Ok(Loaded::Nothing),
        }
    }

    fn load_key(&mut self, record: &Record<'a>, scratch: &mut Scratch) -> Result<Loaded> {
        let keeper = Keeper::new(record.raw_value());
        let key = borrowing(&record.key)?;
        let value = value(record, keeper, self.flavor(), scratch)
            .map_err(|error| error.at_offset(record.offset).in_key(record.db, &key))?;
        scratch.trim();
        if value.is_empty() {
            return Ok(Loaded::EmptyKey);
        }
        let entry = Entry::with_expiry(value, record.expire_at_ms);
        match self.store.db_mut(record.db).entry(&key) {
            KeySlot::Vacant(place) => {
                place.insert(key, entry);
                Ok(Loaded::Stored)
            }
            KeySlot::Occupied(_) => Err(twice(Code::DuplicateKey, "a key of a database")
                .at_offset(record.offset)
                .in_key(record.db, &key)),
        }
    }
}

/// A string whose own slice lives long enough.
fn borrowing<'a>(stored: &RdbString<'a>) -> Result<Bytes<'a>> {
    match stored {
        RdbString::Raw(bytes) => Ok(Bytes::borrowed(bytes)),
        other => match other.to_vec() {
            Ok(bytes) => Ok(bytes.into()),
            Err(flaw) => Err(Error::new(flaw.into())),
        },
    }
}
