//! Files from elsewhere: everything in the folder that `RDBKIT_CORPUS` names.
//!
//! The program converts, verifies and inspects each file. It may refuse one, but with
//! an error that says why; the summary on stderr says what became of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn rdbkit(args: &[&str], path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rdbkit"))
        .args(args)
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What is wrong with how a command ended.
fn oddity(output: &Output) -> Option<String> {
    let talk = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0..=2) if talk.contains("panicked") => Some(talk.into_owned()),
        Some(0) => None,
        Some(1 | 2) if output.stdout.is_empty() && talk.is_empty() => {
            Some(format!("{} without a word", output.status))
        }
        Some(1 | 2) => None,
        _ => Some(format!("{}: {talk}", output.status)),
    }
}

#[test]
fn every_file_of_the_corpus_is_read_or_refused_with_a_reason() {
    let Some(folder) = std::env::var_os("RDBKIT_CORPUS") else {
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    paths.sort();
    assert!(
        !paths.is_empty(),
        "no file in {}",
        Path::new(&folder).display()
    );
    let mut failures = Vec::new();
    for path in &paths {
        let converted = rdbkit(&["convert", "--to", "ndjson", "--meta"], path);
        let verified = rdbkit(&["verify"], path);
        let mut outputs = vec![
            ("inspect", rdbkit(&["inspect"], path)),
            (
                "--pretty",
                rdbkit(&["convert", "--to", "json", "--pretty"], path),
            ),
            (
                "librdb",
                rdbkit(&["convert", "--to", "json", "--compat", "librdb"], path),
            ),
            (
                "rdbtools",
                rdbkit(&["convert", "--to", "json", "--compat", "rdbtools"], path),
            ),
        ];
        let lines = String::from_utf8(converted.stdout.clone()).unwrap();
        for line in lines.lines() {
            if let Err(error) = serde_json::from_str::<serde_json::Value>(line) {
                failures.push(format!("{}: {error}: {line}", path.display()));
            }
        }
        if converted.status.success() && !verified.status.success() {
            let said = String::from_utf8_lossy(&verified.stdout).into_owned();
            failures.push(format!("{} converts, but {said}", path.display()));
        }
        for (shape, output) in &outputs[1..] {
            let is_json = serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok();
            if output.status.success() != converted.status.success() {
                failures.push(format!("{} {shape}: {}", path.display(), output.status));
            } else if output.status.success() && !is_json {
                failures.push(format!("{} {shape}: no JSON", path.display()));
            }
        }
        let last = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().last().unwrap_or_default().to_owned()
        };
        eprintln!(
            "{}: {} records; {}",
            path.display(),
            lines.lines().count(),
            last(&verified.stdout)
        );
        outputs.extend([("convert", converted), ("verify", verified)]);
        for (what, output) in &outputs {
            if let Some(text) = oddity(output) {
                failures.push(format!("{} {what}: {text}", path.display()));
            }
        }
    }
    eprintln!("{} files", paths.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
