//! The program from outside: arguments, exit codes, stdout, stderr, files.

mod util;

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rdbkit");

fn testdata(name: &str) -> String {
    util::repo()
        .join("testdata")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

fn demo() -> String {
    testdata("demo.rdb")
}

fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(args)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR");
    command
}

fn run<S: AsRef<OsStr>>(args: &[S]) -> Output {
    command(args).output().unwrap()
}

/// Runs with bytes on stdin.
fn run_on<S: AsRef<OsStr>>(args: &[S], stdin: &[u8]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    // The program may refuse before it has read everything.
    let feeder = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs, demands an exit code and hands out what was printed.
#[track_caller]
fn expect<S: AsRef<OsStr> + Debug>(args: &[S], exit: i32) -> Output {
    let output = run(args);
    exited(&output, exit, &format!("{args:?}"));
    output
}

#[track_caller]
fn exited(output: &Output, exit: i32, what: &str) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{what}: {talk}");
    assert!(!talk.contains("panicked"), "{what}: {talk}");
    if exit == 0 {
        assert!(!talk.contains("error: "), "{what}: {talk}");
    }
}

/// One line for an error, and at most one more with a hint.
#[track_caller]
fn one_error(output: &Output, words: &[&str]) {
    let talk = stderr(output);
    let errors: Vec<&str> = talk
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{talk}");
    for line in talk.lines() {
        let known = ["error: ", "hint: ", "warning: "];
        assert!(known.iter().any(|word| line.starts_with(word)), "{talk}");
    }
    for word in words {
        assert!(errors[0].contains(word), "no {word} in {talk}");
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file into a folder and hands out its path.
fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn path_in(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A damaged file: the demo with one byte changed.
fn corrupt(folder: &TempDir) -> String {
    let mut bytes = fs::read(demo()).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    file(folder, "corrupt.rdb", &bytes)
}

fn cut(folder: &TempDir) -> String {
    let bytes = fs::read(demo()).unwrap();
    file(folder, "cut.rdb", &bytes[..bytes.len() * 2 / 3])
}

fn mkfifo(path: &str) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A file with many keys, so that a conversion takes several writes.
fn many_keys(keys: usize) -> Vec<u8> {
    let mut bytes = b"REDIS0003\xfe\x00".to_vec();
    for n in 0..keys {
        let key = format!("key:{n:08}");
        bytes.extend([0, key.len() as u8]);
        bytes.extend(key.as_bytes());
        bytes.extend([0x40, 0xc8]);
        bytes.extend([b'v'; 200]);
    }
    bytes.push(0xff);
    bytes
}

// --- Exit codes by class of input ----------------------------------------------------

const READERS: &[&[&str]] = &[
    &["convert", "--to", "ndjson"],
    &["convert", "--to", "json"],
    &["convert", "--to", "json", "--meta"],
    &["convert", "--to", "json", "--compat", "librdb"],
    &["inspect"],
    &["inspect", "--json"],
    &["verify"],
    &["verify", "--json"],
    &["verify", "--format", "junit"],
];

/// What a reading command says about an input: exit code, and words of the error.
#[track_caller]
fn each_reader(input: &str, exits: impl Fn(&str) -> i32, words: &[&str]) {
    for reader in READERS {
        let args: Vec<&str> = reader.iter().copied().chain([input]).collect();
        let exit = exits(reader[0]);
        let output = expect(&args, exit);
        if reader[0] == "verify" {
            assert!(!output.stdout.is_empty(), "{args:?}");
        } else if exit == 0 {
            assert_eq!(stderr(&output), "", "{args:?}");
        } else {
            one_error(&output, words);
        }
    }
}

#[test]
fn sound_file_exits_0() {
    each_reader(&demo(), |_| 0, &[]);
}

#[test]
fn damaged_files_exit_1() {
    let dir = folder();
    // inspect shows what can be read; a checksum is not its matter.
    let inspect_is_lenient = |command: &str| i32::from(command != "inspect");
    each_reader(
        &corrupt(&dir),
        inspect_is_lenient,
        &["corrupt.rdb", "checksum mismatch"],
    );
    each_reader(&cut(&dir), |_| 1, &["cut.rdb", "(at 0x"]);
    each_reader(&file(&dir, "empty.rdb", b""), |_| 1, &["empty.rdb"]);
    let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
    each_reader(
        &bad,
        inspect_is_lenient,
        &["listpack_backlen_wrong.rdb", "db 0", "key \"key\""],
    );
}

#[test]
fn what_cannot_be_looked_at_exits_2() {
    let dir = folder();
    let missing = path_in(&dir, "missing.rdb");
    each_reader(&missing, |_| 2, &["missing.rdb", "No such file"]);
    let text = file(
        &dir,
        "notes.txt",
        b"Dear diary,\ntoday I saved no snapshot.\n",
    );
    each_reader(&text, |_| 2, &["notes.txt"]);
    each_reader(&testdata("corrupt/file_version_16.rdb"), |_| 2, &["16"]);
    each_reader(&testdata("corrupt/type_33_gcra.rdb"), |_| 2, &["33"]);
}

#[test]
fn usage_errors_exit_2() {
    let demo = demo();
    for args in [
        &["convert"][..],
        &["frobnicate"],
        &[],
        &["convert", &demo],
        &["convert", &demo, "--to", "xml"],
        &["convert", &demo, "-o", "out.txt"],
        &["convert", &demo, "--to", "json", "--ttl", "soon"],
        &["convert", &demo, "--to", "json", "--size", "1..x"],
        &["convert", &demo, "--to", "json", "--slot", "16384"],
        &["convert", &demo, "--to", "json", "--sample", "2"],
        &["convert", &demo, "--to", "json", "--type", "blob"],
        &["convert", &demo, "--to", "json", "--key-regex", "("],
        &["convert", &demo, "--to", "ndjson", "--pretty"],
        &["convert", &demo, "--to", "ndjson", "--compat", "librdb"],
        &[
            "convert", &demo, "--to", "json", "--compat", "librdb", "--meta",
        ],
        &["convert", &demo, "--to", "json", "--jobs", "0"],
        &["verify"],
        &["verify", &demo, "--json", "--format", "text"],
        &["inspect"],
        &["completions", "tcsh"],
        &["man"],
    ] {
        let output = expect(args, 2);
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn folders() {
    let dir = folder();
    fs::copy(demo(), dir.path().join("a.rdb")).unwrap();
    fs::copy(demo(), dir.path().join("b.bak")).unwrap();
    file(&dir, "notes.txt", b"hello\n");
    let path = dir.path().to_str().unwrap();

    let output = expect(&["verify", path], 0);
    assert!(stdout(&output).ends_with("2 files checked, 1 not recognised and left out: sound\n"));
    let output = expect(&["verify", path, "--json"], 0);
    let summary: Json = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    assert_eq!(summary["data"]["inputs"], 2);
    assert_eq!(summary["data"]["skipped"], 1);
    let output = expect(&["inspect", path, "--json"], 0);
    assert_eq!(stdout(&output).lines().count(), 2);
    one_error(&expect(&["convert", path, "--to", "json"], 2), &[path]);

    // One that is damaged does not hide the others; one that cannot be read beats it.
    corrupt(&dir);
    let output = expect(&["verify", path], 1);
    assert!(stdout(&output).contains("checksum_mismatch"));
    assert!(stdout(&output).contains("a.rdb: sound"));
    let missing = path_in(&dir, "missing.rdb");
    let output = expect(&["verify", &missing, path], 2);
    assert!(stdout(&output).contains("checksum_mismatch"));

    // A file that is named *.rdb is looked at even if it is none.
    let dir = folder();
    file(&dir, "cut_to_nothing.rdb", b"");
    expect(&["verify", dir.path().to_str().unwrap()], 1);

    let dir = folder();
    for name in ["a.manifest", "b.manifest"] {
        file(&dir, name, b"file x.1.incr.aof seq 1 type i\n");
    }
    for command in ["verify", "inspect"] {
        let output = expect(&[command, dir.path().to_str().unwrap()], 2);
        let said = stdout(&output) + &stderr(&output);
        assert!(
            said.contains("a.manifest") && said.contains("b.manifest"),
            "{said}"
        );
    }
    one_error(
        &expect(
            &["convert", dir.path().to_str().unwrap(), "--to", "json"],
            2,
        ),
        &["a.manifest"],
    );
}

/// Runs a command as a user without rights, if that can be done.
fn as_nobody(args: &[&str]) -> Option<Output> {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        return Some(run(args));
    }
    // A copy that every user can reach.
    let dir = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let program = dir.path().join("rdbkit");
    // By another program: a file that this one has open for writing cannot be executed,
    // nor while a child of another test still has it open.
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
    assert!(copied.unwrap().success());
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("LEFT OUT: rights of files: running as root, and setpriv: {error}");
            None
        }
    }
}

#[test]
fn rights_that_are_missing() {
    let dir = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let open = file(&dir, "open.rdb", &fs::read(demo()).unwrap());
    let closed = file(&dir, "closed.rdb", &fs::read(demo()).unwrap());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let out = path_in(&dir, "out.json");

    let Some(output) = as_nobody(&["convert", &closed, "--to", "json"]) else {
        return;
    };
    exited(&output, 2, "closed file");
    one_error(&output, &["closed.rdb", "Permission denied"]);
    // In a folder it is not passed over.
    let output = as_nobody(&["verify", dir.path().to_str().unwrap()]).unwrap();
    exited(&output, 2, "folder with a closed file");
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        let output = as_nobody(&["convert", &open, "-o", &out]).unwrap();
        exited(&output, 2, "closed folder");
        one_error(&output, &["out.json", "Permission denied"]);
        assert_eq!(names(dir.path()), ["closed.rdb", "open.rdb"]);
    }
}

// --- Where the input comes from ------------------------------------------------------

#[test]
fn every_way_to_the_same_bytes_gives_the_same_output() {
    let bytes = fs::read(demo()).unwrap();
    for args in [
        &["convert", "--to", "ndjson"][..],
        &["convert", "--to", "json", "--meta"],
        &["convert", "--to", "json", "--pretty"],
        &["convert", "--to", "json", "--compat", "rdbtools"],
    ] {
        let with = |input: &str| -> Vec<String> {
            let words = args.iter().copied().chain([input]);
            words.map(str::to_owned).collect()
        };
        let expected = expect(&with(&demo()), 0).stdout;
        assert!(!expected.is_empty());

        let output = run_on(&with("-"), &bytes);
        exited(&output, 0, "pipe");
        assert_eq!(output.stdout, expected, "{args:?} from a pipe");

        let dir = folder();
        for packer in ["gzip", "zstd", "lz4"] {
            let packed = Command::new(packer).args(["-c", &demo()]).output();
            let Ok(packed) = packed.map(|output| output.stdout) else {
                eprintln!("LEFT OUT: {packer}: not installed");
                continue;
            };
            // Told by content, not by name.
            let path = file(&dir, "data", &packed);
            assert_eq!(
                expect(&with(&path), 0).stdout,
                expected,
                "{args:?} {packer}"
            );
            let output = run_on(&with("-"), &packed);
            assert_eq!(output.stdout, expected, "{args:?} {packer} from a pipe");
            let cut = file(&dir, "cut", &packed[..packed.len() - 12]);
            assert_ne!(run(&with(&cut)).status.code(), Some(0), "{packer} cut");
        }

        let fifo = path_in(&dir, "fifo");
        mkfifo(&fifo);
        let child = command(&with(&fifo))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        fs::write(&fifo, &bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.stdout, expected, "{args:?} from a FIFO");

        let link = path_in(&dir, "link");
        symlink(demo(), &link).unwrap();
        assert_eq!(
            expect(&with(&link), 0).stdout,
            expected,
            "{args:?} by a link"
        );
    }
}

#[test]
fn replication_streams_and_payloads() {
    for server in ["redis-6.2.14", "redis-8.6.2", "valkey-9.1.2"] {
        for framing in ["fullsync_eof.bin", "fullsync_length.bin"] {
            let path = testdata(&format!("{server}/{framing}"));
            let output = expect(&["convert", &path, "--to", "ndjson"], 0);
            assert!(!output.stdout.is_empty(), "{path}");
            let piped = run_on(
                &["convert", "-", "--to", "ndjson"],
                &fs::read(&path).unwrap(),
            );
            assert_eq!(piped.stdout, output.stdout, "{path}");
            expect(&["verify", &path], 0);
        }
        let path = testdata(&format!("{server}/dump_payload_hash.bin"));
        let output = expect(&["convert", &path, "--to", "ndjson", "--dump-payload"], 0);
        let json: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["type"], "hash", "{path}");
        let same = expect(
            &["convert", &path, "--to", "ndjson", "--as", "dump-payload"],
            0,
        );
        assert_eq!(same.stdout, output.stdout);
        expect(&["verify", &path, "--dump-payload"], 0);
    }
}

