//! Strings: raw, integer or LZF-compressed.
//!
//! ```text
//! length n, n bytes                     raw
//! c0 i8 | c1 i16 LE | c2 i32 LE         the decimal text of the integer
//! c3, length c, length u, c bytes       an LZF block that expands to u bytes
//! ```
//!
//! Every place of the format that holds a string may hold any of these forms,
//! blobs such as listpacks included. Source: `rdb.c rdbGenericLoadStringObject`.

use nom::bytes::streaming::take;
use nom::number::streaming::{i8, le_i16, le_i32};

use super::constants::string_encoding;
use super::length::{Length, encode_length, length, length_or_special};
use crate::bytes::{Text, lzf};
use crate::error::{Code, Fail, Flaw, Parsed};
use crate::num::parse_i64;

/// A string in the form in which the file stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RdbString<'a> {
    /// The bytes themselves, a slice of the input.
    Raw(&'a [u8]),
    /// The decimal text of a number.
    Int(i32),
    /// A compressed block.
    Lzf {
        /// The block, a slice of the input.
        compressed: &'a [u8],
        /// What it must expand to.
        expanded_len: u64,
    },
}

impl<'a> RdbString<'a> {
    /// The content; `scratch` holds it if it had to be expanded.
    ///
    /// # Errors
    /// A block that does not expand to its declared length.
    #[inline]
    pub fn text<'s>(self, scratch: &'s mut Vec<u8>) -> Result<Text<'s>, Flaw>
    where
        'a: 's,
    {
        match self {
            RdbString::Raw(bytes) => Ok(Text::Bytes(bytes)),
            RdbString::Int(n) => Ok(Text::Int(i64::from(n))),
            RdbString::Lzf {
                compressed,
                expanded_len,
            } => {
                expand(compressed, expanded_len, scratch)?;
                Ok(Text::Bytes(scratch))
            }
        }
    }

    /// The content as bytes; `scratch` holds them unless they stand raw in the input.
    ///
    /// # Errors
    /// A block that does not expand to its declared length.
    #[inline]
    pub fn bytes<'s>(self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Flaw>
    where
        'a: 's,
    {
        match self {
            RdbString::Raw(bytes) => Ok(bytes),
            RdbString::Int(n) => {
                scratch.clear();
                scratch.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
                Ok(scratch)
            }
            RdbString::Lzf {
                compressed,
                expanded_len,
            } => {
                expand(compressed, expanded_len, scratch)?;
                Ok(scratch)
            }
        }
    }

    /// Checks that the content could be had; `scratch` may be used for it.
    ///
    /// # Errors
    /// A block that does not expand to its declared length.
    pub(crate) fn check(self, scratch: &mut Vec<u8>) -> Result<(), Flaw> {
        if let RdbString::Lzf {
            compressed,
            expanded_len,
        } = self
            && usize::try_from(expanded_len).is_ok_and(|len| lzf::surely_expands(compressed, len))
        {
            return Ok(());
        }
        self.text(scratch).map(|_| ())
    }

    /// The content, owned.
    ///
    /// # Errors
    /// A block that does not expand to its declared length.
    pub fn to_vec(self) -> Result<Vec<u8>, Flaw> {
        let mut content = Vec::new();
        match self.bytes(&mut content)? {
            bytes if matches!(self, RdbString::Raw(_)) => Ok(bytes.to_vec()),
            _ => Ok(content),
        }
    }

    /// Length of the content, as far as the file tells.
    #[must_use]
    pub fn declared_len(&self) -> u64 {
        match self {
            RdbString::Raw(bytes) => bytes.len() as u64,
            RdbString::Int(n) => itoa::Buffer::new().format(*n).len() as u64,
            RdbString::Lzf { expanded_len, .. } => *expanded_len,
        }
    }

    /// `raw`, `int` or `lzf`.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            RdbString::Raw(_) => "raw",
            RdbString::Int(_) => "int",
            RdbString::Lzf { .. } => "lzf",
        }
    }
}

fn expand(compressed: &[u8], expanded_len: u64, scratch: &mut Vec<u8>) -> Result<(), Flaw> {
    let Ok(expanded_len) = usize::try_from(expanded_len) else {
        return Err(Flaw::new(
            Code::BadLzf,
            0,
            "expanded length",
            "an addressable one",
            expanded_len,
        ));
    };
    lzf::decompress_into(compressed, expanded_len, scratch)
}

