//! `convert --to rdb`, `aof` and `aof-dir`, and `rewrite`: a dataset for a release.

use std::cell::RefCell;
use std::io::{self, Seek as _};
use std::path::Path;
use std::time::Instant;

use rdbkit::aof::AofSet;
use rdbkit::bytes::file_id::FileId;
use rdbkit::bytes::source::Source as _;
use rdbkit::bytes::temporary;
use rdbkit::error::{Error, ErrorKind, Result};
use rdbkit::input::{ByteSource, Input, Kind, OpenOptions, Origin, Purpose};
use rdbkit::model::loss::Note;
use rdbkit::num::Flavor;
use rdbkit::ops::aof_write::{write_and_survey, write_records};
use rdbkit::ops::import::header_of_json;
use rdbkit::ops::json_to_rdb::rdb_of_json;
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::{Pipe, Pipeline};
use rdbkit::ops::rdb_write::{Form, Source, Survey, WriteOptions, Written, copy_rdb, survey_rdb};
use rdbkit::ops::rewrite::{Rewriter, Rewritten};
use rdbkit::ops::usual_target::usual_target;
use rdbkit::rdb::{ChecksumMode, DumpPayload, Encodings, PayloadReader, RdbReader, Target};
use rdbkit::replay::Counters;
use rdbkit::report::Finding;
use rdbkit::report::lines::{self, Object};
use rdbkit::report::table::grouped;

use super::convert::check_end;
use super::destination::Destination;
use super::in_place;
use super::report_file::ReportFile;
use crate::cli::args::{ArrayAs, ConvertArgs, Encoding, Format, YesNo};
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Refuses what only a server's file can have.
pub(super) fn refuse_flags(args: &ConvertArgs) -> Result<()> {
    let rdb = &args.rdb;
    let flag = match rdb {
        _ if rdb.target.is_some() => "--target",
        _ if rdb.encoding != Encoding::Default => "--encoding",
        _ if rdb.array_as.is_some() => "--array-as",
        _ if rdb.no_check => "--no-check",
        _ if rdb.report.is_some() => "--report",
        _ if rdb.preamble.is_some() => "--preamble",
        _ => return Ok(()),
    };
    Err(Error::usage(format!(
        "{flag} is for --to rdb, aof and aof-dir"
    )))
}

/// Converts one input to what a server loads.
pub(super) fn run(
    args: &ConvertArgs,
    format: Format,
    pipeline: Pipeline,
    printer: &Printer,
) -> Result<Exit> {
    for (is_given, flag) in [
        (args.meta, "--meta"),
        (args.pretty, "--pretty"),
        (args.compat.is_some(), "--compat"),
    ] {
        if is_given {
            return Err(Error::usage(format!("{flag} is for JSON")));
        }
    }
    let expansion = open::expand(&args.input, Purpose::Single, printer)?;
    let [expanded] = expansion.inputs.as_slice() else {
        return Err(Error::usage(format!(
            "{}: convert takes one input",
            args.input
        )));
    };
    if format == Format::Rdb && args.rdb.preamble.is_some() {
        return Err(Error::usage("--preamble is for --to aof and aof-dir"));
    }
    let mut job = Job::new(args, format, pipeline, printer)?;
    job.open_report()?;
    match args.input_args.open(expanded)? {
        Opened::Records(input) => job.records(input),
        Opened::Log(log) => job.log(&log),
        Opened::Json(input) => job.json(input),
    }
}

/// The target that the command line names.
fn named_target(args: &ConvertArgs) -> Result<Option<&'static Target>> {
    let Some(name) = &args.rdb.target else {
        return Ok(None);
    };
    match Target::named(name) {
        Some(target) => Ok(Some(target)),
        None => {
            let names: Vec<_> = Target::all().map(Target::to_string).collect();
            let names = names.join(", ");
            Err(Error::usage(format!(
                "--target {name}: must be one of {names}"
            )))
        }
    }
}

