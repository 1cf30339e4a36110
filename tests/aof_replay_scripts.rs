//! Logs that hold scripts instead of what they did: 2.8 to 3.2, and 5.0 and 6.2 when
//! told so. Running the scripts again gives the server's digest.

#![cfg(feature = "lua")]

mod util;

use rdbkit::aof::{AofSet, Event, LogReader};
use rdbkit::num::Flavor;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::store::digest::digest_store;
use util::rng::{self, Rng};
use util::scripts;
use util::server::{Release, Server, Start, old_servers, servers};

/// Scripts over three keys of the types string, hash and sorted set, and others.
const SCRIPTS: &[&str] = &[
    "return redis.call('SET', KEYS[1], ARGV[1])",
    "local n = tonumber(redis.call('GET', KEYS[1]) or 0) or 0; redis.call('SET', KEYS[1], n + ARGV[2] / 4); return n",
    "for i = 1, tonumber(ARGV[2]) do redis.call('HINCRBY', KEYS[2], 'f' .. i, i * 2) end; return {1, 2, nil, 3}",
    "redis.call('HSET', KEYS[2], ARGV[1], redis.sha1hex(ARGV[1])); return redis.call('HGET', KEYS[2], ARGV[1])",
    "redis.call('ZADD', KEYS[3], ARGV[2] / 3, ARGV[1], math.random(1000), 'r' .. math.random(5)); return 1",
    "local all = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'); redis.call('SET', KEYS[1], table.concat(all, ','))",
    "local v = redis.call('HMGET', KEYS[2], 'f1', 'f2', 'nothing'); redis.call('RPUSH', KEYS[4], tostring(v[1]), tostring(v[2]), tostring(v[3]))",
    "if redis.call('LLEN', KEYS[4]) > 20 then redis.call('LTRIM', KEYS[4], 0, 9) end; return redis.status_reply('DONE')",
    "redis.call('SADD', KEYS[5], ARGV[1], ARGV[2]); local m = redis.call('SMEMBERS', KEYS[5]); redis.call('SET', KEYS[1], table.concat(m, ' '))",
    "redis.call('SADD', KEYS[5], 'm'); local r = redis.pcall('INCR', KEYS[5]); if type(r) == 'table' and r.err then redis.call('APPEND', KEYS[4] .. 'x', 'E') end; return redis.error_reply('no')",
    "if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('TYPE', KEYS[1]).ok == 'string' then redis.call('APPEND', KEYS[1], string.format('%5.2f|%s', ARGV[2], KEYS[1])) end",
    "local t = {}; for w in string.gmatch('a b c d', '%a') do t[#t + 1] = w end; table.sort(t, function(a, b) return a > b end); redis.call('SET', KEYS[1], table.concat(t) .. bit.band(ARGV[2], 6))",
    "redis.call('SELECT', 3); redis.call('INCRBY', KEYS[1] .. 'n', ARGV[2]); redis.call('SELECT', 0)",
    "redis.call('INCRBYFLOAT', KEYS[1] .. 'f', 1.1); redis.call('SETEX', KEYS[1] .. 't', 100000, 3.0); error('after writing')",
    "local k = redis.call('KEYS', '*'); redis.call('SET', KEYS[1], #k .. k[1]); redis.call('DEL', KEYS[4])",
    "return redis.call('SETNX', KEYS[1], unpack({10 / 3}))",
    "local t = {v = ARGV[1], n = ARGV[2] / 3, l = {1, 2, {x = ARGV[2]}}} redis.call('SET', KEYS[1], cjson.encode(t)) redis.call('HSET', KEYS[2], 'json', cjson.decode(redis.call('GET', KEYS[1])).l[3].x)",
    "redis.call('RPUSH', KEYS[4], struct.pack('>I2d', ARGV[2], ARGV[2] / 7), struct.unpack('<i4', 'abcd'))",
    "local all = redis.call('ZREVRANGEBYSCORE', KEYS[3], '+inf', '-inf', 'WITHSCORES', 'LIMIT', 0, 3) redis.call('SET', KEYS[1], cjson.encode(all))",
    "local r = redis.call('ZRANK', KEYS[3], ARGV[1]) local s = redis.call('ZSCORE', KEYS[3], ARGV[1]) redis.call('SET', KEYS[1], tostring(r) .. tostring(s) .. redis.call('ZCOUNT', KEYS[3], 1, '(3'))",
    "local gone = {redis.call('LPOP', KEYS[4]), redis.call('RPOP', KEYS[4])} redis.call('HSET', KEYS[2], 'popped', cjson.encode(gone))",
    "redis.call('SADD', KEYS[5], math.random(20)) local u = redis.call('SUNION', KEYS[5], KEYS[5] .. '2') redis.call('SET', KEYS[1], cjson.encode(u))",
    "local v = redis.call('SORT', KEYS[5], 'ALPHA', 'DESC', 'LIMIT', 0, 4) redis.call('RPUSH', KEYS[4], cjson.encode(v), tostring(redis.call('EXISTS', KEYS[1])))",
    "redis.call('SETBIT', KEYS[1] .. 'b', ARGV[2], 1) redis.call('SET', KEYS[1], redis.call('BITCOUNT', KEYS[1] .. 'b') .. ' ' .. redis.call('BITPOS', KEYS[1] .. 'b', 1))",
    "redis.call('PFADD', KEYS[1] .. 'p', ARGV[1]) redis.call('SET', KEYS[1], redis.call('PFCOUNT', KEYS[1] .. 'p'))",
];