// --- Outputs -------------------------------------------------------------------------

#[test]
fn name_of_the_output_decides_the_format() {
    let dir = folder();
    let demo = demo();
    for (name, to) in [
        ("a.json", "json"),
        ("a.ndjson", "ndjson"),
        ("a.jsonl", "ndjson"),
        ("A.JSON", "json"),
    ] {
        let out = path_in(&dir, name);
        let output = expect(&["convert", &demo, "-o", &out], 0);
        assert_eq!(stdout(&output), "");
        let expected = expect(&["convert", &demo, "--to", to], 0).stdout;
        assert_eq!(fs::read(&out).unwrap(), expected, "{name}");
        let mode = fs::metadata(&out).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // --to beats the name.
    let out = path_in(&dir, "b.json");
    expect(&["convert", &demo, "-o", &out, "--to", "ndjson"], 0);
    assert!(fs::read(&out).unwrap().starts_with(b"{"));
    assert_eq!(
        names(dir.path()),
        ["A.JSON", "a.json", "a.jsonl", "a.ndjson", "b.json"]
    );
}

#[test]
fn existing_target_needs_force_and_keeps_its_mode() {
    let dir = folder();
    let out = file(&dir, "out.json", b"old");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o640)).unwrap();
    let output = expect(&["convert", &demo(), "-o", &out], 2);
    one_error(&output, &["out.json"]);
    assert_eq!(fs::read(&out).unwrap(), b"old");

    let link = path_in(&dir, "link.json");
    symlink("out.json", &link).unwrap();
    expect(&["convert", &demo(), "-o", &link, "--force"], 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read(&out).unwrap().starts_with(b"["));
    assert_eq!(
        fs::metadata(&out).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(names(dir.path()), ["link.json", "out.json"]);
}

