//! One file, several threads: batches of records are looked at anywhere and told in file order.
//!
//! ```text
//! cut off a batch        one thread at a time, whichever is free: lengths are read, no values
//! decode it, hash it     every thread its own batch
//! emit                   the calling thread, in file order, whenever it is free
//! ```
//!
//! So `jobs` threads serve a file, none of them has a fixed role, and one job is a plain
//! loop over the items. What is emitted never depends on their number: a [`Work`] sees the
//! items of a batch in order, and the first error in file order ends the run behind the
//! output of everything before it.
//!
//! Memory: while [`IN_FLIGHT_BYTES`] of the file are being decoded or wait to be emitted, no
//! more are cut off, so at most one batch goes beyond; it is large only if one record is. Of
//! less memory than usual ([`Pipeline::memory_bytes`]) an eighth is in flight, and half is for
//! the keys that were seen.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::bytes::crc64::{Crc64, combine, crc64};
use crate::bytes::source::Source;
use crate::error::{Error, Result};
use crate::limits::{BATCH_BYTES, IN_FLIGHT_BYTES, KEYSET_BYTES, MEMORY_BYTES};
use crate::rdb::reader::{Batch, Visit};
use crate::rdb::{Item, PayloadReader, PlainString, RdbReader, ReadItems};

/// How a file is divided among threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipeline {
    jobs: NonZeroUsize,
    batch_bytes: usize,
    memory_bytes: usize,
}

impl Pipeline {
    /// Uses so many threads, the caller's included.
    #[must_use]
    pub fn new(jobs: NonZeroUsize) -> Self {
        Pipeline {
            jobs,
            batch_bytes: BATCH_BYTES,
            memory_bytes: MEMORY_BYTES,
        }
    }

    /// How many threads it uses.
    #[must_use]
    pub fn jobs(self) -> NonZeroUsize {
        self.jobs
    }

    /// Uses other batches than those of 256 KiB. Results do not depend on it.
    #[must_use]
    pub fn batch_bytes(self, batch_bytes: usize) -> Self {
        Pipeline {
            batch_bytes: batch_bytes.max(1),
            ..self
        }
    }

    /// Uses no more memory than this for what is in flight and for the keys that were seen,
    /// as far as that goes; more than [`MEMORY_BYTES`] makes no difference. Results do not depend on it.
    #[must_use]
    pub fn memory_bytes(self, memory_bytes: usize) -> Self {
        Pipeline {
            memory_bytes: memory_bytes.min(MEMORY_BYTES),
            ..self
        }
    }

    /// What each thread has that works on a file of its own: one thread, and its share of the
    /// memory.
    #[must_use]
    pub fn share(self) -> Self {
        Pipeline {
            jobs: NonZeroUsize::MIN,
            memory_bytes: self.memory_bytes / self.jobs.get(),
            ..self
        }
    }

    fn in_flight_bytes(self) -> usize {
        (self.memory_bytes / 8).clamp(1, IN_FLIGHT_BYTES)
    }

    /// What a [`KeySet`](crate::keyset::KeySet) may use.
    pub(crate) fn keyset_bytes(self) -> usize {
        (self.memory_bytes / 2).min(KEYSET_BYTES)
    }
}

impl Default for Pipeline {
    /// Uses the calling thread only.
    fn default() -> Self {
        Pipeline::new(NonZeroUsize::MIN)
    }
}

/// What a thread does with items.
pub trait Work {
    /// What it makes of a batch.
    type Output: Send;

    /// What must be known of the items before a batch, beside what a record says itself.
    type Context: Clone + Default + Send;

