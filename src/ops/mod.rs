//! Whole jobs: what the program's commands do, as library functions.

pub mod aof_write;
mod array_as_hash;
pub mod convert;
pub mod diff;
pub mod digest;
pub mod export;
pub mod export_store;
mod fingerprint;
pub mod form;
mod heard;
pub mod import;
pub mod inspect;
pub mod inspect_log;
pub mod json_to_rdb;
mod listener;
pub mod log;
pub mod losses;
pub mod opened;
pub mod pipeline;
mod rdb_check;
mod rdb_ledger;
mod rdb_part;
mod rdb_survey;
pub mod rdb_write;
pub mod replay;
pub mod rewrite;
pub mod selected;
mod shards;
#[cfg(test)]
mod shards_tests;
mod store_write;
pub mod usual_target;
pub mod value_checks;
mod vector_write;
pub mod verify;
mod write_commands;
mod written;
