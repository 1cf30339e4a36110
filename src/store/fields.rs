//! The fields and values of a stream's entry.
//!
//! Streams have many small entries: theirs lie in one piece, each field and value as a
//! byte of length and its bytes. Only what is long stays in strings of its own, that may
//! be slices of the input.

use super::Str;
use crate::bytes::Text;

/// The longest field or value of an entry in one piece, and the most that all may take.
const MAX_BYTES: usize = 255;
const MAX_TOTAL: usize = 512;

/// Fields and values of an entry, as they were added.
///
/// ```
/// use rdbkit::store::{Str, stream::Fields};
///
/// let fields: Fields<'_> = [(Str::copied(b"n"), Str::from(7))].into_iter().collect();
/// let (name, value) = fields.iter().next().unwrap();
/// assert_eq!((name.to_vec(), value.to_vec()), (b"n".to_vec(), b"7".to_vec()));
/// ```
#[derive(Clone)]
pub struct Fields<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Packed(Box<[u8]>),
    #[expect(
        clippy::box_collection,
        reason = "a vector in place would make entries in one piece larger"
    )]
    Long(Box<Vec<(Str<'a>, Str<'a>)>>),
}

const _: () = assert!(size_of::<Fields<'_>>() <= 16);

impl Fields<'_> {
    /// The fields, each with its value.
    pub fn iter(&self) -> Pairs<'_> {
        match &self.0 {
            Repr::Packed(packed) => Pairs {
                packed,
                long: [].iter(),
            },
            Repr::Long(long) => Pairs {
                packed: &[],
                long: long.iter(),
            },
        }
    }
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Fields(Repr::Packed(Box::default()))
    }
}

impl<'a> FromIterator<(Str<'a>, Str<'a>)> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (Str<'a>, Str<'a>)>>(pairs: I) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let lengths = || pairs.iter().flat_map(|(field, value)| [field, value]);
        let total: usize = lengths().map(|text| 1 + text.len()).sum();
        if total > MAX_TOTAL || lengths().any(|text| text.len() > MAX_BYTES) {
            return Fields(Repr::Long(Box::new(pairs)));
        }
        let mut packed = Vec::with_capacity(total);
        let mut buffer = itoa::Buffer::new();
        for text in lengths() {
            let bytes = text.as_bytes(&mut buffer);
            packed.push(bytes.len() as u8);
            packed.extend_from_slice(bytes);
        }
        Fields(Repr::Packed(packed.into_boxed_slice()))
    }
}

impl<'f> IntoIterator for &'f Fields<'_> {
    type Item = (Text<'f>, Text<'f>);
    type IntoIter = Pairs<'f>;

    fn into_iter(self) -> Pairs<'f> {
        self.iter()
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |text: Text<'_>| text.to_vec().escape_ascii().to_string();
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(field, value)| (shown(field), shown(value))),
            )
            .finish()
    }
}

/// Goes over [`Fields`].
#[derive(Clone, Debug)]
pub struct Pairs<'f> {
    packed: &'f [u8],
    long: std::slice::Iter<'f, (Str<'f>, Str<'f>)>,
}

impl<'f> Pairs<'f> {
    fn take(&mut self) -> Option<Text<'f>> {
        let (len, rest) = self.packed.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(*len))?;
        self.packed = rest;
        Some(Text::Bytes(text))
    }
}

impl<'f> Iterator for Pairs<'f> {
    type Item = (Text<'f>, Text<'f>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.packed.is_empty() {
            return Some((self.take()?, self.take()?));
        }
        let (field, value) = self.long.next()?;
        Some((field.text(), value.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_out_as_they_went_in_whatever_their_lengths() {
        for (len, count) in [
            (0, 0),
            (0, 1),
            (1, 3),
            (255, 1),
            (256, 1),
            (100, 2),
            (100, 9),
        ] {
            let pair = |n: usize| (vec![b'f'; len], n.to_string().into_bytes());
            let pairs: Vec<_> = (0..count).map(pair).collect();
            let strings = pairs
                .iter()
                .map(|(field, value)| (Str::copied(field), Str::copied(value)));
            let fields: Fields<'_> = strings.collect();
            let out = fields.iter();
            let out: Vec<_> = out.map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
            assert_eq!(out, pairs);
        }
    }
}
