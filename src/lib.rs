//! Reads the persistence files of Redis and Valkey.

pub mod aof;
pub mod bytes;
pub mod encoding;
pub mod error;
pub mod input;
pub mod json;
pub mod keyset;
pub mod model;
pub mod num;
pub mod ops;
pub mod rdb;
pub mod replay;
pub mod report;
#[cfg(feature = "lua")]
mod script;
pub mod select;
pub mod store;
