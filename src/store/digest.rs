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

/// Module types that are known to have no digest callback, because values that differ have
/// the same digest, that of a key and the type alone: RedisJSON 2.8, RedisBloom 2.8 and RedisTimeSeries 1.12 on Redis 7.4.
pub const SILENT_MODULES: [&str; 7] = [
    "ReJSON-RL",
    "MBbloom--",
    "MBbloomCF",
    "CMSk-TYPE",
    "TopK-TYPE",
    "TDIS-TYPE",
    "TSDB-TYPE",
];

fn is_silent(name: &[u8; 9]) -> bool {
    SILENT_MODULES.iter().any(|known| known.as_bytes() == name)
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

    /// Databases that have keys.
    #[must_use]
    pub fn databases(&self) -> usize {
        self.dbs.len()
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
    let digest = entry.look(|value| digest_value(key, value, flavor, now_ms))?;
    Ok(digest.finish(entry.expire_at_ms().is_some()))
}

fn digest_value(
    key: Option<&[u8]>,
    value: &Value<'_>,
    flavor: Flavor,
    now_ms: i64,
) -> Result<KeyDigest, Unknowable> {
    let start = |kind| KeyDigest::new(key, kind, flavor);
    let mut buffer = itoa::Buffer::new();
    Ok(match value {
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
        Value::Module(module) if is_silent(&module.name) => start(Type::VectorSet),
        Value::Module(module) => return Err(Unknowable::Module(module.name)),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Bytes, List, Map, Quantization, Set, Str, Vector};

    const DEADLINE: i64 = 4_102_444_800_000;

    fn put<'a>(store: &mut Store<'a>, db: u32, key: &'a str, value: Value<'a>) {
        store
            .db_mut(db)
            .insert(Bytes::borrowed(key.as_bytes()), value.into());
    }

    /// What these commands leave: SET s hello, SET n 12345, RPUSH l a 1 "",
    /// SADD set member:0 .. member:99, ZADD z with i/7-3 for m0 .. m49 and six odd
    /// scores (one is -0, which servers from 7.0 on store as 0 in a small sorted
    /// set, and 6.2 does not), HSET h f v n 17, two XADD x, SET t expires with PEXPIREAT, and in
    /// database 3 SET s other.
    fn sample(negative_zero: f64) -> Store<'static> {
        let mut store = Store::new();
        put(&mut store, 0, "s", Value::String(Str::borrowed(b"hello")));
        put(&mut store, 0, "n", Value::String(12345.into()));
        let list: List<'_> = [Str::borrowed(b"a"), 1.into(), Str::default()]
            .into_iter()
            .collect();
        put(&mut store, 0, "l", Value::List(list.into()));
        let set: Set<'_> = (0..100)
            .map(|n| Bytes::from(format!("member:{n}").into_bytes()))
            .collect();
        put(&mut store, 0, "set", Value::Set(set.into()));
        let mut zset: SortedSet<'_> = (0..50)
            .map(|n| {
                let member = Bytes::from(format!("m{n}").into_bytes());
                (member, f64::from(n) / 7.0 - 3.0)
            })
            .collect();
        for (member, score) in [
            ("inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("neg", negative_zero),
            ("small", 1e-7),
            ("big", 1e20),
            ("grisu", -1.547_182_503_134_182e-78),
        ] {
            zset.insert(Bytes::borrowed(member.as_bytes()), score);
        }
        put(&mut store, 0, "z", Value::SortedSet(zset.into()));
        let mut hash = Hash::default();
        hash.insert(Bytes::borrowed(b"f"), Str::borrowed(b"v"));
        hash.insert(Bytes::borrowed(b"n"), 17.into());
        put(&mut store, 0, "h", Value::Hash(hash.into()));
        let pair = |field: &'static str, value: &'static str| {
            (
                Str::borrowed(field.as_bytes()),
                Str::borrowed(value.as_bytes()),
            )
        };
        let mut stream = Stream::default();
        stream.append(StreamId::new(1, 1), [pair("f", "v")].into_iter().collect());
        stream.append(
            StreamId::new(2, 0),
            [pair("a", "b"), pair("c", "d")].into_iter().collect(),
        );
        put(&mut store, 0, "x", Value::Stream(stream.into()));
        put(&mut store, 0, "t", Value::String(Str::borrowed(b"expires")));
        if let Some(entry) = store.db_mut(0).get_mut(b"t") {
            entry.set_expire_at_ms(Some(DEADLINE));
        }
        put(&mut store, 3, "s", Value::String(Str::borrowed(b"other")));
        store
    }

    fn total(store: &Store<'_>, flavor: &str) -> String {
        let flavor = Flavor::parse(flavor).unwrap();
        digest_store(store, flavor, 0).unwrap().to_string()
    }

    #[test]
    fn values_digest_as_on_servers() {
        // DEBUG DIGEST-VALUE of Redis 7.0.15.
        let cases = [
            ("s", "36b23a1456b2dce2c3ed252c456761301dba8060"),
            ("l", "7736d67ea0f4464c2ae9cbe1f5e7598c4395e6d3"),
            ("set", "5d9003b458a174759d3dfbc5125625a1fc937568"),
            ("z", "3baf124a4b96d80ca5299215b74eff39c2d2a7a2"),
            ("h", "9cca88240bbb659a330e4ba31f67d4627eed15c7"),
            ("x", "d127ad1a764bddf9f56363e13b514ba7995a1775"),
            ("t", "71e0cc529f9930120eb36214149f190ba1ac2cd4"),
        ];
        let store = sample(0.0);
        for (key, expected) in cases {
            let entry = store.db(0).unwrap().get(key.as_bytes()).unwrap();
            let digest = digest_entry(None, entry, Flavor::redis(7, 0), 0).unwrap();
            assert_eq!(digest.to_string(), expected, "{key}");
        }
    }

    #[test]
    fn dataset_digests_as_on_servers() {
        // DEBUG DIGEST without and with HPEXPIREAT h .. FIELDS 1 f.
        let plain = "9ed44badc8d1f80cfa4d4e81285f1a8db2fc3862";
        let field = "1258ea38a436544d09dbcd136cf68589a953e548";
        let cases = [
            (
                "redis-6.2",
                "15b3e5099b6c108c96cb3809e8ca226a596b78db",
                None,
            ),
            (
                "redis-7.0",
                "1a1643e5792a50579b94f9f1ce4939549cbc94db",
                None,
            ),
            ("redis-7.4", plain, Some(field)),
            ("redis-8.2", plain, Some(field)),
            ("redis-8.6", plain, Some(field)),
            ("valkey-8.1", plain, None),
            ("valkey-9.1", plain, Some(plain)),
        ];
        for (flavor, expected, with_deadline) in cases {
            let mut store = sample(if flavor == "redis-6.2" { -0.0 } else { 0.0 });
            assert_eq!(total(&store, flavor), expected, "{flavor}");
            let entry = store.db_mut(0).get_mut(b"h");
            let Some(Value::Hash(hash)) = entry.map(Entry::value_mut) else {
                panic!("h is a hash");
            };
            hash.set_expire_at_ms(b"f", Some(DEADLINE));
            if let Some(expected) = with_deadline {
                assert_eq!(total(&store, flavor), expected, "{flavor}");
            }
        }
        assert_eq!(total(&Store::new(), "redis-7.4"), "0".repeat(40));
    }

    #[test]
    fn vector_set_digests_as_on_servers() {
        // Redis 8.2.3 and 8.6.2 after VADD vs VALUES 3 1 -2 3 a SETATTR {"k":1}
        // and VADD vs VALUES 3 4 5 0.5 b.
        let vector = |data: &'static [u8], attributes: Option<&'static [u8]>| Vector {
            data: Bytes::borrowed(data),
            range: 1.0,
            l2_norm: 1.0,
            attributes: attributes.map(Bytes::borrowed),
        };
        let mut elements = Map::new();
        elements.insert(
            Bytes::borrowed(b"a"),
            vector(b"*\xab\x7f", Some(b"{\"k\":1}")),
        );
        elements.insert(Bytes::borrowed(b"b"), vector(b"f\x7f\r", None));
        let vectors = VectorSet {
            dim: 3,
            quantization: Quantization::Int8,
            projection: None,
            m: 16,
            elements,
        };
        let entry = Value::VectorSet(vectors.into()).into();
        let digest = digest_entry(None, &entry, Flavor::redis(8, 2), 0).unwrap();
        assert_eq!(
            digest.to_string(),
            "999d6412bddc3fbfdf212d89cbc6f8c78b81cab6"
        );
    }

    #[test]
    fn unknowable_values_are_named() {
        let module = crate::store::Module {
            name: *b"scdtype00",
            encver: 3,
            record: Bytes::default(),
        };
        let mut store = sample(0.0);
        put(&mut store, 5, "j", Value::Module(module.into()));
        let unknown = digest_store(&store, Flavor::redis(8, 2), 0);
        let reason = Unknowable::Module(*b"scdtype00");
        assert_eq!(unknown, Err((5, b"j".as_slice(), reason)));
    }

    #[test]
    fn expired_fields_are_hidden_by_valkey_9_only() {
        let digest = |flavor: &str, now_ms| {
            let mut key = KeyDigest::new(None, Type::Hash, Flavor::parse(flavor).unwrap());
            key.field(b"f", b"v", Some(1000), now_ms);
            key.finish(false)
        };
        assert_eq!(digest("valkey-9.1", 1000), digest("valkey-8.1", 9999));
        assert_ne!(digest("valkey-9.1", 1001), digest("valkey-9.1", 1000));
        assert_eq!(digest("redis-8.2", 0), digest("redis-8.2", 9999));
    }
}
