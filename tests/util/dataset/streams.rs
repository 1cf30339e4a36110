//! Streams, with groups, pending entries and message ids of producers.

use super::Filler;
use crate::command;

impl Filler {
    pub(super) fn streams(&mut self) {
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
}
