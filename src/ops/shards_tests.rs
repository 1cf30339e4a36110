//! A replay in parts, by any number of threads, gives what a replay in one piece gives.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::pipeline::Pipeline;
use super::replay::{LogPart, ReplayOptions, Until, replay_log};
use crate::aof::resp::encode_record_into;
use crate::replay::Now;
use crate::store::digest::digest_store;

/// Commands; `K` is a key of a few, `N` a small number.
const COMMANDS: &[&str] = &[
    "SET K N",
    "INCR K",
    "APPEND K N",
    "SETRANGE K N x",
    "SETEX K N v",
    "EXPIRE K N",
    "PEXPIREAT K 4102444800000",
    "DEL K",
    "DEL K K K",
    "UNLINK K K",
    "MSET K N K N K N",
    "MSET K N K",
    "MSETNX K N K N",
    "RENAME K K",
    "COPY K K DB N REPLACE",
    "MOVE K N",
    "RPUSH K a b c",
    "LPOP K",
    "LMOVE K K LEFT RIGHT",
    "BLPOP K K 0",
    "SADD K 1 2 3 N",
    "SREM K N",
    "SUNIONSTORE K K K",
    "SMOVE K K N",
    "ZADD K N m",
    "ZUNIONSTORE K 2 K K",
    "ZRANGESTORE K K 0 -1",
    "HSET K f N",
    "HINCRBY K f N",
    "PFADD K N",
    "PFMERGE K K",
    "BITOP OR K K K",
    "XADD K * f N",
    "XGROUP CREATE K g 0 MKSTREAM",
    "SORT K STORE K",
    "GET K",
    "SELECT N",
    "SELECT x",
    "SWAPDB 0 N",
    "FLUSHDB",
    "FLUSHALL SOMETIMES",
    "FUNCTION FLUSH",
    "SCRIPT LOAD return",
    "MULTI",
    "EXEC",
    "EXEC",
    "#TS:170000000N",
    "CLUSTER FLUSHSLOT N",
];

/// What this program cannot replay, or no server.
const ENDS: &[&str] = &["JSON.SET K $ 1", "NOSUCH K", "EVAL x 0", "SET K", "SPOP K"];

fn log(lines: &[(usize, [u8; 3])]) -> Vec<u8> {
    let mut log = Vec::new();
    for (line, numbers) in lines {
        let all = COMMANDS.len() * 4 + ENDS.len();
        // Each end once for several of each other command.
        let line = match line % all {
            at if at < COMMANDS.len() * 4 => COMMANDS[at / 4],
            at => ENDS[at - COMMANDS.len() * 4],
        };
        let mut numbers = numbers.iter().cycle();
        if line.starts_with('#') {
            log.extend(
                line.replace('N', &numbers.next().unwrap().to_string())
                    .bytes(),
            );
            log.extend(b"\r\n");
            continue;
        }
        let mut next = |of| numbers.next().unwrap() % of;
        let words: Vec<_> = line
            .split(' ')
            .map(|word| match word {
                "K" => format!("key:{}", next(24)),
                "N" => next(5).to_string(),
                word => word.to_owned(),
            })
            .collect();
        encode_record_into(&words, &mut log);
    }
    log
}

/// Everything that a replay gives but the order of the keys, and that.
fn outcome(logs: &[&[u8]], options: &ReplayOptions) -> (String, Vec<String>) {
    let parts: Vec<_> = logs
        .iter()
        .zip(1..)
        .map(|(bytes, number)| LogPart {
            name: Some(format!("part {number}")),
            bytes,
        })
        .collect();
    let mut findings = Vec::new();
    let mut report = |finding| findings.push(format!("{finding:?}"));
    let replayed = replay_log(&parts, options, &mut report).unwrap();
    let store = &replayed.replayer.store;
    let digest = digest_store(store, options.replay.flavor, 0).map(|digest| digest.to_string());
    let keys: Vec<_> = store
        .iter()
        .map(|(db, key, entry)| format!("{db} {key:?} {entry:?}"))
        .collect();
    let mut sorted = keys.clone();
    sorted.sort();
    let outcome = (
        (findings, digest, sorted),
        (replayed.counters(), replayed.records, replayed.exact),
        (
            replayed.stopped,
            replayed.dropped_tails,
            replayed.annotations,
        ),
        (replayed.replayer.selected(), &replayed.tally),
        (&store.functions, &store.scripts),
    );
    (format!("{outcome:#?}"), keys)
}

/// The first lines that differ.
fn differs<'o>(a: &'o str, b: &'o str) -> Option<(&'o str, &'o str)> {
    let ends = ["(end)"];
    let (a, b) = (a.lines().chain(ends), b.lines().chain(ends));
    a.zip(b).find(|(a, b)| a != b)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn parts_give_what_one_piece_gives(
        lines in proptest::collection::vec((any::<usize>(), any::<[u8; 3]>()), 0..150),
        more in proptest::collection::vec((any::<usize>(), any::<[u8; 3]>()), 0..40),
        keep_going: bool,
        cut in 0usize..20,
        until in 0u64..200,
    ) {
        let first = log(&lines);
        let second = log(&more);
        let logs = [&first[..first.len().saturating_sub(cut / 8)], &second[..]];
        let mut options = ReplayOptions { keep_going, ..ReplayOptions::default() };
        options.replay.now = Now::Annotated { or_ms: 1_600_000_000_000 };
        if until >= 150 {
            options.until = Until::Command(until - 150);
        }
        let mut replay = |jobs, divide_from_bytes| {
            options.pipeline = Pipeline::new(NonZeroUsize::new(jobs).unwrap());
            options.divide_from_bytes = divide_from_bytes;
            outcome(&logs, &options)
        };
        let (whole, _) = replay(1, usize::MAX);
        let (one, one_keys) = replay(1, 0);
        prop_assert_eq!(differs(&one, &whole), None);
        let (three, three_keys) = replay(3, 0);
        prop_assert_eq!(differs(&three, &whole), None);
        prop_assert_eq!(three_keys, one_keys);
    }
}
