//! rdbkit's own JSON as an input: every record, and no key twice.

use std::io;

use super::digest::{DigestOptions, Digested, PerKey, digest_keys, flavor_of};
use super::export::module_data_of_fields;
use super::rdb_ledger::{duplicates_not_checked, stands_twice};
use super::verify::Verified;
use crate::bytes::{Text, temporary};
use crate::error::{Error, Result};
use crate::json::native::Header;
use crate::json::reader::{JsonKey, JsonReader, JsonRecord};
use crate::keyset::{KeySet, Outcome};
use crate::limits::KEYSET_BYTES;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{StreamId, StreamState};
use crate::rdb::{Dialect, Family};
use crate::report::{Finding, Level};

/// Tells `sink` a key of a JSON text.
///
/// # Errors
/// `bad_json`: a value that is not of the schema.
pub fn export_json(key: &JsonKey<'_>, sink: &mut impl ValueSink) -> Result<()> {
    key.export(module_data_of_fields, sink)
}

/// Passes every record of a JSON text to `each`, in its order.
///
/// # Errors
/// `bad_json` or what `each` returns, with everything before it passed on; `duplicate_key` when
/// all of it was.
pub fn import_json<'a>(
    text: &'a [u8],
    mut each: impl FnMut(JsonRecord<'a>) -> Result<()>,
) -> Result<()> {
    let mut reader = JsonReader::new(text);
    let mut keys = KeySet::new(KEYSET_BYTES, None);
    while let Some(record) = reader.next_record()? {
        if let JsonRecord::Key(key) = &record {
            keys.insert(key.db(), key.key(), key.offset());
        }
        each(record)?;
    }
    match duplicates(text, keys)? {
        Looked::NotChecked(failure) => Err(temporary::cannot_write(failure)),
        Looked::Found(errors) => errors.into_iter().next().map_or(Ok(()), Err),
    }
}

/// What became of looking for keys that stand twice.
enum Looked {
    /// They are errors with their places.
    Found(Vec<Error>),
    /// There was no room for a temporary file.
    NotChecked(io::Error),
}

/// Looks for keys that stand twice.
fn duplicates(text: &[u8], keys: KeySet) -> Result<Looked> {
    let key_at = |offset| match JsonReader::at(text, offset).next_record() {
        Ok(Some(JsonRecord::Key(key))) => Some((key.db(), key.key().to_vec())),
        _ => None,
    };
    let checked = match keys.finish(|first, second| Ok(key_at(first) == key_at(second)))? {
        Outcome::Checked(duplicates) => duplicates,
        Outcome::NotChecked(failure) => return Ok(Looked::NotChecked(failure)),
    };
    let error = |offset| {
        let error = stands_twice().at_offset(offset);
        match key_at(offset) {
            Some((db, key)) => error.in_key(db, &key),
            None => error,
        }
    };
    let listed = checked.listed.iter();
    Ok(Looked::Found(
        listed.map(|duplicate| error(duplicate.offset)).collect(),
    ))
}

/// The header of a JSON text, if it begins with one.
///
/// # Errors
/// `bad_json`: what stands first is no record.
pub fn header_of_json(text: &[u8]) -> Result<Option<Header>> {
    match JsonReader::new(text).next_record()? {
        Some(JsonRecord::Header(header)) => Ok(Some(header)),
        _ => Ok(None),
    }
}

/// Digests the chosen keys of a JSON text; `per_key` gets each one's DIGEST-VALUE.
///
/// # Errors
/// As [`import_json`], or what `per_key` returns.
pub fn digest_json(
    text: &[u8],
    options: DigestOptions,
    wants: impl Fn(&JsonKey<'_>) -> bool,
    per_key: impl FnMut(PerKey<'_>) -> Result<()>,
) -> Result<Digested> {
    let header = header_of_json(text)?.unwrap_or_default();
    let dialect = header.magic.map(|(magic, version)| Dialect {
        family: match magic {
            "VALKEY" => Family::Valkey,
            _ => Family::Redis,
        },
        version,
    });
    let own = || flavor_of(dialect, header.flavor.as_deref());
    digest_keys(options, options.flavor.or_else(own), per_key, |sums| {
        import_json(text, |record| match record {
            JsonRecord::Key(key) if wants(&key) => {
                sums.add(key.db(), key.key(), |sink| export_json(&key, sink))
            }
            _ => Ok(()),
        })
    })
}

/// Checks a JSON text and passes every finding to `report`.
///
/// Where records stand on lines of their own, the line behind a mistake is the next to be looked at.
pub fn verify_json(text: &[u8], report: &mut dyn FnMut(Finding)) -> Verified {
    let mut verified = Verified {
        kind: "json".to_owned(),
        bytes: text.len() as u64,
        ..Verified::default()
    };
    let mut reader = JsonReader::new(text);
    let mut keys = KeySet::new(KEYSET_BYTES, None);
    loop {
        match reader.next_record() {
            Ok(None) => break verified.complete = true,
            Ok(Some(JsonRecord::Key(key))) => {
                verified.keys += 1;
                verified.expires += u64::from(key.expire_at_ms().is_some());
                keys.insert(key.db(), key.key(), key.offset());
                if let Err(error) = export_json(&key, &mut FieldDeadlines(|_| {})) {
                    verified.add(Finding::of_error(&error, Level::Error), report);
                }
            }
            Ok(Some(JsonRecord::Header(_))) => {}
            Err(error) => {
                verified.add(Finding::of_error(&error, Level::Error), report);
                if !reader.skip_line() {
                    break;
                }
            }
        }
    }
    match duplicates(text, keys) {
        Err(error) => verified.add(Finding::of_error(&error, Level::Error), report),
        Ok(Looked::Found(errors)) => errors
            .iter()
            .for_each(|error| verified.add(Finding::of_error(error, Level::Error), report)),
        Ok(Looked::NotChecked(failure)) => {
            verified.add(duplicates_not_checked(0, failure), report);
        }
    }
    verified
}

/// Takes keys and values and looks at nothing but the deadlines of fields.
pub(super) struct FieldDeadlines<F>(pub(super) F);

impl<F: FnMut(i64)> ValueSink for FieldDeadlines<F> {
    fn begin_key(&mut self, _: &KeyHead<'_>) {}
    fn string(&mut self, _: Text<'_>) {}
    fn begin_value(&mut self) {}
    fn element(&mut self, _: Text<'_>) {}
    fn scored(&mut self, _: Text<'_>, _: f64) {}
    fn field(&mut self, _: Text<'_>, _: Text<'_>, expire_at_ms: Option<i64>) {
        expire_at_ms.into_iter().for_each(&mut self.0);
    }
    fn entry(&mut self, _: StreamId, _: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {}
    fn stream_state(&mut self, _: &StreamState) {}
    fn item(&mut self, _: u64, _: Text<'_>) {}
    fn array_state(&mut self, _: Option<u64>) {}
    fn module(
        &mut self,
        _: &str,
        _: u16,
        _: Option<&ModuleData>,
        _: &mut dyn Iterator<Item = ModuleField>,
        _: u64,
    ) {
    }
    fn end_value(&mut self) {}
    fn end_key(&mut self) -> bool {
        true
    }
    fn abandon_key(&mut self) {}
}
