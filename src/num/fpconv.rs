//! fpconv: the double printer of Redis 7.2 and newer and of every Valkey.
//!
//! Grisu2 with 64-bit cached powers of ten. It is not a shortest-closest printer:
//! about one double in 700 gets other digits than from Rust's `{}`, and those
//! digits stand in AOF files and in digests. Upstream: `deps/fpconv/fpconv_dtoa.c`.
//!
//! Layout of `nd` digits times 10^K, with e = |K + nd - 1|:
//!
//! | when | form |
//! |---|---|
//! | K >= 0 and e < nd + 7 | digits, K zeros |
//! | K < 0 and (K > -7 or e < 4) | plain decimal, `0.` before a fraction |
//! | else | `d.ddde±x`, no padding of x; at most 18 digits, 17 after a `-` |

use std::fmt::Write as _;

use super::text::NumText;

/// A binary floating-point number: `significand * 2^exponent`.
#[derive(Clone, Copy)]
struct Float {
    significand: u64,
    exponent: i32,
}

const FRACTION_BITS: u32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;

/// Prints `value` as `fpconv_dtoa`.
#[must_use]
pub fn text(value: f64) -> NumText {
    let mut text = NumText::new();
    if value.is_sign_negative() {
        text.push(b"-");
    }
    if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(b"inf");
    } else if value == 0.0 {
        text.push(b"0");
    } else {
        let mut digits = Digits::default();
        let power = grisu2(value.abs(), &mut digits);
        lay_out(&mut text, digits.as_bytes(), power);
    }
    text
}

/// Adds the digits to a text that holds the sign or nothing.
fn lay_out(text: &mut NumText, digits: &[u8], power: i32) {
    let count = digits.len() as i32;
    let point = power + count;
    let exponent = (point - 1).abs();
    if power >= 0 && exponent < count + 7 {
        text.push(digits);
        text.push_zeros(power as usize);
        return;
    }
    if power < 0 && (power > -7 || exponent < 4) {
        match usize::try_from(point) {
            Ok(point @ 1..) => {
                text.push(&digits[..point]);
                text.push(b".");
                text.push(&digits[point..]);
            }
            _ => {
                text.push(b"0.");
                text.push_zeros(point.unsigned_abs() as usize);
                text.push(digits);
            }
        }
        return;
    }
    let digits = &digits[..digits.len().min(18 - text.len())];
    text.push(&digits[..1]);
    if digits.len() > 1 {
        text.push(b".");
        text.push(&digits[1..]);
    }
    let sign = if point - 1 < 0 { '-' } else { '+' };
    // At most 18 digits, a sign, a point and five more bytes.
    let _ = write!(text, "e{sign}{exponent}");
}

/// At most 18 digits come out of Grisu2; the room is for one more.
#[derive(Default)]
struct Digits {
    bytes: [u8; 24],
    len: usize,
}

