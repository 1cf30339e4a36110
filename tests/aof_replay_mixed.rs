//! Every write command of every server in one log: all types, options and databases,
//! transactions, scripts, functions, clients that wait, a rewrite in the middle. What
//! replaying the log gives equals DEBUG DIGEST, the server's own RDB, and the RDB of a
//! server that has loaded the log, also in what the digest does not cover: deadlines,
//! groups, pending entries, functions. That server answers the same about them, too.

mod util;

use std::collections::{BTreeMap, BTreeSet};

use rdbkit::store::digest::digest_store;
use util::asked::differences;
use util::every::EVERY;
use util::families::{Writer, function_libraries, hashes, streams, vector_sets};
use util::replayed::{describe, flavor, names, parts, replay};
use util::resp::{Client, Command, Reply, encode};
use util::rng::{self, Rng};
use util::server::{Family, Release, Server, Start, old_servers, servers};
use util::writes::Writes;

/// Runs the commands in its arguments, each behind the number of its words.
const SCRIPT: &str = "local at = 1 while at <= #ARGV do local n = tonumber(ARGV[at]) \
     redis.pcall(unpack(ARGV, at + 1, at + n)) at = at + n + 1 end";

/// A server with what writes to it.
struct Session<'s> {
    writer: Writer<'s>,
    writes: Writes,
    /// Two more clients: one waits for what the other brings.
    waiting: Client,
    bringing: Client,
    has_vectors: bool,
}

impl Session<'_> {
    fn step(&mut self) {
        let release = self.writer.release;
        match self.writer.rng.below(30) {
            0..3 => {
                let begun = self.writer.send(&["MULTI"]);
                assert!(begun.error().is_none());
                for _ in 0..self.writer.rng.range(1, 5) {
                    self.command();
                }
                self.writer.send(&["EXEC"]);
            }
            // Redis 6.2.14 corrupts its heap under such scripts.
            3..5 if release.redis_since(5, 0) && release.version.0 != 6 => self.script(),
            5 => self.wait(),
            6 => self.restore(),
            _ => self.command(),
        }
    }

    fn command(&mut self) {
        let release = self.writer.release;
        match self.writer.rng.below(20) {
            0..3 => hashes(&mut self.writer),
            3..7 if release.has_streams() => streams(&mut self.writer),
            7 if release.has_functions() => function_libraries(&mut self.writer),
            8 if self.has_vectors => vector_sets(&mut self.writer),
            _ => {
                let command = self.writes.next();
                self.writer.send(&command);
            }
        }
    }

    /// Commands of a script, or of a function.
    fn script(&mut self) {
        let mut words = Vec::new();
        for _ in 0..self.writer.rng.range(1, 4) {
            let command = self.writes.next();
            words.push(command.len().to_string().into_bytes());
            words.extend(command);
        }
        let mut call: Command = command!["EVAL", SCRIPT, 0];
        if self.writer.release.has_functions() && self.writer.rng.one_in(2) {
            let code = format!(
                "#!lua name=calls\nredis.register_function('calls', function(KEYS, ARGV) {SCRIPT} end)"
            );
            self.writer.send(&["FUNCTION", "LOAD", "REPLACE", &code]);
            call = command!["FCALL", "calls", 0];
        }
        call.extend(words);
        let reply = self.writer.send(&call);
        assert!(reply.error().is_none(), "{reply:?}");
    }

    /// A client that waits until another brings what it waits for.
    fn wait(&mut self) {
        let release = self.writer.release;
        let number = self.writer.rng.below(3);
        let list = format!("waitl{number}");
        let (zset, other) = (format!("waitz{number}"), format!("waitl{}", number + 1));
        let has_zpop = release.redis_since(5, 0);
        let has_mpop = release.redis_since(7, 0);
        let push = command!["RPUSH", list, "a", "b", "c"];
        let add = command!["ZADD", zset, 1, "a", 2, "b", 3, "c"];
        let (wait, bring) = match self.writer.rng.below(8) {
            0 => (command!["BRPOP", list, 1], push),
            1 => (command!["BRPOPLPUSH", list, other, 1], push),
            2 if release.redis_since(6, 2) => {
                (command!["BLMOVE", list, other, "LEFT", "RIGHT", 1], push)
            }
            3 if has_mpop => (command!["BLMPOP", 1, 1, list, "RIGHT", "COUNT", 2], push),
            4 if has_mpop => (command!["BZMPOP", 1, 1, zset, "MAX", "COUNT", 2], add),
            5 if has_zpop => (command!["BZPOPMAX", zset, 1], add),
            6 if has_zpop => (command!["BZPOPMIN", zset, 1], add),
            7 if release.has_streams() => {
                let stream = format!("waitx{number}");
                let group = command!["XGROUP", "CREATE", stream, "g", "$", "MKSTREAM"];
                self.bringing.cmd(&group);
                let wait = command![
                    "XREADGROUP",
                    "GROUP",
                    "g",
                    "ann",
                    "BLOCK",
                    1000,
                    "STREAMS",
                    stream,
                    ">"
                ];
                (wait, command!["XADD", stream, "*", "f", "v"])
            }
            _ => (command!["BLPOP", list, 1], push),
        };
        let mut wire = Vec::new();
        encode(&wait, &mut wire);
        self.waiting.send_raw(&wire).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
        self.bringing.cmd(&bring);
        self.waiting.read_reply().unwrap();
    }

    /// Copies a key by way of its payload.
    fn restore(&mut self) {
        let rng = &mut self.writer.rng;
        let from = *rng.pick(&["s1", "l1", "t1", "z1", "h1", "x1", "p1", "g1", "b1", "v3"]);
        let to = *rng.pick(&["s0", "l0", "t0", "z0", "h0", "x0", "new"]);
        let new = format!("new{}", rng.below(1000));
        let payload = self.writer.send(&["DUMP", from]);
        let Reply::Bulk(Some(payload)) = payload else {
            return;
        };
        let mut command = match to {
            "new" => command!["RESTORE", new, 0, payload],
            to => command!["RESTORE", to, 0, payload, "REPLACE"],
        };
        if self.writer.rng.one_in(4) {
            command[0] = b"RESTORE-ASKING".to_vec();
        }
        if self.writer.rng.one_in(2) && self.writer.release.redis_since(5, 0) {
            command[2] = b"4102444900000".to_vec();
            command.push(b"ABSTTL".to_vec());
        }
        if self.writer.rng.one_in(3) {
            command.push(b"IDLETIME".to_vec());
            command.push(b"100".to_vec());
        }
        self.writer.send(&command);
    }
}

