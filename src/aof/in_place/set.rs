//! A multi-part set.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fresh::{Fresh, Growing};
use super::guard::{Claim, Guarded};
use super::{Options, Replaced};
use crate::aof::layout::{
    AofSet, LayoutFinding, MANIFEST_SUFFIX, PartKind, file_name, list, os_str, part_name,
};
use crate::aof::manifest::{Entry, EntryKind, Manifest};
use crate::aof::writer::BaseForm;
use crate::bytes::disk::DiskFile;
use crate::bytes::file_id::{FileId, FileStamp, OpenFile, display_path};
use crate::bytes::lease::Lease;
use crate::bytes::sink::folder_of;
use crate::error::{Error, ErrorKind, Result};

/// Named like a server's own, so that servers and people know what it is.
const TEMP_BASE: &str = "temp-rewriteaof-rdbkit.aof";

pub(super) struct SetInPlace {
    new_base: Growing,
    // Its files go before the lock does.
    fresh: Fresh,
    dir: PathBuf,
    base: Entry,
    incr: Entry,
    old: Manifest,
    old_text: Vec<u8>,
    /// The manifest first, then the parts.
    guarded: Vec<Guarded>,
    /// What rewrites that did not get to their end have left.
    litter: Vec<PathBuf>,
    /// After which files the new ones take.
    like: Like,
    _claim: Claim,
}

struct Like {
    base: Metadata,
    incr: Metadata,
    manifest: Metadata,
}

impl SetInPlace {
    pub(super) fn new(
        claim: Claim,
        set: &AofSet,
        parts: Vec<OpenFile>,
        form: BaseForm,
        options: Options,
    ) -> Result<SetInPlace> {
        let name = display_path(claim.path());
        let begun = SetInPlace::begin(claim, set, parts, form, options);
        begun.map_err(|error| match error.context().file {
            Some(_) => error,
            None => error.in_file(name),
        })
    }

    fn begin(
        claim: Claim,
        set: &AofSet,
        parts: Vec<OpenFile>,
        form: BaseForm,
        options: Options,
    ) -> Result<SetInPlace> {
        refuse(&claim, set, &parts)?;
        let path = claim.path();
        let cannot_read = |e| Error::io("cannot read", e);
        let mut manifest = File::open(path).map_err(cannot_read)?;
        let stamp = FileStamp::of(&manifest).map_err(cannot_read)?;
        let mut old_text = Vec::new();
        manifest.read_to_end(&mut old_text).map_err(cannot_read)?;
        let old = Manifest::parse(&old_text)?;
        if old != set.manifest {
            return Err(Error::new(ErrorKind::InputChanged));
        }
        let open = OpenFile {
            file: Arc::new(manifest),
            stamp,
            path: Some(path.to_path_buf()),
        };
        let mut guarded = vec![Guarded::new(
            path.to_path_buf(),
            open,
            options.force_offline,
        )?];
        for (part, open) in set.parts.iter().zip(parts) {
            guarded.push(Guarded::new(
                part.path.clone(),
                open,
                options.force_offline,
            )?);
        }
        guarded.iter().try_for_each(Guarded::check)?;
        let metadata = |guarded: Option<&Guarded>| {
            let none = || Error::new(ErrorKind::Internal("a set that is replaced has parts"));
            guarded
                .ok_or_else(none)?
                .file()
                .metadata()
                .map_err(cannot_read)
        };
        let like = Like {
            base: metadata(guarded.get(1))?,
            incr: metadata(guarded.last())?,
            manifest: metadata(guarded.first())?,
        };
        let dir = folder_of(path).to_path_buf();
        let file = file_name(path);
        let prefix = file
            .strip_suffix(MANIFEST_SUFFIX.as_bytes())
            .unwrap_or(file);
        let names = NewNames::choose(&old, &dir, prefix, form)?;
        let (base, mut incr) = (names.base, names.incr);
        incr.start_offset = replication_offset(set);
        Ok(SetInPlace {
            new_base: Growing::new(dir.join(TEMP_BASE)),
            fresh: Fresh::new(options.disk),
            dir,
            base,
            incr,
            old,
            old_text,
            guarded,
            litter: names.litter,
            like,
            _claim: claim,
        })
    }

    pub(super) fn name(&self) -> String {
        display_path(&self.path_of(&self.base.file))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.new_base.write(bytes, &mut self.fresh)
    }

    fn path_of(&self, name: &[u8]) -> PathBuf {
        self.dir.join(os_str(name))
    }

    fn manifest_path(&self) -> PathBuf {
        self.guarded[0].path().to_path_buf()
    }

    fn temp_manifest_path(&self) -> PathBuf {
        self.path_of(&temp_of(file_name(self.guarded[0].path())))
    }

