//! `digest`: DEBUG DIGEST of a keyspace, and of each key.

use crate::model::ValueType;
use crate::num::{Flavor, digest_score_text};
use crate::select::Selection;
use crate::store::digest::{Digest, TotalDigest, Unknowable, digest_entry};
use crate::store::{Entry, Store, Value};

/// What to digest, and as whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DigestOptions {
    /// The server whose DEBUG DIGEST it is to equal.
    pub flavor: Flavor,
    /// Where that server hides fields whose deadline has passed: what has passed.
    pub now_ms: i64,
    /// Which keys count.
    pub selection: Selection,
}

impl DigestOptions {
    /// All keys, as this server.
    #[must_use]
    pub fn new(flavor: Flavor, now_ms: i64) -> Self {
        DigestOptions {
            flavor,
            now_ms,
            selection: Selection::everything(),
        }
    }
}

/// One key, for a list of them.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyLine<'s> {
    /// Its database.
    pub db: u32,
    /// The key.
    pub key: &'s [u8],
    /// DEBUG DIGEST-VALUE, if it can be known.
    pub digest: Result<Digest, Unknowable>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Digested {
    /// DEBUG DIGEST; none if one key's cannot be known.
    pub total: Option<Digest>,
    /// Keys that count.
    pub keys: u64,
    /// Keys whose digest cannot be known.
    pub unknowable: u64,
    /// Database, key and reason of the first of them.
    pub example: Option<(u32, Vec<u8>, String)>,
    /// Whether another release than the one asked for might say otherwise: there is a
    /// score with two texts, or a field with a deadline.
    pub depends_on_flavor: bool,
}

fn value_type(value: &Value<'_>) -> ValueType {
    match value {
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

/// Whether releases differ in how they digest a value.
fn depends_on_flavor(entry: &Entry<'_>) -> bool {
    const OLD: Flavor = Flavor::redis(7, 0);
    const NEW: Flavor = Flavor::redis(7, 4);
    match &entry.value {
        Value::SortedSet(set) => set.iter().any(|(_, score)| {
            // Small integers, the most common scores, print alike everywhere.
            let is_small_integer = score.fract() == 0.0 && score.abs() < 1e6;
            !is_small_integer && digest_score_text(score, OLD) != digest_score_text(score, NEW)
        }),
        Value::Hash(hash) => hash.deadlines() > 0,
        _ => false,
    }
}

/// Digests a keyspace; `each` sees every key that counts, if it is wanted.
///
/// The size of a value is not known once it is in a keyspace, so a selection by size
/// matches nothing.
pub fn digest_store<'s>(
    store: &'s Store<'_>,
    options: &DigestOptions,
    mut each: Option<&mut dyn FnMut(KeyLine<'s>)>,
) -> Digested {
    let mut digested = Digested::default();
    let mut total = TotalDigest::default();
    for (db, key, entry) in store.iter() {
        let matches = options.selection.is_everything()
            || options.selection.matches(
                db,
                key,
                value_type(&entry.value),
                entry.expire_at_ms(),
                None,
            );
        if !matches {
            continue;
        }
        digested.keys += 1;
        digested.depends_on_flavor = digested.depends_on_flavor || depends_on_flavor(entry);
        match digest_entry(Some(key), entry, options.flavor, options.now_ms) {
            Ok(digest) => total.add(db, digest),
            Err(reason) => {
                digested.unknowable += 1;
                digested
                    .example
                    .get_or_insert_with(|| (db, key.to_vec(), reason.to_string()));
            }
        }
        if let Some(each) = &mut each {
            let digest = digest_entry(None, entry, options.flavor, options.now_ms);
            each(KeyLine { db, key, digest });
        }
    }
    digested.total = (digested.unknowable == 0).then(|| total.finish());
    digested
}
