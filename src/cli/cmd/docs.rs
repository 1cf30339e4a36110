//! `completions` and `man`: what the definition of the flags gives for free.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use rdbkit::bytes::file_id::display_path;
use rdbkit::error::{Error, Result};

use crate::cli::args::{Cli, CompletionsArgs, ManArgs};
use crate::cli::exit::Exit;

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rdbkit", &mut script);
    io::stdout()
        .write_all(&script)
        .map_err(|e| Error::io("cannot write to stdout", e))?;
    Ok(Exit::Done)
}

/// Writes one manual page per command.
pub(crate) fn man(args: &ManArgs) -> Result<Exit> {
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(|e| {
        Error::io(
            format!("cannot write manual pages into {}", display_path(&args.dir)),
            e,
        )
    })?;
    Ok(Exit::Done)
}
