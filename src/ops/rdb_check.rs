//! The check of an RDB: every item, on any thread, and what the parts add up to.

use std::ops::Range;

use super::pipeline::{Pipe, Work};
use super::rdb_ledger::{
    Counts, Declared, Event, KeyMarker, Ledger, Part, Reporter, Slot, report_duplicates,
};
use super::value_checks::{ValueChecks, module_strings};
use super::verify::{Verified, VerifyOptions};
use crate::error::{Code, Context, Error, Flaw, Result, Value};
use crate::keyset::KeySet;
use crate::model::function::{LibraryNames, checked_library_name};
use crate::model::slot::key_slot;
use crate::rdb::{Dialect, Family, Item, PlainString, RdbString, Record};
use crate::report::{Finding, Level, Tally};

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
pub fn verify_rdb<P: Pipe>(
    reader: &mut P,
    options: VerifyOptions,
    report: &mut dyn FnMut(Finding),
) -> Verified {
    let start = reader.offset();
    let mut keys = KeySet::new(options.pipeline.keyset_bytes(), None).jobs(options.pipeline.jobs());
    let mut ledger = Ledger {
        out: Reporter {
            tally: Tally::default(),
            report,
        },
        seen: Verified::default(),
        libraries: LibraryNames::default(),
        db: 0,
        counts: Counts::default(),
        selected: None,
        declared: None,
        slot: None,
    };
    let make_check = {
        let marker = KeyMarker::new(&keys, reader);
        move || Check {
            options,
            out: Part::default(),
            slot: None,
            marker: marker.clone(),
            key_scratch: Vec::new(),
            values: ValueChecks::for_any_loader(P::IS_PAYLOAD),
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
    if let Err(error) = report_duplicates(keys, reader, start, &mut out) {
        out.add(Finding::of_error(&error, Level::Error));
    }
    seen.dialect = reader.dialect();
    seen.bytes = reader.offset() - start;
    seen.tally = out.tally;
    seen
}

/// Looks at items, on any thread.
struct Check {
    options: VerifyOptions,
    out: Part,
    /// The slot whose keys are being read.
    slot: Option<u64>,
    marker: KeyMarker,
    key_scratch: Vec<u8>,
    values: ValueChecks,
}

impl Work for Check {
    type Output = Part;

    fn extra_bytes(part: &Part) -> usize {
        part.bytes()
    }

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

    fn item(&mut self, item: &Item<'_>, _bytes: &[u8], span: &Range<u64>) -> Result<()> {
        if let Item::Key(record) = item {
            self.record(record);
            return Ok(());
        }
        Check::observe(&mut self.slot, item);
        match item {
            Item::SelectDb(db) => self.out.divide(Event::SelectDb {
                db: *db,
                offset: span.start,
            }),
            Item::HashTemplate(_) | Item::SlotImport(_) => {
                self.out.divide(Event::FileHead { offset: span.start })
            }
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
            Item::Function(code) => {
                self.out.divide(Event::FileHead { offset: span.start });
                self.function(*code, span.start);
            }
            Item::Aux { key, value } if !self.options.shallow => {
                for stored in [key, value] {
                    let expanded = stored.bytes(&mut self.key_scratch).map(|_| ());
                    let broken = |flaw: Flaw| Error::new(flaw.into()).at_offset(span.start);
                    self.add_error(expanded.map_err(broken));
                }
                if !is_sane_aux(*key, *value) {
                    let what = "value of a known aux field";
                    let found = "something else";
                    self.out.add(Finding::broken(
                        Level::Warning,
                        Code::BadOpcode,
                        span.start,
                        what,
                        "what servers write there",
                        found,
                    ));
                }
            }
            Item::ModuleAux(aux) if !self.options.shallow => {
                self.add_error(module_strings(aux.items, span.start));
            }
            _ => {}
        }
        Ok(())
    }

    const TAKES_PLAIN_STRINGS: bool = true;

    /// Looks for what [`record`](Check::record) could report of such a key, and leaves those of which
    /// there is something to report to it.
    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>) -> bool {
        let RdbString::Raw(key) = string.key() else {
            return false;
        };
        if !self.options.shallow {
            if self.slot.is_some() || !ValueChecks::is_flawless(string, key) {
                return false;
            }
            let mark = self.marker.mark_at(string.offset, string.db, key);
            self.out.keys.push(mark);
        }
        self.out.counts.keys += 1;
        self.out.counts.expires += u64::from(string.expire_at_ms.is_some());
        true
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
        self.out.keys.push(self.marker.mark(record, key));
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
        let code = code.bytes(&mut self.key_scratch);
        let code = code.map_err(|flaw| Error::new(flaw.into()));
        match code.and_then(checked_library_name) {
            Ok(name) => {
                let library = Box::new((name.to_vec(), offset));
                self.out.divide(Event::Library(library));
            }
            Err(error) => {
                let finding = Finding::of_error(&error.at_offset(offset), Level::Error);
                self.out.add(finding);
            }
        }
    }
}

/// Whether an aux field that servers write has a value that they would write.
fn is_sane_aux(key: RdbString<'_>, value: RdbString<'_>) -> bool {
    let (Ok(key), Ok(value)) = (key.to_vec(), value.to_vec()) else {
        return true;
    };
    let is_number = || !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    match key.as_slice() {
        b"redis-bits" => value == b"64" || value == b"32",
        b"ctime" | b"used-mem" => is_number(),
        b"aof-base" | b"aof-preamble" => value == b"0" || value == b"1",
        b"repl-stream-db" | b"repl-offset" => is_number() || value == b"-1",
        b"repl-id" => value.len() == 40 && value.iter().all(u8::is_ascii_hexdigit),
        b"redis-ver" | b"valkey-ver" => value.first().is_some_and(u8::is_ascii_digit),
        _ => true,
    }
}

/// Reads Valkey's slot info: slot, keys, expiries and, since 9.0, keys with field TTLs.
pub(super) fn parse_slot_info(text: &[u8]) -> Option<(u64, Counts)> {
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
