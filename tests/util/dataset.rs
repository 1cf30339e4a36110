//! Fills a server with random data of every type in every encoding it can produce.
//!
//! The commands follow from the seed alone; only what a server draws itself (`*` stream
//! ids, delivery times of `XREADGROUP`, hash order, the graph of a vector set) differs
//! between two runs. Deadlines are absolute and years ahead, because a key that has
//! expired and is not yet reclaimed counts in `DEBUG DIGEST` and is left out of files.

use super::resp::{Client, Command, shown_command};
use super::rng::Rng;
use super::server::Release;
use crate::command;

/// What to fill in, and how much.
#[derive(Clone, Debug)]
pub(crate) struct FillOptions {
    /// Random keys of each kind in each database, beside the fixed ones.
    pub(crate) per_kind: usize,
    /// One pass for each; the thresholds differ from pass to pass.
    pub(crate) databases: Vec<u32>,
    /// Values of the loadable modules, if they are loaded.
    pub(crate) modules: bool,
    /// Vector sets, where the release has them.
    pub(crate) vector_sets: bool,
    /// Scores of -0, which newer servers lose on reload when they sit in a listpack.
    /// Only in sorted sets that stay skip lists.
    pub(crate) negative_zero: bool,
    /// Idle times or access frequencies, which switch the eviction policy.
    pub(crate) eviction_data: bool,
    /// Producers' message ids in streams; the release adds the current time to them.
    pub(crate) idmp: bool,
}

impl Default for FillOptions {
    fn default() -> Self {
        Self {
            per_kind: 3,
            databases: vec![0, 1, 9],
            modules: true,
            vector_sets: true,
            negative_zero: true,
            eviction_data: true,
            idmp: true,
        }
    }
}

/// Fills the server. It must be empty.
///
/// # Panics
/// When the server refuses a command.
#[track_caller]
pub(crate) fn fill(client: &mut Client, release: &Release, rng: &mut Rng, options: &FillOptions) {
    let modules = module_loaded(client, "ReJSON");
    let mut filler = Filler {
        release: *release,
        rng: rng.clone(),
        options: options.clone(),
        commands: Vec::new(),
        keys: Vec::new(),
        serial: 0,
    };
    filler.eviction_policy();
    for (pass, &db) in options.databases.iter().enumerate() {
        filler.push(command!["SELECT", db]);
        filler.thresholds(pass);
        filler.keys.clear();
        filler.strings();
        filler.lists();
        filler.sets();
        filler.sorted_sets();
        filler.hashes();
        if release.has_streams() {
            filler.streams();
        }
        if release.has_vector_sets() && options.vector_sets {
            filler.vector_sets();
        }
        if modules && options.modules {
            filler.module_values();
        }
        filler.deadlines();
        filler.run(client);
        filler.eviction_data(client);
    }
    if release.has_functions() {
        filler.functions();
    }
    filler.push(command!["SELECT", 0]);
    let compression = *filler.rng.pick(&["yes", "yes", "no"]);
    filler.push(command!["CONFIG", "SET", "rdbcompression", compression]);
    filler.run(client);
    *rng = filler.rng;
}

fn module_loaded(client: &mut Client, name: &str) -> bool {
    let list = client.cmd(&["MODULE", "LIST"]);
    // Before 4.0 there is no such command.
    list.error().is_none()
        && list.items().iter().any(|module| {
            module
                .field("name")
                .is_some_and(|found| found.text() == name)
        })
}

/// Numbers in text, canonical and not, around every width that an encoding knows.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "00",
    "+1",
    "1",
    "-1",
    "12",
    "13",
    "0012",
    "63",
    "64",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "4095",
    "4096",
    "-4096",
    "-4097",
    "16383",
    "16384",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "8388607",
    "8388608",
    "-8388608",
    "-8388609",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "1e3",
    "1.5",
    "3.0",
    " 1",
    "1 ",
    "0x10",
    "inf",
    "nan",
    "-",
    "",
];

/// Scores of every kind.
const SCORES: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.1",
    "0.5",
    "-2.5",
    "12",
    "13",
    "127",
    "128",
    "-128",
    "4095",
    "4096",
    "-4096",
    "-4097",
    "32768",
    "8388608",
    "2147483648",
    "1e17",
    "9007199254740991",
    "9007199254740993",
    "4611686018427387904",
    "9223372036854775807",
    "12345678901234567000",
    "inf",
    "-inf",
    "1e-7",
    "1e21",
    "1e100",
    "-1e100",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "3.141592653589793",
    "0.30000000000000004",
    "1e-300",
];

