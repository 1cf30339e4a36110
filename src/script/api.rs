//! The table `redis` of a script (`scripting.c`).

use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};

use mlua::{Function, Lua, MultiValue, Table, Value, Variadic};
use sha1::{Digest as _, Sha1};

use super::call::{Word, raise};
use super::convert::to_lua;
use super::machine::Shared;
use super::{Answer, Event};
use crate::num::{Flavor, printf17};

/// The way to the replay.
pub(super) struct Link {
    pub(super) say: Sender<Event>,
    pub(super) answers: Receiver<Answer>,
}

impl Link {
    fn ask(&self, event: Event) -> mlua::Result<Answer> {
        let gone = || raise("the replay has ended");
        self.say.send(event).map_err(|_| gone())?;
        self.answers.recv().map_err(|_| gone())
    }
}

/// Makes the table `redis` as that release had it.
pub(super) fn library(
    lua: &Lua,
    shared: &Rc<Shared>,
    link: Link,
    release: Flavor,
) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let since = |major, minor| (release.major, release.minor) >= (major, minor);
    // Before 3.2 errors of these functions' own were answers, never raised.
    let raises = since(3, 2);
    let link = Rc::new(link);
    for (name, is_call) in [("call", true), ("pcall", false)] {
        let (link, shared) = (link.clone(), shared.clone());
        let function = lua.create_function(move |lua, words: Variadic<Word>| {
            command(lua, &shared, &link, words, is_call, raises)
        })?;
        redis.raw_set(name, function)?;
    }
    redis.raw_set("sha1hex", sha1hex(lua, raises)?)?;
    for (name, field) in [("error_reply", "err"), ("status_reply", "ok")] {
        let function = lua.create_function(move |lua, args: MultiValue| {
            let table = lua.create_table()?;
            match args.front() {
                Some(Value::String(text)) if args.len() == 1 => table.raw_set(field, text)?,
                _ => return own_error(lua, "wrong number or type of arguments", false),
            }
            Ok(Value::Table(table))
        })?;
        redis.raw_set(name, function)?;
    }
    redis.raw_set("log", log(lua, raises)?)?;
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"]
        .into_iter()
        .enumerate()
    {
        redis.raw_set(name, level)?;
    }
    if since(3, 2) {
        let state = shared.clone();
        let replicate = lua.create_function(move |_, ()| {
            let yes = link.ask(Event::ReplicateCommands)? == Answer::Int(1);
            state
                .replicates_commands
                .set(yes || state.replicates_commands.get());
            Ok(yes)
        })?;
        redis.raw_set("replicate_commands", replicate)?;
        redis.raw_set("set_repl", set_repl(lua, shared, since(5, 0))?)?;
        redis.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
        redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
        for (name, flag) in [
            ("REPL_NONE", 0),
            ("REPL_AOF", 1),
            ("REPL_SLAVE", 2),
            ("REPL_ALL", 3),
        ] {
            redis.raw_set(name, flag)?;
        }
    }
    if since(5, 0) {
        redis.raw_set("REPL_REPLICA", 2)?;
    }
    if since(6, 0) {
        redis.raw_set("setresp", set_resp(lua, shared)?)?;
    }
    Ok(redis)
}

fn command(
    lua: &Lua,
    shared: &Shared,
    link: &Link,
    words: Variadic<Word>,
    is_call: bool,
    raises: bool,
) -> mlua::Result<Value> {
    shared.check()?;
    if words.is_empty() {
        let text = "Please specify at least one argument for redis.call()";
        return own_error(lua, text, is_call && raises);
    }
    let mut texts = Vec::with_capacity(words.len());
    for word in words {
        texts.push(match word {
            Word::Text(text) => text,
            Word::Number(number) => number_text(number),
            Word::Other => {
                let text = "Lua redis() command arguments must be strings or integers";
                return own_error(lua, text, is_call && raises);
            }
        });
    }
    match link.ask(Event::Call(texts))? {
        Answer::Error(text) if is_call => Err(raise(&text)),
        Answer::Refused(text) => own_error(lua, text, is_call),
        answer => to_lua(lua, shared, answer),
    }
}

