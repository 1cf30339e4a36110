//! Stream node: a listpack with up to some hundred entries of a stream.
//!
//! ```text
//! master entry: live | deleted | n | n field names | 0
//! then live + deleted times:
//!   flags | ms | seq | n | n times (name, value) | lp-count         4 + 2n elements before lp-count
//!   flags | ms | seq | values of the master's fields | lp-count     3 + n
//! ```
//!
//! Each item is one element of the listpack. Flags are 1 (deleted) and 2 (same
//! fields as the master entry). `ms` and `seq` are signed differences to the master
//! ID, which is the node's key in the rax; servers compute them modulo 2^64, and
//! so do we. Deleting an entry sets its flag and moves the counters, no more.
//!
//! Upstream: `t_stream.c streamAppendItem`, `streamValidateListpackIntegrity`; the same
//! since RDB version 9. As servers do with `sanitize-dump-payload yes`, we check the shape of
//! every entry. Beyond them we count the deleted entries, and want the IDs strictly increasing
//! from the master ID on ([`Code::BadOrder`]). That some entry is live is for the caller to
//! demand. As servers, we do not look at other flags; they are told as a form that no server
//! writes. The count in the listpack's header is compared with the elements, as only Valkey does,
//! since 9.1.

use super::integer;
use super::listpack::{Listpack, ListpackIter};
use crate::bytes::Text;
use crate::error::{Code, Flaw, Value};

const DELETED: i64 = 1;
pub(crate) const SAME_FIELDS: i64 = 2;

/// A borrowed stream node whose master entry has been read.
///
/// ```
/// use rdbkit::encoding::StreamNode;
/// # let mut builder = rdbkit::encoding::ListpackBuilder::new(rdbkit::encoding::listpack::BacklenWidth::Wide);
/// # for element in "1 0 1 sensor 0 2 0 0 17 4".split(' ') { builder.push(element.as_bytes()); }
/// # let blob = builder.finish().unwrap();
///
/// let node = StreamNode::new(&blob, (1526919030474, 55)).unwrap();
/// assert_eq!((node.live(), node.deleted()), (1, 0));
/// let mut entries = node.entries();
/// while let Some(mut entry) = entries.next_entry().unwrap() {
///     println!("{}-{}", entry.id().0, entry.id().1);
///     for field in entry.fields() {
///         let (name, value) = field.unwrap();
///         println!("  {name:?}: {value:?}");
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct StreamNode<'a> {
    listpack: Listpack<'a>,
    master: (u64, u64),
    live: u64,
    deleted: u64,
    names_len: u64,
    /// Stands before the first field name.
    names: ListpackIter<'a>,
    /// Stands before the first entry.
    entries: ListpackIter<'a>,
}

impl<'a> StreamNode<'a> {
    /// Reads the master entry. `master` is the node's key: milliseconds and sequence number.
    ///
    /// # Errors
    ///
    /// [`Code::BadListpack`], or [`Code::BadStream`] if the master entry is no such thing.
    pub fn new(bytes: &'a [u8], master: (u64, u64)) -> Result<Self, Flaw> {
        StreamNode::of(Listpack::new(bytes)?, master)
    }

    /// Reads the master entry of a listpack that may [watch forms](Listpack::watching_form).
    pub(crate) fn of(listpack: Listpack<'a>, master: (u64, u64)) -> Result<Self, Flaw> {
        let mut elements = listpack.iter();
        let live = read_count(&mut elements, "the number of live entries")?;
        let deleted = read_count(&mut elements, "the number of deleted entries")?;
        let names_len = read_count(&mut elements, "the number of master fields")?;
        let names = elements.clone().without_form();
        for _ in 0..names_len {
            read(&mut elements, "a master field")?;
        }
        let at = elements.at();
        let terminator = read_int(&mut elements, "the end of the master entry")?;
        if terminator != 0 {
            return Err(bad(at, "the end of the master entry", 0_i64, terminator));
        }
        Ok(StreamNode {
            listpack,
            master,
            live,
            deleted,
            names_len,
            names,
            entries: elements,
        })
    }

