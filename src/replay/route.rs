//! Which part of a divided keyspace a command is for.
//!
//! A keyspace is divided by a hash of the key alone, whatever the database, so that
//! MOVE, and SWAPDB in every part, stay what they are. The hash is the same on every
//! run and machine: it decides the order in which keys come out.

use xxhash_rust::xxh3::xxh3_64;

use super::table::{Class, Command, Keys};
use crate::num::parse_i64;

/// Parts of a divided keyspace. More than there are threads, so that none is idle for long
/// when some keys are busier than others.
pub(crate) const SHARDS: usize = 16;

/// The part that a key is in.
pub(crate) fn shard_of(key: &[u8]) -> usize {
    Home::of(key).shard
}

/// Where a command with a key is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The part.
    pub(crate) shard: usize,
    /// More of the key's hash, to tell its keys apart.
    pub(crate) hash: u32,
    /// No other key is needed.
    pub(crate) is_of_one_key: bool,
}

impl Home {
    /// Where a key is.
    #[inline]
    pub(crate) fn of(key: &[u8]) -> Self {
        let hash = xxh3_64(key);
        Home {
            shard: (hash >> 32) as usize % SHARDS,
            hash: hash as u32,
            is_of_one_key: true,
        }
    }

    /// A part, for several keys or none.
    pub(crate) fn at(shard: usize) -> Self {
        Home {
            shard,
            hash: 0,
            is_of_one_key: false,
        }
    }
}

/// Where a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// It has no key: functions, scripts, SELECT, and whatever does nothing.
    Keyless,
    /// In one part, where all its keys are.
    One(Home),
    /// In the part of each key by itself; every so many arguments from the second on are one.
    Each(usize),
    /// Its keys, at these places, are in several parts and needed together.
    Together(Places),
    /// In every part by itself: it has to do with whole databases.
    Every,
    /// Any key may matter to it.
    Whole,
}

/// Which arguments are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    from: usize,
    /// One behind the last.
    to: usize,
    step: usize,
    /// One more.
    also: Option<usize>,
}

impl Places {
    fn of(keys: Keys, args: &[&[u8]]) -> Option<Self> {
        let counted = |at: usize| {
            let count = parse_i64(args.get(at)?)?;
            usize::try_from(count)
                .ok()
                .filter(|count| *count < args.len())
        };
        let places = match keys {
            Keys::Range { first, last, step } => Places {
                from: first,
                to: match usize::try_from(last) {
                    Ok(last) => last + 1,
                    Err(_) => args.len().checked_sub(last.unsigned_abs())? + 1,
                },
                step,
                also: None,
            },
            Keys::Counted { at, first } => Places {
                from: at + 1,
                to: at + 1 + counted(at)?,
                step: 1,
                also: (first != 0).then_some(first),
            },
            Keys::CountedPairs => Places {
                from: 2,
                to: 2 + 2 * counted(1)?,
                step: 2,
                also: None,
            },
            // Where these words stand is for the command to know.
            Keys::WithStore | Keys::Streams | Keys::None => return None,
        };
        (places.from < places.to && places.to <= args.len()).then_some(places)
    }

    /// The keys.
    pub(crate) fn keys<'r, 'a>(self, args: &'r [&'a [u8]]) -> impl Iterator<Item = &'a [u8]> + 'r {
        let places = (self.from..self.to).step_by(self.step).chain(self.also);
        places.filter_map(|at| args.get(at).copied())
    }
}

impl Route {
    /// The route of a command with as many arguments as it takes.
    pub(crate) fn of(command: &Command, args: &[&[u8]]) -> Self {
        match (command.class, command.keys) {
            _ if command.writes_one_key(args.len()) => match args.get(1) {
                Some(key) => Route::One(Home::of(key)),
                None => Route::Whole,
            },
            (Class::Write, Keys::None) => match command.name {
                "flushall" | "flushdb" | "swapdb" => Route::Every,
                _ => Route::Whole,
            },
            // SORT reads keys by patterns.
            (Class::Write, keys) => match Places::of(keys, args) {
                Some(places) => Self::of_keys(command, args, places),
                None => Route::Whole,
            },
            (Class::Script, Keys::None) => Route::Keyless,
            (Class::Script, _) => Route::Whole,
            (Class::Read | Class::Session | Class::Container | Class::Admin, _) => Route::Keyless,
        }
    }

    fn of_keys(command: &Command, args: &[&[u8]], places: Places) -> Self {
        let mut homes = places.keys(args).map(Home::of);
        let Some(first) = homes.next() else {
            return Route::Whole;
        };
        if homes.all(|home| home.shard == first.shard) {
            let mut keys = places.keys(args);
            let one = keys.next();
            let is_of_one_key = keys.all(|key| Some(key) == one);
            return Route::One(Home {
                is_of_one_key,
                ..first
            });
        }
        match command.name {
            "del" | "unlink" => Route::Each(1),
            "mset" if args.len() % 2 == 1 => Route::Each(2),
            _ => Route::Together(places),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::find;
    use super::*;

    #[test]
    fn every_kind_of_command_goes_where_its_keys_are() {
        let (a, b) = (Home::of(b"a"), Home::of(b"b"));
        assert_ne!(a.shard, b.shard, "the test needs keys of two parts");
        let together = |from, to, step, also| {
            Route::Together(Places {
                from,
                to,
                step,
                also,
            })
        };
        for (line, route) in [
            ("SET a 1", Route::One(a)),
            ("MOVE b 1", Route::One(b)),
            ("DEL a", Route::One(a)),
            ("DEL a a", Route::One(a)),
            ("DEL a b a", Route::Each(1)),
            ("MSET a 1 b 2", Route::Each(2)),
            ("MSET a 1 b", together(1, 4, 2, None)),
            ("MSETNX a 1 b 2", together(1, 5, 2, None)),
            ("RENAME a a", Route::One(a)),
            ("RENAME a b", together(1, 3, 1, None)),
            ("BITOP AND a a b", together(2, 5, 1, None)),
            ("BLPOP a b 0", together(1, 3, 1, None)),
            ("ZUNIONSTORE a 1 b", together(3, 4, 1, Some(1))),
            ("ZUNIONSTORE a 1 a", Route::One(a)),
            ("ZUNIONSTORE a 9 a", Route::Whole),
            ("ZUNIONSTORE a -1 a", Route::Whole),
            ("LMPOP 2 a b LEFT", together(2, 4, 1, None)),
            ("MSETEX 2 a 1 b 2 EX 1", together(2, 6, 2, None)),
            ("XGROUP CREATE b g 0", Route::One(b)),
            ("SORT a STORE a", Route::Whole),
            ("XREADGROUP GROUP g c STREAMS a >", Route::Whole),
            ("EVAL x 1 a", Route::Whole),
            ("TRIMSLOTS RANGES 1 0 1", Route::Whole),
            ("FUNCTION LOAD x", Route::Keyless),
            ("SELECT 1", Route::Keyless),
            ("GET a", Route::Keyless),
            ("FLUSHDB", Route::Every),
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let command = find(&args).unwrap();
            assert_eq!(Route::of(command, &args), route, "{line}");
        }
    }
}