/// Takes as many bytes as the file declares, if they are there.
#[inline(never)]
pub(crate) fn take_declared(input: &[u8], declared_len: u64) -> Parsed<'_, &[u8]> {
    match usize::try_from(declared_len) {
        Ok(len) => take(len)(input),
        Err(_) => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadLength,
            "length",
            "an addressable one",
            declared_len,
        ))),
    }
}

/// Parses a string in any form.
#[inline(always)]
pub(crate) fn string(input: &[u8]) -> Parsed<'_, RdbString<'_>> {
    let (rest, length) = length_or_special(input)?;
    string_behind(input, rest, length)
}

/// Parses a string whose length or special code was parsed.
#[inline(always)]
pub(super) fn string_behind<'a>(
    input: &'a [u8],
    rest: &'a [u8],
    length: Length,
) -> Parsed<'a, RdbString<'a>> {
    match length {
        Length::Plain(len) => {
            if let Ok(len) = usize::try_from(len)
                && let Some((bytes, rest)) = rest.split_at_checked(len)
            {
                return Ok((rest, RdbString::Raw(bytes)));
            }
            let (rest, bytes) = take_declared(rest, len)?;
            Ok((rest, RdbString::Raw(bytes)))
        }
        Length::Special(code) => special_string(input, rest, code),
    }
}

#[inline]
fn special_string<'a>(input: &'a [u8], rest: &'a [u8], code: u8) -> Parsed<'a, RdbString<'a>> {
    match code {
        string_encoding::INT8 => i8(rest).map(|(rest, n)| (rest, RdbString::Int(i32::from(n)))),
        string_encoding::INT16 => {
            le_i16(rest).map(|(rest, n)| (rest, RdbString::Int(i32::from(n))))
        }
        string_encoding::INT32 => le_i32(rest).map(|(rest, n)| (rest, RdbString::Int(n))),
        string_encoding::LZF => {
            let (rest, compressed_len) = length(rest)?;
            let (rest, expanded_len) = length(rest)?;
            let (rest, compressed) = take_declared(rest, compressed_len)?;
            Ok((
                rest,
                RdbString::Lzf {
                    compressed,
                    expanded_len,
                },
            ))
        }
        _ => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadString,
            "special code",
            "0xc0 to 0xc3",
            0xc0 | code,
        ))),
    }
}

/// Steps over a string without looking at its content.
#[inline]
pub(crate) fn skip_string(input: &[u8]) -> Parsed<'_, ()> {
    string(input).map(|(rest, _)| (rest, ()))
}

/// Parses a string and expands it into `scratch` where needed.
#[inline]
pub(crate) fn text<'a: 's, 's>(input: &'a [u8], scratch: &'s mut Vec<u8>) -> Parsed<'a, Text<'s>> {
    let (rest, stored) = string(input)?;
    match stored.text(scratch) {
        Ok(text) => Ok((rest, text)),
        Err(flaw) => Err(nom::Err::Failure(flaw.in_string(input))),
    }
}

/// Parses a string that holds a blob and expands it into `scratch` where needed.
#[inline]
pub(crate) fn blob<'a: 's, 's>(input: &'a [u8], scratch: &'s mut Vec<u8>) -> Parsed<'a, &'s [u8]> {
    let (rest, stored) = string(input)?;
    match stored.bytes(scratch) {
        Ok(bytes) => Ok((rest, bytes)),
        Err(flaw) => Err(nom::Err::Failure(flaw.in_string(input))),
    }
}

/// Writes strings in the form that servers give them.
///
/// Canonical 32-bit decimals of at most 11 bytes become integers, in the fewest bytes; what
/// is longer than 20 bytes is compressed if that saves 4 bytes; all else is raw.
#[derive(Debug, Default)]
pub(crate) struct StringEncoder {
    block: Vec<u8>,
}

/// The longest text that servers try to store as an integer.
pub(crate) const LONGEST_INTEGER_BYTES: usize = 11;
/// The longest string that servers do not try to compress.
const LONGEST_RAW_BYTES: usize = 20;
/// What compression must save.
const LEAST_SAVED_BYTES: usize = 4;

