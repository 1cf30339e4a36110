//! Files that are made to hurt: each ends as documented, within memory that the kernel bounds.
//!
//! What servers refuse is exit code 1; what they would take, at the price of more memory
//! than was given, is 2. No file ends by a signal, and none leaves half an output.
#![cfg(target_os = "linux")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::memory::within_kib;
use super::program::{exited, file, folder, log, path_in, stderr};

/// A hostile file, and how the program ends on it.
struct Hostile {
    name: &'static str,
    bytes: Vec<u8>,
    /// Command, and its exit code.
    ends: &'static [(&'static [&'static str], i32)],
}

const VERIFY: &[&str] = &["verify"];
const INSPECT: &[&str] = &["inspect"];
const DIGEST: &[&str] = &["digest"];
const TO_NDJSON: &[&str] = &["convert", "--to", "ndjson"];
const TO_AOF: &[&str] = &["convert", "--to", "aof", "--target", "redis-8.2"];
const TO_RDB: &[&str] = &["convert", "--to", "rdb", "--target", "redis-8.2"];
const REWRITE: &[&str] = &["rewrite", "--target", "redis-8.2"];

/// Something stands twice that servers take once.
const TWICE: &[(&[&str], i32)] = &[
    (VERIFY, 1),
    (INSPECT, 0),
    (TO_AOF, 1),
    (TO_RDB, 1),
    (DIGEST, 1),
];

/// A length as an RDB has it, in the form of 32 bits.
fn length(n: usize) -> Vec<u8> {
    let n = u32::try_from(n).unwrap();
    [&[0x80][..], &n.to_be_bytes()].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [length(text.len()), text.to_vec()].concat()
}

/// A snapshot without checksum of what stands between head and end.
fn snapshot(body: &[u8]) -> Vec<u8> {
    [b"REDIS0011", body, &[0xff, 0, 0, 0, 0, 0, 0, 0, 0]].concat()
}

/// A string that LZF has packed as tightly as it can: one letter, then references to it.
fn bomb(expanded: usize) -> Vec<u8> {
    const REFERENCE: &[u8] = &[0xe0, 0xff, 0x00];
    let references = expanded / 264;
    let packed = [&[0x00, b'a'][..], &REFERENCE.repeat(references)].concat();
    let len = length(1 + 264 * references);
    [&[0xc3][..], &length(packed.len()), &len, &packed].concat()
}

fn gzip(parts: &[(&[u8], usize)]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for (bytes, times) in parts {
        for _ in 0..*times {
            packed.write_all(bytes).unwrap();
        }
    }
    packed.finish().unwrap()
}

fn numbered(count: usize, of: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(of).collect()
}

/// A stream whose group knows one pending entry, and whose consumer owns another.
fn foreign_owner() -> Vec<u8> {
    let id = |last: u8| [[0; 15].as_slice(), &[last]].concat();
    let pending = [id(1), vec![0; 8], vec![1]].concat();
    let consumer = [b"\x01\x01c".as_slice(), &[0; 8], b"\x01", &id(2)].concat();
    let group = [
        b"\x01\x01g".as_slice(),
        &[0, 0],
        b"\x01",
        &pending,
        &consumer,
    ]
    .concat();
    // No nodes, no entries, 0-0 as the last ID.
    [b"\xfe\x00\x0f\x01k\x00\x00\x00\x00".as_slice(), &group].concat()
}

fn snapshots() -> Vec<Hostile> {
    let in_db_0 = |body: &[u8]| snapshot(&[b"\xfe\x00", body].concat());
    let mebibyte = vec![0; 1 << 20];
    let one_mebibyte = |n: usize| [&[0][..], &string(format!("{n}").as_bytes())].concat();
    let mut strings = vec![(b"REDIS0011\xfe\x00".to_vec(), 1)];
    for n in 0..200 {
        let head = [one_mebibyte(n), length(mebibyte.len())].concat();
        strings.extend([(head, 1), (mebibyte.clone(), 1)]);
    }
    strings.push((vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0], 1));
    let strings: Vec<_> = strings.iter().map(|(part, n)| (&part[..], *n)).collect();
    let mut one_string = b"REDIS0011\xfe\x00\x00\x01k".to_vec();
    one_string.extend(length(200 << 20));
    vec![
        Hostile {
            name: "bomb.rdb",
            bytes: in_db_0(&[b"\x00\x01k".as_slice(), &bomb(128 << 20)].concat()),
            // To prove that it expands takes no room, nor does a copy.
            ends: &[
                (VERIFY, 0),
                (INSPECT, 0),
                (TO_RDB, 0),
                (TO_NDJSON, 2),
                (TO_AOF, 2),
                (DIGEST, 2),
            ],
        },
        Hostile {
            name: "same-key.rdb",
            bytes: in_db_0(&b"\x00\x01k\x01v".repeat(200_000)),
            ends: TWICE,
        },
        Hostile {
            name: "same-field.rdb",
            bytes: in_db_0(
                &[
                    b"\x04\x01h".as_slice(),
                    &length(200_000),
                    &b"\x01f\x01v".repeat(200_000),
                ]
                .concat(),
            ),
            ends: TWICE,
        },
        Hostile {
            name: "same-library.rdb",
            bytes: snapshot(&numbered(1_000, |n| {
                let library = format!("#!lua name=library{}\nreturn", n % 999);
                [&[0xf5][..], &string(library.as_bytes())].concat()
            })),
            ends: &[(VERIFY, 1), (TO_AOF, 1), (TO_RDB, 1)],
        },
        Hostile {
            name: "foreign-owner.rdb",
            bytes: snapshot(&foreign_owner()),
            ends: &[
                (VERIFY, 1),
                (INSPECT, 0),
                (TO_NDJSON, 1),
                (TO_AOF, 1),
                (TO_RDB, 1),
                (DIGEST, 1),
            ],
        },
        Hostile {
            name: "zeros.gz",
            bytes: gzip(&[(&mebibyte, 300)]),
            ends: &[(VERIFY, 1), (INSPECT, 1), (TO_NDJSON, 1), (DIGEST, 1)],
        },
        Hostile {
            name: "one-string.rdb.gz",
            bytes: gzip(&[(&one_string, 1), (&mebibyte, 200)]),
            ends: &[(VERIFY, 2), (TO_NDJSON, 2), (TO_AOF, 2), (DIGEST, 2)],
        },
        Hostile {
            name: "strings.rdb.gz",
            bytes: gzip(&strings),
            ends: &[(VERIFY, 0), (INSPECT, 0), (TO_AOF, 0), (DIGEST, 0)],
        },
    ]
}

