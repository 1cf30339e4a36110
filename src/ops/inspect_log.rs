//! `inspect` of a log: its parts, its commands, the keys most written.

use std::collections::HashMap;

use crate::aof::{Event, LogReader};
use crate::ops::log::{Framed, Log};
use crate::replay::table;
use crate::report::Finding;

/// What `inspect` says about a log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogInspection {
    /// Parts in load order: name (none for a single file), bytes, records.
    pub parts: Vec<PartInspection>,
    /// Commands by name, annotations, findings.
    pub framed: Framed,
    /// The keys with the most bytes of commands, most first. Names of databases are not
    /// told apart: what counts is where the log grows.
    pub hot_keys: Vec<HotKey>,
}

/// One file of a log.
#[derive(Clone, Debug, Default)]
pub struct PartInspection {
    /// Its name; none for a log of one file.
    pub name: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Whether it begins with an RDB.
    pub has_rdb: bool,
}

/// A key that is written often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// The key.
    pub key: Vec<u8>,
    /// Commands that name it first.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How many keys are watched at a time: the rest of the log decides which stay.
const WATCHED_KEYS: usize = 1 << 16;

/// Reads the framing of a log and counts; keeps `hot` keys.
pub fn inspect_log(
    log: &Log,
    hot: usize,
    seen: &mut LogInspection,
    report: &mut dyn FnMut(Finding),
) {
    seen.framed = log.frame(report);
    let mut keys: HashMap<&[u8], (u64, u64)> = HashMap::new();
    let parts = log.parts();
    for part in &parts {
        let has_rdb = part.bytes.starts_with(b"REDIS") || part.bytes.starts_with(b"VALKEY");
        seen.parts.push(PartInspection {
            name: part.name.clone(),
            bytes: part.bytes.len() as u64,
            has_rdb,
        });
        let start = log_start(part.bytes, has_rdb);
        let mut reader = LogReader::new(&part.bytes[start..], start as u64);
        while let Some(event) = reader.next_event() {
            let Event::Command {
                args,
                offset,
                end_offset,
            } = event
            else {
                continue;
            };
            let Some(key) = table::find(args).and_then(|command| first_key(command, args)) else {
                continue;
            };
            if keys.len() >= WATCHED_KEYS && !keys.contains_key(key) {
                forget_the_coldest(&mut keys);
            }
            let (commands, bytes) = keys.entry(key).or_default();
            *commands += 1;
            *bytes += end_offset - offset;
        }
    }
    let mut hottest: Vec<HotKey> = keys
        .into_iter()
        .map(|(key, (commands, bytes))| HotKey {
            key: key.to_vec(),
            commands,
            bytes,
        })
        .collect();
    hottest.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
    hottest.truncate(hot);
    seen.hot_keys = hottest;
}

fn first_key<'a>(command: &table::Command, args: &[&'a [u8]]) -> Option<&'a [u8]> {
    let key = command.first_key(args)?;
    args.iter()
        .copied()
        .find(|arg| std::ptr::eq(arg.as_ptr(), key.as_ptr()))
}

/// Makes room: drops the half that has the fewest bytes.
fn forget_the_coldest(keys: &mut HashMap<&[u8], (u64, u64)>) {
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
