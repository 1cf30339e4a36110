//! DEBUG DIGEST and DEBUG DIGEST-VALUE (`debug.c computeDatasetDigest`).
//!
//! With H = SHA-1, `xor(d, b)`: d ^= H(b), `mix(d, b)`: d = H(d ^ H(b)), all from
//! twenty zero bytes:
//!
//! ```text
//! total    for each database with keys, ascending:  mix(total, u32be(number))
//!            for each key:  d = mix(0, key); value(d); xor the total with d
//! value(d) mix(d, u32be(type))
//!   string   mix(content)
//!   list     mix each element
//!   set      xor each member
//!   zset     e = mix(mix(0, member), score); xor(d, e)
//!   hash     e = mix(mix(0, field), value); [xor(e, "!!hexpire!!")]; xor(d, e)
//!   stream   per entry mix("ms.seq"), then mix(field), mix(value)
//!   vectors  see below
//!   any      with a deadline: xor(d, "!!expire!!")
//! ```
//!
//! Of the keys of one database only the XOR counts, so keys may be digested in
//! any order and by several threads: [`TotalDigest`] keeps one XOR per database
//! and mixes them at the end.
//!
//! A vector set feeds an accumulator o by `mix`; the end of a sequence does
//! `xor(x, o)` and clears o. Sequences: (count, dim), and per element (stored
//! bytes, name, attributes if set). Then xor(d, x).
//!
//! What a module hashes is its own secret, and the type number of arrays has not
//! been confirmed: both are [`Unknowable`]. Deadlines themselves, groups, stream
//! counters, functions and encodings are not part of the digest.

use std::collections::BTreeMap;
use std::fmt;

use sha1::{Digest as _, Sha1};

use super::{Db, Entry, Hash, SortedSet, Store, Stream, StreamId, Value, VectorSet};
use crate::num::{Flavor, digest_score_text};

/// Twenty bytes; prints as 40 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 20]);

impl Digest {
    /// The digest of nothing.
    pub const ZERO: Digest = Digest([0; 20]);

    fn xor_with(&mut self, other: [u8; 20]) {
        for (byte, other) in self.0.iter_mut().zip(other) {
            *byte ^= other;
        }
    }

    fn xor(&mut self, bytes: &[u8]) {
        self.xor_with(Sha1::digest(bytes).into());
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value whose digest cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknowable {
    /// A module's callback decides.
    Module([u8; 9]),
    /// The digest of arrays has not been confirmed.
    Array,
}

impl fmt::Display for Unknowable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknowable::Module(name) => {
                write!(
                    f,
                    "only the module of type {} knows its digest",
                    name.escape_ascii()
                )
            }
            Unknowable::Array => f.write_str("the digest of arrays is not known"),
        }
    }
}

impl std::error::Error for Unknowable {}

/// Digests one key, fed piece by piece.
///
/// ```
/// use rdbkit::num::Flavor;
/// use rdbkit::store::digest::{KeyDigest, TotalDigest, Type};
/// let mut key = KeyDigest::new(Some(b"k"), Type::String, Flavor::redis(7, 2));
/// key.element(b"v");
/// let mut total = TotalDigest::default();
/// total.add(0, key.finish(false));
/// assert_eq!(total.finish().to_string().len(), 40);
/// ```
#[derive(Clone, Debug)]
pub struct KeyDigest {
    digest: Digest,
    flavor: Flavor,
}

/// The type numbers of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// A string: one [`KeyDigest::element`].
    String = 0,
    /// A list: its elements.
    List = 1,
    /// A set.
    Set = 2,
    /// A sorted set.
    SortedSet = 3,
    /// A hash.
    Hash = 4,
    /// A vector set.
    VectorSet = 5,
    /// A stream.
    Stream = 6,
}

impl KeyDigest {
    /// Starts with the key, or without one for DIGEST-VALUE.
    #[must_use]
    pub fn new(key: Option<&[u8]>, kind: Type, flavor: Flavor) -> Self {
        let mut digest = Digest::ZERO;
        if let Some(key) = key {
            digest.mix(key);
        }
        digest.mix(&(kind as u32).to_be_bytes());
        KeyDigest { digest, flavor }
    }

    /// The content of a string, or the next element of a list.
    pub fn element(&mut self, bytes: &[u8]) {
        self.digest.mix(bytes);
    }

    /// A member of a set.
    pub fn member(&mut self, member: &[u8]) {
        self.digest.xor(member);
    }

    /// A member of a sorted set.
    pub fn scored(&mut self, member: &[u8], score: f64) {
        let mut pair = Digest::ZERO;
        pair.mix(member);
        pair.mix(digest_score_text(score, self.flavor).as_bytes());
        self.digest.xor(&pair.0);
    }

    /// A field of a hash. Where the release hides fields whose deadline passed
    /// before `now_ms`, they are left out.
    pub fn field(&mut self, field: &[u8], value: &[u8], expire_at_ms: Option<i64>, now_ms: i64) {
        if self.flavor.hides_expired_fields() && expire_at_ms.is_some_and(|at| at < now_ms) {
            return;
        }
        let mut pair = Digest::ZERO;
        pair.mix(field);
        pair.mix(value);
        if expire_at_ms.is_some() && self.flavor.digests_field_deadlines() {
            pair.xor(b"!!hexpire!!");
        }
        self.digest.xor(&pair.0);
    }

    /// The id of the next stream entry; its fields and values follow as [`KeyDigest::element`]s.
    pub fn stream_entry(&mut self, id: StreamId) {
        self.digest.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
    }

