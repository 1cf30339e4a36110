//! `convert`: a dataset in another form. So far from an RDB to JSON.

use std::ops::Range;

use super::export::{export_record, module_fields};
use crate::error::{Error, Result};
use crate::json::native::{Header, ModuleAuxRecord};
use crate::model::sink::ValueSink;
use crate::rdb::{Item, RdbString, ReadItems, Record, Scratch};
use crate::report::{Finding, Level};

/// What became of the records of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Keys written.
    pub keys: u64,
    /// Keys that no filter chose.
    pub left_out: u64,
    /// Keys that could not be decoded and were passed over.
    pub damaged: u64,
    /// Function libraries.
    pub functions: u64,
    /// Module records outside the keyspace.
    pub module_aux: u64,
    /// Scripts in `lua` aux fields.
    pub scripts: u64,
}

/// What to do on the way from records to a sink.
pub trait Conversion {
    /// Where keys and values go.
    type Sink: ValueSink;

    /// The sink.
    fn sink(&mut self) -> &mut Self::Sink;

    /// Whether a record is wanted.
    ///
    /// # Errors
    /// A key that cannot be read.
    fn wants(&mut self, record: &Record<'_>) -> Result<bool>;

    /// Called behind each item: a time to write out what the sink holds.
    ///
    /// # Errors
    /// Writing failed.
    fn progress(&mut self, offset: u64) -> Result<()>;

    /// A value is damaged. `Ok` passes over it.
    ///
    /// # Errors
    /// The error, if the conversion is to end with it.
    fn damaged(&mut self, error: Error) -> Result<()>;
}

/// Passes the chosen keys of an RDB to a sink.
///
/// # Errors
/// A broken frame, a checksum that differs, or what the conversion's parts return.
pub fn convert_rdb(
    reader: &mut impl ReadItems,
    conversion: &mut impl Conversion,
) -> Result<Converted> {
    let mut done = Converted::default();
    let mut scratch = Scratch::new();
    let mut key_scratch = Vec::new();
    reader.for_each(|item, span: Range<u64>| {
        match item {
            Item::Key(record) => {
                let outcome = match conversion.wants(record) {
                    Ok(true) => {
                        export_record(record, &mut scratch, &mut key_scratch, conversion.sink())
                            .map(|()| true)
                    }
                    refused => refused,
                };
                match outcome {
                    Ok(true) => done.keys += 1,
                    Ok(false) => done.left_out += 1,
                    Err(error) => {
                        done.damaged += 1;
                        conversion.damaged(error.in_db(record.db))?;
                    }
                }
            }
            Item::Function(_) | Item::FunctionPreGa(_) => done.functions += 1,
            Item::ModuleAux(_) => done.module_aux += 1,
            Item::Aux { key, .. } if is_lua(key) => done.scripts += 1,
            _ => {}
        }
        conversion.progress(span.end)
    })?;
    Ok(done)
}

fn is_lua(key: &RdbString<'_>) -> bool {
    matches!(key, RdbString::Raw(name) if name.eq_ignore_ascii_case(b"lua"))
}

/// Reads what belongs to no key: the first of two passes over a file.
///
/// # Errors
/// A broken frame or string.
pub fn header_of_rdb(reader: &mut impl ReadItems) -> Result<Header> {
    let mut header = Header {
        source: "rdb",
        ..Header::default()
    };
    reader.for_each(|item, span| {
        let content = |stored: &RdbString<'_>| {
            stored
                .to_vec()
                .map_err(|flaw| Error::new(flaw.into()).at_offset(span.start))
        };
        match item {
            Item::Header(dialect) => header.magic = Some((dialect.magic(), dialect.version)),
            Item::Aux { key, value } if is_lua(key) => header.lua.push(content(value)?),
            Item::Aux { key, value } => header.aux.push((content(key)?, content(value)?)),
            Item::Function(code) => header.functions.push(content(code)?),
            Item::FunctionPreGa(function) => header.functions.push(content(&function.code)?),
            Item::ModuleAux(aux) => header.module_aux.push(ModuleAuxRecord {
                module: aux.id.name(),
                encoding_version: aux.id.encoding_version(),
                when: aux.when,
                items: module_fields(aux.items)?,
            }),
            _ => {}
        }
        Ok(())
    })?;
    header.flavor = flavor(&header.aux);
    Ok(header)
}

/// The release that aux fields name, in the words of `--target`: `redis-7.2`.
#[must_use]
pub fn flavor(aux: &[(Vec<u8>, Vec<u8>)]) -> Option<String> {
    let (family, version) = aux.iter().find_map(|(key, value)| match key.as_slice() {
        b"valkey-ver" => Some(("valkey", value)),
        b"redis-ver" => Some(("redis", value)),
        _ => None,
    })?;
    let version = std::str::from_utf8(version).ok()?;
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let all_digits = [major, minor]
        .iter()
        .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    all_digits.then(|| format!("{family}-{major}.{minor}"))
}

/// Passes a damaged value on as a finding, for conversions that go on.
#[must_use]
pub fn damage_finding(error: &Error) -> Finding {
    Finding::of_error(error, Level::Error)
}
