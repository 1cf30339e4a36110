//! Scripts of old logs: EVAL and EVALSHA in Lua 5.1 (feature `lua`).
//!
//! Until 7.0 a server could log a script instead of what it did. It runs again here,
//! in a Lua of its own thread:
//!
//! ```text
//! replay thread                     script thread
//! Host::run -- Job(body, KEYS) -->  machine.rs: compile, run
//!           <-- Call(words) ------  redis.call
//! Replayer  --- Answer --------->
//!           <-- Done -------------
//! ```
//!
//! The keyspace stays with the replay thread, which gives up on a script that takes
//! too long, whatever it does: a hook counts Lua's instructions, but nothing stops a
//! pattern match inside Lua's own C. A thread that is given up ends by its hook, or
//! with the program.
//!
//! Scripts run as Redis 2.6 to 6.2 ran them: the release that the replay is for, or
//! else 6.2, the last that logs scripts.
//!
//! | question | file |
//! |---|---|
//! | what is in a script's world? | `machine.rs`, `prelude.lua`, `api.rs` (`redis`), `random.rs` |
//! | what do the libraries do? | `bit.rs`, `cjson.rs`, `cjson_decode.rs`, `cmsgpack.rs`, `structs.rs` |
//! | what may it call, and when? | `rules.rs` |
//! | what do read commands answer? | `replay/reads` |
//! | how do values become replies, and the other way round? | `convert.rs` |
//! | how does a library function take arguments and raise errors? | `call.rs` |
//!
//! What a server answers and this does not know (`HGETALL` of a large hash, whose order
//! is the server's, DUMP, OBJECT) ends the script as unsupported, even inside `pcall`;
//! where servers let no write follow such a command, it ends the script as if it had
//! returned, because nothing that it does afterwards can matter.

mod api;
mod bit;
mod call;
mod cjson;
mod cjson_decode;
mod cmsgpack;
mod convert;
mod machine;
mod random;
mod rules;
mod structs;

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use crate::limits::{SCRIPT_GRACE, SCRIPT_STACK_BYTES, SCRIPT_TIME};
use crate::num::Flavor;
use crate::replay::table::{self, Class};
use crate::replay::{Reject, Replayer, Reply, reads};
use crate::store::Str;
use rules::Known;

/// Values that a function can return: Lua's stack is full then.
const MAX_RESULTS: usize = 7990;

/// One script to run.
#[derive(Debug)]
struct Job {
    sha: [u8; 20],
    body: Vec<u8>,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

/// What the script's thread says.
#[derive(Debug)]
enum Event {
    /// The script calls a command.
    Call(Vec<Vec<u8>>),
    /// It asks that its commands be logged instead of itself.
    ReplicateCommands,
    /// It has ended; with no answer if that is too large, or was not waited for.
    Done(Result<Option<Answer>, Stop>),
}

/// Why a script ended early.
#[derive(Clone, Debug)]
enum Stop {
    /// As it would have on a server.
    Error(String),
    /// As it would have on a server, and after it had changed something.
    Interrupted(String),
    /// For something that is not known here.
    Unsupported(String),
    /// At a bound.
    Limit(&'static str, u64),
    /// Because nothing that it does from here on can change data.
    Settled,
}

/// What a command answers to a script.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Nil,
    Int(i64),
    Status(Vec<u8>),
    Bulk(Vec<u8>),
    Array(Vec<Answer>),
    Error(String),
    /// An error of the scripting itself, to which the place of the call belongs.
    Refused(&'static str),
    Unsupported(String),
    /// It does not matter.
    Settled,
}

impl From<Reply<'_>> for Answer {
    fn from(reply: Reply<'_>) -> Self {
        match reply {
            Reply::Ok => Answer::Status(b"OK".to_vec()),
            Reply::Nil => Answer::Nil,
            Reply::Int(n) => Answer::Int(n),
            Reply::Status(text) => Answer::Status(text),
            Reply::Bulk(text) => Answer::Bulk(text.as_bytes(&mut itoa::Buffer::new()).to_vec()),
            Reply::Array(items) => Answer::Array(items.into_iter().map(Answer::from).collect()),
            Reply::Error(text) => Answer::Error(text),
            Reply::Unread => Answer::Unsupported("the answer of a read command".into()),
        }
    }
}

impl From<Answer> for Reply<'_> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Nil => Reply::Nil,
            Answer::Int(n) => Reply::Int(n),
            Answer::Status(text) => Reply::Status(text),
            Answer::Bulk(text) => Reply::Bulk(Str::from(text)),
            Answer::Array(items) => Reply::Array(items.into_iter().map(Reply::from).collect()),
            Answer::Error(text) => Reply::Error(text),
            Answer::Refused(text) => Reply::Error(text.to_owned()),
            Answer::Unsupported(_) | Answer::Settled => Reply::Unread,
        }
    }
}

