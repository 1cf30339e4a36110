//! Any bytes as rdbkit's JSON: what is read and written again reads as the same.

use rdbkit::error::Code;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::json::reader::JsonRecord;
use rdbkit::ops::import::{export_json, import_json};
use rdbkit::ops::json_to_rdb::rdb_of_json;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::RdbReader;
use rdbkit::report::Level;

fn rewritten(text: &[u8]) -> Option<Vec<u8>> {
    let mut writer = NativeWriter::new(Arrangement::Lines);
    import_json(text, |record| match record {
        JsonRecord::Key(key) => export_json(&key, &mut writer),
        _ => Ok(()),
    })
    .ok()?;
    Some(writer.out)
}

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let Some(once) = rewritten(bytes) else {
        return;
    };
    let twice = rewritten(&once).expect("our JSON reads");
    assert!(once == twice);
    if let Ok(rdb) = rdb_of_json(bytes, Vec::new()) {
        let mut said = Vec::new();
        let mut reader = RdbReader::from_slice(&rdb);
        let verified = verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
            // Counters that JSON gives are kept; the writer for a release makes them possible.
            if finding.level == Level::Error && finding.code != Code::StreamCounters {
                said.push(finding.to_string());
            }
        });
        assert!(verified.complete && said.is_empty(), "{said:?}");
    }
}
