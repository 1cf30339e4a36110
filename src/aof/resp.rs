//! RESP framing: one command of the log.
//!
//! ```text
//! record = "*" argc CRLF argc*( "$" len CRLF len*OCTET CRLF )
//! ```
//!
//! Numbers are decimal without sign or leading zeros; `argc` is at least 1.
//! That is what every server writes, and all that is accepted here.
//!
//! The servers' loader (`aof.c loadSingleAppendOnlyFile`) is laxer: it reads
//! header lines up to LF, takes numbers by `atoi` and `strtol`, and skips the two
//! bytes after a payload unseen. Such records are [`Deviation`]s here, each with
//! its own message, because no server wrote them; [`parse_lenient`] reads them as
//! the loader would, so that a verifier can go on behind them. Inline commands,
//! blank lines and NUL bytes between records are refused by both.
//!
//! There are two parsers. [`nom_record`] is the definition. [`fast_record`] reads
//! the common shape eight bytes at a time and gives up on anything else; a
//! property test holds the two together.

use nom::bytes::streaming::take;
use nom::{Err, Needed, Parser};

use crate::bytes::Text;
use crate::error::{Code, ErrorKind, Fail, Parsed, Value};
use crate::num::up_to_eight_digits;

/// The fewest bytes an argument takes: `$0`, CRLF, CRLF.
pub const MIN_ARG_BYTES: usize = 6;

/// The largest argument count: servers read it into an `int`.
const MAX_ARGC: u64 = i32::MAX as u64;
/// The largest length: servers read it into a `long`.
const MAX_LEN: u64 = i64::MAX as u64;
/// The longest header line a loader of 7.0 or newer reads: a buffer of 1024 with its NUL.
pub(crate) const MAX_LINE_BYTES: usize = 1023;

macro_rules! deviations {
    ($($(#[$doc:meta])* $variant:ident = $what:literal, $expected:literal;)*) => {
        /// A rule of the strict form that a record breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Deviation { $($(#[$doc])* $variant,)* }

        impl Deviation {
            /// Every deviation, in the order of the table.
            pub const ALL: &'static [Deviation] = &[$(Deviation::$variant,)*];

            /// The rule, as a noun phrase.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self { $(Deviation::$variant => $what,)* }
            }

            fn expected(self) -> &'static str {
                match self { $(Deviation::$variant => $expected,)* }
            }
        }
    };
}

deviations! {
    /// A record begins with neither `*` nor `#`.
    RecordStart = "first byte of a record", "'*' or '#'";
    /// No digit after `*`.
    ArgcNotNumber = "argument count", "decimal digits";
    /// A sign, blank or zero before the digits.
    ArgcNotCanonical = "form of the argument count", "no sign, blank or leading zero";
    /// `*0` or a negative count.
    ArgcNotPositive = "value of the argument count", "at least 1";
    /// More than an `int` holds.
    ArgcTooBig = "size of the argument count", "at most 2147483647";
    /// The count's line ends with LF alone.
    ArgcLfOnly = "line end of the argument count", "CRLF";
    /// Text between the count and its line end.
    ArgcTrailing = "byte after the argument count", "CRLF";
    /// An argument does not begin with `$`.
    BulkStart = "first byte of an argument", "'$'";
    /// No digit after `$`.
    LenNotNumber = "argument length", "decimal digits";
    /// A sign, blank or zero before the digits.
    LenNotCanonical = "form of the argument length", "no sign, blank or leading zero";
    /// A negative length.
    LenNegative = "value of the argument length", "at least 0";
    /// More than a `long` holds.
    LenTooBig = "size of the argument length", "at most 9223372036854775807";
    /// The length's line ends with LF alone.
    LenLfOnly = "line end of the argument length", "CRLF";
    /// Text between the length and its line end.
    LenTrailing = "byte after the argument length", "CRLF";
    /// The payload is not followed by CR.
    PayloadCr = "first byte after an argument", "CR";
    /// The payload is followed by CR, but not by CRLF.
    PayloadLf = "second byte after an argument", "LF";
    /// A `#` line that no server's line buffer holds.
    LineTooLong = "length of an annotation line", "at most 1023 bytes with its LF";
}