    /// Learns from an item that is no key.
    fn observe(context: &mut Self::Context, item: &Item<'_>);

    /// A batch begins.
    fn begin(&mut self, context: Self::Context);

    /// Looks at the next item, which stands in these bytes.
    ///
    /// # Errors
    /// What ends the run.
    fn item(&mut self, item: &Item<'_>, bytes: &[u8], span: &Range<u64>) -> Result<()>;

    /// Whether [`plain_string`](Self::plain_string) is of use; asking costs a little.
    const TAKES_PLAIN_STRINGS: bool = false;

    /// Looks at a key with a plain string, which costs less than looking at an item; `false`
    /// wants it as an item.
    fn plain_string(&mut self, _string: &PlainString<'_>) -> bool {
        false
    }

    /// Bytes that an output takes beside what its batch is known to become: findings, above all,
    /// of which a record of ten bytes can have some. They count as bytes in flight.
    fn extra_bytes(_output: &Self::Output) -> usize {
        0
    }

    /// Hands out what was made since the last call; `used` has been emitted and can be filled again.
    fn take(&mut self, used: Option<Self::Output>) -> Self::Output;
}

/// A reader whose items can be looked at by several threads.
pub trait Pipe: ReadItems {
    /// Whether it is one value for RESTORE, which is stricter than what loads a file.
    const IS_PAYLOAD: bool = false;

    /// Passes all items through workers that `worker` makes, and what they make of them to
    /// `emit`, in file order and on the calling thread.
    ///
    /// # Errors
    /// The first in file order: of reading, of a worker or of `emit`. Everything before it
    /// was emitted.
    fn pipe<W: Work>(
        &mut self,
        pipeline: Pipeline,
        worker: impl Fn() -> W + Sync,
        emit: impl FnMut(&mut W::Output) -> Result<()>,
    ) -> Result<()>;
}

impl<S: Source + Send> Pipe for RdbReader<S> {
    fn pipe<W: Work>(
        &mut self,
        pipeline: Pipeline,
        worker: impl Fn() -> W + Sync,
        emit: impl FnMut(&mut W::Output) -> Result<()>,
    ) -> Result<()> {
        let is_small = self.is_within(pipeline.batch_bytes);
        self.with_window(|reader| {
            if pipeline.jobs == NonZeroUsize::MIN || is_small {
                let mut serial = SerialLoop::new(pipeline, worker(), emit);
                let outcome = reader.visit_from(Crc64::new(), &mut serial);
                serial.end(outcome)
            } else {
                parallel(reader, pipeline, &worker, emit)
            }
        })
    }
}

impl Pipe for PayloadReader<'_> {
    const IS_PAYLOAD: bool = true;

    fn pipe<W: Work>(
        &mut self,
        pipeline: Pipeline,
        worker: impl Fn() -> W + Sync,
        emit: impl FnMut(&mut W::Output) -> Result<()>,
    ) -> Result<()> {
        let mut serial = SerialLoop::new(pipeline, worker(), emit);
        let outcome = self.for_each_raw(|item, bytes, span| serial.item(item, bytes, span));
        serial.end(outcome)
    }
}

/// All threads in one: looks at items, and emits what came of them whenever that is a batch.
struct SerialLoop<W: Work, E> {
    worker: W,
    emit: E,
    batch_bytes: u64,
    pending_bytes: u64,
    used: Option<W::Output>,
    is_refused: bool,
}

impl<W: Work, E: FnMut(&mut W::Output) -> Result<()>> SerialLoop<W, E> {
    fn new(pipeline: Pipeline, mut worker: W, emit: E) -> Self {
        worker.begin(W::Context::default());
        SerialLoop {
            worker,
            emit,
            batch_bytes: pipeline.batch_bytes as u64,
            pending_bytes: 0,
            used: None,
            is_refused: false,
        }
    }

    #[inline]
    fn count(&mut self, bytes: u64) -> Result<()> {
        self.pending_bytes += bytes;
        match self.pending_bytes < self.batch_bytes {
            true => Ok(()),
            false => self.emit_batch(),
        }
    }

    fn emit_batch(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        let mut output = self.worker.take(self.used.take());
        (self.emit)(&mut output).inspect_err(|_| self.is_refused = true)?;
        self.used = Some(output);
        Ok(())
    }

    fn end(mut self, outcome: Result<()>) -> Result<()> {
        if !self.is_refused {
            self.emit_batch()?;
        }
        outcome
    }
}

impl<W: Work, E: FnMut(&mut W::Output) -> Result<()>> Visit for SerialLoop<W, E> {
    const TAKES_PLAIN_STRINGS: bool = W::TAKES_PLAIN_STRINGS;

    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>, bytes: usize) -> Result<bool> {
        if !self.worker.plain_string(string) {
            return Ok(false);
        }
        self.count(bytes as u64)?;
        Ok(true)
    }

