//! "Seen before?": finds keys that occur twice in a file of any size, in bounded memory.
//!
//! A [`KeySet`] takes (hash of database and key, offset) per key and tells at the
//! end which keys occur again. Only hashes are kept, so each candidate is
//! confirmed by a callback that reads both keys.
//!
//! ```text
//! hash    [10 bits: partition][40 bits: tag][14 bits unused]
//! word    [40 bits: tag][24 bits: distance from the partition's offset before]
//!         a distance of 0xffffff: the next word is the whole offset
//! ```
//!
//! So a key costs one word of 8 bytes, two where keys of a partition lie 16 MiB
//! apart. Words go to pages of their partition. When the pages fill the memory
//! limit, all are appended to an unlinked temporary file as one *run*, ordered by
//! partition. At the end each partition passes through a hash table that fits
//! into cache; a partition too large for that takes several passes, each over a
//! range of tags. With 50 bits of hash, 10 million keys bring no false
//! candidate in 96 of 100 runs, and 1 billion bring about 450.
//!
//! The table holds one entry per distinct key and no hash can be foreseen (the
//! seed is random), so neither a key that is repeated without end nor chosen keys
//! make it grow.
//!
//! [`Join`](join::Join) matches the keys of two inputs, [`MemberSet`](members::MemberSet) does the same for the members of one value.

pub mod join;
pub mod members;
mod search;
mod spill;

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use foldhash::quality::RandomState;

use crate::error::Result;
use crate::limits::LISTED_DUPLICATES;
use search::Search;
use spill::Spill;

const PARTITION_BITS: u32 = 10;
const PARTITIONS: usize = 1 << PARTITION_BITS;
const TAG_BITS: u32 = 40;
const DISTANCE_BITS: u32 = 24;
/// Says that the next word is the offset.
const FAR: u64 = (1 << DISTANCE_BITS) - 1;
const PAGE_WORDS: usize = 256;
const WORD_BYTES: usize = size_of::<u64>();
/// No page.
const NONE: u32 = u32::MAX;
/// How finely a large partition is divided into passes.
const SLICE_BITS: u32 = 12;

/// A key that occurred before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// Where the key is again.
    pub offset: u64,
    /// Where it was first.
    pub first_offset: u64,
}

/// What a [`KeySet`] found.
#[derive(Debug)]
pub enum Outcome {
    /// Every key was compared.
    Checked(Duplicates),
    /// There was more than fits into memory, and no room for a temporary file.
    NotChecked(io::Error),
}

/// The keys that occurred before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// The first 100 000 of them, by offset.
    pub listed: Vec<Duplicate>,
    /// How many there are.
    pub count: u64,
}

impl Duplicates {
    /// Adds those of other keys.
    fn merge(&mut self, other: Duplicates) {
        self.count += other.count;
        self.listed.extend(other.listed);
        self.listed.sort_unstable();
        self.listed.truncate(LISTED_DUPLICATES);
    }
}

/// Hashes keys for a [`KeySet`], on any thread.
#[derive(Clone, Debug, Default)]
pub struct KeyHasher(RandomState);

impl KeyHasher {
    /// Hashes a key of a database.
    #[must_use]
    #[inline]
    pub fn hash(&self, db: u32, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u32(db);
        hasher.write(key);
        hasher.finish()
    }
}

/// Where the next word of a partition goes. Apart from [`Chain`], so that all of them stay in cache.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// Offset of the last key.
    offset: u64,
    /// Next word, and the end of its page, as indexes of the arena.
    at: u32,
    end: u32,
}

/// The pages of a partition.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
}

const NO_PAGES: Chain = Chain {
    first: NONE,
    last: NONE,
};

/// The page behind a page, and how many words of it are used once it is full.
#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    used: u32,
}

