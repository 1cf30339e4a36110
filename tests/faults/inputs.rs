//! What stands where a file should: links, folders, devices, FIFOs, sockets, manifests that lead
//! elsewhere, and outputs that cannot be.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::disks::tree;
use crate::program::{
    PROGRAM, command, demo, exited, expect, file, folder, log, mkfifo, names, one_error, path_in,
    run, stderr, stdout,
};
use crate::util::disk::SmallDisk;

/// Every command that reads one input, with what it needs to write.
fn readers(out: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["verify"],
        vec!["inspect"],
        vec!["digest"],
        vec!["convert", "-o", out],
        vec!["rewrite", "-o", out],
        vec!["rewrite", "--in-place"],
    ]
}

#[test]
fn what_is_no_file_is_one_error() {
    let dir = folder();
    let at = |name: &str| path_in(&dir, name);
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    symlink("ring", at("ring")).unwrap();
    symlink("nothing", at("dangling")).unwrap();
    symlink("empty", at("to_folder")).unwrap();
    file(&dir, "plain", b"");
    let before = names(dir.path());
    let out = at("out.ndjson");
    for (input, word) in [
        (at("socket"), "No such device"),
        (at("empty"), ""),
        (at("to_folder"), ""),
        (at("ring"), "symbolic links"),
        (at("dangling"), "No such file"),
        (at("plain/file"), "Not a directory"),
        (at(&"long".repeat(100)), "name too long"),
        (at("absent"), "No such file"),
        (String::new(), ""),
        ("/dev/tty/file".to_owned(), "Not a directory"),
    ] {
        for args in readers(&out) {
            let args = [&args[..], &[&input]].concat();
            let output = run(&args);
            exited(&output, 2, &format!("{args:?}"));
            let said = stderr(&output) + &stdout(&output);
            let errors = said.lines().filter(|line| line.starts_with("error: "));
            assert_eq!(errors.count(), 1, "{args:?}: {said}");
            let in_place = args.contains(&"--in-place");
            assert!(in_place || said.contains(word), "{args:?}: {said}");
            assert_eq!(names(dir.path()), before, "{args:?}");
        }
    }
}

/// A device without end ends as soon as it is seen to be nothing, within little memory and
/// no room on the disk.
#[test]
fn device_without_end_is_refused_at_once() {
    let dir = folder();
    let Some(disk) = SmallDisk::mount(1024) else {
        return;
    };
    let out = path_in(&dir, "out.ndjson");
    for kind in [
        "",
        "--as=rdb",
        "--as=aof",
        "--as=json",
        "--as=manifest",
        "--dump-payload",
    ] {
        for mut args in readers(&out) {
            args.push("/dev/zero");
            args.push("--max-memory=64M");
            args.extend(Some(kind).filter(|kind| !kind.is_empty()));
            let output = command(&args).env("TMPDIR", disk.path()).output().unwrap();
            let label = format!("{args:?}: {}", stderr(&output));
            // It is looked at, and is no format of ours; or cannot be.
            assert!(matches!(output.status.code(), Some(1 | 2)), "{label}");
            let said = stderr(&output) + &stdout(&output);
            assert!(said.contains("error: /dev/zero: "), "{label}");
            let fills_the_disk = said.contains("No space left");
            assert_eq!(
                fills_the_disk,
                kind == "--dump-payload" && !args.contains(&"--in-place"),
                "{label}"
            );
            assert!(
                names(dir.path()).is_empty() && names(disk.path()).is_empty(),
                "{label}"
            );
        }
    }
    // From a pipe as well.
    for kind in ["aof", "json"] {
        let script = "cat /dev/zero | \"$0\" verify - --as \"$1\"";
        let output = Command::new("sh")
            .args(["-c", script, PROGRAM, kind])
            .env("TMPDIR", disk.path())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        exited(&output, 1, kind);
        assert!(stdout(&output).starts_with("error: stdin: "), "{output:?}");
    }
}

