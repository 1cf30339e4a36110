//! A log replaced where it lies by the library, with the disk under a test's control.

use std::path::{Path, PathBuf};

use rdbkit::aof::in_place::{Claim, Options, Replaced};
use rdbkit::aof::writer::BaseForm;
use rdbkit::error::Result;
use rdbkit::input::{Input, Kind, OpenOptions, Purpose, expand};
use rdbkit::ops::aof_write::write_keyspace;
use rdbkit::ops::log::Log;
use rdbkit::ops::rdb_write::{Form, WriteOptions, survey_store};
use rdbkit::ops::replay::ReplayOptions;

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
    let (base, form) = match preamble {
        true => (BaseForm::Rdb, Form::Base),
        false => (BaseForm::Commands, Form::Commands { now_ms: 0 }),
    };
    let mut output = log.in_place(claim, base, options)?;
    let replayed = log.replay(&ReplayOptions::default(), &mut |finding| {
        let is_leftover = matches!(finding.code.as_str(), "orphan_part" | "rewrite_temp");
        assert!(is_leftover, "{finding}");
    })?;
    let mut options = WriteOptions::new(target_of(release));
    options.form = form;
    let store = &replayed.replayer.store;
    let survey = survey_store(store, &options);
    write_keyspace(store, &options, &survey, &mut output)?;
    meanwhile();
    output.commit()
}
