//! Streams whose first bytes can be seen twice.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The file or pipe itself: counts what is read, and remembers if that failed.
pub(super) struct RawReader {
    stream: Box<dyn Read + Send>,
    failed: Arc<AtomicBool>,
    read: Arc<AtomicU64>,
}

impl RawReader {
    pub(super) fn new(
        stream: Box<dyn Read + Send>,
        failed: Arc<AtomicBool>,
        read: Arc<AtomicU64>,
    ) -> Self {
        RawReader {
            stream,
            failed,
            read,
        }
    }
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(n) => {
                self.read.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            }
            Err(e) => {
                if e.kind() != io::ErrorKind::Interrupted {
                    self.failed.store(true, Ordering::Relaxed);
                }
                Err(e)
            }
        }
    }
}

/// A stream after a look at its head, which is read again first.
pub(super) struct Peeked<R> {
    head: Vec<u8>,
    at: usize,
    /// What stopped the look after some bytes; reported when they are used up.
    stopped: Option<io::Error>,
    stream: R,
}

impl<R: Read> Peeked<R> {
    /// Reads `n` bytes, or all there are.
    ///
    /// # Errors
    /// The very first byte cannot be read.
    pub(super) fn new(mut stream: R, n: usize) -> io::Result<Self> {
        let mut head = Vec::new();
        let stopped = match (&mut stream).take(n as u64).read_to_end(&mut head) {
            Err(e) if head.is_empty() => return Err(e),
            outcome => outcome.err(),
        };
        Ok(Peeked {
            head,
            at: 0,
            stopped,
            stream,
        })
    }

    /// What was looked at.
    pub(super) fn head(&self) -> &[u8] {
        &self.head[self.at..]
    }

    /// What stopped the look after some bytes.
    pub(super) fn take_stopped(&mut self) -> Option<io::Error> {
        self.stopped.take()
    }

    /// Forgets bytes of the head.
    pub(super) fn skip(&mut self, n: usize) {
        self.at = self.head.len().min(self.at + n);
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at < self.head.len() {
            let n = self.head().read(buffer)?;
            self.skip(n);
            if self.at == self.head.len() {
                (self.head, self.at) = (Vec::new(), 0);
            }
            return Ok(n);
        }
        match self.stopped.take() {
            Some(e) => Err(e),
            None => self.stream.read(buffer),
        }
    }
}
