//! `verify`: everything that can be checked without a server.
//!
//! Framing errors end the check, because nothing after them has a place. What is
//! wrong inside one value is reported and the next key is looked at. Levels:
//! a rule that some server enforces is an error, one that only says what servers
//! would have written is a warning.

use std::collections::HashMap;
use std::ops::Range;

use super::pipeline::{Pipe, Pipeline, Work};
use super::value_checks::{ValueChecks, module_strings};
use crate::bytes::source::Source as _;
use crate::error::{Code, Context, Error, ErrorKind, Flaw, Result, Value};
use crate::input::{AfterRdb, ByteSource, Input, Kind, Origin};
use crate::keyset::{DEFAULT_MEMORY_BYTES, KeyHasher, KeySet, Outcome};
use crate::model::slot::key_slot;
use crate::ops::log::Log;
use crate::ops::replay::ReplayOptions;
use crate::rdb::string::string;
use crate::rdb::{
    Checksum, ChecksumMode, Dialect, Family, Item, PayloadReader, RdbReader, RdbString, ReadItems,
    Record,
};
use crate::report::{Finding, Level, Tally};

/// What to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyOptions {
    /// Framing and checksum only; values are not decoded, duplicates not looked for.
    pub shallow: bool,
    /// By how many threads.
    pub pipeline: Pipeline,
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
        Kind::DumpPayload => match input.spooled() {
            Ok(input) => input,
            Err(error) => return Verified::unable("dump-payload", &error, report),
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
        let framed = log.frame(&mut named);
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
            let what = "the log behind the RDB of a hybrid AOF";
            let error = Error::new(ErrorKind::Unsupported { what: what.into() }).at_offset(offset);
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

    fn add(&mut self, finding: Finding, report: &mut dyn FnMut(Finding)) {
        self.tally.add(&finding);
        report(finding);
    }
}

/// Reports to the caller and counts.
struct Reporter<'f> {
    tally: Tally,
    report: &'f mut dyn FnMut(Finding),
}

impl Reporter<'_> {
    fn add(&mut self, finding: Finding) {
        self.tally.add(&finding);
        (self.report)(finding);
    }
}

/// Checks an RDB and passes every finding to `report`.
///
/// ```
/// use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
/// use rdbkit::rdb::RdbReader;
///
/// let mut findings = Vec::new();
/// let mut reader = RdbReader::from_slice(b"REDIS0003\xfe\x00\x00\x01k\x01v");
/// let verified = verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| findings.push(finding));
/// assert_eq!(verified.keys, 1);
/// assert_eq!(findings[0].code.as_str(), "unexpected_eof");
/// ```
pub fn verify_rdb(
    reader: &mut impl Pipe,
    options: VerifyOptions,
    report: &mut dyn FnMut(Finding),
) -> Verified {
    let start = reader.offset();
    let mut keys = KeySet::new(DEFAULT_MEMORY_BYTES, None);
    let mut ledger = Ledger {
        out: Reporter {
            tally: Tally::default(),
            report,
        },
        seen: Verified::default(),
        databases: HashMap::new(),
        db: 0,
        counts: Counts::default(),
        declared: None,
        slot: None,
    };
    let make_check = {
        let can_look_back = reader.look_back().is_some();
        let (hasher, second_hasher) = (keys.hasher(), KeyHasher::default());
        move || Check {
            options,
            out: Part::default(),
            slot: None,
            hasher: hasher.clone(),
            can_look_back,
            second_hasher: second_hasher.clone(),
            key_scratch: Vec::new(),
            values: ValueChecks::default(),
        }
    };
    let outcome = reader.pipe(options.pipeline, make_check, |part: &mut Part| {
        for &(hash, mark) in &part.keys {
            keys.insert_hashed(hash, mark);
        }
        for event in part.events.drain(..) {
            ledger.enter(event);
        }
        Ok(())
    });
    let Ledger {
        mut out, mut seen, ..
    } = ledger;
    if let Err(error) = outcome {
        out.add(Finding::of_error(&error.in_db(reader.db()), Level::Error));
    }
    report_duplicates(keys, reader, start, &mut out);
    seen.dialect = reader.dialect();
    seen.bytes = reader.offset() - start;
    seen.tally = out.tally;
    seen
}

