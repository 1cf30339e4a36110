//! The thread in which scripts run, and their world.
//!
//! No files, no system, no modules, no bytecode; memory is bounded, and a hook looks
//! at the clock every so many instructions. What stops a script for good (a bound,
//! something unsupported) is kept beside Lua's errors, so that no `pcall` hides it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::api::{self, Link};
use super::call::{raise, text_of};
use super::convert::to_answer;
use super::random::{self, Lrand48};
use super::{Answer, Event, Job, Stop, bit, cjson, cmsgpack, out_of_time, structs};
use crate::limits::{COMPILED_SCRIPTS, SCRIPT_BYTES, SCRIPT_PATTERN_BYTES, SCRIPT_TIME};
use crate::num::Flavor;

/// Instructions between two looks at the clock.
const HOOK_EVERY: u32 = 100_000;

/// What the functions of a script share.
#[derive(Default)]
pub(super) struct Shared {
    stop: RefCell<Option<Stop>>,
    started: Cell<Option<Instant>>,
    pub(super) random: Cell<Lrand48>,
    /// Whether the script has turned on the replication of commands.
    pub(super) replicates_commands: Cell<bool>,
}

impl Shared {
    /// Ends the script, unless it has ended.
    pub(super) fn end(&self, stop: Stop) -> mlua::Error {
        self.stop.borrow_mut().get_or_insert(stop);
        raise("stopped")
    }

    pub(super) fn unsupported(&self, what: &str) -> mlua::Error {
        self.end(Stop::Unsupported(what.to_owned()))
    }

    fn is_stopped(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// An error if the script has ended.
    pub(super) fn check(&self) -> mlua::Result<()> {
        match self.is_stopped() {
            true => Err(raise("stopped")),
            false => Ok(()),
        }
    }

    /// What Lua cannot allocate ends a script for good: a server had more.
    fn check_memory(&self, error: &mlua::Error) {
        if is_memory(error) {
            self.end(OUT_OF_MEMORY);
        }
    }
}

const OUT_OF_MEMORY: Stop = Stop::Limit("bytes of a script", SCRIPT_BYTES as u64);

/// Runs scripts until nobody has one.
pub(super) fn run(
    release: Flavor,
    jobs: &Receiver<Job>,
    answers: Receiver<Answer>,
    say: Sender<Event>,
) {
    let shared = Rc::new(Shared::default());
    let link = Link {
        say: say.clone(),
        answers,
    };
    let machine = Machine::new(&shared, link, release);
    while let Ok(job) = jobs.recv() {
        let outcome = match &machine {
            Ok(machine) => machine.run(&job),
            Err(error) => Err(Stop::Unsupported(format!("Lua does not start: {error}"))),
        };
        if say.send(Event::Done(outcome)).is_err() {
            return;
        }
    }
}

struct Machine {
    lua: Lua,
    shared: Rc<Shared>,
    /// Scripts that were made functions, by their place in `functions`: Lua has room for few
    /// values that are held from outside, so that one table holds them.
    compiled: RefCell<HashMap<[u8; 20], usize>>,
    functions: Table,
    /// What servers put before a script to make a function of it: from late 6.2 on one
    /// that knows `...`.
    head: &'static [u8],
}

impl Machine {
    fn new(shared: &Rc<Shared>, link: Link, release: Flavor) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        lua.set_memory_limit(SCRIPT_BYTES)?;
        let globals = lua.globals();
        globals.raw_set("redis", api::library(&lua, shared, link, release)?)?;
        globals.raw_set("cjson", cjson::library(&lua)?)?;
        globals.raw_set("cmsgpack", cmsgpack::library(&lua)?)?;
        globals.raw_set("struct", structs::library(&lua, release)?)?;
        globals.raw_set("bit", bit::library(&lua)?)?;
        random::replace(&lua, shared)?;
        lua.load(include_str!("prelude.lua"))
            .set_name("@prelude")
            .call::<()>(host(&lua, shared, release)?)?;
        let watched = shared.clone();
        let triggers = HookTriggers::new().every_nth_instruction(HOOK_EVERY);
        lua.set_global_hook(triggers, move |_, _| {
            let started = watched.started.get();
            if started.is_some_and(|started| started.elapsed() > SCRIPT_TIME) {
                watched.end(out_of_time());
            }
            watched.check().map(|()| VmState::Continue)
        })?;
        Ok(Machine {
            functions: lua.create_table()?,
            lua,
            shared: shared.clone(),
            compiled: RefCell::default(),
            head: if (release.major, release.minor) >= (6, 2) {
                b"return function(...) "
            } else {
                b"return function() "
            },
        })
    }