/// Very many of what there are few of.
fn crowds() -> Vec<Hostile> {
    vec![
        Hostile {
            name: "databases.rdb",
            bytes: snapshot(&numbered(1_000_000, |n| {
                [&[0xfe][..], &length(n), b"\xfb\x01\x00\x00\x01k\x01v"].concat()
            })),
            // A digest has a sum for each.
            ends: &[
                (VERIFY, 0),
                (INSPECT, 0),
                (TO_NDJSON, 0),
                (TO_RDB, 0),
                (DIGEST, 2),
            ],
        },
        Hostile {
            name: "aux.rdb",
            bytes: snapshot(&numbered(500_000, |n| {
                [&[0xfa][..], &string(format!("aux{n}").as_bytes()), b"\x01v"].concat()
            })),
            ends: &[(VERIFY, 0), (INSPECT, 0), (TO_NDJSON, 0), (TO_RDB, 0)],
        },
        Hostile {
            name: "functions.rdb",
            bytes: snapshot(&numbered(100_000, |n| {
                let library = format!("#!lua name=library{n}\nreturn");
                [&[0xf5][..], &string(library.as_bytes())].concat()
            })),
            ends: &[(VERIFY, 0), (INSPECT, 0), (TO_NDJSON, 0), (TO_RDB, 0)],
        },
        Hostile {
            name: "modules.rdb",
            bytes: snapshot(&numbered(300_000, |n| {
                let select: &[u8] = if n == 0 { b"\xfe\x00\x07" } else { b"\x07" };
                let key = string(format!("k{n}").as_bytes());
                let id = ((n as u64) << 30 | 1).to_be_bytes();
                [select, &key, b"\x81", &id, b"\x00"].concat()
            })),
            ends: &[
                (VERIFY, 0),
                (INSPECT, 0),
                (TO_NDJSON, 0),
                (TO_RDB, 0),
                (DIGEST, 2),
            ],
        },
    ]
}

