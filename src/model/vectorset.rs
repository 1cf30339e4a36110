//! Vector sets: what a `vectorset` module value says, without its graph.

/// How a vector set stores its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantization {
    /// 32-bit floats, 4 bytes a component.
    F32,
    /// Signed bytes, 1 byte a component.
    Int8,
    /// Sign bits, packed into 64-bit words.
    Binary,
}

impl Quantization {
    /// The name in the JSON schema; `VINFO` uses the same.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Quantization::F32 => "f32",
            Quantization::Int8 => "int8",
            Quantization::Binary => "bin",
        }
    }

    /// Length of a stored vector in bytes.
    #[must_use]
    pub fn vector_bytes(self, dim: u32) -> u64 {
        match self {
            Quantization::F32 => 4 * u64::from(dim),
            Quantization::Int8 => u64::from(dim),
            Quantization::Binary => 8 * u64::from(dim).div_ceil(64),
        }
    }

    /// The stored components as numbers: floats as they are, bytes as -127..127, bits as -1 and 1.
    pub fn components(self, vector: &[u8], dim: u32) -> impl Iterator<Item = f64> + '_ {
        (0..dim as usize).map(move |index| match self {
            Quantization::F32 => {
                let bytes = vector
                    .get(4 * index..)
                    .and_then(|rest| rest.first_chunk::<4>());
                // The text of a float is the shortest that reads back as the same float.
                bytes.map_or(0.0, |bytes| f64::from(f32::from_le_bytes(*bytes)))
            }
            Quantization::Int8 => vector.get(index).map_or(0.0, |&byte| f64::from(byte as i8)),
            Quantization::Binary => {
                let bit = vector
                    .get(index / 8)
                    .map_or(0, |byte| byte >> (index % 8) & 1);
                if bit == 1 { 1.0 } else { -1.0 }
            }
        })
    }
}

/// A vector set.
#[derive(Clone, Debug)]
pub struct VectorSet {
    /// Components of a stored vector.
    pub dim: u32,
    /// How they are stored.
    pub quantization: Quantization,
    /// Components of the vectors that clients send, if a projection reduces them.
    pub projected_from: Option<u32>,
    /// The elements, in file order.
    pub elements: Vec<VectorElement>,
}

/// An element of a vector set.
#[derive(Clone, Debug)]
pub struct VectorElement {
    /// Its name.
    pub name: Vec<u8>,
    /// The stored vector, normalised and quantised.
    pub vector: Vec<u8>,
    /// Attributes, as a client set them.
    pub attributes: Option<Vec<u8>>,
}
