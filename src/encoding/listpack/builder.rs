//! Builds listpacks; the layout is on the page of [`Listpack`](super::Listpack).

use super::{HEADER_BYTES, TWO_BACKLENS};
use crate::bytes::Text;
use crate::encoding::canonical_i64;
use crate::encoding::frame::Frame;

/// How wide a backlen is where releases differ, see the page of [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BacklenWidth {
    /// One byte more than needed at the three odd sizes: Redis until 8.6, Valkey until 9.0.
    Wide,
    /// Never more than needed: Redis since 8.8, Valkey since 9.1.
    Minimal,
}

/// Builds a listpack, element by element.
///
/// ```
/// use rdbkit::encoding::listpack::{BacklenWidth, ListpackBuilder};
///
/// let mut builder = ListpackBuilder::new(BacklenWidth::Wide);
/// builder.push(b"a");
/// builder.push(b"300");
/// assert_eq!(builder.finish().unwrap(), b"\x0d\0\0\0\x02\0\x81a\x02\xc1\x2c\x02\xff");
/// ```
#[derive(Clone, Debug)]
pub struct ListpackBuilder {
    out: Vec<u8>,
    count: usize,
    backlen_width: BacklenWidth,
}

impl ListpackBuilder {
    /// Starts an empty listpack.
    #[must_use]
    pub fn new(backlen_width: BacklenWidth) -> Self {
        Self::reuse(Vec::new(), backlen_width)
    }

    /// Starts an empty listpack in a buffer, whose contents are dropped.
    #[must_use]
    pub fn reuse(mut buffer: Vec<u8>, backlen_width: BacklenWidth) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&[0; HEADER_BYTES]);
        ListpackBuilder {
            out: buffer,
            count: 0,
            backlen_width,
        }
    }

    /// Appends a string, as an integer if it is the text of one.
    pub fn push(&mut self, bytes: &[u8]) {
        match canonical_i64(bytes) {
            Some(value) => self.push_int(value),
            None => self.push_string(bytes),
        }
    }

    /// Appends an integer.
    pub fn push_int(&mut self, value: i64) {
        let start = self.out.len();
        self.out.extend_from_slice(encode_int(value).as_bytes());
        self.end_element(start);
    }

    /// Appends an element of another listpack or collection.
    pub fn push_text(&mut self, text: Text<'_>) {
        match text {
            Text::Int(value) => self.push_int(value),
            Text::Bytes(bytes) => self.push(bytes),
        }
    }

    fn push_string(&mut self, bytes: &[u8]) {
        let start = self.out.len();
        let len = bytes.len();
        self.out.push(string_lead(len));
        match len {
            0..64 => {}
            64..4096 => self.out.push(len as u8),
            // A longer string makes `finish` refuse the whole.
            _ => self.out.extend_from_slice(&(len as u32).to_le_bytes()),
        }
        self.out.extend_from_slice(bytes);
        self.end_element(start);
    }

    fn end_element(&mut self, start: usize) {
        let size = self.out.len() - start;
        let mut width = backlen_width(size);
        if self.backlen_width == BacklenWidth::Wide && TWO_BACKLENS.contains(&size) {
            width += 1;
        }
        self.out
            .extend_from_slice(Backlen::of(size, width).as_bytes());
        self.count += 1;
    }

    /// Appends all elements of another builder, which has backlens of the same width.
    pub(crate) fn append(&mut self, other: &ListpackBuilder) {
        self.out.extend_from_slice(&other.out[HEADER_BYTES..]);
        self.count += other.count;
    }

    /// Drops all elements and keeps the buffer.
    pub(crate) fn clear(&mut self) {
        self.out.truncate(HEADER_BYTES);
        self.count = 0;
    }

    /// Number of elements so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no elements yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Size of the listpack, were it finished now.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.out.len() + 1
    }

    /// The listpack; `None` if it is larger than its header can say.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        Frame::<HEADER_BYTES>::close(self.out, self.count)
    }
}

/// The least number of backlen bytes.
pub(super) fn backlen_width(size: usize) -> usize {
    match size {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

pub(super) struct Backlen {
    bytes: [u8; 5],
    pub(super) width: usize,
}

impl Backlen {
    pub(super) fn of(size: usize, width: usize) -> Self {
        let mut bytes = [0; 5];
        let mut left = size;
        for byte in bytes[..width].iter_mut().rev() {
            *byte = 0x80 | (left & 127) as u8;
            left >>= 7;
        }
        bytes[0] &= 127;
        Backlen { bytes, width }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.width]
    }
}

/// An integer in one of its forms.
pub(super) struct EncodedInt {
    bytes: [u8; 9],
    len: usize,
}

impl EncodedInt {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The shortest form of an integer, without backlen.
pub(super) fn encode_int(value: i64) -> EncodedInt {
    let mut bytes = [0; 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    let lead = int_lead(value);
    bytes[0] = lead;
    let len = match lead {
        0..=0x7f => 1,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        0xf4 => 9,
        _ => {
            bytes[1] = value as u8;
            2
        }
    };
    EncodedInt { bytes, len }
}

/// First byte of the shortest form of an integer.
#[inline]
pub(super) fn int_lead(value: i64) -> u8 {
    match value {
        0..=127 => value as u8,
        -4096..=4095 => 0xc0 | (value >> 8) as u8 & 31,
        -0x8000..=0x7fff => 0xf1,
        -0x80_0000..=0x7f_ffff => 0xf2,
        -0x8000_0000..=0x7fff_ffff => 0xf3,
        _ => 0xf4,
    }
}

/// First byte of the shortest header for a string.
#[inline]
pub(super) fn string_lead(len: usize) -> u8 {
    match len {
        0..64 => 0x80 | len as u8,
        64..4096 => 0xe0 | (len >> 8) as u8,
        _ => 0xf0,
    }
}
