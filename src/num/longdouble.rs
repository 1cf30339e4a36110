//! The 80-bit long double of x86, in which servers do INCRBYFLOAT.
//!
//! A 64-bit significand and a 15-bit exponent; `strtold` to read, one addition,
//! `%.17Lf` without trailing zeros to print. All of it is exact integer
//! arithmetic rounded once, to nearest and ties to even, so every platform
//! gives what an x86 server gives. (Servers on other processors calculate with
//! other long doubles; their logs hold the results, not the additions.)
//!
//! ```
//! use rdbkit::num::LongDouble;
//! let sum = LongDouble::parse(b"0.1").unwrap() + LongDouble::parse(b"0.2").unwrap();
//! assert_eq!(sum.to_string(), "0.3");
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::ops::Add;

use super::strtod::{self, Literal};

/// `util.h MAX_LONG_DOUBLE_CHARS`: longer texts are no numbers.
const MAX_CHARS: usize = 5 * 1024;
/// The exponent of the lowest bit: 2^-16445.
const MIN_EXPONENT: i64 = -16445;
/// The greatest exponent that the lowest of 64 bits can have.
const MAX_EXPONENT: i64 = 16320;

/// One x87 extended number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Magnitude {
    /// `significand * 2^exponent`, with bit 63 set unless the exponent is the lowest; or zero.
    Finite {
        significand: u64,
        exponent: i64,
    },
    Infinite,
    Nan,
}

impl LongDouble {
    /// Reads all of `text` as `util.c string2ld` does.
    ///
    /// No blank before it, no NaN, no overflow, no underflow to zero; infinity is
    /// read (and the command then refuses it as a result).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= MAX_CHARS || matches!(text.first()?, b' ' | b'\t'..=b'\r') {
            return None;
        }
        let scanned = strtod::scan(text)?;
        if scanned.used != text.len() {
            return None;
        }
        let magnitude = match scanned.literal {
            Literal::Nan => return None,
            Literal::Infinity => Magnitude::Infinite,
            Literal::Number {
                radix,
                digits,
                exponent,
            } => {
                let rounded = if !strtod::is_nonzero(digits) {
                    ZERO
                } else if radix == 16 {
                    let (bits, exponent) = strtod::hex_value(digits, exponent);
                    round(bits, exponent)
                } else {
                    decimal(digits, exponent)
                };
                match rounded {
                    Magnitude::Infinite => return None,
                    ZERO if strtod::is_nonzero(digits) => return None,
                    rounded => rounded,
                }
            }
        };
        Some(LongDouble {
            negative: scanned.negative,
            magnitude,
        })
    }

    /// Whether it is neither infinite nor NaN.
    #[must_use]
    pub fn is_finite(self) -> bool {
        matches!(self.magnitude, Magnitude::Finite { .. })
    }
}

impl From<i64> for LongDouble {
    fn from(n: i64) -> Self {
        LongDouble {
            negative: n < 0,
            magnitude: round(u128::from(n.unsigned_abs()), 0),
        }
    }
}

const ZERO: Magnitude = Magnitude::Finite {
    significand: 0,
    exponent: MIN_EXPONENT,
};

/// Rounds `bits * 2^exponent`; bits below must have been folded into bit 0, with
/// at least two bits of room beneath the 64 that stay.
fn round(bits: u128, exponent: i64) -> Magnitude {
    if bits == 0 {
        return ZERO;
    }
    let shift = bits.leading_zeros();
    let bits = bits << shift;
    let exponent = exponent - i64::from(shift);
    // Now bit 127 is set; 64 bits stay, fewer below the normal range.
    let dropped = (MIN_EXPONENT - exponent).max(64);
    if dropped > 128 {
        return ZERO;
    }
    let (kept, rest, half) = if dropped == 128 {
        (0, bits, 1u128 << 127)
    } else {
        (
            bits >> dropped,
            bits & ((1 << dropped) - 1),
            1u128 << (dropped - 1),
        )
    };
    let up = match rest.cmp(&half) {
        Ordering::Greater => 1,
        Ordering::Equal => kept & 1,
        Ordering::Less => 0,
    };
    let mut kept = kept + up;
    let mut exponent = exponent + dropped;
    if kept >> 64 != 0 {
        kept >>= 1;
        exponent += 1;
    }
    if kept == 0 {
        ZERO
    } else if exponent > MAX_EXPONENT {
        Magnitude::Infinite
    } else {
        Magnitude::Finite {
            significand: kept as u64,
            exponent,
        }
    }
}

