//! Every writer of the library over a sink that fails at any byte, takes little at a time, or is
//! interrupted: the error is the sink's, nothing is written behind it, and what was written
//! before is the beginning of the right bytes.

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use rdbkit::error::{Code, Error, Fault, Result};
use rdbkit::input::{Input, Kind, OpenOptions};
use rdbkit::json::Document;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::aof_write::{write_and_survey, write_records};
use rdbkit::ops::convert::{Conversion, ConvertOptions, convert_rdb};
use rdbkit::ops::export_store::export_entry;
use rdbkit::ops::json_to_rdb::rdb_of_json;
use rdbkit::ops::log::Log;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::rdb_write::{Form, Source, WriteOptions, copy_rdb, survey_rdb, write_rdb};
use rdbkit::ops::replay::ReplayOptions;
use rdbkit::ops::rewrite::Rewriter;
use rdbkit::rdb::{RdbReader, Scratch, Target};

use crate::program::{demo, log, many_keys};
use crate::util::rng::Rng;

/// How a sink fails.
#[derive(Clone, Copy, Debug)]
enum How {
    /// The system's error of this number.
    Os(i32),
    /// It takes nothing and says so.
    Nothing,
}

const ENOSPC: How = How::Os(28);
const WAYS: [How; 7] = [
    ENOSPC,
    // EIO, EPIPE, EFBIG, EDQUOT, EAGAIN.
    How::Os(5),
    How::Os(32),
    How::Os(27),
    How::Os(122),
    How::Os(11),
    How::Nothing,
];

/// Takes what it is given, until it fails.
struct Sink {
    taken: Vec<u8>,
    /// What is left until it fails, and how.
    fault: Option<(usize, How)>,
    /// It takes a few bytes at a time, and is interrupted.
    short: Option<Rng>,
    has_failed: bool,
    calls_afterwards: u32,
}

impl Sink {
    fn sound() -> Sink {
        Sink {
            taken: Vec::new(),
            fault: None,
            short: None,
            has_failed: false,
            calls_afterwards: 0,
        }
    }

