//! How a log ends, and what a server would make of it.
//!
//! | end | what servers do (`aof.c loadSingleAppendOnlyFile`) |
//! |---|---|
//! | clean | load it |
//! | cut inside a record | cut the file and load it (`aof-load-truncated yes`, the default), else refuse |
//! | cut inside a record of a transaction | Redis leaves a dangling MULTI in the file; Valkey 9 cuts before it |
//! | open transaction | cut before MULTI and load |
//! | NUL padding, garbage, corruption | refuse; Redis 8.4 and newer may cut (`aof-load-corrupt-tail-max-size`) |
//! | any of these in a part that is not the last | cut the part on disk, then refuse: the second start loads it |
//!
//! Ours: the valid offset is the end of the last complete command outside an open
//! transaction, and nothing is ever cut in the input.

use std::fmt::Write as _;

use crate::error::{Code, Error, ErrorKind, Value};

/// What kind of end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndKind {
    /// At a record's end, outside a transaction.
    Clean,
    /// The input ends inside a record.
    Cut {
        /// At least so many more bytes belong to it.
        needed: u64,
        /// Where inside the cut record another record seems to begin: a damaged length, not a cut.
        resync: Option<u64>,
    },
    /// At a record's end, inside a transaction.
    OpenMulti,
    /// Only NUL bytes follow, as after a crash that lost the blocks of a grown file.
    NulPadding {
        /// How many.
        len: u64,
    },
    /// Bytes that are no record, and no record after them.
    GarbageTail,
    /// Bytes that are no record, and records after them.
    Corrupt {
        /// Where the next plausible record begins.
        resync: u64,
    },
}

/// The end of a log: its kind and its offsets, all of them in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// What kind of end it is.
    pub kind: EndKind,
    /// Where the flaw lies; the end of the input if there is none.
    pub offset: u64,
    /// Where the record begins that holds the flaw.
    pub record_offset: u64,
    /// Line of that record, from 1, counted as `redis-check-aof` does: payloads are one line each.
    pub line: u64,
    /// End of the last complete command outside an open transaction.
    pub valid_offset: u64,
    /// End of the last complete command of any kind.
    pub complete_offset: u64,
    /// Where the input ends.
    pub end_offset: u64,
    /// Where the transaction begins that is open here.
    pub open_multi: Option<u64>,
    /// Whether the servers' loader accepts the record although it breaks the strict form.
    pub server_accepts: bool,
    pub(crate) failure: Option<ErrorKind>,
}

impl End {
    /// Whether the log is whole.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.kind == EndKind::Clean
    }

    /// Whether servers drop what follows the valid offset by default and load the rest.
    #[must_use]
    pub fn is_dropped_by_servers(&self) -> bool {
        matches!(self.kind, EndKind::Cut { .. } | EndKind::OpenMulti)
    }

    /// Where a record begins behind the flaw that no crash in the middle of a write leaves there: the
    /// log is damaged, although servers take it for a cut one and drop all of its rest.
    #[must_use]
    pub fn hidden_record(&self) -> Option<u64> {
        match self.kind {
            EndKind::Cut { resync, .. } => resync,
            _ => None,
        }
    }

    /// Bytes after the valid offset.
    #[must_use]
    pub fn remaining_bytes(&self) -> u64 {
        self.end_offset.saturating_sub(self.valid_offset)
    }

    /// What is wrong, with its place; `None` for a clean end.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        let kind = match (self.kind, &self.failure) {
            (EndKind::Clean, _) => return None,
            (EndKind::Cut { needed, .. }, _) => ErrorKind::UnexpectedEof { needed },
            (EndKind::OpenMulti, _) => {
                let at = self.open_multi.unwrap_or(self.valid_offset);
                return Some(
                    Error::new(broken(
                        Code::OpenMulti,
                        "transaction",
                        "EXEC",
                        "end of input",
                    ))
                    .at_offset(at),
                );
            }
            (EndKind::NulPadding { .. }, _) => broken(
                Code::BadResp,
                "end of the log",
                "a record or the end",
                "NUL padding",
            ),
            (EndKind::GarbageTail | EndKind::Corrupt { .. }, Some(failure)) => failure.clone(),
            (EndKind::GarbageTail | EndKind::Corrupt { .. }, None) => {
                ErrorKind::Internal("a format error without its kind")
            }
        };
        Some(Error::new(kind).at_offset(self.offset))
    }

    /// What servers do with a part that ends so, in one line; `None` for a clean end.
    ///
    /// `last_part` says whether no other part of the set follows.
    #[must_use]
    pub fn hint(&self, last_part: bool) -> Option<String> {
        let valid = self.valid_offset;
        let remaining = self.remaining_bytes();
        let mut hint = match self.kind {
            EndKind::Clean => return None,
            _ if self.server_accepts => {
                let mut hint = String::from(
                    "servers load this record all the same, redis-check-aof does not; no server wrote it",
                );
                if let EndKind::Corrupt { resync } = self.kind {
                    let _ = write!(hint, "; the next record begins at offset {resync}");
                }
                return Some(hint);
            }
            EndKind::Cut { .. } if self.open_multi.is_some() && last_part => format!(
                "the state ends before the open MULTI, at offset {valid}; Valkey 9.1 cuts the file there, \
                 Redis 7.0 to 8.6 at {}, which leaves a dangling MULTI that swallows later writes",
                self.complete_offset
            ),
            EndKind::Cut { .. } | EndKind::OpenMulti if last_part => format!(
                "servers cut the file at offset {valid} ({remaining} bytes) and load it, \
                 or refuse it with aof-load-truncated no"
            ),
            EndKind::Cut { .. } | EndKind::OpenMulti => format!(
                "not the last part: servers cut it on disk at offset {valid} ({remaining} bytes) and refuse to start, \
                 then load it at the second start"
            ),
            EndKind::NulPadding { .. } | EndKind::GarbageTail | EndKind::Corrupt { .. } => {
                let mut hint = String::from("servers refuse to start with \"Bad file format\"");
                if last_part {
                    let _ = write!(
                        hint,
                        "; Redis 8.4 and newer cut at offset {valid} if aof-load-corrupt-tail-max-size \
                         is greater than {remaining}"
                    );
                }
                hint
            }
        };
        match self.kind {
            EndKind::Cut {
                resync: Some(at), ..
            } => {
                let _ = write!(
                    hint,
                    "; a record seems to begin at offset {at} inside the cut one: a damaged length, not a cut?"
                );
            }
            EndKind::Corrupt { resync } => {
                let _ = write!(hint, "; records go on at offset {resync}");
            }
            _ => {}
        }
        Some(hint)
    }
}

fn broken(
    code: Code,
    what: &'static str,
    expected: &'static str,
    found: &'static str,
) -> ErrorKind {
    ErrorKind::Broken {
        code,
        at: None,
        what,
        expected: Value::Text(expected),
        found: Value::Text(found),
    }
}
