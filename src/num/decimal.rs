//! Texts of scores: reading them, and telling whether a server printed them.
//!
//! Nearly all scores are plain decimals, `-?whole[.fraction]` without idle zeros and of at most
//! 19 digits. Their number, and whether it prints as they are, is found in integers, in a
//! fraction of the time that parsing and printing in general take.

use super::{Flavor, NumText, fpconv, printf17, score_text};

/// 10^0 to 10^22, all exact.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads the text of a score as servers wrote it: `strtod` without blanks and hexadecimals.
#[must_use]
pub fn parse_score(text: &[u8]) -> Option<f64> {
    plain_f64(text).or_else(|| parse_any(text))
}

/// The number of a plain decimal, for readers that know other forms, too: nothing says nothing.
pub(super) fn plain_f64(text: &[u8]) -> Option<f64> {
    let (value, _) = PlainDecimal::read(text)?.value()?;
    Some(value)
}

/// A score, and what is known of its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrintedScore {
    pub(crate) value: f64,
    /// Some release prints the text for the number, or it is a short decimal.
    pub(crate) is_printed: bool,
    /// It is surely what `%.17g` prints.
    pub(crate) is_17g: bool,
}

/// The same, and whether the text is one that a server wrote.
#[must_use]
pub(crate) fn parse_printed_score(text: &[u8]) -> Option<PrintedScore> {
    if let Some(decimal) = PlainDecimal::read(text)
        && let Some((value, is_17g)) = decimal.value()
    {
        let is_short = !is_17g && decimal.is_surely_shortest();
        if is_short || is_17g || decimal.is_17g_of(value) {
            return Some(PrintedScore {
                value,
                is_printed: true,
                is_17g: !is_short,
            });
        }
    }
    parse_any(text).map(|value| PrintedScore {
        value,
        is_printed: is_printed(text, value),
        is_17g: false,
    })
}

