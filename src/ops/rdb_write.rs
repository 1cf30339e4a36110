//! An RDB for a release: from another RDB, or from the keyspace that a log leaves.
//!
//! ```text
//! survey   what would be lost, how many keys each database gets, what the head says
//! write    records as they are where the release reads them, else in its own encodings
//! ```
//!
//! A file that stays what it is, for its own release and with all its keys, needs no survey
//! and comes out byte for byte. Every value is checked on the way, as `verify` checks it,
//! since a server checks next to nothing when it loads. The same passes write a log's
//! commands instead of records, see [`super::aof_write`].

use std::io;
use std::ops::Range;

use super::aof_write;
use super::array_as_hash::ArrayAsHash;
use super::convert::{flavor, names_release};
use super::export::export_record;
use super::export_store::export_entry;
use super::losses;
use super::pipeline::{Pipe, Pipeline, Work};
use super::rdb_ledger::{KeyMarker, Part as Ledger, Reporter, report_duplicates};
use super::rdb_part::{FileWriter, Part};
use super::selected::is_selected;
use super::store_write::each_store_part;
use super::value_checks::ValueChecks;
use super::vector_write;
use crate::aof::CommandEncoder;
use crate::error::{Error, ErrorKind, Result};
use crate::keyset::KeySet;
use crate::model::ValueType;
use crate::model::function::{LibraryNames, checked_library_name};
use crate::model::sink::{KeyHead, ValueSink};
use crate::num::Flavor;
use crate::rdb::constants::Opcode;
use crate::rdb::dialect::Dialect;
use crate::rdb::length::encode_length;
use crate::rdb::object::Value;
use crate::rdb::object::encode::negative_zero_would_vanish;
use crate::rdb::string::{encode_raw, encode_stored};
use crate::rdb::target::SlotHints;
use crate::rdb::{
    Checksum, Encodings, Item, Items, PlainString, RdbWriter, Record, RecordEncoder, Scratch,
    Target, vectorset,
};
use crate::report::{Finding, Level, Tally};
use crate::select::Selection;
use crate::store::{Entry, Store};

pub use super::form::Form;
use super::rdb_survey::Surveyor;
pub use super::rdb_survey::{DbCount, Survey, survey_rdb, survey_store};
pub use super::written::Written;

/// What to write and how.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// For which release.
    pub target: &'static Target,
    /// As what.
    pub form: Form,
    /// In which encodings.
    pub encodings: Encodings,
    /// Which keys.
    pub selection: Selection,
    /// Turn arrays into hashes, each index a field, where the release has none.
    pub array_as_hash: bool,
    /// Leave functions out.
    pub no_functions: bool,
    /// Pass over values that are damaged, instead of ending with the first.
    pub keep_going: bool,
    /// Copy values without looking into them.
    pub no_check: bool,
    /// Encode every value anew, though the release reads it as it is.
    pub fresh: bool,
    /// By how many threads.
    pub pipeline: Pipeline,
}

impl WriteOptions {
    /// Everything, in the usual encodings of a release.
    #[must_use]
    pub fn new(target: &'static Target) -> Self {
        WriteOptions {
            target,
            form: Form::Rdb,
            encodings: Encodings::Default,
            selection: Selection::everything(),
            array_as_hash: false,
            no_functions: false,
            keep_going: false,
            no_check: false,
            fresh: false,
            pipeline: Pipeline::default(),
        }
    }

    /// Whether a value of this type becomes a hash.
    #[must_use]
    pub fn turns_into_hash(&self, value_type: ValueType) -> bool {
        self.array_as_hash && value_type == ValueType::Array && !self.target.has_arrays()
    }

    /// Whether a file that such a release wrote stays as it is, byte for byte.
    #[must_use]
    pub fn keeps(&self, source: &Source) -> bool {
        self.form == Form::Rdb
            && self.selection.is_everything()
            && self.encodings == Encodings::Default
            && !self.no_functions
            && !self.fresh
            && self.target.dialect() == source.dialect
            && source
                .flavor
                .is_none_or(|flavor| flavor == self.target.flavor())
    }
}

/// What the head of a file says about who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Family and version.
    pub dialect: Dialect,
    /// The release, if an aux field names it.
    pub flavor: Option<Flavor>,
}

