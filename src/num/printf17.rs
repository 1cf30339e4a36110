//! C's `%.17g`, which Redis before 7.2 prints scores with, and with fewer digits.
//!
//! Significant digits of the exact value, ties to even; fixed notation for decimal
//! exponents from -4 to one less than there are digits, else `d.ddde±XX` with at least
//! two exponent digits; trailing zeros and a bare point removed.

use std::fmt::Write as _;

use super::text::NumText;

/// The most digits there are.
pub(super) const DIGITS: usize = 17;

/// Prints `value` as `printf("%.17g")`; NaN as `nan`.
#[must_use]
pub fn text(value: f64) -> NumText {
    general(value, DIGITS)
}

/// Prints `value` with 1 to 17 significant digits, as `printf("%.14g")` does with 14; NaN
/// as `nan`.
#[must_use]
pub fn general(value: f64, digits: usize) -> NumText {
    let precision = digits.clamp(1, DIGITS);
    let mut text = NumText::new();
    if value.is_nan() {
        text.push(b"nan");
        return text;
    }
    if value.is_sign_negative() {
        text.push(b"-");
    }
    if value.is_infinite() {
        text.push(b"inf");
        return text;
    }
    // Integers below this are exact and have at most 16 digits: they print as they are.
    const EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;
    let magnitude = value.abs();
    let whole = magnitude as u64;
    if precision == DIGITS && magnitude < EXACT && magnitude == whole as f64 {
        text.push(itoa::Buffer::new().format(whole).as_bytes());
        return text;
    }
    let (digits, exponent) = significant_digits(magnitude, precision);
    let kept = digits.iter().rposition(|digit| *digit != b'0');
    let Some(digits) = kept.map(|last| &digits[..=last]) else {
        text.push(b"0");
        return text;
    };
    match exponent {
        -4..0 => {
            text.push(b"0.");
            text.push_zeros(exponent.unsigned_abs() as usize - 1);
            text.push(digits);
        }
        0.. if (exponent as usize) < precision => {
            let whole = exponent as usize + 1;
            match digits.split_at_checked(whole) {
                Some((whole, fraction)) if !fraction.is_empty() => {
                    text.push(whole);
                    text.push(b".");
                    text.push(fraction);
                }
                _ => {
                    text.push(digits);
                    text.push_zeros(whole - digits.len());
                }
            }
        }
        _ => {
            text.push(&digits[..1]);
            if digits.len() > 1 {
                text.push(b".");
                text.push(&digits[1..]);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            // At most 17 digits, a sign, a point and five more bytes.
            let _ = write!(text, "e{sign}{:02}", exponent.unsigned_abs());
        }
    }
    text
}

/// The digits of `d.ddd..` times ten to the exponent, ties to even; zeros behind them.
fn significant_digits(value: f64, precision: usize) -> ([u8; DIGITS], i32) {
    let quick = (precision == DIGITS).then(|| everyday_digits(value));
    quick
        .flatten()
        .unwrap_or_else(|| digits_of_any(value, precision))
}

/// The powers of ten behind the least that a number of [`everyday_digits`] can reach.
static TEN_TO: [f64; 22] = [
    1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17,
];

/// The powers of five to the 22nd.
static FIVE_TO: [u64; 23] = {
    let mut powers = [1; 23];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 5;
        at += 1;
    }
    powers
};

/// All 17 digits of a number from 1e-5 to below 1e17, exactly, by integers of 128 bits.
///
/// Scores are printed by the million, and nearly all of them lie there; this takes a tenth
/// of the time of [`digits_of_any`].
fn everyday_digits(value: f64) -> Option<([u8; DIGITS], i32)> {
    if !(1e-5..1e17).contains(&value) {
        return None;
    }
    // 1233 / 4096 is the logarithm of 2 to base 10. What follows from the binary exponent
    // alone can only be one too low.
    let binary_exponent = (value.to_bits() >> (f64::MANTISSA_DIGITS - 1)) as i32 - 1023;
    let mut exponent = ((binary_exponent * 1233) >> 12).clamp(-5, 16);
    let next = TEN_TO.get(usize::try_from(exponent + 5).ok()?)?;
    exponent += i32::from(value >= *next);
    // The powers below 1 are not exact, so this may be off by one next to them.
    for _ in 0..3 {
        let scaled = Scaled::new(value, u32::try_from(16 - exponent).ok()?)?;
        if scaled.whole < RANGE.start {
            exponent -= 1;
        } else if scaled.whole >= RANGE.end {
            exponent += 1;
        } else {
            let rounded = scaled.rounded();
            let (number, exponent) = match rounded == RANGE.end {
                true => (RANGE.start, exponent + 1),
                false => (rounded, exponent),
            };
            let number = u64::try_from(number).ok()?;
            let mut buffer = itoa::Buffer::new();
            let digits = buffer.format(number).as_bytes().try_into().ok()?;
            return Some((digits, exponent));
        }
    }
    None
}