    fn run(&self, job: &Job) -> Result<Option<Answer>, Stop> {
        self.shared.stop.replace(None);
        self.shared.random.set(Lrand48::default());
        self.shared.replicates_commands.set(false);
        self.shared.started.set(Some(Instant::now()));
        let outcome = self.call(job);
        self.shared.started.set(None);
        if let Err(error) = &outcome {
            self.shared.check_memory(error);
            if is_of_host(error) {
                self.shared
                    .unsupported("more values at once than our Lua takes");
            }
        }
        match self.shared.stop.take() {
            // Whatever the script does from here on, it cannot write.
            Some(Stop::Settled) => return Ok(None),
            Some(stop) => return Err(stop),
            None => {}
        }
        outcome
            .map_err(|error| Stop::Error(format!("ERR Error running script: {}", text_of(&error))))
    }

    fn call(&self, job: &Job) -> mlua::Result<Option<Answer>> {
        let known = self.compiled.borrow().get(&job.sha).copied();
        let script: Function = match known {
            Some(place) => self.functions.raw_get(place)?,
            None => self.keep(job.sha, self.compile(&job.body)?)?,
        };
        let globals = self.lua.globals();
        globals.raw_set("KEYS", strings(&self.lua, &job.keys)?)?;
        globals.raw_set("ARGV", strings(&self.lua, &job.args)?)?;
        let result: Value = script.call(())?;
        to_answer(&result)
    }

    /// Keeps a function for the next call of its script; when there are too many, only this one.
    fn keep(&self, sha: [u8; 20], script: Function) -> mlua::Result<Function> {
        let mut compiled = self.compiled.borrow_mut();
        if compiled.len() == COMPILED_SCRIPTS {
            compiled.clear();
            self.functions.clear()?;
        }
        let place = compiled.len() + 1;
        self.functions.raw_set(place, &script)?;
        compiled.insert(sha, place);
        Ok(script)
    }

    fn compile(&self, body: &[u8]) -> mlua::Result<Function> {
        let function = [self.head, body, b"\nend"].concat();
        let chunk = self.lua.load(function).set_name("@user_script");
        chunk.set_mode(ChunkMode::Text).call(())
    }
}

/// Whether an error is none of Lua's, but of what runs it here: no server gives it.
fn is_of_host(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::StackError => true,
        mlua::Error::CallbackError { cause, .. } => is_of_host(cause),
        _ => false,
    }
}

fn is_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_memory(cause),
        mlua::Error::RuntimeError(text) => text == "not enough memory",
        _ => false,
    }
}

fn strings(lua: &Lua, texts: &[Vec<u8>]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for text in texts {
        table.raw_push(lua.create_string(text)?)?;
    }
    Ok(table)
}

/// What the prelude builds on.
fn host(lua: &Lua, shared: &Rc<Shared>, release: Flavor) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    let state = shared.clone();
    let check = lua.create_function(move |_, ()| state.check())?;
    host.set("check", check)?;
    let state = shared.clone();
    let unsupported =
        lua.create_function(move |_, what: String| Err::<(), _>(state.unsupported(&what)))?;
    host.set("unsupported", unsupported)?;
    let state = shared.clone();
    let too_long = lua.create_function(move |_, ()| {
        Err::<(), _>(state.end(Stop::Limit("bytes of a pattern", SCRIPT_PATTERN_BYTES)))
    })?;
    host.set("pattern_too_long", too_long)?;
    host.set("max_pattern", SCRIPT_PATTERN_BYTES)?;
    // An error that pcall has caught, as scripts see it.
    let state = shared.clone();
    let caught = lua.create_function(move |lua, error: Value| {
        state.check()?;
        let text = match &error {
            Value::Error(error) => {
                state.check_memory(error);
                text_of(error)
            }
            Value::String(text) if *text.as_bytes() == *b"not enough memory" => {
                state.end(OUT_OF_MEMORY);
                String::new()
            }
            _ => return Ok(error),
        };
        state.check()?;
        Ok(Value::String(lua.create_string(text)?))
    })?;
    host.set("caught", caught)?;
    // What runs at a level: "main", "Lua" or "C".
    let what = lua.create_function(|lua, level: usize| {
        Ok(lua.inspect_stack(level, |running| running.source().what))
    })?;
    host.set("what", what)?;
    let since = |major, minor| (release.major, release.minor) >= (major, minor);
    host.set("has_bit", since(3, 0))?;
    host.set("has_dofile", !since(3, 2))?;
    // The library was replaced within 2.8, and packs some values in another way since.
    host.set("has_cmsgpack", since(3, 0))?;
    host.set("has_debug", !since(3, 0))?;
    host.set("says_nonexistent", since(5, 0))?;
    Ok(host)
}
