//! Append-only files: logs of commands, alone or as a multi-part set.
//!
//! | question | file |
//! |---|---|
//! | how is one record framed? | [`resp`] |
//! | what may a `#` line say? | [`annotation`] |
//! | which events does a log hold, and how does it end? | [`reader`], [`batch`], [`end`] |
//! | what does a manifest say? | [`manifest`] |
//! | which files make the log? | [`layout`] |
//! | which commands, how many, how large? | [`stats`] |
//! | which commands make a key? | [`rewrite`] |
//! | how does a log of commands come into being? | [`command_writer`] |
//! | how does a multi-part set? | [`writer`] |
//! | how is a log replaced by its compact form where it lies? | [`in_place`] |

pub mod annotation;
pub mod batch;
pub mod command_writer;
pub mod end;
pub mod in_place;
pub mod layout;
pub mod manifest;
pub mod reader;
pub mod resp;
pub mod rewrite;
pub mod stats;
pub mod writer;

pub use batch::Batch;
pub use command_writer::AofWriter;
pub use end::{End, EndKind};
pub use in_place::InPlace;
pub use layout::AofSet;
pub use manifest::Manifest;
pub use reader::{Event, LogReader};
pub use rewrite::CommandEncoder;
pub use stats::LogStats;
pub use writer::AofFolder;
