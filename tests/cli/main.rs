//! The program from outside: arguments, exit codes, stdout, stderr, files.

mod aof_output;
mod bad_output;
mod diff;
mod exit_codes;
mod filters;
mod help;
mod hostile;
mod in_place;
mod inputs;
mod memory;
mod outputs;
mod rdb_output;
mod reports;
mod rewrite_several;
mod rights;
mod scripts;
#[path = "../util/mod.rs"]
mod util;

use util::program;