/// Collects keys and finds those that occur again.
///
/// ```
/// use rdbkit::keyset::{KeySet, Outcome};
/// use rdbkit::limits::KEYSET_BYTES;
///
/// let mut seen = KeySet::new(KEYSET_BYTES, None);
/// for (offset, key) in [(9, "a"), (14, "b"), (19, "a")] {
///     seen.insert(0, key.as_bytes(), offset);
/// }
/// let Outcome::Checked(duplicates) = seen.finish(|_, _| Ok(true))? else { unreachable!() };
/// assert_eq!((duplicates.listed[0].first_offset, duplicates.listed[0].offset), (9, 19));
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct KeySet {
    hasher: KeyHasher,
    cursors: Box<[Cursor; PARTITIONS]>,
    chains: Box<[Chain; PARTITIONS]>,
    /// All pages; what is not touched yet takes no memory.
    arena: Vec<u64>,
    links: Vec<Link>,
    max_pages: usize,
    /// Keys that one pass at the end may compare.
    max_pass_keys: usize,
    jobs: NonZeroUsize,
    temp_dir: Option<PathBuf>,
    spill: Option<Spill>,
    failure: Option<io::Error>,
}

impl KeySet {
    /// Makes an empty set that uses about `memory_bytes`, at least 4 MiB, and beyond
    /// it a file in `temp_dir` (the system's, if none is named) that has no name.
    #[must_use]
    pub fn new(memory_bytes: usize, temp_dir: Option<&Path>) -> Self {
        /// With less, a run would hold little more than its own index.
        const MIN_BYTES: usize = 2 * PARTITIONS * PAGE_WORDS * WORD_BYTES;
        KeySet::with_memory(memory_bytes.max(MIN_BYTES), temp_dir)
    }

    fn with_memory(memory_bytes: usize, temp_dir: Option<&Path>) -> Self {
        let pages = memory_bytes / (PAGE_WORDS * WORD_BYTES);
        KeySet {
            hasher: KeyHasher::default(),
            cursors: Box::new([Cursor::default(); PARTITIONS]),
            chains: Box::new([NO_PAGES; PARTITIONS]),
            arena: Vec::new(),
            links: Vec::new(),
            max_pages: pages.clamp(1, NONE as usize / PAGE_WORDS),
            max_pass_keys: memory_bytes / search::BYTES_PER_KEY,
            jobs: NonZeroUsize::MIN,
            temp_dir: temp_dir.map(Path::to_owned),
            spill: None,
            failure: None,
        }
    }

    /// Compares the keys by so many threads in the end, if they are many and in memory.
    #[must_use]
    pub fn jobs(self, jobs: NonZeroUsize) -> Self {
        KeySet { jobs, ..self }
    }

    /// The hash function of this set, for [`insert_hashed`](Self::insert_hashed).
    #[must_use]
    pub fn hasher(&self) -> KeyHasher {
        self.hasher.clone()
    }

    /// Adds a key that lies at `offset`.
    #[inline]
    pub fn insert(&mut self, db: u32, key: &[u8], offset: u64) {
        self.insert_hashed(self.hasher.hash(db, key), offset);
    }

    /// Adds a key by its hash. Which of two equal keys is the first is decided by
    /// the order of calls; offsets that ascend take the least memory.
    #[inline]
    pub fn insert_hashed(&mut self, hash: u64, offset: u64) {
        let index = (hash >> (64 - PARTITION_BITS)) as usize;
        let tag = hash << PARTITION_BITS >> (64 - TAG_BITS);
        if self.cursors[index].end - self.cursors[index].at < 2 && !self.add_page(index) {
            return;
        }
        let cursor = &mut self.cursors[index];
        let distance = offset.wrapping_sub(cursor.offset);
        cursor.offset = offset;
        let at = cursor.at as usize;
        if distance < FAR {
            self.arena[at] = tag << DISTANCE_BITS | distance;
            cursor.at += 1;
        } else {
            self.arena[at] = tag << DISTANCE_BITS | FAR;
            self.arena[at + 1] = offset;
            cursor.at += 2;
        }
    }

    /// Gives a partition a page with room for two words; `false` if nothing can be kept any more.
    #[cold]
    fn add_page(&mut self, index: usize) -> bool {
        if self.links.len() == self.max_pages {
            if self.failure.is_none() {
                self.failure = self.spill_run().err();
            }
            if self.failure.is_some() {
                return false;
            }
        }
        let page = self.links.len() as u32;
        let words = (page as usize + 1) * PAGE_WORDS;
        if self.arena.len() < words {
            // Room for all at once, so that nothing moves; a page is first touched when it is used.
            self.arena
                .reserve_exact(self.max_pages * PAGE_WORDS - self.arena.len());
            self.arena.resize(words, 0);
        }
        self.links.push(Link {
            next: NONE,
            used: 0,
        });
        let (cursor, chain) = (&mut self.cursors[index], &mut self.chains[index]);
        match chain.last {
            NONE => chain.first = page,
            full => {
                let used = cursor.at - full * PAGE_WORDS as u32;
                self.links[full as usize] = Link { next: page, used };
            }
        }
        chain.last = page;
        cursor.at = page * PAGE_WORDS as u32;
        cursor.end = cursor.at + PAGE_WORDS as u32;
        true
    }

