//! `--max-memory`: the program ends before it takes more than it was given.
//!
//! Queues and tables are made to fit ([`Pipeline::memory_bytes`]). What else grows, the
//! dataset of a log above all, or the text of one huge key, is watched: a thread asks the
//! system every few milliseconds how much anonymous memory there is.
//!
//! [`Pipeline::memory_bytes`]: rdbkit::ops::pipeline::Pipeline::memory_bytes

use std::thread;
use std::time::Duration;

use rdbkit::bytes::map;
use rdbkit::error::{Error, ErrorKind, Result};

use super::exit::Exit;
use super::printer::Printer;

const INTERVAL: Duration = Duration::from_millis(5);
const STATUS: &str = "/proc/self/status";

/// Ends the program with `limit_exceeded` as soon as it uses more anonymous memory.
///
/// # Errors
/// The system does not tell how much that is.
pub(crate) fn watch(max_bytes: u64, printer: Printer) -> Result<()> {
    anonymous_bytes()?;
    let look = move || loop {
        thread::sleep(INTERVAL);
        if anonymous_bytes().is_ok_and(|bytes| bytes > max_bytes) {
            printer.error(&Error::new(ErrorKind::LimitExceeded {
                what: "anonymous memory in bytes (--max-memory)",
                limit: max_bytes,
            }));
            map::abandon(Exit::Unable.code());
        }
    };
    let started = thread::Builder::new().name("memory".into()).spawn(look);
    let failed = |e| Error::io("cannot watch the memory", e);
    started.map(drop).map_err(failed)
}

fn anonymous_bytes() -> Result<u64> {
    let status = std::fs::read_to_string(STATUS).map_err(|e| {
        Error::io(
            "--max-memory needs /proc to tell how much memory is used",
            e,
        )
    })?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| {
        Error::usage("--max-memory needs a system that tells RssAnon in /proc/self/status")
    })
}