#[test]
fn failure_leaves_the_target_as_it_was() {
    let dir = folder();
    let inputs = [corrupt(&dir), cut(&dir)];
    let before = names(dir.path());
    let out = path_in(&dir, "out.ndjson");
    for input in &inputs {
        expect(&["convert", input, "-o", &out], 1);
        assert_eq!(names(dir.path()), before);
    }
    fs::write(&out, b"old").unwrap();
    for input in &inputs {
        expect(&["convert", input, "-o", &out, "--force"], 1);
        assert_eq!(fs::read(&out).unwrap(), b"old");
    }
    fs::remove_file(&out).unwrap();
    // With --keep-going what is left is written, and the exit code still says so.
    let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
    expect(&["convert", &bad, "-o", &out, "--keep-going"], 1);
}

#[test]
fn targets_that_cannot_be_written() {
    let dir = folder();
    let demo = demo();
    let source = file(&dir, "source.rdb", &fs::read(&demo).unwrap());
    let there = path_in(&dir, "no/such/folder/out.json");
    one_error(
        &expect(&["convert", &demo, "-o", &there], 2),
        &["out.json", "No such file"],
    );
    let path = dir.path().to_str().unwrap();
    one_error(
        &expect(
            &["convert", &demo, "-o", path, "--to", "json", "--force"],
            2,
        ),
        &[path],
    );
    // The source is no target, by whatever name.
    let link = path_in(&dir, "link.rdb");
    symlink(&source, &link).unwrap();
    let hard = path_in(&dir, "hard.rdb");
    fs::hard_link(&source, &hard).unwrap();
    for target in [&source, &link, &hard] {
        let output = expect(
            &["convert", &source, "-o", target, "--to", "json", "--force"],
            2,
        );
        one_error(&output, &[]);
    }
    assert_eq!(fs::read(&source).unwrap(), fs::read(&demo).unwrap());
    assert_eq!(names(dir.path()), ["hard.rdb", "link.rdb", "source.rdb"]);
}

