//! The library `cjson` 2.1.0: its settings, and how it encodes.
//!
//! | value | JSON |
//! |---|---|
//! | table with positive integer keys alone, at least one | array up to the greatest, gaps `null`, unless too sparse |
//! | other table | object in the order of `next`; keys are strings or numbers |
//! | number | `%.14g`; infinite ones and NaN are errors by default |
//! | string | bytes as they are; escaped: controls, `"`, `\`, `/`, DEL |
//! | nil, `cjson.null` | `null` |
//!
//! Settings live as long as the machine: what one script sets the next one has.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::call::{Call, as_number, to_integer, type_name};
use super::cjson_decode;
use crate::limits::SCRIPT_BYTES;
use crate::num::printf17;

/// Depth at which Lua's stack is full, whatever the setting.
const MAX_STACK_DEPTH: i32 = 2600;

/// What scripts can set.
pub(super) struct Settings {
    sparse_convert: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_max_depth: i32,
    encode_invalid_numbers: Invalid,
    number_precision: u8,
    keep_buffer: bool,
    pub(super) decode_invalid_numbers: bool,
    pub(super) decode_max_depth: i32,
}

/// What to encode NaN and infinities as.
#[derive(Clone, Copy, PartialEq)]
enum Invalid {
    Refused,
    Text,
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            encode_invalid_numbers: Invalid::Refused,
            number_precision: 14,
            keep_buffer: true,
            decode_invalid_numbers: true,
            decode_max_depth: 1000,
        }
    }
}

type Shared = Rc<RefCell<Settings>>;

/// Makes a table of functions with settings of their own.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let settings = Shared::default();
    let with = |name: &str, act: fn(&Call<'_>, &mut Settings) -> mlua::Result<MultiValue>| {
        let settings = settings.clone();
        let function = lua.create_function(move |lua, args: MultiValue| {
            act(&Call::new(lua, args), &mut settings.borrow_mut())
        })?;
        table.set(name, function)
    };
    with("encode", encode)?;
    with("decode", cjson_decode::decode)?;
    with("encode_sparse_array", |call, settings| {
        at_most(call, 3)?;
        let convert = switch(call, &mut settings.sparse_convert)?;
        let ratio = integer(call, 2, &mut settings.sparse_ratio, 0, i32::MAX)?;
        let safe = integer(call, 3, &mut settings.sparse_safe, 0, i32::MAX)?;
        Ok([convert, ratio, safe].into_iter().collect())
    })?;
    with("encode_max_depth", |call, settings| {
        at_most(call, 1)?;
        let depth = integer(call, 1, &mut settings.encode_max_depth, 1, i32::MAX)?;
        one(depth)
    })?;
    with("decode_max_depth", |call, settings| {
        at_most(call, 1)?;
        let depth = integer(call, 1, &mut settings.decode_max_depth, 1, i32::MAX)?;
        one(depth)
    })?;
    with("encode_number_precision", |call, settings| {
        at_most(call, 1)?;
        let mut precision = i32::from(settings.number_precision);
        let answer = integer(call, 1, &mut precision, 1, 14)?;
        settings.number_precision = precision as u8;
        one(answer)
    })?;
    with("encode_keep_buffer", |call, settings| {
        at_most(call, 1)?;
        let keep = switch(call, &mut settings.keep_buffer)?;
        one(keep)
    })?;
    with("decode_invalid_numbers", |call, settings| {
        at_most(call, 1)?;
        let decode = switch(call, &mut settings.decode_invalid_numbers)?;
        one(decode)
    })?;
    with("encode_invalid_numbers", |call, settings| {
        at_most(call, 1)?;
        let setting = match call.given(1) {
            None => settings.encode_invalid_numbers,
            Some(Value::Boolean(false)) => Invalid::Refused,
            Some(Value::Boolean(true)) => Invalid::Text,
            Some(_) => match option(call, &["off", "on", "null"])? {
                0 => Invalid::Refused,
                1 => Invalid::Text,
                _ => Invalid::Null,
            },
        };
        settings.encode_invalid_numbers = setting;
        one(match setting {
            Invalid::Refused => Value::Boolean(false),
            Invalid::Text => Value::Boolean(true),
            Invalid::Null => Value::String(call.lua.create_string("null")?),
        })
    })?;
    table.set("new", lua.create_function(|lua, ()| library(lua))?)?;
    table.set("null", Value::NULL)?;
    table.set("_NAME", "cjson")?;
    table.set("_VERSION", "2.1.0")?;
    Ok(table)
}

pub(super) fn one(value: Value) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_iter([value]))
}

fn at_most(call: &Call<'_>, count: usize) -> mlua::Result<()> {
    if call.len() > count {
        return Err(call.bad_argument(count + 1, "found too many arguments"));
    }
    Ok(())
}

/// A number that stays in its range; what it is afterwards.
fn integer(
    call: &Call<'_>,
    at: usize,
    setting: &mut i32,
    least: i32,
    most: i32,
) -> mlua::Result<Value> {
    if call.given(at).is_some() {
        let value = to_integer(call.number(at)?) as i32;
        if !(least..=most).contains(&value) {
            // The servers name the first argument whichever it is.
            let what = format!("expected integer between {least} and {most}");
            return Err(call.bad_argument(1, &what));
        }
        *setting = value;
    }
    Ok(Value::Number(f64::from(*setting)))
}

