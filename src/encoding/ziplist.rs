//! Ziplist: strings and integers in a row, each with the size of the one before it.
//!
//! ```text
//! total bytes: u32 LE | tail offset: u32 LE | count: u16 LE | entries | FF
//! entry = prevlen, encoding, data
//! prevlen = u8 below 254, or FE and u32 LE: size of the entry before, 0 for the first
//!
//! 00llllll  bytes                  string of at most 63 bytes
//! 01llllll llllllll  bytes         string of at most 16383 bytes, high bits first
//! 10......  u32 BE  bytes          string; the six bits are written 0 and ignored
//! C0 / D0 / E0                     signed LE of 2 / 4 / 8 bytes
//! F0 / FE                          signed LE of 3 bytes / 1 byte
//! F1 to FD                         0 to 12
//! ```
//!
//! The tail offset is that of the last entry, or 10. A count of 65535 means "go and
//! count". Upstream: `ziplist.c`, RDB types 10, 12, 13 and 14, written until Redis 6.2;
//! before RDB version 6 only C0, D0 and E0 were integers, which we do not check. Servers
//! since 7.0 convert every ziplist and check all that we check. A prevlen in the
//! long form may hold a small size: entries are not moved when the one before shrinks.

use nom::Parser;
use nom::bytes::streaming::take;
use nom::number::streaming::{be_u32, le_u32, u8};

use super::frame::{Frame, TERMINATOR, u32_at};
use super::{canonical_i64, flaw, signed_le};
use crate::bytes::Text;
use crate::error::{Code, Fail, Flaw, Parsed};

const HEADER_BYTES: usize = 10;
/// Where the tail offset stands.
const TAIL_AT: usize = 4;
const LONG_PREVLEN: u8 = 0xfe;

/// Strings of more bytes are never stored as integers.
const MAX_NUMERIC_BYTES: usize = 31;

/// A borrowed ziplist.
///
/// ```
/// use rdbkit::bytes::Text;
/// use rdbkit::encoding::Ziplist;
///
/// let ziplist = Ziplist::new(b"\x10\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\xf2\xff").unwrap();
/// let entries: Result<Vec<Text<'_>>, _> = ziplist.iter().collect();
/// assert_eq!(entries.unwrap(), [Text::Bytes(b"a"), Text::Int(1)]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ziplist<'a> {
    tail: u32,
    frame: Frame<'a, HEADER_BYTES>,
}

impl<'a> Ziplist<'a> {
    /// Checks header and terminator, and borrows the entries.
    ///
    /// # Errors
    ///
    /// [`Code::BadZiplist`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let frame = Frame::new(bytes, Code::BadZiplist)?;
        // Inside the header, which is there.
        let tail = u32_at(bytes, TAIL_AT).unwrap_or(0);
        Ok(Ziplist { tail, frame })
    }

    /// Number of entries according to the header, if it says.
    #[must_use]
    pub fn declared_len(&self) -> Option<usize> {
        self.frame.declared_len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frame.elements.is_empty()
    }

    /// The entries; ends after the first error. Wrong count and tail are said at the end.
    #[must_use]
    pub fn iter(&self) -> ZiplistIter<'a> {
        ZiplistIter {
            rest: self.frame.elements,
            end: self.frame.end(),
            previous_len: 0,
            seen: 0,
            tail: self.tail,
            declared: self.declared_len(),
            done: false,
        }
    }

    /// The first entry that is not in the form that a server gives it: an integer in a wider
    /// form or as text, a string with a longer header. `None` also if an entry is broken.
    ///
    /// Integers of 1 and 3 bytes and in the first byte came with RDB version 6; in
    /// older files a small number in 2 bytes is what their server wrote.
    #[must_use]
    pub fn non_canonical(&self) -> Option<Flaw> {
        let mut entries = self.iter();
        loop {
            let (at, prevlen) = (entries.at(), entries.rest);
            let entry = entries.next()?.ok()?;
            let lead = match prevlen {
                [LONG_PREVLEN, _, _, _, _, lead, ..] | [_, lead, ..] => *lead,
                _ => return None,
            };
            let what = match entry {
                Text::Int(value) if lead != encode_int(value).0 => "the shortest integer form",
                Text::Bytes(bytes) if numeric(bytes).is_some() => "an integer, not its text",
                Text::Bytes(bytes) if lead != string_lead(bytes.len()) => {
                    "the shortest string header"
                }
                _ => continue,
            };
            return Some(Flaw::new(
                Code::NotCanonical,
                at,
                what,
                "it",
                u64::from(lead),
            ));
        }
    }
}

