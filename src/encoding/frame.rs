//! What ziplists and listpacks have around their elements.
//!
//! ```text
//! total bytes: u32 LE | … | count: u16 LE | elements | FF
//! ```
//!
//! The count is the last of the header; 65535 means "go and count".

use crate::error::{Code, Flaw};

pub(super) const TERMINATOR: u8 = 0xff;
const UNKNOWN_COUNT: u16 = u16::MAX;

/// A blob with a header of `HEADER` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a, const HEADER: usize> {
    /// What the count says, known or not.
    declared: u16,
    /// The elements, without the terminator.
    pub(super) elements: &'a [u8],
}

impl<'a, const HEADER: usize> Frame<'a, HEADER> {
    /// Where the count stands.
    pub(super) const COUNT_AT: usize = HEADER - size_of::<u16>();

    /// Checks total and terminator.
    pub(super) fn new(bytes: &'a [u8], code: Code) -> Result<Self, Flaw> {
        let (Some(total), Some(declared), Some([elements @ .., last])) = (
            u32_at(bytes, 0),
            u16_at(bytes, Self::COUNT_AT),
            bytes.get(HEADER..),
        ) else {
            let what = "a header and a terminator";
            return Err(Flaw::new(code, 0, what, HEADER + 1, bytes.len()));
        };
        if u64::from(total) != bytes.len() as u64 {
            let total = total as usize;
            return Err(Flaw::new(code, 0, "total bytes", bytes.len(), total));
        }
        if *last != TERMINATOR {
            let at = bytes.len() - 1;
            return Err(Flaw::new(code, at, "a terminator", TERMINATOR, *last));
        }
        Ok(Frame { declared, elements })
    }

    /// Number of elements according to the header, if it says.
    pub(super) fn declared_len(&self) -> Option<usize> {
        (self.declared != UNKNOWN_COUNT).then_some(usize::from(self.declared))
    }

    /// Offset of the terminator in the blob.
    pub(super) fn end(&self) -> usize {
        HEADER + self.elements.len()
    }

    /// Adds the terminator to a header of any content and its elements, and writes total and
    /// count into the header; `None` if it is larger than the header can say.
    pub(super) fn close(mut blob: Vec<u8>, count: usize) -> Option<Vec<u8>> {
        blob.push(TERMINATOR);
        let total = u32::try_from(blob.len()).ok()?;
        let count = u16::try_from(count).unwrap_or(UNKNOWN_COUNT);
        let header = blob.first_chunk_mut::<HEADER>()?;
        header[..4].copy_from_slice(&total.to_le_bytes());
        header[Self::COUNT_AT..].copy_from_slice(&count.to_le_bytes());
        Some(blob)
    }
}

/// A little-endian `u32` at a fixed place of a header.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

/// A little-endian `u16` at a fixed place of a header.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*two))
}
