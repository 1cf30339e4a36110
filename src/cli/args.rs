//! The flags: one definition for parser, help, completions and manual pages.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::select::parse_size;

/// The formats that `--version` lists.
const FORMATS: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nreads RDB:  REDIS0001 to REDIS0015 (Redis 1.0 to 8.10, Valkey 7.2 to 8.1), VALKEY080 (Valkey 9.0, 9.1)",
    "\n            object types 0-5, 7, 9-32 of Redis and 22 of Valkey; modules generically",
    "\nreads AOF:  plain, hybrid and multi-part logs of Redis 2.x to 8.6, Valkey 7.2 to 9.1",
    "\nreads also: DUMP payloads, replication streams; gzip, zstd and lz4 of any of them",
    "\nwrites RDB: for redis-2.6 to redis-8.10, valkey-7.2 to valkey-9.1",
    "\nwrites AOF: plain, hybrid and multi-part logs for the same",
    "\nwrites:     JSON, NDJSON"
);

/// Reads, verifies and converts the persistence files of Redis and Valkey.
#[derive(Debug, Parser)]
#[command(name = "rdbkit", version = FORMATS, propagate_version = false, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done or sound, 1 damaged or the answer is no, 2 could not look, 130 interrupted."
)]
#[command(after_long_help = "\
Examples:
  rdbkit inspect dump.rdb                      what is in it
  rdbkit verify /backups/*.rdb && echo sound   exit code 0 only if all are
  rdbkit convert dump.rdb --to ndjson | jq .   one JSON object per key
  ssh host cat dump.rdb | rdbkit verify -      from a pipe

Exit codes: 0 done or sound, 1 damaged or the answer is no, 2 could not look or could not finish, 130 interrupted.

rdbkit is not affiliated with Redis Ltd. or the Valkey project.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say what is done and how long it took
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(crate) color: When,
    /// How many processors to use [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Bound of anonymous memory, in bytes or with K, M or G; more ends with exit code 2
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_memory: Option<u64>,
}

impl VerifyArgs {
    /// How the report is written.
    pub(crate) fn format(&self) -> ReportFormat {
        match self.json {
            true => ReportFormat::Json,
            false => self.format,
        }
    }
}

impl Global {
    /// How a file is divided among threads.
    pub(crate) fn pipeline(&self) -> Pipeline {
        let jobs = self.jobs.or_else(|| available_parallelism().ok());
        let pipeline = Pipeline::new(jobs.unwrap_or(NonZeroUsize::MIN));
        match self.max_memory {
            None => pipeline,
            Some(bytes) => pipeline.memory_bytes(usize::try_from(bytes).unwrap_or(usize::MAX)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a dataset as JSON, or as an RDB or AOF for another release
    #[command(after_long_help = "\
Examples:
  rdbkit convert dump.rdb -o dump.ndjson                  one object per key and line
  rdbkit convert dump.rdb -o old.rdb --target redis-6.2   for a server of another release
  rdbkit convert appendonlydir -o dump.rdb                the dataset that a log leaves
  rdbkit convert dump.rdb -o new/appendonlydir/           a log with manifest, base and incr
  rdbkit convert dump.rdb --to aof | redis-cli --pipe     commands for a live server
  rdbkit convert dump.rdb --to json --pretty -o -         one array, for people
  rdbkit convert dump.rdb.zst --to ndjson --key 'user:*'  some keys
  rdbkit convert dump.rdb --to json --compat rdbtools     the shape of redis-rdb-tools

Damaged input ends with exit code 1 and leaves no output file.")]
    Convert(ConvertArgs),
    /// Write a log anew, as short as its dataset allows
    #[command(
        alias = "compact",
        after_long_help = "\
Examples:
  rdbkit rewrite appendonly.aof -o small.aof              as BGREWRITEAOF, without a server
  rdbkit rewrite appendonlydir -o new/appendonlydir/      a set of parts stays one
  rdbkit rewrite appendonly.aof -o - --preamble no        commands only
  rdbkit rewrite appendonlydir -o old.aof --until ts:1700000000
  rdbkit rewrite --in-place appendonlydir                 the server must be stopped
  rdbkit rewrite a.aof b.aof c/appendonlydir -o small     small/a.aof, small/b.aof, small/appendonlydir

With -o the input stays as it is. Damaged input ends with exit code 1 and leaves no output.
With --in-place the log is replaced in such an order that a server that starts after a crash at
any moment loses nothing. A log that is open in another process is refused (exit code 2), which
leases of Linux tell; where the file system has none, --force-offline says that no server runs.
What leaves data out (--until, filters, --keep-going) needs --allow-loss then."
    )]
    Rewrite(RewriteArgs),
    /// Show what a file holds
    #[command(after_long_help = "\
Examples:
  rdbkit inspect dump.rdb                  tables for people
  rdbkit inspect --json dump.rdb | jq .    the same for programs
  rdbkit inspect --largest 50 dump.rdb     more large keys")]
    Inspect(InspectArgs),
    /// Check files completely
    #[command(after_long_help = "\
Examples:
  rdbkit verify dump.rdb                            every problem, with place and code
  rdbkit verify --format junit /backups > tests.xml   a report for CI
  rdbkit verify --strict --format json *.rdb        warnings count as errors

Exit codes: 0 all sound, 1 an input is damaged, 2 an input could not be read.")]
    Verify(VerifyArgs),
    /// Print the digest of a dataset, equal to the server's DEBUG DIGEST
    #[command(after_long_help = "\
Examples:
  rdbkit digest dump.rdb                        compare with DEBUG DIGEST of the live server
  rdbkit digest --flavor valkey-8.1 dump.rdb    as another release would say it
  rdbkit digest --per-key --key 'user:*' dump.rdb

The first word on stdout is the digest. With --per-key each line before it has a key's DEBUG DIGEST-VALUE,
its database and the key as JSON. A digest covers values and whether keys expire, not when.")]
    Digest(DigestArgs),
    /// Compare the data of two inputs
    #[command(after_long_help = "\
Examples:
  rdbkit diff yesterday.rdb today.rdb            - only in the first, + only in the second, ~ differs
  rdbkit diff dump.rdb appendonlydir             whether a log and a snapshot agree
  rdbkit diff --json a.rdb b.ndjson | jq .       the same for programs

Encodings, idle times, consumers' times and aux fields are not data. Exit codes: 0 equal, 1 different or
damaged, 2 an input could not be read.")]
    Diff(DiffArgs),
    /// Print a shell's completion script
    #[command(after_long_help = "\
Examples:
  rdbkit completions bash > /etc/bash_completion.d/rdbkit
  rdbkit completions zsh > ~/.zfunc/_rdbkit
  rdbkit completions fish > ~/.config/fish/completions/rdbkit.fish")]
    Completions(CompletionsArgs),
    /// Write manual pages into a folder
    #[command(after_long_help = "\
Examples:
  rdbkit man /usr/local/share/man/man1   rdbkit.1 and a page for each command
  man rdbkit-convert                     reads one of them")]
    Man(ManArgs),
}

/// How to understand an input.
#[derive(Args, Clone, Debug)]
pub(crate) struct InputArgs {
    /// What the input is, whatever it looks like
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub(crate) as_kind: Option<Kind>,
    /// Short for --as dump-payload
    #[arg(long, conflicts_with = "as_kind")]
    pub(crate) dump_payload: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Rdb,
    Aof,
    Manifest,
    Json,
    DumpPayload,
}

/// How to replay a log.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Logs")]
pub(crate) struct ReplayArgs {
    /// Stop before a time, a byte or a command: ts:UNIX, offset:N, command:N
    #[arg(long, value_name = "PLACE")]
    pub(crate) until: Option<String>,
    /// Do not run EVAL and EVALSHA of old logs
    #[arg(long)]
    pub(crate) no_scripts: bool,
    /// As which release a log is replayed, and whose digest is printed, as redis-7.2 or
    /// valkey-9.1 [default: the one that wrote the input, else redis-8.6]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) flavor: Option<String>,
}

/// Which keys. Different flags must all match; of a repeated flag one must.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Filters")]
pub(crate) struct FilterArgs {
    /// Keys of this database
    #[arg(long, value_name = "N", action = ArgAction::Append)]
    pub(crate) db: Vec<u32>,
    /// Keys that match, as in KEYS
    #[arg(long, value_name = "GLOB", action = ArgAction::Append)]
    pub(crate) key: Vec<String>,
    /// Keys that match anywhere
    #[arg(long, value_name = "REGEX", action = ArgAction::Append)]
    pub(crate) key_regex: Vec<String>,
    /// Keys that do not match, as in KEYS
    #[arg(long, value_name = "GLOB", action = ArgAction::Append)]
    pub(crate) not_key: Vec<String>,
    /// Values of this type: string, list, set, zset, hash, stream, array, module
    #[arg(long = "type", value_name = "TYPE", action = ArgAction::Append)]
    pub(crate) value_type: Vec<String>,
    /// persistent, volatile, expired, or seconds to live as MIN..MAX
    #[arg(long, value_name = "TTL", action = ArgAction::Append)]
    pub(crate) ttl: Vec<String>,
    /// Encoded bytes of the value as MIN..MAX; K, M and G multiply by 1024
    #[arg(long, value_name = "SIZE", action = ArgAction::Append)]
    pub(crate) size: Vec<String>,
    /// Cluster slots as A or A-B
    #[arg(long, value_name = "SLOTS", action = ArgAction::Append)]
    pub(crate) slot: Vec<String>,
    /// A share of the keys, always the same: 0.01 or 1%
    #[arg(long, value_name = "P")]
    pub(crate) sample: Option<String>,
    /// Leave out what has expired
    #[arg(long)]
    pub(crate) drop_expired: bool,
    /// The time that counts as now, in milliseconds since 1970 [default: the clock's]
    #[arg(long, value_name = "MS")]
    pub(crate) now: Option<i64>,
}

#[derive(Args, Debug)]
pub(crate) struct ConvertArgs {
    /// A file, a folder, or - for stdin
    pub(crate) input: String,
    /// Where to write; its name decides the format [default: stdout]
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<String>,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) to: Option<Format>,
    /// Overwrite OUT
    #[arg(long)]
    pub(crate) force: bool,
    /// Begin with a record of what belongs to no key: aux fields, functions, module data
    #[arg(long)]
    pub(crate) meta: bool,
    /// Leave functions out
    #[arg(long)]
    pub(crate) no_functions: bool,
    /// Indent
    #[arg(long)]
    pub(crate) pretty: bool,
    /// Write the shape of another tool
    #[arg(long, value_enum, value_name = "TOOL", conflicts_with_all = ["meta", "pretty"])]
    pub(crate) compat: Option<Compat>,
    /// Leave out damaged values and go on; the exit code is still 1
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Warnings about a log count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) rdb: RdbArgs,
    #[command(flatten)]
    pub(crate) input_args: InputArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// How to write for a server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Writing for a server")]
pub(crate) struct RdbArgs {
    /// For which release, as redis-7.2 or valkey-9.1 [default: the one that wrote the input]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) target: Option<String>,
    /// The release's usual encodings, or one string for each element
    #[arg(long, value_enum, value_name = "ENCODING", default_value_t = Encoding::Default)]
    pub(crate) encoding: Encoding,
    /// What an array becomes where the release has none: a hash with its indexes as fields
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) array_as: Option<ArrayAs>,
    /// Go on if the release has no place for some of the data
    #[arg(long)]
    pub(crate) allow_loss: bool,
    /// Write what the release has no place for to this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<String>,
    /// Copy values without checking them
    #[arg(long)]
    pub(crate) no_check: bool,
    /// Begin a log with an RDB instead of commands [default: yes for aof-dir and for rewrite
    /// from 5.0 on, else no]
    #[arg(long, value_enum, value_name = "YES|NO")]
    pub(crate) preamble: Option<YesNo>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArrayAs {
    Hash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    Yes,
    No,
}

#[derive(Args, Debug)]
pub(crate) struct RewriteArgs {
    /// Logs, their folders or manifests, or - for stdin
    #[arg(required = true)]
    pub(crate) inputs: Vec<String>,
    /// Where to write: a file, or with a / at its end a folder [its kind: the input's]. Of several
    /// logs the folder in which each result has its input's name
    #[arg(short, long, value_name = "OUT", conflicts_with = "in_place")]
    pub(crate) output: Option<String>,
    /// Replace the log where it lies; no server may have it open
    #[arg(long)]
    pub(crate) in_place: bool,
    /// With --in-place: go on where it cannot be known that no server has the log open
    #[arg(long)]
    pub(crate) force_offline: bool,
    /// Overwrite OUT
    #[arg(long, conflicts_with = "in_place")]
    pub(crate) force: bool,
    /// Leave functions out
    #[arg(long)]
    pub(crate) no_functions: bool,
    /// Leave out what cannot be replayed and go on; the exit code is still 1
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Warnings about the log count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Report what was done on stdout, as JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) rdb: RdbArgs,
    #[command(flatten)]
    pub(crate) input_args: InputArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    Default,
    Universal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Ndjson,
    Rdb,
    Aof,
    AofDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    Librdb,
    Rdbtools,
}

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// Files, folders, or - for stdin
    #[arg(required = true)]
    pub(crate) inputs: Vec<String>,
    /// Write JSON Lines; short for --format json
    #[arg(long)]
    pub(crate) json: bool,
    /// Form of the report
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json", default_value_t = InspectFormat::Text)]
    pub(crate) format: InspectFormat,
    /// How many large keys to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) largest: usize,
    #[command(flatten)]
    pub(crate) input_args: InputArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    Text,
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Files, folders, or - for stdin
    #[arg(required = true)]
    pub(crate) inputs: Vec<String>,
    /// Form of the report
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// Write JSON Lines; short for --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Warnings count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Framing and checksum only
    #[arg(long)]
    pub(crate) shallow: bool,
    /// Accepted for symmetry with convert: verify always goes on
    #[arg(long, hide = true)]
    pub(crate) keep_going: bool,
    /// The time that counts as now for relative times of a log, in milliseconds since 1970
    #[arg(long, value_name = "MS")]
    pub(crate) now: Option<i64>,
    #[command(flatten)]
    pub(crate) input_args: InputArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
    Junit,
}

#[derive(Args, Debug)]
pub(crate) struct DigestArgs {
    /// A file, a folder, or - for stdin
    pub(crate) input: String,
    /// One line per key, too
    #[arg(long)]
    pub(crate) per_key: bool,
    /// Warnings count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) input_args: InputArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// A file, a folder, or - for stdin
    pub(crate) a: String,
    /// What to compare it with
    pub(crate) b: String,
    /// Write JSON Lines; short for --format json
    #[arg(long)]
    pub(crate) json: bool,
    /// Form of the report
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json", default_value_t = InspectFormat::Text)]
    pub(crate) format: InspectFormat,
    /// Do not compare functions
    #[arg(long)]
    pub(crate) no_functions: bool,
    /// Warnings about a log count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) input_args: InputArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// An existing folder
    pub(crate) dir: PathBuf,
}
