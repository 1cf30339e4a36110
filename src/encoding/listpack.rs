//! Listpack: strings and integers in a row, readable from both ends.
//!
//! ```text
//! total bytes: u32 LE | count: u16 LE | elements | FF
//! element = encoding, data, backlen
//!
//! 0nnnnnnn                      0 to 127
//! 10llllll  bytes               string of at most 63 bytes
//! 110nnnnn nnnnnnnn             13-bit signed, high bits first
//! 1110llll llllllll  bytes      string of at most 4095 bytes, high bits first
//! F0  u32 LE  bytes             string
//! F1 / F2 / F3 / F4             signed LE of 2 / 3 / 4 / 8 bytes
//! ```
//!
//! *total bytes* and the lengths behind F0 are little-endian, unlike RDB lengths. A
//! count of 65535 means "go and count". The *backlen* is the size of encoding and
//! data, 7 bits a byte, the high bits first, bit 7 set on all bytes but the first, so that
//! a reader coming from behind knows where it ends. Until Redis 8.6 and Valkey 9.0, a
//! size of exactly 16383, 2097151 or 268435455 has a backlen one byte longer than it
//! needs; since Redis 8.8 and Valkey 9.1 it has not. We read both at these three sizes.
//!
//! Bytes of a backlen that a reader from behind takes for the same number are sound, too, as to
//! servers, but none writes them: bit 7 may be set where the byte before adds nothing.
//!
//! Upstream: `listpack.c`; streams since RDB version 9, all small collections
//! since 10. We check every element, as servers do only with
//! `sanitize-dump-payload yes`. [`Listpack::non_canonical`] finds what servers accept but
//! never write.

mod builder;

use nom::Parser;
use nom::bytes::streaming::take;
use nom::number::streaming::{le_u32, u8};

use super::frame::{Frame, TERMINATOR};
use super::{canonical_i64, flaw, signed_le};
use crate::bytes::Text;
use crate::error::{Code, Fail, Flaw, Parsed, Value};
use builder::{Backlen, backlen_width, int_lead, string_lead};

pub use builder::{BacklenWidth, ListpackBuilder};

const HEADER_BYTES: usize = 6;

/// The least of the sizes with two backlens.
pub(crate) const LEAST_ODD_BYTES: u64 = TWO_BACKLENS[0] as u64;

/// Sizes whose backlen servers before Redis 8.8 and Valkey 9.1 write one byte too long.
const TWO_BACKLENS: [usize; 3] = [16383, 2_097_151, 268_435_455];

/// A borrowed listpack.
///
/// ```
/// use rdbkit::bytes::Text;
/// use rdbkit::encoding::Listpack;
///
/// let listpack = Listpack::new(b"\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff").unwrap();
/// let elements: Result<Vec<Text<'_>>, _> = listpack.iter().collect();
/// assert_eq!(elements.unwrap(), [Text::Bytes(b"a"), Text::Int(1)]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a> {
    frame: Frame<'a, HEADER_BYTES>,
    watches_form: bool,
}

impl<'a> Listpack<'a> {
    /// Checks header and terminator, and borrows the elements.
    ///
    /// # Errors
    ///
    /// [`Code::BadListpack`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Flaw> {
        Frame::new(bytes, Code::BadListpack).map(|frame| Listpack {
            frame,
            watches_form: false,
        })
    }

    /// Makes the iterators look at the form of the elements, too, if it matters: see
    /// [`ListpackIter::non_canonical`]. A second walk for it costs as much as the first.
    #[must_use]
    pub(crate) fn watching_form(self, does_matter: bool) -> Self {
        Listpack {
            watches_form: does_matter,
            ..self
        }
    }

    /// Whether the backlens of elements of the three odd sizes are of this width; `false`
    /// also if an element is broken.
    #[must_use]
    pub fn has_backlens(&self, width: BacklenWidth) -> bool {
        let mut elements = self.iter();
        loop {
            let start = elements.at();
            match elements.next() {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(_)) => {}
            }
            let total = elements.at() - start;
            let other = |size: usize| match width {
                BacklenWidth::Wide => size + backlen_width(size),
                BacklenWidth::Minimal => size + backlen_width(size) + 1,
            };
            // No other size has such a total.
            if TWO_BACKLENS.iter().any(|size| total == other(*size)) {
                return false;
            }
        }
    }

    /// Number of elements according to the header, if it says.
    #[must_use]
    pub fn declared_len(&self) -> Option<usize> {
        self.frame.declared_len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frame.elements.is_empty()
    }

    /// The elements; ends after the first error. That the count is wrong is said at the end.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> ListpackIter<'a> {
        ListpackIter {
            rest: self.frame.elements,
            end: self.frame.end(),
            seen: 0,
            declared: self.declared_len(),
            done: false,
            watches_form: self.watches_form,
            odd: &[],
        }
    }

    /// The first element that is not in the form that a server gives it: an integer in a
    /// wider form or as text, a string with a longer header. `None` also if an element is broken.
    #[must_use]
    pub fn non_canonical(&self) -> Option<Flaw> {
        let mut elements = self.watching_form(true).iter();
        while elements.odd.is_empty() && matches!(elements.next(), Some(Ok(_))) {}
        elements.non_canonical()
    }
}

