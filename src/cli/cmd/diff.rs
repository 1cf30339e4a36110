//! `diff`: whether two inputs hold the same data.

use std::io::{self, BufWriter, Write};

use rdbkit::bytes::source::Source as _;
use rdbkit::error::{Error, ErrorKind, Result, escape_key};
use rdbkit::input::{ByteSource, Kind, Origin, Purpose};
use rdbkit::keyset::join::Side;
use rdbkit::ops::diff::{Aspects, Diff, DiffOptions, Diffed, Difference, DifferentKey, Names};
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::replay::Replayed;
use rdbkit::rdb::{ChecksumMode, PayloadReader, RdbReader};
use rdbkit::report::lines::{self, Object};
use rdbkit::report::table::grouped;

use super::convert::check_end;
use crate::cli::args::{DiffArgs, InspectFormat};
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;

/// Compares two inputs.
pub(crate) fn run(args: &DiffArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    if args.a == "-" && args.b == "-" {
        return Err(Error::usage("only one of the two inputs can be stdin"));
    }
    let options = DiffOptions {
        selection: args.filter.selection()?,
        no_functions: args.no_functions,
        pipeline,
    };
    let (a, b) = (open(args, &args.a, printer)?, open(args, &args.b, printer)?);
    let (a, b) = (
        a.load(args, pipeline, printer)?,
        b.load(args, pipeline, printer)?,
    );
    let mut diff = Diff::new(options);
    let names = [
        a.add(Side::A, &mut diff, printer)?,
        b.add(Side::B, &mut diff, printer)?,
    ];
    let mut report = Report {
        out: BufWriter::new(io::stdout().lock()),
        is_json: args.json || args.format == InspectFormat::Json,
    };
    let diffed = diff.finish(names, |key| report.key(&key))?;
    a.check_unchanged()?;
    b.check_unchanged()?;
    report.finish(args, &diffed)
}

/// An input that is open.
enum Source {
    Records(Origin, ByteSource),
    Json(Origin, ByteSource),
    Log(Log),
}

/// An input whose keys can be told.
enum Loaded<'s> {
    Records(&'s Origin, &'s ByteSource),
    Json(&'s Origin, &'s ByteSource),
    Log(&'s Log, Box<Replayed<'s>>),
}

fn open(args: &DiffArgs, spec: &str, printer: &Printer) -> Result<Source> {
    let expansion = open::expand(spec, Purpose::Single, printer)?;
    let [expanded] = expansion.inputs.as_slice() else {
        return Err(Error::usage(format!("{spec}: diff takes one input a side")));
    };
    Ok(match args.input_args.open(expanded)? {
        // Names of keys that differ are read again.
        Opened::Records(input) => {
            let (origin, source) = input.spooled()?.into_parts();
            Source::Records(origin, source)
        }
        Opened::Json(input) => {
            let (origin, source) = input.into_parts();
            Source::Json(origin, source)
        }
        Opened::Log(log) => Source::Log(log),
    })
}

impl Source {
    /// Replays what is a log.
    fn load(&self, args: &DiffArgs, pipeline: Pipeline, printer: &Printer) -> Result<Loaded<'_>> {
        Ok(match self {
            Source::Records(origin, source) => Loaded::Records(origin, source),
            Source::Json(origin, source) => Loaded::Json(origin, source),
            Source::Log(log) => {
                let options = args.replay.options(args.filter.now, log, pipeline)?;
                let replayed = open::replay(log, &options, args.strict, printer)?;
                Loaded::Log(log, Box::new(replayed))
            }
        })
    }
}

impl Loaded<'_> {
    /// Adds the keys, and says where their names are.
    fn add(&self, side: Side, diff: &mut Diff, printer: &Printer) -> Result<Names<'_>> {
        match self {
            Loaded::Log(_, replayed) => diff.add_store(side, &replayed.replayer.store),
            Loaded::Json(origin, source) => {
                diff.add_json(side, source.data())
                    .map_err(|error| origin.explain(error))?;
                Ok(Names::Json(source.data()))
            }
            Loaded::Records(origin, source) if origin.kind() == Kind::DumpPayload => {
                let mut reader = PayloadReader::new(source.data(), ChecksumMode::Require);
                diff.add_rdb(side, &mut reader)
                    .map_err(|error| origin.explain(error))?;
                // A payload has one value and no key.
                Ok(Names::Keys(vec![b""]))
            }
            Loaded::Records(origin, source) => {
                let ByteSource::Mapped(mapped) = source else {
                    return Err(Error::new(ErrorKind::Internal("a spooled input is mapped")));
                };
                let _progress = Progress::watch(printer, origin.progress());
                let reader = RdbReader::new(ByteSource::Mapped(mapped.clone()));
                let mut reader = reader.at_offset(origin.base_offset());
                diff.add_rdb(side, &mut reader)
                    .map_err(|error| origin.explain(error))?;
                check_end(origin, reader, printer)?;
                Ok(Names::Rdb(source.data(), origin.base_offset()))
            }
        }
    }

    fn check_unchanged(&self) -> Result<()> {
        match self {
            Loaded::Records(origin, _) | Loaded::Json(origin, _) => origin.check_unchanged(),
            Loaded::Log(log, _) => log.check_unchanged(),
        }
    }
}

/// Prints differences as they are found.
struct Report<W: Write> {
    out: BufWriter<W>,
    is_json: bool,
}

