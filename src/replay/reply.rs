//! What commands answer, and how they refuse.

use std::borrow::Cow;
use std::fmt;

use crate::store::Str;

/// The answer of a command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply<'a> {
    /// `+OK`
    Ok,
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// A string.
    Bulk(Str<'a>),
    /// `+` and a text other than OK.
    Status(Vec<u8>),
    /// Several answers.
    Array(Vec<Reply<'a>>),
    /// An error that a script returned, which is no failure of the script.
    Error(String),
    /// A read command that was not carried out, because a log has no use for it.
    Unread,
}

impl Reply<'_> {
    pub(super) fn count(n: usize) -> Self {
        Reply::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    pub(super) fn bool(yes: bool) -> Self {
        Reply::Int(i64::from(yes))
    }
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reject {
    /// No release has such a command, or such a subcommand. Servers stop loading.
    UnknownCommand,
    /// Too few or too many arguments. Valkey stops loading; Redis runs it on garbage.
    WrongArity,
    /// A server would have answered with this error, and gone on.
    Error(Cow<'static, str>),
    /// A script that had written before this error ended it: servers log such a one, and
    /// keep what it wrote.
    Interrupted(Cow<'static, str>),
    /// A server carries it out, and this program cannot say what that gives.
    Unsupported(Cow<'static, str>),
    /// A bound of this program was hit.
    Limit {
        /// Which one.
        what: &'static str,
        /// Its value.
        limit: u64,
    },
}

impl Reject {
    /// An error of the server.
    pub(super) const fn error(text: &'static str) -> Self {
        Reject::Error(Cow::Borrowed(text))
    }

    /// What a name means that the table does not know: commands of modules, and only
    /// they, have a dot in it.
    pub(super) fn of_unknown(name: &[u8]) -> Self {
        if name.contains(&b'.') {
            Reject::unsupported("a command of a module: from here on the keyspace is not exact")
        } else {
            Reject::UnknownCommand
        }
    }

    /// Something that is not replayed.
    pub(super) const fn unsupported(text: &'static str) -> Self {
        Reject::Unsupported(Cow::Borrowed(text))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reject::UnknownCommand => f.write_str("unknown command"),
            Reject::WrongArity => f.write_str("wrong number of arguments"),
            Reject::Error(text) => f.write_str(text),
            Reject::Interrupted(text) => write!(f, "ended early: {text}"),
            Reject::Unsupported(what) => write!(f, "unsupported: {what}"),
            Reject::Limit { what, limit } => write!(f, "more than {limit} {what}"),
        }
    }
}

impl std::error::Error for Reject {}

pub(super) const WRONG_TYPE: Reject =
    Reject::error("WRONGTYPE Operation against a key holding the wrong kind of value");
pub(super) const SYNTAX: Reject = Reject::error("ERR syntax error");
pub(super) const NOT_INTEGER: Reject = Reject::error("ERR value is not an integer or out of range");
pub(super) const NOT_FLOAT: Reject = Reject::error("ERR value is not a valid float");
pub(super) const NO_SUCH_KEY: Reject = Reject::error("ERR no such key");
pub(super) const OUT_OF_RANGE: Reject = Reject::error("ERR index out of range");
pub(super) const OVERFLOW: Reject = Reject::error("ERR increment or decrement would overflow");
pub(super) const INVALID_EXPIRE: Reject = Reject::error("ERR invalid expire time");
pub(super) const BAD_COUNT: Reject = Reject::error("ERR numkeys should be greater than 0");
