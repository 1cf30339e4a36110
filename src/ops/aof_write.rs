//! Commands for a release: from an RDB, or from the keyspace that a log leaves.
//!
//! ```text
//! FUNCTION LOAD, SCRIPT LOAD, { SELECT, the commands of its keys }*
//! ```
//!
//! The passes are those of [`super::rdb_write`], with [`Form::Commands`] in their options;
//! which commands make a key says [`crate::aof::rewrite`].

use std::io;
use std::ops::Range;

use super::export_store::value_type;
use super::losses;
use super::pipeline::Pipe;
use super::rdb_write::{
    Form, Part, Survey, WriteOptions, Written, cannot_write, each_part, export_whole, write_rdb,
    write_store,
};
use crate::aof::CommandEncoder;
use crate::aof::resp::encode_record_into;
use crate::error::{Error, Flaw, Result};
use crate::rdb::{Item, RdbString};
use crate::report::Finding;
use crate::store::Store;

/// How much is gathered before the sink is called.
const CHUNK_BYTES: usize = 128 * 1024;

/// Writes the records of an RDB in the form that the options say; what its survey found to be
/// lost is left out. Findings about damaged values go to `report`, if damage is passed over.
///
/// # Errors
/// A broken frame, a checksum that differs, a damaged value, or the sink's own error.
pub fn write_records<W: io::Write>(
    reader: &mut impl Pipe,
    options: &WriteOptions,
    survey: &Survey,
    sink: W,
    report: &mut dyn FnMut(Finding),
) -> Result<(W, Written)> {
    if !options.writes_commands() {
        return write_rdb(reader, options, survey, sink, report);
    }
    let mut log = LogWriter::new(sink);
    let written = each_part(reader, options, false, report, |part| log.part(part))?;
    log.finish(written)
}

/// Writes a keyspace in the form that the options say; what its survey found to be lost is left
/// out.
///
/// # Errors
/// A value that no encoding of the target holds, or the sink's own error.
pub fn write_keyspace<W: io::Write>(
    store: &Store<'_>,
    options: &WriteOptions,
    survey: &Survey,
    sink: W,
) -> Result<(W, Written)> {
    let Form::Commands { now_ms } = options.form else {
        return write_store(store, options, survey, sink);
    };
    let target = options.target;
    let mut log = LogWriter::new(sink);
    let mut written = Written::default();
    if !options.no_functions && target.has_functions() {
        for code in store.functions.values() {
            function(code, &mut log.buffer);
            log.progress()?;
            written.functions += 1;
            written.commands += 1;
        }
    }
    if target.has_scripts() {
        for body in store.scripts.values() {
            script(body, &mut log.buffer);
            log.progress()?;
            written.commands += 1;
        }
    }
    let mut encoder = CommandEncoder::new(target, now_ms);
    for (db, key, entry) in store.iter() {
        let (value, at) = (&entry.value, entry.expire_at_ms());
        if !options
            .selection
            .matches(db, key, value_type(value), at, None)
        {
            written.left_out += 1;
            continue;
        }
        if losses::lost_entry(value, target).is_some() {
            written.lost += 1;
            continue;
        }
        export_whole(db, key, entry, target, &mut encoder)?;
        log.commands.clear();
        let count = encoder
            .take(&mut log.commands)
            .map_err(|error| error.in_key(db, key))?;
        if count == 0 {
            written.empty += 1;
            continue;
        }
        log.select(db);
        log.put_commands()?;
        written.keys += 1;
        written.commands += count;
    }
    log.finish(written)
}

/// Writes what belongs to no key, as far as there is a command for it.
pub(super) fn file_item(
    item: &Item<'_>,
    span: &Range<u64>,
    options: &WriteOptions,
    out: &mut Vec<u8>,
) -> Result<Written> {
    let target = options.target;
    let broken = |flaw: Flaw| Error::new(flaw.into()).at_offset(span.start);
    let mut written = Written::default();
    match item {
        Item::Function(code) if target.has_functions() && !options.no_functions => {
            function(&code.to_vec().map_err(broken)?, out);
            written.functions = 1;
            written.commands = 1;
        }
        Item::Aux {
            key: RdbString::Raw(name),
            value,
        } if target.has_scripts() && name.eq_ignore_ascii_case(b"lua") => {
            script(&value.to_vec().map_err(broken)?, out);
            written.commands = 1;
        }
        _ => {}
    }
    Ok(written)
}

fn function(code: &[u8], out: &mut Vec<u8>) {
    encode_record_into(&[b"FUNCTION".as_slice(), b"LOAD", code], out);
}

fn script(body: &[u8], out: &mut Vec<u8>) {
    encode_record_into(&[b"SCRIPT".as_slice(), b"LOAD", body], out);
}

/// Puts commands together: each database is selected where its first key comes.
struct LogWriter<W> {
    sink: W,
    buffer: Vec<u8>,
    /// Those of one key.
    commands: Vec<u8>,
    db: Option<u32>,
    selects: u64,
}

impl<W: io::Write> LogWriter<W> {
    fn new(sink: W) -> Self {
        LogWriter {
            sink,
            buffer: Vec::with_capacity(CHUNK_BYTES),
            commands: Vec::new(),
            db: None,
            selects: 0,
        }
    }

    fn select(&mut self, db: u32) {
        if self.db.replace(db) != Some(db) {
            let number = itoa::Buffer::new().format(db).to_owned();
            encode_record_into(&["SELECT", &number], &mut self.buffer);
            self.selects += 1;
        }
    }

    fn put_commands(&mut self) -> Result<()> {
        let commands = std::mem::take(&mut self.commands);
        let put = self.put(&commands);
        self.commands = commands;
        put
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() < CHUNK_BYTES {
            self.buffer.extend_from_slice(bytes);
            return self.progress();
        }
        self.flush()?;
        self.sink.write_all(bytes).map_err(cannot_write)
    }

    fn progress(&mut self) -> Result<()> {
        match self.buffer.len() < CHUNK_BYTES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.write_all(&self.buffer).map_err(cannot_write)?;
        self.buffer.clear();
        Ok(())
    }

    fn part(&mut self, part: &Part) -> Result<()> {
        let mut start = 0;
        for (index, &(at, db)) in part.marks.iter().enumerate() {
            self.put(&part.bytes[start..at])?;
            let end = part
                .marks
                .get(index + 1)
                .map_or(part.bytes.len(), |mark| mark.0);
            // Nothing came of the keys: they have no elements, or are damaged.
            if end > at {
                self.select(db);
            }
            start = at;
        }
        self.put(&part.bytes[start..])
    }

    fn finish(mut self, mut written: Written) -> Result<(W, Written)> {
        self.flush()?;
        written.commands += self.selects;
        Ok((self.sink, written))
    }
}
