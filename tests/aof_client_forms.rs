//! Logs that no server wrote, with commands as clients send them: what a server makes of
//! such a log when it loads it is what replaying it gives.

mod util;

use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::replay::{Options, Reject, Replayer};
use rdbkit::store::{Store, Value};
use util::replayed::{describe, flavor, parts, replay};
use util::resp::encode;
use util::rng::{self, Rng};
use util::server::{Release, Server, old_servers, servers};

/// Replays a log of which a server refuses some commands.
fn replay_hand_made<'a>(log: &'a [u8], release: &Release, label: &str) -> Store<'a> {
    let mut options = ReplayOptions::default();
    options.replay.flavor = flavor(release);
    options.keep_going = true;
    let parts = [LogPart {
        name: None,
        bytes: log,
    }];
    let mut unsupported = Vec::new();
    let replayed = replay_log(&parts, &options, &mut |finding| {
        let text = finding.to_string();
        if text.contains("unsupported") {
            unsupported.push(text);
        }
    });
    assert!(
        unsupported.is_empty(),
        "{label}:\n{}",
        unsupported.join("\n")
    );
    replayed.unwrap().replayer.store
}

/// Times after this are those of the load.
const LONG_AGO_MS: i64 = 1_500_000_000_000;

/// A delivery at the time of the load says so.
fn without_load_times(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split(' ') {
        let is_now = words.last() == Some(&"at")
            && word.parse::<i64>().is_ok_and(|at_ms| at_ms > LONG_AGO_MS);
        words.push(if is_now { "load" } else { word });
    }
    words.join(" ")
}

/// Whether two texts are the same but for deadlines that count from the moment of the
/// load, or of the replay.
fn is_same(ours: &str, theirs: &str) -> bool {
    let deadline = |text: &str| -> Option<(i64, String)> {
        let (at_ms, rest) = text.strip_prefix("expires Some(")?.split_once(')')?;
        Some((at_ms.parse().ok()?, rest.to_owned()))
    };
    match (deadline(ours), deadline(theirs)) {
        (Some((ours, a)), Some((theirs, b))) => a == b && ours.abs_diff(theirs) < 100_000,
        _ => ours == theirs,
    }
}

/// One log, loaded and replayed.
fn compare(release: Release, commands: &[String], label: &str) -> Result<(), String> {
    let mut log = Vec::new();
    for line in commands {
        encode(&line.split_ascii_whitespace().collect::<Vec<_>>(), &mut log);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonly.aof");
    std::fs::write(&path, &log).unwrap();
    let server = Server::load_aof(release, &path).unwrap_or_else(|log| panic!("{label}: {log}"));
    let rdb = vec![std::fs::read(server.save()).unwrap()];
    let ours = replay_hand_made(&log, &release, label);
    let theirs = replay(&rdb, &release, label);
    let counters = release.has_stream_counters();
    let (ours, theirs) = (describe(&ours, counters), describe(&theirs, counters));
    for key in ours.keys().chain(theirs.keys()) {
        let (ours, theirs) = (ours.get(key), theirs.get(key));
        let [ours, theirs] = [ours, theirs].map(|text| text.map(|text| without_load_times(text)));
        let same = match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => is_same(ours, theirs),
            _ => false,
        };
        if !same {
            let kept = std::env::temp_dir().join(format!("rdbkit-{}.txt", release.name));
            std::fs::write(&kept, commands.join("\n")).unwrap();
            return Err(format!(
                "{label}: {key}, replayed and loaded ({}):\n{}\n{}",
                kept.display(),
                ours.unwrap_or_default(),
                theirs.unwrap_or_default(),
            ));
        }
    }
    Ok(())
}

