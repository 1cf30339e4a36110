//! `inspect`: what a file holds, without decoding values.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::export::{encoding_name, module_id};
use super::import::import_json;
use crate::error::Result;
use crate::json::native::Header;
use crate::json::reader::{JsonKey, JsonRecord};
use crate::model::ValueType;
use crate::model::function::library_name;
use crate::rdb::{Checksum, Dialect, Item, ModuleId, RdbString, ReadItems, Record};

/// Everything that `inspect` says about an RDB or JSON.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inspection {
    /// Family and version.
    pub dialect: Option<Dialect>,
    /// Bytes of the RDB.
    pub bytes: u64,
    /// Named facts, in file order; scripts (`lua`) and slot hints are counted instead.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Databases by number.
    pub databases: BTreeMap<u32, Database>,
    /// Values by type and encoding.
    pub types: BTreeMap<(ValueType, String), Volume>,
    /// Function libraries, by the name in their first line.
    pub functions: Vec<Vec<u8>>,
    /// Module types of values and module data: keys, and records outside the keyspace.
    pub modules: BTreeMap<ModuleId, ModuleUse>,
    /// Scripts in `lua` aux fields.
    pub scripts: u64,
    /// Slots with slot info.
    pub slots: u64,
    /// Hash templates.
    pub templates: u64,
    /// Slot migrations that were under way.
    pub slot_imports: u64,
    /// Keys with metadata of modules.
    pub keys_with_metadata: u64,
    /// The largest values, largest first.
    pub largest: Vec<LargeKey>,
    /// The checksum.
    pub checksum: Option<Checksum>,
}

/// One database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Database {
    /// Keys.
    pub keys: u64,
    /// Keys with a deadline.
    pub expires: u64,
    /// Encoded bytes of keys and values.
    pub bytes: u64,
    /// What RESIZEDB said: keys and expiries.
    pub declared: Option<(u64, u64)>,
}

/// Number and size of values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volume {
    /// Keys.
    pub keys: u64,
    /// Encoded bytes of the values.
    pub bytes: u64,
}

/// What a module stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModuleUse {
    /// Keys of the module's type.
    pub keys: u64,
    /// Records outside the keyspace.
    pub aux_records: u64,
}

/// A key with a large value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LargeKey {
    /// Encoded bytes of the value.
    pub bytes: u64,
    /// Database.
    pub db: u32,
    /// The key.
    pub key: Vec<u8>,
    /// Logical type.
    pub value_type: ValueType,
}

