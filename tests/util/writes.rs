//! Random write commands, one at a time, over a few keys of each type, so that they
//! meet what earlier ones left. A command may fail: what matters is that the log and
//! the server agree.

use super::resp::Command;
use super::rng::Rng;
use super::server::Release;
use crate::command;

/// Makes commands.
pub(crate) struct Writes {
    pub(crate) rng: Rng,
    release: Release,
    /// Also scores of -0 and bit fields that fail, which servers hold otherwise after
    /// they load their own log.
    pub(crate) unstable: bool,
}

/// XXH3 of the value `same`, as `DIGEST` answers it.
const DIGEST_OF_SAME: &str = "877f0f22d94aaf10";

/// Far from now: nothing expires during a test.
const FAR_MS: u64 = 4_102_444_800_000;

impl Writes {
    pub(crate) fn new(release: Release, rng: Rng, unstable: bool) -> Self {
        Writes {
            rng,
            release,
            unstable,
        }
    }

    fn key(&mut self, kind: &str) -> String {
        // Now and then a key of any type.
        let kind = if self.rng.one_in(60) {
            *self
                .rng
                .pick(&["s", "h", "l", "t", "z", "b", "g", "p", "x", "v"])
        } else {
            kind
        };
        // Few keys, so that commands meet.
        let most = if self.rng.one_in(2) { 2 } else { 5 };
        format!("{kind}{}", self.rng.below(most))
    }

    fn member(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => self.rng.bytes(5),
            1 => vec![b'm'; 70],
            2..9 => self.rng.below(30).to_string().into_bytes(),
            // A few that come again and again, so that commands find them.
            9..25 => format!("m{}", self.rng.below(6)).into_bytes(),
            _ => format!("m{}", self.rng.below(40)).into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.rng.below(12) {
            0 => Vec::new(),
            1 => {
                let len = self.rng.range(16, 200);
                self.rng.bytes(len)
            }
            2 => vec![b'z'; self.rng.range(100, 3000)],
            3..6 => (self.rng.next() as i64 >> self.rng.below(60))
                .to_string()
                .into_bytes(),
            _ => {
                let len = self.rng.range(1, 12);
                self.rng.word(len)
            }
        }
    }

    fn score(&mut self) -> String {
        match self.rng.below(12) {
            0 => self
                .rng
                .pick(&[
                    "inf",
                    "-inf",
                    "1e20",
                    "1e-7",
                    "0.1",
                    "-1.5471825031341819e-78",
                ])
                .to_string(),
            1 if self.unstable => "-0".to_owned(),
            2..=4 => {
                let x = f64::from_bits(self.rng.next());
                if x.is_finite() {
                    format!("{x:e}")
                } else {
                    "3".to_owned()
                }
            }
            5 => format!("{}.{}", self.rng.below(50), self.rng.below(1000)),
            _ => (self.rng.below(40) as i64 - 20).to_string(),
        }
    }

    fn index(&mut self) -> i64 {
        self.rng.below(14) as i64 - 7
    }

    fn deadline_ms(&mut self) -> u64 {
        FAR_MS + self.rng.below(1 << 40)
    }

    /// One command of any family.
    pub(crate) fn next(&mut self) -> Command {
        match self.rng.below(20) {
            0..4 => self.string(),
            4..6 => self.bits(),
            6..9 => self.list(),
            9..11 => self.set(),
            11..15 => self.zset(),
            15 => self.hyperloglog(),
            16 => self.geo(),
            17 => self.sort(),
            _ => self.keys(),
        }
    }