#[test]
fn devices_and_pipes_are_written_straight() {
    let demo = demo();
    expect(&["convert", &demo, "-o", "/dev/null", "--to", "json"], 0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let output = expect(&["convert", &demo, "-o", "/dev/full", "--to", "json"], 2);
    one_error(&output, &["/dev/full", "No space left"]);
    for args in [
        &["convert", &demo, "--to", "json"][..],
        &["verify", &demo],
        &["verify", &demo, "--json"],
        &["verify", &demo, "--format", "junit"],
        &["inspect", &demo],
        &["completions", "bash"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command(args).stdout(full).output().unwrap();
        exited(&output, 2, &args.join(" "));
        one_error(&output, &["No space left"]);
    }
    let dir = folder();
    let fifo = path_in(&dir, "fifo");
    mkfifo(&fifo);
    let child = command(&["convert", &demo, "-o", &fifo, "--to", "json"])
        .spawn()
        .unwrap();
    let read = fs::read(&fifo).unwrap();
    exited(&child.wait_with_output().unwrap(), 0, "FIFO");
    assert_eq!(read, expect(&["convert", &demo, "--to", "json"], 0).stdout);
}

#[test]
fn stdout_that_is_closed_early_ends_it_quietly() {
    let dir = folder();
    let big = file(&dir, "big.rdb", &many_keys(20_000));
    let many = vec![big.as_str(); 200];
    let verify = [&["verify", "--json"], &many[..]].concat();
    let first_line_only: &[&[&str]] = &[
        &["convert", &big, "--to", "ndjson"],
        &["convert", &big, "--to", "json", "--pretty"],
        &verify[..2],
    ];
    for args in &first_line_only[..2] {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        exited(&output, 2, &args.join(" "));
        assert_eq!(stderr(&output), "", "{args:?}");
    }
    for args in [
        &["verify", &big][..],
        &["inspect", &big],
        &["completions", "zsh"],
        &["--help"],
    ] {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(stderr(&output), "", "{args:?}");
        if args != ["--help"] {
            exited(&output, 2, &args.join(" "));
        }
    }
}

#[test]
fn stdout_of_a_damaged_input_is_whole_lines() {
    let whole = many_keys(3000);
    let dir = folder();
    let input = file(&dir, "cut.rdb", &whole[..whole.len() / 2 + 50]);
    let output = expect(&["convert", &input, "--to", "ndjson"], 1);
    let text = stdout(&output);
    assert!(text.ends_with("}\n"));
    assert!(text.lines().count() > 1400, "{}", text.lines().count());
    for line in text.lines() {
        serde_json::from_str::<Json>(line).unwrap();
    }
    // An array that is not closed cannot be taken for a whole one.
    let output = expect(&["convert", &input, "--to", "json"], 1);
    let text = stdout(&output);
    assert!(text.starts_with('[') && !text.trim_end().ends_with(']'));
    assert!(serde_json::from_str::<Json>(&text).is_err());
    assert!(serde_json::from_str::<Json>(&format!("{text}]")).is_ok());
}

/// A conversion that has read half of its input and waits for the rest.
fn waiting(out: &str, bytes: &[u8]) -> (Child, std::process::ChildStdin) {
    let mut child = command(&["convert", "-", "-o", out])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&bytes[..bytes.len() / 2]).unwrap();
    (child, pipe)
}

#[test]
fn interruption_leaves_no_file_and_exits_130() {
    let whole = many_keys(5000);
    for (signal, existing) in [("INT", false), ("TERM", false), ("INT", true)] {
        let dir = folder();
        let out = path_in(&dir, "out.ndjson");
        let before = names(dir.path());
        let (mut child, pipe) = waiting(&out, &whole);
        let limit = Instant::now() + Duration::from_secs(20);
        // The temporary file shows that it is under way.
        while names(dir.path()).len() == before.len() {
            assert!(Instant::now() < limit, "no temporary file");
            std::thread::sleep(Duration::from_millis(5));
        }
        for name in names(dir.path()) {
            let mode = fs::metadata(dir.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "the temporary file's mode");
        }
        if existing {
            fs::write(&out, b"appeared meanwhile").unwrap();
        }
        let id = child.id().to_string();
        let kill = Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status();
        assert!(kill.unwrap().success());
        let status = child.wait().unwrap();
        drop(pipe);
        assert_eq!(status.code(), Some(130), "{signal}: {status}");
        let left: &[&str] = if existing { &["out.ndjson"] } else { &[] };
        assert_eq!(names(dir.path()), left, "{signal}");
    }
}

#[test]
fn input_that_ends_early_in_a_pipe_leaves_no_file() {
    let dir = folder();
    let out = path_in(&dir, "out.ndjson");
    let (child, pipe) = waiting(&out, &many_keys(5000));
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    exited(&output, 1, "cut pipe");
    one_error(&output, &["stdin"]);
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

// --- Filters -------------------------------------------------------------------------

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

// --- Reports -------------------------------------------------------------------------

#[test]
fn json_report_has_the_documented_members() {
    let dir = folder();
    let input = corrupt(&dir);
    let bad = testdata("corrupt/listpack_backlen_wrong.rdb");
    let output = expect(&["verify", "--format", "json", &input, &bad, &demo()], 1);
    let lines: Vec<Json> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, others) = lines.split_last().unwrap();
    assert_eq!(last["type"], "summary");
    for member in [
        "verdict", "exit", "bytes", "keys", "expires", "findings", "inputs",
    ] {
        assert!(
            last["data"].get(member).is_some(),
            "summary without {member}: {last}"
        );
    }
    assert_eq!(last["data"]["verdict"], "damaged");
    assert_eq!(last["data"]["exit"], 1);
    assert_eq!(last["data"]["findings"]["checksum_mismatch"], 1);
    for line in others {
        assert!(["finding", "warning", "input"].contains(&line["type"].as_str().unwrap()));
    }
    let findings: Vec<&Json> = others
        .iter()
        .filter(|line| line["type"] == "finding")
        .collect();
    assert!(findings.len() >= 2);
    for finding in &findings {
        for member in ["file", "offset", "code", "level", "message"] {
            assert!(
                finding["data"].get(member).is_some(),
                "{finding} without {member}"
            );
        }
    }
    let in_key = findings
        .iter()
        .find(|finding| finding["data"].get("key").is_some())
        .unwrap();
    assert_eq!(in_key["data"]["key"], "key");
    assert_eq!(in_key["data"]["db"], 0);

    let output = expect(&["verify", "--json", &demo()], 0);
    let summary: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["data"]["verdict"], "sound");
    for member in ["kind", "version", "magic"] {
        assert!(
            summary["data"].get(member).is_some(),
            "{summary} without {member}"
        );
    }

    let output = expect(&["inspect", "--json", &demo()], 0);
    let inspection: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspection["type"], "inspection");
    assert!(inspection["data"].is_object());
}

