//! Vector sets: the module type `vectorset` 0, built into Redis 8.
//!
//! ```text
//! UINT dim, UINT n, UINT quantisation | M << 8, UINT flags
//! [flags & 1] UINT input_dim, STRING projection matrix: input_dim × dim f32 LE
//! n × STRING name, [flags & 2] STRING attributes, STRING vector, UINT p, p × UINT parameter
//! ```
//!
//! The parameters are a node of the HNSW graph: its id, level, links and their
//! distances, which a dataset does not need. Source: `vset.c VectorSetRdbLoad`.

use super::module::{ModuleItem, ModuleItems};
use crate::error::{Code, Flaw};
use crate::model::vectorset::{Quantization, VectorElement, VectorSet};

/// Name of the module type.
pub(crate) const MODULE_NAME: &str = "vectorset";

const FLAG_PROJECTION: u64 = 1;
const FLAG_ATTRIBUTES: u64 = 2;

fn broken(
    what: &'static str,
    expected: impl Into<crate::error::Value>,
    found: impl Into<crate::error::Value>,
) -> Flaw {
    Flaw::new(Code::BadModule, 0, what, expected, found)
}

fn uint(items: &mut ModuleItems<'_>, what: &'static str) -> Result<u64, Flaw> {
    match items.next() {
        Some(ModuleItem::Uint(n)) => Ok(n),
        _ => Err(broken(what, "an unsigned integer", "another item")),
    }
}

fn bytes(items: &mut ModuleItems<'_>, what: &'static str) -> Result<Vec<u8>, Flaw> {
    match items.next() {
        Some(ModuleItem::String(stored)) => stored.to_vec(),
        _ => Err(broken(what, "a string", "another item")),
    }
}

/// Decodes the items of a vector set.
///
/// # Errors
/// Items that do not follow the layout, or a vector of the wrong length.
pub fn decode(mut items: ModuleItems<'_>) -> Result<VectorSet, Flaw> {
    let dim = uint(&mut items, "vector set dimension")?;
    let dim = u32::try_from(dim).map_err(|_| broken("vector set dimension", "below 2^32", dim))?;
    let count = uint(&mut items, "vector set elements")?;
    let quantization = match uint(&mut items, "vector set configuration")? & 0xff {
        0 => Quantization::F32,
        1 => Quantization::Int8,
        2 => Quantization::Binary,
        other => return Err(broken("vector set quantisation", "0 to 2", other)),
    };
    let flags = uint(&mut items, "vector set flags")?;
    let mut projected_from = None;
    if flags & FLAG_PROJECTION != 0 {
        let input_dim = uint(&mut items, "input dimension")?;
        let matrix = bytes(&mut items, "projection matrix")?;
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
    let mut elements = Vec::new();
    for _ in 0..count {
        let name = bytes(&mut items, "name of a vector")?;
        let attributes = match flags & FLAG_ATTRIBUTES {
            0 => None,
            _ => Some(bytes(&mut items, "attributes of a vector")?).filter(|text| !text.is_empty()),
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