    /// Everything that was loaded or listed as history before.
    fn history(&self) -> Vec<Entry> {
        let to_history = |entry: &Entry| {
            let mut entry = entry.clone();
            entry.kind = EntryKind::History;
            entry.start_offset = None;
            entry.end_offset = None;
            entry
        };
        let old = &self.old;
        let parts = old.base.iter().chain(&old.incrs);
        old.history.iter().chain(parts).map(to_history).collect()
    }

    fn manifest(&self, history: Vec<Entry>) -> Result<Vec<u8>> {
        let manifest = Manifest {
            base: Some(self.base.clone()),
            incrs: vec![self.incr.clone()],
            history,
        };
        let text = manifest.encode();
        // A name can be so long that servers cannot read the line.
        match Manifest::parse(&text)? == manifest {
            true => Ok(text),
            false => Err(Error::new(ErrorKind::Internal(
                "a manifest reads as it was written",
            ))),
        }
    }

    /// Writes a manifest beside the one that it will replace.
    fn write_manifest(&mut self, text: &[u8]) -> Result<DiskFile> {
        let temp = self.temp_manifest_path();
        let file = self.fresh.file(&temp, text, &self.like.manifest)?;
        self.fresh.sync_folder(&self.dir)?;
        Ok(file)
    }

    pub(super) fn commit(mut self) -> Result<Replaced> {
        let (base, incr) = (self.path_of(&self.base.file), self.path_of(&self.incr.file));
        let (temp, manifest) = (self.temp_manifest_path(), self.manifest_path());
        let first = self.manifest(self.history())?;
        let bytes = self.new_base.finish(&self.like.base, &mut self.fresh)?;
        self.fresh.file(&incr, b"", &self.like.incr)?;
        self.fresh.rename(self.new_base.path(), &base)?;
        self.fresh.sync_folder(&self.dir)?;
        let file = self.write_manifest(&first)?;
        let lease = self.lease_of(&file)?;
        self.check()?;
        self.fresh.replace(&temp, &manifest)?;
        if let Err(changed) = self.guarded.iter().try_for_each(Guarded::check_lease) {
            self.take_back(lease.as_ref(), &[base, incr])?;
            return Err(changed);
        }
        self.fresh.sync_folder(&self.dir)?;
        let left = self.tidy(lease.as_ref());
        Ok(Replaced { bytes, left })
    }

    /// Holds off a server that starts on the new manifest before the last one is there.
    fn lease_of(&self, file: &DiskFile) -> Result<Option<Lease>> {
        if !self.guarded.iter().any(Guarded::has_lease) {
            return Ok(None);
        }
        Lease::take(file.file()).map(Some).map_err(|_| {
            let by = "another process has opened it".into();
            Error::new(ErrorKind::InUse { by }).in_file(display_path(file.path()))
        })
    }

    fn check(&self) -> Result<()> {
        self.guarded.iter().try_for_each(Guarded::check)?;
        let manifest = &self.guarded[0];
        let mut text = Vec::new();
        let mut file = manifest.file();
        let read = file.rewind().and_then(|()| file.read_to_end(&mut text));
        let name = || display_path(manifest.path());
        read.map_err(|e| Error::io("cannot read", e).in_file(name()))?;
        match text == self.old_text {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InputChanged).in_file(name())),
        }
    }

    /// Gives the old manifest its name back: somebody opened a file of the old log and waits.
    fn take_back(&mut self, new_manifest: Option<&Lease>, new: &[PathBuf]) -> Result<()> {
        // Unless somebody waits for the new manifest, too. It serves as well as the old one.
        if new_manifest.is_some_and(|lease| !lease.is_held()) {
            return Ok(());
        }
        let text = std::mem::take(&mut self.old_text);
        let (temp, manifest) = (self.temp_manifest_path(), self.manifest_path());
        self.write_manifest(&text)?;
        self.fresh.replace(&temp, &manifest)?;
        self.fresh.sync_folder(&self.dir)?;
        new.iter().for_each(|path| self.fresh.remove(path));
        Ok(())
    }

    /// Removes what is history, and its names from the manifest. The log has been replaced;
    /// what goes wrong here is only left lying about, and servers tidy it up.
    fn tidy(&mut self, new_manifest: Option<&Lease>) -> Vec<(PathBuf, io::Error)> {
        let mut left = Vec::new();
        let mut history = self.history();
        history.retain(|entry| {
            let path = self.path_of(&entry.file);
            let error = self.fresh.disk.unlink(&path).err();
            error.map(|error| left.push((path, error))).is_some()
        });
        for path in &self.litter {
            if let Err(error) = self.fresh.disk.unlink(path) {
                left.push((path.clone(), error));
            }
        }
        let (temp, manifest) = (self.temp_manifest_path(), self.manifest_path());
        let written = self.manifest(history).and_then(|last| {
            self.write_manifest(&last)?;
            // A server that waits for the new manifest writes the last one itself.
            if new_manifest.is_some_and(|lease| !lease.is_held()) {
                return Ok(());
            }
            self.fresh.replace(&temp, &manifest)?;
            self.fresh.sync_folder(&self.dir)
        });
        if let Err(error) = written {
            left.push((manifest, io::Error::other(error)));
        }
        left
    }
}

