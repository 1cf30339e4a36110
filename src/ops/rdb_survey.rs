//! The look at all of a dataset that is written for a server: what its target has no place
//! for, how many keys each database will have, which modules a server needs.
//!
//! It is the first of two passes, since nothing may be written if data would be lost, and an
//! RDB says ahead how many keys a database has. Commands whose reader gets none of them
//! before the survey is judged ([`OutputFile::is_withheld`](crate::bytes::sink::OutputFile::is_withheld))
//! are written and surveyed in one pass, see
//! [`write_and_survey`](super::aof_write::write_and_survey).

use std::collections::BTreeMap;
use std::ops::Range;

use super::least::drop_greatest;
use super::losses::{self, KeyPlace};
use super::pipeline::{Pipe, Work};
use super::rdb_write::WriteOptions;
use super::selected::{is_entry_selected, is_selected};
use crate::error::{Error, ErrorKind, Result, escape_key};
use crate::limits::{DATABASES, LISTED};
use crate::model::ValueType;
use crate::model::loss::{Loss, Losses, Note};
use crate::rdb::object::Value;
use crate::rdb::target::SlotHints;
use crate::rdb::{Item, PlainString, RdbString, Record, Scratch, vectorset};
use crate::store::{self, Store};

/// Keys of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbCount {
    /// Keys.
    pub keys: u64,
    /// How many of them expire.
    pub expires: u64,
}

/// What is known before anything is written.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// What the target cannot carry.
    pub losses: Losses,
    /// Keys that will be written, by database, of the lowest [`DATABASES`]; not of a log of
    /// commands.
    pub dbs: BTreeMap<u32, DbCount>,
    /// Modules that a server needs for the file, with their encoding versions, and how many
    /// values and aux records each has, of the first [`LISTED`] names.
    pub modules: BTreeMap<(String, u16), u64>,
    /// Values and aux records of further modules.
    pub other_modules: u64,
    /// Aux fields of the head that are carried over.
    pub(super) aux: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Survey {
    pub(super) fn merge(&mut self, part: &mut Survey) {
        self.losses.merge(&part.losses);
        for (db, count) in &part.dbs {
            self.db(*db, *count);
        }
        for (module, count) in std::mem::take(&mut part.modules) {
            self.module(module, count);
        }
        self.other_modules += part.other_modules;
        for (name, value) in std::mem::take(&mut part.aux) {
            self.aux_field(name, value);
        }
    }

    /// Refuses to lose data.
    ///
    /// # Errors
    /// `data_loss`, with what would be lost.
    pub fn refuse_loss(&self, options: &WriteOptions) -> Result<()> {
        if !self.losses.loses_data() {
            return Ok(());
        }
        let lost = describe(&self.losses);
        let target = options.target;
        let what = match options.form.is_commands() {
            true => format!("a log of commands for {target} has no place for {lost}"),
            false => format!("{target} has no place for {lost}"),
        };
        Err(Error::new(ErrorKind::DataLoss { what }))
    }

    fn key(&mut self, db: u32, expires: bool) {
        let expires = u64::from(expires);
        self.db(db, DbCount { keys: 1, expires });
    }

    fn db(&mut self, db: u32, more: DbCount) {
        let count = self.dbs.entry(db).or_default();
        count.keys += more.keys;
        count.expires += more.expires;
        drop_greatest(&mut self.dbs, DATABASES);
    }

    fn module(&mut self, module: (String, u16), more: u64) {
        *self.modules.entry(module).or_default() += more;
        self.other_modules += drop_greatest(&mut self.modules, LISTED).unwrap_or(0);
    }

    /// Keeps an aux field for the new head; of one that stands several times the first.
    fn aux_field(&mut self, name: Vec<u8>, value: Vec<u8>) {
        if !self.aux.iter().any(|(known, _)| *known == name) {
            self.aux.push((name, value));
        }
    }
}

