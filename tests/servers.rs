//! Proves the harness over the real servers: what it fills in survives a save and a
//! reload by the same release, and what it reads back says so.

mod util;

use util::compare::{json_differences, snapshot_differences};
use util::expect::{ExpectedKey, functions, snapshot};
use util::filled::Filled;
use util::rng;
use util::server::{Release, Server, old_servers, servers};

/// One round: a full server, its file, and a second server on that file.
fn reload(release: Release, seed: u64) {
    let first = Filled::new(release, seed);
    let (label, keys) = (&first.label, &first.keys);
    assert!(keys.len() > 300, "{label}: only {} keys", keys.len());
    for (kind, encoding) in encodings(&release) {
        let is_it = |key: &ExpectedKey| key.kind == kind && key.encoding.0 == encoding;
        assert!(
            keys.iter().any(is_it),
            "{label}: no {kind} in encoding {encoding}"
        );
    }

    let second = Server::load(release, &first.rdb)
        .unwrap_or_else(|log| panic!("{label}: refuses its own file:\n{log}"));
    let mut client = second.client();
    let found = snapshot_differences(keys, &snapshot(&mut client, &release));
    assert!(
        found.is_empty(),
        "{label}: {} keys differ:\n{}",
        found.len(),
        found.join("\n")
    );
    let functions = functions(&mut client, &release);
    assert_eq!(first.functions, functions, "{label}: functions");
    assert_eq!(first.digest, second.digest(), "{label}: DEBUG DIGEST");
}

/// The types and encodings that a fill must bring out in a release, in the server's
/// own names.
fn encodings(release: &Release) -> Vec<(&'static str, &'static str)> {
    let small = if release.has_listpacks() {
        "listpack"
    } else {
        "ziplist"
    };
    let mut all = vec![
        ("string", "int"),
        ("string", "raw"),
        ("set", "intset"),
        ("set", "hashtable"),
        ("zset", small),
        ("zset", "skiplist"),
        ("hash", small),
        ("hash", "hashtable"),
    ];
    if release.has_quicklist() {
        all.push(("list", "quicklist"));
    } else {
        all.extend([("list", "ziplist"), ("list", "linkedlist")]);
    }
    if release.has_set_listpack() {
        all.extend([("set", "listpack"), ("list", "listpack")]);
    }
    if release.redis_since(6, 0) {
        all.push(("stream", "stream"));
    }
    if release.redis_since(7, 4) {
        all.push(("hash", "listpackex"));
    }
    if release.has_vector_sets() {
        all.push(("vectorset", "raw"));
    }
    if release.has_modules() {
        let kinds = [
            "ReJSON-RL",
            "MBbloom--",
            "MBbloomCF",
            "CMSk-TYPE",
            "TopK-TYPE",
            "TDIS-TYPE",
            "TSDB-TYPE",
        ];
        all.extend(kinds.map(|kind| (kind, "raw")));
    }
    all
}

#[test]
fn random_data_survives_a_reload_by_the_same_release() {
    for seed in rng::seeds(1, 1) {
        for release in servers() {
            reload(release, seed);
        }
    }
}

#[test]
fn random_data_survives_a_reload_by_an_old_release() {
    for seed in rng::seeds(1, 1) {
        for release in old_servers() {
            reload(release, seed);
        }
    }
}

#[test]
fn a_broken_file_is_refused_with_the_servers_log() {
    let Some(release) = servers().into_iter().next() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let rdb = dir.path().join("broken.rdb");
    std::fs::write(&rdb, b"REDIS0009\xfe").unwrap();
    let log = Server::load(release, &rdb).map(|_| ()).unwrap_err();
    assert!(log.contains("RDB"), "{log}");
}

#[test]
fn json_of_a_key_compares_with_what_the_server_said() {
    use util::expect::{Deadline, ExpectedField, ExpectedValue, Informative};
    let key = |name: &str, kind: &str, value| ExpectedKey {
        db: 0,
        key: name.into(),
        kind: kind.into(),
        deadline: None,
        encoding: Informative(String::new()),
        idle_s: Informative(None),
        freq: Informative(None),
        value,
    };
    let mut zset = key(
        "z",
        "zset",
        ExpectedValue::Zset(vec![
            (vec![0xff], "1.1e-5".into()),
            (b"b".to_vec(), "inf".into()),
        ]),
    );
    zset.deadline = Some(Deadline {
        at_ms: 5,
        exact: true,
    });
    let field = |field: &str, value: &str, deadline_ms| ExpectedField {
        field: field.into(),
        value: value.into(),
        deadline_ms,
    };
    let hash = key(
        "h",
        "hash",
        ExpectedValue::Hash(vec![field("a", "1", None), field("b", "2", Some(9))]),
    );
    let expected = [hash, zset];

    let good = [
        r#"{"rdbkit":1,"source":"rdb"}"#,
        r#"{"db":0,"key":"z","type":"zset","expire_at_ms":5,"value":[[{"$b64":"/w=="},0.000011],["b","inf"]]}"#,
        r#"{"db":0,"key":"h","type":"hash","value":{"b":"2","a":"1"},"field_expire_at_ms":{"b":9}}"#,
    ];
    assert_eq!(
        json_differences(&expected, &good.join("\n")),
        Vec::<String>::new()
    );
    for (line, from, to) in [
        (1, "0.000011", "0.00001100000000000001"),
        (1, r#""expire_at_ms":5,"#, ""),
        (1, "inf", "-inf"),
        (2, r#""a":"1""#, r#""a":1"#),
        (2, r#"{"b":9}"#, r#"{"a":9}"#),
        (2, r#""key":"h""#, r#""key":"x""#),
        (2, r#""db":0"#, r#""db":1"#),
    ] {
        let mut bad = good.map(str::to_owned);
        bad[line] = bad[line].replace(from, to);
        assert!(
            !json_differences(&expected, &bad.join("\n")).is_empty(),
            "{from} as {to} is not noticed"
        );
    }
}