    /// The words of a partition that are in memory, page by page.
    fn pages(&self, index: usize) -> impl Iterator<Item = &[u64]> {
        let Chain { first, last } = self.chains[index];
        let mut page = first;
        std::iter::from_fn(move || {
            let link = self.links.get(page as usize)?;
            let start = page as usize * PAGE_WORDS;
            let end = match page == last {
                true => self.cursors[index].at as usize,
                false => start + link.used as usize,
            };
            page = link.next;
            Some(&self.arena[start..end])
        })
    }

    /// Writes all pages to the temporary file and empties them.
    fn spill_run(&mut self) -> io::Result<()> {
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => Spill::new(self.temp_dir.as_deref())?,
        };
        spill.write_run(|index| self.pages(index))?;
        self.spill = Some(spill);
        self.links.clear();
        self.chains.fill(NO_PAGES);
        for cursor in self.cursors.iter_mut() {
            // Runs are read in order, so distances go on from the last offset.
            (cursor.at, cursor.end) = (0, 0);
        }
        Ok(())
    }

    /// Compares all keys; `confirm` says whether the keys at two offsets are the same.
    ///
    /// # Errors
    /// What `confirm` returns, and a temporary file that cannot be read back.
    pub fn finish(mut self, confirm: impl FnMut(u64, u64) -> Result<bool>) -> Result<Outcome> {
        if self.spill.is_some() && self.failure.is_none() {
            // What is left goes the same way, so that the memory is free for tables.
            self.failure = self.spill_run().err();
        }
        if let Some(failure) = self.failure {
            return Ok(Outcome::NotChecked(failure));
        }
        let Some(spill) = &mut self.spill else {
            let found = self.search(0..PARTITIONS, confirm)?;
            return Ok(Outcome::Checked(found));
        };
        let mut search = Search::new(confirm);
        self.arena = Vec::new();
        for index in 0..PARTITIONS {
            search_spilled(spill, index, self.max_pass_keys, &mut search)?;
        }
        Ok(Outcome::Checked(search.finish()))
    }

    /// As [`finish`](Self::finish), by several [`jobs`](Self::jobs), each of which makes a
    /// callback of its own.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_by<C: FnMut(u64, u64) -> Result<bool>>(
        self,
        make_confirm: impl Fn() -> C + Sync,
    ) -> Result<Outcome> {
        /// With fewer, starting a thread takes longer than it saves.
        const MANY_PAGES: usize = 2 * PARTITIONS;
        let is_whole = self.spill.is_none() && self.failure.is_none();
        let jobs = self.jobs.get().min(PARTITIONS);
        if jobs == 1 || !is_whole || self.links.len() < MANY_PAGES {
            return self.finish(make_confirm());
        }
        let (this, make_confirm) = (&self, &make_confirm);
        let search = |job| {
            let bound = |job| job * PARTITIONS / jobs;
            this.search(bound(job)..bound(job + 1), make_confirm())
        };
        let found: Vec<Result<Duplicates>> = std::thread::scope(|scope| {
            let others = (1..jobs).map(|job| {
                let thread = std::thread::Builder::new().spawn_scoped(scope, move || search(job));
                (job, thread)
            });
            let others: Vec<_> = others.collect();
            let first = search(0);
            let rest = others.into_iter().map(|(job, thread)| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system has no more threads for us.
                Err(_) => search(job),
            });
            [first].into_iter().chain(rest).collect()
        });
        let mut all = Duplicates::default();
        for found in found {
            all.merge(found?);
        }
        Ok(Outcome::Checked(all))
    }

    /// Compares the keys of some partitions that are all in memory.
    fn search(
        &self,
        partitions: Range<usize>,
        confirm: impl FnMut(u64, u64) -> Result<bool>,
    ) -> Result<Duplicates> {
        let mut search = Search::new(confirm);
        for index in partitions {
            search.begin_pass(self.pages(index).map(<[u64]>::len).sum());
            let mut decoder = Decoder::default();
            for words in self.pages(index) {
                decoder.each(words, |tag, offset| search.add(tag, offset))?;
            }
        }
        Ok(search.finish())
    }
}