/// Iterates over the entries of a [`Ziplist`].
#[derive(Clone, Debug)]
pub struct ZiplistIter<'a> {
    rest: &'a [u8],
    /// Offset of the terminator.
    end: usize,
    previous_len: usize,
    seen: usize,
    tail: u32,
    declared: Option<usize>,
    done: bool,
}

impl<'a> ZiplistIter<'a> {
    /// Offset of the next entry in the blob.
    #[must_use]
    pub fn at(&self) -> usize {
        self.end - self.rest.len()
    }

    /// Everything but short strings after short entries, and their errors too.
    fn next_by_grammar(&mut self) -> Result<Text<'a>, Flaw> {
        match parse_entry(self.rest, self.previous_len) {
            Ok((rest, entry)) => {
                self.previous_len = self.rest.len() - rest.len();
                self.rest = rest;
                self.seen += 1;
                Ok(entry)
            }
            Err(error) => {
                let flaw = flaw(error, Code::BadZiplist, self.rest, self.end);
                self.rest = &[];
                self.done = true;
                Err(flaw)
            }
        }
    }

    #[cold]
    fn finish(&mut self) -> Option<Result<Text<'a>, Flaw>> {
        if self.done {
            return None;
        }
        self.done = true;
        let bad = |at, what, expected: usize, found: usize| {
            let flaw = Flaw::new(Code::BadZiplist, at, what, expected, found);
            Some(Err(flaw))
        };
        let last = self.end - self.previous_len;
        if u64::from(self.tail) != last as u64 {
            return bad(
                TAIL_AT,
                "the offset of the last entry",
                last,
                self.tail as usize,
            );
        }
        let declared = self.declared.filter(|&declared| declared != self.seen)?;
        let count_at = Frame::<HEADER_BYTES>::COUNT_AT;
        bad(count_at, "the number of entries", declared, self.seen)
    }
}

impl<'a> Iterator for ZiplistIter<'a> {
    type Item = Result<Text<'a>, Flaw>;

    // A short string behind a short entry is most of what there is in old files, and takes
    // 2.1 to 2.8 ns, where the grammar below, which knows it again, takes 4.7.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let &[prevlen, lead @ ..0x40, ref after @ ..] = self.rest
            && usize::from(prevlen) == self.previous_len
            && prevlen < LONG_PREVLEN
            && let Some((bytes, rest)) = after.split_at_checked(usize::from(lead))
        {
            self.previous_len = 2 + bytes.len();
            self.rest = rest;
            self.seen += 1;
            return Some(Ok(Text::Bytes(bytes)));
        }
        if self.rest.is_empty() {
            return self.finish();
        }
        Some(self.next_by_grammar())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The smallest entry has two bytes; one more item may be an error.
        (0, Some(self.rest.len() / 2 + 1))
    }
}

impl std::iter::FusedIterator for ZiplistIter<'_> {}

/// One entry, which must begin with the size of the one before it.
fn parse_entry(input: &[u8], previous_len: usize) -> Parsed<'_, Text<'_>> {
    let (rest, first) = u8(input)?;
    let (rest, prevlen) = match first {
        ..LONG_PREVLEN => (rest, u32::from(first)),
        LONG_PREVLEN => le_u32(rest)?,
        TERMINATOR => {
            let rule = "no terminator before the end";
            let fail = Fail::broken(input, Code::BadZiplist, "an entry", rule, first);
            return Err(nom::Err::Failure(fail));
        }
    };
    if u64::from(prevlen) != previous_len as u64 {
        let what = "the size of the entry before";
        let found = u64::from(prevlen);
        let fail = Fail::broken(input, Code::BadZiplist, what, previous_len, found);
        return Err(nom::Err::Failure(fail));
    }
    let at_encoding = rest;
    let (rest, lead) = u8(rest)?;
    match lead {
        0..=0x3f => take(lead).map(Text::Bytes).parse(rest),
        0x40..=0x7f => {
            let (rest, low) = u8(rest)?;
            let len = u16::from_be_bytes([lead & 63, low]);
            take(len).map(Text::Bytes).parse(rest)
        }
        0x80..=0xbf => {
            let (rest, len) = be_u32(rest)?;
            take(len).map(Text::Bytes).parse(rest)
        }
        0xc0 => parse_int::<2>(rest),
        0xd0 => parse_int::<4>(rest),
        0xe0 => parse_int::<8>(rest),
        0xf0 => parse_int::<3>(rest),
        0xfe => parse_int::<1>(rest),
        0xf1..=0xfd => Ok((rest, Text::Int(i64::from(lead & 15) - 1))),
        _ => {
            let rule = "one that has a meaning";
            let fail = Fail::broken(at_encoding, Code::BadZiplist, "an encoding", rule, lead);
            Err(nom::Err::Failure(fail))
        }
    }
}

