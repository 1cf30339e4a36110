//! Releases as targets: what each one reads, and how it stores what it writes itself.
//!
//! | release | magic | types beyond those of the row above |
//! |---|---|---|
//! | Redis 2.6, 2.8, 3.0 | `REDIS0006` | 0-4, 9-13 |
//! | Redis 3.2 | `REDIS0007` | 14; aux fields, RESIZEDB |
//! | Redis 4.0 | `REDIS0008` | 5, 7 |
//! | Redis 5.0, 6.0, 6.2 | `REDIS0009` | 15; idle times, frequencies, module aux |
//! | Redis 7.0 | `REDIS0010` | 16-19; functions |
//! | Redis 7.2, Valkey 7.2, 8.0, 8.1 | `REDIS0011` | 20, 21 |
//! | Redis 7.4, 8.0, 8.2, 8.4 | `REDIS0012` | 22-25; slot info; from 8.0 on vector sets |
//! | Redis 8.6 | `REDIS0013` | 26; key metadata |
//! | Redis 8.8 | `REDIS0014` | 27, 28 |
//! | Redis 8.10 | `REDIS0015` | 29-32; hash templates |
//! | Valkey 9.0, 9.1 | `VALKEY080` | those of Valkey 8.1, and 22 of its own |
//!
//! Nearly everything follows from the version in the magic; [`Target`] answers the
//! questions, so that no writer compares versions itself.

use std::fmt;

use super::constants::TypeByte;
use super::dialect::{Dialect, Family};
use super::object::stream;
use crate::encoding::listpack::BacklenWidth;
use crate::num::{Flavor, Product};

/// A release to write for.
///
/// ```
/// use rdbkit::rdb::Target;
///
/// let target = Target::named("redis-7.2").unwrap();
/// assert_eq!(target.dialect().to_string(), "REDIS0011");
/// assert!(Target::named("redis-1.0").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    flavor: Flavor,
    dialect: Dialect,
}

const fn redis(major: u16, minor: u16, version: u16) -> Target {
    Target {
        flavor: Flavor::redis(major, minor),
        dialect: Dialect::redis(version),
    }
}

const fn valkey(major: u16, minor: u16, dialect: Dialect) -> Target {
    Target {
        flavor: Flavor::valkey(major, minor),
        dialect,
    }
}

/// Every target, the families apart, oldest first.
static TARGETS: [Target; 22] = [
    redis(2, 6, 6),
    redis(2, 8, 6),
    redis(3, 0, 6),
    redis(3, 2, 7),
    redis(4, 0, 8),
    redis(5, 0, 9),
    redis(6, 0, 9),
    redis(6, 2, 9),
    redis(7, 0, 10),
    redis(7, 2, 11),
    redis(7, 4, 12),
    redis(8, 0, 12),
    redis(8, 2, 12),
    redis(8, 4, 12),
    redis(8, 6, 13),
    redis(8, 8, 14),
    redis(8, 10, 15),
    valkey(7, 2, Dialect::redis(11)),
    valkey(8, 0, Dialect::redis(11)),
    valkey(8, 1, Dialect::redis(11)),
    valkey(9, 0, Dialect::valkey(80)),
    valkey(9, 1, Dialect::valkey(80)),
];

/// Whether to use a release's usual encodings or only those that any loader re-encodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encodings {
    /// What the release would write itself, at its default thresholds.
    #[default]
    Default,
    /// One string for each element: no ziplists, listpacks and intsets.
    Universal,
}

/// How lists are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    /// One ziplist while small, else strings.
    Ziplist,
    /// Nodes of ziplists.
    Quicklist,
    /// Nodes of listpacks.
    Quicklist2,
    /// The same, and large elements are nodes of their own.
    Quicklist2WithPlain,
}

/// How fields with deadlines are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldDeadlines {
    /// Not at all.
    None,
    /// Types 24 and 25.
    Redis,
    /// Type 22 of Valkey.
    Valkey,
}

