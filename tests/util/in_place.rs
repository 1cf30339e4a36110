//! A log replaced where it lies by the library, with the disk under a test's control.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::Duration;

use rdbkit::aof::in_place::{Claim, Options, Replaced};
use rdbkit::aof::writer::BaseForm;
use rdbkit::error::{Code, Result};
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
    let is_manifest = |name: &String| name.ends_with(".manifest") && !name.starts_with("temp-");
    match names(folder).iter().any(is_manifest) {
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

/// Tries again as long as a file is said to be in use.
///
/// A process that another test is starting has, until its program runs, what this test had open
/// a moment ago. No lease is granted meanwhile.
pub(crate) fn patiently<T>(mut act: impl FnMut() -> T, is_in_use: impl Fn(&T) -> bool) -> T {
    for _ in 0..200 {
        let outcome = act();
        if !is_in_use(&outcome) {
            return outcome;
        }
        thread::sleep(Duration::from_millis(10));
    }
    act()
}

/// Whether the program says that a log is open elsewhere.
pub(crate) fn says_in_use(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("has it open")
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
    let base = match preamble {
        true => BaseForm::Rdb,
        false => BaseForm::Commands,
    };
    let (log, output) = patiently(
        || {
            let claim = Claim::lock(&opened_by(log), false)?;
            let log = open(&claim)?;
            let output = log.in_place(claim, base, options.clone())?;
            Ok((log, output))
        },
        |begun: &Result<_>| matches!(begun, Err(error) if error.code() == Code::InUse),
    )?;
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
