//! Small RDB files in memory, one type and encoding each, for benches of one layer.
//!
//! Values are as Redis 7.0 writes them, at the sizes of `mixed`.

use rdbkit::bytes::{crc64, lzf};
use rdbkit::encoding::intset::Intset;
use rdbkit::encoding::listpack::{BacklenWidth, ListpackBuilder};
use rdbkit::rdb::constants::{Opcode, TypeByte};
use rdbkit::rdb::length::encode_length;

use super::random::Random;

/// What is measured, each the name of a bench.
pub const SCENARIOS: &[&str] = &[
    "strings_small",
    "string_int",
    "string_raw",
    "string_lzf",
    "list_quicklist",
    "set_intset",
    "set_hashtable",
    "zset_listpack",
    "zset_skiplist",
    "hash_listpack",
    "hash_hashtable",
    "stream",
];

/// A file, and what a reader must find in it.
pub struct Scenario {
    pub file: Vec<u8>,
    pub keys: u64,
    /// Elements, members, fields and stream entries; a string is one.
    pub elements: u64,
}

/// About how large each file is.
const FILE_BYTES: usize = 4 << 20;

/// Makes the file of a scenario.
pub fn scenario(name: &str, seed: u64) -> Scenario {
    let mut random = Random::part(seed, name);
    let (mut keys, mut elements) = (0, 0);
    let mut file = b"REDIS0010".to_vec();
    file.extend_from_slice(&[Opcode::SELECTDB.0, 0]);
    while file.len() < FILE_BYTES {
        let (value_type, value, len) = value(name, &mut random);
        file.push(value_type.0);
        string(format!("{name}:{keys:07}").as_bytes(), &mut file);
        file.extend_from_slice(&value);
        keys += 1;
        elements += len;
    }
    file.push(Opcode::EOF.0);
    let crc = crc64::crc64(&file);
    file.extend_from_slice(&crc.to_le_bytes());
    Scenario {
        file,
        keys,
        elements,
    }
}

fn value(name: &str, random: &mut Random) -> (TypeByte, Vec<u8>, u64) {
    let mut out = Vec::new();
    match name {
        "strings_small" => {
            let len = random.range(18, 26);
            string(&random.token(len), &mut out);
            (TypeByte::STRING, out, 1)
        }
        "string_int" => {
            out.push(0xc2);
            out.extend_from_slice(&(random.next() as i32).to_le_bytes());
            (TypeByte::STRING, out, 1)
        }
        "string_raw" => {
            let len = random.range(100, 2000);
            string(&random.token(len), &mut out);
            (TypeByte::STRING, out, 1)
        }
        "string_lzf" => {
            let len = random.range(200, 3000);
            compressed(&random.document(len), &mut out);
            (TypeByte::STRING, out, 1)
        }
        "list_quicklist" => {
            let nodes = random.range(2, 40);
            let mut elements = 0;
            encode_length(nodes, &mut out);
            for _ in 0..nodes {
                encode_length(2, &mut out);
                let mut node = ListpackBuilder::new(BacklenWidth::Wide);
                while node.encoded_len() < 8000 {
                    let len = random.range(20, 90);
                    match random.below(3) {
                        0 => node.push(&random.text(len)),
                        1 => node.push_int(random.below(1 << 40) as i64),
                        _ => node.push(&random.token(len)),
                    }
                }
                elements += node.len() as u64;
                compressed(&node.finish().expect("a small listpack"), &mut out);
            }
            (TypeByte::LIST_QUICKLIST_2, out, elements)
        }
        "set_intset" => {
            let mut members: Vec<i64> = (0..random.range(5, 500))
                .map(|n| (n << 20 | random.below(1 << 20)) as i64)
                .collect();
            members.sort_unstable();
            let mut blob = Vec::new();
            Intset::encode_into(&members, &mut blob).expect("ascending members");
            string(&blob, &mut out);
            (TypeByte::SET_INTSET, out, members.len() as u64)
        }
        "set_hashtable" => {
            let members = random.range(300, 2500);
            encode_length(members, &mut out);
            for n in 0..members {
                let token = random.token(14);
                string(&[format!("{n}:").as_bytes(), &token].concat(), &mut out);
            }
            (TypeByte::SET, out, members)
        }
        "zset_listpack" => {
            let mut scores: Vec<u64> = (0..random.range(3, 60))
                .map(|_| random.below(1 << 32))
                .collect();
            scores.sort_unstable();
            let mut blob = ListpackBuilder::new(BacklenWidth::Wide);
            for (n, score) in scores.iter().enumerate() {
                blob.push(format!("player:{n:02}:{:04x}", random.below(0x1_0000)).as_bytes());
                blob.push(format!("{}", *score as f64 / 16.0).as_bytes());
            }
            string(&blob.finish().expect("a small listpack"), &mut out);
            (TypeByte::ZSET_LISTPACK, out, scores.len() as u64)
        }
        "zset_skiplist" => {
            let mut scores: Vec<u64> = (0..random.range(200, 2000))
                .map(|_| random.below(1 << 32))
                .collect();
            scores.sort_unstable();
            encode_length(scores.len() as u64, &mut out);
            // Highest first, as servers write them; members grow with their scores.
            for (n, score) in scores.iter().enumerate().rev() {
                string(format!("post:{n:04}").as_bytes(), &mut out);
                out.extend_from_slice(&(*score as f64 / 16.0).to_le_bytes());
            }
            (TypeByte::ZSET_2, out, scores.len() as u64)
        }
        "hash_listpack" => {
            let mut blob = ListpackBuilder::new(BacklenWidth::Wide);
            for field in ["name", "email", "visits", "created", "token", "country"] {
                blob.push(field.as_bytes());
                match field {
                    "visits" | "created" => blob.push_int(random.below(1 << 31) as i64),
                    _ => {
                        let len = random.range(10, 40);
                        blob.push(&random.token(len));
                    }
                }
            }
            string(&blob.finish().expect("a small listpack"), &mut out);
            (TypeByte::HASH_LISTPACK, out, 6)
        }
        "hash_hashtable" => {
            let fields = random.range(200, 700);
            encode_length(fields, &mut out);
            for n in 0..fields {
                string(format!("sku:{n:05}").as_bytes(), &mut out);
                let len = random.range(20, 60);
                string(&random.text(len), &mut out);
            }
            (TypeByte::HASH, out, fields)
        }
        "stream" => stream(random),
        _ => unreachable!("no scenario {name}"),
    }
}

