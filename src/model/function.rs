//! Function libraries (opcode 245, from Redis 7.0 on): source code whose first line names the
//! engine and the library.
//!
//! ```text
//! #!lua name=mylib
//! redis.register_function(..)
//! ```

use crate::error::{Code, Error, ErrorKind, Result, Value};

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
