//! Reads one log: commands and annotations in order, then how it ends.
//!
//! The input is the log's bytes, after an RDB preamble if the file has one; all
//! offsets are those of the file. A command borrows its arguments from the input,
//! and the list of them from the reader, so nothing is allocated per record.
//!
//! Transactions are followed only to know where the last consistent state lies:
//! MULTI opens one (a second MULTI inside is queued like any command), EXEC ends
//! it, both in any case. Servers read on after an EXEC without MULTI; so do we.

use nom::{Err, Needed};

use super::annotation::{self, Annotation, parse_annotation};
use super::end::{End, EndKind};
use super::resp::{looks_like_record, parse_lenient, parse_record};
use crate::error::{ErrorKind, Fail};

/// What stands in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'r, 'a> {
    /// One record.
    Command {
        /// The command's name and its arguments; never empty.
        args: &'r [&'a [u8]],
        /// Where the record begins in the file.
        offset: u64,
        /// Where it ends.
        end_offset: u64,
    },
    /// One `#` line.
    Annotation {
        /// What it says.
        annotation: Annotation<'a>,
        /// Where the line begins in the file.
        offset: u64,
        /// Where it ends.
        end_offset: u64,
    },
}

/// Reads one log event by event.
///
/// ```
/// use rdbkit::aof::{Event, LogReader};
///
/// let log = b"#TS:1700000000\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
/// let mut reader = LogReader::new(log, 0);
/// let mut commands = 0;
/// while let Some(event) = reader.next_event() {
///     if let Event::Command { args, .. } = event {
///         assert_eq!(args, [b"DEL".as_slice(), b"k"]);
///         commands += 1;
///     }
/// }
/// assert_eq!(commands, 1);
/// assert!(reader.end().is_some_and(|end| end.is_clean()));
/// ```
#[derive(Clone, Debug)]
pub struct LogReader<'a> {
    input: &'a [u8],
    /// File offset of the input's first byte.
    base: u64,
    at: usize,
    args: Vec<&'a [u8]>,
    lines: u64,
    /// Ends of the last command outside a transaction, and of the last of any kind.
    valid: usize,
    complete: usize,
    multi: Option<Multi>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
struct Multi {
    at: usize,
    valid_before: usize,
}

impl<'a> LogReader<'a> {
    /// Reads `input`, which lies at `base_offset` of its file.
    #[must_use]
    pub fn new(input: &'a [u8], base_offset: u64) -> Self {
        LogReader {
            input,
            base: base_offset,
            at: 0,
            args: Vec::new(),
            lines: 0,
            valid: 0,
            complete: 0,
            multi: None,
            end: None,
        }
    }

    /// The next event; `None` once the log has ended, cleanly or not: see [`LogReader::end`].
    #[inline]
    pub fn next_event(&mut self) -> Option<Event<'_, 'a>> {
        let input = self.input;
        let rest = input.get(self.at..)?;
        if self.end.is_some() {
            return None;
        }
        match rest.first() {
            Some(b'#') => self.next_annotation(rest),
            Some(_) => match parse_record(rest, &mut self.args) {
                Ok((after, ())) => Some(self.take_command(input.len() - after.len())),
                Err(err) => {
                    self.fail(err);
                    None
                }
            },
            None => {
                let kind = match self.multi {
                    Some(_) => EndKind::OpenMulti,
                    None => EndKind::Clean,
                };
                self.finish(kind, self.at, None);
                None
            }
        }
    }

