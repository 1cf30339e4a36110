//! The listpacks and ziplists inside a value, whatever its type: expanding them, and checks of
//! their form on the way.

use super::Scratch;
use crate::encoding::{Listpack, Ziplist, Zipmap};
use crate::error::{Code, Flaw};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Ziplist,
    Zipmap,
    /// A ziplist whose every second entry is a score; it may be empty.
    ScoredZiplist,
}

/// Whether elements of blobs are in the form that servers give them.
#[derive(Debug, Default)]
pub(crate) enum Form {
    /// Nobody wants to know.
    #[default]
    Ignored,
    /// All that were seen are.
    Canonical,
    /// The first that the servers would have stored shorter.
    NotCanonical(Flaw),
}

impl Form {
    /// Whether it matters and nothing was found yet.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self, Form::Canonical)
    }

    /// Notes what was found, if it is the first.
    pub(super) fn note(&mut self, found: Option<Flaw>) {
        if let (Form::Canonical, Some(flaw)) = (&self, found) {
            *self = Form::NotCanonical(flaw);
        }
    }

    /// Looks at a ziplist or zipmap, if its form matters.
    #[inline]
    pub(super) fn look_at(&mut self, kind: Kind, bytes: &[u8]) {
        if self.is_wanted() {
            self.note(non_canonical(kind, bytes));
        }
    }

    /// Borrows a listpack that looks at the form of its elements while they are read, if it
    /// matters; afterwards [`note`](Self::note) wants to know what was found.
    #[inline]
    pub(super) fn listpack<'b>(&self, bytes: &'b [u8]) -> Result<Listpack<'b>, Flaw> {
        Ok(Listpack::new(bytes)?.watching_form(self.is_wanted()))
    }

    /// The same of a listpack that servers delete with its last element.
    #[inline]
    pub(super) fn node<'b>(&mut self, bytes: &'b [u8]) -> Result<Listpack<'b>, Flaw> {
        let listpack = self.listpack(bytes)?;
        self.note(empty(listpack.is_empty()));
        Ok(listpack)
    }
}

/// That a score has a text which no release prints.
#[cold]
pub(super) fn odd_score() -> Flaw {
    let (what, expected) = ("text of a score", "that of a server");
    Flaw::new(Code::NotCanonical, 0, what, expected, "another")
}

impl Scratch {
    /// From here on the form of blobs matters, if it does.
    pub(crate) fn watch_form(&mut self, does_matter: bool) {
        self.form = match does_matter {
            true => Form::Canonical,
            false => Form::Ignored,
        };
    }

    /// The first element seen since then that the servers would have stored shorter.
    ///
    /// Blobs that are broken may have none; that they are is said elsewhere.
    pub(crate) fn take_non_canonical(&mut self) -> Option<Flaw> {
        match std::mem::take(&mut self.form) {
            Form::NotCanonical(flaw) => Some(flaw),
            Form::Ignored | Form::Canonical => None,
        }
    }
}

fn non_canonical(kind: Kind, bytes: &[u8]) -> Option<Flaw> {
    match kind {
        Kind::Ziplist => {
            let ziplist = Ziplist::new(bytes).ok()?;
            empty(ziplist.is_empty()).or_else(|| ziplist.non_canonical())
        }
        Kind::Zipmap => Zipmap::new(bytes).ok()?.non_canonical(),
        Kind::ScoredZiplist => Ziplist::new(bytes).ok()?.non_canonical(),
    }
}

/// Servers delete a node with its last element.
fn empty(is_empty: bool) -> Option<Flaw> {
    let what = "number of elements in a node";
    is_empty.then(|| Flaw::new(Code::NotCanonical, 0, what, "at least 1", "0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::ListpackBuilder;
    use crate::encoding::listpack::BacklenWidth;
    use crate::rdb::object::zset::{self, Zset};
    use crate::rdb::object::{Layout, RawValue, Scratch};
    use crate::rdb::string::encode_raw;
    use crate::rdb::template::Templates;

    /// What is found in a sorted set of one member.
    fn form_of_scored(listpack: &[u8]) -> Option<Flaw> {
        let mut value = Vec::new();
        encode_raw(listpack, &mut value);
        let layout = zset::Layout::Listpack;
        let raw = RawValue {
            layout: Layout::Zset(layout),
            bytes: &value,
            end_offset: value.len() as u64,
            templates: Templates::default(),
        };
        let mut scratch = Scratch::new();
        scratch.watch_form(true);
        let zset = Zset { raw, layout };
        // Some are no numbers.
        let _ = zset.for_each(&mut scratch, |_, _| {});
        scratch.take_non_canonical()
    }

    #[test]
    fn scores_in_texts_of_no_server_are_found() {
        let table: &[(&[u8], bool)] = &[
            (b"1", false),
            (b"0.1", false),
            (b"0.10000000000000001", false),
            (b"1e+20", false),
            (b"inf", false),
            (b"1.0", true),
            (b"0.10", true),
            (b"+1.5", true),
            (b"-0.5", false),
            (b"00.5", true),
            (b"-1234.000125", false),
            (b"0.000001", false),
            (b"0.0000001", true),
            (b"1e-7", false),
            (b"1.5.5", false),
        ];
        for (score, odd) in table {
            let mut listpack = ListpackBuilder::new(BacklenWidth::Wide);
            listpack.push(b"member");
            listpack.push(score);
            let found = form_of_scored(&listpack.finish().unwrap());
            assert_eq!(found.is_some(), *odd, "{}", score.escape_ascii());
        }
    }

    #[test]
    fn an_empty_node_is_found() {
        let listpack = ListpackBuilder::new(BacklenWidth::Wide).finish().unwrap();
        let mut form = Form::Canonical;
        form.node(&listpack).unwrap();
        assert!(matches!(form, Form::NotCanonical(_)));
        let ziplist = [11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 255];
        assert!(non_canonical(Kind::Ziplist, &ziplist).is_some());
    }

    #[test]
    fn zipmap_with_much_garbage_is_found() {
        let fits = b"\x01\x01f\x01\x04v....\xff";
        let much = b"\x01\x01f\x01\x05v.....\xff";
        assert!(non_canonical(Kind::Zipmap, fits).is_none());
        assert!(non_canonical(Kind::Zipmap, much).is_some());
    }
}
