//! Commands that change nothing.

use super::{Args, Reject, Replayer, Reply};

/// A log has no use for the answer.
pub(super) fn ignored<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Ok(Reply::Unread)
}
