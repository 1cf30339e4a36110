//! Runs of a key set in a temporary file that has no name.
//!
//! ```text
//! run     words of partition 0, words of partition 1, …
//! word    8 bytes, little-endian
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{PARTITIONS, WORD_BYTES};
use crate::bytes::temporary;
use crate::error::Result;

/// How much is read or written at once.
const BLOCK_BYTES: usize = 128 << 10;

#[derive(Debug)]
pub(super) struct Spill {
    file: File,
    runs: Vec<Run>,
    end_words: u64,
    block: Vec<u8>,
    words: Vec<u64>,
}

/// Where a run lies in the file, and where each partition ends in it, in words.
#[derive(Debug)]
struct Run {
    start: u64,
    ends: Box<[u32; PARTITIONS]>,
}

impl Run {
    /// First word and number of words of a partition.
    fn part(&self, index: usize) -> (u64, u32) {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        (self.start + u64::from(start), self.ends[index] - start)
    }
}

impl Spill {
    pub(super) fn new(temp_dir: Option<&Path>) -> io::Result<Self> {
        let file = match temp_dir {
            Some(dir) => tempfile::tempfile_in(dir)?,
            None => tempfile::tempfile()?,
        };
        Ok(Spill {
            file,
            runs: Vec::new(),
            end_words: 0,
            block: Vec::new(),
            words: Vec::new(),
        })
    }

    /// Appends a run: the words that `pages` gives for each partition.
    pub(super) fn write_run<'p, P: Iterator<Item = &'p [u64]>>(
        &mut self,
        pages: impl Fn(usize) -> P,
    ) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(BLOCK_BYTES, &self.file);
        let mut ends = Box::new([0; PARTITIONS]);
        let mut written = 0;
        for (index, end) in ends.iter_mut().enumerate() {
            for words in pages(index) {
                self.block.clear();
                self.block
                    .extend(words.iter().flat_map(|word| word.to_le_bytes()));
                file.write_all(&self.block)?;
                written += words.len() as u32;
            }
            *end = written;
        }
        file.flush()?;
        self.runs.push(Run {
            start: self.end_words,
            ends,
        });
        self.end_words += u64::from(written);
        Ok(())
    }

    /// How many words a partition has.
    pub(super) fn partition_words(&self, index: usize) -> u64 {
        self.runs
            .iter()
            .map(|run| u64::from(run.part(index).1))
            .sum()
    }

    /// Passes on the words of a partition in the order in which they were written, block by block.
    pub(super) fn read(
        &mut self,
        index: usize,
        mut f: impl FnMut(&[u64]) -> Result<()>,
    ) -> Result<()> {
        for run in &self.runs {
            let (start, words) = run.part(index);
            let mut left = words as usize * WORD_BYTES;
            if left > 0 {
                self.file
                    .seek(SeekFrom::Start(start * WORD_BYTES as u64))
                    .map_err(temporary::cannot_read)?;
            }
            while left > 0 {
                self.block.resize(left.min(BLOCK_BYTES), 0);
                left -= self.block.len();
                self.file
                    .read_exact(&mut self.block)
                    .map_err(temporary::cannot_read)?;
                let words = self.block.as_chunks().0;
                self.words.clear();
                self.words
                    .extend(words.iter().map(|word| u64::from_le_bytes(*word)));
                f(&self.words)?;
            }
        }
        Ok(())
    }
}
