//! What we write for a release, that release loads, and says that it is the same data.
//!
//! Each server is filled with every type in every encoding; its file is written for others,
//! loaded there, and compared by `DEBUG DIGEST` and key by key with what they save again.
//! Each source meets three targets for each seed, chosen by it; with `RDBKIT_ROUNDS` of 4 and
//! more the first seed meets all of them.

mod util;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rdbkit::input::{Input, OpenOptions};
use rdbkit::model::ValueType;
use rdbkit::model::loss::Loss;
use rdbkit::model::sink::{KeyHead, ValueSink as _};
use rdbkit::model::stream::{Group, StreamId, StreamState};
use rdbkit::num::Flavor;
use rdbkit::ops::digest::{DigestOptions, digest_rdb, digest_store};
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::rdb_write::{
    Source, Survey, WriteOptions, Written, copy_rdb, survey_rdb, survey_store, write_rdb,
    write_store,
};
use rdbkit::ops::replay::ReplayOptions;
use rdbkit::rdb::{
    Encodings, Item, Items, RdbReader, RdbWriter, Record, RecordEncoder, Target, Value,
};
use rdbkit::store::{Entry, Value as Stored};

use util::dataset::{FillOptions, fill};
use util::resp::Client;
use util::rng::{self, Rng};
use util::same::{all_servers, assert_same_keys, filled, target_of};
use util::server::{Family, Release, Server, servers};

fn write(bytes: &[u8], options: &WriteOptions) -> (Vec<u8>, Survey, Written) {
    let survey = survey_rdb(&mut RdbReader::from_slice(bytes), options).unwrap();
    let mut reader = RdbReader::from_slice(bytes);
    let mut report = |finding| panic!("{finding}");
    let (out, written) = write_rdb(&mut reader, options, &survey, Vec::new(), &mut report).unwrap();
    (out, survey, written)
}

/// Whether a release has the type at all.
fn has_type(record: &Record<'_>, release: &Release) -> bool {
    match record.value_type() {
        ValueType::Stream => release.has_streams(),
        ValueType::Module => match record.value() {
            Value::Module(module) if module.id().unwrap().name() == "vectorset" => {
                release.family == Family::Redis && release.has_vector_sets()
            }
            _ => false,
        },
        _ => true,
    }
}

fn digest(bytes: &[u8], flavor: Flavor, wants: impl Fn(&Record<'_>) -> bool + Sync) -> String {
    let options = DigestOptions {
        flavor: Some(flavor),
        now_ms: 1_800_000_000_000,
        per_key: false,
        pipeline: Pipeline::default(),
    };
    let mut reader = RdbReader::from_slice(bytes);
    let digested = digest_rdb(
        &mut reader,
        options,
        |record, _| Ok(wants(record)),
        |_| Ok(()),
    );
    digested.unwrap().total.unwrap().to_string()
}

/// The release's own checker on a file, if it can be called.
fn check(release: &Release, rdb: &Path, label: &str) {
    if !release.redis_since(3, 2) {
        return;
    }
    let mut command = match release.program("redis-check-rdb") {
        Some(program) => Command::new(program),
        None => {
            let is_program = fs::read(release.binary()).unwrap().starts_with(b"\x7fELF");
            if !is_program {
                return;
            }
            let mut command = Command::new(release.binary());
            command.arg0(match release.family {
                Family::Redis => "redis-check-rdb",
                Family::Valkey => "valkey-check-rdb",
            });
            command
        }
    };
    let output = command.arg(rdb).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("RDB looks OK"),
        "{label}: the release's own checker says:\n{text}"
    );
}