/// Reports the keys that stand twice in one database.
fn report_duplicates(keys: KeySet, reader: &impl ReadItems, start: u64, out: &mut Reporter<'_>) {
    let whole = reader.look_back();
    let mut scratches = (Vec::new(), Vec::new());
    let outcome = keys.finish(|first, second| {
        let Some(whole) = whole else {
            // Two independent hashes of 64 and 50 bits: equal only if the keys are.
            return Ok(first == second);
        };
        Ok(key_at(whole, first - start, &mut scratches.0)
            == key_at(whole, second - start, &mut scratches.1))
    });
    let what = "key of a database";
    let not_checked = |found: &'static str| {
        Finding::broken(
            Level::Warning,
            Code::DuplicatesNotChecked,
            start,
            "keys that stand twice",
            "a look at every key",
            found,
        )
    };
    match outcome {
        Err(error) => out.add(Finding::of_error(&error, Level::Error)),
        Ok(Outcome::NotChecked(error)) => {
            let mut finding = not_checked("no room for a temporary file");
            finding.message = format!("{}: {error}", finding.message);
            out.add(finding);
        }
        Ok(Outcome::Checked(duplicates)) => {
            for duplicate in &duplicates.listed {
                out.add(match whole {
                    None => {
                        let mut finding = Finding::broken(
                            Level::Error,
                            Code::DuplicateKey,
                            start,
                            what,
                            "once",
                            "twice; read from a file, its name is told",
                        );
                        finding.place.offset = None;
                        finding
                    }
                    Some(whole) => {
                        let key = key_at(whole, duplicate.offset - start, &mut scratches.0)
                            .unwrap_or_default();
                        let finding = Finding::broken(
                            Level::Error,
                            Code::DuplicateKey,
                            duplicate.offset,
                            what,
                            "once",
                            "twice",
                        );
                        let first = duplicate.first_offset;
                        let message = format!("{} (first at {first:#x})", finding.message);
                        let mut finding = finding;
                        finding.message = message;
                        finding.place.key = Some(key.to_vec());
                        finding
                    }
                });
            }
            if duplicates.count > duplicates.listed.len() as u64 {
                out.add(not_checked("more keys that stand twice than are listed"));
            }
        }
    }
}

/// The key of the record whose type byte lies at an offset.
fn key_at<'s>(whole: &'s [u8], at: u64, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
    let record = whole.get(usize::try_from(at).ok()?..)?;
    let (_, stored) = string(record.get(1..)?).ok()?;
    stored.bytes(scratch).ok()
}

/// Keys and deadlines of one database.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    keys: u64,
    expires: u64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.keys += other.keys;
        self.expires += other.expires;
    }
}

/// The slot whose keys are being read.
#[derive(Clone, Copy, Debug)]
struct Slot {
    offset: u64,
    declared: Counts,
    seen: Counts,
}

/// What RESIZEDB said, to be compared when the database ends.
#[derive(Clone, Copy, Debug)]
struct Declared {
    offset: u64,
    counts: Counts,
}

/// What threads tell of a batch of items, in file order.
#[derive(Debug, Default)]
pub(crate) struct Part {
    events: Vec<Event>,
    /// Keys since the last event that counts matter to.
    counts: Counts,
    /// Hash of each key, and its mark for [`KeySet`].
    keys: Vec<(u64, u64)>,
}

/// What matters to the whole file.
#[derive(Debug)]
enum Event {
    Finding(Finding),
    Keys(Counts),
    SelectDb(u32),
    ResizeDb(Declared),
    Slot(Slot),
    End {
        checksum: Checksum,
        key_expected: bool,
        span: Range<u64>,
    },
}

impl Part {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.events.push(Event::Finding(finding));
    }

    /// Adds an event before which keys count differently than behind it.
    fn divide(&mut self, event: Event) {
        self.count_so_far();
        self.events.push(event);
    }

    fn count_so_far(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        if counts.keys > 0 {
            self.events.push(Event::Keys(counts));
        }
    }
}

/// Looks at items, on any thread.
struct Check {
    options: VerifyOptions,
    out: Part,
    /// The slot whose keys are being read.
    slot: Option<u64>,
    hasher: KeyHasher,
    /// Whether keys that look the same can be read again; else a second hash decides.
    can_look_back: bool,
    second_hasher: KeyHasher,
    key_scratch: Vec<u8>,
    values: ValueChecks,
}

impl Work for Check {
    type Output = Part;
    /// The slot that slot info has named last.
    type Context = Option<u64>;

