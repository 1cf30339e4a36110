//! A server full of random data, its file, and what it says about itself.

use std::path::PathBuf;

use super::dataset::{FillOptions, fill};
use super::expect::{ExpectedKey, functions, snapshot};
use super::rng::Rng;
use super::server::{Modules, Release, Server, Start};

/// What a server holds and says after [`Filled::new`].
pub(crate) struct Filled {
    /// The release and the seed, for messages.
    pub(crate) label: String,
    pub(crate) server: Server,
    /// The file of the server's own `SAVE`.
    pub(crate) rdb: PathBuf,
    /// `DEBUG DIGEST`.
    pub(crate) digest: String,
    pub(crate) keys: Vec<ExpectedKey>,
    /// The function libraries as `(name, code)`.
    pub(crate) functions: Vec<(String, Vec<u8>)>,
}

impl Filled {
    /// Starts a server with the modules it has, fills it, saves, and asks for all keys.
    ///
    /// # Panics
    /// When the server does not start, or refuses a command.
    #[track_caller]
    pub(crate) fn new(release: Release, seed: u64) -> Self {
        let label = format!("{} with RDBKIT_SEED={seed}", release.name);
        let server = Server::expect(Start::new(release).modules(Modules::Data));
        let mut client = server.client();
        let options = FillOptions::default();
        fill(&mut client, &release, &mut Rng::new(seed), &options);
        // Before the snapshot: reading changes access data.
        let rdb = server.save();
        let keys = snapshot(&mut client, &release);
        Self {
            label,
            rdb,
            digest: server.digest(),
            functions: functions(&mut client, &release),
            keys,
            server,
        }
    }
}
