//! The decimal text of small integers, of which files have more than of all other numbers.

/// The digits of a number below 10^8, the first in the lowest byte, and how many they are.
///
/// All eight are computed at once: halves of four digits, in these pairs, in these digits, with
/// divisions as multiplications by rounded reciprocals, which are exact in their ranges.
#[must_use]
pub(crate) fn up_to_eight_digits(n: u32) -> Option<(u64, usize)> {
    const PAIR: u64 = 0x007f_0000_007f;
    const DIGIT: u64 = 0x000f_000f_000f_000f;
    const ZEROS: u64 = u64::from_le_bytes(*b"00000000");
    if n >= 100_000_000 {
        return None;
    }
    let fours = u64::from(n / 10_000) | u64::from(n % 10_000) << 32;
    let hundreds = (fours * 10_486) >> 20 & PAIR;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = (twos * 103) >> 10 & DIGIT;
    let ones = tens | (twos - 10 * tens) << 8;
    // The last digit counts, be it 0.
    let leading = (ones | 1 << 56).trailing_zeros() / 8;
    Some(((ones | ZEROS) >> (8 * leading), 8 - leading as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        let around = |n: u32| n.saturating_sub(200_000)..n.saturating_add(200_000);
        let steps = (0..=u32::MAX).step_by(9973);
        let powers = (0..10).map(|exponent| 10_u32.pow(exponent));
        for n in steps.chain(powers.flat_map(around)) {
            let text = n.to_string();
            match up_to_eight_digits(n) {
                Some((digits, len)) => {
                    assert_eq!(&digits.to_le_bytes()[..len], text.as_bytes());
                    // Nothing is behind them.
                    assert_eq!(digits.checked_shr(8 * len as u32).unwrap_or(0), 0);
                }
                None => assert!(text.len() > 8),
            }
        }
    }
}
