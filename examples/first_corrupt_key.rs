//! Decodes every value and stops at the first one that is broken.
//!
//! `cargo run --example first_corrupt_key -- dump.rdb`

use rdbkit::error::{Error, Result};
use rdbkit::rdb::{Item, Items, Record, Scratch, Value};

fn decode(record: &Record<'_>, scratch: &mut Scratch) -> Result<()> {
    match record.value() {
        Value::String(string) => string.text(scratch).map(|_| ()),
        Value::List(list) => list.for_each(scratch, |_| {}),
        Value::Set(set) => set.for_each(scratch, |_| {}),
        Value::Zset(zset) => zset.for_each(scratch, |_, _| {}),
        Value::Hash(hash) => hash.for_each(scratch, |_, _, _| {}),
        Value::Stream(stream) => stream.for_each_entry(scratch, |_, _| {}).map(|_| ()),
        Value::Array(array) => array.for_each(scratch, |_, _| {}),
        // A module's items were checked when the record was framed.
        _ => Ok(()),
    }
}

fn main() -> Result<()> {
    let path = std::env::args()
        .nth(1)
        .ok_or_else(|| Error::usage("which file?"))?;
    let bytes = std::fs::read(&path).map_err(|e| Error::io("cannot read", e).in_file(&path))?;
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    for item in Items::new(&bytes) {
        if let Item::Key(record) = item? {
            let key = record.key_bytes(&mut key_scratch)?;
            decode(&record, &mut scratch).map_err(|e| e.in_key(record.db, key).in_file(&path))?;
        }
    }
    println!("{path}: every value decodes");
    Ok(())
}
