//! A log cut at every byte: what is replayed is the state after the last complete
//! command outside a transaction, and the rest is said to be dropped.

mod util;

use std::process::{Command, Output, Stdio};

use rdbkit::num::Flavor;
use rdbkit::ops::replay::{LogPart, ReplayOptions, Replayed, replay_log};
use rdbkit::replay::{Options, Replayer};
use rdbkit::report::Verdict;
use rdbkit::store::digest::digest_store;
use util::resp::encode;

/// Commands of every type, one a line; `#TS:` lines stand in the log as they are.
const LOG: &str = "\
#TS:1700000000
SELECT 0
SET s one
RPUSH l a b c
SADD t 1 2 3
ZADD z 1.5 a 2 b
HSET h f v g w
XADD x 1-1 f v
PEXPIREAT s 4102444800000
MULTI
SET s two
#TS:1700000001
LPOP l
SELECT 3
INCR n
EXEC
INCR n
#TS:1700000002
MULTI
DEL s
EXEC
SELECT 0
XGROUP CREATE x g 0
MULTI
FLUSHALL
SET last 1
EXEC
SETBIT b 7 1
PFADD p a b
#TS:1700000003
";

/// The log, and for each place outside a transaction where a record ends the digest of
/// what stands there; `replayer` has what comes before the log.
fn log(replayer: &mut Replayer<'_>) -> (Vec<u8>, Vec<(usize, String)>) {
    let flavor = Flavor::redis(7, 0);
    let digest = |replayer: &Replayer<'_>| {
        let digest = digest_store(&replayer.store, flavor, i64::MIN);
        digest.unwrap().to_string()
    };
    let mut log = Vec::new();
    let mut states = vec![(0, digest(replayer))];
    let mut queued: Option<Vec<&str>> = None;
    for line in LOG.lines() {
        if line.starts_with('#') {
            log.extend(line.as_bytes());
            log.extend(b"\r\n");
        } else {
            let words: Vec<_> = line.split(' ').collect();
            encode(&words, &mut log);
            let mut run = |line: &str| {
                let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
                replayer.call(&words).unwrap();
            };
            match (line, &mut queued) {
                ("MULTI", _) => queued = Some(Vec::new()),
                ("EXEC", _) => queued.take().unwrap().into_iter().for_each(&mut run),
                (line, Some(queued)) => queued.push(line),
                (line, None) => run(line),
            }
        }
        if queued.is_none() {
            states.push((log.len(), digest(replayer)));
        }
    }
    (log, states)
}

fn replay(bytes: &[u8]) -> Replayed<'_> {
    let mut options = ReplayOptions::default();
    options.replay.flavor = Flavor::redis(7, 0);
    replay_log(&[LogPart { name: None, bytes }], &options, &mut |_| {}).unwrap()
}

fn digest(replayed: &Replayed<'_>) -> String {
    let store = &replayed.replayer.store;
    let digest = digest_store(store, Flavor::redis(7, 0), i64::MIN);
    digest.unwrap().to_string()
}

/// Every cut of what stands behind `preamble`.
fn every_cut(preamble: &[u8]) {
    let before = replay(preamble);
    let mut options = Options::default();
    options.flavor = Flavor::redis(7, 0);
    let mut replayer = match preamble.is_empty() {
        true => Replayer::new(options),
        false => before.replayer,
    };
    let (log, states) = log(&mut replayer);
    let file = [preamble, &log].concat();
    for len in 0..=log.len() {
        let replayed = replay(&file[..preamble.len() + len]);
        let (end, expected) = states.iter().rfind(|(end, _)| *end <= len).unwrap();
        assert_eq!(digest(&replayed), *expected, "cut at {len}");
        assert!(replayed.exact, "cut at {len}");
        // To servers a cut annotation is an annotation.
        let is_cut = u64::from(*end != len && log[*end] != b'#');
        assert_eq!(replayed.dropped_tails, is_cut, "cut at {len}");
        let tally = &replayed.tally;
        assert_eq!((tally.errors, tally.warnings), (0, is_cut), "cut at {len}");
        assert_eq!(tally.verdict(false), Verdict::Sound);
    }
    assert_eq!(states.last().unwrap().0, log.len());
}

#[test]
fn log_cut_anywhere_has_the_state_before_the_cut() {
    every_cut(b"");
}

#[test]
fn hybrid_log_cut_anywhere_has_the_state_before_the_cut() {
    let preamble = std::fs::read("testdata/demo.rdb").unwrap();
    every_cut(&preamble);
    let (log, _) = log(&mut Replayer::new(Options::default()));
    let file = [&preamble[..], &log].concat();
    // A server refuses what ends inside the RDB.
    for len in 1..preamble.len() {
        let replayed = replay(&file[..len]);
        assert!(!replayed.exact && replayed.tally.errors > 0, "cut at {len}");
    }
}

fn rdbkit(command: &str, input: &std::path::Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rdbkit"));
    let program = program.args([command, "--as", "aof"]).arg(input);
    program.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn program_says_what_was_cut() {
    let mut options = Options::default();
    options.flavor = Flavor::redis(7, 0);
    let (log, states) = log(&mut Replayer::new(options));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.aof");
    for len in (1..=log.len()).step_by(9) {
        std::fs::write(&path, &log[..len]).unwrap();
        let (end, expected) = states.iter().rfind(|(end, _)| *end <= len).unwrap();
        let digest = rdbkit("digest", &path);
        let told = String::from_utf8_lossy(&digest.stdout);
        assert_eq!(told.split_whitespace().next(), Some(&**expected), "{len}");
        let verify = rdbkit("verify", &path);
        for output in [digest, verify] {
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8_lossy(&told);
            assert_eq!(output.status.code(), Some(0), "{len}: {told}");
            let says = told.contains("unexpected_eof") || told.contains("open_multi");
            let is_cut = *end != len && log[*end] != b'#';
            assert_eq!(says, is_cut, "{len}: {told}");
        }
    }
}
