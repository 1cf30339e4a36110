//! Random commands of the types that DEBUG DIGEST does not cover in full: hashes with
//! field deadlines, streams with their groups, functions, vector sets.

use super::resp::{Client, Reply};
use super::rng::Rng;
use super::server::Release;

/// Sends commands to a server, and counts them.
pub(crate) struct Writer<'c> {
    pub(crate) client: &'c mut Client,
    pub(crate) release: Release,
    pub(crate) rng: Rng,
    pub(crate) commands: u64,
    pub(crate) errors: u64,
}

impl Writer<'_> {
    pub(crate) fn send(&mut self, words: &[impl AsRef<[u8]>]) -> Reply {
        self.commands += 1;
        let reply = self.client.cmd(words);
        self.errors += u64::from(reply.error().is_some());
        reply
    }

    /// Sends words parted by blanks.
    pub(crate) fn say(&mut self, command: &str) -> Reply {
        self.send(&command.split_ascii_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.rng.pick::<&'static str>(from)
    }
}

/// The next command of a hash.
pub(crate) fn hashes(writer: &mut Writer<'_>) {
    let release = writer.release;
    let key = format!("h{}", writer.rng.below(3));
    let field = |rng: &mut Rng| format!("f{}", rng.below(12));
    let number = |rng: &mut Rng| format!("n{}", rng.below(4));
    let (a, b) = (field(&mut writer.rng), field(&mut writer.rng));
    let n = number(&mut writer.rng);
    let value = writer.rng.below(1000);
    let at = 4_000_000_000_000 + writer.rng.below(1000);
    let choices = if release.has_field_ttl() { 20 } else { 8 };
    let flag = writer.pick(&["", "", "NX", "XX", "GT", "LT"]);
    let verb = writer.pick(&["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"]);
    let time = match verb {
        "HEXPIRE" => 3_000_000_000 + value,
        "HPEXPIRE" => 3_000_000_000_000 + value,
        "HEXPIREAT" => at / 1000,
        _ => at,
    };
    let option = match writer.rng.below(6) {
        0 => format!("EX {}", 3_000_000_000 + value),
        1 => format!("PX {}", 3_000_000_000_000 + value),
        2 => format!("EXAT {}", at / 1000),
        3 => format!("PXAT {at}"),
        _ => String::new(),
    };
    let command = match writer.rng.below(choices) {
        0 => format!("HSET {key} {a} {value} {b} text{value}"),
        1 => format!("HMSET {key} {a} x {a} y"),
        2 => format!("HSETNX {key} {a} {value}"),
        3 => format!("HDEL {key} {a} {b}"),
        4 => format!("HINCRBY {key} {n} {}", value as i64 - 500),
        // Redis 7.4 logs it as HSET, which loses the field's deadline when it is loaded.
        5 if !release.name.starts_with("redis-7.4") => {
            format!("HINCRBYFLOAT {key} {n} {value}.25e-1")
        }
        6 => format!("HSET {key} {n} {value}"),
        7 => format!("HDEL {key} {a} {b} {n} nothing"),
        8 if release.redis_since(8, 0) || release.valkey_since(9, 1) => {
            format!("HGETDEL {key} FIELDS 2 {a} {b}")
        }
        9 => format!("HPEXPIREAT {key} 1000 FIELDS 1 {a}"),
        10 => format!("HPERSIST {key} FIELDS 2 {a} {b}"),
        11 | 12 if release.redis_since(8, 0) || release.valkey_since(9, 0) => {
            let option = match writer.rng.below(3) {
                0 => "PERSIST",
                1 => "PXAT 1000",
                _ => &option,
            };
            format!("HGETEX {key} {option} FIELDS 2 {a} {b}")
        }
        13..=15 if release.redis_since(8, 0) || release.valkey_since(9, 0) => {
            let set_if = writer.pick(&["", "", "FNX", "FXX"]);
            let option = match writer.rng.below(5) {
                0 => "KEEPTTL",
                1 => "PXAT 1000",
                _ => &option,
            };
            format!("HSETEX {key} {set_if} {option} FIELDS 2 {a} {value} {n} {value}")
        }
        _ => format!("{verb} {key} {time} {flag} FIELDS 2 {a} {n}"),
    };
    writer.say(&command);
}

