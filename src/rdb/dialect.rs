//! Dialects: the same byte means different things in the two families.
//!
//! Redis writes `REDIS` and four digits, Valkey 9 and newer `VALKEY` and three.
//! Types 22 and 23 and opcodes 242 and 243 differ between them, so everything
//! that looks at a type byte or an opcode looks at a [`Dialect`] too. A DUMP
//! payload has no magic; its version number decides (up to 79 is Redis).

use std::fmt;

/// Which server's format it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `REDIS`: every Redis, and Valkey up to 8.1.
    Redis,
    /// `VALKEY`: Valkey 9.0 and newer.
    Valkey,
}

/// Family and version of an RDB file or DUMP payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// Which server's format it is.
    pub family: Family,
    /// The number after the magic word.
    pub version: u16,
}

impl Dialect {
    /// The newest version of `REDIS` that is read.
    pub const NEWEST_REDIS: u16 = 15;
    /// The only version of `VALKEY` that is read.
    pub const NEWEST_VALKEY: u16 = 80;
    /// The lowest number that belongs to Valkey.
    pub const FIRST_VALKEY: u16 = 80;

    /// A `REDIS` dialect.
    #[must_use]
    pub const fn redis(version: u16) -> Self {
        Dialect {
            family: Family::Redis,
            version,
        }
    }

    /// A `VALKEY` dialect.
    #[must_use]
    pub const fn valkey(version: u16) -> Self {
        Dialect {
            family: Family::Valkey,
            version,
        }
    }

    /// The word of the magic.
    #[must_use]
    pub const fn magic(self) -> &'static str {
        match self.family {
            Family::Redis => "REDIS",
            Family::Valkey => "VALKEY",
        }
    }

    /// Whether this is `VALKEY`.
    #[must_use]
    pub const fn is_valkey(self) -> bool {
        matches!(self.family, Family::Valkey)
    }

    /// Whether the file ends with a CRC64: from version 5 on.
    #[must_use]
    pub const fn has_checksum(self) -> bool {
        self.version >= 5
    }
}

impl fmt::Display for Dialect {
    /// Writes the nine bytes of the magic: `REDIS0011`, `VALKEY080`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::Redis => write!(f, "REDIS{:04}", self.version),
            Family::Valkey => write!(f, "VALKEY{:03}", self.version),
        }
    }
}
