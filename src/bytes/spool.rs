//! A text that goes on in memory and begins in a temporary file, because it is too long.
//!
//! The JSON of one key can be many times as long as the key is in an RDB: a node of a list
//! that is packed to 100 bytes may say 8 KiB. Texts of several keys are made on several
//! threads and written in order, so one that nobody waits for yet has to lie somewhere.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::temporary;
use crate::error::Result;

/// The beginning of a text, in a file without a name.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    file: Option<File>,
    len: u64,
    /// No file could be made or written: texts stay in memory.
    is_refused: bool,
}

impl Spool {
    /// How much is read back at once.
    const BLOCK_BYTES: u64 = 128 << 10;

    /// Bytes in the file.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Puts more of the text behind what is in the file, and empties it; leaves it as it is
    /// where no temporary file can be written.
    pub(crate) fn take_in(&mut self, text: &mut Vec<u8>) {
        if self.is_refused {
            return;
        }
        match self.append(text) {
            Ok(()) => {
                self.len += text.len() as u64;
                text.clear();
            }
            Err(_) => self.is_refused = true,
        }
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        // A write that failed before may have left something behind the end.
        file.seek(SeekFrom::Start(self.len))?;
        file.write_all(text)
    }

    /// Forgets all but the first bytes.
    pub(crate) fn truncate(&mut self, len: u64) {
        self.len = self.len.min(len);
    }

    /// Cuts a text to so many bytes, of which `tail` is what goes on in memory.
    pub(crate) fn cut(&mut self, tail: &mut Vec<u8>, len: u64) {
        let kept = len.saturating_sub(self.len);
        tail.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        self.truncate(len);
    }

    /// Passes on what is in the file, and forgets it.
    ///
    /// # Errors
    /// What `each` returns, and I/O.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = std::mem::take(&mut self.len);
        let Some(mut file) = self.file.take_if(|_| left > 0) else {
            return Ok(());
        };
        file.rewind().map_err(temporary::cannot_read)?;
        let mut block = Vec::new();
        while left > 0 {
            block.clear();
            let wanted = left.min(Self::BLOCK_BYTES);
            let mut part = (&mut file).take(wanted);
            let read = part
                .read_to_end(&mut block)
                .map_err(temporary::cannot_read)?;
            if read as u64 != wanted {
                return Err(temporary::cannot_read(io::ErrorKind::UnexpectedEof.into()));
            }
            each(&block)?;
            left -= wanted;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(spool: &mut Spool) -> Vec<u8> {
        let mut all = Vec::new();
        let mut keep = |block: &[u8]| {
            all.extend_from_slice(block);
            Ok(())
        };
        spool.drain(&mut keep).unwrap();
        all
    }

    #[test]
    fn what_is_taken_in_comes_out_once() {
        let mut spool = Spool::default();
        let mut expected = Vec::new();
        for n in 0..5u8 {
            let mut text = vec![n; 100_000];
            expected.extend_from_slice(&text);
            spool.take_in(&mut text);
            assert!(text.is_empty());
        }
        assert_eq!(spool.len(), 500_000);
        assert_eq!(drained(&mut spool), expected);
        assert_eq!(spool.len(), 0);
        assert_eq!(drained(&mut spool), b"");
    }

    #[test]
    fn what_is_cut_off_is_overwritten() {
        let mut spool = Spool::default();
        spool.take_in(&mut b"to be kept, to be cut off".to_vec());
        spool.truncate(10);
        spool.truncate(100);
        spool.take_in(&mut b" and more".to_vec());
        assert_eq!(drained(&mut spool), b"to be kept and more");
    }
}
