//! `convert`: a dataset as JSON.

use rdbkit::bytes::file_id::FileId;
use rdbkit::bytes::sink::{OutputFile, OutputOptions};
use rdbkit::bytes::source::Source as _;
use rdbkit::error::{Error, ErrorKind, Result};
use rdbkit::input::{AfterRdb, ByteSource, Input, Kind, Origin, Purpose};
use rdbkit::json::Document;
use rdbkit::json::librdb::LibrdbWriter;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::json::rdbtools::RdbtoolsWriter;
use rdbkit::json::reader::JsonRecord;
use rdbkit::limits::KEPT_BYTES;
use rdbkit::ops::convert::{
    Conversion, ConvertOptions, Converted, convert_rdb, damage_finding, header_of_rdb,
    header_of_store,
};
use rdbkit::ops::export_store::export_entry;
use rdbkit::ops::import::{export_json, header_of_json, import_json};
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::selected::{is_entry_selected, is_json_selected};
use rdbkit::rdb::{ChecksumMode, PayloadReader, RdbReader, ReadItems as _, Scratch};
use rdbkit::report::table::grouped;

use crate::cli::args::{Compat, ConvertArgs, Format};
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Converts one input.
pub(crate) fn run(args: &ConvertArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    let format = format(args)?;
    if matches!(format, Format::Rdb | Format::Aof | Format::AofDir) {
        return super::convert_rdb::run(args, format, pipeline, printer);
    }
    if args.no_functions && !args.meta {
        return Err(Error::usage("--no-functions needs --meta in JSON"));
    }
    super::convert_rdb::refuse_flags(args)?;
    let options = ConvertOptions {
        selection: args.filter.selection()?,
        keep_going: args.keep_going,
        pipeline,
    };
    let expansion = open::expand(&args.input, Purpose::Single, printer)?;
    let [expanded] = expansion.inputs.as_slice() else {
        return Err(Error::usage(format!(
            "{}: convert takes one input",
            args.input
        )));
    };
    let input = match args.input_args.open(expanded)? {
        // What belongs to no key stands at both ends of a file, and has to be written first.
        Opened::Records(input) if args.meta => Opened::Records(input.spooled()?),
        opened => opened,
    };
    match (args.compat, format) {
        (_, Format::Rdb | Format::Aof | Format::AofDir) => {
            Err(Error::new(ErrorKind::Internal("an RDB or AOF is no JSON")))
        }
        (Some(_), Format::Ndjson) => Err(Error::usage(
            "--compat writes JSON, not NDJSON: use --to json",
        )),
        (Some(Compat::Librdb), Format::Json) => {
            write(args, printer, options, input, LibrdbWriter::document())
        }
        (Some(Compat::Rdbtools), Format::Json) => {
            write(args, printer, options, input, RdbtoolsWriter::document())
        }
        (None, Format::Ndjson) if args.pretty => Err(Error::usage(
            "--pretty indents JSON, not NDJSON: use --to json",
        )),
        (None, Format::Ndjson) => write(
            args,
            printer,
            options,
            input,
            NativeWriter::new(Arrangement::Lines).spooling(),
        ),
        (None, Format::Json) if args.pretty => write(
            args,
            printer,
            options,
            input,
            NativeWriter::new(Arrangement::PrettyArray),
        ),
        (None, Format::Json) => write(
            args,
            printer,
            options,
            input,
            NativeWriter::new(Arrangement::Array).spooling(),
        ),
    }
}

/// What to write: as `--to` says, else as the output's name does.
fn format(args: &ConvertArgs) -> Result<Format> {
    let by_name = || {
        let name = args.output.as_deref()?;
        if name.ends_with('/') {
            return Some(Format::AofDir);
        }
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Format::Json),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            "rdb" => Some(Format::Rdb),
            "aof" => Some(Format::Aof),
            _ => None,
        }
    };
    args.to.or_else(by_name).ok_or_else(|| {
        Error::usage("which format? name it with --to json, ndjson, rdb, aof or aof-dir")
    })
}

/// A conversion of one file into one output.
struct Job<'a, W> {
    args: &'a ConvertArgs,
    printer: &'a Printer,
    writer: W,
    output: OutputFile,
}