/// Rounds `digits * 10^exponent`, the point being among the digits.
fn decimal(digits: &[u8], exponent: i64) -> Magnitude {
    let fraction = digits
        .iter()
        .position(|&byte| byte == b'.')
        .map_or(0, |point| digits.len() - point - 1);
    let power = exponent - fraction as i64;
    let mut number = Big::default();
    let mut significant = 0i64;
    for &byte in digits {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit <= 9 {
            number.multiply_add(10, digit);
            significant += i64::from(significant > 0 || digit > 0);
        }
    }
    // Outside of these the result is certain, and the powers would be huge.
    let magnitude = significant + power;
    if magnitude > 4940 {
        return Magnitude::Infinite;
    }
    if magnitude < -4960 {
        return ZERO;
    }
    if power >= 0 {
        for _ in 0..power {
            number.multiply_add(10, 0);
        }
        let (bits, exponent) = number.top();
        return round(bits, exponent);
    }
    let mut divisor = Big::one();
    for _ in power..0 {
        divisor.multiply_add(10, 0);
    }
    // A quotient of 67 bits or one more: 64 to keep and the room `round` wants.
    let shift = 67 + divisor.bits() as i64 - number.bits() as i64;
    if shift > 0 {
        number.shift_left(shift as usize);
    } else {
        divisor.shift_left(shift.unsigned_abs() as usize);
    }
    let (quotient, exact) = number.divide(divisor);
    round(quotient << 1 | u128::from(!exact), -shift - 1)
}

impl Add for LongDouble {
    type Output = LongDouble;

    fn add(self, other: LongDouble) -> LongDouble {
        let (a, b) = match (self.magnitude, other.magnitude) {
            (
                Magnitude::Finite {
                    significand: a,
                    exponent: a_exponent,
                },
                Magnitude::Finite {
                    significand: b,
                    exponent: b_exponent,
                },
            ) => (
                (self.negative, a, a_exponent),
                (other.negative, b, b_exponent),
            ),
            (Magnitude::Nan, _) => return self,
            (_, Magnitude::Nan) => return other,
            (Magnitude::Infinite, Magnitude::Infinite) if self.negative != other.negative => {
                return LongDouble {
                    negative: true,
                    magnitude: Magnitude::Nan,
                };
            }
            (Magnitude::Infinite, _) => return self,
            (_, Magnitude::Infinite) => return other,
        };
        if a.1 == 0 && b.1 == 0 {
            return LongDouble {
                negative: a.0 && b.0,
                magnitude: ZERO,
            };
        }
        // The larger exponent first: its significand gets 62 bits of room below.
        let (high, low) = if a.2 >= b.2 { (a, b) } else { (b, a) };
        let exponent = high.2 - 62;
        let high_bits = u128::from(high.1) << 62;
        let distance = high.2 - low.2;
        let wide = u128::from(low.1) << 62;
        let low_bits = match u32::try_from(distance) {
            Ok(distance @ 0..=126) => {
                let lost = wide & ((1 << distance) - 1) != 0;
                wide >> distance | u128::from(lost)
            }
            _ => u128::from(low.1 != 0),
        };
        let (negative, bits) = if high.0 == low.0 {
            (high.0, high_bits + low_bits)
        } else if high_bits >= low_bits {
            (high.0, high_bits - low_bits)
        } else {
            (low.0, low_bits - high_bits)
        };
        LongDouble {
            // A sum that cancels out is +0.
            negative: negative && bits != 0,
            magnitude: round(bits, exponent),
        }
    }
}

impl fmt::Display for LongDouble {
    /// Prints as `util.c ld2string` in its human mode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let (significand, exponent) = match self.magnitude {
            Magnitude::Infinite => return write!(f, "{sign}inf"),
            Magnitude::Nan => return write!(f, "{sign}nan"),
            Magnitude::Finite {
                significand,
                exponent,
            } => (significand, exponent),
        };
        if exponent >= 0 {
            let mut whole = Big::from_u64(significand);
            whole.shift_left(exponent as usize);
            return write!(f, "{sign}{}", whole.decimal());
        }
        // 64 + 57 bits: the value in units of 10^-17, rounded to even.
        let scaled = u128::from(significand) * 100_000_000_000_000_000;
        let shift = exponent.unsigned_abs();
        let units = if shift > 127 {
            0
        } else {
            let rest = scaled & ((1 << shift) - 1);
            let half = 1u128 << (shift - 1);
            let units = scaled >> shift;
            units + u128::from(rest > half || (rest == half && units & 1 == 1))
        };
        let whole = units / 100_000_000_000_000_000;
        let fraction = units % 100_000_000_000_000_000;
        // `-0` alone loses its sign, as it does in ld2string.
        let sign = if units == 0 { "" } else { sign };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:017}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// A natural number, lowest limb first, no zero limb on top.
#[derive(Clone, Default)]
struct Big(Vec<u32>);

impl Big {
    fn one() -> Self {
        Big(vec![1])
    }