/// In what an element's form differs from the one that a server gives it.
#[inline]
fn odd_form(lead: u8, element: Text<'_>) -> Option<&'static str> {
    match element {
        Text::Int(value) if lead != int_lead(value) => Some("the shortest integer form"),
        Text::Bytes(bytes) if canonical_i64(bytes).is_some() => Some("an integer, not its text"),
        Text::Bytes(bytes) if string_form(lead) != string_form(string_lead(bytes.len())) => {
            Some("the shortest string header")
        }
        _ => None,
    }
}

/// Iterates over the elements of a [`Listpack`].
#[derive(Clone, Debug)]
pub struct ListpackIter<'a> {
    rest: &'a [u8],
    /// Offset of the terminator.
    end: usize,
    seen: usize,
    declared: Option<usize>,
    done: bool,
    watches_form: bool,
    /// What was left at the first element in an odd form, if forms are watched.
    odd: &'a [u8],
}

impl<'a> ListpackIter<'a> {
    /// The first element so far that is not in the form that a server gives it, if the listpack
    /// [watches forms](Listpack::watching_form).
    #[must_use]
    pub(crate) fn non_canonical(&self) -> Option<Flaw> {
        let lead = *self.odd.first()?;
        let (rest, element) = parse_entry(self.odd).ok()?;
        let at = self.end - self.odd.len();
        let flaw = |what, wanted: &'static str, found: u8| {
            Flaw::new(Code::NotCanonical, at, what, wanted, Value::Byte(found))
        };
        if let Some(what) = odd_form(lead, element) {
            return Some(flaw(what, "it", lead));
        }
        let &last = self.odd[..self.odd.len() - rest.len()].last()?;
        Some(flaw("the backlen of an element", "no stray bits", last))
    }

    /// Stops watching forms: the elements are looked at elsewhere.
    #[must_use]
    pub(super) fn without_form(self) -> Self {
        ListpackIter {
            watches_form: false,
            ..self
        }
    }

    #[cold]
    fn note_odd(&mut self, rest: &'a [u8]) {
        if self.odd.is_empty() {
            self.odd = rest;
        }
    }

    /// An element that is none of the two common forms.
    #[inline(never)]
    fn next_uncommon(&mut self, lead: u8) -> Result<Text<'a>, Flaw> {
        let start = self.rest;
        let element = match self.next_by_hand(lead) {
            Some(element) => element,
            None => self.next_by_grammar()?,
        };
        if self.watches_form && odd_form(lead, element).is_some() {
            self.note_odd(start);
        }
        Ok(element)
    }

    /// Offset of the next element in the blob.
    #[must_use]
    pub fn at(&self) -> usize {
        self.end - self.rest.len()
    }

    /// Number of elements read so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// The other integers, and strings below 4096 bytes, if nothing is wrong with them.
    #[inline]
    fn next_by_hand(&mut self, lead: u8) -> Option<Text<'a>> {
        let int = |width: usize| Some(Text::Int(signed_le(self.rest.get(1..1 + width)?)));
        let (size, element) = match lead {
            0xc0..=0xdf => {
                let high_bits = i16::from_be_bytes([lead, *self.rest.get(1)?]) << 3;
                (2, Text::Int(i64::from(high_bits >> 3)))
            }
            0xe0..=0xef => {
                let len = usize::from(u16::from_be_bytes([lead & 15, *self.rest.get(1)?]));
                (2 + len, Text::Bytes(self.rest.get(2..2 + len)?))
            }
            0xf1 => (3, int(2)?),
            0xf2 => (4, int(3)?),
            0xf3 => (5, int(4)?),
            0xf4 => (9, int(8)?),
            _ => return None,
        };
        let rest = match self.rest.get(size..)? {
            [backlen, rest @ ..] if size < 0x80 && usize::from(*backlen) == size => rest,
            [high, low, rest @ ..]
                if size >= 0x80
                    && *high < 0x80
                    && *low >= 0x80
                    && usize::from(*high) << 7 | usize::from(*low & 127) == size =>
            {
                rest
            }
            _ => return None,
        };
        self.rest = rest;
        self.seen += 1;
        Some(element)
    }

    /// What is left, and all errors.
    fn next_by_grammar(&mut self) -> Result<Text<'a>, Flaw> {
        match parse_entry(self.rest) {
            Ok((rest, element)) => {
                let entry = &self.rest[..self.rest.len() - rest.len()];
                if self.watches_form && !has_usual_backlen(entry) {
                    self.note_odd(self.rest);
                }
                self.rest = rest;
                self.seen += 1;
                Ok(element)
            }
            Err(error) => {
                let flaw = flaw(error, Code::BadListpack, self.rest, self.end);
                self.rest = &[];
                self.done = true;
                Err(flaw)
            }
        }
    }

    #[cold]
    fn finish(&mut self) -> Option<Result<Text<'a>, Flaw>> {
        let declared = self.declared.filter(|&declared| declared != self.seen)?;
        if self.done {
            return None;
        }
        self.done = true;
        Some(Err(Flaw::new(
            Code::BadListpack,
            Frame::<HEADER_BYTES>::COUNT_AT,
            "the number of elements",
            declared,
            self.seen,
        )))
    }
}

