//! The bytes of an input: of a mapped file, or of a stream through a window.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::window::{Window, WindowBytes};
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
    /// What was read of one.
    Read(WindowBytes),
    /// A copy of what a stream's window has.
    Owned(Vec<u8>),
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            SharedBytes::Mapped(bytes) => bytes.as_ref(),
            SharedBytes::Read(bytes) => bytes.as_ref(),
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
            ByteSource::Mapped(source) => source.share(n),
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

    fn open_window(&mut self) {
        match self {
            ByteSource::Mapped(source) => source.open_window(),
            ByteSource::Stream(source) => source.open_window(),
        }
    }

    fn close_window(&mut self) {
        match self {
            ByteSource::Mapped(source) => source.close_window(),
            ByteSource::Stream(source) => source.close_window(),
        }
    }
}

/// What is left of a mapped file: the map's bytes, or, with a window open, those that fit it.
#[derive(Debug)]
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
    window: Option<Window>,
    /// One record is larger than the window: it is looked at in the map.
    is_beyond_window: bool,
}

/// The same bytes again, without a window.
impl Clone for MappedSource {
    fn clone(&self) -> Self {
        MappedSource {
            map: Arc::clone(&self.map),
            start: self.start,
            at: self.at,
            released: self.released,
            unused: self.unused,
            shared: self.shared.clone(),
            read: Arc::clone(&self.read),
            window: None,
            is_beyond_window: false,
        }
    }
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
            window: None,
            is_beyond_window: false,
        };
        source.consume(at);
        source
    }

    /// The whole map: whoever keeps it can borrow from it for as long.
    #[must_use]
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    fn window_in_use(&self) -> Option<&Window> {
        self.window.as_ref().filter(|_| !self.is_beyond_window)
    }

    fn move_on(&mut self, n: usize) {
        self.at += n;
        self.release();
        self.read.fetch_add(n as u64, Ordering::Relaxed);
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
    type Shared = SharedBytes;

    fn look_back(&self) -> Option<&[u8]> {
        self.map.bytes().get(self.start..)
    }

    fn data(&self) -> &[u8] {
        match self.window_in_use() {
            Some(window) => window.bytes(),
            None => &self.map.bytes()[self.at..],
        }
    }

    fn is_final(&self) -> bool {
        self.at + self.data().len() == self.map.bytes().len()
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.map.bytes().len() - self.at);
        if n == 0 {
            // A record beyond the window that is not complete in the map either is not tried again.
            return;
        }
        if let Some(window) = &mut self.window {
            match self.is_beyond_window {
                true => window.clear(),
                false => window.consume(n),
            }
        }
        self.is_beyond_window = false;
        self.move_on(n);
    }

    fn share(&mut self, n: usize) -> SharedBytes {
        if !self.is_beyond_window
            && let Some(window) = &mut self.window
        {
            let bytes = window.share(n);
            self.move_on(n);
            return SharedBytes::Read(bytes);
        }
        let start = self.at;
        let user = Arc::new(());
        self.shared.push_back((start + n, Arc::downgrade(&user)));
        self.consume(n);
        SharedBytes::Mapped(MappedBytes {
            map: Arc::clone(&self.map),
            range: start..self.at,
            _user: user,
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        let Some(window) = &mut self.window else {
            return Ok(());
        };
        if window.is_full() {
            self.is_beyond_window = true;
            return Ok(());
        }
        match window.fill(self.map.file(), self.at, self.map.bytes().len()) {
            // The map tells of a file that has become shorter.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => self.is_beyond_window = true,
            filled => filled?,
        }
        Ok(())
    }

    fn open_window(&mut self) {
        // What fits a window is one piece in the map already.
        if cfg!(unix) && self.data().len() > Window::BYTES {
            self.window = Some(Window::new());
        }
    }

    fn close_window(&mut self) {
        self.window = None;
        self.is_beyond_window = false;
    }
}