/// Deadlines in ms: 2030, the next ms, 2100, and beyond what a double can hold.
const DEADLINES: &[i64] = &[
    1_900_000_000_000,
    1_900_000_000_001,
    4_102_444_800_000,
    9_007_199_254_740_993,
];

/// Field deadlines: Redis takes 46 bits.
const FIELD_DEADLINES: &[i64] = &[
    1_900_000_000_000,
    1_900_000_000_001,
    1_900_000_000_500,
    4_102_444_800_000,
    70_368_744_177_663,
];

struct Filler {
    release: Release,
    rng: Rng,
    options: FillOptions,
    commands: Vec<Command>,
    /// The keys of this database.
    keys: Vec<Vec<u8>>,
    serial: u64,
}

impl Filler {
    fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    #[track_caller]
    fn run(&mut self, client: &mut Client) {
        client.pipe_ok(std::mem::take(&mut self.commands));
    }

    /// A new key: mostly a readable one, sometimes of bytes, a number, or long.
    fn key(&mut self, kind: &str) -> Vec<u8> {
        self.serial += 1;
        let serial = self.serial;
        let mut key = match self.rng.below(12) {
            0 => self.rng.bytes(9),
            1 => return self.keep((1_000_000 + serial).to_string().into_bytes()),
            2 => format!("{kind}:{}:", "long ".repeat(20)).into_bytes(),
            3 => format!("{kind} \"кл\u{fc}ч\"\t\\:").into_bytes(),
            _ => format!("{kind}:").into_bytes(),
        };
        key.extend_from_slice(serial.to_string().as_bytes());
        self.keep(key)
    }

    fn keep(&mut self, key: Vec<u8>) -> Vec<u8> {
        self.keys.push(key.clone());
        key
    }

    /// A value that some encoding treats specially, or a random one of at most `most`
    /// bytes.
    fn value(&mut self, most: usize) -> Vec<u8> {
        let len = self.rng.range(0, most);
        match self.rng.below(8) {
            0 | 1 => self.rng.pick(NUMBERS).as_bytes().to_vec(),
            2 => self.rng.bytes(len),
            3 => b"abcab".iter().copied().cycle().take(len).collect(),
            4 => (self.rng.next() as i64 >> self.rng.below(64))
                .to_string()
                .into_bytes(),
            5 => "été ☃ \u{1f600}".as_bytes().to_vec(),
            _ => self.rng.word(len),
        }
    }

    fn count(&self) -> usize {
        self.options.per_kind
    }

    // --- Configuration ---

    fn eviction_policy(&mut self) {
        let policies: &[&str] = if !self.options.eviction_data {
            &["noeviction"]
        } else if self.release.has_eviction_data() {
            &["noeviction", "allkeys-lru", "allkeys-lfu"]
        } else {
            &["noeviction", "allkeys-lru"]
        };
        let policy = *self.rng.pick(policies);
        self.push(command!["CONFIG", "SET", "maxmemory-policy", policy]);
    }

    /// The default thresholds in the first pass, tiny ones in the second, random ones
    /// in all others.
    fn thresholds(&mut self, pass: usize) {
        let release = self.release;
        let word = if release.has_listpacks() {
            "listpack"
        } else {
            "ziplist"
        };
        // name, default, tiny, largest
        let mut settings: Vec<(String, u64, u64, u64)> = vec![
            (format!("hash-max-{word}-entries"), 512, 2, 1000),
            (format!("hash-max-{word}-value"), 64, 4, 300),
            (format!("zset-max-{word}-entries"), 128, 2, 1000),
            (format!("zset-max-{word}-value"), 64, 4, 300),
            ("set-max-intset-entries".into(), 512, 2, 1000),
        ];
        if release.redis_since(3, 0) {
            settings.push(("hll-sparse-max-bytes".into(), 3000, 10, 6000));
        }
        if release.has_set_listpack() {
            settings.push(("set-max-listpack-entries".into(), 128, 2, 1000));
            settings.push(("set-max-listpack-value".into(), 64, 4, 300));
        }
        if release.has_quicklist() {
            settings.push(("list-compress-depth".into(), 0, 1, 3));
        } else {
            settings.push(("list-max-ziplist-entries".into(), 512, 2, 1000));
            settings.push(("list-max-ziplist-value".into(), 64, 4, 300));
        }
        if release.has_streams() {
            settings.push(("stream-node-max-entries".into(), 100, 3, 200));
            settings.push(("stream-node-max-bytes".into(), 4096, 64, 8192));
        }
        for (name, default, tiny, largest) in settings {
            let value = match pass {
                0 => default,
                1 => tiny,
                _ => 1 + self.rng.below(largest),
            };
            self.push(command!["CONFIG", "SET", name, value]);
        }
        if release.has_quicklist() {
            let size = match pass {
                0 => -2,
                1 => 3,
                _ => *self.rng.pick(&[-1, -3, 1, 20]),
            };
            self.push(command![
                "CONFIG",
                "SET",
                format!("list-max-{word}-size"),
                size
            ]);
        }
    }

