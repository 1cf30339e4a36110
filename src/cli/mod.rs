//! The command line: arguments, exit codes, what goes to stderr.
//!
//! Nothing here decodes bytes; each command is one file that calls one function
//! of `rdbkit::ops`.

mod args;
mod cmd;
mod exit;
mod filter;
mod findings;
mod memory;
mod open;
mod printer;
mod progress;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use exit::Exit;
use printer::Printer;

/// Parses the arguments, runs the command and says how it went.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return exit::of_clap(&refusal),
    };
    let printer = Printer::new(&cli.global);
    let watched = cli.global.max_memory.map_or(Ok(()), |max_bytes| {
        memory::watch(max_bytes, Printer::new(&cli.global))
    });
    if let Err(error) = signals::install().and(watched) {
        printer.error(&error);
        return Exit::Unable.into();
    }
    signals::end_on_changed_input(Printer::new(&cli.global));
    let outcome = match &cli.command {
        Command::Convert(args) => cmd::convert::run(args, cli.global.pipeline(), &printer),
        Command::Rewrite(args) => cmd::rewrite::run(args, cli.global.pipeline(), &printer),
        Command::Inspect(args) => cmd::inspect::run(args, cli.global.pipeline(), &printer),
        Command::Verify(args) => cmd::verify::run(args, cli.global.pipeline(), &printer),
        Command::Digest(args) => cmd::digest::run(args, cli.global.pipeline(), &printer),
        Command::Diff(args) => cmd::diff::run(args, cli.global.pipeline(), &printer),
        Command::Completions(args) => cmd::docs::completions(args),
        Command::Man(args) => cmd::docs::man(args),
    };
    match outcome {
        Ok(exit) => exit.into(),
        // Whoever read our output has seen enough; there is nobody to tell.
        Err(error) if exit::is_broken_pipe(&error) => Exit::Unable.into(),
        Err(error) => {
            printer.error(&error);
            exit::of_error(&error).into()
        }
    }
}
