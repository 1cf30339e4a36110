//! Faults: writes and reads that fail at any point, files that change while they are read,
//! interruption, kills, and odd things in the place of files.
//!
//! | file | what fails |
//! |---|---|
//! | `changes.rs` | a file that is cut, grows or is overwritten while the program reads it |
//! | `disks.rs` | a disk that is full, a file that may not grow, no room for temporary files |
//! | `inputs.rs` | nothing; but what is there is no file, or leads elsewhere |
//! | `kills.rs` | SIGKILL of `rewrite --in-place`, and several at once |
//! | `reads.rs` | a stream of the library, at any byte |
//! | `signals.rs` | SIGINT, SIGTERM, SIGHUP at any moment |
//! | `sinks.rs` | a sink of the library, at any byte, in any way |

mod changes;
mod disks;
mod inputs;
mod kills;
mod process;
mod reads;
mod signals;
mod sinks;
#[path = "../util/mod.rs"]
mod util;

use util::program;