    /// The arguments of the record that was read last; the reader makes itself a new list.
    pub(super) fn take_args(&mut self) -> Vec<&'a [u8]> {
        std::mem::take(&mut self.args)
    }

    /// How the log ends, once [`LogReader::next_event`] has returned `None`.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// File offset of the next event.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.file_offset(self.at)
    }

    /// File offset of the end of the last complete command outside an open transaction.
    #[must_use]
    pub fn valid_offset(&self) -> u64 {
        self.file_offset(self.valid_end())
    }

    /// File offset of the MULTI that is open here.
    #[must_use]
    pub fn open_multi(&self) -> Option<u64> {
        self.multi.map(|multi| self.file_offset(multi.at))
    }

    /// Reads the record that ended the log as the servers' loader does, and goes on behind it.
    ///
    /// For verifiers, that report the deviation first. `None`, and nothing changes,
    /// if servers refuse it too.
    pub fn resume_leniently(&mut self) -> Option<Event<'_, 'a>> {
        self.end.as_ref().filter(|end| end.server_accepts)?;
        let rest = self.input.get(self.at..)?;
        let len = parse_lenient(rest, &mut self.args)?;
        self.end = None;
        Some(self.take_command(self.at + len))
    }

    /// Goes on at the plausible record behind the one that ended the log.
    ///
    /// Returns where that is. An open transaction is forgotten, because its rest is.
    pub fn resume_at_resync(&mut self) -> Option<u64> {
        let resync = match self.end.as_ref()?.kind {
            EndKind::Corrupt { resync } => resync,
            EndKind::Cut { resync, .. } => resync?,
            _ => return None,
        };
        self.at = usize::try_from(resync.checked_sub(self.base)?).ok()?;
        self.multi = None;
        self.end = None;
        Some(resync)
    }

    fn file_offset(&self, at: usize) -> u64 {
        self.base.saturating_add(at as u64)
    }

    fn valid_end(&self) -> usize {
        self.multi.map_or(self.valid, |multi| multi.valid_before)
    }

    #[inline]
    fn take_command(&mut self, end: usize) -> Event<'_, 'a> {
        let start = std::mem::replace(&mut self.at, end);
        self.lines += 1 + 2 * self.args.len() as u64;
        if let Some(name) = self.args.first() {
            match name.len() {
                5 if name.eq_ignore_ascii_case(b"MULTI") => {
                    let valid_before = self.complete;
                    self.multi.get_or_insert(Multi {
                        at: start,
                        valid_before,
                    });
                }
                4 if name.eq_ignore_ascii_case(b"EXEC") => self.multi = None,
                _ => {}
            }
        }
        self.complete = end;
        self.valid = end;
        Event::Command {
            args: &self.args,
            offset: self.file_offset(start),
            end_offset: self.file_offset(end),
        }
    }

    #[cold]
    fn next_annotation(&mut self, rest: &'a [u8]) -> Option<Event<'_, 'a>> {
        let (annotation, end) = match parse_annotation(rest) {
            Ok((after, annotation)) => (annotation, self.input.len() - after.len()),
            // The loader's fgets returns the cut line, and then the end: no error.
            Err(Err::Incomplete(_)) => (annotation::annotation(rest), self.input.len()),
            Err(err) => {
                self.fail(err);
                return None;
            }
        };
        let start = std::mem::replace(&mut self.at, end);
        self.lines += 1;
        Some(Event::Annotation {
            annotation,
            offset: self.file_offset(start),
            end_offset: self.file_offset(end),
        })
    }

    #[cold]
    fn fail(&mut self, err: Err<Fail>) {
        let len = self.input.len();
        let fail = match err {
            Err::Incomplete(needed) => {
                let needed = match needed {
                    Needed::Size(size) => size.get() as u64,
                    Needed::Unknown => 1,
                };
                let resync = self.find_resync(self.at + 1);
                self.finish(EndKind::Cut { needed, resync }, len, None);
                return;
            }
            Err::Error(fail) | Err::Failure(fail) => fail.locate(len as u64),
        };
        let offset = fail.offset().unwrap_or(0);
        let at = usize::try_from(offset).map_or(len, |at| at.min(len));
        let nul_from = len - self.input.iter().rev().take_while(|b| **b == 0).count();
        let kind = if nul_from <= at && nul_from < len {
            EndKind::NulPadding {
                len: (len - nul_from) as u64,
            }
        } else {
            match self.find_resync(self.at + 1) {
                Some(resync) => EndKind::Corrupt { resync },
                None => EndKind::GarbageTail,
            }
        };
        self.finish(kind, at, Some(fail.kind().clone()));
    }

    #[cold]
    fn finish(&mut self, kind: EndKind, at: usize, failure: Option<ErrorKind>) {
        let rest = &self.input[self.at..];
        // A record that the loader reads only to trip over the next byte does not count.
        let server_accepts = failure.is_some()
            && parse_lenient(rest, &mut self.args)
                .is_some_and(|end| matches!(rest.get(end), None | Some(b'*' | b'#')));
        self.end = Some(End {
            kind,
            offset: self.file_offset(at),
            record_offset: self.file_offset(self.at),
            line: self.lines + 1,
            valid_offset: self.valid_offset(),
            complete_offset: self.file_offset(self.complete),
            end_offset: self.file_offset(self.input.len()),
            open_multi: self.open_multi(),
            server_accepts,
            failure,
        });
    }

    /// The first offset from `from` on where a record seems to begin.
    fn find_resync(&self, from: usize) -> Option<u64> {
        let rest = self.input.get(from..)?;
        memchr::memchr_iter(b'*', rest)
            .find(|&star| looks_like_record(&rest[star..]))
            .map(|star| self.file_offset(from + star))
    }
}

