//! Inputs: from a path or a pipe to a [`Kind`] and a source of its bytes.
//!
//! ```text
//! path, "-" → file or pipe → [gzip | zstd | lz4] → [replication framing] → RDB, AOF, manifest, JSON, DUMP payload
//! ```
//!
//! Everything is told by content; [`OpenOptions::as_kind`] overrides. Offsets count
//! in the decompressed input, framing included. A plain regular file can be mapped; of an
//! RDB the map then has what is larger than a window of 512 KiB and what is looked at
//! again. Everything else runs through a window. Opening reads 64 KiB at most and never
//! fails for what lies behind them.
//!
//! Reading an RDB, by whatever way it comes:
//! ```
//! use rdbkit::input::{AfterRdb, Input, Kind, OpenOptions};
//! use rdbkit::rdb::{RdbReader, ReadItems as _};
//!
//! let file = b"$24\r\nREDIS0003\xfe\x00\x00\x01k\x01v\xff*1\r\n";
//! let input = Input::from_reader("pipe", &file[..], &OpenOptions::new())?;
//! assert_eq!(input.origin().kind(), Kind::Rdb);
//! let (origin, source) = input.into_parts();
//! let mut reader = RdbReader::new(source).at_offset(origin.base_offset());
//! reader.for_each(|_, _| Ok(())).map_err(|error| origin.explain(error))?;
//! let offset = reader.offset();
//! let error = origin.after_rdb(&mut reader.into_source(), offset).unwrap_err();
//! assert_eq!(error.code().as_str(), "bad_length");
//! # Ok::<(), rdbkit::error::Error>(())
//! ```

pub mod compress;
pub mod folder;
pub mod framing;
pub mod kind;
mod peek;
mod source;
mod window;

use std::fs::File;
use std::io::{self, Read, Seek, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use compress::Compression;
pub use folder::{Expanded, Expansion, Purpose, expand};
pub use framing::Framing;
pub use kind::Kind;
pub use source::{ByteSource, MappedSource};

use crate::bytes::file_id::{FileId, FileStamp, OpenFile, display_path};
use crate::bytes::map::Map;
use crate::bytes::source::{Source, StreamSource};
use crate::bytes::temporary;
use crate::error::{Error, ErrorKind, Fault, Result};
use framing::MARK_BYTES;
use peek::{Peeked, RawReader};

/// How much of an input is looked at to tell what it is.
const PEEK_BYTES: usize = 64 * 1024;

/// How to open an input.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OpenOptions {
    as_kind: Option<Kind>,
    map: bool,
}

impl OpenOptions {
    /// Tells the kind by content and reads through a window.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what the input is instead of looking. A DUMP payload is then not decompressed.
    pub fn as_kind(mut self, kind: impl Into<Option<Kind>>) -> Self {
        self.as_kind = kind.into();
        self
    }

    /// Maps plain regular files, under the contract of [`crate::bytes::map`].
    pub fn map(mut self, map: bool) -> Self {
        self.map = map;
        self
    }
}

/// An input that was opened and recognised; its bytes are still to be read.
#[derive(Debug)]
pub struct Input {
    origin: Origin,
    source: ByteSource,
}

/// What is known about an input apart from its bytes.
#[derive(Clone, Debug)]
pub struct Origin {
    name: String,
    kind: Kind,
    compression: Option<Compression>,
    framing: Option<Framing>,
    base_offset: u64,
    progress: Progress,
    file: Option<OpenFile>,
}

/// How far reading is, for a progress bar; clones watch the same input.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    total: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Progress {
    /// The size of the file, compressed or not; unknown for a pipe.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// How many of those bytes were taken: from a map, those that were consumed.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// What stands behind an RDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterRdb {
    /// Nothing.
    End,
    /// A log: the file is a hybrid AOF.
    Log,
    /// Something else, which servers ignore.
    Trailing {
        /// Where it begins.
        offset: u64,
    },
}

impl AfterRdb {
    /// Why a file is not read as an RDB behind whose end, at this offset, stands a log.
    #[must_use]
    pub fn refuse_log(offset: u64) -> Error {
        let what = "a log behind an RDB whose head announces none (--as aof reads both)";
        Error::new(ErrorKind::Unsupported { what: what.into() }).at_offset(offset)
    }
}

