//! Replies of commands as Lua values, and what a script returns as a reply
//! (`scripting.c redisProtocolToLuaType`, `luaReplyToRedisReply`).

use mlua::{Lua, Table, Value};

use super::call::as_number;
use super::machine::Shared;
use super::{Answer, Stop};
use crate::limits::{SCRIPT_RESULT_DEPTH, SCRIPT_RESULT_VALUES};
use crate::num::printf17;

/// The value that a script sees.
pub(super) fn to_lua(lua: &Lua, shared: &Shared, answer: Answer) -> mlua::Result<Value> {
    let single = |name: &str, text: &[u8]| {
        let table = lua.create_table()?;
        table.raw_set(name, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    match answer {
        Answer::Nil => Ok(Value::Boolean(false)),
        Answer::Int(n) => Ok(Value::Number(n as f64)),
        Answer::Status(text) => single("ok", &text),
        Answer::Bulk(text) => Ok(Value::String(lua.create_string(text)?)),
        Answer::Array(items) => {
            let table = lua.create_table()?;
            for (at, item) in items.into_iter().enumerate() {
                table.raw_set(at + 1, to_lua(lua, shared, item)?)?;
            }
            Ok(Value::Table(table))
        }
        Answer::Error(text) => single("err", text.as_bytes()),
        Answer::Refused(text) => single("err", text.as_bytes()),
        Answer::Unsupported(what) => Err(shared.end(Stop::Unsupported(what))),
        Answer::Settled => Err(shared.end(Stop::Settled)),
    }
}

/// What a script's result is as a reply; `None` if it is too large to say.
pub(super) fn to_answer(value: &Value) -> mlua::Result<Option<Answer>> {
    let mut left = SCRIPT_RESULT_VALUES;
    convert(value, 0, &mut left)
}

fn convert(value: &Value, depth: u32, left: &mut usize) -> mlua::Result<Option<Answer>> {
    if depth > SCRIPT_RESULT_DEPTH || *left == 0 {
        return Ok(None);
    }
    *left -= 1;
    let answer = match value {
        Value::String(text) => Answer::Bulk(text.as_bytes().to_vec()),
        Value::Boolean(true) => Answer::Int(1),
        Value::Table(table) => return of_table(table, depth, left),
        value => match as_number(value) {
            Some(number) => Answer::Int(super::call::to_integer(number)),
            None => Answer::Nil,
        },
    };
    Ok(Some(answer))
}

fn of_table(table: &Table, depth: u32, left: &mut usize) -> mlua::Result<Option<Answer>> {
    if let Value::String(text) = table.raw_get("err")? {
        return Ok(Some(Answer::Error(text.to_string_lossy())));
    }
    if let Value::String(text) = table.raw_get("ok")? {
        let one_line = |byte: &u8| match byte {
            b'\r' | b'\n' => b' ',
            byte => *byte,
        };
        let text = text.as_bytes().iter().map(one_line).collect();
        return Ok(Some(Answer::Status(text)));
    }
    let double: Value = table.raw_get("double")?;
    if let Some(number) = as_number(&double) {
        return Ok(Some(Answer::Bulk(
            printf17::text(number).as_bytes().to_vec(),
        )));
    }
    let mut items = Vec::new();
    let mut is_whole = true;
    let mut push = |value: &Value| -> mlua::Result<bool> {
        match convert(value, depth + 1, left)? {
            Some(answer) => items.push(answer),
            None => is_whole = false,
        }
        Ok(is_whole)
    };
    if let Value::Table(map) = table.raw_get("map")? {
        for pair in map.pairs() {
            let (key, value): (Value, Value) = pair?;
            push(&key)?;
            push(&value)?;
        }
    } else if let Value::Table(set) = table.raw_get("set")? {
        for pair in set.pairs() {
            let (key, _): (Value, Value) = pair?;
            push(&key)?;
        }
    } else {
        for at in 1.. {
            let value: Value = table.raw_get(at)?;
            if value.is_nil() || !push(&value)? {
                break;
            }
        }
    }
    Ok(is_whole.then_some(Answer::Array(items)))
}
