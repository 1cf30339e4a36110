//! Functions, vector sets and values of modules.

use super::Filler;
use crate::command;

impl Filler {
    pub(super) fn functions(&mut self) {
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

    pub(super) fn vector_sets(&mut self) {
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

    pub(super) fn module_values(&mut self) {
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
}
