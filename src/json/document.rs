//! A whole JSON document in one of the shapes.

use super::native::Header;
use crate::model::sink::ValueSink;

/// A whole document of keys and values, built piece by piece.
pub trait Document: ValueSink {
    /// The text since its owner cleared it last; it ends behind a key.
    fn text(&mut self) -> &mut Vec<u8>;
    /// Appends a record of what belongs to no key, if the shape has one.
    fn header(&mut self, header: &Header);
    /// Appends what stands behind the last key.
    fn finish(&mut self);
}