#[cfg(test)]
mod tests {
    use super::super::resp::encode_record_into;
    use super::*;
    use crate::error::Code;

    const BASE: u64 = 1000;

    fn log(records: &[&[&str]]) -> Vec<u8> {
        let mut out = Vec::new();
        for record in records {
            encode_record_into(record, &mut out);
        }
        out
    }

    /// Commands read, and the end.
    fn read(input: &[u8]) -> (Vec<String>, End) {
        let mut reader = LogReader::new(input, BASE);
        let mut seen = Vec::new();
        while let Some(event) = reader.next_event() {
            seen.push(match event {
                Event::Command { args, .. } => String::from_utf8_lossy(&args.join(&b' ')).into(),
                Event::Annotation { annotation, .. } => format!("{annotation:?}"),
            });
        }
        (seen, reader.end().unwrap().clone())
    }

    #[test]
    fn log_with_annotations_and_transaction_is_clean() {
        let mut bytes = b"#TS:7\r\n".to_vec();
        bytes.extend(log(&[&["SELECT", "0"], &["multi"]]));
        bytes.extend(b"# inside\n");
        bytes.extend(log(&[&["SET", "a", "1"], &["MULTI"], &["eXeC"], &["EXEC"]]));
        bytes.extend(b"#TS:8");
        let (seen, end) = read(&bytes);
        assert_eq!(seen.len(), 9);
        assert_eq!(seen[0], "Timestamp(7)");
        assert_eq!(end.kind, EndKind::Clean);
        assert_eq!(end.offset, BASE + bytes.len() as u64);
        assert_eq!(end.valid_offset, end.offset - 5);
        assert_eq!(end.error().map(|e| e.to_string()), None);
    }

