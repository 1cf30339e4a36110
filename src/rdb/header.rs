//! The nine bytes at the head: `REDIS` and four digits, or `VALKEY` and three.
//!
//! Servers parse the digits with `atoi`; here they must be digits. What is no RDB
//! at all is named where it is recognised, so that a person who mixed up files
//! reads which one it is.

use nom::bytes::streaming::take;

use super::dialect::Dialect;
use super::foreign::looks_like;
use crate::error::{ErrorKind, Fail, Parsed};

/// Length of the magic word and version.
pub const HEADER_BYTES: usize = 9;

/// Parses the magic and tells the dialect.
pub(crate) fn header(input: &[u8]) -> Parsed<'_, Dialect> {
    let bad_magic = || {
        let found = input[..input.len().min(HEADER_BYTES)].to_vec();
        nom::Err::Failure(Fail::new(
            input,
            ErrorKind::BadMagic {
                looks_like: looks_like(input),
                found,
            },
        ))
    };
    let could_be = |word: &[u8]| input.iter().zip(word).all(|(a, b)| a == b);
    if !could_be(b"REDIS") && !could_be(b"VALKEY") {
        return Err(bad_magic());
    }
    let (rest, magic) = take(HEADER_BYTES)(input)?;
    let (dialect, newest) = match (magic.strip_prefix(b"REDIS"), magic.strip_prefix(b"VALKEY")) {
        (Some(digits), _) => (
            Dialect::redis(number(digits).ok_or_else(bad_magic)?),
            1..=Dialect::NEWEST_REDIS,
        ),
        (_, Some(digits)) => {
            let version = number(digits).ok_or_else(bad_magic)?;
            (
                Dialect::valkey(version),
                Dialect::FIRST_VALKEY..=Dialect::NEWEST_VALKEY,
            )
        }
        _ => return Err(bad_magic()),
    };
    match newest.contains(&dialect.version) {
        true => Ok((rest, dialect)),
        false => {
            let kind = ErrorKind::UnsupportedVersion {
                magic: dialect.magic(),
                version: dialect.version,
            };
            Err(nom::Err::Failure(Fail::new(input, kind)))
        }
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn code(input: &[u8]) -> Option<Code> {
        match header(input) {
            Err(nom::Err::Failure(fail)) => Some(fail.kind().code()),
            _ => None,
        }
    }

    #[test]
    fn header_tells_the_dialect() {
        assert_eq!(header(b"REDIS0011x"), Ok((&b"x"[..], Dialect::redis(11))));
        assert_eq!(header(b"VALKEY080"), Ok((&b""[..], Dialect::valkey(80))));
    }

    #[test]
    fn header_refuses_what_it_does_not_know() {
        for (input, expected) in [
            (&b"REDIS0000"[..], Code::UnsupportedVersion),
            (b"REDIS0016", Code::UnsupportedVersion),
            (b"REDIS0080", Code::UnsupportedVersion),
            (b"VALKEY011", Code::UnsupportedVersion),
            (b"VALKEY081", Code::UnsupportedVersion),
            (b"REDIS   9", Code::BadMagic),
            (b"REDIS00-9", Code::BadMagic),
            (b"*2\r\n$6\r\nS", Code::BadMagic),
            (b"hello", Code::BadMagic),
        ] {
            assert_eq!(code(input), Some(expected), "{}", input.escape_ascii());
        }
        assert!(matches!(header(b"REDI"), Err(nom::Err::Incomplete(_))));
    }
}