/// A server that logs scripts as they are.
fn start(release: Release) -> Server {
    let mut settings = vec!["--appendonly", "yes", "--appendfsync", "no"];
    if release.redis_since(5, 0) {
        settings.extend(["--lua-replicate-commands", "no"]);
    }
    Server::expect(Start::new(release).args(&settings))
}

fn round(release: Release, seed: u64) {
    let label = format!("{} with RDBKIT_SEED={seed}", release.name);
    let server = start(release);
    let mut client = server.client();
    let mut rng = Rng::new(seed);
    let keys = ["s", "h", "z", "l", "set"];
    for step in 0..200 {
        let body = *rng.pick(SCRIPTS);
        let value = String::from_utf8(rng.word(4)).unwrap();
        let number = rng.below(9).to_string();
        let sha = match rng.below(4) {
            0 => Some(client.ok(&["SCRIPT", "LOAD", body]).text()),
            _ => None,
        };
        let mut words = match &sha {
            Some(sha) => vec!["EVALSHA", sha, "5"],
            None => vec!["EVAL", body, "5"],
        };
        words.extend(keys);
        words.extend([&*value, &*number]);
        // Some scripts fail halfway, and are logged for what they did before.
        client.cmd(&words);
        if rng.one_in(40) {
            client.ok(&["SCRIPT", "FLUSH"]);
        }
        if rng.one_in(20) {
            client.ok(&["DEL", *rng.pick(&keys)]);
        }
        if step == 100 {
            server.rewrite_aof();
        }
    }
    let scripts = agree(&server, release, &label, 20);
    eprintln!("{label}: {scripts} scripts");
}

/// Replays a server's log, compares the digests, and counts the scripts in it.
fn agree(server: &Server, release: Release, label: &str, at_least: usize) -> usize {
    let set = AofSet::open(&server.aof()).unwrap();
    let files: Vec<_> = set
        .parts
        .iter()
        .map(|part| std::fs::read(&part.path).unwrap())
        .collect();
    let parts: Vec<_> = files
        .iter()
        .map(|bytes| LogPart { name: None, bytes })
        .collect();
    let mut options = ReplayOptions::default();
    options.replay.scripts = true;
    options.replay.databases = 16;
    options.replay.flavor = Flavor::redis(release.version.0 as u16, release.version.1 as u16);
    options.keep_going = true;
    let mut findings = Vec::new();
    let replayed = replay_log(&parts, &options, &mut |finding| findings.push(finding)).unwrap();
    let unexpected: Vec<_> = findings
        .iter()
        .map(|finding| format!("{finding:?}"))
        .filter(|text| !text.contains("after writing"))
        .filter(|text| !text.contains("not allowed after non deterministic"))
        // 2.8 got the library in its last patches.
        .filter(|text| !text.contains("global variable 'bit'"))
        .collect();
    assert!(unexpected.is_empty(), "{label}: {unexpected:#?}");
    let digest = digest_store(&replayed.replayer.store, options.replay.flavor, 0).unwrap();
    assert_eq!(digest.to_string(), server.digest(), "{label}: DEBUG DIGEST");
    let scripts = files
        .iter()
        .map(|bytes| count_scripts(bytes))
        .sum::<usize>();
    assert!(
        scripts > at_least,
        "{label}: only {scripts} scripts in the log"
    );
    scripts
}

fn count_scripts(log: &[u8]) -> usize {
    // Behind an RDB the first record selects a database.
    let start = log.windows(9).position(|bytes| bytes == b"*2\r\n$6\r\nS");
    let mut reader = LogReader::new(&log[start.unwrap_or(0)..], 0);
    let mut scripts = 0;
    while let Some(event) = reader.next_event() {
        if let Event::Command { args, .. } = event {
            scripts += usize::from(args[0].to_ascii_lowercase().starts_with(b"eval"));
        }
    }
    scripts
}

/// The servers that log scripts.
fn releases() -> impl Iterator<Item = Release> {
    let verbatim = |release: &Release| !release.has_functions();
    old_servers().into_iter().chain(servers()).filter(verbatim)
}

/// Every script of `tests/scripts` again, now as part of one that writes down what came of
/// it; what stands in the keys is what the log made of them.
#[test]
fn what_scripts_found_out_stands_in_the_keys() {
    for release in releases() {
        let server = start(release);
        let mut client = server.client();
        for file in ["libraries.lua", "commands.lua"] {
            for (line, body) in scripts::of(file, release) {
                if line.starts_with("!flush") {
                    continue;
                }
                // Of a command's error only the code: its text is not promised.
                let (head, body) = body.split_at(body.len() - scripts::tail_len(&line));
                let writer = format!(
                    "{head}local ok, found = pcall(function() {body}\nend) \
                     found = string.gsub(show(found), '(err.-=.-%u+) [^\"]*', '%1') \
                     redis.call('RPUSH', 'found', show(ok), found)"
                );
                client.cmd(&["EVAL", &writer, "0"]);
            }
        }
        let scripts = agree(&server, release, release.name, 400);
        eprintln!("{}: {scripts} scripts", release.name);
    }
}

#[test]
fn scripts_replay_as_servers_ran_them() {
    for seed in rng::seeds(1, 2) {
        for release in releases() {
            round(release, seed);
        }
    }
}
