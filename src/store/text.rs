//! Strings that borrow from the input until something changes them.
//!
//! | form | bytes | when |
//! |---|---|---|
//! | inline | up to 22 | short: no allocation, no look at the input |
//! | slice | any | longer, and stands raw in the input |
//! | owned | any | decoded or computed |
//! | growing | any | edited |
//! | integer ([`Str`] only) | - | INCR results and integer encodings; printed on demand |
//!
//! All of them take 24 bytes. Bytes that grow stand behind one more pointer, so that the
//! inline form has room for the keys, fields and numbers of everyday logs: what is
//! inline is compared without a look at the log, which is a cache miss each time.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use crate::bytes::Text;

const INLINE: usize = 22;

/// Bytes of a key, member, field or other name.
#[derive(Clone)]
pub struct Bytes<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Inline(u8, [u8; INLINE]),
    Slice(&'a [u8]),
    Owned(Box<[u8]>),
    #[expect(
        clippy::box_collection,
        reason = "a vector in place would leave 15 inline bytes"
    )]
    Growing(Box<Vec<u8>>),
}

/// Short bytes, filled up with zeros: a few words that overlap, where a copy of unknown
/// length would be a call.
#[inline]
fn packed(bytes: &[u8]) -> Option<[u8; INLINE]> {
    let len = bytes.len();
    let mut room = [0; INLINE];
    if len > INLINE {
        return None;
    }
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        *room.first_chunk_mut()? = *head;
        if let Some(middle) = bytes.get(8..).and_then(<[u8]>::first_chunk::<8>) {
            *room.get_mut(8..)?.first_chunk_mut()? = *middle;
        }
        *room.get_mut(len - 8..)?.first_chunk_mut()? = *tail;
    } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        *room.first_chunk_mut()? = *head;
        *room.get_mut(len - 4..)?.first_chunk_mut()? = *tail;
    } else {
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
    }
    Some(room)
}

/// Whether these are the same bytes: for short ones a few words, where a comparison of
/// unknown length would be a call.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => a.first_chunk::<8>() == b.first_chunk() && a.last_chunk::<8>() == b.last_chunk(),
        4..=7 => a.first_chunk::<4>() == b.first_chunk() && a.last_chunk::<4>() == b.last_chunk(),
        _ => a == b,
    }
}

const _: () = assert!(size_of::<Bytes<'_>>() <= 24 && size_of::<Str<'_>>() <= 24);

impl<'a> Bytes<'a> {
    fn inline(bytes: &[u8]) -> Option<Self> {
        Some(Bytes(Repr::Inline(bytes.len() as u8, packed(bytes)?)))
    }

    /// Borrows from the input; short bytes are copied into place.
    #[must_use]
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Bytes::inline(bytes).unwrap_or(Bytes(Repr::Slice(bytes)))
    }

    /// Copies bytes that do not live as long as the input.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Bytes::inline(bytes).unwrap_or_else(|| Bytes(Repr::Owned(bytes.into())))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, room) => room.get(..usize::from(*len)).unwrap_or(room),
            Repr::Slice(bytes) => bytes,
            Repr::Owned(bytes) => bytes,
            Repr::Growing(bytes) => bytes,
        }
    }

    /// Whether these are the bytes.
    #[inline]
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        is_same(self.as_slice(), bytes)
    }

    /// The bytes, owned and ready to be edited.
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0, Repr::Growing(_)) {
            let bytes = match std::mem::take(self).0 {
                Repr::Owned(bytes) => bytes.into_vec(),
                other => Bytes(other).as_slice().to_vec(),
            };
            self.0 = Repr::Growing(Box::new(bytes));
        }
        match &mut self.0 {
            Repr::Growing(bytes) => bytes,
            _ => unreachable!("just made so"),
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Owned(bytes) => bytes.len(),
            Repr::Growing(bytes) => size_of::<Vec<u8>>() + bytes.capacity(),
            _ => 0,
        }
    }
}

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::inline(&bytes).unwrap_or_else(|| Bytes(Repr::Owned(bytes.into())))
    }
}

