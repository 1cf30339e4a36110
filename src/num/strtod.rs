//! C's `strtod`, and the servers' rule of which of its results they take.
//!
//! ```text
//! number   = [blank*] [ "+" / "-" ] ( decimal / hex / inf )
//! decimal  = digits with at most one "." [ ("e" / "E") [sign] digits ]
//! hex      = "0x" hex digits with at most one "." [ ("p" / "P") [sign] digits ]
//! inf      = "inf" / "infinity", any case
//! ```
//!
//! `strtod` reads the longest prefix that is a number. Commands that take a
//! double (`object.c getDoubleFromObject`) want all of the text, no blank before
//! it, no NaN, and no overflow to infinity or underflow to zero: [`parse_f64`].
//! Score ranges (`t_zset.c zslParseItemsRange`) only want the prefix to be all of
//! the text: [`parse_range_f64`].

use super::Flavor;
use super::decimal::plain_f64;

/// How a number's text is made up; the digits lie in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Literal<'t> {
    Infinity,
    Nan,
    Number {
        /// 10 or 16.
        radix: u8,
        /// Digits of that radix, with at most one point among them.
        digits: &'t [u8],
        /// The written exponent (of ten or two), clamped to ±10^9.
        exponent: i64,
    },
}

/// The longest prefix that C reads as a number.
pub(super) struct Scanned<'t> {
    pub(super) negative: bool,
    pub(super) literal: Literal<'t>,
    /// Bytes used, blanks included.
    pub(super) used: usize,
}

/// Far beyond every format, far from overflowing `i64` when digits are added.
const EXPONENT_LIMIT: i64 = 1_000_000_000;

pub(super) fn scan(text: &[u8]) -> Option<Scanned<'_>> {
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    let unsigned = blanks + usize::from(matches!(text.get(blanks), Some(b'+' | b'-')));
    let negative = unsigned > blanks && text[blanks] == b'-';
    let body = &text[unsigned..];
    let (literal, length) = scan_word(body)
        .or_else(|| scan_hex(body))
        .or_else(|| scan_digits(body, 10))?;
    Some(Scanned {
        negative,
        literal,
        used: unsigned + length,
    })
}

