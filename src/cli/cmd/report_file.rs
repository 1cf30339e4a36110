//! The file that `--report` names: opened before the work begins, complete when it ends.

use std::cell::RefCell;
use std::path::Path;

use rdbkit::aof::layout::MANIFEST_SUFFIX;
use rdbkit::bytes::file_id::FileId;
use rdbkit::bytes::sink::{OutputFile, OutputOptions, is_same_target};
use rdbkit::error::{Error, Result};

/// Where a report goes besides stdout.
#[derive(Default)]
pub(super) struct ReportFile(RefCell<Option<OutputFile>>);

impl ReportFile {
    /// Opens the file, if one is named, which must be none of the inputs and outputs.
    pub(super) fn open<'a>(
        path: Option<&str>,
        force: bool,
        inputs: impl Iterator<Item = &'a str>,
        mut outputs: impl Iterator<Item = &'a Path>,
    ) -> Result<ReportFile> {
        let Some(path) = path else {
            return Ok(ReportFile::default());
        };
        let refused = |what: &str| Err(Error::usage(what).in_file(path));
        if outputs.any(|output| is_same_target(output, Path::new(path))) {
            return refused("is both the output and the report");
        }
        let mut sources = Vec::new();
        for input in inputs {
            let input = Path::new(if input == "-" { "/dev/stdin" } else { input });
            let folder = match input.to_string_lossy().ends_with(MANIFEST_SUFFIX) {
                true => input.parent(),
                false => Some(input).filter(|input| input.is_dir()),
            };
            if folder.is_some_and(|folder| lies_in(Path::new(path), folder)) {
                return refused("lies in the folder of the log that is read");
            }
            sources.extend(FileId::of_path(input));
        }
        let options = OutputOptions::new().force(force).sources(sources);
        let file = OutputFile::create(path, &options)?;
        Ok(ReportFile(RefCell::new(Some(file))))
    }

    /// Whether there is one to be written.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Writes the report, to stdout too if it is wanted there.
    pub(super) fn deliver(&self, text: &[u8], to_stdout: bool) -> Result<()> {
        if to_stdout {
            let mut stdout = OutputFile::stdout()?;
            stdout.put(text)?;
            stdout.commit()?;
        }
        let Some(mut file) = self.0.take() else {
            return Ok(());
        };
        file.put(text)?;
        file.commit().map(drop)
    }
}

fn lies_in(path: &Path, folder: &Path) -> bool {
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    match (above.canonicalize(), folder.canonicalize()) {
        (Ok(above), Ok(folder)) => above.starts_with(folder),
        _ => false,
    }
}