/// All data that is lost, with keys as examples.
fn describe(losses: &Losses) -> String {
    let kinds = losses.data.iter().map(|(loss, counted)| {
        let examples: Vec<_> = counted
            .examples
            .iter()
            .map(|(db, key)| format!("db {db} {}", escape_key(key)))
            .collect();
        let text = loss.describe(counted.count);
        if examples.is_empty() {
            return text;
        }
        let more = match counted.count > counted.examples.len() as u64 {
            true => ", ..",
            false => "",
        };
        format!("{text} ({}{more})", examples.join(", "))
    });
    kinds.collect::<Vec<_>>().join("; ")
}

/// Finds out what writing an RDB for a target would lose, and what its head must say.
///
/// # Errors
/// A broken frame, or a value that had to be looked at and is broken.
pub fn survey_rdb(reader: &mut impl Pipe, options: &WriteOptions) -> Result<Survey> {
    let mut survey = Survey::default();
    let make = || Surveyor::new(options);
    reader.pipe(options.pipeline, make, |part| {
        survey.merge(part);
        Ok(())
    })?;
    Ok(survey)
}

pub(super) struct Surveyor<'o> {
    options: &'o WriteOptions,
    part: Survey,
    scratch: Scratch,
    key_scratch: Vec<u8>,
}

impl<'o> Surveyor<'o> {
    pub(super) fn new(options: &'o WriteOptions) -> Self {
        Surveyor {
            options,
            part: Survey::default(),
            scratch: Scratch::new(),
            key_scratch: Vec::new(),
        }
    }
}

impl Work for Surveyor<'_> {
    type Output = Survey;
    type Context = ();

    fn observe((): &mut (), _item: &Item<'_>) {}

    fn begin(&mut self, (): ()) {}

    fn item(&mut self, item: &Item<'_>, _bytes: &[u8], span: &Range<u64>) -> Result<()> {
        let target = self.options.target;
        let losses = &mut self.part.losses;
        match item {
            Item::Key(record) => return self.record(record),
            Item::FunctionPreGa(_) => losses.add_keyless(Loss::Function),
            Item::Function(_) if !target.has_functions() && !self.options.no_functions => {
                losses.add_keyless(Loss::Function);
            }
            Item::ModuleAux(_) if !self.options.writes_module_aux() => {
                losses.add_keyless(Loss::ModuleAux);
            }
            Item::ModuleAux(aux) => {
                let module = (aux.id.name(), aux.id.encoding_version());
                self.part.module(module, 1);
            }
            Item::SlotInfo { .. } if !self.options.writes_slot_hints() => {
                losses.note(Note::SlotHints, 1);
            }
            Item::SlotImport(_) => losses.note(Note::SlotImport, 1),
            Item::Aux { key, value } => {
                let content = |stored: &RdbString<'_>| {
                    let broken =
                        |flaw: crate::error::Flaw| Error::new(flaw.into()).at_offset(span.start);
                    stored.to_vec().map_err(broken)
                };
                let (name, text) = (content(key)?, content(value)?);
                let name = name.to_ascii_lowercase();
                match name.as_slice() {
                    b"ctime" | b"used-mem" if target.has_aux() => self.part.aux_field(name, text),
                    // Said anew, of the target.
                    b"redis-ver" | b"valkey-ver" | b"redis-bits" | b"aof-base"
                    | b"aof-preamble" => {}
                    b"lua" if target.has_scripts() => {}
                    b"lua" => losses.note(Note::Scripts, 1),
                    b"slot-info" if self.options.writes_slot_hints() => {}
                    b"slot-info" => losses.note(Note::SlotHints, 1),
                    b"repl-stream-db" | b"repl-id" | b"repl-offset" => {
                        losses.note(Note::ReplicationPosition, 1);
                    }
                    _ => losses.note(Note::Aux, 1),
                }
            }
            _ => {}
        }
        Ok(())
    }

    const TAKES_PLAIN_STRINGS: bool = true;

    /// Every release has strings, and those that are plain lose a deadline at most.
    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>) -> bool {
        if string.expire_at_ms == Some(-1) {
            return false;
        }
        if self.options.writes_commands() {
            return true;
        }
        if !self.options.selection.is_everything() {
            return false;
        }
        self.part.key(string.db, string.expire_at_ms.is_some());
        true
    }

    fn take(&mut self, _used: Option<Survey>) -> Survey {
        std::mem::take(&mut self.part)
    }
}