    /// Number of live entries according to the master entry.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.live
    }

    /// Number of deleted entries according to the master entry.
    #[must_use]
    pub fn deleted(&self) -> u64 {
        self.deleted
    }

    /// The listpack, for example to ask whether it is canonical.
    #[must_use]
    pub fn listpack(&self) -> Listpack<'a> {
        self.listpack
    }

    /// The entries, deleted ones too.
    #[must_use]
    pub fn entries(&self) -> Entries<'a> {
        Entries {
            elements: self.entries.clone(),
            names: self.names.clone(),
            names_len: self.names_len,
            master: self.master,
            declared: self.live.saturating_add(self.deleted),
            declared_deleted: self.deleted,
            seen: 0,
            seen_deleted: 0,
            previous: None,
            entry: None,
            odd: None,
            done: false,
        }
    }
}

/// A cursor over the entries of a [`StreamNode`].
///
/// Not an [`Iterator`]: an entry is read while it is shown, so that nothing is
/// decoded twice or stored, and only one can be looked at. What is wrong with an
/// entry's end is said when the next one is asked for.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    elements: ListpackIter<'a>,
    names: ListpackIter<'a>,
    names_len: u64,
    master: (u64, u64),
    declared: u64,
    declared_deleted: u64,
    seen: u64,
    seen_deleted: u64,
    previous: Option<(u64, u64)>,
    entry: Option<OpenEntry<'a>>,
    /// The first thing that means nothing to a server.
    odd: Option<Flaw>,
    done: bool,
}

/// What is left of the entry at which the cursor stands.
#[derive(Clone, Debug)]
struct OpenEntry<'a> {
    /// Fields not read yet.
    left: u64,
    /// What lp-count must be.
    elements_len: u64,
    /// The names, if they are the master's: decoded again for each entry, which costs less
    /// than a list of them for each node.
    names: Option<ListpackIter<'a>>,
}

impl<'a> Entries<'a> {
    /// As [`ListpackIter::non_canonical`]; or what means nothing to a server.
    pub(crate) fn non_canonical(&self) -> Option<Flaw> {
        self.elements.non_canonical().or_else(|| self.odd.clone())
    }

    #[cold]
    fn note_odd(
        &mut self,
        at: usize,
        what: &'static str,
        wanted: impl Into<Value>,
        found: impl Into<Value>,
    ) {
        let flaw = Flaw::new(Code::NotCanonical, at, what, wanted, found);
        self.odd.get_or_insert(flaw);
    }

