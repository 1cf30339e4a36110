//! Damaged files: every cut and every changed byte is noticed or leaves a dataset.
//!
//! The sound fixtures of [`FIXTURES`] are cut at every byte, changed at every byte with
//! the checksum left alone, and changed with the checksum made right again, so that
//! structure alone decides. Whatever `verify` then calls sound has to convert to valid
//! JSON, and the real server of that release has to load it and say the same of every
//! key. `RDBKIT_ROUNDS` multiplies how many of these a server is offered.

mod util;

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rdbkit::bytes::crc64::crc64;
use rdbkit::error::{Code, Error, Fault};
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::export::export_record;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, Item, RdbReader, ReadItems as _, Scratch};
use rdbkit::report::{Finding, Level};
use util::compare::json_differences;
use util::expect::snapshot;
use util::resp::Client;
use util::rng::{self, Rng};
use util::server::{Release, Server, Start, servers};

/// Small sound files: every type in every encoding, every opcode.
const FIXTURES: &[&str] = &[
    "handmade/array_28_all_tags.rdb",
    "handmade/enterprise_slot_and_lru.rdb",
    "handmade/expire_seconds.rdb",
    "handmade/hash_template_29_31_in_file.rdb",
    "handmade/hash_template_30_32.rdb",
    "handmade/hash_ttl_22_redis_rc.rdb",
    "handmade/hash_ttl_23_redis_rc.rdb",
    "handmade/hash_zipmap.rdb",
    "handmade/hash_zipmap_long_value.rdb",
    "handmade/header_0003.rdb",
    "handmade/idle_and_freq.rdb",
    "handmade/key_meta.rdb",
    "handmade/list_linked.rdb",
    "handmade/list_quicklist2_plain_small.rdb",
    "handmade/list_ziplist.rdb",
    "handmade/list_ziplist_long_prevlen.rdb",
    "handmade/module_aux_unknown.rdb",
    "handmade/module_unknown.rdb",
    "handmade/set_old.rdb",
    "handmade/slot_import_valkey.rdb",
    "handmade/stream_27_nack_zone.rdb",
    "handmade/zset_text_scores.rdb",
    "handmade/zset_ziplist.rdb",
    "redis-2.8.17/hash_ziplist.rdb",
    "redis-2.8.17/set_intset32.rdb",
    "redis-2.8.17/zset_skiplist.rdb",
    "redis-6.2.14/list_quicklist.rdb",
    "redis-6.2.14/stream_groups_pel.rdb",
    "redis-7.0.15/functions.rdb",
    "redis-7.0.15/stream_groups_pel.rdb",
    "redis-7.4.1/module_json.rdb",
    "redis-8.2.3/vectorset_q8.rdb",
    "redis-8.6.2/cluster_slot_info.rdb",
    "redis-8.6.2/hash_field_ttl_hashtable.rdb",
    "redis-8.6.2/hash_field_ttl_listpack.rdb",
    "redis-8.6.2/hash_hashtable.rdb",
    "redis-8.6.2/hash_listpack.rdb",
    "redis-8.6.2/lfu_freq.rdb",
    "redis-8.6.2/list_big_element.rdb",
    "redis-8.6.2/list_compressed_nodes.rdb",
    "redis-8.6.2/list_quicklist2.rdb",
    "redis-8.6.2/multi_db.rdb",
    "redis-8.6.2/set_intset16.rdb",
    "redis-8.6.2/set_listpack.rdb",
    "redis-8.6.2/stream_deleted.rdb",
    "redis-8.6.2/stream_idmp.rdb",
    "redis-8.6.2/string_int32.rdb",
    "redis-8.6.2/string_lzf.rdb",
    "redis-8.6.2/zset_listpack.rdb",
    "redis-8.6.2/zset_skiplist.rdb",
    "valkey-8.1.8/stream_groups_pel.rdb",
    "valkey-9.1.2/hash_field_ttl_hashtable.rdb",
];

/// The bits that are changed in a byte.
const MASKS: &[u8] = &[0x01, 0x80, 0xff];

struct Fixture {
    name: String,
    bytes: Vec<u8>,
}

impl Fixture {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let root = util::repo().join("testdata");
        let name = path.strip_prefix(&root).unwrap_or(path);
        Self {
            name: name.display().to_string(),
            bytes,
        }
    }

    /// Whether eight bytes of checksum stand at the end, and are not zero.
    fn has_checksum(&self) -> bool {
        let version = &self.bytes[5..9];
        version >= b"0005".as_slice() && !self.bytes.ends_with(&[0; 8])
    }

    fn changed(&self, at: usize, mask: u8) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[at] ^= mask;
        bytes
    }
}

