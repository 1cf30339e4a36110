//! Findings: everything that a check has to say about an input.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::error::{Code, Context, Error, ErrorKind, Fault, Printable, Value};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Servers load it; something is odd or longer than need be.
    Warning,
    /// Data is damaged, lost or would be refused.
    Error,
}

impl Level {
    /// `warning` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// Stable word for the rule.
    pub code: Code,
    /// Whose fault it is; decides between "damaged" and "could not look".
    pub fault: Fault,
    /// File, part, offset, database, key.
    pub place: Context,
    /// What the rule wants.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// All of it on one line, without the place.
    pub message: String,
}

impl Finding {
    /// A finding of an error's kind and place.
    #[must_use]
    pub fn of_error(error: &Error, level: Level) -> Self {
        let (expected, found) = error.kind().sides().unzip();
        let mut message = error.kind().to_string();
        if let Some(source) = error.io_error() {
            message = format!("{message}: {source}");
        }
        Finding {
            level,
            code: error.code(),
            fault: error.fault(),
            place: error.context().clone(),
            expected,
            found,
            message,
        }
    }

    /// A finding in words of its own.
    #[must_use]
    pub fn told(level: Level, code: Code, fault: Fault, message: String) -> Self {
        Finding {
            level,
            code,
            fault,
            place: Context::default(),
            expected: None,
            found: None,
            message,
        }
    }

    /// Adds the file unless one is there.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.place.file.get_or_insert_with(|| file.into());
        self
    }

    /// A broken rule at an offset.
    pub(crate) fn broken(
        level: Level,
        code: Code,
        offset: u64,
        what: &'static str,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) -> Self {
        let kind = ErrorKind::Broken {
            code,
            at: None,
            what,
            expected: expected.into(),
            found: found.into(),
        };
        Finding::of_error(&Error::new(kind).at_offset(offset), level)
    }

    /// Adds database and key.
    #[must_use]
    pub(crate) fn in_key(mut self, db: u32, key: &[u8]) -> Self {
        self.place.db.get_or_insert(db);
        self.place.key.get_or_insert_with(|| key.to_vec());
        self
    }
}

impl fmt::Display for Finding {
    /// Writes `error: dump.rdb: message (at 0x1f40, db 0, key "user:1") [code]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Printable(f);
        write!(out, "{}: ", self.level.as_str())?;
        if let Some(file) = &self.place.file {
            write!(out, "{file}: ")?;
        }
        out.write_str(&self.message)?;
        let place = self.place.to_string();
        if !place.is_empty() {
            write!(out, " {place}")?;
        }
        write!(out, " [{}]", self.code)
    }
}

/// What a check concludes about an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was looked at is in order.
    Sound,
    /// Something is broken.
    Damaged,
    /// It holds what cannot be judged, or not to its end.
    Unsupported,
    /// The operating system did not let us read it, or not to its end.
    Unreadable,
}

impl Verdict {
    /// `sound`, `damaged`, `unsupported` or `unreadable`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Sound => "sound",
            Verdict::Damaged => "damaged",
            Verdict::Unsupported => "unsupported",
            Verdict::Unreadable => "unreadable",
        }
    }

    /// The exit code that says so: 0, 1 or 2.
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Verdict::Sound => 0,
            Verdict::Damaged => 1,
            Verdict::Unsupported | Verdict::Unreadable => 2,
        }
    }
}

/// Findings counted by code and judged.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often each code was found.
    pub by_code: BTreeMap<&'static str, u64>,
    /// Error-level findings that blame the input.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// Findings because of which the check could not go on.
    pub unable: u64,
    /// Those of them that blame the operating system.
    pub unreadable: u64,
}

impl Tally {
    /// Counts a finding.
    pub fn add(&mut self, finding: &Finding) {
        *self.by_code.entry(finding.code.as_str()).or_default() += 1;
        match (finding.level, finding.fault) {
            (Level::Warning, _) => self.warnings += 1,
            (Level::Error, Fault::Input) => self.errors += 1,
            (Level::Error, fault) => {
                self.unable += 1;
                self.unreadable += u64::from(fault == Fault::Io);
            }
        }
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Tally) {
        for (code, count) in &other.by_code {
            *self.by_code.entry(code).or_default() += count;
        }
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.unable += other.unable;
        self.unreadable += other.unreadable;
    }

    /// The verdict; under `strict` a warning counts as an error.
    #[must_use]
    pub fn verdict(&self, strict: bool) -> Verdict {
        match self {
            Tally {
                unreadable: 1.., ..
            } => Verdict::Unreadable,
            Tally { unable: 1.., .. } => Verdict::Unsupported,
            Tally { errors: 1.., .. } => Verdict::Damaged,
            Tally { warnings: 1.., .. } if strict => Verdict::Damaged,
            _ => Verdict::Sound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdict_names_why_it_could_not_be_looked_at() {
        let finding = |fault| Finding::told(Level::Error, Code::Io, fault, String::new());
        let verdict = |faults: &[Fault]| {
            let mut tally = Tally::default();
            faults.iter().for_each(|&fault| tally.add(&finding(fault)));
            tally.verdict(false)
        };
        assert_eq!(verdict(&[]), Verdict::Sound);
        assert_eq!(verdict(&[Fault::Input]), Verdict::Damaged);
        assert_eq!(
            verdict(&[Fault::Unsupported, Fault::Input]),
            Verdict::Unsupported
        );
        assert_eq!(
            verdict(&[Fault::Io, Fault::Unsupported]),
            Verdict::Unreadable
        );
    }
}
