//! Streams that fail or end at any byte: the error says so, and nothing else is ever said of
//! what was cut.

use std::fs;
use std::io::{self, Read, Write as _};
use std::process::{Command, Stdio};

use rdbkit::bytes::source::Source as _;
use rdbkit::error::{Code, Error, Fault, Result};
use rdbkit::input::{AfterRdb, Input, Kind, OpenOptions};
use rdbkit::ops::import::import_json;
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::replay::ReplayOptions;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{Items, RdbReader, ReadItems as _};

use crate::program::{command, demo, exited, folder, log, many_keys, names, one_error, path_in};
use crate::util::rng::Rng;

/// What comes behind the bytes that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    End,
    /// The system's error of this number, again and again.
    Os(i32),
}

const EIO: Then = Then::Os(5);

/// Gives its bytes in small pieces, with interruptions.
struct Stream {
    bytes: Vec<u8>,
    at: usize,
    then: Then,
    most: usize,
    rng: Rng,
}

impl Stream {
    fn new(bytes: &[u8], then: Then, seed: u64) -> Stream {
        Stream {
            bytes: bytes.to_vec(),
            at: 0,
            then,
            most: 1 + (seed % 900) as usize,
            rng: Rng::new(seed),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rng.one_in(8) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = &self.bytes[self.at..];
        if left.is_empty() && !buffer.is_empty() {
            return match self.then {
                Then::End => Ok(0),
                Then::Os(number) => Err(io::Error::from_raw_os_error(number)),
            };
        }
        let most = left.len().min(buffer.len()).min(self.most);
        let len = if most == 0 {
            0
        } else {
            self.rng.range(1, most)
        };
        buffer[..len].copy_from_slice(&left[..len]);
        self.at += len;
        Ok(len)
    }
}

/// Reads all items; the error if there is one.
fn read_rdb(stream: Stream) -> Result<()> {
    RdbReader::from_read(stream).for_each(|_, _| Ok(()))
}

#[test]
fn rdb_whose_stream_fails_or_ends_at_any_byte() {
    let bytes = fs::read(demo()).unwrap();
    let mut points = 0;
    for cut in 0..bytes.len() {
        let seed = cut as u64;
        let error = read_rdb(Stream::new(&bytes[..cut], EIO, seed)).unwrap_err();
        assert_eq!(
            (error.code(), error.fault()),
            (Code::Io, Fault::Io),
            "{cut}: {error}"
        );
        assert_eq!(error.io_error().unwrap().raw_os_error(), Some(5));
        assert!(
            error.offset().is_some_and(|at| at <= cut as u64),
            "{cut}: {error}"
        );
        let error = read_rdb(Stream::new(&bytes[..cut], Then::End, seed)).unwrap_err();
        let whole = Items::new(&bytes[..cut]).find_map(Result::err).unwrap();
        assert_eq!(error.to_string(), whole.to_string(), "{cut}");
        assert_eq!(error.code(), Code::UnexpectedEof, "{cut}: {error}");
        points += 2;
    }
    read_rdb(Stream::new(&bytes, Then::End, 1)).unwrap();
    eprintln!("{points} streams");
}

/// Verify and the threads that it uses.
#[test]
fn verify_of_a_stream_that_fails_or_ends() {
    let small = fs::read(demo()).unwrap();
    let large = many_keys(8000);
    let step = |len: usize, n: usize| (0..len).step_by(len / n);
    let mut cuts: Vec<(&[u8], usize)> = step(small.len(), 60).map(|at| (&small[..], at)).collect();
    cuts.extend(step(large.len(), 12).map(|at| (&large[..], at)));
    for (bytes, cut) in cuts {
        for (then, code) in [(EIO, Code::Io), (Then::End, Code::UnexpectedEof)] {
            let mut stream = Stream::new(&bytes[..cut], then, cut as u64);
            stream.most = 100_000;
            let options = VerifyOptions {
                pipeline: Pipeline::new(std::num::NonZeroUsize::new(3).unwrap()),
                ..VerifyOptions::default()
            };
            let mut codes = Vec::new();
            let verified = verify_rdb(&mut RdbReader::from_read(stream), options, &mut |finding| {
                codes.push(finding.code);
            });
            assert_eq!(codes, [code], "{then:?} at {cut} of {}", bytes.len());
            assert!(!verified.complete);
        }
    }
}

/// By way of everything that an input passes through: a look at its head, a decompressor, a
/// window.
fn read_input(stream: Stream, options: &OpenOptions) -> Result<()> {
    let input = Input::from_reader("stream", stream, options)?;
    match input.origin().kind() {
        Kind::Rdb => {
            let (origin, source) = input.into_parts();
            let mut reader = RdbReader::new(source).at_offset(origin.base_offset());
            let read = reader.for_each(|_, _| Ok(()));
            read.map_err(|error| origin.explain(error))?;
            let offset = reader.offset();
            match origin.after_rdb(&mut reader.into_source(), offset)? {
                AfterRdb::End => Ok(()),
                other => panic!("{other:?}"),
            }
        }
        Kind::Aof => {
            let log = Log::of_input(input)?;
            let options = ReplayOptions::default();
            log.replay_exactly(&options, true, &mut |_| ()).map(drop)
        }
        Kind::Json => {
            let (origin, source) = input.spooled()?.into_parts();
            import_json(source.data(), |_| Ok(())).map_err(|error| origin.explain(error))
        }
        other => panic!("{other:?}"),
    }
}

fn packed(packer: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(packer)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("LEFT OUT: {packer}: not installed");
        return None;
    };
    let mut pipe = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feeder = std::thread::spawn(move || pipe.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Some(output.stdout)
}

fn is_io(error: &Error) -> bool {
    error.code() == Code::Io && error.io_error().and_then(io::Error::raw_os_error) == Some(5)
}

#[test]
fn input_of_every_kind_that_fails_or_ends_at_any_byte() {
    let rdb = fs::read(demo()).unwrap();
    let commands = log(&["SET a 1", "RPUSH l x y", "SELECT 3", "INCR n"]);
    let line = |key: &str| format!("{{\"key\":\"{key}\",\"type\":\"string\",\"value\":\"v\"}}\n");
    let lines = ["a", "b", "c"].map(line).concat().into_bytes();
    let mut inputs = vec![
        ("RDB", rdb.clone()),
        ("log", commands),
        ("JSON", lines),
        ("replication", [b"$1109\r\n", &rdb[..]].concat()),
    ];
    for packer in ["gzip", "zstd", "lz4"] {
        inputs.extend(packed(packer, &rdb).map(|packed| (packer, packed)));
    }
    let mut points = 0;
    for (name, bytes) in inputs {
        let kind = match name {
            "log" => Kind::Aof,
            "JSON" => Kind::Json,
            _ => Kind::Rdb,
        };
        let options = OpenOptions::new().as_kind(kind);
        let read =
            |cut: usize, then| read_input(Stream::new(&bytes[..cut], then, cut as u64), &options);
        read(bytes.len(), Then::End).unwrap_or_else(|error| panic!("{name}: {error}"));
        for cut in 0..bytes.len() {
            let error = read(cut, EIO).expect_err(name);
            assert!(is_io(&error), "{name}, failed at {cut}: {error}");
            assert!(error.to_string().starts_with("stream: "), "{error}");
            points += 1;
            match read(cut, Then::End) {
                // A log, and lines, may end behind any record.
                Ok(()) => assert!(
                    matches!(kind, Kind::Aof | Kind::Json),
                    "{name}, cut at {cut}"
                ),
                // A few bytes may be anything.
                Err(error) => assert!(
                    error.fault() == Fault::Input || cut < 6 && error.fault() == Fault::Unsupported,
                    "{name}, cut at {cut}: {error}"
                ),
            }
            points += 1;
        }
    }
    eprintln!("{points} inputs");
}

/// That is said of the memory of a process, which says of itself that it is an empty file.
#[test]
fn file_that_the_system_cannot_read_is_one_error() {
    let dir = folder();
    let out = path_in(&dir, "out.ndjson");
    let input = "/proc/self/mem";
    for args in [
        &["convert", input, "-o", &out][..],
        &["convert", input, "--as", "aof", "-o", &out],
        &["convert", input, "--as", "json", "-o", &out],
        &["rewrite", input, "--as", "aof", "-o", &out],
        &["digest", input],
        &["inspect", input, "--as", "rdb"],
    ] {
        let output = command(args).output().unwrap();
        exited(&output, 2, &format!("{args:?}"));
        one_error(&output, &[input, "cannot read", "Input/output error"]);
        assert!(names(dir.path()).is_empty());
    }
    exited(&command(&["verify", input]).output().unwrap(), 2, "verify");
}

/// A file of `/proc` has more bytes than it says.
#[test]
fn file_that_does_not_know_its_length_is_read() {
    let output = command(&["inspect", "/proc/self/cmdline"])
        .output()
        .unwrap();
    exited(&output, 1, "no format of ours");
    one_error(&output, &["/proc/self/cmdline", "begins with"]);
}
