//! Findings and summaries, and how people and programs read them.

pub mod finding;
pub mod inspection;
pub mod junit;
pub mod lines;
pub mod log_inspection;
pub mod table;

pub use finding::{Finding, Level, Tally, Verdict};
