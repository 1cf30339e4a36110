//! `rewrite`: logs replayed and written anew, to another place or in their own.

use rdbkit::aof::in_place::Claim;
use rdbkit::error::{Error, Result};
use rdbkit::input::Purpose;
use rdbkit::ops::pipeline::Pipeline;

use super::convert_rdb::Job;
use super::destination::Destination;
use super::{in_place, rewrite_several};
use crate::cli::args::{ConvertArgs, Format, RewriteArgs};
use crate::cli::exit::Exit;
use crate::cli::open;
use crate::cli::printer::Printer;

/// Rewrites one log, or each of several.
pub(crate) fn run(args: &RewriteArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    if args.output.is_none() && !args.in_place {
        return Err(Error::usage(
            "where to? Name the new log with -o OUT, or replace the old one with --in-place",
        ));
    }
    if args.json && args.output.as_deref() == Some("-") {
        return Err(Error::usage(
            "--json and the log both go to stdout: name a file with -o, or use --report",
        ));
    }
    in_place::refuse_flags(args)?;
    let [only] = args.inputs.as_slice() else {
        return rewrite_several::run(args, pipeline, printer);
    };
    let place = match &args.output {
        Some(output) => Place::Named(output.clone()),
        None => Place::Input,
    };
    one(args, only, place, false, pipeline, printer).map(|done| done.exit)
}

/// Where a result goes.
pub(super) enum Place {
    /// To a file or folder.
    Named(String),
    /// Where its input is.
    Input,
}

/// What became of one log.
pub(super) struct Rewrite {
    pub(super) exit: Exit,
    /// Its lines of a report about several.
    pub(super) report: Vec<u8>,
}

/// Rewrites one log; of several the name of the result does not decide what it is.
pub(super) fn one(
    args: &RewriteArgs,
    input: &str,
    place: Place,
    is_one_of_several: bool,
    pipeline: Pipeline,
    printer: &Printer,
) -> Result<Rewrite> {
    let expansion = open::expand(input, Purpose::Single, printer)?;
    let [expanded] = expansion.inputs.as_slice() else {
        return Err(Error::usage(format!("{input}: is more than one log")));
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
    let log = args.input_args.open(&expanded)?.into_log()?;
    let output = match place {
        Place::Named(output) => Some(output),
        Place::Input => None,
    };
    let format = match output.as_deref().filter(|_| !is_one_of_several) {
        Some(name) if name.ends_with('/') => Format::AofDir,
        Some(name) if name == "-" || name.to_ascii_lowercase().ends_with(".aof") => Format::Aof,
        _ if log.set.is_some() => Format::AofDir,
        _ => Format::Aof,
    };
    let mut converts = ConvertArgs {
        input: input.to_owned(),
        output,
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
    job.is_one_of_several = is_one_of_several;
    if !is_one_of_several {
        job.open_report()?;
    }
    let exit = match replaced {
        Some(replaced) => job.log_to(&log, Destination::InPlace(replaced))?,
        None => job.log(&log)?,
    };
    Ok(Rewrite {
        exit,
        report: job.take_report(),
    })
}
