//! Two sides of any size, matched key by key in bounded memory.
//!
//! Rows of both sides go to the bucket that their key's first byte names. When the buckets
//! fill the memory limit, all are appended to an unlinked temporary file. At the end each
//! bucket's rows are matched in a hash table of their own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use crate::bytes::temporary;
use crate::error::Result;

const BUCKETS: usize = 256;

/// A row of fixed length.
pub trait Row: Sized {
    /// Its length in bytes.
    const BYTES: usize;

    /// The key, spread evenly over its bits.
    fn key(&self) -> u128;

    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads it back from as many bytes.
    fn read(bytes: &[u8]) -> Self;
}

/// Which input a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// What the two sides have of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match<R> {
    /// Only one of them has it.
    Only(Side, R),
    /// Both have it.
    Both(R, R),
}

/// Collects the rows of both sides.
#[derive(Debug)]
pub struct Join {
    memory_bytes: usize,
    held_bytes: usize,
    buckets: [Vec<Vec<u8>>; 2],
    spill: Option<Spill>,
}

#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Side, bucket, and where its rows lie.
    runs: Vec<(Side, usize, u64, usize)>,
}

impl Join {
    /// Makes an empty one that uses about so much memory for rows.
    #[must_use]
    pub fn new(memory_bytes: usize) -> Self {
        let buckets = || vec![Vec::new(); BUCKETS];
        Join {
            memory_bytes,
            held_bytes: 0,
            buckets: [buckets(), buckets()],
            spill: None,
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The memory is used up and a temporary file cannot be written.
    pub fn insert<R: Row>(&mut self, side: Side, row: &R) -> Result<()> {
        let bucket = (row.key() >> 120) as usize;
        row.write(&mut self.buckets[side as usize][bucket]);
        self.held_bytes += R::BYTES;
        match self.held_bytes < self.memory_bytes {
            true => Ok(()),
            false => self.spill(),
        }
    }

    fn spill(&mut self) -> Result<()> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill {
                file: temporary::file()?,
                end: 0,
                runs: Vec::new(),
            }),
        };
        for side in [Side::A, Side::B] {
            for (index, bucket) in self.buckets[side as usize].iter_mut().enumerate() {
                if bucket.is_empty() {
                    continue;
                }
                spill
                    .file
                    .write_all(bucket)
                    .map_err(temporary::cannot_write)?;
                spill.runs.push((side, index, spill.end, bucket.len()));
                spill.end += bucket.len() as u64;
                bucket.clear();
            }
        }
        self.held_bytes = 0;
        Ok(())
    }

    /// Matches the rows; the order in which `each` gets them has no meaning. Of rows of one side
    /// with one key the last counts.
    ///
    /// # Errors
    /// A temporary file cannot be read back, or what `each` returns.
    pub fn finish<R: Row>(mut self, mut each: impl FnMut(Match<R>) -> Result<()>) -> Result<()> {
        for bucket in 0..BUCKETS {
            let [a, b] = [Side::A, Side::B].map(|side| self.rows(side, bucket));
            let (a, b) = (
                a.map_err(temporary::cannot_read)?,
                b.map_err(temporary::cannot_read)?,
            );
            let rows = |bytes: &[u8]| -> HashMap<u128, R> {
                let rows = bytes.chunks_exact(R::BYTES).map(R::read);
                rows.map(|row| (row.key(), row)).collect()
            };
            let (mut first, second) = (rows(&a), rows(&b));
            for (key, row) in second {
                each(match first.remove(&key) {
                    Some(other) => Match::Both(other, row),
                    None => Match::Only(Side::B, row),
                })?;
            }
            for row in first.into_values() {
                each(Match::Only(Side::A, row))?;
            }
        }
        Ok(())
    }

    /// All rows of a bucket, those that were spilled first.
    fn rows(&mut self, side: Side, bucket: usize) -> io::Result<Vec<u8>> {
        let mut rows = Vec::new();
        if let Some(spill) = &mut self.spill {
            for &(_, _, start, len) in spill
                .runs
                .iter()
                .filter(|(of, index, _, _)| (*of, *index) == (side, bucket))
            {
                spill.file.seek(SeekFrom::Start(start))?;
                let end = rows.len();
                rows.resize(end + len, 0);
                spill.file.read_exact(&mut rows[end..])?;
            }
        }
        rows.append(&mut self.buckets[side as usize][bucket]);
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A key and a number.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Pair(u128, u64);

    impl Row for Pair {
        const BYTES: usize = 24;

        fn key(&self) -> u128 {
            self.0
        }

        fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.0.to_le_bytes());
            out.extend_from_slice(&self.1.to_le_bytes());
        }

        fn read(bytes: &[u8]) -> Self {
            let (key, number) = bytes.split_first_chunk().unwrap();
            Pair(
                u128::from_le_bytes(*key),
                u64::from_le_bytes(number.try_into().unwrap()),
            )
        }
    }

    proptest! {
        #[test]
        fn join_equals_two_maps(
            rows in prop::collection::vec((any::<bool>(), 0u128..40, any::<u64>()), 0..200),
            memory_bytes in 24usize..2000,
        ) {
            let spread = |key: u128| key.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let mut join = Join::new(memory_bytes);
            let mut model: BTreeMap<u128, [Option<u64>; 2]> = BTreeMap::new();
            for (is_second, key, number) in rows {
                let side = if is_second { Side::B } else { Side::A };
                join.insert(side, &Pair(spread(key), number)).unwrap();
                model.entry(spread(key)).or_default()[side as usize] = Some(number);
            }
            let mut found = BTreeMap::new();
            join.finish(|matched: Match<Pair>| {
                let (key, numbers) = match matched {
                    Match::Only(Side::A, a) => (a.0, [Some(a.1), None]),
                    Match::Only(Side::B, b) => (b.0, [None, Some(b.1)]),
                    Match::Both(a, b) => (a.0, [Some(a.1), Some(b.1)]),
                };
                assert!(found.insert(key, numbers).is_none());
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(found, model);
        }
    }
}
