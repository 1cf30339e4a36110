//! As what a dataset is written for a server.

use crate::error::{Error, Result};
use crate::rdb::Target;

/// What becomes of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An RDB of its own.
    Rdb,
    /// The RDB that a log begins with.
    Base,
    /// Commands.
    Commands {
        /// When they are written, in milliseconds since 1970.
        now_ms: i64,
    },
}

impl Form {
    /// The form of a log for a release, written at `now_ms`: with or without an RDB before it,
    /// or as the release itself has it, which is with one from Redis 5.0 on.
    ///
    /// # Errors
    /// Usage: the release knows no such log, or no log of several parts if it `has_parts`.
    pub fn of_log(
        target: &Target,
        has_parts: bool,
        preamble: Option<bool>,
        now_ms: i64,
    ) -> Result<Form> {
        if has_parts && !target.has_multi_part_logs() {
            return Err(Error::usage(format!(
                "{target} keeps its log in one file: write --to aof, or name another release with --target"
            )));
        }
        let has_preamble = preamble.unwrap_or(target.prefers_preamble());
        if has_preamble && !target.has_preamble() {
            return Err(Error::usage(format!(
                "{target} knows no log that begins with an RDB: leave --preamble out"
            )));
        }
        Ok(match has_preamble {
            true => Form::Base,
            false => Form::Commands { now_ms },
        })
    }

    /// Whether commands are written.
    #[must_use]
    pub fn is_commands(self) -> bool {
        matches!(self, Form::Commands { .. })
    }
}
