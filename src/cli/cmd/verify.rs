//! `verify`: findings on stdout, the verdict in the exit code.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rdbkit::bytes::file_id::display_path;
use rdbkit::error::{Error, Result, printable};
use rdbkit::input::{Expanded, Purpose};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::verify::{Verified, VerifyOptions, verify_input, verify_log};
use rdbkit::report::lines::{self, Object};
use rdbkit::report::table::{bytes, grouped};
use rdbkit::report::{Finding, Level, Tally, Verdict, junit};

use crate::cli::args::{ReportFormat, VerifyArgs};
use crate::cli::exit::Exit;
use crate::cli::findings::{Findings, Text};
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Checks every input and reports.
pub(crate) fn run(args: &VerifyArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    let mut report = Report::new(args);
    let mut inputs = Vec::new();
    for spec in &args.inputs {
        match open::expand(spec, Purpose::Survey, printer) {
            Ok(expansion) => {
                report.skipped += expansion.skipped;
                inputs.extend(expansion.inputs);
            }
            // One input that cannot be looked at must not hide what is wrong with the others.
            Err(error) => report.input(Checked::unable(args, spec, &error))?,
        }
    }
    report.is_single &= inputs.len() <= 1;
    match inputs.as_slice() {
        [only] => report.input(check(args, only, pipeline, true, printer))?,
        several => check_each(args, several, pipeline, &mut report, printer)?,
    }
    report.finish()
}

/// Checks several inputs, each on one thread, and reports them in their order.
fn check_each(
    args: &VerifyArgs,
    inputs: &[Expanded],
    pipeline: Pipeline,
    report: &mut Report<'_>,
    printer: &Printer,
) -> Result<()> {
    let reported = Mutex::new((Turns::default(), report));
    let next = AtomicUsize::new(0);
    let work = |_: rayon::BroadcastContext<'_>| -> Result<()> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.get(at) else {
                return Ok(());
            };
            let checked = check(args, input, pipeline.share(), false, printer);
            let mut reported = reported.lock().unwrap_or_else(PoisonError::into_inner);
            let (turns, report) = &mut *reported;
            turns
                .done(at, checked, |checked| report.input(checked))
                // Nobody reads the report: there is nothing more to do.
                .inspect_err(|_| next.store(inputs.len(), Ordering::Relaxed))?;
        }
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(pipeline.jobs().get())
        .build()
        .map_err(|e| Error::io("cannot start threads", io::Error::other(e)))?
        .broadcast(work)
        .into_iter()
        .collect()
}

/// Inputs that were checked before their turn came.
#[derive(Default)]
struct Turns {
    next: usize,
    waiting: BTreeMap<usize, Checked>,
}

impl Turns {
    fn done(
        &mut self,
        at: usize,
        checked: Checked,
        mut report: impl FnMut(Checked) -> Result<()>,
    ) -> Result<()> {
        self.waiting.insert(at, checked);
        while let Some(checked) = self.waiting.remove(&self.next) {
            self.next += 1;
            report(checked)?;
        }
        Ok(())
    }
}

/// One input and what was found in it.
struct Checked {
    name: String,
    verified: Verified,
    findings: Findings,
}

impl Checked {
    fn unable(args: &VerifyArgs, name: &str, error: &Error) -> Self {
        let mut finding = Finding::of_error(error, Level::Error);
        finding.place.file.get_or_insert_with(|| name.to_owned());
        let mut verified = Verified::default();
        verified.tally.add(&finding);
        let mut findings = Findings::new(args.format(), args.strict);
        findings.add(&finding);
        Checked {
            name: name.to_owned(),
            verified,
            findings,
        }
    }
}

fn check(
    args: &VerifyArgs,
    input: &Expanded,
    pipeline: Pipeline,
    is_only: bool,
    printer: &Printer,
) -> Checked {
    let name = display_path(&input.path);
    let opened = match args.input_args.open(input) {
        Ok(opened) => opened,
        Err(error) => return Checked::unable(args, &name, &error),
    };
    printer.phase(&format!("{name}: checking"));
    let mut findings = Findings::new(args.format(), args.strict);
    let options = VerifyOptions {
        shallow: args.shallow,
        pipeline,
        ends_after: is_only,
    };
    let mut report = |finding| findings.add(&finding);
    let verified = match opened {
        Opened::Records(input) | Opened::Json(input) => {
            let _progress = Progress::watch(printer, input.origin().progress());
            verify_input(input, options, &mut report)
        }
        Opened::Log(log) => match args.replay.options(args.now, &log, pipeline) {
            Ok(replay) => verify_log(&log, options, &replay, &mut report),
            Err(error) => return Checked::unable(args, &name, &error),
        },
    };
    printer.phase(&format!(
        "{name}: {} keys in {}",
        grouped(verified.keys),
        bytes(verified.bytes)
    ));
    Checked {
        name,
        verified,
        findings,
    }
}