    fn from_u64(n: u64) -> Self {
        let mut big = Big(vec![n as u32, (n >> 32) as u32]);
        big.trim();
        big
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn bits(&self) -> usize {
        self.0
            .last()
            .map_or(0, |top| self.0.len() * 32 - top.leading_zeros() as usize)
    }

    fn shift_left(&mut self, count: usize) {
        let (limbs, bits) = (count / 32, count % 32);
        if bits > 0 {
            let mut carry = 0;
            for limb in &mut self.0 {
                let wide = u64::from(*limb) << bits | u64::from(carry);
                *limb = wide as u32;
                carry = (wide >> 32) as u32;
            }
            if carry != 0 {
                self.0.push(carry);
            }
        }
        self.0.splice(0..0, std::iter::repeat_n(0, limbs));
    }

    fn shift_right_one(&mut self) {
        let mut carry = 0;
        for limb in self.0.iter_mut().rev() {
            let low = *limb & 1;
            *limb = *limb >> 1 | carry << 31;
            carry = low;
        }
        self.trim();
    }

    fn compare(&self, other: &Big) -> Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Subtracts a number that is not greater.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let other = other.0.get(index).copied().unwrap_or(0);
            let (difference, under) = limb.overflowing_sub(other);
            let (difference, under_again) = difference.overflowing_sub(u32::from(borrow));
            *limb = difference;
            borrow = under || under_again;
        }
        self.trim();
    }

    /// The quotient (below 2^70 here) and whether nothing is left.
    fn divide(mut self, mut divisor: Big) -> (u128, bool) {
        let steps = self.bits().saturating_sub(divisor.bits());
        divisor.shift_left(steps);
        let mut quotient = 0u128;
        for _ in 0..=steps {
            quotient <<= 1;
            if self.compare(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1;
            }
            divisor.shift_right_one();
        }
        (quotient, self.0.is_empty())
    }

    /// The highest 96 bits or more, all lower ones folded into bit 0, and their exponent.
    fn top(&self) -> (u128, i64) {
        let low = self.0.len().saturating_sub(4);
        let bits = self.0[low..]
            .iter()
            .rev()
            .fold(0u128, |bits, &limb| bits << 32 | u128::from(limb));
        let lost = self.0[..low].iter().any(|&limb| limb != 0);
        (bits | u128::from(lost), low as i64 * 32)
    }

    fn decimal(mut self) -> String {
        const CHUNK: u32 = 1_000_000_000;
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0u64;
            for limb in self.0.iter_mut().rev() {
                let wide = rest << 32 | u64::from(*limb);
                *limb = (wide / u64::from(CHUNK)) as u32;
                rest = wide % u64::from(CHUNK);
            }
            self.trim();
            chunks.push(rest);
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:09}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let sum = LongDouble::parse(a.as_bytes())? + LongDouble::parse(b.as_bytes())?;
        Some(sum.to_string())
    }

    #[test]
    fn incrbyfloat_prints_as_the_servers() {
        // a, b, a + b; the first five from servers, the others from a C program on x86.
        let cases = [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "200", "5200"),
            ("15", "1e20", "100000000000000000016"),
            ("0", "1e-18", "0"),
            ("0", "-1e-18", "0"),
            ("3", "-3", "0"),
            ("-1.5", "0", "-1.5"),
            ("0x1p-3", "1", "1.125"),
            ("0x1.00000000000000018p64", "0", "18446744073709551618"),
            ("1e-4950", "0", "0"),
            ("inf", "1", "inf"),
            ("inf", "-inf", "-nan"),
            ("0.000000000000000005", "0", "0"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551615", "0.4", "18446744073709551615"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
        ];
        for (a, b, expected) in cases {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
    }

    #[test]
    fn texts_that_are_no_long_doubles_are_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "1e4933",
            "1e-4970",
            "1e-99999999999",
            "abc",
            ".",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::parse("1".repeat(5120).as_bytes()), None);
        let long = format!("0.{}", "1".repeat(5000));
        assert_eq!(
            LongDouble::parse(long.as_bytes()).unwrap().to_string(),
            "0.11111111111111111"
        );
    }

    proptest! {
        #[test]
        fn integers_are_exact(a in any::<i64>(), b in any::<i32>()) {
            let exact = i128::from(a) + i128::from(b);
            prop_assume!(exact.unsigned_abs() < 1 << 64);
            prop_assert_eq!(sum(&a.to_string(), &b.to_string()).unwrap(), exact.to_string());
        }

        #[test]
        fn addition_commutes(a in "-?[0-9]{1,25}(\\.[0-9]{1,25})?(e-?[0-9]{1,4})?",
                             b in "-?[0-9]{1,25}(\\.[0-9]{1,25})?(e-?[0-9]{1,3})?") {
            prop_assert_eq!(sum(&a, &b), sum(&b, &a));
        }
    }
}