impl Source {
    /// Reads it from the first bytes of a file.
    ///
    /// # Errors
    /// They are no RDB's.
    pub fn of_head(head: &[u8]) -> Result<Source> {
        let mut items = Items::new(head);
        let mut dialect = None;
        let mut aux = Vec::new();
        for item in &mut items {
            match item {
                Ok(Item::Header(found)) => dialect = Some(found),
                Ok(Item::Aux { key, value }) => {
                    let name = key.to_vec().ok().filter(|name| names_release(name));
                    // The first that can be read is the one that counts.
                    if aux.is_empty() {
                        aux.extend(name.zip(value.to_vec().ok()));
                    }
                }
                // Behind the magic the reader says what is wrong.
                Err(error) if dialect.is_none() => return Err(error),
                _ => break,
            }
        }
        let no_head = || Error::new(ErrorKind::UnexpectedEof { needed: 1 }).at_offset(0);
        Ok(Source {
            dialect: dialect.ok_or_else(no_head)?,
            flavor: flavor(&aux).as_deref().and_then(Flavor::parse),
        })
    }

    /// The release itself as a target, where it is one.
    #[must_use]
    pub fn target(&self) -> Option<&'static Target> {
        Target::of_source(self.dialect, self.flavor)
    }
}

/// Writes an RDB for a target; what its survey found to be lost is left out.
///
/// Findings about damaged values go to `report`, if damage is passed over.
///
/// # Errors
/// A broken frame, a checksum that differs, a damaged value, or the sink's own error.
pub fn write_rdb<W: io::Write>(
    reader: &mut impl Pipe,
    options: &WriteOptions,
    survey: &Survey,
    sink: W,
    report: &mut dyn FnMut(Finding),
) -> Result<(W, Written)> {
    let writer = RdbWriter::new(sink, options.target)?;
    let mut file = FileWriter::new(writer, &survey.dbs);
    file.head(options, &survey.aux)?;
    let written = each_part(reader, options, Pass::Writes, report, |part| {
        file.part(part)
    })?;
    Ok((file.writer.finish()?, written))
}

/// Copies an RDB that stays what it is, byte for byte, and checks it on the way.
///
/// # Errors
/// As [`write_rdb`].
pub fn copy_rdb<W: io::Write>(
    reader: &mut impl Pipe,
    options: &WriteOptions,
    sink: W,
    report: &mut dyn FnMut(Finding),
) -> Result<(W, Written)> {
    let mut writer = RdbWriter::headless(sink, options.target);
    let written = each_part(reader, options, Pass::Keeps, report, |part| {
        if part.has_no_checksum {
            writer.without_checksum();
        }
        writer.raw(&part.bytes)
    })?;
    let sink = writer.finish()?;
    Ok((sink, written))
}

/// What a pass over a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// The file stays as it is.
    Keeps,
    /// What was surveyed is written.
    Writes,
    /// What was not is surveyed, too.
    WritesAndSurveys,
}

/// Makes parts of a file and passes them on; fails in the end if a key stands twice.
pub(super) fn each_part(
    reader: &mut impl Pipe,
    options: &WriteOptions,
    pass: Pass,
    report: &mut dyn FnMut(Finding),
    mut emit: impl FnMut(&mut Part) -> Result<()>,
) -> Result<Written> {
    let start = reader.offset();
    let mut written = Written::default();
    let mut keys = KeySet::new(options.pipeline.keyset_bytes(), None);
    let mut libraries = LibraryNames::default();
    let marker = KeyMarker::new(&keys, reader);
    let make = || Copier::new(options, pass, marker.clone());
    reader.pipe(options.pipeline, make, |part: &mut Part| {
        written.add(&part.written);
        for &(hash, mark) in &part.ledger.keys {
            keys.insert_hashed(hash, mark);
        }
        part.ledger.drain_findings().for_each(&mut *report);
        for (name, offset) in part.libraries.drain(..) {
            let met = libraries.meet(&name);
            met.map_err(|error| error.at_offset(offset))?;
        }
        emit(part)
    })?;
    let mut out = Reporter {
        tally: Tally::default(),
        report,
    };
    report_duplicates(keys, reader, start, &mut out)?;
    match out.tally.errors {
        0 => Ok(written),
        _ => Err(Error::new(ErrorKind::Damaged {
            what: "a key that stands twice, which servers refuse",
        })),
    }
}

/// What is said of a value after all that is wrong with it.
const DAMAGED_VALUE: &str = "a damaged value, which servers refuse";