/// One dataset on its way to a server.
pub(super) struct Job<'a> {
    args: &'a ConvertArgs,
    format: Format,
    pipeline: Pipeline,
    printer: &'a Printer,
    target: Option<&'static Target>,
    started: Instant,
    /// A log that is written anew.
    pub(super) rewrites: bool,
    /// The report goes to stdout.
    pub(super) reports: bool,
    /// The report is part of one about several logs.
    pub(super) is_one_of_several: bool,
    reported: RefCell<Vec<u8>>,
    report_file: ReportFile,
}

/// How a job ends if the output can be completed.
struct End {
    exit: Exit,
    /// Of a log that is written anew.
    rewritten: Option<Rewritten>,
}

impl End {
    fn of(exit: Exit) -> Self {
        End {
            exit,
            rewritten: None,
        }
    }
}

impl<'a> Job<'a> {
    pub(super) fn new(
        args: &'a ConvertArgs,
        format: Format,
        pipeline: Pipeline,
        printer: &'a Printer,
    ) -> Result<Self> {
        Ok(Job {
            args,
            format,
            pipeline,
            printer,
            target: named_target(args)?,
            started: Instant::now(),
            rewrites: false,
            reports: false,
            is_one_of_several: false,
            reported: RefCell::default(),
            report_file: ReportFile::default(),
        })
    }
}

