//! Databases, keys and entries.
//!
//! A command hashes its key once: [`Db::entry`] (or [`Db::entry_hashed`] with a
//! hash made earlier) gives the place of the key, taken or vacant, through which
//! it is read, changed, inserted and removed.

use std::collections::BTreeMap;

use super::dbs::Dbs;
use super::packed::Packed;
use super::{
    Array, Bytes, Deadline, Hash, KeyHash, List, Map, Module, Set, SortedSet, Str, Stream,
    VectorSet,
};
use crate::model::ValueType;
use crate::num::Flavor;
use crate::rdb::Value as View;
use crate::rdb::object::RawValue;

/// The value of a key. Everything but strings is boxed: most keys are strings.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A string, also bitmaps and HyperLogLogs.
    String(Str<'a>),
    /// A list.
    List(Box<List<'a>>),
    /// A set.
    Set(Box<Set<'a>>),
    /// A sorted set, also geo indexes.
    SortedSet(Box<SortedSet<'a>>),
    /// A hash.
    Hash(Box<Hash<'a>>),
    /// A stream.
    Stream(Box<Stream<'a>>),
    /// An array (Redis 8.8).
    Array(Box<Array<'a>>),
    /// A vector set (Redis 8.0).
    VectorSet(Box<VectorSet<'a>>),
    /// A module's value, kept as it is.
    Module(Box<Module<'a>>),
}

impl Value<'_> {
    /// The logical type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::String(_) => ValueType::String,
            Value::List(_) => ValueType::List,
            Value::Set(_) => ValueType::Set,
            Value::SortedSet(_) => ValueType::Zset,
            Value::Hash(_) => ValueType::Hash,
            Value::Stream(_) => ValueType::Stream,
            Value::Array(_) => ValueType::Array,
            Value::VectorSet(_) | Value::Module(_) => ValueType::Module,
        }
    }

    /// Whether the key has to vanish: an empty collection, but not a stream or a string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Value::String(_) | Value::Stream(_) | Value::Module(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::SortedSet(zset) => zset.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Array(array) => array.is_empty(),
            Value::VectorSet(vectors) => vectors.elements.is_empty(),
        }
    }

    /// The word that TYPE answers.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Hash(_) => "hash",
            Value::Stream(_) => "stream",
            Value::Array(_) => "array",
            Value::VectorSet(_) => "vectorset",
            Value::Module(_) => "module",
        }
    }
}

/// What stands under a key.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    value: Held<'a>,
    expire_at_ms: Deadline,
}