/// A number as a word: `%.17g`, where C tells apart the two signs of NaN.
fn number_text(number: f64) -> Vec<u8> {
    match number.is_nan() && number.is_sign_negative() {
        true => b"-nan".to_vec(),
        false => printf17::text(number).as_bytes().to_vec(),
    }
}

/// An error of the functions themselves, with the place of the call: raised, or an answer.
fn own_error(lua: &Lua, text: &str, raised: bool) -> mlua::Result<Value> {
    let place = lua.inspect_stack(1, |caller| {
        let line = caller.current_line();
        let line = line.map_or("-1".into(), |line| line.to_string());
        let source = caller.source().source.unwrap_or_default().into_owned();
        format!("{source}: {line}: ")
    });
    let text = format!("{}{text}", place.unwrap_or_default());
    if raised {
        return Err(raise(&text));
    }
    let table = lua.create_table()?;
    table.raw_set("err", text)?;
    Ok(Value::Table(table))
}

fn wrong_use(lua: &Lua, text: &str, raises: bool) -> mlua::Result<Value> {
    match raises {
        true => Err(raise(text)),
        false => own_error(lua, text, false),
    }
}

fn sha1hex(lua: &Lua, raises: bool) -> mlua::Result<Function> {
    lua.create_function(move |lua, args: MultiValue| {
        if args.len() != 1 {
            return wrong_use(lua, "wrong number of arguments", raises);
        }
        let text = args.into_iter().next().unwrap_or(Value::Nil);
        // What is no string is hashed as nothing.
        let text = match text {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(text)?,
            _ => None,
        };
        let text = text.map_or(Vec::new(), |text| text.as_bytes().to_vec());
        let sha: [u8; 20] = Sha1::digest(text).into();
        let hex = sha.map(|byte| format!("{byte:02x}")).concat();
        Ok(Value::String(lua.create_string(hex)?))
    })
}

/// Nothing is logged; what servers refuse is refused.
fn log(lua: &Lua, raises: bool) -> mlua::Result<Function> {
    lua.create_function(move |lua, args: MultiValue| {
        if args.len() < 2 {
            let text = "redis.log() requires two arguments or more.";
            return wrong_use(lua, text, raises);
        }
        let level = args.into_iter().next().unwrap_or(Value::Nil);
        let Some(level) = lua.coerce_number(level)? else {
            let text = "First argument must be a number (log level).";
            return wrong_use(lua, text, raises);
        };
        if !(0..=3).contains(&super::call::to_integer(level)) {
            return wrong_use(lua, "Invalid debug level.", raises);
        }
        Ok(Value::Nil)
    })
}

fn set_repl(lua: &Lua, shared: &Rc<Shared>, has_replicas: bool) -> mlua::Result<Function> {
    let state = shared.clone();
    lua.create_function(move |lua, args: MultiValue| {
        if !state.replicates_commands.get() {
            return Err(raise(
                "You can set the replication behavior only after turning on single commands \
                 replication with redis.replicate_commands().",
            ));
        }
        if args.len() != 1 {
            return Err(raise("redis.set_repl() requires two arguments."));
        }
        let flags = args.into_iter().next().unwrap_or(Value::Nil);
        let flags = lua.coerce_number(flags)?.unwrap_or(0.0);
        if super::call::to_integer(flags) & !3 != 0 {
            let name = if has_replicas { "REPLICA" } else { "SLAVE" };
            return Err(raise(&format!(
                "Invalid replication flags. Use REPL_AOF, REPL_{name}, REPL_ALL or REPL_NONE."
            )));
        }
        Ok(())
    })
}

fn set_resp(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Function> {
    let state = shared.clone();
    lua.create_function(move |lua, args: MultiValue| {
        if args.len() != 1 {
            return Err(raise("redis.setresp() requires one argument."));
        }
        let version = args.into_iter().next().unwrap_or(Value::Nil);
        let version = lua.coerce_number(version)?.unwrap_or(0.0);
        match super::call::to_integer(version) {
            2 => Ok(()),
            3 => Err(state.unsupported("a script that calls redis.setresp(3)")),
            _ => Err(raise("RESP version must be 2 or 3.")),
        }
    })
}
