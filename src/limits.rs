//! What an input may cost: every bound that is ours and not the format's.
//!
//! No length, count or depth in an input is believed: nothing is allocated, looped over or
//! recursed into for a number that the bytes present do not back. What is left to bound is
//! here. Beyond a bound that ends a job stands the error `limit_exceeded`, which names it.
//!
//! The program's `--max-memory` lowers [`MEMORY_BYTES`], [`IN_FLIGHT_BYTES`] and
//! [`KEYSET_BYTES`] ([`Pipeline::memory_bytes`] in the library), and ends the program
//! when all of it, the dataset of a log included, takes more.
//!
//! Bounds of servers (a string of 512 MB, an integer of 64 bits, the depth of cjson) stand
//! where the format or the command is: they are part of it.
//!
//! [`Pipeline::memory_bytes`]: crate::ops::pipeline::Pipeline::memory_bytes

use std::time::Duration;

/// Memory of a job on a snapshot in bytes, beside its largest value: text in flight, tables
/// and buffers.
pub const MEMORY_BYTES: usize = 64 << 20;

/// Bytes of a file that are being decoded, or wait to be written, before no more is read.
pub const IN_FLIGHT_BYTES: usize = 8 << 20;

/// Bytes of a snapshot that a thread looks at in one go.
pub const BATCH_BYTES: usize = 256 << 10;

/// Memory in bytes of the names of keys that were seen; more go to temporary files.
pub const KEYSET_BYTES: usize = 32 << 20;

/// Bytes of one key's text or commands; more go to a temporary file.
pub const SPOOLED_BYTES: usize = 24 << 20;

/// Bytes of encoded keys that one thread hands to another, unless the last key is larger.
pub const PART_BYTES: u64 = 256 << 10;

/// Memory in bytes that a thread which builds a dataset gets from the system at once.
pub const AHEAD_BYTES: usize = 4 << 20;

/// What a buffer of one value keeps for the next, in bytes.
pub const KEPT_BYTES: usize = 1 << 20;

/// What a buffer of many values keeps for the next, in bytes.
pub const KEPT_BATCH_BYTES: usize = 4 << 20;

/// Bytes of what `verify` says of one input; more go to a temporary file until its turn comes.
pub const FINDINGS_BYTES: usize = 256 << 10;

/// Keys standing twice that are listed; the others are counted.
pub const LISTED_DUPLICATES: usize = 100_000;

/// Databases of a snapshot that are counted each for itself, those of the lowest numbers: `inspect`
/// sums up the others, and an RDB that is written says of them no number of keys.
pub const DATABASES: usize = 1 << 16;

/// Databases of a snapshot that is digested: each has a sum of its own until the end.
pub const DIGESTED_DATABASES: usize = 1 << 19;

/// Things of a kind that are listed by name: aux fields, function libraries, modules. The others
/// are counted.
pub const LISTED: usize = 4096;

/// Bytes of the names and values that `inspect` lists of aux fields and function libraries.
pub const LISTED_BYTES: usize = 1 << 20;

/// Bytes of the names of a file's function libraries, 64 for each name more: no name may stand
/// twice.
pub const LIBRARY_NAME_BYTES: usize = 8 << 20;

/// How deep arrays and objects of JSON nest; the schema itself needs 7. More is `bad_json`.
pub const JSON_DEPTH: usize = 512;

/// Bytes of a manifest. Real ones have 100 for each part, and rarely more than three parts.
pub const MANIFEST_BYTES: u64 = 16 << 20;

/// Bytes of the window of a zstd frame: what `zstd -d` allows without `--long`.
pub const ZSTD_WINDOW_BYTES: u64 = 128 << 20;

/// Distinct names of commands that a log's statistics tell apart, far above what servers and
/// modules have; the rest are "other".
pub const COMMAND_NAMES: usize = 4096;

/// Bytes of such a name: longer than any, those of modules included.
pub const COMMAND_NAME_BYTES: usize = 48;

/// Symbolic links on the way to an output: as many as Linux follows.
pub const OUTPUT_LINKS: usize = 40;

/// Scripts of a log that stay compiled; more are compiled again when they are called again.
pub const COMPILED_SCRIPTS: usize = 1000;

/// How long a script of a log may take.
pub const SCRIPT_TIME: Duration = Duration::from_secs(5);

/// How long after [`SCRIPT_TIME`] its thread is waited for.
pub const SCRIPT_GRACE: Duration = Duration::from_millis(500);

/// Bytes that a script may allocate.
pub const SCRIPT_BYTES: usize = 256 << 20;

/// Bytes of the stack of its thread: room for the recursion of the longest pattern.
pub const SCRIPT_STACK_BYTES: usize = 64 << 20;

/// Bytes of a pattern of `string.find` and its kind.
pub const SCRIPT_PATTERN_BYTES: u64 = 10_000;

/// Tables in tables of what a script returns, beyond which it is not looked at.
pub const SCRIPT_RESULT_DEPTH: u32 = 100;

/// Values of what a script returns, beyond which it is not looked at.
pub const SCRIPT_RESULT_VALUES: usize = 1 << 16;

/// The dimension to which VADD's REDUCE may stretch a shorter vector.
pub const STRETCHED_DIMENSION: u32 = 1 << 16;

/// Cells of a projection that are computed for each vector that REDUCE shortens.
pub const PROJECTION_CELLS: u64 = 1 << 28;
