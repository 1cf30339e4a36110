//! Counts keys by type without decoding a value.
//!
//! `cargo run --example count_types -- dump.rdb`

use std::collections::BTreeMap;
use std::fs::File;

use rdbkit::error::{Error, Result};
use rdbkit::rdb::{Item, RdbReader, ReadItems as _};

fn main() -> Result<()> {
    let path = std::env::args()
        .nth(1)
        .ok_or_else(|| Error::usage("which file?"))?;
    let file = File::open(&path).map_err(|e| Error::io("cannot open", e).in_file(&path))?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    RdbReader::from_read(file).for_each(|item, _span| {
        if let Item::Key(record) = item {
            *counts.entry(record.value_type().name()).or_default() += 1;
        }
        Ok(())
    })?;
    for (name, count) in counts {
        println!("{count:>12} {name}");
    }
    Ok(())
}
