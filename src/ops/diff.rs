//! `diff`: whether two inputs hold the same data, and where they do not.
//!
//! Each key of each side becomes a row of hashes (`fingerprint.rs`); rows meet by key in
//! bounded memory ([`keyset::join`](crate::keyset::join)), whatever the order of the files.
//! Encodings, idle times, LFU counters, times of consumers, aux fields and the graphs of vector
//! sets are not data.

use std::collections::BTreeMap;
use std::ops::Range;

use super::export::export_record;
use super::export_store::export_entry;
use super::fingerprint::{Fingerprint, FingerprintSink, Seeds};
use super::import::{export_json, import_json};
use super::pipeline::{Pipe, Pipeline, Work};
use super::rdb_ledger::key_at;
use super::selected::{is_entry_selected, is_json_selected, is_selected};
use crate::error::{Error, Result};
use crate::json::reader::{JsonReader, JsonRecord};
use crate::keyset::join::{Join, Match, Row, Side};
use crate::model::ValueType;
use crate::rdb::{Item, Record, Scratch};
use crate::select::Selection;
use crate::store::Store;

/// What to compare and how.
#[derive(Clone, Debug, Default)]
pub struct DiffOptions {
    /// Which keys.
    pub selection: Selection,
    /// Leave functions out.
    pub no_functions: bool,
    /// By how many threads.
    pub pipeline: Pipeline,
}

/// How a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// One side lacks it.
    Only(Side),
    /// Both have it.
    Differs(Aspects),
}

/// What is different of a key that both sides have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Aspects {
    /// The type of B, where A has another.
    pub other_type: Option<ValueType>,
    /// Elements, or their order where it matters.
    pub value: bool,
    /// Counters, groups, pending entries or idempotent producers of a stream.
    pub stream_state: bool,
    /// Deadlines of A and B.
    pub deadlines: Option<(Option<i64>, Option<i64>)>,
    /// Deadlines of fields.
    pub field_deadlines: bool,
    /// Metadata of modules.
    pub key_meta: bool,
}

/// A key that differs.
#[derive(Clone, Copy, Debug)]
pub struct DifferentKey<'k> {
    /// Database.
    pub db: u32,
    /// The key.
    pub key: &'k [u8],
    /// Its type; that of A if both have it.
    pub value_type: ValueType,
    /// How it differs.
    pub difference: Difference,
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diffed {
    /// Keys of A and B.
    pub keys: [u64; 2],
    /// Keys that only A or only B has.
    pub only: [u64; 2],
    /// Keys that both have and that differ.
    pub differing: u64,
    /// Function libraries that differ, by the text of their first line: whether A and B have them.
    pub functions: BTreeMap<Vec<u8>, [bool; 2]>,
}

impl Diffed {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.only == [0, 0] && self.differing == 0 && self.functions.is_empty()
    }
}