fn parse_int<const WIDTH: usize>(input: &[u8]) -> Parsed<'_, Text<'_>> {
    take(WIDTH)
        .map(|bytes| Text::Int(signed_le(bytes)))
        .parse(input)
}

/// First byte and number of bytes behind it of the shortest form of an integer.
fn encode_int(value: i64) -> (u8, usize) {
    match value {
        0..=12 => (0xf1 + value as u8, 0),
        -0x80..=0x7f => (0xfe, 1),
        -0x8000..=0x7fff => (0xc0, 2),
        -0x80_0000..=0x7f_ffff => (0xf0, 3),
        -0x8000_0000..=0x7fff_ffff => (0xd0, 4),
        _ => (0xe0, 8),
    }
}

/// First byte of the shortest header for a string.
///
/// A short length is all in this byte, so that one length has one canonical byte.
fn string_lead(len: usize) -> u8 {
    match len {
        0..64 => len as u8,
        64..16384 => 0x40 | (len >> 8) as u8,
        _ => 0x80,
    }
}

/// The number that a string is stored as.
fn numeric(bytes: &[u8]) -> Option<i64> {
    (bytes.len() <= MAX_NUMERIC_BYTES)
        .then(|| canonical_i64(bytes))
        .flatten()
}

/// Builds a ziplist, entry by entry, for servers from RDB version 6 on.
///
/// ```
/// use rdbkit::encoding::ZiplistBuilder;
///
/// let mut builder = ZiplistBuilder::new();
/// builder.push(b"a");
/// builder.push(b"1");
/// assert_eq!(builder.finish().unwrap(), b"\x10\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\xf2\xff");
/// ```
#[derive(Clone, Debug)]
pub struct ZiplistBuilder {
    out: Vec<u8>,
    count: usize,
    /// Offset of the last entry.
    tail: usize,
}

impl Default for ZiplistBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ZiplistBuilder {
    /// Starts an empty ziplist.
    #[must_use]
    pub fn new() -> Self {
        Self::reuse(Vec::new())
    }

    /// Starts an empty ziplist in a buffer, whose contents are dropped.
    #[must_use]
    pub fn reuse(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&[0; HEADER_BYTES]);
        ZiplistBuilder {
            out: buffer,
            count: 0,
            tail: HEADER_BYTES,
        }
    }

    /// Appends a string, as an integer if it is the text of one.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(value) = numeric(bytes) {
            return self.push_int(value);
        }
        self.begin_entry();
        let len = bytes.len();
        self.out.push(string_lead(len));
        match len {
            0..64 => {}
            64..16384 => self.out.push(len as u8),
            // A longer string makes `finish` refuse the whole.
            _ => self.out.extend_from_slice(&(len as u32).to_be_bytes()),
        }
        self.out.extend_from_slice(bytes);
    }

    /// Appends an integer.
    pub fn push_int(&mut self, value: i64) {
        self.begin_entry();
        let (lead, len) = encode_int(value);
        self.out.push(lead);
        self.out.extend_from_slice(&value.to_le_bytes()[..len]);
    }

    /// Appends an entry of another ziplist or collection.
    pub fn push_text(&mut self, text: Text<'_>) {
        match text {
            Text::Int(value) => self.push_int(value),
            Text::Bytes(bytes) => self.push(bytes),
        }
    }

    fn begin_entry(&mut self) {
        let previous_len = self.out.len() - self.tail;
        self.tail = self.out.len();
        self.count += 1;
        if previous_len < usize::from(LONG_PREVLEN) {
            self.out.push(previous_len as u8);
        } else {
            self.out.push(LONG_PREVLEN);
            self.out
                .extend_from_slice(&(previous_len as u32).to_le_bytes());
        }
    }

    /// Number of entries so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no entries yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Size of the ziplist, were it finished now.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.out.len() + 1
    }

    /// The ziplist; `None` if it is larger than its header can say.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        let tail = u32::try_from(self.tail).ok()?;
        self.out
            .get_mut(TAIL_AT..)?
            .first_chunk_mut()
            .map(|place| *place = tail.to_le_bytes())?;
        Frame::<HEADER_BYTES>::close(self.out, self.count)
    }
}

#[cfg(test)]
mod tests;