impl<W: Document + Send> Conversion for Job<'_, W> {
    type Document = W;

    fn document(&mut self) -> &mut W {
        &mut self.writer
    }

    fn progress(&mut self) -> Result<()> {
        /// How much text is handed to the system at once.
        const CHUNK_BYTES: usize = 128 * 1024;
        if self.writer.text().len() >= CHUNK_BYTES {
            self.write_out()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.write_out()
    }

    fn damaged(&mut self, error: Error) {
        self.printer
            .finding(&damage_finding(&error.in_file(&self.args.input)));
    }
}

impl<W: Document> Job<'_, W> {
    fn write_out(&mut self) -> Result<()> {
        let output = &mut self.output;
        self.writer.write_out(&mut |text| output.put(text))?;
        self.writer.text().shrink_to(KEPT_BYTES);
        Ok(())
    }
}

fn write<W: Document + Send>(
    args: &ConvertArgs,
    printer: &Printer,
    options: ConvertOptions,
    opened: Opened,
    writer: W,
) -> Result<Exit> {
    match opened {
        Opened::Records(input) => write_records(args, printer, options, input, writer),
        Opened::Log(log) => write_log(args, printer, &options, &log, writer),
        Opened::Json(input) => write_json(args, printer, &options, input, writer),
    }
}

/// Writes the dataset that a log leaves.
fn write_log<W: Document + Send>(
    args: &ConvertArgs,
    printer: &Printer,
    options: &ConvertOptions,
    log: &Log,
    mut writer: W,
) -> Result<Exit> {
    let mut replay = args
        .replay
        .options(args.filter.now, log, options.pipeline)?;
    replay.keep_going = args.keep_going;
    let replayed = match args.keep_going {
        true => open::replay_as_far(log, &replay, printer)?,
        false => open::replay(log, &replay, args.strict, printer)?,
    };
    let store = &replayed.replayer.store;
    if args.meta {
        let flavor = log.writer().map(|flavor| flavor.to_string());
        writer.header(&header_of_store(store, flavor, args.no_functions));
    }
    let output = output(args, log.file_ids())?;
    let mut job = Job {
        args,
        printer,
        writer,
        output,
    };
    let mut keys = 0;
    let mut scratch = Scratch::new();
    for (db, key, entry) in store.iter() {
        if is_entry_selected(&options.selection, db, key, entry) {
            export_entry(db, key, entry, &mut scratch, &mut job.writer)?;
            keys += 1;
            job.progress()?;
        }
    }
    let converted = Converted {
        keys,
        functions: store.functions.len() as u64,
        scripts: store.scripts.len() as u64,
        ..Converted::default()
    };
    let exit = if replayed.exact { Exit::Done } else { Exit::No };
    finish(job, &converted, exit)
}

/// Writes the keys of rdbkit's own JSON.
fn write_json<W: Document + Send>(
    args: &ConvertArgs,
    printer: &Printer,
    options: &ConvertOptions,
    input: Input,
    mut writer: W,
) -> Result<Exit> {
    let (origin, source) = input.into_parts();
    let header = header_of_json(source.data()).map_err(|error| origin.explain(error))?;
    if let (true, Some(mut header)) = (args.meta, header) {
        if args.no_functions {
            header.functions.clear();
        }
        writer.header(&header);
    }
    let output = output(args, origin.file_id())?;
    let mut job = Job {
        args,
        printer,
        writer,
        output,
    };
    let mut converted = Converted::default();
    let outcome = import_json(source.data(), |record| {
        let key = match record {
            JsonRecord::Key(key) => key,
            JsonRecord::Header(header) => {
                converted.functions = header.functions.len() as u64;
                converted.module_aux = header.module_aux.len() as u64;
                converted.scripts = header.lua.len() as u64;
                return Ok(());
            }
            _ => return Ok(()),
        };
        if is_json_selected(&options.selection, &key) {
            export_json(&key, &mut job.writer)?;
            converted.keys += 1;
        }
        job.progress()
    });
    if let Err(error) = outcome {
        job.write_out()?;
        return Err(origin.explain(error));
    }
    origin.check_unchanged()?;
    finish(job, &converted, Exit::Done)
}