impl Deviation {
    /// The failure at the start of `at`, showing the byte there.
    #[cold]
    pub(crate) fn at(self, at: &[u8]) -> Fail {
        let found = at.first().map_or(Value::None, |&byte| Value::Byte(byte));
        self.found(at, found)
    }

    #[cold]
    pub(crate) fn found(self, at: &[u8], found: Value) -> Fail {
        Fail::broken(at, Code::BadResp, self.what(), self.expected(), found)
    }

    /// The deviation that a failure of this module's parsers stands for.
    #[must_use]
    pub fn of(kind: &ErrorKind) -> Option<Deviation> {
        match kind {
            ErrorKind::Broken {
                code: Code::BadResp,
                what,
                ..
            } => Deviation::ALL
                .iter()
                .copied()
                .find(|deviation| deviation.what() == *what),
            _ => None,
        }
    }
}

/// Frames one record; `args` then holds its arguments, command name first.
///
/// The buffer is the caller's so that no record allocates; what it holds after a
/// failure means nothing. It grows with the arguments that are there, never by the
/// declared count. `Incomplete` says that the input ends inside the record.
#[inline]
pub(crate) fn parse_record<'a>(input: &'a [u8], args: &mut Vec<&'a [u8]>) -> Parsed<'a, ()> {
    match fast_record(input, args) {
        Some(end) => Ok((&input[end..], ())),
        None => nom_record(input, args),
    }
}

/// The usual shape: short canonical headers, CRLF where it belongs, some bytes to spare.
///
/// Returns where the record ends, or `None` for whatever [`nom_record`] must judge.
#[inline]
fn fast_record<'a>(input: &'a [u8], args: &mut Vec<&'a [u8]>) -> Option<usize> {
    args.clear();
    let (argc, mut rest) = fast_header(input, b'*')?;
    if argc == 0 {
        return None;
    }
    for _ in 0..argc {
        let (len, body) = fast_header(rest, b'$')?;
        let (payload, after) = body.split_at_checked(len)?;
        rest = after.strip_prefix(b"\r\n")?;
        args.push(payload);
    }
    Some(input.len() - rest.len())
}

/// A header of one to five digits, looked at as one word of eight bytes.
///
/// One and two digits, those of names, keys and numbers, are each settled by a masked
/// compare. Beyond, the place of CR and the number are computed without a branch: widths
/// vary from record to record.
#[inline(always)]
fn fast_header(input: &[u8], prefix: u8) -> Option<(usize, &[u8])> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    const ZEROS: u64 = b'0' as u64 * ONES;
    let word = u64::from_le_bytes(*input.first_chunk()?);
    let lead = (word >> 8) as u8;
    if word & 0xffff_00ff == (u64::from(prefix) | 0x0a0d_0000) {
        let number = usize::from(lead.wrapping_sub(b'0'));
        return (number <= 9).then(|| (number, &input[4..]));
    }
    if word & 0x00ff_ff00_00ff == (u64::from(prefix) | 0x000a_0d00_0000) {
        let (tens, ones) = (lead.wrapping_sub(b'1'), (word >> 16) as u8);
        let ones = ones.wrapping_sub(b'0');
        let number = 10 + 10 * usize::from(tens) + usize::from(ones);
        return (tens <= 8 && ones <= 9).then(|| (number, &input[5..]));
    }
    // No leading zero where more digits follow.
    if word as u8 != prefix || lead == b'0' {
        return None;
    }
    let text = word >> 8;
    let other = text ^ (u64::from(b'\r') * ONES);
    let width = (other.wrapping_sub(ONES) & !other & HIGH).trailing_zeros() / 8;
    if !(3..=5).contains(&width) || (text >> (8 * width)) & 0xffff != 0x0a0d {
        return None;
    }
    // The digits moved to the end, behind zeros.
    let shift = 64 - 8 * width;
    let digits = (text ^ ZEROS) << shift;
    if (digits.wrapping_add(0x76 * ONES) | digits) & HIGH != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let number = (fours * 10_000 + (fours >> 32)) & 0xffff_ffff;
    Some((number as usize, input.get(width as usize + 3..)?))
}

