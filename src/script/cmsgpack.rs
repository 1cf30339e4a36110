//! The library `cmsgpack` 0.4.0: MessagePack as the servers pack and unpack it.
//!
//! | value | packed as |
//! |---|---|
//! | number without fraction, in 64 bits | the shortest integer, unsigned from 0 on |
//! | other number | 32 bits if that is exact, else 64 |
//! | string | fixstr, str 8, 16, 32 |
//! | table with the keys 1 to n alone | array |
//! | other table | map, in the order of `next` |
//! | table in 16 others, function, userdata | nil |

use mlua::{Lua, LuaString, MultiValue, Table, Value, Variadic};

use super::call::{Call, as_number, to_integer};

const MAX_NESTING: u32 = 16;
/// Nesting at which Lua's stack is full when unpacking.
const MAX_STACK_DEPTH: u32 = 3_990;

/// Makes the table of functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let pack = lua.create_function(|lua, args: MultiValue| {
        let call = Call::new(lua, args);
        if call.len() == 0 {
            return Err(call.bad_argument(0, "MessagePack pack needs input."));
        }
        let mut packed = Vec::new();
        for at in 1..=call.len() {
            pack(&mut packed, call.get(at).unwrap_or(&Value::Nil), 0)?;
        }
        lua.create_string(packed)
    })?;
    table.set("pack", pack)?;
    let unpack_all = lua.create_function(|lua, args: MultiValue| {
        let call = Call::new(lua, args);
        let packed = call.string(1)?;
        unpack(&call, &packed, 0, 0)
    })?;
    table.set("unpack", unpack_all)?;
    let unpack_one = lua.create_function(|lua, args: MultiValue| {
        let call = Call::new(lua, args);
        let offset = optional(&call, 2)?;
        let packed = call.string(1)?;
        unpack(&call, &packed, 1, offset)
    })?;
    table.set("unpack_one", unpack_one)?;
    let unpack_limit = lua.create_function(|lua, args: MultiValue| {
        let call = Call::new(lua, args);
        let limit = call.integer(2)?;
        let offset = optional(&call, 3)?;
        let packed = call.string(1)?;
        unpack(&call, &packed, limit, offset)
    })?;
    table.set("unpack_limit", unpack_limit)?;
    table.set("_NAME", "cmsgpack")?;
    table.set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn optional(call: &Call<'_>, at: usize) -> mlua::Result<i64> {
    match call.given(at) {
        Some(_) => call.integer(at),
        None => Ok(0),
    }
}

/// A number that is an integer of 64 bits.
fn whole(number: f64) -> Option<i64> {
    let integer = to_integer(number);
    (number.is_finite() && integer as f64 == number).then_some(integer)
}

fn pack(packed: &mut Vec<u8>, value: &Value, level: u32) -> mlua::Result<()> {
    match value {
        Value::String(text) => pack_string(packed, &text.as_bytes()),
        Value::Boolean(yes) => packed.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Table(table) if level < MAX_NESTING => return pack_table(packed, table, level),
        value => match as_number(value) {
            Some(number) => pack_number(packed, number),
            None => packed.push(0xc0),
        },
    }
    Ok(())
}

fn pack_number(packed: &mut Vec<u8>, number: f64) {
    if let Some(integer) = whole(number) {
        return pack_integer(packed, integer);
    }
    let single = number as f32;
    if f64::from(single) == number {
        packed.push(0xca);
        packed.extend(single.to_be_bytes());
    } else {
        packed.push(0xcb);
        packed.extend(number.to_be_bytes());
    }
}

