//! Any bytes as an RDB: frames, verifies and converts without a panic, and what verify
//! calls sound converts.

use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::export::export_record;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, Item, RdbReader, ReadItems as _, Scratch};

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip);
    let verified = verify_rdb(&mut reader, VerifyOptions::default(), &mut |_| {});

    let mut writer = NativeWriter::new(Arrangement::Lines);
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip);
    let converted = reader.for_each(|item, _| match item {
        Item::Key(record) => export_record(record, &mut scratch, &mut key_scratch, &mut writer),
        _ => Ok(()),
    });
    if verified.complete && verified.tally.errors + verified.tally.unable == 0 {
        converted.expect("what is sound converts");
        std::str::from_utf8(&writer.out).expect("JSON is UTF-8");
    }
}
