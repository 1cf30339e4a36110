//! A file system that is small, so that it can be full.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// What fills it.
const FILLER: &str = "filler";

/// A file system of its own in memory.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of so many KiB, or says loudly that it cannot.
    pub(crate) fn mount(kib: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(SmallDisk { folder }),
            failed => {
                eprintln!("LEFT OUT: a full disk: cannot mount one: {failed:?}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn folder(&self) -> &TempDir {
        &self.folder
    }

    /// Fills it but for so many KiB. Pages are of 4 KiB.
    pub(crate) fn leave_free(&self, kib: u64) {
        let mut filler = File::create(self.path().join(FILLER)).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        let len = filler.stream_position().unwrap();
        filler.set_len(len.checked_sub(kib << 10).unwrap()).unwrap();
    }

    /// Takes out what fills it.
    pub(crate) fn clear(&self) {
        let filler = self.path().join(FILLER);
        if filler.exists() {
            fs::remove_file(filler).unwrap();
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