/// How an entry has its value.
#[derive(Clone, Debug)]
enum Held<'a> {
    Value(Value<'a>),
    /// Never an empty collection.
    Packed(Box<Packed<'a>>),
}

const _: () = assert!(size_of::<Entry<'_>>() <= 32);

impl<'a> Entry<'a> {
    /// A value that does not expire.
    #[must_use]
    pub fn new(value: Value<'a>) -> Self {
        Entry::with_expiry(value, None)
    }

    /// A value with or without a deadline.
    #[must_use]
    pub fn with_expiry(value: Value<'a>, expire_at_ms: Option<i64>) -> Self {
        Entry {
            value: Held::Value(value),
            expire_at_ms: expire_at_ms.into(),
        }
    }

    /// A value that stays as its RDB stores it until somebody asks for it. It is sound, not empty,
    /// and one of those that [`can_be_packed`](Self::can_be_packed).
    pub(crate) fn packed(stored: RawValue<'a>, flavor: Flavor, expire_at_ms: Option<i64>) -> Self {
        Entry {
            value: Held::Packed(Box::new(Packed::new(stored, flavor))),
            expire_at_ms: expire_at_ms.into(),
        }
    }

    /// Whether a release that loads a value has the same as is stored.
    pub(crate) fn can_be_packed(stored: &RawValue<'_>, flavor: Flavor) -> bool {
        Packed::can_hold(stored, flavor)
    }

    /// The value as its RDB stores it, and its length there, if nobody has asked for it.
    pub(crate) fn stored(&self) -> Option<(View<'a>, u64)> {
        match &self.value {
            Held::Packed(packed) if packed.known().is_none() => {
                Some((packed.stored(), packed.stored_len()))
            }
            _ => None,
        }
    }

    /// The value. One that still is as its RDB stores it is decoded, and kept so.
    ///
    /// # Panics
    /// With an [`Error`](crate::error::Error) if the RDB is a mapped file that was written to since.
    #[must_use]
    pub fn value(&self) -> &Value<'a> {
        match &self.value {
            Held::Value(value) => value,
            Held::Packed(packed) => packed.value(),
        }
    }

    /// The value, to be changed.
    pub fn value_mut(&mut self) -> &mut Value<'a> {
        if let Held::Packed(packed) = &mut self.value {
            self.value = Held::Value(packed.take());
        }
        match &mut self.value {
            Held::Value(value) => value,
            Held::Packed(_) => unreachable!("just unpacked"),
        }
    }

    /// Puts another value in the place of this one; the deadline stays.
    pub fn set_value(&mut self, value: Value<'a>) {
        self.value = Held::Value(value);
    }

    /// The value alone.
    #[must_use]
    pub fn into_value(mut self) -> Value<'a> {
        self.value_mut();
        match self.value {
            Held::Value(value) => value,
            Held::Packed(_) => unreachable!("just unpacked"),
        }
    }

    /// Looks at the value once: one that still is as its RDB stores it stays so.
    pub fn look<R>(&self, look: impl FnOnce(&Value<'a>) -> R) -> R {
        match &self.value {
            Held::Value(value) => look(value),
            Held::Packed(packed) => packed.look(look),
        }
    }

    /// The value, unless it has to be decoded for that.
    pub(crate) fn known_value(&self) -> Option<&Value<'a>> {
        match &self.value {
            Held::Value(value) => Some(value),
            Held::Packed(packed) => packed.known(),
        }
    }

    /// The logical type of the value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match &self.value {
            Held::Value(value) => value.value_type(),
            Held::Packed(packed) => packed.value_type(),
        }
    }

    /// Whether the key has to vanish, see [`Value::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.value {
            Held::Value(value) => value.is_empty(),
            Held::Packed(_) => false,
        }
    }

    /// The deadline.
    #[must_use]
    pub fn expire_at_ms(&self) -> Option<i64> {
        self.expire_at_ms.get()
    }

    /// Sets or clears the deadline.
    pub fn set_expire_at_ms(&mut self, ms: Option<i64>) {
        self.expire_at_ms = ms.into();
    }
}

impl<'a> From<Value<'a>> for Entry<'a> {
    fn from(value: Value<'a>) -> Self {
        Entry::new(value)
    }
}

/// One database.
#[derive(Clone, Debug, Default)]
pub struct Db<'a> {
    keys: Map<'a, Entry<'a>>,
}

/// The place of a key.
#[derive(Debug)]
pub enum KeySlot<'d, 'a> {
    /// The key is there.
    Occupied(OccupiedKey<'d, 'a>),
    /// It is not.
    Vacant(VacantKey<'d, 'a>),
}

/// The place of a key that is there.
#[derive(Debug)]
pub struct OccupiedKey<'d, 'a> {
    db: &'d mut Db<'a>,
    hash: KeyHash,
    slot: usize,
}

/// The place of a key that is not there.
#[derive(Debug)]
pub struct VacantKey<'d, 'a> {
    db: &'d mut Db<'a>,
    hash: KeyHash,
}

impl<'d, 'a> OccupiedKey<'d, 'a> {
    /// The entry.
    #[must_use]
    pub fn get(&self) -> &Entry<'a> {
        match self.db.keys.slot(self.slot) {
            Some((_, entry)) => entry,
            None => unreachable!("an occupied slot"),
        }
    }

    /// The entry, to be changed.
    pub fn get_mut(&mut self) -> &mut Entry<'a> {
        match self.db.keys.slot_mut(self.slot) {
            Some((_, entry)) => entry,
            None => unreachable!("an occupied slot"),
        }
    }

    /// The entry, for as long as the database is borrowed.
    #[must_use]
    pub fn into_mut(self) -> &'d mut Entry<'a> {
        match self.db.keys.slot_mut(self.slot) {
            Some((_, entry)) => entry,
            None => unreachable!("an occupied slot"),
        }
    }

    /// Takes the key out.
    pub fn remove(self) -> Option<(Bytes<'a>, Entry<'a>)> {
        let removed = self.db.keys.remove_slot(self.hash, self.slot);
        self.db.keys.shrink();
        removed
    }

    /// Takes the key out if its value became an empty collection; says whether it did.
    pub fn remove_if_empty(self) -> bool {
        self.get().is_empty() && self.remove().is_some()
    }
}