    /// The next entry, or `None` after the last one, when everything has been checked.
    ///
    /// Fields of the previous entry that nobody read are checked first.
    ///
    /// # Errors
    ///
    /// [`Code::BadListpack`], [`Code::BadStream`], [`Code::BadOrder`]; there are no
    /// entries after an error.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, 'a>>, Flaw> {
        if self.done {
            return Ok(None);
        }
        match self.advance() {
            Ok(Some(head)) => Ok(Some(Entry { head, cursor: self })),
            end => {
                self.done = true;
                self.entry = None;
                end.map(|_| None)
            }
        }
    }

    fn advance(&mut self) -> Result<Option<EntryHead>, Flaw> {
        self.close_entry()?;
        if self.seen == self.declared {
            return self.finish().map(|()| None);
        }
        let at = self.elements.at();
        let flags = read_int(&mut self.elements, "the flags of an entry")?;
        if flags & !(DELETED | SAME_FIELDS) != 0 {
            self.note_odd(at, "the flags of an entry", "0 to 3", flags);
        }
        let ms = read_int(&mut self.elements, "the milliseconds of an entry")?;
        let seq = read_int(&mut self.elements, "the sequence number of an entry")?;
        let id = (
            self.master.0.wrapping_add_signed(ms),
            self.master.1.wrapping_add_signed(seq),
        );
        let in_order = match self.previous {
            Some(previous) => previous < id,
            None => self.master <= id,
        };
        if !in_order {
            let what = "the ID of an entry";
            let (wanted, found) = ("one above the one before", "one that is not");
            return Err(Flaw::new(Code::BadOrder, at, what, wanted, found));
        }
        let entry = if flags & SAME_FIELDS != 0 {
            OpenEntry {
                left: self.names_len,
                elements_len: self.names_len.saturating_add(3),
                names: Some(self.names.clone()),
            }
        } else {
            let len = read_count(&mut self.elements, "the number of fields of an entry")?;
            OpenEntry {
                left: len,
                elements_len: len.saturating_mul(2).saturating_add(4),
                names: None,
            }
        };
        let head = EntryHead {
            id,
            deleted: flags & DELETED != 0,
            declared_fields: entry.left,
        };
        self.seen += 1;
        self.seen_deleted += u64::from(head.deleted);
        self.previous = Some(id);
        self.entry = Some(entry);
        Ok(Some(head))
    }

    /// Reads what was left unread, and lp-count.
    fn close_entry(&mut self) -> Result<(), Flaw> {
        let Some(entry) = self.entry.take() else {
            return Ok(());
        };
        for _ in 0..entry.left {
            if entry.names.is_none() {
                read(&mut self.elements, "a field of an entry")?;
            }
            read(&mut self.elements, "a value of an entry")?;
        }
        let at = self.elements.at();
        let what = "lp-count";
        let found = read_int(&mut self.elements, what)?;
        if u64::try_from(found) != Ok(entry.elements_len) {
            return Err(bad(at, what, entry.elements_len, found));
        }
        Ok(())
    }

    fn next_field(&mut self) -> Result<Option<(Text<'a>, Text<'a>)>, Flaw> {
        let Some(entry) = &mut self.entry else {
            return Ok(None);
        };
        if entry.left == 0 {
            return Ok(None);
        }
        entry.left -= 1;
        let names = entry.names.as_mut().unwrap_or(&mut self.elements);
        let name = read(names, "a field of an entry")?;
        let value = read(&mut self.elements, "a value of an entry")?;
        Ok(Some((name, value)))
    }

    /// Checks what can only be known at the end.
    fn finish(&mut self) -> Result<(), Flaw> {
        let at = self.elements.at();
        match self.elements.next() {
            None => {}
            Some(Err(flaw)) => return Err(flaw),
            Some(Ok(_)) => {
                let what = "the number of entries";
                return Err(bad(at, what, self.declared, "more"));
            }
        }
        if self.seen_deleted != self.declared_deleted {
            let what = "the number of deleted entries";
            return Err(bad(at, what, self.declared_deleted, self.seen_deleted));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct EntryHead {
    id: (u64, u64),
    deleted: bool,
    declared_fields: u64,
}

/// One entry of a stream, at which its cursor stands.
#[derive(Debug)]
pub struct Entry<'c, 'a> {
    head: EntryHead,
    cursor: &'c mut Entries<'a>,
}

impl<'a> Entry<'_, 'a> {
    /// Milliseconds and sequence number.
    #[must_use]
    pub fn id(&self) -> (u64, u64) {
        self.head.id
    }

    /// Whether the entry was deleted; its fields are still there.
    #[must_use]
    pub fn deleted(&self) -> bool {
        self.head.deleted
    }

    /// How many fields are said to follow; for entries with the master's fields, do follow.
    #[must_use]
    pub fn declared_fields(&self) -> u64 {
        self.head.declared_fields
    }

    /// The names and values that have not been read yet.
    #[inline]
    pub fn fields(&mut self) -> Fields<'_, 'a> {
        Fields(self.cursor)
    }
}

/// Iterates over the fields of an [`Entry`]; ends after the first error.
#[derive(Debug)]
pub struct Fields<'c, 'a>(&'c mut Entries<'a>);

impl<'a> Iterator for Fields<'_, 'a> {
    type Item = Result<(Text<'a>, Text<'a>), Flaw>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let result = self.0.next_field();
        if result.is_err() {
            self.0.done = true;
            self.0.entry = None;
        }
        result.transpose()
    }
}

#[inline]
fn read<'a>(elements: &mut ListpackIter<'a>, what: &'static str) -> Result<Text<'a>, Flaw> {
    match elements.next() {
        Some(element) => element,
        None => Err(bad(
            elements.at(),
            what,
            "an element",
            "the end of the listpack",
        )),
    }
}

#[inline]
fn read_int(elements: &mut ListpackIter<'_>, what: &'static str) -> Result<i64, Flaw> {
    let at = elements.at();
    integer(read(elements, what)?).ok_or_else(|| bad(at, what, "an integer", "a string"))
}

#[inline]
fn read_count(elements: &mut ListpackIter<'_>, what: &'static str) -> Result<u64, Flaw> {
    let at = elements.at();
    let count = read_int(elements, what)?;
    u64::try_from(count).map_err(|_| bad(at, what, "no negative number", count))
}

#[cold]
fn bad(at: usize, what: &'static str, expected: impl Into<Value>, found: impl Into<Value>) -> Flaw {
    Flaw::new(Code::BadStream, at, what, expected, found)
}

#[cfg(test)]
mod tests;
