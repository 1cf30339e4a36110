//! The `bit` library: operations on 32 bits.

use mlua::{Lua, Table, Variadic};

/// Wraps a number into 32 bits, as `bit.tobit` does.
fn to_bit(n: f64) -> i32 {
    // Adding 2^52 + 2^51 leaves the integer part, rounded to even, in the low bits.
    (n + 6_755_399_441_055_744.0).to_bits() as u32 as i32
}

/// Makes the table of functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let unary = |name: &str, act: fn(i32) -> i32| {
        table.set(
            name,
            lua.create_function(move |_, n: f64| Ok(f64::from(act(to_bit(n)))))?,
        )
    };
    unary("tobit", |n| n)?;
    unary("bnot", |n| !n)?;
    unary("bswap", i32::swap_bytes)?;
    let fold = |name: &str, act: fn(i32, i32) -> i32| {
        let folded = lua.create_function(move |_, (first, rest): (f64, Variadic<f64>)| {
            let rest = rest.iter().copied().map(to_bit);
            Ok(f64::from(rest.fold(to_bit(first), act)))
        })?;
        table.set(name, folded)
    };
    fold("band", |a, b| a & b)?;
    fold("bor", |a, b| a | b)?;
    fold("bxor", |a, b| a ^ b)?;
    let shift = |name: &str, act: fn(i32, u32) -> i32| {
        let shifted = lua.create_function(move |_, (n, by): (f64, f64)| {
            Ok(f64::from(act(to_bit(n), to_bit(by) as u32 & 31)))
        })?;
        table.set(name, shifted)
    };
    shift("lshift", |n, by| n << by)?;
    shift("rshift", |n, by| (n as u32 >> by) as i32)?;
    shift("arshift", |n, by| n >> by)?;
    shift("rol", i32::rotate_left)?;
    shift("ror", i32::rotate_right)?;
    let hex = lua.create_function(|_, (n, digits): (f64, Option<f64>)| {
        let digits = digits.map_or(8, to_bit);
        let text = match digits < 0 {
            true => format!("{:08X}", to_bit(n)),
            false => format!("{:08x}", to_bit(n)),
        };
        let keep = digits.unsigned_abs().min(8) as usize;
        Ok(text.get(8 - keep..).unwrap_or_default().to_owned())
    })?;
    table.set("tohex", hex)?;
    Ok(table)
}
