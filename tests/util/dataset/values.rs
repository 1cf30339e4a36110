//! Strings, lists, sets, sorted sets and hashes.

use super::{FIELD_DEADLINES, Filler, NUMBERS, SCORES, double_text, words};
use crate::command;

impl Filler {
    // --- Strings ---

    pub(super) fn strings(&mut self) {
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

    pub(super) fn lists(&mut self) {
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

    pub(super) fn sets(&mut self) {
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

    pub(super) fn sorted_sets(&mut self) {
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

    pub(super) fn hashes(&mut self) {
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
}