/// The 17 digits of a number from 1e-5 to below 1e17 if they are `value * 10^scale`, rounded.
pub(super) fn digits_at(value: f64, scale: u32) -> Option<u128> {
    let scaled = Scaled::new(value, scale)?;
    RANGE.contains(&scaled.whole).then(|| scaled.rounded())
}

/// The least and one more than the greatest number of 17 digits.
const RANGE: std::ops::Range<u128> = 10u128.pow(16)..10u128.pow(17);

/// A number from 1e-5 to below 1e17 times a power of ten, exactly.
struct Scaled {
    whole: u128,
    rounds_up: bool,
}

impl Scaled {
    /// At most 10^22, which leaves room for the 53 bits of the significand; and no more than
    /// fits, should the number be too large for its scale.
    #[inline]
    fn new(value: f64, scale: u32) -> Option<Self> {
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        if scale > 22 {
            return None;
        }
        let bits = value.to_bits();
        // No subnormal number, so the first bit is implied: value = significand * 2^power.
        let significand = u128::from(bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS);
        let power = (bits >> FRACTION_BITS) as i32 - 1075;
        let scaled = (significand * u128::from(*FIVE_TO.get(scale as usize)?)) << scale;
        let (whole, rest, half) = match u32::try_from(power) {
            Ok(power) if power >= scaled.leading_zeros() => return None,
            Ok(power) => (scaled << power, 0, 1),
            Err(_) => {
                let shift = power.unsigned_abs();
                let unit = 1u128 << shift;
                (scaled >> shift, scaled & (unit - 1), unit / 2)
            }
        };
        Some(Scaled {
            whole,
            rounds_up: rest > half || rest == half && whole % 2 == 1,
        })
    }

    /// Ties to even.
    fn rounded(&self) -> u128 {
        self.whole + u128::from(self.rounds_up)
    }
}

/// The same of any number and as many digits as are wanted.
fn digits_of_any(value: f64, precision: usize) -> ([u8; DIGITS], i32) {
    // Rust prints the exact value too; only the layout is C's own.
    let mut scientific = NumText::new();
    // At most 17 digits, a point, `e` and at most four more bytes.
    let _ = write!(scientific, "{value:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or(("0", "0"));
    let mut digits = [b'0'; DIGITS];
    let found = mantissa.bytes().filter(u8::is_ascii_digit);
    for (digit, found) in digits.iter_mut().zip(found) {
        *digit = found;
    }
    (digits, exponent.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn printf17_matches_c() {
        // From a C program with glibc's printf.
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (10.5, "10.5"),
            (3.0e-5, "3.0000000000000001e-05"),
            (1.0e-4, "0.0001"),
            (0.00012345678901234567, "0.00012345678901234567"),
            (1.0e16, "10000000000000000"),
            (1.0e17, "1e+17"),
            (1125899906842624.0 + 0.25, "1125899906842624.2"),
            (1125899906842624.0 + 0.75, "1125899906842624.8"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-123456.789, "-123456.789"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn fewer_digits_match_c() {
        let cases = [
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1e14, 14, "1e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (999_999_999_999_999.0, 14, "1e+15"),
            (123.456, 3, "123"),
            (9.99, 1, "1e+01"),
            (0.5, 1, "0.5"),
            (2.5, 1, "2"),
            (0.0001, 2, "0.0001"),
            (0.00001, 2, "1e-05"),
        ];
        for (value, digits, expected) in cases {
            assert_eq!(&*general(value, digits), expected);
        }
    }

    #[test]
    fn everyday_digits_next_to_powers_of_ten_and_ties_are_exact() {
        let mut values = vec![
            0.5,
            0.25,
            1e-5,
            99_999_999_999_999_984.0,
            9_007_199_254_740_993.0,
        ];
        for exponent in -5..17 {
            let power: f64 = format!("1e{exponent}").parse().unwrap();
            values.extend([power.next_down(), power, power.next_up()]);
            values.extend([power * 0.999_999_999_999_999_9, power * 2.5]);
        }
        for value in values {
            let any = digits_of_any(value, DIGITS);
            let quick = everyday_digits(value);
            assert_eq!(quick.unwrap_or(any), any, "{value:e}");
            assert_eq!(quick.is_some(), (1e-5..1e17).contains(&value), "{value:e}");
        }
    }

    proptest! {
        #[test]
        fn everyday_digits_are_those_of_any(
            value in prop_oneof![1e-5f64..1.0, 0.0f64..1e6, 0.0f64..1e17],
            cents in 0u64..1_000_000_000,
        ) {
            for value in [value, cents as f64 / 100.0, cents as f64 / 1024.0, cents as f64] {
                if let Some(quick) = everyday_digits(value) {
                    prop_assert_eq!(quick, digits_of_any(value, DIGITS), "{}", value);
                }
            }
        }

        #[test]
        fn printf17_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(text(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
