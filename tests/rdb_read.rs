//! What rdbkit reads from a server's own file is what that server says over its protocol.

mod util;

use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::digest::{DigestOptions, digest_rdb};
use rdbkit::ops::export::export_record;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{Item, RdbReader, ReadItems as _, Scratch};
use util::compare::json_differences;
use util::filled::Filled;
use util::rng;
use util::server::{Release, old_servers, servers};

/// The whole file as NDJSON, and the sources of its functions.
fn read(rdb: &[u8]) -> rdbkit::error::Result<(String, Vec<Vec<u8>>)> {
    let mut writer = NativeWriter::new(Arrangement::Lines);
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    let mut functions = Vec::new();
    RdbReader::from_slice(rdb).for_each(|item, _| {
        match item {
            Item::Key(record) => {
                export_record(record, &mut scratch, &mut key_scratch, &mut writer)?;
            }
            Item::Function(code) => functions.push(code.to_vec().unwrap()),
            _ => {}
        }
        Ok(())
    })?;
    Ok((String::from_utf8(writer.out).unwrap(), functions))
}

fn round(release: Release, seed: u64) {
    let filled = Filled::new(release, seed);
    let (label, expected) = (&filled.label, &filled.keys);
    let rdb = std::fs::read(&filled.rdb).unwrap();

    let (ndjson, read_functions) = read(&rdb).unwrap_or_else(|error| panic!("{label}: {error}"));
    let differences = json_differences(expected, &ndjson);
    assert!(
        differences.is_empty(),
        "{label}: {} keys differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    let mut read_functions = read_functions;
    read_functions.sort();
    let mut codes: Vec<_> = filled.functions.into_iter().map(|(_, code)| code).collect();
    codes.sort();
    assert_eq!(read_functions, codes, "{label}: functions");

    let options = DigestOptions {
        flavor: None,
        now_ms: 0,
        per_key: false,
        pipeline: Pipeline::default(),
    };
    let digested = digest_rdb(
        &mut RdbReader::from_slice(&rdb),
        options,
        |_, _| Ok(true),
        |_| Ok(()),
    )
    .unwrap();
    let total = digested.total.map(|digest| digest.to_string());
    assert_eq!(
        total.as_deref(),
        Some(&*filled.digest),
        "{label}: DEBUG DIGEST"
    );

    let mut findings = Vec::new();
    let verified = verify_rdb(
        &mut RdbReader::from_slice(&rdb),
        VerifyOptions::default(),
        &mut |finding| findings.push(finding.to_string()),
    );
    assert!(
        findings.is_empty(),
        "{label}: a server's own file is sound:\n{}",
        findings.join("\n")
    );
    assert_eq!(verified.keys, expected.len() as u64, "{label}: keys");
}

#[test]
fn every_value_of_a_servers_file_is_what_the_server_says() {
    for seed in rng::seeds(100, 2) {
        for release in servers() {
            round(release, seed);
        }
    }
}

#[test]
fn every_value_of_an_old_servers_file_is_what_the_server_says() {
    for seed in rng::seeds(200, 1) {
        for release in old_servers() {
            round(release, seed);
        }
    }
}
