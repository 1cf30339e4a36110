//! Damaged values: what a real server's RESTORE refuses, and what its `check-rdb` refuses,
//! `verify` refuses too.
//!
//! Values of each release are dumped, a few bytes changed, and the checksum made right again,
//! so that structure alone decides. The server looks at them with `sanitize-dump-payload yes`.
//! What only `verify` refuses must break a rule of [`STRICTER`]. `RDBKIT_ROUNDS` multiplies
//! how many values a server is offered.

mod util;

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rdbkit::bytes::crc64::crc64;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, PayloadReader};
use rdbkit::report::Level;
use util::dataset::{FillOptions, fill};
use util::resp::Client;
use util::rng::{self, Rng};
use util::server::{Family, Release, Server, Start, servers};

/// A rule that servers do not know or not always: its code, its words in a message, and what
/// breaking it loses. Only what loses something is an error.
struct Stricter {
    code: &'static str,
    rule: &'static str,
    loses: &'static str,
}

const fn stricter(code: &'static str, rule: &'static str, loses: &'static str) -> Stricter {
    Stricter { code, rule, loses }
}

/// All of these rules that changed bytes have met.
const STRICTER: &[Stricter] = &[
    stricter(
        "trailing_bytes",
        "bytes between the value and the footer",
        "what nobody reads: a count before it is too low",
    ),
    stricter(
        "unexpected_eof",
        "more bytes needed",
        "the end: version and checksum are taken for data",
    ),
    stricter(
        "bad_length",
        "special string code where a number must be",
        "the number: servers take six bits of the code for it",
    ),
    stricter(
        "bad_length",
        "first byte of a length",
        "the number: servers take 2^64 - 1 for it where a stream has it",
    ),
    stricter(
        "bad_lzf",
        "output within the expanded length",
        "the text: servers have an empty one where the length is 0",
    ),
    stricter(
        "bad_lzf",
        "instructions of a block",
        "the text: servers have an empty one",
    ),
    stricter(
        "bad_listpack",
        "the number of elements",
        "nothing in a stream's node; Valkey refuses it since 9.1",
    ),
    stricter(
        "bad_listpack",
        "the backlen of an element whose size is",
        "the way back from an empty string, unless what is before it adds nothing",
    ),
    stricter(
        "bad_module",
        "length of the projection matrix",
        "the projection: 8.2 reads what memory holds behind a short one, 8.6 refuses it",
    ),
    stricter(
        "bad_zset",
        "score: expected a number",
        "the score: servers take what digits they find, or 0",
    ),
    stricter(
        "bad_order",
        "the ID of an entry",
        "the entry: servers look for it elsewhere",
    ),
    stricter(
        "bad_stream",
        "length of a stream without nodes",
        "the entries that the length counts; refused by servers since 7.0",
    ),
    stricter(
        "bad_stream",
        "the number of deleted entries",
        "an entry that is marked as deleted and was not, or the other way round",
    ),
];

/// The type byte of a module's value.
const MODULE_2: u8 = 7;

/// The values of a full server as payloads, the small ones.
fn payloads(release: Release, seed: u64) -> Vec<Vec<u8>> {
    let server = Server::expect(Start::new(release));
    let mut client = server.client();
    let options = FillOptions {
        modules: false,
        databases: vec![0],
        ..FillOptions::default()
    };
    fill(&mut client, &release, &mut Rng::new(seed), &options);
    let mut payloads = Vec::new();
    for key in client.ok(&["KEYS", "*"]).items() {
        let dumped = client.ok(&[b"DUMP".to_vec(), key.bytes()]);
        let payload = dumped.bytes();
        if (12..3000).contains(&payload.len()) {
            payloads.push(payload);
        }
    }
    payloads.sort();
    payloads
}

/// A payload with some bytes changed; the version stays, the checksum is right.
fn mutated(payload: &[u8], rng: &mut Rng) -> Vec<u8> {
    let (value, footer) = payload.split_at(payload.len() - 10);
    let mut value = value.to_vec();
    // Another module, or another version of it, is one that the server does not have.
    let first = if value[0] == MODULE_2 { 10 } else { 0 };
    for _ in 0..rng.range(1, 2) {
        let at = rng.range(first, value.len() - 1);
        match rng.below(10) {
            0 => {
                let until = value.len().min(at + rng.range(1, 4));
                value.drain(at..until);
            }
            1 => {
                let until = value.len().min(at + rng.range(1, 8));
                let again = value[at..until].to_vec();
                value.splice(at..at, again);
            }
            2 => value[at] = value[at].wrapping_add(1),
            3 => value[at] = value[at].wrapping_sub(1),
            4 => value[at] = rng.next() as u8,
            5 => value[at] = *rng.pick(&[0x00, 0x7f, 0x80, 0xff, 0xc0, 0xf0]),
            _ => value[at] ^= 1 << rng.below(8),
        }
        if value.len() < first + 2 {
            value = payload[..first + 2].to_vec();
        }
    }
    value.extend_from_slice(&footer[..2]);
    let checksum = crc64(&value);
    value.extend_from_slice(&checksum.to_le_bytes());
    value
}

