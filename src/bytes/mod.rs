//! Layer 0: bytes, and nothing of what they mean to a server.

pub mod crc64;
pub mod lzf;
pub mod text;

pub use text::Text;