    // --- Strings ---

    fn strings(&mut self) {
        for number in NUMBERS {
            let key = self.key("string:number");
            self.push(command!["SET", key, *number]);
        }
        let empty = self.keep(Vec::new());
        self.push(command!["SET", empty, "the empty key"]);
        let every = self.key("string:bytes");
        self.push(command!["SET", every, (0..=255).collect::<Vec<u8>>()]);
        for len in [10, 11, 12, 20, 21, 63, 64, 16383, 16384] {
            let key = self.key("string:length");
            let value = self.rng.word(len);
            self.push(command!["SET", key, value]);
        }
        for len in [1024, 100 * 1024] {
            let random = self.rng.bytes(len);
            let key = self.key("string:random");
            self.push(command!["SET", key, random]);
            let key = self.key("string:compressible");
            let part = self.rng.word(37);
            self.push(command![
                "SET",
                key,
                part.into_iter().cycle().take(len).collect::<Vec<u8>>()
            ]);
        }
        for _ in 0..self.count() {
            let (key, value) = (self.key("string"), self.value(300));
            self.push(command!["SET", key, value]);

            let key = self.key("string:appended");
            for _ in 0..3 {
                let value = self.value(20);
                self.push(command!["APPEND", key, value]);
            }
            let key = self.key("string:setrange");
            let (at, value) = (self.rng.range(0, 200), self.rng.word(5));
            self.push(command!["SETRANGE", key, at, value]);

            let key = self.key("string:counter");
            let by = self.rng.next() as i64 >> self.rng.below(64);
            self.push(command!["INCRBY", key, by]);
            let key = self.key("string:float");
            self.push(command!["INCRBYFLOAT", key, "0.1"]);
            self.push(command!["INCRBYFLOAT", key, "3.2e5"]);

            let key = self.key("bitmap");
            for _ in 0..self.rng.range(1, 10) {
                let bit = self.rng.range(0, 3000);
                self.push(command!["SETBIT", key, bit, 1]);
            }
            for elements in [5, 60, 3000] {
                let key = self.key("hll");
                let mut add = command!["PFADD", key];
                for _ in 0..elements {
                    add.push(self.rng.word(12));
                }
                self.push(add);
                if self.rng.one_in(2) {
                    // Caches the cardinality in the value.
                    self.push(command!["PFCOUNT", key]);
                }
            }
        }
    }

    // --- Lists ---

    fn lists(&mut self) {
        let key = self.key("list:numbers");
        for number in NUMBERS {
            self.push(command!["RPUSH", key, *number]);
        }
        // Around the length classes of a listpack element and its back length.
        let key = self.key("list:lengths");
        for len in [0, 63, 64, 126, 127, 128, 4095, 4096, 5000] {
            let value = self.rng.word(len);
            self.push(command!["RPUSH", key, value]);
        }
        let key = self.key("list:big");
        let big = [
            self.rng.bytes(9000),
            vec![b'y'; 20_000],
            self.rng.word(8192),
        ];
        self.push(command![
            "RPUSH", key, "first", big[0], big[1], "between", big[2], "last"
        ]);

        for _ in 0..self.count() {
            // Several nodes; the middle ones are compressed in memory when the depth
            // says so.
            let key = self.key("list");
            for _ in 0..self.rng.range(1, 6) {
                let side = *self.rng.pick(&["RPUSH", "LPUSH"]);
                let mut push = command![side, key];
                for _ in 0..self.rng.range(1, 60) {
                    push.push(self.value(200));
                }
                self.push(push);
            }
            self.push(command!["LINSERT", key, "BEFORE", "1", "inserted"]);
            self.push(command!["LREM", key, 1, ""]);
            self.push(command!["LSET", key, 0, "head"]);
        }

        // An element of 16383 bytes with its header has an odd back length. Last, because
        // its node must be larger than usual.
        if self.release.has_listpacks() {
            self.push(command!["CONFIG", "SET", "list-max-listpack-size", -5]);
            let key = self.key("list:16383");
            let value = self.rng.word(16383 - 5);
            self.push(command!["RPUSH", key, "small", value, "small"]);
        }
    }

