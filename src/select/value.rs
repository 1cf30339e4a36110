//! The values of the filter flags: their syntax, and what each one matches.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::model::ValueType;
use crate::model::slot::SLOTS;

impl FromStr for ValueType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = ValueType::ALL.into_iter().find(|t| t.name() == text);
        known.ok_or_else(|| {
            let names = ValueType::ALL.map(ValueType::name).join(", ");
            Error::usage(format!("unknown type {text:?}, the types are {names}"))
        })
    }
}

/// A regular expression that must occur in the key (`--key-regex`).
///
/// `.` and classes mean characters of UTF-8; `(?-u)` makes them bytes.
#[derive(Clone, Debug)]
pub struct KeyRegex(regex::bytes::Regex);

impl KeyRegex {
    /// Whether it occurs in the key.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        self.0.is_match(key)
    }
}

impl FromStr for KeyRegex {
    type Err = Error;

    fn from_str(pattern: &str) -> Result<Self> {
        let regex = regex::bytes::Regex::new(pattern);
        // The crate explains a fault in several lines; the last one says what it is.
        regex.map(KeyRegex).map_err(|error| {
            let explained = error.to_string();
            let last = explained.lines().last().unwrap_or_default();
            let reason = last.trim().trim_start_matches("error: ");
            Error::usage(format!("bad regular expression {pattern:?}: {reason}"))
        })
    }
}

/// Which deadlines match (`--ttl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TtlFilter {
    /// Keys without a deadline.
    Persistent,
    /// Keys with one.
    Volatile,
    /// Keys whose deadline has passed.
    Expired,
    /// Keys with this many seconds to live, both ends included.
    Within {
        /// The fewest; negative is past.
        min_s: i64,
        /// The most.
        max_s: i64,
    },
}

impl TtlFilter {
    /// Whether a key with this deadline matches at `now_ms`.
    #[must_use]
    pub fn matches(self, expire_at_ms: Option<i64>, now_ms: i64) -> bool {
        match (self, expire_at_ms) {
            (TtlFilter::Persistent, at) => at.is_none(),
            (_, None) => false,
            (TtlFilter::Volatile, Some(_)) => true,
            (TtlFilter::Expired, Some(at)) => is_expired(at, now_ms),
            (TtlFilter::Within { min_s, max_s }, Some(at)) => {
                let left_ms = i128::from(at) - i128::from(now_ms);
                (i128::from(min_s) * 1000..=i128::from(max_s) * 1000).contains(&left_ms)
            }
        }
    }
}

/// Whether a deadline has passed, as `db.c keyIsExpired` decides: not at its very millisecond.
#[must_use]
pub fn is_expired(expire_at_ms: i64, now_ms: i64) -> bool {
    now_ms > expire_at_ms
}

impl FromStr for TtlFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "persistent" => return Ok(TtlFilter::Persistent),
            "volatile" => return Ok(TtlFilter::Volatile),
            "expired" => return Ok(TtlFilter::Expired),
            _ => {}
        }
        let Some((min_s, max_s)) = range(text, seconds)? else {
            return Err(Error::usage(format!(
                "bad TTL {text:?}: expected persistent, volatile, expired or MIN..MAX in seconds"
            )));
        };
        let (min_s, max_s) = (min_s.unwrap_or(i64::MIN), max_s.unwrap_or(i64::MAX));
        in_order(text, min_s, max_s)?;
        Ok(TtlFilter::Within { min_s, max_s })
    }
}

fn seconds(text: &str) -> Result<i64> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    digits
        .parse()
        .map_err(|_| Error::usage(format!("bad number of seconds {text:?}")))
}

/// How many encoded bytes a value may have (`--size`), both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// The fewest.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl SizeRange {
    /// Whether a value of this length matches.
    #[must_use]
    pub fn contains(self, encoded_len: u64) -> bool {
        (self.min..=self.max).contains(&encoded_len)
    }
}

