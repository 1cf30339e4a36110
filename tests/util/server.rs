//! The real servers: which there are, installing and starting them.
//!
//! `tests/servers/install` brings them to `target/servers`; see there for what it
//! needs. The environment decides what happens when it cannot:
//!
//! | `RDBKIT_SERVERS` | |
//! |---|---|
//! | unset | install what is missing; what cannot be had is named on stderr and left out |
//! | `required` | what cannot be had fails the test |
//! | `off` | no server at all; every test that wants one says so on stderr |
//!
//! The old releases (2.8 to 5.0) are built from source, which takes minutes, so they
//! are used when they are there; `RDBKIT_OLD_SERVERS=build` builds them,
//! `RDBKIT_OLD_SERVERS=required` also fails without them.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::repo;
use super::resp::{Address, Client};

/// The two families, which read a few bytes of the format differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Redis,
    Valkey,
}

/// One server release that the tests can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// `redis-7.0.15`: the folder below `target/servers`.
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) version: (u32, u32, u32),
    /// The version in the header of the files that it writes.
    pub(crate) rdb_version: u32,
}

const fn redis(name: &'static str, version: (u32, u32, u32), rdb_version: u32) -> Release {
    let family = Family::Redis;
    Release {
        name,
        family,
        version,
        rdb_version,
    }
}

const fn valkey(name: &'static str, version: (u32, u32, u32), rdb_version: u32) -> Release {
    let family = Family::Valkey;
    Release {
        name,
        family,
        version,
        rdb_version,
    }
}

/// The current releases, oldest first.
pub(crate) const RELEASES: &[Release] = &[
    redis("redis-6.2.14", (6, 2, 14), 9),
    redis("redis-7.0.15", (7, 0, 15), 10),
    redis("redis-7.4.1", (7, 4, 1), 12),
    redis("redis-8.2.3", (8, 2, 3), 12),
    redis("redis-8.6.2", (8, 6, 2), 13),
    valkey("valkey-8.1.8", (8, 1, 8), 11),
    valkey("valkey-9.1.2", (9, 1, 2), 80),
];

/// The old releases, built from source.
pub(crate) const OLD_RELEASES: &[Release] = &[
    redis("redis-2.8.17", (2, 8, 17), 6),
    redis("redis-3.0.5", (3, 0, 5), 6),
    redis("redis-3.2.6", (3, 2, 6), 7),
    redis("redis-5.0.6", (5, 0, 6), 9),
];

impl Release {
    /// The release called `name`; it need not be installed.
    #[track_caller]
    pub(crate) fn named(name: &str) -> Self {
        let all = RELEASES.iter().chain(OLD_RELEASES);
        *all.clone()
            .find(|release| release.name == name)
            .unwrap_or_else(|| {
                panic!(
                    "no release is called {name}; there are {:?}",
                    all.map(|r| r.name).collect::<Vec<_>>()
                )
            })
    }

    /// True for Redis from this version on. Valkey forked from 7.2.4, so it has what
    /// Redis had until then.
    pub(crate) fn redis_since(&self, major: u32, minor: u32) -> bool {
        match self.family {
            Family::Redis => (self.version.0, self.version.1) >= (major, minor),
            Family::Valkey => (major, minor) <= (7, 2),
        }
    }

    pub(crate) fn valkey_since(&self, major: u32, minor: u32) -> bool {
        self.family == Family::Valkey && (self.version.0, self.version.1) >= (major, minor)
    }

    pub(crate) fn has_streams(&self) -> bool {
        self.redis_since(5, 0)
    }
    /// first_id, max_deleted_id, entries_added and entries_read exist.
    pub(crate) fn has_stream_counters(&self) -> bool {
        self.redis_since(7, 0)
    }
    /// Consumers have an active time beside the seen time.
    pub(crate) fn has_consumer_active_time(&self) -> bool {
        self.redis_since(7, 2)
    }
    /// Streams remember producers and their message ids.
    pub(crate) fn has_stream_idmp(&self) -> bool {
        self.redis_since(8, 6)
    }
    pub(crate) fn has_functions(&self) -> bool {
        self.redis_since(7, 0)
    }
    pub(crate) fn has_field_ttl(&self) -> bool {
        self.redis_since(7, 4) || self.valkey_since(9, 0)
    }
    pub(crate) fn has_vector_sets(&self) -> bool {
        self.redis_since(8, 0)
    }
    /// Listpacks instead of ziplists.
    pub(crate) fn has_listpacks(&self) -> bool {
        self.redis_since(7, 0)
    }
    pub(crate) fn has_set_listpack(&self) -> bool {
        self.redis_since(7, 2)
    }
    /// Big list elements get a node of their own.
    pub(crate) fn has_plain_nodes(&self) -> bool {
        self.redis_since(7, 4) || self.family == Family::Valkey
    }
    pub(crate) fn has_quicklist(&self) -> bool {
        self.redis_since(3, 2)
    }
    /// `PEXPIRETIME` and `EXPIRETIME`.
    pub(crate) fn has_expiretime(&self) -> bool {
        self.redis_since(7, 0)
    }
    /// Eviction data in files: opcodes idle and freq, `RESTORE .. IDLETIME/FREQ`.
    pub(crate) fn has_eviction_data(&self) -> bool {
        self.redis_since(5, 0)
    }
    /// The log is a folder of parts with a manifest.
    pub(crate) fn has_multi_part_aof(&self) -> bool {
        self.redis_since(7, 0)
    }
    /// `DEBUG` must be enabled at start.
    fn guards_debug(&self) -> bool {
        self.redis_since(7, 0)
    }
    /// Modules come with the installed package.
    pub(crate) fn has_modules(&self) -> bool {
        self.name == "redis-7.4.1"
    }

