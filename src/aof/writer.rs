//! A new multi-part set: a folder with a base, an empty incr and their manifest.
//!
//! ```text
//! create   the folder, which is absent or empty
//! base     a temporary file in it: <prefix>.1.base.rdb or .aof
//! commit   base → its name; <prefix>.1.incr.aof, empty; last the manifest
//! drop     without commit: what was made goes again
//! ```
//!
//! A server takes a folder without a manifest for no log, so the manifest comes last.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::layout::MANIFEST_SUFFIX;
use super::manifest::{Entry, EntryKind, Manifest};
use crate::bytes::cleanup::{self, Doomed};
use crate::bytes::file_id::display_path;
use crate::bytes::sink::{OutputFile, OutputFolder, OutputOptions, sync_folder};
use crate::error::{Error, Result};

/// The names of parts begin with it unless `appendfilename` says otherwise.
pub const DEFAULT_PREFIX: &str = "appendonly.aof";

/// What the base of a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseForm {
    /// An RDB.
    Rdb,
    /// Commands.
    Commands,
}

/// A multi-part set that appears when it is complete. Writing to it writes its base.
///
/// ```
/// use std::io::Write;
/// use rdbkit::aof::writer::{BaseForm, DEFAULT_PREFIX};
/// use rdbkit::aof::{AofFolder, AofSet};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("appendonlydir");
/// let mut folder = AofFolder::create(&path, DEFAULT_PREFIX, BaseForm::Commands)?;
/// folder.write_all(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")?;
/// folder.commit()?;
/// assert_eq!(AofSet::open(&path)?.parts.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AofFolder {
    path: PathBuf,
    prefix: String,
    base_name: String,
    base: Option<OutputFile>,
    /// Files under their names, which go if the set is not completed.
    finished: Vec<(PathBuf, Doomed)>,
    // Goes after its files.
    folder: OutputFolder,
}

impl AofFolder {
    /// Begins a set in a folder that is absent or empty; the names of its files begin with
    /// `prefix`.
    ///
    /// # Errors
    /// Usage: the folder holds something, or is a file. I/O: it cannot be made.
    pub fn create(path: impl AsRef<Path>, prefix: &str, form: BaseForm) -> Result<AofFolder> {
        let path = path.as_ref();
        let begun = begin(path, prefix, form);
        begun.map_err(|error| match error.context().file {
            Some(_) => error,
            None => error.in_file(display_path(path)),
        })
    }

    /// The name of the base for messages.
    #[must_use]
    pub fn name(&self) -> String {
        display_path(&self.path.join(&self.base_name))
    }

    /// Makes base, incr and manifest appear under their names, and returns the base's length.
    ///
    /// # Errors
    /// A file could not be completed; then none is left, unless the system refuses that too.
    pub fn commit(mut self) -> Result<u64> {
        let Some(base) = self.base.take() else {
            return Ok(0);
        };
        let incr_name = format!("{}.1.incr.aof", self.prefix);
        let manifest = Manifest {
            base: Some(Entry::new(self.base_name.as_bytes(), 1, EntryKind::Base)),
            incrs: vec![Entry::new(incr_name.as_bytes(), 1, EntryKind::Incr)],
            history: Vec::new(),
        };
        let bytes = self.finish(base, &self.path.join(&self.base_name))?;
        self.file(&incr_name, b"")?;
        let manifest_name = format!("{}{MANIFEST_SUFFIX}", self.prefix);
        self.file(&manifest_name, &manifest.encode())?;
        self.finished.clear();
        if self.folder.is_new() {
            let above = match self.path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let cannot_sync = |e| Error::io("cannot make the folder's name durable", e);
            sync_folder(above).map_err(|e| cannot_sync(e).in_file(display_path(&self.path)))?;
        }
        Ok(bytes)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let mut file = OutputFile::create(&path, &OutputOptions::new())?;
        file.put(bytes)?;
        self.finish(file, &path).map(drop)
    }

    /// Gives a file its name, which it loses if the set is not completed.
    fn finish(&mut self, file: OutputFile, path: &Path) -> Result<u64> {
        // Registered first, so that no signal falls between.
        let doomed = cleanup::register(path);
        let bytes = file.commit()?;
        self.finished.push((path.to_path_buf(), doomed));
        Ok(bytes)
    }
}

fn begin(path: &Path, prefix: &str, form: BaseForm) -> Result<AofFolder> {
    let output = OutputFolder::create(path)?;
    let mut files = fs::read_dir(path).map_err(|e| Error::io("cannot open for writing", e))?;
    if files.next().is_some() {
        return Err(Error::usage(
            "is a folder that is not empty: a set needs one of its own",
        ));
    }
    let extension = match form {
        BaseForm::Rdb => "rdb",
        BaseForm::Commands => "aof",
    };
    let mut folder = AofFolder {
        path: path.to_path_buf(),
        prefix: prefix.to_owned(),
        base_name: format!("{prefix}.1.base.{extension}"),
        base: None,
        finished: Vec::new(),
        folder: output,
    };
    let base = folder.path.join(&folder.base_name);
    folder.base = Some(OutputFile::create(base, &OutputOptions::new())?);
    Ok(folder)
}

impl Write for AofFolder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.base {
            Some(base) => base.write(bytes),
            None => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.base.as_mut().map_or(Ok(()), OutputFile::flush)
    }
}

impl fmt::Debug for AofFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AofFolder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Drop for AofFolder {
    fn drop(&mut self) {
        // Its temporary file goes first.
        self.base = None;
        for (path, _doomed) in self.finished.drain(..) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::AofSet;

    fn names(path: &Path) -> Vec<String> {
        let files = fs::read_dir(path).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn committed_set_has_three_files_and_opens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("set");
        for is_new in [true, false] {
            if !is_new {
                fs::remove_dir_all(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            let mut folder = AofFolder::create(&path, "p q", BaseForm::Rdb).unwrap();
            folder.write_all(b"REDIS0011\xff").unwrap();
            assert_eq!(folder.commit().unwrap(), 10);
            assert_eq!(
                names(&path),
                ["p q.1.base.rdb", "p q.1.incr.aof", "p q.manifest"]
            );
            let set = AofSet::open(&path).unwrap();
            assert_eq!(set.parts.len(), 2);
            assert!(set.findings.is_empty(), "{:?}", set.findings);
        }
    }

    #[test]
    fn dropped_set_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("set");
        let mut folder = AofFolder::create(&path, DEFAULT_PREFIX, BaseForm::Commands).unwrap();
        folder.write_all(b"half").unwrap();
        drop(folder);
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        drop(AofFolder::create(&path, DEFAULT_PREFIX, BaseForm::Commands).unwrap());
        assert_eq!(names(&path), [""; 0]);
    }

    #[test]
    fn folder_that_holds_something_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        for path in [dir.path().to_path_buf(), dir.path().join("file")] {
            let error = AofFolder::create(&path, DEFAULT_PREFIX, BaseForm::Rdb).unwrap_err();
            assert_eq!(error.code().as_str(), "usage", "{}", path.display());
        }
        assert_eq!(names(dir.path()), ["file"]);
    }
}
