//! A whole file, part by part: the other end of [`super::reader`].
//!
//! ```text
//! magic, aux fields, functions, { SELECTDB, RESIZEDB, records }*, FF, CRC64
//! ```
//!
//! Records come from a [`RecordEncoder`], or from other files as they are. Writing goes straight to the sink, 128 KiB at a time, whatever the size of the file.

use std::io;

use super::constants::{Opcode, module_opcode};
use super::length::encode_length;
use super::module::{ModuleId, encode_item};
use super::object::encode::RecordEncoder;
use super::string::StringEncoder;
use super::target::{Encodings, Target};
use super::value_writer::{ValueWriter, tell};
use crate::bytes::crc64::Crc64;
use crate::bytes::sink::{Chunks, cannot_write};
use crate::error::Result;
use crate::model::sink::{KeyHead, ModuleField};
use crate::num::Flavor;

/// Writes an RDB for a release to any sink.
///
/// Keys come one database after the other. Each may stand once, as servers refuse a file with
/// a key twice; nobody looks for that here. The first key of a database selects it.
///
/// # Errors
/// That of the sink is the [`source`](std::error::Error::source) of each error of writing.
///
/// ```
/// use rdbkit::model::ValueType;
/// use rdbkit::model::sink::KeyHead;
/// use rdbkit::rdb::{Items, RdbWriter, Target};
///
/// let target = Target::named("redis-6.2").unwrap();
/// let mut writer = RdbWriter::new(Vec::new(), target)?;
/// writer.release()?;
/// let mut ann = KeyHead::new(0, b"user:1", ValueType::Hash);
/// ann.expire_at_ms = Some(4_102_444_800_000);
/// writer.key(&ann, |value| {
///     value.field(b"name", b"Ann");
///     value.field(b"city", b"Oslo");
/// })?;
/// writer.key(&KeyHead::new(3, b"seen", ValueType::Zset), |value| {
///     value.scored(b"user:2", 7.5);
///     value.scored(b"user:1", -1.0);
/// })?;
/// let file = writer.finish()?;
/// assert!(file.starts_with(b"REDIS0009"));
/// // Magic, two aux fields, two of SELECTDB and a key, the end; the checksum is right.
/// assert_eq!(Items::new(&file).collect::<Result<Vec<_>, _>>()?.len(), 8);
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct RdbWriter<W> {
    out: Chunks<Hashed<W>>,
    target: &'static Target,
    strings: StringEncoder,
    db: Option<u32>,
    encodings: Encodings,
    /// Of values of the caller's own.
    values: Option<Box<RecordEncoder>>,
}

