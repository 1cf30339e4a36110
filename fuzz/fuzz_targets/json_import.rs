//! Any bytes as rdbkit's JSON: what is read and written again reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::json::reader::JsonRecord;
use rdbkit::ops::import::{export_json, import_json};
use rdbkit::ops::json_to_rdb::rdb_of_json;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::RdbReader;

fn rewritten(text: &[u8]) -> Option<Vec<u8>> {
    let mut writer = NativeWriter::new(Arrangement::Lines);
    import_json(text, |record| match record {
        JsonRecord::Key(key) => export_json(&key, &mut writer),
        _ => Ok(()),
    })
    .ok()?;
    Some(writer.out)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(once) = rewritten(bytes) else {
        return;
    };
    let twice = rewritten(&once).expect("our JSON reads");
    assert!(once == twice);
    if let Ok(rdb) = rdb_of_json(bytes, Vec::new()) {
        let mut said = Vec::new();
        let mut reader = RdbReader::from_slice(&rdb);
        let verified = verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
            said.push(finding.to_string());
        });
        assert!(verified.complete && verified.tally.errors == 0, "{said:?}");
    }
});
