//! Releases, as far as numbers and digests differ between them.
//!
//! | question | Redis | Valkey |
//! |---|---|---|
//! | text of a score | `%.17g` before 7.2, fpconv from there | fpconv |
//! | a field deadline counts in DEBUG DIGEST | from 7.4 | never |
//! | expired fields are hidden from DEBUG DIGEST | never | from 9.0 |
//! | a small sorted set keeps a score of -0 | before 7.0 | never |
//! | integers are read loosely | before 3.2 | never |
//! | hexadecimal floats are numbers | yes | until 9.0 |

use std::fmt;

/// Which of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

/// A release whose behaviour is asked for.
///
/// ```
/// use rdbkit::num::Flavor;
/// let flavor = Flavor::parse("redis-7.4").unwrap();
/// assert!(flavor.digests_field_deadlines());
/// assert_eq!(flavor.to_string(), "redis-7.4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flavor {
    /// Which server.
    pub product: Product,
    /// The number before the first dot.
    pub major: u16,
    /// The number after it.
    pub minor: u16,
}

impl Flavor {
    /// A Redis release.
    #[must_use]
    pub const fn redis(major: u16, minor: u16) -> Self {
        Flavor {
            product: Product::Redis,
            major,
            minor,
        }
    }

    /// A Valkey release.
    #[must_use]
    pub const fn valkey(major: u16, minor: u16) -> Self {
        Flavor {
            product: Product::Valkey,
            major,
            minor,
        }
    }

    /// Reads `redis-7.4` or `valkey-9.1`; a third number is ignored.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (product, version) = name.split_once('-')?;
        let product = match product {
            "redis" => Product::Redis,
            "valkey" => Product::Valkey,
            _ => return None,
        };
        let mut numbers = version.splitn(3, '.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(Flavor {
            product,
            major,
            minor,
        })
    }

    const fn at_least(self, major: u16, minor: u16) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }

    /// Whether scores print as C's `%.17g`.
    #[must_use]
    pub const fn prints_17g(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(7, 2)
    }

    /// Whether DEBUG DIGEST tells a field with a deadline from one without.
    #[must_use]
    pub const fn digests_field_deadlines(self) -> bool {
        matches!(self.product, Product::Redis) && self.at_least(7, 4)
    }

    /// Whether DEBUG DIGEST leaves out fields whose deadline has passed.
    #[must_use]
    pub const fn hides_expired_fields(self) -> bool {
        matches!(self.product, Product::Valkey) && self.at_least(9, 0)
    }

    /// Whether a score of -0 becomes 0 in a sorted set that is small enough to be packed.
    #[must_use]
    pub const fn small_zsets_lose_negative_zero(self) -> bool {
        matches!(self.product, Product::Valkey) || self.at_least(7, 0)
    }

    /// Whether BITFIELD extends the sign of a field of `i64` by a shift that does nothing,
    /// so that negative numbers read as -1 (on x86-64; 5.0.10 no longer does).
    #[must_use]
    pub const fn shifts_sign_of_i64_fields(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(6, 0)
    }

    /// Whether LSET takes its index as a 32-bit number: 4294967296 is the first element.
    #[must_use]
    pub const fn truncates_list_places(self) -> bool {
        matches!(self.product, Product::Valkey) || self.at_least(7, 2)
    }

    /// Whether streams count the entries ever added.
    #[must_use]
    pub const fn has_stream_counters(self) -> bool {
        matches!(self.product, Product::Valkey) || self.at_least(7, 0)
    }

    /// Whether a ZADD unpacks the sorted set first if it names too many members for a
    /// packed one.
    #[must_use]
    pub const fn sizes_zsets_ahead(self) -> bool {
        matches!(self.product, Product::Valkey) || self.at_least(7, 2)
    }

    /// Whether the distance of two places on one meridian is computed by latitude alone.
    #[must_use]
    pub const fn shortens_meridians(self) -> bool {
        matches!(self.product, Product::Valkey) || self.at_least(7, 0)
    }

    /// Whether PFMERGE always makes a dense HyperLogLog.
    #[must_use]
    pub const fn merges_hll_dense(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(5, 0)
    }

    /// Whether PFCOUNT uses the estimator before Ertl's: linear counting, and a polynomial
    /// that takes out the bias.
    #[must_use]
    pub const fn counts_hll_by_bias(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(5, 0)
    }

    /// Whether SINTERSTORE ends at the first key that is missing, before it looks at the
    /// types of those behind it.
    #[must_use]
    pub const fn intersects_until_missing(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(7, 0)
    }

    /// Whether integers are read as C's `strtoll` reads them: `+5`, `007` and the empty
    /// text are numbers.
    #[must_use]
    pub const fn reads_loose_integers(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(3, 2)
    }

    /// Whether the empty text is the float 0.
    #[must_use]
    pub const fn reads_empty_floats(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(5, 0)
    }

    /// Whether an empty field of a hash is the float 0.
    #[must_use]
    pub const fn reads_empty_fields_as_floats(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(6, 0)
    }

    /// Whether MOVE leaves the deadline behind.
    #[must_use]
    pub const fn moves_without_deadline(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(3, 0)
    }

    /// Whether SORT BY a constant sorts lists all the same when it stores them.
    #[must_use]
    pub const fn sorts_lists_by_nothing(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(3, 0)
    }

    /// Whether a ZADD unpacks the sorted set first if any member that it names is too
    /// long for a packed one.
    #[must_use]
    pub const fn measures_zset_members_ahead(self) -> bool {
        matches!(self.product, Product::Valkey) && self.at_least(8, 1)
    }

    /// Whether DECRBY takes the least integer, and adds it.
    #[must_use]
    pub const fn negates_least_integer(self) -> bool {
        matches!(self.product, Product::Redis) && !self.at_least(7, 0)
    }

    /// Whether `0x10` is a number where a double is wanted.
    #[must_use]
    pub const fn reads_hex_floats(self) -> bool {
        match self.product {
            Product::Redis => true,
            Product::Valkey => !self.at_least(9, 0),
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = match self.product {
            Product::Redis => "redis",
            Product::Valkey => "valkey",
        };
        write!(f, "{product}-{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_differ_where_the_table_says() {
        let cases = [
            // name, %.17g, field deadlines, hides expired, hex
            ("redis-6.2", true, false, false, true),
            ("redis-7.0", true, false, false, true),
            ("redis-7.2", false, false, false, true),
            ("redis-7.4.1", false, true, false, true),
            ("redis-8.10", false, true, false, true),
            ("valkey-7.2", false, false, false, true),
            ("valkey-8.1", false, false, false, true),
            ("valkey-9.1", false, false, true, false),
        ];
        for (name, g17, deadlines, hides, hex) in cases {
            let flavor = Flavor::parse(name).unwrap();
            assert_eq!(flavor.prints_17g(), g17, "{name}");
            assert_eq!(flavor.digests_field_deadlines(), deadlines, "{name}");
            assert_eq!(flavor.hides_expired_fields(), hides, "{name}");
            assert_eq!(flavor.reads_hex_floats(), hex, "{name}");
        }
        for name in ["redis", "redis-7", "keydb-6.3", "redis-x.1", ""] {
            assert_eq!(Flavor::parse(name), None, "{name}");
        }
    }
}