impl<W: Write> Report<W> {
    fn print(&mut self, text: &[u8]) -> Result<()> {
        self.out
            .write_all(text)
            .map_err(|e| Error::io("cannot write to stdout", e))
    }

    fn key(&mut self, key: &DifferentKey<'_>) -> Result<()> {
        let line = match self.is_json {
            true => json_line(key),
            false => text_line(key).into_bytes(),
        };
        self.print(&line)
    }

    fn finish(mut self, args: &DiffArgs, diffed: &Diffed) -> Result<Exit> {
        let exit = match diffed.is_equal() {
            true => Exit::Done,
            false => Exit::No,
        };
        let text = match self.is_json {
            true => summary_lines(diffed, exit),
            false => summary_text(args, diffed).into_bytes(),
        };
        self.print(&text)?;
        self.out
            .flush()
            .map_err(|e| Error::io("cannot write to stdout", e))?;
        Ok(exit)
    }
}

/// What differs, as words of the report.
fn words(aspects: &Aspects) -> Vec<&'static str> {
    let table = [
        ("type", aspects.other_type.is_some()),
        ("value", aspects.value),
        ("stream_state", aspects.stream_state),
        ("deadline", aspects.deadlines.is_some()),
        ("field_deadlines", aspects.field_deadlines),
        ("key_meta", aspects.key_meta),
    ];
    let named = table.into_iter().filter(|(_, differs)| *differs);
    named.map(|(word, _)| word).collect()
}

fn text_line(key: &DifferentKey<'_>) -> String {
    let DifferentKey {
        db,
        key,
        value_type,
        difference,
    } = *key;
    let name = format!("db {db} {} ({})", escape_key(key), value_type.name());
    match difference {
        Difference::Only(Side::A) => format!("- {name}\n"),
        Difference::Only(Side::B) => format!("+ {name}\n"),
        Difference::Differs(aspects) => {
            let mut parts: Vec<String> = Vec::new();
            for word in words(&aspects) {
                parts.push(match (word, aspects.other_type, aspects.deadlines) {
                    ("type", Some(other), _) => format!("type {}", other.name()),
                    ("deadline", _, Some((a, b))) => {
                        format!("deadline {} -> {}", deadline(a), deadline(b))
                    }
                    (word, _, _) => word.replace('_', " "),
                });
            }
            format!("~ {name}: {}\n", parts.join(", "))
        }
        _ => format!("? {name}\n"),
    }
}

fn deadline(at: Option<i64>) -> String {
    at.map_or("none".to_owned(), |at| at.to_string())
}

fn json_line(key: &DifferentKey<'_>) -> Vec<u8> {
    let (kind, aspects) = match key.difference {
        Difference::Only(Side::A) => ("only_in_a", Aspects::default()),
        Difference::Only(Side::B) => ("only_in_b", Aspects::default()),
        Difference::Differs(aspects) => ("differs", aspects),
        _ => ("unknown", Aspects::default()),
    };
    let (a, b) = aspects.deadlines.unwrap_or_default();
    let object = Object::new()
        .string("kind", kind)
        .number("db", key.db)
        .string("key", key.key)
        .string("value_type", key.value_type.name())
        .optional(
            "what",
            (kind == "differs").then(|| words(&aspects).join(",")),
        )
        .optional("type_in_b", aspects.other_type.map(|other| other.name()))
        .optional_number("expire_at_ms_in_a", a)
        .optional_number("expire_at_ms_in_b", b);
    lines::line("difference", object)
}

fn summary_lines(diffed: &Diffed, exit: Exit) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, sides) in &diffed.functions {
        let kind = match sides {
            [true, false] => "only_in_a",
            [false, true] => "only_in_b",
            _ => "differs",
        };
        let object = Object::new().string("kind", kind).string("function", name);
        text.extend(lines::line("difference", object));
    }
    let verdict = match exit {
        Exit::Done => "equal",
        _ => "different",
    };
    let summary = Object::new()
        .string("verdict", verdict)
        .number("exit", exit as u8)
        .number("keys_in_a", diffed.keys[0])
        .number("keys_in_b", diffed.keys[1])
        .number("only_in_a", diffed.only[0])
        .number("only_in_b", diffed.only[1])
        .number("differing", diffed.differing)
        .number("functions", diffed.functions.len() as u64);
    text.extend(lines::line("summary", summary));
    text
}

fn summary_text(args: &DiffArgs, diffed: &Diffed) -> String {
    let mut text = String::new();
    for (name, sides) in &diffed.functions {
        let sign = match sides {
            [true, false] => '-',
            [false, true] => '+',
            _ => '~',
        };
        text += &format!("{sign} function library {}\n", escape_key(name));
    }
    let keys = |n: u64| format!("{} {}", grouped(n), if n == 1 { "key" } else { "keys" });
    let [in_a, in_b] = diffed.keys;
    if diffed.is_equal() {
        return text + &format!("equal: {}\n", keys(in_a));
    }
    let parts = [
        (diffed.only[0], format!("only in {}", args.a)),
        (diffed.only[1], format!("only in {}", args.b)),
        (diffed.differing, "not the same".to_owned()),
    ];
    let mut parts: Vec<_> = parts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", keys(n)))
        .collect();
    match diffed.functions.len() {
        0 => {}
        1 => parts.push("1 function library".to_owned()),
        n => parts.push(format!("{n} function libraries")),
    }
    let of = format!("of {} and {}", grouped(in_a), grouped(in_b));
    text + &format!("different: {} ({of})\n", parts.join(", "))
}
