//! A stream of commands, as clients send it and as an AOF holds it.

use std::io::{self, Write};

/// What was written, to be compared with what a reader finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub commands: u64,
    pub bytes: u64,
    pub keys: u64,
    /// Elements, members, fields and stream entries; a string is one.
    pub elements: u64,
}

/// Writes commands and counts them.
pub struct Commands<W> {
    out: W,
    pub counts: Counts,
}

impl<W: Write> Commands<W> {
    pub fn new(out: W) -> Self {
        Commands {
            out,
            counts: Counts::default(),
        }
    }

    /// Writes out what is left.
    pub fn finish(mut self) -> io::Result<Counts> {
        self.out.flush()?;
        Ok(self.counts)
    }

    /// Writes one command.
    pub fn send(&mut self, arguments: &[&[u8]]) -> io::Result<()> {
        self.begin(arguments.len())?;
        arguments.iter().try_for_each(|bytes| self.argument(bytes))
    }

    /// Writes a command that makes a key with so many elements, and counts both.
    pub fn make(&mut self, arguments: &[&[u8]], elements: u64) -> io::Result<()> {
        self.counts.keys += 1;
        self.counts.elements += elements;
        self.send(arguments)
    }

    /// Writes `name key ..` with all elements, in as many commands as that takes.
    ///
    /// `argument` appends the `width` arguments of one element.
    pub fn fill(
        &mut self,
        name: &str,
        key: &[u8],
        elements: u64,
        width: usize,
        mut argument: impl FnMut(u64, &mut Vec<Vec<u8>>),
    ) -> io::Result<()> {
        const AT_ONCE: u64 = 250;
        self.counts.keys += 1;
        self.counts.elements += elements;
        let mut arguments = Vec::new();
        for first in (0..elements).step_by(AT_ONCE as usize) {
            let last = elements.min(first + AT_ONCE);
            arguments.clear();
            (first..last).for_each(|n| argument(n, &mut arguments));
            assert_eq!(arguments.len(), width * (last - first) as usize);
            self.begin(2 + arguments.len())?;
            self.argument(name.as_bytes())?;
            self.argument(key)?;
            arguments
                .iter()
                .try_for_each(|bytes| self.argument(bytes))?;
        }
        Ok(())
    }

    fn begin(&mut self, arguments: usize) -> io::Result<()> {
        self.counts.commands += 1;
        self.put(format!("*{arguments}\r\n").as_bytes())
    }

    fn argument(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(b"$")?;
        self.put(itoa::Buffer::new().format(bytes.len()).as_bytes())?;
        self.put(b"\r\n")?;
        self.put(bytes)?;
        self.put(b"\r\n")
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.counts.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}
