//! Asks for what comes next, so that it is in the processor's cache when its turn comes.
//!
//! A command on a keyspace larger than the cache waits for memory several times in a
//! row: the index, the key's slot, the value behind it, the value's own index, the
//! member. Each wait depends on the one before, but not on those of other commands. So each
//! command is looked at in steps while others run; a step reads what the one before it has
//! asked for, and asks for more:
//!
//! ```text
//! commands ahead   reads                    asks for
//! 7 STEPs          where the record is      its arguments
//! 6 STEPs          the arguments            their bytes in the log
//! 5 STEPs          the key                  its place in the index
//! 4 STEPs          the index                the key's slot
//! 3 STEPs          the slot                 the value
//! 2 STEPs          the value, the member    its place in the value's index, or all entries
//! 1 STEP           that index               the member's slot
//! ```
//!
//! Values that are going to be written whole are asked for likewise. Nothing here changes
//! anything or knows what commands do; a wrong guess costs the look.
//!
//! On the churn log of `benches/` a replay without any of this takes twice as long. One in which
//! 32 commands at once take each step and wait for it takes a sixth longer by two threads, and a
//! third by one.

use super::{Db, Entry, KeyHash, Map, Store, Str, Value};
use crate::bytes::Text;
use crate::bytes::prefetch::{prefetch, prefetch_start};

/// Commands from one step to the next, at some hundred nanoseconds each.
const STEP: usize = 4;
/// How many commands ahead the first step is.
pub(crate) const LEAD: usize = 7 * STEP;
/// Commands of which something is known.
const KNOWN: usize = 32;

const _: () = assert!(LEAD < KNOWN);

/// A record: the database it is about, and its arguments.
pub(crate) type Record<'r, 'a> = (u32, &'r [&'a [u8]]);

/// What is known of the commands that come soon.
#[derive(Clone, Debug)]
pub(crate) struct Ahead([Soon; KNOWN]);

#[derive(Clone, Copy, Debug, Default)]
struct Soon {
    /// Of which record the key is; another may have been here before.
    number: Option<usize>,
    key: KeyHash,
    slot: Option<usize>,
    member: KeyHash,
}

impl Soon {
    /// What stands in the slot now, which may be another key's.
    fn entry<'s, 'a>(&self, db: &'s Db<'a>) -> Option<&'s Entry<'a>> {
        db.keys().slot(self.slot?).map(|(_, entry)| entry)
    }
}

impl Default for Ahead {
    fn default() -> Self {
        Ahead([Soon::default(); KNOWN])
    }
}

impl Ahead {
    /// Takes each step, every one for another record. To be called with 0, 1, 2 and so on;
    /// [`LEAD`] turns after its first step a record has taken all, and runs.
    #[inline]
    pub(crate) fn look<'r, 'a: 'r>(
        &mut self,
        at: usize,
        store: &Store<'a>,
        record: impl Fn(usize) -> Option<Record<'r, 'a>>,
    ) {
        let at_step = |step: usize| {
            let number = at.checked_sub(step * STEP)?;
            record(number).map(|(db, args)| (number, store.db(db), args))
        };
        if let Some((.., args)) = at_step(0) {
            args.first()
                .into_iter()
                .chain(args.last())
                .for_each(prefetch);
        }
        if let Some((.., args)) = at_step(1) {
            prefetch_start(argument(args, 1));
            prefetch_start(args.last().copied().unwrap_or_default());
        }
        if let Some((number, db, args)) = at_step(2) {
            // Most commands have their key first.
            let key = KeyHash::of(argument(args, 1));
            let soon = &mut self.0[number % KNOWN];
            soon.number = Some(number);
            soon.key = key;
            db.inspect(|db| db.keys().prefetch(key));
        }
        if let Some((number, Some(db), _)) = at_step(3) {
            let soon = &mut self.0[number % KNOWN];
            soon.slot = db.keys().prefetch_slot(soon.key);
        }
        if let Some((number, Some(db), _)) = at_step(4)
            && let Some(entry) = self.0[number % KNOWN].entry(db)
        {
            entry.prefetch_value();
        }
        if let Some((number, Some(db), args)) = at_step(5)
            && let Some(entry) = self.0[number % KNOWN].entry(db)
        {
            self.0[number % KNOWN].member = entry.prefetch_member(args);
        }
        if let Some((number, Some(db), _)) = at_step(6)
            && let Some(entry) = self.0[number % KNOWN].entry(db)
        {
            entry.prefetch_member_slot(self.0[number % KNOWN].member);
        }
    }

    /// The hash of the key of a record that took the steps and runs now.
    pub(crate) fn key(&self, number: usize) -> Option<KeyHash> {
        let soon = &self.0[number % KNOWN];
        (soon.number == Some(number)).then_some(soon.key)
    }
}

fn argument<'a>(args: &[&'a [u8]], at: usize) -> &'a [u8] {
    args.get(at).copied().unwrap_or_default()
}

impl Str<'_> {
    fn prefetch(&self) {
        if let Text::Bytes(bytes) = self.text() {
            prefetch_start(bytes);
        }
    }
}

/// Entries of a map or list that are asked for, of those that are read whole.
const MANY: usize = 16;

impl<'a> Entry<'a> {
    /// Asks for the value, but for the bytes of a string, which most commands do not read. One that
    /// is still as its RDB stores it is left alone.
    fn prefetch_value(&self) {
        match self.known_value() {
            Some(Value::List(list)) => prefetch(&**list),
            Some(Value::Set(set)) => prefetch(&**set),
            Some(Value::SortedSet(zset)) => prefetch(&**zset),
            Some(Value::Hash(hash)) => prefetch(&**hash),
            Some(Value::Stream(stream)) => prefetch(&**stream),
            _ => {}
        }
    }