    pub(crate) fn string(&mut self) -> Command {
        let key = self.key("s");
        let value = self.value();
        let ms = self.deadline_ms();
        match self.rng.below(30) {
            0..3 => command!["SET", key, value],
            3 => command!["set", key, value, "NX"],
            4 => command!["SET", key, value, "XX", "GET"],
            5 => command!["SET", key, value, "KEEPTTL"],
            6 => match self.rng.below(4) {
                0 => command!["SET", key, value, "PXAT", ms],
                1 => command!["SET", key, value, "EXAT", ms / 1000, "GET"],
                2 => command!["SET", key, value, "NX", "PX", ms / 1000],
                _ => command!["SET", key, value, "NX", "GET"],
            },
            7 => command!["SET", key, value, "EX", ms / 1000],
            8 => command!["SETEX", key, ms / 100_000, value],
            9 => command!["PSETEX", key, ms / 1000, value],
            10 => command!["SETNX", key, value],
            11 => command!["GETSET", key, value],
            12 => command!["GETDEL", key],
            13 => match self.rng.below(4) {
                0 => command!["GETEX", key, "PXAT", ms],
                1 => command!["GETEX", key, "EX", ms / 1000],
                2 => command!["GETEX", key, "PX", ms / 1000],
                _ => command!["GETEX", key, "EXAT", ms / 1000],
            },
            14 => command!["GETEX", key, "PERSIST"],
            15..17 => command!["APPEND", key, value],
            17 => command!["INCR", key],
            18 => match self.rng.below(3) {
                0 => command!["DECR", key],
                1 => command!["DECR", format!("counter{}", self.rng.below(3))],
                _ => command!["DECRBY", key, self.index()],
            },
            19 => match self.rng.below(2) {
                0 => command!["INCRBY", key, self.rng.next() as i64 >> 20],
                _ => command![
                    "INCRBY",
                    format!("counter{}", self.rng.below(3)),
                    self.index()
                ],
            },
            // Before 6.0 the log says SET, which loses the deadline that the key keeps.
            20 if !self.release.redis_since(6, 0) && !self.unstable => {
                let key = format!("counter{}", self.rng.below(3));
                command!["INCRBYFLOAT", key, "0.5"]
            }
            20 => {
                let by = *self
                    .rng
                    .pick(&["0.1", "-3.25", "1e10", "5.0e3", "100", "0.0001"]);
                command!["INCRBYFLOAT", key, by]
            }
            21 => command!["SETRANGE", key, self.rng.below(60), value],
            22 => {
                let other = self.key("s");
                let second = self.value();
                command!["MSET", key, value, other, second]
            }
            23 => {
                let new = format!("new{}", self.rng.below(1000));
                let other = format!("new{}", self.rng.below(1000));
                command!["MSETNX", new, value, other, "second"]
            }
            24 => {
                let other = self.key("s");
                let ttl = *self.rng.pick(&["KEEPTTL", "NX", "XX"]);
                command!["MSETEX", 2, key, value, other, "second", ttl]
            }
            25 => match self.rng.below(4) {
                0 => command!["MSETEX", 1, key, value, "PX", ms / 1000],
                1 => command!["MSETEX", 1, key, value, "XX", "EXAT", ms / 1000],
                2 => command!["MSETEX", 1, key, value, "PXAT", ms, "NX"],
                _ => command!["MSETEX", 1, key, value, "ex", ms / 100_000],
            },
            26 => {
                // The digests of `same` and of a value that is not there.
                let how = *self.rng.pick(&["IFEQ", "IFNE", "IFDEQ", "IFDNE", "ifdne"]);
                let with = match how.len() {
                    4 => "same",
                    _ => *self.rng.pick(&[DIGEST_OF_SAME, "0123456789abcdef"]),
                };
                match self.rng.below(4) {
                    0 => command!["SET", key, value, how, with, "PX", ms / 1000],
                    1 => command!["DELEX", key, how, with],
                    _ => command!["SET", key, value, how, with],
                }
            }
            27 => command!["SET", key, "same"],
            28 => match self.rng.below(2) {
                0 => command!["DELEX", key, "IFEQ", "same"],
                _ => command!["DELEX", key],
            },
            _ => command!["DELIFEQ", key, "same"],
        }
    }

