//! Arguments and errors of library functions, taken and raised as Lua's own C
//! functions do (`lauxlib.c`).

use mlua::{FromLua, Lua, LuaString, MultiValue, Value};

/// A call of a function from a script.
pub(super) struct Call<'l> {
    pub(super) lua: &'l Lua,
    args: Vec<Value>,
}

impl<'l> Call<'l> {
    pub(super) fn new(lua: &'l Lua, args: MultiValue) -> Self {
        let args = args.into_iter().collect();
        Call { lua, args }
    }

    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    /// An argument; the first is 1.
    pub(super) fn get(&self, at: usize) -> Option<&Value> {
        self.args.get(at.checked_sub(1)?)
    }

    /// An argument, unless it is nil or not there.
    pub(super) fn given(&self, at: usize) -> Option<&Value> {
        self.get(at).filter(|value| !value.is_nil())
    }

    /// A number, or a string that is one.
    pub(super) fn number(&self, at: usize) -> mlua::Result<f64> {
        let value = self.get(at).cloned().unwrap_or(Value::Nil);
        match self.lua.coerce_number(value)? {
            Some(number) => Ok(number),
            None => Err(self.wrong_type(at, "number")),
        }
    }

    /// A number without its fraction.
    pub(super) fn integer(&self, at: usize) -> mlua::Result<i64> {
        self.number(at).map(to_integer)
    }

    /// A string, or a number as text.
    pub(super) fn string(&self, at: usize) -> mlua::Result<LuaString> {
        let value = self.get(at).cloned().unwrap_or(Value::Nil);
        match self.lua.coerce_string(value)? {
            Some(text) => Ok(text),
            None => Err(self.wrong_type(at, "string")),
        }
    }

    pub(super) fn wrong_type(&self, at: usize, wanted: &str) -> mlua::Error {
        let got = self.get(at).map_or("no value", type_name);
        self.bad_argument(at, &format!("{wanted} expected, got {got}"))
    }

    pub(super) fn bad_argument(&self, at: usize, what: &str) -> mlua::Error {
        let name = self.lua.inspect_stack(0, |running| {
            let name = running.names().name.map(|name| name.into_owned());
            name.unwrap_or_else(|| "?".into())
        });
        let name = name.unwrap_or_else(|| "?".into());
        self.error(&format!("bad argument #{at} to '{name}' ({what})"))
    }

    /// An error with the place of the call before it.
    pub(super) fn error(&self, text: &str) -> mlua::Error {
        raise(&format!("{}{text}", self.place()))
    }

    fn place(&self) -> String {
        let place = self.lua.inspect_stack(1, |caller| {
            let line = caller.current_line()?;
            Some(format!("{}:{line}: ", caller.source().short_src?))
        });
        place.flatten().unwrap_or_default()
    }
}

/// An error with this text alone.
pub(super) fn raise(text: &str) -> mlua::Error {
    mlua::Error::runtime(text)
}

/// The text of an error that a function here raised, or that Lua did.
pub(super) fn text_of(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } => text_of(cause),
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => {
            // Errors of Lua's own carry its stack.
            let text = text.split("\nstack traceback:\n").next();
            text.unwrap_or_default().to_owned()
        }
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// C's conversion on x86-64, which scripts' numbers go through: what does not fit is the
/// least integer.
pub(super) fn to_integer(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// A value's number, if it is one.
pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// The name of a value's type in error texts.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// A word of a command.
pub(super) enum Word {
    Text(Vec<u8>),
    Number(f64),
    /// Neither.
    Other,
}

impl FromLua for Word {
    // Not a list of `Value`: each of those holds a place in Lua's registry, of which a
    // call of thousands of words would need too many.
    fn from_lua(value: Value, _: &Lua) -> mlua::Result<Self> {
        Ok(match &value {
            Value::String(text) => Word::Text(text.as_bytes().to_vec()),
            value => as_number(value).map_or(Word::Other, Word::Number),
        })
    }
}
