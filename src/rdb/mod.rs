//! RDB snapshots.

pub mod dialect;
