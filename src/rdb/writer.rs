//! A whole file, part by part: the other end of [`super::reader`].
//!
//! ```text
//! magic, aux fields, functions, { SELECTDB, RESIZEDB, records }*, FF, CRC64
//! ```
//!
//! Records come from a [`RecordEncoder`](super::RecordEncoder), or from other files as they
//! are. Writing goes straight to the sink, 128 KiB at a time, whatever the size of the file.

use std::io;

use super::constants::{Opcode, module_opcode};
use super::length::encode_length;
use super::module::{ModuleId, encode_item};
use super::string::StringEncoder;
use super::target::Target;
use crate::bytes::crc64::Crc64;
use crate::model::sink::ModuleField;

/// What is gathered before the sink is called.
const CHUNK_BYTES: usize = 128 * 1024;

/// Writes an RDB for a release to any sink.
///
/// All errors are the sink's own.
///
/// ```
/// use rdbkit::bytes::Text;
/// use rdbkit::model::ValueType;
/// use rdbkit::model::sink::{KeyHead, ValueSink as _};
/// use rdbkit::rdb::{Encodings, Items, RdbWriter, RecordEncoder, Target};
///
/// let target = Target::named("redis-6.2").unwrap();
/// let mut writer = RdbWriter::new(Vec::new(), target)?;
/// writer.aux(b"redis-ver", b"6.2.0")?;
/// let mut encoder = RecordEncoder::new(target, Encodings::Default);
/// encoder.begin_key(&KeyHead::new(0, b"greeting", ValueType::String));
/// encoder.string(Text::Bytes(b"hello"));
/// let mut record = Vec::new();
/// if encoder.end_key() && encoder.take(&mut record)? {
///     writer.select_db(0)?;
///     writer.resize_db(1, 0)?;
///     writer.raw(&record)?;
/// }
/// let file = writer.finish()?;
/// assert!(file.starts_with(b"REDIS0009"));
/// // Magic, aux field, SELECTDB, RESIZEDB, the key, the end; the checksum is right.
/// assert_eq!(Items::new(&file).collect::<Result<Vec<_>, _>>()?.len(), 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RdbWriter<W> {
    sink: W,
    target: &'static Target,
    crc: Option<Crc64>,
    buffer: Vec<u8>,
    strings: StringEncoder,
}

impl<W: io::Write> RdbWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// The sink's.
    pub fn new(sink: W, target: &'static Target) -> io::Result<Self> {
        let mut writer = RdbWriter::headless(sink, target);
        let magic = target.dialect().to_string();
        writer.raw(magic.as_bytes())?;
        Ok(writer)
    }

    /// Begins a file whose magic is copied with the rest.
    pub(crate) fn headless(sink: W, target: &'static Target) -> Self {
        RdbWriter {
            sink,
            target,
            crc: Some(Crc64::new()),
            buffer: Vec::with_capacity(CHUNK_BYTES),
            strings: StringEncoder::default(),
        }
    }

    /// The release.
    #[must_use]
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Stores 0 for the checksum, as a server with `rdbchecksum no` does.
    pub fn without_checksum(&mut self) {
        self.crc = None;
    }

    /// Writes a named fact, unless the release has none.
    ///
    /// # Errors
    /// The sink's.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        if !self.target.has_aux() {
            return Ok(());
        }
        self.buffer.push(Opcode::AUX.0);
        self.strings.encode(name, &mut self.buffer);
        self.strings.encode(value, &mut self.buffer);
        self.progress()
    }

    /// Writes a function library, unless the release has none.
    ///
    /// # Errors
    /// The sink's.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        if !self.target.has_functions() {
            return Ok(());
        }
        self.buffer.push(Opcode::FUNCTION2.0);
        self.strings.encode(code, &mut self.buffer);
        self.progress()
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
    ) -> io::Result<bool> {
        let id = ModuleId::new(name, encoding_version).filter(|_| self.target.has_module_aux());
        let Some(ModuleId(id)) = id else {
            return Ok(false);
        };
        self.buffer.push(Opcode::MODULE_AUX.0);
        encode_length(id, &mut self.buffer);
        let when = ModuleField::Uint(when);
        for item in std::iter::once(&when).chain(items) {
            encode_item(item, &mut self.strings, &mut self.buffer);
        }
        encode_length(module_opcode::EOF, &mut self.buffer);
        self.progress().map(|()| true)
    }

    /// Begins a database; the records that follow belong to it.
    ///
    /// # Errors
    /// The sink's.
    pub fn select_db(&mut self, db: u32) -> io::Result<()> {
        self.buffer.push(Opcode::SELECTDB.0);
        encode_length(u64::from(db), &mut self.buffer);
        self.progress()
    }

    /// Says how many keys the database has and how many of them expire, unless the release
    /// does not say so.
    ///
    /// # Errors
    /// The sink's.
    pub fn resize_db(&mut self, keys: u64, expires: u64) -> io::Result<()> {
        if !self.target.has_aux() {
            return Ok(());
        }
        self.buffer.push(Opcode::RESIZEDB.0);
        encode_length(keys, &mut self.buffer);
        encode_length(expires, &mut self.buffer);
        self.progress()
    }

    /// Writes records, or whatever else is encoded already.
    ///
    /// # Errors
    /// The sink's.
    pub fn raw(&mut self, encoded: &[u8]) -> io::Result<()> {
        if encoded.len() < CHUNK_BYTES {
            self.buffer.extend_from_slice(encoded);
            return self.progress();
        }
        self.flush_buffer()?;
        if let Some(crc) = &mut self.crc {
            crc.update(encoded);
        }
        self.sink.write_all(encoded)
    }

    fn progress(&mut self) -> io::Result<()> {
        match self.buffer.len() < CHUNK_BYTES {
            true => Ok(()),
            false => self.flush_buffer(),
        }
    }

    fn flush_buffer(&mut self) -> io::Result<()> {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buffer);
        }
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end and the checksum, and gives the sink back. The sink is not flushed.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> io::Result<W> {
        self.buffer.push(Opcode::EOF.0);
        self.flush_buffer()?;
        if self.target.dialect().has_checksum() {
            let crc = self.crc.as_ref().map_or(0, Crc64::finish);
            self.sink.write_all(&crc.to_le_bytes())?;
        }
        Ok(self.sink)
    }
}
