//! Replication framing: an RDB as a replica receives it.
//!
//! ```text
//! *LF  ["+FULLRESYNC " replid " " offset CR LF]  *LF
//!   "$EOF:" mark[40] CR LF  RDB  mark[40]         diskless
//!   "$" length CR LF  RDB[length]                 from disk
//! ```
//!
//! Lone line feeds keep the connection alive. The RDB has its own end and checksum,
//! so it is read as any other; what has to stand behind it, [`Framing`] knows.
//! Upstream: `replication.c rdbPipeReadHandler`, `readSyncBulkPayload`.

use crate::error::{Code, Error, ErrorKind, Result, Value};

/// Length of the mark.
pub const MARK_BYTES: usize = 40;
/// Two words of 40 and 20 characters, and room.
const MAX_LINE_BYTES: usize = 256;
/// `u64::MAX` has as many.
const MAX_DIGITS: usize = 20;

/// What says where a replicated RDB ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// The mark stands behind it.
    Mark([u8; MARK_BYTES]),
    /// It is that long.
    Length(u64),
}

/// Finds the framing before an RDB, and how many bytes it takes; `None` if there is none.
///
/// `head` is all of the input, or longer than any framing is.
///
/// # Errors
/// It is cut or broken; offsets count from the start of `head`.
pub(super) fn framing(head: &[u8]) -> Result<Option<(Framing, usize)>> {
    let after_feeds = skip_line_feeds(head);
    let at = match after_feeds {
        [b'+', ..] => match full_resync(after_feeds, offset(head, after_feeds))? {
            Some(rest) => skip_line_feeds(rest),
            None => return Ok(None),
        },
        // Nothing but keep-alives: whoever wrote them did not come to the rest.
        [] if !head.is_empty() => return Err(cut(head.len(), 0)),
        _ => after_feeds,
    };
    let greeted = at.len() < after_feeds.len();
    let start = offset(head, at);
    let (framing, rest) = match at {
        [b'$', rest @ ..] => match rest {
            [b'0'..=b'9', ..] => length(rest, start + 1)?,
            _ if begins(rest, b"EOF:") => mark(rest, start + 1)?,
            _ if greeted => return Err(broken(start + 1, "\"EOF:\" or digits")),
            _ => return Ok(None),
        },
        [] if greeted => return Err(cut(head.len(), 1)),
        _ if greeted => return Err(broken(start, "\"$\"")),
        _ => return Ok(None),
    };
    Ok(Some((framing, offset(head, rest))))
}

/// Takes the greeting; `None` if it is another line.
fn full_resync(line: &[u8], start: usize) -> Result<Option<&[u8]>> {
    const WORD: &[u8] = b"+FULLRESYNC ";
    if !begins(line, WORD) {
        return Ok(None);
    }
    let window = &line[..line.len().min(MAX_LINE_BYTES)];
    match memchr::memchr(b'\n', window) {
        Some(end) if window[..end].ends_with(b"\r") => Ok(Some(&line[end + 1..])),
        Some(end) => Err(broken(start + end, "CR LF")),
        None if window.len() == MAX_LINE_BYTES => Err(broken(start, "a line of 256 bytes at most")),
        None => Err(cut(start + line.len(), 1)),
    }
}

fn mark(at: &[u8], start: usize) -> Result<(Framing, &[u8])> {
    const WORD: &[u8] = b"EOF:";
    let (mark, rest) = at
        .get(WORD.len()..)
        .unwrap_or_default()
        .split_first_chunk()
        .ok_or_else(|| cut(start + at.len(), WORD.len() + MARK_BYTES + 2 - at.len()))?;
    if let Some(bad) = mark.iter().position(|b| !b.is_ascii_hexdigit()) {
        return Err(broken(start + WORD.len() + bad, "40 hexadecimal digits"));
    }
    let rest = line_end(rest, start + WORD.len() + MARK_BYTES)?;
    Ok((Framing::Mark(*mark), rest))
}

fn length(at: &[u8], start: usize) -> Result<(Framing, &[u8])> {
    let digits = at.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = at.split_at(digits);
    if digits <= MAX_DIGITS && rest.is_empty() {
        return Err(cut(start + at.len(), 2));
    }
    let number = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| broken(start, "a length of 64 bits"))?;
    let rest = line_end(rest, start + digits)?;
    Ok((Framing::Length(number), rest))
}

