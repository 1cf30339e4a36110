//! `--compat` prints what the other tools print.
//!
//! The texts of the first two tables are, byte for byte, what librdb 2.1.0 (`rdb-cli
//! FILE json`) and redis-rdb-tools 0.1.15 (`rdb --command json FILE`) printed for these
//! files. The other two hold what those tools print no JSON or an empty object for.

mod util;

use std::process::Command;

/// What librdb prints.
const LIKE_LIBRDB: &[(&str, &str)] = &[
    (
        "redis-6.2.14/empty",
        r#"[]
"#,
    ),
    (
        "redis-6.2.14/string_utf8",
        r#"[{
    "\u00d0\u00ba\u00d0\u00bb\u00d1\u008e\u00d1\u0087":"\u00c3\u00a9t\u00c3\u00a9 \u00e2\u0098\u0083 \u00f0\u009f\u0098\u0080 \u0000 \" \\ \u00e2\u0080\u00a8"
}]
"#,
    ),
    (
        "redis-6.2.14/multi_db",
        r#"[{
    "a":"0"
},{
    "s":["1","2"],
    "a":"3"
},{
    "a":"15"
}]
"#,
    ),
    (
        "redis-6.2.14/hash_hashtable",
        r#"[{
    "key":{"7":"12","\u00ff\u00fe":"\u0000","f2":"v2","f1":"vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"}
}]
"#,
    ),
    (
        "redis-2.8.17/zset_skiplist",
        r#"[{
    "key":{"same score a":"1","m10":"127","m16":"1e+17","same score b":"1","m11":"128","negative zero":"0","m18":"12345678901234567000","subnormal":"5e-324","m2":"-2.5","m15":"0.30000000000000004","m7":"1.5","m3":"-1","lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll":"2.5","m21":"inf","m17":"9007199254740992","m0":"-inf","m20":"1.7976931348623157e+308","m19":"1e+21","m9":"13","m1":"-1e+100","m12":"4096","m14":"3.141592653589793","m13":"70000","m6":"1","m5":"0.1","m4":"0","m8":"12"}
}]
"#,
    ),
    (
        "redis-6.2.14/zset_ziplist",
        r#"[{
    "key":{"m0":"-inf","m1":"-1e+100","m2":"-2.5","m3":"-1","m4":"0","m5":"0.1","m15":"0.30000000000000004","m6":"1","same score a":"1","same score b":"1","m7":"1.5","m14":"3.141592653589793","m8":"12","m9":"13","m10":"127","m11":"128","m12":"4096","m13":"70000","m17":"9007199254740992","m16":"1e+17","m18":"12345678901234567000","m19":"1e+21","m20":"1.7976931348623157e+308","m21":"inf"}
}]
"#,
    ),
    (
        "redis-5.0.6/stream_deleted",
        r#"[{
    "key":{
      "entries":[ 
        { "id":"1-1", "items":{"a":"1", "b":"2"} },
        { "id":"2-0", "items":{"c":"5"} },
        { "id":"3-0", "items":{"a":"9", "b":"8"} }
   ]}
}]
"#,
    ),
    (
        "redis-7.4.1/module_json",
        r#"[{
    "key":"<Content of Module 'ReJSON-RL'. Occupies a serialized size of 60 bytes>"
}]
"#,
    ),
];

