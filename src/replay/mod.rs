//! Replay: commands change a [`Store`] as they change a server that loads its log.
//!
//! | question | file |
//! |---|---|
//! | which commands are there, with how many arguments, which keys? | [`table`] |
//! | what does a command do? | the file of its type: `string.rs`, `zset.rs`, .. |
//! | what does it take, answer, refuse? | `args.rs`, `reply.rs` |
//! | how does an RDB become a keyspace? | `load.rs`, and for the values `store/load.rs` |
//! | how does a key become a value of a type? | `typed.rs` |
//! | which part of a divided keyspace is a command for? | `route.rs` |
//!
//! A key never expires here: deadlines are kept, also past ones, as servers keep
//! them while they load. What depends on the time of the replay (relative
//! deadlines of old logs, `*` ids) asks [`Replayer::now_ms`], which counts that.
//!
//! Commands answer as servers do, because scripts look at the answers. A command
//! that a server would have refused changes nothing and gives a [`Reject`].

mod args;
mod array;
mod bits;
mod function;
mod geo;
mod geohash;
mod hash;
mod hash_expiry;
mod hll;
mod keys;
mod list;
mod load;
mod lookup;
mod read;
#[cfg(feature = "lua")]
pub(crate) mod reads;
mod reply;
pub(crate) mod route;
mod server;
mod set;
mod since;
mod sort;
mod stream;
mod stream_claim;
mod stream_group;
mod stream_id;
mod stream_idmp;
mod stream_read;
mod stream_trim;
mod string;
pub mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod txn;
mod typed;
mod vector;
mod zset;
mod zstore;

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use args::Args;
pub(crate) use load::Decoded;
pub use load::Loaded;
pub use reply::{Reject, Reply};

use crate::model::ValueType;
use crate::num::Flavor;
use crate::store::load_stream;
use crate::store::{Db, Entry, KeyHash, KeySlot, Store, Value};

/// What "now" means to commands that name a time relative to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// This moment, in milliseconds since 1970.
    At(i64),
    /// The nearest `#TS:` annotation before the command, or else this moment.
    Annotated {
        /// The moment without an annotation.
        or_ms: i64,
    },
}

impl Now {
    /// The nearest annotation, or else the clock of this machine.
    #[must_use]
    pub fn annotated_or_clock() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let or_ms = since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
        Now::Annotated { or_ms }
    }
}

/// How to replay.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What relative times refer to.
    pub now: Now,
    /// The server that replays: number formats, and where releases differ.
    pub flavor: Flavor,
    /// Whether EVAL and EVALSHA run.
    pub scripts: bool,
    /// Databases there are; SELECT of another is an error, as on a server. The
    /// servers' own default is 16; a log may come from one with more.
    pub databases: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            now: Now::annotated_or_clock(),
            flavor: Flavor::redis(8, 6),
            scripts: false,
            databases: Store::MAX_DBS,
        }
    }
}

/// What a replay has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Commands carried out, those of transactions and read commands among them.
    pub commands: u64,
    /// Commands refused as a server would have refused them.
    pub errors: u64,
    /// Times that "now" was asked for: the result depends on the time of the replay.
    pub relative_times: u64,
    /// Major and minor number of the first Redis that has all the commands.
    pub since: (u16, u16),
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            commands: 0,
            errors: 0,
            relative_times: 0,
            since: since::FIRST,
        }
    }
}

/// A keyspace under commands.
///
/// ```
/// use rdbkit::replay::{Options, Replayer, Reply};
///
/// let mut replayer = Replayer::new(Options::default());
/// let append = [b"APPEND".as_slice(), b"k", b"hello"];
/// assert_eq!(replayer.apply(&append), Ok(Reply::Int(5)));
/// let push = [b"LPUSH".as_slice(), b"k", b"x"];
/// assert!(replayer.apply(&push).is_err());
/// assert_eq!(replayer.store.len(), 1);
/// ```
#[derive(Debug)]
pub struct Replayer<'a> {
    /// The keyspace.
    pub store: Store<'a>,
    options: Options,
    db: u32,
    annotated_ms: Option<i64>,
    counters: Counters,
    /// The key of the command that comes next, if it was hashed before.
    known: (&'a [u8], KeyHash),
    #[cfg(feature = "lua")]
    pub(crate) scripting: Option<crate::script::Host>,
}