    /// Asks for where the member is looked up that the arguments most likely name; gives its hash.
    fn prefetch_member(&self, args: &[&[u8]]) -> KeyHash {
        fn in_map<V>(map: &Map<'_, V>, member: &[u8]) -> KeyHash {
            let hash = KeyHash::of(member);
            map.prefetch(hash);
            hash
        }
        match self.known_value() {
            Some(Value::Set(set)) => return in_map(set.members(), argument(args, 2)),
            Some(Value::Hash(hash)) => return in_map(hash.fields(), argument(args, 2)),
            // It follows its score.
            Some(Value::SortedSet(zset)) => return in_map(zset.members(), argument(args, 3)),
            Some(Value::List(list)) => {
                let ends = [list.get(0), list.get(list.len().wrapping_sub(1))];
                ends.into_iter().flatten().for_each(prefetch);
            }
            _ => {}
        }
        KeyHash::default()
    }

    /// Asks for the slot of that member.
    fn prefetch_member_slot(&self, member: KeyHash) {
        let _slot = match self.known_value() {
            Some(Value::Set(set)) => set.members().prefetch_slot(member),
            Some(Value::Hash(hash)) => hash.fields().prefetch_slot(member),
            Some(Value::SortedSet(zset)) => zset.members().prefetch_slot(member),
            _ => None,
        };
    }

    /// Asks for the first elements.
    fn prefetch_elements(&self) {
        match self.known_value() {
            Some(Value::List(list)) => list.iter().take(MANY).for_each(prefetch),
            Some(Value::Set(set)) => set.members().prefetch_slots(MANY),
            Some(Value::SortedSet(zset)) => zset.members().prefetch_slots(MANY),
            Some(Value::Hash(hash)) => hash.fields().prefetch_slots(MANY),
            _ => {}
        }
    }

    /// Asks for what does not stand in them, and for the bytes of a string.
    fn prefetch_texts(&self) {
        match self.known_value() {
            Some(Value::String(text)) => text.prefetch(),
            Some(Value::List(list)) => list.iter().take(MANY).for_each(Str::prefetch),
            Some(Value::Set(set)) => {
                let members = set.iter().take(MANY);
                members.for_each(|member| prefetch_start(member));
            }
            Some(Value::SortedSet(zset)) => {
                let members = zset.members().iter().take(MANY);
                members.for_each(|(member, _)| prefetch_start(member));
            }
            Some(Value::Hash(hash)) => {
                let fields = hash.iter().take(MANY);
                fields.for_each(|(_, field)| field.value.prefetch());
            }
            _ => {}
        }
    }
}

/// Goes over things with entries that are going to be read whole.
pub(crate) fn whole<'t, 'a: 't, T>(
    things: &'t [T],
    entry: impl Fn(&T) -> &Entry<'a>,
) -> impl Iterator<Item = &'t T> {
    (0..things.len() + 3 * STEP).filter_map(move |at| {
        let at_step = |step: usize| things.get(at.checked_sub(step * STEP)?);
        if let Some(thing) = at_step(0) {
            entry(thing).prefetch_value();
        }
        if let Some(thing) = at_step(1) {
            entry(thing).prefetch_elements();
        }
        if let Some(thing) = at_step(2) {
            entry(thing).prefetch_texts();
        }
        at_step(3)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Bytes, Hash, List, Set, SortedSet};
    use super::*;

    fn number(n: i64) -> Bytes<'static> {
        Bytes::from(Str::from(n))
    }

    #[test]
    fn looking_ahead_changes_nothing_whatever_is_there() {
        let mut store = Store::new();
        for n in 0..100i64 {
            let members = (0..n).map(number);
            let value = match n % 5 {
                0 => Value::String(n.into()),
                1 => Value::Set(Box::new(members.collect::<Set<'_>>())),
                2 => Value::SortedSet(Box::new(
                    members
                        .map(|member| (member, 1.0))
                        .collect::<SortedSet<'_>>(),
                )),
                3 => Value::List(Box::new((0..n).map(Str::from).collect::<List<'_>>())),
                _ => {
                    let mut hash = Hash::default();
                    members.for_each(|field| {
                        hash.insert(field, n.into());
                    });
                    Value::Hash(Box::new(hash))
                }
            };
            store.db_mut(n as u32 % 2).insert(number(n), value.into());
        }
        let before = format!("{store:?}");
        let texts: Vec<_> = (0..300i64).map(|n| n.to_string().into_bytes()).collect();
        let records: Vec<Vec<&[u8]>> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| vec![text.as_slice(); n % 6])
            .collect();
        let mut ahead = Ahead::default();
        for at in 0..records.len() + LEAD {
            ahead.look(at, &store, |n| {
                Some((n as u32 % 3, records.get(n)?.as_slice()))
            });
            let Some(n) = at.checked_sub(LEAD) else {
                continue;
            };
            // Also of those in a database that is not there.
            let hash = KeyHash::of(argument(&records[n], 1));
            assert_eq!(ahead.key(n).map(KeyHash::bits), Some(hash.bits()));
            assert!(ahead.key(n + KNOWN).is_none());
        }
        assert_eq!(format!("{store:?}"), before);
    }

    #[test]
    fn what_is_read_whole_comes_in_order() {
        for len in [0, 1, STEP, 100] {
            let entries: Vec<Entry<'_>> = (0..len as i64)
                .map(|n| Value::String(n.into()).into())
                .collect();
            let met: Vec<_> = whole(&entries, |entry| entry)
                .map(std::ptr::from_ref)
                .collect();
            assert_eq!(
                met,
                entries.iter().map(std::ptr::from_ref).collect::<Vec<_>>()
            );
        }
    }
}
