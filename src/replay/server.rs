//! To be done.

use super::{Args, Reject, Replayer, Reply};

pub(super) fn select<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn swapdb<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn flushdb<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn flushall<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn trimslots<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn migrate<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn cluster_flushslot<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn administrative<'a>(
    _: &mut Replayer<'a>,
    _: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn transaction<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}