    // --- Sets ---

    fn sets(&mut self) {
        for members in [
            &["1", "2", "-3"][..],
            &["1", "70000"],
            &[
                "1",
                "5000000000",
                "-9223372036854775808",
                "9223372036854775807",
            ],
            &["-32768", "32767"],
            &["-32769"],
            &["a", "7", "b"],
            &[""],
        ] {
            let key = self.key("set:fixed");
            self.push([&command!["SADD", key][..], &words(members)].concat());
        }
        let key = self.key("set:wide");
        self.push(command!["SADD", key, 1, 2, 70000, 5_000_000_000_i64]);
        self.push(command!["SREM", key, 70000, 5_000_000_000_i64]);
        let key = self.key("set:numbers");
        self.push([&command!["SADD", key][..], &words(NUMBERS)].concat());
        for _ in 0..self.count() {
            let key = self.key("set:integers");
            let mut add = command!["SADD", key];
            let shift = *self.rng.pick(&[48, 40, 32, 0]);
            for _ in 0..*self.rng.pick(&[3, 50, 700]) {
                add.push((self.rng.next() as i64 >> shift).to_string().into_bytes());
            }
            self.push(add);
            let key = self.key("set");
            let mut add = command!["SADD", key];
            let most = *self.rng.pick(&[10, 60, 150]);
            for _ in 0..*self.rng.pick(&[2, 40, 300]) {
                add.push(self.value(most));
            }
            self.push(add);
        }
    }

    // --- Sorted sets ---

    fn sorted_sets(&mut self) {
        for long_member in [false, true] {
            let key = self.key("zset:scores");
            let mut add = command!["ZADD", key];
            for (number, score) in SCORES.iter().enumerate() {
                add.extend(command![*score, format!("member {number}")]);
            }
            if long_member {
                // Longer than any threshold: a skip list, before and after a reload.
                add.extend(command!["0.25", "m".repeat(400)]);
                if self.options.negative_zero {
                    add.extend(command!["-0", "negative zero"]);
                }
            }
            self.push(add);
        }
        let key = self.key("zset:numbers");
        let mut add = command!["ZADD", key];
        for (score, member) in NUMBERS.iter().enumerate() {
            add.extend(command![score, *member]);
        }
        self.push(add);
        for _ in 0..self.count() {
            let key = self.key("zset");
            let mut add = command!["ZADD", key];
            let most = *self.rng.pick(&[10, 60, 150]);
            let style = self.rng.below(4);
            for _ in 0..*self.rng.pick(&[1, 30, 300]) {
                let score = match style {
                    0 => (self.rng.range(0, 20) as i64 - 10).to_string(),
                    1 => format!("{}", self.rng.range(0, 1000) as f64 / 10.0),
                    2 => (*self.rng.pick(SCORES)).to_owned(),
                    _ => double_text(self.rng.any_double()),
                };
                let member = self.value(most);
                add.extend(command![score, member]);
            }
            self.push(add);
        }
        if self.release.redis_since(3, 2) {
            let key = self.key("geo");
            self.push(command![
                "GEOADD",
                key,
                "13.361389",
                "38.115556",
                "Palermo",
                "15.087269",
                "37.502669",
                "Catania"
            ]);
            for _ in 0..self.count() {
                let longitude = self.rng.range(0, 360_000) as f64 / 1000.0 - 180.0;
                let latitude = self.rng.range(0, 170_000) as f64 / 1000.0 - 85.0;
                let name = self.rng.word(8);
                self.push(command![
                    "GEOADD",
                    key,
                    longitude.to_string(),
                    latitude.to_string(),
                    name
                ]);
            }
        }
    }

    // --- Hashes ---

