//! Vector sets: the module type `vectorset` 0, built into Redis 8.
//!
//! ```text
//! UINT dim, UINT n, UINT quantisation | M << 8, UINT flags
//! [flags & 1] UINT input_dim, STRING projection matrix: input_dim × dim f32 LE
//! n × STRING name, [flags & 2] STRING attributes, STRING vector, UINT p, p × UINT parameter
//! ```
//!
//! The parameters are a node of the HNSW graph, which a dataset does not need:
//!
//! ```text
//! id, level (8 bits) | version (8 bits) << 24,
//! (level + 1) × (links, most links, links × id of a node, [version 1] worst link),
//! norm and range
//! ```
//!
//! A server takes the graph as it is and refuses the set if it cannot be one, so
//! [`check_graph`] does too. Source: `vset.c VectorSetRdbLoad`, `hnsw.c
//! hnsw_insert_serialized`, `hnsw_deserialize_index`.

use std::hash::{BuildHasher as _, RandomState};

use super::module::{ModuleItem, ModuleItems};
use crate::error::{Code, Flaw};
use crate::model::vectorset::{Quantization, VectorElement, VectorSet};

/// Name of the module type.
pub(crate) const MODULE_NAME: &str = "vectorset";

pub(crate) const FLAG_PROJECTION: u64 = 1;
pub(crate) const FLAG_ATTRIBUTES: u64 = 2;
/// Links per node of a set that does not say.
pub(crate) const DEFAULT_M: u32 = 16;
/// The newest layout of a node's parameters.
const NEWEST_NODE_VERSION: u64 = 1;
/// What a node's second parameter has of its level and of the layout's version; servers
/// look at nothing else in it.
const LEVEL: u64 = 0xff;
const VERSION: u64 = 0xff00_0000;
/// What servers look at in a number of links, and in an index of one.
const LINKS: u64 = 0xffff_ffff;
/// The highest level that a server gives a node; it loads any.
const TOP_LEVEL: u64 = 16;
/// What servers take as a node's most links: four times the greatest M.
const MOST_LINKS: u64 = 4 * 4096;

fn broken(
    what: &'static str,
    expected: impl Into<crate::error::Value>,
    found: impl Into<crate::error::Value>,
) -> Flaw {
    Flaw::new(Code::BadModule, 0, what, expected, found)
}

fn uint<'i>(
    items: &mut impl Iterator<Item = ModuleItem<'i>>,
    what: &'static str,
) -> Result<u64, Flaw> {
    match items.next() {
        Some(ModuleItem::Uint(n)) => Ok(n),
        _ => Err(broken(what, "an unsigned integer", "another item")),
    }
}

fn bytes<'i>(
    items: &mut impl Iterator<Item = ModuleItem<'i>>,
    what: &'static str,
) -> Result<Vec<u8>, Flaw> {
    match items.next() {
        Some(ModuleItem::String(stored)) => stored.to_vec(),
        _ => Err(broken(what, "a string", "another item")),
    }
}

/// What stands before the elements.
struct Head {
    dim: u32,
    count: u64,
    quantization: Quantization,
    projected_from: Option<u32>,
    has_attributes: bool,
}

fn head<'i>(items: &mut impl Iterator<Item = ModuleItem<'i>>) -> Result<Head, Flaw> {
    let dim = uint(items, "vector set dimension")?;
    let dim = u32::try_from(dim).map_err(|_| broken("vector set dimension", "below 2^32", dim))?;
    let count = uint(items, "vector set elements")?;
    let quantization = match uint(items, "vector set configuration")? & 0xff {
        0 => Quantization::F32,
        1 => Quantization::Int8,
        2 => Quantization::Binary,
        other => return Err(broken("vector set quantisation", "0 to 2", other)),
    };
    let flags = uint(items, "vector set flags")?;
    let mut projected_from = None;
    if flags & FLAG_PROJECTION != 0 {
        let input_dim = uint(items, "input dimension")?;
        let matrix = bytes(items, "projection matrix")?;
        let expected = u128::from(input_dim) * u128::from(dim) * size_of::<f32>() as u128;
        if matrix.len() as u128 != expected {
            return Err(broken(
                "length of the projection matrix",
                "input dimension × dimension × 4",
                matrix.len(),
            ));
        }
        projected_from = u32::try_from(input_dim).ok();
    }
    Ok(Head {
        dim,
        count,
        quantization,
        projected_from,
        has_attributes: flags & FLAG_ATTRIBUTES != 0,
    })
}