fn assert_same(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>, label: &str) {
    for key in ours.keys().chain(theirs.keys()) {
        let text = |all: &BTreeMap<String, String>| all.get(key).cloned().unwrap_or_default();
        let (ours, theirs) = (text(ours), text(theirs));
        if ours != theirs {
            let both = ours.chars().zip(theirs.chars());
            let same = both.take_while(|(a, b)| a == b).count();
            // What is equal is long and says nothing.
            let show = |text: &str| {
                text.chars()
                    .skip(same.saturating_sub(80))
                    .take(300)
                    .collect()
            };
            let (ours, theirs): (String, String) = (show(&ours), show(&theirs));
            panic!("{label}: {key}: from character {same}\nreplayed {ours}\nserver   {theirs}");
        }
    }
}

/// Every key but streams: of those a server's file says more than its log.
fn without_streams(lines: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let lines = lines.iter();
    lines
        .filter(|(_, text)| !text.contains("\n  last "))
        .map(|(key, text)| (key.clone(), text.clone()))
        .collect()
}

/// Only whether there is a deadline: old servers compute it again for the log, some of
/// them when they load it, and a moment has passed.
fn without_times(lines: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let rough = |text: String| match text.split_once(") ") {
        Some((_, rest)) if text.starts_with("expires Some(") => format!("expires {rest}"),
        _ => text,
    };
    let lines = lines.into_iter();
    lines.map(|(key, text)| (key, rough(text))).collect()
}

