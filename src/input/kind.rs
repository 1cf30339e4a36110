//! What an input is, told by its first bytes.
//!
//! ```text
//! REDIS… VALKEY…             RDB; a log may follow it (hybrid AOF)
//! *                          AOF
//! #TS:…                      AOF that begins with an annotation
//! #… lines, then file …      manifest of a multi-part AOF; so are comments alone
//! #… lines, then *           AOF
//! blanks, then { or [        JSON
//! ```
//!
//! A name tells nothing, and a DUMP payload cannot be told at all: it begins with a
//! type byte. What is cut within the magic counts as what it would have become.

use crate::error::{Code, ErrorKind, Value};
use crate::rdb::foreign::looks_like;
use crate::rdb::header::HEADER_BYTES;

/// What an input can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An RDB file, perhaps with a log behind it.
    Rdb,
    /// A log of commands.
    Aof,
    /// The manifest of a multi-part AOF.
    Manifest,
    /// JSON or NDJSON.
    Json,
    /// What `DUMP` returns.
    DumpPayload,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [
        Kind::Rdb,
        Kind::Aof,
        Kind::Manifest,
        Kind::Json,
        Kind::DumpPayload,
    ];

    /// The word that `--as` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rdb => "rdb",
            Kind::Aof => "aof",
            Kind::Manifest => "manifest",
            Kind::Json => "json",
            Kind::DumpPayload => "dump-payload",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Tells what an input is; `head` is all of it or long enough to be sure.
///
/// # Errors
/// Nothing is there, or nothing that is known.
pub(super) fn tell(head: &[u8]) -> Result<Kind, ErrorKind> {
    let begins = |word: &[u8]| head.iter().zip(word).all(|(a, b)| a == b);
    let told = match head {
        [] => return Err(ErrorKind::UnexpectedEof { needed: 0 }),
        _ if begins(b"REDIS") || begins(b"VALKEY") => Some(Kind::Rdb),
        [b'*', ..] => Some(Kind::Aof),
        [b'#', ..] => tell_commented(head),
        _ if names_a_file(head) => Some(Kind::Manifest),
        _ => match head.trim_ascii_start() {
            [b'{' | b'[', ..] => Some(Kind::Json),
            _ => None,
        },
    };
    told.ok_or_else(|| bad_magic(head))
}

fn bad_magic(head: &[u8]) -> ErrorKind {
    ErrorKind::BadMagic {
        found: head[..head.len().min(HEADER_BYTES)].to_vec(),
        looks_like: looks_like(head),
    }
}

/// What is wrong with the first byte of an input of a kind that was named, so that no other has
/// to be read; a DUMP payload may begin with any.
pub(super) fn wrong_beginning(kind: Kind, head: &[u8]) -> Option<ErrorKind> {
    let is_rdb = |byte: u8| matches!(byte, b'R' | b'V');
    let first = *head.first()?;
    match kind {
        Kind::Rdb => (!is_rdb(first)).then(|| bad_magic(head)),
        Kind::Aof => match first {
            b'*' | b'#' => None,
            _ if is_rdb(first) => None,
            _ => Some(ErrorKind::Broken {
                code: Code::BadResp,
                at: None,
                what: "first byte of a log",
                expected: Value::Text("'*', '#' or an RDB"),
                found: Value::Byte(first),
            }),
        },
        Kind::Json => match head.trim_ascii_start().first() {
            None | Some(b'{' | b'[') => None,
            Some(_) if first.is_ascii_whitespace() => None,
            Some(_) => Some(ErrorKind::BadJson {
                line: 1,
                column: 1,
                expected: "a record: an object",
                found: format!("`{}`", first.escape_ascii()).into(),
            }),
        },
        Kind::Manifest | Kind::DumpPayload => None,
    }
}

fn tell_commented(head: &[u8]) -> Option<Kind> {
    if b"#TS:".iter().zip(head).all(|(a, b)| a == b) {
        return Some(Kind::Aof);
    }
    let first = head
        .split_inclusive(|b| *b == b'\n')
        .find(|line| !line.starts_with(b"#"));
    match first {
        None => Some(Kind::Manifest),
        Some([b'*', ..]) => Some(Kind::Aof),
        Some(line) => names_a_file(line).then_some(Kind::Manifest),
    }
}

/// Whether a line begins with the key `file`, as servers' own manifests do.
fn names_a_file(line: &[u8]) -> bool {
    match line.split_at_checked(4) {
        Some((key, [b' ' | b'\t', ..])) => key.eq_ignore_ascii_case(b"file"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Fault};

    #[test]
    fn first_byte_may_rule_a_kind_out() {
        for (kind, head, is_wrong) in [
            (Kind::Rdb, &b"REDIS0011"[..], false),
            (Kind::Rdb, b"*1", true),
            (Kind::Aof, b"", false),
            (Kind::Aof, b"*1", false),
            (Kind::Aof, b"#TS:1", false),
            (Kind::Aof, b"VALKEY080", false),
            (Kind::Aof, b"\0\0", true),
            (Kind::Json, b" \n{", false),
            (Kind::Json, b"[", false),
            (Kind::Json, b"\0", true),
            (Kind::DumpPayload, b"\0", false),
        ] {
            assert_eq!(
                wrong_beginning(kind, head).is_some(),
                is_wrong,
                "{kind:?} {head:?}"
            );
        }
    }

    #[test]
    fn kinds_are_told_by_content() {
        for (head, expected) in [
            (&b"REDIS0011\xfa"[..], Kind::Rdb),
            (b"VALKEY080\xfa", Kind::Rdb),
            (b"R", Kind::Rdb),
            (b"VALK", Kind::Rdb),
            (b"*2\r\n$6\r\nSELECT", Kind::Aof),
            (b"*", Kind::Aof),
            (b"#TS:1700000000\r\n*1\r\n", Kind::Aof),
            (b"#T", Kind::Aof),
            (b"# note\n*1\r\n", Kind::Aof),
            (b"file a.1.base.rdb seq 1 type b\n", Kind::Manifest),
            (b"# note\n#\nFILE\ta seq 1 type b\n", Kind::Manifest),
            (b"# nothing yet\n", Kind::Manifest),
            (b"{\"rdbkit\":1}", Kind::Json),
            (b" \r\n\t[", Kind::Json),
        ] {
            assert_eq!(tell(head), Ok(expected), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (head, code, fault, named) in [
            (
                &b""[..],
                Code::UnexpectedEof,
                Fault::Input,
                "unexpected end",
            ),
            (
                b"VCS\x01\x02",
                Code::BadMagic,
                Fault::Unsupported,
                "VCS envelope",
            ),
            (
                b"Salted__\x01",
                Code::BadMagic,
                Fault::Unsupported,
                "openssl",
            ),
            (
                b"age-encryption.org/v1\n",
                Code::BadMagic,
                Fault::Unsupported,
                "age",
            ),
            (
                b"files are here\n",
                Code::BadMagic,
                Fault::Unsupported,
                "text",
            ),
            (
                b"#!/bin/sh\nls\n",
                Code::BadMagic,
                Fault::Unsupported,
                "text",
            ),
            (b"-ERR no\r\n", Code::BadMagic, Fault::Unsupported, "text"),
            (b"\x00\x03bar\x0b\x00", Code::BadMagic, Fault::Input, "x00"),
            (
                b"REDIX0011\xfa\x00",
                Code::BadMagic,
                Fault::Input,
                "REDIX0011",
            ),
        ] {
            let error = tell(head).unwrap_err();
            assert_eq!((error.code(), error.fault()), (code, fault), "{error}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn names_are_those_of_the_kinds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("RDB"), None);
    }
}
