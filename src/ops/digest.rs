//! `digest`: DEBUG DIGEST of a dataset, key by key, without loading it.
//!
//! Keys may come in any order (see [`crate::store::digest`]), so one pass with one
//! value in hand is enough, whatever the size of the file, and each thread adds up keys of
//! its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread::ScopedJoinHandle;

use super::export::{export_keyed, key_head};
use super::export_store::export_entry;
use super::least::drop_greatest;
use super::listener::Listener;
use super::pipeline::{Pipe, Pipeline, Work};
use super::rdb_ledger::{KeyMarker, Part as Ledger, refuse_duplicates};
use super::value_checks::ValueChecks;
use crate::bytes::Text;
use crate::error::{Error, ErrorKind, Result};
use crate::keyset::KeySet;
use crate::limits::{DIGESTED_DATABASES, LISTED};
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{StreamId, StreamState};
use crate::num::{Flavor, digest_score_text};
use crate::rdb::{Dialect, Family, Item, RdbString, Record, Scratch};
use crate::report::Level;
use crate::store::digest::{Digest, KeyDigest, SILENT_MODULES, TotalDigest, Type};
use crate::store::{Entry, Store};

/// What a digest was made of.
#[derive(Clone, Debug)]
pub struct Digested {
    /// The digest, if every key's could be known.
    pub total: Option<Digest>,
    /// Keys that were digested.
    pub keys: u64,
    /// Keys whose digest only their module knows, by type name.
    pub unknowable: BTreeMap<String, u64>,
    /// Further such keys, of more than [`LISTED`] types.
    pub other_unknowable: u64,
    /// Whether another flavour could give another digest: a score whose two texts
    /// differ, or a deadline of a field.
    pub depends_on_flavor: bool,
    /// The flavour that was used.
    pub flavor: Flavor,
    /// Whether it was only assumed, because neither the caller nor the file names one.
    pub flavor_assumed: bool,
}

/// The flavour of a file that does not name its server.
pub const ASSUMED_FLAVOR: Flavor = Flavor::redis(8, 6);

/// The flavour of the server that wrote a file, as its aux fields or else its version tell.
#[must_use]
pub fn flavor_of(dialect: Option<Dialect>, server: Option<&str>) -> Option<Flavor> {
    let by_version = || match dialect? {
        Dialect {
            family: Family::Valkey,
            ..
        } => Some(Flavor::valkey(9, 1)),
        // All releases up to 7.0 print scores alike and have no field TTLs.
        Dialect { version: ..=9, .. } => Some(Flavor::redis(6, 2)),
        Dialect { version: 10, .. } => Some(Flavor::redis(7, 0)),
        // Valkey 7.2 and 8 share 11 with Redis 7.2.
        Dialect { version: 11, .. } => None,
        Dialect { version: 12, .. } => Some(Flavor::redis(7, 4)),
        Dialect { .. } => Some(Flavor::redis(8, 6)),
    };
    server.and_then(Flavor::parse).or_else(by_version)
}

/// How to digest.
#[derive(Clone, Copy, Debug)]
pub struct DigestOptions {
    /// Whose digest; the file's own server if `None`.
    pub flavor: Option<Flavor>,
    /// The time that counts as now, for releases that hide expired fields.
    pub now_ms: i64,
    /// Whether each key's own digest is wanted too.
    pub per_key: bool,
    /// How many threads there are. The digest does not depend on it.
    pub pipeline: Pipeline,
}

/// Which key a line of `--per-key` is about.
#[derive(Clone, Copy, Debug)]
pub struct PerKey<'k> {
    /// Database.
    pub db: u32,
    /// The key.
    pub key: &'k [u8],
    /// DEBUG DIGEST-VALUE; `None` if only its module knows.
    pub digest: Option<Digest>,
}