/// One round; gives the names of the commands in the log.
fn round(release: Release, preamble: &str, seed: u64) -> BTreeSet<String> {
    let label = format!("{} preamble {preamble}, RDBKIT_SEED={seed}", release.name);
    println!("{label}");
    let mut settings = vec!["--appendonly", "yes", "--appendfsync", "no"];
    // Before 4.0 there is no preamble.
    if release.redis_since(4, 0) {
        settings.extend(["--aof-use-rdb-preamble", preamble]);
    }
    let server = Server::expect(Start::new(release).args(&settings));
    let mut client = server.client();
    let mut session = Session {
        writer: Writer {
            client: &mut client,
            release,
            rng: Rng::new(seed),
            commands: 0,
            errors: 0,
        },
        writes: Writes::new(release, Rng::new(seed).fork("writes"), false),
        waiting: server.client(),
        bringing: server.client(),
        // Servers crash when they rewrite a vector set as commands.
        has_vectors: release.has_vector_sets() && preamble == "yes",
    };
    for client in [&mut session.waiting, &mut session.bringing] {
        client.ok(&["SELECT", "2"]);
    }
    for line in EVERY {
        session.writer.say(line);
    }
    if release.has_functions() {
        for _ in 0..5 {
            function_libraries(&mut session.writer);
        }
    }
    if session.has_vectors {
        let vectors = [
            "VADD v:e VALUES 3 1 2 3 one",
            "VADD v:e VALUES 3 3 2 1 two SETATTR {}",
            "VSETATTR v:e one {\"a\":1}",
            "VREM v:e two",
        ];
        for line in vectors {
            session.writer.say(line);
        }
    }
    session.writer.say("RPUSH e:dumped a b");
    let payload = session.writer.say("DUMP e:dumped").bytes();
    for name in ["RESTORE", "RESTORE-ASKING"] {
        let command = command![name, format!("e:{name}"), 0, payload];
        session.writer.send(&command);
    }
    let mut seen = BTreeSet::new();
    for stage in 0..3 {
        for _ in 0..200 {
            session.step();
        }
        if stage == 1 {
            seen.extend(names(&parts(&server.aof())));
            server.rewrite_aof();
        }
    }
    drop(session);
    let aof = parts(&server.aof());
    seen.extend(names(&aof));
    let counters = release.has_stream_counters();
    let keep = Keep {
        server: &server,
        label: &label,
    };
    let ours = replay(&aof, &release, &label);
    let digest = |store| {
        let digest = digest_store(store, flavor(&release), i64::MIN);
        digest.unwrap().to_string()
    };
    let expected = server.digest();
    let rdb = vec![std::fs::read(server.save()).unwrap()];
    let live = replay(&rdb, &release, &format!("{label}, RDB"));
    let mut both = [&ours, &live].map(|store| without_streams(&describe(store, counters)));
    if !release.redis_since(6, 2) {
        both = both.map(without_times);
    }
    assert_same(&both[0], &both[1], &format!("{label}, RDB"));
    assert_eq!(digest(&ours), expected, "{label}: DEBUG DIGEST");
    assert_eq!(digest(&live), expected, "{label}: DEBUG DIGEST of the RDB");
    let second = Server::load_aof(release, &server.aof())
        .unwrap_or_else(|log| panic!("{label}: refuses its own log:\n{log}"));
    let otherwise = differences(&ours, &second, &release);
    assert!(otherwise.is_empty(), "{label}:\n{}", otherwise.join("\n"));
    let rdb = vec![std::fs::read(second.save()).unwrap()];
    let loaded = replay(&rdb, &release, &format!("{label}, RDB after loading"));
    let mut both = [&ours, &loaded].map(|store| describe(store, counters));
    if !release.redis_since(5, 0) {
        both = both.map(without_times);
    }
    assert_same(&both[0], &both[1], &format!("{label}, RDB after loading"));
    std::mem::forget(keep);
    seen
}

/// Keeps the log when a round fails.
struct Keep<'s> {
    server: &'s Server,
    label: &'s str,
}

impl Drop for Keep<'_> {
    fn drop(&mut self) {
        let kept = std::env::temp_dir().join(format!("rdbkit-{}", self.server.release.name));
        let _ = std::fs::remove_dir_all(&kept);
        let _ = std::process::Command::new("cp")
            .args([
                "-r".as_ref(),
                self.server.aof().as_os_str(),
                kept.as_os_str(),
            ])
            .status();
        eprintln!("{}: the log is kept in {}", self.label, kept.display());
    }
}

fn rounds_of(releases: Vec<Release>) {
    for release in releases {
        let mut seen = BTreeSet::new();
        for seed in rng::seeds(1, 1) {
            for preamble in ["no", "yes"] {
                seen.extend(round(release, preamble, seed));
            }
        }
        let missing = unseen(release, &seen);
        assert!(
            missing.is_empty(),
            "{}: not logged: {missing:?}",
            release.name
        );
        eprintln!("{}: {} commands in the logs", release.name, seen.len());
    }
}