impl<W: io::Write> RdbWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// The sink's.
    pub fn new(sink: W, target: &'static Target) -> Result<Self> {
        let mut writer = RdbWriter::headless(sink, target);
        let magic = target.dialect().to_string();
        writer.raw(magic.as_bytes())?;
        Ok(writer)
    }

    /// Begins a file whose magic is copied with the rest.
    pub(crate) fn headless(sink: W, target: &'static Target) -> Self {
        RdbWriter {
            out: Chunks::new(Hashed {
                sink,
                crc: Some(Crc64::new()),
            }),
            target,
            strings: StringEncoder::default(),
            db: None,
            encodings: Encodings::Default,
            values: None,
        }
    }

    /// Chooses the encodings of values that [`key`](Self::key) writes.
    #[must_use]
    pub fn encodings(mut self, encodings: Encodings) -> Self {
        self.encodings = encodings;
        self
    }

    /// The release.
    #[must_use]
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Stores 0 for the checksum, as a server with `rdbchecksum no` does.
    pub fn without_checksum(&mut self) {
        self.out.sink_mut().crc = None;
    }

    /// Writes the facts that a server of the release says first: its number, and its word size.
    ///
    /// # Errors
    /// The sink's.
    pub fn release(&mut self) -> Result<()> {
        let Flavor { major, minor, .. } = self.target.flavor();
        let number = format!("{major}.{minor}.0");
        self.aux(self.target.version_aux().as_bytes(), number.as_bytes())?;
        self.aux(b"redis-bits", b"64")
    }

    /// Writes a named fact, unless the release has none.
    ///
    /// # Errors
    /// The sink's.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        if !self.target.has_aux() {
            return Ok(());
        }
        let strings = &mut self.strings;
        self.out.encode(|out| {
            out.push(Opcode::AUX.0);
            strings.encode(name, out);
            strings.encode(value, out);
        })
    }

    /// Writes a function library, unless the release has none.
    ///
    /// # Errors
    /// The sink's.
    pub fn function(&mut self, code: &[u8]) -> Result<()> {
        if !self.target.has_functions() {
            return Ok(());
        }
        let strings = &mut self.strings;
        self.out.encode(|out| {
            out.push(Opcode::FUNCTION2.0);
            strings.encode(code, out);
        })
    }

    /// Writes what a module stored beside the keys; `false` if that is no module's name, or the
    /// release has no place for it.
    ///
    /// # Errors
    /// The sink's.
    pub fn module_aux(
        &mut self,
        name: &str,
        encoding_version: u16,
        when: u64,
        items: &[ModuleField],
    ) -> Result<bool> {
        let id = ModuleId::new(name, encoding_version).filter(|_| self.target.has_module_aux());
        let Some(ModuleId(id)) = id else {
            return Ok(false);
        };
        let strings = &mut self.strings;
        self.out.encode(|out| {
            out.push(Opcode::MODULE_AUX.0);
            encode_length(id, out);
            let when = ModuleField::Uint(when);
            for item in std::iter::once(&when).chain(items) {
                encode_item(item, strings, out);
            }
            encode_length(module_opcode::EOF, out);
        })?;
        Ok(true)
    }

    /// Writes a key with a value of the caller's own; `false` if it has no elements, which
    /// servers take for no key. `value` may be called twice.
    ///
    /// # Errors
    /// A value that does not fit the type of the key, or that the release has no place for, with
    /// nothing written of the key; or the sink's.
    pub fn key(
        &mut self,
        head: &KeyHead<'_>,
        value: impl FnMut(&mut ValueWriter<'_>),
    ) -> Result<bool> {
        let (target, encodings) = (self.target, self.encodings);
        let encoder = self
            .values
            .get_or_insert_with(|| Box::new(RecordEncoder::new(target, encodings)));
        tell(encoder.as_mut(), target, head, value)?;
        let mut record = Vec::new();
        let is_key = encoder.take(&mut record);
        if !is_key.map_err(|error| error.in_key(head.db, head.key))? {
            return Ok(false);
        }
        self.select_db(head.db)?;
        self.raw(&record)?;
        Ok(true)
    }

    /// Selects a database, unless it is; the records that follow belong to it.
    ///
    /// # Errors
    /// The sink's.
    pub fn select_db(&mut self, db: u32) -> Result<()> {
        if self.db.replace(db) == Some(db) {
            return Ok(());
        }
        self.out.encode(|out| {
            out.push(Opcode::SELECTDB.0);
            encode_length(u64::from(db), out);
        })
    }

    /// Says how many keys the database has and how many of them expire, unless the release
    /// does not say so.
    ///
    /// # Errors
    /// The sink's.
    pub fn resize_db(&mut self, keys: u64, expires: u64) -> Result<()> {
        if !self.target.has_aux() {
            return Ok(());
        }
        self.out.encode(|out| {
            out.push(Opcode::RESIZEDB.0);
            encode_length(keys, out);
            encode_length(expires, out);
        })
    }

    /// Writes records, or whatever else is encoded already.
    ///
    /// # Errors
    /// The sink's.
    pub fn raw(&mut self, encoded: &[u8]) -> Result<()> {
        self.out.put(encoded)
    }

    /// Writes the end and the checksum, and gives the sink back. The sink is not flushed.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> Result<W> {
        self.out.put(&[Opcode::EOF.0])?;
        let Hashed { mut sink, crc } = self.out.finish()?;
        if self.target.dialect().has_checksum() {
            let crc = crc.as_ref().map_or(0, Crc64::finish);
            sink.write_all(&crc.to_le_bytes()).map_err(cannot_write)?;
        }
        Ok(sink)
    }
}

/// A sink that computes the checksum of what goes to it, if one is wanted.
#[derive(Debug)]
struct Hashed<W> {
    sink: W,
    crc: Option<Crc64>,
}

impl<W: io::Write> io::Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        if let Some(crc) = &mut self.crc {
            crc.update(bytes.get(..written).unwrap_or(bytes));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
