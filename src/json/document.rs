//! A whole JSON document in one of the shapes.

use super::native::Header;
use crate::error::Result;
use crate::model::sink::ValueSink;

/// A whole document of keys and values, built piece by piece.
pub trait Document: ValueSink {
    /// The text since its owner cleared it last; it ends behind a key.
    fn text(&mut self) -> &mut Vec<u8>;
    /// Passes on all of the text, in pieces, and clears it.
    ///
    /// # Errors
    /// What `sink` returns, and a temporary file that cannot be read back.
    fn write_out(&mut self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        sink(self.text())?;
        self.text().clear();
        Ok(())
    }
    /// Whether a part of the text lies in a temporary file.
    fn is_spooled(&self) -> bool {
        false
    }
    /// Makes an empty writer of keys for this document, to be filled by another thread.
    #[must_use]
    fn fragment(&self) -> Self
    where
        Self: Sized;
    /// Takes over the keys of a fragment, which is empty afterwards.
    ///
    /// # Errors
    /// Both have a text that is too long for memory: this one must be written out before.
    fn append(&mut self, fragment: &mut Self) -> Result<()>
    where
        Self: Sized;
    /// Appends a record of what belongs to no key, if the shape has one.
    fn header(&mut self, header: &Header);
    /// Appends what stands behind the last key.
    fn finish(&mut self);
}
