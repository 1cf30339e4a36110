//! To be done.

use super::{Args, Reject, Replayer, Reply};

pub(super) fn sadd<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn srem<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn smove<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn spop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn sinterstore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn sunionstore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn sdiffstore<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}