pub(super) struct Copier<'o> {
    pub(super) options: &'o WriteOptions,
    /// The file stays as it is.
    pub(super) keeps: bool,
    /// Whether strings of which there is nothing to say go as they are.
    pub(super) takes_plain_strings: bool,
    pub(super) marker: KeyMarker,
    encoder: RecordEncoder,
    /// What makes commands, if those are written.
    pub(super) commands: Option<CommandEncoder>,
    pub(super) checks: ValueChecks,
    /// What was found in the value in hand.
    pub(super) found: Ledger,
    pub(super) surveyor: Option<Surveyor<'o>>,
    pub(super) part: Part,
    /// The database that the items in hand belong to.
    db: u32,
    pub(super) scratch: Scratch,
    pub(super) key_scratch: Vec<u8>,
}

impl<'o> Copier<'o> {
    fn new(options: &'o WriteOptions, pass: Pass, marker: KeyMarker) -> Self {
        Copier {
            options,
            keeps: pass == Pass::Keeps,
            takes_plain_strings: options.selection.is_everything()
                && (options.form.is_commands() || !options.fresh),
            marker,
            encoder: RecordEncoder::new(options.target, options.encodings),
            commands: match options.form {
                Form::Commands { now_ms } => Some(CommandEncoder::new(options.target, now_ms)),
                Form::Rdb | Form::Base => None,
            },
            checks: ValueChecks::for_loader(options.target),
            found: Ledger::default(),
            surveyor: (pass == Pass::WritesAndSurveys).then(|| Surveyor::new(options)),
            part: Part::default(),
            db: 0,
            scratch: Scratch::new(),
            key_scratch: Vec::new(),
        }
    }
}

impl Work for Copier<'_> {
    type Output = Part;

    fn extra_bytes(part: &Part) -> usize {
        part.ledger.bytes()
    }

    /// The database that was selected last.
    type Context = u32;

    fn observe(db: &mut u32, item: &Item<'_>) {
        if let Item::SelectDb(selected) = item {
            *db = *selected;
        }
    }

    fn begin(&mut self, db: u32) {
        self.db = db;
    }

    fn item(&mut self, item: &Item<'_>, bytes: &[u8], span: &Range<u64>) -> Result<()> {
        Copier::observe(&mut self.db, item);
        if let Item::Function(code) = item
            && !self.options.no_check
        {
            let code = code.bytes(&mut self.key_scratch);
            let code = code.map_err(|flaw| Error::new(flaw.into()));
            let name = code.and_then(checked_library_name);
            let name = name.map_err(|error| error.at_offset(span.start))?;
            self.part.libraries.push((name.to_vec(), span.start));
        }
        if let (Some(surveyor), false) = (&mut self.surveyor, matches!(item, Item::Key(_))) {
            surveyor.item(item, bytes, span)?;
        }
        match item {
            Item::Key(record) => self.record(record, bytes),
            Item::End { checksum, .. } => {
                let part = &mut self.part;
                part.has_no_checksum = matches!(checksum, Checksum::Disabled);
                // The reader gives up here unless damage is passed over.
                if let Checksum::Mismatch { stored, computed } = *checksum {
                    part.written.damaged += 1;
                    let error = Error::new(ErrorKind::ChecksumMismatch { stored, computed });
                    let finding = Finding::of_error(&error.at_offset(span.start), Level::Error);
                    part.ledger.add(finding);
                }
                Ok(())
            }
            _ if self.keeps => {
                self.part.bytes.extend_from_slice(bytes);
                self.part.written.functions += u64::from(matches!(item, Item::Function(_)));
                Ok(())
            }
            item if self.commands.is_some() => {
                let written = aof_write::file_item(item, span, self.options, &mut self.part.bytes)?;
                self.part.written.add(&written);
                Ok(())
            }
            item => self.file_item(item, bytes, span),
        }
    }

    const TAKES_PLAIN_STRINGS: bool = true;

    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>) -> bool {
        self.write_plain_string(string)
    }

    fn take(&mut self, used: Option<Part>) -> Part {
        let mut empty = used.unwrap_or_default();
        empty.clear();
        if let Some(surveyor) = &mut self.surveyor {
            self.part.survey = surveyor.take(None);
        }
        std::mem::replace(&mut self.part, empty)
    }
}

