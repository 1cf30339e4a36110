//! `rewrite` of several logs at once: names, exit codes, reports, and what is left.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::program::{expect, file, folder, log, names, one_error, path_in, stderr, stdout};

/// Two logs of one file and one of several parts.
fn three(dir: &TempDir) -> [String; 3] {
    let a = file(
        dir,
        "a.aof",
        &log(&["SET k a", "SET k b", "INCR n", "INCR n", "DEL k"]),
    );
    let b = file(dir, "b.log", &log(&["RPUSH l x y", "LPOP l"]));
    let set = path_in(dir, "set.aof");
    fs::create_dir(&set).unwrap();
    let manifest = b"file x.1.incr.aof seq 1 type i\n";
    fs::write(format!("{set}/x.manifest"), manifest).unwrap();
    fs::write(
        format!("{set}/x.1.incr.aof"),
        log(&["SET k 1", "DEL k", "SET m 2"]),
    )
    .unwrap();
    [a, b, set]
}

fn digest(path: &str) -> String {
    stdout(&expect(&["digest", "-q", path], 0))
}

fn lines(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_result_takes_its_inputs_name_in_the_folder() {
    let dir = folder();
    let inputs = three(&dir);
    let before: Vec<_> = inputs.iter().map(|input| digest(input)).collect();
    let out = path_in(&dir, "out");
    for jobs in ["1", "4"] {
        let args = [
            "rewrite", &inputs[0], &inputs[1], &inputs[2], "--jobs", jobs, "--json", "-o", &out,
        ];
        let output = expect(&args, 0);
        assert_eq!(names(Path::new(&out)), ["a.aof", "b.log", "set.aof"]);
        assert!(Path::new(&out).join("set.aof/x.1.base.rdb").is_file());
        let results = ["a.aof", "b.log", "set.aof"].map(|name| format!("{out}/{name}"));
        let after: Vec<_> = results.iter().map(|result| digest(result)).collect();
        assert_eq!(after, before);
        let said = stderr(&output);
        assert_eq!(said.matches("dead commands dropped").count(), 3, "{said}");
        let report = lines(&stdout(&output));
        let inputs_said: Vec<_> = report
            .iter()
            .filter(|line| line["type"] == "input")
            .map(|line| line["data"]["file"].as_str().unwrap())
            .collect();
        let manifest = format!("{}/x.manifest", inputs[2]);
        assert_eq!(inputs_said, [&inputs[0], &inputs[1], &manifest]);
        let summary = report.last().unwrap();
        assert_eq!(summary["type"], "summary");
        assert_eq!(summary["data"]["inputs"], 3);
        assert_eq!(summary["data"]["done"], 3);
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn worst_of_the_exit_codes_is_that_of_all() {
    let dir = folder();
    let [a, _, _] = three(&dir);
    let broken = file(&dir, "broken.aof", b"*1\r\n$4\r\nSAVX*?");
    let missing = path_in(&dir, "missing.aof");
    let rdb = crate::program::demo();
    let run = |name: &str, inputs: &[&str], exit: i32| {
        let out = path_in(&dir, name);
        let report = path_in(&dir, &format!("{name}.jsonl"));
        let flags = ["-o", &out, "--report", &report];
        let output = expect(&[&["rewrite"], inputs, &flags].concat(), exit);
        let summary = lines(&fs::read_to_string(&report).unwrap()).pop().unwrap();
        assert_eq!(summary["data"]["exit"], exit);
        // What can be done is done.
        assert_eq!(names(Path::new(&out)), ["a.aof"]);
        stderr(&output)
    };
    let said = run("one", &[&broken, &a], 1);
    assert!(said.contains("broken.aof"), "{said}");
    let said = run("two", &[&rdb, &a, &broken], 2);
    assert!(
        said.contains("no log") && said.contains("broken.aof"),
        "{said}"
    );
    // A name that is not there is known before anything is written.
    let out = path_in(&dir, "three");
    let output = expect(&["rewrite", &a, &missing, "-o", &out], 2);
    one_error(&output, &["missing.aof"]);
    assert!(!fs::exists(&out).unwrap());
}

#[test]
fn what_cannot_be_told_apart_is_refused_before_anything_is_written() {
    let dir = folder();
    let inputs = three(&dir);
    let other = path_in(&dir, "other");
    fs::create_dir(&other).unwrap();
    let twin = format!("{other}/a.aof");
    fs::write(&twin, log(&["SET z 1"])).unwrap();
    let packed = format!("{other}/a.aof.gz");
    fs::write(&packed, b"").unwrap();
    let out = path_in(&dir, "out");
    let before = names(dir.path());
    let a = inputs[0].as_str();
    let cases: &[(&[&str], &[&str])] = &[
        (&[a, &twin, "-o", &out], &["both", "a.aof"]),
        (&[a, &packed, "-o", &out], &["both", "a.aof"]),
        (&[a, a, "-o", &out], &["both"]),
        (&[a, &inputs[1], "-o", "-"], &["folder"]),
        (&[a, "-", "-o", &out], &["stdin"]),
        (&[a, &inputs[1], "-o", &inputs[1]], &["is a file"]),
        (&[a, &format!("{other}/../a.aof"), "--in-place"], &["both"]),
    ];
    for (args, words) in cases {
        let output = expect(&[&["rewrite"], *args].concat(), 2);
        one_error(&output, words);
        assert_eq!(names(dir.path()), before, "{args:?}");
    }
    // Where the inputs themselves are.
    let here = dir.path().to_str().unwrap();
    let source = fs::read(a).unwrap();
    for force in [&["--force"][..], &[]] {
        let args = ["rewrite", a, &inputs[1], "-o", here];
        let output = expect(&[&args, force].concat(), 2);
        assert_eq!(stderr(&output).matches("error: ").count(), 2);
        assert_eq!(fs::read(a).unwrap(), source);
        assert_eq!(names(dir.path()), before);
    }
}

#[test]
fn several_logs_are_replaced_where_they_lie() {
    let dir = folder();
    let inputs = three(&dir);
    let before: Vec<_> = inputs.iter().map(|input| digest(input)).collect();
    let bytes = fs::read(&inputs[0]).unwrap().len();
    let args = ["rewrite", "--in-place", &inputs[0], &inputs[1], &inputs[2]];
    // Where leases are not known, somebody has to say that no server runs.
    let output = crate::program::run(&args);
    if output.status.code() != Some(0) {
        expect(&[&args[..], &["--force-offline"]].concat(), 0);
    }
    let after: Vec<_> = inputs.iter().map(|input| digest(input)).collect();
    assert_eq!(after, before);
    assert!(fs::read(&inputs[0]).unwrap().len() < bytes);
    let found = names(Path::new(&inputs[2]));
    assert!(
        found.iter().any(|name| name.contains(".base.")),
        "{found:?}"
    );
}

#[test]
fn output_inside_the_set_that_is_read_is_refused() {
    let dir = folder();
    let [_, _, set] = three(&dir);
    let before = names(Path::new(&set));
    for out in ["new/", "new.aof", "x.1.incr.aof"] {
        for command in ["rewrite", "convert"] {
            let out = format!("{set}/{out}");
            let to = match command {
                "convert" if out.ends_with('/') => &["--to", "aof-dir"][..],
                "convert" => &["--to", "rdb", "--force"],
                _ => &[],
            };
            let output = expect(&[&[command, &set, "-o", &out], to].concat(), 2);
            one_error(&output, &["folder of the log"]);
            assert_eq!(names(Path::new(&set)), before, "{out}");
        }
    }
}
