//! A keyspace in parts that several threads replay at once.
//!
//! ```text
//! read the log, find each command's part      the calling thread, a round ahead
//! carry the commands of a part out            any thread, one part after another
//! tell what was refused, in log order         the calling thread, between two rounds
//! ```
//!
//! A round is a few thousand commands. In each part they run in log order; what needs keys
//! of several parts runs between two rounds, with its keys brought together; what may need
//! any key ([`Route::Whole`]) ends the division. The rounds, and so the order in which keys
//! come out, depend on the log alone, never on the number of threads.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::heard::{Heard, told};
use crate::replay::route::{Places, Route, SHARDS, shard_of};
use crate::replay::table::Command;
use crate::replay::txn::{Rejected, Run};
use crate::replay::{Args, Options, Reject, Replayer, State};
use crate::store::warm;

/// Commands in a round; tests have small logs.
const ROUND: usize = if cfg!(test) { 8 } else { 8 * 1024 };
/// Arguments in a round, but for those of the last command.
const ROUND_ARGS: usize = 4 * ROUND;
/// A command that needs several parts together costs about as much time as so many others
/// in a round save.
const TOGETHER_COST: u64 = 256;
/// So many of them are not yet a habit.
const FEW_TOGETHER: u64 = if cfg!(test) { 8 } else { 64 };

/// What was refused, with the place in its round.
pub(super) struct Told {
    place: u32,
    /// It was known when the command was read; else the commands behind it in the log,
    /// those of a round, may have been carried out.
    pub(super) is_early: bool,
    pub(super) what: Heard,
}

/// One command of a round.
struct Order {
    command: &'static Command,
    first: u32,
    end: u32,
    db: u32,
    /// The place in the round.
    place: u32,
    offset: u64,
}

/// A round: what each part has to do.
struct Round<'a> {
    args: Vec<&'a [u8]>,
    orders: [Vec<Order>; SHARDS],
    /// The time that an annotation says, in seconds, from a place on.
    annotations: Vec<(u32, i64)>,
    told: Vec<Told>,
    places: u32,
}

impl Default for Round<'_> {
    fn default() -> Self {
        Round {
            args: Vec::new(),
            orders: std::array::from_fn(|_| Vec::new()),
            annotations: Vec::new(),
            told: Vec::new(),
            places: 0,
        }
    }
}

impl Round<'_> {
    fn is_full(&self) -> bool {
        self.places as usize >= ROUND || self.args.len() >= ROUND_ARGS
    }

    /// Makes it ready to be filled again; what one long command took is given back.
    fn clear(&mut self) {
        self.args.clear();
        self.args.shrink_to(2 * ROUND_ARGS);
        self.orders.iter_mut().for_each(Vec::clear);
        self.annotations.clear();
        self.told.clear();
        self.places = 0;
    }
}

/// One part of the keyspace.
struct Shard<'a> {
    number: usize,
    state: State<'a>,
    told: Vec<Told>,
}

impl<'a> Shard<'a> {
    /// Does what a round has for this part.
    fn take_part(&mut self, round: &Round<'a>, options: Options) {
        let orders = round.orders.get(self.number).map_or(&[][..], Vec::as_slice);
        let args = |order: &Order| {
            let range = order.first as usize..order.end as usize;
            round.args.get(range).unwrap_or_default()
        };
        let mut annotations = round.annotations.iter().peekable();
        let mut replayer = Replayer::resume(options, std::mem::take(&mut self.state));
        for batch in orders.chunks(warm::BATCH) {
            replayer.select(batch.first().map_or(0, |order| order.db));
            replayer.look_ahead(batch.iter().map(args));
            for order in batch {
                while let Some((_, seconds)) =
                    annotations.next_if(|(place, _)| *place <= order.place)
                {
                    replayer.annotate(*seconds);
                }
                replayer.select(order.db);
                let args = args(order);
                if let Err(reject) = Run::run(&mut replayer, order.command, args, order.offset) {
                    let what = told(&Rejected {
                        offset: order.offset,
                        args,
                        command: Some(order.command),
                        db: order.db,
                        reject,
                    });
                    self.told.push(Told {
                        place: order.place,
                        is_early: false,
                        what,
                    });
                }
            }
        }
        for (_, seconds) in annotations {
            replayer.annotate(*seconds);
        }
        self.state = replayer.into_state();
    }
}