impl Job<'_> {
    /// Opens the file of the report: before the work, so that it is not done in vain.
    pub(super) fn open_report(&mut self) -> Result<()> {
        let args = self.args;
        let inputs = std::iter::once(args.input.as_str());
        let outputs = args.output.iter().map(Path::new);
        let path = args.rdb.report.as_deref();
        self.report_file = ReportFile::open(path, args.force, inputs, outputs)?;
        Ok(())
    }

    /// Whether a log begins with an RDB, if that is not left to the release.
    fn preamble(&self) -> Option<bool> {
        let wanted = self.args.rdb.preamble.map(|wanted| wanted == YesNo::Yes);
        match self.format {
            // What is to be piped to a server is commands.
            Format::Aof if !self.rewrites => Some(wanted.unwrap_or(false)),
            _ => wanted,
        }
    }

    /// What to write for a release.
    fn form(&self, target: &Target) -> Result<Form> {
        let has_parts = match self.format {
            Format::Aof => false,
            Format::AofDir => true,
            _ => return Ok(Form::Rdb),
        };
        Form::of_log(
            target,
            has_parts,
            self.preamble(),
            self.args.filter.now_ms(),
        )
    }

    fn encodings(&self) -> Encodings {
        match self.args.rdb.encoding {
            Encoding::Default => Encodings::Default,
            Encoding::Universal => Encodings::Universal,
        }
    }

    fn options(&self, target: &'static Target) -> Result<WriteOptions> {
        let mut options = WriteOptions::new(target);
        options.form = self.form(target)?;
        options.encodings = self.encodings();
        options.selection = self.args.filter.selection()?;
        options.array_as_hash = self.args.rdb.array_as == Some(ArrayAs::Hash);
        options.no_functions = self.args.no_functions;
        options.keep_going = self.args.keep_going;
        options.no_check = self.args.rdb.no_check;
        options.pipeline = self.pipeline;
        Ok(options)
    }

    fn records(&self, mut input: Input) -> Result<Exit> {
        let name = input.origin().name().to_owned();
        let is_payload = input.origin().kind() == Kind::DumpPayload;
        let source = match is_payload {
            true => DumpPayload::parse(input.peek()?, ChecksumMode::Skip).map(|payload| Source {
                dialect: payload.dialect(),
                flavor: None,
            }),
            false => Source::of_head(input.peek()?),
        }
        .map_err(|error| input.origin().explain(error))?;
        let no_target = || {
            let dialect = source.dialect;
            Error::usage(format!(
                "no release to write for is known to have written {dialect}: name one with --target"
            ))
            .in_file(&name)
        };
        let target = self.target.or(source.target()).ok_or_else(no_target)?;
        let options = self.options(target)?;
        let output = self.open_output(input.origin().file_id(), None)?;
        if options.keeps(&source) && !is_payload {
            let (origin, bytes) = input.into_parts();
            return self.copy(&origin, bytes, &options, output);
        }
        self.rewrite(input, &options, output)
    }

    /// Writes what was read and decoded, after a look at all of it, or with one on the way.
    fn rewrite(&self, input: Input, options: &WriteOptions, output: Destination) -> Result<Exit> {
        let is_payload = input.origin().kind() == Kind::DumpPayload;
        if options.form.is_commands() && output.is_withheld() && !is_payload {
            return self.rewrite_at_once(input, options, output);
        }
        let (origin, bytes) = input.spooled()?.into_parts();
        let name = origin.name().to_owned();
        let first_pass = match &bytes {
            ByteSource::Mapped(mapped) => mapped.clone(),
            _ => return Err(Error::new(ErrorKind::Internal("a spooled input is mapped"))),
        };
        let mode = self.checksum_mode();
        let survey = match is_payload {
            true => survey_rdb(&mut PayloadReader::new(first_pass.data(), mode), options),
            false => {
                let reader = RdbReader::new(first_pass);
                let unchecked = reader.checksum(ChecksumMode::Skip);
                survey_rdb(&mut unchecked.at_offset(origin.base_offset()), options)
            }
        }
        .map_err(|error| origin.explain(error))?;
        // Of a file that changes nothing is known, not even what would be lost.
        origin.check_unchanged()?;
        if let Some(refused) = self.judge(&name, options, &survey)? {
            return Ok(refused);
        }
        let progress = Progress::watch(self.printer, origin.progress());
        let mut output = output;
        let written = match is_payload {
            true => {
                let mut reader = PayloadReader::new(bytes.data(), mode);
                self.write(&mut reader, &origin, options, &survey, &mut output)?
            }
            false => {
                let reader = RdbReader::new(bytes).at_offset(origin.base_offset());
                let mut reader = reader.checksum(mode);
                let written = self.write(&mut reader, &origin, options, &survey, &mut output)?;
                check_end(&origin, reader, self.printer)?;
                written
            }
        };
        drop(progress);
        self.finish(
            &name,
            output,
            options,
            &survey,
            &written,
            End::of(Exit::Done),
        )
    }

    /// Writes commands in one pass; the output is dropped if data would be lost.
    fn rewrite_at_once(
        &self,
        input: Input,
        options: &WriteOptions,
        mut output: Destination,
    ) -> Result<Exit> {
        let (origin, bytes) = input.into_parts();
        let name = origin.name().to_owned();
        let progress = Progress::watch(self.printer, origin.progress());
        let reader = RdbReader::new(bytes).at_offset(origin.base_offset());
        let mut reader = reader.checksum(self.checksum_mode());
        let output_name = output.name();
        let written = write_and_survey(&mut reader, options, &mut output, &mut |finding| {
            self.finding(&name, finding);
        });
        let (_, written, survey) =
            written.map_err(|error| explain(error, &origin, &output_name))?;
        drop(progress);
        origin.check_unchanged()?;
        if let Some(refused) = self.judge(&name, options, &survey)? {
            return Ok(refused);
        }
        check_end(&origin, reader, self.printer)?;
        let end = End::of(Exit::Done);
        self.finish(&name, output, options, &survey, &written, end)
    }

    /// Writes the keys of rdbkit's own JSON.
    fn json(&self, input: Input) -> Result<Exit> {
        let (origin, text) = input.into_parts();
        let file_id = origin.file_id();
        let header = header_of_json(text.data()).map_err(|error| origin.explain(error))?;
        let named = header.as_ref().and_then(|header| header.flavor.as_deref());
        let in_file = |error: Error| error.in_file(origin.name());
        let file = temporary::file().map_err(in_file)?;
        let mut file = rdb_of_json(text.data(), file).map_err(|error| match error.io_error() {
            Some(source) if is_of_output(&error) => {
                let same = |code| io::Error::from_raw_os_error(code);
                let source = source.raw_os_error().map_or(source.kind().into(), same);
                in_file(temporary::cannot_write(source))
            }
            _ => origin.explain(error),
        })?;
        origin.check_unchanged()?;
        file.rewind()
            .map_err(|e| in_file(temporary::cannot_write(e)))?;
        let options = OpenOptions::new().as_kind(Kind::Rdb);
        let interim = Input::from_reader(origin.name(), file, &options)?.spooled()?;
        let (interim_origin, rdb) = interim.into_parts();
        let flavor = named.and_then(Flavor::parse);
        let target = match self.target.or(flavor.and_then(Target::nearest)) {
            Some(target) => target,
            None => {
                let since = Counters::default().since;
                let has_parts = self.format == Format::AofDir;
                let (target, _) = usual_target(since, has_parts, |target| {
                    let mut reader = RdbReader::from_slice(rdb.data());
                    survey_rdb(&mut reader, &self.options(target)?)
                })?;
                self.note_assumed(origin.name(), target);
                target
            }
        };
        let mut options = self.options(target)?;
        options.fresh = true;
        // The reader has checked them; the interim file's release is stricter than some sources.
        options.no_check = true;
        let output = self.open_output(file_id, None)?;
        self.rewrite(Input::from_parts(interim_origin, rdb), &options, output)
    }

    fn checksum_mode(&self) -> ChecksumMode {
        match self.args.keep_going {
            true => ChecksumMode::Report,
            false => ChecksumMode::Require,
        }
    }

    fn write(
        &self,
        reader: &mut impl Pipe,
        origin: &Origin,
        options: &WriteOptions,
        survey: &Survey,
        output: &mut Destination,
    ) -> Result<Written> {
        let name = output.name();
        let written = write_records(reader, options, survey, output, &mut |finding| {
            self.finding(origin.name(), finding);
        });
        written
            .map(|(_, written)| written)
            .map_err(|error| explain(error, origin, &name))
    }

    /// Copies what stays as it is.
    fn copy(
        &self,
        origin: &Origin,
        bytes: ByteSource,
        options: &WriteOptions,
        mut output: Destination,
    ) -> Result<Exit> {
        let progress = Progress::watch(self.printer, origin.progress());
        let reader = RdbReader::new(bytes).at_offset(origin.base_offset());
        let mut reader = reader.checksum(self.checksum_mode());
        let name = output.name();
        let copied = copy_rdb(&mut reader, options, &mut output, &mut |finding| {
            self.finding(origin.name(), finding);
        });
        let (_, written) = copied.map_err(|error| explain(error, origin, &name))?;
        check_end(origin, reader, self.printer)?;
        drop(progress);
        let survey = Survey::default();
        self.finish(
            origin.name(),
            output,
            options,
            &survey,
            &written,
            End::of(Exit::Done),
        )
    }

    /// Writes the dataset that a log leaves.
    pub(super) fn log(&self, log: &Log) -> Result<Exit> {
        let output = self.open_output(log.file_ids(), log.set.as_ref())?;
        self.log_to(log, output)
    }

    /// Writes the dataset that a log leaves to an output that is open.
    pub(super) fn log_to(&self, log: &Log, output: Destination) -> Result<Exit> {
        let args = self.args;
        let mut replay = args.replay.options(args.filter.now, log, self.pipeline)?;
        replay.keep_going = args.keep_going;
        let replayed = match args.keep_going {
            true => open::replay_as_far(log, &replay, self.printer)?,
            false => open::replay(log, &replay, args.strict, self.printer)?,
        };
        if matches!(output, Destination::InPlace(_)) && !args.rdb.allow_loss {
            in_place::refuse_damage(&replayed).map_err(|error| error.in_file(log.name()))?;
        }
        let plan = self.rewriter()?.plan(log, &replayed, self.pipeline)?;
        let options = plan.options();
        if plan.is_target_assumed() {
            self.note_assumed(log.name(), options.target);
        }
        if let Some(refused) = self.judge(log.name(), options, plan.survey())? {
            return Ok(refused);
        }
        let mut output = output;
        let name = output.name();
        let (_, rewritten) = plan
            .write(&mut output)
            .map_err(|error| blame(error, log.name(), &name))?;
        let exit = if replayed.exact { Exit::Done } else { Exit::No };
        let result = self.finish(
            log.name(),
            output,
            options,
            plan.survey(),
            &rewritten.written,
            End {
                exit,
                rewritten: self.rewrites.then_some(rewritten),
            },
        );
        if !self.is_one_of_several {
            // The program ends: the system takes the memory back faster than each value gives
            // its own.
            std::mem::forget(replayed.replayer);
        }
        result
    }

    /// How a log becomes what is wanted.
    fn rewriter(&self) -> Result<Rewriter> {
        let args = self.args;
        let mut rewriter = Rewriter::new()
            .base_of_set(self.format == Format::AofDir)
            .now_ms(args.filter.now_ms())
            .encodings(self.encodings())
            .selection(args.filter.selection()?)
            .array_as_hash(args.rdb.array_as == Some(ArrayAs::Hash))
            .no_functions(args.no_functions)
            // What is lost has been judged before anything is written.
            .allow_loss(true);
        if self.format == Format::Rdb {
            rewriter = rewriter.rdb();
        } else if let Some(preamble) = self.preamble() {
            rewriter = rewriter.preamble(preamble);
        }
        let named = args.replay.release()?;
        Ok(match self.target.or(named.and_then(Target::nearest)) {
            Some(target) => rewriter.target(target),
            None => rewriter,
        })
    }

    fn note_assumed(&self, name: &str, target: &Target) {
        self.printer.note(&format!(
            "{name}: does not say which release wrote it; written for {target} (--target)"
        ));
    }

    fn open_output(
        &self,
        sources: impl IntoIterator<Item = FileId>,
        set: Option<&AofSet>,
    ) -> Result<Destination> {
        Destination::open(self.args, self.format, sources, set)
    }

    fn finding(&self, file: &str, finding: Finding) {
        self.printer.finding(&finding.in_file(file));
    }

    /// Says what is lost; the exit if that must not be.
    fn judge(&self, name: &str, options: &WriteOptions, survey: &Survey) -> Result<Option<Exit>> {
        let Err(error) = survey.refuse_loss(options) else {
            return Ok(None);
        };
        let error = error.in_file(name);
        if self.args.rdb.allow_loss {
            self.printer.warning(&error.to_string());
            return Ok(None);
        }
        self.printer.error(&error);
        let target = options.target;
        let summary = Object::new()
            .string("verdict", "refused")
            .number("exit", Exit::No as u8)
            .string("target", target.to_string());
        self.report(name, target, survey, summary)?;
        Ok(Some(Exit::No))
    }

    /// Completes the output and says what is not in it.
    fn finish(
        &self,
        name: &str,
        output: Destination,
        options: &WriteOptions,
        survey: &Survey,
        written: &Written,
        end: End,
    ) -> Result<Exit> {
        let End { exit, rewritten } = end;
        let target = options.target;
        let bytes = output.commit(self.printer)?;
        let exit = match written.damaged {
            0 => exit,
            _ => Exit::No,
        };
        self.notes(name, target, survey, written);
        let (keys, size) = (grouped(written.keys), grouped(bytes));
        self.printer.phase(&match options.form {
            Form::Commands { .. } => format!(
                "{keys} keys in {} commands, {size} bytes written for {target}",
                grouped(written.commands)
            ),
            Form::Rdb | Form::Base => format!(
                "{keys} keys, {size} bytes written for {target}; {} values copied {}",
                grouped(written.copied),
                if self.args.rdb.no_check {
                    "unchecked"
                } else {
                    "as they were"
                }
            ),
        });
        let summary = Object::new()
            .string("verdict", "written")
            .number("exit", exit as u8)
            .string("target", target.to_string())
            .number("keys", written.keys)
            .number("copied", written.copied)
            .flag("checked", !self.args.rdb.no_check)
            .number("left_out", written.left_out)
            .number("lost", written.lost)
            .number("damaged", written.damaged)
            .number("functions", written.functions)
            .number("commands", written.commands)
            .number("bytes", bytes);
        let summary = match rewritten {
            Some(rewritten) => self.compare(name, &rewritten, options, summary),
            None => summary,
        };
        let mut survey = survey.clone();
        survey.losses.note(Note::EmptyKeys, written.empty);
        self.report(name, target, &survey, summary)?;
        Ok(exit)
    }

    /// Says what became of a log that was written anew.
    fn compare(
        &self,
        name: &str,
        rewritten: &Rewritten,
        options: &WriteOptions,
        summary: Object,
    ) -> Object {
        let needed = grouped(rewritten.commands);
        let shown = match options.form {
            Form::Commands { .. } => format!("{needed} commands"),
            Form::Rdb | Form::Base => format!("an RDB of {needed} keys"),
        };
        let took = self.started.elapsed();
        self.printer.note(&format!(
            "{name}: {} bytes and {} commands became {} bytes and {shown}; {} dead commands dropped in {:.2} s",
            grouped(rewritten.bytes_before),
            grouped(rewritten.commands_before),
            grouped(rewritten.bytes),
            grouped(rewritten.dead_commands()),
            took.as_secs_f64()
        ));
        summary
            .number("bytes_before", rewritten.bytes_before)
            .number("commands_before", rewritten.commands_before)
            .number("dead_commands", rewritten.dead_commands())
            .number("took_ms", took.as_millis() as u64)
    }

    /// Says in one line which metadata is not in the output, and in another which modules it needs.
    fn notes(&self, name: &str, target: &Target, survey: &Survey, written: &Written) {
        let mut losses = survey.losses.clone();
        losses.note(Note::EmptyKeys, written.empty);
        if let Some(count) = losses.notes.remove(&Note::ArraysAsHashes) {
            let text = format!("{name}: {count} arrays became hashes; {target} has no arrays");
            self.printer.note(&text);
        }
        let notes = losses.notes.iter();
        let notes: Vec<_> = notes
            .map(|(note, count)| format!("{count} {}", note.name().replace('_', " ")))
            .collect();
        if !notes.is_empty() {
            self.printer.note(&format!(
                "{name}: not written for {target}: {}",
                notes.join(", ")
            ));
        }
        let modules = survey.modules.keys();
        let modules: Vec<_> = modules
            .map(|(module, version)| format!("needs module {module}, encver {version}"))
            .chain((survey.other_modules > 0).then(|| "needs other modules, too".to_owned()))
            .collect();
        if !modules.is_empty() {
            self.printer
                .note(&format!("{name}: {}", modules.join("; ")));
        }
    }

    /// Writes the report, if one is wanted.
    fn report(&self, name: &str, target: &Target, survey: &Survey, summary: Object) -> Result<()> {
        if !(self.report_file.is_wanted() || self.reports || self.is_one_of_several) {
            return Ok(());
        }
        let start = || match self.is_one_of_several {
            true => Object::new().string("file", name),
            false => Object::new(),
        };
        let mut text = Vec::new();
        for (loss, counted) in &survey.losses.data {
            let examples = counted.examples.iter();
            let examples =
                examples.map(|(db, key)| Object::new().number("db", *db).string("key", key));
            let data = start()
                .string("kind", loss.name())
                .number("count", counted.count)
                .string("target", target.to_string())
                .objects("examples", examples);
            text.extend(lines::line("loss", data));
        }
        for (note, count) in &survey.losses.notes {
            let data = start().string("kind", note.name()).number("count", *count);
            text.extend(lines::line("note", data));
        }
        for ((module, version), count) in &survey.modules {
            let data = start()
                .string("module", module)
                .number("encver", *version)
                .number("count", *count);
            text.extend(lines::line("module", data));
        }
        if survey.other_modules > 0 {
            let data = start().string("kind", "other_modules");
            let data = data.number("count", survey.other_modules);
            text.extend(lines::line("note", data));
        }
        if self.is_one_of_several {
            text.extend(lines::line("input", summary.string("file", name)));
            *self.reported.borrow_mut() = text;
            return Ok(());
        }
        text.extend(lines::line("summary", summary));
        self.report_file.deliver(&text, self.reports)
    }

    /// The report, of one of several logs.
    pub(super) fn take_report(&self) -> Vec<u8> {
        self.reported.take()
    }
}

/// Names the file to which an error belongs.
fn explain(error: Error, origin: &Origin, output: &str) -> Error {
    match error.io_error() {
        Some(_) if is_of_output(&error) => error.in_file(output),
        _ => origin.explain(error),
    }
}

fn blame(error: Error, input: &str, output: &str) -> Error {
    match error.io_error() {
        Some(_) if is_of_output(&error) => error.in_file(output),
        _ => error.in_file(input),
    }
}

/// Whether writing failed, not reading.
fn is_of_output(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io { doing } if doing == "cannot write")
}
