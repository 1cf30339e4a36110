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
//! | question | file |
//! |---|---|
//! | what is in a script's world? | `machine.rs`, `prelude.lua` |
//! | what do read commands answer? | `reads.rs` |
//!
//! What a server answers and this does not know (`HGETALL` of several fields, whose
//! order is the server's, SRANDMEMBER, the libraries cmsgpack and struct) ends the
//! script as unsupported, even inside `pcall`.

mod bit;
mod machine;
mod reads;

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::replay::{Reject, Replayer, Reply};

/// How long a script may take.
const MAX_TIME: Duration = Duration::from_secs(5);
/// How long after that its thread is waited for.
const GRACE: Duration = Duration::from_millis(500);
/// What a script and the libraries may allocate.
const MAX_BYTES: usize = 256 << 20;

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
    /// It has ended.
    Done(Result<(), Stop>),
}

/// Why a script ended early.
#[derive(Clone, Debug)]
enum Stop {
    /// As it would have on a server.
    Error(String),
    /// For something that is not known here.
    Unsupported(String),
    /// At a bound.
    Limit(&'static str, u64),
}

/// What a command answers to a script.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Nil,
    Int(i64),
    Status(&'static str),
    Bulk(Vec<u8>),
    Array(Vec<Answer>),
    Error(String),
    Unsupported(String),
}

impl From<Reply<'_>> for Answer {
    fn from(reply: Reply<'_>) -> Self {
        match reply {
            Reply::Ok => Answer::Status("OK"),
            Reply::Nil => Answer::Nil,
            Reply::Int(n) => Answer::Int(n),
            Reply::Bulk(text) => Answer::Bulk(text.as_bytes(&mut itoa::Buffer::new()).to_vec()),
            Reply::Array(items) => Answer::Array(items.into_iter().map(Answer::from).collect()),
            Reply::Unread => Answer::Unsupported("the answer of a read command".into()),
        }
    }
}

/// A thread that runs scripts.
#[derive(Debug)]
pub(crate) struct Host {
    jobs: Sender<Job>,
    answers: Sender<Answer>,
    events: Receiver<Event>,
}

impl Host {
    fn start() -> std::io::Result<Self> {
        let (jobs, next_job) = channel();
        let (answers, next_answer) = channel();
        let (say, events) = channel();
        thread::Builder::new()
            .name("script".into())
            .stack_size(machine::STACK_BYTES)
            .spawn(move || machine::run(&next_job, next_answer, say))?;
        Ok(Host {
            jobs,
            answers,
            events,
        })
    }

    /// Runs a script to its end; no answer within the time is a stop at a bound.
    fn run(&self, replayer: &mut Replayer<'_>, job: Job) -> Result<(), Stop> {
        let gone = || Stop::Unsupported("the thread that runs scripts has ended".into());
        let deadline = Instant::now() + MAX_TIME + GRACE;
        self.jobs.send(job).map_err(|_| gone())?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Call(words)) => {
                    let answer = call(replayer, &words);
                    self.answers.send(answer).map_err(|_| gone())?;
                }
                Ok(Event::Done(outcome)) => return outcome,
                Err(RecvTimeoutError::Timeout) => return Err(out_of_time()),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }
}

fn out_of_time() -> Stop {
    Stop::Limit("milliseconds of a script", MAX_TIME.as_millis() as u64)
}

/// Carries out a command for a script.
fn call(replayer: &mut Replayer<'_>, words: &[Vec<u8>]) -> Answer {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    if let Some(answer) = reads::answer(replayer, &words) {
        return answer;
    }
    match replayer.call(&words) {
        Ok(Reply::Unread) => {
            let name = words.first().copied().unwrap_or_default();
            Answer::Unsupported(format!("a script that calls {}", name.escape_ascii()))
        }
        Ok(reply) => reply.into(),
        Err(Reject::Unsupported(what)) => Answer::Unsupported(what.into_owned()),
        Err(reject) => {
            let text = reject.to_string();
            let coded = text.starts_with(|first: char| first.is_ascii_uppercase());
            Answer::Error(if coded { text } else { format!("ERR {text}") })
        }
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
    let host = match replayer.scripting.take() {
        Some(host) => host,
        None => {
            Host::start().map_err(|_| Reject::Unsupported("no thread to run a script in".into()))?
        }
    };
    let body = body.to_vec();
    let job = Job {
        sha,
        body,
        keys,
        args,
    };
    let outcome = host.run(replayer, job);
    if !matches!(outcome, Err(Stop::Limit(..))) {
        replayer.scripting = Some(host);
    }
    match outcome {
        // Logs have no use for the answer.
        Ok(()) => Ok(Reply::Nil),
        Err(Stop::Error(text)) => Err(Reject::Error(Cow::Owned(text))),
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

    /// The value that a script leaves in the key `k`.
    fn left(body: &str) -> String {
        let mut replayer = replayer();
        run(&mut replayer, body).unwrap_or_else(|reject| panic!("{body}: {reject}"));
        match reads::answer(&mut replayer, &[b"GET", b"k"]) {
            Some(Answer::Bulk(text)) => String::from_utf8_lossy(&text).into_owned(),
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
            ("loadstring(string.char(27) .. 'Lua')", "nil"),
            ("pcall(function() return undefined_name end)", "false"),
            ("math.random(100)", "18"),
            ("redis.replicate_commands()", "false"),
        ];
        for (expression, expected) in cases {
            assert_eq!(set(expression), expected, "{expression}");
        }
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
        let value = reads::answer(&mut replayer, &[b"GET", b"k"]);
        assert_eq!(value, Some(Answer::Bulk(b"2".to_vec())));
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
            "return string.dump(function() end)",
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
            "pcall(function() return cjson.encode({}) end) redis.call('SET', 'k', 1)",
            "redis.pcall('SRANDMEMBER', 'k') redis.call('SET', 'k', 1)",
            "pcall(redis.call, 'SCAN', 0) redis.call('SET', 'k', 1)",
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
    fn endless_and_greedy_scripts_end_at_a_bound() {
        for body in [
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "local t = {} while true do t[#t + 1] = string.rep('x', 1000000) .. #t end",
            "return string.find(string.rep('a', 200000), string.rep('a?', 200000) .. 'b')",
            "return string.find(string.rep('a', 9999), string.rep('a?', 4990) .. 'b')",
            "return string.rep('x', 2000000000)",
        ] {
            let started = Instant::now();
            let outcome = run(&mut replayer(), body);
            let bounded = matches!(outcome, Err(Reject::Limit { .. } | Reject::Error(_)));
            assert!(bounded, "{body}: {outcome:?}");
            assert!(started.elapsed() < MAX_TIME + 4 * GRACE, "{body}");
        }
    }
}
