//! `inspect` of a log: its parts, its commands, the keys most written.

use std::collections::HashMap;
use std::io;

use crate::aof::{Event, LogReader};
use crate::num::parse_i64;
use crate::ops::log::{Framed, Log};
use crate::ops::replay::ReplayOptions;
use crate::ops::rewrite::Rewriter;
use crate::replay::{Now, table};
use crate::report::Finding;

/// What `inspect` says about a log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogInspection {
    /// Parts in load order: name (none for a single file), bytes, records.
    pub parts: Vec<PartInspection>,
    /// Commands by name, annotations, findings.
    pub framed: Framed,
    /// The keys with the most bytes of commands, most first.
    pub hot_keys: Vec<HotKey>,
    /// Bytes that a rewrite to commands would leave; none if the log cannot be replayed exactly.
    pub live_bytes: Option<u64>,
}

impl LogInspection {
    /// Bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Bytes that a rewrite to commands would save: those of the log less those of the
    /// shortest commands that make its dataset. 0 for a log that is shorter than they
    /// are, as one whose data stands in an RDB.
    #[must_use]
    pub fn dead_bytes(&self) -> Option<u64> {
        Some(self.bytes().saturating_sub(self.live_bytes?))
    }
}

/// One file of a log.
#[derive(Clone, Debug, Default)]
pub struct PartInspection {
    /// Its name; none for a log of one file.
    pub name: Option<String>,
    /// Its size, or how much of it was read.
    pub bytes: u64,
    /// Whether it begins with an RDB.
    pub has_rdb: bool,
}

/// A key that is written often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// The database that was selected when it was written.
    pub db: u32,
    /// The key.
    pub key: Vec<u8>,
    /// Commands that name it first.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Database and key to commands and bytes.
type Keys<'a> = HashMap<(u32, &'a [u8]), (u64, u64)>;

/// How many keys are watched at a time: the rest of the log decides which stay.
const WATCHED_KEYS: usize = 1 << 16;

/// Reads the framing of a log and counts, keeps `hot` keys, and replays it to see what
/// of it is still alive; all of it up to the place where replay is to stop.
pub fn inspect_log(
    log: &Log,
    hot: usize,
    replay: &ReplayOptions,
    seen: &mut LogInspection,
    report: &mut dyn FnMut(Finding),
) {
    seen.framed = log.frame(replay.until, report);
    let mut keys = Keys::new();
    let parts = log.parts();
    let (mut part_start, mut records) = (0, 0);
    'parts: for part in &parts {
        let has_rdb = part.bytes.starts_with(b"REDIS") || part.bytes.starts_with(b"VALKEY");
        seen.parts.push(PartInspection {
            name: part.name.clone(),
            bytes: part.bytes.len() as u64,
            has_rdb,
        });
        let start = log_start(part.bytes, has_rdb);
        let mut reader = LogReader::new(&part.bytes[start..], start as u64);
        let mut db = 0;
        while let Some(event) = reader.next_event() {
            let (Event::Command { offset, .. } | Event::Annotation { offset, .. }) = event;
            if replay.until.stops_before(&event, part_start, records) {
                if let Some(part) = seen.parts.last_mut() {
                    part.bytes = offset;
                }
                break 'parts;
            }
            let Event::Command {
                args, end_offset, ..
            } = event
            else {
                continue;
            };
            records += 1;
            let Some(command) = table::find(args) else {
                continue;
            };
            if let ("select", [_, number]) = (command.name, args) {
                let number = parse_i64(number).and_then(|number| u32::try_from(number).ok());
                db = number.unwrap_or(db);
            }
            let Some(key) = first_key(command, args) else {
                continue;
            };
            if keys.len() >= WATCHED_KEYS && !keys.contains_key(&(db, key)) {
                forget_the_coldest(&mut keys);
            }
            let (commands, bytes) = keys.entry((db, key)).or_default();
            *commands += 1;
            *bytes += end_offset - offset;
        }
        part_start += part.bytes.len() as u64;
    }
    let mut hottest: Vec<HotKey> = keys
        .into_iter()
        .map(|((db, key), (commands, bytes))| HotKey {
            db,
            key: key.to_vec(),
            commands,
            bytes,
        })
        .collect();
    hottest.sort_by(|a, b| {
        let by_name = || (a.db, &a.key).cmp(&(b.db, &b.key));
        b.bytes.cmp(&a.bytes).then_with(by_name)
    });
    hottest.truncate(hot);
    seen.hot_keys = hottest;
    seen.live_bytes = live_bytes(log, replay);
}

