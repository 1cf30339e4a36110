//! A log of one file.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::fresh::{Fresh, Growing};
use super::guard::{Claim, Guarded};
use super::{Options, Replaced};
use crate::aof::Manifest;
use crate::aof::layout::{MANIFEST_SUFFIX, file_name, list};
use crate::bytes::cleanup;
use crate::bytes::file_id::{OpenFile, display_path};
use crate::bytes::sink::folder_of;
use crate::error::{Error, Result};

pub(super) struct FileInPlace {
    new: Growing,
    // Its files go before the lock does.
    fresh: Fresh,
    old: Guarded,
    claim: Claim,
}

impl FileInPlace {
    pub(super) fn new(claim: Claim, file: OpenFile, options: Options) -> Result<FileInPlace> {
        refuse_part(claim.path()).map_err(|error| error.in_file(display_path(claim.path())))?;
        let old = Guarded::new(claim.path().to_path_buf(), file, options.force_offline)?;
        old.check()?;
        Ok(FileInPlace {
            new: Growing::new(beside(claim.path(), ".tmp")),
            fresh: Fresh::new(options.disk),
            old,
            claim,
        })
    }

    pub(super) fn name(&self) -> String {
        display_path(self.claim.path())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.new.write(bytes, &mut self.fresh)
    }

    pub(super) fn commit(mut self) -> Result<Replaced> {
        let path = self.claim.path().to_path_buf();
        let folder = folder_of(&path).to_path_buf();
        let name = display_path(&path);
        let metadata = self.old.file().metadata();
        let metadata = metadata.map_err(|e| Error::io("cannot look at it", e).in_file(&name))?;
        let bytes = self.new.finish(&metadata, &mut self.fresh)?;
        let spare = beside(&path, ".old");
        let disk = self.fresh.disk.clone();
        let cannot_remove = |e| Error::io("cannot remove what an earlier run left", e);
        disk.unlink(&spare)
            .map_err(|e| cannot_remove(e).in_file(display_path(&spare)))?;
        self.old.check()?;
        // Registered first, so that no signal falls between.
        let _doomed = cleanup::register(&spare);
        // Without a lease nobody is waited for, and nothing is ever taken back.
        let has_spare = self.old.has_lease() && disk.link(&path, &spare).is_ok();
        let replaced = self.fresh.replace(self.new.path(), &path);
        if replaced.is_err() && has_spare {
            self.fresh.remove(&spare);
        }
        replaced?;
        if let Err(changed) = self.old.check_lease() {
            if !has_spare {
                let doing = "was opened in the moment when it was replaced: what the other process writes is lost";
                return Err(Error::io(doing, io::ErrorKind::ResourceBusy.into()).in_file(name));
            }
            let cannot_restore = |e| Error::io("cannot get its name back", e);
            disk.rename(&spare, &path)
                .map_err(|e| cannot_restore(e).in_file(display_path(&spare)))?;
            self.fresh.sync_folder(&folder)?;
            return Err(changed);
        }
        self.fresh.sync_folder(&folder)?;
        let mut left = Vec::new();
        if has_spare {
            let removed = disk.unlink(&spare).map(drop);
            if let Err(e) = removed.and_then(|()| disk.sync_folder(&folder)) {
                left.push((spare, e));
            }
        }
        Ok(Replaced { bytes, left })
    }
}

/// A name for a file of ours beside a file.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(".rdbkit-");
    name.push(path.file_name().unwrap_or_default());
    name.push(end);
    path.with_file_name(name)
}

/// Refuses what is only a part of a log: commands without the base that they change.
fn refuse_part(path: &Path) -> Result<()> {
    for manifest in list(folder_of(path))? {
        let name = file_name(&manifest);
        if !name.ends_with(MANIFEST_SUFFIX.as_bytes()) || name.starts_with(b"temp-") {
            continue;
        }
        let text = fs::read(&manifest).map_err(|e| {
            Error::io("cannot read the manifest beside it", e).in_file(display_path(&manifest))
        })?;
        let is_listed = match Manifest::parse(&text) {
            Ok(manifest) => manifest
                .entries()
                .any(|entry| entry.file == file_name(path)),
            // It may well have been.
            Err(_) => true,
        };
        if is_listed {
            return Err(Error::usage(format!(
                "is a part of the set of {}: name that to replace the whole",
                display_path(&manifest)
            )));
        }
    }
    Ok(())
}
