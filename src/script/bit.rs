//! The `bit` library: operations on 32 bits.

use mlua::{Lua, MultiValue, Table};

use super::call::Call;

/// Wraps a number into 32 bits, as `bit.tobit` does.
fn to_bit(n: f64) -> i32 {
    // Adding 2^52 + 2^51 leaves the integer part, rounded to even, in the low bits.
    (n + 6_755_399_441_055_744.0).to_bits() as u32 as i32
}

/// An argument: a number, or a string that is one.
fn bits(call: &Call<'_>, at: usize) -> mlua::Result<i32> {
    call.number(at).map(to_bit)
}

/// Makes the table of functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let define = |name: &str, act: fn(&Call<'_>) -> mlua::Result<i32>| {
        let function = lua.create_function(move |lua, args: MultiValue| {
            act(&Call::new(lua, args)).map(f64::from)
        })?;
        table.set(name, function)
    };
    define("tobit", |call| bits(call, 1))?;
    define("bnot", |call| bits(call, 1).map(|n| !n))?;
    define("bswap", |call| bits(call, 1).map(i32::swap_bytes))?;
    define("band", |call| fold(call, |a, b| a & b))?;
    define("bor", |call| fold(call, |a, b| a | b))?;
    define("bxor", |call| fold(call, |a, b| a ^ b))?;
    define("lshift", |call| shift(call, |n, by| n << by))?;
    define("rshift", |call| {
        shift(call, |n, by| (n as u32 >> by) as i32)
    })?;
    define("arshift", |call| shift(call, |n, by| n >> by))?;
    define("rol", |call| shift(call, i32::rotate_left))?;
    define("ror", |call| shift(call, i32::rotate_right))?;
    let hex = lua.create_function(|lua, args: MultiValue| {
        let call = Call::new(lua, args);
        let n = bits(&call, 1)?;
        let digits = match call.get(2) {
            Some(_) => bits(&call, 2)?,
            None => 8,
        };
        let text = match digits < 0 {
            true => format!("{n:08X}"),
            false => format!("{n:08x}"),
        };
        let keep = digits.unsigned_abs().min(8) as usize;
        Ok(text.get(8 - keep..).unwrap_or_default().to_owned())
    })?;
    table.set("tohex", hex)?;
    Ok(table)
}

fn fold(call: &Call<'_>, act: fn(i32, i32) -> i32) -> mlua::Result<i32> {
    let first = bits(call, 1)?;
    (2..=call.len()).try_fold(first, |so_far, at| Ok(act(so_far, bits(call, at)?)))
}

fn shift(call: &Call<'_>, act: fn(i32, u32) -> i32) -> mlua::Result<i32> {
    let (n, by) = (bits(call, 1)?, bits(call, 2)?);
    Ok(act(n, by as u32 & 31))
}
