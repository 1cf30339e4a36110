//! Replays whole logs: single files, with or without an RDB before them, and sets of parts.
//!
//! A command that its server would have refused is reported and replay goes on, as
//! servers do. What servers stop at, and what this program cannot replay, ends the
//! replay: the store then holds the state before it, and [`Replayed::exact`] is false.
//!
//! A large log is replayed in parts of the keyspace ([`super::shards`]), by several threads
//! if they are there. If it then has to end at something that a part found while others went
//! on, it is replayed once more up to there, in one piece.

use std::ops::Range;

use super::heard::{Heard, finding, told};
use super::pipeline::{Pipe as _, Pipeline, Work};
use super::rdb_ledger::Part as Found;
use super::shards::{Divided, Shards};
use super::value_checks::ValueChecks;
use crate::aof::annotation::Annotation;
use crate::aof::layout::Content;
use crate::aof::{Batch, Event, LogReader};
use crate::bytes::ahead::take_ahead;
use crate::error::{Code, Context, Error, ErrorKind, Fault, Result};
use crate::model::loss::{Loss, Losses, Note};
use crate::num::Flavor;
use crate::rdb::{
    Checksum, ChecksumMode, Dialect, Item, Items, PlainString, RdbReader, RdbString,
    ReadItems as _, Record, Scratch,
};
use crate::replay::txn::{Rejected, Transactions};
use crate::replay::{Counters, Decoded, Loaded, Options, Replayer};
use crate::report::{Finding, Level, Tally};
use crate::store::load::{Keeper, Room};
use crate::store::warm::{self, Ahead};
use crate::store::{Entry, KeyHash};

/// Where to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// At the end.
    #[default]
    End,
    /// Before the first annotation that is later than these seconds since 1970.
    Timestamp(i64),
    /// Before the first record that ends after this offset, counted over all parts in
    /// the order in which they are loaded.
    Offset(u64),
    /// Before the command of this number, counted from 1 over all parts; MULTI and
    /// EXEC count.
    Command(u64),
}

impl Until {
    /// Whether this event is the first that is not read any more, with so many bytes in the
    /// parts before its own and so many records read.
    pub(super) fn stops_before(self, event: &Event<'_, '_>, part_start: u64, records: u64) -> bool {
        match (self, event) {
            (Until::Offset(until), Event::Command { end_offset, .. }) => {
                part_start + end_offset > until
            }
            (Until::Command(until), Event::Command { .. }) => records + 1 >= until,
            (
                Until::Timestamp(until),
                Event::Annotation {
                    annotation: Annotation::Timestamp(seconds),
                    ..
                },
            ) => *seconds > until,
            _ => false,
        }
    }
}

/// How to replay a log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReplayOptions {
    /// How commands act.
    pub replay: Options,
    /// Where to stop.
    pub until: Until,
    /// Go on after what servers or this program cannot replay, leaving it out.
    pub keep_going: bool,
    /// How many threads there are. Results do not depend on it.
    pub pipeline: Pipeline,
    /// Bytes from which on a log is replayed in parts, if it has many commands for each key
    /// that is there before it. Only the order of the keys depends on it.
    pub divide_from_bytes: usize,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        ReplayOptions {
            replay: Options::default(),
            until: Until::End,
            keep_going: false,
            pipeline: Pipeline::default(),
            divide_from_bytes: 4 << 20,
        }
    }
}

/// One file of a log, in memory.
#[derive(Clone, Debug)]
pub struct LogPart<'a> {
    /// Its name in findings; none for a log of one file.
    pub name: Option<String>,
    /// All of it.
    pub bytes: &'a [u8],
}

