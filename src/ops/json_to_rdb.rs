//! From rdbkit's own JSON to an RDB that loses nothing: what other writers start from.
//!
//! Its encodings are the plainest, its release one that has a place for everything that
//! JSON says; the release that the user wants is written from it.

use std::io;

use super::import::{FieldDeadlines, export_json, import_json};
use crate::error::{Code, Error, ErrorKind, Result, Value};
use crate::json::native::{Header, ModuleAuxRecord};
use crate::json::reader::{JsonKey, JsonRecord};
use crate::rdb::object::hash::MAX_FIELD_DEADLINE_MS;
use crate::rdb::{Encodings, RdbWriter, RecordEncoder, Target};

/// Writes the RDB of a JSON text.
///
/// # Errors
/// `bad_json`, a key that stands twice, a value that no release stores, or the sink's own error.
pub fn rdb_of_json<W: io::Write>(text: &[u8], sink: W) -> Result<W> {
    let header = super::import::header_of_json(text)?.unwrap_or_default();
    // Only this family stores deadlines of fields that are out of the other's range.
    let name = match header.magic {
        Some(("VALKEY", _)) => "valkey-9.1",
        _ => "redis-8.8",
    };
    let missing = || Error::new(ErrorKind::Internal("a target of its own table"));
    let target = Target::named(name).ok_or_else(missing)?;
    let mut writer = RdbWriter::new(sink, target)?;
    write_header(&header, &mut writer)?;
    let mut encoder = RecordEncoder::new(target, Encodings::Universal);
    encoder.keep_all_counters();
    let mut selected = None;
    let mut encoded = Vec::new();
    import_json(text, |record| {
        let JsonRecord::Key(key) = record else {
            return Ok(());
        };
        check_deadlines(&key, target)?;
        export_json(&key, &mut encoder)?;
        encoded.clear();
        let in_key = |error: Error| error.at_offset(key.offset()).in_key(key.db(), key.key());
        // A collection without elements is no key.
        if encoder.take(&mut encoded).map_err(in_key)? {
            if selected != Some(key.db()) {
                selected = Some(key.db());
                writer.select_db(key.db())?;
            }
            writer.raw(&encoded)?;
        }
        Ok(())
    })?;
    for record in header.module_aux.iter().filter(|record| record.when != 1) {
        module_aux(record, &mut writer)?;
    }
    writer.finish()
}

fn write_header<W: io::Write>(header: &Header, writer: &mut RdbWriter<W>) -> Result<()> {
    // What slots hold stands between the keys of a file, and nothing says between which.
    let fields = header.aux.iter();
    for (name, value) in fields.filter(|(name, _)| name != b"slot-info") {
        writer.aux(name, value)?;
    }
    for script in &header.lua {
        writer.aux(b"lua", script)?;
    }
    for code in &header.functions {
        writer.function(code)?;
    }
    header
        .module_aux
        .iter()
        .filter(|record| record.when == 1)
        .try_for_each(|record| module_aux(record, writer))
}

fn module_aux<W: io::Write>(record: &ModuleAuxRecord, writer: &mut RdbWriter<W>) -> Result<()> {
    let is_written = writer.module_aux(
        &record.module,
        record.encoding_version,
        record.when,
        &record.items,
    )?;
    match is_written {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Broken {
            code: Code::BadModule,
            at: None,
            what: "type of a module record",
            expected: Value::Text("nine characters of the alphabet of modules"),
            found: Value::Text("another name"),
        })),
    }
}

/// Refuses what an encoder would leave out.
fn check_deadlines(key: &JsonKey<'_>, target: &Target) -> Result<()> {
    if !key.has_field_deadlines() || target.dialect().is_valkey() {
        return Ok(());
    }
    let mut odd = None;
    let mut look = FieldDeadlines(|at: i64| {
        if !u64::try_from(at).is_ok_and(|at| (1..=MAX_FIELD_DEADLINE_MS).contains(&at)) {
            odd = Some(at);
        }
    });
    export_json(key, &mut look)?;
    match odd {
        None => Ok(()),
        Some(at) => Err(Error::new(ErrorKind::Broken {
            code: Code::BadHash,
            at: None,
            what: "field deadline",
            expected: Value::Text("1 to 2^48-1 milliseconds"),
            found: Value::Signed(at),
        })
        .at_offset(key.offset())
        .in_key(key.db(), key.key())),
    }
}