    #[test]
    fn log_cut_at_every_byte_keeps_the_state_before_multi() {
        let first = log(&[&["SET", "a", "1"]]);
        let txn = log(&[
            &["MULTI"],
            &["SET", "b", "2"],
            &["SET", "c", "3"],
            &["EXEC"],
        ]);
        let last = log(&[&["DEL", "a"]]);
        let bytes = [first.clone(), txn.clone(), last].concat();
        let after_txn = first.len() + txn.len();
        for cut in 0..=bytes.len() {
            let (_, end) = read(&bytes[..cut]);
            let valid = match cut {
                cut if cut < first.len() => 0,
                cut if cut < after_txn => first.len(),
                cut if cut < bytes.len() => after_txn,
                _ => bytes.len(),
            };
            assert_eq!(end.valid_offset, BASE + valid as u64, "cut at {cut}");
            let code = end.error().map(|error| error.code());
            match end.kind {
                EndKind::Clean => assert!([0, first.len(), after_txn, bytes.len()].contains(&cut)),
                EndKind::Cut { resync, .. } => {
                    assert_eq!((code, resync), (Some(Code::UnexpectedEof), None));
                }
                EndKind::OpenMulti => {
                    assert_eq!(code, Some(Code::OpenMulti));
                    assert_eq!(end.open_multi, Some(BASE + first.len() as u64));
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
            assert_eq!(end.hint(true).is_none(), end.is_clean());
        }
    }

    #[test]
    fn log_with_every_byte_flipped_never_panics() {
        let mut bytes = b"#TS:7\r\n".to_vec();
        bytes.extend(log(&[
            &["MULTI"],
            &["SET", "b", "2"],
            &["EXEC"],
            &["DEL", "a", "b"],
        ]));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let (seen, end) = read(&flipped);
                assert!(seen.len() <= 5);
                assert!(end.valid_offset <= end.end_offset && end.offset <= end.end_offset);
                let _ = (end.error(), end.hint(true), end.hint(false));
                let mut reader = LogReader::new(&flipped, 0);
                for _ in 0..20 {
                    while reader.next_event().is_some() {}
                    if reader.resume_leniently().is_none() && reader.resume_at_resync().is_none() {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn damage_is_told_apart() {
        let good = log(&[&["SET", "a", "1"]]);
        let (len, next) = (good.len() as u64, log(&[&["DEL", "a"]]));
        let nul = EndKind::NulPadding { len: 64 };
        let corrupt = |at: usize| EndKind::Corrupt {
            resync: BASE + len + at as u64,
        };
        let table: &[(&str, Vec<u8>, EndKind, u64)] = &[
            ("NUL at a record's end", vec![0; 64], nul, 0),
            ("NUL in a record", [&next[..6], &[0; 64]].concat(), nul, 6),
            (
                "NUL in a payload",
                [&b"*1\r\n$9\r\nab"[..], &[0; 64]].concat(),
                nul,
                17,
            ),
            ("text", b"hello".to_vec(), EndKind::GarbageTail, 0),
            (
                "text, then a record",
                [b"hi", &next[..]].concat(),
                corrupt(2),
                0,
            ),
            (
                "blank line, then a record",
                [b"\r\n", &next[..]].concat(),
                corrupt(2),
                0,
            ),
            (
                "broken header, then a record",
                [b"*2\r\n$x\r\n", &next[..]].concat(),
                corrupt(8),
                5,
            ),
        ];
        for (name, tail, kind, at) in table {
            let (seen, end) = read(&[&good[..], tail].concat());
            assert_eq!(seen.len(), 1, "{name}");
            assert_eq!(end.kind, *kind, "{name}");
            assert_eq!(end.valid_offset, BASE + len, "{name}");
            assert_eq!(end.offset, BASE + len + at, "{name}");
            assert_eq!(end.error().unwrap().code(), Code::BadResp, "{name}");
            assert_eq!((end.line, end.server_accepts), (8, false), "{name}");
        }
    }

    #[test]
    fn length_past_the_end_hides_records_and_says_so() {
        let bytes = [b"*1\r\n$999\r\nPING\r\n", &log(&[&["DEL", "a"]])[..]].concat();
        let (_, end) = read(&bytes);
        let resync = Some(BASE + 16);
        assert!(matches!(end.kind, EndKind::Cut { resync: at, .. } if at == resync));
        assert!(end.hint(true).unwrap().contains("damaged length"));
    }

    #[test]
    fn record_that_only_loaders_accept_can_be_read_on() {
        let bytes = [b"*2\n$3\r\nDEL\r\n$1\r\na\r\n", &log(&[&["DEL", "b"]])[..]].concat();
        let mut reader = LogReader::new(&bytes, 0);
        assert_eq!(reader.next_event(), None);
        assert!(reader.end().unwrap().server_accepts);
        let args = [b"DEL".as_slice(), b"a"];
        assert!(
            matches!(reader.resume_leniently(), Some(Event::Command { args: read, .. }) if read == args)
        );
        assert!(reader.next_event().is_some());
        assert!(reader.next_event().is_none() && reader.end().unwrap().is_clean());
    }

    #[test]
    fn resync_over_hostile_stars_stays_linear() {
        let mut bytes = b"x".to_vec();
        bytes.extend(b"*1000000\r\n$1\r\n".repeat(50_000));
        assert_eq!(read(&bytes).1.kind, EndKind::GarbageTail);
    }
}
