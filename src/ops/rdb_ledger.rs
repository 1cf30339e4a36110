//! What the parts of an RDB add up to, in file order: counts against what the file
//! declares, the checksum, keys that stand twice.

use std::io;
use std::ops::Range;

use super::verify::Verified;
use crate::bytes::temporary;
use crate::error::{Code, Context, Error, ErrorKind, Result, Value};
use crate::keyset::{KeyHasher, KeySet, Outcome};
use crate::model::function::LibraryNames;
use crate::rdb::string::string;
use crate::rdb::{Checksum, ReadItems, Record};
use crate::report::{Finding, Level, Tally};

/// Reports to the caller and counts.
pub(super) struct Reporter<'f> {
    pub(super) tally: Tally,
    pub(super) report: &'f mut dyn FnMut(Finding),
}

impl Reporter<'_> {
    pub(super) fn add(&mut self, finding: Finding) {
        self.tally.add(&finding);
        (self.report)(finding);
    }
}

/// Marks keys on any thread, for a [`KeySet`] that finds those that stand twice.
#[derive(Clone, Debug)]
pub(super) struct KeyMarker {
    hasher: KeyHasher,
    /// For keys that look the same and cannot be read again.
    second_hasher: Option<KeyHasher>,
}

impl KeyMarker {
    pub(super) fn new(keys: &KeySet, reader: &impl ReadItems) -> Self {
        KeyMarker {
            hasher: keys.hasher(),
            second_hasher: match reader.look_back() {
                Some(_) => None,
                None => Some(KeyHasher::default()),
            },
        }
    }

    /// What [`KeySet::insert_hashed`] takes: a hash, and where the key is or another hash.
    pub(super) fn mark(&self, record: &Record<'_>, key: &[u8]) -> (u64, u64) {
        self.mark_at(record.offset, record.db, key)
    }

    /// The same, given the record's offset and database.
    #[inline]
    pub(super) fn mark_at(&self, offset: u64, db: u32, key: &[u8]) -> (u64, u64) {
        let mark = match &self.second_hasher {
            None => offset,
            Some(hasher) => hasher.hash(db, key),
        };
        (self.hasher.hash(db, key), mark)
    }
}

/// Refuses keys that stand twice in one database.
///
/// # Errors
/// `duplicate_key`: the first of them. I/O: they cannot be looked for without a temporary file,
/// and there is no room for one.
pub(super) fn refuse_duplicates(keys: KeySet, reader: &impl ReadItems, start: u64) -> Result<()> {
    let mut first = None;
    let mut report = |finding: Finding| {
        if finding.level == Level::Error {
            first.get_or_insert(finding);
        }
    };
    let mut out = Reporter {
        tally: Tally::default(),
        report: &mut report,
    };
    if let Some(failure) = report_duplicates(keys, reader, start, &mut out)? {
        return Err(temporary::cannot_write(failure));
    }
    let Some(finding) = first else {
        return Ok(());
    };
    let error = stands_twice();
    Err(match finding.place.offset {
        Some(offset) => error.at_offset(offset),
        None => error,
    })
}

/// A key stands twice in one database, which servers refuse.
pub(super) fn stands_twice() -> Error {
    Error::new(ErrorKind::Broken {
        code: Code::DuplicateKey,
        at: None,
        what: "key of a database",
        expected: Value::Text("once"),
        found: Value::Text("twice"),
    })
}

/// Reports the keys that stand twice in one database; or what kept it from looking for them,
/// which it hands out as well.
///
/// # Errors
/// A temporary file cannot be read back.
pub(super) fn report_duplicates(
    keys: KeySet,
    reader: &impl ReadItems,
    start: u64,
    out: &mut Reporter<'_>,
) -> Result<Option<io::Error>> {
    let whole = reader.look_back();
    let mut scratch = Vec::new();
    let outcome = keys.finish_by(|| {
        let mut scratches = (Vec::new(), Vec::new());
        move |first, second| {
            let Some(whole) = whole else {
                // Two independent hashes of 64 and 50 bits: equal only if the keys are.
                return Ok(first == second);
            };
            Ok(key_at(whole, first - start, &mut scratches.0)
                == key_at(whole, second - start, &mut scratches.1))
        }
    });
    let what = "key of a database";
    match outcome? {
        Outcome::NotChecked(failure) => {
            let same = |code| io::Error::from_raw_os_error(code);
            let source = failure.raw_os_error().map_or(failure.kind().into(), same);
            out.add(duplicates_not_checked(start, source));
            Ok(Some(failure))
        }
        Outcome::Checked(duplicates) => {
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
                        let key = key_at(whole, duplicate.offset - start, &mut scratch)
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
                let found = "more keys that stand twice than are listed";
                out.add(not_checked(start, found));
            }
            Ok(None)
        }
    }
}

fn not_checked(start: u64, found: &'static str) -> Finding {
    Finding::broken(
        Level::Warning,
        Code::DuplicatesNotChecked,
        start,
        "keys that stand twice",
        "a look at every key",
        found,
    )
}

/// That nobody could look for keys that stand twice, and why.
pub(super) fn duplicates_not_checked(start: u64, failure: io::Error) -> Finding {
    let mut finding = not_checked(start, "no room for a temporary file");
    finding.message = format!("{}: {}", finding.message, temporary::cannot_write(failure));
    finding
}

/// The key of the record whose type byte lies at an offset.
pub(super) fn key_at<'s>(whole: &'s [u8], at: u64, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
    let record = whole.get(usize::try_from(at).ok()?..)?;
    let (_, stored) = string(record.get(1..)?).ok()?;
    stored.bytes(scratch).ok()
}

