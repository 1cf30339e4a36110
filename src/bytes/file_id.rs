//! Which file it is, and whether it is still as it was.
//!
//! A name can lead to another file a moment later, so both questions are asked of
//! an open file where one is at hand. [`FileId`] tells two names of one file;
//! [`FileStamp`] is compared before and after reading.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};

/// A path for messages: one line, whatever its name contains.
#[must_use]
pub fn display_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.contains(char::is_control) {
        false => text.into_owned(),
        true => text.escape_debug().collect(),
    }
}

/// What makes a file this file, whatever it is called: device and inode.
///
/// Elsewhere than on Unix it is the canonical path, which is only known for names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileId(Identity);

#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = std::path::PathBuf;

impl FileId {
    /// The file that a path leads to, through symbolic links.
    ///
    /// # Errors
    /// There is none, or it cannot be looked at.
    pub fn of_path(path: &Path) -> io::Result<FileId> {
        #[cfg(unix)]
        return std::fs::metadata(path).map(|metadata| FileId::of_metadata(&metadata));
        #[cfg(not(unix))]
        return path.canonicalize().map(FileId);
    }

    #[cfg(unix)]
    fn of_metadata(metadata: &Metadata) -> FileId {
        use std::os::unix::fs::MetadataExt;
        FileId((metadata.dev(), metadata.ino()))
    }
}

/// Size, time of the last change and identity of an open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp {
    len: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    id: FileId,
}

impl FileStamp {
    /// Looks at an open file.
    ///
    /// # Errors
    /// The system does not say.
    pub fn of(file: &File) -> io::Result<FileStamp> {
        file.metadata()
            .map(|metadata| FileStamp::of_metadata(&metadata))
    }

    fn of_metadata(metadata: &Metadata) -> FileStamp {
        FileStamp {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            id: FileId::of_metadata(metadata),
        }
    }

    /// The size when it was looked at.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file had no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Which file it is.
    #[cfg(unix)]
    #[must_use]
    pub fn id(&self) -> FileId {
        self.id.clone()
    }

    /// Checks that the open file has the same size and time as then.
    ///
    /// A server that saves renames a new file over the old name; what is open here
    /// stays whole, so that is no error. [`FileStamp::is_replaced`] tells it.
    ///
    /// # Errors
    /// `input_changed`, or the system does not say.
    pub fn check_unchanged(&self, file: &File) -> Result<()> {
        let now =
            FileStamp::of(file).map_err(|e| Error::io("cannot look at the input again", e))?;
        match now == *self {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InputChanged)),
        }
    }

    /// Whether the name leads to another file by now, or to none.
    #[must_use]
    pub fn is_replaced(&self, path: &Path) -> bool {
        #[cfg(unix)]
        return FileId::of_path(path).map_or(true, |id| id != self.id);
        #[cfg(not(unix))]
        return !path.exists();
    }
}

/// A regular file that is open, how it was when it was opened, and its name then.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// The open file.
    pub file: Arc<File>,
    /// How it was.
    pub stamp: FileStamp,
    /// Its name; none if it was handed over open.
    pub path: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::Code;

    #[test]
    fn stamp_of_a_file_that_grew_or_shrank_is_refused() {
        let mut temp = tempfile::NamedTempFile::new().unwrap();
        temp.write_all(b"1234").unwrap();
        let stamp = FileStamp::of(temp.as_file()).unwrap();
        assert_eq!(stamp.len(), 4);
        stamp.check_unchanged(temp.as_file()).unwrap();
        for len in [5, 3] {
            temp.as_file().set_len(len).unwrap();
            let error = stamp.check_unchanged(temp.as_file()).unwrap_err();
            assert_eq!(error.code(), Code::InputChanged);
        }
    }

    #[test]
    fn stamp_of_a_renamed_over_file_is_replaced_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&old, "old").unwrap();
        std::fs::write(&new, "new").unwrap();
        let file = File::open(&old).unwrap();
        let stamp = FileStamp::of(&file).unwrap();
        assert!(!stamp.is_replaced(&old));
        std::fs::rename(&new, &old).unwrap();
        assert_eq!(stamp.is_replaced(&old), cfg!(unix));
        stamp.check_unchanged(&file).unwrap();
    }
}