/// What the threads share.
struct Line<'a> {
    /// How every part replays.
    options: Options,
    state: Mutex<LineState<'a>>,
    /// There is something to do, or nothing any more.
    work: Condvar,
    /// A part is at rest, or a thread panicked.
    rest: Condvar,
}

struct LineState<'a> {
    round: Arc<Round<'a>>,
    waiting: Vec<Shard<'a>>,
    resting: Vec<Shard<'a>>,
    is_over: bool,
}

impl<'a> Line<'a> {
    fn lock(&self) -> MutexGuard<'_, LineState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the other threads do.
    fn help(&self) {
        let mut state = self.lock();
        while !state.is_over {
            state = match state.waiting.pop() {
                Some(shard) => self.work_on(state, shard),
                None => self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn work_on<'l>(
        &'l self,
        state: MutexGuard<'l, LineState<'a>>,
        mut shard: Shard<'a>,
    ) -> MutexGuard<'l, LineState<'a>> {
        let round = Arc::clone(&state.round);
        drop(state);
        shard.take_part(&round, self.options);
        let mut state = self.lock();
        drop(round);
        state.resting.push(shard);
        if state.resting.len() == SHARDS {
            self.rest.notify_one();
        }
        state
    }

    fn begin(&self, round: Round<'a>) {
        let mut state = self.lock();
        state.round = Arc::new(round);
        state.waiting = std::mem::take(&mut state.resting);
        drop(state);
        self.work.notify_all();
    }

    /// Helps until all parts are at rest; gives the round back.
    fn finish(&self) -> Round<'a> {
        let mut state = self.lock();
        loop {
            state = match state.waiting.pop() {
                Some(shard) => self.work_on(state, shard),
                None if state.resting.len() == SHARDS => break,
                None => {
                    assert!(!state.is_over, "a thread panicked");
                    self.rest
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        state.resting.sort_unstable_by_key(|shard| shard.number);
        Arc::try_unwrap(std::mem::take(&mut state.round)).unwrap_or_default()
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.work.notify_all();
        self.rest.notify_all();
    }
}

/// Ends the line also if a thread panics: nobody waits for it then.
struct EndOnDrop<'l, 'a>(&'l Line<'a>);

impl Drop for EndOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A keyspace in parts, to which commands are given in the order of the log.
pub(super) struct Shards<'a> {
    line: Arc<Line<'a>>,
    round: Round<'a>,
    spare: Option<Round<'a>>,
    is_running: bool,
    /// The keyspace is whole again.
    is_whole: bool,
    /// What was refused in rounds that are over, in log order.
    told: Vec<Told>,
    orders: u64,
    together: u64,
    /// Commands that were carried out in further parts.
    repeated: u64,
}

impl<'a> Shards<'a> {
    /// Spreads the parts of a keyspace over threads for `work`, which has to unite them again.
    pub(super) fn with<R>(
        states: Vec<State<'a>>,
        options: Options,
        jobs: NonZeroUsize,
        work: impl FnOnce(Shards<'a>) -> R,
    ) -> R {
        let resting = states.into_iter().enumerate();
        let resting = resting.map(|(number, state)| Shard {
            number,
            state,
            told: Vec::new(),
        });
        let line = Arc::new(Line {
            options,
            state: Mutex::new(LineState {
                round: Arc::default(),
                waiting: Vec::new(),
                resting: resting.collect(),
                is_over: false,
            }),
            work: Condvar::new(),
            rest: Condvar::new(),
        });
        let shards = Shards {
            line: Arc::clone(&line),
            round: Round::default(),
            spare: None,
            is_running: false,
            is_whole: false,
            told: Vec::new(),
            orders: 0,
            together: 0,
            repeated: 0,
        };
        std::thread::scope(|scope| {
            let _end = EndOnDrop(&line);
            for _ in 1..jobs.get().min(SHARDS) {
                let help = || {
                    let _end = EndOnDrop(&line);
                    line.help();
                };
                // A system that has no more threads for us gets by with those it has.
                let _ = std::thread::Builder::new().spawn_scoped(scope, help);
            }
            work(shards)
        })
    }
}

impl<'a> Shards<'a> {
    /// Whether there are no parts any more: commands go to the whole keyspace.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether something was refused in rounds that are over.
    pub(super) fn has_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// What was refused in rounds that are over, in log order.
    pub(super) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Says something about the command that comes next, or the one that came last.
    pub(super) fn tell(&mut self, what: Heard) {
        self.round.told.push(Told {
            place: self.round.places,
            is_early: true,
            what,
        });
        if self.is_whole {
            self.told.append(&mut self.round.told);
        }
    }

    /// An annotation says what time it was.
    pub(super) fn annotate(&mut self, seconds: i64) {
        self.round.annotations.push((self.round.places, seconds));
        if self.round.annotations.len() >= ROUND {
            self.turn();
        }
    }

    fn push(&mut self, shard: usize, order: Order) {
        if let Some(orders) = self.round.orders.get_mut(shard) {
            orders.push(order);
        }
    }

    /// Puts a command into the round.
    fn order(
        &mut self,
        shard: usize,
        command: &'static Command,
        args: &[&'a [u8]],
        at: (u32, u64),
    ) {
        let first = self.round.args.len();
        self.round.args.extend_from_slice(args);
        let (Ok(first), Ok(end)) = (u32::try_from(first), u32::try_from(self.round.args.len()))
        else {
            unreachable!("a record has fewer than 2^31 arguments, a round one such record")
        };
        let (db, offset) = at;
        let place = self.round.places;
        let order = Order {
            command,
            first,
            end,
            db,
            place,
            offset,
        };
        self.push(shard, order);
    }

    /// The commands so far make a place in the round; a full round begins.
    fn placed(&mut self) {
        self.orders += 1;
        self.round.places += 1;
        if self.round.is_full() {
            self.turn();
        }
    }

    /// Hands the round over, when the one before is done.
    fn turn(&mut self) {
        self.settle();
        let next = self.spare.take().unwrap_or_default();
        let round = std::mem::replace(&mut self.round, next);
        self.line.begin(round);
        self.is_running = true;
    }

    /// Waits for the round that is under way, and gathers what was refused in it.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.is_running) {
            return;
        }
        let mut round = self.line.finish();
        let first = self.told.len();
        self.told.append(&mut round.told);
        for shard in &mut self.line.lock().resting {
            self.told.append(&mut shard.told);
        }
        // Stable: a place has one thing to tell, or several from one origin.
        if let Some(told) = self.told.get_mut(first..) {
            told.sort_by_key(|told| told.place);
        }
        round.clear();
        self.spare = Some(round);
    }

    /// Does everything that was ordered.
    fn catch_up(&mut self) {
        if self.round.places > 0 || !self.round.annotations.is_empty() {
            self.turn();
        }
        self.settle();
        self.told.append(&mut self.round.told);
    }

    /// Runs a command on the keys of several parts.
    fn run_together(
        &mut self,
        head: &Replayer<'a>,
        command: &'static Command,
        args: &[&'a [u8]],
        places: Places,
    ) -> Result<(), Reject> {
        let mut state = self.line.lock();
        let shards = &mut state.resting;
        let Some(first) = places.keys(args).next() else {
            return Err(Reject::WrongArity);
        };
        let home = shard_of(first);
        let Some(mut here) = shards
            .get_mut(home)
            .map(|shard| std::mem::take(&mut shard.state))
        else {
            unreachable!("all parts are at rest")
        };
        for key in places.keys(args) {
            if let Some(shard) = shards.get_mut(shard_of(key)) {
                shard.state.store.move_key(key, &mut here.store);
            }
        }
        let options = self.line.options;
        let mut replayer = Replayer::resume(options, here);
        replayer.select(head.selected());
        let words = Args::of_log(args, options.flavor);
        let outcome = Replayer::run(&mut replayer, command, words);
        let mut here = replayer.into_state();
        for key in places.keys(args).filter(|key| shard_of(key) != home) {
            if let Some(shard) = shards.get_mut(shard_of(key)) {
                here.store.move_key(key, &mut shard.state.store);
            }
        }
        if let Some(shard) = shards.get_mut(home) {
            shard.state = here;
        }
        outcome.map(drop)
    }

    /// Makes the keyspace of `head` whole again: commands go there from now on.
    pub(super) fn unite(&mut self, head: &mut Replayer<'a>) {
        if !std::mem::replace(&mut self.is_whole, true) {
            self.catch_up();
            let shards = std::mem::take(&mut self.line.lock().resting);
            self.spare = None;
            head.unite(
                shards.into_iter().map(|shard| shard.state).collect(),
                self.repeated,
            );
        }
    }

    fn run(
        &mut self,
        head: &mut Replayer<'a>,
        command: &'static Command,
        args: &[&'a [u8]],
        offset: u64,
    ) -> Result<(), Reject> {
        if self.is_whole {
            return Run::run(head, command, args, offset);
        }
        let at = (head.selected(), offset);
        match Route::of(command, args) {
            Route::Keyless => return Run::run(head, command, args, offset),
            Route::One(shard) => self.order(shard, command, args, at),
            Route::Each(step) => {
                let mut words = vec![Vec::new(); SHARDS];
                for pair in args.get(1..).unwrap_or_default().chunks(step) {
                    let shard = pair.first().map_or(0, |key| shard_of(key));
                    words[shard].extend_from_slice(pair);
                }
                let mut parts = 0;
                for (shard, mut words) in words.into_iter().enumerate() {
                    if !words.is_empty() {
                        words.splice(..0, args.first().copied());
                        self.order(shard, command, &words, at);
                        parts += 1;
                    }
                }
                self.repeated += parts - 1;
            }
            Route::Every => {
                // The head has no key, and says whether the command is as it should be.
                Run::run(head, command, args, offset)?;
                for shard in 0..SHARDS {
                    self.order(shard, command, args, at);
                }
                self.repeated += SHARDS as u64;
            }
            Route::Together(places) => {
                self.together += 1;
                if self.together <= FEW_TOGETHER.max(self.orders / TOGETHER_COST) {
                    self.catch_up();
                    return self.run_together(head, command, args, places);
                }
                self.unite(head);
                return Run::run(head, command, args, offset);
            }
            Route::Whole => {
                self.unite(head);
                return Run::run(head, command, args, offset);
            }
        }
        self.placed();
        Ok(())
    }
}

/// The parts of a keyspace, and what belongs to no key.
pub(super) struct Divided<'r, 'a> {
    head: &'r mut Replayer<'a>,
    shards: &'r mut Shards<'a>,
    is_exact: bool,
}

impl<'r, 'a> Divided<'r, 'a> {
    /// Gives commands without a key to the replayer, all others to the parts.
    pub(super) fn new(head: &'r mut Replayer<'a>, shards: &'r mut Shards<'a>) -> Self {
        Divided {
            head,
            shards,
            is_exact: true,
        }
    }

    /// Whether the keyspace is what a server would have, as far as is known already.
    pub(super) fn is_exact(&self) -> bool {
        self.is_exact
    }
}

impl<'a> Run<'a> for Divided<'_, 'a> {
    fn selected(&self) -> u32 {
        self.head.selected()
    }

    /// What is refused now takes its place among what the parts refuse later.
    fn run(
        &mut self,
        command: &'static Command,
        args: &[&'a [u8]],
        offset: u64,
    ) -> Result<(), Reject> {
        let db = self.head.selected();
        if let Err(reject) = self.shards.run(self.head, command, args, offset) {
            let what = told(&Rejected {
                offset,
                args,
                command: Some(command),
                db,
                reject,
            });
            self.is_exact &= what.is_exact;
            self.shards.tell(what);
        }
        Ok(())
    }
}