/// Writes a file for a release, and has it loaded there.
fn convert_and_load(source: &[u8], release: Release, encodings: Encodings, label: &str) {
    let target = target_of(&release);
    let mut options = WriteOptions::new(target);
    options.encodings = encodings;
    let (out, survey, written) = write(source, &options);
    let flavor = target.flavor();
    let expected = digest(source, flavor, |record| has_type(record, &release));
    assert_eq!(
        digest(&out, flavor, |_| true),
        expected,
        "{label}: our own digest of what we wrote"
    );
    let keys: u64 = survey.dbs.values().map(|db| db.keys).sum();
    assert_eq!(keys, written.keys, "{label}: keys counted and written");

    let dir = tempfile::tempdir().unwrap();
    let rdb = dir.path().join("out.rdb");
    fs::write(&rdb, &out).unwrap();
    check(&release, &rdb, label);
    let server = Server::load(release, &rdb).unwrap_or_else(|log| {
        let kept = std::env::temp_dir().join("rdbkit-refused.rdb");
        fs::copy(&rdb, &kept).unwrap();
        panic!("{label}: refused, see {}:\n{log}", kept.display())
    });
    assert_eq!(server.digest(), expected, "{label}: DEBUG DIGEST");
    assert_same_keys(&rdb, &server.save(), label);
}

/// Whether sources meet all targets with a seed.
fn meets_all(seeds: &[u64], seed: u64) -> bool {
    seeds.len() >= 4 && seed == seeds[0]
}

/// Three targets, or all of them.
fn targets(source: Release, rng: &mut Rng, wants_all: bool) -> Vec<Release> {
    let mut all = all_servers();
    all.retain(|release| *release != source);
    if !wants_all {
        rng.shuffle(&mut all);
        all.truncate(3);
    }
    all
}

#[test]
fn every_release_loads_what_we_write_for_it() {
    let seeds: Vec<u64> = rng::seeds(1, 1).collect();
    for &seed in &seeds {
        let mut rng = Rng::new(seed).fork("targets");
        for source in all_servers() {
            let file = filled(source, seed);
            for release in targets(source, &mut rng, meets_all(&seeds, seed)) {
                for encodings in [Encodings::Default, Encodings::Universal] {
                    let label = format!(
                        "{} for {}, {encodings:?}, with RDBKIT_SEED={seed}",
                        source.name, release.name
                    );
                    convert_and_load(&file, release, encodings, &label);
                }
            }
        }
    }
}

#[test]
fn file_for_its_own_release_stays_byte_for_byte() {
    let seed = rng::seed(1);
    for release in all_servers() {
        let file = filled(release, seed);
        let target = target_of(&release);
        let source = Source::of_head(&file).unwrap();
        let by_version = !release.redis_since(3, 2);
        // The oldest files do not say which of three releases wrote them.
        let own = if by_version {
            "redis-2.6"
        } else {
            &target.to_string()
        };
        assert_eq!(
            source.target().unwrap().to_string(),
            own,
            "{}",
            release.name
        );
        let options = WriteOptions::new(target);
        assert!(options.keeps(&source), "{}", release.name);
        let mut reader = RdbReader::from_slice(&file);
        let mut report = |finding| panic!("{finding}");
        let (out, written) = copy_rdb(&mut reader, &options, Vec::new(), &mut report).unwrap();
        assert_eq!(written.copied, written.keys, "{}", release.name);
        assert!(out == file, "{}: the copy differs", release.name);
    }
}