/// Compares the keys of one partition, in several passes if they are more than `max_keys`.
fn search_spilled<F: FnMut(u64, u64) -> Result<bool>>(
    spill: &mut Spill,
    index: usize,
    max_keys: usize,
    search: &mut Search<F>,
) -> Result<()> {
    let slice = |tag: u64| (tag >> (TAG_BITS - SLICE_BITS)) as usize;
    let all = spill.partition_words(index);
    let passes = if all <= max_keys as u64 {
        vec![(0..1 << SLICE_BITS, all as usize)]
    } else {
        let mut counts = vec![0u64; 1 << SLICE_BITS];
        let mut decoder = Decoder::default();
        spill.read(index, |words| {
            decoder.each(words, |tag, _| {
                counts[slice(tag)] += 1;
                Ok(())
            })
        })?;
        plan_passes(&counts, max_keys)
    };
    for (slices, keys) in passes {
        search.begin_pass(keys);
        let mut decoder = Decoder::default();
        spill.read(index, |words| {
            decoder.each(words, |tag, offset| match slices.contains(&slice(tag)) {
                true => search.add(tag, offset),
                false => Ok(()),
            })
        })?;
    }
    Ok(())
}

/// Divides slices into ranges of at most `max_keys` keys, or of one slice.
///
/// A slice with more has few distinct keys: hashes are spread evenly, repeats are not.
fn plan_passes(counts: &[u64], max_keys: usize) -> Vec<(Range<usize>, usize)> {
    let mut passes: Vec<(Range<usize>, usize)> = Vec::new();
    for (slice, &count) in counts.iter().enumerate() {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        match passes.last_mut() {
            Some((slices, keys)) if keys.saturating_add(count) <= max_keys => {
                slices.end = slice + 1;
                *keys += count;
            }
            _ => passes.push((slice..slice + 1, count.min(max_keys))),
        }
    }
    passes
}

/// Turns the words of a partition back into tags and offsets, in blocks of any size.
#[derive(Debug, Default)]
struct Decoder {
    offset: u64,
    /// The tag whose whole offset is the next word.
    far_tag: Option<u64>,
}

