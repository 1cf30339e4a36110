//! Arrays, vector sets and module values.

use std::collections::BTreeMap;

use super::{Bytes, Map, Str};

/// A sparse array (Redis 8.8): index to text, and where ARINSERT goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Array<'a> {
    /// The elements that are there; the index `u64::MAX` is not used.
    pub items: BTreeMap<u64, Str<'a>>,
    /// The last index that ARINSERT or ARRING wrote, if any.
    pub insert_index: Option<u64>,
}

impl Array<'_> {
    /// One more than the highest index (ARLEN).
    #[must_use]
    pub fn len(&self) -> u64 {
        self.items
            .last_key_value()
            .map_or(0, |(index, _)| index.saturating_add(1))
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Removes the elements from `first` to `last`, both included; gives their number.
    pub fn remove_range(&mut self, first: u64, last: u64) -> usize {
        if first > last {
            return 0;
        }
        let doomed: Vec<_> = self
            .items
            .range(first..=last)
            .map(|(index, _)| *index)
            .collect();
        for index in &doomed {
            self.items.remove(index);
        }
        doomed.len()
    }
}

pub use crate::model::vectorset::Quantization;

/// What makes a vector shorter (REDUCE): a matrix with a row for each dimension of the
/// stored vectors, and a column for each of those that are given.
///
/// Servers make cells that differ only by their signs: the cell of row `i` and column
/// `j` is 1/√columns, negative if `i & j` has an odd number of bits. They write the
/// matrix into their files all the same, and take it from there.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Dimension of the vectors that are given.
    pub input_dim: u32,
    /// The matrix as a file has it, row by row; none if it is that of the servers.
    pub stored: Option<Vec<f32>>,
}

impl Projection {
    /// The matrix that servers make.
    #[must_use]
    pub fn of_signs(input_dim: u32) -> Self {
        Projection {
            input_dim,
            stored: None,
        }
    }

    /// One row of the matrix.
    pub fn row(&self, row: u32) -> impl Iterator<Item = f32> + '_ {
        let first = row as usize * self.input_dim as usize;
        let size = (1.0 / f64::from(self.input_dim).sqrt()) as f32;
        (0..self.input_dim).map(move |column| match &self.stored {
            Some(cells) => cells.get(first + column as usize).copied().unwrap_or(0.0),
            None if (row & column).count_ones().is_multiple_of(2) => size,
            None => -size,
        })
    }

    /// The shorter vector, of `dim` components, added up as servers do it.
    #[must_use]
    pub fn apply(&self, vector: &[f32], dim: u32) -> Vec<f32> {
        let rows = (0..dim).map(|row| {
            let products = self.row(row).zip(vector).map(|(cell, x)| cell * x);
            products.fold(0f32, |sum, product| sum + product)
        });
        rows.collect()
    }
}

/// A vector set (Redis 8.0). The HNSW graph is not kept: it is random.
#[derive(Clone, Debug)]
pub struct VectorSet<'a> {
    /// Dimension of the vectors that are stored.
    pub dim: u32,
    /// How they are stored.
    pub quantization: Quantization,
    /// What made them smaller, if anything did.
    pub projection: Option<Projection>,
    /// Links per node (the M of VADD).
    pub m: u32,
    /// The elements by name.
    pub elements: Map<'a, Vector<'a>>,
}

/// An element of a vector set.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector<'a> {
    /// The stored bytes, as `VEMB key element RAW` gives them.
    pub data: Bytes<'a>,
    /// The greatest absolute value, which 127 stands for (Q8 only).
    pub range: f32,
    /// The length of the vector before it was normalised.
    pub l2_norm: f32,
    /// The attributes, if set.
    pub attributes: Option<Bytes<'a>>,
}

/// The value of a module's type, not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// The nine characters of the type's name.
    pub name: [u8; 9],
    /// The version of its encoding.
    pub encver: u16,
    /// The record after the module id, with its end mark.
    pub record: Bytes<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_ranges_go_and_the_length_follows() {
        let mut array = Array::default();
        for index in [0, 5, 9, u64::MAX - 1] {
            array.items.insert(index, (index as i64).into());
        }
        assert_eq!(array.len(), u64::MAX);
        assert_eq!(array.remove_range(6, u64::MAX), 2);
        assert_eq!(array.len(), 6);
        assert_eq!(array.remove_range(1, 4), 0);
        assert_eq!(array.remove_range(4, 1), 0);
        assert_eq!(array.remove_range(0, 0), 1);
        assert_eq!(array.items.len(), 1);
    }
}
