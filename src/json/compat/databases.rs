//! Both older tools print one array with one object per database, without its number.
//!
//! Whether a key opens an object, continues one or is the first of all depends on the
//! key before it, so [`Databases`] keeps just that. A writer that never began a file
//! holds a *fragment*: nothing stands before its first key, and the writer of the file
//! adds the separator when it takes the fragment over.

/// The text between keys, databases and the ends of a file.
#[derive(Debug)]
pub struct Separators {
    pub(in crate::json) begin_file: &'static [u8],
    pub(in crate::json) first_db: &'static [u8],
    pub(in crate::json) next_db: &'static [u8],
    pub(in crate::json) next_key: &'static [u8],
    pub(in crate::json) end_db: &'static [u8],
    pub(in crate::json) end_file: &'static [u8],
}

/// What stands before the next key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    /// Nothing of this fragment.
    #[default]
    FragmentStart,
    /// The opening of the file.
    FileStart,
    /// A key of this database.
    Key(u32),
}

/// Which databases were begun, and where in the text the current key is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Databases {
    separators: &'static Separators,
    before: Before,
    /// Database of the first key of a fragment.
    first_db: Option<u32>,
    key_start: usize,
    before_key: (Before, Option<u32>),
}

impl Databases {
    pub(super) fn new(separators: &'static Separators) -> Self {
        Databases {
            separators,
            before: Before::default(),
            first_db: None,
            key_start: 0,
            before_key: (Before::default(), None),
        }
    }

    pub(super) fn begin_file(&mut self, out: &mut Vec<u8>) {
        self.before = Before::FileStart;
        self.first_db = None;
        out.extend_from_slice(self.separators.begin_file);
    }

    pub(super) fn end_file(&mut self, out: &mut Vec<u8>) {
        if let Before::Key(_) = self.before {
            out.extend_from_slice(self.separators.end_db);
        }
        out.extend_from_slice(self.separators.end_file);
        *self = Databases::new(self.separators);
    }

    /// Appends what stands between the key before and one of `db`.
    pub(super) fn begin_key(&mut self, db: u32, out: &mut Vec<u8>) {
        self.key_start = out.len();
        self.before_key = (self.before, self.first_db);
        self.first_db = self.first_db.or(Some(db));
        self.separate(db, out);
    }

    fn separate(&mut self, db: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.before {
            Before::FragmentStart => b"",
            Before::FileStart => self.separators.first_db,
            Before::Key(before) if before == db => self.separators.next_key,
            Before::Key(_) => self.separators.next_db,
        });
        self.before = Before::Key(db);
    }

    pub(super) fn abandon_key(&mut self, out: &mut Vec<u8>) {
        out.truncate(self.key_start);
        (self.before, self.first_db) = self.before_key;
    }

    /// Appends the text of a fragment, which is empty afterwards.
    pub(super) fn append(
        &mut self,
        out: &mut Vec<u8>,
        fragment: &mut Databases,
        text: &mut Vec<u8>,
    ) {
        if let (Some(first_db), Before::Key(_)) = (fragment.first_db, fragment.before) {
            self.first_db = self.first_db.or(Some(first_db));
            self.separate(first_db, out);
            self.before = fragment.before;
        }
        out.append(text);
        *fragment = Databases::new(fragment.separators);
    }
}
