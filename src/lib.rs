//! Reads the persistence files of Redis and Valkey.

pub mod aof;
pub mod bytes;
pub mod error;
pub mod rdb;