impl Copier<'_> {
    /// Writes what belongs to no key, as far as the target has a place for it.
    fn file_item(&mut self, item: &Item<'_>, bytes: &[u8], span: &Range<u64>) -> Result<()> {
        let target = self.options.target;
        let out = &mut self.part.bytes;
        match item {
            Item::HashTemplate(_) if target.has_templates() => out.extend_from_slice(bytes),
            Item::Function(code) if target.has_functions() && !self.options.no_functions => {
                out.push(Opcode::FUNCTION2.0);
                encode_stored(*code, out);
                self.part.written.functions += 1;
            }
            Item::ModuleAux(_) if target.has_module_aux() => out.extend_from_slice(bytes),
            Item::SlotInfo {
                slot,
                keys,
                expires,
            } => self.slot_hint(*slot, *keys, *expires),
            Item::Aux { key, value } => {
                let broken =
                    |flaw: crate::error::Flaw| Error::new(flaw.into()).at_offset(span.start);
                let name = key.bytes(&mut self.key_scratch).map_err(broken)?;
                if name.eq_ignore_ascii_case(b"lua") && target.has_scripts() {
                    out.push(Opcode::AUX.0);
                    encode_raw(b"lua", out);
                    encode_stored(*value, out);
                } else if name.eq_ignore_ascii_case(b"slot-info") {
                    let text = value.to_vec().map_err(broken)?;
                    if let Some((slot, counts)) = super::rdb_check::parse_slot_info(&text) {
                        self.slot_hint(slot, counts.keys, counts.expires);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Says how many keys of a slot follow.
    fn slot_hint(&mut self, slot: u64, keys: u64, expires: u64) {
        if !self.options.writes_slot_hints() {
            return;
        }
        let part = &mut self.part;
        part.marks.push((part.len(), self.db));
        let out = &mut part.bytes;
        match self.options.target.slot_hints() {
            SlotHints::None => {}
            SlotHints::Opcode => {
                out.push(Opcode::SLOT_INFO.0);
                for n in [slot, keys, expires] {
                    encode_length(n, out);
                }
            }
            SlotHints::Aux => {
                out.push(Opcode::AUX.0);
                encode_raw(b"slot-info", out);
                encode_raw(format!("{slot},{keys},{expires}").as_bytes(), out);
            }
        }
    }

    fn record(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<()> {
        let before = self.part.len();
        let Err(error) = self.write(record, bytes) else {
            return Ok(());
        };
        let part = &mut self.part;
        part.spool.cut(&mut part.bytes, before);
        if !self.options.keep_going {
            return Err(error.in_db(record.db));
        }
        part.written.damaged += 1;
        // What the checks found has been said already.
        let is_said = matches!(
            error.kind(),
            ErrorKind::Damaged {
                what: DAMAGED_VALUE
            }
        );
        if !is_said {
            let finding = Finding::of_error(&error.in_db(record.db), Level::Error);
            part.ledger.add(finding);
        }
        Ok(())
    }

    /// Writes a record, unless no filter wants it or the target has no place for it.
    fn write(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<()> {
        let options = self.options;
        if !is_selected(&options.selection, record, &mut self.key_scratch)? {
            self.part.written.left_out += 1;
            return Ok(());
        }
        let is_lost = !self.keeps && losses::lost_key(record, options)?.is_some();
        if !is_lost && self.commands.is_some() {
            return self.write_commands(record);
        }
        if !is_lost && !options.no_check {
            self.check(record)?;
        }
        if let Some(surveyor) = &mut self.surveyor {
            surveyor.count(record)?;
        }
        if is_lost {
            self.part.written.lost += 1;
            return Ok(());
        }
        let part = &mut self.part;
        if self.keeps {
            part.bytes.extend_from_slice(bytes);
            part.written.keys += 1;
            part.written.copied += 1;
            return Ok(());
        }
        part.begin_db(record.db);
        let key_of = |error: Error, scratch: &mut Vec<u8>| match record.key_bytes(scratch) {
            Ok(key) => error.in_key(record.db, key),
            Err(_) => error,
        };
        let encoder = &mut self.encoder;
        let has_impossible_counters = match record.value() {
            Value::Stream(stream) if options.target.checks_stream_counters() => {
                let state = stream.state();
                let state = state.map_err(|error| key_of(error, &mut self.key_scratch))?;
                !state.counters_agree()
            }
            _ => false,
        };
        let copies = !options.fresh
            && !has_impossible_counters
            && encoder.can_copy(record)
            && !negative_zero_would_vanish(record, options.target, &mut self.scratch)
                .map_err(|error| key_of(error, &mut self.key_scratch))?;
        let arrives = if copies {
            part.written.copied += 1;
            encoder.copy(record, &mut part.bytes);
            true
        } else if encoder
            .copy_stream(record, &mut part.bytes)
            .map_err(|error| key_of(error, &mut self.key_scratch))?
        {
            true
        } else {
            export(
                record,
                options,
                &mut self.scratch,
                &mut self.key_scratch,
                encoder,
            )?;
            encoder
                .take(&mut part.bytes)
                .map_err(|error| key_of(error, &mut self.key_scratch))?
        };
        match arrives {
            true => part.written.keys += 1,
            false => part.written.empty += 1,
        }
        Ok(())
    }

    /// Checks a value as `verify` does.
    fn check(&mut self, record: &Record<'_>) -> Result<()> {
        let key = record.key_bytes(&mut self.key_scratch)?;
        self.part.ledger.keys.push(self.marker.mark(record, key));
        if self.keeps
            && !self
                .options
                .target
                .reads(record.type_byte, record.dialect.family)
        {
            let what = "a value of a type that is newer than its file, which servers refuse";
            let error = Error::new(ErrorKind::Damaged { what }).at_offset(record.offset);
            return Err(error.in_key(record.db, key));
        }
        self.checks.check(record, key, &mut self.found);
        judge(record, key, &mut self.found, &mut self.part.ledger)
    }
}

/// Reports the errors that were found in a value.
///
/// # Errors
/// There are some.
pub(super) fn judge(
    record: &Record<'_>,
    key: &[u8],
    found: &mut Ledger,
    out: &mut Ledger,
) -> Result<()> {
    let mut is_damaged = false;
    for finding in found.drain_findings() {
        if finding.level == Level::Error {
            is_damaged = true;
            out.add(finding);
        }
    }
    match is_damaged {
        true => Err(Error::new(ErrorKind::Damaged {
            what: DAMAGED_VALUE,
        })
        .at_offset(record.offset)
        .in_key(record.db, key)),
        false => Ok(()),
    }
}

/// Writes a keyspace for a target; what its survey found to be lost is left out.
///
/// # Errors
/// A value that no encoding of the target holds, or the sink's own error.
pub fn write_store<W: io::Write>(
    store: &Store<'_>,
    options: &WriteOptions,
    survey: &Survey,
    sink: W,
) -> Result<(W, Written)> {
    let target = options.target;
    let writer = RdbWriter::new(sink, target)?;
    let mut file = FileWriter::new(writer, &survey.dbs);
    file.head(options, &survey.aux)?;
    let mut written = Written::default();
    if !options.no_functions && target.has_functions() {
        for code in store.functions.values() {
            file.writer.function(code)?;
            written.functions += 1;
        }
    }
    written.add(&each_store_part(store, options, |part| file.part(part))?);
    if target.has_scripts() {
        for script in store.scripts.values() {
            file.writer.aux(b"lua", script)?;
        }
    }
    let sink = file.writer.finish()?;
    Ok((sink, written))
}

/// Tells `sink` one key and its value, an array as what it becomes.
fn export(
    record: &Record<'_>,
    options: &WriteOptions,
    scratch: &mut Scratch,
    key: &mut Vec<u8>,
    sink: &mut impl ValueSink,
) -> Result<()> {
    match options.turns_into_hash(record.value_type()) {
        true => export_record(record, scratch, key, &mut ArrayAsHash(sink)),
        false => export_record(record, scratch, key, sink),
    }
}

/// Tells `sink` one key and its value, an array as what it becomes, a vector set with a graph.
pub(super) fn export_whole(
    db: u32,
    key: &[u8],
    entry: &Entry<'_>,
    options: &WriteOptions,
    scratch: &mut Scratch,
    sink: &mut impl ValueSink,
) -> Result<()> {
    if options.turns_into_hash(entry.value_type()) {
        return export_entry(db, key, entry, scratch, &mut ArrayAsHash(sink));
    }
    let value = (entry.value_type() == ValueType::Module).then(|| entry.value());
    let Some(crate::store::Value::VectorSet(set)) = value else {
        return export_entry(db, key, entry, scratch, sink);
    };
    let mut head = KeyHead::new(db, key, ValueType::Module);
    head.expire_at_ms = entry.expire_at_ms();
    let items = vector_write::items(set, options.target);
    loop {
        sink.begin_key(&head);
        sink.begin_value();
        sink.module(
            vectorset::MODULE_NAME,
            0,
            None,
            &mut items.iter().cloned(),
            0,
        );
        sink.end_value();
        if sink.end_key() {
            return Ok(());
        }
    }
}
