//! A keyspace in parts that several threads replay at once.
//!
//! ```text
//! read the log, find each command's part      the calling thread, a round ahead
//! carry the commands of a part out            any thread, one part after another
//! tell what was refused, in log order         the calling thread, between two rounds
//! ```
//!
//! A round is some thousand commands. In each part those of a key run in log order, and one
//! key after another (by hash), so that what a key needs is fetched from memory once a round;
//! what needs keys of several parts runs between two rounds, with its keys brought together;
//! what may need any key ([`Route::Whole`]) ends the division. The rounds, and so the order
//! in which keys come out, depend on the log alone, never on the number of threads.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::heard::{Heard, told};
use crate::replay::route::{Home, Places, Route, SHARDS, shard_of};
use crate::replay::table::Command;
use crate::replay::txn::{Rejected, Run};
use crate::replay::{Args, Options, Reject, Replayer, State};
use crate::store::warm::{self, Ahead};

/// Commands in a round; tests have small logs.
const ROUND: usize = if cfg!(test) { 8 } else { 64 * 1024 };
/// Commands of a round for one part, as a rule.
const USUAL_ORDERS: usize = ROUND / SHARDS * 5 / 4;
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
#[derive(Clone, Copy)]
struct Order {
    command: &'static Command,
    offset: u64,
    /// Its arguments in the round, and what comes behind them.
    first: u32,
    end: u32,
    db: u32,
    /// The place in the round.
    place: u32,
    /// Of the key, if it has one.
    hash: u32,
    has_one_key: bool,
}

/// A round: what each part has to do.
#[derive(Default)]
struct Round<'a> {
    args: Vec<&'a [u8]>,
    orders: [Vec<Order>; SHARDS],
    /// The time that an annotation says, in seconds, from a place on.
    annotations: Vec<(u32, i64)>,
    told: Vec<Told>,
    places: u32,
}

impl<'a> Round<'a> {
    fn is_full(&self) -> bool {
        self.places as usize >= ROUND || self.args.len() >= ROUND_ARGS
    }

    fn args_of(&self, order: &Order) -> &[&'a [u8]] {
        let range = order.first as usize..order.end as usize;
        self.args.get(range).unwrap_or_default()
    }

    /// Tells the time that it is at a place, if an annotation of the round says.
    fn annotate(&self, replayer: &mut Replayer<'a>, at: u32) {
        let before = self.annotations.partition_point(|(place, _)| *place <= at);
        if let Some((_, seconds)) = self.annotations.get(..before).and_then(<[_]>::last) {
            replayer.annotate(*seconds);
        }
    }