/// Opens the output, which must be none of the inputs.
pub(super) fn output(
    args: &ConvertArgs,
    sources: impl IntoIterator<Item = FileId>,
) -> Result<OutputFile> {
    match args.output.as_deref() {
        None | Some("-") => OutputFile::stdout(),
        Some(path) => OutputFile::create(
            path,
            &OutputOptions::new().force(args.force).sources(sources),
        ),
    }
}

/// Writes what remains and says what is not in it.
fn finish<W: Document>(mut job: Job<'_, W>, converted: &Converted, exit: Exit) -> Result<Exit> {
    job.writer.finish();
    job.write_out()?;
    let written = job.output.commit()?;
    let (keys, bytes) = (grouped(converted.keys), grouped(written));
    job.printer
        .phase(&format!("{keys} keys, {bytes} bytes written"));
    if !job.args.meta {
        warn_of_left_out(converted, job.printer);
    }
    Ok(exit)
}

fn write_records<W: Document + Send>(
    args: &ConvertArgs,
    printer: &Printer,
    options: ConvertOptions,
    input: Input,
    mut writer: W,
) -> Result<Exit> {
    let (origin, source) = input.into_parts();
    if args.meta {
        let header = match (&source, origin.kind()) {
            (source, Kind::DumpPayload) => header_of_rdb(&mut PayloadReader::new(
                source.data(),
                ChecksumMode::Require,
            )),
            (ByteSource::Mapped(first_pass), _) => {
                let reader = RdbReader::new(first_pass.clone());
                header_of_rdb(&mut reader.at_offset(origin.base_offset()))
            }
            _ => Err(Error::new(ErrorKind::Internal("a spooled input is mapped"))),
        };
        let mut header = header.map_err(|error| origin.explain(error))?;
        if args.no_functions {
            header.functions.clear();
        }
        writer.header(&header);
    }
    let output = output(args, origin.file_id())?;
    let progress = Progress::watch(printer, origin.progress());
    let mut job = Job {
        args,
        printer,
        writer,
        output,
    };
    let converted = convert(&origin, source, &options, &mut job);
    drop(progress);
    let converted = match converted {
        Ok(converted) => converted,
        Err(error) => {
            // Whole lines that are known to be right reach stdout; a file is given up.
            job.write_out()?;
            return Err(error);
        }
    };
    let exit = if converted.damaged > 0 {
        Exit::No
    } else {
        Exit::Done
    };
    finish(job, &converted, exit)
}

fn convert<W: Document + Send>(
    origin: &Origin,
    source: ByteSource,
    options: &ConvertOptions,
    job: &mut Job<'_, W>,
) -> Result<Converted> {
    let mode = if options.keep_going {
        ChecksumMode::Report
    } else {
        ChecksumMode::Require
    };
    if origin.kind() == Kind::DumpPayload {
        let mut reader = PayloadReader::new(source.data(), mode);
        return convert_rdb(&mut reader, options, job).map_err(|error| origin.explain(error));
    }
    let mut reader = RdbReader::new(source)
        .at_offset(origin.base_offset())
        .checksum(mode);
    let converted =
        convert_rdb(&mut reader, options, job).map_err(|error| origin.explain(error))?;
    check_end(origin, reader, job.printer)?;
    Ok(converted)
}

/// Looks at what follows an RDB, and whether the file is still what it was.
pub(super) fn check_end(
    origin: &Origin,
    reader: RdbReader<ByteSource>,
    printer: &Printer,
) -> Result<()> {
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
    origin.check_unchanged()
}

/// Says what belongs to no key and therefore is not in the output.
fn warn_of_left_out(converted: &Converted, printer: &Printer) {
    let counts = [
        (converted.functions, "function libraries"),
        (converted.module_aux, "module records"),
        (converted.scripts, "scripts"),
    ];
    let parts: Vec<_> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| format!("{n} {noun}"))
        .collect();
    if !parts.is_empty() {
        printer.warning(&format!(
            "left out because they belong to no key: {} (--meta includes them)",
            parts.join(", ")
        ));
    }
}
