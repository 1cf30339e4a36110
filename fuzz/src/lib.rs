//! The properties that are fuzzed. Each takes any bytes and panics where it does not hold.
//!
//! `fuzz_targets/` hands them to libFuzzer; `tests/fuzz_regressions.rs` of the crate replays
//! with them what once failed.

mod draw;
#[path = "../../tests/util/model.rs"]
mod model;
#[path = "../../tests/util/recorded.rs"]
mod recorded;

pub mod aof_read;
pub mod dump_payload;
pub mod encodings;
pub mod json_import;
pub mod manifest;
pub mod oracle;
pub mod rdb_chunked;
pub mod rdb_read;
pub mod rdb_write;
pub mod replay_vs_model;
pub mod rewrite_equivalence;
pub mod roundtrip;
pub mod verify;

/// A property: any bytes, or a panic.
pub type Property = fn(&[u8]);

/// Every target and its property.
pub const TARGETS: &[(&str, Property)] = &[
    ("rdb_read", rdb_read::run),
    ("rdb_chunked", rdb_chunked::run),
    ("verify", verify::run),
    ("encodings", encodings::run),
    ("dump_payload", dump_payload::run),
    ("rdb_write", rdb_write::run),
    ("roundtrip", roundtrip::run),
    ("aof_read", aof_read::run),
    ("replay_vs_model", replay_vs_model::run),
    ("rewrite_equivalence", rewrite_equivalence::run),
    ("json_import", json_import::run),
    ("manifest", manifest::run),
    ("oracle", oracle::run),
];
