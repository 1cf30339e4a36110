//! Writes a log anew, as short as its dataset allows: what BGREWRITEAOF does, without a server.
//!
//! `cargo run --example compact_log -- appendonlydir small.aof`

use rdbkit::bytes::sink::{OutputFile, OutputOptions};
use rdbkit::error::{Error, Result};
use rdbkit::ops::log::Log;
use rdbkit::ops::rewrite::Rewriter;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        return Err(Error::usage("which log, and where to?"));
    };
    let log = Log::open(&from)?;
    // It appears under its name when it is complete.
    let output = OutputFile::create(&to, &OutputOptions::new().sources(log.file_ids()))?;
    let rewriter = Rewriter::new().preamble(false);
    let (output, done) = rewriter.rewrite(&log, output, &mut |finding| eprintln!("{finding}"))?;
    output.commit()?;
    println!(
        "{} bytes became {}, {} commands were dead; written for {}",
        done.bytes_before,
        done.bytes,
        done.dead_commands(),
        done.target
    );
    Ok(())
}
