//! A number's text on the stack: scores are printed by the million.

use std::fmt;
use std::ops::Deref;

/// As long as the longest text: a sign and 18 digits with seven zeros behind them.
const CAPACITY: usize = 32;

/// The text of a number, without an allocation.
///
/// ```
/// use rdbkit::num::{Flavor, score_text};
///
/// let text = score_text(0.1, Flavor::redis(6, 2));
/// assert_eq!(&*text, "0.10000000000000001");
/// assert_eq!(text.to_string(), "0.10000000000000001");
/// ```
#[derive(Clone, Copy)]
pub struct NumText {
    /// ASCII only.
    bytes: [u8; CAPACITY],
    len: u8,
}

impl NumText {
    pub(super) fn new() -> Self {
        NumText {
            bytes: [0; CAPACITY],
            len: 0,
        }
    }

    /// Adds ASCII bytes, all of which fit.
    pub(super) fn push(&mut self, ascii: &[u8]) {
        let start = usize::from(self.len);
        debug_assert!(ascii.is_ascii());
        self.bytes[start..start + ascii.len()].copy_from_slice(ascii);
        self.len += ascii.len() as u8;
    }

    pub(super) fn push_zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.push(b"0");
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Deref for NumText {
    type Target = str;

    fn deref(&self) -> &str {
        // Only ASCII is ever pushed.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Write for NumText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > CAPACITY - usize::from(self.len) {
            return Err(fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for NumText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for NumText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq for NumText {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for NumText {}

impl PartialEq<&str> for NumText {
    fn eq(&self, other: &&str) -> bool {
        &**self == *other
    }
}
