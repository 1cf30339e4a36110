//! The library `struct`: bytes of C structures.
//!
//! | letter | bytes |
//! |---|---|
//! | `b` `B`, `h` `H`, `l` `L`, `T` | integer of 1, 2, 8, 8 bytes; capital: unsigned |
//! | `i` `I`, `in` `In` | integer of 4 or n bytes, n up to 32 |
//! | `f` `d` | float of 4 or 8 bytes |
//! | `c` `cn` | 1 or n bytes of a string; `c0`: all of it, or as many as the number before says |
//! | `s` | a string and a zero byte |
//! | `x` | a zero byte |
//! | `<` `>` | little (as it begins), big endian |
//! | `!` `!n` | alignment up to 8, or n; 1 as it begins |
//!
//! Integers go through 64 bits, as C's `long` on the servers.

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use super::call::{Call, as_number, to_integer};
use crate::num::Flavor;

const MAX_INTEGER: usize = 32;
const MAX_ALIGN: usize = 8;

/// Makes the table of functions.
pub(super) fn library(lua: &Lua, release: Flavor) -> mlua::Result<Table> {
    let no_size = if (release.major, release.minor) < (4, 0) {
        "format `c0' needs a previous size"
    } else {
        "format 'c0' needs a previous size"
    };
    let table = lua.create_table()?;
    let pack = lua.create_function(|lua, mut args: MultiValue| {
        // The servers' function puts a nil behind its arguments.
        if !args.is_empty() {
            args.push_back(Value::Nil);
        }
        let packed = pack(&Call::new(lua, args))?;
        lua.create_string(packed)
    })?;
    table.set("pack", pack)?;
    let unpack =
        lua.create_function(move |lua, args: MultiValue| unpack(&Call::new(lua, args), no_size))?;
    table.set("unpack", unpack)?;
    let size = lua.create_function(|lua, args: MultiValue| size(&Call::new(lua, args)))?;
    table.set("size", size)?;
    Ok(table)
}

/// A format on its way, with the options that it has set.
struct Format<'c> {
    call: &'c Call<'c>,
    text: Vec<u8>,
    at: usize,
    is_big: bool,
    align: usize,
}

impl<'c> Format<'c> {
    fn new(call: &'c Call<'c>) -> mlua::Result<Self> {
        let mut text = call.string(1)?.as_bytes().to_vec();
        // C's strings end at a NUL.
        let end = memchr::memchr(0, &text).unwrap_or(text.len());
        text.truncate(end);
        Ok(Format {
            call,
            text,
            at: 0,
            is_big: false,
            align: 1,
        })
    }

    /// The next letter and its size, if it says one.
    fn next(&mut self) -> mlua::Result<Option<(u8, usize)>> {
        let Some(letter) = self.text.get(self.at).copied() else {
            return Ok(None);
        };
        self.at += 1;
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > MAX_INTEGER {
                    return Err(self.call.error(&format!(
                        "integral size {size} is larger than limit of {MAX_INTEGER}"
                    )));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((letter, size)))
    }

    /// Digits, or what no digits mean.
    fn number(&mut self, default: usize) -> mlua::Result<usize> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let mut number = None;
        let mut used = 0;
        for digit in digits {
            let next = number
                .unwrap_or(0i32)
                .checked_mul(10)
                .and_then(|number| number.checked_add(i32::from(digit - b'0')));
            number = Some(next.ok_or_else(|| self.call.error("integral size overflow"))?);
            used += 1;
        }
        self.at += used;
        Ok(number.map_or(default, |number| number as usize))
    }

    /// Bytes that alignment puts before a letter's own.
    fn padding(&self, position: usize, letter: u8, size: usize) -> usize {
        if size == 0 || letter == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        // Sizes that are no power of two go through the same masks.
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    fn option(&mut self, letter: u8) -> mlua::Result<()> {
        match letter {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let align = self.number(MAX_ALIGN)?;
                if !align.is_power_of_two() {
                    let text = format!("alignment {align} is not a power of 2");
                    return Err(self.call.error(&text));
                }
                self.align = align;
            }
            letter => {
                let text = format!("invalid format option '{}'", char::from(letter));
                return Err(self.call.bad_argument(1, &text));
            }
        }
        Ok(())
    }

    fn ordered<const N: usize>(&self, mut little: [u8; N]) -> [u8; N] {
        if self.is_big {
            little.reverse();
        }
        little
    }
}

fn is_integer(letter: u8) -> bool {
    matches!(
        letter,
        b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I'
    )
}

