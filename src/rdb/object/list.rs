//! Lists.
//!
//! ```text
//!  1 LIST              length n, n × string                    head to tail
//! 10 LIST_ZIPLIST      string(ziplist)
//! 14 LIST_QUICKLIST    length n, n × string(ziplist)
//! 18 LIST_QUICKLIST_2  length n, n × (length container, string)
//!                      container 1 PLAIN: the string is one element
//!                      container 2 PACKED: the string is a listpack
//! ```
//!
//! Sources: `rdb.c rdbLoadObject`, `quicklist.c`. Empty ziplist and listpack nodes
//! are stepped over, as by the servers; a plain node must not be empty.

use super::blobs::Kind;
use super::{RawValue, Scratch, skip_strings};
use crate::bytes::Text;
use crate::encoding::Ziplist;
use crate::error::{Code, Fail, Parsed, Result};
use crate::rdb::constants::quicklist_container;
use crate::rdb::length::{count, length};
use crate::rdb::string::{blob, skip_string, text};

/// How a list is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    Strings,
    Ziplist,
    Quicklist,
    Quicklist2,
}

impl Layout {
    pub(super) fn skip(self, input: &[u8]) -> Parsed<'_, ()> {
        match self {
            Layout::Ziplist => skip_string(input),
            Layout::Strings | Layout::Quicklist => {
                let (rest, n) = count(input)?;
                skip_strings(rest, n)
            }
            Layout::Quicklist2 => {
                let (mut rest, nodes) = count(input)?;
                for _ in 0..nodes {
                    (rest, _) = length(rest)?;
                    (rest, ()) = skip_string(rest)?;
                }
                Ok((rest, ()))
            }
        }
    }
}

/// A list value.
#[derive(Clone, Debug)]
pub struct List<'a> {
    pub(crate) raw: RawValue<'a>,
    pub(crate) layout: Layout,
}

impl List<'_> {
    /// The name of the encoding.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self.layout {
            Layout::Strings => "linkedlist",
            Layout::Ziplist => "ziplist",
            Layout::Quicklist => "quicklist",
            Layout::Quicklist2 => "quicklist2",
        }
    }

    /// Calls `f` with each element, head to tail.
    ///
    /// # Errors
    /// A node that breaks a rule of its encoding; elements before it were passed on.
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
        match self.layout {
            Layout::Strings => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    let (after, element) = text(rest, &mut scratch.first)?;
                    f(element);
                    rest = after;
                }
            }
            Layout::Ziplist => ziplist_node(input, scratch, &mut f).map(|_| ())?,
            Layout::Quicklist => {
                let (mut rest, nodes) = count(input)?;
                for _ in 0..nodes {
                    (rest, ()) = ziplist_node(rest, scratch, &mut f)?;
                }
            }
            Layout::Quicklist2 => {
                let (mut rest, nodes) = count(input)?;
                for _ in 0..nodes {
                    (rest, ()) = quicklist2_node(rest, scratch, &mut f)?;
                }
            }
        }
        Ok(())
    }
}

fn ziplist_node<'a>(
    input: &'a [u8],
    scratch: &mut Scratch,
    f: &mut impl FnMut(Text<'_>),
) -> Parsed<'a, ()> {
    let (rest, bytes) = blob(input, &mut scratch.blob)?;
    scratch.form.look_at(Kind::Ziplist, bytes);
    let flawed = |flaw: crate::error::Flaw| nom::Err::Failure(flaw.in_string(input));
    for element in Ziplist::new(bytes).map_err(flawed)?.iter() {
        f(element.map_err(flawed)?);
    }
    Ok((rest, ()))
}

fn quicklist2_node<'a>(
    input: &'a [u8],
    scratch: &mut Scratch,
    f: &mut impl FnMut(Text<'_>),
) -> Parsed<'a, ()> {
    let (node, container) = length(input)?;
    let (rest, bytes) = blob(node, &mut scratch.blob)?;
    let flawed = |flaw: crate::error::Flaw| nom::Err::Failure(flaw.in_string(node));
    match container {
        quicklist_container::PLAIN if bytes.is_empty() => Err(nom::Err::Failure(Fail::broken(
            node,
            Code::BadQuicklist,
            "plain node",
            "at least one byte",
            "none",
        ))),
        quicklist_container::PLAIN => {
            f(Text::Bytes(bytes));
            Ok((rest, ()))
        }
        quicklist_container::PACKED => {
            let mut elements = scratch.form.node(bytes).map_err(flawed)?.iter();
            for element in &mut elements {
                f(element.map_err(flawed)?);
            }
            scratch.form.note(elements.non_canonical());
            Ok((rest, ()))
        }
        _ => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadQuicklist,
            "container of a node",
            "1 or 2",
            container,
        ))),
    }
}
