//! To be done.

use super::{Args, Reject, Replayer, Reply};

pub(super) fn sort<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}
