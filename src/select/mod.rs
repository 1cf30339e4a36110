//! Which keys to look at: the filters that every command which reads keys takes.
//!
//! | flag | matches |
//! |---|---|
//! | `--db N` | keys of this database |
//! | `--key GLOB` | keys that match, see [`Glob`] |
//! | `--key-regex RE` | keys in which it occurs |
//! | `--not-key GLOB` | keys that match none of these |
//! | `--type NAME` | values of this type |
//! | `--ttl FILTER` | by deadline, see [`TtlFilter`] |
//! | `--size MIN..MAX` | values with this many encoded bytes; one of unknown size never matches |
//! | `--slot A-B` | keys of these cluster slots |
//! | `--sample P` | this share of the keys, always the same ones |
//! | `--drop-expired` | keys whose deadline has not passed |
//!
//! A key must match every kind of filter that is given, and of each kind any one.

mod glob;
mod value;

pub use glob::Glob;
pub use value::{KeyRegex, Sample, SizeRange, SlotRange, TtlFilter, is_expired, parse_size};

use crate::model::ValueType;
use crate::model::slot::key_slot;

/// The filters, as parsed from their flags.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// `--db`
    pub db: Vec<u32>,
    /// `--key`
    pub key: Vec<Glob>,
    /// `--key-regex`
    pub key_regex: Vec<KeyRegex>,
    /// `--not-key`
    pub not_key: Vec<Glob>,
    /// `--type`
    pub value_type: Vec<ValueType>,
    /// `--ttl`
    pub ttl: Vec<TtlFilter>,
    /// `--size`
    pub size: Vec<SizeRange>,
    /// `--slot`
    pub slot: Vec<SlotRange>,
    /// `--sample`
    pub sample: Vec<Sample>,
    /// `--drop-expired`
    pub drop_expired: bool,
    /// `--now`: the time that deadlines are compared with.
    pub now_ms: i64,
}

/// Decides which keys are selected.
///
/// ```
/// use rdbkit::model::ValueType;
/// use rdbkit::select::{Filters, Selection};
///
/// let selection = Selection::new(Filters {
///     key: vec!["user:*".parse()?, "session:*".parse()?],
///     value_type: vec!["hash".parse()?],
///     ..Filters::default()
/// });
/// assert!(selection.matches(0, b"user:1", ValueType::Hash, None, None));
/// assert!(!selection.matches(0, b"user:1", ValueType::Set, None, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selection {
    filters: Filters,
    /// A bit for each type that matches.
    types: u64,
    is_everything: bool,
}

impl Default for Selection {
    /// Selects every key.
    fn default() -> Self {
        Selection::everything()
    }
}

impl Selection {
    /// Selects by these filters.
    #[must_use]
    pub fn new(filters: Filters) -> Self {
        let Filters {
            db,
            key,
            key_regex,
            not_key,
            value_type,
            ttl,
            size,
            slot,
            sample,
            drop_expired,
            now_ms: _,
        } = &filters;
        let is_everything = db.is_empty()
            && key.is_empty()
            && key_regex.is_empty()
            && not_key.is_empty()
            && value_type.is_empty()
            && ttl.is_empty()
            && size.is_empty()
            && slot.is_empty()
            && sample.is_empty()
            && !drop_expired;
        let types = match &value_type[..] {
            [] => u64::MAX,
            types => types.iter().fold(0, |bits, t| bits | type_bit(*t)),
        };
        Selection {
            filters,
            types,
            is_everything,
        }
    }

    /// Selects every key.
    #[must_use]
    pub fn everything() -> Self {
        Selection::new(Filters::default())
    }

    /// Whether every key is selected.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// Whether the encoded size of values matters, which a replayed dataset must compute first.
    #[must_use]
    pub fn needs_size(&self) -> bool {
        !self.filters.size.is_empty()
    }

    /// Whether a database may have selected keys.
    #[must_use]
    #[inline]
    pub fn matches_db(&self, db: u32) -> bool {
        any(&self.filters.db, |&own| own == db)
    }

    /// Whether a key is selected.
    #[must_use]
    #[inline]
    pub fn matches(
        &self,
        db: u32,
        key: &[u8],
        value_type: ValueType,
        expire_at_ms: Option<i64>,
        encoded_len: Option<u64>,
    ) -> bool {
        self.is_everything || self.matches_filters(db, key, value_type, expire_at_ms, encoded_len)
    }

