//! Where what a server loads goes: one file, a folder of parts, or the place of the log that is read.

use std::io::{self, Write};
use std::path::Path;

use rdbkit::aof::writer::{BaseForm, DEFAULT_PREFIX};
use rdbkit::aof::{AofFolder, AofSet, InPlace};
use rdbkit::bytes::file_id::{FileId, display_path};
use rdbkit::bytes::sink::OutputFile;
use rdbkit::error::{Error, Result};

use super::convert::output;
use crate::cli::args::{ConvertArgs, Format, YesNo};
use crate::cli::printer::Printer;

/// An output that is whole under its name, or not there at all.
pub(super) enum Destination {
    /// One file.
    File(OutputFile),
    /// A multi-part set.
    Folder(AofFolder),
    /// The log that is read.
    InPlace(InPlace),
}

impl Destination {
    /// Opens the output, which must be none of the inputs. Parts are named as those of the
    /// set that is read, if one is.
    pub(super) fn open(
        args: &ConvertArgs,
        format: Format,
        sources: impl IntoIterator<Item = FileId>,
        set: Option<&AofSet>,
    ) -> Result<Destination> {
        if let (Some(set), Some(path)) = (set, args.output.as_deref()) {
            refuse_inside(set, path)?;
        }
        if format == Format::AofDir {
            let Some(path) = args.output.as_deref().filter(|path| *path != "-") else {
                return Err(Error::usage("aof-dir is a folder: name it with -o"));
            };
            if args.force {
                return Err(Error::usage(
                    "--force replaces a file: a folder must be absent or empty",
                ));
            }
            let form = match args.rdb.preamble {
                Some(YesNo::No) => BaseForm::Commands,
                Some(YesNo::Yes) | None => BaseForm::Rdb,
            };
            let prefix = set.and_then(AofSet::prefix);
            let prefix = prefix.as_deref().unwrap_or(DEFAULT_PREFIX);
            return AofFolder::create(path, prefix, form).map(Destination::Folder);
        }
        let file = output(args, sources)?;
        if file.is_terminal() {
            let what = match format {
                Format::Aof => "a log",
                _ => "an RDB",
            };
            return Err(Error::usage(format!(
                "{what} is not written to a terminal: name a file with -o"
            )));
        }
        Ok(Destination::File(file))
    }

    /// The name for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Destination::File(file) => file.name().to_owned(),
            Destination::Folder(folder) => folder.name(),
            Destination::InPlace(log) => log.name(),
        }
    }

    /// Whether nobody gets what is written before it is complete.
    pub(super) fn is_withheld(&self) -> bool {
        match self {
            Destination::File(file) => file.is_withheld(),
            Destination::Folder(_) | Destination::InPlace(_) => true,
        }
    }

    /// Makes it appear under its name, and returns its length.
    pub(super) fn commit(self, printer: &Printer) -> Result<u64> {
        match self {
            Destination::File(file) => file.commit(),
            Destination::Folder(folder) => folder.commit(),
            Destination::InPlace(log) => {
                let replaced = log.commit()?;
                for (path, error) in &replaced.left {
                    let name = display_path(path);
                    printer.warning(&format!("{name}: could not be tidied up: {error}"));
                }
                Ok(replaced.bytes)
            }
        }
    }
}

/// Refuses an output in the folder of the set that is read.
fn refuse_inside(set: &AofSet, path: &str) -> Result<()> {
    let Ok(folder) = set.dir.canonicalize() else {
        return Ok(());
    };
    // What is not there yet lies where the next folder above it does.
    let lies_inside = Path::new(path)
        .ancestors()
        .filter(|above| *above != Path::new(""))
        .chain([Path::new(".")])
        .find_map(|above| above.canonicalize().ok())
        .is_some_and(|above| above.starts_with(&folder));
    match lies_inside && path != "-" {
        true => {
            let what = "lies in the folder of the log that is read";
            Err(Error::usage(what).in_file(path))
        }
        false => Ok(()),
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Destination::File(file) => file.write(bytes),
            Destination::Folder(folder) => folder.write(bytes),
            Destination::InPlace(log) => log.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Destination::File(file) => file.flush(),
            Destination::Folder(folder) => folder.flush(),
            Destination::InPlace(log) => log.flush(),
        }
    }
}
