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
use super::length::{Length, length, length_or_special};
use crate::bytes::{Text, lzf};
use crate::error::{Code, Fail, Flaw, Parsed};

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
    match length_or_special(input)? {
        (rest, Length::Plain(len)) => {
            if let Ok(len) = usize::try_from(len)
                && let Some((bytes, rest)) = rest.split_at_checked(len)
            {
                return Ok((rest, RdbString::Raw(bytes)));
            }
            let (rest, bytes) = take_declared(rest, len)?;
            Ok((rest, RdbString::Raw(bytes)))
        }
        (rest, Length::Special(code)) => special_string(input, rest, code),
    }
}

#[inline(never)]
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
