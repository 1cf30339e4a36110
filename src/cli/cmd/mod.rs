//! One file per command.

pub(crate) mod convert;
pub(crate) mod convert_rdb;
mod destination;
pub(crate) mod diff;
pub(crate) mod digest;
pub(crate) mod docs;
mod in_place;
pub(crate) mod inspect;
mod report_file;
pub(crate) mod rewrite;
mod rewrite_several;
pub(crate) mod verify;
