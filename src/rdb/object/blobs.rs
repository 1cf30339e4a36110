//! The listpacks and ziplists inside a value, whatever its type: for checks of their form.

use nom::number::streaming::le_i64;

use super::{Layout, Scratch, hash, list, set, zset};
use crate::encoding::{Listpack, Ziplist};
use crate::error::{Fail, Flaw};
use crate::rdb::constants::quicklist_container;
use crate::rdb::length::{count, length};
use crate::rdb::string::{blob, skip_string};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Listpack,
    Ziplist,
}

/// The first element of a value's blobs that the servers would have stored shorter.
///
/// Blobs that are broken have none; that they are is said elsewhere.
pub(crate) fn non_canonical(layout: Layout, input: &[u8], scratch: &mut Scratch) -> Option<Flaw> {
    let mut found = None;
    let looked = for_each_blob(layout, input, scratch, |kind, bytes| {
        found = match kind {
            Kind::Listpack => Listpack::new(bytes).ok()?.non_canonical(),
            Kind::Ziplist => Ziplist::new(bytes).ok()?.non_canonical(),
        };
        found.is_none().then_some(())
    });
    looked.ok().and(found)
}

/// Passes each blob to `f`, until it answers `None`.
fn for_each_blob(
    layout: Layout,
    input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Kind, &[u8]) -> Option<()>,
) -> Result<(), nom::Err<Fail>> {
    let kind = match layout {
        Layout::List(list::Layout::Ziplist)
        | Layout::Zset(zset::Layout::Ziplist)
        | Layout::Hash(hash::Layout::Ziplist) => Kind::Ziplist,
        Layout::Set(set::Layout::Listpack)
        | Layout::Zset(zset::Layout::Listpack)
        | Layout::Hash(hash::Layout::Listpack | hash::Layout::ListpackExPreGa) => Kind::Listpack,
        Layout::Hash(hash::Layout::ListpackEx) => {
            let (rest, _hint) = le_i64(input)?;
            let (_, bytes) = blob(rest, &mut scratch.blob)?;
            f(Kind::Listpack, bytes);
            return Ok(());
        }
        Layout::List(list::Layout::Quicklist | list::Layout::Quicklist2) | Layout::Stream(_) => {
            return for_each_node(layout, input, scratch, f);
        }
        _ => return Ok(()),
    };
    let (_, bytes) = blob(input, &mut scratch.blob)?;
    f(kind, bytes);
    Ok(())
}

/// Passes each node of a quicklist or stream to `f`, until it answers `None`.
fn for_each_node(
    layout: Layout,
    input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Kind, &[u8]) -> Option<()>,
) -> Result<(), nom::Err<Fail>> {
    let (mut rest, nodes) = count(input)?;
    for _ in 0..nodes {
        let kind = match layout {
            Layout::List(list::Layout::Quicklist) => Some(Kind::Ziplist),
            Layout::List(_) => {
                let (after, container) = length(rest)?;
                rest = after;
                (container == quicklist_container::PACKED).then_some(Kind::Listpack)
            }
            _ => {
                (rest, ()) = skip_string(rest)?;
                Some(Kind::Listpack)
            }
        };
        let Some(kind) = kind else {
            (rest, ()) = skip_string(rest)?;
            continue;
        };
        let (after, bytes) = blob(rest, &mut scratch.blob)?;
        if f(kind, bytes).is_none() {
            return Ok(());
        }
        rest = after;
    }
    Ok(())
}
