//! The keys of a keyspace as records or commands, by several threads.
//!
//! ```text
//! claim the next 512 keys, a run     one thread at a time, whichever is free
//! encode them                        every thread its own run
//! emit                               the calling thread, in the order of the keys
//! ```
//!
//! The calling thread emits what is ready, and encodes runs of its own while that is nothing. Of
//! each thread few parts wait: a helper that is farther ahead waits until they are taken, and the
//! calling thread, before it makes more of them, for those of others.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
use crate::store::{Bytes, Entry, Store, warm};

/// Keys that a thread claims at once; tests have few keys.
const RUN_KEYS: usize = if cfg!(test) { 2 } else { 512 };
/// Parts of each thread that wait to be emitted.
const WAITING_PARTS: usize = 2;

/// Makes parts of the keys that the options choose, and passes them on in the order of the keys.
///
/// # Errors
/// The first in that order: a value that no encoding of the target holds, or what `emit` returns.
pub(super) fn each_store_part(
    store: &Store<'_>,
    options: &WriteOptions,
    emit: impl FnMut(&mut Part) -> Result<()>,
) -> Result<Written> {
    let jobs = options.pipeline.jobs().get();
    let runs = Runs(Mutex::new(Unclaimed {
        keys: store.iter(),
        owners: VecDeque::new(),
        spare: Vec::new(),
    }));
    std::thread::scope(|scope| {
        let spawn = |helper| {
            let (sender, receiver) = sync_channel(WAITING_PARTS);
            let runs = &runs;
            let help = move || runs.help(helper, options, &sender);
            // A system that has no more threads for us gets by with those it has.
            let thread = std::thread::Builder::new().spawn_scoped(scope, help);
            thread.ok().map(|_| receiver)
        };
        let mut leader = Leader {
            runs: &runs,
            helpers: (1..jobs).map(|job| spawn(Owner::Helper(job - 1))).collect(),
            own: VecDeque::new(),
            emit,
            written: Written::default(),
        };
        leader.lead(options)?;
        Ok(leader.written)
    })
}

type Key<'s, 'a> = (u32, &'s Bytes<'a>, &'s Entry<'a>);

/// Who has claimed a run.
#[derive(Clone, Copy)]
enum Owner {
    /// The calling thread.
    Leader,
    Helper(usize),
}

/// What the threads share.
struct Runs<I>(Mutex<Unclaimed<I>>);

struct Unclaimed<I> {
    /// The keys that nobody has claimed.
    keys: I,
    /// Whose the runs are that were claimed and are not emitted, in the order of their keys.
    owners: VecDeque<Owner>,
    /// Parts that can be filled again.
    spare: Vec<Part>,
}

/// What a helper makes of a run, and whether the run ends with it.
type Made = Result<(Part, bool)>;

impl<'s, 'a: 's, I: Iterator<Item = Key<'s, 'a>>> Runs<I> {
    fn lock(&self) -> MutexGuard<'_, Unclaimed<I>> {
        // A thread that panicked while it held the lock ends the run elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the next keys; false if there are none.
    fn claim(&self, owner: Owner, run: &mut Vec<Key<'s, 'a>>) -> bool {
        let mut unclaimed = self.lock();
        run.clear();
        run.extend(unclaimed.keys.by_ref().take(RUN_KEYS));
        if !run.is_empty() {
            unclaimed.owners.push_back(owner);
        }
        !run.is_empty()
    }

    /// Takes what was made, for a new or used part.
    fn exchange(&self, made: &mut Part) -> Part {
        let spare = self.lock().spare.pop().unwrap_or_default();
        std::mem::replace(made, spare)
    }

    /// What the other threads do: encode runs as long as somebody wants them.
    fn help(&self, owner: Owner, options: &WriteOptions, sender: &SyncSender<Made>) {
        let mut encoder = Encoder::new(options);
        let mut run = Vec::with_capacity(RUN_KEYS);
        while self.claim(owner, &mut run) {
            for (db, key, entry) in warm::whole(&run, |key| key.2) {
                if let Err(error) = encoder.entry(*db, key, entry) {
                    // Nobody listens where an earlier key has failed.
                    let _ = sender.send(Err(error));
                    return;
                }
                if encoder.is_full() && self.send(&mut encoder, false, sender).is_none() {
                    return;
                }
            }
            if self.send(&mut encoder, true, sender).is_none() {
                return;
            }
        }
    }

    /// `None` if nobody wants it.
    fn send(
        &self,
        encoder: &mut Encoder<'_>,
        is_end: bool,
        sender: &SyncSender<Made>,
    ) -> Option<()> {
        let part = self.exchange(&mut encoder.part);
        sender.send(Ok((part, is_end))).ok()
    }
}

