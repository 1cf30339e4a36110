//! Intset: a set of integers, all of one width.
//!
//! ```text
//! width: u32 LE | count: u32 LE | count integers of `width` bytes, signed LE, ascending
//! ```
//!
//! Upstream: `intset.c`, RDB type 11, all versions since 2.2. The width, 2, 4 or 8,
//! is the smallest that held the largest integer ever in the set, so a wide set of small
//! numbers is normal. As servers do with `sanitize-dump-payload yes`, we want the
//! integers strictly ascending; like all of them we refuse an empty set.

use crate::error::{Code, Flaw};

const HEADER_BYTES: usize = 8;

/// A borrowed intset.
///
/// ```
/// use rdbkit::encoding::Intset;
///
/// let set = Intset::new(b"\x02\0\0\0\x03\0\0\0\xfd\xff\x01\0\x02\0").unwrap();
/// let members: Result<Vec<i64>, _> = set.iter().collect();
/// assert_eq!(members.unwrap(), [-3, 1, 2]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Intset<'a> {
    width: usize,
    elements: &'a [u8],
}

impl<'a> Intset<'a> {
    /// Checks width, count and size, and borrows the integers.
    ///
    /// # Errors
    ///
    /// [`Code::BadIntset`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let Some((&[w0, w1, w2, w3, c0, c1, c2, c3], elements)) =
            bytes.split_first_chunk::<HEADER_BYTES>()
        else {
            return Err(bad(0, "a header", HEADER_BYTES as u64, bytes.len() as u64));
        };
        let width = u32::from_le_bytes([w0, w1, w2, w3]);
        let count = u32::from_le_bytes([c0, c1, c2, c3]);
        if !matches!(width, 2 | 4 | 8) {
            let what = "a width";
            return Err(Flaw::new(
                Code::BadIntset,
                0,
                what,
                "2, 4 or 8",
                u64::from(width),
            ));
        }
        if count == 0 {
            return Err(bad(4, "at least one integer", 1, 0));
        }
        let size = u64::from(count) * u64::from(width);
        if size != elements.len() as u64 {
            return Err(bad(
                4,
                "the bytes of the integers",
                size,
                elements.len() as u64,
            ));
        }
        Ok(Intset {
            width: width as usize,
            elements,
        })
    }

    /// Number of integers, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "an intset is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len() / self.width
    }

    /// Bytes of one integer: 2, 4 or 8.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The integers in their order; an error for the first that is not above the one before it.
    #[must_use]
    pub fn iter(&self) -> IntsetIter<'a> {
        IntsetIter {
            rest: self.elements,
            width: self.width,
            at: HEADER_BYTES,
            previous: None,
        }
    }

    /// Appends the intset of strictly ascending integers to `out`.
    ///
    /// # Errors
    ///
    /// [`Code::BadIntset`] if there are none, too many for the header, or not ascending;
    /// `out` is then as before.
    pub fn encode_into(ascending: &[i64], out: &mut Vec<u8>) -> Result<(), Flaw> {
        let size = Self::encoded_len(ascending);
        let (Some(&first), Some(&last)) = (ascending.first(), ascending.last()) else {
            return Err(bad(4, "at least one integer", 1, 0));
        };
        let Ok(count) = u32::try_from(ascending.len()) else {
            return Err(bad(
                4,
                "the number of integers",
                u64::from(u32::MAX),
                size as u64,
            ));
        };
        if let Some(pair) = ascending.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(not_ascending(0, pair[0], pair[1]));
        }
        let width = width_for(first).max(width_for(last));
        out.reserve(size);
        out.extend_from_slice(&(width as u32).to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        for value in ascending {
            out.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        Ok(())
    }

    /// Size of the intset of these ascending integers.
    #[must_use]
    pub fn encoded_len(ascending: &[i64]) -> usize {
        let ends = [ascending.first(), ascending.last()];
        let width = ends.into_iter().flatten().map(|&end| width_for(end)).max();
        // Eight bytes a value are in memory already, so this fits.
        HEADER_BYTES + ascending.len() * width.unwrap_or(0)
    }
}

fn width_for(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[cold]
fn bad(at: usize, what: &'static str, expected: u64, found: u64) -> Flaw {
    Flaw::new(Code::BadIntset, at, what, expected, found)
}

#[cold]
fn not_ascending(at: usize, previous: i64, found: i64) -> Flaw {
    let what = "integers strictly ascending, here one above";
    Flaw::new(Code::BadIntset, at, what, previous, found)
}

/// Iterates over the integers of an [`Intset`].
#[derive(Clone, Debug)]
pub struct IntsetIter<'a> {
    rest: &'a [u8],
    width: usize,
    at: usize,
    previous: Option<i64>,
}

