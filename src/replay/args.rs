//! The arguments of a command, wherever they come from.

use crate::num::{Flavor, parse_i64_of};
use crate::store::{Bytes, Str};

use super::Reject;
use super::reply::{NOT_INTEGER, SYNTAX};

/// The words of a command, its name first.
///
/// Those of a log live as long as it does, so the store may borrow them; those of
/// a script have to be copied. An argument that is not there reads as empty: the
/// table has checked how many there must be, and handlers ask [`Args::len`] for
/// the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'r, 'a> {
    words: Words<'r, 'a>,
    flavor: Flavor,
}

#[derive(Clone, Copy, Debug)]
enum Words<'r, 'a> {
    /// From the log.
    Log(&'r [&'a [u8]]),
    /// From elsewhere.
    Script(&'r [&'r [u8]]),
}

impl<'r, 'a> Args<'r, 'a> {
    /// Words of a log; `flavor` says how integers are read.
    pub(crate) fn of_log(args: &'r [&'a [u8]], flavor: Flavor) -> Self {
        let words = Words::Log(args);
        Args { words, flavor }
    }

    /// Words from elsewhere.
    pub(crate) fn of_script(args: &'r [&'r [u8]], flavor: Flavor) -> Self {
        let words = Words::Script(args);
        Args { words, flavor }
    }

    pub(crate) fn len(self) -> usize {
        match self.words {
            Words::Log(args) => args.len(),
            Words::Script(args) => args.len(),
        }
    }

    /// An argument, to be looked at.
    pub(crate) fn get(self, at: usize) -> &'r [u8] {
        match self.words {
            Words::Log(args) => args.get(at).copied().unwrap_or_default(),
            Words::Script(args) => args.get(at).copied().unwrap_or_default(),
        }
    }

    /// An argument, to be kept as a key, member, field or other name.
    pub(crate) fn bytes(self, at: usize) -> Bytes<'a> {
        match self.words {
            Words::Log(args) => Bytes::borrowed(args.get(at).copied().unwrap_or_default()),
            Words::Script(_) => Bytes::copied(self.get(at)),
        }
    }

    /// An argument, to be kept as a value.
    pub(crate) fn str(self, at: usize) -> Str<'a> {
        self.bytes(at).into()
    }

    /// An argument as it stands in the log, if it does.
    pub(crate) fn in_log(self, at: usize) -> Option<&'a [u8]> {
        match self.words {
            Words::Log(args) => args.get(at).copied(),
            Words::Script(_) => None,
        }
    }

    /// The arguments from `at` on, to be looked at.
    pub(crate) fn from(self, at: usize) -> impl Iterator<Item = &'r [u8]> + Clone {
        (at..self.len()).map(move |at| self.get(at))
    }

    /// Whether an argument is this word, in any case.
    pub(crate) fn is(self, at: usize, word: &str) -> bool {
        self.get(at).eq_ignore_ascii_case(word.as_bytes())
    }

    /// An argument as an integer.
    pub(crate) fn int(self, at: usize) -> Result<i64, Reject> {
        parse_i64_of(self.get(at), self.flavor).ok_or(NOT_INTEGER)
    }

    /// The place of the argument after `at`, which an option demands.
    pub(crate) fn value_of(self, at: usize) -> Result<usize, Reject> {
        if at + 1 < self.len() {
            Ok(at + 1)
        } else {
            Err(SYNTAX)
        }
    }
}