/// Reads an RDB and counts; `largest` says how many large keys are kept.
///
/// # Errors
/// The first broken rule of the frame. What was counted until then is in `inspection`.
pub fn inspect_rdb(
    reader: &mut impl ReadItems,
    largest: usize,
    mut select: impl FnMut(&Record<'_>) -> Result<bool>,
    inspection: &mut Inspection,
) -> Result<()> {
    let start = reader.offset();
    let mut heap = BinaryHeap::new();
    let mut db = 0;
    let outcome = reader.for_each(|item, _| {
        match item {
            Item::Header(dialect) => inspection.dialect = Some(*dialect),
            Item::SelectDb(number) => db = *number,
            Item::ResizeDb { keys, expires } => {
                inspection.databases.entry(db).or_default().declared = Some((*keys, *expires))
            }
            Item::Key(record) if select(record)? => {
                inspection.record(record, largest, &mut heap)?
            }
            Item::Key(_) => {}
            Item::End { checksum, .. } => inspection.checksum = Some(*checksum),
            item => inspection.file_record(item)?,
        }
        Ok(())
    });
    inspection.bytes = reader.offset() - start;
    inspection.largest = in_order(heap);
    outcome
}

/// Reads rdbkit's own JSON and counts; sizes are those of the records' texts.
///
/// # Errors
/// `bad_json` or a key that stands twice. What was counted until then is in `inspection`.
pub fn inspect_json(
    text: &[u8],
    largest: usize,
    mut select: impl FnMut(&JsonKey<'_>) -> bool,
    inspection: &mut Inspection,
) -> Result<()> {
    let mut heap = BinaryHeap::new();
    let outcome = import_json(text, |record| {
        match record {
            JsonRecord::Header(header) => inspection.json_header(header),
            JsonRecord::Key(key) if select(&key) => {
                inspection.json_key(&key, largest, &mut heap)?
            }
            JsonRecord::Key(_) => {}
        }
        Ok(())
    });
    inspection.bytes = text.len() as u64;
    inspection.largest = in_order(heap);
    outcome
}

fn in_order(heap: BinaryHeap<Reverse<LargeKey>>) -> Vec<LargeKey> {
    let keys = heap.into_sorted_vec().into_iter();
    keys.map(|Reverse(key)| key).collect()
}

/// The size of a value that may be one of the largest.
struct Size {
    bytes: u64,
    db: u32,
    value_type: ValueType,
}

impl Size {
    /// Keeps the key if it belongs to the `largest` so far.
    fn keep(
        self,
        largest: usize,
        heap: &mut BinaryHeap<Reverse<LargeKey>>,
        key: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<()> {
        let smallest = heap.peek().map(|Reverse(smallest)| smallest.bytes);
        let is_large = heap.len() < largest || smallest.is_some_and(|bytes| bytes < self.bytes);
        if !is_large || largest == 0 {
            return Ok(());
        }
        if heap.len() == largest {
            heap.pop();
        }
        heap.push(Reverse(LargeKey {
            bytes: self.bytes,
            db: self.db,
            key: key()?,
            value_type: self.value_type,
        }));
        Ok(())
    }
}

impl Inspection {
    fn file_record(&mut self, item: &Item<'_>) -> Result<()> {
        let content = |stored: &RdbString<'_>| {
            stored
                .to_vec()
                .map_err(|flaw| crate::error::Error::new(flaw.into()))
        };
        match item {
            Item::Aux { key, value } => match content(key)?.as_slice() {
                b"lua" => self.scripts += 1,
                b"slot-info" => self.slots += 1,
                key => self.aux.push((key.to_vec(), content(value)?)),
            },
            Item::SlotInfo { .. } => self.slots += 1,
            Item::SlotImport(_) => self.slot_imports += 1,
            Item::Function(code) => self.functions.push(name_or_line(&content(code)?)),
            Item::FunctionPreGa(function) => self.functions.push(content(&function.name)?),
            Item::ModuleAux(aux) => self.modules.entry(aux.id).or_default().aux_records += 1,
            Item::HashTemplate(_) => self.templates += 1,
            _ => {}
        }
        Ok(())
    }

    fn record(
        &mut self,
        record: &Record<'_>,
        largest: usize,
        heap: &mut BinaryHeap<Reverse<LargeKey>>,
    ) -> Result<()> {
        let expires = u64::from(record.expire_at_ms.is_some());
        let database = self.databases.entry(record.db).or_default();
        database.keys += 1;
        database.expires += expires;
        database.bytes += record.end_offset() - record.offset;
        let value = record.value();
        let encoding = match module_id(&value)? {
            Some(id) => {
                self.modules.entry(id).or_default().keys += 1;
                id.name()
            }
            None => encoding_name(&value)?.unwrap_or("array").to_owned(),
        };
        let volume = self
            .types
            .entry((record.value_type(), encoding))
            .or_default();
        volume.keys += 1;
        volume.bytes += record.encoded_len();
        self.keys_with_metadata += u64::from(record.key_meta.is_some());
        let size = Size {
            bytes: record.encoded_len(),
            db: record.db,
            value_type: record.value_type(),
        };
        size.keep(largest, heap, || {
            Ok(record.key_bytes(&mut Vec::new())?.to_vec())
        })
    }

    fn json_key(
        &mut self,
        key: &JsonKey<'_>,
        largest: usize,
        heap: &mut BinaryHeap<Reverse<LargeKey>>,
    ) -> Result<()> {
        let database = self.databases.entry(key.db()).or_default();
        database.keys += 1;
        database.expires += u64::from(key.expire_at_ms().is_some());
        database.bytes += key.encoded_len();
        let encoding = "json".to_owned();
        let volume = self.types.entry((key.value_type(), encoding)).or_default();
        volume.keys += 1;
        volume.bytes += key.encoded_len();
        let size = Size {
            bytes: key.encoded_len(),
            db: key.db(),
            value_type: key.value_type(),
        };
        size.keep(largest, heap, || Ok(key.key().to_vec()))
    }

    fn json_header(&mut self, header: Header) {
        self.aux = header.aux;
        self.scripts = header.lua.len() as u64;
        let names = header.functions.iter().map(|code| name_or_line(code));
        self.functions = names.collect();
        for record in &header.module_aux {
            if let Some(id) = ModuleId::new(&record.module, record.encoding_version) {
                self.modules.entry(id).or_default().aux_records += 1;
            }
        }
    }

    /// The release that wrote the file, as its aux fields say.
    #[must_use]
    pub fn server(&self) -> Option<String> {
        let version = |name: &[u8]| {
            self.aux
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        version(b"valkey-ver")
            .map(|v| format!("valkey {v}"))
            .or_else(|| version(b"redis-ver").map(|v| format!("redis {v}")))
    }
}

/// The name of a library; the whole first line if it says none.
fn name_or_line(code: &[u8]) -> Vec<u8> {
    let line = code.split(|&byte| byte == b'\n').next().unwrap_or_default();
    library_name(code).unwrap_or(line).trim_ascii().to_vec()
}
