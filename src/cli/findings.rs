//! What is found in an input, as it will be printed: kept until its turn comes, in memory
//! that does not grow with it.

use std::io::{self, Read, Seek as _, SeekFrom, Write};

use rdbkit::bytes::temporary::{cannot_read, cannot_write};
use rdbkit::error::{Error, Result};
use rdbkit::limits::FINDINGS_BYTES;
use rdbkit::report::{Finding, junit, lines};
use tempfile::SpooledTempFile;

use super::args::ReportFormat;

/// A text that goes to a file without a name as soon as it is long.
pub(super) struct Text(SpooledTempFile);

impl Text {
    pub(super) fn new() -> Self {
        Text(SpooledTempFile::new(FINDINGS_BYTES))
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(cannot_write)
    }

    /// Passes all of it on, piece by piece.
    pub(super) fn drain(mut self, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.0.seek(SeekFrom::Start(0)).map_err(cannot_read)?;
        let mut piece = vec![0; 64 << 10];
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(len) => to(&piece[..len])?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(cannot_read(e)),
            }
        }
    }
}

/// What is found in one input, in the format that is wanted.
pub(super) struct Findings {
    format: ReportFormat,
    strict: bool,
    text: Text,
    /// What does not fail a JUnit case, which stands behind what does.
    notes: Option<Text>,
    /// Whether something fails it.
    fails: bool,
    /// Why nothing more is kept.
    refused: Option<Error>,
}

impl Findings {
    pub(super) fn new(format: ReportFormat, strict: bool) -> Self {
        Findings {
            format,
            strict,
            text: Text::new(),
            notes: None,
            fails: false,
            refused: None,
        }
    }

    /// Whether a finding, with `--strict` a warning too, fails the input's JUnit case.
    pub(super) fn fails(&self) -> bool {
        self.fails
    }

    pub(super) fn add(&mut self, finding: &Finding) {
        if self.refused.is_none() {
            self.refused = self.put(finding).err();
        }
    }

    fn put(&mut self, finding: &Finding) -> Result<()> {
        match self.format {
            ReportFormat::Text => self.text.put(format!("{finding}\n").as_bytes()),
            ReportFormat::Json => {
                let line = lines::line("finding", lines::finding(finding));
                self.text.put(&line)
            }
            ReportFormat::Junit if self.strict || junit::is_failure(finding) => {
                self.fails = true;
                self.text.put(junit::failure(finding).as_bytes())
            }
            ReportFormat::Junit => {
                let first = self.notes.is_none();
                let notes = self.notes.get_or_insert_with(Text::new);
                notes.put(junit::note(finding, first).as_bytes())
            }
        }
    }

    /// Passes all of it on.
    ///
    /// # Errors
    /// Not all could be kept, or the error of `to`.
    pub(super) fn drain(self, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self.refused {
            Some(error) => return Err(error),
            None => self.text.drain(&mut to)?,
        }
        match self.notes {
            Some(notes) => {
                notes.drain(&mut to)?;
                to(junit::END_OF_NOTES.as_bytes())
            }
            None => Ok(()),
        }
    }
}
