//! Any bytes as an RDB read the same from a slice, from a pipe in odd chunks and on several threads.

use std::io::{self, Read};
use std::num::NonZeroUsize;

use rdbkit::bytes::source::{SliceSource, Source, StreamSource};
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::pipeline::Pipeline;

use super::recorded::converted;

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

fn told<S: Source + Send>(source: S, pipeline: Pipeline) -> String {
    let lines = NativeWriter::new(Arrangement::Lines);
    converted(source, lines, true, pipeline.memory_bytes(1 << 20))
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
    let same = |other: String, how: &str| {
        assert!(whole == other, "{how}: {other} is not {whole}");
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
