//! Strings: type 0, one string in any of its forms.

use super::{RawValue, Scratch};
use crate::bytes::Text;
use crate::error::Result;
use crate::rdb::string::{RdbString, string, text};

/// A string value.
#[derive(Clone, Debug)]
pub struct StringValue<'a>(pub(crate) RawValue<'a>);

impl<'a> StringValue<'a> {
    /// The string as the file stores it.
    ///
    /// # Errors
    /// The input changed since it was framed.
    pub fn stored(&self) -> Result<RdbString<'a>> {
        string(self.0.bytes)
            .map(|(_, stored)| stored)
            .map_err(|failure| self.0.locate(failure))
    }

    /// The content of what [`stored`](Self::stored) returned.
    ///
    /// # Errors
    /// An LZF block that does not expand to its declared length.
    #[inline]
    pub(crate) fn expand<'s>(
        &self,
        stored: RdbString<'s>,
        scratch: &'s mut Scratch,
    ) -> Result<Text<'s>> {
        stored.text(&mut scratch.first).map_err(|flaw| {
            let failure = nom::Err::Failure(flaw.in_string(self.0.bytes));
            self.0.locate(failure)
        })
    }

    /// Checks what [`stored`](Self::stored) returned, without looking at the content.
    ///
    /// # Errors
    /// An LZF block that does not expand to its declared length.
    pub(crate) fn check(&self, stored: RdbString<'_>, scratch: &mut Scratch) -> Result<()> {
        stored.check(&mut scratch.first).map_err(|flaw| {
            let failure = nom::Err::Failure(flaw.in_string(self.0.bytes));
            self.0.locate(failure)
        })
    }

    /// The content.
    ///
    /// # Errors
    /// An LZF block that does not expand to its declared length.
    pub fn text<'s>(&self, scratch: &'s mut Scratch) -> Result<Text<'s>>
    where
        'a: 's,
    {
        text(self.0.bytes, &mut scratch.first)
            .map(|(_, text)| text)
            .map_err(|failure| self.0.locate(failure))
    }
}