/// How the keys of a cluster slot are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotHints {
    /// Not at all.
    None,
    /// Opcode 244.
    Opcode,
    /// The aux field `slot-info`.
    Aux,
}

impl Target {
    /// All of them, the families apart, oldest first.
    pub fn all() -> impl Iterator<Item = &'static Target> {
        TARGETS.iter()
    }

    /// The target called `redis-7.2` or `valkey-9.1`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Target> {
        Target::all().find(|target| target.to_string() == name)
    }

    /// The release that wrote a file, by what its aux fields say, else the oldest that
    /// writes this version. A release that is not in the table counts as the one before it.
    #[must_use]
    pub fn of_source(dialect: Dialect, flavor: Option<Flavor>) -> Option<&'static Target> {
        flavor
            .and_then(Target::nearest)
            .filter(|target| target.dialect == dialect)
            .or_else(|| Target::all().find(|target| target.dialect == dialect))
    }

    /// The release of that number, else the one before it.
    #[must_use]
    pub fn nearest(flavor: Flavor) -> Option<&'static Target> {
        let is_older = |target: &&Target| {
            target.flavor.product == flavor.product
                && (target.flavor.major, target.flavor.minor) <= (flavor.major, flavor.minor)
        };
        Target::all().filter(is_older).last()
    }

    /// Family and number of the release.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Magic and version of its files.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn is_redis(&self) -> bool {
        self.flavor.product == Product::Redis
    }

    /// Whether it reads the value behind a type byte of a file of that family.
    #[must_use]
    pub fn reads(&self, byte: TypeByte, family: Family) -> bool {
        let Dialect {
            family: own,
            version,
        } = self.dialect;
        match byte.0 {
            0..=4 | 9..=13 => true,
            14 => version >= 7,
            5 | 7 => version >= 8,
            15 => version >= 9,
            16..=19 => version >= 10,
            20 | 21 => version >= 11,
            22 if family == Family::Valkey => own == Family::Valkey,
            22..=25 => own == Family::Redis && family == own && version >= 12,
            26 => own == Family::Redis && version >= 13,
            27 | 28 => own == Family::Redis && version >= 14,
            29..=32 => own == Family::Redis && version >= 15,
            _ => false,
        }
    }

    /// Whether files begin with named facts and say how many keys a database has.
    pub(crate) fn has_aux(&self) -> bool {
        self.dialect.version >= 7
    }

    /// Whether the count of an `aof-base` or `aof-preamble` is written, and its name.
    pub(crate) fn base_aux(&self) -> Option<&'static str> {
        match self.dialect.version {
            ..8 => None,
            8 | 9 => Some("aof-preamble"),
            _ => Some("aof-base"),
        }
    }

    /// The name of the aux field with the release's number.
    pub(crate) fn version_aux(&self) -> &'static str {
        match self.flavor.product {
            Product::Redis => "redis-ver",
            Product::Valkey => "valkey-ver",
        }
    }

    /// Whether scripts travel in files, as aux fields.
    pub(crate) fn has_scripts(&self) -> bool {
        matches!(self.dialect.version, 8 | 9)
    }

    /// Whether a key may have an idle time or a frequency.
    pub(crate) fn has_eviction_data(&self) -> bool {
        self.dialect.version >= 9
    }

    /// Whether modules may have data beside the keys.
    pub(crate) fn has_module_aux(&self) -> bool {
        self.dialect.version >= 9
    }

    /// Whether modules can add types.
    #[must_use]
    pub fn has_modules(&self) -> bool {
        self.dialect.version >= 8
    }

    /// Whether vector sets are built in.
    #[must_use]
    pub fn has_vector_sets(&self) -> bool {
        self.is_redis() && self.flavor.major >= 8
    }

    /// Whether nodes of a vector set's graph name their worst links.
    pub(crate) fn says_worst_links(&self) -> bool {
        self.is_redis() && (self.flavor.major, self.flavor.minor) >= (8, 2)
    }

    /// Whether function libraries exist.
    #[must_use]
    pub fn has_functions(&self) -> bool {
        self.dialect.version >= 10
    }

    /// Whether modules can attach data to any key.
    #[must_use]
    pub fn has_key_meta(&self) -> bool {
        self.dialect.family == Family::Redis && self.dialect.version >= 13
    }

    /// Whether there is the type array.
    #[must_use]
    pub fn has_arrays(&self) -> bool {
        self.dialect.family == Family::Redis && self.dialect.version >= 14
    }

    pub(crate) fn has_templates(&self) -> bool {
        self.dialect.family == Family::Redis && self.dialect.version >= 15
    }

    /// Whether a single field of a hash can expire.
    #[must_use]
    pub fn has_field_deadlines(&self) -> bool {
        self.field_deadlines() != FieldDeadlines::None
    }

    pub(crate) fn field_deadlines(&self) -> FieldDeadlines {
        match (self.dialect.family, self.dialect.version) {
            (Family::Valkey, _) => FieldDeadlines::Valkey,
            (Family::Redis, 12..) => FieldDeadlines::Redis,
            (Family::Redis, _) => FieldDeadlines::None,
        }
    }

    fn since(&self, major: u16, minor: u16) -> bool {
        !self.is_redis() || (self.flavor.major, self.flavor.minor) >= (major, minor)
    }

    /// Whether a log may begin with an RDB.
    #[must_use]
    pub fn has_preamble(&self) -> bool {
        self.base_aux().is_some()
    }

    /// Whether a log begins with an RDB unless the server is told otherwise.
    #[must_use]
    pub fn prefers_preamble(&self) -> bool {
        self.since(5, 0)
    }

    /// Whether a log may be several files with a manifest.
    #[must_use]
    pub fn has_multi_part_logs(&self) -> bool {
        self.since(7, 0)
    }

    /// Whether HSET takes more than one field.
    pub(crate) fn has_variadic_hset(&self) -> bool {
        self.since(4, 0)
    }

    /// Whether RESTORE takes deadlines instead of seconds to live.
    pub(crate) fn restores_deadlines(&self) -> bool {
        self.since(5, 0)
    }

    /// Whether a consumer can be made that owns nothing.
    pub(crate) fn creates_consumers(&self) -> bool {
        self.since(6, 2)
    }

    /// Whether commands tell a stream's counters.
    pub(crate) fn sets_stream_counters(&self) -> bool {
        self.flavor.has_stream_counters()
    }

    /// Whether there is the type stream.
    #[must_use]
    pub fn has_streams(&self) -> bool {
        self.stream_version().is_some()
    }

    /// The newest layout of a stream.
    pub(crate) fn stream_version(&self) -> Option<stream::Version> {
        Some(match (self.dialect.family, self.dialect.version) {
            (Family::Valkey, _) => stream::Version::V3,
            (Family::Redis, ..9) => return None,
            (Family::Redis, 9) => stream::Version::V1,
            (Family::Redis, 10) => stream::Version::V2,
            (Family::Redis, 11 | 12) => stream::Version::V3,
            (Family::Redis, 13) => stream::Version::V4,
            (Family::Redis, 14..) => stream::Version::V5,
        })
    }

    /// Whether it refuses streams whose counters cannot be.
    pub(crate) fn checks_stream_counters(&self) -> bool {
        self.stream_version() >= Some(stream::Version::V5)
    }

    /// Whether it refuses streams whose length is not the number of their entries.
    pub(crate) fn checks_stream_length(&self) -> bool {
        self.dialect.is_valkey() || self.checks_stream_counters()
    }

    pub(crate) fn slot_hints(&self) -> SlotHints {
        match self.flavor.product {
            Product::Redis if self.dialect.version >= 12 => SlotHints::Opcode,
            Product::Valkey if self.flavor.major >= 8 => SlotHints::Aux,
            _ => SlotHints::None,
        }
    }

    /// Whether small collections are listpacks; else they are ziplists.
    pub(crate) fn has_listpacks(&self) -> bool {
        self.dialect.version >= 10
    }

    /// Whether small sets that are not all integers are packed.
    pub(crate) fn has_set_listpacks(&self) -> bool {
        self.dialect.version >= 11
    }

    pub(crate) fn has_binary_scores(&self) -> bool {
        self.dialect.version >= 8
    }

    pub(crate) fn lists(&self) -> Lists {
        match self.dialect.version {
            ..7 => Lists::Ziplist,
            7..10 => Lists::Quicklist,
            _ => {
                let Flavor { major, minor, .. } = self.flavor;
                let first = if self.is_redis() { (7, 4) } else { (8, 0) };
                match (major, minor) >= first {
                    true => Lists::Quicklist2WithPlain,
                    false => Lists::Quicklist2,
                }
            }
        }
    }

    /// How wide it writes and reads the back lengths of a listpack where releases differ.
    pub(crate) fn backlen_width(&self) -> BacklenWidth {
        let Flavor { major, minor, .. } = self.flavor;
        let first = if self.is_redis() { (8, 8) } else { (9, 1) };
        match (major, minor) >= first {
            true => BacklenWidth::Minimal,
            false => BacklenWidth::Wide,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flavor.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_own_name_and_reads_its_own_types() {
        for target in Target::all() {
            let name = target.to_string();
            assert_eq!(Target::named(&name), Some(target), "{name}");
            let own = Target::of_source(target.dialect, Some(target.flavor));
            assert_eq!(own, Some(target), "{name}");
            assert_eq!(
                target.has_streams(),
                target.reads(TypeByte::STREAM_LISTPACKS, target.dialect.family),
                "{name}"
            );
        }
    }

    #[test]
    fn source_without_a_name_is_the_oldest_of_its_version() {
        let name = |dialect, flavor: Option<&str>| {
            Target::of_source(dialect, flavor.and_then(Flavor::parse)).map(Target::to_string)
        };
        let cases = [
            (Dialect::redis(6), None, Some("redis-2.6")),
            (Dialect::redis(1), None, None),
            (Dialect::redis(11), Some("valkey-8.1"), Some("valkey-8.1")),
            (Dialect::redis(12), Some("redis-8.3"), Some("redis-8.2")),
            // A release candidate of 8.10.
            (Dialect::redis(15), Some("redis-8.9"), Some("redis-8.10")),
            (Dialect::valkey(80), Some("valkey-9.1"), Some("valkey-9.1")),
            (Dialect::redis(11), Some("valkey-9.1"), Some("redis-7.2")),
        ];
        for (dialect, flavor, expected) in cases {
            assert_eq!(name(dialect, flavor).as_deref(), expected, "{dialect}");
        }
    }

    #[test]
    fn types_of_one_family_are_not_the_others() {
        let reads = |name: &str, byte, family| Target::named(name).unwrap().reads(byte, family);
        let table = [
            ("redis-7.4", TypeByte(22), Family::Redis, true),
            ("redis-8.6", TypeByte(22), Family::Valkey, false),
            ("valkey-9.0", TypeByte(22), Family::Valkey, true),
            ("valkey-9.0", TypeByte(22), Family::Redis, false),
            ("valkey-9.1", TypeByte(25), Family::Redis, false),
            ("valkey-8.1", TypeByte(21), Family::Redis, true),
            ("valkey-9.1", TypeByte(26), Family::Redis, false),
            ("redis-6.2", TypeByte(15), Family::Redis, true),
            ("redis-6.2", TypeByte(16), Family::Redis, false),
            ("redis-3.2", TypeByte(5), Family::Redis, false),
            ("redis-8.8", TypeByte(28), Family::Redis, true),
            ("redis-8.8", TypeByte(30), Family::Redis, false),
        ];
        for (name, byte, family, expected) in table {
            assert_eq!(reads(name, byte, family), expected, "{name} {byte:?}");
        }
    }
}