impl<'a> Iterator for ListpackIter<'a> {
    type Item = Result<Text<'a>, Flaw>;

    // Reading small collections spends its time here. The two common forms share one
    // predictable test, without a branch on which of them it is, and the grammar below
    // knows them again: both must agree, which a test checks. Their headers are the
    // shortest, so only the text of an integer is odd among them.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.rest;
        let Some((&lead, after)) = start.split_first() else {
            return self.finish();
        };
        if lead < 0xc0 {
            let len = if lead < 0x80 {
                0
            } else {
                usize::from(lead & 63)
            };
            if let Some((bytes, &[backlen, ref rest @ ..])) = after.split_at_checked(len)
                && usize::from(backlen) == 1 + len
            {
                self.rest = rest;
                self.seen += 1;
                if self.watches_form && canonical_i64(bytes).is_some() {
                    self.note_odd(start);
                }
                let small = Text::Int(i64::from(lead));
                return Some(Ok(if lead < 0x80 {
                    small
                } else {
                    Text::Bytes(bytes)
                }));
            }
        }
        Some(self.next_uncommon(lead))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The smallest element has two bytes; one more item may be an error.
        (0, Some(self.rest.len() / 2 + 1))
    }
}

impl std::iter::FusedIterator for ListpackIter<'_> {}

