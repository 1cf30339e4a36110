//! What a replay has to say, before it is known where.

use crate::error::{Code, Context, Fault};
use crate::replay::Reject;
use crate::replay::txn::Rejected;
use crate::report::{Finding, Level};

/// Something to report.
pub(super) struct Heard {
    pub(super) finding: Finding,
    /// The keyspace is still what a server would have.
    pub(super) is_exact: bool,
}

pub(super) fn finding(
    level: Level,
    code: Code,
    fault: Fault,
    place: Context,
    message: String,
) -> Finding {
    Finding {
        level,
        code,
        fault,
        place,
        expected: None,
        found: None,
        message,
    }
}

/// The finding for a command that was not carried out. The keyspace is still exact if a
/// server would have gone on after refusing it.
pub(super) fn told(rejected: &Rejected<'_>) -> Heard {
    let name = rejected.args.first().copied().unwrap_or_default();
    let mut shown = name.get(..64).unwrap_or(name).escape_ascii().to_string();
    if let Some(command) = rejected.command
        && command.name.contains('|')
    {
        shown = command.name.replace('|', " ").to_uppercase();
    }
    let key = match rejected.command {
        Some(command) => command.first_key(rejected.args),
        // Commands of modules name their key first.
        None => rejected.args.get(1).copied(),
    };
    let place = Context {
        offset: Some(rejected.offset),
        db: Some(rejected.db),
        key: key.map(<[u8]>::to_vec),
        ..Context::default()
    };
    let (code, fault) = match &rejected.reject {
        Reject::UnknownCommand => (Code::UnknownCommand, Fault::Input),
        Reject::WrongArity | Reject::Error(_) | Reject::Interrupted(_) => {
            (Code::ReplayRejected, Fault::Input)
        }
        Reject::Limit { .. } => (Code::LimitExceeded, Fault::Limit),
        _ => (Code::Unsupported, Fault::Unsupported),
    };
    let message = format!("{shown}: {}", rejected.reject);
    let (level, is_exact) = match rejected.reject {
        Reject::Interrupted(_) => (Level::Warning, true),
        Reject::Error(_) => (Level::Error, true),
        _ => (Level::Error, false),
    };
    Heard {
        finding: finding(level, code, fault, place, message),
        is_exact,
    }
}