fn scan_word(body: &[u8]) -> Option<(Literal<'_>, usize)> {
    let starts_with = |word: &[u8]| {
        body.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    if starts_with(b"infinity") {
        Some((Literal::Infinity, 8))
    } else if starts_with(b"inf") {
        Some((Literal::Infinity, 3))
    } else if starts_with(b"nan") {
        // What may follow in parentheses makes no difference: NaN is refused.
        Some((Literal::Nan, 3))
    } else {
        None
    }
}

fn scan_hex(body: &[u8]) -> Option<(Literal<'_>, usize)> {
    let digits = match body {
        [b'0', b'x' | b'X', digits @ ..] => digits,
        _ => return None,
    };
    let (literal, length) = scan_digits(digits, 16)?;
    Some((literal, 2 + length))
}

fn scan_digits(body: &[u8], radix: u8) -> Option<(Literal<'_>, usize)> {
    let mut has_point = false;
    let mut has_digit = false;
    let mut length = 0;
    for &byte in body {
        if byte == b'.' && !has_point {
            has_point = true;
        } else if char::from(byte).is_digit(u32::from(radix)) {
            has_digit = true;
        } else {
            break;
        }
        length += 1;
    }
    if !has_digit {
        return None;
    }
    let digits = &body[..length];
    let marker = if radix == 16 { b'p' } else { b'e' };
    let (exponent, used) = match body.get(length) {
        Some(byte) if byte.to_ascii_lowercase() == marker => scan_exponent(&body[length + 1..])
            .map_or((0, length), |(exponent, used)| {
                (exponent, length + 1 + used)
            }),
        _ => (0, length),
    };
    let literal = Literal::Number {
        radix,
        digits,
        exponent,
    };
    Some((literal, used))
}

fn scan_exponent(body: &[u8]) -> Option<(i64, usize)> {
    let (negative, sign) = match body.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let digits = body[sign..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 {
        return None;
    }
    let magnitude = body[sign..sign + digits].iter().fold(0i64, |sum, byte| {
        (sum * 10 + i64::from(byte - b'0')).min(EXPONENT_LIMIT)
    });
    Some((if negative { -magnitude } else { magnitude }, sign + digits))
}

/// The significant hexadecimal digits as `bits * 2^exponent`, lower ones folded into bit 0.
pub(super) fn hex_value(digits: &[u8], exponent: i64) -> (u128, i64) {
    let mut bits = 0u128;
    let mut exponent = exponent;
    let mut after_point = false;
    for &byte in digits {
        let Some(digit) = char::from(byte).to_digit(16) else {
            after_point = true;
            continue;
        };
        if bits >> 124 == 0 {
            bits = bits << 4 | u128::from(digit);
            exponent -= if after_point { 4 } else { 0 };
        } else {
            // No room: the digit only decides ties.
            bits |= u128::from(digit != 0);
            exponent += if after_point { 0 } else { 4 };
        }
    }
    (bits, exponent)
}

/// Rounds `bits * 2^exponent` to the nearest double, ties to even.
fn round_to_f64(bits: u128, exponent: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    // A leading one at bit 127 has the place value 2^top.
    let shift = bits.leading_zeros();
    let top = exponent + 127 - i64::from(shift);
    let bits = bits << shift;
    if top > 1023 {
        return f64::INFINITY;
    }
    // Subnormals keep fewer than 53 bits.
    let kept = (top + 1075).min(53);
    if kept < 0 {
        return 0.0;
    }
    let dropped = 128 - kept as u32;
    let half = 1u128 << (dropped - 1);
    let rest = bits & (half | (half - 1));
    let mut significand = bits.checked_shr(dropped).unwrap_or(0) as u64;
    if rest > half || (rest == half && significand & 1 == 1) {
        significand += 1;
    }
    // A carry into the next binade is what adding to the bit pattern gives.
    let biased = if kept == 53 { (top + 1023) as u64 } else { 0 };
    let base = if kept == 53 { (biased - 1) << 52 } else { 0 };
    f64::from_bits(base + significand)
}

/// Whether a literal has a digit other than zero.
pub(super) fn is_nonzero(digits: &[u8]) -> bool {
    digits.iter().any(|byte| !matches!(byte, b'0' | b'.'))
}

/// The value of the longest numeric prefix and its length, as `strtod` gives them.
#[must_use]
pub fn prefix_f64(text: &[u8]) -> Option<(f64, usize)> {
    let scanned = scan(text)?;
    let magnitude = match scanned.literal {
        Literal::Infinity => f64::INFINITY,
        Literal::Nan => f64::NAN,
        Literal::Number {
            radix: 16,
            digits,
            exponent,
        } => {
            let (bits, exponent) = hex_value(digits, exponent);
            round_to_f64(bits, exponent)
        }
        Literal::Number { .. } => {
            let start = scanned.used - number_length(text, scanned.used);
            // The grammar is a subset of Rust's, and both round correctly.
            std::str::from_utf8(&text[start..scanned.used])
                .ok()?
                .parse()
                .ok()?
        }
    };
    let value = if scanned.negative {
        -magnitude
    } else {
        magnitude
    };
    Some((value, scanned.used))
}

/// Length of the unsigned decimal literal that ends at `end`.
fn number_length(text: &[u8], end: usize) -> usize {
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    let sign = usize::from(matches!(text.get(blanks), Some(b'+' | b'-')));
    end - blanks - sign
}

/// Reads a double argument (scores, increments, weights) as that release does.
///
/// ```
/// use rdbkit::num::{Flavor, parse_f64};
/// let flavor = Flavor::redis(7, 0);
/// assert_eq!(parse_f64(b"0x10", flavor), Some(16.0));
/// assert_eq!(parse_f64(b"-INF", flavor), Some(f64::NEG_INFINITY));
/// assert_eq!(parse_f64(b"1e400", flavor), None);
/// ```
#[must_use]
pub fn parse_f64(text: &[u8], flavor: Flavor) -> Option<f64> {
    if let Some(value) = plain_f64(text) {
        return Some(value);
    }
    if text.first()?.is_ascii_whitespace() || text[0] == 0x0b {
        return None;
    }
    let scanned = scan(text)?;
    let (value, used) = prefix_f64(text)?;
    if used != text.len() {
        return None;
    }
    let out_of_range = match scanned.literal {
        Literal::Infinity => false,
        Literal::Nan => true,
        Literal::Number { radix, digits, .. } => {
            value.is_infinite()
                || (value == 0.0 && is_nonzero(digits))
                || (radix == 16 && !flavor.reads_hex_floats())
        }
    };
    (!out_of_range).then_some(value)
}

/// Reads the bound of a score range, without its `(`: laxer than [`parse_f64`].
///
/// Blanks may stand before it, the empty text is 0, what overflows is infinite.
#[must_use]
pub fn parse_range_f64(text: &[u8], flavor: Flavor) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let hex = matches!(scan(text)?.literal, Literal::Number { radix: 16, .. });
    let (value, used) = prefix_f64(text)?;
    (used == text.len() && !value.is_nan() && (!hex || flavor.reads_hex_floats())).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FLAVOR: Flavor = Flavor::redis(7, 0);

    #[test]
    fn doubles_are_taken_as_the_servers_do() {
        let cases: &[(&str, Option<f64>)] = &[
            ("1", Some(1.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("+5", Some(5.0)),
            ("-0", Some(-0.0)),
            ("1e3", Some(1000.0)),
            ("1E+3", Some(1000.0)),
            ("inf", Some(f64::INFINITY)),
            ("+Infinity", Some(f64::INFINITY)),
            ("-INF", Some(f64::NEG_INFINITY)),
            ("0x10", Some(16.0)),
            ("0X1P3", Some(8.0)),
            ("0x.8", Some(0.5)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1.fffffffffffff7p0", Some(2.0 - f64::EPSILON)),
            ("0x1p-1074", Some(5e-324)),
            ("0x3p-1075", Some(1e-323)),
            ("0x0p9999999999", Some(0.0)),
            ("4.9e-324", Some(5e-324)),
            ("0e999", Some(0.0)),
            ("2e-324", None),
            ("1e309", None),
            ("0x1p-1075", None),
            ("0x1p1024", None),
            ("1e999999999999", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("\u{b}1", None),
            ("1\0", None),
            ("nan", None),
            ("-nan", None),
            ("infinit", None),
            (".", None),
            ("0x", None),
            ("0x.p1", None),
            ("1e", None),
            ("1e+", None),
            ("--1", None),
            ("1.2.3", None),
            ("1_000", None),
        ];
        for (text, expected) in cases {
            let value = parse_f64(text.as_bytes(), FLAVOR);
            assert_eq!(
                value.map(f64::to_bits),
                expected.map(f64::to_bits),
                "{text:?}: {value:?}"
            );
        }
        assert_eq!(parse_f64(b"0x10", Flavor::valkey(9, 1)), None);
    }

    #[test]
    fn prefixes_end_where_c_stops() {
        let cases: &[(&str, Option<(f64, usize)>)] = &[
            (" 12ab", Some((12.0, 3))),
            ("1e", Some((1.0, 1))),
            ("0xg", Some((0.0, 1))),
            ("infx", Some((f64::INFINITY, 3))),
            ("0x1p", Some((1.0, 3))),
            ("x", None),
            ("-", None),
        ];
        for (text, expected) in cases {
            assert_eq!(prefix_f64(text.as_bytes()), *expected, "{text:?}");
        }
        assert_eq!(parse_range_f64(b"", FLAVOR), Some(0.0));
        assert_eq!(parse_range_f64(b" 1e400", FLAVOR), Some(f64::INFINITY));
        assert_eq!(parse_range_f64(b"1x", FLAVOR), None);
    }

    proptest! {
        #[test]
        fn doubles_of_any_text_do_not_panic(text in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = parse_f64(&text, FLAVOR);
            let _ = parse_range_f64(&text, FLAVOR);
        }

        #[test]
        fn decimal_doubles_are_the_nearest(bits in any::<u64>(), shift in 0u32..64, point in 0usize..20, negative: bool) {
            let mut text = (bits >> shift).to_string();
            text.insert(point.min(text.len()), '.');
            text.insert_str(0, if negative { "-" } else { "" });
            let wanted: f64 = text.parse().unwrap();
            prop_assert_eq!(parse_f64(text.as_bytes(), FLAVOR).map(f64::to_bits), Some(wanted.to_bits()));
        }

        #[test]
        fn hexadecimal_doubles_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits & (u64::MAX >> 1));
            prop_assume!(value.is_finite());
            let fraction = value.to_bits() & ((1 << 52) - 1);
            let biased = (value.to_bits() >> 52) as i32;
            let text = match biased {
                0 => format!("0x0.{fraction:013x}p-1022"),
                _ => format!("0x1.{fraction:013x}p{}", biased - 1023),
            };
            prop_assert_eq!(parse_f64(text.as_bytes(), FLAVOR), Some(value));
        }
    }
}