    fn item(&mut self, item: &Item<'_>, bytes: &[u8], span: Range<u64>) -> Result<()> {
        self.worker.item(item, bytes, &span)?;
        self.count(span.end - span.start)
    }
}

/// A thread's look at its batch.
struct InBatch<'w, W>(&'w mut W);

impl<W: Work> Visit for InBatch<'_, W> {
    const TAKES_PLAIN_STRINGS: bool = W::TAKES_PLAIN_STRINGS;

    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>, _bytes: usize) -> Result<bool> {
        Ok(self.0.plain_string(string))
    }

    fn item(&mut self, item: &Item<'_>, bytes: &[u8], span: Range<u64>) -> Result<()> {
        self.0.item(item, bytes, &span)
    }
}

fn parallel<S: Source + Send, W: Work>(
    reader: &mut RdbReader<S>,
    pipeline: Pipeline,
    make_worker: &(impl Fn() -> W + Sync),
    mut emit: impl FnMut(&mut W::Output) -> Result<()>,
) -> Result<()> {
    let is_hashing = reader.is_hashing();
    let line = Line {
        pipeline,
        is_hashing,
        state: Mutex::new(LineState {
            cutter: Some(Cutter {
                reader,
                context: W::Context::default(),
            }),
            cut_outcome: None,
            batches: VecDeque::new(),
            first_number: 0,
            in_flight_bytes: 0,
            used: Vec::new(),
            is_over: false,
        }),
        changed: Condvar::new(),
    };
    let mut worker = make_worker();
    let mut crc = 0;
    std::thread::scope(|scope| {
        for _ in 1..pipeline.jobs.get() {
            let help = || {
                let _guard = OverOnPanic(&line);
                line.help(&mut make_worker());
            };
            // A system that has no more threads for us gets by with those it has.
            let _ = std::thread::Builder::new().spawn_scoped(scope, help);
        }
        let _guard = OverOnPanic(&line);
        let outcome = line.lead(&mut worker, |done| {
            emit(&mut done.output)?;
            crc = combine(crc, done.crc, done.bytes as u64);
            std::mem::replace(&mut done.outcome, Ok(()))
        });
        line.end();
        outcome
    })?;
    let state = line
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    // All threads are back, so the cutter is, too.
    let Some(Cutter { reader, context }) = state.cutter else {
        return Err(Error::new(crate::error::ErrorKind::Internal(
            "a thread kept the reader",
        )));
    };
    state.cut_outcome.unwrap_or(Ok(()))?;
    worker.begin(context);
    let outcome = reader.visit_from(Crc64::resume(crc), &mut InBatch(&mut worker));
    emit(&mut worker.take(None))?;
    outcome
}

/// How often a thread looks whether the cutter is back before it sleeps: for about as long as
/// it would take to wake it, some ten microseconds and less than a millisecond on any processor.
const LOOKS: u32 = 60;
const PAUSES_BETWEEN_LOOKS: u32 = 64;

/// What the threads of one file share.
struct Line<'r, S: Source, W: Work> {
    pipeline: Pipeline,
    is_hashing: bool,
    state: Mutex<LineState<'r, S, W>>,
    changed: Condvar,
}

struct LineState<'r, S: Source, W: Work> {
    /// Absent while a thread is cutting.
    cutter: Option<Cutter<'r, S, W>>,
    /// How cutting ended, once it has.
    cut_outcome: Option<Result<()>>,
    /// Batches that were cut off and are not emitted, `None` until they are decoded.
    batches: VecDeque<Option<Done<W>>>,
    /// Number of the first of them.
    first_number: u64,
    in_flight_bytes: usize,
    /// Outputs that can be filled again.
    used: Vec<W::Output>,
    /// Nobody is to do any more.
    is_over: bool,
}

struct Cutter<'r, S: Source, W: Work> {
    reader: &'r mut RdbReader<S>,
    context: W::Context,
}

/// What became of a batch.
struct Done<W: Work> {
    output: W::Output,
    outcome: Result<()>,
    crc: u64,
    bytes: usize,
    extra_bytes: usize,
}

/// What a thread can do next.
enum Task<'r, S: Source, W: Work> {
    Cut(Cutter<'r, S, W>),
    Emit(Done<W>),
}

/// A batch to be decoded.
struct Order<B, W: Work> {
    number: u64,
    batch: Batch<B>,
    context: W::Context,
    used: Option<W::Output>,
}

