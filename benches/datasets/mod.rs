//! The data that benches and `benches/compare` measure with, made from a seed.
//!
//! ```text
//! mixed    every type and encoding of Redis 7.0 at everyday sizes     200 MB of RDB
//! strings  3 million small keys                                       114 MB of RDB
//! big      one key of each type, a million elements each             140 MB of RDB
//! churn    4 million commands over keys that come and go              385 MB of AOF
//! ```
//!
//! Each is a stream of commands in the form in which a server logs them. `churn` is
//! that stream; the others become RDB files when a real server takes it and saves, so
//! that sizes, encodings and compression are the server's own. The same seed and
//! scale give the same stream everywhere. Every key and element of the first three
//! is new when it is written, so counting them here counts what the file must hold.
//!
//! | file | holds |
//! |---|---|
//! | `commands.rs` | the command stream and its counts |
//! | `random.rs` | seeded numbers, words, texts |
//! | `mixed.rs` `strings.rs` `big.rs` `churn.rs` | one data set each |
//! | `rdb.rs` | the scenarios of the divan benches: one type and encoding each, in memory |
//! | `generate.rs` | the program: `cargo run --release --example datasets -- mixed --scale 0.01` |

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each bench compiles this module and uses its own part of it"
)]

pub mod big;
pub mod churn;
pub mod commands;
pub mod mixed;
pub mod random;
pub mod rdb;
pub mod strings;