/// Opens a FIFO and writes bytes to it; the reader may go before it has all.
fn feed(fifo: &str, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let fifo = fifo.to_owned();
    std::thread::spawn(move || drop(fs::write(fifo, bytes)))
}

#[test]
fn fifo_is_a_stream_for_every_command() {
    let dir = folder();
    let commands = log(&["SET a 1", "INCR a", "RPUSH l x y"]);
    let plain = file(&dir, "plain.aof", &commands);
    let fifo = path_in(&dir, "fifo");
    mkfifo(&fifo);
    for (args, bytes, same) in [
        (&["digest", "-q"][..], fs::read(demo()).unwrap(), demo()),
        (&["digest", "-q"], commands.clone(), plain.clone()),
        (&["verify"], fs::read(demo()).unwrap(), demo()),
        (&["verify"], commands.clone(), plain.clone()),
        (
            &["rewrite", "-q", "--preamble=no", "-o", "-"],
            commands,
            plain.clone(),
        ),
        (
            &["convert", "--to", "aof"],
            fs::read(demo()).unwrap(),
            demo(),
        ),
    ] {
        let feeder = feed(&fifo, bytes);
        let streamed = expect(&[args, &[&fifo]].concat(), 0);
        feeder.join().unwrap();
        let read = expect(&[args, &[&same]].concat(), 0);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            text(&streamed.stdout),
            text(&read.stdout).replace(&same, &fifo),
            "{args:?}"
        );
    }
    // A writer that goes at once.
    let out = path_in(&dir, "out.rdb");
    for (args, exit) in [
        (&["digest"][..], 1),
        (&["convert", "-o", &out, "--target=redis-7.2"], 1),
    ] {
        let feeder = feed(&fifo, Vec::new());
        let output = expect(&[args, &[&fifo]].concat(), exit);
        feeder.join().unwrap();
        one_error(&output, &["fifo", "unexpected end of input"]);
    }
    assert_eq!(names(dir.path()), ["fifo", "plain.aof"]);
}

#[test]
fn output_that_cannot_be_is_one_error_and_nothing_else() {
    let dir = folder();
    let at = |name: &str| path_in(&dir, name);
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    file(&dir, "folder/file", b"");
    symlink("ring", at("ring")).unwrap();
    file(&dir, "plain", b"");
    let commands = file(&dir, "in.aof", &log(&["SET a 1"]));
    let before = tree(dir.path());
    for (out, word) in [
        (at("socket"), "No such device"),
        (at("folder"), "folder"),
        (at("ring"), "symbolic links"),
        (at("plain/out"), "Not a directory"),
        (at("absent/out"), "No such file"),
        (at(&"long".repeat(100)), "name too long"),
        ("/proc/out".to_owned(), "cannot create a file in its folder"),
        (String::new(), ""),
        (commands.clone(), "input and the output"),
        (at("folder/../in.aof"), "input and the output"),
    ] {
        for args in [
            &["convert", &commands, "--to", "ndjson"][..],
            &["convert", &commands, "--to", "rdb"],
            &["rewrite", &commands, "--as", "aof"],
        ] {
            let args = [args, &["--force", "-o", &out]].concat();
            one_error(&expect(&args, 2), &[word]);
            assert!(tree(dir.path()) == before, "{args:?}");
        }
    }
    for (out, word) in [
        (at("folder/"), "not empty"),
        (at("plain/"), "is a file"),
        (at("absent/out/"), "No such file"),
        ("/proc/out/".to_owned(), "cannot make the folder"),
    ] {
        let args = ["rewrite", &commands, "-o", &out];
        one_error(&expect(&args, 2), &[word]);
        assert!(tree(dir.path()) == before, "{args:?}");
    }
}