fn fixtures() -> impl Iterator<Item = Fixture> {
    let root = util::repo().join("testdata");
    FIXTURES
        .iter()
        .map(move |name| Fixture::read(&root.join(name)))
}

/// Makes the checksum at the end right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body_len = bytes.len() - 8;
    let crc = crc64(&bytes[..body_len]);
    bytes[body_len..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The findings at the error level, and the codes of the rest.
struct Verdict {
    errors: Vec<Finding>,
    warnings: HashSet<Code>,
    trailing_bytes: usize,
}

fn verify(bytes: &[u8]) -> Verdict {
    let mut verdict = Verdict {
        errors: Vec::new(),
        warnings: HashSet::new(),
        trailing_bytes: 0,
    };
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Report);
    verify_rdb(
        &mut reader,
        VerifyOptions::default(),
        &mut |finding| match finding.level {
            Level::Error => verdict.errors.push(finding),
            Level::Warning => {
                verdict.warnings.insert(finding.code);
            }
        },
    );
    verdict.trailing_bytes = bytes.len() - reader.offset() as usize;
    verdict
}

/// The whole file as NDJSON.
fn convert(bytes: &[u8]) -> Result<String, Error> {
    let mut writer = NativeWriter::new(Arrangement::Lines);
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    RdbReader::from_slice(bytes).for_each(|item, _| match &item {
        Item::Key(record) => export_record(record, &mut scratch, &mut key_scratch, &mut writer),
        _ => Ok(()),
    })?;
    Ok(String::from_utf8(writer.out).expect("text"))
}

/// What goes wrong in a file that was changed so that an error has to be found.
fn must_be_refused(bytes: &[u8], faults: &[Fault]) -> Result<(), String> {
    let verdict = verify(bytes);
    match verdict.errors.as_slice() {
        [] => return Err("verify finds nothing".into()),
        found => {
            if let Some(odd) = found
                .iter()
                .find(|finding| !faults.contains(&finding.fault))
            {
                return Err(format!("fault {:?}: {odd}", odd.fault));
            }
        }
    }
    match convert(bytes) {
        Ok(_) => Err("it converts".into()),
        Err(_) => Ok(()),
    }
}

#[track_caller]
fn none(failures: &[String]) {
    let shown: Vec<&str> = failures.iter().take(20).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        shown.join("\n")
    );
}

#[test]
fn fixtures_are_sound() {
    for fixture in fixtures() {
        let verdict = verify(&fixture.bytes);
        let found: Vec<String> = verdict.errors.iter().map(Finding::to_string).collect();
        assert!(found.is_empty(), "{}: {}", fixture.name, found.join("\n"));
        assert!(fixture.bytes.len() < 1500, "{} is long", fixture.name);
    }
}

#[test]
fn file_cut_anywhere_is_damaged() {
    let mut failures = Vec::new();
    for fixture in fixtures() {
        for len in 0..fixture.bytes.len() {
            if let Err(text) = must_be_refused(&fixture.bytes[..len], &[Fault::Input]) {
                failures.push(format!("{} cut at {len}: {text}", fixture.name));
            }
        }
    }
    none(&failures);
}

#[test]
fn changed_byte_fails_the_checksum() {
    let mut failures = Vec::new();
    for fixture in fixtures().filter(Fixture::has_checksum) {
        // What stands in the file may become a version or type that is not supported.
        let faults = [Fault::Input, Fault::Unsupported];
        for at in 0..fixture.bytes.len() {
            for &mask in MASKS {
                let bytes = fixture.changed(at, mask);
                if (5..9).contains(&at)
                    && bytes[5..9] < b"0005"[..]
                    && verify(&bytes).trailing_bytes == 8
                {
                    // Now a version so old that it has no checksum: what was one is
                    // reported as bytes behind the end. Servers load it too.
                    continue;
                }
                if let Err(text) = must_be_refused(&bytes, &faults) {
                    failures.push(format!("{} at {at:#x} ^ {mask:#04x}: {text}", fixture.name));
                }
            }
        }
    }
    none(&failures);
}

/// What goes wrong in a file that may be damaged or a dataset, but nothing else.
fn must_be_judged(bytes: &[u8]) -> Result<Option<String>, String> {
    let verdict = verify(bytes);
    let faults = [Fault::Input, Fault::Unsupported];
    if let Some(odd) = verdict
        .errors
        .iter()
        .find(|finding| !faults.contains(&finding.fault))
    {
        return Err(format!("fault {:?}: {odd}", odd.fault));
    }
    match (convert(bytes), verdict.errors.is_empty()) {
        (Ok(text), true) => {
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line)
                    .map_err(|error| format!("no JSON: {error}: {line}"))?;
            }
            Ok(Some(text))
        }
        (Err(error), true) => Err(format!("verify finds nothing, convert {error}")),
        (_, false) => Ok(None),
    }
}

