//! To be done.

use super::{Args, Reject, Replayer, Reply};

pub(super) fn zunionstore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zinterstore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zdiffstore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zrangestore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}