/// What a replay changes: a keyspace, or a part of one that another thread takes along.
#[derive(Debug, Default)]
pub(crate) struct State<'a> {
    pub(crate) store: Store<'a>,
    pub(crate) counters: Counters,
    /// As [`Replayer::annotate`] was told.
    pub(crate) annotated_ms: Option<i64>,
}

impl<'a> Replayer<'a> {
    /// Goes on from a state.
    pub(crate) fn resume(options: Options, state: State<'a>) -> Self {
        Replayer {
            store: state.store,
            counters: state.counters,
            annotated_ms: state.annotated_ms,
            ..Replayer::new(options)
        }
    }

    /// Ends with a state to go on from.
    pub(crate) fn into_state(self) -> State<'a> {
        State {
            store: self.store,
            counters: self.counters,
            annotated_ms: self.annotated_ms,
        }
    }

    /// Divides the keyspace, by key; functions, scripts and counters stay here.
    pub(crate) fn divide(&mut self) -> Vec<State<'a>> {
        let stores = self.store.divide(route::SHARDS, route::shard_of);
        let states = stores.into_iter().map(|store| State {
            store,
            counters: Counters::default(),
            annotated_ms: self.annotated_ms,
        });
        states.collect()
    }

    /// Takes the parts of its keyspace back; so many commands were carried out in more than
    /// one of them.
    pub(crate) fn unite(&mut self, parts: Vec<State<'a>>, repeated: u64) {
        for Counters {
            commands,
            errors,
            relative_times,
            since,
        } in parts.iter().map(|part| part.counters)
        {
            self.counters.commands += commands;
            self.counters.errors += errors;
            self.counters.relative_times += relative_times;
            self.counters.since = self.counters.since.max(since);
        }
        self.counters.commands -= repeated;
        self.store.unite(parts.into_iter().map(|part| part.store));
    }

    /// Selects a database that SELECT has found to be one.
    pub(crate) fn select(&mut self, db: u32) {
        self.db = db;
    }

    /// Starts with nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Replayer {
            store: Store::new(),
            options,
            db: 0,
            annotated_ms: None,
            counters: Counters::default(),
            known: Default::default(),
            #[cfg(feature = "lua")]
            scripting: None,
        }
    }

    /// How it replays.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The database that is selected.
    #[must_use]
    pub fn selected(&self) -> u32 {
        self.db
    }

    /// A new file of a set begins: database 0 is selected.
    pub fn begin_file(&mut self) {
        self.db = 0;
    }

    /// An annotation says what time it was, in seconds since 1970.
    pub fn annotate(&mut self, seconds: i64) {
        self.annotated_ms = Some(seconds.saturating_mul(1000));
    }

    /// The time that the last annotation said, in milliseconds since 1970.
    pub(crate) fn annotated_ms(&self) -> Option<i64> {
        self.annotated_ms
    }

    /// Goes back to what [`Replayer::annotated_ms`] said.
    pub(crate) fn annotate_ms(&mut self, ms: Option<i64>) {
        self.annotated_ms = ms;
    }

    /// What relative times refer to; counted.
    pub fn now_ms(&mut self) -> i64 {
        self.counters.relative_times += 1;
        match self.options.now {
            Now::At(ms) => ms,
            Now::Annotated { or_ms } => self.annotated_ms.unwrap_or(or_ms),
        }
    }

    /// The same where no result depends on it: the time at which a consumer was seen,
    /// which servers do not log either.
    fn load_time_ms(&self) -> i64 {
        match self.options.now {
            Now::At(ms) => ms,
            Now::Annotated { or_ms } => self.annotated_ms.unwrap_or(or_ms),
        }
    }

    /// Says the hash of the first argument of the command that comes next.
    pub(crate) fn expect(&mut self, args: &[&'a [u8]], hash: KeyHash) {
        self.known = (args.get(1).copied().unwrap_or_default(), hash);
    }

    /// The hash of a key.
    fn hash_of(&self, key: &[u8]) -> KeyHash {
        // The same place of the log: the same bytes.
        match std::ptr::eq(self.known.0, key) && !key.is_empty() {
            true => self.known.1,
            false => KeyHash::of(key),
        }
    }

    /// The place of a key in the selected database.
    fn entry(&mut self, key: &[u8]) -> KeySlot<'_, 'a> {
        let hash = self.hash_of(key);
        self.db().entry_hashed(hash, key)
    }

    /// The entry of a key in the selected database, to be changed.
    fn entry_mut(&mut self, key: &[u8]) -> Option<&mut Entry<'a>> {
        match self.entry(key) {
            KeySlot::Occupied(place) => Some(place.into_mut()),
            KeySlot::Vacant(_) => None,
        }
    }

    /// Ends a replay. Releases before 7.0 do not count the entries of streams: what was counted
    /// on the way becomes what a newer one guesses that loads their files.
    pub fn end(&mut self) {
        if self.flavor().has_stream_counters() {
            return;
        }
        for (_, db) in self.store.dbs_mut() {
            for (_, entry) in db.iter_mut() {
                if entry.value_type() == ValueType::Stream
                    && let Value::Stream(stream) = entry.value_mut()
                {
                    load_stream::guess_counters(stream);
                }
            }
        }
    }

    /// Carries out one command of the log; MULTI and EXEC are for the caller.
    ///
    /// # Errors
    /// What a server would have refused, or what cannot be replayed.
    pub fn apply(&mut self, args: &[&'a [u8]]) -> Result<Reply<'a>, Reject> {
        let command = table::find(args).ok_or_else(|| unknown(args))?;
        self.run(command, Args::of_log(args, self.flavor()))
    }

    /// Carries out one command whose arguments do not live as long as the log.
    ///
    /// # Errors
    /// As [`Replayer::apply`].
    pub fn call(&mut self, args: &[&[u8]]) -> Result<Reply<'a>, Reject> {
        let command = table::find(args).ok_or_else(|| unknown(args))?;
        self.run(command, Args::of_script(args, self.flavor()))
    }

    pub(crate) fn run(
        &mut self,
        command: &table::Command,
        args: Args<'_, 'a>,
    ) -> Result<Reply<'a>, Reject> {
        if !command.takes(args.len()) {
            return Err(Reject::WrongArity);
        }
        self.counters.commands += 1;
        self.counters.since = self.counters.since.max(command.since);
        let outcome = (command.handler)(self, args);
        if matches!(outcome, Err(Reject::Error(_))) {
            self.counters.errors += 1;
        }
        outcome
    }

    /// Commands become those of a release, until [`Replayer::leave_script`] is given what
    /// this gives: the release and the database before.
    #[cfg(feature = "lua")]
    pub(crate) fn enter_script(&mut self, release: Flavor) -> (Flavor, u32) {
        let before = (self.options.flavor, self.db);
        self.options.flavor = release;
        before
    }

    /// Answers a read command of a script.
    #[cfg(feature = "lua")]
    pub(crate) fn read(
        &mut self,
        read: table::Handler,
        args: &[&[u8]],
    ) -> Result<Reply<'a>, Reject> {
        read(self, Args::of_script(args, self.flavor()))
    }

    /// Ends what [`Replayer::enter_script`] began.
    #[cfg(feature = "lua")]
    pub(crate) fn leave_script(&mut self, before: (Flavor, u32)) {
        (self.options.flavor, self.db) = before;
    }

    /// The selected database.
    fn db(&mut self) -> &mut Db<'a> {
        self.store.db_mut(self.db)
    }

    fn flavor(&self) -> Flavor {
        self.options.flavor
    }
}

fn unknown(args: &[&[u8]]) -> Reject {
    Reject::of_unknown(args.first().copied().unwrap_or_default())
}