/// A thread that runs scripts.
#[derive(Debug)]
pub(crate) struct Host {
    release: Flavor,
    jobs: Sender<Job>,
    answers: Sender<Answer>,
    events: Receiver<Event>,
}

impl Host {
    fn start(release: Flavor) -> std::io::Result<Self> {
        let (jobs, next_job) = channel();
        let (answers, next_answer) = channel();
        let (say, events) = channel();
        thread::Builder::new()
            .name("script".into())
            .stack_size(SCRIPT_STACK_BYTES)
            .spawn(move || machine::run(release, &next_job, next_answer, say))?;
        Ok(Host {
            release,
            jobs,
            answers,
            events,
        })
    }

    /// Runs a script to its end; no answer within the time is a stop at a bound.
    fn run(&self, replayer: &mut Replayer<'_>, job: Job) -> Result<Option<Answer>, Stop> {
        let gone = || Stop::Unsupported("the thread that runs scripts has ended".into());
        let deadline = Instant::now() + SCRIPT_TIME + SCRIPT_GRACE;
        let mut progress = Progress::new(self.release);
        self.jobs.send(job).map_err(|_| gone())?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = match self.events.recv_timeout(left) {
                Ok(Event::Call(words)) => progress.call(replayer, &words),
                Ok(Event::ReplicateCommands) => progress.replicate_commands(),
                Ok(Event::Done(Err(Stop::Error(text)))) if progress.has_changed => {
                    return Err(Stop::Interrupted(text));
                }
                Ok(Event::Done(outcome)) => return outcome,
                Err(RecvTimeoutError::Timeout) => return Err(out_of_time()),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            };
            self.answers.send(answer).map_err(|_| gone())?;
        }
    }
}

fn out_of_time() -> Stop {
    Stop::Limit("milliseconds of a script", SCRIPT_TIME.as_millis() as u64)
}

/// What a script has done so far, on which it depends what it may do.
struct Progress {
    release: Flavor,
    /// It has called a command whose answer is not the same everywhere.
    is_random: bool,
    has_written: bool,
    /// A write of its was carried out.
    has_changed: bool,
    /// It has turned on the replication of commands, and is free of these rules.
    replicates_commands: bool,
}

impl Progress {
    fn new(release: Flavor) -> Self {
        Progress {
            release,
            is_random: false,
            has_written: false,
            has_changed: false,
            replicates_commands: false,
        }
    }

    /// Takes effect only before the first write.
    fn replicate_commands(&mut self) -> Answer {
        if self.has_written {
            return Answer::Int(0);
        }
        self.replicates_commands = true;
        Answer::Int(1)
    }

    /// Carries out a command for a script.
    fn call(&mut self, replayer: &mut Replayer<'_>, words: &[Vec<u8>]) -> Answer {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let name = words.first().copied().unwrap_or_default();
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match self.check(&name, &words) {
            Ok(()) => {}
            Err(answer) => return answer,
        }
        let outcome = match reads::find(&name) {
            Some(read) => replayer.read(read, &words),
            None => {
                let outcome = replayer.call(&words);
                self.has_changed |= outcome.is_ok();
                outcome
            }
        };
        match outcome {
            Ok(Reply::Unread) if self.is_settled() => Answer::Settled,
            Ok(Reply::Unread) => Answer::Unsupported(format!("a script that calls {name}")),
            Ok(reply) => match reply.into() {
                Answer::Array(items) if reads::is_sorted(&name) => self.sorted(items),
                answer => answer,
            },
            Err(Reject::Unsupported(_)) if self.is_settled() => Answer::Settled,
            Err(Reject::Unsupported(what)) => Answer::Unsupported(what.into_owned()),
            Err(reject) => {
                let text = reject.to_string();
                let coded = text.starts_with(|first: char| first.is_ascii_uppercase());
                Answer::Error(if coded { text } else { format!("ERR {text}") })
            }
        }
    }