    pub(crate) fn folder(&self) -> PathBuf {
        servers_folder().join(self.name)
    }

    /// A program of this release (`redis-cli`, `redis-check-rdb`), if it came with it.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder().join("bin").join(name);
        path.exists().then_some(path)
    }

    /// Its `redis-check-rdb`, which is the server itself under another name; since 3.2.
    pub(crate) fn checker(&self) -> Command {
        let name = match self.family {
            Family::Redis => "redis-check-rdb",
            Family::Valkey => "valkey-check-rdb",
        };
        if let Some(path) = self.program(name) {
            return Command::new(path);
        }
        let binary = self.binary();
        let library = self.folder().join("lib");
        let loader = library.join("ld-linux-x86-64.so.2");
        if !loader.exists() {
            let mut command = Command::new(binary);
            command.arg0(name);
            return command;
        }
        // What stands in `bin` is a script then, which a name cannot be given through.
        let real = self.folder().join("real").join(binary.file_name().unwrap());
        let mut command = Command::new(loader);
        command.args(["--argv0", name, "--library-path"]);
        command.arg(library).arg(real);
        command
    }

    pub(crate) fn binary(&self) -> PathBuf {
        let name = match self.family {
            Family::Redis => "redis-server",
            Family::Valkey => "valkey-server",
        };
        self.folder().join("bin").join(name)
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.binary().exists()
    }
}

/// `target/servers`, where `CARGO_TARGET_DIR` says the target folder is.
pub(crate) fn servers_folder() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo().join("target"), PathBuf::from);
    // Relative to where cargo was called, which tests cannot know: cargo runs them in
    // the package's folder, where it was called too in all but odd cases.
    let target = if target.is_absolute() {
        target
    } else {
        repo().join(target)
    };
    target.join("servers")
}

/// The current releases that can be used here; see the top of this file.
pub(crate) fn servers() -> Vec<Release> {
    static FOUND: OnceLock<Vec<Release>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let setting = env::var("RDBKIT_SERVERS").unwrap_or_default();
            assert!(
                matches!(&*setting, "" | "required" | "off"),
                "RDBKIT_SERVERS={setting}: `required`, `off` or unset"
            );
            if setting == "off" {
                return Vec::new();
            }
            if !RELEASES.iter().all(Release::is_installed) || env::var_os("CI").is_some() {
                install(&[]);
            }
            present(RELEASES, setting == "required")
        })
        .clone()
        .also_say_if_empty()
}

/// The old releases that can be used here.
pub(crate) fn old_servers() -> Vec<Release> {
    static FOUND: OnceLock<Vec<Release>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let setting = env::var("RDBKIT_OLD_SERVERS").unwrap_or_default();
            if env::var("RDBKIT_SERVERS").as_deref() == Ok("off") {
                return Vec::new();
            }
            if matches!(&*setting, "build" | "required") {
                install(&["--old"]);
            }
            present(OLD_RELEASES, setting == "required")
        })
        .clone()
        .also_say_if_empty()
}

/// The one server that a test needs, or `None` (said on stderr) when it is not to be
/// had.
pub(crate) fn server_named(name: &str) -> Option<Release> {
    let release = Release::named(name);
    let list = if OLD_RELEASES.contains(&release) {
        old_servers()
    } else {
        servers()
    };
    let found = list.into_iter().find(|candidate| *candidate == release);
    if found.is_none() {
        eprintln!("LEFT OUT: test {}: no server {name}", test_name());
    }
    found
}

