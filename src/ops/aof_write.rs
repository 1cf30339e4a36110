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

use super::pipeline::Pipe;
use super::rdb_part::Part;
use super::rdb_write::{
    Form, Pass, Survey, WriteOptions, Written, each_part, write_rdb, write_store,
};
use super::store_write::each_store_part;
use crate::aof::AofWriter;
use crate::aof::command_writer::{encode_function, encode_script};
use crate::error::{Error, ErrorKind, Flaw, Result};
use crate::rdb::{Item, RdbString};
use crate::report::Finding;
use crate::store::Store;

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
    let Form::Commands { now_ms } = options.form else {
        return write_rdb(reader, options, survey, sink, report);
    };
    let mut log = AofWriter::new(sink, options.target, now_ms);
    let written = each_part(reader, options, Pass::Writes, report, |batch| {
        part(&mut log, batch)
    })?;
    finish(log, written)
}

/// Writes the records of an RDB as commands and finds out on the way what is lost: for a sink
/// whose bytes nobody gets before the caller has judged that. Otherwise as [`write_records`].
///
/// # Errors
/// As [`write_records`]; options that ask for no commands.
pub fn write_and_survey<W: io::Write>(
    reader: &mut impl Pipe,
    options: &WriteOptions,
    sink: W,
    report: &mut dyn FnMut(Finding),
) -> Result<(W, Written, Survey)> {
    let Form::Commands { now_ms } = options.form else {
        let what = "an RDB is surveyed before it is written";
        return Err(Error::new(ErrorKind::Internal(what)));
    };
    let mut log = AofWriter::new(sink, options.target, now_ms);
    let mut survey = Survey::default();
    let written = each_part(reader, options, Pass::WritesAndSurveys, report, |batch| {
        survey.merge(&mut batch.survey);
        part(&mut log, batch)
    })?;
    let (sink, written) = finish(log, written)?;
    Ok((sink, written, survey))
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
    let mut log = AofWriter::new(sink, target, now_ms);
    let mut written = Written::default();
    if !options.no_functions {
        for code in store.functions.values() {
            written.functions += u64::from(log.function(code)?);
        }
    }
    for body in store.scripts.values() {
        log.script(body)?;
    }
    written.add(&each_store_part(store, options, |batch| {
        part(&mut log, batch)
    })?);
    finish(log, written)
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
            encode_function(&code.to_vec().map_err(broken)?, out);
            written.functions = 1;
            written.commands = 1;
        }
        Item::Aux {
            key: RdbString::Raw(name),
            value,
        } if target.has_scripts() && name.eq_ignore_ascii_case(b"lua") => {
            encode_script(&value.to_vec().map_err(broken)?, out);
            written.commands = 1;
        }
        _ => {}
    }
    Ok(written)
}

/// Writes the commands of a batch of records: each database is selected where its first key
/// comes.
fn part<W: io::Write>(log: &mut AofWriter<W>, part: &mut Part) -> Result<()> {
    part.drain(log, AofWriter::select_db, |log, bytes| log.raw(bytes, 0))?;
    log.raw(&[], part.written.commands)
}

/// Completes a log; how many commands it has, the writer knows.
fn finish<W: io::Write>(log: AofWriter<W>, mut written: Written) -> Result<(W, Written)> {
    written.commands = log.commands();
    Ok((log.finish()?, written))
}