#[test]
fn changed_byte_under_a_right_checksum_is_found_or_a_dataset() {
    let mut failures = Vec::new();
    let (mut sound, mut damaged) = (0, 0);
    for fixture in fixtures() {
        for at in 0..fixture.bytes.len() {
            for &mask in MASKS {
                let bytes = fixture.changed(at, mask);
                let bytes = if fixture.has_checksum() {
                    sealed(bytes)
                } else {
                    bytes
                };
                match must_be_judged(&bytes) {
                    Ok(Some(_)) => sound += 1,
                    Ok(None) => damaged += 1,
                    Err(text) => {
                        failures.push(format!("{} at {at:#x} ^ {mask:#04x}: {text}", fixture.name));
                    }
                }
            }
        }
    }
    eprintln!("{sound} datasets, {damaged} damaged");
    none(&failures);
}

// --- What verify calls sound, a server loads -----------------------------------------

/// The sound files that a release wrote itself, without what only it can judge: Lua code
/// and the data of loadable modules.
fn own_fixtures(release: &Release) -> Vec<Fixture> {
    let folder = util::repo().join("testdata").join(release.name);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rdb"))
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !name.starts_with("functions") && !name.starts_with("module")
        })
        .collect();
    paths.sort();
    paths.iter().map(|path| Fixture::read(path)).collect()
}

/// A file that verify calls sound, and how it came to be.
struct Mutant {
    label: String,
    bytes: Vec<u8>,
    ndjson: String,
    warnings: HashSet<Code>,
}

fn mutants(release: &Release, seed: u64, count: usize) -> Vec<Mutant> {
    let fixtures = own_fixtures(release);
    let mut rng = Rng::new(seed).fork(release.name);
    let mut found = Vec::new();
    while found.len() < count {
        let fixture = rng.pick(&fixtures);
        let at = rng.range(0, fixture.bytes.len() - 9);
        let mut bytes = fixture.bytes.clone();
        let what = match rng.below(8) {
            0 => {
                let kept = rng.range(at, fixture.bytes.len() - 9).min(at + 4);
                bytes.drain(at..kept);
                format!("without {at:#x}..{kept:#x}")
            }
            1 => {
                let kept = rng.range(at, fixture.bytes.len() - 9).min(at + 8);
                let copied = bytes[at..kept].to_vec();
                bytes.splice(at..at, copied);
                format!("with {at:#x}..{kept:#x} twice")
            }
            _ => {
                let to = match rng.below(4) {
                    0 => bytes[at] ^ rng.pick(MASKS),
                    1 => bytes[at].wrapping_add(1),
                    2 => bytes[at].wrapping_sub(1),
                    _ => rng.next() as u8,
                };
                bytes[at] = to;
                format!("with {to:#04x} at {at:#x}")
            }
        };
        if fixture.has_checksum() {
            bytes = sealed(bytes);
        }
        let verdict = verify(&bytes);
        if bytes == fixture.bytes || !verdict.errors.is_empty() {
            continue;
        }
        let label = format!("{} {what}", fixture.name);
        let ndjson = convert(&bytes).unwrap_or_else(|error| panic!("{label}: {error}"));
        if ndjson.contains(r#""module":""#)
            && !ndjson.contains(r#""module":"vectorset","encver":0"#)
        {
            // A module that no server has.
            continue;
        }
        if has_enterprise_record(&bytes) {
            continue;
        }
        found.push(Mutant {
            label,
            bytes,
            ndjson,
            warnings: verdict.warnings,
        });
    }
    found
}

/// Whether a record has become one of Redis Enterprise, which other servers refuse.
fn has_enterprise_record(bytes: &[u8]) -> bool {
    let mut found = false;
    RdbReader::from_slice(bytes)
        .for_each(|_, span| {
            found |= [107, 121].contains(&bytes[span.start as usize]);
            Ok(())
        })
        .unwrap();
    found
}

/// One server for many files: as long as it loads them it need not start again.
struct Loader {
    release: Release,
    running: Option<(Server, Client)>,
}

impl Loader {
    fn new(release: Release) -> Self {
        Self {
            release,
            running: None,
        }
    }

    fn server(&mut self) -> &mut (Server, Client) {
        let release = self.release;
        self.running.get_or_insert_with(|| {
            let start = Start::new(release)
                .args(&["--databases", "1000"])
                .args(&["--sanitize-dump-payload", "yes"]);
            let server = Server::expect(start);
            let client = server.client();
            (server, client)
        })
    }

    /// Loads a file and compares what the server then holds.
    fn load(&mut self, mutant: &Mutant) -> Result<(), String> {
        let release = self.release;
        let (server, client) = self.server();
        fs::write(server.dir().join("dump.rdb"), &mutant.bytes).unwrap();
        let words = ["DEBUG", "RELOAD", "NOSAVE"];
        let refused = match client.try_cmd(&words) {
            Ok(reply) => reply.error().map(str::to_owned),
            Err(error) => Some(error.to_string()),
        };
        if let Some(refused) = refused {
            let log = server.log();
            self.running = None;
            return Err(format!("does not load: {refused}: {}", complaint(&log)));
        }
        let seen = catch_unwind(AssertUnwindSafe(|| snapshot(client, &release)));
        let Ok(mut seen) = seen else {
            let log = server.log();
            self.running = None;
            return Err(format!("loads, and cannot be read: {}", complaint(&log)));
        };
        if [
            Code::EmptyKey,
            Code::BadOrder,
            Code::StreamCounters,
            Code::OddExpiry,
        ]
        .iter()
        .any(|code| mutant.warnings.contains(code))
        {
            // As the warning says: the server drops the key, keeps what is wrong, or takes
            // the first of two deadlines (Redis 8.6) instead of the last.
            return Ok(());
        }
        let mut text = String::new();
        for line in mutant.ndjson.lines() {
            if has_expired(line) {
                let json: serde_json::Value = serde_json::from_str(line).unwrap();
                let key = json.get("key").and_then(util::compare::string);
                let db = json["db"].as_u64();
                seen.retain(|seen| {
                    Some(u64::from(seen.db)) != db || Some(&seen.key) != key.as_ref()
                });
            } else {
                text += &format!("{line}\n");
            }
        }
        let differences = json_differences(&seen, &text);
        match differences.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "loads as something else: {}",
                differences.join("; ")
            )),
        }
    }
}

