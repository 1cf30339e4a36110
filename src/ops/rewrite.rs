//! A log written anew: replayed, and its dataset written in the fewest bytes.
//!
//! ```text
//! replay   the log into a keyspace
//! plan     for which release, in which form, what that would lose
//! write    an RDB, or commands
//! ```
//!
//! Upstream: BGREWRITEAOF, which needs a server that has loaded the log.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use super::aof_write::write_keyspace;
use super::form::Form;
use super::log::Log;
use super::pipeline::Pipeline;
use super::rdb_write::{Survey, WriteOptions, Written, survey_store};
use super::replay::{ReplayOptions, Replayed};
use super::usual_target::usual_target;
use crate::bytes::sink::Counted;
use crate::error::{Error, Result};
use crate::rdb::{Encodings, Target};
use crate::report::Finding;
use crate::select::Selection;

/// Writes logs anew, each as short as its dataset allows.
///
/// ```
/// use rdbkit::input::{Input, Kind, OpenOptions};
/// use rdbkit::ops::log::Log;
/// use rdbkit::ops::rewrite::Rewriter;
///
/// let log = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
/// let options = OpenOptions::new().as_kind(Kind::Aof);
/// let log = Log::of_input(Input::from_reader("a.aof", &log[..], &options)?)?;
/// let rewriter = Rewriter::new().preamble(false);
/// let (out, rewritten) = rewriter.rewrite(&log, Vec::new(), &mut |finding| {
///     eprintln!("{finding}");
/// })?;
/// assert!(out.ends_with(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n"));
/// assert_eq!(rewritten.commands_before, 2);
/// assert_eq!(rewritten.bytes, out.len() as u64);
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Rewriter {
    replay: Option<ReplayOptions>,
    target: Option<&'static Target>,
    wanted: Wanted,
    has_parts: bool,
    now_ms: i64,
    encodings: Encodings,
    selection: Selection,
    array_as_hash: bool,
    no_functions: bool,
    allow_loss: bool,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Rdb,
    Log { preamble: Option<bool> },
}

impl Rewriter {
    /// Writes for the release that wrote the log, in its usual form, and refuses to lose data.
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
        Rewriter {
            replay: None,
            target: None,
            wanted: Wanted::Log { preamble: None },
            has_parts: false,
            now_ms,
            encodings: Encodings::Default,
            selection: Selection::everything(),
            array_as_hash: false,
            no_functions: false,
            allow_loss: false,
        }
    }

    /// Replays logs so, instead of to their ends and as the release that wrote each.
    pub fn replay(mut self, options: ReplayOptions) -> Self {
        self.replay = Some(options);
        self
    }

    /// Writes for this release.
    pub fn target(mut self, target: &'static Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Begins the log with an RDB, or writes commands only.
    pub fn preamble(mut self, preamble: bool) -> Self {
        self.wanted = Wanted::Log {
            preamble: Some(preamble),
        };
        self
    }

    /// Writes an RDB of its own instead of a log.
    pub fn rdb(mut self) -> Self {
        self.wanted = Wanted::Rdb;
        self
    }

    /// Writes the base of a set of several parts, which releases have from 7.0 on.
    pub fn base_of_set(mut self, has_parts: bool) -> Self {
        self.has_parts = has_parts;
        self
    }

    /// The time of writing, in milliseconds since 1970, instead of the clock's.
    pub fn now_ms(mut self, now_ms: i64) -> Self {
        self.now_ms = now_ms;
        self
    }

    /// The encodings of an RDB.
    pub fn encodings(mut self, encodings: Encodings) -> Self {
        self.encodings = encodings;
        self
    }

    /// Writes these keys only.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Turns arrays into hashes, each index a field, where the release has none.
    pub fn array_as_hash(mut self, array_as_hash: bool) -> Self {
        self.array_as_hash = array_as_hash;
        self
    }

    /// Leaves functions out.
    pub fn no_functions(mut self, no_functions: bool) -> Self {
        self.no_functions = no_functions;
        self
    }

    /// Leaves out what the release has no place for, instead of refusing.
    pub fn allow_loss(mut self, allow_loss: bool) -> Self {
        self.allow_loss = allow_loss;
        self
    }

    /// Replays a log and writes it anew; what is wrong with it goes to `report`.
    ///
    /// # Errors
    /// A log that cannot be replayed exactly, data that the release has no place for, a form
    /// that it does not know, or the sink's own error.
    pub fn rewrite<W: io::Write>(
        &self,
        log: &Log,
        sink: W,
        report: &mut dyn FnMut(Finding),
    ) -> Result<(W, Rewritten)> {
        let options = self.replay.unwrap_or_else(|| {
            let mut options = ReplayOptions::default();
            options.replay.flavor = log.flavor();
            options
        });
        let replayed = log.replay_exactly(&options, false, report)?;
        self.plan(log, &replayed, options.pipeline)?.write(sink)
    }

    /// Decides what to write of a log that was replayed, and by how many threads.
    ///
    /// # Errors
    /// No release is known to write for, or it does not know the form.
    pub fn plan<'r, 'l>(
        &self,
        log: &Log,
        replayed: &'r Replayed<'l>,
        pipeline: Pipeline,
    ) -> Result<Plan<'r, 'l>> {
        let store = &replayed.replayer.store;
        let own = self.target.map(Ok).or_else(|| {
            let flavor = log.writer()?;
            let unknown = || {
                let what = "is no release to write for: name one with --target";
                Error::usage(format!("{flavor} {what}")).in_file(log.name())
            };
            Some(Target::nearest(flavor).ok_or_else(unknown))
        });
        let is_assumed = own.is_none();
        let survey = |target| Ok(survey_store(store, &self.options(target)?));
        let (target, mut survey) = match own {
            Some(own) => {
                let own = own?;
                (own, survey(own)?)
            }
            None => {
                let has_parts = self.has_parts || log.set.is_some();
                usual_target(replayed.counters().since, has_parts, survey)?
            }
        };
        let mut options = self.options(target)?;
        options.pipeline = pipeline;
        survey.losses.merge(&replayed.losses);
        Ok(Plan {
            replayed,
            options,
            survey,
            is_assumed,
            allow_loss: self.allow_loss,
            bytes_before: log.bytes(),
        })
    }

    fn options(&self, target: &'static Target) -> Result<WriteOptions> {
        let mut options = WriteOptions::new(target);
        options.form = match self.wanted {
            Wanted::Rdb => Form::Rdb,
            Wanted::Log { preamble } => {
                Form::of_log(target, self.has_parts, preamble, self.now_ms)?
            }
        };
        options.encodings = self.encodings;
        options.selection = self.selection.clone();
        options.array_as_hash = self.array_as_hash;
        options.no_functions = self.no_functions;
        Ok(options)
    }
}