/// One element with its backlen.
fn parse_entry(input: &[u8]) -> Parsed<'_, Text<'_>> {
    let (rest, lead) = u8(input)?;
    let (rest, element) = match lead {
        0..=0x7f => (rest, Text::Int(i64::from(lead))),
        0x80..=0xbf => take(lead & 63).map(Text::Bytes).parse(rest)?,
        0xc0..=0xdf => {
            let (rest, low) = u8(rest)?;
            let high_bits = i16::from_be_bytes([lead, low]) << 3;
            (rest, Text::Int(i64::from(high_bits >> 3)))
        }
        0xe0..=0xef => {
            let (rest, low) = u8(rest)?;
            let len = u16::from_be_bytes([lead & 15, low]);
            take(len).map(Text::Bytes).parse(rest)?
        }
        0xf0 => {
            let (rest, len) = le_u32(rest)?;
            take(len).map(Text::Bytes).parse(rest)?
        }
        0xf1 => parse_int::<2>(rest)?,
        0xf2 => parse_int::<3>(rest)?,
        0xf3 => parse_int::<4>(rest)?,
        0xf4 => parse_int::<8>(rest)?,
        0xf5.. => {
            let (what, rule) = match lead {
                TERMINATOR => ("an element", "no terminator before the end"),
                _ => ("an encoding", "00 to F4"),
            };
            let fail = Fail::broken(input, Code::BadListpack, what, rule, lead);
            return Err(nom::Err::Failure(fail));
        }
    };
    let rest = parse_backlen(input, input.len() - rest.len())?;
    Ok((rest, element))
}

fn parse_int<const WIDTH: usize>(input: &[u8]) -> Parsed<'_, Text<'_>> {
    take(WIDTH)
        .map(|bytes| Text::Int(signed_le(bytes)))
        .parse(input)
}

/// Takes the backlen of an element of `size` bytes, with which `entry` begins.
fn parse_backlen(entry: &[u8], size: usize) -> Result<&[u8], nom::Err<Fail>> {
    let input = &entry[size..];
    // One byte and two are nearly all there are. Comparing two bytes as numbers, not as
    // a slice, makes strings of 100 to 1000 bytes 2.6 times as fast (19 ns to 7.3).
    if size < 0x80 {
        return match input {
            &[only, ref rest @ ..] if usize::from(only) == size => Ok(rest),
            _ => parse_odd_backlen(entry, size, 1),
        };
    }
    if size < TWO_BACKLENS[0]
        && let &[high, low, ref rest @ ..] = input
        && usize::from(high) == size >> 7
        && usize::from(low) == 0x80 | (size & 127)
    {
        return Ok(rest);
    }
    let mut width = backlen_width(size);
    if TWO_BACKLENS.contains(&size) && input.first() == Some(&0) {
        width += 1;
    }
    match input.strip_prefix(Backlen::of(size, width).as_bytes()) {
        Some(rest) => Ok(rest),
        None => parse_odd_backlen(entry, size, width),
    }
}

/// Takes a backlen of this width that is the size to a reader from behind, if no other.
#[cold]
fn parse_odd_backlen(entry: &[u8], size: usize, width: usize) -> Result<&[u8], nom::Err<Fail>> {
    let input = &entry[size..];
    let Some((upto, rest)) = entry.split_at_checked(size + width) else {
        return Err(nom::Err::Incomplete(nom::Needed::new(width - input.len())));
    };
    match backlen_from_behind(upto) {
        Some(found) if found == size as u64 => Ok(rest),
        found => {
            let what = "the backlen of an element whose size is";
            let found = found.map_or("more than 5 bytes".into(), Value::from);
            let fail = Fail::broken(input, Code::BadListpack, what, size, found);
            Err(nom::Err::Failure(fail))
        }
    }
}

/// The backlen at the end of some bytes, if it is one of at most five bytes.
fn backlen_from_behind(bytes: &[u8]) -> Option<u64> {
    let mut backlen = 0;
    for (index, &byte) in bytes.iter().rev().take(5).enumerate() {
        backlen |= u64::from(byte & 127) << (7 * index);
        if byte & 128 == 0 {
            return Some(backlen);
        }
    }
    None
}

/// Whether an element ends in a backlen as servers write it. (That of another width would be
/// read from behind as another size, which [`parse_entry`] refuses.)
fn has_usual_backlen(entry: &[u8]) -> bool {
    (1..=5).any(|width| match entry.len().checked_sub(width) {
        Some(size) => entry[size..] == *Backlen::of(size, width).as_bytes(),
        None => false,
    })
}

/// The form that a first byte announces, without length bits.
fn string_form(lead: u8) -> u8 {
    if lead < 0xc0 {
        lead & 0xc0
    } else {
        lead & 0xf0
    }
}

#[cfg(test)]
mod tests;
