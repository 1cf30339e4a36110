//! The keys of a keyspace as records or commands, by several threads.
//!
//! ```text
//! keys     0 .. 511    512 .. 1023   1024 .. 1535   1536 .. 2047
//! thread   the caller  1             the caller     1              of two
//! ```
//!
//! Each thread encodes every so-many-th run of keys; the calling one passes all on in order.
//! What is ahead of it waits in a channel of few parts.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::form::Form;
use super::losses;
use super::rdb_part::Part;
use super::rdb_write::{WriteOptions, export_whole};
use super::selected::is_entry_selected;
use super::written::Written;
use crate::aof::CommandEncoder;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::PART_BYTES;
use crate::rdb::{RecordEncoder, Scratch};
use crate::store::{Entry, Store};

/// Keys that one thread encodes before it is the next one's turn; tests have few keys.
const RUN_KEYS: usize = if cfg!(test) { 2 } else { 512 };
/// Parts that wait for each thread.
const WAITING_PARTS: usize = 2;

/// Makes parts of the keys that the options choose, and passes them on in the order of the keys.
///
/// # Errors
/// The first in that order: a value that no encoding of the target holds, or what `emit` returns.
pub(super) fn each_store_part(
    store: &Store<'_>,
    options: &WriteOptions,
    mut emit: impl FnMut(&mut Part) -> Result<()>,
) -> Result<Written> {
    let jobs = options.pipeline.jobs().get();
    let mut written = Written::default();
    let mut finish = |part: &mut Part| {
        written.add(&part.written);
        let outcome = emit(part);
        part.clear();
        outcome
    };
    std::thread::scope(|scope| -> Result<()> {
        let spawn = |job| {
            let (sender, receiver) = sync_channel(WAITING_PARTS);
            let help = move || share(store, options, (job, jobs), &sender);
            // A system that has no more threads for us gets by with those it has.
            let thread = std::thread::Builder::new().spawn_scoped(scope, help);
            thread.ok().map(|_| receiver)
        };
        let helpers: Vec<_> = (1..jobs).map(spawn).collect();
        let mut encoder = Encoder::new(options);
        let mut keys = store.iter();
        for run in 0..runs(store) {
            let helper = (run % jobs).checked_sub(1).and_then(|at| helpers.get(at));
            if let Some(Some(parts)) = helper {
                skip_keys(&mut keys, RUN_KEYS);
                let mut is_over = false;
                while !is_over {
                    // One that panics says nothing, and the scope passes that on.
                    let silent = |_| Error::new(ErrorKind::Internal("a thread gave up"));
                    let mut part;
                    (part, is_over) = parts.recv().map_err(silent)??;
                    finish(&mut part)?;
                }
                continue;
            }
            for (db, key, entry) in keys.by_ref().take(RUN_KEYS) {
                encoder.entry(db, key, entry)?;
                if encoder.part.len() >= PART_BYTES {
                    finish(&mut encoder.part)?;
                }
            }
            finish(&mut encoder.part)?;
        }
        Ok(())
    })?;
    Ok(written)
}

fn runs(store: &Store<'_>) -> usize {
    store.len().div_ceil(RUN_KEYS)
}

fn skip_keys(keys: &mut impl Iterator, count: usize) {
    if let Some(last) = count.checked_sub(1) {
        keys.nth(last);
    }
}

/// Sends the parts of every run that is a thread's, and with each whether its run ends.
fn share(
    store: &Store<'_>,
    options: &WriteOptions,
    (job, jobs): (usize, usize),
    sender: &SyncSender<Result<(Part, bool)>>,
) {
    let mut encoder = Encoder::new(options);
    let mut keys = store.iter();
    skip_keys(&mut keys, job * RUN_KEYS);
    for _ in (job..runs(store)).step_by(jobs) {
        for (db, key, entry) in keys.by_ref().take(RUN_KEYS) {
            if let Err(error) = encoder.entry(db, key, entry) {
                // Nobody listens where an earlier key has failed.
                let _ = sender.send(Err(error));
                return;
            }
            let is_full = encoder.part.len() >= PART_BYTES;
            if is_full && sender.send(Ok((encoder.take(), false))).is_err() {
                return;
            }
        }
        if sender.send(Ok((encoder.take(), true))).is_err() {
            return;
        }
        skip_keys(&mut keys, (jobs - 1) * RUN_KEYS);
    }
}

/// Writes keys and values into a part.
struct Encoder<'o> {
    options: &'o WriteOptions,
    records: RecordEncoder,
    /// What makes commands, if those are written.
    commands: Option<CommandEncoder>,
    part: Part,
    scratch: Scratch,
}