impl WriteOptions {
    /// Whether a log of commands is written.
    pub(super) fn writes_commands(&self) -> bool {
        self.form.is_commands()
    }

    pub(super) fn writes_slot_hints(&self) -> bool {
        !self.writes_commands()
            && self.selection.is_everything()
            && self.target.slot_hints() != SlotHints::None
    }

    fn writes_module_aux(&self) -> bool {
        !self.writes_commands() && self.target.has_module_aux()
    }
}

impl Surveyor<'_> {
    fn record(&mut self, record: &Record<'_>) -> Result<()> {
        let surveyed = self.look_at(record);
        match surveyed {
            // The second pass meets it again and says so.
            Err(_) if self.options.keep_going => Ok(()),
            outcome => outcome.map_err(|error| error.in_db(record.db)),
        }
    }

    fn look_at(&mut self, record: &Record<'_>) -> Result<()> {
        match is_selected(&self.options.selection, record, &mut self.key_scratch)? {
            true => self.count(record),
            false => Ok(()),
        }
    }

    /// Counts a record that is selected.
    pub(super) fn count(&mut self, record: &Record<'_>) -> Result<()> {
        let key = record.key_bytes(&mut self.key_scratch)?;
        let db = record.db;
        let part = &mut self.part;
        let arrives = losses::of_record(
            record,
            KeyPlace { db, key },
            self.options,
            &mut self.scratch,
            &mut part.losses,
        )
        .map_err(|error| error.in_key(db, key))?;
        if arrives && self.options.writes_commands() {
            losses::of_record_as_commands(record, self.options.target, &mut part.losses)
                .map_err(|error| error.in_key(db, key))?;
        }
        if arrives {
            // Nothing in a log of commands says how many keys there are.
            if !self.options.writes_commands() {
                part.key(db, record.expire_at_ms.is_some_and(|at| at != -1));
            }
            if record.value_type() == ValueType::Module
                && let Value::Module(module) = record.value()
                && module.id()?.name() != vectorset::MODULE_NAME
            {
                let id = module.id()?;
                part.module((id.name(), id.encoding_version()), 1);
            }
        }
        Ok(())
    }
}

/// Finds out what writing a keyspace for a target would lose.
#[must_use]
pub fn survey_store(store: &Store<'_>, options: &WriteOptions) -> Survey {
    let target = options.target;
    let mut survey = Survey::default();
    for (db, key, entry) in store.iter() {
        let is_wanted = is_entry_selected(&options.selection, db, key, entry);
        let place = KeyPlace { db, key };
        if is_wanted && losses::of_entry(entry, place, options, &mut survey.losses) {
            survey.key(db, entry.expire_at_ms().is_some_and(|at| at != -1));
            if options.writes_commands() {
                losses::of_entry_as_commands(entry, target, &mut survey.losses);
            }
            let value = (entry.value_type() == ValueType::Module).then(|| entry.value());
            match value {
                Some(store::Value::VectorSet(_)) => survey.losses.note(Note::Graphs, 1),
                Some(store::Value::Module(module)) => {
                    let name = String::from_utf8_lossy(&module.name).into_owned();
                    survey.module((name, module.encver), 1);
                }
                _ => {}
            }
        }
    }
    if !target.has_functions() && !options.no_functions {
        for _ in &store.functions {
            survey.losses.add_keyless(Loss::Function);
        }
    }
    if !target.has_scripts() {
        survey
            .losses
            .note(Note::Scripts, store.scripts.len() as u64);
    }
    survey
}