    fn hashes(&mut self) {
        let key = self.key("hash:numbers");
        let mut set = command!["HMSET", key];
        for number in NUMBERS {
            set.extend(command![*number, *number]);
        }
        self.push(set);
        let key = self.key("hash:plain");
        self.push(command![
            "HMSET",
            key,
            "name",
            "Ann",
            "age",
            31,
            "",
            "empty field",
            "empty value",
            ""
        ]);
        let key = self.key("hash:binary");
        let (field, value) = (self.rng.bytes(20), self.rng.bytes(40));
        self.push(command!["HMSET", key, field, value, b"\xff\xfe", b"\x00"]);
        for _ in 0..self.count() {
            let entries = *self.rng.pick(&[1, 5, 40, 600]);
            let most = *self.rng.pick(&[8, 50, 150]);
            let (key, _) = self.hash_of("hash", entries, most);
            if self.rng.one_in(3) {
                self.push(command!["HINCRBYFLOAT", key, "a float", "0.1"]);
            }
        }
        if self.release.has_field_ttl() {
            for entries in [3, 3, 40, 600] {
                self.hash_with_field_deadlines(entries);
            }
        }
    }

    fn hash_of(&mut self, kind: &str, entries: usize, most: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let key = self.key(kind);
        let mut set = command!["HMSET", key];
        let mut fields = Vec::new();
        for number in 0..entries {
            let mut field = self.value(8);
            field.extend_from_slice(number.to_string().as_bytes());
            let value = self.value(most);
            set.extend(command![field, value]);
            fields.push(field);
        }
        self.push(set);
        (key, fields)
    }

    fn hash_with_field_deadlines(&mut self, entries: usize) {
        let most = *self.rng.pick(&[8, 150]);
        let (key, mut fields) = self.hash_of("hash:ttl", entries, most);
        fields.sort();
        fields.dedup();
        self.rng.shuffle(&mut fields);
        // All, most, few or none in the end.
        let style = self.rng.below(4);
        let chosen = match style {
            0 => fields.len(),
            1 => fields.len().div_ceil(2),
            _ => fields.len().min(2),
        };
        for field in &fields[..chosen] {
            let at = *self.rng.pick(FIELD_DEADLINES)
                + if self.rng.one_in(2) {
                    0
                } else {
                    -(self.rng.range(0, 9) as i64)
                };
            self.push(command!["HPEXPIREAT", key, at, "FIELDS", 1, field]);
        }
        if style == 3 {
            for field in &fields[..chosen] {
                self.push(command!["HPERSIST", key, "FIELDS", 1, field]);
            }
        } else if self.rng.one_in(2) {
            self.push(command!["HDEL", key, fields[0]]);
            self.push(command!["HSET", key, "another field", "without a deadline"]);
        }
    }

    // --- Streams ---

    fn streams(&mut self) {
        let key = self.key("stream:emptied");
        self.push(command!["XADD", key, "5-5", "f", "v"]);
        self.push(command!["XDEL", key, "5-5"]);

        let key = self.key("stream:never filled");
        self.push(command!["XGROUP", "CREATE", key, "group", "$", "MKSTREAM"]);

        let key = self.key("stream:far ids");
        self.push(command!["XADD", key, "0-1", "f", "v"]);
        self.push(command!["XADD", key, "5-18446744073709551615", "f", "v"]);
        self.push(command!["XADD", key, "6-0", "f", "v"]);
        self.push(command!["XADD", key, "9223372036854775808-3", "g", "v"]);
        self.push(command!["XADD", key, "18446744073709551614-7", "f", "v"]);

        for _ in 0..self.count() {
            self.stream();
        }
        if self.release.has_stream_idmp() && self.options.idmp {
            self.stream_idmp();
        }
    }

