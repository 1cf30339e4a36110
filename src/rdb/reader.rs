//! Readers: a whole file, item by item.
//!
//! [`Items`] iterates over a slice and lends nothing of its own: keys and values
//! live as long as the slice. [`RdbReader`] takes any [`Source`] and passes items
//! to a closure, so that a pipe needs only a window. Both frame with
//! [`super::frame::next_item`] and check the CRC64 unless told otherwise.

use std::io::Read;
use std::ops::Range;

use super::dialect::Dialect;
use super::frame::{Checksum, Item, PlainString, State, next_item, plain_string};
use crate::bytes::crc64::Crc64;
use crate::bytes::source::{SliceSource, Source, StreamSource};
use crate::error::{Error, ErrorKind, Fail, Result};

/// What to do about the CRC64 at the end of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumMode {
    /// A mismatch is an error.
    #[default]
    Require,
    /// A mismatch is reported in [`Item::End`] only.
    Report,
    /// Nothing is computed.
    Skip,
}

/// Whatever passes items on: a file of many keys, or a DUMP payload of one.
pub trait ReadItems {
    /// Passes every item and the range of offsets that it takes to `f`, up to and including the end.
    ///
    /// # Errors
    /// The first broken rule of the frame, an I/O error, a checksum that differs, or what `f` returned.
    fn for_each(&mut self, mut f: impl FnMut(&Item<'_>, Range<u64>) -> Result<()>) -> Result<()> {
        self.for_each_raw(|item, _bytes, span| f(item, span))
    }

    /// As [`for_each`](Self::for_each), with the bytes that the item takes.
    ///
    /// # Errors
    /// As [`for_each`](Self::for_each).
    fn for_each_raw(
        &mut self,
        f: impl FnMut(&Item<'_>, &[u8], Range<u64>) -> Result<()>,
    ) -> Result<()>;

    /// Offset of what comes next.
    fn offset(&self) -> u64;

    /// Family and version, once they were read.
    fn dialect(&self) -> Option<Dialect>;

    /// The database that was selected last.
    fn db(&self) -> u32;

    /// All bytes from the beginning, if they are still to be had; index 0 is where reading began.
    fn look_back(&self) -> Option<&[u8]>;
}

/// Looks at items.
pub(crate) trait Visit {
    /// Whether [`plain_string`](Self::plain_string) is of use; asking costs a little.
    const TAKES_PLAIN_STRINGS: bool;

    /// Looks at a key with a plain string that takes so many bytes; `false` wants it as an item.
    fn plain_string(&mut self, string: &PlainString<'_>, bytes: usize) -> Result<bool>;

    /// Looks at an item, as [`ReadItems::for_each_raw`] passes it on.
    fn item(&mut self, item: &Item<'_>, bytes: &[u8], span: Range<u64>) -> Result<()>;
}

/// Wants all items as they are.
struct Each<F>(F);

impl<F: FnMut(&Item<'_>, &[u8], Range<u64>) -> Result<()>> Visit for Each<F> {
    const TAKES_PLAIN_STRINGS: bool = false;

    fn plain_string(&mut self, _string: &PlainString<'_>, _bytes: usize) -> Result<bool> {
        Ok(false)
    }

    #[inline]
    fn item(&mut self, item: &Item<'_>, bytes: &[u8], span: Range<u64>) -> Result<()> {
        (self.0)(item, bytes, span)
    }
}

/// Offers a visitor the next item if it is a plain string; its size, if it was taken.
#[inline(always)]
fn visit_plain<V: Visit>(
    visitor: &mut V,
    state: &State,
    input: &[u8],
    end_offset: u64,
) -> Result<Option<usize>> {
    if V::TAKES_PLAIN_STRINGS
        && let Some((size, string)) = plain_string(state, input, end_offset)
        && visitor.plain_string(&string, size)?
    {
        return Ok(Some(size));
    }
    Ok(None)
}

/// Reads an RDB from any source and passes its items on.
///
/// ```
/// use rdbkit::rdb::{Item, RdbReader, ReadItems as _};
///
/// let file = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff";
/// let mut keys = 0;
/// RdbReader::from_read(&file[..]).for_each(|item, _span| {
///     keys += u32::from(matches!(item, Item::Key(_)));
///     Ok(())
/// })?;
/// assert_eq!(keys, 1);
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct RdbReader<S> {
    source: S,
    state: State,
    offset: u64,
    checksum: ChecksumMode,
    /// What stopped the last cut, behind the items that it has handed out.
    stopped: Option<Error>,
}

impl<'a> RdbReader<SliceSource<'a>> {
    /// Reads from memory.
    #[must_use]
    pub fn from_slice(bytes: &'a [u8]) -> Self {
        RdbReader::new(SliceSource::new(bytes))
    }
}

impl<R: Read> RdbReader<StreamSource<R>> {
    /// Reads from a stream through a window as large as its largest record.
    pub fn from_read(stream: R) -> Self {
        RdbReader::new(StreamSource::new(stream))
    }
}

impl<S: Source> RdbReader<S> {
    /// Reads from a source.
    pub fn new(source: S) -> Self {
        RdbReader {
            source,
            state: State::new(),
            offset: 0,
            checksum: ChecksumMode::Require,
            stopped: None,
        }
    }

    /// Says where in the file the source begins, so that errors name the right offset.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Says what to do about the checksum.
    #[must_use]
    pub fn checksum(mut self, mode: ChecksumMode) -> Self {
        self.checksum = mode;
        self
    }

    /// The source, at the first byte that is not part of the RDB.
    pub fn into_source(self) -> S {
        self.source
    }
}

impl<S: Source> ReadItems for RdbReader<S> {
    fn offset(&self) -> u64 {
        self.offset
    }

    fn dialect(&self) -> Option<Dialect> {
        self.state.dialect()
    }

    fn db(&self) -> u32 {
        self.state.db()
    }

    fn look_back(&self) -> Option<&[u8]> {
        self.source.look_back()
    }

    fn for_each_raw(
        &mut self,
        f: impl FnMut(&Item<'_>, &[u8], Range<u64>) -> Result<()>,
    ) -> Result<()> {
        match self.is_hashing() {
            true => self.with_window(|reader| reader.visit_from(Crc64::new(), &mut Each(f))),
            // What is jumped over need not be read.
            false => self.visit_from(Crc64::new(), &mut Each(f)),
        }
    }
}

impl<S: Source> RdbReader<S> {
    /// As `for_each_raw`, behind bytes that were cut off and have the checksum `crc`.
    pub(crate) fn visit_from(&mut self, mut crc: Crc64, visitor: &mut impl Visit) -> Result<()> {
        /// How much is framed before it is hashed: long enough for the CRC kernel, short
        /// enough to be still in cache.
        const STRIDE_BYTES: usize = 128 * 1024;
        while !self.state.ended {
            let data = self.source.data();
            let end_offset = self.offset + data.len() as u64;
            let (mut used, mut hashed) = (0, 0);
            let mut stop = None;
            while used < STRIDE_BYTES && !self.state.ended && stop.is_none() {
                let input = &data[used..];
                if let Some(size) = visit_plain(visitor, &self.state, input, end_offset)? {
                    used += size;
                    continue;
                }
                // Looked at in place: an item is large, and moving it costs as much as
                // framing a small key.
                let mut parsed = next_item(&mut self.state, input, end_offset);
                match &mut parsed {
                    Ok((rest, item)) => {
                        let span = self.offset + used as u64..end_offset - rest.len() as u64;
                        let bytes = &data[used..data.len() - rest.len()];
                        used = data.len() - rest.len();
                        let Item::End { checksum, .. } = item else {
                            visitor.item(item, bytes, span)?;
                            continue;
                        };
                        if self.checksum != ChecksumMode::Skip {
                            let stored_bytes = match checksum {
                                Checksum::Absent => 0,
                                _ => size_of::<u64>(),
                            };
                            crc.update(&data[..used - stored_bytes]);
                            hashed = used;
                            *checksum = checksum.compare(crc.finish());
                        }
                        let mismatch = mismatch_error(item, self.checksum, span.end);
                        visitor.item(item, bytes, span)?;
                        mismatch?;
                    }
                    Err(_) => stop = parsed.err(),
                }
            }
            if self.checksum != ChecksumMode::Skip {
                crc.update(&data[hashed..used]);
            }
            self.offset += used as u64;
            self.source.consume(used);
            if let Some(stop) = stop {
                self.read_on(stop, end_offset)?;
            }
        }
        Ok(())
    }

    /// Gets more bytes if that is what an item lacks.
    fn read_on(&mut self, stop: nom::Err<Fail>, end_offset: u64) -> Result<()> {
        match stop {
            nom::Err::Incomplete(needed) if self.source.is_final() => {
                Err(cut_short(needed, end_offset))
            }
            nom::Err::Incomplete(_) => self
                .source
                .fill()
                .map_err(|e| Error::io("cannot read", e).at_offset(end_offset)),
            nom::Err::Error(fail) | nom::Err::Failure(fail) => Err(fail.locate(end_offset)),
        }
    }

    /// Cuts off whole items of `min_bytes` together, for another thread to look at.
    ///
    /// It is one item if that is larger, and less in front of an error and of the end of the
    /// file. `None`: the end of the file is next, for [`visit_from`](Self::visit_from). What is
    /// no key is passed to `observe`.
    ///
    /// # Errors
    /// The first broken rule of the frame, or an I/O error.
    pub(crate) fn cut(
        &mut self,
        min_bytes: usize,
        mut observe: impl FnMut(&Item<'_>),
    ) -> Result<Option<Batch<S::Shared>>> {
        if let Some(error) = self.stopped.take() {
            return Err(error);
        }
        let state = self.state.clone();
        let mut used = 0;
        loop {
            let data = self.source.data();
            let end_offset = self.offset + data.len() as u64;
            let mut stop = None;
            while used < min_bytes && !self.state.ended && stop.is_none() {
                if let Some((size, _)) = plain_string(&self.state, &data[used..], end_offset) {
                    used += size;
                    continue;
                }
                let parsed = next_item(&mut self.state, &data[used..], end_offset);
                match &parsed {
                    Ok((_, Item::End { .. })) => {}
                    Ok((rest, item)) => {
                        used = data.len() - rest.len();
                        if !matches!(item, Item::Key(_)) {
                            observe(item);
                        }
                    }
                    Err(_) => stop = parsed.err(),
                }
            }
            // The end is not cut off: it is read again, once all before it is hashed.
            let is_end = std::mem::take(&mut self.state.ended);
            let goes_on = match stop {
                Some(stop) => self.read_on(stop, end_offset),
                None if is_end && used == 0 => return Ok(None),
                None => Ok(()),
            };
            match goes_on {
                Ok(()) if used < min_bytes && !is_end => continue,
                Ok(()) => {}
                Err(error) if used == 0 => return Err(error),
                Err(error) => self.stopped = Some(error),
            }
            let offset = self.offset;
            self.offset += used as u64;
            let bytes = self.source.share(used);
            return Ok(Some(Batch {
                state,
                bytes,
                offset,
            }));
        }
    }

    /// Does something that reads all of the file.
    pub(crate) fn with_window<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        self.source.open_window();
        let outcome = read(self);
        self.source.close_window();
        outcome
    }

    /// Whether all that is left is in memory and no more than this.
    pub(crate) fn is_within(&self, bytes: usize) -> bool {
        self.source.is_final() && self.source.data().len() <= bytes
    }

    /// Whether a checksum is wanted.
    pub(crate) fn is_hashing(&self) -> bool {
        self.checksum != ChecksumMode::Skip
    }
}

/// Whole items cut off from a file, and what was known in front of them.
#[derive(Debug)]
pub(crate) struct Batch<B> {
    state: State,
    bytes: B,
    offset: u64,
}

impl<B: AsRef<[u8]>> Batch<B> {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// As [`RdbReader::visit_from`] would of the file.
    pub(crate) fn visit(&self, visitor: &mut impl Visit) -> Result<()> {
        let data = self.bytes.as_ref();
        let end_offset = self.offset + data.len() as u64;
        let mut state = self.state.clone();
        let mut used = 0;
        while used < data.len() {
            let input = &data[used..];
            if let Some(size) = visit_plain(visitor, &state, input, end_offset)? {
                used += size;
                continue;
            }
            // Errors come only from bytes that changed since they were framed.
            match &next_item(&mut state, input, end_offset) {
                Ok((rest, item)) => {
                    let span = self.offset + used as u64..end_offset - rest.len() as u64;
                    let bytes = &data[used..data.len() - rest.len()];
                    used = data.len() - rest.len();
                    visitor.item(item, bytes, span)?;
                }
                Err(nom::Err::Incomplete(needed)) => return Err(cut_short(*needed, end_offset)),
                Err(nom::Err::Error(fail) | nom::Err::Failure(fail)) => {
                    return Err(fail.clone().locate(end_offset));
                }
            }
        }
        Ok(())
    }
}

fn mismatch_error(item: &Item<'_>, mode: ChecksumMode, end_offset: u64) -> Result<()> {
    match (item, mode) {
        (
            &Item::End {
                checksum: Checksum::Mismatch { stored, computed },
                ..
            },
            ChecksumMode::Require,
        ) => {
            let crc_offset = end_offset - size_of::<u64>() as u64;
            Err(Error::new(ErrorKind::ChecksumMismatch { stored, computed }).at_offset(crc_offset))
        }
        _ => Ok(()),
    }
}

#[cold]
fn cut_short(needed: nom::Needed, end_offset: u64) -> Error {
    let needed = match needed {
        nom::Needed::Unknown => 0,
        nom::Needed::Size(n) => n.get() as u64,
    };
    Error::new(ErrorKind::UnexpectedEof { needed }).at_offset(end_offset)
}

/// Iterates over the items of an RDB in memory.
///
/// After an error there are no more items. The checksum is compared when
/// [`Item::End`] is reached; a mismatch is an error in its place.
///
/// ```
/// use rdbkit::rdb::{Item, Items};
///
/// let file = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff";
/// let items = Items::new(file).collect::<Result<Vec<_>, _>>()?;
/// assert!(matches!(&items[2], Item::Key(record) if record.db == 0));
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Items<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
    state: State,
    failed: bool,
}

impl<'a> Items<'a> {
    /// Starts at the magic.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Items {
            whole: bytes,
            rest: bytes,
            state: State::new(),
            failed: false,
        }
    }

    /// What follows the RDB once its end was reached: nothing, or the log of a hybrid AOF.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn next_checked(&mut self) -> Result<Item<'a>> {
        let end_offset = self.whole.len() as u64;
        let (rest, item) = match next_item(&mut self.state, self.rest, end_offset) {
            Ok(parsed) => parsed,
            Err(nom::Err::Incomplete(needed)) => return Err(cut_short(needed, end_offset)),
            Err(nom::Err::Error(fail) | nom::Err::Failure(fail)) => {
                return Err(fail.locate(end_offset));
            }
        };
        self.rest = rest;
        let Item::End {
            checksum: checksum @ Checksum::Unchecked(_),
            key_expected,
        } = item
        else {
            return Ok(item);
        };
        let used = self.whole.len() - rest.len();
        let computed = crate::bytes::crc64::crc64(&self.whole[..used - size_of::<u64>()]);
        let item = Item::End {
            checksum: checksum.compare(computed),
            key_expected,
        };
        mismatch_error(&item, ChecksumMode::Require, used as u64).map(|()| item)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.state.ended {
            return None;
        }
        let item = self.next_checked();
        self.failed = item.is_err();
        Some(item)
    }
}
