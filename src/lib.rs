//! Reads the persistence files of Redis and Valkey.

pub mod bytes;
pub mod error;
pub mod num;
pub mod rdb;
pub mod store;
