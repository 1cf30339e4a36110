//! `mixed`: every type and encoding, at the sizes of everyday use.

use std::io::{self, Write};

use super::commands::Commands;
use super::random::Random;

const LIBRARY: &[u8] =
    b"#!lua name=rates\nredis.register_function('limit', function(keys, args)\n  \
    local n = redis.call('INCR', keys[1])\n  return n <= tonumber(args[1]) and 1 or 0\nend)\n";

/// The present of the data set, and the earliest deadline: far enough ahead to load for years.
const NOW_MS: u64 = 4_000_000_000_000;

struct Mixed<'o, W> {
    out: &'o mut Commands<W>,
    random: Random,
    scale: f64,
}

/// Writes the data set.
pub fn write<W: Write>(out: &mut Commands<W>, seed: u64, scale: f64) -> io::Result<()> {
    let mut mixed = Mixed {
        out,
        random: Random::part(seed, "mixed"),
        scale,
    };
    mixed.out.send(&[b"FUNCTION", b"LOAD", LIBRARY])?;
    mixed.select(0)?;
    mixed.strings()?;
    mixed.hashes()?;
    mixed.select(1)?;
    mixed.lists()?;
    mixed.sets()?;
    mixed.select(5)?;
    mixed.zsets()?;
    mixed.streams()
}

