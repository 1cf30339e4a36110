//! JSON: our own lossless schema, written and read, and the shapes of two older tools.

pub mod compat;
#[cfg(test)]
mod compat_tests;
mod cursor;
pub mod document;
pub mod escape;
pub mod librdb;
pub mod native;
mod parts;
pub mod pretty;
pub mod rdbtools;
mod read_module;
mod read_stream;
mod read_value;
pub mod reader;

pub use document::Document;

/// Whether bytes are a JSON document that can be spliced into another one.
pub(crate) fn is_document(bytes: &[u8]) -> bool {
    // serde_json does not look into strings that it passes over.
    std::str::from_utf8(bytes)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_document;

    #[test]
    fn document_is_json_of_utf_8() {
        assert!(is_document("{\"é\":[1,\"x\"]}".as_bytes()));
        for bytes in [b"".as_slice(), b"{", b"1 2", b"\"\xff\"", b"{\"\xc3\":1}"] {
            assert!(!is_document(bytes), "{}", bytes.escape_ascii());
        }
    }
}
