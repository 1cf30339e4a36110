//! Any bytes as an RDB read the same from a slice, from a pipe in odd chunks and on several threads.

use std::io::{self, Read};
use std::num::NonZeroUsize;

use rdbkit::bytes::source::{SliceSource, Source, StreamSource};
use rdbkit::error::{Error, Result};
use rdbkit::json::Document;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::convert::{Conversion, ConvertOptions, convert_rdb};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::rdb::{ChecksumMode, RdbReader};

/// Hands out a few bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    seed: u32,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        let most = (self.seed >> 24) as usize % 7 + 1;
        let len = most.min(self.bytes.len()).min(buffer.len());
        let (now, later) = self.bytes.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }
}

/// Everything that a conversion does to the world.
struct Recorded {
    document: NativeWriter,
    text: Vec<u8>,
    /// Told when they are found, which is before the text of their batch is.
    damages: Vec<u8>,
}

impl Conversion for Recorded {
    type Document = NativeWriter;

    fn document(&mut self) -> &mut NativeWriter {
        &mut self.document
    }

    fn progress(&mut self) -> Result<()> {
        self.text.append(self.document.text());
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.progress()
    }

    fn damaged(&mut self, error: Error) {
        self.damages.extend(format!("{error}\n").into_bytes());
    }
}

fn told<S: Source + Send>(source: S, pipeline: Pipeline) -> Vec<u8> {
    let mut conversion = Recorded {
        document: NativeWriter::new(Arrangement::Lines),
        text: Vec::new(),
        damages: Vec::new(),
    };
    let options = ConvertOptions {
        keep_going: true,
        pipeline: pipeline.memory_bytes(1 << 20),
        ..ConvertOptions::default()
    };
    let mut reader = RdbReader::new(source).checksum(ChecksumMode::Report);
    let outcome = convert_rdb(&mut reader, &options, &mut conversion);
    conversion.document.finish();
    conversion.text.append(conversion.document.text());
    conversion.text.append(&mut conversion.damages);
    conversion.text.extend(format!("{outcome:?}").into_bytes());
    conversion.text
}

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let Some((&seed, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = told(SliceSource::new(bytes), Pipeline::default());
    let trickle = || Trickle {
        bytes,
        seed: seed.into(),
    };
    let same = |other: Vec<u8>, how: &str| {
        assert!(
            whole == other,
            "{how}: {} is not {}",
            other.escape_ascii(),
            whole.escape_ascii()
        );
    };
    same(
        told(StreamSource::new(trickle()), Pipeline::default()),
        "a pipe",
    );
    let jobs = NonZeroUsize::MIN.saturating_add(1);
    let divided = Pipeline::new(jobs).batch_bytes(usize::from(seed) + 1);
    same(told(SliceSource::new(bytes), divided), "two threads");
    same(
        told(StreamSource::new(trickle()), divided),
        "a pipe on two threads",
    );
}
