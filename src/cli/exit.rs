//! Exit codes: 0 done or sound, 1 the answer is no, 2 could not look, 130 interrupted.

use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::process::ExitCode;

use rdbkit::error::{Error, Fault};
use rdbkit::report::Verdict;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; sound; equal.
    Done = 0,
    /// Looked, and the answer is no.
    No = 1,
    /// Could not look, or could not finish.
    Unable = 2,
}

impl Exit {
    /// The number that the system sees.
    pub(crate) fn code(self) -> i32 {
        self as i32
    }

    /// The exit of several inputs: could not look beats no beats done.
    pub(crate) fn or(self, other: Exit) -> Exit {
        if other as u8 > self as u8 {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Sound => Exit::Done,
            Verdict::Damaged => Exit::No,
            Verdict::Unsupported | Verdict::Unreadable => Exit::Unable,
        }
    }
}

/// The exit that an error's fault stands for.
pub(crate) fn of_error(error: &Error) -> Exit {
    match error.fault() {
        Fault::Input => Exit::No,
        _ => Exit::Unable,
    }
}

/// Whether stdout was closed by its reader.
pub(crate) fn is_broken_pipe(error: &Error) -> bool {
    error
        .io_error()
        .is_some_and(|source| source.kind() == IoErrorKind::BrokenPipe)
}

/// Prints what clap has to say (help, version, a refusal) and ends accordingly.
pub(crate) fn of_clap(refusal: &clap::Error) -> ExitCode {
    let printed = refusal.print().and_then(|()| io::stdout().flush());
    if refusal.use_stderr() {
        return Exit::Unable.into();
    }
    match printed {
        Ok(()) => Exit::Done.into(),
        Err(e) => {
            let error = Error::io("cannot write", e).in_file("stdout");
            if !is_broken_pipe(&error) {
                let _ = writeln!(io::stderr(), "error: {error}");
            }
            Exit::Unable.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::{Done, No, Unable};

    #[test]
    fn exits_merge_to_the_worst() {
        for (a, b, both) in [
            (Done, Done, Done),
            (Done, No, No),
            (No, Done, No),
            (No, Unable, Unable),
            (Unable, Done, Unable),
        ] {
            assert_eq!(a.or(b), both);
        }
    }
}