impl<'r, S: Source + Send, W: Work> Line<'r, S, W> {
    fn lock(&self) -> MutexGuard<'_, LineState<'r, S, W>> {
        // A thread that panicked while it held the lock ends the run elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts off and decodes batches until there are no more.
    fn help(&self, worker: &mut W) {
        while let Some(Task::Cut(cutter)) = self.task(false) {
            self.cut_and_decode(cutter, worker);
        }
    }

    /// Does the same and emits what is next in the file whenever it is there.
    fn lead(&self, worker: &mut W, mut emit: impl FnMut(&mut Done<W>) -> Result<()>) -> Result<()> {
        while let Some(task) = self.task(true) {
            match task {
                Task::Cut(cutter) => self.cut_and_decode(cutter, worker),
                Task::Emit(mut done) => {
                    emit(&mut done)?;
                    let mut state = self.lock();
                    state.in_flight_bytes -= done.bytes + done.extra_bytes;
                    state.used.push(done.output);
                    drop(state);
                    self.changed.notify_all();
                }
            }
        }
        Ok(())
    }

    /// Waits for something to do; `None` if nothing will come.
    fn task(&self, is_leader: bool) -> Option<Task<'r, S, W>> {
        let mut state = self.lock();
        let mut looks = 0;
        while !state.is_over {
            if is_leader && let Some(done) = state.batches.front_mut().and_then(Option::take) {
                state.batches.pop_front();
                state.first_number += 1;
                return Some(Task::Emit(done));
            }
            if state.cut_outcome.is_some() {
                if !is_leader || state.batches.is_empty() {
                    return None;
                }
            } else if state.in_flight_bytes < self.pipeline.in_flight_bytes()
                && let Some(cutter) = state.cutter.take()
            {
                return Some(Task::Cut(cutter));
            }
            // Cutting takes less time than waking a thread does.
            if state.cutter.is_none() && looks < LOOKS {
                looks += 1;
                drop(state);
                for _ in 0..PAUSES_BETWEEN_LOOKS {
                    std::hint::spin_loop();
                }
                state = self.lock();
                continue;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn cut_and_decode(&self, cutter: Cutter<'r, S, W>, worker: &mut W) {
        let Some(order) = self.cut(cutter) else {
            return;
        };
        worker.begin(order.context);
        let batch = order.batch;
        let outcome = batch.visit(&mut InBatch(worker));
        let output = worker.take(order.used);
        let extra_bytes = W::extra_bytes(&output);
        let done = Done {
            output,
            outcome,
            // The batch is still in cache.
            crc: if self.is_hashing {
                crc64(batch.bytes())
            } else {
                0
            },
            bytes: batch.bytes().len(),
            extra_bytes,
        };
        let mut state = self.lock();
        state.in_flight_bytes += extra_bytes;
        let index = order.number - state.first_number;
        state.batches[index as usize] = Some(done);
        drop(state);
        self.changed.notify_all();
    }

    /// Cuts off a batch and hands the cutter on.
    fn cut(&self, mut cutter: Cutter<'r, S, W>) -> Option<Order<S::Shared, W>> {
        let context = cutter.context.clone();
        let cut = cutter.reader.cut(self.pipeline.batch_bytes, |item| {
            W::observe(&mut cutter.context, item);
        });
        let mut state = self.lock();
        state.cutter = Some(cutter);
        let order = match cut {
            Ok(Some(batch)) => {
                let number = state.first_number + state.batches.len() as u64;
                state.batches.push_back(None);
                state.in_flight_bytes += batch.bytes().len();
                Some(Order {
                    number,
                    batch,
                    context,
                    used: state.used.pop(),
                })
            }
            Ok(None) => {
                state.cut_outcome = Some(Ok(()));
                None
            }
            Err(error) => {
                state.cut_outcome = Some(Err(error));
                None
            }
        };
        drop(state);
        self.changed.notify_all();
        order
    }

    /// Sends everybody home.
    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

/// Ends the run when its thread panics, so that the others do not wait for it.
struct OverOnPanic<'l, 'r, S: Source + Send, W: Work>(&'l Line<'r, S, W>);

impl<S: Source + Send, W: Work> Drop for OverOnPanic<'_, '_, S, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}