/// The grammar of a record, for every input.
#[cold]
#[inline(never)]
pub(crate) fn nom_record<'a>(input: &'a [u8], args: &mut Vec<&'a [u8]>) -> Parsed<'a, ()> {
    args.clear();
    let (mut rest, argc) = header(&ARGC).parse(input)?;
    for _ in 0..argc {
        let (after, payload) = bulk(rest)?;
        args.push(payload);
        rest = after;
    }
    Ok((rest, ()))
}

fn bulk(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = header(&LEN).parse(input)?;
    // Lengths that do not fit the address space cannot be backed by bytes that do.
    let Ok(len) = usize::try_from(len) else {
        return Err(Err::Incomplete(Needed::Unknown));
    };
    let (rest, payload) = take(len).parse(rest)?;
    let (rest, _) = byte(b'\r', Deviation::PayloadCr).parse(rest)?;
    let (rest, _) = byte(b'\n', Deviation::PayloadLf).parse(rest)?;
    Ok((rest, payload))
}

/// What differs between the two header lines.
struct Header {
    prefix: u8,
    minimum: u64,
    maximum: u64,
    start: Deviation,
    not_number: Deviation,
    not_canonical: Deviation,
    too_small: Deviation,
    too_big: Deviation,
    lf_only: Deviation,
    trailing: Deviation,
}

static ARGC: Header = Header {
    prefix: b'*',
    minimum: 1,
    maximum: MAX_ARGC,
    start: Deviation::RecordStart,
    not_number: Deviation::ArgcNotNumber,
    not_canonical: Deviation::ArgcNotCanonical,
    too_small: Deviation::ArgcNotPositive,
    too_big: Deviation::ArgcTooBig,
    lf_only: Deviation::ArgcLfOnly,
    trailing: Deviation::ArgcTrailing,
};

static LEN: Header = Header {
    prefix: b'$',
    minimum: 0,
    maximum: MAX_LEN,
    start: Deviation::BulkStart,
    not_number: Deviation::LenNotNumber,
    not_canonical: Deviation::LenNotCanonical,
    too_small: Deviation::LenNegative,
    too_big: Deviation::LenTooBig,
    lf_only: Deviation::LenLfOnly,
    trailing: Deviation::LenTrailing,
};

fn header<'a>(rules: &'static Header) -> impl Parser<&'a [u8], Output = u64, Error = Fail> {
    move |input: &'a [u8]| {
        let (digits_at, _) = byte(rules.prefix, rules.start).parse(input)?;
        let (rest, number) = number(digits_at, rules)?;
        match rest {
            [b'\r', b'\n', rest @ ..] => Ok((rest, number)),
            [] | [b'\r'] => Err(Err::Incomplete(Needed::new(2 - rest.len()))),
            [b'\n', ..] => Err(Err::Error(rules.lf_only.at(rest))),
            _ => Err(Err::Error(rules.trailing.at(rest))),
        }
    }
}

fn number<'a>(input: &'a [u8], rules: &Header) -> Parsed<'a, u64> {
    let digits = input.iter().take_while(|b| b.is_ascii_digit()).count();
    // Twenty digits are too many for any bound, however many follow.
    let value = input[..digits.min(20)].iter().try_fold(0u64, |n, digit| {
        n.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    match (input, value) {
        ([], _) => Err(Err::Incomplete(Needed::new(1))),
        ([b'-', ..], _) => Err(Err::Error(rules.too_small.at(input))),
        ([b'0', b'0'..=b'9', ..] | [b'+' | b' ' | b'\t', ..], _) => {
            Err(Err::Error(rules.not_canonical.at(input)))
        }
        _ if digits == 0 => Err(Err::Error(rules.not_number.at(input))),
        (_, Some(n)) if n < rules.minimum => {
            Err(Err::Error(rules.too_small.found(input, n.into())))
        }
        (_, Some(n)) if n <= rules.maximum && digits < 20 => Ok((&input[digits..], n)),
        (_, n) => {
            let found = n.map_or(Value::Text("more digits than a number has"), Value::from);
            Err(Err::Error(rules.too_big.found(input, found)))
        }
    }
}

fn byte<'a>(
    expected: u8,
    otherwise: Deviation,
) -> impl Parser<&'a [u8], Output = u8, Error = Fail> {
    move |input: &'a [u8]| match input {
        [first, rest @ ..] if *first == expected => Ok((rest, expected)),
        [] => Err(Err::Incomplete(Needed::new(1))),
        _ => Err(Err::Error(otherwise.at(input))),
    }
}