impl Decoder {
    #[inline]
    fn each(&mut self, words: &[u64], mut f: impl FnMut(u64, u64) -> Result<()>) -> Result<()> {
        for &word in words {
            let tag = match self.far_tag.take() {
                Some(tag) => {
                    self.offset = word;
                    tag
                }
                None if word & FAR == FAR => {
                    self.far_tag = Some(word >> DISTANCE_BITS);
                    continue;
                }
                None => {
                    self.offset = self.offset.wrapping_add(word & FAR);
                    word >> DISTANCE_BITS
                }
            };
            f(tag, self.offset)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::limits::KEYSET_BYTES;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// The definition: keys by the order in which they came.
    fn expected(keys: &[(u32, Vec<u8>)], offsets: &[u64]) -> Duplicates {
        let mut first = HashMap::new();
        let mut listed = Vec::new();
        for (key, &offset) in keys.iter().zip(offsets) {
            match first.get(key) {
                Some(&first_offset) => listed.push(Duplicate {
                    offset,
                    first_offset,
                }),
                None => {
                    first.insert(key, offset);
                }
            }
        }
        listed.sort();
        Duplicates {
            count: listed.len() as u64,
            listed,
        }
    }

    fn found(
        memory_bytes: usize,
        pass_keys: usize,
        keys: &[(u32, Vec<u8>)],
        offsets: &[u64],
    ) -> (Duplicates, bool) {
        let mut set = KeySet::with_memory(memory_bytes, None);
        set.max_pass_keys = pass_keys;
        for ((db, key), &offset) in keys.iter().zip(offsets) {
            set.insert(*db, key, offset);
        }
        let by_offset: HashMap<u64, &(u32, Vec<u8>)> = offsets.iter().copied().zip(keys).collect();
        let has_spilled = set.spill.is_some();
        match set
            .finish(|a, b| Ok(by_offset[&a] == by_offset[&b]))
            .unwrap()
        {
            Outcome::Checked(duplicates) => (duplicates, has_spilled),
            Outcome::NotChecked(error) => panic!("{error}"),
        }
    }

    #[test]
    fn spilled_keys_are_found_in_several_passes() {
        let key = |n: u32| (n % 3, n.to_be_bytes().to_vec());
        let mut keys: Vec<_> = (0..20_000).map(key).collect();
        keys.extend((0..20_000).step_by(1_000).map(key));
        keys.extend((0..1_000).map(|_| key(7)));
        // Some distances are too far for a word of their own.
        let offsets: Vec<u64> = (0..keys.len() as u64).map(|n| n * 50_000 + 9).collect();
        let expected = expected(&keys, &offsets);
        assert_eq!(expected.count, 1_020);
        let (in_memory, has_spilled) = found(KEYSET_BYTES, 0, &keys, &offsets);
        assert!(!has_spilled);
        assert_eq!(in_memory, expected);
        // A partition has about 20 keys, one of them also the 1 000 repeats.
        for pass_keys in [500, 8] {
            let (spilled, has_spilled) = found(300_000, pass_keys, &keys, &offsets);
            assert!(has_spilled);
            assert_eq!(spilled, expected);
        }
    }

    #[test]
    fn several_jobs_find_what_one_finds() {
        let found = |jobs| {
            let mut set = KeySet::new(KEYSET_BYTES, None).jobs(jobs);
            for n in 0..600_000u64 {
                let key = if n % 10_000 == 9 { n / 7 } else { n };
                set.insert(0, &key.to_le_bytes(), n);
            }
            let key = |n| if n % 10_000 == 9 { n / 7 } else { n };
            match set.finish_by(|| |a, b| Ok(key(a) == key(b))).unwrap() {
                Outcome::Checked(duplicates) => duplicates,
                Outcome::NotChecked(error) => panic!("{error}"),
            }
        };
        let one = found(NonZeroUsize::MIN);
        assert_eq!(one.count, 60);
        for jobs in [2, 3, 2000] {
            assert_eq!(found(NonZeroUsize::new(jobs).unwrap()), one);
        }
    }

    #[test]
    fn candidates_that_are_not_equal_are_not_reported() {
        let mut set = KeySet::new(KEYSET_BYTES, None);
        for offset in [5, 6, 7, 8] {
            set.insert_hashed(42, offset);
        }
        let Outcome::Checked(duplicates) = set.finish(|a, b| Ok(a % 2 == b % 2)).unwrap() else {
            panic!("not checked")
        };
        let pair = |first_offset, offset| Duplicate {
            offset,
            first_offset,
        };
        assert_eq!(duplicates.listed, [pair(5, 7), pair(6, 8)]);
    }

    #[test]
    fn no_room_for_a_file_is_told() {
        let mut set = KeySet::with_memory(1, Some(Path::new("/nonexistent")));
        (0..1_000u64).for_each(|n| set.insert(0, &n.to_le_bytes(), n));
        assert!(matches!(
            set.finish(|_, _| Ok(true)),
            Ok(Outcome::NotChecked(_))
        ));
    }

    #[test]
    fn error_of_the_callback_ends_the_search() {
        let mut set = KeySet::new(KEYSET_BYTES, None);
        set.insert(0, b"k", 1);
        set.insert(0, b"k", 2);
        assert!(set.finish(|_, _| Err(Error::usage("stop"))).is_err());
    }

    #[test]
    fn passes_cover_every_slice_once() {
        let counts = [3, 0, 4, 9, 1, 1, 1, 0];
        let passes = plan_passes(&counts, 5);
        assert_eq!(passes, [(0..2, 3), (2..3, 4), (3..4, 5), (4..8, 3)]);
    }

    proptest! {
        #[test]
        fn duplicates_are_those_of_a_map(
            keys in proptest::collection::vec((0..2u32, proptest::collection::vec(0..4u8, 0..4)), 0..300),
            jump in prop_oneof![Just(1u64), Just(1 << 24), Just(u64::MAX / 300)],
        ) {
            let offsets: Vec<u64> = (1..=keys.len() as u64).map(|n| n * jump).collect();
            let expected = expected(&keys, &offsets);
            prop_assert_eq!(&found(KEYSET_BYTES, 0, &keys, &offsets).0, &expected);
            prop_assert_eq!(&found(1, 3, &keys, &offsets).0, &expected);
        }
    }
}