/// Where the names of one side's keys are to be had again.
#[derive(Debug)]
#[non_exhaustive]
pub enum Names<'a> {
    /// An RDB, and the offset of its first byte.
    Rdb(&'a [u8], u64),
    /// A text of rdbkit's own JSON.
    Json(&'a [u8]),
    /// The keys of a keyspace in the order in which it gives them.
    Keys(Vec<&'a [u8]>),
}

impl Names<'_> {
    fn get(&self, place: u64, scratch: &mut Vec<u8>) -> Vec<u8> {
        let found = match self {
            Names::Rdb(whole, start) => {
                key_at(whole, place.saturating_sub(*start), scratch).map(<[u8]>::to_vec)
            }
            Names::Json(text) => match JsonReader::at(text, place).next_record() {
                Ok(Some(JsonRecord::Key(key))) => Some(key.key().to_vec()),
                _ => None,
            },
            Names::Keys(keys) => keys.get(place as usize).map(|key| key.to_vec()),
        };
        found.unwrap_or_default()
    }
}

/// A comparison in the making: the keys of both sides are added, then it is finished.
///
/// ```
/// use rdbkit::keyset::join::Side;
/// use rdbkit::ops::diff::{Diff, DiffOptions, Names};
///
/// let a = br#"{"key":"k","type":"set","value":["a","b"]}"#;
/// let b = br#"{"key":"k","type":"set","value":["b","a"]}{"key":"l","type":"string","value":""}"#;
/// let mut diff = Diff::new(DiffOptions::default());
/// diff.add_json(Side::A, a)?;
/// diff.add_json(Side::B, b)?;
/// let mut seen = Vec::new();
/// let diffed = diff.finish([Names::Json(a), Names::Json(b)], |key| {
///     seen.push(key.key.to_vec());
///     Ok(())
/// })?;
/// assert_eq!((diffed.only, diffed.differing, seen), ([0, 1], 0, vec![b"l".to_vec()]));
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Diff {
    options: DiffOptions,
    seeds: Seeds,
    join: Join,
    keys: [u64; 2],
    functions: [BTreeMap<Vec<u8>, Vec<u8>>; 2],
}

impl Diff {
    /// Begins.
    #[must_use]
    pub fn new(options: DiffOptions) -> Self {
        let memory_bytes = options.pipeline.keyset_bytes();
        Diff {
            options,
            seeds: Seeds::default(),
            join: Join::new(memory_bytes),
            keys: [0, 0],
            functions: Default::default(),
        }
    }

    fn insert(&mut self, side: Side, row: &KeyRow) -> Result<()> {
        self.keys[side as usize] += 1;
        self.join.insert(side, row)
    }

    fn function(&mut self, side: Side, code: &[u8]) {
        if !self.options.no_functions {
            let line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
            self.functions[side as usize].insert(line.trim_ascii().to_vec(), code.to_vec());
        }
    }

    /// Adds the chosen keys of an RDB.
    ///
    /// # Errors
    /// A broken frame or value, a checksum that differs, or a temporary file that cannot be written.
    pub fn add_rdb(&mut self, side: Side, reader: &mut impl Pipe) -> Result<()> {
        let options = self.options.clone();
        let seeds = self.seeds.clone();
        let make = || Worker {
            selection: &options.selection,
            sink: FingerprintSink::new(seeds.clone()),
            part: Part::default(),
            scratch: Scratch::new(),
            key_scratch: Vec::new(),
        };
        reader.pipe(options.pipeline, make, |part: &mut Part| {
            for code in part.functions.drain(..) {
                self.function(side, &code);
            }
            part.rows
                .drain(..)
                .try_for_each(|row| self.insert(side, &row))
        })
    }

    /// Adds the chosen keys of a keyspace; the names for [`finish`](Self::finish) come back.
    ///
    /// # Errors
    /// A module's data that does not expand, or a temporary file that cannot be written.
    pub fn add_store<'s>(&mut self, side: Side, store: &'s Store<'_>) -> Result<Names<'s>> {
        let mut sink = FingerprintSink::new(self.seeds.clone());
        let mut scratch = Scratch::new();
        let mut names = Vec::new();
        for (db, key, entry) in store.iter() {
            if !is_entry_selected(&self.options.selection, db, key, entry) {
                continue;
            }
            export_entry(db, key, entry, &mut scratch, &mut sink)?;
            let place = names.len() as u64;
            names.push(key.as_slice());
            if let Some(print) = sink.take() {
                self.insert(side, &KeyRow { print, db, place })?;
            }
        }
        for code in store.functions.values() {
            self.function(side, code);
        }
        Ok(Names::Keys(names))
    }

    /// Adds the chosen keys of rdbkit's own JSON.
    ///
    /// # Errors
    /// `bad_json`, a key that stands twice, or a temporary file that cannot be written.
    pub fn add_json(&mut self, side: Side, text: &[u8]) -> Result<()> {
        let mut sink = FingerprintSink::new(self.seeds.clone());
        import_json(text, |record| {
            let key = match record {
                JsonRecord::Key(key) => key,
                JsonRecord::Header(header) => {
                    for code in &header.functions {
                        self.function(side, code);
                    }
                    return Ok(());
                }
            };
            let db = key.db();
            if !is_json_selected(&self.options.selection, &key) {
                return Ok(());
            }
            export_json(&key, &mut sink)?;
            let place = key.offset();
            match sink.take() {
                Some(print) => self.insert(side, &KeyRow { print, db, place }),
                None => Ok(()),
            }
        })
    }

    /// Compares; `each` gets the keys that differ, those of A in its order, then those that only B has.
    ///
    /// Beyond half a million of them the order starts anew.
    ///
    /// # Errors
    /// A temporary file that cannot be read back, or what `each` returns.
    pub fn finish(
        self,
        names: [Names<'_>; 2],
        mut each: impl FnMut(DifferentKey<'_>) -> Result<()>,
    ) -> Result<Diffed> {
        /// How many differences are held to be put in order.
        const HELD: usize = 500_000;
        let mut diffed = Diffed {
            keys: self.keys,
            functions: different_functions(&self.functions),
            ..Diffed::default()
        };
        let mut held: Vec<Found> = Vec::new();
        let mut tell = |held: &mut Vec<Found>| {
            held.sort_unstable_by_key(|found| (found.side, found.row.place));
            let mut scratch = Vec::new();
            held.drain(..).try_for_each(
                |Found {
                     side,
                     row,
                     difference,
                 }| {
                    let key = names[side as usize].get(row.place, &mut scratch);
                    each(DifferentKey {
                        db: row.db,
                        key: &key,
                        value_type: row.print.value_type,
                        difference,
                    })
                },
            )
        };
        self.join.finish(|matched: Match<KeyRow>| {
            let found = match matched {
                Match::Only(side, row) => {
                    diffed.only[side as usize] += 1;
                    let difference = Difference::Only(side);
                    Found {
                        side,
                        row,
                        difference,
                    }
                }
                Match::Both(a, b) => match aspects(&a.print, &b.print) {
                    None => return Ok(()),
                    Some(aspects) => {
                        diffed.differing += 1;
                        let difference = Difference::Differs(aspects);
                        Found {
                            side: Side::A,
                            row: a,
                            difference,
                        }
                    }
                },
            };
            held.push(found);
            match held.len() < HELD {
                true => Ok(()),
                false => tell(&mut held),
            }
        })?;
        tell(&mut held)?;
        Ok(diffed)
    }
}

/// A difference and where the key's name stands.
struct Found {
    side: Side,
    row: KeyRow,
    difference: Difference,
}

fn aspects(a: &Fingerprint, b: &Fingerprint) -> Option<Aspects> {
    let aspects = Aspects {
        other_type: (a.value_type != b.value_type).then_some(b.value_type),
        value: a.value_type == b.value_type && a.value != b.value,
        stream_state: a.value_type == b.value_type && a.state != b.state,
        deadlines: (a.expire_at_ms != b.expire_at_ms).then_some((a.expire_at_ms, b.expire_at_ms)),
        field_deadlines: a.value_type == b.value_type && a.field_deadlines != b.field_deadlines,
        key_meta: a.key_meta != b.key_meta,
    };
    (aspects != Aspects::default()).then_some(aspects)
}

fn different_functions(sides: &[BTreeMap<Vec<u8>, Vec<u8>>; 2]) -> BTreeMap<Vec<u8>, [bool; 2]> {
    let [a, b] = sides;
    let names = a.keys().chain(b.keys());
    names
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| (name.clone(), [a.contains_key(name), b.contains_key(name)]))
        .collect()
}

/// What becomes of a batch of records.
#[derive(Default)]
struct Part {
    rows: Vec<KeyRow>,
    functions: Vec<Vec<u8>>,
}

struct Worker<'w> {
    selection: &'w Selection,
    sink: FingerprintSink,
    part: Part,
    scratch: Scratch,
    key_scratch: Vec<u8>,
}

impl Work for Worker<'_> {
    type Output = Part;
    type Context = ();

    fn observe((): &mut (), _item: &Item<'_>) {}

    fn begin(&mut self, (): ()) {}

    fn item(&mut self, item: &Item<'_>, _bytes: &[u8], span: &Range<u64>) -> Result<()> {
        match item {
            Item::Key(record) => self.record(record).map_err(|error| error.in_db(record.db)),
            Item::Function(code) => {
                let code = code.to_vec();
                let code = code.map_err(|flaw| Error::new(flaw.into()).at_offset(span.start))?;
                self.part.functions.push(code);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, used: Option<Part>) -> Part {
        std::mem::replace(&mut self.part, used.unwrap_or_default())
    }
}

impl Worker<'_> {
    fn record(&mut self, record: &Record<'_>) -> Result<()> {
        if !is_selected(self.selection, record, &mut self.key_scratch)? {
            return Ok(());
        }
        export_record(
            record,
            &mut self.scratch,
            &mut self.key_scratch,
            &mut self.sink,
        )?;
        if let Some(print) = self.sink.take() {
            let (db, place) = (record.db, record.offset);
            self.part.rows.push(KeyRow { print, db, place });
        }
        Ok(())
    }
}

/// A key's hashes and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyRow {
    print: Fingerprint,
    db: u32,
    place: u64,
}

impl Row for KeyRow {
    const BYTES: usize = 16 + 1 + 16 + 8 + 1 + 8 + 8 + 8 + 4 + 8;

    fn key(&self) -> u128 {
        self.print.key
    }

    fn write(&self, out: &mut Vec<u8>) {
        let Fingerprint {
            key,
            value_type,
            value,
            state,
            expire_at_ms,
            field_deadlines,
            key_meta,
        } = self.print;
        out.extend_from_slice(&key.to_le_bytes());
        out.push(value_type as u8);
        out.extend_from_slice(&value.to_le_bytes());
        out.extend_from_slice(&state.to_le_bytes());
        out.push(u8::from(expire_at_ms.is_some()));
        out.extend_from_slice(&expire_at_ms.unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&field_deadlines.to_le_bytes());
        out.extend_from_slice(&key_meta.to_le_bytes());
        out.extend_from_slice(&self.db.to_le_bytes());
        out.extend_from_slice(&self.place.to_le_bytes());
    }

    fn read(mut bytes: &[u8]) -> Self {
        let rest = &mut bytes;
        let key = u128::from_le_bytes(array(rest));
        let [value_type] = array(rest);
        let value = u128::from_le_bytes(array(rest));
        let state = u64::from_le_bytes(array(rest));
        let [expires] = array(rest);
        let expire_at_ms = i64::from_le_bytes(array(rest));
        let print = Fingerprint {
            key,
            value_type: ValueType::ALL[usize::from(value_type) % ValueType::ALL.len()],
            value,
            state,
            expire_at_ms: (expires != 0).then_some(expire_at_ms),
            field_deadlines: u64::from_le_bytes(array(rest)),
            key_meta: u64::from_le_bytes(array(rest)),
        };
        KeyRow {
            print,
            db: u32::from_le_bytes(array(rest)),
            place: u64::from_le_bytes(array(rest)),
        }
    }
}

/// Takes the next bytes of a row, which has as many as it was written with.
fn array<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, left) = rest.split_first_chunk().unwrap_or((&[0; N], &[]));
    *rest = left;
    *taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that differ, and how.
    fn differences(a: &str, b: &str) -> (Diffed, Vec<(String, Difference)>) {
        let texts = [a.as_bytes(), b.as_bytes()];
        let mut diff = Diff::new(DiffOptions::default());
        diff.add_json(Side::A, texts[0]).unwrap();
        diff.add_json(Side::B, texts[1]).unwrap();
        let mut found = Vec::new();
        let diffed = diff.finish(texts.map(Names::Json), |key| {
            let name = String::from_utf8(key.key.to_vec()).unwrap();
            found.push((name, key.difference));
            Ok(())
        });
        (diffed.unwrap(), found)
    }

    fn key(rest: &str) -> String {
        format!("{{\"key\":\"k\",{rest}}}")
    }

    #[test]
    fn each_aspect_is_named() {
        let differs = |change: fn(&mut Aspects)| {
            let mut aspects = Aspects::default();
            change(&mut aspects);
            Some(Difference::Differs(aspects))
        };
        let stream = |rest: &str| {
            key(&format!(
                "\"type\":\"stream\",\"value\":{{\"entries\":[{{\"id\":\"1-0\",\"fields\":[[\"f\",\"v\"]]}}]{rest}}}"
            ))
        };
        let table = [
            (
                key("\"type\":\"set\",\"value\":[\"a\",\"b\"]"),
                key("\"type\":\"set\",\"value\":[\"b\",\"a\"]"),
                None,
            ),
            (
                key("\"type\":\"list\",\"value\":[\"a\",\"b\"]"),
                key("\"type\":\"list\",\"value\":[\"b\",\"a\"]"),
                differs(|aspects| aspects.value = true),
            ),
            (
                key("\"type\":\"list\",\"value\":[\"ab\",\"\"]"),
                key("\"type\":\"list\",\"value\":[\"a\",\"b\"]"),
                differs(|aspects| aspects.value = true),
            ),
            (
                key("\"type\":\"hash\",\"value\":{\"a\":\"1\",\"b\":\"2\"}"),
                key("\"type\":\"hash\",\"value\":{\"b\":\"2\",\"a\":\"1\"}"),
                None,
            ),
            (
                key("\"type\":\"hash\",\"value\":{\"a\":\"1\",\"b\":\"2\"}"),
                key("\"type\":\"hash\",\"value\":{\"a\":\"2\",\"b\":\"1\"}"),
                differs(|aspects| aspects.value = true),
            ),
            (
                key("\"type\":\"hash\",\"value\":{\"a\":\"1\"},\"field_expire_at_ms\":{\"a\":5}"),
                key("\"type\":\"hash\",\"value\":{\"a\":\"1\"},\"field_expire_at_ms\":{\"a\":6}"),
                differs(|aspects| aspects.field_deadlines = true),
            ),
            (
                key("\"type\":\"zset\",\"value\":[[\"a\",1],[\"b\",2]]"),
                key("\"type\":\"zset\",\"value\":[[\"a\",2],[\"b\",1]]"),
                differs(|aspects| aspects.value = true),
            ),
            (
                key("\"type\":\"string\",\"value\":\"\",\"expire_at_ms\":5,\"idle_s\":5"),
                key("\"type\":\"string\",\"value\":\"\",\"freq\":5"),
                differs(|aspects| aspects.deadlines = Some((Some(5), None))),
            ),
            (
                key("\"type\":\"set\",\"value\":[\"a\"]"),
                key("\"type\":\"list\",\"value\":[\"a\"]"),
                differs(|aspects| aspects.other_type = Some(ValueType::List)),
            ),
            (
                stream(""),
                stream(
                    ",\"last_id\":\"1-0\",\"first_id\":\"1-0\",\"max_deleted_id\":\"0-0\",\"entries_added\":1",
                ),
                None,
            ),
            (
                stream(""),
                stream(",\"entries_added\":2"),
                differs(|aspects| aspects.stream_state = true),
            ),
            (
                stream(
                    ",\"groups\":[{\"name\":\"g\",\"consumers\":[{\"name\":\"c\",\"seen_at_ms\":1}]}]",
                ),
                stream(
                    ",\"groups\":[{\"name\":\"g\",\"consumers\":[{\"name\":\"c\",\"seen_at_ms\":2}]}]",
                ),
                None,
            ),
            (
                stream(",\"groups\":[{\"name\":\"g\",\"consumers\":[{\"name\":\"c\"}]}]"),
                stream(",\"groups\":[{\"name\":\"g\"}]"),
                differs(|aspects| aspects.stream_state = true),
            ),
        ];
        for (a, b, expected) in table {
            let (diffed, found) = differences(&a, &b);
            let expected: Vec<_> = expected
                .map(|found| ("k".to_owned(), found))
                .into_iter()
                .collect();
            assert_eq!(found, expected, "{a} {b}");
            assert_eq!(diffed.is_equal(), found.is_empty());
            let (back, _) = differences(&b, &a);
            assert_eq!(back.is_equal(), found.is_empty());
        }
    }

    #[test]
    fn keys_come_in_the_order_of_a_then_those_of_b() {
        let record = |db: u32, name: &str, value: &str| {
            format!(
                "{{\"db\":{db},\"key\":\"{name}\",\"type\":\"string\",\"value\":\"{value}\"}}\n"
            )
        };
        let a: String = [
            record(0, "z", "1"),
            record(0, "same", ""),
            record(1, "a", "1"),
            record(0, "m", ""),
        ]
        .concat();
        let b: String = [
            record(0, "y", "1"),
            record(0, "a", "1"),
            record(0, "same", ""),
            record(0, "z", "2"),
        ]
        .concat();
        let (diffed, found) = differences(&a, &b);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "a", "m", "y", "a"]);
        assert_eq!(
            (diffed.keys, diffed.only, diffed.differing),
            ([4, 4], [2, 2], 1)
        );
    }

    #[test]
    fn functions_are_compared_whole() {
        let header = |code: &str| format!("{{\"rdbkit\":1,\"functions\":[\"{code}\"]}}");
        let (diffed, _) = differences(
            &header("#!lua name=l\\nreturn 1"),
            &header("#!lua name=l\\nreturn 2"),
        );
        assert_eq!(diffed.functions[&b"#!lua name=l"[..]], [true, true]);
        assert!(!diffed.is_equal());
        let (diffed, _) = differences(&header("#!lua name=l"), "");
        assert_eq!(diffed.functions[&b"#!lua name=l"[..]], [true, false]);
    }

    #[test]
    fn rows_read_back() {
        let row = KeyRow {
            print: Fingerprint {
                key: u128::MAX - 5,
                value_type: ValueType::Module,
                value: 1 << 100,
                state: 7,
                expire_at_ms: Some(-1),
                field_deadlines: 9,
                key_meta: u64::MAX,
            },
            db: 3,
            place: 1 << 40,
        };
        let mut bytes = Vec::new();
        row.write(&mut bytes);
        assert_eq!(bytes.len(), KeyRow::BYTES);
        assert_eq!(KeyRow::read(&bytes), row);
    }
}