    fn stream(&mut self) {
        let key = self.key("stream");
        let mut ms = *self.rng.pick(&[1, 1_000_000, 1_700_000_000_000_u64]);
        let mut seq = self.rng.below(3) + 1;
        let shape = [
            b"sensor".to_vec(),
            b"temperature".to_vec(),
            self.rng.word(3),
        ];
        let mut ids: Vec<String> = Vec::new();
        for _ in 0..*self.rng.pick(&[3, 30, 250]) {
            let id = format!("{ms}-{seq}");
            let mut add = command!["XADD", key, id];
            match self.rng.below(10) {
                0 => {
                    for _ in 0..self.rng.range(1, 5) {
                        let (field, value) = (self.value(20), self.value(80));
                        add.extend(command![field, value]);
                    }
                }
                // A field twice, and the usual ones in another order.
                1 => add.extend(command![shape[1], 1, shape[1], 2, shape[0], 3]),
                _ => {
                    for field in &shape {
                        let value = self.value(20);
                        add.extend(command![field, value]);
                    }
                }
            }
            self.push(add);
            ids.push(id);
            if self.rng.one_in(3) {
                seq += 1 + self.rng.below(300);
            } else {
                ms += 1 + self.rng.below(5000);
                seq = self.rng.below(4);
            }
        }

        let groups = self.rng.range(0, 3);
        for group in 0..groups {
            let group = format!("group {group}");
            let start = self
                .rng
                .pick(&["0".to_owned(), "$".to_owned(), ids[ids.len() / 2].clone()])
                .clone();
            let mut create = command!["XGROUP", "CREATE", key, group, start];
            if self.release.has_stream_counters() && self.rng.one_in(2) {
                let read = self.rng.range(0, ids.len());
                create.extend(command!["ENTRIESREAD", read]);
            }
            self.push(create);
            for consumer in ["alice", "bob", "zo\u{eb} \u{1f600}"] {
                let count = self.rng.range(1, 20);
                self.push(command![
                    "XREADGROUP",
                    "GROUP",
                    group,
                    consumer,
                    "COUNT",
                    count,
                    "STREAMS",
                    key,
                    ">"
                ]);
            }
            for _ in 0..self.rng.range(0, 12) {
                let id = self.rng.pick(&ids).clone();
                match self.rng.below(3) {
                    0 => self.push(command!["XACK", key, group, id]),
                    _ => {
                        let at = 1_700_000_000_000 + self.rng.below(1_000_000_000);
                        let retries = *self.rng.pick(&[0, 1, 7, 63, 64, 100_000]);
                        let mut claim = command![
                            "XCLAIM",
                            key,
                            group,
                            "carol",
                            0,
                            id,
                            "TIME",
                            at,
                            "RETRYCOUNT",
                            retries,
                            "FORCE"
                        ];
                        if self.rng.one_in(2) {
                            claim.push(b"JUSTID".to_vec());
                        }
                        self.push(claim);
                    }
                }
            }
            if self.release.redis_since(6, 2) {
                self.push(command![
                    "XGROUP",
                    "CREATECONSUMER",
                    key,
                    group,
                    "never active"
                ]);
            }
            if self.rng.one_in(3) {
                self.push(command!["XGROUP", "DELCONSUMER", key, group, "bob"]);
            }
            if self.rng.one_in(4) {
                let id = self.rng.pick(&ids).clone();
                self.push(command!["XGROUP", "SETID", key, group, id]);
            }
        }

        // Holes, in pending entries too.
        for _ in 0..self.rng.range(0, ids.len() / 3) {
            let id = self.rng.pick(&ids).clone();
            self.push(command!["XDEL", key, id]);
        }
        match self.rng.below(5) {
            0 => self.push(command!["XTRIM", key, "MAXLEN", ids.len() / 2]),
            1 => self.push(command!["XTRIM", key, "MAXLEN", "~", ids.len() / 2]),
            2 if self.release.redis_since(6, 2) => {
                self.push(command!["XTRIM", key, "MINID", ids[ids.len() / 3]])
            }
            3 => {
                let mut set = command!["XSETID", key, format!("{}-0", ms + 1_000_000)];
                if self.release.has_stream_counters() {
                    set.extend(command![
                        "ENTRIESADDED",
                        ids.len() + 1000,
                        "MAXDELETEDID",
                        format!("{ms}-77")
                    ]);
                }
                self.push(set);
            }
            _ => {}
        }
    }

    /// Ids are the server's own here: message ids work with nothing else.
    fn stream_idmp(&mut self) {
        let key = self.key("stream:idmp");
        self.push(command![
            "XADD",
            key,
            "IDMP",
            "producer A",
            "iid-1",
            "*",
            "temp",
            21
        ]);
        let (duration, most) = (self.rng.range(1000, 86_400), self.rng.range(1, 10_000));
        self.push(command![
            "XCFGSET",
            key,
            "IDMP-DURATION",
            duration,
            "IDMP-MAXSIZE",
            most
        ]);
        for producer in ["producer A", "B", "7"] {
            for number in 0..self.rng.range(1, 6) {
                self.push(command![
                    "XADD",
                    key,
                    "IDMP",
                    producer,
                    format!("iid-{number}"),
                    "*",
                    "temp",
                    number
                ]);
            }
            self.push(command![
                "XADD",
                key,
                "IDMP",
                producer,
                "iid-0",
                "*",
                "temp",
                "a duplicate"
            ]);
            self.push(command![
                "XADD",
                key,
                "IDMP",
                producer,
                12,
                "*",
                "temp",
                "numeric id"
            ]);
        }
        self.push(command!["XADD", key, "IDMPAUTO", "auto", "*", "temp", 3]);
    }

