//! A log of commands, key by key: the other end of [`super::reader`].
//!
//! ```text
//! FUNCTION LOAD, SCRIPT LOAD, { SELECT, the commands of its keys }*
//! ```
//!
//! Which commands make a key says [`super::rewrite`]. Writing goes straight to the sink, 128 KiB
//! at a time, whatever the size of the log.

use std::io;

use super::resp::encode_record_into;
use super::rewrite::CommandEncoder;
use crate::bytes::sink::Chunks;
use crate::error::Result;
use crate::model::sink::KeyHead;
use crate::rdb::Target;
use crate::rdb::value_writer::{ValueWriter, tell};

/// Writes a log of commands for a release to any sink.
///
/// A server that reads the log, or a client that sends it (`redis-cli --pipe`), has the keys
/// afterwards. For a multi-part set the sink is an [`AofFolder`](super::AofFolder), for a log
/// that begins with an RDB see [`Rewriter`](crate::ops::rewrite::Rewriter).
///
/// # Errors
/// That of the sink is the [`source`](std::error::Error::source) of each error of writing.
///
/// ```
/// use rdbkit::aof::AofWriter;
/// use rdbkit::model::ValueType;
/// use rdbkit::model::sink::KeyHead;
/// use rdbkit::rdb::Target;
///
/// let target = Target::named("valkey-8.1").unwrap();
/// let mut writer = AofWriter::new(Vec::new(), target, 1_700_000_000_000);
/// writer.key(&KeyHead::new(0, b"online", ValueType::Set), |value| {
///     value.element(b"ann");
///     value.element(b"bob");
/// })?;
/// writer.command(&["PUBLISH", "news", "two are there"])?;
/// assert_eq!(writer.commands(), 3);
/// let log = writer.finish()?;
/// assert!(log.starts_with(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*4\r\n$4\r\nSADD\r\n"));
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct AofWriter<W> {
    out: Chunks<W>,
    target: &'static Target,
    encoder: CommandEncoder,
    db: Option<u32>,
    commands: u64,
}

impl<W: io::Write> AofWriter<W> {
    /// Begins a log; `now_ms` is the time of writing in milliseconds since 1970, before which
    /// no server loads it.
    #[must_use]
    pub fn new(sink: W, target: &'static Target, now_ms: i64) -> Self {
        AofWriter {
            out: Chunks::new(sink),
            target,
            encoder: CommandEncoder::new(target, now_ms),
            db: None,
            commands: 0,
        }
    }

    /// The release.
    #[must_use]
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Commands so far, SELECT among them.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Writes any command as it is.
    ///
    /// # Errors
    /// The sink's.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<()> {
        self.commands += 1;
        self.out.encode(|out| encode_record_into(args, out))
    }

    /// Writes a function library; `false` if the release has none.
    ///
    /// # Errors
    /// The sink's.
    pub fn function(&mut self, code: &[u8]) -> Result<bool> {
        if !self.target.has_functions() {
            return Ok(false);
        }
        self.commands += 1;
        self.out.encode(|out| encode_function(code, out))?;
        Ok(true)
    }

    /// Writes a script of the cache; `false` if the release keeps none in its files.
    ///
    /// # Errors
    /// The sink's.
    pub fn script(&mut self, body: &[u8]) -> Result<bool> {
        if !self.target.has_scripts() {
            return Ok(false);
        }
        self.commands += 1;
        self.out.encode(|out| encode_script(body, out))?;
        Ok(true)
    }

    /// Selects a database, unless it is.
    ///
    /// # Errors
    /// The sink's.
    pub fn select_db(&mut self, db: u32) -> Result<()> {
        if self.db.replace(db) == Some(db) {
            return Ok(());
        }
        self.command(&["SELECT", itoa::Buffer::new().format(db)])
    }

    /// Writes the commands that make a key with a value of the caller's own; `false` if it has
    /// no elements, which servers take for no key. `value` may be called twice.
    ///
    /// # Errors
    /// A value that does not fit the type of the key, or that the release has no place for, with
    /// nothing written of the key; or the sink's.
    pub fn key(
        &mut self,
        head: &KeyHead<'_>,
        value: impl FnMut(&mut ValueWriter<'_>),
    ) -> Result<bool> {
        let target = self.target;
        self.key_by(head.db, head.key, |encoder| {
            tell(encoder, target, head, value)
        })
    }

    /// Writes the commands of the key that `tell` gives the encoder, from the beginning to the
    /// end; `false` if it has no elements.
    ///
    /// # Errors
    /// Those of `tell`, or the sink's.
    pub(crate) fn key_by(
        &mut self,
        db: u32,
        key: &[u8],
        tell: impl FnOnce(&mut CommandEncoder) -> Result<()>,
    ) -> Result<bool> {
        let told = tell(&mut self.encoder);
        let count = told
            .and_then(|()| self.encoder.end())
            .map_err(|error| error.in_key(db, key))?;
        if count == 0 {
            return Ok(false);
        }
        self.select_db(db)?;
        self.commands += count;
        let out = &mut self.out;
        self.encoder.drain(&mut |part| out.put(part))?;
        Ok(true)
    }

    /// Writes so many commands that are encoded already.
    ///
    /// # Errors
    /// The sink's.
    pub fn raw(&mut self, encoded: &[u8], commands: u64) -> Result<()> {
        self.commands += commands;
        self.out.put(encoded)
    }

    /// Writes what is left, and gives the sink back. The sink is not flushed.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(self) -> Result<W> {
        self.out.finish()
    }
}

/// The command that loads a function library.
pub(crate) fn encode_function(code: &[u8], out: &mut Vec<u8>) {
    encode_record_into(&[b"FUNCTION".as_slice(), b"LOAD", code], out);
}

/// The command that caches a script.
pub(crate) fn encode_script(body: &[u8], out: &mut Vec<u8>) {
    encode_record_into(&[b"SCRIPT".as_slice(), b"LOAD", body], out);
}