impl Iterator for IntsetIter<'_> {
    type Item = Result<i64, Flaw>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = match self.width {
            2 => {
                let (bytes, rest) = self.rest.split_first_chunk()?;
                (i64::from(i16::from_le_bytes(*bytes)), rest)
            }
            4 => {
                let (bytes, rest) = self.rest.split_first_chunk()?;
                (i64::from(i32::from_le_bytes(*bytes)), rest)
            }
            _ => {
                let (bytes, rest) = self.rest.split_first_chunk()?;
                (i64::from_le_bytes(*bytes), rest)
            }
        };
        if let Some(previous) = self.previous
            && previous >= value
        {
            self.rest = &[];
            return Some(Err(not_ascending(self.at, previous, value)));
        }
        self.previous = Some(value);
        self.rest = rest;
        self.at += self.width;
        Some(Ok(value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.rest.len() / self.width))
    }
}

impl std::iter::FusedIterator for IntsetIter<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::testing::{check_blob, hex};

    fn read(bytes: &[u8]) -> Result<Vec<i64>, Flaw> {
        Intset::new(bytes)?.iter().collect()
    }

    /// Name, blob, and the members or the offset of the flaw.
    type Case<'a> = (&'a str, &'a str, Result<&'a [i64], usize>);

    #[test]
    fn blobs_read_or_name_the_broken_rule() {
        let table: &[Case<'_>] = &[
            (
                "server, width 2",
                "02000000 03000000 fdff 0100 0200",
                Ok(&[-3, 1, 2]),
            ),
            (
                "server, width 4",
                "04000000 02000000 01000000 70110100",
                Ok(&[1, 70000]),
            ),
            (
                "server, width 8",
                "08000000 02000000 0100000000000000 00f2052a01000000",
                Ok(&[1, 5_000_000_000]),
            ),
            ("wider than needed", "04000000 01000000 01000000", Ok(&[1])),
            ("no header", "02000000 030000", Err(0)),
            ("width 3", "03000000 01000000 010000", Err(0)),
            ("width 0", "00000000 01000000", Err(0)),
            ("empty", "02000000 00000000", Err(4)),
            ("one short", "02000000 02000000 0100", Err(4)),
            ("one too many", "02000000 01000000 0100 0200", Err(4)),
            ("count beyond any memory", "08000000 ffffffff 0100", Err(4)),
            ("twice the same", "02000000 02000000 0100 0100", Err(10)),
            ("descending", "02000000 03000000 0100 0200 ffff", Err(12)),
        ];
        for (name, blob, expected) in table {
            let result = read(&hex(blob));
            match expected {
                Ok(members) => assert_eq!(result.as_deref(), Ok(*members), "{name}"),
                Err(at) => {
                    let flaw = result.expect_err(name);
                    assert_eq!((flaw.code(), flaw.at()), (Code::BadIntset, *at), "{name}");
                }
            }
        }
    }

    #[test]
    fn damage_is_survived() {
        for members in [&[-3, 1, 2][..], &[1, 70000], &[i64::MIN, 0, i64::MAX]] {
            let mut blob = Vec::new();
            Intset::encode_into(members, &mut blob).unwrap();
            check_blob(&blob, |bytes| read(bytes).map(|members| members.len()));
        }
    }

    #[test]
    fn encode_into_refuses_what_is_no_set() {
        for members in [&[][..], &[1, 1], &[2, 1]] {
            let mut out = vec![7];
            assert!(Intset::encode_into(members, &mut out).is_err());
            assert_eq!(out, [7]);
        }
    }

    proptest! {
        #[test]
        fn members_survive_a_round_trip(
            members in prop::collection::btree_set(any::<i64>(), 1..50), shift in 0..60_u32
        ) {
            let members: std::collections::BTreeSet<i64> =
                members.into_iter().map(|member| member >> shift).collect();
            let members: Vec<i64> = members.into_iter().collect();
            let mut blob = Vec::new();
            Intset::encode_into(&members, &mut blob).unwrap();
            prop_assert_eq!(blob.len(), Intset::encoded_len(&members));
            prop_assert_eq!(read(&blob).unwrap(), members);
        }
    }
}