/// What redis-rdb-tools prints, with `\n` for its `\r\n`.
const LIKE_RDBTOOLS: &[(&str, &str)] = &[
    ("redis-6.2.14/empty", r#"[]"#),
    (
        "redis-6.2.14/string_utf8",
        r#"[{
"\u043a\u043b\u044e\u0447":"\u00e9t\u00e9 \u2603 \ud83d\ude00 \u0000 \" \\ \u2028"}]"#,
    ),
    (
        "redis-6.2.14/multi_db",
        r#"[{
"a":"0"},{
"s":["1","2"],
"a":"3"},{
"a":"15"}]"#,
    ),
    (
        "redis-6.2.14/hash_hashtable",
        r#"[{
"key":{"7":"12","\\xFF\\xFE":"\u0000","f2":"v2","f1":"vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"}}]"#,
    ),
    (
        "handmade/zset_text_scores",
        r#"[{
"key":{"a":"1","b":"1.5","c":"-2.5e-10","d":"inf","e":"-inf","f":"17179869184","g":"0.10000000000000001"}}]"#,
    ),
    (
        "redis-2.8.17/zset_skiplist",
        r#"[{
"key":{"same score a":"1","m10":"127","m16":"1e+17","same score b":"1","m11":"128","negative zero":"-0","m18":"1.2345678901234567e+19","subnormal":"4.9406564584124654e-324","m2":"-2.5","m15":"0.30000000000000004","m7":"1.5","m3":"-1","lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll":"2.5","m21":"inf","m17":"9007199254740992","m0":"-inf","m20":"1.7976931348623157e+308","m19":"1e+21","m9":"13","m1":"-1e+100","m12":"4096","m14":"3.1415926535897931","m13":"70000","m6":"1","m5":"0.10000000000000001","m4":"0","m8":"12"}}]"#,
    ),
    (
        "redis-5.0.6/zset_skiplist",
        r#"[{
"key":{"m21":"inf","m20":"1.7976931348623157e+308","m19":"1e+21","m18":"1.2345678901234567e+19","m16":"1e+17","m17":"9007199254740992.0","m13":"70000.0","m12":"4096.0","m11":"128.0","m10":"127.0","m9":"13.0","m8":"12.0","m14":"3.141592653589793","lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll":"2.5","m7":"1.5","same score b":"1.0","same score a":"1.0","m6":"1.0","m15":"0.30000000000000004","m5":"0.1","subnormal":"5e-324","negative zero":"-0.0","m4":"0.0","m3":"-1.0","m2":"-2.5","m1":"-1e+100","m0":"-inf"}}]"#,
    ),
    (
        "redis-6.2.14/zset_ziplist",
        r#"[{
"key":{"m0":"-inf","m1":"-1e+100","m2":"-2.5","m3":"-1","m4":"0","m5":"0.1","m15":"0.30000000000000004","m6":"1","same score a":"1","same score b":"1","m7":"1.5","m14":"3.141592653589793","m8":"12","m9":"13","m10":"127","m11":"128","m12":"4096","m13":"70000","m17":"9007199254740992","m16":"1e+17","m18":"1.2345678901234567e+19","m19":"1e+21","m20":"1.7976931348623157e+308","m21":"inf"}}]"#,
    ),
    (
        "redis-5.0.6/stream_deleted",
        r#"[{
"key":{}}]"#,
    ),
];

/// Where librdb prints no value at all, and an object for a database without keys.
const UNLIKE_LIBRDB: &[(&str, &str)] = &[
    (
        "redis-5.0.6/stream_emptied",
        r#"[{
    "key":{
      "entries":[ 
   ]}
}]
"#,
    ),
    (
        "handmade/select_empty_and_twice",
        r#"[{
    "a":"1"
},{
    "b":"2"
},{
    "c":"3"
}]
"#,
    ),
];

/// Where redis-rdb-tools opens no object, and prints one for a database without keys.
const UNLIKE_RDBTOOLS: &[(&str, &str)] = &[
    (
        "handmade/header_0001_no_select",
        r#"[{
"key":"value"}]"#,
    ),
    (
        "handmade/select_empty_and_twice",
        r#"[{
"a":"1"},{
"b":"2"},{
"c":"3"}]"#,
    ),
];

fn check(shape: &str, table: &[(&str, &str)], line_break: &str) {
    for (name, expected) in table {
        let path = util::repo().join("testdata").join(format!("{name}.rdb"));
        let output = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
            .args(["convert", "--to", "json", "--compat", shape])
            .arg(path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, expected.replace('\n', line_break), "{name}");
    }
}

#[test]
fn librdb_shape_is_what_librdb_prints() {
    check("librdb", LIKE_LIBRDB, "\n");
    check("librdb", UNLIKE_LIBRDB, "\n");
}

#[test]
fn rdbtools_shape_is_what_rdbtools_prints() {
    check("rdbtools", LIKE_RDBTOOLS, "\r\n");
    check("rdbtools", UNLIKE_RDBTOOLS, "\r\n");
}
