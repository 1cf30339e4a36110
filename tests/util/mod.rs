//! What the tests share: real servers, a protocol client, random data for them, and
//! what a server says about its own keys.
//!
//! | file | holds |
//! |---|---|
//! | `server.rs` | the table of releases, installing, starting, loading, saving |
//! | `resp.rs` | a RESP2 client |
//! | `writes.rs`, `families.rs` | random write commands |
//! | `replayed.rs` | a log replayed, and its keyspace as text |
//! | `asked.rs` | what a server answers about deadlines, groups and functions |
//! | `rng.rs` | seeded random numbers |
//! | `dataset/` | fills a server with every type in every encoding |
//! | `every.rs` | one command of each kind |
//! | `expect.rs` | reads every key of a server over the protocol |
//! | `compare.rs` | compares those keys with another server's, and with JSON |
//! | `same.rs` | whether two RDBs hold the same keys |
//! | `disk.rs` | a disk that can be full |
//! | `filled.rs` | a full server, its file and its keys in one step |
//! | `in_place.rs` | a log replaced where it lies |
//! | `program.rs` | runs the program, makes files for it |
//! | `model.rs` | a value as a client sees it, told and collected |
//!
//! A test over the real servers looks like this:
//!
//! ```ignore
//! for seed in rng::seeds(100, 2) {
//!     for release in servers() {
//!         let filled = Filled::new(release, seed);
//!         // ... compare `filled.keys` with what rdbkit makes of `filled.rdb`
//!     }
//! }
//! ```

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "every test binary compiles this module and uses its own part of it"
)]

pub(crate) mod asked;
pub(crate) mod compare;
pub(crate) mod dataset;
pub(crate) mod disk;
pub(crate) mod every;
pub(crate) mod expect;
pub(crate) mod families;
pub(crate) mod filled;
pub(crate) mod in_place;
pub(crate) mod model;
pub(crate) mod program;
pub(crate) mod replayed;
pub(crate) mod resp;
pub(crate) mod rng;
pub(crate) mod same;
pub(crate) mod scripts;
pub(crate) mod server;
pub(crate) mod writes;

use std::path::PathBuf;

/// The folder of the repository.
pub(crate) fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
