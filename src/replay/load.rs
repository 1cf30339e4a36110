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
use crate::rdb::{Item, PlainString, RdbString, Record, Scratch, Value as View, object, vectorset};
use crate::store::{
    Array, Bytes, Entry, Hash, KeyHash, KeySlot, List, Module, Set, SortedSet, Str, Value,
};

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

    pub(super) fn bytes(self, text: Text<'_>) -> Bytes<'a> {
        match text {
            Text::Int(n) => Text::Int(n).into(),
            Text::Bytes(bytes) => match self.find(bytes) {
                Some(bytes) => Bytes::borrowed(bytes),
                None => Bytes::copied(bytes),
            },
        }
    }

    /// The content of a string of the file.
    fn string(self, stored: &RdbString<'_>) -> Result<Bytes<'a>> {
        match stored {
            RdbString::Raw(bytes) => Ok(self.bytes(Text::Bytes(bytes))),
            other => match other.to_vec() {
                Ok(bytes) => Ok(bytes.into()),
                Err(flaw) => Err(Error::new(flaw.into())),
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

/// The value of a record.
///
/// # Errors
/// A rule of its encoding that is broken, or a member that stands twice.
pub(super) fn value<'a>(
    record: &Record<'_>,
    keeper: Keeper<'a>,
    flavor: Flavor,
    scratch: &mut Scratch,
    room: &mut Room<'a>,
) -> Result<Value<'a>> {
    room.clear();
    let mut duplicate = false;
    let value = match record.value() {
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

/// An item of an RDB on its way into a keyspace: decoded by any thread, put there in file order.
#[derive(Debug)]
pub(crate) enum Decoded<'a> {
    Key {
        db: u32,
        hash: KeyHash,
        key: Bytes<'a>,
        entry: Entry<'a>,
        offset: u64,
    },
    Script(Bytes<'a>),
    Function {
        name: Bytes<'a>,
        code: Bytes<'a>,
    },
    EmptyKey,
    ModuleAux,
    Nothing,
}

impl<'a> Decoded<'a> {
    /// Decodes an item for a release.
    ///
    /// # Errors
    /// As [`Replayer::load`], but for what stands twice in the file.
    pub(crate) fn of(
        item: &Item<'_>,
        keeper: Keeper<'a>,
        flavor: Flavor,
        (scratch, room): (&mut Scratch, &mut Room<'a>),
    ) -> Result<Self> {
        Ok(match item {
            Item::Key(record) => return Decoded::key(record, keeper, flavor, (scratch, room)),
            Item::Aux {
                key: RdbString::Raw(b"lua"),
                value,
            } => Decoded::Script(keeper.string(value)?),
            Item::Function(code) => {
                let code = keeper.string(code)?;
                let name = Bytes::copied(checked_library_name(&code)?);
                Decoded::Function { name, code }
            }
            Item::FunctionPreGa(_) => {
                return Err(Error::new(ErrorKind::Unsupported {
                    what: "functions of a release candidate of Redis 7.0".into(),
                }));
            }
            Item::ModuleAux(_) => Decoded::ModuleAux,
            _ => Decoded::Nothing,
        })
    }

    /// Decodes a plain string whose key stands raw.
    #[inline]
    pub(crate) fn plain_string(string: &PlainString<'_>, key: &[u8], keeper: Keeper<'a>) -> Self {
        let value = Value::String(keeper.str(string.text()));
        Decoded::Key {
            db: string.db,
            hash: KeyHash::of(key),
            key: keeper.bytes(Text::Bytes(key)),
            entry: Entry::with_expiry(value, string.expire_at_ms),
            offset: string.offset,
        }
    }

    fn key(
        record: &Record<'_>,
        keeper: Keeper<'a>,
        flavor: Flavor,
        (scratch, room): (&mut Scratch, &mut Room<'a>),
    ) -> Result<Self> {
        let key = keeper.string(&record.key)?;
        let value = value(record, keeper, flavor, scratch, room)
            .map_err(|error| error.at_offset(record.offset).in_key(record.db, &key))?;
        scratch.trim();
        if value.is_empty() {
            return Ok(Decoded::EmptyKey);
        }
        Ok(Decoded::Key {
            db: record.db,
            hash: KeyHash::of(&key),
            key,
            entry: Entry::with_expiry(value, record.expire_at_ms),
            offset: record.offset,
        })
    }
}

impl<'a> Replayer<'a> {
    /// Puts one item of an RDB into the store. What of it stands in `input`, which lives as
    /// long as the log, stays a slice of that; everything else is copied.
    ///
    /// # Errors
    /// What [`crate::rdb::object`] views report, a key or member that stands twice,
    /// with the place of the key.
    pub fn load(
        &mut self,
        item: &Item<'_>,
        input: &'a [u8],
        scratch: &mut Scratch,
    ) -> Result<Loaded> {
        let keeper = Keeper::new(input);
        let buffers = (scratch, &mut Room::default());
        let decoded = Decoded::of(item, keeper, self.flavor(), buffers)?;
        self.place(decoded)
    }

    /// Puts a decoded item into the store.
    ///
    /// # Errors
    /// It is there already.
    pub(crate) fn place(&mut self, decoded: Decoded<'a>) -> Result<Loaded> {
        match decoded {
            Decoded::Key {
                db,
                hash,
                key,
                entry,
                offset,
            } => match self.store.db_mut(db).entry_hashed(hash, &key) {
                KeySlot::Vacant(place) => {
                    place.insert(key, entry);
                    Ok(Loaded::Stored)
                }
                KeySlot::Occupied(_) => Err(twice(Code::DuplicateKey, "a key of a database")
                    .at_offset(offset)
                    .in_key(db, &key)),
            },
            Decoded::Nothing => Ok(Loaded::Nothing),
            Decoded::Script(body) => {
                self.store.scripts.insert(Sha1::digest(&*body).into(), body);
                Ok(Loaded::Stored)
            }
            Decoded::Function { name, code } => match self.store.functions.insert(name, code) {
                None => Ok(Loaded::Stored),
                Some(_) => Err(twice(Code::BadFunction, "a function library")),
            },
            Decoded::EmptyKey => Ok(Loaded::EmptyKey),
            Decoded::ModuleAux => Ok(Loaded::ModuleAux),
        }
    }
}
