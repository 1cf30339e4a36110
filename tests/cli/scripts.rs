//! Logs with scripts.
#![cfg(feature = "lua")]

use serde_json::Value as Json;

use crate::program::{expect, file, folder, path_in, stderr, stdout};

/// A log of commands.
fn log(commands: &[&[&str]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for words in commands {
        bytes.extend(format!("*{}\r\n", words.len()).bytes());
        for word in *words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
    }
    bytes
}

const SELECT: &[&str] = &["SELECT", "0"];

/// The last line of a report.
fn summary(report: &str) -> Json {
    let last: Json = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "summary");
    last["data"].clone()
}

/// Lua has room for some thousand values that are held from outside.
#[test]
fn each_of_very_many_scripts_runs() {
    let mut bytes = log(&[SELECT]);
    for n in 0..9_000 {
        let body = format!("return redis.call('SET', 'k{n}', 'v')");
        bytes.extend(log(&[&["EVAL", &body, "0"]]));
    }
    // One that was forgotten in between.
    let again = "return redis.call('SET', 'k0', 'v')";
    bytes.extend(log(&[&["EVAL", again, "0"]]));
    let folder = folder();
    let path = file(&folder, "scripts.aof", &bytes);
    let report = stdout(&expect(&["verify", "--json", &path], 0));
    assert_eq!(summary(&report)["keys"], 9_000, "{report}");
}

#[test]
fn a_script_does_as_its_commands_unless_scripts_are_not_wanted() {
    let body = "redis.call('SET', KEYS[1], cjson.encode({ARGV[1], redis.call('GET', 'n')}))";
    let folder = folder();
    let scripted = log(&[SELECT, &["SET", "n", "5"], &["EVAL", body, "1", "k", "x"]]);
    let scripted = file(&folder, "scripted.aof", &scripted);
    let plain = log(&[SELECT, &["SET", "n", "5"], &["SET", "k", r#"["x","5"]"#]]);
    let plain = file(&folder, "plain.aof", &plain);
    let digest = |name: &str| stdout(&expect(&["digest", name], 0));
    let first_word = |text: String| text.split(' ').next().unwrap_or_default().trim().to_owned();
    assert_eq!(first_word(digest(&scripted)), first_word(digest(&plain)));
    expect(&["verify", &scripted], 0);
    let refused = expect(&["digest", "--no-scripts", &scripted], 2);
    assert!(stderr(&refused).contains("script"), "{}", stderr(&refused));
    let report = stdout(&expect(&["verify", "--json", "--no-scripts", &scripted], 2));
    assert_eq!(summary(&report)["verdict"], "unsupported", "{report}");
    assert!(report.contains(r#""type":"finding""#), "{report}");
    let output = path_in(&folder, "out.ndjson");
    expect(&["convert", "--no-scripts", &scripted, "-o", &output], 2);
    assert!(!std::path::Path::new(&output).exists());
}

#[test]
fn a_hostile_script_ends_at_a_bound() {
    let folder = folder();
    for body in [
        "while true do pcall(function() while true do end end) end",
        "return pcall(string.rep, 'x', 2000000000)",
        "return string.find(string.rep('a', 9999), string.rep('a?', 4990) .. 'b')",
    ] {
        let log = log(&[SELECT, &["EVAL", body, "0"], &["SET", "k", "v"]]);
        let log = file(&folder, "hostile.aof", &log);
        let report = stdout(&expect(&["verify", "--json", &log], 2));
        assert!(report.contains(r#""code":"limit_exceeded""#), "{report}");
        expect(&["digest", &log], 2);
    }
}