    /// A whole vector set: elements are (stored bytes, name, attributes).
    pub fn vectors<'e>(
        &mut self,
        dim: u32,
        count: usize,
        elements: impl Iterator<Item = (&'e [u8], &'e [u8], Option<&'e [u8]>)>,
    ) {
        let mut x = Digest::ZERO;
        let mut sequence = Digest::ZERO;
        sequence.mix(count.to_string().as_bytes());
        sequence.mix(dim.to_string().as_bytes());
        x.xor(&sequence.0);
        for (data, name, attributes) in elements {
            let mut sequence = Digest::ZERO;
            sequence.mix(data);
            sequence.mix(name);
            if let Some(attributes) = attributes {
                sequence.mix(attributes);
            }
            x.xor(&sequence.0);
        }
        self.digest.xor(&x.0);
    }

    /// Ends; `expires` says whether the key has a deadline.
    #[must_use]
    pub fn finish(mut self, expires: bool) -> Digest {
        if expires {
            self.digest.xor(b"!!expire!!");
        }
        self.digest
    }
}

/// The digest of everything, from the digests of the keys in any order.
#[derive(Clone, Debug, Default)]
pub struct TotalDigest {
    dbs: BTreeMap<u32, Digest>,
}

impl TotalDigest {
    /// Adds a key of a database.
    pub fn add(&mut self, db: u32, key: Digest) {
        // The total takes the digest itself, as `xorDigest` of 20 bytes hashes it.
        self.dbs.entry(db).or_default().xor(&key.0);
    }

    /// Adds what another thread has added up.
    pub fn merge(&mut self, other: &TotalDigest) {
        for (db, digest) in &other.dbs {
            self.dbs.entry(*db).or_default().xor_with(digest.0);
        }
    }

    /// The total.
    #[must_use]
    pub fn finish(&self) -> Digest {
        let mut total = Digest::ZERO;
        for (db, digest) in &self.dbs {
            total.mix(&db.to_be_bytes());
            total.xor_with(digest.0);
        }
        total
    }
}

/// Digests a value (DIGEST-VALUE), or a key with its value.
///
/// # Errors
///
/// [`Unknowable`] for modules and arrays.
pub fn digest_entry(
    key: Option<&[u8]>,
    entry: &Entry<'_>,
    flavor: Flavor,
    now_ms: i64,
) -> Result<Digest, Unknowable> {
    let start = |kind| KeyDigest::new(key, kind, flavor);
    let mut buffer = itoa::Buffer::new();
    let digest = match &entry.value {
        Value::String(text) => {
            let mut digest = start(Type::String);
            digest.element(text.as_bytes(&mut buffer));
            digest
        }
        Value::List(list) => {
            let mut digest = start(Type::List);
            for item in list.iter() {
                digest.element(item.as_bytes(&mut buffer));
            }
            digest
        }
        Value::Set(set) => {
            let mut digest = start(Type::Set);
            for member in set.iter() {
                digest.member(member);
            }
            digest
        }
        Value::SortedSet(zset) => digest_zset(start(Type::SortedSet), zset),
        Value::Hash(hash) => digest_hash(start(Type::Hash), hash, now_ms),
        Value::Stream(stream) => digest_stream(start(Type::Stream), stream),
        Value::VectorSet(vectors) => digest_vectors(start(Type::VectorSet), vectors),
        Value::Array(_) => return Err(Unknowable::Array),
        Value::Module(module) => return Err(Unknowable::Module(module.name)),
    };
    Ok(digest.finish(entry.expire_at_ms().is_some()))
}

fn digest_zset(mut digest: KeyDigest, zset: &SortedSet<'_>) -> KeyDigest {
    for (member, score) in zset.iter() {
        digest.scored(member, score);
    }
    digest
}

fn digest_hash(mut digest: KeyDigest, hash: &Hash<'_>, now_ms: i64) -> KeyDigest {
    let mut buffer = itoa::Buffer::new();
    for (name, field) in hash.iter() {
        let value = field.value.as_bytes(&mut buffer);
        digest.field(name, value, field.expire_at_ms(), now_ms);
    }
    digest
}

fn digest_stream(mut digest: KeyDigest, stream: &Stream<'_>) -> KeyDigest {
    let mut buffer = itoa::Buffer::new();
    for (id, fields) in &stream.entries {
        digest.stream_entry(*id);
        for (field, value) in fields {
            digest.element(field.as_bytes(&mut buffer));
            digest.element(value.as_bytes(&mut buffer));
        }
    }
    digest
}

fn digest_vectors(mut digest: KeyDigest, set: &VectorSet<'_>) -> KeyDigest {
    let elements = set
        .elements
        .iter()
        .map(|(name, vector)| (&*vector.data, &**name, vector.attributes.as_deref()));
    digest.vectors(set.dim, set.elements.len(), elements);
    digest
}

/// Adds all keys of a database to a total.
///
/// # Errors
///
/// [`Unknowable`], with the key.
pub fn digest_db<'d>(
    total: &mut TotalDigest,
    number: u32,
    db: &'d Db<'_>,
    flavor: Flavor,
    now_ms: i64,
) -> Result<(), (&'d [u8], Unknowable)> {
    for (key, entry) in db.iter() {
        let digest =
            digest_entry(Some(key), entry, flavor, now_ms).map_err(|reason| (&**key, reason))?;
        total.add(number, digest);
    }
    Ok(())
}

/// DEBUG DIGEST of a store.
///
/// # Errors
///
/// [`Unknowable`], with database and key.
pub fn digest_store<'s>(
    store: &'s Store<'_>,
    flavor: Flavor,
    now_ms: i64,
) -> Result<Digest, (u32, &'s [u8], Unknowable)> {
    let mut total = TotalDigest::default();
    for (number, db) in store.dbs() {
        digest_db(&mut total, number, db, flavor, now_ms)
            .map_err(|(key, reason)| (number, key, reason))?;
    }
    Ok(total.finish())
}