/// Writes what a server's log leaves for other releases, and for its own.
fn log_becomes_rdb(source: Release, targets: &[Release], seed: u64) {
    let args = ["--appendonly", "yes", "--appendfsync", "no"];
    let server = Server::start(source, &args);
    let options = FillOptions {
        modules: false,
        ..FillOptions::default()
    };
    let mut rng = Rng::new(seed);
    fill(&mut server.client(), &source, &mut rng, &options);
    let log = Log::open_set(&server.aof()).or_else(|_| {
        let input = Input::open(server.aof(), &OpenOptions::new().map(true))?;
        Log::of_input(input)
    });
    let log = log.unwrap();
    let mut replay = ReplayOptions::default();
    replay.replay.flavor = target_of(&source).flavor();
    let replayed = log.replay(&replay, &mut |finding| panic!("{finding}"));
    let replayed = replayed.unwrap();
    let store = &replayed.replayer.store;
    for release in targets {
        let label = format!(
            "log of {} for {}, RDBKIT_SEED={seed}",
            source.name, release.name
        );
        let target = target_of(release);
        let options = WriteOptions::new(target);
        let survey = survey_store(store, &options);
        let (out, written) = write_store(store, &options, &survey, Vec::new()).unwrap();
        let keys: u64 = survey.dbs.values().map(|db| db.keys).sum();
        assert_eq!(keys, written.keys, "{label}: keys");

        let digesting = DigestOptions {
            flavor: Some(target.flavor()),
            now_ms: 1_800_000_000_000,
            per_key: false,
            pipeline: Pipeline::default(),
        };
        let wants = |_: u32, _: &[u8], entry: &Entry<'_>| match entry.value_type() {
            ValueType::Stream => release.has_streams(),
            ValueType::Module => entry.look(|value| match value {
                Stored::VectorSet(_) => target.has_vector_sets(),
                _ => true,
            }),
            _ => true,
        };
        // That the replay equals the live server is for other tests; some of what a server
        // does depends on settings that no log has.
        let expected = digest_store(store, digesting, wants, |_| Ok(())).unwrap();
        let expected = expected.total.unwrap().to_string();
        assert_eq!(digest(&out, target.flavor(), |_| true), expected, "{label}");
        let dir = tempfile::tempdir().unwrap();
        let rdb = dir.path().join("out.rdb");
        fs::write(&rdb, &out).unwrap();
        check(release, &rdb, &label);
        let loaded =
            Server::load(*release, &rdb).unwrap_or_else(|log| panic!("{label}: refused:\n{log}"));
        assert_eq!(loaded.digest(), expected, "{label}: DEBUG DIGEST");
        assert_same_keys(&rdb, &loaded.save(), &label);
    }
}

#[test]
fn every_release_loads_what_a_log_becomes() {
    let seeds: Vec<u64> = rng::seeds(1, 1).collect();
    for &seed in &seeds {
        let mut rng = Rng::new(seed).fork("logs");
        for source in all_servers() {
            let meets_all = meets_all(&seeds, seed);
            let mut chosen = targets(source, &mut rng, meets_all);
            chosen.truncate(if meets_all { usize::MAX } else { 1 });
            chosen.push(source);
            log_becomes_rdb(source, &chosen, seed);
        }
    }
}

/// Names that a search finds.
fn neighbours(client: &mut Client, key: &str, element: &str, more: &[&str]) -> Vec<String> {
    let command = [&["VSIM", key, "ELE", element, "COUNT", "10"], more].concat();
    let reply = client.ok(&command);
    reply.items().iter().map(|item| item.text()).collect()
}

/// The share of the true ten nearest that searches of a server find.
fn recall(client: &mut Client, key: &str) -> f64 {
    let (mut found, mut all) = (0, 0);
    for number in (0..VECTORS).step_by(23) {
        let element = format!("e{number}");
        let truth = neighbours(client, key, &element, &["TRUTH"]);
        let guess = neighbours(client, key, &element, &[]);
        found += truth.iter().filter(|name| guess.contains(name)).count();
        all += truth.len();
    }
    found as f64 / all as f64
}

const VECTORS: usize = 1500;