/// What Python's XML parser says of a document: suites, cases, failures.
fn parse_xml(xml: &[u8]) -> Option<String> {
    const SCRIPT: &str = "import sys, xml.etree.ElementTree as t
r = t.fromstring(sys.stdin.buffer.read())
print(r.tag, len(list(r.iter('testcase'))), len(list(r.iter('failure'))), len(list(r.iter('error'))))
";
    let child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        assert_ne!(
            std::env::var("RDBKIT_SERVERS").as_deref(),
            Ok("required"),
            "no python3"
        );
        eprintln!("LEFT OUT: XML of the junit report: no python3");
        return None;
    };
    child.stdin.take().unwrap().write_all(xml).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(xml));
    Some(stdout(&output).trim().to_owned())
}

#[test]
fn junit_report_is_xml() {
    let dir = folder();
    let input = corrupt(&dir);
    // A name and a key full of what XML cannot hold as it is.
    let odd = fs::read(odd_keys(&dir)).unwrap();
    let named = file(&dir, "a<b>&\"c'\u{1b}.rdb", &odd);
    let missing = path_in(&dir, "missing.rdb");
    let output = expect(
        &[
            "verify",
            "--format",
            "junit",
            &demo(),
            &input,
            &named,
            &missing,
        ],
        2,
    );
    if let Some(seen) = parse_xml(&output.stdout) {
        assert_eq!(seen, "testsuites 4 5 0", "{}", stdout(&output));
    }
}

