//! Text of inputs among text of ours: without control characters.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// A text in one line that moves no terminal: every control character (C0, DEL, C1) as `\u{1b}`,
/// `\n` and the like.
///
/// ```
/// assert_eq!(rdbkit::error::printable("a\u{1b}[2J\n\u{9b}1m"), "a\\u{1b}[2J\\n\\u{9b}1m");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        false => Cow::Borrowed(text),
        true => {
            let mut out = String::with_capacity(text.len() + 16);
            // A string takes everything.
            let _ = Printable(&mut out).write_str(text);
            Cow::Owned(out)
        }
    }
}

/// Passes text on as [`printable`] makes it.
pub(crate) struct Printable<'w, W: fmt::Write>(pub(crate) &'w mut W);

impl<W: fmt::Write> fmt::Write for Printable<'_, W> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some((at, control)) = text.char_indices().find(|(_, c)| c.is_control()) {
            self.0.write_str(&text[..at])?;
            write!(self.0, "{}", control.escape_default())?;
            text = &text[at + control.len_utf8()..];
        }
        self.0.write_str(text)
    }
}