impl Input {
    /// Opens a file, or stdin for the path `-`.
    ///
    /// # Errors
    /// I/O: there is no such file, or it cannot be read. Usage: it is a folder, which
    /// [`expand`] understands. Else: it is nothing that is known.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Input> {
        let path = path.as_ref();
        if path == Path::new("-") {
            return Input::stdin(options);
        }
        let name = display_path(path);
        let open = || {
            let file = File::open(path).map_err(|e| Error::io("cannot open", e))?;
            Input::from_file(name.clone(), Some(path), file, options)
        };
        open().map_err(|error| error.in_file(&name))
    }

    /// Reads stdin, past the buffer of [`std::io::stdin`].
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn stdin(options: &OpenOptions) -> Result<Input> {
        let name = "stdin";
        let open = || {
            let cannot_open = |e| Error::io("cannot open", e);
            #[cfg(unix)]
            let copy = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
            #[cfg(windows)]
            let copy = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned();
            let file = File::from(copy.map_err(cannot_open)?);
            Input::from_file(name.to_owned(), None, file, options)
        };
        open().map_err(|error| error.in_file(name))
    }

    fn from_file(
        name: String,
        path: Option<&Path>,
        mut file: File,
        options: &OpenOptions,
    ) -> Result<Input> {
        let cannot_look = |e| Error::io("cannot look at it", e);
        let metadata = file.metadata().map_err(cannot_look)?;
        if metadata.is_dir() {
            return Err(Error::usage("is a folder"));
        }
        // Stdin may be a file that somebody has read from already: then it is a pipe to us.
        let is_whole = metadata.is_file() && file.stream_position().is_ok_and(|at| at == 0);
        if !is_whole {
            return Input::from_stream(name, Box::new(file), options, None);
        }
        let open_file = OpenFile {
            stamp: FileStamp::of(&file).map_err(cannot_look)?,
            file: Arc::new(file.try_clone().map_err(cannot_look)?),
            path: path.map(Path::to_path_buf),
        };
        if options.map && !says_nothing_of_its_length(&mut file)? {
            let map = Map::new(file).map_err(|e| Error::io("cannot map", e))?;
            let map = map.named(&name);
            let head = &map.bytes()[..map.bytes().len().min(PEEK_BYTES)];
            if compression_of(head, options).is_none() {
                let (kind, framing, skipped) = look(head, options)?;
                let progress = Progress {
                    total: Some(open_file.stamp.len()),
                    read: Arc::default(),
                };
                return Ok(Input {
                    source: ByteSource::Mapped(MappedSource::new(
                        Arc::new(map),
                        skipped,
                        Arc::clone(&progress.read),
                    )),
                    origin: Origin {
                        name,
                        kind,
                        compression: None,
                        framing,
                        base_offset: skipped as u64,
                        progress,
                        file: Some(open_file),
                    },
                });
            }
            file = map.into_file();
        }
        Input::from_stream(name, Box::new(file), options, Some(open_file))
    }

    /// Reads from anything that can be read.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn from_reader(
        name: impl Into<String>,
        stream: impl Read + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Input> {
        let name = name.into();
        Input::from_stream(name.clone(), Box::new(stream), options, None)
            .map_err(|error| error.in_file(name))
    }

    fn from_stream(
        name: String,
        stream: Box<dyn Read + Send>,
        options: &OpenOptions,
        file: Option<OpenFile>,
    ) -> Result<Input> {
        let cannot_read = |e| compress::explain(Error::io("cannot read", e));
        let progress = Progress {
            total: file.as_ref().map(|file| file.stamp.len()),
            read: Arc::default(),
        };
        let failed = Arc::new(AtomicBool::new(false));
        let raw = RawReader::new(stream, Arc::clone(&failed), Arc::clone(&progress.read));
        let raw = Peeked::new(raw, PEEK_BYTES).map_err(cannot_read)?;
        let compression = compression_of(raw.head(), options);
        let stream: Box<dyn Read + Send> = match compression {
            Some(compression) => compression.undo(raw, failed)?,
            None => Box::new(raw),
        };
        let mut stream = Peeked::new(stream, PEEK_BYTES).map_err(cannot_read)?;
        let looked = look(stream.head(), options);
        // Of what cannot be read nothing is known.
        let (kind, framing, skipped) =
            looked.map_err(|error| stream.take_stopped().map_or(error, cannot_read))?;
        stream.skip(skipped);
        Ok(Input {
            source: ByteSource::Stream(StreamSource::new(Box::new(stream))),
            origin: Origin {
                name,
                kind,
                compression,
                framing,
                base_offset: skipped as u64,
                progress,
                file,
            },
        })
    }

    /// What is known about the input.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The bytes that come first, without consuming them: all that a map has, or what fits
    /// the window, which is never less than 64 KiB while there are as many.
    ///
    /// # Errors
    /// Reading failed.
    pub fn peek(&mut self) -> Result<&[u8]> {
        if self.source.data().is_empty() && !self.source.is_final() {
            let offset = self.origin.base_offset;
            self.source.fill().map_err(|e| {
                let error = Error::io("cannot read", e).at_offset(offset);
                self.origin.explain(error)
            })?;
        }
        Ok(self.source.data())
    }

    /// Takes the bytes and what is known about them apart.
    #[must_use]
    pub fn into_parts(self) -> (Origin, ByteSource) {
        (self.origin, self.source)
    }

    /// Puts together what [`Input::into_parts`] took apart.
    #[must_use]
    pub fn from_parts(origin: Origin, source: ByteSource) -> Input {
        Input { origin, source }
    }

    /// Makes the bytes readable twice: what is no mapped file goes to a temporary file
    /// without a name, which is mapped.
    ///
    /// # Errors
    /// Reading failed, or there is no room for temporary files. The first byte is none of a log or
    /// of JSON: then the others, which may be without end, are not read.
    pub fn spooled(mut self) -> Result<Input> {
        if let ByteSource::Mapped(_) = self.source {
            return Ok(self);
        }
        let kind = self.origin.kind;
        if let Some(wrong) = kind::wrong_beginning(kind, self.peek()?) {
            let error = Error::new(wrong).at_offset(self.origin.base_offset);
            return Err(self.origin.explain(error));
        }
        let (origin, mut source) = self.into_parts();
        let in_file = |error: Error| error.in_file(&origin.name);
        let mut file = temporary::file().map_err(in_file)?;
        let mut offset = origin.base_offset;
        loop {
            let data = source.data();
            file.write_all(data)
                .map_err(|e| in_file(temporary::cannot_write(e)))?;
            let taken = data.len();
            source.consume(taken);
            offset += taken as u64;
            if source.is_final() {
                break;
            }
            source
                .fill()
                .map_err(|e| origin.explain(Error::io("cannot read", e).at_offset(offset)))?;
        }
        let map = Map::new(file).map_err(|e| Error::io("cannot map a temporary file", e))?;
        let map = map.named("a temporary file");
        let source = ByteSource::Mapped(MappedSource::new(Arc::new(map), 0, Arc::default()));
        Ok(Input { origin, source })
    }

    /// Reads all of a small input, such as a manifest or a DUMP payload.
    ///
    /// # Errors
    /// Reading failed, or there are more than `limit` bytes.
    pub fn read_all(self, limit: usize) -> Result<Vec<u8>> {
        let (origin, mut source) = self.into_parts();
        let mut bytes = Vec::new();
        loop {
            let data = source.data();
            if data.len() > limit - bytes.len() {
                let kind = ErrorKind::LimitExceeded {
                    what: "the size of such an input in bytes",
                    limit: limit as u64,
                };
                return Err(Error::new(kind).in_file(origin.name));
            }
            bytes.extend_from_slice(data);
            let taken = data.len();
            source.consume(taken);
            if source.is_final() {
                return Ok(bytes);
            }
            let at = origin.base_offset + bytes.len() as u64;
            source
                .fill()
                .map_err(|e| origin.explain(Error::io("cannot read", e).at_offset(at)))?;
        }
    }
}

