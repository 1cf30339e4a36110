//! Function libraries (opcode 245, from Redis 7.0 on): source code whose first line names the
//! engine and the library.
//!
//! ```text
//! #!lua name=mylib
//! redis.register_function(..)
//! ```

use std::collections::BTreeSet;

use crate::error::{Code, Error, ErrorKind, Result, Value};
use crate::limits::LIBRARY_NAME_BYTES;

/// The name in the first line of a library.
///
/// ```
/// use rdbkit::model::function::library_name;
///
/// assert_eq!(library_name(b"#!lua name=mylib\nreturn 1"), Some(&b"mylib"[..]));
/// assert_eq!(library_name(b"return 1"), None);
/// ```
#[must_use]
pub fn library_name(code: &[u8]) -> Option<&[u8]> {
    let line = code.split(|byte| *byte == b'\n').next()?;
    line.strip_prefix(b"#!")?
        .split(|byte| byte.is_ascii_whitespace())
        .find_map(|word| word.strip_prefix(b"name="))
}

/// The name of a library, which servers refuse without.
///
/// # Errors
/// `bad_function`.
pub fn checked_library_name(code: &[u8]) -> Result<&[u8]> {
    library_name(code).ok_or_else(|| {
        Error::new(ErrorKind::Broken {
            code: Code::BadFunction,
            at: None,
            what: "first line of a function library",
            expected: Value::Text("#!engine name=library"),
            found: Value::Text("another"),
        })
    })
}

/// The libraries of one file, of which servers load none if a name stands twice.
#[derive(Debug, Default)]
pub(crate) struct LibraryNames {
    met: BTreeSet<Vec<u8>>,
    bytes: usize,
}

impl LibraryNames {
    /// Takes the name of the next library.
    ///
    /// # Errors
    /// `bad_function`: it was met before. `limit_exceeded`: there are too many to know.
    pub(crate) fn meet(&mut self, name: &[u8]) -> Result<()> {
        /// What the set takes for a name, beside it.
        const ENTRY_BYTES: usize = 64;
        if self.met.contains(name) {
            return Err(Error::new(ErrorKind::Broken {
                code: Code::BadFunction,
                at: None,
                what: "name of a function library",
                expected: Value::Text("once"),
                found: Value::Text("twice"),
            }));
        }
        self.bytes += name.len() + ENTRY_BYTES;
        if self.bytes > LIBRARY_NAME_BYTES {
            return Err(Error::new(ErrorKind::LimitExceeded {
                what: "bytes of the names of function libraries",
                limit: LIBRARY_NAME_BYTES as u64,
            }));
        }
        self.met.insert(name.to_vec());
        Ok(())
    }
}
