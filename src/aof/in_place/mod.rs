//! A log replaced by its compact form where it lies: whatever happens, a server that starts
//! on what is there loses nothing and replays nothing twice.
//!
//! # A multi-part set
//!
//! ```text
//! lock    flock of the folder; leases on the manifest and on every part that it names
//! write   temp-rewriteaof-rdbkit.aof      the new base; fsync
//!         <prefix>.<N+1>.incr.aof         empty; fsync. N: the highest number of an incr, listed or not
//!         the base gets its name: <prefix>.<seq+1>.base.rdb or .aof; fsync of the folder
//!         temp-<prefix>.manifest          new base `b`, all old parts `h`, new incr `i`; fsync; fsync of the folder
//! check   each part and the manifest: bytes, size, time, inode, lease
//! commit  the manifest gets its name; fsync of the folder
//! tidy    the old parts go; a manifest without them, made durable in the same way
//! ```
//!
//! The empty incr is there because a server opens the last incr that the manifest names. If
//! there were none, it would open number 1, which after a crash can be an old one that was to
//! be deleted: it would be appended to, and replayed over the new base at the start after.
//! Old parts stay listed, as history, until they are gone; servers never load them.
//!
//! # A single file
//!
//! ```text
//! lock    flock of the folder; a lease on the file
//! write   .rdbkit-<name>.tmp    fsync
//! check   size, time, inode, lease
//! commit  .rdbkit-<name>.old, a second name of the old file; the new one gets its name; fsync of the folder
//! tidy    the second name goes
//! ```
//!
//! It stays a single file, also where a server from 7.0 on would move it into a set.
//!
//! # Who else might be at work
//!
//! Servers lock nothing, so leases ([`crate::bytes::lease`]) stand in: there is none while a
//! server has a part open, as it has its last incr. A process that opens a part or the manifest
//! later, to read or to write, waits while the lease is held, at most 45 s, and then the
//! rewrite ends without having changed anything: a reader could be a server that starts.
//! Who comes between the check and the commit waits too, and is found behind the commit: then
//! the old manifest, or the old file, gets its name back before whoever waits can go on. The
//! new manifest has a lease as well until it is replaced by the last one. What is left to
//! chance is a server that comes in those microseconds, and a rewrite that is killed in them
//! too, before it can take the commit back: the server then goes on with the old files.
//!
//! Where there are no leases (network file systems, other systems than Linux, the file of
//! another user) nothing is replaced unless the caller says that no server runs
//! ([`Options::force_offline`]).
//!
//! ```
//! use rdbkit::aof::in_place::{Claim, Options};
//! use rdbkit::aof::writer::BaseForm;
//! use rdbkit::input::{Input, Kind, OpenOptions};
//! use rdbkit::ops::log::Log;
//! use rdbkit::ops::rewrite::Rewriter;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("appendonly.aof");
//! # let log = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
//! # std::fs::write(&path, log)?;
//! // First the lock, then the file, which is opened once.
//! let claim = Claim::lock(&path, false)?;
//! let options = OpenOptions::new().map(true).as_kind(Kind::Aof);
//! let log = Log::of_input(Input::open(claim.path(), &options)?)?;
//! # if cfg!(target_os = "linux") {
//! let new = log.in_place(claim, BaseForm::Commands, Options::new())?;
//! let rewriter = Rewriter::new().preamble(false);
//! let (new, rewritten) = rewriter.rewrite(&log, new, &mut |finding| eprintln!("{finding}"))?;
//! let replaced = new.commit()?;
//! assert_eq!(replaced.bytes, rewritten.bytes);
//! assert!(std::fs::read(&path)?.ends_with(b"$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n"));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! New files have the owner, the group and the mode of those that they replace; extended
//! attributes are not taken over. What a killed run leaves is ignored by servers, and is
//! overwritten or removed by the next run.

mod fresh;
mod guard;
mod set;
mod single;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

pub use guard::Claim;

use super::layout::AofSet;
use super::writer::BaseForm;
use crate::bytes::disk::Disk;
use crate::bytes::file_id::OpenFile;
use crate::error::Result;
use set::SetInPlace;
use single::FileInPlace;

/// How to replace a log.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Options {
    force_offline: bool,
    disk: Disk,
}

impl Options {
    /// Leases are wanted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on where there are no leases, because the caller knows that no server has the log
    /// open. A file that is open in another process is refused nevertheless.
    pub fn force_offline(mut self, force_offline: bool) -> Self {
        self.force_offline = force_offline;
        self
    }

    /// Changes the disk through `disk`.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }
}

/// A log that has been replaced.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replaced {
    /// Bytes of the new base, or of the new file.
    pub bytes: u64,
    /// What could not be tidied up, and why; servers ignore these files.
    pub left: Vec<(PathBuf, io::Error)>,
}

/// A log that is being replaced. Writing to it writes its new base, or its new file.
///
/// Dropped without [`InPlace::commit`] it leaves the log as it is, and nothing else. Usually
/// it comes from [`crate::ops::log::Log::in_place`].
#[must_use]
pub struct InPlace(Form);

enum Form {
    Set(Box<SetInPlace>),
    File(Box<FileInPlace>),
}

impl InPlace {
    /// Begins to replace a multi-part set. `parts` are its open parts, in its order.
    ///
    /// # Errors
    /// `in_use`: another process has a part open. `unsupported`: there are no leases. Usage:
    /// a set that names no part, or whose base is still outside the folder.
    pub fn of_set(
        claim: Claim,
        set: &AofSet,
        parts: Vec<OpenFile>,
        form: BaseForm,
        options: Options,
    ) -> Result<InPlace> {
        SetInPlace::new(claim, set, parts, form, options)
            .map(|set| InPlace(Form::Set(Box::new(set))))
    }

    /// Begins to replace a log of one file.
    ///
    /// # Errors
    /// `in_use`: another process has it open. `unsupported`: there are no leases. Usage: it is
    /// a part of a set.
    pub fn of_file(claim: Claim, file: OpenFile, options: Options) -> Result<InPlace> {
        FileInPlace::new(claim, file, options).map(|file| InPlace(Form::File(Box::new(file))))
    }

    /// The file that is written, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            Form::Set(set) => set.name(),
            Form::File(file) => file.name(),
        }
    }

    /// Puts what was written in the place of the log.
    ///
    /// # Errors
    /// `input_changed`: somebody changed or opened a file of the log meanwhile; the log is as
    /// it is. I/O: the log is as it was, unless the error says otherwise.
    pub fn commit(self) -> Result<Replaced> {
        match self.0 {
            Form::Set(set) => set.commit(),
            Form::File(file) => file.commit(),
        }
    }
}

impl Write for InPlace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Form::Set(set) => set.write(bytes),
            Form::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for InPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InPlace").field(&self.name()).finish()
    }
}
