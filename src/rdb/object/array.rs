//! Arrays: sparse vectors of strings (type 28, Redis 8.8).
//!
//! ```text
//! length n (>= 1), length flag, [flag 1: length insert_index]
//! n × (length index, length tag, payload)
//!      tag 0 string | 1 i64 LE | 2 f64 LE | 3 string of at most 7 bytes
//! ```
//!
//! Holes are absent. Servers write indexes ascending and let a repeated index
//! overwrite; here a repeated or descending index is an error, since something
//! would be lost. A number's text is its decimal form; a double's is the shortest
//! that reads back equal, with `.0` added where it would look like an integer.

use nom::number::streaming::{le_f64, le_i64};

use super::{RawValue, Scratch};
use crate::bytes::Text;
use crate::error::{Code, Fail, Parsed, Result};
use crate::rdb::constants::array_tag;
use crate::rdb::length::{count, length};
use crate::rdb::string::{skip_string, text};

/// An array value.
#[derive(Clone, Debug)]
pub struct Array<'a>(pub(crate) RawValue<'a>);

/// An element of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArrayElement<'a> {
    /// Text or an integer.
    Text(Text<'a>),
    /// A double, stored in binary because its text comes back from it.
    Float(f64),
}

struct Header {
    elements: u64,
    insert_index: Option<u64>,
}

fn header(input: &[u8]) -> Parsed<'_, Header> {
    let (rest, elements) = count(input)?;
    if elements == 0 {
        return Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadArray,
            "elements",
            "at least 1",
            elements,
        )));
    }
    let (after, flag) = length(rest)?;
    let (rest, insert_index) = match flag {
        0 => (after, None),
        1 => count(after).map(|(rest, index)| (rest, Some(index)))?,
        _ => {
            return Err(nom::Err::Failure(Fail::broken(
                rest,
                Code::BadArray,
                "cursor flag",
                "0 or 1",
                flag,
            )));
        }
    };
    Ok((
        rest,
        Header {
            elements,
            insert_index,
        },
    ))
}

pub(super) fn skip(input: &[u8]) -> Parsed<'_, ()> {
    let (mut rest, header) = header(input)?;
    for _ in 0..header.elements {
        (rest, _) = count(rest)?;
        let (payload, tag) = length(rest)?;
        rest = match tag {
            array_tag::STRING | array_tag::SMALL_STRING => skip_string(payload)?.0,
            array_tag::INT => le_i64(payload)?.0,
            array_tag::FLOAT => le_f64(payload)?.0,
            _ => {
                return Err(nom::Err::Failure(Fail::broken(
                    rest,
                    Code::BadArray,
                    "tag of an element",
                    "0 to 3",
                    tag,
                )));
            }
        };
    }
    Ok((rest, ()))
}

impl Array<'_> {
    /// Where ARINSERT wrote last, if it did.
    ///
    /// # Errors
    /// A broken header.
    pub fn insert_index(&self) -> Result<Option<u64>> {
        header(self.0.bytes)
            .map(|(_, header)| header.insert_index)
            .map_err(|failure| self.0.locate(failure))
    }

    /// Calls `f` with each index and element, ascending.
    ///
    /// # Errors
    /// An element that breaks a rule; elements before it were passed on.
    pub fn for_each(
        &self,
        scratch: &mut Scratch,
        f: impl FnMut(u64, ArrayElement<'_>),
    ) -> Result<()> {
        self.walk(scratch, f)
            .map_err(|failure| self.0.locate(failure))
    }

    fn walk(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(u64, ArrayElement<'_>),
    ) -> Result<(), nom::Err<Fail>> {
        const SMALL_STRING_MAX_BYTES: usize = 7;
        let (mut rest, header) = header(self.0.bytes)?;
        let mut lowest = 0;
        for _ in 0..header.elements {
            let (after, index) = count(rest)?;
            if index < lowest {
                return Err(nom::Err::Failure(Fail::broken(
                    rest,
                    Code::BadArray,
                    "index of an element",
                    "one above the last",
                    index,
                )));
            }
            lowest = index + 1;
            let (payload, tag) = length(after)?;
            rest = match tag {
                array_tag::INT => le_i64(payload).map(|(rest, n)| {
                    f(index, ArrayElement::Text(Text::Int(n)));
                    rest
                })?,
                array_tag::FLOAT => le_f64(payload).map(|(rest, x)| {
                    f(index, ArrayElement::Float(x));
                    rest
                })?,
                _ => {
                    let (rest, element) = text(payload, &mut scratch.first)?;
                    if tag == array_tag::SMALL_STRING && element.len() > SMALL_STRING_MAX_BYTES {
                        return Err(nom::Err::Failure(Fail::broken(
                            payload,
                            Code::BadArray,
                            "small string",
                            "at most 7 bytes",
                            element.len(),
                        )));
                    }
                    f(index, ArrayElement::Text(element));
                    rest
                }
            };
        }
        Ok(())
    }
}

/// The text of a double in an array: shortest, and never to be mistaken for an integer.
pub fn float_text(x: f64, out: &mut Vec<u8>) {
    let start = out.len();
    match crate::bytes::double::integral(x) {
        Some(n) => out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
        None => crate::bytes::double::shortest(x, out),
    }
    let looks_integral = !out[start..]
        .iter()
        .any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    if x.is_finite() && looks_integral {
        out.extend_from_slice(b".0");
    }
}