/// Reads a record as the servers' loader does; returns where it ends, `None` if that refuses it.
pub(crate) fn parse_lenient<'a>(input: &'a [u8], args: &mut Vec<&'a [u8]>) -> Option<usize> {
    args.clear();
    let (argc, mut at) = lenient_header(input, b'*')?;
    let argc = i32::try_from(argc).ok().filter(|argc| *argc >= 1)?;
    for _ in 0..argc {
        let (len, line) = lenient_header(&input[at..], b'$')?;
        let start = at + line;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        args.push(input.get(start..end)?);
        at = end.checked_add(2).filter(|at| *at <= input.len())?;
    }
    Some(at)
}

/// A line as `fgets` cuts it and its number as `strtol` reads it.
fn lenient_header(input: &[u8], prefix: u8) -> Option<(i64, usize)> {
    let window = &input[..input.len().min(MAX_LINE_BYTES)];
    let line = match memchr::memchr(b'\n', window) {
        Some(lf) => lf + 1,
        None => window.len(),
    };
    let text = window[..line].strip_prefix(&[prefix])?.trim_ascii_start();
    let (negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        [b'+', text @ ..] => (false, text),
        _ => (false, text),
    };
    let magnitude = text
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0i64, |n, digit| {
            n.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        });
    Some((if negative { -magnitude } else { magnitude }, line))
}

/// Whether a record could begin here: its header, and as many arguments as a glance allows.
///
/// Looks at a bounded number of arguments, so that asking it at every byte of a
/// hostile file stays linear.
pub(crate) fn looks_like_record(input: &[u8]) -> bool {
    const GLANCE_ARGS: u64 = 4;
    let Ok((mut rest, argc)) = header(&ARGC).parse(input) else {
        return false;
    };
    for _ in 0..argc.min(GLANCE_ARGS) {
        match bulk(rest) {
            Ok((after, _)) => rest = after,
            Err(_) => return false,
        }
    }
    argc <= GLANCE_ARGS || matches!(rest, [b'$', ..])
}

/// Appends one record in the form that servers write.
pub fn encode_record_into<A: AsRef<[u8]>>(args: &[A], out: &mut Vec<u8>) {
    encode_argc_into(args.len(), out);
    for arg in args {
        encode_arg_into(arg.as_ref(), out);
    }
}

/// Appends what a record of so many arguments begins with.
pub(crate) fn encode_argc_into(argc: usize, out: &mut Vec<u8>) {
    encode_header_into(b'*', argc, out);
}

