//! Sets.
//!
//! ```text
//!  2 SET           length n, n × string      any order
//! 11 SET_INTSET    string(intset)            ascending
//! 20 SET_LISTPACK  string(listpack)          insertion order
//! ```
//!
//! Source: `rdb.c rdbLoadObject`. Duplicate members are looked for by `verify`.

use super::{RawValue, Scratch, skip_strings};
use crate::bytes::Text;
use crate::encoding::Intset;
use crate::error::{Fail, Flaw, Parsed, Result};
use crate::rdb::length::count;
use crate::rdb::string::{blob, skip_string, text};

/// How a set is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    Strings,
    Intset,
    Listpack,
}

impl Layout {
    pub(super) fn skip(self, input: &[u8]) -> Parsed<'_, ()> {
        match self {
            Layout::Intset | Layout::Listpack => skip_string(input),
            Layout::Strings => {
                let (rest, n) = count(input)?;
                skip_strings(rest, n)
            }
        }
    }
}

/// A set value.
#[derive(Clone, Debug)]
pub struct Set<'a> {
    pub(crate) raw: RawValue<'a>,
    pub(crate) layout: Layout,
}

impl Set<'_> {
    /// The name of the encoding.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self.layout {
            Layout::Strings => "hashtable",
            Layout::Intset => "intset",
            Layout::Listpack => "listpack",
        }
    }

    /// Whether decoding alone makes sure that no member stands twice: an intset ascends strictly.
    pub(crate) fn cannot_repeat(&self) -> bool {
        self.layout == Layout::Intset
    }

    /// Calls `f` with each member, in file order.
    ///
    /// # Errors
    /// A member that breaks a rule of its encoding; members before it were passed on.
    pub fn for_each(&self, scratch: &mut Scratch, f: impl FnMut(Text<'_>)) -> Result<()> {
        self.walk(scratch, f)
            .map_err(|failure| self.raw.locate(failure))
    }

    fn walk(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(Text<'_>),
    ) -> Result<(), nom::Err<Fail>> {
        let input = self.raw.bytes;
        let flawed = |flaw: Flaw| nom::Err::Failure(flaw.in_string(input));
        match self.layout {
            Layout::Strings => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    let (after, member) = text(rest, &mut scratch.first)?;
                    f(member);
                    rest = after;
                }
            }
            Layout::Intset => {
                let (_, bytes) = blob(input, &mut scratch.blob)?;
                for member in Intset::new(bytes).map_err(flawed)?.iter() {
                    f(Text::Int(member.map_err(flawed)?));
                }
            }
            Layout::Listpack => {
                let (_, bytes) = blob(input, &mut scratch.blob)?;
                let mut members = scratch.form.node(bytes).map_err(flawed)?.iter();
                for member in &mut members {
                    f(member.map_err(flawed)?);
                }
                scratch.form.note(members.non_canonical());
            }
        }
        Ok(())
    }
}
