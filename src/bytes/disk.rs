//! Every call that changes the disk while files are replaced in place, in one file.
//!
//! ```text
//! create   a new file, mode 0600       link      a second name for a file
//! write    bytes behind its end        rename    also over another file
//! own      owner and group, mode       unlink    a name goes
//! sync     fsync of a file             sync_folder   fsync of a folder
//! ```
//!
//! What replaces files calls nothing else, so that a test can stop it before any of these
//! calls, or have one fail as on a full disk: [`Disk::watched`].

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sink::{create_private, sync_folder};

/// One call that is about to change the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskCall {
    /// A new, empty file.
    Create(PathBuf),
    /// Bytes go to the end of a file.
    Write(PathBuf, Vec<u8>),
    /// A file takes over owner and group of another.
    Own(PathBuf),
    /// A file takes over the mode of another.
    Mode(PathBuf),
    /// What a file holds becomes durable.
    Sync(PathBuf),
    /// A file gets a second name.
    Link(PathBuf, PathBuf),
    /// A file gets another name, which another file may have had.
    Rename(PathBuf, PathBuf),
    /// A name goes.
    Unlink(PathBuf),
    /// The names in a folder become durable.
    SyncFolder(PathBuf),
}

type Watch = dyn Fn(&DiskCall) -> io::Result<()> + Send + Sync;

/// The disk, as far as it is changed.
#[derive(Clone, Default)]
pub struct Disk {
    before: Option<Arc<Watch>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    /// The system's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks `before` ahead of each call; its error is the call's, which then is not made.
    ///
    /// ```
    /// use std::io;
    /// use rdbkit::bytes::disk::{Disk, DiskCall};
    ///
    /// let full = |call: &DiskCall| match call {
    ///     DiskCall::Write(..) => Err(io::ErrorKind::StorageFull.into()),
    ///     _ => Ok(()),
    /// };
    /// let disk = Disk::watched(full);
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("new");
    /// let mut file = disk.create(&path)?;
    /// assert!(file.write_all(b"bytes").is_err());
    /// # Ok::<(), io::Error>(())
    /// ```
    #[must_use]
    pub fn watched(before: impl Fn(&DiskCall) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Disk {
            before: Some(Arc::new(before)),
        }
    }

    fn before(&self, call: impl FnOnce() -> DiskCall) -> io::Result<()> {
        match &self.before {
            Some(before) => before(&call()),
            None => Ok(()),
        }
    }

    /// Makes a file that only its owner can use.
    ///
    /// # Errors
    /// The name is taken, by a symbolic link for one; the folder is not writable.
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        self.before(|| DiskCall::Create(path.to_path_buf()))?;
        Ok(DiskFile {
            disk: self.clone(),
            file: create_private(path)?,
            path: path.to_path_buf(),
        })
    }

    /// Gives a file a second name, which must be free.
    ///
    /// # Errors
    /// The system refuses; some file systems know no such thing.
    pub fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(|| DiskCall::Link(from.to_path_buf(), to.to_path_buf()))?;
        fs::hard_link(from, to)
    }

    /// Gives a file another name; a file that had it loses it in the same moment.
    ///
    /// # Errors
    /// The system refuses; then both names are as they were.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(|| DiskCall::Rename(from.to_path_buf(), to.to_path_buf()))?;
        fs::rename(from, to)
    }

    /// Removes a name; whether there was one.
    ///
    /// # Errors
    /// The system refuses.
    pub fn unlink(&self, path: &Path) -> io::Result<bool> {
        if path.symlink_metadata().is_err() {
            return Ok(false);
        }
        self.before(|| DiskCall::Unlink(path.to_path_buf()))?;
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Makes durable which names a folder has.
    ///
    /// # Errors
    /// The system refuses.
    pub fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.before(|| DiskCall::SyncFolder(folder.to_path_buf()))?;
        sync_folder(folder)
    }
}

/// A file that is being made.
#[derive(Debug)]
pub struct DiskFile {
    disk: Disk,
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Its name when it was made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of `bytes` behind what is there.
    ///
    /// # Errors
    /// The disk is full, or the system refuses for another reason.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk
            .before(|| DiskCall::Write(self.path.clone(), bytes.to_vec()))?;
        self.file.write_all(bytes)
    }

    /// Takes over owner, group and mode of another file: a server must be able to use it.
    ///
    /// # Errors
    /// The system refuses; only root may give a file away.
    pub fn own_as(&self, other: &Metadata) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, fchown};
            let mine = self.file.metadata()?;
            if (mine.uid(), mine.gid()) != (other.uid(), other.gid()) {
                self.disk.before(|| DiskCall::Own(self.path.clone()))?;
                fchown(&self.file, Some(other.uid()), Some(other.gid()))?;
            }
        }
        self.disk.before(|| DiskCall::Mode(self.path.clone()))?;
        self.file.set_permissions(other.permissions())
    }

    /// Makes durable what was written, with owner and mode.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.before(|| DiskCall::Sync(self.path.clone()))?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_call_is_announced_and_can_be_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let disk = Disk::watched(move |call| {
            log.lock().unwrap().push(call.clone());
            Ok(())
        });
        let mut file = disk.create(&at("a")).unwrap();
        file.write_all(b"1").unwrap();
        file.own_as(&fs::metadata(folder.path()).unwrap()).unwrap();
        file.sync().unwrap();
        disk.link(&at("a"), &at("b")).unwrap();
        disk.rename(&at("a"), &at("c")).unwrap();
        assert!(disk.unlink(&at("b")).unwrap());
        assert!(!disk.unlink(&at("b")).unwrap());
        disk.sync_folder(folder.path()).unwrap();
        assert_eq!(
            *seen.lock().unwrap(),
            [
                DiskCall::Create(at("a")),
                DiskCall::Write(at("a"), b"1".to_vec()),
                DiskCall::Mode(at("a")),
                DiskCall::Sync(at("a")),
                DiskCall::Link(at("a"), at("b")),
                DiskCall::Rename(at("a"), at("c")),
                DiskCall::Unlink(at("b")),
                DiskCall::SyncFolder(folder.path().to_path_buf()),
            ]
        );
        assert_eq!(fs::read(at("c")).unwrap(), b"1");
        let refusing = Disk::watched(|_| Err(io::ErrorKind::StorageFull.into()));
        assert!(refusing.create(&at("d")).is_err());
        assert!(refusing.unlink(&at("c")).is_err());
        assert!(refusing.rename(&at("c"), &at("d")).is_err());
        assert!(!at("d").exists() && at("c").exists());
    }

    #[cfg(unix)]
    #[test]
    fn new_file_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(Disk::new().create(&link).is_err());
    }
}