    pub(crate) fn bits(&mut self) -> Command {
        let key = self.key("b");
        match self.rng.below(10) {
            0..3 => command!["SETBIT", key, self.rng.below(400), self.rng.below(2)],
            3 => {
                let bytes = self.rng.bytes(20);
                command!["SET", key, bytes]
            }
            4..6 => {
                let operation = *self
                    .rng
                    .pick(&["AND", "OR", "XOR", "DIFF", "DIFF1", "ANDOR", "ONE", "or"]);
                let sources = self.rng.range(1, 5);
                let mut command = command!["BITOP", operation, key];
                for _ in 0..sources {
                    command.push(self.key("b").into_bytes());
                }
                command
            }
            6 => {
                let source = self.key("b");
                command!["BITOP", "NOT", key, source]
            }
            _ => {
                let mut command = command!["BITFIELD", key];
                for _ in 0..self.rng.range(1, 4) {
                    let sign = if self.rng.one_in(2) { "i" } else { "u" };
                    let width = self.rng.range(1, 64);
                    let hash = if self.rng.one_in(2) { "#" } else { "" };
                    let offset = format!("{hash}{}", self.rng.below(12));
                    let kind = format!("{sign}{width}");
                    let number = (self.rng.next() as i64 >> self.rng.below(63)).to_string();
                    let how = if self.unstable { 3 } else { 2 };
                    let words: Vec<String> = match self.rng.below(4) {
                        0 => vec!["GET".into(), kind, offset],
                        1 => vec!["SET".into(), kind, offset, number],
                        2 => vec!["INCRBY".into(), kind, offset, number],
                        _ => {
                            let how = ["WRAP", "SAT", "FAIL"][self.rng.below(how) as usize];
                            let words = ["OVERFLOW", how, "INCRBY", &kind, &offset, &number];
                            words.map(String::from).to_vec()
                        }
                    };
                    command.extend(words.into_iter().map(String::into_bytes));
                }
                command
            }
        }
    }

    pub(crate) fn list(&mut self) -> Command {
        let key = self.key("l");
        let side = *self.rng.pick(&["LEFT", "RIGHT"]);
        let to = *self.rng.pick(&["left", "RIGHT"]);
        let item = self.member();
        let second = self.value();
        match self.rng.below(20) {
            0..3 => command!["RPUSH", key, item, second, "m1"],
            3..5 => command!["LPUSH", key, item, second, "x", "m2"],
            5 => command!["LPUSHX", key, item],
            6 => command!["RPUSHX", key, item, second],
            7 => command!["LPOP", key],
            8 => command!["RPOP", key, self.rng.below(3)],
            9 => command!["LSET", key, self.index(), second],
            10 => {
                let side = *self.rng.pick(&["BEFORE", "AFTER"]);
                command!["LINSERT", key, side, item, second]
            }
            11 => command!["LREM", key, self.index() / 2, item],
            12 => command!["LTRIM", key, self.rng.below(3), self.rng.range(3, 60)],
            13 => command!["LTRIM", key, self.index(), self.index()],
            14 => {
                let other = self.key("l");
                command!["RPOPLPUSH", key, other]
            }
            15 => {
                let other = self.key("l");
                command!["LMOVE", key, other, side, to]
            }
            16 => {
                let other = self.key("l");
                command!["LMPOP", 2, key, other, side, "COUNT", self.rng.range(1, 4)]
            }
            17 => {
                let other = self.key("l");
                command!["BLPOP", key, other, "0.01"]
            }
            18 => {
                let other = self.key("l");
                command!["BLMOVE", key, other, side, to, "0.01"]
            }
            _ => {
                let other = self.key("l");
                command!["BRPOPLPUSH", key, other, 1]
            }
        }
    }

