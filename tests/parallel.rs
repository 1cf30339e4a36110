//! Results never depend on how many threads make them, nor on how a file is divided among them.

mod util;

use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use rdbkit::bytes::crc64::crc64;
use rdbkit::bytes::source::{SliceSource, Source, StreamSource};
use rdbkit::input::{ByteSource, Input, Kind, OpenOptions};
use rdbkit::json::librdb::LibrdbWriter;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::json::rdbtools::RdbtoolsWriter;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::verify::{VerifyOptions, verify_rdb};
use rdbkit::rdb::{ChecksumMode, RdbReader};
use util::recorded::converted;
use util::rng::{self, Rng};

fn verified<S: Source + Send>(source: S, pipeline: Pipeline) -> String {
    let mut findings = Vec::new();
    let mut reader = RdbReader::new(source).checksum(ChecksumMode::Report);
    let options = VerifyOptions {
        pipeline,
        ..VerifyOptions::default()
    };
    let verified = verify_rdb(&mut reader, options, &mut |finding| {
        findings.push(format!("{finding:?}"));
    });
    format!("{}\n{verified:?}", findings.join("\n"))
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
enum Way {
    Slice,
    Mapped,
    Stream,
}

const WAYS: [Way; 3] = [Way::Slice, Way::Mapped, Way::Stream];

/// All that can be told of a file.
fn told(file: &[u8], pipeline: Pipeline, way: Way) -> Vec<String> {
    let slice = || SliceSource::new(file);
    let lines = || NativeWriter::new(Arrangement::Lines);
    match way {
        Way::Slice => {}
        Way::Mapped => {
            let mut temp = tempfile::NamedTempFile::new().unwrap();
            temp.write_all(file).unwrap();
            let mapped = || mapped(temp.path());
            return vec![
                verified(mapped(), pipeline),
                converted(mapped(), lines(), false, pipeline),
                converted(mapped(), lines(), true, pipeline),
            ];
        }
        Way::Stream => {
            return vec![
                verified(StreamSource::new(file), pipeline),
                converted(StreamSource::new(file), lines(), true, pipeline),
            ];
        }
    }
    let array = NativeWriter::new(Arrangement::Array);
    let pretty = NativeWriter::new(Arrangement::PrettyArray);
    vec![
        verified(slice(), pipeline),
        converted(slice(), lines(), false, pipeline),
        converted(slice(), lines(), true, pipeline),
        converted(slice(), array, true, pipeline),
        converted(slice(), pretty, false, pipeline),
        converted(slice(), LibrdbWriter::document(), true, pipeline),
        converted(slice(), RdbtoolsWriter::document(), true, pipeline),
    ]
}

fn mapped(path: &Path) -> ByteSource {
    let options = OpenOptions::new().map(true).as_kind(Kind::Rdb);
    let (_, source) = Input::open(path, &options).unwrap().into_parts();
    assert!(matches!(source, ByteSource::Mapped(_)));
    source
}

fn check(label: &str, file: &[u8], batches: &[usize]) {
    let alone = told(file, Pipeline::default(), Way::Slice);
    let mapped = told(file, Pipeline::default(), Way::Mapped);
    assert!(
        alone.starts_with(&mapped),
        "{label}: {mapped:?}\n--- in memory:\n{alone:?}"
    );
    for way in WAYS {
        let expected = told(file, Pipeline::default(), way);
        for jobs in [1, 2, 3, 8] {
            for &batch_bytes in batches {
                let pipeline = Pipeline::new(NonZeroUsize::new(jobs).unwrap());
                let told = told(file, pipeline.batch_bytes(batch_bytes), way);
                for (told, expected) in told.iter().zip(&expected) {
                    assert!(
                        told == expected,
                        "{label}: {jobs} jobs, batches of {batch_bytes} bytes, {way:?}\n{told}\n--- one job:\n{expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_fixture_is_told_alike_by_any_number_of_threads() {
    let files = util::fixtures(&["rdb"]);
    assert!(!files.is_empty());
    for path in files {
        let file = fs::read(&path).unwrap();
        check(&path.display().to_string(), &file, &[1]);
    }
}

/// A file of many databases, some of whose values are damaged or odd.
fn random_file(rng: &mut Rng, records: u64) -> Vec<u8> {
    fn string(rng: &mut Rng, file: &mut Vec<u8>) {
        let len = rng.below(20) as u8;
        file.push(len);
        file.extend((0..len).map(|_| match rng.below(40) {
            0 => 0xff,
            n => b'a' + n as u8 % 26,
        }));
    }
    let mut file = b"REDIS0011\xfa\x03abc\x01d\xf5\x05#!lua".to_vec();
    for _ in 0..records {
        match rng.below(30) {
            0 => file.extend([0xfe, rng.below(3) as u8]),
            1 => file.extend([0xfb, rng.below(9) as u8, rng.below(9) as u8]),
            2 => file.extend([0xf4, rng.below(9) as u8, rng.below(9) as u8, 0]),
            3 => {
                file.extend(b"\xfa\x09slot-info");
                let text = format!("{},{},1", rng.below(9000), rng.below(9));
                file.push(text.len() as u8);
                file.extend(text.as_bytes());
            }
            4 => file.extend(b"\xf5\x02--"),
            _ => {}
        }
        if rng.below(4) == 0 {
            file.push(0xfc);
            file.extend(rng.below(1 << 40).to_le_bytes());
        }
        if rng.below(9) == 0 {
            file.extend([0xf8, 9]);
        }
        let (type_byte, strings) = match rng.below(20) {
            // A listpack that is none.
            0 => (16, 1),
            n => [(0, 1), (1, 3), (2, 4), (4, 6)][n as usize % 4],
        };
        file.push(type_byte);
        string(rng, &mut file);
        match type_byte {
            1 | 2 => file.push(strings),
            4 => file.push(strings / 2),
            _ => {}
        }
        (0..strings).for_each(|_| string(rng, &mut file));
    }
    file.push(0xff);
    let crc = crc64(&file);
    file.extend(crc.to_le_bytes());
    file
}

#[test]
fn random_files_are_told_alike_by_any_number_of_threads() {
    for (round, seed) in rng::seeds(300, 9).enumerate() {
        let mut rng = Rng::new(seed);
        let records = 1 + rng.below(300);
        let mut file = random_file(&mut rng, records);
        match round % 3 {
            // Cut short, or changed somewhere.
            1 => file.truncate(rng.below(file.len() as u64) as usize),
            2 => {
                let at = rng.below(file.len() as u64) as usize;
                file[at] ^= 1 << rng.below(8);
            }
            _ => {}
        }
        let label = format!("RDBKIT_SEED={seed}");
        check(&label, &file, &[1, 200]);
    }
}

#[test]
fn file_of_many_windows_is_told_alike_by_any_number_of_threads() {
    let mut rng = Rng::new(rng::seed(400));
    let file = random_file(&mut rng, 40_000);
    for (jobs, batch_bytes) in [(1, 1000), (2, 100_000), (3, 256 * 1024), (8, 5_000)] {
        tell_alike(&file, jobs, batch_bytes);
    }
    for jobs in [1, 2, 3] {
        let mut damaged = file.clone();
        let at = rng.below(file.len() as u64) as usize;
        damaged[at] ^= 1 << rng.below(8);
        tell_alike(&damaged, jobs, 256 * 1024);
        tell_alike(&file[..at], jobs, 256 * 1024);
    }
}

#[test]
fn records_around_the_size_of_a_window_are_told_alike_by_any_number_of_threads() {
    let mut rng = Rng::new(rng::seed(401));
    let mut file = b"REDIS0011".to_vec();
    let mut cuts = vec![9, 100_000];
    for key in 0..40_u8 {
        let len = match rng.below(4) {
            0 => rng.below(1000),
            1 => 256 * 1024 - 32 + rng.below(64),
            _ => rng.below(700_000),
        };
        file.extend([0, 1, b'0' + key, 0x80]);
        file.extend((len as u32).to_be_bytes());
        file.extend((0..len).map(|n| b'a' + (n % 26) as u8));
        if len > 300_000 {
            // More of the record is left than fits a window.
            cuts.push(file.len() - 10_000);
        }
    }
    cuts.push(file.len());
    file.push(0xff);
    let crc = crc64(&file);
    file.extend(crc.to_le_bytes());
    for (jobs, batch_bytes) in [(1, 1000), (2, 256 * 1024), (3, 100)] {
        tell_alike(&file, jobs, batch_bytes);
    }
    assert!(cuts.len() > 5);
    cuts.truncate(8);
    for cut in cuts {
        for jobs in [1, 2] {
            tell_alike(&file[..cut], jobs, 256 * 1024);
        }
    }
}

fn tell_alike(file: &[u8], jobs: usize, batch_bytes: usize) {
    let pipeline = Pipeline::new(NonZeroUsize::new(jobs).unwrap()).batch_bytes(batch_bytes);
    let alone = told(file, Pipeline::default(), Way::Slice);
    for way in WAYS {
        let expected = match way {
            Way::Stream => &told(file, Pipeline::default(), way)[..],
            _ => &alone,
        };
        assert!(
            expected.starts_with(&told(file, pipeline, way)),
            "{jobs} jobs, batches of {batch_bytes} bytes, {way:?}"
        );
    }
}