/// Decodes the items of a vector set.
///
/// # Errors
/// Items that do not follow the layout, or a vector of the wrong length.
pub fn decode<'i>(mut items: impl Iterator<Item = ModuleItem<'i>>) -> Result<VectorSet, Flaw> {
    let Head {
        dim,
        count,
        quantization,
        projected_from,
        has_attributes,
    } = head(&mut items)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let name = bytes(&mut items, "name of a vector")?;
        let attributes = match has_attributes {
            false => None,
            true => {
                Some(bytes(&mut items, "attributes of a vector")?).filter(|text| !text.is_empty())
            }
        };
        let vector = bytes(&mut items, "a vector")?;
        if vector.len() as u64 != quantization.vector_bytes(dim) {
            return Err(broken(
                "length of a vector",
                quantization.vector_bytes(dim),
                vector.len(),
            ));
        }
        let parameters = uint(&mut items, "parameters of a node")?;
        for _ in 0..parameters {
            uint(&mut items, "parameter of a node")?;
        }
        elements.push(VectorElement {
            name,
            vector,
            attributes,
        });
    }
    match items.next() {
        None => Ok(VectorSet {
            dim,
            quantization,
            projected_from,
            elements,
        }),
        Some(_) => Err(broken("items after the last vector", "none", "some")),
    }
}

/// Checks the items of a set: their layout, and the graph that they make. Tells the first
/// node with bits that servers neither set nor look at.
///
/// # Errors
/// What servers refuse.
pub(crate) fn check(items: ModuleItems<'_>) -> Result<Option<Flaw>, Flaw> {
    decode(items)?;
    check_graph(items)
}

/// Checks the graph of a set whose items [`decode`] takes.
///
/// Links are checked one by one without being kept: a link and its way back cancel
/// each other out in a sum that only comes to nothing if every link has one.
///
/// # Errors
/// A graph that servers refuse.
fn check_graph(items: ModuleItems<'_>) -> Result<Option<Flaw>, Flaw> {
    let mut nodes = Vec::new();
    let odd = each_node(items, |id, level, _, _| {
        // One entry a node, however many levels it says it is on.
        if nodes.last() != Some(&(id, level)) {
            nodes.push((id, level));
        }
        Ok(())
    })?;
    nodes.sort_unstable();
    let top_layer = |id: u64| {
        let at = nodes.partition_point(|&(other, _)| other <= id);
        nodes[..at]
            .last()
            .filter(|node| node.0 == id)
            .map(|node| node.1)
    };
    let hashers = [RandomState::new(), RandomState::new()];
    let mut sums = [0, 0];
    let mut sorted: Vec<u64> = Vec::new();
    each_node(items, |id, _, layer, links| {
        sorted.clear();
        sorted.extend(links);
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(broken(
                "links of a vector",
                "each once",
                "one of them twice",
            ));
        }
        for &other in &sorted {
            if other == id {
                return Err(broken("link of a vector", "another vector", "itself"));
            }
            if top_layer(other).is_none_or(|top| top < layer) {
                return Err(broken("link of a vector", "a vector on that layer", "none"));
            }
            for (sum, hasher) in sums.iter_mut().zip(&hashers) {
                *sum ^= hasher.hash_one((id.min(other), id.max(other), layer));
            }
        }
        Ok(())
    })?;
    match sums {
        [0, 0] => Ok(odd),
        _ => Err(broken(
            "links of vectors",
            "there and back",
            "a way without one back",
        )),
    }
}

/// Calls `layer(id, level, layer, links)` for each layer that a node is on; tells the first
/// node with stray bits.
fn each_node(
    mut items: ModuleItems<'_>,
    mut layer: impl FnMut(u64, u64, u64, &[u64]) -> Result<(), Flaw>,
) -> Result<Option<Flaw>, Flaw> {
    let mut odd = None;
    let head = head(&mut items)?;
    let mut parameters = Vec::new();
    for _ in 0..head.count {
        // Name, attributes, vector.
        for _ in 0..2 + u8::from(head.has_attributes) {
            items.next();
        }
        parameters.clear();
        for _ in 0..uint(&mut items, "parameters of a node")? {
            parameters.push(uint(&mut items, "parameter of a node")?);
        }
        let is_odd = node_layers(&parameters, &mut layer)?;
        if is_odd && odd.is_none() {
            let what = "parameters of a node";
            odd = Some(Flaw::new(
                Code::NotCanonical,
                0,
                what,
                "no other bits",
                "some",
            ));
        }
    }
    Ok(odd)
}

