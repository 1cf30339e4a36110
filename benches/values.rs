//! One type and encoding at a time: framing, decoding, JSON, verification, writing as RDB and as commands.
//!
//! `cargo bench --bench values`; a name such as `to_ndjson` or `zset` chooses. Every
//! operation's result is compared with what the generator counted before it is timed.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::aof_write::write_records;
use rdbkit::ops::export::export_record;
use rdbkit::ops::rdb_write::{Form, WriteOptions, survey_rdb, write_rdb};
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, Item, RdbReader, ReadItems as _, Record, Scratch, Target, Value};

mod datasets;

use datasets::rdb::{SCENARIOS, Scenario, scenario};

const SEED: u64 = 1;

fn main() {
    divan::main();
}

/// Asserts what `operation` counts, then times it.
fn measure(
    bencher: Bencher<'_, '_>,
    name: &str,
    expected: impl Fn(&Scenario) -> u64,
    operation: impl Fn(&[u8]) -> u64 + Sync,
) {
    let scenario = scenario(name, SEED);
    assert_eq!(operation(&scenario.file), expected(&scenario), "{name}");
    bencher
        .counter(BytesCount::of_slice(&scenario.file))
        .bench(|| operation(black_box(&scenario.file)));
}

fn for_each_record(file: &[u8], checksum: ChecksumMode, mut f: impl FnMut(&Record<'_>)) {
    RdbReader::from_slice(file)
        .checksum(checksum)
        .for_each(|item, _| {
            if let Item::Key(record) = &item {
                f(record);
            }
            Ok(())
        })
        .expect("a sound file");
}

#[divan::bench(args = SCENARIOS)]
fn frame(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.keys,
        |file| {
            let mut keys = 0;
            for_each_record(file, ChecksumMode::Skip, |_| keys += 1);
            keys
        },
    );
}

#[divan::bench(args = SCENARIOS)]
fn frame_and_checksum(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.keys,
        |file| {
            let mut keys = 0;
            for_each_record(file, ChecksumMode::Require, |_| keys += 1);
            keys
        },
    );
}

#[divan::bench(args = SCENARIOS)]
fn decode(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.elements,
        |file| {
            let mut scratch = Scratch::new();
            let mut elements = 0;
            for_each_record(file, ChecksumMode::Skip, |record| {
                elements += count_elements(&record.value(), &mut scratch);
            });
            elements
        },
    );
}

fn count_elements(value: &Value<'_>, scratch: &mut Scratch) -> u64 {
    let mut elements = 0;
    let walked = match value {
        Value::String(string) => {
            elements = 1;
            string.text(scratch).map(|text| {
                black_box(text);
            })
        }
        Value::List(list) => list.for_each(scratch, |element| {
            black_box(element);
            elements += 1;
        }),
        Value::Set(set) => set.for_each(scratch, |member| {
            black_box(member);
            elements += 1;
        }),
        Value::Zset(zset) => zset.for_each(scratch, |member, score| {
            black_box((member, score));
            elements += 1;
        }),
        Value::Hash(hash) => hash.for_each(scratch, |field, value, _| {
            black_box((field, value));
            elements += 1;
        }),
        Value::Stream(stream) => stream
            .for_each_entry(scratch, |id, fields| {
                black_box(id);
                fields.for_each(|field| {
                    black_box(field);
                });
                elements += 1;
            })
            .map(|_| ()),
        _ => unreachable!("no scenario has such values"),
    };
    walked.expect("a sound value");
    elements
}

#[divan::bench(args = SCENARIOS)]
fn to_ndjson(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.keys,
        |file| {
            let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
            let mut writer = NativeWriter::new(Arrangement::Lines);
            let mut lines = 0;
            for_each_record(file, ChecksumMode::Require, |record| {
                export_record(record, &mut scratch, &mut key_scratch, &mut writer)
                    .expect("a sound value");
                lines += u64::from(writer.out.last() == Some(&b'\n'));
                if writer.out.len() > 1 << 18 {
                    black_box(&writer.out);
                    writer.out.clear();
                }
            });
            lines
        },
    );
}

#[divan::bench(args = SCENARIOS)]
fn verify(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.keys,
        |file| {
            let mut reader = RdbReader::from_slice(file).checksum(ChecksumMode::Report);
            let verified = verify_rdb(&mut reader, VerifyOptions::default(), &mut |finding| {
                panic!("{finding}")
            });
            verified.keys
        },
    );
}

/// What the newest release has a place for.
fn write_options() -> WriteOptions {
    let mut options = WriteOptions::new(Target::named("redis-8.10").expect("a release"));
    // Values are built anew, not copied.
    options.fresh = true;
    options
}

#[divan::bench(args = SCENARIOS)]
fn to_rdb(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.keys,
        |file| {
            let reader = || RdbReader::from_slice(file);
            let options = write_options();
            let survey = survey_rdb(&mut reader(), &options).expect("a sound file");
            let mut report = |finding| panic!("{finding}");
            let sink = std::io::sink();
            let written = write_rdb(&mut reader(), &options, &survey, sink, &mut report);
            written.expect("a sound file").1.keys
        },
    );
}

#[divan::bench(args = SCENARIOS)]
fn to_aof(bencher: Bencher<'_, '_>, name: &str) {
    measure(
        bencher,
        name,
        |scenario| scenario.keys,
        |file| {
            let reader = || RdbReader::from_slice(file);
            let mut options = write_options();
            let now_ms = 1_800_000_000_000;
            options.form = Form::Commands { now_ms };
            let survey = survey_rdb(&mut reader(), &options).expect("a sound file");
            let mut report = |finding| panic!("{finding}");
            let sink = std::io::sink();
            let written = write_records(&mut reader(), &options, &survey, sink, &mut report);
            written.expect("a sound file").1.keys
        },
    );
}