impl<'d, 'a> VacantKey<'d, 'a> {
    /// Puts an entry there. `key` must be the one that was looked up.
    pub fn insert(self, key: Bytes<'a>, entry: Entry<'a>) -> &'d mut Entry<'a> {
        let slot = self.db.keys.insert_new(Some(self.hash), key, entry);
        match self.db.keys.slot_mut(slot) {
            Some((_, entry)) => entry,
            None => unreachable!("just inserted"),
        }
    }
}

impl<'a> Db<'a> {
    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn keys(&self) -> &Map<'a, Entry<'a>> {
        &self.keys
    }

    /// The entry of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Entry<'a>> {
        self.keys.get(key)
    }

    /// The entry of a key whose hash is known.
    #[must_use]
    pub fn get_hashed(&self, hash: KeyHash, key: &[u8]) -> Option<&Entry<'a>> {
        let slot = self.keys.find_hashed(hash, key)?;
        self.keys.slot(slot).map(|(_, entry)| entry)
    }

    /// The entry of a key, to be changed.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry<'a>> {
        self.keys.get_mut(key)
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.keys.contains(key)
    }

    /// The place of a key.
    pub fn entry(&mut self, key: &[u8]) -> KeySlot<'_, 'a> {
        self.entry_hashed(KeyHash::of(key), key)
    }

    /// The place of a key whose hash is known.
    pub fn entry_hashed(&mut self, hash: KeyHash, key: &[u8]) -> KeySlot<'_, 'a> {
        match self.keys.find_hashed(hash, key) {
            Some(slot) => KeySlot::Occupied(OccupiedKey {
                db: self,
                hash,
                slot,
            }),
            None => KeySlot::Vacant(VacantKey { db: self, hash }),
        }
    }

    /// Inserts or replaces; gives back what was there.
    pub fn insert(&mut self, key: Bytes<'a>, entry: Entry<'a>) -> Option<Entry<'a>> {
        self.keys.insert(key, entry)
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &[u8]) -> Option<(Bytes<'a>, Entry<'a>)> {
        self.keys.remove(key)
    }

    /// Takes a key out if its value became an empty collection; says whether it did.
    pub fn remove_if_empty(&mut self, key: &[u8]) -> bool {
        match self.entry(key) {
            KeySlot::Occupied(place) => place.remove_if_empty(),
            KeySlot::Vacant(_) => false,
        }
    }

    /// Takes out every key that `doomed` says (CLUSTER FLUSHSLOT, TRIMSLOTS).
    pub fn remove_all_where(&mut self, mut doomed: impl FnMut(&[u8], &Entry<'a>) -> bool) -> usize {
        let gone: Vec<_> = self
            .keys
            .iter()
            .filter(|(key, entry)| doomed(key, entry))
            .map(|(key, _)| key.clone())
            .collect();
        gone.iter().filter(|key| self.remove(key).is_some()).count()
    }

    /// All keys, in the order of their insertion as long as none was removed.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes<'a>, &Entry<'a>)> {
        self.keys.iter()
    }

    /// All keys, entries to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Bytes<'a>, &mut Entry<'a>)> {
        self.keys.iter_mut()
    }
}

/// Everything that a server holds.
#[derive(Clone, Debug, Default)]
pub struct Store<'a> {
    dbs: Dbs<'a>,
    /// Function libraries: name to code.
    pub functions: BTreeMap<Bytes<'a>, Bytes<'a>>,
    /// Cached scripts: SHA-1 to body.
    pub scripts: BTreeMap<[u8; 20], Bytes<'a>>,
}