/// What the framing did not say already, its caller does not want to hear.
fn live_bytes(log: &Log, options: &ReplayOptions) -> Option<u64> {
    let replayed = log.replay(options, &mut |_| ()).ok()?;
    if !replayed.exact {
        return None;
    }
    let (Now::At(now_ms) | Now::Annotated { or_ms: now_ms }) = options.replay.now;
    let rewriter = Rewriter::new()
        .preamble(false)
        .allow_loss(true)
        .now_ms(now_ms);
    let plan = rewriter.plan(log, &replayed, options.pipeline).ok()?;
    let (_, rewritten) = plan.write(io::sink()).ok()?;
    Some(rewritten.bytes)
}

fn first_key<'a>(command: &table::Command, args: &[&'a [u8]]) -> Option<&'a [u8]> {
    let key = command.first_key(args)?;
    args.iter()
        .copied()
        .find(|arg| std::ptr::eq(arg.as_ptr(), key.as_ptr()))
}

/// Makes room: drops the half that has the fewest bytes.
fn forget_the_coldest(keys: &mut Keys<'_>) {
    let mut bytes: Vec<u64> = keys.values().map(|(_, bytes)| *bytes).collect();
    let (_, median, _) = bytes.select_nth_unstable(WATCHED_KEYS / 2);
    let median = *median;
    let mut spare = WATCHED_KEYS / 2;
    keys.retain(|_, (_, bytes)| {
        let stays = *bytes > median || (*bytes == median && spare == 0);
        spare -= usize::from(!stays && spare > 0);
        stays
    });
}

/// Where the commands begin, behind an RDB if there is one.
fn log_start(bytes: &[u8], has_rdb: bool) -> usize {
    if !has_rdb {
        return 0;
    }
    let mut items = crate::rdb::Items::new(bytes);
    while let Some(Ok(_)) = items.next() {}
    bytes.len() - items.rest().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::encode_record_into;
    use crate::input::{Input, Kind, OpenOptions};

    fn inspect(commands: &[&str]) -> (LogInspection, u64) {
        let mut bytes = Vec::new();
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            encode_record_into(&words, &mut bytes);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.aof");
        std::fs::write(&path, &bytes).unwrap();
        let options = OpenOptions::new().map(true).as_kind(Kind::Aof);
        let log = Log::of_input(Input::open(&path, &options).unwrap()).unwrap();
        let mut seen = LogInspection::default();
        inspect_log(&log, 10, &ReplayOptions::default(), &mut seen, &mut |_| ());
        (seen, bytes.len() as u64)
    }

    #[test]
    fn one_name_in_two_databases_is_two_hot_keys() {
        let commands = [
            "SELECT 0",
            "SET a 1",
            "SELECT 5",
            "SET a 22",
            "INCR a",
            "SELECT 0",
            "APPEND a 333333333",
        ];
        let (seen, _) = inspect(&commands);
        let found: Vec<_> = seen
            .hot_keys
            .iter()
            .map(|hot| (hot.db, hot.key.as_slice(), hot.commands, hot.bytes))
            .collect();
        assert_eq!(
            found,
            [(0, &b"a"[..], 2, 27 + 38), (5, &b"a"[..], 2, 28 + 21)]
        );
    }

    #[test]
    fn dead_bytes_are_what_a_rewrite_saves() {
        let (seen, bytes) = inspect(&["SELECT 0", "SET a 1", "SET a 2", "DEL b", "SELECT 0"]);
        let (_, live) = inspect(&["SELECT 0", "SET a 2"]);
        assert_eq!(seen.live_bytes, Some(live));
        assert_eq!(seen.dead_bytes(), Some(bytes - live));
        // Only the module knows what its commands leave.
        let (seen, _) = inspect(&["SELECT 0", "JSON.SET a $ 1"]);
        assert_eq!(seen.dead_bytes(), None);
        // A log may be shorter than what a server would write.
        let (seen, _) = inspect(&["MSET a 1 b 2 c 3"]);
        assert_eq!(seen.dead_bytes(), Some(0));
    }
}