    /// Makes it ready to be filled again; what one long command took is given back.
    fn clear(&mut self) {
        self.args.clear();
        self.args.shrink_to(2 * ROUND_ARGS);
        for orders in &mut self.orders {
            orders.clear();
            orders.shrink_to(2 * USUAL_ORDERS);
        }
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

/// What a thread needs to take part in rounds.
#[derive(Default)]
struct Desk {
    /// Numbers of orders, in the order in which they are carried out.
    line: Vec<u32>,
}

impl Desk {
    /// Brings the orders of one key together; they stay in log order.
    fn line_up(&mut self, orders: &[Order]) {
        const BUCKETS: usize = 1 << 10;
        let bucket = |order: &Order| order.hash as usize % BUCKETS;
        let mut starts = [0u32; BUCKETS];
        for order in orders {
            starts[bucket(order)] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        self.line.clear();
        self.line.resize(orders.len(), 0);
        for (number, order) in (0..).zip(orders) {
            let start = &mut starts[bucket(order)];
            if let Some(place) = self.line.get_mut(*start as usize) {
                *place = number;
            }
            *start += 1;
        }
    }
}

impl<'a> Shard<'a> {
    /// Does what a round has for this part.
    fn take_part(&mut self, round: &Round<'a>, options: Options, desk: &mut Desk) {
        let orders = round.orders.get(self.number).map_or(&[][..], Vec::as_slice);
        let mut replayer = Replayer::resume(options, std::mem::take(&mut self.state));
        // What is about several keys, or whole databases, has to be met in log order.
        match orders.iter().all(|order| order.has_one_key) {
            true => desk.line_up(orders),
            false => {
                desk.line.clear();
                desk.line
                    .extend((0..).zip(orders).map(|(number, _)| number));
            }
        }
        let annotated_before = replayer.annotated_ms();
        let in_line = |at: usize| orders.get(*desk.line.get(at)? as usize);
        let mut ahead = Ahead::default();
        for at in 0..desk.line.len() + warm::LEAD {
            ahead.look(at, &replayer.store, |at| {
                in_line(at).map(|order| (order.db, round.args_of(order)))
            });
            let Some(at) = at.checked_sub(warm::LEAD) else {
                continue;
            };
            let Some(order) = in_line(at) else { continue };
            let args = round.args_of(order);
            if !round.annotations.is_empty() {
                replayer.annotate_ms(annotated_before);
                round.annotate(&mut replayer, order.place);
            }
            replayer.select(order.db);
            if let Some(hash) = ahead.key(at) {
                replayer.expect(args, hash);
            }
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
        round.annotate(&mut replayer, round.places);
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
    /// By their numbers.
    waiting: Vec<Shard<'a>>,
    resting: Vec<Shard<'a>>,
    is_over: bool,
}

impl<'a> LineState<'a> {
    /// The next part that waits, from `first` on, else the last. So most parts are always the
    /// same thread's: what it has allocated for them another can only free under a lock.
    fn next_part(&mut self, first: usize) -> Option<Shard<'a>> {
        let at = self.waiting.partition_point(|shard| shard.number < first);
        match at < self.waiting.len() {
            true => Some(self.waiting.remove(at)),
            false => self.waiting.pop(),
        }
    }
}

impl<'a> Line<'a> {
    fn lock(&self) -> MutexGuard<'_, LineState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the other threads do; `first` is the part with which each begins.
    fn help(&self, first: usize) {
        let mut desk = Desk::default();
        let mut state = self.lock();
        while !state.is_over {
            state = match state.next_part(first) {
                Some(shard) => self.work_on(state, shard, &mut desk),
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
        desk: &mut Desk,
    ) -> MutexGuard<'l, LineState<'a>> {
        let round = Arc::clone(&state.round);
        drop(state);
        shard.take_part(&round, self.options, desk);
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
    fn finish(&self, desk: &mut Desk) -> Round<'a> {
        let mut state = self.lock();
        loop {
            state = match state.next_part(SHARDS) {
                Some(shard) => self.work_on(state, shard, desk),
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
    desk: Desk,
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
            desk: Desk::default(),
            is_running: false,
            is_whole: false,
            told: Vec::new(),
            orders: 0,
            together: 0,
            repeated: 0,
        };
        std::thread::scope(|scope| {
            let _end = EndOnDrop(&line);
            let jobs = jobs.get().min(SHARDS);
            for job in 1..jobs {
                let help = {
                    let line = &line;
                    move || {
                        let _end = EndOnDrop(line);
                        line.help((job - 1) * SHARDS / jobs);
                    }
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

    /// Puts a command into the round.
    #[inline]
    fn order(&mut self, home: Home, command: &'static Command, args: &[&'a [u8]], at: (u32, u64)) {
        let first = self.round.args.len();
        self.round.args.extend_from_slice(args);
        let (Ok(first), Ok(end)) = (u32::try_from(first), u32::try_from(self.round.args.len()))
        else {
            unreachable!("a record has fewer than 2^31 arguments, a round one such record")
        };
        let (db, offset) = at;
        let order = Order {
            command,
            offset,
            first,
            end,
            db,
            place: self.round.places,
            hash: home.hash,
            has_one_key: home.is_of_one_key,
        };
        if let Some(orders) = self.round.orders.get_mut(home.shard) {
            if orders.capacity() == 0 {
                orders.reserve_exact(USUAL_ORDERS);
            }
            orders.push(order);
        }
    }

    /// Takes a command that writes one key, its first argument, if there are still parts.
    #[inline]
    pub(super) fn take_plain(
        &mut self,
        command: &'static Command,
        args: &[&'a [u8]],
        at: (u32, u64),
    ) -> bool {
        let Some(key) = args.get(1).filter(|_| !self.is_whole) else {
            return false;
        };
        self.order(Home::of(key), command, args, at);
        self.placed();
        true
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
        let mut round = self.line.finish(&mut self.desk);
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
            Route::One(home) => self.order(home, command, args, at),
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
                        self.order(Home::at(shard), command, &words, at);
                        parts += 1;
                    }
                }
                self.repeated += parts - 1;
            }
            Route::Every => {
                // The head has no key, and says whether the command is as it should be.
                Run::run(head, command, args, offset)?;
                for shard in 0..SHARDS {
                    self.order(Home::at(shard), command, args, at);
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