/// Calls `layer` as [`each_node`]; says whether there are bits that mean nothing, or a level
/// that no server makes.
fn node_layers(
    parameters: &[u64],
    layer: &mut impl FnMut(u64, u64, u64, &[u64]) -> Result<(), Flaw>,
) -> Result<bool, Flaw> {
    let cut = || {
        broken(
            "parameters of a node",
            "all of its layers",
            parameters.len(),
        )
    };
    let (&[id, packed], mut rest) = parameters.split_first_chunk().ok_or_else(cut)?;
    let (version, level) = ((packed & VERSION) >> 24, packed & LEVEL);
    if version > NEWEST_NODE_VERSION {
        return Err(broken("version of a node", "0 or 1", version));
    }
    let mut is_odd = packed & !(LEVEL | VERSION) != 0 || level > TOP_LEVEL;
    for number in 0..=level {
        let (&[count, most], behind) = rest.split_first_chunk().ok_or_else(cut)?;
        is_odd |= (count | most) & !LINKS != 0;
        let (count, most) = (count & LINKS, most & LINKS);
        if count > most || most > MOST_LINKS {
            return Err(broken(
                "links of a node",
                "at most as many as it says",
                count,
            ));
        }
        // At most 16384, checked above.
        let (links, behind) = behind.split_at_checked(count as usize).ok_or_else(cut)?;
        rest = behind;
        if version > 0 {
            let (&worst, behind) = rest.split_first().ok_or_else(cut)?;
            rest = behind;
            let index = worst & LINKS;
            if count > 0 && index >= count {
                return Err(broken("worst link of a node", "one of its links", index));
            }
        }
        layer(id, level, number, links)?;
    }
    rest.first().map(|_| is_odd).ok_or_else(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_as_servers_do() {
        const WORST: u64 = 7 << 32;
        let table: &[(&str, &[u64], Option<bool>)] = &[
            ("one layer", &[1, 1 << 24, 0, 32, WORST, 9], Some(false)),
            ("one link", &[1, 1 << 24, 1, 32, 2, WORST, 9], Some(false)),
            ("layout of version 0", &[1, 0, 1, 32, 2, 9], Some(false)),
            (
                "two layers",
                &[1, 1 << 24 | 1, 0, 32, WORST, 0, 16, WORST, 9],
                Some(false),
            ),
            (
                "stray bit beside the level",
                &[1, 1 << 24 | 1 << 10, 0, 32, WORST, 9],
                Some(true),
            ),
            (
                "stray bit above the version",
                &[1, 1 << 24 | 1 << 40, 0, 32, WORST, 9],
                Some(true),
            ),
            (
                "stray bit in the links",
                &[1, 1 << 24, 1 << 32, 32, WORST, 9],
                Some(true),
            ),
            (
                "stray bit in the most links",
                &[1, 0, 0, 32 | 1 << 63, 9],
                Some(true),
            ),
            ("unknown version", &[1, 2 << 24, 0, 32, WORST, 9], None),
            ("more links than may be", &[1, 0, 33, 32, 9], None),
            (
                "more than any server gives",
                &[1, 0, 0, MOST_LINKS + 1, 9],
                None,
            ),
            (
                "worst link is none",
                &[1, 1 << 24, 1, 32, 2, WORST | 1, 9],
                None,
            ),
            ("layer missing", &[1, 1, 0, 32, 9], None),
            ("norm missing", &[1, 0, 0, 32], None),
            ("nothing", &[], None),
        ];
        for (name, parameters, expected) in table {
            let read = node_layers(parameters, &mut |_, _, _, _| Ok(()));
            assert_eq!(read.ok(), *expected, "{name}");
        }
        let mut high = vec![1, 17];
        high.extend([0, 32].repeat(18));
        high.push(9);
        assert_eq!(
            node_layers(&high, &mut |_, _, _, _| Ok(())).ok(),
            Some(true)
        );
        high[1] = 16;
        assert_eq!(
            node_layers(&high, &mut |_, _, _, _| Ok(())).ok(),
            Some(false)
        );
    }
}