/// As servers call a manifest that is being written.
fn temp_of(manifest: &[u8]) -> Vec<u8> {
    [b"temp-", manifest].concat()
}

/// Refuses sets whose replacement would not be what a server takes for the log.
fn refuse(claim: &Claim, set: &AofSet, parts: &[OpenFile]) -> Result<()> {
    if claim.is_link() {
        return Err(Error::usage(
            "is a symbolic link: name the manifest in the folder of the parts",
        ));
    }
    for finding in &set.findings {
        if let LayoutFinding::Upgrade(single) = finding {
            return Err(Error::usage(format!(
                "names no part yet: the log is {}, name that",
                display_path(single)
            )));
        }
    }
    if set.parts.is_empty() {
        return Err(Error::usage(
            "names no part that is there: nothing to rewrite",
        ));
    }
    let temp_manifest = temp_of(file_name(claim.path()));
    let is_ours = |entry: &Entry| entry.file == TEMP_BASE.as_bytes() || entry.file == temp_manifest;
    if set.manifest.entries().any(is_ours) {
        return Err(Error::usage(
            "names a file that has the name of a temporary one",
        ));
    }
    let same = |path: &Path| FileId::of_path(path).ok();
    let is_claimed = same(&set.dir) == same(folder_of(claim.path()));
    match is_claimed && set.parts.len() == parts.len() {
        true => Ok(()),
        false => Err(Error::usage("is another set than the one that was opened")),
    }
}

/// The replication offset at which the new incr begins (Redis 8.0 and newer): where the last
/// one ends.
fn replication_offset(set: &AofSet) -> Option<i64> {
    let last = set.manifest.incrs.last()?;
    let bytes = set.parts.last()?.bytes;
    let behind = |start: i64| start.checked_add(i64::try_from(bytes).ok()?);
    last.end_offset
        .or_else(|| last.start_offset.and_then(behind))
}

/// How the new files are called.
struct NewNames {
    base: Entry,
    incr: Entry,
    litter: Vec<PathBuf>,
}

impl NewNames {
    fn choose(old: &Manifest, dir: &Path, prefix: &[u8], form: BaseForm) -> Result<NewNames> {
        if prefix.is_empty() {
            return Err(Error::usage("has no name for its parts to begin with"));
        }
        let (mut base_seq, mut incr_seq) = (0, 0);
        let mut take = |kind, seq: i64| match kind {
            PartKind::Base => base_seq = base_seq.max(seq),
            PartKind::Incr => incr_seq = incr_seq.max(seq),
        };
        for entry in old.entries() {
            match entry.kind {
                EntryKind::Base => take(PartKind::Base, entry.seq),
                EntryKind::Incr => take(PartKind::Incr, entry.seq),
                EntryKind::History => {}
            }
            if let Some((kind, seq)) = part_name(&entry.file, prefix) {
                take(kind, seq);
            }
        }
        let next = |seq: i64| {
            let none = || Error::usage("has the highest sequence number there is");
            seq.checked_add(1).ok_or_else(none)
        };
        let base_seq = next(base_seq)?;
        let mut litter = Vec::new();
        for path in list(dir)? {
            let name = file_name(&path);
            if old.entries().any(|entry| entry.file == name) {
                continue;
            }
            let is_empty =
                || fs::symlink_metadata(&path).is_ok_and(|is| is.is_file() && is.len() == 0);
            match part_name(name, prefix) {
                // The number that the next base has. A server would write over it.
                Some((PartKind::Base, seq)) if seq == base_seq => litter.push(path),
                Some((PartKind::Incr, seq)) => {
                    incr_seq = incr_seq.max(seq);
                    if is_empty() {
                        litter.push(path);
                    }
                }
                _ => {}
            }
        }
        let incr_seq = next(incr_seq)?;
        let name = |end: &str| [prefix, end.as_bytes()].concat();
        let extension = match form {
            BaseForm::Rdb => "rdb",
            BaseForm::Commands => "aof",
        };
        let base = name(&format!(".{base_seq}.base.{extension}"));
        // One of the same name is replaced.
        litter.retain(|path| file_name(path) != base);
        let incr = name(&format!(".{incr_seq}.incr.aof"));
        Ok(NewNames {
            base: Entry::new(base, base_seq, EntryKind::Base),
            incr: Entry::new(incr, incr_seq, EntryKind::Incr),
            litter,
        })
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
