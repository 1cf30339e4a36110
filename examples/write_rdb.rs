//! Writes values of one's own, as an RDB that a server loads, or as commands for
//! `redis-cli --pipe`.
//!
//! `cargo run --example write_rdb -- seed.rdb seed.aof`

use rdbkit::aof::AofWriter;
use rdbkit::bytes::sink::{OutputFile, OutputOptions};
use rdbkit::error::{Error, Result};
use rdbkit::model::ValueType;
use rdbkit::model::sink::KeyHead;
use rdbkit::model::stream::StreamId;
use rdbkit::rdb::{RdbWriter, Target, ValueWriter};

/// A key and its value; each release has its own encoding of it.
type Key = (KeyHead<'static>, fn(&mut ValueWriter<'_>));

fn keys() -> [Key; 4] {
    let mut session = KeyHead::new(0, b"session:1", ValueType::Hash);
    session.expire_at_ms = Some(4_102_444_800_000);
    [
        (KeyHead::new(0, b"greeting", ValueType::String), |value| {
            value.string(b"hello")
        }),
        (session, |value| {
            value.field(b"user", b"ann");
            value.field(b"visits", b"12");
        }),
        (KeyHead::new(0, b"scores", ValueType::Zset), |value| {
            value.scored(b"bob", 7.5);
            value.scored(b"ann", 3.0);
        }),
        (KeyHead::new(1, b"events", ValueType::Stream), |value| {
            value.entry(StreamId::new(1_700_000_000_000, 0), &[(b"what", b"login")]);
            value.entry(StreamId::new(1_700_000_000_500, 0), &[(b"what", b"logout")]);
        }),
    ]
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(rdb), Some(aof)) = (args.next(), args.next()) else {
        return Err(Error::usage("which two files?"));
    };
    let target =
        Target::named("redis-7.0").ok_or_else(|| Error::usage("the release has a name"))?;
    let mut file = RdbWriter::new(OutputFile::create(&rdb, &OutputOptions::new())?, target)?;
    file.release()?;
    let now_ms = 1_800_000_000_000;
    let output = OutputFile::create(&aof, &OutputOptions::new())?;
    let mut log = AofWriter::new(output, target, now_ms);
    for (head, value) in keys() {
        file.key(&head, value)?;
        log.key(&head, value)?;
    }
    file.finish()?.commit()?;
    log.finish()?.commit()?;
    Ok(())
}