/// Prints what was found in each input, and the summary last.
struct Report<'a> {
    args: &'a VerifyArgs,
    format: ReportFormat,
    tally: Tally,
    totals: Verified,
    inputs: u64,
    skipped: usize,
    is_single: bool,
    /// The cases of a JUnit document, whose first line counts them.
    cases: Text,
    failures: u64,
}

impl<'a> Report<'a> {
    fn new(args: &'a VerifyArgs) -> Self {
        Report {
            args,
            format: args.format(),
            tally: Tally::default(),
            totals: Verified::default(),
            inputs: 0,
            skipped: 0,
            is_single: args.inputs.len() == 1,
            cases: Text::new(),
            failures: 0,
        }
    }

    fn input(&mut self, checked: Checked) -> Result<()> {
        let Checked {
            name,
            verified,
            findings,
        } = checked;
        self.inputs += 1;
        self.tally.merge(&verified.tally);
        self.totals.keys += verified.keys;
        self.totals.expires += verified.expires;
        self.totals.bytes += verified.bytes;
        let verdict = verified.tally.verdict(self.args.strict);
        match self.format {
            ReportFormat::Text => {
                findings.drain(print)?;
                print(
                    format!("{}: {}\n", printable(&name), sentence(&verified, verdict)).as_bytes(),
                )
            }
            ReportFormat::Json => {
                findings.drain(print)?;
                if self.is_single {
                    self.totals = verified;
                    return Ok(());
                }
                let data = summary(&verified, verdict).string("file", &name);
                print(&lines::line("input", data))
            }
            ReportFormat::Junit => {
                self.failures += u64::from(findings.fails());
                let cases = &mut self.cases;
                cases.put(junit::case(&name).as_bytes())?;
                findings.drain(|text| cases.put(text))?;
                cases.put(junit::END_OF_CASE.as_bytes())
            }
        }
    }

    fn finish(mut self) -> Result<Exit> {
        let verdict = self.tally.verdict(self.args.strict);
        match self.format {
            ReportFormat::Text if self.is_single && self.skipped == 0 => {}
            ReportFormat::Text => {
                let files = if self.inputs == 1 { "file" } else { "files" };
                let skipped = match self.skipped {
                    0 => String::new(),
                    n => format!(", {n} not recognised and left out"),
                };
                print(
                    format!(
                        "{} {files} checked{skipped}: {}\n",
                        self.inputs,
                        verdict.as_str()
                    )
                    .as_bytes(),
                )?;
            }
            ReportFormat::Json => {
                self.totals.tally = self.tally.clone();
                let data = summary(&self.totals, verdict)
                    .number("inputs", self.inputs)
                    .number("skipped", self.skipped as u64);
                print(&lines::line("summary", data))?;
            }
            ReportFormat::Junit => {
                print(junit::head(self.inputs, self.failures).as_bytes())?;
                self.cases.drain(print)?;
                print(junit::END.as_bytes())?;
            }
        }
        Ok(verdict.into())
    }
}

fn print(text: &[u8]) -> Result<()> {
    let written = io::stdout().lock().write_all(text);
    written.map_err(|e| Error::io("cannot write to stdout", e))
}

/// The verdict for people.
fn sentence(verified: &Verified, verdict: Verdict) -> String {
    let Tally {
        errors,
        warnings,
        unable,
        ..
    } = verified.tally;
    let count =
        |n: u64, noun: &str| format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" });
    let problems: Vec<_> = [(errors + unable, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| count(n, noun))
        .collect();
    let mut facts: Vec<_> = verified
        .dialect
        .map(|dialect| dialect.to_string())
        .into_iter()
        .collect();
    facts.extend(verified.commands.map(|commands| count(commands, "record")));
    facts.push(count(verified.keys, "key"));
    facts.push(bytes(verified.bytes));
    let word = verdict.as_str();
    if verdict == Verdict::Unreadable && verified.bytes == 0 {
        return word.to_owned();
    }
    match problems.is_empty() {
        true => format!("{word} ({})", facts.join(", ")),
        false => format!("{word}: {} ({})", problems.join(", "), facts.join(", ")),
    }
}

/// The data of an `input` or `summary` line.
fn summary(verified: &Verified, verdict: Verdict) -> Object {
    Object::new()
        .string("verdict", verdict.as_str())
        .number("exit", verdict.exit())
        .optional("kind", Some(&verified.kind).filter(|kind| !kind.is_empty()))
        .optional("magic", verified.dialect.map(|dialect| dialect.magic()))
        .optional_number("version", verified.dialect.map(|dialect| dialect.version))
        .number("bytes", verified.bytes)
        .optional_number("commands", verified.commands)
        .number("keys", verified.keys)
        .number("expires", verified.expires)
        .object("findings", lines::tally(&verified.tally))
}
