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
use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};
use sha1::{Digest as _, Sha1};

use super::{Answer, Event, Job, MAX_BYTES, MAX_TIME, Stop, bit, out_of_time};
use crate::num::printf17;

/// Instructions between two looks at the clock.
const HOOK_EVERY: u32 = 100_000;
/// The longest pattern of string.find and its kind.
const MAX_PATTERN: u64 = 10_000;
/// Stack of the thread: room for the recursion of the longest pattern.
pub(super) const STACK_BYTES: usize = 64 << 20;

/// What the functions of a script share.
#[derive(Default)]
struct Shared {
    stop: RefCell<Option<Stop>>,
    started: Cell<Option<Instant>>,
    random: Cell<Lrand48>,
}

impl Shared {
    /// Ends the script, unless it has ended.
    fn stop(&self, stop: Stop) {
        self.stop.borrow_mut().get_or_insert(stop);
    }

    fn is_stopped(&self) -> bool {
        self.stop.borrow().is_some()
    }
}

/// Runs scripts until nobody has one.
pub(super) fn run(jobs: &Receiver<Job>, answers: Receiver<Answer>, say: Sender<Event>) {
    let shared = Rc::new(Shared::default());
    let machine = Machine::new(&shared, answers, say.clone());
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
    compiled: RefCell<HashMap<[u8; 20], Function>>,
}

impl Machine {
    fn new(
        shared: &Rc<Shared>,
        answers: Receiver<Answer>,
        say: Sender<Event>,
    ) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(MAX_BYTES)?;
        let host = host(&lua, shared, answers, say)?;
        lua.load(include_str!("prelude.lua"))
            .set_name("@prelude")
            .call::<()>(host)?;
        let watched = shared.clone();
        let triggers = HookTriggers::new().every_nth_instruction(HOOK_EVERY);
        lua.set_hook(triggers, move |_, _| {
            let started = watched.started.get();
            if started.is_some_and(|started| started.elapsed() > MAX_TIME) {
                watched.stop(out_of_time());
            }
            match watched.is_stopped() {
                true => Err(mlua::Error::runtime("stopped")),
                false => Ok(VmState::Continue),
            }
        })?;
        Ok(Machine {
            lua,
            shared: shared.clone(),
            compiled: RefCell::default(),
        })
    }

    fn run(&self, job: &Job) -> Result<(), Stop> {
        self.shared.stop.replace(None);
        self.shared.random.set(Lrand48::default());
        self.shared.started.set(Some(Instant::now()));
        let outcome = self.call(job);
        self.shared.started.set(None);
        if let Some(stop) = self.shared.stop.take() {
            return Err(stop);
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(error) if is_memory(&error) => {
                Err(Stop::Limit("bytes of a script", MAX_BYTES as u64))
            }
            Err(error) => {
                // What follows the first line is Lua's stack.
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                Err(Stop::Error(format!("ERR Error running script: {line}")))
            }
        }
    }

    fn call(&self, job: &Job) -> mlua::Result<()> {
        let known = self.compiled.borrow().get(&job.sha).cloned();
        let script = match known {
            Some(script) => script,
            None => {
                let chunk = self.lua.load(job.body.as_slice());
                let script = chunk
                    .set_name("@user_script")
                    .set_mode(ChunkMode::Text)
                    .into_function()?;
                self.compiled.borrow_mut().insert(job.sha, script.clone());
                script
            }
        };
        let globals = self.lua.globals();
        globals.raw_set("KEYS", strings(&self.lua, &job.keys)?)?;
        globals.raw_set("ARGV", strings(&self.lua, &job.args)?)?;
        script.call::<MultiValue>(())?;
        Ok(())
    }
}

