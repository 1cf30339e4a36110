//! From an input argument to something to read.

use rdbkit::error::{Error, ErrorKind, Result};
use rdbkit::input::{self, Expansion, Input, OpenOptions, Purpose};

use std::path::Path;

use super::args::{InputArgs, Kind};
use super::printer::Printer;

impl InputArgs {
    /// The kind that the flags name.
    pub(crate) fn kind(&self) -> Option<input::Kind> {
        let kind = if self.dump_payload {
            Some(Kind::DumpPayload)
        } else {
            self.as_kind
        };
        kind.map(|kind| match kind {
            Kind::Rdb => input::Kind::Rdb,
            Kind::Aof => input::Kind::Aof,
            Kind::Manifest => input::Kind::Manifest,
            Kind::Json => input::Kind::Json,
            Kind::DumpPayload => input::Kind::DumpPayload,
        })
    }

    /// Opens a file, or stdin.
    pub(crate) fn open(&self, path: &Path) -> Result<Input> {
        Input::open(path, &OpenOptions::new().map(true).as_kind(self.kind()))
    }
}

/// What a folder or file stands for; its warnings are said.
pub(crate) fn expand(spec: &str, purpose: Purpose, printer: &Printer) -> Result<Expansion> {
    let expansion = input::expand(spec, purpose)?;
    for warning in &expansion.warnings {
        printer.warning(warning);
    }
    Ok(expansion)
}

/// The error for a kind of input that a command does not read.
pub(crate) fn cannot_read(name: &str, kind: input::Kind) -> Error {
    let what = format!("{} as input of this command", kind.name());
    Error::new(ErrorKind::Unsupported { what: what.into() }).in_file(name)
}