/// The next command of a stream.
pub(crate) fn streams(writer: &mut Writer<'_>) {
    let release = writer.release;
    let key = format!("x{}", writer.rng.below(3));
    let group = writer.pick(&["g", "group2"]);
    let consumer = writer.pick(&["ann", "bob", "c"]);
    let number = writer.rng.below(12);
    // Ids that are there, and one that is not.
    let ids = writer.client.cmd(&["XRANGE", &key, "-", "+"]);
    let mut ids: Vec<String> = match ids {
        Reply::Array(Some(entries)) => entries.iter().map(|e| e.items()[0].text()).collect(),
        _ => Vec::new(),
    };
    ids.push(format!("{}-7", writer.rng.below(50)));
    let some = |rng: &mut Rng| {
        let picked: Vec<_> = (0..rng.range(1, 3))
            .map(|_| rng.pick(&ids).clone())
            .collect();
        (picked.len(), picked.join(" "))
    };
    let (count, some_ids) = some(&mut writer.rng);
    let id = writer.rng.pick(&ids).clone();
    let policy = if release.redis_since(8, 2) {
        writer.pick(&["", "KEEPREF", "DELREF", "ACKED"])
    } else {
        ""
    };
    let since_6_2 = release.redis_since(6, 2);
    let trim = match writer.rng.below(if since_6_2 { 6 } else { 3 }) {
        0 => format!("MAXLEN {}", 5 + number),
        1 => format!("MAXLEN = {}", 5 + number),
        2 => format!("MAXLEN ~ {}", 5 + number),
        3 => format!("MINID {id}"),
        4 => format!("MINID ~ {id} LIMIT 100"),
        _ => format!("MAXLEN ~ {number} LIMIT 0"),
    };
    // Redis 8.6 logs another threshold for MINID ~ with DELREF than it trimmed to.
    let policy = if trim.starts_with("MINID ~") {
        ""
    } else {
        policy
    };
    let command = match writer.rng.below(34) {
        0..=6 => {
            let no_mkstream = if since_6_2 {
                writer.pick(&["", "NOMKSTREAM"])
            } else {
                ""
            };
            format!("XADD {key} {no_mkstream} * field{number} value")
        }
        7 if release.redis_since(7, 0) => format!("XADD {key} 9999999999999-* a b"),
        8 | 9 => format!("XADD {key} {trim} {policy} * a b"),
        10 => format!("XTRIM {key} {trim} {policy}"),
        11 => format!("XDEL {key} {some_ids}"),
        12 => format!("XGROUP CREATE {key} {group} {id} MKSTREAM"),
        13 if release.redis_since(7, 0) => {
            format!("XGROUP CREATE {key} {group} $ MKSTREAM ENTRIESREAD {number}")
        }
        14 if number < 3 => format!("XGROUP DESTROY {key} {group}"),
        15 if since_6_2 => format!("XGROUP CREATECONSUMER {key} {group} {consumer}"),
        16 if number < 3 => format!("XGROUP DELCONSUMER {key} {group} {consumer}"),
        17 => format!("XGROUP SETID {key} {group} {id}"),
        18 if release.redis_since(7, 0) => {
            format!("XGROUP SETID {key} {group} {id} ENTRIESREAD {number}")
        }
        19..=22 => {
            let noack = if number == 0 { "NOACK" } else { "" };
            format!("XREADGROUP GROUP {group} {consumer} COUNT 2 {noack} STREAMS {key} >")
        }
        23 => format!("XACK {key} {group} {some_ids}"),
        24 => {
            let more = writer.pick(&[
                "",
                "JUSTID",
                "FORCE",
                "FORCE JUSTID",
                "IDLE 5",
                "TIME 1000",
                "RETRYCOUNT 9",
                "TIME 9999999999999",
            ]);
            format!("XCLAIM {key} {group} {consumer} 0 {some_ids} {more}")
        }
        25 if since_6_2 => format!("XAUTOCLAIM {key} {group} {consumer} 0 {id} COUNT 3"),
        26 if release.redis_since(8, 2) => {
            format!("XDELEX {key} {policy} IDS {count} {some_ids}")
        }
        27 if release.redis_since(8, 2) => {
            format!("XACKDEL {key} {group} {policy} IDS {count} {some_ids}")
        }
        28 if release.redis_since(7, 0) => {
            format!(
                "XSETID {key} 9999999999999-{number}{number} ENTRIESADDED 500 MAXDELETEDID {id}"
            )
        }
        28 => format!("XSETID {key} 9999999999999-{number}{number}"),
        29 | 30 if release.has_stream_idmp() => {
            // Repeated at once or not at all: a rewritten log forgets trimmed messages.
            let unique = writer.commands;
            let add = match number % 4 {
                0 => format!("XADD {key} IDMPAUTO p0 {trim} * a {unique} b {number}"),
                odd => format!("XADD {key} IDMP p{} i{unique} {trim} * a b", odd % 2),
            };
            if number < 6 {
                writer.say(&add);
            }
            add
        }
        31 if release.has_stream_idmp() && number < 4 => {
            format!("XCFGSET {key} IDMP-MAXSIZE {}", 2 + number)
        }
        32 if release.redis_since(8, 4) => {
            format!("XREADGROUP GROUP {group} {consumer} COUNT 2 CLAIM 0 STREAMS {key} >")
        }
        33 => {
            writer.say("MULTI");
            writer.say(&format!("XADD {key} * in multi"));
            writer.say(&format!(
                "XREADGROUP GROUP {group} {consumer} STREAMS {key} >"
            ));
            "EXEC".to_owned()
        }
        _ => format!("XADD {key} * a b"),
    };
    writer.say(&command);
}

