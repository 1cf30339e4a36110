//! The bytes of an input: mapped, or through a window.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::bytes::map::Map;
use crate::bytes::source::{Source, StreamSource};

/// Where the bytes of an input come from.
#[derive(Debug)]
#[non_exhaustive]
pub enum ByteSource {
    /// A mapped file.
    Mapped(MappedSource),
    /// A file, a pipe or a decompressor.
    Stream(StreamSource<Box<dyn Read + Send>>),
}

/// Bytes of an input that another thread may keep.
#[derive(Debug)]
#[non_exhaustive]
pub enum SharedBytes {
    /// A part of a mapped file.
    Mapped(MappedBytes),
    /// A copy of a window's bytes.
    Owned(Vec<u8>),
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            SharedBytes::Mapped(bytes) => bytes.as_ref(),
            SharedBytes::Owned(bytes) => bytes,
        }
    }
}

impl Source for ByteSource {
    type Shared = SharedBytes;

    fn data(&self) -> &[u8] {
        match self {
            ByteSource::Mapped(source) => source.data(),
            ByteSource::Stream(source) => source.data(),
        }
    }

    fn is_final(&self) -> bool {
        match self {
            ByteSource::Mapped(source) => source.is_final(),
            ByteSource::Stream(source) => source.is_final(),
        }
    }

    fn consume(&mut self, n: usize) {
        match self {
            ByteSource::Mapped(source) => source.consume(n),
            ByteSource::Stream(source) => source.consume(n),
        }
    }

    fn share(&mut self, n: usize) -> SharedBytes {
        match self {
            ByteSource::Mapped(source) => SharedBytes::Mapped(source.share(n)),
            ByteSource::Stream(source) => SharedBytes::Owned(source.share(n)),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        match self {
            ByteSource::Mapped(source) => source.fill(),
            ByteSource::Stream(source) => source.fill(),
        }
    }

    fn look_back(&self) -> Option<&[u8]> {
        match self {
            ByteSource::Mapped(source) => source.look_back(),
            ByteSource::Stream(source) => source.look_back(),
        }
    }
}

/// What is left of a mapped file.
#[derive(Clone, Debug)]
pub struct MappedSource {
    map: Arc<Map>,
    start: usize,
    at: usize,
    /// Up to here pages were given back to the system.
    released: usize,
    /// Up to here nobody has them any more.
    unused: usize,
    /// Where shared parts end, and whether somebody has them still.
    shared: VecDeque<(usize, Weak<()>)>,
    read: Arc<AtomicU64>,
}

impl MappedSource {
    pub(super) fn new(map: Arc<Map>, at: usize, read: Arc<AtomicU64>) -> Self {
        let mut source = MappedSource {
            map,
            start: at,
            at: 0,
            released: 0,
            unused: 0,
            shared: VecDeque::new(),
            read,
        };
        source.consume(at);
        source
    }

    /// The whole map: whoever keeps it can borrow from it for as long.
    #[must_use]
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// Gives back pages that were read and are in nobody's hands.
    fn release(&mut self) {
        const STEP_BYTES: usize = 16 << 20;
        while let Some((end, user)) = self.shared.front()
            && user.strong_count() == 0
        {
            self.unused = *end;
            self.shared.pop_front();
        }
        if self.shared.is_empty() {
            self.unused = self.at;
        }
        if self.unused - self.released >= STEP_BYTES {
            self.map.release(self.released..self.unused);
            self.released = self.unused;
        }
    }

    /// Where in the map the bytes begin that are not consumed yet.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}

/// A part of a mapped file, which stays mapped for as long.
#[derive(Clone, Debug)]
pub struct MappedBytes {
    map: Arc<Map>,
    range: Range<usize>,
    _user: Arc<()>,
}

impl AsRef<[u8]> for MappedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.map.bytes()[self.range.clone()]
    }
}

impl Source for MappedSource {
    type Shared = MappedBytes;

    fn look_back(&self) -> Option<&[u8]> {
        self.map.bytes().get(self.start..)
    }

    fn data(&self) -> &[u8] {
        &self.map.bytes()[self.at..]
    }

    fn is_final(&self) -> bool {
        true
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.map.bytes().len() - self.at);
        self.at += n;
        self.release();
        self.read.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn share(&mut self, n: usize) -> MappedBytes {
        let start = self.at;
        let user = Arc::new(());
        self.shared.push_back((start + n, Arc::downgrade(&user)));
        self.consume(n);
        MappedBytes {
            map: Arc::clone(&self.map),
            range: start..self.at,
            _user: user,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        Ok(())
    }
}
