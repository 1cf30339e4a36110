//! Sets: a [`Map`] without values.

use super::{Bytes, Map};

/// A set of members.
#[derive(Clone, Debug, Default)]
pub struct Set<'a> {
    members: Map<'a, ()>,
}

impl<'a> Set<'a> {
    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn members(&self) -> &Map<'a, ()> {
        &self.members
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Makes room for so many more members.
    pub fn reserve(&mut self, more: usize) {
        self.members.reserve(more);
    }

    /// Adds a member; false if it was there.
    pub fn insert(&mut self, member: Bytes<'a>) -> bool {
        self.members.insert(member, ()).is_none()
    }

    /// Removes a member.
    pub fn remove(&mut self, member: &[u8]) -> Option<Bytes<'a>> {
        self.members.remove(member).map(|(member, ())| member)
    }

    /// Whether the member is there.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.contains(member)
    }

    /// The members; no order is promised.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes<'a>> {
        self.members.iter().map(|(member, ())| member)
    }
}

impl<'a> FromIterator<Bytes<'a>> for Set<'a> {
    fn from_iter<I: IntoIterator<Item = Bytes<'a>>>(members: I) -> Self {
        let mut set = Set::default();
        for member in members {
            set.insert(member);
        }
        set
    }
}