/// What a replay gave.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replayed<'a> {
    /// The keyspace, and what the commands did.
    pub replayer: Replayer<'a>,
    /// Records read, MULTI and EXEC among them.
    pub records: u64,
    /// Whether the keyspace is what a server would have, cut tails aside.
    pub exact: bool,
    /// Whether the place to stop at came before the end.
    pub stopped: bool,
    /// Transactions without their EXEC, and cut records, left out as servers do.
    pub dropped_tails: u64,
    /// Where a record begins in such a tail that shows it to be damage, see
    /// [`End::hidden_record`](crate::aof::End::hidden_record).
    pub hidden_record: Option<u64>,
    /// Empty collections and module aux records of RDBs that were left out.
    pub left_out: u64,
    /// What RDBs say that the keyspace has no place for.
    pub losses: Losses,
    /// Annotations seen.
    pub annotations: u64,
    /// The dialect of the RDB before the log.
    pub dialect: Option<Dialect>,
    /// Findings by code.
    pub tally: Tally,
}

impl Replayed<'_> {
    /// What the commands did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.replayer.counters()
    }
}

/// The server that wrote an RDB, by its aux fields.
#[must_use]
pub fn writer_of(bytes: &[u8]) -> Option<Flavor> {
    for item in Items::new(bytes).take(16) {
        match item.ok()? {
            Item::Aux {
                key: RdbString::Raw(key @ (b"redis-ver" | b"valkey-ver")),
                value: RdbString::Raw(version),
            } => {
                let product = if key == b"redis-ver" {
                    "redis"
                } else {
                    "valkey"
                };
                let version = std::str::from_utf8(version).ok()?;
                return Flavor::parse(&format!("{product}-{version}"));
            }
            Item::Header(_) | Item::Aux { .. } => {}
            _ => return None,
        }
    }
    None
}

/// Replays the parts of a log in order; their bytes must outlive the keyspace.
///
/// # Errors
/// Only what makes no sense to ask: a place to stop inside an RDB. Everything else is
/// a finding.
pub fn replay_log<'a>(
    parts: &[LogPart<'a>],
    options: &ReplayOptions,
    report: &mut dyn FnMut(Finding),
) -> Result<Replayed<'a>> {
    let mut said = 0;
    let mut count = |finding| {
        said += 1;
        report(finding);
    };
    let mut replayed = match replay_parts(parts, options, true, &mut count)? {
        Ended::AtPlace(replayed) => replayed,
        Ended::Beyond => {
            let mut rest = |finding| match said {
                0 => report(finding),
                _ => said -= 1,
            };
            match replay_parts(parts, options, false, &mut rest)? {
                Ended::AtPlace(replayed) => replayed,
                Ended::Beyond => return Err(Error::new(ErrorKind::Internal("a replay in parts"))),
            }
        }
    };
    replayed.replayer.end();
    if matches!(options.until, Until::Timestamp(_)) && replayed.annotations == 0 {
        let finding = finding(
            Level::Warning,
            Code::Usage,
            Fault::Usage,
            Context::default(),
            "no annotation says what time it was: the whole log was replayed".into(),
        );
        replayed.tally.add(&finding);
        report(finding);
    }
    Ok(replayed)
}

/// How a replay ended.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them, and it is moved once"
)]
enum Ended<'a> {
    /// Where it had to.
    AtPlace(Replayed<'a>),
    /// Too late: commands behind the place may have been carried out.
    Beyond,
}

fn replay_parts<'a>(
    parts: &[LogPart<'a>],
    options: &ReplayOptions,
    divides: bool,
    report: &mut dyn FnMut(Finding),
) -> Result<Ended<'a>> {
    let mut driver = Driver {
        options,
        report,
        replayed: Replayed {
            replayer: Replayer::new(options.replay),
            records: 0,
            exact: true,
            stopped: false,
            dropped_tails: 0,
            hidden_record: None,
            left_out: 0,
            losses: Losses::default(),
            annotations: 0,
            dialect: None,
            tally: Tally::default(),
        },
        part: None,
        part_start: 0,
        divides,
        shards: None,
        is_beyond: false,
    };
    for (at, part) in parts.iter().enumerate() {
        driver.part.clone_from(&part.name);
        if !driver.part(part.bytes, at + 1 == parts.len())? {
            break;
        }
        driver.part_start += part.bytes.len() as u64;
    }
    Ok(match driver.is_beyond {
        true => Ended::Beyond,
        false => Ended::AtPlace(driver.replayed),
    })
}