/// Whether a server drops the key, or a field of it, because its time has passed.
fn has_expired(line: &str) -> bool {
    fn any_past(json: &serde_json::Value, now: i64) -> bool {
        match json {
            serde_json::Value::Number(n) => n.as_i64().is_some_and(|at| at < now),
            serde_json::Value::Array(items) => items.iter().any(|item| any_past(item, now)),
            serde_json::Value::Object(members) => members.values().any(|item| any_past(item, now)),
            _ => false,
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    ["expire_at_ms", "field_expire_at_ms"]
        .iter()
        .filter_map(|member| json.get(member))
        .any(|at| any_past(at, now + 60_000))
}

/// The lines of a server's log that say why.
fn complaint(log: &str) -> String {
    let words = [
        "crash", "signal", "ssert", "atal", "rror", "ntegrity", "odule", "Can't", "OOM",
    ];
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| words.iter().any(|word| line.contains(word)))
        .collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}

/// Refusals that do not speak against the file.
fn is_no_disagreement(complaint: &str) -> bool {
    [
        // How many databases there are is the server's setting.
        "more than 1000 databases",
        // A newer version than the server's.
        "Can't handle RDB format version",
    ]
    .iter()
    .any(|known| complaint.contains(known))
}

#[test]
fn what_verify_calls_sound_a_server_loads() {
    let keep = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("refused");
    let mut failures = Vec::new();
    for release in servers() {
        let mut loader = Loader::new(release);
        let mut offered = 0;
        for seed in rng::seeds(7, 1) {
            for mutant in mutants(&release, seed, 120) {
                offered += 1;
                let Err(text) = loader.load(&mutant) else {
                    continue;
                };
                if is_no_disagreement(&text) {
                    continue;
                }
                fs::create_dir_all(&keep).unwrap();
                let file = keep.join(format!("{}-{}.rdb", release.name, failures.len()));
                fs::write(&file, &mutant.bytes).unwrap();
                failures.push(format!("{} ({}): {text}", mutant.label, file.display()));
            }
        }
        eprintln!("{}: {offered} files offered", release.name);
    }
    none(&failures);
}

// --- Lengths that nothing backs ------------------------------------------------------

/// Lengths in every form, as large as they can be.
const HUGE_LENGTHS: &[&[u8]] = &[
    b"\x80\x7f\xff\xff\xff",
    b"\x80\xff\xff\xff\xff",
    b"\x81\x00\x00\x00\x01\x00\x00\x00\x00",
    b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xf8",
    // Inside of listpacks: a string of 4 GiB.
    b"\xf0\xff\xff\xff\xff",
    // A listpack's integer of 64 bits, as counts of stream nodes are.
    b"\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09",
    b"\xf4\xff\xff\xff\xff\xff\xff\xff\xff\x09",
];

/// What the test of the same name runs in a child whose memory is bounded.
#[test]
#[ignore = "runs in a child with bounded memory"]
fn huge_lengths_in_bounded_memory() {
    let mut failures = Vec::new();
    for (index, fixture) in fixtures().enumerate() {
        let end = fixture.bytes.len() - 9;
        for at in 9..end {
            // Three of the forms at each place; the next fixture has the others there.
            for n in 0..3 {
                let huge = HUGE_LENGTHS[(at + index + 3 * n) % HUGE_LENGTHS.len()];
                // In place of a length of one byte.
                let mut bytes = fixture.bytes.clone();
                bytes.splice(at..=at, huge.iter().copied());
                let bytes = if fixture.has_checksum() {
                    sealed(bytes)
                } else {
                    bytes
                };
                if let Err(text) = must_be_judged(&bytes) {
                    let huge = huge.escape_ascii();
                    failures.push(format!("{} {huge} at {at:#x}: {text}", fixture.name));
                }
            }
        }
    }
    none(&failures);
}

/// Runs a program with at most this much memory of its own.
fn bounded(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Output {
    const LIMIT_KIB: u32 = 256 * 1024;
    Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -d {LIMIT_KIB} && exec \"$@\""))
        .arg("sh")
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_whatever_lengths_say() {
    let this = std::env::current_exe().unwrap();
    let args = ["--exact", "huge_lengths_in_bounded_memory", "--ignored"];
    let output = bounded(this, &args);
    assert!(
        output.status.success(),
        "{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
}

/// A file of Redis 8.6 with one key, whose value is everything behind the type byte.
fn one_key(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = b"REDIS0013\xfe\x00".to_vec();
    bytes.push(kind);
    bytes.extend(b"\x03key");
    bytes.extend(value);
    bytes.push(0xff);
    bytes.extend([0; 8]);
    sealed(bytes)
}

#[test]
#[cfg(target_os = "linux")]
fn program_refuses_huge_lengths_with_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let max = b"\x81\xff\xff\xff\xff\xff\xff\xff\xff".as_slice();
    let many = b"\x80\x7f\xff\xff\xff".as_slice();
    let join = |parts: &[&[u8]]| parts.concat();
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for kind in [
        0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 24, 25, 26,
    ] {
        for (name, length) in [("max", max), ("many", many)] {
            cases.push((format!("type_{kind}_{name}"), one_key(kind, length)));
            let deadline = join(&[&[0; 8], length]);
            cases.push((
                format!("type_{kind}_{name}_behind_8"),
                one_key(kind, &deadline),
            ));
            let once = join(&[b"\x01", length]);
            cases.push((format!("type_{kind}_{name}_behind_1"), one_key(kind, &once)));
        }
    }
    // A bomb: a few bytes that say they expand to 16 EiB, 2 GiB, 512 MiB.
    for (name, expanded) in [
        ("max", max),
        ("2g", many),
        ("512m", b"\x80\x20\x00\x00\x00"),
    ] {
        let bomb = join(&[b"\xc3\x05", expanded, b"\x00a\xe0\xff\x00"]);
        cases.push((format!("bomb_{name}"), one_key(0, &bomb)));
        let node = join(&[b"\x01\x02", &bomb]);
        cases.push((format!("bomb_node_{name}"), one_key(18, &node)));
    }
    let resized = join(&[b"REDIS0011\xfe\x00\xfb", max, max, b"\xff", &[0; 8]]);
    for (name, bytes) in &cases {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        let program = env!("CARGO_BIN_EXE_rdbkit");
        let output = bounded(program, &["convert", path, "--to", "ndjson"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        // What stands before the damage is there, in whole lines.
        for line in String::from_utf8(output.stdout)
            .unwrap()
            .split_terminator('\n')
        {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        let errors = stderr
            .lines()
            .filter(|line| !line.starts_with("hint: "))
            .count();
        assert!(
            errors == 1 && stderr.starts_with("error: "),
            "{name}: {stderr}"
        );
        let output = bounded(program, &["verify", path]);
        assert_eq!(output.status.code(), Some(1), "{name}");
    }
    // Nothing is kept room for by RESIZEDB.
    let path = dir.path().join("resized");
    fs::write(&path, sealed(resized)).unwrap();
    let args = ["convert", path.to_str().unwrap(), "--to", "ndjson"];
    assert_eq!(
        bounded(env!("CARGO_BIN_EXE_rdbkit"), &args).status.code(),
        Some(0)
    );
}