    // --- Functions, vector sets, modules ---

    fn functions(&mut self) {
        let small =
            "#!lua name=small\nredis.register_function('f', function(keys, args) return 1 end)";
        let mut large = "#!lua name=large\n".to_owned();
        for number in 0..self.rng.range(2, 20) {
            large.push_str(&format!(
                "redis.register_function{{function_name='g{number}', callback=function(keys, args)\n  return {number}\nend, flags={{'no-writes'}}}}\n"
            ));
        }
        self.push(command!["FUNCTION", "LOAD", "REPLACE", small]);
        self.push(command!["FUNCTION", "LOAD", "REPLACE", large]);
    }

    fn vector_sets(&mut self) {
        for quantization in ["Q8", "BIN", "NOQUANT"] {
            for reduce in [false, true] {
                let key = self.key("vectorset");
                let dimensions = self.rng.range(3, 70);
                let neighbours = *self.rng.pick(&[4, 16]);
                for number in 0..self.rng.range(1, 25) {
                    let mut add = command!["VADD", key];
                    if reduce {
                        add.extend(command!["REDUCE", 3]);
                    }
                    add.extend(command!["VALUES", dimensions]);
                    for _ in 0..dimensions {
                        add.push(
                            (self.rng.range(0, 2000) as f64 / 1000.0 - 1.0)
                                .to_string()
                                .into_bytes(),
                        );
                    }
                    add.extend(command![format!("element {number}"), quantization]);
                    if self.rng.one_in(2) {
                        add.extend(command![
                            "SETATTR",
                            format!("{{\"n\":{number},\"t\":\"x\"}}")
                        ]);
                    }
                    add.extend(command!["M", neighbours]);
                    self.push(add);
                }
                self.push(command!["VREM", key, "element 1"]);
                // Removing the only elements removes the key; keep one for sure.
                let mut add = command!["VADD", key];
                if reduce {
                    add.extend(command!["REDUCE", 3]);
                }
                add.extend(command!["VALUES", dimensions]);
                add.extend((0..dimensions).map(|_| b"0.5".to_vec()));
                add.extend(command!["the last", quantization, "M", neighbours]);
                self.push(add);
            }
        }
    }

