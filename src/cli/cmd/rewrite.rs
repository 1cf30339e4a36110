//! `rewrite`: a log replayed and written anew, to another place or in its own.

use rdbkit::aof::in_place::Claim;
use rdbkit::error::{Error, Result};
use rdbkit::input::{Kind, Purpose};
use rdbkit::ops::log::{Log, says_preamble};
use rdbkit::ops::pipeline::Pipeline;

use super::convert_rdb::Job;
use super::destination::Destination;
use super::in_place;
use crate::cli::args::{ConvertArgs, Format, RewriteArgs};
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;

/// Rewrites one log.
pub(crate) fn run(args: &RewriteArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    if args.json && args.output.as_deref() == Some("-") {
        return Err(Error::usage(
            "--json and the log both go to stdout: name a file with -o, or use --report",
        ));
    }
    if args.in_place {
        in_place::refuse_silent_loss(args)?;
    }
    let expansion = open::expand(&args.input, Purpose::Single, printer)?;
    let [expanded] = expansion.inputs.as_slice() else {
        return Err(Error::usage(format!(
            "{}: rewrite takes one input",
            args.input
        )));
    };
    // Before anything is opened: that would disturb a rewrite that is at work.
    let claim = match args.in_place {
        true => Some(Claim::lock(&expanded.path, args.force_offline)?),
        false => None,
    };
    let mut expanded = expanded.clone();
    if let Some(claim) = &claim {
        expanded.path = claim.path().to_path_buf();
    }
    let no_log = || {
        let what = "is no log: rewrite is for an AOF, convert for anything else";
        Error::usage(what).in_file(&args.input)
    };
    let log = match args.input_args.open(&expanded)? {
        Opened::Log(log) => log,
        // A log that was just written anew: an RDB, and no command behind it yet.
        Opened::Records(mut input) => {
            let is_preamble = input.origin().kind() == Kind::Rdb && says_preamble(input.peek()?);
            match is_preamble {
                true => Log::of_input(input)?,
                false => return Err(no_log()),
            }
        }
        Opened::Json(_) => return Err(no_log()),
    };
    let format = match args.output.as_deref() {
        Some(name) if name.ends_with('/') => Format::AofDir,
        Some(name) if name == "-" || name.to_ascii_lowercase().ends_with(".aof") => Format::Aof,
        _ if log.set.is_some() => Format::AofDir,
        _ => Format::Aof,
    };
    let mut converts = ConvertArgs {
        input: args.input.clone(),
        output: args.output.clone(),
        to: Some(format),
        force: args.force,
        meta: false,
        no_functions: args.no_functions,
        pretty: false,
        compat: None,
        keep_going: args.keep_going,
        strict: args.strict,
        rdb: args.rdb.clone(),
        input_args: args.input_args.clone(),
        replay: args.replay.clone(),
        filter: args.filter.clone(),
    };
    let replaced = match claim {
        Some(claim) => Some(in_place::begin(args, claim, &log, &mut converts.rdb)?),
        None => None,
    };
    let mut job = Job::new(&converts, format, pipeline, printer)?;
    job.rewrites = true;
    job.reports = args.json;
    match replaced {
        Some(replaced) => job.log_to(&log, Destination::InPlace(replaced)),
        None => job.log(&log),
    }
}
