//! To be done.

use super::{Args, Reject, Replayer, Reply};

pub(super) fn lpush<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn rpush<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lpushx<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn rpushx<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn rpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lset<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn linsert<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lrem<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn ltrim<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn rpoplpush<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lmove<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lmpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn lmovem<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn blpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn brpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn blmove<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn brpoplpush<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn blmpop<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}

pub(super) fn blmovem<'a>(_: &mut Replayer<'a>, _: Args<'_, 'a>) -> Result<Reply<'a>, Reject> {
    Err(Reject::unsupported("this command is not replayed yet"))
}
