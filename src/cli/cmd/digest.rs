//! `digest`: forty hexadecimal digits, equal to DEBUG DIGEST.

use std::io::{self, Write as _};

use rdbkit::bytes::source::Source as _;
use rdbkit::error::{Error, ErrorKind, Result};
use rdbkit::input::{AfterRdb, Input, Kind, Purpose};
use rdbkit::json::escape::write_string;
use rdbkit::json::reader::JsonKey;
use rdbkit::ops::digest::{DigestOptions, Digested, PerKey, digest_rdb, digest_store};
use rdbkit::ops::import::digest_json;
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::selected::{is_entry_selected, is_json_selected, is_selected};
use rdbkit::rdb::{ChecksumMode, PayloadReader, RdbReader, ReadItems as _, Record};
use rdbkit::report::table::grouped;
use rdbkit::select::Selection;
use rdbkit::store::digest::Digest;

use crate::cli::args::DigestArgs;
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Types that an error names.
const NAMED_TYPES: usize = 10;

/// Digests one input.
pub(crate) fn run(args: &DigestArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    let digested = digest(args, pipeline, printer)?;
    printer.phase(&format!(
        "{} keys digested as {}",
        grouped(digested.keys),
        digested.flavor
    ));
    let Some(total) = digested.total else {
        let named = digested.unknowable.iter().take(NAMED_TYPES);
        let mut types: Vec<_> = named
            .map(|(name, keys)| format!("{name} ({} keys)", grouped(*keys)))
            .collect();
        let others = digested.unknowable.values().skip(NAMED_TYPES);
        let others = others.sum::<u64>() + digested.other_unknowable;
        if others > 0 {
            types.push(format!("others ({} keys)", grouped(others)));
        }
        let what = format!("digest of {}: only the module knows it", types.join(", "));
        return Err(Error::new(ErrorKind::Unsupported { what: what.into() }).in_file(&args.input));
    };
    let mut exit = Exit::Done;
    if digested.flavor_assumed && digested.depends_on_flavor {
        let flavor = digested.flavor;
        printer.warning(&format!(
            "{}: no file says which server's this is; digested as {flavor}, others print some of its scores or field TTLs differently (--flavor)",
            args.input
        ));
        exit = if args.strict {
            Exit::Unable
        } else {
            Exit::Done
        };
    }
    print(format!("{total}\n").as_bytes())?;
    Ok(exit)
}

fn print(text: &[u8]) -> Result<()> {
    io::stdout()
        .lock()
        .write_all(text)
        .map_err(|e| Error::io("cannot write to stdout", e))
}

fn digest(args: &DigestArgs, pipeline: Pipeline, printer: &Printer) -> Result<Digested> {
    let selection = args.filter.selection()?;
    let options = DigestOptions {
        flavor: args.replay.release()?,
        now_ms: args.filter.now_ms(),
        per_key: args.per_key,
        pipeline,
    };
    let expansion = open::expand(&args.input, Purpose::Single, printer)?;
    let [expanded] = expansion.inputs.as_slice() else {
        return Err(Error::usage(format!(
            "{}: digest takes one input",
            args.input
        )));
    };
    let input = match args.input_args.open(expanded)? {
        Opened::Records(input) => input,
        Opened::Log(log) => return digest_of_log(args, &log, options, &selection, printer),
        Opened::Json(input) => return digest_of_json(input, options, &selection),
    };
    let (origin, source) = input.into_parts();
    let _progress = Progress::watch(printer, origin.progress());
    let wants =
        |record: &Record<'_>, scratch: &mut Vec<u8>| is_selected(&selection, record, scratch);
    if origin.kind() == Kind::DumpPayload {
        let mut reader = PayloadReader::new(source.data(), ChecksumMode::Require);
        return digest_rdb(&mut reader, options, wants, print_key)
            .map_err(|error| origin.explain(error));
    }
    let mut reader = RdbReader::new(source).at_offset(origin.base_offset());
    let digested = digest_rdb(&mut reader, options, wants, print_key)
        .map_err(|error| origin.explain(error))?;
    let offset = reader.offset();
    match origin.after_rdb(&mut reader.into_source(), offset)? {
        AfterRdb::Log => return Err(AfterRdb::refuse_log(offset).in_file(origin.name())),
        AfterRdb::Trailing { offset } => {
            printer.warning(&format!(
                "{}: bytes after the end of the RDB are left out (at {offset:#x})",
                origin.name()
            ));
        }
        _ => {}
    }
    origin.check_unchanged()?;
    Ok(digested)
}

/// Replays a log and digests the keys that it leaves.
fn digest_of_log(
    args: &DigestArgs,
    log: &Log,
    options: DigestOptions,
    selection: &Selection,
    printer: &Printer,
) -> Result<Digested> {
    let replay = args
        .replay
        .options(args.filter.now, log, options.pipeline)?;
    let is_assumed = options.flavor.is_none() && (log.writer().is_none() || log.is_taken_over());
    let flavor = Some(replay.replay.flavor);
    let replayed = open::replay(log, &replay, args.strict, printer)?;
    let options = DigestOptions { flavor, ..options };
    let mut digested = digest_store(
        &replayed.replayer.store,
        options,
        |db, key, entry| is_entry_selected(selection, db, key, entry),
        print_key,
    )?;
    digested.flavor_assumed = is_assumed;
    // The program ends: the system takes the memory back faster than each value gives its own.
    std::mem::forget(replayed.replayer);
    Ok(digested)
}

/// Digests the keys of rdbkit's own JSON.
fn digest_of_json(input: Input, options: DigestOptions, selection: &Selection) -> Result<Digested> {
    let (origin, source) = input.into_parts();
    let wants = |key: &JsonKey<'_>| is_json_selected(selection, key);
    let digested = digest_json(source.data(), options, wants, print_key)
        .map_err(|error| origin.explain(error))?;
    origin.check_unchanged()?;
    Ok(digested)
}

fn print_key(line: PerKey<'_>) -> Result<()> {
    let digest = line
        .digest
        .map_or("unknown".to_owned(), |digest: Digest| digest.to_string());
    let mut text = format!("{digest} {} ", line.db).into_bytes();
    write_string(line.key, &mut text);
    text.push(b'\n');
    print(&text)
}
