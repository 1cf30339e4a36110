//! Any bytes as an RDB: verify and inspect end without a panic, the shallow verify finds nothing
//! that the deep one does not, and what is said does not depend on the number of threads.

use std::num::NonZeroUsize;

use rdbkit::ops::inspect::{Inspection, inspect_rdb};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, RdbReader};
use rdbkit::report::lines;

fn findings(bytes: &[u8], options: VerifyOptions) -> (Vec<String>, String) {
    let mut found = Vec::new();
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Report);
    let verified = verify_rdb(&mut reader, options, &mut |finding| {
        let line = lines::finding(&finding).finish();
        found.push(String::from_utf8(line).expect("JSON is UTF-8"));
    });
    (found, format!("{verified:?}"))
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
}