/// A file whose keys and values are full of terminal escapes, and whose values are bad.
fn odd_keys(folder: &TempDir) -> String {
    let mut bytes = b"REDIS0003\xfe\x00".to_vec();
    for key in [
        b"\x1b[31mred\x1b[0m".as_slice(),
        b"\x9b2J\x07",
        "\u{202e}evil\u{9b}".as_bytes(),
    ] {
        // A set with the same member twice.
        bytes.extend([2, key.len() as u8]);
        bytes.extend(key);
        bytes.extend(b"\x02\x04\x1b[2J\x04\x1b[2J");
    }
    bytes.push(0xff);
    file(folder, "odd.rdb", &bytes)
}

#[test]
fn terminal_escapes_of_keys_stay_out_of_reports() {
    let dir = folder();
    let input = odd_keys(&dir);
    let mut wrong_listpack = b"REDIS0010\xfe\x00\x10\x05\x1b[2Jx\x04abcd\xff".to_vec();
    wrong_listpack.extend([0; 8]);
    let broken = file(&dir, "bro\u{1b}[5mken\n.rdb", &wrong_listpack);
    for args in [
        &["verify", &input][..],
        &["verify", "--color", "never", &broken],
        &["inspect", &input],
        &["inspect", &broken],
        &["convert", &broken, "--to", "ndjson"],
        &["convert", &input, "--to", "json"],
        &["convert", &broken, "--to", "ndjson", "--keep-going"],
        &["verify", &path_in(&dir, "missing\u{1b}[31m.rdb")],
        &[
            "convert",
            &path_in(&dir, "missing\u{1b}[31m.rdb"),
            "--to",
            "json",
        ],
    ] {
        let output = run(args);
        let said = [stdout(&output), stderr(&output)].concat();
        assert!(!said.is_empty(), "{args:?}");
        // JSON is exact: it escapes what JSON has to.
        let is_json = args.contains(&"json");
        let is_raw = |c: char| c != '\n' && if is_json { c < ' ' } else { c.is_control() };
        let shown = said.escape_debug();
        assert!(!said.contains(is_raw), "{args:?}: {shown}");
        if args[0] != "convert" || args.contains(&"ndjson") {
            assert!(!said.contains('\u{202e}'), "{args:?}: {shown}");
        }
    }
}