fn texts() -> Vec<Hostile> {
    let record = |value: &str| format!(r#"{{"db":0,"key":"k","type":"string","value":{value}"#);
    vec![
        Hostile {
            name: "deep.ndjson",
            bytes: record(&"[".repeat(1_000_000)).into_bytes(),
            ends: &[(TO_RDB, 1), (TO_NDJSON, 1), (VERIFY, 1)],
        },
        Hostile {
            name: "long.ndjson",
            bytes: (record(&format!("\"{}\"", "x".repeat(100 << 20))) + "}\n").into_bytes(),
            ends: &[(TO_RDB, 2), (TO_NDJSON, 2)],
        },
    ]
}

fn logs() -> Vec<Hostile> {
    let each = |count: usize, of: &dyn Fn(usize) -> String| {
        let commands: Vec<_> = (0..count).map(of).collect();
        let mut commands: Vec<_> = commands.iter().map(String::as_str).collect();
        commands.insert(0, "SELECT 0");
        log(&commands)
    };
    let long = "x".repeat(1 << 20);
    let copies = |n| match n {
        0 => format!("SET k {long}"),
        1 => "APPEND k x".to_owned(),
        n => format!("COPY k copy:{n}"),
    };
    let unions = |n| match n {
        0..5_000 => format!("SADD s member:{n}"),
        n => format!("SUNIONSTORE union:{n} s"),
    };
    const GREEDY: &[(&[&str], i32)] = &[
        (VERIFY, 2),
        (INSPECT, 2),
        (TO_NDJSON, 2),
        (TO_RDB, 2),
        (REWRITE, 2),
        (DIGEST, 2),
    ];
    vec![
        Hostile {
            name: "setrange.aof",
            bytes: each(10, &|n| format!("SETRANGE k{n} 536870900 x")),
            ends: GREEDY,
        },
        Hostile {
            name: "setbit.aof",
            bytes: each(10, &|n| format!("SETBIT k{n} 4294967295 1")),
            ends: GREEDY,
        },
        Hostile {
            name: "bitfield.aof",
            bytes: each(10, &|n| format!("BITFIELD k{n} SET u8 4294967200 1")),
            ends: GREEDY,
        },
        Hostile {
            name: "copies.aof",
            bytes: each(300, &copies),
            ends: GREEDY,
        },
        Hostile {
            name: "unions.aof",
            bytes: each(6_000, &unions),
            ends: GREEDY,
        },
        // Servers cut a record that the file ends in.
        Hostile {
            name: "count.aof",
            bytes: [
                each(1, &|_| "SET k v".to_owned()),
                b"*2147483647\r\n$3\r\nSET\r\n".to_vec(),
            ]
            .concat(),
            ends: &[(VERIFY, 0), (TO_NDJSON, 0), (REWRITE, 0), (DIGEST, 0)],
        },
        Hostile {
            // A value that stays as stored must not keep what was defined before it.
            name: "templates.aof",
            bytes: [
                b"REDIS0015\xfe\x00".to_vec(),
                numbered(8_000, |n| {
                    let template = [&b"\xf2"[..], &length(n), b"\x01\x01f"].concat();
                    let key = string(n.to_string().as_bytes());
                    [&template[..], b"\x02", &key, b"\x02\x01a\x01b"].concat()
                }),
                b"\xff\0\0\0\0\0\0\0\0".to_vec(),
                log(&["SELECT 0", "SET k v"]),
            ]
            .concat(),
            ends: &[
                (&["verify", "--as", "aof"], 0),
                (&["digest", "--as", "aof"], 0),
                (&["rewrite", "--as", "aof", "--target", "redis-8.2"], 0),
            ],
        },
        Hostile {
            name: "unknown.aof",
            bytes: each(100_000, &|n| format!("NOSUCH{n}")),
            ends: &[(VERIFY, 1), (INSPECT, 0), (TO_RDB, 1), (REWRITE, 1)],
        },
        Hostile {
            name: "appendonly.aof.manifest",
            bytes: b"file a.aof seq 1 type i\n".repeat(800_000),
            ends: &[(VERIFY, 2), (INSPECT, 2), (TO_RDB, 2), (REWRITE, 2)],
        },
    ]
}

fn each_ends_as_it_should(files: Vec<Hostile>) {
    let folder = folder();
    for Hostile { name, bytes, ends } in files {
        let path = file(&folder, name, &bytes);
        let out = path_in(&folder, "out");
        for (command, exit) in ends {
            let mut args = [*command, &[&path, "--max-memory", "64M"]].concat();
            let writes = matches!(command[0], "convert" | "rewrite");
            if writes {
                args.extend(["-o", out.as_str()]);
            }
            let output = within_kib(96 << 10, &args);
            let what = format!("{name}: {command:?}");
            exited(&output, *exit, &what);
            let talk = stderr(&output);
            // A report of findings stands on stdout; `exited` wants no error with exit code 0.
            let reports = command[0] == "verify";
            // The runtime says that an allocation failed at the very same time.
            let is_told = talk.contains("error: ");
            assert!(is_told || reports || *exit == 0, "{what}: {talk}");
            // No output of what failed, nor what it began with.
            let is_written = std::fs::remove_file(&out).is_ok();
            assert_eq!(is_written, writes && *exit == 0, "{what}");
        }
        std::fs::remove_file(&path).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

#[test]
fn hostile_snapshots_end_as_documented() {
    each_ends_as_it_should(snapshots());
}

#[test]
fn crowds_end_as_documented() {
    each_ends_as_it_should(crowds());
}

#[test]
fn hostile_texts_end_as_documented() {
    each_ends_as_it_should(texts());
}

#[test]
fn hostile_logs_end_as_documented() {
    each_ends_as_it_should(logs());
}

/// What is said of very many keys waits in a temporary file.
#[test]
fn findings_without_end_take_no_memory() {
    const KEYS: usize = 200_000;
    // Nearly 100 MB of text in each format.
    let folder = folder();
    // The length of each value takes two bytes where one would do.
    let keys = numbered(KEYS, |n| format!("\0\x07k{n:06}\x40\x01v").into_bytes());
    let bytes = snapshot(&[b"\xfe\x00".as_slice(), &keys].concat());
    let path = file(&folder, "odd.rdb", &bytes);
    // Those of the keys, and that there is no checksum.
    let formats = [
        ("text", "warning: ", KEYS + 1),
        ("json", "\"finding\"", KEYS + 1),
        ("junit", "not_canonical", KEYS),
    ];
    for (format, word, count) in formats {
        let args = [
            "verify",
            "--format",
            format,
            &path,
            &path,
            "--max-memory",
            "80M",
        ];
        let output = within_kib(128 << 10, &args);
        exited(&output, 0, format);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches(word).count(), 2 * count, "{format}");
    }
}