fn is_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_memory(cause),
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
fn host(
    lua: &Lua,
    shared: &Rc<Shared>,
    answers: Receiver<Answer>,
    say: Sender<Event>,
) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    let state = shared.clone();
    let stopped = lua.create_function(move |_, ()| Ok(state.is_stopped()))?;
    host.set("stopped", stopped)?;
    let state = shared.clone();
    let unsupported = lua.create_function(move |_, what: String| {
        state.stop(Stop::Unsupported(what));
        Ok(())
    })?;
    host.set("unsupported", unsupported)?;
    let state = shared.clone();
    let too_long = lua.create_function(move |_, ()| {
        state.stop(Stop::Limit("bytes of a pattern", MAX_PATTERN));
        Ok(())
    })?;
    host.set("pattern_too_long", too_long)?;
    host.set("max_pattern", MAX_PATTERN)?;
    let state = shared.clone();
    let call = lua.create_function(move |lua, args: MultiValue| {
        let words = match words(&args) {
            Ok(words) => words,
            Err(text) => return to_lua(lua, &state, Answer::Error(text.into())),
        };
        let gone = || mlua::Error::runtime("the replay has ended");
        say.send(Event::Call(words)).map_err(|_| gone())?;
        let answer = answers.recv().map_err(|_| gone())?;
        to_lua(lua, &state, answer)
    })?;
    host.set("call", call)?;
    let sha1hex = lua.create_function(|_, text: mlua::LuaString| {
        let sha: [u8; 20] = Sha1::digest(text.as_bytes()).into();
        Ok(sha.map(|byte| format!("{byte:02x}")).concat())
    })?;
    host.set("sha1hex", sha1hex)?;
    let state = shared.clone();
    let random = lua.create_function(move |_, (low, high): (Option<f64>, Option<f64>)| {
        let mut random = state.random.get();
        let drawn = random.draw();
        state.random.set(random);
        match (low, high) {
            (None, _) => Ok(drawn),
            (Some(high), None) if high >= 1.0 => Ok((drawn * high.trunc()).floor() + 1.0),
            (Some(low), Some(high)) if low <= high => {
                let (low, high) = (low.trunc(), high.trunc());
                Ok((drawn * (high - low + 1.0)).floor() + low)
            }
            _ => Err(mlua::Error::runtime("interval is empty")),
        }
    })?;
    host.set("random", random)?;
    let state = shared.clone();
    let seed = lua.create_function(move |_, seed: f64| {
        state.random.set(Lrand48::seeded(seed as i64 as u32));
        Ok(())
    })?;
    host.set("randomseed", seed)?;
    host.set("bit", bit::library(lua)?)?;
    Ok(host)
}

/// The words of a command; numbers as `%.17g` prints them.
fn words(args: &MultiValue) -> Result<Vec<Vec<u8>>, &'static str> {
    if args.is_empty() {
        return Err("Please specify at least one argument for redis.call()");
    }
    args.iter()
        .map(|arg| match arg {
            Value::String(text) => Ok(text.as_bytes().to_vec()),
            Value::Integer(n) => Ok(printf17::text(*n as f64).as_bytes().to_vec()),
            Value::Number(n) => Ok(printf17::text(*n).as_bytes().to_vec()),
            _ => Err("Lua redis() command arguments must be strings or integers"),
        })
        .collect()
}

fn to_lua(lua: &Lua, shared: &Shared, answer: Answer) -> mlua::Result<Value> {
    let single = |name: &str, text: &str| {
        let table = lua.create_table()?;
        table.raw_set(name, text)?;
        Ok(Value::Table(table))
    };
    match answer {
        Answer::Nil => Ok(Value::Boolean(false)),
        Answer::Int(n) => Ok(Value::Number(n as f64)),
        Answer::Status(text) => single("ok", text),
        Answer::Bulk(text) => Ok(Value::String(lua.create_string(text)?)),
        Answer::Array(items) => {
            let table = lua.create_table()?;
            for item in items {
                table.raw_push(to_lua(lua, shared, item)?)?;
            }
            Ok(Value::Table(table))
        }
        Answer::Error(text) => single("err", &text),
        Answer::Unsupported(what) => {
            shared.stop(Stop::Unsupported(what));
            Ok(Value::Nil)
        }
    }
}

/// The random numbers that scripts get (`rand.c redisLrand48`), the same on every run.
#[derive(Clone, Copy)]
struct Lrand48(u64);

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