/// Keys and deadlines of one database.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) keys: u64,
    pub(super) expires: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Counts) {
        self.keys += other.keys;
        self.expires += other.expires;
    }
}

/// The slot whose keys are being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) offset: u64,
    pub(super) declared: Counts,
    pub(super) seen: Counts,
}

/// What RESIZEDB said, to be compared when the database ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    pub(super) offset: u64,
    pub(super) counts: Counts,
}

/// What threads tell of a batch of items, in file order.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(super) events: Vec<Event>,
    /// Keys since the last event that counts matter to.
    pub(super) counts: Counts,
    /// Hash of each key, and its mark for [`KeySet`].
    pub(super) keys: Vec<(u64, u64)>,
}

/// What matters to the whole file.
#[derive(Debug)]
pub(super) enum Event {
    /// In a box: databases without end make as many of the other events.
    Finding(Box<Finding>),
    Keys(Counts),
    SelectDb {
        db: u32,
        offset: u64,
    },
    /// A record that servers write before all keys.
    FileHead {
        offset: u64,
    },
    ResizeDb(Declared),
    /// The name of a function library, and where it stands.
    Library(Box<(Vec<u8>, u64)>),
    Slot(Slot),
    End {
        checksum: Checksum,
        key_expected: bool,
        span: Range<u64>,
    },
}

impl Part {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.events.push(Event::Finding(Box::new(finding)));
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        /// An event that is a finding, with its message and the key's name.
        const EVENT_BYTES: usize = 512;
        self.events.len() * EVENT_BYTES
    }

    /// Takes out the findings so far.
    pub(super) fn drain_findings(&mut self) -> impl Iterator<Item = Finding> {
        self.events.drain(..).filter_map(|event| match event {
            Event::Finding(finding) => Some(*finding),
            _ => None,
        })
    }

    /// Adds an event before which keys count differently than behind it.
    pub(super) fn divide(&mut self, event: Event) {
        self.count_so_far();
        self.events.push(event);
    }

    pub(super) fn count_so_far(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        if counts.keys > 0 {
            self.events.push(Event::Keys(counts));
        }
    }
}

/// Adds up what the parts of a file tell, in file order.
pub(super) struct Ledger<'f> {
    pub(super) out: Reporter<'f>,
    pub(super) seen: Verified,
    pub(super) libraries: LibraryNames,
    pub(super) db: u32,
    /// The database that SELECTDB named last.
    pub(super) selected: Option<u32>,
    /// Of the database that is being read, since it was selected.
    pub(super) counts: Counts,
    pub(super) declared: Option<Declared>,
    pub(super) slot: Option<Slot>,
}

impl Ledger<'_> {
    pub(super) fn enter(&mut self, event: Event) {
        match event {
            Event::Finding(finding) => self.out.add(*finding),
            Event::Keys(counts) => {
                self.seen.keys += counts.keys;
                self.seen.expires += counts.expires;
                self.counts.add(counts);
                if let Some(slot) = &mut self.slot {
                    slot.seen.add(counts);
                }
            }
            Event::SelectDb { db, offset } => {
                self.database_ends();
                if self.selected.is_some_and(|last| db <= last) {
                    self.out_of_order(offset, "databases", "each once, ascending");
                }
                self.selected = Some(db);
                self.db = db;
            }
            Event::FileHead { offset } => {
                if self.seen.keys > 0 {
                    self.out_of_order(offset, "records that belong to no key", "before all keys");
                }
            }
            Event::ResizeDb(declared) => self.declared = Some(declared),
            Event::Library(library) => {
                let (name, offset) = *library;
                if let Err(error) = self.libraries.meet(&name) {
                    let finding = Finding::of_error(&error.at_offset(offset), Level::Error);
                    self.out.add(finding);
                }
            }
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

    /// Reports something that stands where servers do not put it.
    fn out_of_order(&mut self, offset: u64, what: &'static str, expected: &'static str) {
        self.out.add(Finding::broken(
            Level::Warning,
            Code::BadOrder,
            offset,
            what,
            expected,
            "another order",
        ));
    }

    /// Compares what slot info promised with what came.
    pub(super) fn slot_ends(&mut self) {
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

    pub(super) fn compare_counts(&mut self, pairs: [(&'static str, u64, u64); 2], offset: u64) {
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
    pub(super) fn database_ends(&mut self) {
        self.slot_ends();
        let seen = std::mem::take(&mut self.counts);
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

    pub(super) fn checksum(&mut self, checksum: Checksum, end_offset: u64) {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::rdb::RdbReader;

    /// More keys than fit into the least memory, and no folder for what does not.
    fn many_keys() -> KeySet {
        let mut keys = KeySet::new(0, Some(Path::new("/nowhere")));
        let hasher = keys.hasher();
        for n in 0..600_000_u32 {
            keys.insert_hashed(hasher.hash(0, &n.to_le_bytes()), u64::from(n));
        }
        keys
    }

    #[test]
    fn keys_that_cannot_be_compared_are_a_warning_or_an_error_of_the_system() {
        let reader = RdbReader::from_slice(b"");
        let error = refuse_duplicates(many_keys(), &reader, 0).unwrap_err();
        assert_eq!(error.code(), Code::Io);
        assert!(error.to_string().contains("TMPDIR"), "{error}");
        let mut found = Vec::new();
        let mut out = Reporter {
            tally: Tally::default(),
            report: &mut |finding| found.push(finding),
        };
        let failure = report_duplicates(many_keys(), &reader, 0, &mut out).unwrap();
        assert!(failure.is_some());
        let [finding] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(
            (finding.code, finding.level),
            (Code::DuplicatesNotChecked, Level::Warning)
        );
        assert!(finding.message.contains("TMPDIR"), "{finding}");
    }
}