    fn module_values(&mut self) {
        let documents = [
            r#"{"a":1,"b":[true,null,1.5,"x"]}"#,
            r#"{}"#,
            r#"[]"#,
            r#""text""#,
            r#"12"#,
            r#"null"#,
            r#"{"name":"Ann","deep":{"deeper":{"deepest":[1,[2,[3,[]]]]}},"text":"\"\\\n\u00e9\u2603 \ud83d\ude00"}"#,
            r#"[9223372036854775807,-9223372036854775808,1e300,0.1,1.0,-0.0]"#,
        ];
        for document in documents {
            let key = self.key("json");
            self.push(command!["JSON.SET", key, "$", document]);
        }
        let key = self.key("json:large");
        let list: Vec<String> = (0..self.rng.range(1, 300))
            .map(|n| format!("{{\"n\":{n},\"s\":\"row {n}\"}}"))
            .collect();
        self.push(command![
            "JSON.SET",
            key,
            "$",
            format!("[{}]", list.join(","))
        ]);

        let scaling = self.key("bloom:scaling");
        self.push(command!["BF.RESERVE", scaling, "0.01", 10]);
        let fixed = self.key("bloom:fixed");
        self.push(command!["BF.RESERVE", fixed, "0.001", 300, "NONSCALING"]);
        let cuckoo = self.key("cuckoo");
        self.push(command!["CF.RESERVE", cuckoo, 20, "BUCKETSIZE", 4]);
        let sketch = self.key("cms");
        self.push(command!["CMS.INITBYDIM", sketch, 20, 4]);
        let top = self.key("topk");
        self.push(command!["TOPK.RESERVE", top, 5, 20, 4, "0.9"]);
        let untouched = self.key("topk:empty");
        self.push(command!["TOPK.RESERVE", untouched, 3]);
        let digest = self.key("tdigest");
        self.push(command!["TDIGEST.CREATE", digest, "COMPRESSION", 50]);
        let untouched = self.key("tdigest:empty");
        self.push(command!["TDIGEST.CREATE", untouched]);
        for _ in 0..self.rng.range(20, 150) {
            let word = self.rng.word(6);
            self.push(command!["BF.ADD", scaling, word]);
            self.push(command!["BF.ADD", fixed, word]);
            self.push(command!["CF.ADD", cuckoo, word]);
            let by = self.rng.range(1, 9);
            self.push(command!["CMS.INCRBY", sketch, word, by]);
            self.push(command!["TOPK.ADD", top, &word[..1]]);
            let observation = self.rng.range(0, 100_000) as f64 / 7.0;
            self.push(command!["TDIGEST.ADD", digest, observation.to_string()]);
        }
        self.push(command!["CF.DEL", cuckoo, "no such"]);

        for encoding in ["COMPRESSED", "UNCOMPRESSED"] {
            let source = self.key("ts");
            self.push(command![
                "TS.CREATE",
                source,
                "RETENTION",
                0,
                "ENCODING",
                encoding,
                "CHUNK_SIZE",
                128,
                "DUPLICATE_POLICY",
                "LAST",
                "LABELS",
                "place",
                "here",
                "kind",
                "temperature"
            ]);
            for aggregation in [
                "avg", "min", "count", "first", "std.p", "var.s", "range", "sum", "last",
            ] {
                let target = self.key("ts:rule");
                self.push(command!["TS.CREATE", target]);
                self.push(command![
                    "TS.CREATERULE",
                    source,
                    target,
                    "AGGREGATION",
                    aggregation,
                    1000
                ]);
            }
            let mut at = 1_700_000_000_000;
            for _ in 0..self.rng.range(1, 120) {
                at += self.rng.range(1, 700);
                let value = match self.rng.below(3) {
                    0 => "20".to_owned(),
                    1 => format!("{}", self.rng.range(0, 1000) as f64 / 10.0),
                    _ => format!("{:e}", self.rng.range(1, 1000) as f64 * 1e-9),
                };
                self.push(command!["TS.ADD", source, at, value]);
            }
        }
    }

    // --- Key metadata ---

    fn deadlines(&mut self) {
        for number in 0..self.keys.len() {
            if self.rng.one_in(4) {
                let at = *self.rng.pick(DEADLINES);
                let key = self.keys[number].clone();
                self.push(command!["PEXPIREAT", key, at]);
            }
        }
    }

    /// Gives some keys an idle time or a frequency, by way of `RESTORE`.
    #[track_caller]
    fn eviction_data(&mut self, client: &mut Client) {
        if !self.options.eviction_data || !self.release.has_eviction_data() {
            return;
        }
        let policy = client.ok(&["CONFIG", "GET", "maxmemory-policy"]).items()[1].text();
        for number in 0..self.keys.len() {
            let key = self.keys[number].clone();
            // Keys of the modules and vector sets change when they are restored (raw
            // pointers, a newly seeded graph): leave those alone.
            let kind = client.ok(&command!["TYPE", key]).text();
            let simple = matches!(&*kind, "string" | "list" | "set" | "zset" | "hash");
            if !simple || !self.rng.one_in(6) {
                continue;
            }
            let data = match &*policy {
                "allkeys-lru" => command!["IDLETIME", *self.rng.pick(&[1, 100, 20_000, 2_000_000])],
                "allkeys-lfu" => command!["FREQ", *self.rng.pick(&[0, 1, 77, 255])],
                _ => return,
            };
            let payload = client.ok(&command!["DUMP", key]).bytes();
            let mut restore = command!["RESTORE", key, 0, payload, "REPLACE"];
            restore.extend(data);
            let reply = client.cmd(&restore);
            assert!(
                reply.error().is_none(),
                "{}: {reply:?}",
                shown_command(&restore)
            );
        }
    }
}

fn words(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A double in digits that read back equal.
fn double_text(double: f64) -> String {
    if double.is_infinite() {
        return if double > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // -0 is asked for by name or not at all.
    format!("{:e}", if double == 0.0 { 0.0 } else { double })
}
