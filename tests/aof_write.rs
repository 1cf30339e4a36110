//! Logs that we write are loaded by the release that they are for, which then has the same data.

mod util;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use util::dataset::{FillOptions, fill};
use util::resp::{Address, Reply};
use util::rng::{self, Rng};
use util::same::{TIMES, all_servers, assert_same_keys_but, filled, target_of};
use util::server::{Family, Modules, Release, Server, Start, servers};
use util::writes::Writes;

fn rdbkit(args: &[&str], label: &str) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(args)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{label}: {args:?}: {errors}");
    output
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The release's own checker on a log, if it can be called: a file, or a set's manifest.
fn check(release: &Release, log: &Path, label: &str) {
    let name = match release.family {
        Family::Redis => "redis-check-aof",
        Family::Valkey => "valkey-check-aof",
    };
    let mut command = match release.program(name) {
        Some(program) => Command::new(program),
        None => {
            let is_program = fs::read(release.binary()).unwrap().starts_with(b"\x7fELF");
            if !is_program || !release.redis_since(4, 0) {
                return;
            }
            let mut command = Command::new(release.binary());
            command.arg0(name);
            command
        }
    };
    let output = command.arg(log).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && talk.contains("is valid"),
        "{label}: the release's own checker says:\n{talk}"
    );
}

/// The forms of a log that a release knows: how it is called, and `--preamble`.
fn forms(release: &Release) -> Vec<(&'static str, &'static str)> {
    let mut forms = vec![("out.aof", "no")];
    if release.redis_since(4, 0) {
        forms.push(("out.aof", "yes"));
    }
    if release.has_multi_part_aof() {
        forms.extend([("out/", "no"), ("out/", "yes")]);
    }
    forms
}

/// What of streams a form does not say.
fn unsaid(preamble: &str) -> &'static [&'static str] {
    match preamble {
        "no" => TIMES,
        _ => &[],
    }
}

/// Loads a log that we wrote, and looks at its form.
fn load(release: Release, log: &Path, preamble: &str, label: &str) -> Server {
    // Its checker does not know the word that its own RDBs begin with.
    let is_checked = preamble == "no" || !release.valkey_since(9, 0);
    let first = match log.is_dir() {
        true => {
            if is_checked {
                check(&release, &log.join("appendonly.aof.manifest"), label);
            }
            let name = match preamble {
                "no" => "appendonly.aof.1.base.aof",
                _ => "appendonly.aof.1.base.rdb",
            };
            assert_eq!(
                fs::read(log.join("appendonly.aof.1.incr.aof")).unwrap(),
                b""
            );
            log.join(name)
        }
        false => {
            if is_checked {
                check(&release, log, label);
            }
            log.to_path_buf()
        }
    };
    let head = fs::read(&first).unwrap();
    assert_eq!(head.starts_with(b"*"), preamble == "no", "{label}");
    Server::load_aof(release, log).unwrap_or_else(|said| panic!("{label}: refused:\n{said}"))
}

fn files(dir: &Path) -> [PathBuf; 2] {
    ["in.rdb", "in.ndjson"].map(|name| dir.join(name))
}

#[test]
fn every_release_loads_the_log_of_its_own_rdb() {
    let seed = rng::seed(1);
    for release in all_servers() {
        let file = filled(release, seed);
        let dir = tempfile::tempdir().unwrap();
        let [rdb, json] = files(dir.path());
        fs::write(&rdb, &file).unwrap();
        rdbkit(
            &["convert", text(&rdb), "--meta", "-o", text(&json)],
            release.name,
        );
        let source = Server::load(release, &rdb).unwrap();
        let digest = source.digest();
        let target = format!("--target={}", target_of(&release));
        for (name, preamble) in forms(&release) {
            for input in [&rdb, &json] {
                let label = format!(
                    "{} {} to {name} preamble {preamble}, RDBKIT_SEED={seed}",
                    release.name,
                    input.display()
                );
                let out = dir.path().join(name);
                let preamble_flag = format!("--preamble={preamble}");
                let args = [
                    "convert",
                    text(input),
                    "-o",
                    text(&out),
                    &preamble_flag,
                    &target,
                ];
                rdbkit(&args, &label);
                let server = load(release, &out, preamble, &label);
                assert_eq!(server.digest(), digest, "{label}: DEBUG DIGEST");
                assert_same_keys_but(unsaid(preamble), &rdb, &server.save(), &label);
                match out.is_dir() {
                    true => fs::remove_dir_all(&out).unwrap(),
                    false => fs::remove_file(&out).unwrap(),
                }
            }
        }
    }
}