#[test]
fn strict_and_shallow() {
    let odd = testdata("corrupt/resizedb_too_many.rdb");
    let output = expect(&["verify", &odd], 0);
    assert!(stdout(&output).contains("warning: "));
    expect(&["verify", "--strict", &odd], 1);
    let inner = testdata("corrupt/set_member_duplicate.rdb");
    expect(&["verify", &inner], 1);
    expect(&["verify", "--shallow", &inner], 0);
}

#[test]
fn color_is_as_wished() {
    let missing = "/no/such/file.rdb";
    for (args, wanted) in [
        (&["convert", missing, "--to", "json"][..], false),
        (
            &["convert", missing, "--to", "json", "--color", "always"],
            true,
        ),
        (
            &["convert", missing, "--to", "json", "--color", "never"],
            false,
        ),
    ] {
        let output = expect(args, 2);
        assert_eq!(output.stderr.contains(&0x1b), wanted, "{args:?}");
    }
}

#[test]
fn quiet_and_verbose() {
    let functions = testdata("redis-7.0.15/functions.rdb");
    let output = expect(&["convert", &functions, "--to", "ndjson"], 0);
    assert!(stderr(&output).contains("--meta"), "left out, and said so");
    let quiet = expect(&["convert", &functions, "--to", "ndjson", "-q"], 0);
    assert_eq!(stderr(&quiet), "");
    assert_eq!(quiet.stdout, output.stdout);
    let verbose = expect(&["convert", &demo(), "--to", "ndjson", "-v"], 0);
    assert!(stderr(&verbose).contains(" s] "), "{}", stderr(&verbose));
}

