//! From a path to something to read: records, a log, or rdbkit's own JSON.

use std::path::Path;

use super::log::{Log, is_preamble, says_preamble};
use crate::bytes::source::Source as _;
use crate::error::{Error, ErrorKind, Result};
use crate::input::{self, Expanded, Input, Kind, OpenOptions, Purpose};

/// An input that is open.
#[derive(Debug)]
pub enum Opened {
    /// An RDB or a DUMP payload: one record after the other.
    Records(Input),
    /// A log, which has to be replayed.
    Log(Log),
    /// rdbkit's own JSON, all of it at hand.
    Json(Input),
}

impl Opened {
    /// Opens a file, `-` for stdin, or a folder that stands for one dataset. What it is, is told
    /// by its content, or as the user `named` it.
    ///
    /// # Errors
    /// Usage: a folder of several. Unsupported: a kind that is no input. I/O.
    pub fn of_path(path: impl AsRef<Path>, named: Option<Kind>) -> Result<Opened> {
        let expansion = input::expand(path, Purpose::Single)?;
        match expansion.inputs.as_slice() {
            [only] => Opened::of_expanded(only, named),
            _ => Err(Error::new(ErrorKind::Internal(
                "a single purpose has one input",
            ))),
        }
    }

    /// Opens what an argument stands for.
    ///
    /// # Errors
    /// As [`Opened::of_path`].
    pub fn of_expanded(expanded: &Expanded, named: Option<Kind>) -> Result<Opened> {
        let path: &Path = &expanded.path;
        let kind = named.or(expanded.kind);
        if kind == Some(Kind::Manifest) {
            return Log::open_set(path).map(Opened::Log);
        }
        let mut input = Input::open(path, &OpenOptions::new().map(true).as_kind(kind))?;
        match input.origin().kind() {
            Kind::Manifest => Log::open_set(path).map(Opened::Log),
            Kind::Aof => Log::of_input(input).map(Opened::Log),
            // A DUMP payload ends with its version, so all of it must be at hand.
            Kind::DumpPayload => input.spooled().map(Opened::Records),
            Kind::Rdb
                if named.is_none()
                    && input.origin().framing().is_none()
                    && says_preamble(input.peek()?) =>
            {
                let (origin, source) = input.spooled()?.into_parts();
                let is_hybrid = is_preamble(source.data());
                let input = Input::from_parts(origin, source);
                match is_hybrid {
                    true => Log::of_input(input).map(Opened::Log),
                    false => Ok(Opened::Records(input)),
                }
            }
            Kind::Rdb => Ok(Opened::Records(input)),
            // Members come in any order, so a record is looked at twice.
            Kind::Json => input.spooled().map(Opened::Json),
        }
    }

    /// The log that it is; also one that was just written anew: an RDB that says so, and no
    /// command behind it yet.
    ///
    /// # Errors
    /// Usage: it is no log.
    pub fn into_log(self) -> Result<Log> {
        let (mut input, may_be_log) = match self {
            Opened::Log(log) => return Ok(log),
            Opened::Records(input) => (input, true),
            Opened::Json(input) => (input, false),
        };
        let is_rdb = may_be_log && input.origin().kind() == Kind::Rdb;
        if is_rdb && says_preamble(input.peek()?) {
            return Log::of_input(input);
        }
        let what = "is no log: rewrite is for an AOF, convert for anything else";
        Err(Error::usage(what).in_file(input.origin().name()))
    }
}