/// Appends one argument of a record.
#[inline]
pub(crate) fn encode_arg_into(arg: &[u8], out: &mut Vec<u8>) {
    encode_header_into(b'$', arg.len(), out);
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

/// Appends a text as one argument of a record.
#[inline]
pub(crate) fn encode_text_into(text: Text<'_>, out: &mut Vec<u8>) {
    match text {
        Text::Bytes(bytes) => encode_arg_into(bytes, out),
        Text::Int(n) => encode_int_into(n, out),
    }
}

/// Appends the decimal text of a number as one argument of a record.
fn encode_int_into(n: i64, out: &mut Vec<u8>) {
    let Some((digits, len)) = u32::try_from(n).ok().and_then(up_to_eight_digits) else {
        encode_arg_into(itoa::Buffer::new().format(n).as_bytes(), out);
        return;
    };
    let header = u32::from_le_bytes([b'$', b'0' + len as u8, b'\r', b'\n']);
    let line_end = u16::from_le_bytes(*b"\r\n");
    // Sixteen bytes at once and a step back, as for headers.
    let line =
        u128::from(header) | u128::from(digits) << 32 | u128::from(line_end) << (32 + 8 * len);
    let end = out.len() + 4 + len + 2;
    out.extend_from_slice(&line.to_le_bytes());
    out.truncate(end);
}

/// Digits and the end of the line for n of up to three digits, behind room for the prefix; in
/// the last byte how many bytes these are.
static SHORT_HEADERS: [u64; 1000] = {
    let mut headers = [0; 1000];
    let mut n = 0;
    while n < headers.len() {
        let mut header = [0; 8];
        let digits = match n {
            0..10 => 1,
            10..100 => 2,
            _ => 3,
        };
        let (mut at, mut left) = (digits, n);
        while at > 0 {
            header[at] = b'0' + (left % 10) as u8;
            left /= 10;
            at -= 1;
        }
        header[digits + 1] = b'\r';
        header[digits + 2] = b'\n';
        header[7] = digits as u8 + 3;
        headers[n] = u64::from_le_bytes(header);
        n += 1;
    }
    headers
};

/// Appends a header line.
#[inline(always)]
fn encode_header_into(prefix: u8, n: usize, out: &mut Vec<u8>) {
    match SHORT_HEADERS.get(n) {
        // Eight bytes at once and a step back: there are several headers to each element of a
        // value, and lengths that are not known beforehand are copied by a call.
        Some(header) => {
            let end = out.len() + (header >> 56) as usize;
            out.extend_from_slice(&(header | u64::from(prefix)).to_le_bytes());
            out.truncate(end);
        }
        None => encode_long_header_into(prefix, n, out),
    }
}

#[cold]
#[inline(never)]
fn encode_long_header_into(prefix: u8, n: usize, out: &mut Vec<u8>) {
    out.push(prefix);
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(args: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_record_into(args, &mut out);
        out
    }

    #[test]
    fn number_is_written_as_its_text() {
        let powers = (0..19).map(|exponent| 10_i64.pow(exponent));
        let around = powers.flat_map(|power| [power - 1, power, power + 1]);
        for n in around.flat_map(|n| [n, -n]).chain([i64::MIN, i64::MAX]) {
            let mut written = Vec::new();
            encode_text_into(Text::Int(n), &mut written);
            let mut expected = Vec::new();
            encode_arg_into(n.to_string().as_bytes(), &mut expected);
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn record_of_every_header_width_reads_back() {
        for len in [
            0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 99_999, 100_000, 1_000_000,
        ] {
            let payload = vec![b'x'; len];
            let mut bytes = record(&[b"SET", b"k", &payload]);
            let end = bytes.len();
            bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
            let mut args = Vec::new();
            let (rest, ()) = parse_record(&bytes, &mut args).unwrap();
            assert_eq!(rest.len(), bytes.len() - end);
            assert_eq!(args, [b"SET".as_slice(), b"k", &payload]);
            assert_eq!(fast_record(&bytes, &mut args).is_some(), len < 100_000);
        }
    }

    #[test]
    fn record_cut_anywhere_is_incomplete() {
        let bytes = record(&[b"SET", b"key", b"0123456789abcdef", b""]);
        for cut in 0..bytes.len() {
            let result = parse_record(&bytes[..cut], &mut Vec::new());
            assert!(
                matches!(result, Err(Err::Incomplete(_))),
                "cut at {cut}: {result:?}"
            );
        }
    }

    /// Bytes, the rule they break, where, and whether a server's loader takes them.
    const DEVIATIONS: &[(&[u8], Deviation, usize, bool)] = &[
        (b"PING\r\n", Deviation::RecordStart, 0, false),
        (b"\r\n*1\r\n", Deviation::RecordStart, 0, false),
        (b"\0", Deviation::RecordStart, 0, false),
        (b"*x\r\n$1\r\na\r\n", Deviation::ArgcNotNumber, 1, false),
        (b"*\r\n$1\r\na\r\n", Deviation::ArgcNotNumber, 1, false),
        (b"*01\r\n$1\r\na\r\n", Deviation::ArgcNotCanonical, 1, true),
        (b"* 1\r\n$1\r\na\r\n", Deviation::ArgcNotCanonical, 1, true),
        (b"*+1\r\n$1\r\na\r\n", Deviation::ArgcNotCanonical, 1, true),
        (b"*0\r\n", Deviation::ArgcNotPositive, 1, false),
        (b"*-1\r\n", Deviation::ArgcNotPositive, 1, false),
        (b"*2147483648\r\n", Deviation::ArgcTooBig, 1, false),
        (
            b"*99999999999999999999999\r\n",
            Deviation::ArgcTooBig,
            1,
            false,
        ),
        (b"*1\n$1\r\na\r\n", Deviation::ArgcLfOnly, 2, true),
        (b"*1 \r\n$1\r\na\r\n", Deviation::ArgcTrailing, 2, true),
        (b"*1\ra\n$1\r\na\r\n", Deviation::ArgcTrailing, 2, true),
        (b"*1\r\n#1\r\na\r\n", Deviation::BulkStart, 4, false),
        (b"*1\r\n$\r\n\r\n", Deviation::LenNotNumber, 5, true),
        (b"*1\r\n$01\r\na\r\n", Deviation::LenNotCanonical, 5, true),
        (b"*1\r\n$-1\r\n", Deviation::LenNegative, 5, false),
        (
            b"*1\r\n$9223372036854775808\r\na\r\n",
            Deviation::LenTooBig,
            5,
            false,
        ),
        (b"*1\r\n$1\na\r\n", Deviation::LenLfOnly, 6, true),
        (b"*1\r\n$1x\r\na\r\n", Deviation::LenTrailing, 6, true),
        (b"*1\r\n$1\r\naxx", Deviation::PayloadCr, 9, true),
        (b"*1\r\n$1\r\na\rx", Deviation::PayloadLf, 10, true),
    ];

    #[test]
    fn record_that_deviates_is_refused_with_its_own_message() {
        for (bytes, deviation, at, loads) in DEVIATIONS {
            let Err(Err::Error(fail)) = parse_record(bytes, &mut Vec::new()) else {
                panic!("{} was not refused", bytes.escape_ascii());
            };
            assert_eq!(
                Deviation::of(fail.kind()),
                Some(*deviation),
                "{}",
                bytes.escape_ascii()
            );
            let error = fail.locate(bytes.len() as u64);
            assert_eq!(error.code(), Code::BadResp);
            assert_eq!(error.offset(), Some(*at as u64), "{}", bytes.escape_ascii());
            let lenient = parse_lenient(bytes, &mut Vec::new());
            assert_eq!(lenient.is_some(), *loads, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn declared_count_never_sizes_an_allocation() {
        let mut args = Vec::new();
        let result = parse_record(b"*2000000000\r\n$1\r\na\r\n$1", &mut args);
        assert!(matches!(result, Err(Err::Incomplete(_))));
        assert!(args.capacity() < 64);
    }

    /// Bytes that look like records, so that random input gets past the first byte.
    fn almost_records() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"*".to_vec()),
            Just(b"$".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"*1\r\n".to_vec()),
            Just(b"*2\r\n".to_vec()),
            Just(b"$3\r\nabc\r\n".to_vec()),
            Just(b"$10\r\n0123456789\r\n".to_vec()),
            "[0-9]{1,7}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn fast_path_agrees_with_the_grammar(bytes in almost_records()) {
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            let expected = nom_record(&bytes, &mut slow);
            if let Some(end) = fast_record(&bytes, &mut fast) {
                prop_assert_eq!(expected, Ok((&bytes[end..], ())));
                prop_assert_eq!(&fast, &slow);
            }
        }

        #[test]
        fn strict_record_reads_the_same_leniently(bytes in almost_records()) {
            let (mut strict, mut lenient) = (Vec::new(), Vec::new());
            if let Ok((rest, ())) = nom_record(&bytes, &mut strict) {
                prop_assert_eq!(parse_lenient(&bytes, &mut lenient), Some(bytes.len() - rest.len()));
                prop_assert_eq!(strict, lenient);
            }
        }

        #[test]
        fn encoded_record_reads_back(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20)) {
            let mut bytes = Vec::new();
            encode_record_into(&args, &mut bytes);
            let mut read = Vec::new();
            prop_assert_eq!(parse_record(&bytes, &mut read), Ok((&[][..], ())));
            prop_assert_eq!(read, args.iter().map(Vec::as_slice).collect::<Vec<_>>());
            bytes.extend_from_slice(&[b'*'; 8]);
            prop_assert!(fast_record(&bytes, &mut Vec::new()).is_some());
        }
    }
}