impl<'o> Encoder<'o> {
    fn new(options: &'o WriteOptions) -> Self {
        Encoder {
            options,
            records: RecordEncoder::new(options.target, options.encodings),
            commands: match options.form {
                Form::Commands { now_ms } => Some(CommandEncoder::new(options.target, now_ms)),
                Form::Rdb | Form::Base => None,
            },
            part: Part::default(),
            scratch: Scratch::new(),
        }
    }

    fn take(&mut self) -> Part {
        std::mem::take(&mut self.part)
    }

    /// Writes a key, unless no filter wants it or the target has no place for it.
    fn entry(&mut self, db: u32, key: &[u8], entry: &Entry<'_>) -> Result<()> {
        let (options, part) = (self.options, &mut self.part);
        if !is_entry_selected(&options.selection, db, key, entry) {
            part.written.left_out += 1;
            return Ok(());
        }
        if losses::lost_entry(entry, options).is_some() {
            part.written.lost += 1;
            return Ok(());
        }
        part.begin_db(db);
        let arrives = match &mut self.commands {
            Some(commands) => {
                commands.lend(
                    std::mem::take(&mut part.spool),
                    std::mem::take(&mut part.bytes),
                );
                let told = export_whole(db, key, entry, options, &mut self.scratch, commands);
                let ended = told.and_then(|()| {
                    let ended = commands.end();
                    ended.map_err(|error| error.in_key(db, key))
                });
                (part.spool, part.bytes) = commands.reclaim();
                let count = ended?;
                part.written.commands += count;
                count > 0
            }
            None => {
                export_whole(
                    db,
                    key,
                    entry,
                    options,
                    &mut self.scratch,
                    &mut self.records,
                )?;
                let taken = self.records.take(&mut part.bytes);
                taken.map_err(|error| error.in_key(db, key))?
            }
        };
        match arrives {
            true => part.written.keys += 1,
            false => part.written.empty += 1,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::aof::resp::encode_record_into;
    use crate::ops::aof_write::write_keyspace;
    use crate::ops::pipeline::Pipeline;
    use crate::ops::rdb_write::survey_store;
    use crate::ops::replay::{LogPart, ReplayOptions, Replayed, replay_log};
    use crate::rdb::Target;

    fn log() -> Vec<u8> {
        let mut log = Vec::new();
        for n in 0..1000 {
            let (key, number) = (format!("key:{n}"), n.to_string());
            encode_record_into(&["SELECT", &(n / 300).to_string()], &mut log);
            encode_record_into(&["RPUSH", &key, &number, &key], &mut log);
        }
        // Larger than a part.
        encode_record_into(&["SET", "large", &"x".repeat(600_000)], &mut log);
        encode_record_into(&["SET", "last", "1"], &mut log);
        log
    }

    fn replayed(log: &[u8]) -> Replayed<'_> {
        let parts = [LogPart {
            name: None,
            bytes: log,
        }];
        replay_log(&parts, &ReplayOptions::default(), &mut |_| {}).unwrap()
    }

    fn options(form: Form, jobs: usize) -> WriteOptions {
        let mut options = WriteOptions::new(Target::named("redis-7.2").unwrap());
        options.form = form;
        options.pipeline = Pipeline::new(NonZeroUsize::new(jobs).unwrap());
        options
    }

    #[test]
    fn keyspace_is_written_the_same_by_any_number_of_threads() {
        let log = log();
        let replayed = replayed(&log);
        let store = &replayed.replayer.store;
        for form in [Form::Rdb, Form::Commands { now_ms: 1 }] {
            let by = |jobs| {
                let options = options(form, jobs);
                let survey = survey_store(store, &options);
                write_keyspace(store, &options, &survey, Vec::new()).unwrap()
            };
            let (bytes, written) = by(1);
            assert_eq!(written.keys, 1002);
            for jobs in [2, 3, 7] {
                assert!(by(jobs) == (bytes.clone(), written), "{form:?} {jobs}");
            }
        }
    }

    #[test]
    fn error_of_the_sink_ends_all_threads() {
        let log = log();
        let replayed = replayed(&log);
        let mut parts = 0;
        let full = || Error::usage("full");
        let outcome = each_store_part(&replayed.replayer.store, &options(Form::Rdb, 3), |_| {
            parts += 1;
            if parts == 5 { Err(full()) } else { Ok(()) }
        });
        assert_eq!(outcome.unwrap_err().to_string(), full().to_string());
        assert_eq!(parts, 5);
    }
}
