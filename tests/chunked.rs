//! However the bytes arrive, what is read is the same: items, JSON, findings, errors.

mod util;

use std::fs;
use std::io::{self, Read};

use rdbkit::error::Result;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::export::export_record;
use rdbkit::ops::pipeline::Pipe;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, Item, RdbReader, ReadItems, Scratch};
use util::rng::{self, Rng};

/// Hands out a few bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    most: usize,
    rng: Rng,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rng.one_in(16) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.most.min(self.bytes.len()).min(buffer.len());
        let len = if most == 0 {
            0
        } else {
            self.rng.range(1, most)
        };
        let (now, later) = self.bytes.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }
}

/// Everything that a reader tells: items with their places, JSON, and how it ends.
fn told(mut reader: impl ReadItems) -> String {
    let mut writer = NativeWriter::new(Arrangement::Lines);
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    let mut items = String::new();
    let ended: Result<()> = reader.for_each(|item, span| {
        match &item {
            Item::Key(record) => {
                items += &format!("key at {}, {span:?}\n", record.offset);
                if let Err(error) =
                    export_record(record, &mut scratch, &mut key_scratch, &mut writer)
                {
                    items += &format!("{error}\n");
                }
            }
            item => items += &format!("{item:?} {span:?}\n"),
        }
        Ok(())
    });
    let text = String::from_utf8(writer.out).unwrap();
    format!("{items}{text}{ended:?} at {}", reader.offset())
}

fn findings(mut reader: impl Pipe) -> Vec<String> {
    let mut found = Vec::new();
    verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
        found.push(finding.to_string());
    });
    found
}

#[test]
fn bytes_that_trickle_in_read_as_those_in_memory() {
    let fixtures = util::fixtures(&["rdb"]);
    assert!(fixtures.len() > 600);
    for seed in rng::seeds(11, 1) {
        for path in &fixtures {
            let bytes = fs::read(path).unwrap();
            let mut rng = Rng::new(seed).fork(path.to_str().unwrap());
            let mut trickle = |bytes| Trickle {
                bytes,
                most: rng.range(1, 7),
                rng: rng.fork("reads"),
            };
            let name = path.display();
            for mode in [ChecksumMode::Require, ChecksumMode::Report] {
                let whole = told(RdbReader::from_slice(&bytes).checksum(mode));
                let stream = told(RdbReader::from_read(trickle(&bytes)).checksum(mode));
                assert_eq!(whole, stream, "{name}, RDBKIT_SEED={seed}");
            }
            // Where a key stands twice, only bytes that can be read again say which.
            if !name.to_string().contains("key_duplicate") {
                let whole = findings(RdbReader::from_slice(&bytes));
                let stream = findings(RdbReader::from_read(trickle(&bytes)));
                assert_eq!(whole, stream, "{name}, RDBKIT_SEED={seed}");
            }
            // Cut somewhere, it ends at the same place for the same reason.
            let cut = &bytes[..bytes.len() * 2 / 3];
            let whole = told(RdbReader::from_slice(cut));
            let stream = told(RdbReader::from_read(trickle(cut)));
            assert_eq!(whole, stream, "{name} cut, RDBKIT_SEED={seed}");
        }
    }
}
