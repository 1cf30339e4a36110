//! A log replaced where it lies by the library, with the disk under a test's control.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rdbkit::aof::in_place::{Claim, Options, Replaced};
use rdbkit::aof::writer::BaseForm;
use rdbkit::error::Result;
use rdbkit::input::{Input, Kind, OpenOptions, Purpose, expand};
use rdbkit::ops::log::Log;
use rdbkit::ops::rewrite::Rewriter;
use tempfile::TempDir;

use super::same::target_of;
use super::server::Release;

/// The file that a log is opened by: itself, or its manifest.
pub(crate) fn opened_by(log: &Path) -> PathBuf {
    let expansion = expand(log, Purpose::Single).unwrap();
    expansion.inputs[0].path.clone()
}

pub(crate) fn open(claim: &Claim) -> Result<Log> {
    let path = claim.path();
    if path.extension().is_some_and(|end| end == "manifest") {
        return Log::open_set(path);
    }
    let options = OpenOptions::new().map(true).as_kind(Kind::Aof);
    Log::of_input(Input::open(path, &options)?)
}

/// Copies a log from under a server: files that it has just removed are not needed.
pub(crate) fn copied(log: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &Path| match fs::copy(from, folder.path().join(from.file_name().unwrap())) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        copied => drop(copied.unwrap()),
    };
    match log.is_dir() {
        true => fs::read_dir(log)
            .unwrap()
            .for_each(|entry| copy(&entry.unwrap().path())),
        false => copy(log),
    }
    folder
}

/// What a server starts on: a folder of parts, or the only file.
pub(crate) fn log_in(folder: &Path) -> PathBuf {
    match folder.join("appendonly.aof.manifest").exists() {
        true => folder.to_path_buf(),
        false => folder.join("appendonly.aof"),
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Replaces a log by its compact form for the release.
pub(crate) fn rewrite(
    log: &Path,
    release: &Release,
    preamble: bool,
    options: Options,
) -> Result<Replaced> {
    rewrite_and(log, release, preamble, options, || ())
}

/// As [`rewrite`]; something happens when the new log is written and not yet in its place.
pub(crate) fn rewrite_and(
    log: &Path,
    release: &Release,
    preamble: bool,
    options: Options,
    meanwhile: impl FnOnce(),
) -> Result<Replaced> {
    let claim = Claim::lock(&opened_by(log), false)?;
    let log = open(&claim)?;
    let base = match preamble {
        true => BaseForm::Rdb,
        false => BaseForm::Commands,
    };
    let output = log.in_place(claim, base, options)?;
    let rewriter = Rewriter::new()
        .target(target_of(release))
        .preamble(preamble)
        .base_of_set(log.set.is_some());
    let (output, _) = rewriter.rewrite(&log, output, &mut |finding| {
        let is_leftover = matches!(finding.code.as_str(), "orphan_part" | "rewrite_temp");
        assert!(is_leftover, "{finding}");
    })?;
    meanwhile();
    output.commit()
}
