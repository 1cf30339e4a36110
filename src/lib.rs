//! Reads the persistence files of Redis and Valkey.

pub mod bytes;
pub mod encoding;
pub mod error;
pub mod rdb;