impl Origin {
    /// The input's name for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is. A hybrid AOF is an RDB until [`Origin::after_rdb`] finds the log.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How it is compressed.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The replication framing around it.
    #[must_use]
    pub fn framing(&self) -> Option<&Framing> {
        self.framing.as_ref()
    }

    /// Offset of the first byte of the source: behind the framing.
    #[must_use]
    pub fn base_offset(&self) -> u64 {
        self.base_offset
    }

    /// How many bytes the source will give, framing behind them included, if known.
    #[must_use]
    pub fn total_len(&self) -> Option<u64> {
        match self.compression {
            None => Some(self.progress.total?.saturating_sub(self.base_offset)),
            Some(_) => None,
        }
    }

    /// How far reading is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The file that is read, if it is a regular one.
    #[must_use]
    pub fn open_file(&self) -> Option<&OpenFile> {
        self.file.as_ref()
    }

    /// Which file it is, to refuse it as an output.
    #[must_use]
    pub fn file_id(&self) -> Option<FileId> {
        let file = self.file.as_ref()?;
        #[cfg(unix)]
        return Some(file.stamp.id());
        #[cfg(not(unix))]
        return FileId::of_path(file.path.as_ref()?).ok();
    }

    /// Checks at the end that a file is as it was when it was opened.
    ///
    /// # Errors
    /// `input_changed`: nothing that was read can be relied on.
    pub fn check_unchanged(&self) -> Result<()> {
        match &self.file {
            None => Ok(()),
            Some(OpenFile { file, stamp, .. }) => stamp
                .check_unchanged(file)
                .map_err(|error| error.in_file(&self.name)),
        }
    }