// --- Help ----------------------------------------------------------------------------

const COMMANDS: &[&str] = &["convert", "inspect", "verify", "completions", "man"];

#[test]
fn help_of_every_command_has_examples() {
    let top = stdout(&expect(&["--help"], 0));
    assert!(top.contains("Exit codes"));
    for command in COMMANDS {
        assert!(top.contains(command), "{command}");
        let help = stdout(&expect(&[command, "--help"], 0));
        assert!(help.contains("Examples:\n  rdbkit "), "{command}:\n{help}");
        let short = stdout(&expect(&[command, "-h"], 0));
        assert!(short.len() <= help.len(), "{command}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{command}: {help}"
        );
    }
    let version = stdout(&expect(&["--version"], 0));
    assert!(version.starts_with(&format!("rdbkit {}", env!("CARGO_PKG_VERSION"))));
    assert!(version.contains("REDIS0015") && version.contains("VALKEY080"));
}

#[test]
fn examples_of_the_help_parse() {
    // Every command line of an example is understood: it fails for its file, not its flags.
    let dir = folder();
    for command_name in COMMANDS {
        let help = stdout(&expect(&[command_name, "--help"], 0));
        let lines = help
            .lines()
            .filter_map(|line| line.strip_prefix("  rdbkit "));
        for line in lines {
            // Without what is only shown: notes, and where the output goes.
            let words = line.split("  ").next().unwrap();
            let words = words.split(['>', '|', '&']).next().unwrap();
            let words = words.replace("/usr/local/share", "no/such");
            let script = format!("'{PROGRAM}' {words}");
            let output = Command::new("sh")
                .args(["-c", &script])
                .current_dir(dir.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let talk = stderr(&output);
            assert!(
                !talk.contains("Usage:") && !talk.contains("try '--help'"),
                "{line}: {talk}"
            );
        }
    }
}

#[test]
fn completions_and_manual() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&expect(&["completions", shell], 0));
        for word in ["convert", "inspect", "verify", "key-regex", "compat"] {
            assert!(script.contains(word), "{shell} without {word}");
        }
    }
    let output = expect(&["completions", "bash"], 0);
    let check = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    if let Ok(mut bash) = check {
        bash.stdin
            .take()
            .unwrap()
            .write_all(&output.stdout)
            .unwrap();
        assert!(bash.wait().unwrap().success());
    }
    let dir = folder();
    expect(&["man", dir.path().to_str().unwrap()], 0);
    let pages = names(dir.path());
    assert!(pages.contains(&"rdbkit.1".to_owned()), "{pages:?}");
    for command in COMMANDS {
        let page = PathBuf::from(dir.path()).join(format!("rdbkit-{command}.1"));
        let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        assert!(text.contains(".SH NAME"), "{command}");
    }
    one_error(
        &expect(&["man", "/no/such/folder"], 2),
        &["/no/such/folder"],
    );
}
