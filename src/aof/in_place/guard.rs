//! That nobody else works on the log: a lock, leases, and what the files were like.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::bytes::file_id::{OpenFile, display_path};
use crate::bytes::lease::{Lease, NoLease, who_has_open};
use crate::bytes::sink::folder_of;
use crate::error::{Error, ErrorKind, Result};

/// The folder of a log, which no second rewrite gets before this one is dropped.
///
/// It is taken before the log is opened: opening a file would break the leases of the rewrite
/// that is at work there.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    is_link: bool,
    /// Locked (`flock`) as long as it is open.
    _folder: File,
}

impl Claim {
    /// Locks the folder of a single file, or of a set's manifest. A symbolic link is followed.
    ///
    /// ```
    /// use rdbkit::aof::in_place::Claim;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("appendonly.aof");
    /// std::fs::write(&path, "")?;
    /// let claim = Claim::lock(&path, false)?;
    /// assert_eq!(Claim::lock(&path, false).unwrap_err().code().as_str(), "in_use");
    /// drop(claim);
    /// Claim::lock(&path, false)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `in_use`: another rewrite holds the lock. Usage: it is stdin or a folder. `unsupported`:
    /// the file system has no locks, unless `force_offline`. I/O: there is no such file.
    pub fn lock(path: &Path, force_offline: bool) -> Result<Claim> {
        let lock = || {
            if path == Path::new("-") {
                return Err(Error::usage("stdin cannot be replaced: name a file"));
            }
            let cannot_open = |e| Error::io("cannot open", e);
            let is_link = path.symlink_metadata().map_err(cannot_open)?.is_symlink();
            let path = path.canonicalize().map_err(cannot_open)?;
            if path.is_dir() {
                return Err(Error::usage("is a folder: name its manifest"));
            }
            if !path.is_file() {
                return Err(Error::usage(
                    "is no regular file, which alone can be replaced",
                ));
            }
            let folder =
                File::open(folder_of(&path)).map_err(|e| Error::io("cannot open its folder", e))?;
            match folder.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let by = "another rewrite works in its folder".into();
                    return Err(Error::new(ErrorKind::InUse { by }));
                }
                Err(TryLockError::Error(_)) if force_offline => {}
                Err(TryLockError::Error(_)) => return Err(unsure("its folder cannot be locked")),
            }
            Ok(Claim {
                path,
                is_link,
                _folder: folder,
            })
        };
        lock().map_err(|error| error.in_file(display_path(path)))
    }

    /// The file, links followed: what is to be opened, once.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a symbolic link led to it.
    pub(super) fn is_link(&self) -> bool {
        self.is_link
    }
}

/// What cannot be known; the user can say that no server runs.
#[cold]
fn unsure(why: &str) -> Error {
    let what = format!(
        "{why}, so a server that has the log open would go unnoticed (--force-offline if none has)"
    );
    Error::new(ErrorKind::Unsupported { what: what.into() })
}

/// A file that must not change until it is replaced.
#[derive(Debug)]
pub(super) struct Guarded {
    path: PathBuf,
    open: OpenFile,
    lease: Option<Lease>,
}

impl Guarded {
    /// Takes a lease, if there are any.
    pub(super) fn new(path: PathBuf, open: OpenFile, force_offline: bool) -> Result<Guarded> {
        let lease = match Lease::take(&open.file) {
            Ok(lease) => Some(lease),
            Err(NoLease::InUse) => {
                let by = match who(&open) {
                    Some(who) => format!("{who} has it open"),
                    None => "another process has it open".to_owned(),
                };
                let error = Error::new(ErrorKind::InUse { by: by.into() });
                return Err(error.in_file(display_path(&path)));
            }
            Err(_) if force_offline => None,
            Err(NoLease::NotOwner) => {
                let error = unsure("only its owner and root can take a lease on it");
                return Err(error.in_file(display_path(&path)));
            }
            Err(NoLease::Unsupported(_)) => {
                let error = unsure("its file system grants no lease on it");
                return Err(error.in_file(display_path(&path)));
            }
        };
        Ok(Guarded { path, open, lease })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.open.file
    }

    pub(super) fn has_lease(&self) -> bool {
        self.lease.is_some()
    }

    /// Checks that the file is as it was, under its name, and that nobody came for it.
    pub(super) fn check(&self) -> Result<()> {
        let unchanged = self.open.stamp.check_unchanged(&self.open.file);
        let unchanged = unchanged.and_then(|()| match self.open.stamp.is_replaced(&self.path) {
            true => Err(Error::new(ErrorKind::InputChanged)),
            false => Ok(()),
        });
        unchanged
            .map_err(|error| error.in_file(display_path(&self.path)))
            .and_then(|()| self.check_lease())
    }

    /// Checks that nobody came for the file.
    pub(super) fn check_lease(&self) -> Result<()> {
        match &self.lease {
            Some(lease) if !lease.is_held() => {
                let error = Error::new(ErrorKind::InputChanged);
                Err(error.in_file(display_path(&self.path)))
            }
            _ => Ok(()),
        }
    }
}

fn who(open: &OpenFile) -> Option<String> {
    #[cfg(unix)]
    return who_has_open(&open.stamp.id());
    #[cfg(not(unix))]
    {
        let _ = who_has_open;
        let _ = open;
        None
    }
}