    /// Whether the input's name leads to another file by now, as after a save. What
    /// was read is whole nevertheless.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        match &self.file {
            Some(OpenFile {
                stamp,
                path: Some(path),
                ..
            }) => stamp.is_replaced(path),
            _ => false,
        }
    }

    /// Completes an error from reading this input: with its name, as damage of an archive
    /// rather than of the system, and as `input_changed` if the file did change, whatever seems
    /// to be wrong with what was read.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        let error = compress::explain(error);
        let changed = match error.fault() {
            Fault::Input | Fault::Unsupported | Fault::Limit => self.check_unchanged().err(),
            Fault::Usage | Fault::Io | Fault::Internal => None,
        };
        let error = match (changed, error.offset()) {
            (Some(changed), Some(offset)) => changed.at_offset(offset),
            (Some(changed), None) => changed,
            (None, _) => error,
        };
        error.in_file(&self.name)
    }

    /// Looks behind the RDB that ended at `offset`, and takes the mark of its framing.
    ///
    /// # Errors
    /// The mark is not there or the length was another one; reading failed.
    pub fn after_rdb(&self, source: &mut impl Source, offset: u64) -> Result<AfterRdb> {
        self.after_rdb_unnamed(source, offset)
            .map_err(|error| self.explain(error))
    }

    fn after_rdb_unnamed(&self, source: &mut impl Source, mut offset: u64) -> Result<AfterRdb> {
        match self.framing {
            None => {}
            Some(Framing::Length(declared)) => {
                let found = offset - self.base_offset;
                if found != declared {
                    let what = "length of a replicated RDB";
                    return Err(framing::bad_length(what, found, declared).at_offset(offset));
                }
            }
            Some(Framing::Mark(mark)) => {
                have(source, MARK_BYTES, offset)?;
                let data = source.data();
                let same = data.iter().zip(&mark).take_while(|(a, b)| a == b).count();
                match (same, data.len()) {
                    (MARK_BYTES, _) => {}
                    (same, len) if same == len => {
                        let kind = ErrorKind::UnexpectedEof {
                            needed: (MARK_BYTES - len) as u64,
                        };
                        return Err(Error::new(kind).at_offset(offset + len as u64));
                    }
                    _ => {
                        let what = "end of a replicated RDB";
                        let error = framing::bad_length(what, "the mark before it", "other bytes");
                        return Err(error.at_offset(offset + same as u64));
                    }
                }
                source.consume(MARK_BYTES);
                offset += MARK_BYTES as u64;
            }
        }
        have(source, 1, offset)?;
        Ok(match source.data() {
            [] => AfterRdb::End,
            [b'*' | b'#', ..] if self.framing.is_none() => AfterRdb::Log,
            _ => AfterRdb::Trailing { offset },
        })
    }
}

/// Whether a file says that it is empty and is not, as those of `/proc`: it can only be read.
fn says_nothing_of_its_length(file: &mut File) -> Result<bool> {
    let mut look = || {
        if file.metadata()?.len() > 0 {
            return Ok(false);
        }
        let has_bytes = file.read(&mut [0])? > 0;
        file.rewind()?;
        Ok(has_bytes)
    };
    let has_bytes: io::Result<bool> = look();
    has_bytes.map_err(|e| Error::io("cannot read", e).at_offset(0))
}

/// Fills the window until it holds `n` bytes or all there are.
fn have(source: &mut impl Source, n: usize, offset: u64) -> Result<()> {
    while source.data().len() < n && !source.is_final() {
        let end = offset + source.data().len() as u64;
        source
            .fill()
            .map_err(|e| Error::io("cannot read", e).at_offset(end))?;
    }
    Ok(())
}

fn compression_of(head: &[u8], options: &OpenOptions) -> Option<Compression> {
    // A payload may begin with any bytes, those of an archive among them.
    match options.as_kind {
        Some(Kind::DumpPayload) => None,
        _ => Compression::of(head),
    }
}

/// Tells kind and framing, and how many bytes the framing takes.
fn look(head: &[u8], options: &OpenOptions) -> Result<(Kind, Option<Framing>, usize)> {
    if matches!(options.as_kind, None | Some(Kind::Rdb))
        && let Some((framing, skipped)) = framing::framing(head)?
    {
        return Ok((Kind::Rdb, Some(framing), skipped));
    }
    let kind = match options.as_kind {
        Some(kind) => kind,
        None => kind::tell(head).map_err(|kind| Error::new(kind).at_offset(0))?,
    };
    Ok((kind, None, 0))
}

#[cfg(test)]
mod tests;
