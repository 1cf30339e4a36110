//! What becomes of a batch of records, and how batches make a file.

use std::collections::BTreeMap;
use std::io;

use super::form::Form;
use super::rdb_ledger::Part as Ledger;
use super::rdb_survey::{DbCount, Survey};
use super::rdb_write::WriteOptions;
use super::written::Written;
use crate::bytes::spool::Spool;
use crate::error::Result;
use crate::limits::KEPT_BATCH_BYTES;
use crate::rdb::RdbWriter;

/// What becomes of a batch of records.
#[derive(Default)]
pub(super) struct Part {
    /// What comes before `bytes`, of commands that have become too long.
    pub(super) spool: Spool,
    pub(super) bytes: Vec<u8>,
    /// From where on bytes belong to a database.
    pub(super) marks: Vec<(u64, u32)>,
    pub(super) written: Written,
    pub(super) ledger: Ledger,
    /// The names of function libraries, and where they stand.
    pub(super) libraries: Vec<(Vec<u8>, u64)>,
    pub(super) survey: Survey,
    pub(super) has_no_checksum: bool,
}

impl Part {
    /// Makes room for another batch; a buffer that a large key has made larger is given back.
    pub(super) fn clear(&mut self) {
        self.spool.truncate(0);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BATCH_BYTES);
        self.marks.clear();
        self.ledger.keys.clear();
        self.written = Written::default();
        self.has_no_checksum = false;
    }

    pub(super) fn len(&self) -> u64 {
        self.spool.len() + self.bytes.len() as u64
    }

    /// What follows belongs to a database.
    #[inline]
    pub(super) fn begin_db(&mut self, db: u32) {
        if self.marks.last().is_none_or(|(_, last)| *last != db) {
            self.marks.push((self.len(), db));
        }
    }

    /// Passes all bytes on, and each database that has some where it begins; forgets what
    /// lies in a file.
    pub(super) fn drain<W>(
        &mut self,
        writer: &mut W,
        select: impl Fn(&mut W, u32) -> Result<()>,
        put: impl Fn(&mut W, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let len = self.len();
        let ends = self.marks.iter().skip(1).map(|(at, _)| *at);
        let spans = self.marks.iter().zip(ends.chain([len]));
        // Nothing came of the keys of others: they have no elements, or are damaged.
        let begun = spans.filter(|((at, _), end)| end > at);
        let mut begun = begun.map(|(mark, _)| *mark).peekable();
        let mut told = 0;
        let mut tell = |mut bytes: &[u8]| {
            let end = told + bytes.len() as u64;
            while let Some((at, db)) = begun.next_if(|(at, _)| *at < end) {
                // No farther than the bytes in hand.
                let (now, later) = bytes.split_at((at - told) as usize);
                put(writer, now)?;
                select(writer, db)?;
                (told, bytes) = (at, later);
            }
            told = end;
            put(writer, bytes)
        };
        self.spool.drain(&mut tell)?;
        tell(&self.bytes)
    }
}

/// Puts parts together: each database begins where its first record comes.
pub(super) struct FileWriter<'s, W> {
    pub(super) writer: RdbWriter<W>,
    counts: &'s BTreeMap<u32, DbCount>,
    /// Databases that were begun.
    begun: Vec<u32>,
    db: Option<u32>,
}

impl<'s, W: io::Write> FileWriter<'s, W> {
    pub(super) fn new(writer: RdbWriter<W>, counts: &'s BTreeMap<u32, DbCount>) -> Self {
        FileWriter {
            writer,
            counts,
            begun: Vec::new(),
            db: None,
        }
    }

    /// Writes what a release says at the head of a file.
    pub(super) fn head(
        &mut self,
        options: &WriteOptions,
        aux: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<()> {
        let writer = &mut self.writer;
        writer.release()?;
        for name in ["ctime", "used-mem"] {
            let carried = aux
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
            if let Some((_, value)) = carried {
                writer.aux(name.as_bytes(), value)?;
            }
        }
        let is_base: &[u8] = match options.form {
            Form::Base => b"1",
            Form::Rdb | Form::Commands { .. } => b"0",
        };
        match options.target.base_aux() {
            Some(name) => writer.aux(name.as_bytes(), is_base),
            None => Ok(()),
        }
    }

    pub(super) fn select(&mut self, db: u32) -> Result<()> {
        if self.db.replace(db) == Some(db) {
            return Ok(());
        }
        self.writer.select_db(db)?;
        if let (Err(place), Some(count)) = (self.begun.binary_search(&db), self.counts.get(&db)) {
            self.begun.insert(place, db);
            self.writer.resize_db(count.keys, count.expires)?;
        }
        Ok(())
    }

    pub(super) fn part(&mut self, part: &mut Part) -> Result<()> {
        part.drain(self, Self::select, |file, bytes| file.writer.raw(bytes))
    }
}