impl Default for Rewriter {
    fn default() -> Self {
        Rewriter::new()
    }
}

/// What is going to be written.
#[derive(Debug)]
pub struct Plan<'r, 'l> {
    replayed: &'r Replayed<'l>,
    options: WriteOptions,
    survey: Survey,
    is_assumed: bool,
    allow_loss: bool,
    bytes_before: u64,
}

impl Plan<'_, '_> {
    /// For which release, and as what.
    #[must_use]
    pub fn options(&self) -> &WriteOptions {
        &self.options
    }

    /// Whether nothing said for which release.
    #[must_use]
    pub fn is_target_assumed(&self) -> bool {
        self.is_assumed
    }

    /// What the release has no place for, and which modules it needs.
    #[must_use]
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Writes it.
    ///
    /// # Errors
    /// Data that the release has no place for unless that is allowed, a value that no encoding
    /// holds, or the sink's own error.
    pub fn write<W: io::Write>(&self, sink: W) -> Result<(W, Rewritten)> {
        if !self.allow_loss {
            self.survey.refuse_loss(&self.options)?;
        }
        let store = &self.replayed.replayer.store;
        let (sink, written) =
            write_keyspace(store, &self.options, &self.survey, Counted::new(sink))?;
        let (sink, bytes) = sink.into_parts();
        let rewritten = Rewritten {
            target: self.options.target,
            written,
            bytes,
            bytes_before: self.bytes_before,
            commands_before: self.replayed.records,
            // An RDB holds each key as if by one command.
            commands: match self.options.form.is_commands() {
                true => written.commands,
                false => written.keys,
            },
        };
        Ok((sink, rewritten))
    }
}

/// What a log was and became.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rewritten {
    /// For which release it was written.
    pub target: &'static Target,
    /// What was written.
    pub written: Written,
    /// Its bytes.
    pub bytes: u64,
    /// The bytes of the log before, all parts together.
    pub bytes_before: u64,
    /// The commands of the log before.
    pub commands_before: u64,
    /// Commands that make the dataset; of an RDB its keys.
    pub commands: u64,
}

impl Rewritten {
    /// How many commands the log had for nothing.
    #[must_use]
    pub fn dead_commands(&self) -> u64 {
        self.commands_before.saturating_sub(self.commands)
    }
}
