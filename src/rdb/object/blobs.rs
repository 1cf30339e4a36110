//! The listpacks and ziplists inside a value, whatever its type: expanding them, and checks of
//! their form on the way.

use super::Scratch;
use crate::encoding::{Listpack, Ziplist};
use crate::error::{Flaw, Parsed};
use crate::rdb::string::blob;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Listpack,
    Ziplist,
}

/// Whether elements of blobs are in the form that servers give them.
#[derive(Debug, Default)]
pub(crate) enum Form {
    /// Nobody wants to know.
    #[default]
    Ignored,
    /// All that were seen are.
    Canonical,
    /// The first that the servers would have stored shorter.
    NotCanonical(Flaw),
}

impl Scratch {
    /// Parses a string that holds a listpack or ziplist and expands it where needed.
    ///
    /// Its form is looked at here, if it matters: expanding a blob a second time costs more
    /// than all other checks of it.
    #[inline]
    pub(super) fn blob<'a: 's, 's>(
        &'s mut self,
        kind: Kind,
        input: &'a [u8],
    ) -> Parsed<'a, &'s [u8]> {
        let (rest, bytes) = blob(input, &mut self.blob)?;
        if let Form::Canonical = self.form
            && let Some(flaw) = non_canonical(kind, bytes)
        {
            self.form = Form::NotCanonical(flaw);
        }
        Ok((rest, bytes))
    }

    /// From here on the form of blobs matters, if it does.
    pub(crate) fn watch_form(&mut self, does_matter: bool) {
        self.form = match does_matter {
            true => Form::Canonical,
            false => Form::Ignored,
        };
    }

    /// The first element seen since then that the servers would have stored shorter.
    ///
    /// Blobs that are broken may have none; that they are is said elsewhere.
    pub(crate) fn take_non_canonical(&mut self) -> Option<Flaw> {
        match std::mem::take(&mut self.form) {
            Form::NotCanonical(flaw) => Some(flaw),
            Form::Ignored | Form::Canonical => None,
        }
    }
}

fn non_canonical(kind: Kind, bytes: &[u8]) -> Option<Flaw> {
    match kind {
        Kind::Listpack => Listpack::new(bytes).ok()?.non_canonical(),
        Kind::Ziplist => Ziplist::new(bytes).ok()?.non_canonical(),
    }
}
