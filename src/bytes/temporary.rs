//! Temporary files that have no name: nothing is left of them, whatever ends the program.
//!
//! They lie in the system's folder for such files, on Unix the one that `TMPDIR` names.

use std::env;
use std::fs::File;
use std::io;

use super::file_id::display_path;
use crate::error::{Error, Result};

/// Makes an empty file.
///
/// # Errors
/// The folder is not there, not writable or full.
pub fn file() -> Result<File> {
    tempfile::tempfile().map_err(cannot_write)
}

/// An error of a temporary file that says which folder is full, and how to choose another.
#[must_use]
pub fn cannot_write(source: io::Error) -> Error {
    let folder = display_path(&env::temp_dir());
    let what = format!("cannot write a temporary file in {folder} (TMPDIR names another folder)");
    // What tempfile makes of an error names a path that nobody will find.
    let source = source
        .raw_os_error()
        .map_or(source, io::Error::from_raw_os_error);
    Error::io(what, source)
}

/// An error of reading a temporary file back.
#[must_use]
pub fn cannot_read(source: io::Error) -> Error {
    Error::io("cannot read a temporary file back", source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_the_folder_and_the_way_out() {
        let error = cannot_write(io::ErrorKind::StorageFull.into());
        assert_eq!(error.code().as_str(), "io");
        let text = error.to_string();
        let folder = display_path(&env::temp_dir());
        assert!(text.contains(&folder) && text.contains("TMPDIR"), "{text}");
    }
}