impl<'a> From<Cow<'a, [u8]>> for Bytes<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => Bytes::borrowed(bytes),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl<'a> From<Text<'a>> for Bytes<'a> {
    fn from(text: Text<'a>) -> Self {
        match text {
            Text::Bytes(bytes) => Bytes::borrowed(bytes),
            Text::Int(n) => Bytes::copied(itoa::Buffer::new().format(n).as_bytes()),
        }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Bytes<'_> {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes<'_> {}

impl PartialOrd for Bytes<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Bytes<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Default for Bytes<'_> {
    fn default() -> Self {
        Bytes::borrowed(&[])
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// A value: bytes, or an integer that stands for its decimal text.
#[derive(Clone)]
pub struct Str<'a>(StrRepr<'a>);

#[derive(Clone)]
enum StrRepr<'a> {
    Int(i64),
    Bytes(Bytes<'a>),
}

impl<'a> Str<'a> {
    /// Borrows from the input; short bytes are copied into place.
    #[must_use]
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Bytes::borrowed(bytes).into()
    }

    /// Copies bytes that do not live as long as the input.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        Bytes::copied(bytes).into()
    }

    /// The number, if it is stored as one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self.0 {
            StrRepr::Int(n) => Some(n),
            StrRepr::Bytes(_) => None,
        }
    }

    /// The number by the rule of `string2ll`, however it is stored.
    #[must_use]
    pub fn parse_int(&self) -> Option<i64> {
        match &self.0 {
            StrRepr::Int(n) => Some(*n),
            StrRepr::Bytes(bytes) => crate::num::parse_i64(bytes),
        }
    }

    /// The content; borrowed, or a number.
    #[must_use]
    pub fn text(&self) -> Text<'_> {
        match &self.0 {
            StrRepr::Int(n) => Text::Int(*n),
            StrRepr::Bytes(bytes) => Text::Bytes(bytes),
        }
    }

    /// The bytes; `buffer` holds them if they had to be printed.
    #[must_use]
    pub fn as_bytes<'s>(&'s self, buffer: &'s mut itoa::Buffer) -> &'s [u8] {
        self.text().as_bytes(buffer)
    }

    /// The bytes, owned and ready to be edited (APPEND, SETRANGE, SETBIT).
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        if let StrRepr::Int(n) = self.0 {
            self.0 = StrRepr::Bytes(Bytes::copied(n.to_string().as_bytes()));
        }
        match &mut self.0 {
            StrRepr::Bytes(bytes) => bytes.to_mut(),
            StrRepr::Int(_) => unreachable!("just made bytes"),
        }
    }

    /// Length of the content.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text().len()
    }

    /// Whether there is no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            StrRepr::Int(_) => 0,
            StrRepr::Bytes(bytes) => bytes.heap_bytes(),
        }
    }
}

impl<'a> From<Bytes<'a>> for Str<'a> {
    fn from(bytes: Bytes<'a>) -> Self {
        Str(StrRepr::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Str<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<i64> for Str<'_> {
    fn from(n: i64) -> Self {
        Str(StrRepr::Int(n))
    }
}

impl<'a> From<Text<'a>> for Str<'a> {
    fn from(text: Text<'a>) -> Self {
        match text {
            Text::Bytes(bytes) => Str::borrowed(bytes),
            Text::Int(n) => n.into(),
        }
    }
}

impl<'a> From<Str<'a>> for Bytes<'a> {
    fn from(text: Str<'a>) -> Self {
        match text.0 {
            StrRepr::Int(n) => Bytes::copied(itoa::Buffer::new().format(n).as_bytes()),
            StrRepr::Bytes(bytes) => bytes,
        }
    }
}

impl PartialEq<[u8]> for Str<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes(&mut itoa::Buffer::new()) == other
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (StrRepr::Int(a), StrRepr::Int(b)) => a == b,
            (_, StrRepr::Bytes(bytes)) => *self == **bytes,
            (StrRepr::Bytes(bytes), _) => *other == **bytes,
        }
    }
}

impl Eq for Str<'_> {}

impl Default for Str<'_> {
    fn default() -> Self {
        Bytes::default().into()
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            StrRepr::Int(n) => write!(f, "{n}"),
            StrRepr::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_string_are_equal() {
        let long = b"a string of more than 22 bytes";
        assert_eq!(Bytes::borrowed(long), Bytes::copied(long));
        assert_eq!(Bytes::from(long.to_vec()), Bytes::borrowed(long));
        assert_eq!(Str::from(-17), Str::borrowed(b"-17"));
        assert_eq!(Str::borrowed(b"-17").parse_int(), Some(-17));
        assert_ne!(Str::from(17), Str::borrowed(b"017"));
        assert_eq!(
            Bytes::from(Str::from(i64::MIN)),
            Bytes::copied(b"-9223372036854775808")
        );
        assert_eq!(Bytes::copied(b"exactly twenty-two ...").heap_bytes(), 0);
        assert!(Bytes::copied(b"at last twenty-three ..").heap_bytes() > 0);
    }

    #[test]
    fn probes_know_every_form_and_length() {
        let text = b"forms of one key: inline, slice, owned";
        for len in 0..text.len() {
            let bytes = &text[..len];
            let mut owned = Bytes::copied(bytes);
            owned.to_mut();
            let zero = [bytes, &[0]].concat();
            for key in [Bytes::borrowed(bytes), Bytes::copied(bytes), owned] {
                assert!(key.is(bytes), "{key:?}");
                assert!(!key.is(&zero), "{key:?}");
                assert!(!key.is(&text[..len + 1]), "{key:?}");
            }
        }
    }

    #[test]
    fn editing_makes_owned_and_leaves_the_input() {
        let input = b"hello".to_vec();
        let mut text = Str::borrowed(&input);
        text.to_mut().extend(b", world");
        assert_eq!(text, Str::copied(b"hello, world"));
        let mut number = Str::from(7);
        number.to_mut().push(b'0');
        assert_eq!(number.parse_int(), Some(70));
    }
}
