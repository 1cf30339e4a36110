//! Module values: type 7, an id and a self-describing stream of items.
//!
//! The layout is in [`crate::rdb::module`]. Two types are understood beyond
//! their items: `ReJSON-RL` 3 is one string of JSON text, and `vectorset` 0 is
//! in [`crate::rdb::vectorset`].

use super::RawValue;
use crate::error::{Parsed, Result};
use crate::rdb::length::length;
use crate::rdb::module::{ModuleId, ModuleItems, json_document, skip_items};

/// A module's value.
#[derive(Clone, Debug)]
pub struct ModuleValue<'a>(pub(crate) RawValue<'a>);

pub(super) fn skip(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, _id) = length(input)?;
    skip_items(rest)
}

impl<'a> ModuleValue<'a> {
    /// The module type.
    ///
    /// # Errors
    /// The input changed since it was framed.
    pub fn id(&self) -> Result<ModuleId> {
        length(self.0.bytes)
            .map(|(_, id)| ModuleId(id))
            .map_err(|failure| self.0.locate(failure))
    }

    /// The items.
    ///
    /// # Errors
    /// The input changed since it was framed.
    pub fn items(&self) -> Result<ModuleItems<'a>> {
        length(self.0.bytes)
            .map(|(rest, _)| ModuleItems::new(rest))
            .map_err(|failure| self.0.locate(failure))
    }

    /// The JSON text of a `ReJSON-RL` document, `None` for any other module.
    ///
    /// # Errors
    /// An LZF block that does not expand.
    pub fn json_text(&self) -> Result<Option<Vec<u8>>> {
        json_document(self.id()?, self.items()?).map_err(|flaw| {
            self.0
                .locate(nom::Err::Failure(flaw.in_string(self.0.bytes)))
        })
    }
}
