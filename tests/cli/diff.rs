//! Two inputs compared.

use std::fs;

use serde_json::Value as Json;

use crate::program::{demo, expect, file, folder, one_error, path_in, stdout, testdata};

#[test]
fn forms_of_one_dataset_are_equal() {
    let dir = folder();
    let (json, rdb) = (path_in(&dir, "demo.ndjson"), path_in(&dir, "demo.rdb"));
    expect(&["convert", &demo(), "--meta", "-o", &json], 0);
    expect(
        &["convert", &json, "--encoding", "universal", "-o", &rdb],
        0,
    );
    for (a, b) in [(&demo(), &json), (&json, &rdb), (&rdb, &demo())] {
        assert_eq!(stdout(&expect(&["diff", a, b], 0)), "equal: 15 keys\n");
    }
}

#[test]
fn each_difference_has_a_line_in_text_and_json() {
    let dir = folder();
    let key = |rest: &str| format!("{{\"key\":{rest}}}\n");
    let a = [
        key("\"gone\",\"type\":\"list\",\"value\":[\"1\"]"),
        key("\"ttl\",\"type\":\"string\",\"value\":\"\",\"expire_at_ms\":5"),
        key("\"both\",\"type\":\"set\",\"value\":[\"1\"]"),
    ];
    let b = [
        key("\"both\",\"type\":\"hash\",\"value\":{\"1\":\"1\"}"),
        key("\"new\\n\",\"db\":2,\"type\":\"string\",\"value\":\"\""),
        key("\"ttl\",\"type\":\"string\",\"value\":\"1\""),
    ];
    let a = file(&dir, "a.json", a.concat().as_bytes());
    let b = file(&dir, "b.json", b.concat().as_bytes());
    let text = stdout(&expect(&["diff", &a, &b], 1));
    let expected = format!(
        "- db 0 \"gone\" (list)\n\
         ~ db 0 \"ttl\" (string): value, deadline 5 -> none\n\
         ~ db 0 \"both\" (set): type hash\n\
         + db 2 \"new\\n\" (string)\n\
         different: 1 key only in {a}, 1 key only in {b}, 2 keys not the same (of 3 and 3)\n"
    );
    assert_eq!(text, expected);
    let lines = stdout(&expect(&["diff", "--json", &a, &b], 1));
    let lines: Vec<Json> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = lines.iter().map(|line| &line["data"]["kind"]).collect();
    assert_eq!(kinds[..4], ["only_in_a", "differs", "differs", "only_in_b"]);
    assert_eq!(lines[1]["data"]["what"], "value,deadline");
    assert_eq!(lines[2]["data"]["type_in_b"], "hash");
    assert_eq!(lines[3]["data"]["key"], "new\n");
    let summary = &lines[4]["data"];
    assert_eq!(
        (&lines[4]["type"], &summary["exit"]),
        (&"summary".into(), &1.into())
    );
    assert_eq!(
        (&summary["keys_in_a"], &summary["differing"]),
        (&3.into(), &2.into())
    );
    // A filter looks at both sides.
    expect(&["diff", "--key", "nothing*", &a, &b], 0);
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let dir = folder();
    let cut = fs::read(demo()).unwrap();
    let cut = file(&dir, "cut.rdb", &cut[..cut.len() / 2]);
    one_error(&expect(&["diff", &demo(), &cut], 1), &["cut.rdb"]);
    let missing = path_in(&dir, "missing.rdb");
    one_error(&expect(&["diff", &missing, &demo()], 2), &["missing.rdb"]);
    one_error(&expect(&["diff", "-", "-"], 2), &["stdin"]);
    let payloads = testdata("handmade/hash_22_valkey.rdb");
    expect(&["diff", &payloads, &payloads], 0);
}