fn parse_any(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether some release prints the number so.
///
/// Begins with the likely release, as formatting is costly: a text of 17 digits or more is
/// that of `%.17g`.
fn is_printed(text: &[u8], value: f64) -> bool {
    let is = |known: NumText| known.as_bytes() == text;
    let (likely, other) = match text.len() {
        ..17 => (Flavor::redis(8, 6), Flavor::redis(6, 2)),
        _ => (Flavor::redis(6, 2), Flavor::redis(8, 6)),
    };
    is(score_text(value, likely)) || is(score_text(value, other)) || is(fpconv::text(value))
}

/// `-?whole[.fraction]`, without idle zeros.
#[derive(Clone, Copy, Debug)]
struct PlainDecimal {
    is_negative: bool,
    /// The digits as one number.
    number: u64,
    /// How many there are, a lone zero before the point included.
    digits: u32,
    /// How many of them stand behind the point.
    fraction: u32,
}

impl PlainDecimal {
    #[inline]
    fn read(text: &[u8]) -> Option<PlainDecimal> {
        /// The most that always fit into 64 bits.
        const MAX_DIGITS: usize = 19;
        let (is_negative, text) = match text {
            [b'-', text @ ..] => (true, text),
            text => (false, text),
        };
        if text.len() > MAX_DIGITS + 1 {
            return None;
        }
        let (mut number, mut whole) = (0u64, text.len());
        for (index, byte) in text.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            } else if *byte == b'.' && whole == text.len() {
                whole = index;
            } else {
                return None;
            }
        }
        let (fraction, digits) = match text.len() - whole {
            0 => (0, whole),
            point_and_more => (point_and_more - 1, text.len() - 1),
        };
        let has_idle_zeros = match text {
            [] | [b'.', ..] | [b'0', b'0'..=b'9', ..] => true,
            [.., last] => whole < text.len() && !matches!(last, b'1'..=b'9'),
        };
        if has_idle_zeros || digits > MAX_DIGITS {
            return None;
        }
        Some(PlainDecimal {
            is_negative,
            number,
            digits: digits as u32,
            fraction: fraction as u32,
        })
    }

    /// The nearest double, if it is found without long arithmetic, and whether `%.17g` is
    /// known to print it so.
    #[inline]
    fn value(self) -> Option<(f64, bool)> {
        let quotient = self.number as f64 / POWERS[self.fraction as usize];
        if self.number <= 1 << f64::MANTISSA_DIGITS {
            // Both are exact, so their quotient is rounded only once.
            return Some((self.signed(quotient), false));
        }
        // Rounded twice, so it may be one off. No two doubles share a text of 17 digits,
        // so that which has this one is the nearest to it.
        [quotient, quotient.next_up(), quotient.next_down()]
            .into_iter()
            .find(|near| self.is_17g_of(*near))
            .map(|value| (self.signed(value), true))
    }

    fn signed(self, value: f64) -> f64 {
        match self.is_negative {
            true => -value,
            false => value,
        }
    }

    /// Whether it is surely the shortest text of its number, which a decimal of up to 15 digits
    /// is, in plain notation, which six decimal places never leave. Redis 7.2 and newer print
    /// the shortest text of all but one in 700 numbers, and that is not looked into.
    fn is_surely_shortest(self) -> bool {
        self.digits <= 15 && (1..=6).contains(&self.fraction)
    }

    /// Whether `%.17g` surely prints the magnitude of a number so: its 17 digits are these, and
    /// then zeros.
    fn is_17g_of(self, value: f64) -> bool {
        let magnitude = value.abs();
        // Beyond, the text would have an exponent.
        if self.fraction == 0 || !(1e-4..1e17).contains(&magnitude) {
            return false;
        }
        let digits = 1 + self.number.checked_ilog10().unwrap_or(0);
        let Some(zeros) = (printf17::DIGITS as u32).checked_sub(digits) else {
            return false;
        };
        let wanted = u128::from(self.number) * 10u128.pow(zeros);
        printf17::digits_at(magnitude, zeros + self.fraction) == Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(value: Option<f64>) -> Option<u64> {
        value.map(f64::to_bits)
    }

    fn check(text: &[u8]) {
        let value = parse_any(text);
        assert_eq!(
            bits(parse_score(text)),
            bits(value),
            "{}",
            text.escape_ascii()
        );
        let printed = parse_printed_score(text);
        let is_short = PlainDecimal::read(text).is_some_and(PlainDecimal::is_surely_shortest);
        let expected = value.map(|value| (value.to_bits(), is_short || is_printed(text, value)));
        let found = printed.map(|printed| (printed.value.to_bits(), printed.is_printed));
        assert_eq!(found, expected, "{}", text.escape_ascii());
        if let Some(printed) = printed.filter(|printed| printed.is_17g) {
            assert_eq!(printf17::text(printed.value).as_bytes(), text);
        }
    }

    #[test]
    fn texts_read_and_are_judged_as_by_parsing_and_printing() {
        for text in [
            "",
            "-",
            ".",
            "0",
            "-0",
            "00",
            "0.",
            ".5",
            "-.5",
            "0.1",
            "0.10",
            "0.10000000000000001",
            "0.3",
            "0.29999999999999999",
            "1.5",
            "-1.5",
            "+1.5",
            "1.5.5",
            "1e5",
            "1e+20",
            "inf",
            "-inf",
            "nan",
            "123456789012.25",
            "9007199254740993",
            "9007199254740993.5",
            "0.0001",
            "0.00001",
            "0.000123",
            "1.0000000000000002",
            "0.99999999999999989",
            "0.099999999999999992",
            "9.9999999999999995",
            "99999999999999.984",
            "8796093022208.0010",
            "8796093022208.001",
            "18014398509481983.5",
            "1234567890123456789",
            "12345678901234567890",
            "0.1234567890123456789",
            "0.30000000000000004",
            "1700000000.1234567",
            "4503599627370496.5",
        ] {
            check(text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_decimal_is_judged_alike(text in "-?[0-9]{0,18}\\.?[0-9]{0,18}") {
            check(text.as_bytes());
        }

        #[test]
        fn printed_numbers_are_judged_alike(bits in any::<u64>(), unit in 0..1_000_000_000_000u64) {
            for value in [f64::from_bits(bits), unit as f64 / 1e6, unit as f64 / 1e9, 1e3 / unit as f64] {
                for flavor in [Flavor::redis(6, 2), Flavor::redis(8, 6)] {
                    let text = score_text(value, flavor);
                    check(text.as_bytes());
                    let cut = &text.as_bytes()[..text.len() - 1];
                    check(cut);
                }
            }
        }
    }
}