struct Driver<'o, 'a> {
    options: &'o ReplayOptions,
    report: &'o mut dyn FnMut(Finding),
    replayed: Replayed<'a>,
    part: Option<String>,
    /// Bytes of the parts before this one.
    part_start: u64,
    /// Whether logs may be replayed in parts.
    divides: bool,
    /// The parts of the keyspace; what is said waits for what they have to say first.
    shards: Option<Shards<'a>>,
    /// The replay had to end before something that was already carried out.
    is_beyond: bool,
}

impl<'a> Driver<'_, 'a> {
    fn say(&mut self, finding: Finding) {
        self.hear(Heard {
            finding,
            is_exact: true,
        });
    }

    /// Something that the keyspace lacks now; says whether to go on.
    fn inexact(&mut self, finding: Finding) -> bool {
        self.hear(Heard {
            finding,
            is_exact: false,
        });
        self.options.keep_going
    }

    fn hear(&mut self, heard: Heard) {
        match &mut self.shards {
            Some(shards) => shards.tell(heard),
            None => self.tell(heard),
        }
    }

    fn tell(&mut self, mut heard: Heard) {
        heard.finding.place.part.clone_from(&self.part);
        self.replayed.tally.add(&heard.finding);
        self.replayed.exact &= heard.is_exact;
        (self.report)(heard.finding);
    }

    /// Reports what the parts of the keyspace have to say; false if the replay had to end
    /// before other things that they did.
    fn tell_of_parts(&mut self) -> bool {
        let told = self.shards.as_mut().map(Shards::take_told);
        for told in told.into_iter().flatten() {
            if self.is_beyond {
                break;
            }
            let ends = !told.what.is_exact && !self.options.keep_going;
            if ends && !told.is_early {
                self.is_beyond = true;
            } else {
                self.tell(told.what);
            }
        }
        !self.is_beyond
    }

    /// One file; false to stop.
    fn part(&mut self, bytes: &'a [u8], is_last: bool) -> Result<bool> {
        self.replayed.replayer.begin_file();
        let mut rest = bytes;
        if Content::of(bytes.get(..16).unwrap_or(bytes)) == Content::Rdb {
            let (used, goes_on) = self.rdb(bytes);
            if !goes_on {
                return Ok(false);
            }
            rest = bytes.get(used..).unwrap_or_default();
            if matches!(self.options.until, Until::Offset(until) if until < self.part_start + used as u64)
            {
                return Err(Error::usage("the place to stop at lies inside an RDB"));
            }
        }
        let offset = (bytes.len() - rest.len()) as u64;
        Ok(self.log(rest, offset, is_last))
    }

    /// Loads the RDB that a file begins with; says how long it is, and whether to go on.
    fn rdb(&mut self, bytes: &'a [u8]) -> (usize, bool) {
        let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Report);
        let keeps_going = self.options.keep_going;
        let make = || Loader {
            keeper: Keeper::new(bytes),
            flavor: self.options.replay.flavor,
            keeps_going,
            part: LoadedPart::default(),
            checks: ValueChecks::brief(),
            found: Found::default(),
            scratch: Scratch::new(),
            room: Room::default(),
        };
        let ended = reader.pipe(self.options.pipeline, make, |part| self.take_part(part));
        self.replayed.dialect = reader.dialect().or(self.replayed.dialect);
        let mut goes_on = true;
        if let Err(error) = ended {
            goes_on = self.inexact(Finding::of_error(&error, Level::Error));
        }
        // Offsets count from the first byte of the file, which is in memory.
        (reader.offset() as usize, goes_on)
    }

    /// Puts what was loaded into the store.
    fn take_part(&mut self, part: &mut LoadedPart<'a>) -> Result<()> {
        self.replayed.losses.merge(&part.losses);
        for decoded in part.items.drain(..) {
            let loaded = decoded.and_then(|decoded| self.replayed.replayer.place(decoded));
            match loaded {
                Ok(Loaded::Stored | Loaded::Nothing) => {}
                Ok(loaded) => {
                    self.replayed.left_out += 1;
                    if loaded == Loaded::ModuleAux {
                        self.replayed.losses.add_keyless(Loss::ModuleAux);
                    }
                }
                Err(error) if self.options.keep_going => {
                    self.inexact(Finding::of_error(&error, Level::Error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn log(&mut self, bytes: &'a [u8], base_offset: u64, is_last: bool) -> bool {
        /// Commands that are framed before they run, far more than are looked at ahead.
        const BATCH: usize = 256;
        let mut reader = LogReader::new(bytes, base_offset);
        let mut transactions = Transactions::new();
        if self.is_divided(bytes.len()) {
            let ended = self.log_in_parts(&mut reader, &mut transactions, is_last);
            if let Some(go_on) = ended {
                return go_on;
            }
        }
        let mut batch = Batch::new(BATCH);
        loop {
            if !batch.fill(&mut reader) {
                match self.end(&mut reader, &mut transactions, is_last) {
                    Next::Again => continue,
                    Next::Part => return true,
                    Next::Stop => return false,
                }
            }
            let mut ahead = Ahead::default();
            for at in 0..batch.len() + warm::LEAD {
                let replayer = &mut self.replayed.replayer;
                let db = replayer.selected();
                ahead.look(at, &replayer.store, |at| Some((db, batch.command(at)?)));
                let Some(at) = at.checked_sub(warm::LEAD) else {
                    continue;
                };
                let Some(event) = batch.event(at) else {
                    continue;
                };
                if let Event::Command { args, .. } = event
                    && let Some(hash) = ahead.key(at)
                {
                    replayer.expect(args, hash);
                }
                if !self.event(event, &mut transactions) {
                    return false;
                }
            }
        }
    }

    /// Whether a log is replayed in parts: it is large, and far more than what is there.
    fn is_divided(&self, log_bytes: usize) -> bool {
        /// As much of a log as pays for moving a key there and back.
        const BYTES_A_KEY: usize = 128;
        let keys = self.replayed.replayer.store.len();
        self.divides
            && log_bytes >= self.options.divide_from_bytes
            && keys <= log_bytes / BYTES_A_KEY
    }

    /// One log in parts of the keyspace, which is whole again afterwards. Says whether to go
    /// on with the next file, or nothing if the rest of this one has to be replayed in one
    /// piece.
    fn log_in_parts(
        &mut self,
        reader: &mut LogReader<'a>,
        transactions: &mut Transactions<'a>,
        is_last: bool,
    ) -> Option<bool> {
        let jobs = self.options.pipeline.jobs();
        let states = self.replayed.replayer.divide();
        Shards::with(states, self.options.replay, jobs, |shards| {
            self.shards = Some(shards);
            let ended = self.events_in_parts(reader, transactions, is_last);
            if let Some(shards) = &mut self.shards {
                shards.unite(&mut self.replayed.replayer);
            }
            let is_told = self.tell_of_parts();
            self.shards = None;
            if is_told { ended } else { Some(false) }
        })
    }

    fn events_in_parts(
        &mut self,
        reader: &mut LogReader<'a>,
        transactions: &mut Transactions<'a>,
        is_last: bool,
    ) -> Option<bool> {
        let is_whole_log = matches!(self.options.until, Until::End);
        loop {
            let go_on = match reader.next_event() {
                // Nearly all of most logs: nothing can be said of it now.
                Some(Event::Command { args, offset, .. })
                    if is_whole_log && self.plain(transactions, args, offset) =>
                {
                    true
                }
                Some(event) => self.event(event, transactions),
                None => match self.end(reader, transactions, is_last) {
                    Next::Again => true,
                    Next::Part => return Some(true),
                    Next::Stop => return Some(false),
                },
            };
            if !go_on {
                return Some(false);
            }
            let has_told = self.shards.as_ref().is_some_and(Shards::has_told);
            if has_told && !self.tell_of_parts() {
                return Some(false);
            }
            if self.shards.as_ref().is_some_and(Shards::is_whole) {
                return None;
            }
        }
    }

    /// Gives a command that writes one key to its part; false if it has to be looked at.
    #[inline]
    fn plain(
        &mut self,
        transactions: &mut Transactions<'a>,
        args: &[&'a [u8]],
        offset: u64,
    ) -> bool {
        let Some(shards) = &mut self.shards else {
            return false;
        };
        let Some(command) = transactions.plain(args) else {
            return false;
        };
        let at = (self.replayed.replayer.selected(), offset);
        let is_taken = shards.take_plain(command, args, at);
        self.replayed.records += u64::from(is_taken);
        is_taken
    }

    /// One event; false to stop.
    fn event(&mut self, event: Event<'_, 'a>, transactions: &mut Transactions<'a>) -> bool {
        let records = self.replayed.records;
        let stops = self
            .options
            .until
            .stops_before(&event, self.part_start, records);
        match event {
            Event::Command { .. } if stops => self.stop(transactions),
            Event::Command { args, offset, .. } => {
                self.replayed.records += 1;
                // The transactions borrow the replayer while they tell what went wrong.
                let mut rejected = Vec::new();
                let mut tell = |what: Rejected<'_>| {
                    rejected.push(told(&what));
                    true
                };
                let head = &mut self.replayed.replayer;
                let mut go_on = true;
                match &mut self.shards {
                    None => {
                        transactions.feed(head, args, offset, &mut tell);
                    }
                    Some(shards) => {
                        let mut parts = Divided::new(head, shards);
                        transactions.feed(&mut parts, args, offset, &mut tell);
                        go_on = parts.is_exact() || self.options.keep_going;
                    }
                }
                for heard in rejected {
                    go_on &= heard.is_exact || self.options.keep_going;
                    self.hear(heard);
                }
                go_on
            }
            Event::Annotation { annotation, .. } => {
                if let Annotation::Timestamp(seconds) = annotation {
                    self.replayed.annotations += 1;
                    if stops {
                        return self.stop(transactions);
                    }
                    self.replayed.replayer.annotate(seconds);
                    if let Some(shards) = &mut self.shards {
                        shards.annotate(seconds);
                    }
                }
                true
            }
        }
    }

    fn stop(&mut self, transactions: &Transactions<'a>) -> bool {
        self.replayed.stopped = true;
        self.replayed.dropped_tails += u64::from(transactions.is_open());
        false
    }

    /// The end of the log, or what looks like it.
    fn end(
        &mut self,
        reader: &mut LogReader<'a>,
        transactions: &mut Transactions<'a>,
        is_last: bool,
    ) -> Next {
        let Some(end) = reader.end().cloned() else {
            return Next::Part;
        };
        let Some(error) = end.error() else {
            return Next::Part;
        };
        let dropped = end.is_dropped_by_servers() && is_last;
        let tolerated = dropped || end.server_accepts;
        let level = if tolerated {
            Level::Warning
        } else {
            Level::Error
        };
        let mut finding = Finding::of_error(&error, level);
        if let Some(hint) = end.hint(is_last) {
            finding.message = format!("{}; {hint}", finding.message);
        }
        if end.server_accepts {
            self.say(finding);
            let Some(event) = reader.resume_leniently() else {
                return Next::Stop;
            };
            return if self.event(event, transactions) {
                Next::Again
            } else {
                Next::Stop
            };
        }
        if dropped {
            self.say(finding);
            self.replayed.dropped_tails += 1;
            self.replayed.hidden_record = end.hidden_record();
            return Next::Part;
        }
        if !self.inexact(finding) {
            return Next::Stop;
        }
        transactions.abandon();
        match reader.resume_at_resync() {
            Some(_) => Next::Again,
            None => Next::Part,
        }
    }
}

/// What a batch of an RDB's items gives.
#[derive(Default)]
struct LoadedPart<'a> {
    items: Vec<Result<Decoded<'a>>>,
    losses: Losses,
}

/// Decodes the items of an RDB.
struct Loader<'a> {
    keeper: Keeper<'a>,
    flavor: Flavor,
    keeps_going: bool,
    part: LoadedPart<'a>,
    checks: ValueChecks,
    /// What the checks find wrong with a value.
    found: Found,
    scratch: Scratch,
    room: Room<'a>,
}

impl<'a> Loader<'a> {
    /// A key whose value can stay as it is stored, since it is without a flaw.
    fn packed(&mut self, record: &Record<'_>) -> Option<Decoded<'a>> {
        let stored = self.keeper.stored(record)?;
        if !Entry::can_be_packed(&stored, self.flavor) {
            return None;
        }
        let key = self.keeper.string(&record.key).ok()?;
        self.checks.check(record, &key, &mut self.found);
        if self.found.drain_findings().count() > 0 {
            return None;
        }
        // What is decoded later was found to be sound here, by other code.
        debug_assert!(
            !Entry::packed(stored.clone(), self.flavor, None)
                .value()
                .is_empty()
        );
        Some(Decoded::Key {
            db: record.db,
            hash: KeyHash::of(&key),
            key,
            entry: Entry::packed(stored, self.flavor, record.expire_at_ms),
            offset: record.offset,
        })
    }
}

impl<'a> Work for Loader<'a> {
    type Output = LoadedPart<'a>;
    type Context = ();

    fn observe((): &mut (), _item: &Item<'_>) {}

    fn begin(&mut self, (): ()) {}

    fn item(&mut self, item: &Item<'_>, _bytes: &[u8], span: &Range<u64>) -> Result<()> {
        let decoded = match item {
            Item::Key(record) => {
                unkept(record, &mut self.part.losses);
                match self.packed(record) {
                    Some(decoded) => Ok(decoded),
                    None => {
                        let buffers = (&mut self.scratch, &mut self.room);
                        Decoded::of(item, self.keeper, self.flavor, buffers)
                    }
                }
            }
            &Item::End {
                checksum: Checksum::Mismatch { stored, computed },
                ..
            } => {
                let crc_offset = span.end - size_of::<u64>() as u64;
                let mismatch = ErrorKind::ChecksumMismatch { stored, computed };
                Err(Error::new(mismatch).at_offset(crc_offset))
            }
            item => {
                let buffers = (&mut self.scratch, &mut self.room);
                Decoded::of(item, self.keeper, self.flavor, buffers)
            }
        };
        match decoded {
            Err(error) if !self.keeps_going => Err(error),
            Ok(Decoded::Nothing) => Ok(()),
            decoded => {
                self.part.items.push(decoded);
                Ok(())
            }
        }
    }

    const TAKES_PLAIN_STRINGS: bool = true;

    #[inline]
    fn plain_string(&mut self, string: &PlainString<'_>) -> bool {
        let RdbString::Raw(key) = string.key() else {
            return false;
        };
        let decoded = Decoded::plain_string(string, key, self.keeper);
        self.part.items.push(Ok(decoded));
        true
    }

    fn take(&mut self, used: Option<LoadedPart<'a>>) -> LoadedPart<'a> {
        take_ahead();
        let mut empty = used.unwrap_or_default();
        empty.losses = Losses::default();
        std::mem::replace(&mut self.part, empty)
    }
}

/// Counts what a record says beside its value and deadline.
fn unkept(record: &Record<'_>, losses: &mut Losses) {
    if record.key_meta.is_some() {
        let key = record.key.to_vec().unwrap_or_default();
        losses.add(Loss::KeyMeta, 1, record.db, &key);
    }
    let has_eviction_data = record.idle_s.is_some() || record.freq.is_some();
    losses.note(Note::EvictionData, u64::from(has_eviction_data));
}

enum Next {
    Again,
    Part,
    Stop,
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