    pub(crate) fn set(&mut self) -> Command {
        let key = self.key("t");
        let member = self.member();
        match self.rng.below(12) {
            0..5 => {
                let mut command = command!["SADD", key, member];
                for _ in 0..self.rng.below(30) {
                    command.push(self.member());
                }
                command
            }
            5 => {
                let other = self.member();
                command!["SREM", key, member, other, "none"]
            }
            6 => {
                let other = self.key("t");
                command!["SMOVE", key, other, member]
            }
            7 => command!["SPOP", key],
            8 => command!["SPOP", key, self.rng.below(40)],
            _ => {
                let name = *self.rng.pick(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
                let mut command = command![name, key];
                for _ in 0..self.rng.range(1, 4) {
                    command.push(self.key("t").into_bytes());
                }
                command
            }
        }
    }

    pub(crate) fn zset(&mut self) -> Command {
        let key = self.key("z");
        let member = self.member();
        let score = self.score();
        match self.rng.below(24) {
            0..6 => {
                let mut command = command!["ZADD", key, score, member];
                let many = if self.rng.one_in(8) { 200 } else { 12 };
                for at in 0..self.rng.below(many) {
                    command.push(self.score().into_bytes());
                    let member = if many == 200 {
                        format!("many{at}").into_bytes()
                    } else {
                        self.member()
                    };
                    command.push(member);
                }
                command
            }
            6 => {
                let flag = *self.rng.pick(&["NX", "XX", "GT", "LT", "CH"]);
                command!["ZADD", key, flag, score, member]
            }
            7 => command!["ZADD", key, "XX", "GT", "INCR", score, member],
            8..10 => command!["ZINCRBY", key, score, member],
            10 => command!["ZREM", key, member, "none"],
            11 => command!["ZREMRANGEBYRANK", key, self.index(), self.index()],
            12 => command!["ZREMRANGEBYSCORE", key, format!("({score}"), "inf"],
            13 => command!["ZREMRANGEBYSCORE", key, "-3", score],
            14 => {
                // Of one score, as ranges by members want it.
                let key = format!("y{}", self.rng.below(3));
                match self.rng.below(3) {
                    0 => command!["ZREMRANGEBYLEX", key, "[m1", "(m12"],
                    1 => {
                        let (low, high) = (self.member(), self.member());
                        let low = [b"(".to_vec(), low].concat();
                        let high = [b"[".to_vec(), high].concat();
                        command!["ZRANGESTORE", "y9", key, low, high, "BYLEX", "LIMIT", 1, 5]
                    }
                    _ => {
                        let other = self.member();
                        command!["ZADD", key, 0, member, 0, other]
                    }
                }
            }
            15 => command!["ZPOPMIN", key],
            16 => command!["ZPOPMAX", key, self.rng.below(3)],
            17 => {
                let other = self.key("z");
                let which = *self.rng.pick(&["MIN", "MAX"]);
                command!["ZMPOP", 2, key, other, which, "COUNT", 2]
            }
            18 => {
                let other = self.key("z");
                command!["BZPOPMIN", key, other, "0.01"]
            }
            19..22 => {
                let name = *self.rng.pick(&["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"]);
                let count = self.rng.range(1, 4);
                let mut command = command![name, key, count];
                for _ in 0..count {
                    let kind = if self.rng.one_in(4) { "t" } else { "z" };
                    command.push(self.key(kind).into_bytes());
                }
                if name != "ZDIFFSTORE" && self.rng.one_in(2) {
                    command.push(b"WEIGHTS".to_vec());
                    for _ in 0..count {
                        let weight = *self.rng.pick(&["1", "2.5", "-1", "0", "inf", "0.1"]);
                        command.push(weight.into());
                    }
                }
                if name != "ZDIFFSTORE" && self.rng.one_in(2) {
                    let how = *self.rng.pick(&["SUM", "min", "MAX"]);
                    command.extend([b"AGGREGATE".to_vec(), how.into()]);
                }
                command
            }
            _ => {
                let source = self.key("z");
                match self.rng.below(5) {
                    0 => command!["ZRANGESTORE", key, source, self.index(), self.index()],
                    1 => command![
                        "ZRANGESTORE",
                        key,
                        source,
                        self.index(),
                        self.index(),
                        "REV"
                    ],
                    2 => command![
                        "ZRANGESTORE",
                        key,
                        source,
                        "-5",
                        "(7",
                        "BYSCORE",
                        "LIMIT",
                        1,
                        4
                    ],
                    3 => command![
                        "ZRANGESTORE",
                        key,
                        source,
                        "+inf",
                        "-3",
                        "BYSCORE",
                        "REV",
                        "LIMIT",
                        2,
                        3
                    ],
                    _ => {
                        let source = format!("y{}", self.rng.below(3));
                        command!["ZRANGESTORE", key, source, "[m1", "+", "BYLEX"]
                    }
                }
            }
        }
    }

    pub(crate) fn hyperloglog(&mut self) -> Command {
        let key = self.key("p");
        match self.rng.below(8) {
            0..4 => {
                let mut command = command!["PFADD", key];
                let most = if self.rng.one_in(6) { 900 } else { 20 };
                for _ in 0..self.rng.below(most) {
                    command.push(self.rng.next().to_string().into_bytes());
                }
                command
            }
            4 => {
                let (a, b) = (self.key("p"), self.key("p"));
                command!["PFMERGE", key, a, b]
            }
            5 => command!["PFMERGE", key],
            6 => command!["PFCOUNT", key],
            _ => command!["PFDEBUG", "TODENSE", key],
        }
    }

    fn place(&mut self) -> (String, String) {
        let longitude = self.rng.below(360_000_000) as f64 / 1e6 - 180.0;
        let latitude = self.rng.below(170_000_000) as f64 / 1e6 - 85.0;
        (longitude.to_string(), latitude.to_string())
    }

    pub(crate) fn geo(&mut self) -> Command {
        let key = self.key("g");
        let (longitude, latitude) = self.place();
        let unit = *self.rng.pick(&["m", "km", "ft", "mi"]);
        let radius =
            self.rng.below(20_000_000) / if unit == "m" || unit == "ft" { 1 } else { 1000 };
        match self.rng.below(12) {
            0..5 => {
                let mut command = command!["GEOADD", key];
                for _ in 0..self.rng.range(1, 12) {
                    let (longitude, latitude) = self.place();
                    let member = self.member();
                    command.extend([longitude.into_bytes(), latitude.into_bytes(), member]);
                }
                command
            }
            5 => {
                let to = self.key("g");
                let store = *self.rng.pick(&["STORE", "STOREDIST"]);
                command![
                    "GEORADIUS",
                    key,
                    longitude,
                    latitude,
                    radius,
                    unit,
                    store,
                    to
                ]
            }
            6 => {
                let to = self.key("g");
                command![
                    "GEORADIUS",
                    key,
                    longitude,
                    latitude,
                    radius,
                    unit,
                    "COUNT",
                    3,
                    "DESC",
                    "STORE",
                    to
                ]
            }
            7 => {
                let to = self.key("g");
                let member = self.member();
                command!["GEORADIUSBYMEMBER", key, member, radius, unit, "STORE", to]
            }
            8 => {
                let to = self.key("g");
                command![
                    "GEOSEARCHSTORE",
                    to,
                    key,
                    "FROMLONLAT",
                    longitude,
                    latitude,
                    "BYBOX",
                    radius,
                    radius / 2,
                    unit
                ]
            }
            9 => {
                let to = self.key("g");
                let member = self.member();
                command![
                    "GEOSEARCHSTORE",
                    to,
                    key,
                    "FROMMEMBER",
                    member,
                    "BYRADIUS",
                    radius,
                    unit,
                    "ASC",
                    "COUNT",
                    4,
                    "STOREDIST"
                ]
            }
            10 if self.rng.one_in(2) => {
                // Valkey 9 only.
                let to = self.key("g");
                let corners = self.rng.range(3, 6);
                let mut command = command!["GEOSEARCHSTORE", to, key, "BYPOLYGON", corners];
                let near = self.rng.one_in(2);
                for _ in 0..corners {
                    let (longitude, latitude) = self.place();
                    let scale = if near { 20.0 } else { 1.0 };
                    for degrees in [longitude, latitude] {
                        let degrees: f64 = degrees.parse().unwrap();
                        command.push((degrees / scale).to_string().into_bytes());
                    }
                }
                if self.rng.one_in(2) {
                    command.extend([b"COUNT".to_vec(), b"4".to_vec()]);
                    command.extend(self.rng.one_in(2).then(|| b"ANY".to_vec()));
                }
                command.extend(self.rng.one_in(2).then(|| b"STOREDIST".to_vec()));
                command
            }
            10 => {
                let to = self.key("g");
                command![
                    "GEOSEARCHSTORE",
                    to,
                    key,
                    "FROMLONLAT",
                    longitude,
                    latitude,
                    "BYRADIUS",
                    radius,
                    unit,
                    "COUNT",
                    3,
                    "ANY"
                ]
            }
            _ => {
                let member = self.member();
                command!["ZREM", key, member]
            }
        }
    }

    pub(crate) fn sort(&mut self) -> Command {
        let kind = *self.rng.pick(&["l", "t", "z"]);
        let (key, to) = (self.key(kind), self.key("l"));
        match self.rng.below(8) {
            0..2 => command!["SORT", key, "ALPHA", "STORE", to],
            2 => command!["SORT", key, "STORE", to],
            3 => command!["SORT", key, "ALPHA", "DESC", "LIMIT", 1, 5, "STORE", to],
            4 => command![
                "SORT", key, "ALPHA", "GET", "#", "GET", "s*", "GET", "weight_*", "STORE", to
            ],
            5 => command!["SORT", key, "BY", "weight_*", "STORE", to],
            6 => {
                let member = self.member();
                let mut weight = b"weight_".to_vec();
                weight.extend(member);
                command!["SET", weight, self.index()]
            }
            // A set without BY has no order of its own; servers sort it all the same.
            _ => command![
                "SORT", key, "BY", "nosort", "LIMIT", 0, 3, "ALPHA", "STORE", "l0"
            ],
        }
    }

    pub(crate) fn keys(&mut self) -> Command {
        let kind = *self
            .rng
            .pick(&["s", "l", "t", "z", "p", "b", "g", "h", "x", "v"]);
        let (key, other) = (self.key(kind), self.key(kind));
        let ms = self.deadline_ms();
        match self.rng.below(24) {
            0 => command!["DEL", key, other, "none"],
            1 => command!["UNLINK", key],
            2 => command!["RENAME", key, other],
            3 => command!["RENAMENX", key, other],
            4..6 => command!["COPY", key, other, "REPLACE"],
            6 => match self.rng.below(2) {
                0 => command!["COPY", key, other, "DB", self.rng.below(4)],
                _ => command!["COPY", key, other, "REPLACE", "DB", self.rng.below(4)],
            },
            7 => command!["MOVE", key, self.rng.below(4)],
            8 => command!["PERSIST", key],
            9..12 => command!["PEXPIREAT", key, ms],
            12 => match self.rng.below(3) {
                0 => command!["EXPIRE", key, ms / 1000, "NX"],
                1 => command!["EXPIRE", key, ms / 1000, "GT"],
                _ => command!["EXPIRE", key, ms / 1000],
            },
            13 => command!["PEXPIRE", key, ms],
            14 => command!["EXPIREAT", key, ms / 1000],
            15..19 => {
                let flag = *self.rng.pick(&["NX", "XX", "GT", "LT"]);
                command!["PEXPIREAT", key, ms, flag]
            }
            19 if self.rng.one_in(3) => {
                // Where nothing much is, so that it does not end what goes on.
                let new = format!("new{}", self.rng.below(1000));
                command!["RENAMENX", key, new]
            }
            19 => command!["SWAPDB", self.rng.below(4), self.rng.below(4)],
            20 if self.rng.one_in(20) => command!["FLUSHDB"],
            20 if self.rng.one_in(40) => command!["FLUSHALL"],
            21 | 22 => {
                let db = if self.rng.one_in(2) {
                    0
                } else {
                    self.rng.below(4)
                };
                command!["SELECT", db]
            }
            _ => command!["EXPIRE", key, -5],
        }
    }
}
