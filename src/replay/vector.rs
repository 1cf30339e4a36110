//! Vector sets: VADD, VREM, VSETATTR (Redis 8.0).
//!
//! A vector is brought to length 1 and stored as floats, as bytes or as signs, all in
//! 32-bit arithmetic in the order of the server's loops, so that the stored bits are
//! the server's. The HNSW graph is random there and is not kept.
//!
//! REDUCE multiplies by a matrix first whose cells are all of one size and differ by
//! their signs. A set has its matrix from its first VADD; files hold it.

use super::reply::WRONG_TYPE;
use super::{Args, Reject, Replayer, Reply};
use crate::limits::{PROJECTION_CELLS, STRETCHED_DIMENSION};
use crate::num::{Flavor, parse_f64};
use crate::store::{Bytes, KeySlot, Map, Projection, Quantization, Value, Vector, VectorSet};

const INVALID_VECTOR: Reject = Reject::error("ERR invalid vector specification");
const INVALID_OPTION: Reject = Reject::error("ERR invalid option after element");
const DIM_MISMATCH: Reject = Reject::error("ERR Vector dimension mismatch");
/// M unless given.
const DEFAULT_M: u32 = 16;

/// What VADD says beside the vector.
struct Add<'a> {
    vector: Vec<f32>,
    /// The dimension after REDUCE.
    reduced: Option<u32>,
    /// Index of the element's name.
    element: usize,
    quantization: Quantization,
    attributes: Option<Bytes<'a>>,
    m: u32,
}

impl<'a> Add<'a> {
    fn parse(args: Args<'_, 'a>, flavor: Flavor) -> Result<Self, Reject> {
        let mut at = 2;
        let mut reduced = None;
        if args.is(at, "REDUCE") {
            let dim = args.int(3).ok().and_then(|dim| u32::try_from(dim).ok());
            reduced = Some(dim.filter(|dim| *dim > 0).ok_or(INVALID_VECTOR)?);
            at = 4;
        }
        let (vector, element) = if args.is(at, "FP32") {
            let (cells, rest) = args.get(at + 1).as_chunks::<4>();
            if cells.is_empty() || !rest.is_empty() {
                return Err(INVALID_VECTOR);
            }
            (
                cells.iter().map(|cell| f32::from_le_bytes(*cell)).collect(),
                at + 2,
            )
        } else if args.is(at, "VALUES") {
            let dim = args.int(at + 1).ok();
            let dim = dim.and_then(|dim| usize::try_from(dim).ok());
            let first = at + 2;
            let end = dim
                .filter(|dim| *dim > 0)
                .and_then(|dim| dim.checked_add(first));
            // The element's name follows the numbers.
            let end = end.filter(|end| *end < args.len()).ok_or(INVALID_VECTOR)?;
            let number = |at| parse_f64(args.get(at), flavor).map(|number| number as f32);
            let vector: Option<Vec<f32>> = (first..end).map(number).collect();
            (vector.ok_or(INVALID_VECTOR)?, end)
        } else {
            return Err(INVALID_VECTOR);
        };
        let dim = u32::try_from(vector.len()).map_err(|_| INVALID_VECTOR)?;
        // Nothing makes servers refuse to "reduce" a vector to a longer one.
        if reduced.is_some_and(|reduced| reduced > dim.max(STRETCHED_DIMENSION)) {
            return Err(Reject::Limit {
                what: "dimensions of a reduced vector",
                limit: u64::from(STRETCHED_DIMENSION),
            });
        }
        if u64::from(dim) * u64::from(reduced.unwrap_or(1)) > PROJECTION_CELLS {
            return Err(Reject::Limit {
                what: "cells of a projection",
                limit: PROJECTION_CELLS,
            });
        }
        if args.len() <= element {
            return Err(Reject::WrongArity);
        }
        let mut add = Add {
            vector,
            reduced,
            element,
            quantization: Quantization::Int8,
            attributes: None,
            m: DEFAULT_M,
        };
        let mut at = element + 1;
        while at < args.len() {
            if args.is(at, "CAS") {
                at += 1;
                continue;
            }
            let quantization = [
                ("Q8", Quantization::Int8),
                ("BIN", Quantization::Binary),
                ("NOQUANT", Quantization::F32),
            ];
            let found = quantization.iter().find(|(word, _)| args.is(at, word));
            if let Some((_, quantization)) = found {
                add.quantization = *quantization;
                at += 1;
                continue;
            }
            let value = args.value_of(at).map_err(|_| INVALID_OPTION)?;
            let within = |min, max| args.int(value).ok().filter(|n| (min..=max).contains(n));
            if args.is(at, "EF") {
                within(1, 1_000_000).ok_or(Reject::error("ERR invalid EF"))?;
            } else if args.is(at, "M") {
                add.m = within(4, 4096).ok_or(Reject::error("ERR invalid M"))? as u32;
            } else if args.is(at, "SETATTR") {
                add.attributes = Some(args.bytes(value));
            } else {
                return Err(INVALID_OPTION);
            }
            at = value + 1;
        }
        Ok(add)
    }

    /// The dimension of the vector as it is given.
    fn dim(&self) -> Result<u32, Reject> {
        u32::try_from(self.vector.len()).map_err(|_| INVALID_VECTOR)
    }

