//! Writes the commands of a data set to stdout and its counts, as JSON, to stderr.
//!
//! `cargo run --release --example datasets -- mixed|strings|big|churn [--scale 1] [--seed 1]`

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

#[path = "mod.rs"]
mod datasets;

use datasets::commands::Commands;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let (mut scale, mut seed) = (1.0, 1);
    while let (Some(option), Some(value)) = (arguments.next(), arguments.next()) {
        let understood = match option.as_str() {
            "--scale" => value.parse().map(|n| scale = n).is_ok(),
            "--seed" => value.parse().map(|n| seed = n).is_ok(),
            _ => false,
        };
        if !understood {
            eprintln!("error: {option} {value}");
            return ExitCode::from(2);
        }
    }
    let mut out = Commands::new(BufWriter::with_capacity(1 << 18, io::stdout().lock()));
    let written = match name.as_str() {
        "mixed" => datasets::mixed::write(&mut out, seed, scale),
        "strings" => datasets::strings::write(&mut out, seed, scale),
        "big" => datasets::big::write(&mut out, seed, scale),
        "churn" => datasets::churn::write(&mut out, seed, scale),
        _ => {
            eprintln!("usage: datasets mixed|strings|big|churn [--scale 1] [--seed 1]");
            return ExitCode::from(2);
        }
    };
    match written.and_then(|()| out.finish()) {
        Ok(counts) => {
            let line = format!(
                "{{\"commands\":{},\"bytes\":{},\"keys\":{},\"elements\":{}}}\n",
                counts.commands, counts.bytes, counts.keys, counts.elements
            );
            ExitCode::from(u8::from(io::stderr().write_all(line.as_bytes()).is_err()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
