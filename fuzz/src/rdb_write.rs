//! A sound RDB, written for any release without a loss, is sound and holds the same dataset.

use rdbkit::keyset::join::Side;
use rdbkit::ops::diff::{Diff, DiffOptions, Names};
use rdbkit::ops::rdb_write::{WriteOptions, survey_rdb, write_rdb};
use rdbkit::ops::verify::{Verified, VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, Encodings, RdbReader, Target};

fn reader(bytes: &[u8]) -> RdbReader<rdbkit::bytes::source::SliceSource<'_>> {
    RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip)
}

fn is_sound(verified: &Verified) -> bool {
    verified.complete && verified.tally.errors + verified.tally.unable == 0
}

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    let mut is_clean = true;
    let verified = verify_rdb(&mut reader(bytes), VerifyOptions::default(), &mut |_| {
        is_clean = false;
    });
    // Servers drop or change what there is a warning of: empty keys, keys that stand twice.
    if !is_sound(&verified) || !is_clean {
        return;
    }
    let targets: Vec<_> = Target::all().collect();
    let mut options = WriteOptions::new(targets[usize::from(choice >> 2) % targets.len()]);
    options.fresh = choice & 1 != 0;
    if choice & 2 != 0 {
        options.encodings = Encodings::Universal;
    }
    let survey = survey_rdb(&mut reader(bytes), &options).expect("what is sound can be surveyed");
    if survey.losses.loses_data() {
        return;
    }
    let written = write_rdb(
        &mut reader(bytes),
        &options,
        &survey,
        Vec::new(),
        &mut |_| {},
    );
    let (out, _) = written.expect("what is sound can be written");
    let mut said = Vec::new();
    let again = verify_rdb(
        &mut RdbReader::from_slice(&out),
        VerifyOptions::default(),
        &mut |finding| {
            said.push(finding.to_string());
        },
    );
    assert!(is_sound(&again), "{said:?}");
    let mut diff = Diff::new(DiffOptions::default());
    diff.add_rdb(Side::A, &mut reader(bytes))
        .expect("the source reads");
    diff.add_rdb(Side::B, &mut reader(&out))
        .expect("the copy reads");
    let names = [Names::Rdb(bytes, 0), Names::Rdb(&out, 0)];
    let diffed = diff.finish(names, |key| panic!("{key:?} for {}", options.target));
    assert!(diffed.expect("no temporary file is needed").is_equal());
}
