//! Numbers as the servers read and print them.
//!
//! | text | read by | printed by |
//! |---|---|---|
//! | integers | [`parse_i64`] (`string2ll`) | plain decimal |
//! | scores in files | [`parse_score`] | as below |
//! | scores and other doubles | [`parse_f64`] (`strtod`) | [`score_text`], [`digest_score_text`] |
//! | INCRBYFLOAT operands | [`LongDouble::parse`] (`strtold`) | [`LongDouble`]'s `Display` |
//!
//! Nothing here may be replaced by Rust's own parsing and printing: the servers'
//! texts go into AOF files and digests byte for byte, and their rules of what is
//! a number decide which command fails.

pub mod decimal;
mod digits;
pub mod flavor;
pub mod fpconv;
pub mod longdouble;
pub mod printf17;
pub mod strtod;
pub mod text;

pub use decimal::parse_score;
pub(crate) use digits::up_to_eight_digits;
pub use flavor::{Flavor, Product};
pub use longdouble::LongDouble;
pub use strtod::parse_f64;
pub use text::NumText;

/// Reads an integer by the rule of `util.c string2ll`.
///
/// Decimal digits with an optional `-`; no `+`, no blank, no leading zero, no
/// `-0`, nothing outside `i64`. So the text is always the one that printing the
/// number gives back.
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        b"0" => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // 19 digits are the most that i64 has.
    if !matches!(digits.first(), Some(b'1'..=b'9')) || digits.len() > 19 {
        return None;
    }
    let mut magnitude = 0u64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 nines fit into u64.
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Prints a double as replies and scripts of that release show it.
///
/// From Redis 7.2 on (`util.c d2string`) an integral value up to 2^62 prints as
/// an integer, anything else as fpconv does; before, `%.17g`.
#[must_use]
pub fn score_text(value: f64, flavor: Flavor) -> NumText {
    const LIMIT: f64 = (1u64 << 62) as f64;
    if flavor.prints_17g() {
        printf17::text(value)
    } else if value != 0.0 && value.abs() <= LIMIT && value == value.trunc() {
        let mut text = NumText::new();
        text.push(itoa::Buffer::new().format(value as i64).as_bytes());
        text
    } else {
        fpconv::text(value)
    }
}

/// Reads an integer as a release does: by [`parse_i64`], or, in old ones, by `strtoll`,
/// which takes a `+`, leading zeros and the empty text (which is 0), but here no blank
/// before it, and ends at a NUL.
#[must_use]
pub fn parse_i64_of(text: &[u8], flavor: Flavor) -> Option<i64> {
    if let Some(n) = parse_i64(text) {
        return Some(n);
    }
    if !flavor.reads_loose_integers() {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next()?;
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix(b"+").or(text.strip_prefix(b"-"));
    if !digits.unwrap_or(text).iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Prints a score as DEBUG DIGEST hashes it and as an AOF rewrite logs it.
#[must_use]
pub fn digest_score_text(value: f64, flavor: Flavor) -> NumText {
    if flavor.prints_17g() {
        printf17::text(value)
    } else {
        fpconv::text(value)
    }
}

/// A score that all releases print as an integer, without a point or an exponent.
#[must_use]
pub(crate) fn whole_score(score: f64) -> Option<i64> {
    /// From here on some print an exponent.
    const END: u32 = 100_000_000;
    let whole = score as u32;
    let is_whole = f64::from(whole) == score && whole < END;
    // -0 prints as `-0`.
    (is_whole && score.is_sign_positive()).then_some(i64::from(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_scores_print_as_integers() {
        let powers = (0..8).map(|exponent| 10_u32.pow(exponent));
        let around = powers.flat_map(|power| power.saturating_sub(3)..power + 3);
        for n in around
            .chain((0..100_000_000).step_by(9973))
            .chain([99_999_999])
        {
            assert_eq!(whole_score(f64::from(n)), Some(i64::from(n)));
            for flavor in ["redis-7.0", "redis-7.2"] {
                let text = digest_score_text(f64::from(n), Flavor::parse(flavor).unwrap());
                assert_eq!(text.as_bytes(), n.to_string().as_bytes(), "{flavor}");
            }
        }
        for other in [-0.0, -1.0, 0.5, 1e8, 1e300, f64::INFINITY, f64::NAN] {
            assert_eq!(whole_score(other), None, "{other}");
        }
    }

    #[test]
    fn integers_follow_string2ll() {
        let cases: &[(&[u8], Option<i64>)] = &[
            (b"0", Some(0)),
            (b"-1", Some(-1)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"9223372036854775808", None),
            (b"-9223372036854775809", None),
            (b"99999999999999999999", None),
            (b"", None),
            (b"-", None),
            (b"-0", None),
            (b"05", None),
            (b"+5", None),
            (b" 5", None),
            (b"5 ", None),
            (b"0x10", None),
            (b"1e3", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_i64(text), *expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn scores_print_by_release() {
        let old = Flavor::redis(7, 0);
        let new = Flavor::redis(8, 6);
        let cases = [
            // value, before 7.2, reply since, digest since
            (1.0, "1", "1", "1"),
            (-0.0, "-0", "-0", "-0"),
            (0.1, "0.10000000000000001", "0.1", "0.1"),
            (1e-7, "9.9999999999999995e-08", "1e-7", "1e-7"),
            (1e17, "1e+17", "100000000000000000", "1e+17"),
            (1e20, "1e+20", "1e+20", "1e+20"),
            (f64::INFINITY, "inf", "inf", "inf"),
            (f64::NEG_INFINITY, "-inf", "-inf", "-inf"),
        ];
        for (value, before, reply, digest) in cases {
            assert_eq!(score_text(value, old), before);
            assert_eq!(score_text(value, new), reply);
            assert_eq!(digest_score_text(value, new), digest);
        }
    }

    proptest! {
        #[test]
        fn integers_round_trip(n in any::<i64>()) {
            prop_assert_eq!(parse_i64(n.to_string().as_bytes()), Some(n));
        }

        #[test]
        fn integers_are_canonical(text in "[-+0-9 ]{0,21}") {
            let canonical = text.parse::<i64>().ok().filter(|n| n.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), canonical);
        }
    }
}