fn digest_of(log: &Path, flavor: &str, label: &str) -> String {
    let output = rdbkit(&["digest", flavor, text(log)], label);
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().next().unwrap().to_owned()
}

/// A server with a log of everything, and the digest of what the log says.
fn logged(release: Release, seed: u64) -> Server {
    let mut args = vec!["--appendonly", "yes", "--appendfsync", "no"];
    if release.redis_since(4, 0) {
        args.extend(["--aof-use-rdb-preamble", "yes"]);
    }
    let server = Server::start(release, &args);
    let mut client = server.client();
    let options = FillOptions {
        modules: false,
        ..FillOptions::default()
    };
    fill(&mut client, &release, &mut Rng::new(seed), &options);
    // So that the log says who wrote it.
    server.rewrite_aof();
    let mut writes = Writes::new(release, Rng::new(seed), false);
    for _ in 0..400 {
        client.cmd(&writes.next());
    }
    server
}

#[test]
fn rewritten_log_says_the_same_to_the_server_and_to_us() {
    let seed = rng::seed(2);
    for release in all_servers() {
        let server = logged(release, seed);
        let log = server.aof();
        let target = target_of(&release);
        let flavor = format!("--flavor={target}");
        let said = digest_of(&log, &flavor, release.name);
        let dir = tempfile::tempdir().unwrap();
        for (name, preamble) in forms(&release) {
            let label = format!(
                "{} log to {name} preamble {preamble}, RDBKIT_SEED={seed}",
                release.name
            );
            let out = dir.path().join(name);
            let flags = [
                format!("--preamble={preamble}"),
                format!("--target={target}"),
            ];
            let args = [
                "rewrite",
                text(&log),
                "-o",
                text(&out),
                &flags[0],
                &flags[1],
                &flavor,
            ];
            let output = rdbkit(&args, &label);
            let talk = String::from_utf8_lossy(&output.stderr);
            assert!(talk.contains("dead commands dropped"), "{label}: {talk}");
            let again = digest_of(&out, &flavor, &label);
            assert_eq!(again, said, "{label}: replayed");
            let loaded = load(release, &out, preamble, &label);
            assert_eq!(loaded.digest(), said, "{label}: DEBUG DIGEST");
            match out.is_dir() {
                true => fs::remove_dir_all(&out).unwrap(),
                false => fs::remove_file(&out).unwrap(),
            }
        }
    }
}

#[test]
fn values_of_modules_travel_as_payloads() {
    for release in all_servers().into_iter().filter(Release::has_modules) {
        let server = Server::expect(Start::new(release).modules(Modules::Data));
        let mut rng = Rng::new(rng::seed(1));
        fill(
            &mut server.client(),
            &release,
            &mut rng,
            &FillOptions::default(),
        );
        let digest = server.digest();
        let rdb = server.save();
        let dir = tempfile::tempdir().unwrap();
        for (name, preamble) in forms(&release) {
            let label = format!("{} modules to {name} preamble {preamble}", release.name);
            let out = dir.path().join(preamble).join(name);
            fs::create_dir_all(dir.path().join(preamble)).unwrap();
            let flag = format!("--preamble={preamble}");
            rdbkit(
                &[
                    "convert",
                    text(&rdb),
                    "-o",
                    text(&out),
                    &flag,
                    "--allow-loss",
                ],
                &label,
            );
            let loaded = load(release, &out, preamble, &label);
            assert_eq!(loaded.digest(), digest, "{label}: DEBUG DIGEST");
        }
    }
}