    /// Cheap kinds first.
    fn matches_filters(
        &self,
        db: u32,
        key: &[u8],
        value_type: ValueType,
        expire_at_ms: Option<i64>,
        encoded_len: Option<u64>,
    ) -> bool {
        let filters = &self.filters;
        let is_dropped = || expire_at_ms.is_some_and(|at| is_expired(at, filters.now_ms));
        self.matches_db(db)
            && self.types & type_bit(value_type) != 0
            && !(filters.drop_expired && is_dropped())
            && any(&filters.ttl, |ttl| {
                ttl.matches(expire_at_ms, filters.now_ms)
            })
            && any(&filters.size, |size| {
                encoded_len.is_some_and(|n| size.contains(n))
            })
            && any(&filters.key, |glob| glob.matches(key))
            && !filters.not_key.iter().any(|glob| glob.matches(key))
            && any(&filters.sample, |sample| sample.contains(key))
            && self.matches_slot(key)
            && any(&filters.key_regex, |regex| regex.matches(key))
    }

    fn matches_slot(&self, key: &[u8]) -> bool {
        let ranges = &self.filters.slot;
        ranges.is_empty() || {
            let slot = key_slot(key);
            ranges.iter().any(|range| range.contains(slot))
        }
    }
}

/// Whether one of a kind matches, or none is given.
#[inline]
fn any<T>(kind: &[T], matches: impl FnMut(&T) -> bool) -> bool {
    kind.is_empty() || kind.iter().any(matches)
}

fn type_bit(value_type: ValueType) -> u64 {
    1 << value_type as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str) -> Glob {
        Glob::new(pattern.as_bytes())
    }

    #[test]
    fn no_filter_selects_everything() {
        let selection = Selection::everything();
        assert!(selection.is_everything());
        assert!(selection.matches(9, b"", ValueType::Module, Some(i64::MIN), None));
    }

    #[test]
    fn kinds_are_joined_by_and_repeats_by_or() {
        let base = || Filters {
            db: vec![0, 2],
            key: vec![glob("a*"), glob("*z")],
            not_key: vec![glob("*no*"), glob("ax")],
            value_type: vec![ValueType::Hash, ValueType::List],
            ..Filters::default()
        };
        let selection = Selection::new(base());
        assert!(!selection.is_everything());
        let table: &[(u32, &[u8], ValueType, bool)] = &[
            (0, b"ab", ValueType::Hash, true),
            (2, b"bz", ValueType::List, true),
            (1, b"ab", ValueType::Hash, false),
            (0, b"bb", ValueType::Hash, false),
            (0, b"a-no-z", ValueType::Hash, false),
            (0, b"ax", ValueType::Hash, false),
            (0, b"ab", ValueType::Set, false),
        ];
        for &(db, key, value_type, expected) in table {
            let found = selection.matches(db, key, value_type, None, None);
            assert_eq!(
                found,
                expected,
                "{db} {} {value_type:?}",
                key.escape_ascii()
            );
        }
    }

    #[test]
    fn size_slot_regex_and_expiry_select() {
        let matches = |filters: Filters, key: &[u8], at: Option<i64>, len: Option<u64>| {
            Selection::new(filters).matches(0, key, ValueType::String, at, len)
        };
        let size = || Filters {
            size: vec!["1K..2K".parse().unwrap()],
            ..Filters::default()
        };
        assert!(matches(size(), b"k", None, Some(1024)));
        assert!(!matches(size(), b"k", None, Some(2049)));
        assert!(!matches(size(), b"k", None, None));
        let slot = |text: &str| Filters {
            slot: vec![text.parse().unwrap()],
            ..Filters::default()
        };
        assert!(matches(slot("12182"), b"x{foo}", None, None));
        assert!(!matches(slot("0-12181"), b"foo", None, None));
        let regex = |text: &str| Filters {
            key_regex: vec![text.parse().unwrap()],
            ..Filters::default()
        };
        assert!(matches(regex("[0-9]+$"), b"\xffuser:17", None, None));
        assert!(!matches(regex("^[0-9]+$"), b"user:17", None, None));
        let alive = || Filters {
            drop_expired: true,
            now_ms: 100,
            ..Filters::default()
        };
        assert!(matches(alive(), b"k", Some(100), None));
        assert!(!matches(alive(), b"k", Some(99), None));
        assert!(matches(alive(), b"k", None, None));
    }
}