impl<'a> Store<'a> {
    /// The highest database number is below this.
    pub const MAX_DBS: u32 = 1 << 31;

    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Store::default()
    }

    /// A database, if it can have keys.
    #[must_use]
    pub fn db(&self, number: u32) -> Option<&Db<'a>> {
        self.dbs.get(number)
    }

    /// A database, made if need be; the caller has checked the number against its limits.
    pub fn db_mut(&mut self, number: u32) -> &mut Db<'a> {
        self.dbs.get_mut(number)
    }

    /// The databases with keys, by number.
    pub fn dbs(&self) -> impl Iterator<Item = (u32, &Db<'a>)> {
        self.dbs.iter().filter(|(_, db)| !db.is_empty())
    }

    /// The databases with keys, by number, to be changed.
    pub fn dbs_mut(&mut self) -> impl Iterator<Item = (u32, &mut Db<'a>)> {
        self.dbs.iter_mut().filter(|(_, db)| !db.is_empty())
    }

    /// All keys of all databases, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Bytes<'a>, &Entry<'a>)> {
        self.dbs()
            .flat_map(|(number, db)| db.iter().map(move |(key, entry)| (number, key, entry)))
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dbs().map(|(_, db)| db.len()).sum()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dbs().next().is_none()
    }

    /// Swaps two databases (SWAPDB).
    pub fn swap_dbs(&mut self, a: u32, b: u32) {
        if a != b {
            self.dbs.swap(a, b);
        }
    }

    /// Takes the keys apart into so many stores; functions and scripts stay.
    pub(crate) fn divide(&mut self, count: usize, part_of: impl Fn(&[u8]) -> usize) -> Vec<Self> {
        let mut parts: Vec<_> = (0..count).map(|_| Store::new()).collect();
        for (number, db) in std::mem::take(&mut self.dbs) {
            for (key, entry) in db.keys.into_entries() {
                if let Some(part) = parts.get_mut(part_of(&key)) {
                    part.db_mut(number).keys.insert_new(None, key, entry);
                }
            }
        }
        parts
    }

    /// Takes over stores that have no key of this one, nor of each other.
    pub(crate) fn unite(&mut self, parts: impl IntoIterator<Item = Self>) {
        let parts: Vec<_> = parts.into_iter().collect();
        let mut sums = BTreeMap::new();
        for (number, db) in parts.iter().flat_map(Store::dbs) {
            *sums.entry(number).or_default() += db.len();
        }
        for (number, keys) in sums {
            self.db_mut(number).keys.reserve(keys);
        }
        for part in parts {
            for (number, db) in part.dbs {
                let here = &mut self.db_mut(number).keys;
                for (key, entry) in db.keys.into_entries() {
                    here.insert_new(None, key, entry);
                }
            }
        }
    }

    /// Moves a key to another store, in every database that has it.
    pub(crate) fn move_key(&mut self, key: &[u8], to: &mut Self) {
        for (number, db) in self.dbs.iter_mut() {
            if let Some((key, entry)) = db.remove(key) {
                to.db_mut(number).insert(key, entry);
            }
        }
    }

    /// Empties a database (FLUSHDB); gives the number of keys.
    pub fn flush_db(&mut self, number: u32) -> usize {
        self.dbs.remove(number).len()
    }

    /// Empties all databases (FLUSHALL); functions and scripts stay.
    pub fn flush_all(&mut self) -> usize {
        let all = std::mem::take(&mut self.dbs).into_iter();
        all.map(|(_, db)| db.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_and_go_through_their_slot() {
        let mut store = Store::new();
        for n in 0..100i64 {
            let key = n.to_string();
            match store.db_mut(7).entry(key.as_bytes()) {
                KeySlot::Vacant(place) => {
                    let value = Value::String(n.into());
                    place.insert(Bytes::copied(key.as_bytes()), value.into());
                }
                KeySlot::Occupied(_) => panic!("{key} is there already"),
            }
        }
        let KeySlot::Occupied(mut place) = store.db_mut(7).entry(b"42") else {
            panic!("42 is not there");
        };
        place.get_mut().set_expire_at_ms(Some(5));
        assert_eq!(
            store.db(7).unwrap().get(b"42").unwrap().expire_at_ms(),
            Some(5)
        );
        store.swap_dbs(7, 1 << 30);
        assert_eq!(store.iter().next().map(|(db, ..)| db), Some(1 << 30));
        let odd = |key: &[u8], _: &Entry<'_>| key.last().is_some_and(|byte| byte % 2 == 1);
        assert_eq!(store.db_mut(1 << 30).remove_all_where(odd), 50);
        assert_eq!(store.len(), 50);
        assert_eq!(store.flush_all(), 50);
        assert!(store.is_empty());
    }

    #[test]
    fn empty_collections_vanish_and_streams_stay() {
        let mut db = Db::default();
        db.insert(Bytes::borrowed(b"l"), Value::List(Box::default()).into());
        db.insert(Bytes::borrowed(b"x"), Value::Stream(Box::default()).into());
        assert!(db.remove_if_empty(b"l"));
        assert!(!db.remove_if_empty(b"x"));
        assert_eq!(db.len(), 1);
    }
}