    /// What comes in any order is sorted, unless the script is free of these rules.
    fn sorted(&self, mut items: Vec<Answer>) -> Answer {
        if self.replicates_commands && items.len() > 1 {
            return Answer::Unsupported("a script that asks for what only a server orders".into());
        }
        items.sort_unstable_by(|a, b| match (a, b) {
            (Answer::Bulk(a), Answer::Bulk(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        });
        Answer::Array(items)
    }

    /// Whether no write can follow.
    fn is_settled(&self) -> bool {
        self.is_random && !self.replicates_commands
    }

    /// Whether the command may be called, and what that changes.
    fn check(&mut self, name: &str, words: &[&[u8]]) -> Result<(), Answer> {
        const UNKNOWN: Answer = Answer::Refused("Unknown Redis command called from Lua script");
        let unsupported = || Err(Answer::Unsupported(format!("a script that calls {name}")));
        if name.contains('.') || rules::known(name, self.release) == Known::Never {
            return unsupported();
        }
        let command = match table::find(words) {
            Some(command) => command,
            // A container of subcommands, and one that is not known.
            None if table::find(&words[..1]).is_some() => return unsupported(),
            None => return Err(UNKNOWN),
        };
        if name == "quit" || rules::known(name, self.release) == Known::NotYet {
            return Err(UNKNOWN);
        }
        if !command.takes(words.len()) {
            return Err(Answer::Refused(
                "Wrong number of args calling Redis command From Lua script",
            ));
        }
        if !rules::is_allowed(name, self.release) {
            return Err(Answer::Refused(
                "This Redis command is not allowed from scripts",
            ));
        }
        let is_write = command.class == Class::Write && name != "pfcount";
        if is_write && self.is_settled() {
            return Err(Answer::Refused(rules::no_write_now(self.release)));
        }
        self.is_random |= rules::is_random(name, self.release);
        self.has_written |= is_write;
        Ok(())
    }
}

/// Runs a script with its keys and arguments.
///
/// # Errors
/// What the script raised, what it did that is not known here, or a bound.
pub(crate) fn eval<'a>(
    replayer: &mut Replayer<'a>,
    sha: [u8; 20],
    body: &[u8],
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
) -> Result<Reply<'a>, Reject> {
    let release = rules::release_of(replayer.options().flavor);
    let host = match replayer.scripting.take() {
        Some(host) => host,
        None => Host::start(release)
            .map_err(|_| Reject::Unsupported("no thread to run a script in".into()))?,
    };
    let body = body.to_vec();
    let job = Job {
        sha,
        body,
        keys,
        args,
    };
    // Within it the commands are that release's, and it may select another database.
    let before = replayer.enter_script(release);
    let outcome = host.run(replayer, job);
    replayer.leave_script(before);
    if !matches!(outcome, Err(Stop::Limit(..))) {
        replayer.scripting = Some(host);
    }
    match outcome {
        Ok(answer) => Ok(answer.map_or(Reply::Unread, Reply::from)),
        Err(Stop::Settled) => Ok(Reply::Unread),
        Err(Stop::Error(text)) => Err(Reject::Error(Cow::Owned(text))),
        Err(Stop::Interrupted(text)) => Err(Reject::Interrupted(Cow::Owned(text))),
        Err(Stop::Unsupported(what)) => Err(Reject::Unsupported(Cow::Owned(what))),
        Err(Stop::Limit(what, limit)) => Err(Reject::Limit { what, limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Options;

    fn replayer() -> Replayer<'static> {
        let options = Options {
            scripts: true,
            ..Options::default()
        };
        Replayer::new(options)
    }

    fn run(replayer: &mut Replayer<'_>, body: &str) -> Result<(), Reject> {
        let words = [b"EVAL", body.as_bytes(), b"1", b"k", b"5"];
        replayer.call(&words).map(|_| ())
    }

    fn value_of_k(replayer: &mut Replayer<'_>) -> Answer {
        Progress::new(rules::LAST).call(replayer, &[b"GET".to_vec(), b"k".to_vec()])
    }

    /// The value that a script leaves in the key `k`.
    fn left(body: &str) -> String {
        let mut replayer = replayer();
        run(&mut replayer, body).unwrap_or_else(|reject| panic!("{body}: {reject}"));
        match value_of_k(&mut replayer) {
            Answer::Bulk(text) => String::from_utf8_lossy(&text).into_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn scripts_see_replies_as_servers_make_them() {
        let set = |expression: &str| {
            let body = format!("local v = {expression}; redis.call('SET', KEYS[1], tostring(v))");
            left(&body)
        };
        let cases = [
            ("ARGV[1] + 1", "6"),
            ("redis.call('GET', 'none')", "false"),
            ("redis.call('SET', 'x', 1.5).ok", "OK"),
            ("redis.call('INCRBY', 'x', 7)", "7"),
            (
                "redis.call('RPUSH', 'l', 1, 'b') + #redis.call('LRANGE', 'l', 0, -1)",
                "4",
            ),
            ("redis.pcall('LPUSH', KEYS[1]).err ~= nil", "true"),
            (
                "redis.sha1hex('')",
                "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            ),
            (
                "redis.error_reply('E').err .. redis.status_reply('S').ok",
                "ES",
            ),
            ("bit.tohex(bit.bxor(0xff00ff00, 0x0ff00ff0), 4)", "f0f0"),
            ("bit.lshift(1, 31)", "-2147483648"),
            ("pcall(function() redis.call('INCR', 'l', 1) end)", "false"),
            ("pcall(function() return undefined_name end)", "false"),
            ("math.random(100)", "18"),
            ("redis.replicate_commands()", "true"),
        ];
        for (expression, expected) in cases {
            assert_eq!(set(expression), expected, "{expression}");
        }
    }

    #[test]
    fn scripts_are_off_unless_asked_for() {
        let mut replayer = Replayer::new(Options::default());
        let outcome = run(&mut replayer, "redis.call('SET', 'k', 1)");
        assert!(matches!(outcome, Err(Reject::Unsupported(_))));
        assert!(replayer.store.is_empty());
    }

    #[test]
    fn a_script_is_found_by_its_sum() {
        let mut replayer = replayer();
        run(&mut replayer, "redis.call('INCR', KEYS[1])").unwrap();
        let sha = b"efe39aef8a9d3ad5ac2dcd1cbe4ed0cbd7db5fc0".as_slice();
        let known: Vec<_> = replayer.store.scripts.keys().copied().collect();
        let hex = known[0].map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(known.len(), 1);
        let missing = replayer.call(&[b"EVALSHA", sha, b"1", b"k"]);
        assert!(matches!(missing, Err(Reject::Error(_))) || hex.as_bytes() == sha);
        assert!(
            replayer
                .call(&[b"EVALSHA", hex.as_bytes(), b"1", b"k"])
                .is_ok()
        );
        assert_eq!(value_of_k(&mut replayer), Answer::Bulk(b"2".to_vec()));
    }

    #[test]
    fn an_error_after_a_write_is_told_apart() {
        let mut replayer = replayer();
        let outcome = run(
            &mut replayer,
            "redis.call('SET', KEYS[1], 'v') redis.call('NO')",
        );
        assert!(
            matches!(outcome, Err(Reject::Interrupted(_))),
            "{outcome:?}"
        );
        assert_eq!(value_of_k(&mut replayer), Answer::Bulk(b"v".to_vec()));
        let outcome = run(&mut replayer, "redis.call('RPUSH', KEYS[1], 'v')");
        assert!(matches!(outcome, Err(Reject::Error(_))), "{outcome:?}");
    }

    #[test]
    fn scripts_cannot_leave_their_world() {
        for body in [
            "return io.open('/etc/passwd')",
            "return dofile('x')",
            "return loadfile('x')",
            "return package.path",
            "return require('x')",
            "x = 1",
            "return debug.getinfo(1)",
            "return os.clock()",
        ] {
            let outcome = run(&mut replayer(), body);
            assert!(
                matches!(outcome, Err(Reject::Error(_))),
                "{body}: {outcome:?}"
            );
        }
    }

    #[test]
    fn what_is_not_known_ends_a_script_even_in_pcall() {
        for body in [
            "pcall(function() return string.dump(print) end) redis.call('SET', 'k', 1)",
            "pcall(loadstring, string.char(27) .. 'Lua') redis.call('SET', 'k', 1)",
            "pcall(collectgarbage, 'count') redis.call('SET', 'k', 1)",
            "pcall(newproxy) redis.call('SET', 'k', 1)",
            "redis.pcall('LOLWUT') redis.call('SET', 'k', 1)",
            "redis.pcall('JSON.SET', 'k', '.', '1') redis.call('SET', 'k', 1)",
            "redis.replicate_commands() redis.pcall('SCAN', 0) redis.call('SET', 'k', 1)",
            "coroutine.wrap(function() redis.pcall('LCS', 'a', 'b') end)() redis.call('SET', 'k', 1)",
        ] {
            let mut replayer = replayer();
            let outcome = run(&mut replayer, body);
            assert!(
                matches!(outcome, Err(Reject::Unsupported(_))),
                "{body}: {outcome:?}"
            );
            assert!(replayer.store.is_empty(), "{body}");
        }
    }

    #[test]
    fn nothing_is_written_after_chance() {
        for body in [
            "redis.call('SET', 'a', 1) redis.call('RANDOMKEY') redis.call('SET', 'k', 1)",
            "redis.call('SET', 'a', 1) redis.call('TIME') while true do redis.pcall('SET', 'k', 1) end",
        ] {
            let mut replayer = replayer();
            run(&mut replayer, body).unwrap_or_else(|reject| panic!("{body}: {reject}"));
            assert_eq!(replayer.store.len(), 1, "{body}");
        }
    }

    #[test]
    fn endless_and_greedy_scripts_end_at_a_bound() {
        let bodies = [
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "while true do xpcall(function() while true do end end, function() return 1 end) end",
            "local f = coroutine.wrap(function() while true do pcall(function() while true do end end) end end) while true do pcall(f) end",
            "while true do pcall(coroutine.resume, coroutine.create(function() while true do end end)) end",
            "local t = {} while true do t[#t + 1] = string.rep('x', 1000000) .. #t end",
            "local t = {} while true do pcall(function() while true do t[#t + 1] = string.rep('x', 1000000) .. #t end end) end",
            "return string.find(string.rep('a', 200000), string.rep('a?', 200000) .. 'b')",
            "return string.find(string.rep('a', 9999), string.rep('a?', 4990) .. 'b')",
            "return pcall(string.rep, 'x', 2000000000)",
            "local s = 'x' for i = 1, 40 do s = s .. s end",
            "local t = {} for i = 1, 64 do t = {t, t} end return cjson.encode(t)",
            "local t = {} for i = 1, 15 do t = {t, t, t, t, t, t, t, t} end return cmsgpack.pack(t)",
            "cjson.encode_sparse_array(false, 0, 0) return cjson.encode({[2000000000] = 1})",
        ];
        // Those that end by the clock wait together.
        for bodies in bodies.chunks(4) {
            thread::scope(|scope| {
                for body in bodies {
                    scope.spawn(|| ends_at_a_bound(body));
                }
            });
        }
    }

    fn ends_at_a_bound(body: &str) {
        let started = Instant::now();
        let outcome = run(&mut replayer(), body);
        let bounded = matches!(outcome, Err(Reject::Limit { .. }));
        assert!(bounded, "{body}: {outcome:?}");
        assert!(started.elapsed() < SCRIPT_TIME + 4 * SCRIPT_GRACE, "{body}");
    }

    #[test]
    fn deep_scripts_end_as_on_servers() {
        for body in [
            "local function f() return 1 + f() end f()",
            "local function f() coroutine.wrap(f)() end f()",
            "local function f() string.gsub('x', 'x', f) end f()",
            "local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
            "return cjson.decode(string.rep('[', 1000000))",
            "cjson.decode_max_depth(2000000) return cjson.decode(string.rep('[', 1000000))",
            "cjson.encode_max_depth(2000000) local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
            "return cmsgpack.unpack(string.rep('\\145', 1000000))",
            "return cmsgpack.unpack(string.rep('\\129', 1000000))",
            "return loadstring(string.rep('(', 100000))()",
            "return loadstring('return ' .. string.rep('{', 100000))()",
        ] {
            let outcome = run(&mut replayer(), body);
            assert!(
                matches!(outcome, Err(Reject::Error(_))),
                "{body}: {outcome:?}"
            );
        }
        // What is returned is only looked at.
        for body in [
            "local t = {} t[1] = t return t",
            "local t = {} for i = 1, 64 do t = {t, t} end return t",
        ] {
            assert_eq!(run(&mut replayer(), body), Ok(()), "{body}");
        }
    }
}
