//! Where bytes come from: a slice that holds everything, or a stream through a sliding window.

use std::fmt;
use std::io::{self, Read};

/// Bytes that are read front to back.
pub trait Source {
    /// Bytes that another thread may keep: a part of what is in memory, or what a window had.
    type Shared: AsRef<[u8]> + Send;

    /// What is there and not consumed yet.
    fn data(&self) -> &[u8];

    /// Whether nothing comes after [`Source::data`].
    fn is_final(&self) -> bool;

    /// Forgets the first `n` bytes; of none, nothing changes.
    fn consume(&mut self, n: usize);

    /// Consumes the first `n` bytes and hands them out.
    fn share(&mut self, n: usize) -> Self::Shared;

    /// Gets more, at least one byte unless the end is reached.
    ///
    /// # Errors
    /// Reading failed.
    fn fill(&mut self) -> io::Result<()>;

    /// All bytes from the beginning, consumed ones included, if they are still to be had.
    ///
    /// Index 0 is where the source began; a window forgets what was consumed.
    fn look_back(&self) -> Option<&[u8]> {
        None
    }

    /// Says that from now on all bytes are looked at, front to back, so that a source of which
    /// [`data`](Self::data) is everything may show them through a window if that is faster.
    fn open_window(&mut self) {}

    /// Ends that, at the same place.
    fn close_window(&mut self) {}
}

/// All of the input, in memory or mapped.
#[derive(Clone, Copy, Debug)]
pub struct SliceSource<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> SliceSource<'a> {
    /// Reads these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        SliceSource {
            whole: bytes,
            rest: bytes,
        }
    }
}

impl<'a> Source for SliceSource<'a> {
    type Shared = &'a [u8];

    fn data(&self) -> &[u8] {
        self.rest
    }

    fn is_final(&self) -> bool {
        true
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n..];
    }

    fn share(&mut self, n: usize) -> &'a [u8] {
        let (shared, rest) = self.rest.split_at(n);
        self.rest = rest;
        shared
    }

    fn fill(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn look_back(&self) -> Option<&[u8]> {
        Some(self.whole)
    }
}

/// A stream behind a window that grows only when one record does not fit it.
pub struct StreamSource<R> {
    stream: R,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
}

impl<R> StreamSource<R> {
    /// How much is read at a time, at least.
    const CHUNK_BYTES: usize = 256 * 1024;

    /// Wraps a stream.
    pub fn new(stream: R) -> Self {
        StreamSource {
            stream,
            buffer: Vec::new(),
            start: 0,
            ended: false,
        }
    }
}

impl<R> fmt::Debug for StreamSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSource")
            .field("buffered", &self.data_len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl<R> StreamSource<R> {
    fn data_len(&self) -> usize {
        self.buffer.len() - self.start
    }
}

impl<R: Read> Source for StreamSource<R> {
    type Shared = Vec<u8>;

    fn data(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn is_final(&self) -> bool {
        self.ended
    }

    fn consume(&mut self, n: usize) {
        self.start = self.buffer.len().min(self.start + n);
    }

    fn share(&mut self, n: usize) -> Vec<u8> {
        let shared = self.data()[..n].to_vec();
        self.consume(n);
        shared
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        // Doubling keeps the work linear when one record needs many fills; what a
        // large record needed is given back once it is gone.
        let want = self.buffer.len().max(Self::CHUNK_BYTES);
        if self.buffer.capacity() > 8 * want {
            self.buffer.shrink_to(2 * want);
        }
        self.buffer.reserve(want);
        let read = (&mut self.stream)
            .take(want as u64)
            .read_to_end(&mut self.buffer)?;
        self.ended = read < want;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_source_keeps_what_was_not_consumed() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let mut source = StreamSource::new(&bytes[..]);
        let mut seen = Vec::new();
        while !source.is_final() {
            source.fill().unwrap();
            let take = source.data().len().saturating_sub(7);
            seen.extend_from_slice(&source.data()[..take]);
            source.consume(take);
        }
        seen.extend_from_slice(source.data());
        assert_eq!(seen, bytes);
    }
}