    fn observe(slot: &mut Option<u64>, item: &Item<'_>) {
        match item {
            Item::SelectDb(_) | Item::End { .. } => *slot = None,
            Item::SlotInfo { slot: number, .. } => *slot = Some(*number),
            Item::Aux {
                key: RdbString::Raw(name),
                value,
            } if name.eq_ignore_ascii_case(b"slot-info") => {
                let text = value.to_vec().unwrap_or_default();
                if let Some((number, _)) = parse_slot_info(&text) {
                    *slot = Some(number);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, slot: Option<u64>) {
        self.slot = slot;
    }

    fn item(&mut self, item: &Item<'_>, span: &Range<u64>) -> Result<()> {
        if let Item::Key(record) = item {
            self.record(record);
            return Ok(());
        }
        Check::observe(&mut self.slot, item);
        match item {
            Item::SelectDb(db) => self.out.divide(Event::SelectDb(*db)),
            Item::ResizeDb { keys, expires } => {
                let counts = Counts {
                    keys: *keys,
                    expires: *expires,
                };
                self.out.divide(Event::ResizeDb(Declared {
                    offset: span.start,
                    counts,
                }));
            }
            Item::End {
                checksum,
                key_expected,
            } => self.out.divide(Event::End {
                checksum: *checksum,
                key_expected: *key_expected,
                span: span.clone(),
            }),
            Item::SlotInfo { keys, expires, .. } => {
                let counts = Counts {
                    keys: *keys,
                    expires: *expires,
                };
                self.slot_begins(counts, span.start);
            }
            Item::Aux {
                key: RdbString::Raw(name),
                value,
            } if name.eq_ignore_ascii_case(b"slot-info") => self.slot_info(*value, span.start),
            Item::FunctionPreGa(_) => {
                let what = "function of a 7.0 release candidate, which every release refuses";
                self.out.add(Finding::broken(
                    Level::Warning,
                    Code::BadFunction,
                    span.start,
                    what,
                    Value::None,
                    Value::None,
                ));
            }
            Item::Function(code) => self.function(*code, span.start),
            Item::Aux { key, value } if !self.options.shallow => {
                for stored in [key, value] {
                    let expanded = stored.bytes(&mut self.key_scratch).map(|_| ());
                    let broken = |flaw: Flaw| Error::new(flaw.into()).at_offset(span.start);
                    self.add_error(expanded.map_err(broken));
                }
            }
            Item::ModuleAux(aux) if !self.options.shallow => {
                self.add_error(module_strings(aux.items, span.start));
            }
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, used: Option<Part>) -> Part {
        let mut empty = used.unwrap_or_default();
        empty.keys.clear();
        self.out.count_so_far();
        std::mem::replace(&mut self.out, empty)
    }
}

impl Check {
    fn record(&mut self, record: &Record<'_>) {
        self.out.counts.keys += 1;
        self.out.counts.expires += u64::from(record.expire_at_ms.is_some());
        self.type_of_version(record);
        if self.options.shallow {
            return;
        }
        let key = match record.key_bytes(&mut self.key_scratch) {
            Ok(key) => key,
            Err(error) => {
                self.out
                    .add(Finding::of_error(&error.in_db(record.db), Level::Error));
                return;
            }
        };
        let mark = match self.can_look_back {
            true => record.offset,
            false => self.second_hasher.hash(record.db, key),
        };
        self.out.keys.push((self.hasher.hash(record.db, key), mark));
        if let Some(slot) = self.slot {
            let own = u64::from(key_slot(key));
            if own != slot {
                let what = "slot of a key";
                let finding = Finding::broken(
                    Level::Warning,
                    Code::CountMismatch,
                    record.offset,
                    what,
                    slot,
                    own,
                );
                self.out.add(finding.in_key(record.db, key));
            }
        }
        self.values.check(record, key, &mut self.out);
    }

    /// Reports a type that is newer than the version in the header: only newer servers
    /// than those that write this version know it, and they never write it so.
    fn type_of_version(&mut self, record: &Record<'_>) {
        let Dialect {
            family, version, ..
        } = record.dialect;
        let first = match record.type_byte.0 {
            ..16 => 1,
            16..=19 => 10,
            20..=21 => 11,
            22..=25 => 12,
            26 => 13,
            _ => 14,
        };
        if family == Family::Redis && version < first {
            let what = "version of a file with a value of this type";
            let finding = Finding::broken(
                Level::Error,
                Code::UnknownType,
                record.offset,
                what,
                u64::from(first),
                u64::from(version),
            );
            self.out.add(Finding {
                place: Context {
                    db: Some(record.db),
                    ..finding.place
                },
                ..finding
            });
        }
    }

    /// Checks the one aux field that makes a server refuse a file: Valkey's `slot-info`.
    fn slot_info(&mut self, value: RdbString<'_>, offset: u64) {
        let finding = match value.bytes(&mut self.key_scratch).map(parse_slot_info) {
            Ok(Some((_, counts))) => return self.slot_begins(counts, offset),
            Ok(None) => {
                let what = "aux field slot-info";
                let expected = "slot, keys, expiries as numbers with commas between";
                Finding::broken(
                    Level::Error,
                    Code::BadOpcode,
                    offset,
                    what,
                    expected,
                    "something else",
                )
            }
            Err(flaw) => {
                Finding::of_error(&Error::new(flaw.into()).at_offset(offset), Level::Error)
            }
        };
        self.out.add(finding);
    }

    /// Reports what keeps a server from reading something that belongs to no key.
    fn add_error(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.out.add(Finding::of_error(&error, Level::Error));
        }
    }

    fn slot_begins(&mut self, declared: Counts, offset: u64) {
        self.out.divide(Event::Slot(Slot {
            offset,
            declared,
            seen: Counts::default(),
        }));
    }

    /// Checks that a library begins with the line that names engine and library.
    fn function(&mut self, code: RdbString<'_>, offset: u64) {
        let finding = match code.bytes(&mut self.key_scratch) {
            Err(flaw) => {
                Finding::of_error(&Error::new(flaw.into()).at_offset(offset), Level::Error)
            }
            Ok(code) if code.starts_with(b"#!") => return,
            Ok(_) => Finding::broken(
                Level::Error,
                Code::BadFunction,
                offset,
                "first line of a function library",
                "#!engine name=library",
                "another",
            ),
        };
        self.out.add(finding);
    }
}

/// Adds up what the parts of a file tell, in file order.
struct Ledger<'f> {
    out: Reporter<'f>,
    seen: Verified,
    databases: HashMap<u32, Counts>,
    db: u32,
    /// Of the database that is being read, since it was selected.
    counts: Counts,
    declared: Option<Declared>,
    slot: Option<Slot>,
}

impl Ledger<'_> {
    fn enter(&mut self, event: Event) {
        match event {
            Event::Finding(finding) => self.out.add(finding),
            Event::Keys(counts) => {
                self.seen.keys += counts.keys;
                self.seen.expires += counts.expires;
                self.counts.add(counts);
                if let Some(slot) = &mut self.slot {
                    slot.seen.add(counts);
                }
            }
            Event::SelectDb(db) => {
                self.database_ends();
                self.db = db;
            }
            Event::ResizeDb(declared) => self.declared = Some(declared),
            Event::Slot(slot) => {
                self.slot_ends();
                self.slot = Some(slot);
            }
            Event::End {
                checksum,
                key_expected,
                span,
            } => {
                self.database_ends();
                if key_expected {
                    let what = "opcode that speaks of a next key";
                    self.out.add(Finding::broken(
                        Level::Warning,
                        Code::BadOpcode,
                        span.start,
                        what,
                        "a key",
                        "the end",
                    ));
                }
                self.seen.complete = true;
                self.checksum(checksum, span.end);
            }
        }
    }

    /// Compares what slot info promised with what came.
    fn slot_ends(&mut self) {
        let Some(Slot {
            offset,
            declared,
            seen,
            ..
        }) = self.slot.take()
        else {
            return;
        };
        let pairs = [
            (
                "keys of a slot, as slot info says",
                declared.keys,
                seen.keys,
            ),
            (
                "expiries of a slot, as slot info says",
                declared.expires,
                seen.expires,
            ),
        ];
        self.compare_counts(pairs, offset);
    }

    fn compare_counts(&mut self, pairs: [(&'static str, u64, u64); 2], offset: u64) {
        for (what, declared, counted) in pairs {
            if declared != counted {
                let finding = Finding::broken(
                    Level::Warning,
                    Code::CountMismatch,
                    offset,
                    what,
                    declared,
                    counted,
                );
                self.out.add(Finding {
                    place: Context {
                        db: Some(self.db),
                        ..finding.place
                    },
                    ..finding
                });
            }
        }
    }

    /// Compares what RESIZEDB promised with what came.
    fn database_ends(&mut self) {
        self.slot_ends();
        let seen = self.databases.entry(self.db).or_default();
        seen.add(std::mem::take(&mut self.counts));
        let seen = *seen;
        let Some(Declared { offset, counts }) = self.declared.take() else {
            return;
        };
        let pairs = [
            (
                "keys of a database, as RESIZEDB says",
                counts.keys,
                seen.keys,
            ),
            (
                "expiries of a database, as RESIZEDB says",
                counts.expires,
                seen.expires,
            ),
        ];
        self.compare_counts(pairs, offset);
    }

    fn checksum(&mut self, checksum: Checksum, end_offset: u64) {
        let offset = end_offset - size_of::<u64>() as u64;
        match checksum {
            Checksum::Mismatch { stored, computed } => {
                let error =
                    Error::new(ErrorKind::ChecksumMismatch { stored, computed }).at_offset(offset);
                self.out.add(Finding::of_error(&error, Level::Error));
            }
            // The writer chose so: said in the summary, and a warning only for who wants one.
            Checksum::Disabled => {
                let what = "no checksum stored (written with rdbchecksum no)";
                self.seen.checksum_missing = true;
                self.out.add(Finding::broken(
                    Level::Warning,
                    Code::ChecksumMissing,
                    offset,
                    what,
                    Value::None,
                    Value::None,
                ));
            }
            Checksum::Absent | Checksum::Unchecked(_) | Checksum::Valid(_) => {}
        }
    }
}

/// Reads Valkey's slot info: slot, keys, expiries and, since 9.0, keys with field TTLs.
fn parse_slot_info(text: &[u8]) -> Option<(u64, Counts)> {
    let number = |part: &[u8]| {
        let digits = std::str::from_utf8(part).ok()?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    if text.starts_with(b"0") && text.get(1).is_some_and(u8::is_ascii_digit) {
        // Valkey reads the slot with `%i`, which takes this for octal.
        return None;
    }
    let numbers: Option<Vec<u64>> = text.split(|&byte| byte == b',').map(number).collect();
    match numbers?[..] {
        [slot, keys, expires] | [slot, keys, expires, _] => Some((slot, Counts { keys, expires })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{VerifyOptions, parse_slot_info, verify_rdb};
    use crate::rdb::RdbReader;

    fn codes(file: &[u8]) -> Vec<&'static str> {
        let mut codes = Vec::new();
        let mut reader = RdbReader::from_slice(file);
        verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
            codes.push(finding.code.as_str());
        });
        codes
    }

    #[test]
    fn type_newer_than_its_file_is_an_error() {
        // An empty value, whatever its type, and then empty strings.
        let value = [b"\x01k".as_slice(), &[0; 40]].concat();
        for (header, type_byte, is_error) in [
            ("REDIS0009", 0, false),
            ("REDIS0010", 20, true),
            ("REDIS0011", 20, false),
            ("REDIS0011", 22, true),
            ("REDIS0012", 22, false),
            ("REDIS0013", 27, true),
            ("VALKEY080", 22, false),
        ] {
            let mut file = header.as_bytes().to_vec();
            file.extend([type_byte]);
            file.extend(&value);
            let found = codes(&file).contains(&"unknown_type");
            assert_eq!(found, is_error, "{header} {type_byte}");
        }
    }

    #[test]
    fn strings_that_belong_to_no_key_are_expanded() {
        // A reference to three bytes before the first one.
        let bad = b"\xc3\x02\x05\x20\x02";
        let file = |record: &[u8]| [b"REDIS0003", record, b"\xff"].concat();
        let aux_value = file(&[b"\xfa\x01a".as_slice(), bad].concat());
        let aux_name = file(&[b"\xfa".as_slice(), bad, b"\x01a"].concat());
        let id = b"\x81\x04\x00\x00\x00\x00\x00\x00\x00";
        let module_aux = file(&[b"\xf7".as_slice(), id, b"\x02\x01\x05", bad, b"\x00"].concat());
        for file in [&aux_value, &aux_name, &module_aux] {
            assert_eq!(codes(file), ["bad_lzf"], "{}", file.escape_ascii());
        }
        assert_eq!(codes(&file(b"\xfa\x01a\xc0\x01")), [""; 0]);
        assert_eq!(codes(&file(b"\xfa\x09slot-info\x035,1")), ["bad_opcode"]);
    }

    #[test]
    fn slot_info_is_three_or_four_numbers() {
        for text in ["5061,1,0", "5061,1,0,0"] {
            let (slot, counts) = parse_slot_info(text.as_bytes()).unwrap();
            assert_eq!((slot, counts.keys, counts.expires), (5061, 1, 0), "{text}");
        }
        for text in [
            "",
            "5061",
            "5061,1",
            "5061,1-0,0",
            "5061,1,",
            "a,1,0",
            "05061,1,0",
            "5061 ,1,0",
            "5061,-1,0",
            "1,1,0,0,0",
        ] {
            assert!(parse_slot_info(text.as_bytes()).is_none(), "{text}");
        }
    }
}
