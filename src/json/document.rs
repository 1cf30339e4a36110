//! A whole JSON document in one of the shapes.

use super::native::Header;
use crate::model::sink::ValueSink;

/// A whole document of keys and values, built piece by piece.
pub trait Document: ValueSink {
    /// The text since its owner cleared it last; it ends behind a key.
    fn text(&mut self) -> &mut Vec<u8>;
    /// Makes an empty writer of keys for this document, to be filled by another thread.
    #[must_use]
    fn fragment(&self) -> Self
    where
        Self: Sized;
    /// Takes over the keys of a fragment, which is empty afterwards.
    fn append(&mut self, fragment: &mut Self)
    where
        Self: Sized;
    /// Appends a record of what belongs to no key, if the shape has one.
    fn header(&mut self, header: &Header);
    /// Appends what stands behind the last key.
    fn finish(&mut self);
}
