//! From the items of an RDB to a keyspace.

use sha1::{Digest as _, Sha1};

use crate::bytes::Text;
use crate::error::{Code, Error, ErrorKind, Result};
use crate::model::function::checked_library_name;
use crate::num::Flavor;
use crate::rdb::{Item, PlainString, RdbString, Record, Scratch};
use crate::store::load::{Keeper, Room, twice, value};
use crate::store::{Bytes, Entry, KeyHash, KeySlot, Value};

use super::Replayer;

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
        let value = value(record.value(), keeper, flavor, scratch, room)
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
