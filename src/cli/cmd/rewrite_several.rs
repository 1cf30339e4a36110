//! `rewrite` of several logs: each result takes its input's name in one folder, or its input's place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rdbkit::aof::layout::MANIFEST_SUFFIX;
use rdbkit::bytes::file_id::display_path;
use rdbkit::bytes::sink::OutputFolder;
use rdbkit::error::{Error, Result};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::report::lines::{self, Object};

use super::report_file::ReportFile;
use super::rewrite::{Place, Rewrite, one};
use crate::cli::args::RewriteArgs;
use crate::cli::exit::{self, Exit};
use crate::cli::printer::Printer;

/// Endings of compressed files; results are not compressed.
const COMPRESSED: [&str; 3] = [".gz", ".zst", ".lz4"];

/// Rewrites them, as many at a time as there are jobs.
pub(super) fn run(args: &RewriteArgs, pipeline: Pipeline, printer: &Printer) -> Result<Exit> {
    let targets = targets(args)?;
    // If nothing can be written into a new folder, it goes again.
    let _folder = match (&args.output, args.in_place) {
        (Some(folder), false) => Some(OutputFolder::create(folder)?),
        _ => None,
    };
    let inputs = args.inputs.iter().map(String::as_str);
    let outputs = targets.iter().filter_map(|(_, target)| target.as_deref());
    let file = ReportFile::open(args.rdb.report.as_deref(), args.force, inputs, outputs)?;
    let rewrite = |(input, target): &(&str, Option<PathBuf>)| {
        let place = match target {
            Some(target) => Place::Named(display_path(target)),
            None => Place::Input,
        };
        // They share the processors among them.
        let done = one(args, input, place, true, Pipeline::default(), printer);
        done.unwrap_or_else(|error| {
            let error = error.in_file(*input);
            printer.error(&error);
            let exit = exit::of_error(&error);
            let data = Object::new()
                .string("file", *input)
                .string("verdict", "failed")
                .number("exit", exit as u8)
                .string("code", error.code().as_str())
                .string("message", error.to_string());
            Rewrite {
                exit,
                report: lines::line("input", data),
            }
        })
    };
    // Who replaces a log has its folder alone.
    let mut folders: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (index, (input, target)) in targets.iter().enumerate() {
        let folder = match target {
            Some(target) => target.clone(),
            None => folder_of(Path::new(input)),
        };
        folders.entry(folder).or_default().push(index);
    }
    let folders: Vec<_> = folders.into_values().collect();
    let rewrite_all = |indexes: &Vec<usize>| {
        let rewritten = indexes.iter().filter_map(|index| {
            let target = targets.get(*index)?;
            Some((*index, rewrite(target)))
        });
        rewritten.collect::<Vec<_>>()
    };
    let rewrites: BTreeMap<usize, Rewrite> = rayon::ThreadPoolBuilder::new()
        .num_threads(pipeline.jobs().get())
        .build()
        .map_err(|e| Error::io("cannot start threads", io::Error::other(e)))?
        .install(|| folders.par_iter().flat_map(rewrite_all).collect());
    let rewrites: Vec<Rewrite> = rewrites.into_values().collect();
    let exit = rewrites
        .iter()
        .fold(Exit::Done, |exit, one| exit.or(one.exit));
    let mut text: Vec<u8> = rewrites.iter().flat_map(|one| one.report.clone()).collect();
    let of = |exit: Exit| rewrites.iter().filter(|one| one.exit == exit).count() as u64;
    let data = Object::new()
        .number("exit", exit as u8)
        .number("inputs", rewrites.len() as u64)
        .number("done", of(Exit::Done))
        .number("no", of(Exit::No))
        .number("unable", of(Exit::Unable));
    text.extend(lines::line("summary", data));
    file.deliver(&text, args.json)?;
    Ok(exit)
}

/// The folder in which a log lies.
fn folder_of(input: &Path) -> PathBuf {
    let path = input.canonicalize().unwrap_or_else(|_| input.to_path_buf());
    match path.parent() {
        Some(folder) if !path.is_dir() => folder.to_path_buf(),
        _ => path,
    }
}

/// Where each input goes; none for its own place. Refuses what cannot be told apart before
/// anything is written.
fn targets(args: &RewriteArgs) -> Result<Vec<(&str, Option<PathBuf>)>> {
    let mut seen: BTreeMap<PathBuf, &str> = BTreeMap::new();
    let mut targets = Vec::new();
    for input in &args.inputs {
        if input == "-" {
            return Err(Error::usage("stdin is rewritten alone: it has no name"));
        }
        let target = match args.output.as_deref() {
            Some("-") => {
                return Err(Error::usage(
                    "several logs go to a folder: name it with -o, or use --in-place",
                ));
            }
            Some(folder) => Some(Path::new(folder).join(name_of(input)?)),
            None => None,
        };
        let place = match &target {
            Some(target) => target.clone(),
            None => fs::canonicalize(input)
                .map_err(|e| Error::io("cannot open", e).in_file(input.as_str()))?,
        };
        if let Some(other) = seen.insert(place.clone(), input) {
            let place = display_path(&place);
            return Err(Error::usage(format!(
                "{other} and {input} would both be written as {place}"
            )));
        }
        targets.push((input.as_str(), target));
    }
    Ok(targets)
}

/// The name of an input: that of its file or folder, for a manifest that of the folder around it.
fn name_of(input: &str) -> Result<String> {
    let path = fs::canonicalize(input).map_err(|e| Error::io("cannot open", e).in_file(input))?;
    let is_manifest = input.ends_with(MANIFEST_SUFFIX);
    let named = match (is_manifest, path.parent()) {
        (true, Some(folder)) => folder,
        // A link's own name, not that of what it leads to.
        _ => match Path::new(input).file_name() {
            Some(_) => Path::new(input),
            None => &path,
        },
    };
    let name = named.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::usage("has no name for its result").in_file(input))?;
    let plain = COMPRESSED
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|plain| !plain.is_empty());
    Ok(plain.unwrap_or(name).to_owned())
}