/// The next command about functions.
pub(crate) fn function_libraries(writer: &mut Writer<'_>) {
    let name = format!("lib{}", writer.rng.below(4));
    let number = writer.rng.below(100);
    let code = format!(
        "#!lua name={name}\nredis.register_function('{name}f', function() return {number} end)"
    );
    match writer.rng.below(7) {
        0 | 1 => writer.send(&["FUNCTION", "LOAD", &code]),
        2 | 3 => writer.send(&["FUNCTION", "LOAD", "REPLACE", &code]),
        4 => writer.send(&["FUNCTION", "DELETE", &name]),
        5 if number < 20 => writer.send(&["FUNCTION", "FLUSH"]),
        _ => {
            let dump = writer.send(&["FUNCTION", "DUMP"]).bytes();
            let policy = *writer.rng.pick(&["APPEND", "REPLACE", "FLUSH"]);
            writer.send(&["FUNCTION", "DELETE", &name]);
            writer.send(&[b"FUNCTION", &b"RESTORE"[..], &dump, policy.as_bytes()])
        }
    };
}

/// The next command of a vector set.
pub(crate) fn vector_sets(writer: &mut Writer<'_>) {
    let rng = &mut writer.rng;
    let kind = rng.below(5) as usize;
    let key = format!("v{kind}");
    let dim = [7, 64, 100, 31, 90][kind];
    let reduced = [0, 0, 0, 31, 17][kind];
    // Servers do not log a VADD that replaces a vector, so each has a name of its own.
    let new = format!("e{}", writer.commands);
    let element = format!("e{}", rng.below(writer.commands + 1));
    let number = |rng: &mut Rng| match rng.below(8) {
        0 => 0.0,
        1 => 0.5,
        // Now and then a length that no float holds.
        2 if rng.one_in(200) => -3e30,
        _ => (rng.below(2_000_001) as f64 - 1e6) / [1e6, 7e3, 1.0][rng.range(0, 2)],
    };
    let mut words = vec![b"VADD".to_vec(), key.clone().into_bytes()];
    if reduced > 0 {
        words.extend([b"REDUCE".to_vec(), reduced.to_string().into_bytes()]);
    }
    if rng.one_in(2) {
        words.extend([b"VALUES".to_vec(), dim.to_string().into_bytes()]);
        words.extend((0..dim).map(|_| number(rng).to_string().into_bytes()));
    } else {
        let blob = (0..dim).flat_map(|_| (number(rng) as f32).to_le_bytes());
        words.extend([b"FP32".to_vec(), blob.collect()]);
    }
    words.push(new.into_bytes());
    let options = ["Q8", "BIN", "NOQUANT", "Q8 M 5", "NOQUANT"][kind];
    // No CAS: Redis 8.2 aborts when it loads a log with it.
    let more = *rng.pick(&["", "EF 50", "SETATTR {\"a\":1}", "EF 9 SETATTR x"]);
    let options = options.split(' ').chain(more.split_ascii_whitespace());
    words.extend(options.map(|word| word.as_bytes().to_vec()));
    match writer.rng.below(12) {
        0 => writer.send(&["VREM", &key, &element]),
        1 => writer.send(&["VSETATTR", &key, &element, "{\"year\":1999}"]),
        2 => writer.send(&["VSETATTR", &key, &element, ""]),
        _ => writer.send(&words),
    };
}