trait SayIfEmpty {
    fn also_say_if_empty(self) -> Self;
}

impl SayIfEmpty for Vec<Release> {
    fn also_say_if_empty(self) -> Self {
        if self.is_empty() {
            eprintln!(
                "LEFT OUT: test {}: no real server to compare with",
                test_name()
            );
        }
        self
    }
}

fn test_name() -> String {
    // The test harness names the thread after the test.
    thread::current().name().unwrap_or("(unnamed)").to_owned()
}

fn present(list: &[Release], required: bool) -> Vec<Release> {
    let (there, missing): (Vec<Release>, Vec<Release>) =
        list.iter().partition(|release| release.is_installed());
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|release| release.name).collect();
        let text = format!("servers not installed: {}", names.join(", "));
        assert!(!required, "{text}, and they are required");
        eprintln!("LEFT OUT: comparisons with {text}");
    }
    there
}

fn install(arguments: &[&str]) {
    let script = repo().join("tests/servers/install");
    let status = Command::new(&script)
        .args(arguments)
        .arg("--dir")
        .arg(servers_folder())
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("{}: {status}", script.display()),
        Err(error) => eprintln!("{}: {error}", script.display()),
    }
}

/// Which of the modules that came with a release to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modules {
    None,
    /// JSON, Bloom and TimeSeries: value types.
    Data,
    /// Also Search, which puts module aux records into every file.
    All,
}

/// How to start a server.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    release: Release,
    args: Vec<String>,
    modules: Modules,
    tcp: bool,
    rdb: Option<PathBuf>,
    aof: Option<PathBuf>,
}

impl Start {
    pub(crate) fn new(release: Release) -> Self {
        Self {
            release,
            args: Vec::new(),
            modules: Modules::None,
            tcp: false,
            rdb: None,
            aof: None,
        }
    }

    /// More command-line words: `["--appendonly", "yes"]`.
    pub(crate) fn args<S: AsRef<str>>(mut self, args: &[S]) -> Self {
        self.args
            .extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn modules(mut self, modules: Modules) -> Self {
        self.modules = modules;
        self
    }

    /// Listen on a TCP port of 127.0.0.1 too (for other programs; tests connect by the
    /// Unix socket).
    pub(crate) fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Start on a copy of this RDB file.
    pub(crate) fn rdb(mut self, path: &Path) -> Self {
        self.rdb = Some(path.to_owned());
        self
    }

    /// Start on a copy of this log: one file, or a folder of parts.
    pub(crate) fn aof(mut self, path: &Path) -> Self {
        self.aof = Some(path.to_owned());
        self
    }

    /// Starts the server and waits until it has loaded its data.
    ///
    /// # Errors
    /// The server's log, when it ends instead.
    pub(crate) fn start(&self) -> Result<Server, String> {
        let mut last = String::new();
        for _ in 0..5 {
            match self.attempt() {
                Err(log) if self.tcp && log.contains("Address already in use") => last = log,
                outcome => return outcome,
            }
        }
        Err(last)
    }

    fn attempt(&self) -> Result<Server, String> {
        let release = self.release;
        let dir = tempfile::Builder::new()
            .prefix("rdbkit-")
            .tempdir()
            .expect("a temporary folder");
        let socket = dir.path().join("sock");
        let log = dir.path().join("log");
        let port = if self.tcp { free_port() } else { 0 };

        let mut command = Command::new(release.binary());
        command
            .current_dir(dir.path())
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--unixsocket",
                path_text(&socket),
                "--dir",
                path_text(dir.path()),
            ])
            .args(["--daemonize", "no", "--dbfilename", "dump.rdb"]);
        if release.guards_debug() {
            command.args(["--enable-debug-command", "yes"]);
        }
        if self.modules != Modules::None && release.has_modules() {
            let mut names = vec!["rejson.so", "redisbloom.so", "redistimeseries.so"];
            if self.modules == Modules::All {
                names.push("redisearch.so");
            }
            for name in names {
                command.args([
                    "--loadmodule",
                    path_text(&release.folder().join("modules").join(name)),
                ]);
            }
        }
        if let Some(rdb) = &self.rdb {
            fs::copy(rdb, dir.path().join("dump.rdb"))
                .unwrap_or_else(|e| panic!("{}: {e}", rdb.display()));
        }
        if let Some(aof) = &self.aof {
            command.args(["--appendonly", "yes"]);
            command.args(["--appendfilename", &copy_aof(aof, dir.path())]);
        }
        command.args(&self.args);

