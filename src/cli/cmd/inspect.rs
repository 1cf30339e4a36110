//! `inspect`: what inputs hold, as tables or as JSON Lines.

use std::io::{self, Write as _};

use rdbkit::bytes::file_id::display_path;
use rdbkit::bytes::source::Source as _;
use rdbkit::error::{Error, Result};
use rdbkit::input::{AfterRdb, Expanded, Kind, Purpose};
use rdbkit::ops::inspect::{Inspection, inspect_rdb};
use rdbkit::rdb::{ChecksumMode, PayloadReader, RdbReader, ReadItems as _};
use rdbkit::report::inspection::{self, Subject};
use rdbkit::report::lines;

use crate::cli::args::{InspectArgs, InspectFormat};
use crate::cli::exit::{self, Exit};
use crate::cli::open;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Looks into every input and prints what is there, as far as it can be read.
pub(crate) fn run(args: &InspectArgs, printer: &Printer) -> Result<Exit> {
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
            let outcome = look(args, &input, &selection, &mut subject, &mut seen, printer);
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
    input: &Expanded,
    selection: &rdbkit::select::Selection,
    subject: &mut Subject,
    seen: &mut Inspection,
    printer: &Printer,
) -> Result<()> {
    let input = args.input_args.open(&input.path)?;
    let input = match input.origin().kind() {
        Kind::Rdb => input,
        Kind::DumpPayload => input.spooled()?,
        kind => return Err(open::cannot_read(input.origin().name(), kind)),
    };
    let (origin, source) = input.into_parts();
    subject.bytes = origin.progress().total();
    let _progress = Progress::watch(printer, origin.progress());
    let mut key_scratch = Vec::new();
    let chosen = |record: &rdbkit::rdb::Record<'_>| {
        if selection.is_everything() {
            return Ok(true);
        }
        let key = record.key_bytes(&mut key_scratch)?;
        Ok(selection.matches(
            record.db,
            key,
            record.value_type(),
            record.expire_at_ms,
            Some(record.encoded_len()),
        ))
    };
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
