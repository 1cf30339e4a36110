//! `verify`: everything that can be checked without a server.
//!
//! Framing errors end the check, because nothing after them has a place. What is
//! wrong inside one value is reported and the next key is looked at. Levels:
//! a rule that some server enforces is an error, one that only says what servers
//! would have written is a warning.

use super::import::verify_json;
use super::pipeline::Pipeline;
pub use super::rdb_check::verify_rdb;
use crate::bytes::source::Source as _;
use crate::error::{Code, Error, ErrorKind, Value};
use crate::input::{AfterRdb, ByteSource, Input, Kind, Origin};
use crate::ops::log::Log;
use crate::ops::replay::ReplayOptions;
use crate::rdb::{ChecksumMode, Dialect, PayloadReader, RdbReader, ReadItems as _};
use crate::report::{Finding, Level, Tally};

/// What to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyOptions {
    /// Framing and checksum only; values are not decoded, duplicates not looked for.
    pub shallow: bool,
    /// By how many threads.
    pub pipeline: Pipeline,
    /// The program ends when this is done: the keyspace of a log is left for the system to
    /// take back, which is faster than to give back each value.
    pub ends_after: bool,
}

/// What was seen on the way.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// What the input is, in words.
    pub kind: String,
    /// Family and version, if the header was readable.
    pub dialect: Option<Dialect>,
    /// Bytes of the RDB that were read.
    pub bytes: u64,
    /// Keys of all databases.
    pub keys: u64,
    /// Keys with a deadline.
    pub expires: u64,
    /// Records of a log.
    pub commands: Option<u64>,
    /// Whether the end of the file was reached.
    pub complete: bool,
    /// Whether the writer stored no checksum where the version has one.
    pub checksum_missing: bool,
    /// All findings by code.
    pub tally: Tally,
}

/// Checks an input of any kind and passes every finding to `report`.
///
/// Errors of reading are findings too, with a fault that is not the input's.
pub fn verify_input(
    input: Input,
    options: VerifyOptions,
    report: &mut dyn FnMut(Finding),
) -> Verified {
    let input = match input.origin().kind() {
        kind @ (Kind::DumpPayload | Kind::Json) => match input.spooled() {
            Ok(input) => input,
            Err(error) => return Verified::unable(kind.name(), &error, report),
        },
        _ => input,
    };
    let (origin, source) = input.into_parts();
    let mut named = |mut finding: Finding| {
        finding
            .place
            .file
            .get_or_insert_with(|| origin.name().to_owned());
        report(finding);
    };
    let mut verified = match origin.kind() {
        Kind::Rdb => verify_file(&origin, source, options, &mut named),
        Kind::DumpPayload => {
            let mut reader = PayloadReader::new(source.data(), ChecksumMode::Report);
            let verified = verify_rdb(&mut reader, options, &mut named);
            Verified {
                kind: "dump-payload".to_owned(),
                ..verified
            }
        }
        Kind::Json => verify_json(source.data(), &mut named),
        kind => {
            let what = format!("{} as input of verify", kind.name());
            let error = Error::new(ErrorKind::Unsupported { what: what.into() });
            Verified::unable(kind.name(), &error, &mut named)
        }
    };
    if let Err(error) = origin.check_unchanged() {
        verified.add(Finding::of_error(&error, Level::Error), &mut named);
    }
    verified
}

/// Checks a log: its folder and manifest, its framing, and by replaying it every command.
pub fn verify_log(
    log: &Log,
    options: VerifyOptions,
    replay: &ReplayOptions,
    report: &mut dyn FnMut(Finding),
) -> Verified {
    let kind = if log.set.is_some() { "aof-set" } else { "aof" };
    let mut named = |finding: Finding| report(finding.in_file(log.name()));
    let mut verified = Verified {
        kind: kind.to_owned(),
        bytes: log.bytes(),
        ..Verified::default()
    };
    if options.shallow {
        let framed = log.frame(replay.until, &mut named);
        verified.commands = Some(framed.stats.records.count);
        verified.tally = framed.tally;
    } else {
        match log.replay(replay, &mut named) {
            Err(error) => return Verified::unable(kind, &error, &mut named),
            Ok(replayed) => {
                let store = &replayed.replayer.store;
                verified.keys = store.len() as u64;
                let expiring = store
                    .iter()
                    .filter(|(_, _, entry)| entry.expire_at_ms().is_some());
                verified.expires = expiring.count() as u64;
                verified.commands = Some(replayed.records);
                verified.dialect = replayed.dialect;
                verified.complete = replayed.exact;
                verified.tally = replayed.tally;
                if options.ends_after {
                    std::mem::forget(replayed.replayer);
                }
            }
        }
    }
    if let Err(error) = log.check_unchanged() {
        verified.add(Finding::of_error(&error, Level::Error), &mut named);
    }
    verified
}

/// Checks an RDB and what stands behind it.
fn verify_file(
    origin: &Origin,
    source: ByteSource,
    options: VerifyOptions,
    report: &mut dyn FnMut(Finding),
) -> Verified {
    let mut reader = RdbReader::new(source)
        .at_offset(origin.base_offset())
        .checksum(ChecksumMode::Report);
    let mut explained = |finding: Finding| report(finding);
    let mut verified = verify_rdb(&mut reader, options, &mut explained);
    verified.kind = "rdb".to_owned();
    if !verified.complete {
        return verified;
    }
    let offset = reader.offset();
    match origin.after_rdb(&mut reader.into_source(), offset) {
        Ok(AfterRdb::End) => {}
        Ok(AfterRdb::Log) => {
            verified.kind = "hybrid-aof".to_owned();
            let error = AfterRdb::refuse_log(offset);
            verified.add(Finding::of_error(&error, Level::Error), report);
        }
        Ok(AfterRdb::Trailing { offset }) => {
            let what = "bytes after the end, which servers ignore";
            let finding = Finding::broken(
                Level::Warning,
                Code::TrailingBytes,
                offset,
                what,
                Value::None,
                Value::None,
            );
            verified.add(finding, report);
        }
        Err(error) => verified.add(Finding::of_error(&error, Level::Error), report),
    }
    verified
}

impl Verified {
    /// What remains to be said of an input that could not be looked at.
    #[must_use]
    pub fn unable(kind: &str, error: &Error, report: &mut dyn FnMut(Finding)) -> Self {
        let mut verified = Verified {
            kind: kind.to_owned(),
            ..Verified::default()
        };
        verified.add(Finding::of_error(error, Level::Error), report);
        verified
    }

    pub(super) fn add(&mut self, finding: Finding, report: &mut dyn FnMut(Finding)) {
        self.tally.add(&finding);
        report(finding);
    }
}
