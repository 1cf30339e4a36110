//! The random numbers that scripts get (`rand.c redisLrand48`): the same on every run.

use mlua::{Lua, MultiValue, Value};

use super::call::Call;
use super::machine::Shared;
use std::rc::Rc;

/// The generator, as far as it has come.
#[derive(Clone, Copy)]
pub(super) struct Lrand48(u64);

impl Default for Lrand48 {
    fn default() -> Self {
        Lrand48::seeded(0)
    }
}

impl Lrand48 {
    fn seeded(seed: u32) -> Self {
        Lrand48(u64::from(seed) << 16 | 0x330e)
    }

    /// A number from 0 up to but not 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & ((1 << 48) - 1);
        const MAX: u64 = i32::MAX as u64;
        ((self.0 >> 17) % MAX) as f64 / MAX as f64
    }
}

/// Puts `random` and `randomseed` into the table `math`.
pub(super) fn replace(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<()> {
    let math: mlua::Table = lua.globals().raw_get("math")?;
    let state = shared.clone();
    let random = lua.create_function(move |lua, args: MultiValue| {
        let call = Call::new(lua, args);
        let mut random = state.random.get();
        let drawn = random.draw();
        state.random.set(random);
        let number = match call.len() {
            0 => drawn,
            1 => {
                let high = call.integer(1)? as i32;
                if high < 1 {
                    return Err(call.bad_argument(1, "interval is empty"));
                }
                (drawn * f64::from(high)).floor() + 1.0
            }
            2 => {
                let (low, high) = (call.integer(1)? as i32, call.integer(2)? as i32);
                if low > high {
                    return Err(call.bad_argument(2, "interval is empty"));
                }
                let span = f64::from(high.wrapping_sub(low).wrapping_add(1));
                (drawn * span).floor() + f64::from(low)
            }
            _ => return Err(call.error("wrong number of arguments")),
        };
        Ok(Value::Number(number))
    })?;
    math.raw_set("random", random)?;
    let state = shared.clone();
    let seed = lua.create_function(move |lua, args: MultiValue| {
        let seed = Call::new(lua, args).integer(1)?;
        state.random.set(Lrand48::seeded(seed as u32));
        Ok(())
    })?;
    math.raw_set("randomseed", seed)
}
