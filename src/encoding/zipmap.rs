//! Zipmap: the small hash of Redis 2.4.
//!
//! ```text
//! count: u8 | pairs | FF
//! pair = length, field, length, free: u8, value, `free` bytes of garbage
//! length = u8 below 254, or FE and u32 LE
//! ```
//!
//! A count of 254 means "more than that, go and count". Upstream: `zipmap.c`,
//! RDB type 9, written until 2.4, loaded by everything since. As servers do, we
//! demand at least one pair and the exact count; that no field stands twice is for the
//! caller to check, who knows all fields.

use nom::Parser;
use nom::bytes::streaming::take;
use nom::number::streaming::{le_u32, u8};

use super::flaw;
use crate::error::{Code, Fail, Flaw, Parsed};

const UNKNOWN_COUNT: u8 = 254;
const LONG_LENGTH: u8 = 254;
const TERMINATOR: u8 = 255;

/// A borrowed zipmap.
///
/// ```
/// use rdbkit::encoding::Zipmap;
///
/// let map = Zipmap::new(b"\x01\x01f\x01\x00v\xff").unwrap();
/// assert_eq!(map.iter().next().unwrap().unwrap(), (&b"f"[..], &b"v"[..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Zipmap<'a> {
    declared: u8,
    /// The pairs, without the terminator.
    pairs: &'a [u8],
}

impl<'a> Zipmap<'a> {
    /// Checks that there are a count and a terminator, and borrows the pairs.
    ///
    /// # Errors
    ///
    /// [`Code::BadZipmap`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Flaw> {
        match bytes {
            [declared, pairs @ .., TERMINATOR] => Ok(Zipmap {
                declared: *declared,
                pairs,
            }),
            [_, .., last] => {
                let at = bytes.len() - 1;
                Err(Flaw::new(
                    Code::BadZipmap,
                    at,
                    "a terminator",
                    TERMINATOR,
                    *last,
                ))
            }
            _ => Err(Flaw::new(
                Code::BadZipmap,
                0,
                "a header",
                2_u64,
                bytes.len(),
            )),
        }
    }

    /// Number of pairs according to the header, if it says.
    #[must_use]
    pub fn declared_len(&self) -> Option<usize> {
        (self.declared != UNKNOWN_COUNT).then_some(usize::from(self.declared))
    }

    /// The first pair with more garbage behind it than servers leave, 4 bytes.
    #[must_use]
    pub fn non_canonical(&self) -> Option<Flaw> {
        const MOST_FREE_BYTES: u8 = 4;
        let mut rest = self.pairs;
        while let Ok((after, (_, _, free))) = parse_pair(rest) {
            if free > MOST_FREE_BYTES {
                let at = 1 + self.pairs.len() - rest.len();
                let what = "the free bytes of a pair";
                return Some(Flaw::new(Code::NotCanonical, at, what, "at most 4", free));
            }
            rest = after;
        }
        None
    }

    /// The pairs of field and value; ends after the first error.
    #[must_use]
    pub fn iter(&self) -> ZipmapIter<'a> {
        ZipmapIter {
            rest: self.pairs,
            end: 1 + self.pairs.len(),
            declared: self.declared_len(),
            seen: 0,
            done: false,
        }
    }
}

/// A field, its value, and how many bytes of garbage follow it.
fn parse_pair(input: &[u8]) -> Parsed<'_, (&[u8], &[u8], u8)> {
    let (input, field) = parse_length(input).and_then(|(input, len)| take(len).parse(input))?;
    let (input, len) = parse_length(input)?;
    let (input, free) = u8(input)?;
    let (input, value) = take(len).parse(input)?;
    let (input, _) = take(free).parse(input)?;
    Ok((input, (field, value, free)))
}

fn parse_length(input: &[u8]) -> Parsed<'_, u32> {
    match u8(input)? {
        (rest, LONG_LENGTH) => le_u32(rest),
        (_, TERMINATOR) => {
            let what = "a length before the end";
            let fail = Fail::broken(input, Code::BadZipmap, what, "0 to 254", TERMINATOR);
            Err(nom::Err::Failure(fail))
        }
        (rest, short) => Ok((rest, u32::from(short))),
    }
}

