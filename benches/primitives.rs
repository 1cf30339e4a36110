//! The kernels: checksum and LZF beside the crates that are their oracles, and JSON strings.
//!
//! `cargo bench --bench primitives`. That both sides agree is asserted before they are
//! timed.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};

mod datasets;

use datasets::random::Random;

const SEED: u64 = 1;
const KIB: usize = 1024;

fn main() {
    divan::main();
}

fn random(name: &str) -> Random {
    Random::part(SEED, name)
}

mod crc64 {
    use super::*;

    const SIZES: &[usize] = &[100, 4 * KIB, 1024 * KIB];

    fn input(size: usize) -> Vec<u8> {
        let bytes = random("crc64").bytes(size as u64);
        assert_eq!(ours(&bytes), oracle(&bytes));
        bytes
    }

    fn ours(bytes: &[u8]) -> u64 {
        rdbkit::bytes::crc64::crc64(bytes)
    }

    fn oracle(bytes: &[u8]) -> u64 {
        ::crc64::crc64(0, bytes)
    }

    #[divan::bench(args = SIZES)]
    fn rdbkit(bencher: Bencher<'_, '_>, size: usize) {
        let bytes = input(size);
        bencher
            .counter(BytesCount::new(size))
            .bench(|| ours(black_box(&bytes)));
    }

    #[divan::bench(args = SIZES)]
    fn crc64_crate(bencher: Bencher<'_, '_>, size: usize) {
        let bytes = input(size);
        bencher
            .counter(BytesCount::new(size))
            .bench(|| oracle(black_box(&bytes)));
    }
}

mod lzf {
    use super::*;
    use rdbkit::bytes::lzf::{compress_into, decompress_into};

    /// A cached document, prose, and a quicklist node's worth of tokens.
    const TEXTS: &[&str] = &["document_2k", "prose_8k", "repeats_64k"];

    fn input(name: &str) -> (Vec<u8>, Vec<u8>) {
        let mut random = random(name);
        let text = match name {
            "document_2k" => random.document(2000),
            "prose_8k" => random.text(8000),
            _ => random.token(100).repeat(655),
        };
        let mut block = Vec::new();
        assert!(compress_into(&text, text.len(), &mut block));
        assert_eq!(::lzf::decompress(&block, text.len()).as_ref(), Ok(&text));
        let theirs = ::lzf::compress(&text).expect("compressible text");
        let mut out = Vec::new();
        decompress_into(&theirs, text.len(), &mut out).expect("a sound block");
        assert_eq!(out, text);
        (text, block)
    }

    #[divan::bench(args = TEXTS)]
    fn decompress(bencher: Bencher<'_, '_>, name: &str) {
        let (text, block) = input(name);
        let mut out = Vec::new();
        bencher
            .counter(BytesCount::of_slice(&text))
            .bench_local(|| decompress_into(black_box(&block), text.len(), &mut out));
    }

    #[divan::bench(args = TEXTS)]
    fn decompress_lzf_crate(bencher: Bencher<'_, '_>, name: &str) {
        let (text, block) = input(name);
        bencher
            .counter(BytesCount::of_slice(&text))
            .bench(|| ::lzf::decompress(black_box(&block), text.len()));
    }

    #[divan::bench(args = TEXTS)]
    fn compress(bencher: Bencher<'_, '_>, name: &str) {
        let (text, _) = input(name);
        let mut out = Vec::new();
        bencher
            .counter(BytesCount::of_slice(&text))
            .bench_local(|| compress_into(black_box(&text), text.len(), &mut out));
    }

    #[divan::bench(args = TEXTS)]
    fn compress_lzf_crate(bencher: Bencher<'_, '_>, name: &str) {
        let (text, _) = input(name);
        bencher
            .counter(BytesCount::of_slice(&text))
            .bench(|| ::lzf::compress(black_box(&text)));
    }
}

mod json {
    use super::*;
    use rdbkit::json::escape::write_string;

    /// Strings as keys and members are, and as documents are.
    const STRINGS: &[&str] = &[
        "tokens_20",
        "tokens_200",
        "document_2k",
        "accented_200",
        "bytes_200",
    ];

    fn input(name: &str) -> Vec<Vec<u8>> {
        let mut random = random(name);
        (0..1000)
            .map(|_| match name {
                "tokens_20" => random.token(20),
                "tokens_200" => random.token(200),
                "document_2k" => random.document(2000),
                "accented_200" => "né€".repeat(33).into_bytes(),
                _ => random.bytes(200),
            })
            .collect()
    }

    #[divan::bench(args = STRINGS)]
    fn string(bencher: Bencher<'_, '_>, name: &str) {
        let strings = input(name);
        let mut out = Vec::new();
        for bytes in &strings {
            out.clear();
            write_string(bytes, &mut out);
            let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            let text = std::str::from_utf8(bytes).ok();
            assert_eq!(value.as_str(), text, "{name}");
            assert_eq!(text.is_none(), value["$b64"].is_string(), "{name}");
        }
        bencher
            .counter(BytesCount::new(strings.iter().map(Vec::len).sum::<usize>()))
            .bench_local(|| {
                out.clear();
                black_box(&strings)
                    .iter()
                    .for_each(|bytes| write_string(bytes, &mut out));
            });
    }
}