fn pack_integer(packed: &mut Vec<u8>, n: i64) {
    match n {
        -32..=0x7f => packed.push(n as u8),
        0x80..=0xff => packed.extend([0xcc, n as u8]),
        0x100..=0xffff => {
            packed.push(0xcd);
            packed.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            packed.push(0xce);
            packed.extend((n as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            packed.push(0xcf);
            packed.extend(n.to_be_bytes());
        }
        -0x80..-32 => packed.extend([0xd0, n as u8]),
        -0x8000..-0x80 => {
            packed.push(0xd1);
            packed.extend((n as i16).to_be_bytes());
        }
        -0x8000_0000..-0x8000 => {
            packed.push(0xd2);
            packed.extend((n as i32).to_be_bytes());
        }
        _ => {
            packed.push(0xd3);
            packed.extend(n.to_be_bytes());
        }
    }
}

fn pack_string(packed: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..32 => packed.push(0xa0 | len as u8),
        len @ 32..=0xff => packed.extend([0xd9, len as u8]),
        len => pack_len(packed, len, 0xda, 0xdb),
    }
    packed.extend_from_slice(text);
}

/// A length in 16 or 32 bits after the byte that says which.
fn pack_len(packed: &mut Vec<u8>, len: usize, short: u8, long: u8) {
    if len <= 0xffff {
        packed.push(short);
        packed.extend((len as u16).to_be_bytes());
    } else {
        packed.push(long);
        packed.extend((len as u32).to_be_bytes());
    }
}

fn pack_table(packed: &mut Vec<u8>, table: &Table, level: u32) -> mlua::Result<()> {
    let (mut count, mut greatest, mut is_array) = (0usize, 0.0f64, true);
    for pair in table.pairs() {
        let (key, _): (Value, Value) = pair?;
        count += 1;
        let index = as_number(&key).filter(|n| *n > 0.0 && f64::from(*n as i32) == *n);
        match index {
            Some(index) => greatest = greatest.max(index),
            None => is_array = false,
        }
    }
    if is_array && greatest == count as f64 {
        match count {
            0..16 => packed.push(0x90 | count as u8),
            _ => pack_len(packed, count, 0xdc, 0xdd),
        }
        for at in 1..=count {
            pack(packed, &table.raw_get(at)?, level + 1)?;
        }
        return Ok(());
    }
    match count {
        0..16 => packed.push(0x80 | count as u8),
        _ => pack_len(packed, count, 0xde, 0xdf),
    }
    for pair in table.pairs() {
        let (key, value): (Value, Value) = pair?;
        pack(packed, &key, level + 1)?;
        pack(packed, &value, level + 1)?;
    }
    Ok(())
}

/// Why packed bytes are none.
enum Bad {
    Missing,
    Format,
    Depth,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Bad {
    fn from(error: mlua::Error) -> Self {
        Bad::Lua(error)
    }
}

fn unpack(
    call: &Call<'_>,
    packed: &LuaString,
    limit: i64,
    offset: i64,
) -> mlua::Result<Variadic<Value>> {
    let bytes = packed.as_bytes();
    let len = bytes.len();
    if limit < 0 || offset < 0 {
        return Err(call.error(&format!(
            "Invalid request to unpack with offset of {} and limit of {}.",
            offset as i32, len as i32
        )));
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let Some(mut rest) = bytes.get(start..) else {
        return Err(call.error(&format!(
            "Start offset {} greater than input length {len}.",
            offset as i32
        )));
    };
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let mut values = Vec::new();
    let mut count = 0;
    while !rest.is_empty() && count < limit {
        match unpack_value(call.lua, &mut rest, 0) {
            Ok(value) => values.push(value),
            Err(Bad::Missing) => return Err(call.error("Missing bytes in input.")),
            Err(Bad::Format) => return Err(call.error("Bad data format in input.")),
            Err(Bad::Depth) => {
                return Err(call.error(
                    "stack overflow (too many return values at once; use unpack_one or \
                     unpack_limit instead.)",
                ));
            }
            Err(Bad::Lua(error)) => return Err(error),
        }
        count += 1;
    }
    if !all {
        let next = match rest.len() {
            0 => -1,
            left => (len - left) as i64,
        };
        values.insert(0, Value::Number(next as f64));
    }
    Ok(values.into_iter().collect())
}

fn take<'b>(rest: &mut &'b [u8], len: usize) -> Result<&'b [u8], Bad> {
    let (taken, left) = rest.split_at_checked(len).ok_or(Bad::Missing)?;
    *rest = left;
    Ok(taken)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Bad> {
    let (taken, left) = rest.split_first_chunk().ok_or(Bad::Missing)?;
    *rest = left;
    Ok(*taken)
}

fn number(number: f64) -> Value {
    Value::Number(number)
}

fn unpack_value(lua: &Lua, rest: &mut &[u8], depth: u32) -> Result<Value, Bad> {
    if depth > MAX_STACK_DEPTH {
        return Err(Bad::Depth);
    }
    let depth = depth + 1;
    let [first] = take_array(rest)?;
    let string = |rest: &mut &[u8], len: usize| {
        let text = take(rest, len)?;
        Ok::<_, Bad>(Value::String(lua.create_string(text)?))
    };
    Ok(match first {
        0x00..=0x7f => number(f64::from(first)),
        0x80..=0x8f => unpack_map(lua, rest, usize::from(first & 0xf), depth)?,
        0x90..=0x9f => unpack_array(lua, rest, usize::from(first & 0xf), depth)?,
        0xa0..=0xbf => string(rest, usize::from(first & 0x1f))?,
        0xc0 => Value::Nil,
        0xc2 => Value::Boolean(false),
        0xc3 => Value::Boolean(true),
        0xca => number(f64::from(f32::from_be_bytes(take_array(rest)?))),
        0xcb => number(f64::from_be_bytes(take_array(rest)?)),
        0xcc => number(f64::from(u8::from_be_bytes(take_array(rest)?))),
        0xcd => number(f64::from(u16::from_be_bytes(take_array(rest)?))),
        0xce => number(f64::from(u32::from_be_bytes(take_array(rest)?))),
        // The servers take it for signed.
        0xcf | 0xd3 => number(i64::from_be_bytes(take_array(rest)?) as f64),
        0xd0 => number(f64::from(i8::from_be_bytes(take_array(rest)?))),
        0xd1 => number(f64::from(i16::from_be_bytes(take_array(rest)?))),
        0xd2 => number(f64::from(i32::from_be_bytes(take_array(rest)?))),
        0xd9 => {
            let len = u8::from_be_bytes(take_array(rest)?);
            string(rest, usize::from(len))?
        }
        0xda => {
            let len = u16::from_be_bytes(take_array(rest)?);
            string(rest, usize::from(len))?
        }
        0xdb => {
            let len = u32::from_be_bytes(take_array(rest)?);
            string(rest, len as usize)?
        }
        0xdc => {
            let len = u16::from_be_bytes(take_array(rest)?);
            unpack_array(lua, rest, usize::from(len), depth)?
        }
        0xdd => {
            let len = u32::from_be_bytes(take_array(rest)?);
            unpack_array(lua, rest, len as usize, depth)?
        }
        0xde => {
            let len = u16::from_be_bytes(take_array(rest)?);
            unpack_map(lua, rest, usize::from(len), depth)?
        }
        0xdf => {
            let len = u32::from_be_bytes(take_array(rest)?);
            unpack_map(lua, rest, len as usize, depth)?
        }
        0xe0..=0xff => number(f64::from(first as i8)),
        _ => return Err(Bad::Format),
    })
}

fn unpack_array(lua: &Lua, rest: &mut &[u8], len: usize, depth: u32) -> Result<Value, Bad> {
    let table = lua.create_table()?;
    for at in 1..=len {
        let value = unpack_value(lua, rest, depth)?;
        table.raw_set(at, value)?;
    }
    Ok(Value::Table(table))
}

fn unpack_map(lua: &Lua, rest: &mut &[u8], len: usize, depth: u32) -> Result<Value, Bad> {
    let table = lua.create_table()?;
    for _ in 0..len {
        let key = unpack_value(lua, rest, depth)?;
        let value = unpack_value(lua, rest, depth)?;
        table.raw_set(key, value)?;
    }
    Ok(Value::Table(table))
}
