//! Which keys a filter chooses.

use serde_json::Value as Json;

use crate::program::{demo, expect, stdout};

/// Keys of the demo by a filter.
fn chosen(filter: &[&str]) -> Vec<String> {
    let demo = demo();
    let args = [
        &["convert", &demo, "--to", "ndjson", "--now", "1800000000000"],
        filter,
    ]
    .concat();
    let output = expect(&args, 0);
    let key = |line: &str| {
        let json: Json = serde_json::from_str(line).unwrap();
        format!(
            "{}:{}",
            json["db"],
            json["key"].as_str().unwrap_or("(binary)")
        )
    };
    stdout(&output).lines().map(key).collect()
}

#[test]
fn each_filter_chooses_keys() {
    let demo = demo();
    let output = expect(&["convert", &demo, "--to", "ndjson"], 0);
    let all: Vec<Json> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let by =
        |test: &dyn Fn(&Json) -> bool| -> usize { all.iter().filter(|json| test(json)).count() };
    let (total, now) = (all.len(), 1_800_000_000_000_i64);
    assert!(total > 10);

    let volatile = by(&|json| json.get("expire_at_ms").is_some());
    assert!(volatile > 0);
    assert_eq!(chosen(&["--ttl", "volatile"]).len(), volatile);
    assert_eq!(chosen(&["--ttl", "persistent"]).len(), total - volatile);
    let dead = by(&|json| json["expire_at_ms"].as_i64().is_some_and(|at| at <= now));
    assert_eq!(chosen(&["--ttl", "expired"]).len(), dead);
    assert_eq!(chosen(&["--drop-expired"]).len(), total - dead);
    assert_eq!(chosen(&["--ttl", "0..1000000000"]).len(), volatile - dead);

    for db in [0, 1, 2, 3, 7] {
        let expected = by(&|json| json["db"] == db);
        assert_eq!(
            chosen(&["--db", &db.to_string()]).len(),
            expected,
            "db {db}"
        );
    }
    for kind in ["string", "list", "set", "zset", "hash", "stream", "module"] {
        let expected = by(&|json| json["type"] == kind);
        assert_eq!(chosen(&["--type", kind]).len(), expected, "{kind}");
    }
    // Repeats of one kind OR, kinds AND.
    let both = by(&|json| json["type"] == "string" || json["type"] == "hash");
    assert_eq!(chosen(&["--type", "string", "--type", "hash"]).len(), both);
    let strings = by(&|json| json["type"] == "string" && json.get("expire_at_ms").is_none());
    assert_eq!(
        chosen(&["--type", "string", "--ttl", "persistent"]).len(),
        strings
    );

    let first = all[0]["key"].as_str().unwrap();
    let prefix = &first[..1];
    let starting = by(&|json| {
        json["key"]
            .as_str()
            .is_some_and(|key| key.starts_with(prefix))
    });
    assert_eq!(chosen(&["--key", &format!("{prefix}*")]).len(), starting);
    assert_eq!(
        chosen(&["--not-key", &format!("{prefix}*")]).len(),
        total - starting
    );
    assert_eq!(
        chosen(&["--key-regex", &format!("^{prefix}")]).len(),
        starting
    );
    assert_eq!(chosen(&["--key", "no such key"]), Vec::<String>::new());

    let small = chosen(&["--size", "0..20"]).len();
    let large = chosen(&["--size", "21..1G"]).len();
    assert_eq!(small + large, total);
    assert!(small > 0 && large > 0);
    let (low, high) = (
        chosen(&["--slot", "0-8191"]),
        chosen(&["--slot", "8192-16383"]),
    );
    assert_eq!(low.len() + high.len(), total);
    assert_eq!(chosen(&["--sample", "100%"]).len(), total);
    let half = chosen(&["--sample", "0.5"]);
    assert!(half.len() < total);
    assert_eq!(
        half,
        chosen(&["--sample", "50%"]),
        "the same keys each time"
    );

    // inspect takes them too; an empty choice is a whole, valid document.
    let output = expect(&["inspect", &demo, "--json", "--type", "string"], 0);
    serde_json::from_slice::<Json>(&output.stdout).unwrap();
    let output = expect(
        &["convert", &demo, "--to", "json", "--key", "no such key"],
        0,
    );
    assert_eq!(
        serde_json::from_slice::<Json>(&output.stdout).unwrap(),
        Json::Array(vec![])
    );
}