impl Digits {
    fn push(&mut self, digit: u64) {
        // Leading zeros are no digits.
        if (digit != 0 || self.len != 0) && self.len < self.bytes.len() {
            self.bytes[self.len] = b'0' + (digit % 10) as u8;
            self.len += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Moves the last digit down while that brings the text nearer to the value.
    fn round(&mut self, delta: u64, mut rem: u64, kappa: u64, frac: u64) {
        let Some(last) = self.len.checked_sub(1) else {
            return;
        };
        while rem < frac
            && delta - rem >= kappa
            && (rem.wrapping_add(kappa) < frac || frac - rem > rem.wrapping_add(kappa) - frac)
        {
            self.bytes[last] -= 1;
            rem = rem.wrapping_add(kappa);
        }
    }
}

/// Produces the digits of a positive finite value and the power of ten of the last one.
fn grisu2(value: f64, digits: &mut Digits) -> i32 {
    let bits = value.to_bits();
    let fraction = bits & (HIDDEN_BIT - 1);
    let biased = (bits >> FRACTION_BITS) as i32;
    let (significand, exponent) = match biased {
        0 => (fraction, -1074),
        _ => (fraction | HIDDEN_BIT, biased - 1075),
    };

    let upper = normalize(Float {
        significand: (significand << 1) + 1,
        exponent: exponent - 1,
    });
    let shift = if significand == HIDDEN_BIT { 2 } else { 1 };
    let lower_exponent = exponent - shift;
    let lower = Float {
        significand: ((significand << shift) - 1) << (lower_exponent - upper.exponent),
        exponent: upper.exponent,
    };
    let exact = normalize(Float {
        significand,
        exponent,
    });

    let (cached, power) = cached_power(upper.exponent);
    let exact = multiply(exact, cached);
    let upper = multiply(upper, cached);
    let lower = multiply(lower, cached);
    // Both boundaries may be off by one unit.
    let upper = Float {
        significand: upper.significand - 1,
        ..upper
    };
    let lower_significand = lower.significand + 1;
    generate(
        digits,
        upper,
        upper.significand.wrapping_sub(exact.significand),
        upper.significand - lower_significand,
        -power,
    )
}

fn generate(digits: &mut Digits, upper: Float, frac: u64, mut delta: u64, power: i32) -> i32 {
    let shift = upper.exponent.unsigned_abs();
    let one = 1u64 << shift;
    let mut part1 = upper.significand >> shift;
    let mut part2 = upper.significand & (one - 1);
    let mut kappa = 10i32;
    let mut divisor = 1_000_000_000u64;
    while kappa > 0 {
        digits.push(part1 / divisor);
        part1 %= divisor;
        kappa -= 1;
        let rest = (part1 << shift) + part2;
        if rest <= delta {
            digits.round(delta, rest, divisor << shift, frac);
            return power + kappa;
        }
        divisor /= 10;
    }
    let mut unit = 10u64;
    loop {
        part2 = part2.wrapping_mul(10);
        delta = delta.wrapping_mul(10);
        kappa -= 1;
        digits.push(part2 >> shift);
        part2 &= one - 1;
        if part2 < delta {
            digits.round(delta, part2, one, frac.wrapping_mul(unit));
            return power + kappa;
        }
        unit = unit.wrapping_mul(10);
    }
}

fn normalize(float: Float) -> Float {
    let shift = float.significand.leading_zeros();
    Float {
        significand: float.significand << shift,
        exponent: float.exponent - shift as i32,
    }
}

fn multiply(a: Float, b: Float) -> Float {
    let product = u128::from(a.significand) * u128::from(b.significand) + (1 << 63);
    Float {
        significand: (product >> 64) as u64,
        exponent: a.exponent + b.exponent + 64,
    }
}

/// Finds a power of ten that brings the exponent into -60..=-32, and that power.
fn cached_power(exponent: i32) -> (Float, i32) {
    const FIRST: i32 = -348;
    const STEP: i32 = 8;
    const ONE_LOG_TEN: f64 = 0.301_029_995_663_981_14;
    let approximate = (-f64::from(exponent + 87) * ONE_LOG_TEN) as i32;
    let mut index = ((approximate - FIRST) / STEP).clamp(0, POWERS.len() as i32 - 1);
    loop {
        let (significand, power_exponent) = POWERS[index as usize];
        let current = exponent + power_exponent + 64;
        if current < -60 && index + 1 < POWERS.len() as i32 {
            index += 1;
        } else if current > -32 && index > 0 {
            index -= 1;
        } else {
            let float = Float {
                significand,
                exponent: power_exponent,
            };
            return (float, FIRST + index * STEP);
        }
    }
}

/// 10^(-348 + 8i), correctly rounded to 64 bits.
#[rustfmt::skip]
const POWERS: [(u64, i32); 87] = [
    (0xfa8fd5a0081c0288, -1220),
    (0xbaaee17fa23ebf76, -1193),
    (0x8b16fb203055ac76, -1166),
    (0xcf42894a5dce35ea, -1140),
    (0x9a6bb0aa55653b2d, -1113),
    (0xe61acf033d1a45df, -1087),
    (0xab70fe17c79ac6ca, -1060),
    (0xff77b1fcbebcdc4f, -1034),
    (0xbe5691ef416bd60c, -1007),
    (0x8dd01fad907ffc3c, -980),
    (0xd3515c2831559a83, -954),
    (0x9d71ac8fada6c9b5, -927),
    (0xea9c227723ee8bcb, -901),
    (0xaecc49914078536d, -874),
    (0x823c12795db6ce57, -847),
    (0xc21094364dfb5637, -821),
    (0x9096ea6f3848984f, -794),
    (0xd77485cb25823ac7, -768),
    (0xa086cfcd97bf97f4, -741),
    (0xef340a98172aace5, -715),
    (0xb23867fb2a35b28e, -688),
    (0x84c8d4dfd2c63f3b, -661),
    (0xc5dd44271ad3cdba, -635),
    (0x936b9fcebb25c996, -608),
    (0xdbac6c247d62a584, -582),
    (0xa3ab66580d5fdaf6, -555),
    (0xf3e2f893dec3f126, -529),
    (0xb5b5ada8aaff80b8, -502),
    (0x87625f056c7c4a8b, -475),
    (0xc9bcff6034c13053, -449),
    (0x964e858c91ba2655, -422),
    (0xdff9772470297ebd, -396),
    (0xa6dfbd9fb8e5b88f, -369),
    (0xf8a95fcf88747d94, -343),
    (0xb94470938fa89bcf, -316),
    (0x8a08f0f8bf0f156b, -289),
    (0xcdb02555653131b6, -263),
    (0x993fe2c6d07b7fac, -236),
    (0xe45c10c42a2b3b06, -210),
    (0xaa242499697392d3, -183),
    (0xfd87b5f28300ca0e, -157),
    (0xbce5086492111aeb, -130),
    (0x8cbccc096f5088cc, -103),
    (0xd1b71758e219652c, -77),
    (0x9c40000000000000, -50),
    (0xe8d4a51000000000, -24),
    (0xad78ebc5ac620000, 3),
    (0x813f3978f8940984, 30),
    (0xc097ce7bc90715b3, 56),
    (0x8f7e32ce7bea5c70, 83),
    (0xd5d238a4abe98068, 109),
    (0x9f4f2726179a2245, 136),
    (0xed63a231d4c4fb27, 162),
    (0xb0de65388cc8ada8, 189),
    (0x83c7088e1aab65db, 216),
    (0xc45d1df942711d9a, 242),
    (0x924d692ca61be758, 269),
    (0xda01ee641a708dea, 295),
    (0xa26da3999aef774a, 322),
    (0xf209787bb47d6b85, 348),
    (0xb454e4a179dd1877, 375),
    (0x865b86925b9bc5c2, 402),
    (0xc83553c5c8965d3d, 428),
    (0x952ab45cfa97a0b3, 455),
    (0xde469fbd99a05fe3, 481),
    (0xa59bc234db398c25, 508),
    (0xf6c69a72a3989f5c, 534),
    (0xb7dcbf5354e9bece, 561),
    (0x88fcf317f22241e2, 588),
    (0xcc20ce9bd35c78a5, 614),
    (0x98165af37b2153df, 641),
    (0xe2a0b5dc971f303a, 667),
    (0xa8d9d1535ce3b396, 694),
    (0xfb9b7cd9a4a7443c, 720),
    (0xbb764c4ca7a44410, 747),
    (0x8bab8eefb6409c1a, 774),
    (0xd01fef10a657842c, 800),
    (0x9b10a4e5e9913129, 827),
    (0xe7109bfba19c0c9d, 853),
    (0xac2820d9623bf429, 880),
    (0x80444b5e7aa7cf85, 907),
    (0xbf21e44003acdd2d, 933),
    (0x8e679c2f5e44ff8f, 960),
    (0xd433179d9c8cb841, 986),
    (0x9e19db92b4e31ba9, 1013),
    (0xeb96bf6ebadf77d9, 1039),
    (0xaf87023b9bf0ee6b, 1066),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fpconv_prints_as_the_servers() {
        let cases = [
            (1.0, "1"),
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (1e-7, "1e-7"),
            (123456.0, "123456"),
            (1e7, "10000000"),
            (1e8, "1e+8"),
            (1.5e10, "1.5e+10"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-5"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            // Grisu2 misses the closest digits here.
            (-1.547_182_503_134_182e-78, "-1.5471825031341819e-78"),
            (1626983080611305.7, "1626983080611305.7"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn fpconv_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(text(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
