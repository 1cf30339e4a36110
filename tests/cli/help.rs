//! Help, completions and the manual.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::program::{PROGRAM, expect, folder, names, one_error, stderr, stdout};

const COMMANDS: &[&str] = &[
    "convert",
    "rewrite",
    "inspect",
    "verify",
    "completions",
    "man",
];

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
