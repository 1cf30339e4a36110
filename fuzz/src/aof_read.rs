//! Any bytes as a log: framed and replayed without a panic.

use rdbkit::aof::LogReader;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let mut reader = LogReader::new(bytes, 0);
    while reader.next_event().is_some() {}
    let part = LogPart { name: None, bytes };
    let replayed = replay_log(&[part], &ReplayOptions::default(), &mut |_| {});
    drop(replayed);
}
