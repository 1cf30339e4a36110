//! `inspect`: what inputs hold, as tables or as JSON Lines.

use std::io::{self, Write as _};

use rdbkit::bytes::file_id::display_path;
use rdbkit::bytes::source::Source as _;
use rdbkit::error::{Error, ErrorKind, Result};
use rdbkit::input::{AfterRdb, Input, Kind, Purpose};
use rdbkit::json::reader::JsonKey;
use rdbkit::ops::inspect::{Inspection, inspect_json, inspect_rdb};
use rdbkit::ops::inspect_log::{LogInspection, inspect_log};
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::selected::{is_json_selected, is_selected};
use rdbkit::rdb::{ChecksumMode, PayloadReader, RdbReader, ReadItems as _};
use rdbkit::report::inspection::{self, Subject};
use rdbkit::report::lines;
use rdbkit::report::{Verdict, log_inspection};

use crate::cli::args::{InspectArgs, InspectFormat};
use crate::cli::exit::{self, Exit};
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Looks into every input and prints what is there, as far as it can be read.
pub(crate) fn run(args: &InspectArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    let selection = args.filter.selection()?;
    let mut exit = Exit::Done;
    let mut is_first = true;
    for spec in &args.inputs {
        let inputs = match open::expand(spec, Purpose::Survey, printer) {
            Ok(expansion) => {
                if expansion.skipped > 0 {
                    printer.warning(&format!(
                        "{spec}: {} files not recognised and left out",
                        expansion.skipped
                    ));
                }
                expansion.inputs
            }
            Err(error) => {
                printer.error(&error);
                exit = exit.or(exit::of_error(&error));
                continue;
            }
        };
        for input in inputs {
            let mut seen = Inspection::default();
            let mut subject = Subject {
                name: display_path(&input.path),
                ..Subject::default()
            };
            let outcome = match args.input_args.open(&input) {
                Ok(Opened::Log(log)) => look_at_log(args, &log, pipeline, printer),
                Ok(Opened::Json(input)) => {
                    look_at_json(args, input, &selection, &mut subject, &mut seen)
                }
                Ok(Opened::Records(input)) => {
                    look(args, input, &selection, &mut subject, &mut seen, printer)
                }
                Err(error) => Err(error),
            };
            if !subject.kind.is_empty() {
                print(
                    args,
                    &subject,
                    &seen,
                    std::mem::replace(&mut is_first, false),
                )?;
            }
            if let Err(error) = outcome {
                printer.error(&error);
                exit = exit.or(exit::of_error(&error));
            }
        }
    }
    Ok(exit)
}

fn look(
    args: &InspectArgs,
    input: Input,
    selection: &rdbkit::select::Selection,
    subject: &mut Subject,
    seen: &mut Inspection,
    printer: &Printer,
) -> Result<()> {
    let (origin, source) = input.into_parts();
    subject.bytes = origin.progress().total();
    let _progress = Progress::watch(printer, origin.progress());
    let mut key_scratch = Vec::new();
    let chosen =
        |record: &rdbkit::rdb::Record<'_>| is_selected(selection, record, &mut key_scratch);
    if origin.kind() == Kind::DumpPayload {
        subject.kind = "DUMP payload".to_owned();
        let mut reader = PayloadReader::new(source.data(), ChecksumMode::Report);
        let looked = inspect_rdb(&mut reader, args.largest, chosen, seen);
        return looked.map_err(|error| origin.explain(error));
    }
    subject.kind = "RDB".to_owned();
    let mut reader = RdbReader::new(source)
        .at_offset(origin.base_offset())
        .checksum(ChecksumMode::Report);
    inspect_rdb(&mut reader, args.largest, chosen, seen).map_err(|error| origin.explain(error))?;
    let offset = reader.offset();
    subject.tail = match origin.after_rdb(&mut reader.into_source(), offset)? {
        AfterRdb::Log => {
            subject.kind = "hybrid AOF".to_owned();
            Some(format!("a log, from offset {offset:#x} on"))
        }
        AfterRdb::Trailing { offset } => Some(format!(
            "bytes that are no part of it, from offset {offset:#x} on"
        )),
        _ => None,
    };
    origin.check_unchanged()
}

/// Counts the keys of rdbkit's own JSON.
fn look_at_json(
    args: &InspectArgs,
    input: Input,
    selection: &rdbkit::select::Selection,
    subject: &mut Subject,
    seen: &mut Inspection,
) -> Result<()> {
    let (origin, source) = input.into_parts();
    subject.kind = "JSON".to_owned();
    subject.bytes = origin.progress().total();
    let chosen = |key: &JsonKey<'_>| is_json_selected(selection, key);
    inspect_json(source.data(), args.largest, chosen, seen)
        .map_err(|error| origin.explain(error))?;
    origin.check_unchanged()
}

/// Counts commands and says what parts there are.
fn look_at_log(args: &InspectArgs, log: &Log, pipeline: Pipeline, printer: &Printer) -> Result<()> {
    let mut seen = LogInspection::default();
    let replay = args.replay.options(args.filter.now, log, pipeline)?;
    inspect_log(log, args.largest, &replay, &mut seen, &mut |finding| {
        printer.finding(&finding.in_file(log.name()))
    });
    let text = match args.json || args.format == InspectFormat::Json {
        true => lines::line("inspection", log_inspection::json(log.name(), &seen)),
        false => log_inspection::text(log.name(), &seen).into_bytes(),
    };
    io::stdout()
        .lock()
        .write_all(&text)
        .map_err(|e| Error::io("cannot write to stdout", e))?;
    match seen.framed.tally.verdict(false) {
        Verdict::Sound => log.check_unchanged(),
        _ => Err(Error::new(ErrorKind::Damaged {
            what: "the log is damaged",
        })
        .in_file(log.name())),
    }
}

fn print(args: &InspectArgs, subject: &Subject, seen: &Inspection, is_first: bool) -> Result<()> {
    let text = if args.json || args.format == InspectFormat::Json {
        lines::line("inspection", inspection::json(subject, seen))
    } else {
        let gap = if is_first { "" } else { "\n" };
        format!("{gap}{}", inspection::text(subject, seen)).into_bytes()
    };
    io::stdout()
        .lock()
        .write_all(&text)
        .map_err(|e| Error::io("cannot write to stdout", e))
}