impl StringEncoder {
    /// Appends the string of some bytes.
    #[inline]
    pub(crate) fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.len() > LONGEST_RAW_BYTES {
            return self.encode_long(bytes, out);
        }
        if bytes.len() <= LONGEST_INTEGER_BYTES
            && let Some(n) = parse_i64(bytes).and_then(|n| i32::try_from(n).ok())
        {
            return encode_int(n, out);
        }
        encode_raw(bytes, out);
    }

    fn encode_long(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if !lzf::compress_into(bytes, bytes.len() - LEAST_SAVED_BYTES, &mut self.block) {
            return encode_raw(bytes, out);
        }
        encode_lzf(&self.block, bytes.len() as u64, out);
    }

    /// Appends the string of a text.
    #[inline]
    pub(crate) fn encode_text(&mut self, text: Text<'_>, out: &mut Vec<u8>) {
        match text {
            Text::Bytes(bytes) => self.encode(bytes, out),
            Text::Int(n) => match i32::try_from(n) {
                Ok(n) => encode_int(n, out),
                // Longer than 11 bytes with its sign, or not within 32 bits.
                Err(_) => encode_raw(itoa::Buffer::new().format(n).as_bytes(), out),
            },
        }
    }

    /// Gives back what an unusually large string took.
    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        self.block.clear();
        self.block.shrink_to(kept_bytes);
    }
}

/// Appends a string as it is.
pub(crate) fn encode_raw(bytes: &[u8], out: &mut Vec<u8>) {
    encode_length(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn encode_special(code: u8, out: &mut Vec<u8>) {
    out.push(0xc0 | code);
}

fn encode_int(n: i32, out: &mut Vec<u8>) {
    if let Ok(n) = i8::try_from(n) {
        encode_special(string_encoding::INT8, out);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i16::try_from(n) {
        encode_special(string_encoding::INT16, out);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        encode_special(string_encoding::INT32, out);
        out.extend_from_slice(&n.to_le_bytes());
    }
}

fn encode_lzf(compressed: &[u8], expanded_len: u64, out: &mut Vec<u8>) {
    encode_special(string_encoding::LZF, out);
    encode_length(compressed.len() as u64, out);
    encode_length(expanded_len, out);
    out.extend_from_slice(compressed);
}

/// Appends a string in the form in which another file has it.
pub(crate) fn encode_stored(stored: RdbString<'_>, out: &mut Vec<u8>) {
    match stored {
        RdbString::Raw(bytes) => encode_raw(bytes, out),
        RdbString::Int(n) => encode_int(n, out),
        RdbString::Lzf {
            compressed,
            expanded_len,
        } => encode_lzf(compressed, expanded_len, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_take_the_form_that_servers_give_them() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b"\x00"),
            (b"hello", b"\x05hello"),
            (b"-100", b"\xc0\x9c"),
            (b"30000", b"\xc1\x30\x75"),
            (b"-2000000000", b"\xc2\x00\x6c\xca\x88"),
            (b"-2147483648", b"\xc2\x00\x00\x00\x80"),
            (b"2147483648", b"\x0a2147483648"),
            (b"0012", b"\x040012"),
            (b"-0", b"\x02-0"),
        ];
        for (text, expected) in table {
            let mut out = Vec::new();
            StringEncoder::default().encode(text, &mut out);
            assert_eq!(out, *expected, "{}", text.escape_ascii());
        }
        let mut out = Vec::new();
        StringEncoder::default().encode(&b"ab".repeat(60), &mut out);
        assert!(out.len() < 16 && out[0] == 0xc3, "{out:x?}");
    }

    proptest! {
        #[test]
        fn strings_read_back(text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(b'a'..b'd', 0..300),
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            any::<i16>().prop_map(|n| n.to_string().into_bytes()),
        ]) {
            let mut out = Vec::new();
            StringEncoder::default().encode(&text, &mut out);
            let (rest, stored) = string(&out).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(stored.to_vec().unwrap(), text);
            let mut again = Vec::new();
            encode_stored(stored, &mut again);
            prop_assert_eq!(again, out);
        }
    }
}