/// Why a command never stands in a log under its own name.
fn goes_by_another_name(release: Release, name: &str) -> Option<&'static str> {
    let is_redis = release.family == Family::Redis;
    Some(match name {
        "blpop" | "brpop" | "blmove" | "blmpop" | "brpoplpush" | "bzpopmin" | "bzpopmax"
        | "bzmpop" => "as the command that does not wait",
        "lmpop" | "zmpop" => "as LPOP, RPOP, ZPOPMIN, ZPOPMAX",
        "spop" => "as SREM or DEL, since chance chose",
        "getdel" | "delifeq" => "as DEL",
        "getex" => "as PEXPIREAT, PERSIST or DEL",
        "getset" if release.redis_since(6, 2) => "as SET",
        "setex" | "psetex" => "as SET, and PEXPIREAT before 6.2",
        "expire" | "pexpire" | "expireat" => "as PEXPIREAT",
        "incrbyfloat" => "as SET",
        "hincrbyfloat" => "as HSET or HSETEX",
        "hexpire" | "hpexpire" | "hexpireat" => "as HPEXPIREAT",
        "hgetex" => "as HPEXPIREAT, HPERSIST or HDEL",
        "hgetdel" if is_redis => "as HDEL",
        "geoadd" => "as ZADD",
        "xreadgroup" | "xautoclaim" => "as XCLAIM and XGROUP SETID",
        "migrate" => "as DEL; wants a second server",
        "restore-asking" if release.redis_since(7, 0) => "as RESTORE",
        "trimslots" | "cluster|flushslot" => "of a cluster, which has its own test",
        _ => return None,
    })
}

/// The write commands of a server that stand in none of its logs.
fn unseen(release: Release, seen: &BTreeSet<String>) -> Vec<String> {
    let server = Server::start(release, &[]);
    let mut missing = Vec::new();
    let mut look = |entry: &Reply| {
        let entry = entry.items();
        let writes = entry[2].items().iter().any(|flag| flag.text() == "write");
        let name = entry[0].text().to_ascii_lowercase();
        let is_container = entry.get(9).is_some_and(|list| !list.items().is_empty());
        // Before 7.0 subcommands have no entries of their own.
        let is_seen = seen.contains(&name) || seen.iter().any(|seen| in_container(seen, &name));
        if writes && !is_container && !is_seen && goes_by_another_name(release, &name).is_none() {
            missing.push(name);
        }
    };
    for entry in server.client().ok(&["COMMAND"]).items() {
        look(entry);
        for subcommand in entry.items().get(9).map_or(&[][..], Reply::items) {
            look(subcommand);
        }
    }
    missing.sort();
    missing
}

fn in_container(name: &str, container: &str) -> bool {
    name.split_once('|')
        .is_some_and(|(first, _)| first == container)
}

#[test]
fn logs_of_everything_replay_as_servers_load_them() {
    rounds_of(servers());
}

#[test]
fn old_logs_of_everything_replay_as_servers_load_them() {
    rounds_of(old_servers());
}

/// A server with the cluster on that owns all slots.
fn cluster(release: Release) -> Server {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let bus = free.local_addr().unwrap().port().to_string();
    drop(free);
    let settings = ["--cluster-enabled", "yes", "--cluster-port", &bus];
    let log = ["--appendonly", "yes", "--appendfsync", "no"];
    let start = Start::new(release).tcp().args(&log);
    let server = Server::expect(start.args(&settings));
    let mut client = server.client();
    client.ok(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while client.cmd(&["SET", "first", "1"]).error().is_some() {
        assert!(std::time::Instant::now() < until, "{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server
}

#[test]
fn slots_go_as_clusters_drop_them() {
    let drops_slots = |release: &Release| release.redis_since(8, 4) || release.valkey_since(9, 0);
    for release in servers().into_iter().filter(drops_slots) {
        let server = cluster(release);
        let mut client = server.client();
        for number in 0..300 {
            let keys = [
                format!("k{number}"),
                format!("{{tag{}}}{number}", number % 7),
            ];
            for key in keys {
                client.ok(&["SET", &key, "x"]);
            }
        }
        let drop_slots = match release.family {
            Family::Redis => {
                client.ok(&["CLUSTER", "DELSLOTSRANGE", "0", "9000"]);
                vec![command!["TRIMSLOTS", "RANGES", 2, 0, 4000, 8000, 9000]]
            }
            Family::Valkey => (0..600)
                .map(|slot| command!["CLUSTER", "FLUSHSLOT", slot * 27, "SYNC"])
                .collect(),
        };
        let before = client.ok(&["DBSIZE"]).int();
        for command in drop_slots {
            client.ok(&command);
        }
        let gone = before - client.ok(&["DBSIZE"]).int();
        assert!(gone > 5, "{}: {gone} keys gone", release.name);
        let aof = parts(&server.aof());
        let logged = names(&aof);
        let name = ["trimslots", "cluster|flushslot"];
        assert!(name.iter().any(|name| logged.contains(*name)), "{logged:?}");
        let store = replay(&aof, &release, release.name);
        let digest = digest_store(&store, flavor(&release), i64::MIN).unwrap();
        assert_eq!(digest.to_string(), server.digest(), "{}", release.name);
    }
}