impl FromStr for SizeRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((min, max)) = range(text, parse_size)? else {
            return Err(Error::usage(format!(
                "bad size {text:?}: expected MIN..MAX in bytes, K, M or G"
            )));
        };
        let (min, max) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
        in_order(text, min, max)?;
        Ok(SizeRange { min, max })
    }
}

/// Reads a number of bytes: digits and perhaps `K`, `M` or `G`, powers of 1024.
///
/// # Errors
/// A usage error for anything else, and for what 64 bits cannot hold.
pub fn parse_size(text: &str) -> Result<u64> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| all_digits);
    number
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| {
            Error::usage(format!(
                "bad size {text:?}: expected digits, then K, M or G"
            ))
        })
}

/// Slots of a cluster (`--slot`), both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl SlotRange {
    /// Whether the slot is one of them.
    #[must_use]
    pub fn contains(self, slot: u16) -> bool {
        (self.first..=self.last).contains(&slot)
    }
}

impl FromStr for SlotRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let slot = |part: &str| {
            let all_digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let slot = part.parse::<u16>().ok().filter(|_| all_digits);
            slot.filter(|&slot| slot < SLOTS).ok_or_else(|| {
                let last = SLOTS - 1;
                Error::usage(format!("bad slot {part:?}: slots are 0 to {last}"))
            })
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (slot(first)?, slot(last)?);
        in_order(text, first, last)?;
        Ok(SlotRange { first, last })
    }
}

/// Which share of the keys to take (`--sample`): always the same ones.
///
/// A key is in by its own hash, whatever its database, file or neighbours; the
/// keys of a smaller share are among those of a greater one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Keys whose hash is at most this.
    max_hash: u64,
}

impl Sample {
    /// Takes a share above 0, at most 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        // The cast saturates, so that a share of 1 takes every key.
        let max_hash = (share * (u64::MAX as f64)) as u64;
        (share > 0.0 && share <= 1.0).then_some(Sample { max_hash })
    }

    /// Whether the key is taken.
    #[must_use]
    pub fn contains(self, key: &[u8]) -> bool {
        sample_hash(key) <= self.max_hash
    }
}

/// FNV-1a with the last mixing steps of MurmurHash3: never to change, or samples would.
fn sample_hash(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ fnv >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}

impl FromStr for Sample {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, divisor) = match text.strip_suffix('%') {
            Some(percent) => (percent, 100.0),
            None => (text, 1.0),
        };
        let share = number.parse::<f64>().ok().map(|share| share / divisor);
        share.and_then(Sample::new).ok_or_else(|| {
            Error::usage(format!(
                "bad sample {text:?}: expected a fraction above 0 up to 1, or a percentage like 5%"
            ))
        })
    }
}

/// The ends of a range, if the text is one; an end that is left out is open.
type Ends<T> = Option<(Option<T>, Option<T>)>;