/// Random logs of every server that `next` has commands for; it is given a number to
/// count on with.
fn every_server(
    has: fn(&Release) -> bool,
    len: usize,
    next: fn(&mut Rng, &Release, &mut u64) -> String,
) {
    let mut wrong = Vec::new();
    for seed in rng::seeds(1, 4) {
        for release in servers().into_iter().chain(old_servers()).filter(has) {
            let mut rng = Rng::new(seed);
            let mut count = 1;
            let commands: Vec<_> = (0..len)
                .map(|_| next(&mut rng, &release, &mut count))
                .collect();
            let label = format!("{} with RDBKIT_SEED={seed}", release.name);
            wrong.extend(compare(release, &commands, &label).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The next command of a stream, as clients send it; `now` counts entries.
fn stream_command(rng: &mut Rng, release: &Release, now: &mut u64) -> String {
    let key = format!("x{}", rng.below(3));
    let group = *rng.pick(&["g", "h"]);
    let consumer = *rng.pick(&["ann", "bob", "cid"]);
    let near = now.saturating_sub(rng.below(25));
    let id = match rng.below(6) {
        0 => format!("{near}-1"),
        _ => format!("{near}-0"),
    };
    let time = *rng.pick(&["1000", "1001", "1002", "1003"]);
    let number = rng.below(8);
    let idle = *rng.pick(&["0", "0", "3600000"]);
    let count = match rng.below(4) {
        0 => String::new(),
        1 => "COUNT 1".to_owned(),
        2 => "COUNT -1".to_owned(),
        _ => format!("COUNT {number}"),
    };
    let claim = match rng.below(3) {
        // Which of those that were delivered in the load are the oldest hangs on its speed.
        0 if release.redis_since(8, 4) && (idle != "0" || count.is_empty()) => {
            format!("CLAIM {idle}")
        }
        _ => String::new(),
    };
    let more = match *rng.pick(&["", "", "", "NOACK", "BLOCK 5"]) {
        // Redis 5.0 waits while it loads, and crashes.
        "BLOCK 5" if !release.redis_since(6, 2) => "",
        more => more,
    };
    let after = match rng.below(5) {
        0 => id.clone(),
        1 => "0".to_owned(),
        _ => ">".to_owned(),
    };
    match rng.below(30) {
        0..=8 => {
            *now += 1;
            format!("XADD {key} {now}-0 field value")
        }
        9 | 10 => format!("XDEL {key} {id}"),
        11 if number < 3 => format!("XTRIM {key} MAXLEN {}", number * 6),
        12 if release.redis_since(7, 0) && number < 4 => {
            format!("XGROUP SETID {key} {group} {id} ENTRIESREAD {near}")
        }
        12 | 13 => format!("XGROUP SETID {key} {group} {id}"),
        14 if number < 2 => format!("XGROUP DESTROY {key} {group}"),
        15 | 16 => format!("XGROUP CREATE {key} {group} {id} MKSTREAM"),
        17 => format!("XACK {key} {group} {id}"),
        18 | 19 => format!("XCLAIM {key} {group} {consumer} 0 {id} TIME {time} FORCE"),
        20..=22 if release.redis_since(6, 2) => {
            let count = match number {
                0..4 => String::new(),
                _ => format!("COUNT {}", number / 2 - 1),
            };
            let just_id = *rng.pick(&["", "JUSTID"]);
            let after = format!("({id}");
            let start = *rng.pick(&["-", "0", &id, &after]);
            format!("XAUTOCLAIM {key} {group} {consumer} {idle} {start} {count} {just_id}")
        }
        23 => {
            let other = format!("x{}", rng.below(3));
            format!("XREADGROUP GROUP {group} {consumer} {count} STREAMS {key} {other} > {after}")
        }
        _ => format!(
            "XREADGROUP {more} GROUP {group} {consumer} {count} {claim} STREAMS {key} {after}"
        ),
    }
}

#[test]
fn streams_are_read_and_claimed_as_servers_do() {
    every_server(Release::has_streams, 600, stream_command);
}

/// The next command on ranges by member. Scores of `a` ascend with the members, those of
/// `b` almost; `c` is small and has any scores, all of `d` are equal.
fn lex_command(rng: &mut Rng, release: &Release, step: &mut u64) -> String {
    *step += 1;
    let number = *step;
    if number < 700 {
        let member = rng.below(400);
        let odd = if rng.one_in(60) { 1000 } else { 0 };
        let random = rng.below(5);
        return match number % 4 {
            0 => format!("ZADD a {} m{member:03}", member / 9),
            1 => format!("ZADD b {} m{member:03}", member / 9 + odd),
            2 => format!("ZADD c {random} m{:03}", member / 10),
            _ => format!("ZADD d 1 m{member:03}"),
        };
    }
    let from = *rng.pick(&["a", "a", "b", "b", "c", "c", "d"]);
    let bound = |rng: &mut Rng| match rng.below(12) {
        0 => "-".to_owned(),
        1 => "+".to_owned(),
        2..=6 => format!("[m{:03}", rng.below(420)),
        _ => format!("(m{:03}", rng.below(420)),
    };
    let (mut one, mut other) = (bound(rng), bound(rng));
    if one[1..] > other[1..] && !rng.one_in(6) {
        std::mem::swap(&mut one, &mut other);
    }
    let to = format!("to{}", rng.below(4));
    let limit = match rng.below(3) {
        0 => format!("LIMIT {} {}", rng.below(30), rng.below(200) as i64 - 20),
        _ => String::new(),
    };
    match rng.below(4) {
        0 => format!("ZUNIONSTORE {to} 1 {from}"),
        1 if release.redis_since(6, 2) => {
            format!("ZRANGESTORE {to} {from} {other} {one} BYLEX REV {limit}")
        }
        1 | 2 if release.redis_since(6, 2) => {
            format!("ZRANGESTORE {to} {from} {one} {other} BYLEX {limit}")
        }
        _ => format!("ZREMRANGEBYLEX {to} {one} {other}"),
    }
}

#[test]
fn ranges_by_member_over_unequal_scores_are_those_of_servers() {
    let mut wrong = Vec::new();
    for seed in rng::seeds(1, 3) {
        for release in servers().into_iter().chain(old_servers()) {
            let label = format!("{} with RDBKIT_SEED={seed}", release.name);
            let mut options = Options::default();
            options.flavor = flavor(&release);
            let mut replayer = Replayer::new(options);
            let mut rng = Rng::new(seed);
            let mut step = 0;
            let (mut commands, mut left_out) = (Vec::new(), 0);
            for _ in 0..1500 {
                let command = lex_command(&mut rng, &release, &mut step);
                let words: Vec<_> = command
                    .split_ascii_whitespace()
                    .map(str::as_bytes)
                    .collect();
                match replayer.call(&words) {
                    Err(Reject::Unsupported(_)) => left_out += 1,
                    _ => commands.push(command),
                }
            }
            assert!((1..200).contains(&left_out), "{label}: {left_out} left out");
            wrong.extend(compare(release, &commands, &label).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The next command with expiry options, some of them again.
fn expiry_command(rng: &mut Rng, release: &Release, step: &mut u64) -> String {
    *step += 1;
    let option = |rng: &mut Rng| {
        let time = 4_102_444_800_000 + rng.below(1000) * 1000;
        match rng.below(if release.redis_since(6, 2) { 5 } else { 2 }) {
            0 => format!("EX {}", 1_000_000_000 + rng.below(1000) * 1_000_000),
            1 => format!("PX {}", 1_000_000_000_000 + rng.below(1000) * 1_000_000_000),
            2 => format!("EXAT {}", time / 1000),
            3 => format!("PXAT {time}"),
            _ => "KEEPTTL".to_owned(),
        }
    };
    let first = option(rng);
    let name = first.split(' ').next().unwrap_or_default();
    let again = match rng.below(3) {
        0 => String::new(),
        1 if name != "KEEPTTL" => format!(
            "{name} {}",
            4_102_444_800_000 + rng.below(9) * 10_000_000_000
        ),
        _ => option(rng),
    };
    let nx = *rng.pick(&["", "", "NX", "XX"]);
    let key = format!("k{}", step);
    match rng.below(4) {
        0 if release.redis_since(6, 2) => {
            format!("GETEX k{} {first} {again}", rng.below(*step))
        }
        _ => format!("SET {key} v {first} {nx} {again}"),
    }
}

#[test]
fn repeated_expiry_options_have_their_last_value() {
    let mut wrong = Vec::new();
    for seed in rng::seeds(1, 2) {
        for release in servers().into_iter().chain(old_servers()) {
            let mut rng = Rng::new(seed);
            let mut step = 0;
            let commands: Vec<_> = (0..300)
                .map(|_| expiry_command(&mut rng, &release, &mut step))
                .collect();
            let label = format!("{} with RDBKIT_SEED={seed}", release.name);
            wrong.extend(compare(release, &commands, &label).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A log that is rewritten as commands leaves out messages whose entries are gone; one
/// that is repeated then makes an entry at the time of loading.
#[test]
fn messages_that_are_not_remembered_are_new_when_a_log_is_loaded() {
    let forms = [("yes", [1, 1]), ("no", [2, 1])];
    let with_forms = |release| forms.map(|form| (release, form));
    let releases = servers().into_iter().filter(Release::has_stream_idmp);
    for (release, (preamble, expected)) in releases.flat_map(with_forms) {
        let args = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
        let server = Server::start(release, &args);
        let mut client = server.client();
        let mut add = |key: &str, message: &str| {
            client.ok(&["XADD", key, "IDMP", "p", message, "*", "a", "b"]);
        };
        add("trimmed", "i1");
        add("trimmed", "i2");
        add("kept", "i1");
        server.client().ok(&["XTRIM", "trimmed", "MAXLEN", "1"]);
        server.rewrite_aof();
        add("trimmed", "i1");
        add("trimmed", "i2");
        add("kept", "i1");
        let lengths = |server: &Server| {
            ["trimmed", "kept"].map(|key| server.client().ok(&["XLEN", key]).int())
        };
        assert_eq!(lengths(&server), [1, 1]);
        let loaded = Server::load_aof(release, &server.aof()).unwrap();
        assert_eq!(lengths(&loaded), expected, "preamble {preamble}");
        let log = parts(&server.aof());
        let ours = replay(&log, &release, release.name);
        let length = |key: &str| {
            let entry = ours.db(0).and_then(|db| db.get(key.as_bytes()));
            match entry.map(|entry| entry.value()) {
                Some(Value::Stream(stream)) => stream.len(),
                other => panic!("{key}: {other:?}"),
            }
        };
        let replayed = ["trimmed", "kept"].map(|key| length(key) as i64);
        assert_eq!(replayed, expected, "preamble {preamble}");
    }
}
