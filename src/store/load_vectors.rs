//! Vector sets of an RDB, with what the graph's nodes say about their vectors.

use crate::bytes::Text;
use crate::error::{Code, Flaw, Value as Found};
use crate::rdb::module::{ModuleItem, ModuleItems};
use crate::store::{Bytes, Map, Projection, Quantization, Vector, VectorSet};

use super::load::Keeper;

const FLAG_PROJECTION: u64 = 1;
const FLAG_ATTRIBUTES: u64 = 2;

fn broken(what: &'static str, expected: impl Into<Found>, found: impl Into<Found>) -> Flaw {
    Flaw::new(Code::BadModule, 0, what, expected, found)
}

fn uint(items: &mut ModuleItems<'_>, what: &'static str) -> Result<u64, Flaw> {
    match items.next() {
        Some(ModuleItem::Uint(n)) => Ok(n),
        _ => Err(broken(what, "an unsigned integer", "another item")),
    }
}

fn bytes<'a>(
    items: &mut ModuleItems<'_>,
    keeper: Keeper<'a>,
    what: &'static str,
) -> Result<Bytes<'a>, Flaw> {
    match items.next() {
        Some(ModuleItem::String(stored)) => match stored {
            crate::rdb::RdbString::Raw(bytes) => Ok(keeper.bytes(Text::Bytes(bytes))),
            other => other.to_vec().map(Bytes::from),
        },
        _ => Err(broken(what, "a string", "another item")),
    }
}

fn vector_bytes(quantization: Quantization, dim: u32) -> u64 {
    match quantization {
        Quantization::F32 => 4 * u64::from(dim),
        Quantization::Int8 => u64::from(dim),
        Quantization::Binary => 8 * u64::from(dim).div_ceil(64),
    }
}

/// Decodes a vector set; the layout is that of [`crate::rdb::vectorset`].
pub(super) fn vector_set<'a>(
    mut items: ModuleItems<'_>,
    keeper: Keeper<'a>,
) -> Result<VectorSet<'a>, Flaw> {
    let items = &mut items;
    let dim = uint(items, "vector set dimension")?;
    let dim = u32::try_from(dim).map_err(|_| broken("vector set dimension", "below 2^32", dim))?;
    let count = uint(items, "vector set elements")?;
    let config = uint(items, "vector set configuration")?;
    let quantization = match config & 0xff {
        0 => Quantization::F32,
        1 => Quantization::Int8,
        2 => Quantization::Binary,
        other => return Err(broken("vector set quantisation", "0 to 2", other)),
    };
    let flags = uint(items, "vector set flags")?;
    let projection = match flags & FLAG_PROJECTION {
        0 => None,
        _ => Some(projection(items, keeper, dim)?),
    };
    let mut elements = Map::new();
    for _ in 0..count {
        let name = bytes(items, keeper, "name of a vector")?;
        let attributes = match flags & FLAG_ATTRIBUTES {
            0 => None,
            _ => Some(bytes(items, keeper, "attributes of a vector")?)
                .filter(|text| !text.is_empty()),
        };
        let data = bytes(items, keeper, "a vector")?;
        if data.len() as u64 != vector_bytes(quantization, dim) {
            let expected = vector_bytes(quantization, dim);
            return Err(broken("length of a vector", expected, data.len()));
        }
        let parameters = uint(items, "parameters of a node")?;
        // The last one holds the length of the vector, and the range of its bytes above it.
        let mut last = 0;
        for _ in 0..parameters {
            last = uint(items, "parameter of a node")?;
        }
        let vector = Vector {
            data,
            range: f32::from_bits((last >> 32) as u32),
            l2_norm: f32::from_bits(last as u32),
            attributes,
        };
        if elements.insert(name, vector).is_some() {
            return Err(broken("name of a vector", "once", "twice"));
        }
    }
    match items.next() {
        None => Ok(VectorSet {
            dim,
            quantization,
            projection,
            m: ((config >> 8) & 0xffff_ffff) as u32,
            elements,
        }),
        Some(_) => Err(broken("items after the last vector", "none", "some")),
    }
}

fn projection(
    items: &mut ModuleItems<'_>,
    keeper: Keeper<'_>,
    dim: u32,
) -> Result<Projection, Flaw> {
    let input_dim = uint(items, "input dimension")?;
    let matrix = bytes(items, keeper, "projection matrix")?;
    let expected = u128::from(input_dim) * u128::from(dim) * size_of::<f32>() as u128;
    if matrix.len() as u128 != expected {
        let expected = "input dimension × dimension × 4";
        return Err(broken(
            "length of the projection matrix",
            expected,
            matrix.len(),
        ));
    }
    let input_dim =
        u32::try_from(input_dim).map_err(|_| broken("input dimension", "below 2^32", input_dim))?;
    let matrix = matrix
        .as_chunks::<4>()
        .0
        .iter()
        .map(|cell| f32::from_le_bytes(*cell))
        .collect();
    Ok(Projection {
        input_dim,
        stored: Some(matrix),
    })
}