/// A stream of some nodes, all entries with the fields of the first, without groups.
fn stream(random: &mut Random) -> (TypeByte, Vec<u8>, u64) {
    const PER_NODE: u64 = 100;
    const SAME_FIELDS: i64 = 2;
    let mut out = Vec::new();
    let nodes = random.range(1, 10);
    encode_length(nodes, &mut out);
    let mut last = 0;
    for node in 0..nodes {
        let master = 1_700_000_000_000 + node * 1_000_000;
        let id = [master.to_be_bytes(), [0; 8]].concat();
        string(&id, &mut out);
        let mut blob = ListpackBuilder::new(BacklenWidth::Wide);
        for n in [PER_NODE as i64, 0, 3] {
            blob.push_int(n);
        }
        for name in ["type", "user", "note"] {
            blob.push(name.as_bytes());
        }
        blob.push_int(0);
        for n in 0..PER_NODE {
            for part in [SAME_FIELDS, n as i64 * 10, 0] {
                blob.push_int(part);
            }
            blob.push(b"view");
            blob.push_int(random.below(100_000) as i64);
            blob.push(&random.text(30));
            blob.push_int(6);
            last = master + n * 10;
        }
        compressed(&blob.finish().expect("a small listpack"), &mut out);
    }
    let entries = nodes * PER_NODE;
    // length, last id, first id, greatest deleted id, entries added, groups
    for n in [entries, last, 0, 1_700_000_000_000, 0, 0, 0, entries, 0] {
        encode_length(n, &mut out);
    }
    (TypeByte::STREAM_LISTPACKS_2, out, entries)
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    encode_length(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A string, compressed if that saves what servers want saved.
fn compressed(bytes: &[u8], out: &mut Vec<u8>) {
    let mut block = Vec::new();
    if lzf::compress_into(bytes, bytes.len().saturating_sub(4), &mut block) {
        out.push(0xc3);
        encode_length(block.len() as u64, out);
        encode_length(bytes.len() as u64, out);
        out.extend_from_slice(&block);
    } else {
        string(bytes, out);
    }
}
