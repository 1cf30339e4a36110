//! What the shapes of other tools share: an array of databases, and the digits of a double.
//!
//! Both older tools print one array with one object per database, without its
//! number. Whether a key opens an object, continues one or is the first of all
//! depends on the key before it, so [`Databases`] keeps just that. A writer that
//! never began a file holds a *fragment*: nothing stands before its first key,
//! and the writer of the file adds the separator when it takes the fragment over.

/// The text between keys, databases and the ends of a file.
#[derive(Debug)]
pub(super) struct Separators {
    pub(super) begin_file: &'static [u8],
    pub(super) first_db: &'static [u8],
    pub(super) next_db: &'static [u8],
    pub(super) next_key: &'static [u8],
    pub(super) end_db: &'static [u8],
    pub(super) end_file: &'static [u8],
}

/// What stands before the next key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    /// Nothing of this fragment.
    #[default]
    FragmentStart,
    /// The opening of the file.
    FileStart,
    /// A key of this database.
    Key(u32),
}

/// Which databases were begun, and where in the text the current key is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Databases {
    separators: &'static Separators,
    before: Before,
    /// Database of the first key of a fragment.
    first_db: Option<u32>,
    key_start: usize,
    before_key: (Before, Option<u32>),
}

impl Databases {
    pub(super) fn new(separators: &'static Separators) -> Self {
        Databases {
            separators,
            before: Before::default(),
            first_db: None,
            key_start: 0,
            before_key: (Before::default(), None),
        }
    }

    pub(super) fn begin_file(&mut self, out: &mut Vec<u8>) {
        self.before = Before::FileStart;
        self.first_db = None;
        out.extend_from_slice(self.separators.begin_file);
    }

    pub(super) fn end_file(&mut self, out: &mut Vec<u8>) {
        if let Before::Key(_) = self.before {
            out.extend_from_slice(self.separators.end_db);
        }
        out.extend_from_slice(self.separators.end_file);
        *self = Databases::new(self.separators);
    }

    /// Appends what stands between the key before and one of `db`.
    pub(super) fn begin_key(&mut self, db: u32, out: &mut Vec<u8>) {
        self.key_start = out.len();
        self.before_key = (self.before, self.first_db);
        self.first_db = self.first_db.or(Some(db));
        self.separate(db, out);
    }

    fn separate(&mut self, db: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.before {
            Before::FragmentStart => b"",
            Before::FileStart => self.separators.first_db,
            Before::Key(before) if before == db => self.separators.next_key,
            Before::Key(_) => self.separators.next_db,
        });
        self.before = Before::Key(db);
    }

    pub(super) fn abandon_key(&mut self, out: &mut Vec<u8>) {
        out.truncate(self.key_start);
        (self.before, self.first_db) = self.before_key;
    }

    /// Appends the text of a fragment, which is empty afterwards.
    pub(super) fn append(
        &mut self,
        out: &mut Vec<u8>,
        fragment: &mut Databases,
        text: &mut Vec<u8>,
    ) {
        if let (Some(first_db), Before::Key(_)) = (fragment.first_db, fragment.before) {
            self.first_db = self.first_db.or(Some(first_db));
            self.separate(first_db, out);
            self.before = fragment.before;
        }
        out.append(text);
        *fragment = Databases::new(fragment.separators);
    }
}

/// Whether both tools print all bytes as they are: printable ASCII without quote and backslash.
///
/// Folding over fixed chunks lets the compiler use vector registers.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    const LANES: usize = 16;
    let odd = |byte: u8| !(0x20..=0x7e).contains(&byte) | (byte == b'"') | (byte == b'\\');
    let (chunks, tail) = bytes.as_chunks::<LANES>();
    chunks
        .iter()
        .all(|chunk| !chunk.iter().fold(false, |any, &byte| any | odd(byte)))
        && !tail.iter().any(|&byte| odd(byte))
}

/// Appends one byte or code unit of a JSON string, escaped as both tools do.
pub(super) fn write_unit(unit: u16, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match unit {
        0x22 => b'"',
        0x5c => b'\\',
        0x0a => b'n',
        0x0d => b'r',
        0x09 => b't',
        0x08 => b'b',
        0x0c => b'f',
        0x20..=0x7e => return out.push(unit as u8),
        _ => {
            out.extend_from_slice(b"\\u");
            out.extend((0..4).map(|nibble| HEX[usize::from(unit >> (12 - 4 * nibble) & 15)]));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The digits of a finite double other than zero: `0.DIGITS × 10^point`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) negative: bool,
    buffer: [u8; Decimal::MAX_DIGITS],
    len: usize,
    pub(super) point: i32,
}

impl Decimal {
    /// A shortest form has up to 17; plain notation may add zeros up to the point.
    const MAX_DIGITS: usize = 24;

    /// The shortest digits that read back equal.
    pub(super) fn new(x: f64) -> Self {
        Decimal::parse(zmij::Buffer::new().format_finite(x.abs()).as_bytes(), x)
    }

    /// The digits of `%.17g`: 17 of them, without zeros at the end.
    pub(super) fn with_17_digits(x: f64) -> Self {
        Decimal::parse(format!("{:.16e}", x.abs()).as_bytes(), x)
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

    pub(super) fn digits(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Appends sign, digits, zeros and point, without an exponent and without a bare point.
    pub(super) fn write_plain(&self, out: &mut Vec<u8>) {
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
    pub(super) fn write_exponential(&self, exponent_digits: usize, out: &mut Vec<u8>) {
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