fn line_end(at: &[u8], start: usize) -> Result<&[u8]> {
    match at {
        [b'\r', b'\n', rest @ ..] => Ok(rest),
        [] | [b'\r'] => Err(cut(start + at.len(), 2 - at.len())),
        _ => Err(broken(start, "CR LF")),
    }
}

/// Whether one begins with the other, as far as it goes.
fn begins(input: &[u8], word: &[u8]) -> bool {
    input.iter().zip(word).all(|(a, b)| a == b)
}

fn skip_line_feeds(input: &[u8]) -> &[u8] {
    let feeds = input.iter().take_while(|b| **b == b'\n').count();
    &input[feeds..]
}

fn offset(whole: &[u8], rest: &[u8]) -> usize {
    whole.len() - rest.len()
}

#[cold]
fn cut(at: usize, needed: usize) -> Error {
    let needed = needed as u64;
    Error::new(ErrorKind::UnexpectedEof { needed }).at_offset(at as u64)
}

#[cold]
fn broken(at: usize, expected: &'static str) -> Error {
    bad_length("framing of a replicated RDB", expected, Value::None).at_offset(at as u64)
}

#[cold]
pub(super) fn bad_length(
    what: &'static str,
    expected: impl Into<Value>,
    found: impl Into<Value>,
) -> Error {
    Error::new(ErrorKind::Broken {
        code: Code::BadLength,
        at: None,
        what,
        expected: expected.into(),
        found: found.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &[u8; 40] = b"23ec390f203a5d88ed7688d1d2c3a285dd47c486";

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn greeting() -> Vec<u8> {
        framed(&[b"\n\n+FULLRESYNC ", MARK, b" 1234\r\n\n"])
    }

    #[test]
    fn framings_are_found_with_and_without_greeting() {
        let by_mark = framed(&[b"$EOF:", MARK, b"\r\n"]);
        for (framing_bytes, expected) in [
            (&by_mark[..], Framing::Mark(*MARK)),
            (b"$177\r\n", Framing::Length(177)),
            (b"$0\r\n", Framing::Length(0)),
            (b"$18446744073709551615\r\n", Framing::Length(u64::MAX)),
        ] {
            for before in [&b""[..], b"\n", &greeting()] {
                let head = framed(&[before, framing_bytes]);
                let input = framed(&[&head, b"REDIS0011"]);
                assert_eq!(framing(&input).unwrap(), Some((expected, head.len())));
                // Nothing that is cut passes for something else.
                for len in 1..head.len() {
                    let error = framing(&head[..len]).unwrap_err();
                    assert_eq!(error.code(), Code::UnexpectedEof, "{len}");
                    assert_eq!(error.offset(), Some(len as u64));
                }
            }
        }
    }

    #[test]
    fn framing_that_is_broken_says_where() {
        let long = [b'7'; 30];
        for (input, at) in [
            (framed(&[b"$EOF:x"]), None),
            (framed(&[b"$EOF:x", MARK, b"\r\n"]), Some(5)),
            (framed(&[b"$EOF:", MARK, b"\n"]), Some(45)),
            (framed(&[b"$EOF:", MARK, b"R"]), Some(45)),
            (b"$12x\r\n".to_vec(), Some(3)),
            (b"$18446744073709551616\r\n".to_vec(), Some(1)),
            (framed(&[b"$", &long]), Some(1)),
            (b"+FULLRESYNC a 1\n$1\r\n".to_vec(), Some(15)),
            (framed(&[b"+FULLRESYNC ", &[b'a'; 300]]), Some(0)),
            (framed(&[&greeting(), b"REDIS0011"]), Some(62)),
            (framed(&[&greeting(), b"$x"]), Some(63)),
        ] {
            let error = framing(&input).unwrap_err();
            match at {
                Some(at) => assert_eq!(
                    (error.code(), error.offset()),
                    (Code::BadLength, Some(at)),
                    "{}",
                    input.escape_ascii()
                ),
                None => assert_eq!(error.code(), Code::UnexpectedEof),
            }
        }
    }

    #[test]
    fn what_is_no_framing_is_left_alone() {
        for input in [
            &b""[..],
            b"REDIS0011",
            b"*1\r\n",
            b"\n{}",
            b"+OK\r\n",
            b"$HOME/x",
            b"$EOL",
        ] {
            assert_eq!(framing(input).unwrap(), None, "{}", input.escape_ascii());
        }
    }
}