/// The errors that `verify` finds: their codes and messages.
fn refused(payload: &[u8]) -> Vec<(&'static str, String)> {
    let mut errors = Vec::new();
    let mut reader = PayloadReader::new(payload, ChecksumMode::Require);
    let verified = verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
        if finding.level != Level::Warning {
            errors.push((finding.code.as_str(), finding.message));
        }
    });
    assert!(verified.complete || !errors.is_empty(), "no verdict");
    errors
}

/// A server that is asked about payloads; it starts again once one has brought it down.
struct Judge {
    release: Release,
    running: Option<(Server, Client)>,
    crashes: usize,
}

impl Judge {
    /// Why RESTORE refuses it.
    fn restore(&mut self, payload: &[u8]) -> Option<String> {
        let release = self.release;
        let (_, client) = self.running.get_or_insert_with(|| {
            let server =
                Server::expect(Start::new(release).args(&["--sanitize-dump-payload", "yes"]));
            let client = server.client();
            (server, client)
        });
        let words: [&[u8]; 5] = [b"RESTORE", b"key", b"0", payload, b"REPLACE"];
        match client.try_cmd(&words) {
            Ok(reply) => reply.error().map(str::to_owned),
            Err(_) => {
                self.crashes += 1;
                self.running = None;
                Some("crashes".to_owned())
            }
        }
    }

    /// Whether the server's own checker refuses a file of this value, if it comes to an end.
    fn check_rdb(&self, payload: &[u8], folder: &std::path::Path) -> Option<bool> {
        let magic = match self.release.family {
            Family::Valkey if self.release.rdb_version >= 80 => "VALKEY",
            _ => "REDIS",
        };
        let (value, _) = payload.split_at(payload.len() - 10);
        let width = 9 - magic.len();
        let mut file = format!("{magic}{:0width$}", self.release.rdb_version).into_bytes();
        file.extend([0xfe, 0x00, value[0], 3]);
        file.extend(b"key");
        file.extend(&value[1..]);
        file.push(0xff);
        let checksum = crc64(&file);
        file.extend(checksum.to_le_bytes());
        let path = folder.join("value.rdb");
        fs::write(&path, file).unwrap();
        let mut command = self.release.checker();
        command
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut checker = command.spawn().unwrap();
        // On some bytes a checker never ends: that is no verdict.
        for _ in 0..500 {
            if let Some(status) = checker.try_wait().unwrap() {
                return Some(!status.success());
            }
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(Duration::from_secs(4));
        let status = checker.try_wait().unwrap();
        let _ = checker.kill();
        let _ = checker.wait();
        status.map(|status| !status.success())
    }
}

#[test]
fn what_servers_refuse_of_a_value_verify_refuses() {
    let known = |(code, message): &(&str, String)| {
        let is_it = |known: &&Stricter| known.code == *code && message.contains(known.rule);
        STRICTER.iter().find(is_it)
    };
    let folder = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for release in servers() {
        let mut judge = Judge {
            release,
            running: None,
            crashes: 0,
        };
        let (mut offered, mut checked, mut both, mut neither) = (0, 0, 0, 0);
        let mut stricter: BTreeMap<&str, usize> = BTreeMap::new();
        for seed in rng::seeds(41, 1) {
            let payloads = payloads(release, seed);
            assert!(payloads.len() > 50, "{}", payloads.len());
            let mut rng = Rng::new(seed).fork(release.name);
            for _ in 0..400 {
                let payload: &Vec<u8> = rng.pick(&payloads);
                let payload = mutated(payload, &mut rng);
                let ours = refused(&payload);
                let theirs = judge.restore(&payload);
                let checker = judge.check_rdb(&payload, folder.path());
                checked += usize::from(checker.is_some());
                let checker = checker.unwrap_or(false);
                offered += 1;
                match (ours.is_empty(), theirs.is_some() || checker) {
                    (true, true) => failures.push(format!(
                        "{} RDBKIT_SEED={seed}: RESTORE: {theirs:?}, check-rdb refuses: {checker}: {}",
                        release.name,
                        payload.escape_ascii()
                    )),
                    (false, true) => both += 1,
                    (true, false) => neither += 1,
                    (false, false) => {
                        let rules: Vec<_> = ours.iter().filter_map(known).collect();
                        for rule in &rules {
                            *stricter.entry(rule.rule).or_default() += 1;
                        }
                        if rules.is_empty() {
                            failures.push(format!(
                                "{} RDBKIT_SEED={seed}: only we refuse, {ours:?}: {}",
                                release.name,
                                payload.escape_ascii()
                            ));
                        }
                    }
                }
            }
        }
        eprintln!(
            "{}: {offered} values, {checked} seen by its checker, {both} refused by both, {neither} by neither, {} crashes",
            release.name, judge.crashes
        );
        for (rule, times) in &stricter {
            let known = STRICTER.iter().find(|known| known.rule == *rule).unwrap();
            eprintln!("  {times} only by us: {rule}: lost is {}", known.loses);
        }
        // A checker may hang on a value, not on many.
        assert!(checked > offered * 9 / 10, "{checked} of {offered}");
        assert!(
            both > offered / 10 && neither > offered / 10,
            "{both} and {neither} of {offered}"
        );
    }
    let shown = &failures[..failures.len().min(60)];
    assert!(
        failures.is_empty(),
        "{}:\n{}",
        failures.len(),
        shown.join("\n")
    );
}
