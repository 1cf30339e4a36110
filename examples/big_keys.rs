//! Prints the keys whose encoded value is larger than a limit.
//!
//! `cargo run --example big_keys -- dump.rdb 10000`

use rdbkit::error::{Error, Result, escape_key};
use rdbkit::rdb::{Item, Items};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or_else(|| Error::usage("which file?"))?;
    let limit: u64 = args
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1024);
    let bytes = std::fs::read(&path).map_err(|e| Error::io("cannot read", e).in_file(&path))?;
    let mut scratch = Vec::new();
    for item in Items::new(&bytes) {
        if let Item::Key(record) = item?
            && record.encoded_len() > limit
        {
            let key = record.key_bytes(&mut scratch)?;
            println!(
                "{:>12} db {} {}",
                record.encoded_len(),
                record.db,
                escape_key(key)
            );
        }
    }
    Ok(())
}
