//! What the tests share: real servers, a protocol client, random data for them, and
//! what a server says about its own keys.
//!
//! | file | holds |
//! |---|---|
//! | `server.rs` | the table of releases, installing, starting, loading, saving |
//! | `resp.rs` | a RESP2 client |
//! | `rng.rs` | seeded random numbers |
//! | `dataset.rs` | fills a server with every type in every encoding |
//! | `expect.rs` | reads every key of a server over the protocol |
//!
//! A test over the real servers looks like this:
//!
//! ```ignore
//! for release in util::servers() {
//!     let server = Server::start(release, &[]);
//!     fill(&mut server.client(), &release, &mut Rng::new(seed), &FillOptions::default());
//!     let rdb = server.save();
//!     let expected = snapshot(&mut server.client(), &release);
//!     // ... compare `expected` with what rdbkit makes of `rdb`
//! }
//! ```

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "every test binary compiles this module and uses its own part of it"
)]

pub(crate) mod dataset;
pub(crate) mod expect;
pub(crate) mod resp;
pub(crate) mod rng;
pub(crate) mod server;
pub(crate) mod writes;

use std::path::PathBuf;

/// The folder of the repository.
pub(crate) fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