impl<W: Write> Mixed<'_, W> {
    fn select(&mut self, db: u32) -> io::Result<()> {
        self.out.send(&[b"SELECT", db.to_string().as_bytes()])
    }

    /// How many keys of a kind there are: at least one whatever the scale.
    fn times(&self, at_scale_one: u64) -> u64 {
        ((at_scale_one as f64 * self.scale) as u64).max(1)
    }

    fn expire_some(&mut self, key: &[u8], one_in: u64) -> io::Result<()> {
        if !self.random.one_in(one_in) {
            return Ok(());
        }
        let at = NOW_MS + self.random.below(1 << 32);
        self.out
            .send(&[b"PEXPIREAT", key, at.to_string().as_bytes()])
    }

    fn strings(&mut self) -> io::Result<()> {
        for n in 0..self.times(50_000) {
            let key = format!("counter:{n}");
            let value = match self.random.below(4) {
                0 => self.random.below(100),
                1 => self.random.below(30_000),
                2 => self.random.below(1 << 31),
                // Beyond 32 bits the file has text.
                _ => self.random.below(1 << 50),
            };
            self.out
                .make(&[b"SET", key.as_bytes(), value.to_string().as_bytes()], 1)?;
        }
        for n in 0..self.times(60_000) {
            let key = format!("session:{:08x}:{n}", self.random.next() as u32);
            let len = self.random.range(32, 120);
            let value = self.random.token(len);
            self.out.make(&[b"SET", key.as_bytes(), &value], 1)?;
            self.expire_some(key.as_bytes(), 2)?;
        }
        for n in 0..self.times(30_000) {
            let key = format!("cache:product:{n}");
            let len = self.random.range(200, 3000);
            let value = self.random.document(len);
            self.out.make(&[b"SET", key.as_bytes(), &value], 1)?;
            self.expire_some(key.as_bytes(), 3)?;
        }
        for n in 0..self.times(6_000) {
            let key = format!("page:{n}");
            let len = self.random.range(500, 8000);
            let value = self.random.text(len);
            self.out.make(&[b"SET", key.as_bytes(), &value], 1)?;
        }
        for n in 0..self.times(8_000) {
            let key = format!("thumbnail:{n}");
            let len = self.random.range(100, 1500);
            let value = self.random.bytes(len);
            self.out.make(&[b"SET", key.as_bytes(), &value], 1)?;
        }
        Ok(())
    }

    fn hashes(&mut self) -> io::Result<()> {
        for n in 0..self.times(60_000) {
            let random = &mut self.random;
            let key = format!("user:{n}");
            let name = random.text(12);
            let email = format!("user{n}@example.com");
            let visits = random.below(10_000).to_string();
            let created = (1_600_000_000 + random.below(100_000_000)).to_string();
            let token = random.token(24);
            let fields: [&[u8]; 14] = [
                b"HSET",
                key.as_bytes(),
                b"name",
                &name,
                b"email",
                email.as_bytes(),
                b"visits",
                visits.as_bytes(),
                b"created",
                created.as_bytes(),
                b"token",
                &token,
                b"country",
                b"CH",
            ];
            self.out.make(&fields, 6)?;
        }
        for n in 0..self.times(1_000) {
            let key = format!("cart:{n}");
            let (fields, random) = (self.random.range(200, 700), &mut self.random);
            self.out
                .fill("HSET", key.as_bytes(), fields, 2, |n, arguments| {
                    arguments
                        .push(format!("sku:{n:05}:{:04x}", random.below(0x1_0000)).into_bytes());
                    let len = random.range(20, 60);
                    arguments.push(random.text(len));
                })?;
            self.expire_some(key.as_bytes(), 4)?;
        }
        Ok(())
    }

    fn lists(&mut self) -> io::Result<()> {
        for n in 0..self.times(20_000) {
            let key = format!("recent:{n}");
            let (elements, random) = (self.random.range(3, 30), &mut self.random);
            self.out
                .fill("RPUSH", key.as_bytes(), elements, 1, |_, arguments| {
                    arguments.push(random.below(1 << 24).to_string().into_bytes());
                })?;
        }
        for n in 0..self.times(300) {
            let key = format!("queue:{n}");
            let (elements, random) = (self.random.range(1000, 4000), &mut self.random);
            self.out
                .fill("RPUSH", key.as_bytes(), elements, 1, |_, arguments| {
                    let len = random.range(20, 90);
                    arguments.push(match random.below(3) {
                        0 => random.text(len),
                        1 => random.token(len),
                        _ => random.document(80),
                    });
                })?;
        }
        // Elements that become plain nodes.
        for n in 0..self.times(20) {
            let key = format!("upload:{n}");
            let random = &mut self.random;
            self.out
                .fill("RPUSH", key.as_bytes(), 5, 1, |_, arguments| {
                    arguments.push(random.text(12_000));
                })?;
        }
        Ok(())
    }

    fn sets(&mut self) -> io::Result<()> {
        for n in 0..self.times(10_000) {
            let key = format!("followers:{n}");
            let (members, random) = (self.random.range(5, 300), &mut self.random);
            let step = [1 << 6, 1 << 20, 1 << 40][n as usize % 3];
            self.out
                .fill("SADD", key.as_bytes(), members, 1, |n, arguments| {
                    arguments.push((n * step + random.below(step)).to_string().into_bytes());
                })?;
        }
        for n in 0..self.times(600) {
            let key = format!("tagged:{n}");
            let (members, random) = (self.random.range(300, 2500), &mut self.random);
            self.out
                .fill("SADD", key.as_bytes(), members, 1, |n, arguments| {
                    arguments.push([format!("{n}:").into_bytes(), random.token(14)].concat());
                })?;
        }
        Ok(())
    }

    fn zsets(&mut self) -> io::Result<()> {
        for n in 0..self.times(20_000) {
            let key = format!("ranking:{n}");
            let (members, random) = (self.random.range(3, 60), &mut self.random);
            self.out
                .fill("ZADD", key.as_bytes(), members, 2, |n, arguments| {
                    arguments.push(random.score());
                    arguments
                        .push(format!("player:{n}:{:04x}", random.below(0x1_0000)).into_bytes());
                })?;
        }
        for n in 0..self.times(300) {
            let key = format!("timeline:{n}");
            let (members, random) = (self.random.range(1000, 4000), &mut self.random);
            self.out
                .fill("ZADD", key.as_bytes(), members, 2, |n, arguments| {
                    arguments.push(random.score());
                    arguments.push([format!("post:{n}:").into_bytes(), random.token(10)].concat());
                })?;
        }
        Ok(())
    }

    fn streams(&mut self) -> io::Result<()> {
        for n in 0..self.times(250) {
            let key = format!("events:{n}");
            let key = key.as_bytes();
            let entries = self.random.range(100, 1500);
            self.out.counts.keys += 1;
            self.out.counts.elements += entries;
            let mut at = 1_700_000_000_000;
            for m in 0..entries {
                at += self.random.below(1000);
                let id = format!("{at}-{m}");
                let user = self.random.below(100_000).to_string();
                let note = self.random.text(30);
                let names: [&[u8]; 3] = match n % 2 {
                    0 => [b"type", b"user", b"note"],
                    // Other fields than the node's first entry.
                    _ if m % 3 == 0 => [b"kind", b"account", b"text"],
                    _ => [b"type", b"user", b"note"],
                };
                self.out.send(&[
                    b"XADD",
                    key,
                    id.as_bytes(),
                    names[0],
                    b"view",
                    names[1],
                    user.as_bytes(),
                    names[2],
                    &note,
                ])?;
            }
            for group in [&b"workers"[..], b"audit"] {
                self.out.send(&[b"XGROUP", b"CREATE", key, group, b"0"])?;
                for consumer in [&b"a"[..], b"b", b"c"] {
                    self.out.send(&[
                        b"XREADGROUP",
                        b"GROUP",
                        group,
                        consumer,
                        b"COUNT",
                        b"25",
                        b"STREAMS",
                        key,
                        b">",
                    ])?;
                }
            }
        }
        Ok(())
    }
}