/// The calling thread.
struct Leader<'r, I, E> {
    runs: &'r Runs<I>,
    /// Without those that the system has refused; they claim nothing.
    helpers: Vec<Option<Receiver<Made>>>,
    /// What it has made of its own runs, each in one part, and could not emit yet.
    own: VecDeque<Part>,
    emit: E,
    written: Written,
}

impl<'s, 'a: 's, I, E> Leader<'_, I, E>
where
    I: Iterator<Item = Key<'s, 'a>>,
    E: FnMut(&mut Part) -> Result<()>,
{
    fn lead(&mut self, options: &WriteOptions) -> Result<()> {
        let mut encoder = Encoder::new(options);
        let mut run = Vec::with_capacity(RUN_KEYS);
        loop {
            if self.emit_next(false)? {
                continue;
            }
            if self.own.len() < WAITING_PARTS && self.runs.claim(Owner::Leader, &mut run) {
                self.encode(&run, &mut encoder)?;
                self.own.push_back(self.runs.exchange(&mut encoder.part));
                continue;
            }
            if !self.emit_next(true)? {
                return Ok(());
            }
        }
    }

    /// Encodes a run of its own. If that is more than a part, its turn has to come first.
    fn encode(&mut self, run: &[Key<'s, 'a>], encoder: &mut Encoder<'_>) -> Result<()> {
        for (db, key, entry) in warm::whole(run, |key| key.2) {
            let encoded = encoder.entry(*db, key, entry);
            if encoded.is_err() || encoder.is_full() {
                while self.emit_next(true)? {}
                encoded?;
                self.emit(self.runs.exchange(&mut encoder.part))?;
            }
        }
        Ok(())
    }

    /// Emits the next part if it is there, or waits for it; false if it is not, if there is none,
    /// and if it is one that this thread has yet to make.
    fn emit_next(&mut self, waits: bool) -> Result<bool> {
        let owner = self.runs.lock().owners.front().copied();
        let (part, is_end) = match owner {
            None => return Ok(false),
            Some(Owner::Leader) => match self.own.pop_front() {
                None => return Ok(false),
                Some(part) => (part, true),
            },
            Some(Owner::Helper(number)) => match self.made_by(number, waits) {
                None => return Ok(false),
                Some(made) => made?,
            },
        };
        if is_end {
            self.runs.lock().owners.pop_front();
        }
        self.emit(part)?;
        Ok(true)
    }

    fn made_by(&self, helper: usize, waits: bool) -> Option<Made> {
        // One that panics says nothing, and the scope passes that on.
        let silent = || Some(Err(Error::new(ErrorKind::Internal("a thread gave up"))));
        let Some(Some(receiver)) = self.helpers.get(helper) else {
            return silent();
        };
        match waits {
            true => receiver.recv().ok().or_else(silent),
            false => match receiver.try_recv() {
                Ok(made) => Some(made),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => silent(),
            },
        }
    }

    fn emit(&mut self, mut part: Part) -> Result<()> {
        self.written.add(&part.written);
        (self.emit)(&mut part)?;
        part.clear();
        part.bytes.shrink_to(2 * PART_BYTES as usize);
        self.runs.lock().spare.push(part);
        Ok(())
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

    /// Whether what was made is to be emitted before more is.
    fn is_full(&self) -> bool {
        self.part.len() >= PART_BYTES
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
