//! The digits of a double, to be laid out as a tool does.

/// The digits of a finite double other than zero: `0.DIGITS × 10^point`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::json) struct Decimal {
    pub(in crate::json) negative: bool,
    buffer: [u8; Decimal::MAX_DIGITS],
    len: usize,
    pub(in crate::json) point: i32,
}

impl Decimal {
    /// A shortest form has up to 17; plain notation may add zeros up to the point.
    const MAX_DIGITS: usize = 24;

    /// The shortest digits that read back equal.
    pub(in crate::json) fn new(x: f64) -> Self {
        Decimal::parse(zmij::Buffer::new().format_finite(x.abs()).as_bytes(), x)
    }

    /// Takes apart `digits[.digits][e[-]digits]`, the absolute value of `x`.
    fn parse(text: &[u8], x: f64) -> Self {
        let (mantissa, exponent) = match text.iter().position(|&byte| byte == b'e') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &b"0"[..]),
        };
        let exponent = std::str::from_utf8(exponent)
            .ok()
            .and_then(|exponent| exponent.parse::<i32>().ok())
            .unwrap_or(0);
        let whole = mantissa
            .iter()
            .position(|&byte| byte == b'.')
            .unwrap_or(mantissa.len());
        let mut decimal = Decimal {
            negative: x.is_sign_negative(),
            buffer: [b'0'; Decimal::MAX_DIGITS],
            len: 0,
            point: exponent + whole as i32,
        };
        for &digit in mantissa.iter().filter(|byte| byte.is_ascii_digit()) {
            if decimal.len == 0 && digit == b'0' {
                decimal.point -= 1;
            } else if decimal.len < Decimal::MAX_DIGITS {
                decimal.buffer[decimal.len] = digit;
                decimal.len += 1;
            }
        }
        while decimal.len > 1 && decimal.buffer[decimal.len - 1] == b'0' {
            decimal.len -= 1;
        }
        decimal
    }

    pub(in crate::json) fn digits(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Appends sign, digits, zeros and point, without an exponent and without a bare point.
    pub(in crate::json) fn write_plain(&self, out: &mut Vec<u8>) {
        let digits = self.digits();
        if self.negative {
            out.push(b'-');
        }
        match usize::try_from(self.point) {
            Ok(point) if point >= digits.len() => {
                out.extend_from_slice(digits);
                out.resize(out.len() + point - digits.len(), b'0');
            }
            Ok(point) if point > 0 => {
                out.extend_from_slice(&digits[..point]);
                out.push(b'.');
                out.extend_from_slice(&digits[point..]);
            }
            _ => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + self.point.unsigned_abs() as usize, b'0');
                out.extend_from_slice(digits);
            }
        }
    }

    /// Appends `d.ddde±x`, the exponent with at least `exponent_digits` digits.
    pub(in crate::json) fn write_exponential(&self, exponent_digits: usize, out: &mut Vec<u8>) {
        let (first, others) = self.digits().split_at(1);
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(first);
        if !others.is_empty() {
            out.push(b'.');
            out.extend_from_slice(others);
        }
        let exponent = self.point - 1;
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(
            format!("e{sign}{:0exponent_digits$}", exponent.unsigned_abs()).as_bytes(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_notations_read_back_equal(bits: u64) {
            let x = f64::from_bits(bits);
            prop_assume!(x.is_finite() && x != 0.0);
            let decimal = Decimal::new(x);
            let (mut plain, mut exponential) = (Vec::new(), Vec::new());
            decimal.write_plain(&mut plain);
            decimal.write_exponential(2, &mut exponential);
            for text in [plain, exponential] {
                let text = String::from_utf8(text).unwrap();
                prop_assert_eq!(text.parse::<f64>().unwrap(), x, "{}", text);
            }
        }
    }
}