#[test]
fn graphs_of_vector_sets_find_what_the_servers_own_find() {
    let has_vector_sets = |release: &Release| release.has_vector_sets();
    for source in servers().into_iter().filter(has_vector_sets) {
        let args = ["--appendonly", "yes", "--appendfsync", "no"];
        let server = Server::start(source, &args);
        let mut client = server.client();
        let mut rng = Rng::new(rng::seed(1));
        let kinds = [("Q8", "16"), ("BIN", "16"), ("NOQUANT", "4")];
        for (quantization, m) in kinds {
            let mut commands = Vec::new();
            for number in 0..VECTORS {
                let mut add = command!["VADD", quantization, "VALUES", 24];
                for _ in 0..24 {
                    let x = rng.range(0, 2000) as f64 / 1000.0 - 1.0;
                    add.push(x.to_string().into_bytes());
                }
                add.extend(command![format!("e{number}"), quantization, "M", m]);
                commands.push(add);
            }
            commands.push(command!["VSETATTR", quantization, "e5", "{\"n\":5}"]);
            // No search begins there.
            commands.push(command!["VREM", quantization, "e7"]);
            client.pipe_ok(commands);
            client.ok(&["PEXPIREAT", quantization, "4102444800000"]);
        }
        let log = Log::open_set(&server.aof()).unwrap();
        let mut replay = ReplayOptions::default();
        replay.replay.flavor = target_of(&source).flavor();
        let replayed = log.replay(&replay, &mut |finding| panic!("{finding}"));
        let replayed = replayed.unwrap();
        let store = &replayed.replayer.store;
        for release in servers().into_iter().filter(has_vector_sets) {
            let label = format!("vector sets of {} for {}", source.name, release.name);
            let options = WriteOptions::new(target_of(&release));
            let survey = survey_store(store, &options);
            let (out, written) = write_store(store, &options, &survey, Vec::new()).unwrap();
            assert_eq!(written.keys, 3, "{label}");
            let dir = tempfile::tempdir().unwrap();
            let rdb = dir.path().join("out.rdb");
            fs::write(&rdb, &out).unwrap();
            check(&release, &rdb, &label);
            let loaded = Server::load(release, &rdb)
                .unwrap_or_else(|log| panic!("{label}: refused:\n{log}"));
            assert_eq!(loaded.digest(), server.digest(), "{label}: DEBUG DIGEST");
            for (key, _) in kinds {
                let own = recall(&mut client, key);
                let ours = recall(&mut loaded.client(), key);
                println!("{label}, {key}: recall@10 {ours:.3}, the server's own {own:.3}");
                assert!(ours >= 0.95 * own, "{label}, {key}: {ours} against {own}");
            }
        }
    }
}

#[test]
fn what_went_through_json_is_loaded_as_the_same_data() {
    let seed = rng::seed(1);
    for release in all_servers() {
        let label = format!("{} through JSON, with RDBKIT_SEED={seed}", release.name);
        let file = filled(release, seed);
        let dir = tempfile::tempdir().unwrap();
        let [first, json, second] =
            ["first.rdb", "it.ndjson", "second.rdb"].map(|name| dir.path().join(name));
        fs::write(&first, &file).unwrap();
        let target = target_of(&release).to_string();
        for (input, output, flag) in [
            (&first, &json, "--meta"),
            (&json, &second, &*format!("--target={target}")),
        ] {
            let converted = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
                .args(["convert", flag, "-q", "-o"])
                .args([output, input])
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&converted.stderr);
            assert!(converted.status.success(), "{label}: {errors}");
        }
        let expected = digest(&file, target_of(&release).flavor(), |_| true);
        check(&release, &second, &label);
        let server = Server::load(release, &second).unwrap_or_else(|log| panic!("{label}:\n{log}"));
        assert_eq!(server.digest(), expected, "{label}: DEBUG DIGEST");
        assert_same_keys(&first, &server.save(), &label);
    }
}

#[test]
fn counters_that_cannot_be_are_not_written_for_a_release_that_checks_them() {
    let state = StreamState {
        length: 0,
        last_id: StreamId::new(5, 0),
        first_id: Some(StreamId::MIN),
        max_deleted_id: Some(StreamId::MIN),
        entries_added: Some(1),
        groups: vec![Group {
            name: b"g".to_vec(),
            entries_read: Some(7),
            ..Group::default()
        }],
        idmp: None,
    };
    let old = Target::named("redis-7.2").unwrap();
    let mut encoder = RecordEncoder::new(old, Encodings::Default);
    encoder.begin_key(&KeyHead::new(0, b"s", ValueType::Stream));
    encoder.begin_value();
    encoder.stream_state(&state);
    encoder.end_value();
    assert!(encoder.end_key());
    let mut record = Vec::new();
    assert!(encoder.take(&mut record).unwrap());
    let mut writer = RdbWriter::new(Vec::new(), old).unwrap();
    writer.select_db(0).unwrap();
    writer.raw(&record).unwrap();
    let file = writer.finish().unwrap();
    for (target, expected, losses) in [("redis-8.6", 7, 0), ("redis-8.8", -1, 1)] {
        let options = WriteOptions::new(Target::named(target).unwrap());
        let (out, survey, _) = write(&file, &options);
        assert_eq!(survey.losses.data.len(), losses, "{target}");
        for item in Items::new(&out) {
            if let Item::Key(record) = item.unwrap()
                && let Value::Stream(stream) = record.value()
            {
                let read = stream.state().unwrap().groups[0].entries_read;
                assert_eq!(read, Some(expected), "{target}");
            }
        }
    }
}

