//! What the tests of commands share.

use super::{Options, Replayer, Reply};
use crate::num::Flavor;

/// Runs commands, written as words, and gives what they answered.
///
/// Numbers and strings print as they are, an absent answer as `nil`, several in
/// brackets; an error as `!` and its first word.
pub(super) struct Session(pub(super) Replayer<'static>);

impl Session {
    pub(super) fn new() -> Self {
        Self::of(Flavor::redis(8, 6))
    }

    pub(super) fn of(flavor: Flavor) -> Self {
        let options = Options {
            now: super::Now::At(1_000_000),
            flavor,
            ..Options::default()
        };
        Session(Replayer::new(options))
    }

    pub(super) fn run(&mut self, command: &str) -> String {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        match self.0.call(&words) {
            Ok(reply) => print(&reply),
            Err(reject) => {
                let text = reject.to_string();
                format!("!{}", text.split(' ').next().unwrap_or_default())
            }
        }
    }

    /// Each command with what it answers.
    #[track_caller]
    pub(super) fn all(&mut self, table: &[(&str, &str)]) {
        for (command, answer) in table {
            assert_eq!(self.run(command), *answer, "{command}");
        }
    }
}

fn print(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Ok => "OK".into(),
        Reply::Nil => "nil".into(),
        Reply::Int(n) => n.to_string(),
        Reply::Bulk(text) => {
            String::from_utf8_lossy(text.as_bytes(&mut itoa::Buffer::new())).into_owned()
        }
        Reply::Array(items) => {
            let items: Vec<_> = items.iter().map(print).collect();
            format!("[{}]", items.join(" "))
        }
        _ => format!("{reply:?}"),
    }
}