fn switch(call: &Call<'_>, setting: &mut bool) -> mlua::Result<Value> {
    match call.given(1) {
        None => {}
        Some(Value::Boolean(on)) => *setting = *on,
        Some(_) => *setting = option(call, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

/// The place of the first argument among words.
fn option(call: &Call<'_>, words: &[&str]) -> mlua::Result<usize> {
    let word = call.string(1)?;
    let word = word.as_bytes();
    match words.iter().position(|known| known.as_bytes() == &*word) {
        Some(place) => Ok(place),
        None => {
            let what = format!("invalid option '{}'", String::from_utf8_lossy(&word));
            Err(call.bad_argument(1, &what))
        }
    }
}

fn encode(call: &Call<'_>, settings: &mut Settings) -> mlua::Result<MultiValue> {
    if call.len() != 1 {
        return Err(call.bad_argument(1, "expected 1 argument"));
    }
    let mut encoder = Encoder {
        call,
        settings,
        json: Vec::new(),
    };
    encoder.value(call.get(1).unwrap_or(&Value::Nil), 0)?;
    one(Value::String(call.lua.create_string(encoder.json)?))
}

struct Encoder<'c> {
    call: &'c Call<'c>,
    settings: &'c Settings,
    json: Vec<u8>,
}

impl Encoder<'_> {
    fn refused(&self, value: &Value, reason: &str) -> mlua::Error {
        let name = type_name(value);
        self.call
            .error(&format!("Cannot serialise {name}: {reason}"))
    }

    fn value(&mut self, value: &Value, depth: i32) -> mlua::Result<()> {
        match value {
            Value::Nil => self.json.extend(b"null"),
            Value::Boolean(yes) => {
                let word = if *yes { "true" } else { "false" };
                self.json.extend(word.as_bytes());
            }
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(table) => return self.table(table, depth + 1),
            value if value.is_null() => self.json.extend(b"null"),
            value => match as_number(value) {
                Some(_) => return self.number(value),
                None => return Err(self.refused(value, "type not supported")),
            },
        }
        Ok(())
    }

    fn number(&mut self, value: &Value) -> mlua::Result<()> {
        let number = as_number(value).unwrap_or(f64::NAN);
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers {
                Invalid::Refused => return Err(self.refused(value, "must not be NaN or Inf")),
                Invalid::Text => {}
                Invalid::Null => {
                    self.json.extend(b"null");
                    return Ok(());
                }
            }
        }
        let text = printf17::general(number, self.settings.number_precision.into());
        self.json.extend(text.as_bytes());
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.json.push(b'"');
        for byte in text {
            let short = match byte {
                b'"' | b'\\' | b'/' => *byte,
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                0..32 | 0x7f => {
                    self.json.extend(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.json.push(*byte);
                    continue;
                }
            };
            self.json.extend([b'\\', short]);
        }
        self.json.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: i32) -> mlua::Result<()> {
        if depth > self.settings.encode_max_depth.min(MAX_STACK_DEPTH) {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(self.call.error(&text));
        }
        match self.array_len(table)? {
            Some(len) => self.array(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// The greatest key, if the table becomes an array.
    fn array_len(&self, table: &Table) -> mlua::Result<Option<i32>> {
        let (mut greatest, mut items) = (0i32, 0i32);
        for pair in table.pairs() {
            let (key, _): (Value, Value) = pair?;
            match as_number(&key).filter(|key| key.floor() == *key && *key >= 1.0) {
                Some(key) => {
                    if key > f64::from(greatest) {
                        greatest = c_int(key);
                    }
                    items = items.wrapping_add(1);
                }
                None => return Ok(None),
            }
        }
        let Settings {
            sparse_convert,
            sparse_ratio,
            sparse_safe,
            ..
        } = *self.settings;
        if sparse_ratio > 0 && greatest > items.wrapping_mul(sparse_ratio) && greatest > sparse_safe
        {
            if !sparse_convert {
                let value = Value::Table(table.clone());
                return Err(self.refused(&value, "excessively sparse array"));
            }
            return Ok(None);
        }
        Ok(Some(greatest).filter(|greatest| *greatest > 0))
    }

    fn array(&mut self, table: &Table, len: i32, depth: i32) -> mlua::Result<()> {
        self.json.push(b'[');
        for at in 1..=len {
            if at > 1 {
                self.json.push(b',');
            }
            let item: Value = table.raw_get(at)?;
            self.value(&item, depth)?;
            self.check_size()?;
        }
        self.json.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i32) -> mlua::Result<()> {
        self.json.push(b'{');
        for (at, pair) in table.pairs().enumerate() {
            let (key, value): (Value, Value) = pair?;
            if at > 0 {
                self.json.push(b',');
            }
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                key if as_number(key).is_some() => {
                    self.json.push(b'"');
                    self.number(key)?;
                    self.json.push(b'"');
                }
                key => return Err(self.refused(key, "table key must be a number or string")),
            }
            self.json.push(b':');
            self.value(&value, depth)?;
            self.check_size()?;
        }
        self.json.push(b'}');
        Ok(())
    }

    /// One table in many places makes more text than it has entries.
    fn check_size(&self) -> mlua::Result<()> {
        if self.json.len() > SCRIPT_BYTES {
            return Err(mlua::Error::MemoryError("not enough memory".into()));
        }
        Ok(())
    }
}

/// C's conversion to `int` on x86-64.
fn c_int(number: f64) -> i32 {
    let integer = to_integer(number);
    i32::try_from(integer).unwrap_or(i32::MIN)
}
