//! The programs of `examples/` do what their first lines say.

mod util;

use std::path::Path;
use std::process::{Command, Output};

use util::server::{Release, Server, servers};

/// Builds and runs an example.
fn example(name: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(util::repo())
        .args(["run", "-q", "--example", name, "--"])
        .args(args);
    command.output().unwrap()
}

#[track_caller]
fn expect(name: &str, args: &[&str]) -> String {
    let output = example(name, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn digest(path: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(["digest", "-q", "--flavor", "redis-7.0"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn readers_say_what_is_in_a_file() {
    let demo = util::repo().join("testdata/demo.rdb");
    assert!(expect("count_types", &[text(&demo)]).contains("stream"));
    assert!(expect("big_keys", &[text(&demo), "100"]).contains("db 0"));
    expect("first_corrupt_key", &[text(&demo)]);
}

#[test]
fn writers_write_what_servers_load() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (rdb, aof) = (path("seed.rdb"), path("seed.aof"));
    expect("write_rdb", &[text(&rdb), text(&aof)]);
    let data = digest(&rdb);
    assert_eq!(digest(&aof), data);

    // What is there stays.
    let again = example("write_rdb", &[text(&rdb), text(&aof)]);
    assert!(!again.status.success());
    assert_eq!(digest(&rdb), data);

    let small = path("small.aof");
    let said = expect("compact_log", &[text(&aof), text(&small)]);
    assert!(said.contains(" 0 commands were dead"), "{said}");
    assert_eq!(digest(&small), data);

    let newer = path("newer.rdb");
    let said = expect("convert_release", &[text(&rdb), text(&newer), "redis-7.4"]);
    assert!(said.starts_with("4 keys"), "{said}");
    assert_eq!(digest(&newer), data);
    let refused = example(
        "convert_release",
        &[text(&rdb), text(&path("old.rdb")), "redis-3.2"],
    );
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("no place for 1 stream"), "{errors}");
    assert!(!path("old.rdb").exists());

    for release in servers() {
        if release.redis_since(7, 0) {
            load(release, &rdb, &aof, &data);
        }
    }
}

fn load(release: Release, rdb: &Path, aof: &Path, data: &str) {
    let server = Server::load(release, rdb).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(server.digest(), data, "{}", release.name);
    let server = Server::load_aof(release, aof).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(server.digest(), data, "{}", release.name);
}
