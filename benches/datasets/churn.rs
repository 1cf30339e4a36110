//! `churn`: a log that is far larger than what it leaves behind.
//!
//! Commands are in the form in which a server logs them: absolute deadlines, given
//! stream ids, a SELECT in front.

use std::io::{self, Write};

use super::commands::Commands;
use super::random::Random;

const COMMANDS: f64 = 4e6;

/// Writes the data set.
pub fn write<W: Write>(out: &mut Commands<W>, seed: u64, scale: f64) -> io::Result<()> {
    /// Far enough ahead for the log to load for years.
    const DEADLINE_MS: u64 = 4_000_000_000_000;
    let mut random = Random::part(seed, "churn");
    let commands = (COMMANDS * scale) as u64;
    // As many keys of each kind, so that their sizes stay the same at every scale.
    let keys = (commands / 40).max(10);
    let mut event_ms = 1_700_000_000_000;
    out.send(&[b"SELECT", b"0"])?;
    for _ in 1..commands {
        let n = random.skewed(keys);
        match random.below(100) {
            0..30 => {
                let key = format!("session:{n:08}");
                let len = random.range(80, 160);
                let value = random.token(len);
                out.send(&[b"SET", key.as_bytes(), &value])?;
            }
            30..42 => {
                let key = format!("counter:{}", n / 10);
                out.send(&[
                    b"INCRBY",
                    key.as_bytes(),
                    random.range(1, 100).to_string().as_bytes(),
                ])?;
            }
            42..57 => {
                let key = format!("user:{}", n / 4);
                let field = format!("field{}", random.below(20));
                let value = random.token(20);
                out.send(&[b"HSET", key.as_bytes(), field.as_bytes(), &value])?;
            }
            57..67 => {
                let key = format!("ranking:{}", n / 100);
                let member = format!("player:{}", random.skewed(2000));
                out.send(&[b"ZADD", key.as_bytes(), &random.score(), member.as_bytes()])?;
            }
            67..75 => {
                let key = format!("queue:{}", n / 50);
                let job = random.document(90);
                out.send(&[b"RPUSH", key.as_bytes(), &job])?;
            }
            75..82 => {
                let key = format!("queue:{}", n / 50);
                out.send(&[b"LPOP", key.as_bytes()])?;
            }
            82..88 => {
                let key = format!("online:{}", n / 100);
                out.send(&[
                    b"SADD",
                    key.as_bytes(),
                    random.below(5000).to_string().as_bytes(),
                ])?;
            }
            88..92 => {
                let key = format!("session:{n:08}");
                out.send(&[b"DEL", key.as_bytes()])?;
            }
            92..97 => {
                let key = format!("session:{n:08}");
                let at = DEADLINE_MS + random.below(1 << 32);
                out.send(&[b"PEXPIREAT", key.as_bytes(), at.to_string().as_bytes()])?;
            }
            _ => {
                let key = format!("events:{}", n / 1000);
                event_ms += random.below(20);
                let id = format!("{event_ms}-{}", out.counts.commands);
                let user = random.below(100_000).to_string();
                out.send(&[
                    b"XADD",
                    key.as_bytes(),
                    id.as_bytes(),
                    b"type",
                    b"view",
                    b"user",
                    user.as_bytes(),
                ])?;
            }
        }
    }
    Ok(())
}