    fn failing(at: usize, how: How) -> Sink {
        Sink {
            fault: Some((at, how)),
            ..Sink::sound()
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls_afterwards += u32::from(self.has_failed);
        let mut len = bytes.len();
        if let Some((at, how)) = self.fault {
            len = len.min(at - self.taken.len());
            if len == 0 && !bytes.is_empty() {
                self.has_failed = true;
                return match how {
                    How::Os(number) => Err(io::Error::from_raw_os_error(number)),
                    How::Nothing => Ok(0),
                };
            }
        }
        if let Some(rng) = &mut self.short {
            if rng.one_in(4) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // Mostly single bytes would take minutes.
            let most = if rng.one_in(2) { 7 } else { 3000 };
            len = len.min(rng.range(1, most));
        }
        self.taken.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What there is to write.
struct Data {
    rdb: Vec<u8>,
    log: Vec<u8>,
    json: Vec<u8>,
}

impl Data {
    /// Every type, in about a kilobyte.
    fn small() -> Data {
        let lines = [
            "SELECT 0",
            "SET s 12",
            "APPEND s x",
            "PEXPIREAT s 4102444800000",
            "RPUSH l a b c",
            "SADD set a b 1",
            "ZADD z 1.5 a 2 b",
            "HSET h f v g w",
            "SELECT 7",
            "XADD x 1-1 f v",
            "XGROUP CREATE x g 0",
        ];
        Data::of(fs::read(demo()).unwrap(), log(&lines))
    }

    /// Enough for several calls of the sink.
    fn large() -> Data {
        let lines: Vec<_> = (0..12_000)
            .map(|n| format!("SET key:{n} value:{n}:{n}:{n}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        Data::of(many_keys(2500), log(&lines))
    }

    fn of(rdb: Vec<u8>, log: Vec<u8>) -> Data {
        let mut json = Sink::sound();
        ndjson_of_rdb(&rdb, &mut json).unwrap();
        let json = json.taken;
        Data { rdb, log, json }
    }

    fn parsed(&self) -> Log {
        let options = OpenOptions::new().as_kind(Kind::Aof);
        let bytes = io::Cursor::new(self.log.clone());
        Log::of_input(Input::from_reader("log", bytes, &options).unwrap()).unwrap()
    }
}

fn pipeline() -> Pipeline {
    Pipeline::new(NonZeroUsize::new(3).unwrap())
}

fn write(sink: &mut Sink, text: &[u8]) -> Result<()> {
    sink.write_all(text)
        .map_err(|e| Error::io("cannot write", e))
}

/// Lines of JSON on their way to a sink.
struct Lines<'s> {
    writer: NativeWriter,
    sink: &'s mut Sink,
}

impl<'s> Lines<'s> {
    fn new(sink: &'s mut Sink) -> Self {
        let writer = NativeWriter::new(Arrangement::Lines);
        Lines { writer, sink }
    }
}

impl Conversion for Lines<'_> {
    type Document = NativeWriter;

    fn document(&mut self) -> &mut NativeWriter {
        &mut self.writer
    }

    fn progress(&mut self) -> Result<()> {
        match self.writer.text().len() < 100_000 {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let sink = &mut *self.sink;
        self.writer.write_out(&mut |text| write(sink, text))
    }

    fn damaged(&mut self, error: Error) {
        panic!("{error}");
    }
}

fn ndjson_of_rdb(rdb: &[u8], sink: &mut Sink) -> Result<()> {
    let options = ConvertOptions {
        pipeline: pipeline(),
        ..ConvertOptions::default()
    };
    let mut lines = Lines::new(sink);
    convert_rdb(&mut RdbReader::from_slice(rdb), &options, &mut lines)?;
    lines.flush()
}

fn ndjson_of_log(data: &Data, sink: &mut Sink) -> Result<()> {
    let log = data.parsed();
    let replayed = log.replay_exactly(&ReplayOptions::default(), false, &mut |_| ())?;
    let mut lines = Lines::new(sink);
    for (db, key, entry) in replayed.replayer.store.iter() {
        export_entry(db, key, entry, &mut Scratch::new(), &mut lines.writer)?;
        lines.progress()?;
    }
    lines.flush()
}

fn options(form: Form) -> WriteOptions {
    let mut options = WriteOptions::new(Target::named("redis-7.2").unwrap());
    options.form = form;
    options.pipeline = pipeline();
    options
}

const COMMANDS: Form = Form::Commands {
    now_ms: 1_700_000_000_000,
};

fn from_rdb(data: &Data, form: Form, sink: &mut Sink) -> Result<()> {
    let options = options(form);
    let survey = survey_rdb(&mut RdbReader::from_slice(&data.rdb), &options)?;
    let mut reader = RdbReader::from_slice(&data.rdb);
    let report = &mut |_| ();
    match form {
        Form::Rdb => write_rdb(&mut reader, &options, &survey, sink, report).map(drop),
        _ => write_records(&mut reader, &options, &survey, sink, report).map(drop),
    }
}

fn rewriter() -> Rewriter {
    let rewriter = Rewriter::new().now_ms(1_700_000_000_000);
    rewriter.target(Target::named("redis-7.2").unwrap())
}

type Job = fn(&Data, &mut Sink) -> Result<()>;

const JOBS: [(&str, Job); 10] = [
    ("RDB to NDJSON", |data, sink| ndjson_of_rdb(&data.rdb, sink)),
    ("RDB to AOF", |data, sink| from_rdb(data, COMMANDS, sink)),
    ("RDB to AOF at once", |data, sink| {
        let mut reader = RdbReader::from_slice(&data.rdb);
        write_and_survey(&mut reader, &options(COMMANDS), sink, &mut |_| ()).map(drop)
    }),
    ("RDB to RDB", |data, sink| from_rdb(data, Form::Rdb, sink)),
    ("RDB copied", |data, sink| {
        let mut reader = RdbReader::from_slice(&data.rdb);
        let mut options = options(Form::Rdb);
        options.target = Source::of_head(&data.rdb)?
            .target()
            .unwrap_or(options.target);
        copy_rdb(&mut reader, &options, sink, &mut |_| ()).map(drop)
    }),
    ("AOF to NDJSON", ndjson_of_log),
    ("AOF to RDB", |data, sink| {
        rewriter()
            .rdb()
            .rewrite(&data.parsed(), sink, &mut |_| ())
            .map(drop)
    }),
    ("AOF to commands", |data, sink| {
        let rewriter = rewriter().preamble(false);
        rewriter
            .rewrite(&data.parsed(), sink, &mut |_| ())
            .map(drop)
    }),
    ("AOF to hybrid", |data, sink| {
        let rewriter = rewriter().preamble(true);
        rewriter
            .rewrite(&data.parsed(), sink, &mut |_| ())
            .map(drop)
    }),
    ("JSON to RDB", |data, sink| {
        rdb_of_json(&data.json, sink).map(drop)
    }),
];

#[test]
fn sink_that_takes_little_or_is_interrupted_gets_the_same_bytes() {
    for data in [Data::small(), Data::large()] {
        for (name, job) in JOBS {
            let mut whole = Sink::sound();
            job(&data, &mut whole).unwrap();
            assert!(whole.taken.len() > 100, "{name}");
            for seed in 0..4 {
                let mut short = Sink::sound();
                short.short = Some(Rng::new(seed));
                job(&data, &mut short).unwrap();
                assert!(short.taken == whole.taken, "{name}, seed {seed}");
            }
        }
    }
}

#[test]
fn sink_that_fails_at_any_byte_is_an_error_of_its_own() {
    let mut points = 0;
    let mut calls = 0;
    for (data, is_small) in [(Data::small(), true), (Data::large(), false)] {
        for (name, job) in JOBS {
            let mut whole = Sink::sound();
            job(&data, &mut whole).unwrap();
            let len = whole.taken.len();
            // Of a small output the first bytes and every seventeenth; of a large one some of each call.
            let places: Vec<usize> = match is_small {
                true => (0..64.min(len)).chain((64..len).step_by(17)).collect(),
                false => (0..len).step_by(len / 9).chain([len - 1]).collect(),
            };
            for (n, &at) in places.iter().enumerate() {
                // At each byte another way to fail; at some all of them.
                let ways = match n % 50 {
                    0 => &WAYS[..],
                    n => &WAYS[n % WAYS.len()..][..1],
                };
                for &how in ways {
                    let label = format!("{name}, {how:?} at {at} of {len}");
                    let mut sink = Sink::failing(at, how);
                    let error = job(&data, &mut sink).expect_err(&label);
                    assert_eq!(
                        (error.code(), error.fault()),
                        (Code::Io, Fault::Io),
                        "{label}: {error}"
                    );
                    assert!(error.to_string().contains("cannot write"), "{error}");
                    let source = error.io_error().unwrap();
                    match how {
                        How::Os(number) => assert_eq!(source.raw_os_error(), Some(number)),
                        How::Nothing => assert_eq!(source.kind(), io::ErrorKind::WriteZero),
                    }
                    assert!(sink.has_failed, "{label}");
                    assert_eq!(sink.calls_afterwards, 0, "{label}");
                    assert!(sink.taken == whole.taken[..at], "{label}");
                    points += 1;
                }
            }
            job(&data, &mut Sink::failing(len, ENOSPC)).unwrap();
            calls += len / (128 << 10);
        }
    }
    assert!(calls > 20, "{calls}");
    eprintln!("{points} failing writes");
}
