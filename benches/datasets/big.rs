//! `big`: one key of each type, so large that it alone must be streamed.

use std::io::{self, Write};

use super::commands::Commands;
use super::random::Random;

/// Writes the data set.
pub fn write<W: Write>(out: &mut Commands<W>, seed: u64, scale: f64) -> io::Result<()> {
    let mut random = Random::part(seed, "big");
    let n = (1e6 * scale) as u64;
    out.fill("RPUSH", b"big:list", n, 1, |n, arguments| {
        arguments.push([format!("{n}:").into_bytes(), random.token(14)].concat());
    })?;
    out.fill("SADD", b"big:set", n, 1, |n, arguments| {
        arguments.push([format!("{n:x}:").into_bytes(), random.token(12)].concat());
    })?;
    out.fill("ZADD", b"big:zset", n, 2, |n, arguments| {
        arguments.push(random.score());
        arguments.push(format!("member:{n}").into_bytes());
    })?;
    out.fill("HSET", b"big:hash", n, 2, |n, arguments| {
        arguments.push(format!("field:{n}").into_bytes());
        arguments.push(random.token(12));
    })?;
    let entries = n / 2;
    out.counts.keys += 1;
    out.counts.elements += entries;
    for n in 0..entries {
        let id = format!("{}-0", 1_700_000_000_000 + 10 * n);
        out.send(&[
            b"XADD",
            b"big:stream",
            id.as_bytes(),
            b"temperature",
            random.below(400).to_string().as_bytes(),
            b"state",
            b"ok",
        ])?;
    }
    let len = (32e6 * scale) as u64;
    let text = random.text(len);
    out.make(&[b"SET", b"big:text", &text], 1)?;
    let bytes = random.bytes(len / 4);
    out.make(&[b"SET", b"big:bytes", &bytes], 1)
}