/// Splits `MIN..MAX`; `None` if it is no range, or one without ends.
fn range<T>(text: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Ends<T>> {
    let Some((min, max)) = text.split_once("..") else {
        return Ok(None);
    };
    if min.is_empty() && max.is_empty() {
        return Ok(None);
    }
    let end = |part: &str| match part {
        "" => Ok(None),
        part => parse(part).map(Some),
    };
    Ok(Some((end(min)?, end(max)?)))
}

fn in_order<T: PartialOrd>(text: &str, min: T, max: T) -> Result<()> {
    match min <= max {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "bad range {text:?}: it ends before it begins"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: FromStr<Err = Error>>(text: &str) -> Option<String> {
        text.parse::<T>().err().map(|error| error.to_string())
    }

    #[test]
    fn ttl_filters_parse_and_match() {
        let within = |min_s, max_s| TtlFilter::Within { min_s, max_s };
        let table = [
            ("persistent", TtlFilter::Persistent),
            ("volatile", TtlFilter::Volatile),
            ("expired", TtlFilter::Expired),
            ("0..60", within(0, 60)),
            ("..60", within(i64::MIN, 60)),
            ("-5..", within(-5, i64::MAX)),
            ("10s..20s", within(10, 20)),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<TtlFilter>().unwrap(), expected, "{text}");
        }
        for text in ["", "..", "5", "1..x", "9..1", "forever"] {
            assert!(message::<TtlFilter>(text).is_some(), "{text}");
        }
        let now = 1_000_000;
        let table = [
            (TtlFilter::Persistent, None, true),
            (TtlFilter::Persistent, Some(now), false),
            (TtlFilter::Volatile, None, false),
            (TtlFilter::Expired, Some(now), false),
            (TtlFilter::Expired, Some(now - 1), true),
            (within(0, 60), Some(now + 60_000), true),
            (within(0, 60), Some(now + 60_001), false),
            (within(0, 60), Some(now - 1), false),
            (within(i64::MIN, i64::MAX), Some(i64::MIN), true),
            (within(0, 60), None, false),
        ];
        for (filter, at, expected) in table {
            assert_eq!(filter.matches(at, now), expected, "{filter:?} {at:?}");
        }
    }

    #[test]
    fn sizes_slots_and_samples_parse() {
        let size = |min, max| SizeRange { min, max };
        assert_eq!("1..2".parse::<SizeRange>().unwrap(), size(1, 2));
        assert_eq!("1K..".parse::<SizeRange>().unwrap(), size(1024, u64::MAX));
        assert_eq!("..2g".parse::<SizeRange>().unwrap(), size(0, 2 << 30));
        let slots = |first, last| SlotRange { first, last };
        assert_eq!("7".parse::<SlotRange>().unwrap(), slots(7, 7));
        assert_eq!("0-16383".parse::<SlotRange>().unwrap(), slots(0, 16383));
        assert_eq!("50%".parse::<Sample>().unwrap(), "0.5".parse().unwrap());
        for text in ["", "1", "K..2", "+1..2", "2..1", "99999999999G.."] {
            assert!(message::<SizeRange>(text).is_some(), "{text}");
        }
        for text in ["", "16384", "-1", "1-", "2-1", "+1"] {
            assert!(message::<SlotRange>(text).is_some(), "{text}");
        }
        for text in ["", "0", "0%", "101%", "1.1", "-1", "nan", "inf", "%"] {
            assert!(message::<Sample>(text).is_some(), "{text}");
        }
    }

    #[test]
    fn messages_name_the_value_and_what_was_expected() {
        assert_eq!(
            message::<SlotRange>("20000").unwrap(),
            "bad slot \"20000\": slots are 0 to 16383"
        );
        assert_eq!(
            message::<ValueType>("hsh").unwrap(),
            "unknown type \"hsh\", the types are string, list, set, zset, hash, stream, array, module"
        );
        assert_eq!(
            message::<KeyRegex>("a(b").unwrap(),
            "bad regular expression \"a(b\": unclosed group"
        );
    }

    #[test]
    fn samples_nest_and_have_their_size() {
        let keys: Vec<String> = (0..20_000).map(|n| format!("user:{n}")).collect();
        let taken = |share: f64| {
            let sample = Sample::new(share).unwrap();
            keys.iter()
                .filter(|key| sample.contains(key.as_bytes()))
                .collect::<Vec<_>>()
        };
        let (tenth, half) = (taken(0.1), taken(0.5));
        assert!((1_800..2_200).contains(&tenth.len()), "{}", tenth.len());
        assert!((9_600..10_400).contains(&half.len()), "{}", half.len());
        assert!(tenth.iter().all(|key| half.contains(key)));
        assert_eq!(taken(1.0).len(), keys.len());
    }

    #[test]
    fn sample_hash_never_changes() {
        assert_eq!(sample_hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(sample_hash(b"user:1"), 0x4ce5_3ee4_648c_ef41);
    }
}
