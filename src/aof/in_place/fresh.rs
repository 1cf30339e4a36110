//! New files that are written beside the old ones.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::bytes::cleanup::{self, Doomed};
use crate::bytes::disk::{Disk, DiskFile};
use crate::bytes::file_id::display_path;
use crate::error::{Error, Result};

/// How much is gathered before the system is called.
const BUFFER_BYTES: usize = 256 * 1024;

/// A new file that is written through a buffer. It is made with its first bytes, so that
/// nothing is on the disk before the log was found to be sound.
#[derive(Debug)]
pub(super) struct Growing {
    path: PathBuf,
    buffer: Vec<u8>,
    written: u64,
    file: Option<DiskFile>,
}

impl Growing {
    pub(super) fn new(path: PathBuf) -> Growing {
        Growing {
            path,
            buffer: Vec::new(),
            written: 0,
            file: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&mut self, bytes: &[u8], fresh: &mut Fresh) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush(fresh)?;
        }
        match bytes.len() < BUFFER_BYTES {
            true => self.buffer.extend_from_slice(bytes),
            false => self.file(fresh)?.write_all(bytes)?,
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn file(&mut self, fresh: &mut Fresh) -> io::Result<&mut DiskFile> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(fresh.create(&self.path)?)),
        }
    }

    fn flush(&mut self, fresh: &mut Fresh) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            self.file(fresh)?.write_all(&buffer)?;
            self.buffer = buffer;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes the rest and makes the file durable; the answer is its length.
    pub(super) fn finish(&mut self, like: &Metadata, fresh: &mut Fresh) -> Result<u64> {
        let flushed = self.flush(fresh);
        let finished = flushed.map_err(cannot_write).and_then(|()| {
            let file = self.file(fresh).map_err(cannot_create)?;
            complete(file, like)
        });
        finished.map_err(|error| error.in_file(display_path(&self.path)))?;
        Ok(self.written)
    }
}

/// Gives a file that was written its owner, and makes it durable.
fn complete(file: &DiskFile, like: &Metadata) -> Result<()> {
    let cannot_own = |e| Error::io("cannot give it owner and mode of the file it replaces", e);
    file.own_as(like).map_err(cannot_own)?;
    file.sync().map_err(cannot_write)
}

#[cold]
fn cannot_write(e: io::Error) -> Error {
    Error::io("cannot write", e)
}

#[cold]
fn cannot_create(e: io::Error) -> Error {
    Error::io("cannot create", e)
}

/// The files that were made; they go again unless they are kept.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) disk: Disk,
    made: Vec<(PathBuf, Doomed)>,
}

impl Fresh {
    pub(super) fn new(disk: Disk) -> Fresh {
        Fresh {
            disk,
            made: Vec::new(),
        }
    }

    /// Makes an empty file in the place of what an earlier run may have left.
    fn create(&mut self, path: &Path) -> io::Result<DiskFile> {
        self.disk.unlink(path)?;
        // Registered first, so that no signal falls between.
        let doomed = cleanup::register(path);
        let file = self.disk.create(path)?;
        self.made.push((path.to_path_buf(), doomed));
        Ok(file)
    }

    /// Makes a whole, durable file.
    pub(super) fn file(&mut self, path: &Path, bytes: &[u8], like: &Metadata) -> Result<DiskFile> {
        let mut make = || {
            let mut file = self.create(path).map_err(cannot_create)?;
            if !bytes.is_empty() {
                file.write_all(bytes).map_err(cannot_write)?;
            }
            complete(&file, like)?;
            Ok(file)
        };
        let made: Result<DiskFile> = make();
        made.map_err(|error| error.in_file(display_path(path)))
    }

    /// Gives a file that was made its name, which is not yet that of a log.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let doomed = cleanup::register(to);
        let cannot_rename = |e| Error::io("cannot give the finished file its name", e);
        self.disk
            .rename(from, to)
            .map_err(|e| cannot_rename(e).in_file(display_path(to)))?;
        self.forget(from);
        self.made.push((to.to_path_buf(), doomed));
        Ok(())
    }

    fn forget(&mut self, path: &Path) {
        self.made.retain(|(made, _)| made != path);
    }

    /// Gives a file the name of what it replaces; all that were made stay then.
    pub(super) fn replace(&mut self, from: &Path, to: &Path) -> Result<()> {
        // A signal that ends the program from here on must remove nothing. If it comes before
        // the renaming, it leaves files that nobody names.
        let made: Vec<_> = self.made.drain(..).map(|(path, _)| path).collect();
        let renamed = self.disk.rename(from, to);
        if renamed.is_err() {
            made.iter().rev().for_each(|path| self.remove(path));
        }
        let cannot_rename = |e| Error::io("cannot be replaced", e);
        renamed.map_err(|e| cannot_rename(e).in_file(display_path(to)))
    }

    /// Removes a file of ours that is of no use any more.
    pub(super) fn remove(&self, path: &Path) {
        // What cannot be removed is ignored by servers, and overwritten by the next run.
        let _ = self.disk.unlink(path);
    }

    pub(super) fn sync_folder(&self, folder: &Path) -> Result<()> {
        let cannot_sync = |e| Error::io("cannot make the names in the folder durable", e);
        self.disk
            .sync_folder(folder)
            .map_err(|e| cannot_sync(e).in_file(display_path(folder)))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        while let Some((path, _doomed)) = self.made.pop() {
            self.remove(&path);
        }
    }
}