#[test]
fn losses_are_counted_by_kind_with_their_keys() {
    let cases = [
        (
            "redis-7.4.1/hash_field_ttl_and_key_ttl",
            "redis-7.2",
            Some((Loss::FieldDeadline, 1)),
        ),
        (
            "redis-7.4.1/hash_field_ttl_hashtable",
            "valkey-8.1",
            Some((Loss::FieldDeadline, 2)),
        ),
        ("redis-7.4.1/hash_field_ttl_hashtable", "valkey-9.1", None),
        ("valkey-9.1.2/hash_field_ttl_hashtable", "redis-8.6", None),
        (
            "redis-8.6.2/stream_idmp",
            "redis-8.4",
            Some((Loss::Idmp, 1)),
        ),
        (
            "redis-8.6.2/stream_idmp",
            "redis-4.0",
            Some((Loss::Stream, 1)),
        ),
        (
            "redis-8.6.2/stream_deleted",
            "redis-6.2",
            Some((Loss::StreamCounters, 1)),
        ),
        ("redis-8.6.2/stream_entries", "redis-6.2", None),
        (
            "redis-8.6.2/vectorset_q8",
            "redis-7.4",
            Some((Loss::VectorSet, 1)),
        ),
        (
            "redis-8.6.2/vectorset_q8",
            "valkey-9.1",
            Some((Loss::VectorSet, 1)),
        ),
        ("redis-8.6.2/vectorset_q8", "redis-8.0", None),
        (
            "redis-8.6.2/functions",
            "redis-6.2",
            Some((Loss::Function, 2)),
        ),
        (
            "redis-7.4.1/module_json",
            "redis-3.2",
            Some((Loss::Module, 1)),
        ),
        ("redis-7.4.1/module_json", "valkey-9.1", None),
        (
            "redis-7.4.1/module_search_aux",
            "redis-4.0",
            Some((Loss::ModuleAux, 3)),
        ),
        ("handmade/key_meta", "redis-8.4", Some((Loss::KeyMeta, 1))),
        (
            "handmade/stream_27_nack_zone",
            "redis-8.6",
            Some((Loss::Nack, 2)),
        ),
        ("handmade/stream_27_nack_zone", "redis-8.10", None),
        (
            "handmade/array_28_all_tags",
            "redis-8.6",
            Some((Loss::Array, 1)),
        ),
        ("handmade/hash_template_30_32", "redis-2.6", None),
    ];
    for (name, target, expected) in cases {
        let path = util::repo().join("testdata").join(format!("{name}.rdb"));
        let bytes = fs::read(&path).unwrap();
        let options = WriteOptions::new(Target::named(target).unwrap());
        let (out, survey, written) = write(&bytes, &options);
        let found = survey.losses.data.iter();
        let found: Vec<_> = found
            .map(|(loss, counted)| (*loss, counted.count))
            .collect();
        assert_eq!(found, Vec::from_iter(expected), "{name} for {target}");
        let keys: u64 = survey.dbs.values().map(|db| db.keys).sum();
        assert_eq!(keys, written.keys, "{name} for {target}");
        // Nothing more is lost on a second way.
        let again = survey_rdb(&mut RdbReader::from_slice(&out), &options).unwrap();
        assert!(!again.losses.loses_data(), "{name} for {target}");
    }
}