/// Sends a log to a live server, as `redis-cli --pipe` does; every command must be taken.
fn pipe(server: &Server, log: &[u8], label: &str) {
    let mut client = server.client();
    client.send_raw(log).unwrap();
    client.send_raw(b"*1\r\n$4\r\nPING\r\n").unwrap();
    loop {
        let reply = client.read_reply().unwrap();
        assert_eq!(reply.error(), None, "{label}");
        if matches!(&reply, Reply::Simple(text) if text == "PONG") {
            return;
        }
    }
}

#[test]
fn other_releases_load_what_we_write_for_them() {
    let seed = rng::seed(3);
    let mut rng = Rng::new(seed).fork("targets");
    for source in all_servers() {
        let dir = tempfile::tempdir().unwrap();
        let [rdb, _] = files(dir.path());
        fs::write(&rdb, filled(source, seed)).unwrap();
        let mut targets = all_servers();
        rng.shuffle(&mut targets);
        for release in targets.into_iter().take(2) {
            let label = format!("{} for {}, RDBKIT_SEED={seed}", source.name, release.name);
            let target = target_of(&release);
            let flag = format!("--target={target}");
            let [expected, log] = ["out.rdb", "out.aof"].map(|name| dir.path().join(name));
            for out in [&expected, &log] {
                let args = [
                    "convert",
                    text(&rdb),
                    "-o",
                    text(out),
                    &flag,
                    "--allow-loss",
                    "--force",
                ];
                rdbkit(&args, &label);
            }
            let digest = digest_of(&expected, &format!("--flavor={target}"), &label);
            let loaded = load(release, &log, "no", &label);
            assert_eq!(loaded.digest(), digest, "{label}: DEBUG DIGEST");
            assert_same_keys_but(TIMES, &expected, &loaded.save(), &label);
            let live = Server::expect(Start::new(release));
            pipe(&live, &fs::read(&log).unwrap(), &label);
            assert_eq!(
                live.digest(),
                digest,
                "{label}: DEBUG DIGEST of a live server"
            );
        }
    }
}

/// Sends what a conversion writes to stdout through the real `redis-cli --pipe`.
fn redis_cli_pipe(server: &Server, convert: &[&str], label: &str) {
    let Some(redis_cli) = Release::named("redis-7.0.15").program("redis-cli") else {
        panic!("{label}: no redis-cli")
    };
    let Address::Unix(socket) = server.address() else {
        panic!("{label}: no socket")
    };
    let mut rdbkit = Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(convert)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let sent = Command::new(redis_cli)
        .args(["-s", text(&socket), "--pipe"])
        .stdin(rdbkit.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(rdbkit.wait().unwrap().success(), "{label}");
    let talk = String::from_utf8_lossy(&sent.stdout);
    assert!(
        sent.status.success() && talk.contains("errors: 0,"),
        "{label}: redis-cli says:\n{talk}{}",
        String::from_utf8_lossy(&sent.stderr)
    );
}

#[test]
fn conversion_piped_to_redis_cli_makes_the_same_data() {
    let seed = rng::seed(5);
    for release in servers() {
        let label = format!("{} by redis-cli --pipe, RDBKIT_SEED={seed}", release.name);
        let dir = tempfile::tempdir().unwrap();
        let [rdb, _] = files(dir.path());
        fs::write(&rdb, filled(release, seed)).unwrap();
        let source = Server::load(release, &rdb).unwrap();
        let live = Server::expect(Start::new(release));
        let convert = ["convert", "-q", text(&rdb), "--to", "aof", "-o", "-"];
        redis_cli_pipe(&live, &convert, &label);
        assert_eq!(live.digest(), source.digest(), "{label}: DEBUG DIGEST");
    }
}
