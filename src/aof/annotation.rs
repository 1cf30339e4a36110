//! Annotations: lines that begin with `#` where a record may begin.
//!
//! ```text
//! annotation = "#TS:" unix-seconds CRLF          ; aof-timestamp-enabled, 7.0 and newer
//!            | "#" ... LF                        ; anything else, skipped
//! ```
//!
//! Loaders skip every `#` line; `redis-check-aof` refuses a `#TS:` line without a
//! number that ends at CR. A line must fit the loader's buffer, or its rest would
//! be read as a record. A `#` line that the end of the file cuts is skipped too.

use nom::{Err, Needed};

use super::resp::{Deviation, MAX_LINE_BYTES};
use crate::error::Parsed;

/// One `#` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Annotation<'a> {
    /// `#TS:`: what follows was written at this Unix second or later.
    Timestamp(i64),
    /// `#TS:` without a number, or not ended by CRLF; the text after `#`.
    BadTimestamp(&'a [u8]),
    /// Any other line: the text after `#`, without its line end.
    Other(&'a [u8]),
}

/// Reads one `#` line; `Incomplete` means that it has no LF yet.
pub(crate) fn parse_annotation(input: &[u8]) -> Parsed<'_, Annotation<'_>> {
    debug_assert_eq!(input.first(), Some(&b'#'));
    let window = &input[..input.len().min(MAX_LINE_BYTES)];
    match memchr::memchr(b'\n', window) {
        Some(lf) => Ok((&input[lf + 1..], annotation(&input[..lf + 1]))),
        None if window.len() < MAX_LINE_BYTES => Err(Err::Incomplete(Needed::new(1))),
        None => Err(Err::Error(
            Deviation::LineTooLong.found(input, "a longer line".into()),
        )),
    }
}

/// What a `#` line says, given with its line end or, cut, without.
pub(crate) fn annotation(line: &[u8]) -> Annotation<'_> {
    let text = line.strip_prefix(b"#").unwrap_or(line);
    let bare = text.strip_suffix(b"\n").unwrap_or(text);
    let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
    if !text.starts_with(b"TS:") {
        return Annotation::Other(bare);
    }
    text.strip_prefix(b"TS:")
        .and_then(|text| text.strip_suffix(b"\r\n"))
        .filter(|digits| !digits.starts_with(b"+"))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .map_or(Annotation::BadTimestamp(bare), Annotation::Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotation_table_reads_as_servers_do() {
        let table: &[(&[u8], Annotation<'_>)] = &[
            (b"#TS:1700000000\r\n", Annotation::Timestamp(1_700_000_000)),
            (b"#TS:-1\r\n", Annotation::Timestamp(-1)),
            (b"#TS:12\n", Annotation::BadTimestamp(b"TS:12")),
            (b"#TS:\r\n", Annotation::BadTimestamp(b"TS:")),
            (b"#TS:1 \r\n", Annotation::BadTimestamp(b"TS:1 ")),
            (
                b"#TS:99999999999999999999\r\n",
                Annotation::BadTimestamp(b"TS:99999999999999999999"),
            ),
            (b"#ts:1\r\n", Annotation::Other(b"ts:1")),
            (b"#\n", Annotation::Other(b"")),
            (b"# hello \r\n", Annotation::Other(b" hello ")),
        ];
        for (line, expected) in table {
            let mut bytes = line.to_vec();
            bytes.extend_from_slice(b"*1");
            assert_eq!(parse_annotation(&bytes), Ok((&b"*1"[..], *expected)));
            for cut in 1..line.len() {
                assert!(matches!(
                    parse_annotation(&line[..cut]),
                    Err(Err::Incomplete(_))
                ));
            }
        }
    }

    #[test]
    fn annotation_longer_than_a_line_buffer_is_refused() {
        let mut line = vec![b'#'; MAX_LINE_BYTES];
        line[MAX_LINE_BYTES - 1] = b'\n';
        assert!(parse_annotation(&line).is_ok());
        line.insert(1, b'#');
        assert!(matches!(parse_annotation(&line), Err(Err::Error(_))));
    }
}
