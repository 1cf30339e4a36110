//! Layer 0: bytes, and nothing of what they mean to a server.

pub(crate) mod ahead;
pub(crate) mod cleanup;
pub mod crc16;
pub mod crc64;
pub mod disk;
pub mod double;
pub mod file_id;
pub mod lease;
pub mod lzf;
pub mod map;
mod mapped;
pub(crate) mod prefetch;
pub mod sink;
pub mod source;
pub(crate) mod spool;
pub mod temporary;
pub mod text;

pub use text::Text;