    /// Refuses what an existing set is not made for.
    fn check(&self, set: &VectorSet<'_>) -> Result<(), Reject> {
        if set.quantization != self.quantization {
            return Err(Reject::error(
                "ERR asked quantization mismatch with existing vector set",
            ));
        }
        if set.m != self.m {
            return Err(Reject::error(
                "ERR asked M value mismatch with existing vector set",
            ));
        }
        let dim = match (&set.projection, self.reduced) {
            (Some(projection), Some(reduced)) if reduced == set.dim => projection.input_dim,
            (None, None) => set.dim,
            _ => return Err(DIM_MISMATCH),
        };
        if dim != self.dim()? {
            return Err(DIM_MISMATCH);
        }
        Ok(())
    }
}

/// `VADD key [REDUCE n] FP32 blob | VALUES n x .. element [CAS] [NOQUANT | Q8 | BIN]
/// [EF n] [SETATTR text] [M n]`: an element that is there gets the new vector, and new
/// attributes if any are given.
pub(super) fn vadd<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let add = Add::parse(args, replayer.flavor())?;
    let made = match add.reduced {
        Some(_) => Some(Projection::of_signs(add.dim()?)),
        None => None,
    };
    let (projection, dim) = match replayer.get::<VectorSet<'a>>(args.get(1))? {
        Some(set) => {
            add.check(set)?;
            (set.projection.as_ref(), set.dim)
        }
        None => (made.as_ref(), add.reduced.unwrap_or(add.dim()?)),
    };
    let stored = match projection {
        Some(projection) => store(&projection.apply(&add.vector, dim), add.quantization),
        None => store(&add.vector, add.quantization),
    };
    let stored = stored.ok_or(Reject::unsupported(
        "VADD of a vector that is not finite, whose stored bits are not certain",
    ))?;
    let set = match replayer.entry(args.get(1)) {
        KeySlot::Occupied(place) => match place.into_mut().value_mut() {
            Value::VectorSet(set) => set,
            _ => return Err(WRONG_TYPE),
        },
        KeySlot::Vacant(place) => {
            let set = VectorSet {
                dim,
                quantization: add.quantization,
                projection: made,
                m: add.m,
                elements: Map::new(),
            };
            let entry = Value::VectorSet(Box::new(set)).into();
            match place.insert(args.bytes(1), entry).value_mut() {
                Value::VectorSet(set) => set,
                _ => return Err(WRONG_TYPE),
            }
        }
    };
    match set.elements.get_mut(args.get(add.element)) {
        Some(vector) => {
            let attributes = match add.attributes {
                Some(text) => Some(text).filter(|text| !text.is_empty()),
                None => vector.attributes.take(),
            };
            *vector = Vector {
                attributes,
                ..stored
            };
            Ok(Reply::Int(0))
        }
        None => {
            // An empty text counts, until an RDB is written and read.
            let vector = Vector {
                attributes: add.attributes,
                ..stored
            };
            set.elements.insert(args.bytes(add.element), vector);
            Ok(Reply::Int(1))
        }
    }
}

/// Adds four squares at a time, as the server's loop does; the order decides the last bit.
fn sum_of_squares(vector: &[f32]) -> f32 {
    let (fours, rest) = vector.as_chunks::<4>();
    let fours = fours.iter().fold(0f32, |sum, [a, b, c, d]| {
        sum + (a * a + b * b + c * c + d * d)
    });
    rest.iter().fold(fours, |sum, x| sum + x * x)
}

/// What a server stores of a vector; nothing if not all of it is finite.
fn store(vector: &[f32], quantization: Quantization) -> Option<Vector<'static>> {
    let length = sum_of_squares(vector).sqrt();
    // A length beyond all floats leaves zeros; but what is infinite itself, or no number,
    // becomes a NaN whose bits depend on the processor.
    if !vector.iter().all(|x| x.is_finite()) {
        return None;
    }
    // The zero vector stays as it is, and has the length 1 on record.
    let l2_norm = if length == 0.0 { 1.0 } else { length };
    let unit: Vec<f32> = vector.iter().map(|x| x / l2_norm).collect();
    let mut range = 0f32;
    let data = match quantization {
        Quantization::F32 => unit.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Quantization::Int8 => {
            range = unit.iter().fold(0f32, |max, x| max.max(x.abs()));
            let scale = if range == 0.0 { 0.0 } else { 127.0 / range };
            let byte = |x: &f32| (x * scale).round().clamp(-127.0, 127.0) as i8 as u8;
            unit.iter().map(byte).collect()
        }
        Quantization::Binary => unit
            .chunks(64)
            .flat_map(|chunk| {
                let signs = chunk.iter().enumerate();
                let word = signs.fold(0u64, |word, (bit, x)| word | u64::from(*x > 0.0) << bit);
                word.to_le_bytes()
            })
            .collect::<Vec<u8>>(),
    };
    Some(Vector {
        data: data.into(),
        range,
        l2_norm,
        attributes: None,
    })
}

/// `VREM key element`: the key goes with the last one.
pub(super) fn vrem<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let removed = replayer.update(args.get(1), |set: &mut VectorSet<'a>| {
        Ok(set.elements.remove(args.get(2)).is_some())
    })?;
    Ok(Reply::bool(removed.unwrap_or(false)))
}

/// `VSETATTR key element text`: an empty text takes the attributes away.
pub(super) fn vsetattr<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let set = replayer.update(args.get(1), |set: &mut VectorSet<'a>| {
        let Some(vector) = set.elements.get_mut(args.get(2)) else {
            return Ok(false);
        };
        vector.attributes = Some(args.bytes(3)).filter(|text| !text.is_empty());
        Ok(true)
    })?;
    Ok(Reply::bool(set.unwrap_or(false)))
}
