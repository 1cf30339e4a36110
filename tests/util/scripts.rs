//! The scripts in `tests/scripts`.

use std::fs;

use super::repo;
use super::server::Release;

/// The scripts of a file that are for a release, each as its line and as what to run.
pub(crate) fn of(file: &str, release: Release) -> Vec<(String, String)> {
    let folder = repo().join("tests/scripts");
    let head = fs::read_to_string(folder.join("head.lua")).unwrap();
    let head = head.trim_end_matches('\n');
    let text = fs::read_to_string(folder.join(file)).unwrap();
    lines(&text, release)
        .into_iter()
        .map(|line| (line.to_owned(), format!("{head}{}", script(line))))
        .collect()
}

/// How many bytes of a script come from its line, behind the head.
pub(crate) fn tail_len(line: &str) -> usize {
    script(line).len()
}

/// The lines of a file that are for a release: `@3.2` begins one that is for it and later
/// ones, `@-5.0` one that is for those before.
fn lines(text: &str, release: Release) -> Vec<&str> {
    let version =
        |text: &str| -> Vec<u32> { text.split('.').map(|n| n.parse().unwrap()).collect() };
    let own = [release.version.0, release.version.1, release.version.2];
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .filter_map(|line| match line.strip_prefix('@') {
            None => Some(line),
            Some(rest) => {
                let (from, line) = rest.split_once(' ').unwrap();
                match from.strip_prefix('-') {
                    None => (own[..] >= version(from)[..]).then_some(line),
                    Some(before) => (own[..] < version(before)[..]).then_some(line),
                }
            }
        })
        .collect()
}

/// A line that begins with `!` is a command, to be called by a script that shows the answer.
fn script(line: &str) -> String {
    match line.strip_prefix('!') {
        None => line.to_owned(),
        Some(words) => {
            let words: Vec<_> = words.split(' ').map(|word| format!("'{word}'")).collect();
            format!("return show(redis.pcall({}))", words.join(", "))
        }
    }
}
