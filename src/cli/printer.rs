//! What goes to stderr: errors, warnings, phases. Data never does, and nothing here goes to stdout.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Color, Style};
use rdbkit::error::{Code, Error, printable};
use rdbkit::report::{Finding, Level};

use super::args::{Global, When};

/// Decides what is said and how.
#[derive(Debug)]
pub(crate) struct Printer {
    quiet: bool,
    verbose: bool,
    started: Instant,
}

const RED: Style = Style::new()
    .bold()
    .fg_color(Some(Color::Ansi(AnsiColor::Red)));
const YELLOW: Style = Style::new()
    .bold()
    .fg_color(Some(Color::Ansi(AnsiColor::Yellow)));
const CYAN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan)));

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        let choice = match global.color {
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        };
        choice.write_global();
        Printer {
            quiet: global.quiet,
            verbose: global.verbose,
            started: Instant::now(),
        }
    }

    /// Whether a progress bar would be seen and is wanted.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    fn say(&self, style: Style, word: &str, text: &str) {
        // A line at once: other threads, and the runtime when memory ends, write there, too.
        let mut line = AutoStream::new(Vec::new(), AutoStream::choice(&io::stderr()));
        let _ = writeln!(line, "{style}{word}{style:#}: {}", printable(text));
        // A closed stderr is no reason to fail.
        let _ = io::stderr().write_all(&line.into_inner());
    }

    /// Says what went wrong, and what to do about it if that is known.
    pub(crate) fn error(&self, error: &Error) {
        self.say(RED, "error", &error.to_string());
        if let Some(hint) = hint(error) {
            self.say(CYAN, "hint", hint);
        }
    }

    /// Says what is odd.
    pub(crate) fn warning(&self, text: &str) {
        if !self.quiet {
            self.say(YELLOW, "warning", text);
        }
    }

    /// Says what a person may want to know.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say(CYAN, "note", text);
        }
    }

    /// Shows a finding while something else is being made.
    pub(crate) fn finding(&self, finding: &Finding) {
        let text = finding.to_string();
        match finding.level {
            Level::Error => self.say(RED, "error", text.strip_prefix("error: ").unwrap_or(&text)),
            Level::Warning => self.warning(text.strip_prefix("warning: ").unwrap_or(&text)),
        }
    }

    /// With `-v`, says what was just done and how long after the start.
    pub(crate) fn phase(&self, text: &str) {
        if self.verbose {
            let seconds = self.started.elapsed().as_secs_f64();
            let _ = writeln!(anstream::stderr(), "[{seconds:8.3} s] {text}");
        }
    }
}

/// What a person can do about an error.
fn hint(error: &Error) -> Option<&'static str> {
    match error.code() {
        Code::UnexpectedEof => {
            Some("the file was cut short: compare its size with the original, or copy it again")
        }
        Code::ChecksumMismatch => Some(
            "the file changed after it was written: copy it again; `rdbkit verify` lists what is readable",
        ),
        Code::UnknownType | Code::UnknownOpcode | Code::UnsupportedVersion | Code::Unsupported => {
            Some("`rdbkit --version` lists what this release reads")
        }
        Code::DataLoss => Some("--allow-loss leaves it out; --report FILE says it to programs"),
        Code::InputChanged => {
            Some("something wrote to it or opened it: try again when nothing uses it")
        }
        Code::InUse => Some("nothing was changed: stop what uses it, then try again"),
        Code::BadMagic => Some("`rdbkit inspect` tells what kind of file it is; `--as` overrides"),
        _ => None,
    }
}
