//! `inspect`: what a file holds, without decoding values.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::export::{encoding_name, module_id};
use super::import::import_json;
use super::least::drop_greatest;
use crate::error::Result;
use crate::json::native::Header;
use crate::json::reader::{JsonKey, JsonRecord};
use crate::limits::{DATABASES, LISTED, LISTED_BYTES};
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
    /// What is too much to be listed above.
    pub others: Others,
    /// Bytes listed of aux fields and function libraries.
    listed_bytes: usize,
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

/// What is beyond the first [`LISTED`] aux fields and function libraries ([`LISTED_BYTES`] of
/// them), modules and types, and the [`DATABASES`] of the lowest numbers.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Others {
    /// Aux fields.
    pub aux: u64,
    /// Keys of databases.
    pub databases: Database,
    /// Function libraries.
    pub functions: u64,
    /// Keys of types of modules.
    pub types: Volume,
    /// What modules stored.
    pub modules: ModuleUse,
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
                let declared = Some((*keys, *expires));
                inspection.database(db, |database| database.declared = declared);
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
                key => self.aux_field(key.to_vec(), content(value)?),
            },
            Item::SlotInfo { .. } => self.slots += 1,
            Item::SlotImport(_) => self.slot_imports += 1,
            Item::Function(code) => self.function(name_or_line(&content(code)?)),
            Item::FunctionPreGa(function) => self.function(content(&function.name)?),
            Item::ModuleAux(aux) => self.module(aux.id, |used| used.aux_records += 1),
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
        self.database(record.db, |database| {
            database.keys += 1;
            database.expires += expires;
            database.bytes += record.end_offset() - record.offset;
        });
        let value = record.value();
        let encoding = match module_id(&value)? {
            Some(id) => {
                self.module(id, |used| used.keys += 1);
                id.name()
            }
            None => encoding_name(&value)?.unwrap_or("array").to_owned(),
        };
        self.value((record.value_type(), encoding), record.encoded_len());
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
        self.database(key.db(), |database| {
            database.keys += 1;
            database.expires += u64::from(key.expire_at_ms().is_some());
            database.bytes += key.encoded_len();
        });
        self.value((key.value_type(), "json".to_owned()), key.encoded_len());
        let size = Size {
            bytes: key.encoded_len(),
            db: key.db(),
            value_type: key.value_type(),
        };
        size.keep(largest, heap, || Ok(key.key().to_vec()))
    }

    fn json_header(&mut self, header: Header) {
        for (name, value) in header.aux {
            self.aux_field(name, value);
        }
        self.scripts = header.lua.len() as u64;
        for code in &header.functions {
            self.function(name_or_line(code));
        }
        for record in &header.module_aux {
            if let Some(id) = ModuleId::new(&record.module, record.encoding_version) {
                self.module(id, |used| used.aux_records += 1);
            }
        }
    }

    /// Whether texts of so many bytes can still be listed.
    fn has_room(&mut self, bytes: usize) -> bool {
        let listed = self.listed_bytes.saturating_add(bytes);
        if listed > LISTED_BYTES {
            return false;
        }
        self.listed_bytes = listed;
        true
    }

    fn aux_field(&mut self, name: Vec<u8>, value: Vec<u8>) {
        match self.aux.len() < LISTED && self.has_room(name.len() + value.len()) {
            true => self.aux.push((name, value)),
            false => self.others.aux += 1,
        }
    }

    fn function(&mut self, name: Vec<u8>) {
        match self.functions.len() < LISTED && self.has_room(name.len()) {
            true => self.functions.push(name),
            false => self.others.functions += 1,
        }
    }

    fn database(&mut self, number: u32, count: impl FnOnce(&mut Database)) {
        count(self.databases.entry(number).or_default());
        if let Some(rest) = drop_greatest(&mut self.databases, DATABASES) {
            let others = &mut self.others.databases;
            others.keys += rest.keys;
            others.expires += rest.expires;
            others.bytes += rest.bytes;
        }
    }

    fn value(&mut self, kind: (ValueType, String), bytes: u64) {
        let volume = self.types.entry(kind).or_default();
        volume.keys += 1;
        volume.bytes += bytes;
        if let Some(rest) = drop_greatest(&mut self.types, LISTED) {
            self.others.types.keys += rest.keys;
            self.others.types.bytes += rest.bytes;
        }
    }

    fn module(&mut self, id: ModuleId, count: impl FnOnce(&mut ModuleUse)) {
        count(self.modules.entry(id).or_default());
        if let Some(rest) = drop_greatest(&mut self.modules, LISTED) {
            self.others.modules.keys += rest.keys;
            self.others.modules.aux_records += rest.aux_records;
        }
    }

    /// Keys, and how many of them expire.
    #[must_use]
    pub fn keys(&self) -> (u64, u64) {
        let databases = self.databases.values().chain([&self.others.databases]);
        databases.fold((0, 0), |(keys, expires), database| {
            (keys + database.keys, expires + database.expires)
        })
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