/// `/dev/stdout` and its kind are links to what has no name.
#[test]
fn stdout_by_its_name_is_written_straight() {
    let expected = expect(&["convert", &demo(), "--to", "ndjson"], 0).stdout;
    for out in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let output = expect(&["convert", &demo(), "--to", "ndjson", "-o", out], 0);
        assert!(output.stdout == expected, "{out}");
    }
    let null = expect(&["convert", &demo(), "-o", "/dev/null", "--to=rdb"], 0);
    assert_eq!(null.stdout, b"");
}

/// A result is its owner's alone, however open the input is; one that takes an old file's place
/// is as open as that.
#[test]
fn result_is_private_or_as_open_as_the_file_it_replaces() {
    let dir = folder();
    let commands = file(&dir, "in.aof", &log(&["SET a 1"]));
    fs::set_permissions(&commands, fs::Permissions::from_mode(0o666)).unwrap();
    let mode = |path: &str| fs::metadata(path).unwrap().mode() & 0o7777;
    let set = path_in(&dir, "set/");
    for (name, target) in [
        ("a.ndjson", ""),
        ("a.rdb", ""),
        ("a.aof", ""),
        ("set/", "set"),
    ] {
        let out = path_in(&dir, name);
        let report = path_in(&dir, &format!("report-{name}").replace('/', ""));
        let mut args = vec!["convert", &commands, "-o", &out];
        if !name.ends_with("json") {
            args.extend(["--report", &report]);
        }
        expect(&args, 0);
        if target.is_empty() {
            assert_eq!(mode(&out), 0o600, "{name}");
        }
        if Path::new(&report).exists() {
            assert_eq!(mode(&report), 0o600, "{report}");
        }
    }
    for name in names(Path::new(&set)) {
        assert_eq!(mode(&format!("{set}{name}")), 0o600, "{name}");
    }
    for old in [0o400, 0o640, 0o664, 0o601] {
        let out = file(&dir, "old.ndjson", b"old");
        fs::set_permissions(&out, fs::Permissions::from_mode(old)).unwrap();
        expect(&["convert", &commands, "-o", &out, "--force"], 0);
        assert_eq!(mode(&out), old, "{old:o}");
        fs::remove_file(out).unwrap();
    }
}

/// With --force, too: what is read and what is written are not for reports.
#[test]
fn report_takes_no_other_files_place() {
    let dir = folder();
    let one = file(&dir, "one.aof", &log(&["SET a 1"]));
    let two = file(&dir, "two.aof", &log(&["SET b 1"]));
    let set = path_in(&dir, "set");
    fs::create_dir(&set).unwrap();
    file(&dir, "set/x.1.incr.aof", &log(&["SET c 1"]));
    file(&dir, "set/x.manifest", b"file x.1.incr.aof seq 1 type i\n");
    let manifest = format!("{set}/x.manifest");
    let link = path_in(&dir, "link");
    symlink("one.aof", &link).unwrap();
    let (out, several) = (path_in(&dir, "out.aof"), path_in(&dir, "several"));
    let part = format!("{set}/x.1.incr.aof");
    let new_part = format!("{set}/x.2.incr.aof");
    let result = format!("{several}/one.aof");
    let before = tree(dir.path());
    let of_one = ["rewrite", &one, "-o", &out];
    let of_set = ["rewrite", &set, "-o", &out];
    let of_manifest = ["rewrite", &manifest, "-o", &out];
    let of_both = ["rewrite", &one, &two, "-o", &several];
    for (args, report) in [
        (&of_one[..], &one),
        (&of_one, &link),
        (&of_one, &out),
        (&["convert", &one, "-o", &out], &one),
        (&of_set, &part),
        (&of_set, &manifest),
        (&of_set, &new_part),
        (&of_manifest, &part),
        (&of_both, &two),
        (&of_both, &result),
    ] {
        let args = [args, &["--force", "--report", report]].concat();
        exited(&run(&args), 2, &format!("{args:?}"));
        assert!(tree(dir.path()) == before, "{args:?}");
    }
    // One that cannot be written is found out before the work.
    let nowhere = path_in(&dir, "absent/report");
    let output = expect(&[&of_one[..], &["--report", &nowhere]].concat(), 2);
    one_error(&output, &["absent/report", "No such file"]);
    assert!(tree(dir.path()) == before);
    let report = path_in(&dir, "report");
    expect(&[&of_both[..], &["--report", &report]].concat(), 0);
    assert_eq!(fs::read_to_string(&report).unwrap().lines().count(), 3);
}

