//! `rewrite --in-place`: what it refuses, and the form that it chooses.

use std::path::Path;

use rdbkit::aof::InPlace;
use rdbkit::aof::in_place::{Claim, Options};
use rdbkit::aof::writer::BaseForm;
use rdbkit::error::{Error, ErrorKind, Result};
use rdbkit::ops::log::Log;
use rdbkit::ops::replay::Replayed;

use crate::cli::args::{RdbArgs, RewriteArgs, YesNo};

/// Refuses what must be known before a log is replaced.
///
/// Of a log that is replaced that is to leave data out of the only copy of it, unless that is allowed, and a report that
/// cannot be written in the end.
pub(super) fn refuse_flags(args: &RewriteArgs) -> Result<()> {
    match (args.in_place, args.force_offline) {
        (true, _) => {}
        (false, false) => return Ok(()),
        (false, true) => return Err(Error::usage("--force-offline is for --in-place")),
    }
    if let Some(report) = &args.rdb.report
        && Path::new(report).exists()
    {
        return Err(Error::usage("exists already, and --report replaces nothing").in_file(report));
    }
    let flag = match args {
        _ if args.rdb.allow_loss => None,
        _ if args.replay.until.is_some() => Some("--until"),
        _ if args.no_functions => Some("--no-functions"),
        _ if args.keep_going => Some("--keep-going"),
        _ if args.filter.selection()?.is_everything() => None,
        _ => Some("a filter"),
    };
    match flag {
        None => Ok(()),
        Some(flag) => Err(Error::usage(format!(
            "{flag} with --in-place leaves data out of the only copy: add --allow-loss, or write to another place with -o"
        ))),
    }
}

/// Begins to replace the log.
pub(super) fn begin(
    args: &RewriteArgs,
    claim: Claim,
    log: &Log,
    rdb: &mut RdbArgs,
) -> Result<InPlace> {
    // Which release wrote a log of commands alone is not known; an RDB of a newer one would
    // keep it from starting, while it knows the commands.
    let named = rdb.target.is_some() || args.replay.release()?.or_else(|| log.writer()).is_some();
    if rdb.preamble.is_none() && !named {
        rdb.preamble = Some(YesNo::No);
    }
    let form = match rdb.preamble {
        Some(YesNo::No) => BaseForm::Commands,
        Some(YesNo::Yes) | None => BaseForm::Rdb,
    };
    let options = Options::new().force_offline(args.force_offline);
    log.in_place(claim, form, options)
}

/// Refuses a log whose dropped tail holds records: a damaged length or EXEC, that servers cannot tell
/// from a cut, would cost the only copy all that stands behind it.
pub(super) fn refuse_damage(replayed: &Replayed<'_>) -> Result<()> {
    let Some(at) = replayed.hidden_record else {
        return Ok(());
    };
    let what = format!(
        "the tail to drop is damaged rather than cut: a record begins in it at offset {at}; \
         to keep the log and write what is before to another place, use -o"
    );
    Err(Error::new(ErrorKind::DataLoss { what }))
}
