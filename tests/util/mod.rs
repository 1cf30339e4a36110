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
//! | `recorded.rs` | everything that a conversion does to the world |
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
pub(crate) mod recorded;
pub(crate) mod replayed;
pub(crate) mod resp;
pub(crate) mod rng;
pub(crate) mod same;
pub(crate) mod scripts;
pub(crate) mod server;
pub(crate) mod writes;

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub(crate) fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of `testdata`, and of the folders in it, that end with one of these, sorted.
pub(crate) fn fixtures(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(&repo().join("testdata"), &mut found);
    found.retain(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extensions.contains(&extension.unwrap_or_default())
    });
    found.sort();
    found
}

/// All files in a folder and the folders in it.
pub(crate) fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}
