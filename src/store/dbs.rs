//! Databases by number: most keyspaces have one, whose number is 0.

use std::collections::BTreeMap;
use std::mem::take;

use super::Db;

/// Databases by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Dbs<'a> {
    /// Every command asks for one, so the usual one is found without a search.
    zero: Db<'a>,
    others: BTreeMap<u32, Db<'a>>,
}

impl<'a> Dbs<'a> {
    pub(super) fn get(&self, number: u32) -> Option<&Db<'a>> {
        match number {
            0 => Some(&self.zero),
            _ => self.others.get(&number),
        }
    }

    /// A database, made if need be.
    pub(super) fn get_mut(&mut self, number: u32) -> &mut Db<'a> {
        match number {
            0 => &mut self.zero,
            _ => self.others.entry(number).or_default(),
        }
    }

    /// Takes a database out.
    pub(super) fn remove(&mut self, number: u32) -> Db<'a> {
        match number {
            0 => take(&mut self.zero),
            _ => self.others.remove(&number).unwrap_or_default(),
        }
    }

    /// Exchanges two databases.
    pub(super) fn swap(&mut self, a: u32, b: u32) {
        let (in_a, in_b) = (self.remove(a), self.remove(b));
        for (number, db) in [(a, in_b), (b, in_a)] {
            if !db.is_empty() {
                *self.get_mut(number) = db;
            }
        }
    }

    /// The databases, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Db<'a>)> {
        let others = self.others.iter().map(|(number, db)| (*number, db));
        std::iter::once((0, &self.zero)).chain(others)
    }

    /// The databases, by number, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Db<'a>)> {
        let others = self.others.iter_mut().map(|(number, db)| (*number, db));
        std::iter::once((0, &mut self.zero)).chain(others)
    }
}

impl<'a> IntoIterator for Dbs<'a> {
    type Item = (u32, Db<'a>);
    type IntoIter = std::iter::Chain<
        std::iter::Once<(u32, Db<'a>)>,
        std::collections::btree_map::IntoIter<u32, Db<'a>>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once((0, self.zero)).chain(self.others)
    }
}
