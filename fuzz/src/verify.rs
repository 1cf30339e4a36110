//! Any bytes as an RDB: verify and inspect end without a panic, the shallow verify finds nothing
//! that the deep one does not, and what is said does not depend on the number of threads. In front
//! of a log, the values that stay as stored are told as what decoding makes of them.

use std::num::NonZeroUsize;

use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::export_store::export_entry;
use rdbkit::ops::inspect::{Inspection, inspect_rdb};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, RdbReader, Scratch};
use rdbkit::report::lines;
use rdbkit::store::Entry;

fn findings(bytes: &[u8], options: VerifyOptions) -> (Vec<String>, String) {
    let mut found = Vec::new();
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Report);
    let verified = verify_rdb(&mut reader, options, &mut |finding| {
        let line = lines::finding(&finding).finish();
        found.push(String::from_utf8(line).expect("JSON is UTF-8"));
    });
    (found, format!("{verified:?}"))
}

/// What JSON is told of a key; nothing of a module whose data does not expand.
fn told(db: u32, key: &[u8], entry: &Entry<'_>) -> Option<Vec<u8>> {
    let mut json = NativeWriter::new(Arrangement::Lines);
    export_entry(db, key, entry, &mut Scratch::new(), &mut json).ok()?;
    Some(json.out)
}

fn load(bytes: &[u8]) {
    let parts = [LogPart { name: None, bytes }];
    let replayed = replay_log(&parts, &ReplayOptions::default(), &mut |_| {}).expect("a log");
    for (db, key, entry) in replayed.replayer.store.iter() {
        let as_stored = told(db, key, entry);
        assert_eq!(entry.value().value_type(), entry.value_type());
        assert_eq!(as_stored, told(db, key, entry));
    }
}

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let pipeline = Pipeline::default().memory_bytes(1 << 20);
    let options = VerifyOptions {
        pipeline,
        ..VerifyOptions::default()
    };
    let deep = findings(bytes, options);
    let jobs = NonZeroUsize::MIN.saturating_add(1);
    let divided = VerifyOptions {
        pipeline: Pipeline::new(jobs).memory_bytes(1 << 20).batch_bytes(64),
        ..options
    };
    assert_eq!(deep, findings(bytes, divided));
    let shallow = VerifyOptions {
        shallow: true,
        ..options
    };
    let (shallow, _) = findings(bytes, shallow);
    for finding in &shallow {
        assert!(deep.0.contains(finding), "{finding} is not in {:?}", deep.0);
    }
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Report);
    let mut inspection = Inspection::default();
    let _ = inspect_rdb(&mut reader, 5, |_| Ok(true), &mut inspection);
    load(bytes);
}
