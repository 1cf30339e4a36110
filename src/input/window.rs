//! What is read of a mapped file front to back, through a window.
//!
//! Mapping a page of a file that the system has in memory costs more than copying it: a fault
//! for every few pages, and tables that all threads of the process change in turn. A window that
//! fits the cache of a processor also has the bytes there when they are looked at.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::BATCH_BYTES;

/// A part of a file that moves on, [`BYTES`](Self::BYTES) of it at most.
pub(super) struct Window {
    buffer: Buffer,
    /// What of the buffer is read and not consumed.
    held: Range<usize>,
    spare: Spare,
}

type Buffer = Box<[u8]>;

/// Buffers that were handed out and came back.
type Spare = Arc<Mutex<Vec<Buffer>>>;

impl Window {
    /// A batch, and room for the rest of its last record. There is such a buffer for each thread,
    /// and one that is being filled.
    pub(super) const BYTES: usize = 2 * BATCH_BYTES;
    /// What is read at a time for that rest.
    const REST_BYTES: usize = BATCH_BYTES / 4;

    pub(super) fn new() -> Self {
        Window {
            buffer: new_buffer(),
            held: 0..0,
            spare: Spare::default(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.held.clone()]
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.held.start = self.held.end.min(self.held.start + n);
    }

    /// Forgets what it holds.
    pub(super) fn clear(&mut self) {
        self.held = 0..0;
    }

    pub(super) fn is_full(&self) -> bool {
        self.held.len() == self.buffer.len()
    }

    /// Reads on in the file, as far as `end`; what is held stands at `start` there.
    ///
    /// # Errors
    /// Reading failed; `UnexpectedEof` if the file has become shorter.
    pub(super) fn fill(&mut self, file: &File, start: usize, end: usize) -> io::Result<()> {
        self.buffer.copy_within(self.held.clone(), 0);
        self.held = 0..self.held.len();
        let at = start + self.held.end;
        let room = &mut self.buffer[self.held.end..];
        let wanted = match BATCH_BYTES.saturating_sub(self.held.end) {
            0 => Self::REST_BYTES,
            rest_of_batch => rest_of_batch,
        };
        let size = wanted.min(room.len()).min(end - at);
        read_exact_at(file, &mut room[..size], at as u64)?;
        self.held.end += size;
        Ok(())
    }

    /// Hands out the first `n` bytes. Of these and the others the smaller part is copied.
    pub(super) fn share(&mut self, n: usize) -> WindowBytes {
        let other = lock(&self.spare).pop();
        let mut other = other.unwrap_or_else(new_buffer);
        let shared = self.held.start..self.held.start + n;
        let kept = shared.end..self.held.end;
        let (buffer, range) = if n < kept.len() {
            other[..n].copy_from_slice(&self.buffer[shared]);
            self.held = kept;
            (other, 0..n)
        } else {
            self.held = 0..kept.len();
            other[self.held.clone()].copy_from_slice(&self.buffer[kept]);
            (std::mem::replace(&mut self.buffer, other), shared)
        };
        WindowBytes {
            buffer,
            range,
            spare: Arc::clone(&self.spare),
        }
    }
}

fn new_buffer() -> Buffer {
    vec![0; Window::BYTES].into_boxed_slice()
}

fn lock(spare: &Spare) -> std::sync::MutexGuard<'_, Vec<Buffer>> {
    // Whoever panicked with the lock has left a list of buffers all the same.
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Here no window is opened, since reading moves the position that the file's other handles share.
#[cfg(not(unix))]
fn read_exact_at(_file: &File, _bytes: &mut [u8], _offset: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// Bytes that a window has handed out; their buffer goes back to it.
pub struct WindowBytes {
    buffer: Buffer,
    range: Range<usize>,
    spare: Spare,
}

impl AsRef<[u8]> for WindowBytes {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

impl fmt::Debug for WindowBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowBytes")
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Drop for WindowBytes {
    fn drop(&mut self) {
        lock(&self.spare).push(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn window_hands_out_what_the_file_has_in_any_portions() {
        let bytes: Vec<u8> = (0..3 * Window::BYTES as u32 + 7)
            .map(|n| (n % 251) as u8)
            .collect();
        let mut temp = tempfile::NamedTempFile::new().unwrap();
        temp.write_all(&bytes).unwrap();
        let file = temp.reopen().unwrap();
        for portion in [1000, 100_000, 200_000, Window::BYTES] {
            let mut window = Window::new();
            let (mut seen, mut kept) = (Vec::new(), Vec::new());
            while seen.len() < bytes.len() {
                if window.bytes().len() < portion {
                    window.fill(&file, seen.len(), bytes.len()).unwrap();
                }
                assert_eq!(window.bytes(), &bytes[seen.len()..][..window.bytes().len()]);
                let n = portion.min(window.bytes().len());
                let shared = window.share(n);
                seen.extend_from_slice(shared.as_ref());
                // A part that somebody keeps is not written to.
                if kept.len() < 3 {
                    kept.push((seen.len() - n, shared));
                }
            }
            assert!(seen == bytes, "portions of {portion}");
            for (at, shared) in kept {
                assert_eq!(shared.as_ref(), &bytes[at..][..shared.as_ref().len()]);
            }
        }
    }

    #[test]
    fn file_that_is_shorter_than_it_was_ends_early() {
        let mut temp = tempfile::NamedTempFile::new().unwrap();
        temp.write_all(b"0123456789").unwrap();
        let mut window = Window::new();
        window.fill(temp.as_file(), 0, 10).unwrap();
        window.consume(3);
        assert_eq!(window.bytes(), b"3456789");
        let error = window.fill(temp.as_file(), 3, 11).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(window.bytes(), b"3456789");
    }
}
