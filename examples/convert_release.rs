//! Writes an RDB for another release, unless that has no place for some of the data.
//!
//! `cargo run --example convert_release -- dump.rdb old.rdb redis-6.2`

use rdbkit::bytes::sink::{OutputFile, OutputOptions};
use rdbkit::error::{Error, Result};
use rdbkit::ops::rdb_write::{WriteOptions, survey_rdb, write_rdb};
use rdbkit::rdb::{RdbReader, Target};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to), Some(release)) = (args.next(), args.next(), args.next()) else {
        return Err(Error::usage("which file, where to, and for which release?"));
    };
    let target = Target::named(&release).ok_or_else(|| Error::usage("no such release"))?;
    let bytes = std::fs::read(&from).map_err(|e| Error::io("cannot read", e).in_file(&from))?;
    let options = WriteOptions::new(target);
    // The first look: what would be lost, and how many keys each database has.
    let survey = survey_rdb(&mut RdbReader::from_slice(&bytes), &options)?;
    survey.refuse_loss(&options)?;
    let output = OutputFile::create(&to, &OutputOptions::new())?;
    let mut reader = RdbReader::from_slice(&bytes);
    let mut report = |finding| eprintln!("{finding}");
    let (output, written) = write_rdb(&mut reader, &options, &survey, output, &mut report)?;
    let bytes = output.commit()?;
    println!(
        "{} keys in {bytes} bytes, {} of them copied as they were",
        written.keys, written.copied
    );
    Ok(())
}