        let output = File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", release.binary().display()));
        let mut server = Server {
            release,
            child,
            dir,
            socket,
            log,
            port,
        };
        server.wait_until_ready().map(|()| server)
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Copies a log to where a server in `dir` looks for it; the answer is its file name.
fn copy_aof(from: &Path, dir: &Path) -> String {
    if !from.is_dir() {
        fs::copy(from, dir.join("appendonly.aof"))
            .unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        return "appendonly.aof".to_owned();
    }
    let to = dir.join("appendonlydir");
    fs::create_dir(&to).expect("a folder");
    let mut name = "appendonly.aof".to_owned();
    for entry in fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let entry = entry.expect("an entry");
        let file = entry.file_name().into_string().expect("a name of UTF-8");
        fs::copy(entry.path(), to.join(&file)).expect("a copy");
        // What a rewrite that was killed was writing is none.
        if let Some(stem) = file.strip_suffix(".manifest")
            && !stem.starts_with("temp-")
        {
            stem.clone_into(&mut name);
        }
    }
    name
}

/// A running server with a folder of its own; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) release: Release,
    child: Child,
    dir: TempDir,
    socket: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to save, and the folder goes with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts an empty server.
    ///
    /// # Panics
    /// With the server's log when it does not start.
    #[track_caller]
    pub(crate) fn start(release: Release, args: &[&str]) -> Self {
        Self::expect(Start::new(release).args(args))
    }

    /// Starts a server that has to start.
    #[track_caller]
    pub(crate) fn expect(start: Start) -> Self {
        let name = start.release.name;
        start
            .start()
            .unwrap_or_else(|log| panic!("{name} does not start:\n{log}"))
    }

    /// Starts a server on a copy of an RDB file.
    ///
    /// # Errors
    /// The server's log, when it refuses the file.
    pub(crate) fn load(release: Release, rdb: &Path) -> Result<Self, String> {
        Start::new(release).modules(Modules::Data).rdb(rdb).start()
    }

    /// Starts a server on a copy of a log: one file, or a folder of parts.
    ///
    /// # Errors
    /// The server's log, when it refuses it.
    pub(crate) fn load_aof(release: Release, aof: &Path) -> Result<Self, String> {
        Start::new(release).modules(Modules::Data).aof(aof).start()
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("the server's state") {
                return Err(format!("{status}\n{}", self.log()));
            }
            // Until it listens, then until it answers something else than LOADING.
            if let Ok(mut client) = Client::connect(&self.address())
                && let Ok(reply) = client.try_cmd(&["PING"])
                && reply.error().is_none()
            {
                return Ok(());
            }
            if Instant::now() > limit {
                return Err(format!("no answer in a minute\n{}", self.log()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.socket.clone())
    }

    /// The port, if it was started with `tcp`.
    pub(crate) fn port(&self) -> Option<u16> {
        (self.port != 0).then_some(self.port)
    }

    /// The server's own folder (`dump.rdb`, `appendonlydir`).
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A new connection.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.address())
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.release.name, self.log()))
    }

    /// Makes the server write its RDB file; it lies in the server's folder.
    #[track_caller]
    pub(crate) fn save(&self) -> PathBuf {
        self.client().ok(&["SAVE"]);
        self.dir().join("dump.rdb")
    }

    /// `DEBUG DIGEST`: 40 hex digits over the whole dataset.
    #[track_caller]
    pub(crate) fn digest(&self) -> String {
        if !self.release.redis_since(4, 0) {
            // These releases crash when the table of a database is growing just then
            // and a key in it has a deadline; the server's timer ends that in a moment.
            thread::sleep(Duration::from_millis(500));
        }
        self.client().ok(&["DEBUG", "DIGEST"]).text()
    }

    /// Makes the server rewrite its log, and waits for it.
    #[track_caller]
    pub(crate) fn rewrite_aof(&self) {
        let mut client = self.client();
        client.ok(&["BGREWRITEAOF"]);
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let info = client.ok(&["INFO", "persistence"]).text();
            if info.contains("aof_rewrite_in_progress:0")
                && info.contains("aof_rewrite_scheduled:0")
            {
                assert!(
                    info.contains("aof_last_bgrewrite_status:ok"),
                    "{}: the rewrite failed\n{}",
                    self.release.name,
                    self.log()
                );
                return;
            }
            assert!(
                Instant::now() < limit,
                "{}: the rewrite does not end\n{}",
                self.release.name,
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The server's log of commands: one file, or the folder of parts.
    pub(crate) fn aof(&self) -> PathBuf {
        let name = if self.release.has_multi_part_aof() {
            "appendonlydir"
        } else {
            "appendonly.aof"
        };
        self.dir().join(name)
    }
}