fn set_with(manifest: &[u8]) -> (TempDir, String) {
    let dir = folder();
    let set = path_in(&dir, "set");
    fs::create_dir(&set).unwrap();
    file(&dir, "outside.aof", &log(&["SET a 1"]));
    file(&dir, "set/inside.aof", &log(&["SET b 1"]));
    file(&dir, "set/x.manifest", manifest);
    (dir, set)
}

#[test]
fn manifest_that_leads_elsewhere_is_damage() {
    let dir = folder();
    let outside = path_in(&dir, "outside.aof");
    fs::write(&outside, log(&["SET a 1"])).unwrap();
    let names: [&[u8]; 9] = [
        b"../outside.aof",
        b"./inside.aof",
        b"\"\\x2e\\x2e/outside.aof\"",
        b"..",
        b".",
        b"\"\"",
        b"in\0side.aof",
        b"inside.aof\0",
        outside.as_bytes(),
    ];
    for name in names {
        for kind in ["b", "i", "h"] {
            let end = format!(" seq 1 type {kind}\n");
            let more: &[u8] = match kind {
                // History alone is no log.
                "h" => b"file inside.aof seq 2 type i\n",
                _ => b"",
            };
            let manifest = [b"file ", name, end.as_bytes(), more].concat();
            let label = String::from_utf8_lossy(&manifest).into_owned();
            let (dir, set) = set_with(&manifest);
            let before = tree(dir.path());
            let out = path_in(&dir, "out.aof");
            for args in [
                &["verify", &set][..],
                &["digest", &set],
                &["rewrite", &set, "-o", &out],
                &["rewrite", "--in-place", &set],
            ] {
                let output = run(args);
                let said = stderr(&output) + &stdout(&output);
                let code = output.status.code();
                let is_harmless = kind == "h" && !name.contains(&b'/') && !name.contains(&0);
                if !is_harmless {
                    assert!(matches!(code, Some(1 | 2)), "{args:?} {label}: {said}");
                    assert!(tree(dir.path()) == before, "{args:?} {label}: {said}");
                }
                assert!(!said.contains("panicked"), "{label}: {said}");
                // What lies outside is neither read nor touched.
                let outside = fs::read(dir.path().join("outside.aof")).unwrap();
                assert!(outside == log(&["SET a 1"]), "{label}");
            }
        }
    }
}

/// Servers follow links; a link is what goes when its log is replaced, not what it leads to.
#[test]
fn part_that_is_a_link_is_read_and_its_target_stays() {
    let (dir, set) = set_with(b"file link.aof seq 1 type i\n");
    symlink("../outside.aof", format!("{set}/link.aof")).unwrap();
    let digest = |set: &str| stdout(&expect(&["digest", "-q", set], 0));
    let before = digest(&set);
    expect(&["rewrite", "--in-place", "-q", &set], 0);
    assert_eq!(digest(&set), before);
    let outside = fs::read(dir.path().join("outside.aof")).unwrap();
    assert!(outside == log(&["SET a 1"]));
    // A FIFO as a part would be waited for without end.
    let (_dir, set) = set_with(b"file fifo seq 1 type i\n");
    mkfifo(&format!("{set}/fifo"));
    let output = expect(&["verify", &set], 1);
    assert!(
        stdout(&output).contains("[missing_part]"),
        "{}",
        stdout(&output)
    );
}
