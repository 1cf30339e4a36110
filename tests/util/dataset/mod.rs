//! Fills a server with random data of every type in every encoding it can produce.
//!
//! The commands follow from the seed alone; only what a server draws itself (`*` stream
//! ids, delivery times of `XREADGROUP`, hash order, the graph of a vector set) differs
//! between two runs. Deadlines are absolute and years ahead, because a key that has
//! expired and is not yet reclaimed counts in `DEBUG DIGEST` and is left out of files.

mod others;
mod streams;
mod values;

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