/// Iterates over the pairs of a [`Zipmap`].
#[derive(Clone, Debug)]
pub struct ZipmapIter<'a> {
    rest: &'a [u8],
    /// Offset of the terminator.
    end: usize,
    declared: Option<usize>,
    seen: usize,
    done: bool,
}

impl ZipmapIter<'_> {
    fn finish(&mut self) -> Result<(), Flaw> {
        let declared = self.declared.unwrap_or(self.seen);
        if self.seen == 0 {
            let what = "at least one pair";
            return Err(Flaw::new(Code::BadZipmap, self.end, what, 1_u64, 0_u64));
        }
        if declared != self.seen {
            let what = "the number of pairs";
            return Err(Flaw::new(Code::BadZipmap, 0, what, declared, self.seen));
        }
        Ok(())
    }
}

impl<'a> Iterator for ZipmapIter<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.rest.is_empty() {
            self.done = true;
            return self.finish().err().map(Err);
        }
        match parse_pair(self.rest) {
            Ok((rest, (field, value, _))) => {
                self.rest = rest;
                self.seen += 1;
                Some(Ok((field, value)))
            }
            Err(error) => {
                self.done = true;
                Some(Err(flaw(error, Code::BadZipmap, self.rest, self.end)))
            }
        }
    }
}

impl std::iter::FusedIterator for ZipmapIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::testing::{check_blob, hex};

    type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

    fn read(bytes: &[u8]) -> Result<Pairs<'_>, Flaw> {
        Zipmap::new(bytes)?.iter().collect()
    }

    /// Name, blob, and the pairs or the offset of the flaw.
    type Case<'a> = (&'a str, &'a [u8], Result<&'a [(&'a [u8], &'a [u8])], usize>);

    #[test]
    fn blobs_read_or_name_the_broken_rule() {
        let long = [&[1, 1, b'f', 254, 0, 1, 0, 0, 0][..], &[b'v'; 256], &[255]].concat();
        let table: &[Case<'_>] = &[
            (
                "accepted by every server",
                &hex("01 01 66 01 00 76 ff"),
                Ok(&[(b"f", b"v")]),
            ),
            (
                "garbage after the values",
                &hex("02 01 66 01 02 76 0102 01 67 00 01 ff ff"),
                Ok(&[(b"f", b"v"), (b"g", b"")]),
            ),
            ("long length", &long, Ok(&[(b"f", &[b'v'; 256])])),
            (
                "count not stored",
                &hex("fe 01 66 01 00 76 ff"),
                Ok(&[(b"f", b"v")]),
            ),
            ("nothing", b"", Err(0)),
            ("count alone", &hex("01"), Err(0)),
            ("no terminator", &hex("01 01 66 01 00 76"), Err(5)),
            ("no pair", &hex("00 ff"), Err(1)),
            ("count too small", &hex("00 01 66 01 00 76 ff"), Err(0)),
            ("count too large", &hex("02 01 66 01 00 76 ff"), Err(0)),
            (
                "terminator in the middle",
                &hex("01 01 66 01 00 76 ff ff"),
                Err(6),
            ),
            ("field without value", &hex("01 01 66 ff"), Err(1)),
            ("value cut", &hex("01 01 66 02 00 76 ff"), Err(1)),
            ("garbage cut", &hex("01 01 66 01 01 76 ff"), Err(1)),
            (
                "length beyond any memory",
                &hex("01 fe ffffffff 66 ff"),
                Err(1),
            ),
        ];
        for (name, blob, expected) in table {
            let result = read(blob);
            match expected {
                Ok(pairs) => assert_eq!(result.as_deref(), Ok(*pairs), "{name}"),
                Err(at) => {
                    let flaw = result.expect_err(name);
                    assert_eq!(
                        (flaw.code(), flaw.at()),
                        (Code::BadZipmap, *at),
                        "{name}: {flaw}"
                    );
                }
            }
        }
    }

    #[test]
    fn damage_is_survived() {
        let blob = hex("02 01 66 01 02 76 0102 fe 01000000 67 03 00 010203 ff");
        check_blob(&blob, |bytes| read(bytes).map(|pairs| pairs.len()));
    }
}