fn pack(call: &Call<'_>) -> mlua::Result<Vec<u8>> {
    let mut format = Format::new(call)?;
    let mut packed = Vec::new();
    let mut arg = 2;
    while let Some((letter, size)) = format.next()? {
        // What `!` and the like say takes no bytes, and aligns nothing.
        let padding = format.padding(packed.len(), letter, size);
        packed.resize(packed.len() + padding, 0);
        match letter {
            letter if is_integer(letter) => {
                let number = call.number(arg)?;
                let value = if number < 0.0 {
                    to_integer(number) as u64
                } else {
                    to_unsigned(number)
                };
                // Bytes beyond 64 bits are zero.
                let mut bytes = [0; MAX_INTEGER];
                for (byte, value) in bytes.iter_mut().zip(value.to_le_bytes()) {
                    *byte = value;
                }
                let bytes = bytes.get_mut(..size).unwrap_or_default();
                if format.is_big {
                    bytes.reverse();
                }
                packed.extend_from_slice(bytes);
                arg += 1;
            }
            b'x' => packed.push(0),
            b'f' => {
                let number = call.number(arg)? as f32;
                packed.extend(format.ordered(number.to_le_bytes()));
                arg += 1;
            }
            b'd' => {
                let number = call.number(arg)?;
                packed.extend(format.ordered(number.to_le_bytes()));
                arg += 1;
            }
            b'c' | b's' => {
                let text = call.string(arg)?;
                let text = text.as_bytes();
                arg += 1;
                let size = if size == 0 { text.len() } else { size };
                let Some(part) = text.get(..size) else {
                    return Err(call.bad_argument(arg, "string too short"));
                };
                packed.extend_from_slice(part);
                if letter == b's' {
                    packed.push(0);
                }
            }
            letter => format.option(letter)?,
        }
    }
    Ok(packed)
}

/// C's conversion to `unsigned long` on x86-64 of a number that is not negative.
fn to_unsigned(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if number < HALF {
        to_integer(number) as u64
    } else {
        // Of 2^64 and more it makes the lower half's least integer, and flips its sign.
        to_integer(number - HALF) as u64 ^ 1 << 63
    }
}

fn unpack(call: &Call<'_>, no_size: &str) -> mlua::Result<Variadic<Value>> {
    let mut format = Format::new(call)?;
    let data = call.string(2)?;
    let data = data.as_bytes();
    let start = match call.given(3) {
        Some(_) => call.integer(3)?,
        None => 1,
    };
    // What is negative is huge as a size, and fails below.
    let mut at = match usize::try_from(start as u64) {
        Ok(0) => return Err(call.bad_argument(3, "offset must be 1 or greater")),
        Ok(start) => start - 1,
        Err(_) => usize::MAX,
    };
    let mut values: Vec<Value> = Vec::new();
    while let Some((letter, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, letter, size));
        let short = || call.bad_argument(2, "data string too short");
        let rest = data.get(at..).ok_or_else(short)?;
        let bytes = rest.get(..size).ok_or_else(short)?;
        if values.len() >= super::MAX_RESULTS {
            return Err(call.error("stack overflow (too many results)"));
        }
        let mut used = size;
        match letter {
            letter if is_integer(letter) => {
                let number = integer(bytes, format.is_big, letter.is_ascii_lowercase());
                values.push(Value::Number(number));
            }
            b'x' => {}
            b'f' => {
                let bytes = bytes.try_into().unwrap_or_default();
                let number = f32::from_le_bytes(format.ordered(bytes));
                values.push(Value::Number(f64::from(number)));
            }
            b'd' => {
                let bytes = bytes.try_into().unwrap_or_default();
                values.push(Value::Number(f64::from_le_bytes(format.ordered(bytes))));
            }
            b'c' => {
                if size == 0 {
                    let before = values.pop().unwrap_or(Value::Nil);
                    let Some(len) = number_before(call, before)? else {
                        return Err(call.error(no_size));
                    };
                    used = usize::try_from(to_unsigned_any(len)).unwrap_or(usize::MAX);
                }
                let bytes = rest.get(..used).ok_or_else(short)?;
                values.push(Value::String(call.lua.create_string(bytes)?));
            }
            b's' => {
                let Some(end) = memchr::memchr(0, rest) else {
                    return Err(call.error("unfinished string in data"));
                };
                let text = rest.get(..end).unwrap_or_default();
                values.push(Value::String(call.lua.create_string(text)?));
                used = end + 1;
            }
            letter => format.option(letter)?,
        }
        at += used;
    }
    values.push(Value::Number((at + 1) as f64));
    Ok(values.into_iter().collect())
}

/// A number, or a string that is one.
fn number_before(call: &Call<'_>, value: Value) -> mlua::Result<Option<f64>> {
    match as_number(&value) {
        Some(number) => Ok(Some(number)),
        None if value.is_nil() => Ok(None),
        None => call.lua.coerce_number(value),
    }
}

fn to_unsigned_any(number: f64) -> u64 {
    if number < 0.0 {
        to_integer(number) as u64
    } else {
        to_unsigned(number)
    }
}

fn integer(bytes: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let shift = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = if is_big {
        bytes.iter().fold(0, shift)
    } else {
        bytes.iter().rev().fold(0, shift)
    };
    if !is_signed {
        return number as f64;
    }
    // As x86-64 shifts: by the lowest six bits of the distance.
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    let number = if number & mask != 0 {
        number | mask
    } else {
        number
    };
    number as i64 as f64
}

fn size(call: &Call<'_>) -> mlua::Result<f64> {
    let mut format = Format::new(call)?;
    let mut position = 0usize;
    while let Some((letter, size)) = format.next()? {
        position += format.padding(position, letter, size);
        match letter {
            b's' => return Err(call.bad_argument(1, "option 's' has no fixed size")),
            b'c' if size == 0 => {
                return Err(call.bad_argument(1, "option 'c0' has no fixed size"));
            }
            letter if letter.is_ascii_alphanumeric() => {}
            letter => format.option(letter)?,
        }
        position += size;
    }
    Ok(position as f64)
}
