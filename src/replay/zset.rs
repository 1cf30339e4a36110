//! To be done.

use super::{Args, Reject, Replayer, Reply};

pub(super) fn zadd<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zincrby<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zrem<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zremrangebyrank<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zremrangebyscore<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zremrangebylex<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zpopmin<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zpopmax<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn bzpopmin<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn bzpopmax<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn zmpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn bzmpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}