/// Digests the chosen keys of an RDB; `per_key` gets each one's DIGEST-VALUE, in the order of
/// the file. `wants` may use the buffer.
///
/// # Errors
/// A broken frame, a value or a key standing twice that servers refuse, a checksum that
/// differs, more databases than [`DIGESTED_DATABASES`], or what the closures return.
pub fn digest_rdb(
    reader: &mut impl Pipe,
    options: DigestOptions,
    wants: impl Fn(&Record<'_>, &mut Vec<u8>) -> Result<bool> + Sync,
    mut per_key: impl FnMut(PerKey<'_>) -> Result<()>,
) -> Result<Digested> {
    let start = reader.offset();
    let mut sums = Sums::new(options);
    let mut seen = KeySet::new(options.pipeline.keyset_bytes(), None);
    let marker = KeyMarker::new(&seen, reader);
    let make = || Digester {
        options,
        wants: &wants,
        marker: &marker,
        head: Head::default(),
        part: Part::new(options),
        checks: ValueChecks::for_any_loader(false),
        found: Ledger::default(),
        scratch: Scratch::new(),
        key_scratch: Vec::new(),
    };
    reader.pipe(options.pipeline, make, |part| {
        sums.merge(&part.sums);
        sums.check_bound()?;
        for (hash, mark) in part.marks.drain(..) {
            seen.insert_hashed(hash, mark);
        }
        let names = &part.names;
        part.keys.drain(..).try_for_each(|(db, name, digest)| {
            let key = names.get(name).unwrap_or_default();
            per_key(PerKey { db, key, digest })
        })
    })?;
    refuse_duplicates(seen, reader, start)?;
    Ok(sums.finish())
}

/// Who wrote a file.
#[derive(Clone, Default)]
struct Head {
    dialect: Option<Dialect>,
    /// The first aux field that names a server.
    server: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What a batch of records gives.
struct Part {
    sums: Sums,
    /// For finding keys that stand twice.
    marks: Vec<(u64, u64)>,
    /// Where the names of the keys are, if each key's digest is wanted.
    keys: Vec<(u32, Range<usize>, Option<Digest>)>,
    names: Vec<u8>,
}

impl Part {
    fn new(options: DigestOptions) -> Self {
        Part {
            sums: Sums::new(options),
            marks: Vec::new(),
            keys: Vec::new(),
            names: Vec::new(),
        }
    }
}

struct Digester<'w, F> {
    options: DigestOptions,
    wants: &'w F,
    marker: &'w KeyMarker,
    head: Head,
    part: Part,
    checks: ValueChecks,
    /// What was found in the value in hand.
    found: Ledger,
    scratch: Scratch,
    key_scratch: Vec<u8>,
}

impl<F: Fn(&Record<'_>, &mut Vec<u8>) -> Result<bool>> Work for Digester<'_, F> {
    type Output = Part;
    type Context = Head;

    fn observe(head: &mut Head, item: &Item<'_>) {
        match item {
            Item::Header(dialect) => head.dialect = Some(*dialect),
            Item::Aux {
                key: RdbString::Raw(key @ (b"redis-ver" | b"valkey-ver")),
                value,
            } if head.server.is_empty() => {
                let value = value.to_vec().ok();
                head.server.extend(value.map(|value| (key.to_vec(), value)));
            }
            _ => {}
        }
    }

    fn begin(&mut self, head: Head) {
        self.head = head;
    }

    fn item(&mut self, item: &Item<'_>, _bytes: &[u8], _span: &Range<u64>) -> Result<()> {
        let Item::Key(record) = item else {
            Self::observe(&mut self.head, item);
            return Ok(());
        };
        if !(self.wants)(record, &mut self.key_scratch)? {
            return Ok(());
        }
        let Part {
            sums,
            marks,
            keys,
            names,
        } = &mut self.part;
        if sums.done.keys == 0 {
            let server = || super::convert::flavor(&self.head.server);
            let own = || flavor_of(self.head.dialect, server().as_deref());
            sums.begin(self.options.flavor.or_else(own));
        }
        let key = record.key_bytes(&mut self.key_scratch)?;
        sums.sink.begin_key(&key_head(record, key, None, None));
        self.checks
            .check_and_tell(record, key, &mut sums.sink, &mut self.found);
        let findings = self.found.drain_findings();
        if findings.filter(|f| f.level == Level::Error).count() > 0 {
            // What cannot be read says what it is; of the others, such as a member that
            // stands twice, there is more than one place to name.
            let read = export_keyed(record, key, &mut self.scratch, &mut sums.sink);
            return Err(read.err().unwrap_or_else(|| {
                let what = "a value that servers refuse; verify says why";
                Error::new(ErrorKind::Damaged { what })
                    .at_offset(record.offset)
                    .in_key(record.db, key)
            }));
        }
        marks.push(self.marker.mark(record, key));
        sums.add(record.db, key, &mut |PerKey { db, key, digest }| {
            let start = names.len();
            names.extend_from_slice(key);
            keys.push((db, start..names.len(), digest));
            Ok(())
        })
    }

    fn take(&mut self, used: Option<Part>) -> Part {
        let mut empty = used.unwrap_or_else(|| Part::new(self.options));
        empty.sums = Sums::new(self.options);
        empty.keys.clear();
        empty.names.clear();
        std::mem::replace(&mut self.part, empty)
    }
}

/// Digests the chosen keys of a keyspace.
///
/// # Errors
/// A module's data that does not expand, or what `per_key` returns.
pub fn digest_store(
    store: &Store<'_>,
    options: DigestOptions,
    wants: impl Fn(u32, &[u8], &Entry<'_>) -> bool + Sync,
    per_key: impl FnMut(PerKey<'_>) -> Result<()>,
) -> Result<Digested> {
    let jobs = options.pipeline.jobs().get();
    // Each key's own digest is told in order.
    if jobs == 1 || options.per_key {
        return digest_keys(options, options.flavor, per_key, |keys| {
            let mut wanted = store
                .iter()
                .filter(|(db, key, entry)| wants(*db, key, entry));
            let mut scratch = Scratch::new();
            wanted.try_for_each(|(db, key, entry)| {
                let export = |sink: &mut _| export_entry(db, key, entry, &mut scratch, sink);
                keys.add(db, key, export)
            })
        });
    }
    /// Neighbours that one thread digests, so that each gets some of all kinds.
    const NEIGHBOURS: usize = 64;
    // What a thread adds up, until its first error and where that is.
    let share = |job: usize| {
        let mut sums = Sums::new(options);
        sums.begin(options.flavor);
        let mine = store.iter().enumerate();
        let mut mine = mine.filter(|(at, _)| at / NEIGHBOURS % jobs == job);
        let mut scratch = Scratch::new();
        let failed = mine.find_map(|(at, (db, key, entry))| {
            if !wants(db, key, entry) {
                return None;
            }
            let added = export_entry(db, key, entry, &mut scratch, &mut sums.sink);
            let added = added.and_then(|()| sums.add(db, key, &mut |_| Ok(())));
            added.err().map(|error| (at, error))
        });
        (sums, failed)
    };
    let mut shares = Vec::new();
    std::thread::scope(|scope| {
        let spawn = |job| {
            let thread = std::thread::Builder::new();
            (job, thread.spawn_scoped(scope, move || share(job)))
        };
        let threads: Vec<_> = (1..jobs).map(spawn).collect();
        shares.push(share(0));
        for (job, thread) in threads {
            // A system that has no more threads for us gets by with those it has.
            shares.push(match thread.map(ScopedJoinHandle::join) {
                Ok(Ok(done)) => done,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => share(job),
            });
        }
    });
    let mut all = Sums::new(options);
    all.begin(options.flavor);
    let mut first = None;
    for (sums, failed) in shares {
        all.merge(&sums);
        first = match (first, failed) {
            (Some((at, error)), Some((other, _))) if at < other => Some((at, error)),
            (first, failed) => failed.or(first),
        };
    }
    match first {
        Some((_, error)) => Err(error),
        None => Ok(all.finish()),
    }
}

/// Digests the keys that `walk` adds.
pub(super) fn digest_keys<P: FnMut(PerKey<'_>) -> Result<()>>(
    options: DigestOptions,
    flavor: Option<Flavor>,
    per_key: P,
    walk: impl FnOnce(&mut Keys<P>) -> Result<()>,
) -> Result<Digested> {
    let mut sums = Sums::new(options);
    sums.begin(flavor);
    let mut keys = Keys { sums, per_key };
    walk(&mut keys)?;
    Ok(keys.sums.finish())
}

/// Keys on their way into a digest.
pub(super) struct Keys<P> {
    sums: Sums,
    per_key: P,
}

impl<P: FnMut(PerKey<'_>) -> Result<()>> Keys<P> {
    /// Adds a key that `export` tells the sink.
    pub(super) fn add(
        &mut self,
        db: u32,
        key: &[u8],
        export: impl FnOnce(&mut DigestSink) -> Result<()>,
    ) -> Result<()> {
        export(&mut self.sums.sink)?;
        self.sums.add(db, key, &mut self.per_key)?;
        self.sums.check_bound()
    }
}

/// Adds keys up.
#[derive(Debug)]
struct Sums {
    done: Digested,
    total: TotalDigest,
    sink: DigestSink,
}

impl Sums {
    fn new(options: DigestOptions) -> Self {
        let done = Digested {
            total: None,
            keys: 0,
            unknowable: BTreeMap::new(),
            other_unknowable: 0,
            depends_on_flavor: false,
            flavor: ASSUMED_FLAVOR,
            flavor_assumed: false,
        };
        let sink = DigestSink {
            options,
            flavor: ASSUMED_FLAVOR,
            state: None,
            depends_on_flavor: false,
        };
        Sums {
            done,
            total: TotalDigest::default(),
            sink,
        }
    }

    /// Settles the flavour, before the first key.
    fn begin(&mut self, flavor: Option<Flavor>) {
        self.done.flavor_assumed = flavor.is_none();
        self.done.flavor = flavor.unwrap_or(ASSUMED_FLAVOR);
        self.sink.flavor = self.done.flavor;
    }

    /// Adds the key that the sink was told.
    fn add(
        &mut self,
        db: u32,
        key: &[u8],
        per_key: &mut impl FnMut(PerKey<'_>) -> Result<()>,
    ) -> Result<()> {
        self.done.keys += 1;
        self.done.depends_on_flavor |= self.sink.depends_on_flavor;
        let digest = match self.sink.take() {
            Ok((with_key, alone)) => {
                self.total.add(db, with_key);
                alone
            }
            Err(name) => {
                self.unknowable(name, 1);
                None
            }
        };
        match self.sink.options.per_key {
            true => per_key(PerKey { db, key, digest }),
            false => Ok(()),
        }
    }

    /// Adds what another thread has added up.
    fn merge(&mut self, part: &Sums) {
        let Digested {
            total: _,
            keys,
            unknowable,
            other_unknowable,
            depends_on_flavor,
            flavor,
            flavor_assumed,
        } = &part.done;
        if self.done.keys == 0 {
            (self.done.flavor, self.done.flavor_assumed) = (*flavor, *flavor_assumed);
        }
        self.done.keys += keys;
        self.done.depends_on_flavor |= depends_on_flavor;
        for (name, count) in unknowable {
            self.unknowable(name.clone(), *count);
        }
        self.done.other_unknowable += other_unknowable;
        self.total.merge(&part.total);
    }

    /// Refuses more databases than there is memory for.
    fn check_bound(&self) -> Result<()> {
        match self.total.databases() <= DIGESTED_DATABASES {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::LimitExceeded {
                what: "databases of a file that is digested",
                limit: DIGESTED_DATABASES as u64,
            })),
        }
    }

    fn unknowable(&mut self, name: String, keys: u64) {
        let names = &mut self.done.unknowable;
        *names.entry(name).or_default() += keys;
        self.done.other_unknowable += drop_greatest(names, LISTED).unwrap_or(0);
    }

    fn finish(mut self) -> Digested {
        self.done.total = self.done.unknowable.is_empty().then(|| self.total.finish());
        self.done
    }
}

/// Digests one key at a time, with its name and without.
#[derive(Debug)]
pub(super) struct DigestSink {
    options: DigestOptions,
    flavor: Flavor,
    state: Option<KeyState>,
    depends_on_flavor: bool,
}

#[derive(Debug)]
struct KeyState {
    with_key: KeyDigest,
    alone: Option<KeyDigest>,
    value_type: ValueType,
    expires: bool,
    /// The type's name, if its digest cannot be known.
    unknowable: Option<String>,
}

impl DigestSink {
    /// Both digests of the key that ended, or the name of a type whose digest is not known.
    fn take(&mut self) -> std::result::Result<(Digest, Option<Digest>), String> {
        let Some(state) = self.state.take() else {
            return Err("nothing".to_owned());
        };
        match state.unknowable {
            Some(name) => Err(name),
            None => Ok((
                state.with_key.finish(state.expires),
                state.alone.map(|alone| alone.finish(state.expires)),
            )),
        }
    }

    fn both(&mut self, mut feed: impl FnMut(&mut KeyDigest)) {
        if let Some(state) = &mut self.state {
            feed(&mut state.with_key);
            state.alone.as_mut().map(&mut feed);
        }
    }
}

impl Listener for DigestSink {}

impl ValueSink for DigestSink {
    fn wants_score_order(&self) -> bool {
        false
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        let kind = match head.value_type {
            ValueType::String => Type::String,
            ValueType::List => Type::List,
            ValueType::Set => Type::Set,
            ValueType::Zset => Type::SortedSet,
            ValueType::Hash => Type::Hash,
            ValueType::Stream => Type::Stream,
            ValueType::Array | ValueType::Module => Type::VectorSet,
        };
        self.depends_on_flavor = false;
        self.state = Some(KeyState {
            with_key: KeyDigest::new(Some(head.key), kind, self.flavor),
            alone: self
                .options
                .per_key
                .then(|| KeyDigest::new(None, kind, self.flavor)),
            value_type: head.value_type,
            expires: head.expire_at_ms.is_some(),
            unknowable: (head.value_type == ValueType::Array).then(|| "array".to_owned()),
        });
    }

    fn string(&mut self, text: Text<'_>) {
        let mut buffer = itoa::Buffer::new();
        let bytes = text.as_bytes(&mut buffer);
        self.both(|digest| digest.element(bytes));
    }

    fn begin_value(&mut self) {}

    fn element(&mut self, element: Text<'_>) {
        let mut buffer = itoa::Buffer::new();
        let bytes = element.as_bytes(&mut buffer);
        match self.state.as_ref().map(|state| state.value_type) {
            Some(ValueType::Set) => self.both(|digest| digest.member(bytes)),
            _ => self.both(|digest| digest.element(bytes)),
        }
    }

    fn scored(&mut self, member: Text<'_>, score: f64) {
        let mut buffer = itoa::Buffer::new();
        let bytes = member.as_bytes(&mut buffer);
        self.both(|digest| digest.scored(bytes, score));
        if !self.depends_on_flavor {
            let text = |flavor| digest_score_text(score, flavor);
            self.depends_on_flavor = text(Flavor::redis(6, 2)) != text(Flavor::redis(8, 6));
        }
    }

    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        let (mut first, mut second) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (field, value) = (field.as_bytes(&mut first), value.as_bytes(&mut second));
        let now_ms = self.options.now_ms;
        self.both(|digest| digest.field(field, value, expire_at_ms, now_ms));
        self.depends_on_flavor |= expire_at_ms.is_some();
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        self.both(|digest| digest.stream_entry(id));
        for (field, value) in fields {
            for text in [field, value] {
                let mut buffer = itoa::Buffer::new();
                let bytes = text.as_bytes(&mut buffer);
                self.both(|digest| digest.element(bytes));
            }
        }
    }

    fn stream_state(&mut self, _state: &StreamState) {}

    fn item(&mut self, _index: u64, _text: Text<'_>) {}

    fn array_state(&mut self, _insert_index: Option<u64>) {}

    fn module(
        &mut self,
        name: &str,
        _encoding_version: u16,
        data: Option<&ModuleData>,
        _items: &mut dyn Iterator<Item = ModuleField>,
        _encoded_len: u64,
    ) {
        match data {
            Some(ModuleData::VectorSet(set)) => self.both(|digest| {
                let elements = set.elements.iter().map(|element| {
                    (
                        &element.vector[..],
                        &element.name[..],
                        element.attributes.as_deref(),
                    )
                });
                digest.vectors(set.dim, set.elements.len(), elements);
            }),
            _ if SILENT_MODULES.contains(&name) => {}
            _ => {
                if let Some(state) = &mut self.state {
                    state.unknowable = Some(name.to_owned());
                }
            }
        }
    }

    fn end_value(&mut self) {}

    fn end_key(&mut self) -> bool {
        true
    }

    fn abandon_key(&mut self) {
        self.state = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::encode_record_into;
    use crate::ops::replay::{LogPart, ReplayOptions, replay_log};
    use crate::rdb::RdbReader;
    use std::num::NonZeroUsize;

    /// What is printed of a digest.
    fn told(
        run: impl FnOnce(&mut dyn FnMut(PerKey<'_>) -> Result<()>) -> Result<Digested>,
    ) -> String {
        let mut lines = String::new();
        let digested = run(&mut |key| {
            lines += &format!("{key:?}\n");
            Ok(())
        });
        format!("{digested:?}\n{lines}")
    }

    fn options(jobs: usize, per_key: bool) -> DigestOptions {
        let jobs = NonZeroUsize::new(jobs).unwrap();
        DigestOptions {
            flavor: None,
            now_ms: 0,
            per_key,
            pipeline: Pipeline::new(jobs).batch_bytes(64),
        }
    }

    #[test]
    fn digest_of_an_rdb_does_not_depend_on_the_number_of_threads() {
        for name in [
            "demo.rdb",
            "redis-7.0.15/multi_db.rdb",
            "redis-8.6.2/stream_many_nodes.rdb",
        ] {
            let rdb = std::fs::read(format!("testdata/{name}")).unwrap();
            for per_key in [false, true] {
                let by = |jobs| {
                    told(|mut per_key_of| {
                        let mut reader = RdbReader::from_slice(&rdb);
                        let options = options(jobs, per_key);
                        digest_rdb(&mut reader, options, |_, _| Ok(true), &mut per_key_of)
                    })
                };
                assert_eq!(by(3), by(1), "{name}");
            }
        }
    }

    #[test]
    fn digest_of_a_keyspace_does_not_depend_on_the_number_of_threads() {
        let mut log = Vec::new();
        for n in 0..1000 {
            let (key, number) = (format!("key:{n}"), n.to_string());
            encode_record_into(&["SELECT", &(n % 3).to_string()], &mut log);
            encode_record_into(&["ZADD", &key, &number, "m", "0.1", &number], &mut log);
        }
        let parts = [LogPart {
            name: None,
            bytes: &log,
        }];
        let replayed = replay_log(&parts, &ReplayOptions::default(), &mut |_| {}).unwrap();
        let store = &replayed.replayer.store;
        for per_key in [false, true] {
            let by = |jobs| {
                let wants = |_: u32, key: &[u8], _: &Entry<'_>| !key.ends_with(b"7");
                told(|per_key_of| digest_store(store, options(jobs, per_key), wants, per_key_of))
            };
            assert_eq!(by(3), by(1));
            assert!(by(3).contains("keys: 900"));
        }
    }
}
