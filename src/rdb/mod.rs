//! RDB snapshots: the frame, its primitives, values and readers.

pub mod constants;
pub mod dialect;
pub mod dump_payload;
pub mod foreign;
pub mod frame;
pub mod header;
pub(crate) mod hnsw;
pub mod length;
pub mod module;
pub mod object;
pub mod reader;
pub mod string;
pub mod target;
pub mod template;
pub mod value_writer;
pub mod vectorset;
pub mod writer;

pub use dialect::{Dialect, Family};
pub use dump_payload::{DumpPayload, PayloadReader};
pub use frame::{Checksum, Item, PlainString, Record};
pub use module::{ModuleId, ModuleItem};
pub use object::encode::RecordEncoder;
pub use object::{Scratch, Value};
pub use reader::{ChecksumMode, Items, RdbReader, ReadItems};
pub use string::RdbString;
pub use target::{Encodings, Target};
pub use value_writer::ValueWriter;
pub use writer::RdbWriter;
