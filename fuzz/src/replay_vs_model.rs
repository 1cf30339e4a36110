//! Commands on a few keys leave what a naive model of them has; on one thread, and divided.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use arbitrary::{Result, Unstructured};
use rdbkit::aof::resp::encode_record_into;
use rdbkit::ops::export_store::export_entry;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::replay::{LogPart, ReplayOptions, replay_log};
use rdbkit::rdb::Scratch;
use rdbkit::replay::Now;

use super::model::{Bytes, Collector, Model};

const NOW_MS: i64 = 1_700_000_000_000;
const KEYS: [&[u8]; 4] = [b"a", b"b", b"key:c", b""];
const ELEMENTS: [&[u8]; 8] = [
    b"x",
    b"y",
    b"",
    b"7",
    b"-12",
    b"zz",
    b"0123456789",
    b"\xff\x00",
];

/// The keys of one database, each with its deadline.
type Keys = BTreeMap<Bytes, (Model, Option<i64>)>;

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    let mut world = World::default();
    // The commands so far are a log of their own when the bytes run out.
    while !u.is_empty() && world.commands < 200 && world.step(&mut u).is_ok() {}
    let serial = replayed(&world.log, 1);
    assert!(
        serial == world.keys(),
        "{}: {serial:?}, wanted {:?}",
        world.log.escape_ascii(),
        world.keys()
    );
    assert!(
        replayed(&world.log, 2) == serial,
        "{}: divided",
        world.log.escape_ascii()
    );
}

type Dataset = BTreeMap<(u32, Bytes), (Model, Option<i64>)>;

/// What rdbkit makes of a log.
fn replayed(log: &[u8], jobs: usize) -> Dataset {
    let parts = [LogPart {
        name: None,
        bytes: log,
    }];
    let mut options = ReplayOptions::default();
    options.replay.now = Now::At(NOW_MS);
    options.pipeline = Pipeline::new(NonZeroUsize::new(jobs).expect("some"));
    options.divide_from_bytes = if jobs > 1 { 1 } else { usize::MAX };
    let mut report = |finding| panic!("{finding}: {}", log.escape_ascii());
    let replayed = replay_log(&parts, &options, &mut report).expect("a log");
    assert!(replayed.exact);
    let store = &replayed.replayer.store;
    let keys = store.iter().map(|(db, key, entry)| {
        let mut collector = Collector::default();
        export_entry(db, key, entry, &mut Scratch::new(), &mut collector).expect("a value");
        let model = collector.model.expect("a value");
        ((db, key.to_vec()), (model, collector.expire_at_ms))
    });
    keys.collect()
}

/// What the commands should have made, and their log.
#[derive(Default)]
struct World {
    dbs: [Keys; 2],
    db: usize,
    log: Vec<u8>,
    commands: usize,
}

impl World {
    fn keys(&self) -> Dataset {
        let all = self.dbs.iter().zip(0..);
        let all = all.flat_map(|(keys, db)| {
            keys.iter()
                .map(move |(key, value)| ((db, key.clone()), value.clone()))
        });
        all.collect()
    }

    fn put(&mut self, args: &[&[u8]]) {
        encode_record_into(args, &mut self.log);
        self.commands += 1;
    }

    /// Draws a command that servers would log, and carries it out.
    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let key = *u.choose(&KEYS)?;
        let kind = u.int_in_range(0..=7)?;
        match kind {
            0 => self.generic(u, key),
            1 => self.of_databases(u),
            _ => match self.dbs[self.db].get(key).map(|(model, _)| model) {
                Some(Model::String(_)) => self.string(u, key),
                Some(Model::List(_)) => self.list(u, key),
                Some(Model::Set(_)) => self.set(u, key),
                Some(Model::Hash(_)) => self.hash(u, key),
                Some(Model::Zset(_)) => self.zset(u, key),
                _ => self.create(u, key, kind),
            },
        }
    }

    fn create(&mut self, u: &mut Unstructured<'_>, key: &[u8], kind: usize) -> Result<()> {
        let element = *u.choose(&ELEMENTS)?;
        let model = match kind {
            2 | 7 => {
                self.put(&[b"SET", key, element]);
                Model::String(element.to_vec())
            }
            3 => {
                self.put(&[b"RPUSH", key, element, element]);
                Model::List(vec![element.to_vec(), element.to_vec()])
            }
            4 => {
                self.put(&[b"SADD", key, element, b"one"]);
                Model::Set([element.to_vec(), b"one".to_vec()].into())
            }
            5 => {
                self.put(&[b"HSET", key, element, b"one"]);
                Model::Hash([(element.to_vec(), (b"one".to_vec(), None))].into())
            }
            _ => {
                self.put(&[b"ZADD", key, b"2.5", element]);
                Model::Zset([(element.to_vec(), 2.5f64.to_bits())].into())
            }
        };
        self.dbs[self.db].insert(key.to_vec(), (model, None));
        Ok(())
    }

    fn generic(&mut self, u: &mut Unstructured<'_>, key: &[u8]) -> Result<()> {
        let to = *u.choose(&KEYS)?;
        let is_there = self.dbs[self.db].contains_key(key);
        match u.int_in_range(0..=6)? {
            0 => {
                self.put(&[b"DEL", key, to]);
                self.dbs[self.db].remove(key);
                self.dbs[self.db].remove(to);
            }
            1 if is_there => {
                self.put(&[b"RENAME", key, to]);
                let value = self.dbs[self.db].remove(key).expect("it is there");
                self.dbs[self.db].insert(to.to_vec(), value);
            }
            2 if is_there && key != to => {
                self.put(&[b"COPY", key, to, b"REPLACE"]);
                let value = self.dbs[self.db][key].clone();
                self.dbs[self.db].insert(to.to_vec(), value);
            }
            3 if is_there => {
                let at = NOW_MS + u.int_in_range(1..=1 << 40)?;
                self.put(&[b"PEXPIREAT", key, at.to_string().as_bytes()]);
                self.dbs[self.db].get_mut(key).expect("it is there").1 = Some(at);
            }
            4 => {
                self.put(&[b"PERSIST", key]);
                if let Some((_, at)) = self.dbs[self.db].get_mut(key) {
                    *at = None;
                }
            }
            5 if is_there => {
                let other = 1 - self.db;
                self.put(&[b"MOVE", key, other.to_string().as_bytes()]);
                if !self.dbs[other].contains_key(key) {
                    let value = self.dbs[self.db].remove(key).expect("it is there");
                    self.dbs[other].insert(key.to_vec(), value);
                }
            }
            _ => {
                let element = *u.choose(&ELEMENTS)?;
                self.put(&[b"SET", key, element]);
                self.dbs[self.db].insert(key.to_vec(), (Model::String(element.to_vec()), None));
            }
        }
        Ok(())
    }

    fn of_databases(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=15)? {
            0 => {
                self.put(&[b"FLUSHDB"]);
                self.dbs[self.db].clear();
            }
            1 => {
                self.put(&[b"SWAPDB", b"0", b"1"]);
                self.dbs.swap(0, 1);
            }
            _ => {
                self.db = usize::from(u.arbitrary::<bool>()?);
                self.put(&[b"SELECT", self.db.to_string().as_bytes()]);
            }
        }
        Ok(())
    }

    /// The value of a key that is there, and what removes the key once nothing is left of it.
    fn change(&mut self, key: &[u8], change: impl FnOnce(&mut Model)) {
        let keys = &mut self.dbs[self.db];
        let (model, _) = keys.get_mut(key).expect("it is there");
        change(model);
        let is_empty = match model {
            Model::List(items) => items.is_empty(),
            Model::Set(members) => members.is_empty(),
            Model::Hash(fields) => fields.is_empty(),
            Model::Zset(members) => members.is_empty(),
            _ => false,
        };
        if is_empty {
            keys.remove(key);
        }
    }

    fn string(&mut self, u: &mut Unstructured<'_>, key: &[u8]) -> Result<()> {
        let Some((Model::String(text), _)) = self.dbs[self.db].get(key) else {
            return Ok(());
        };
        let mut text = text.clone();
        let number = std::str::from_utf8(&text).ok().and_then(|text| {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        });
        let element = *u.choose(&ELEMENTS)?;
        match (u.int_in_range(0..=4)?, number) {
            (0, Some(number)) => {
                let by = i64::from(u.arbitrary::<i16>()?);
                let Some(sum) = number.checked_add(by) else {
                    return Ok(());
                };
                self.put(&[b"INCRBY", key, by.to_string().as_bytes()]);
                text = sum.to_string().into_bytes();
            }
            (1, _) => {
                let at = u.int_in_range(0..=40)?;
                self.put(&[b"SETRANGE", key, at.to_string().as_bytes(), element]);
                if !element.is_empty() {
                    let end = at + element.len();
                    text.resize(text.len().max(end), 0);
                    text[at..end].copy_from_slice(element);
                }
            }
            (2, _) => {
                let at = u.int_in_range(0..=100)?;
                let bit: bool = u.arbitrary()?;
                let digit = if bit { b"1" } else { b"0" };
                self.put(&[b"SETBIT", key, at.to_string().as_bytes(), digit]);
                text.resize(text.len().max(at / 8 + 1), 0);
                let mask = 0x80 >> (at % 8);
                text[at / 8] = if bit {
                    text[at / 8] | mask
                } else {
                    text[at / 8] & !mask
                };
            }
            _ => {
                self.put(&[b"APPEND", key, element]);
                text.extend_from_slice(element);
            }
        }
        self.change(key, |model| *model = Model::String(text));
        Ok(())
    }

    fn list(&mut self, u: &mut Unstructured<'_>, key: &[u8]) -> Result<()> {
        let Some((Model::List(items), _)) = self.dbs[self.db].get(key) else {
            return Ok(());
        };
        let mut items = items.clone();
        let len = items.len();
        let element = *u.choose(&ELEMENTS)?;
        match u.int_in_range(0..=8)? {
            0 => {
                self.put(&[b"LPUSH", key, element, b"head"]);
                items.insert(0, element.to_vec());
                items.insert(0, b"head".to_vec());
            }
            1 => {
                let count = u.int_in_range(1..=3)?;
                self.put(&[b"LPOP", key, count.to_string().as_bytes()]);
                items.drain(..count.min(len));
            }
            2 => {
                self.put(&[b"RPOP", key]);
                items.pop();
            }
            3 => {
                let at = u.int_in_range(0..=len - 1)?;
                self.put(&[b"LSET", key, at.to_string().as_bytes(), element]);
                items[at] = element.to_vec();
            }
            4 => {
                let count = u.int_in_range(-2..=2i64)?;
                self.put(&[b"LREM", key, count.to_string().as_bytes(), element]);
                let mut left = if count == 0 {
                    u64::MAX
                } else {
                    count.unsigned_abs()
                };
                let mut keep = |item: &Bytes| {
                    let is_gone = item == element && left > 0;
                    left -= u64::from(is_gone);
                    !is_gone
                };
                if count < 0 {
                    items.reverse();
                    items.retain(&mut keep);
                    items.reverse();
                } else {
                    items.retain(&mut keep);
                }
            }
            5 => {
                let (start, stop) = (u.int_in_range(0..=3)?, u.int_in_range(0..=6)?);
                let (from, to) = (start.to_string(), stop.to_string());
                self.put(&[b"LTRIM", key, from.as_bytes(), to.as_bytes()]);
                items.truncate((stop + 1).min(len));
                items.drain(..start.min(items.len()));
            }
            6 => {
                let is_before: bool = u.arbitrary()?;
                let side: &[u8] = if is_before { b"BEFORE" } else { b"AFTER" };
                let pivot = *u.choose(&ELEMENTS)?;
                self.put(&[b"LINSERT", key, side, pivot, element]);
                if let Some(at) = items.iter().position(|item| item == pivot) {
                    items.insert(if is_before { at } else { at + 1 }, element.to_vec());
                }
            }
            7 => {
                self.put(&[b"RPOPLPUSH", key, key]);
                items.rotate_right(1);
            }
            _ => {
                self.put(&[b"RPUSH", key, element]);
                items.push(element.to_vec());
            }
        }
        self.change(key, |model| *model = Model::List(items));
        Ok(())
    }

    fn set(&mut self, u: &mut Unstructured<'_>, key: &[u8]) -> Result<()> {
        let Some((Model::Set(members), _)) = self.dbs[self.db].get(key) else {
            return Ok(());
        };
        let mut members = members.clone();
        let element = *u.choose(&ELEMENTS)?;
        let other = *u.choose(&KEYS)?;
        let others = match self.dbs[self.db].get(other) {
            Some((Model::Set(others), _)) => Some(others.clone()),
            Some(_) => None,
            None => Some(BTreeSet::new()),
        };
        let (name, result) = match (u.int_in_range(0..=6)?, others) {
            (0, Some(others)) => (&b"SINTERSTORE"[..], &members & &others),
            (1, Some(others)) => (&b"SUNIONSTORE"[..], &members | &others),
            (2, Some(others)) => (&b"SDIFFSTORE"[..], &members - &others),
            (3, _) => {
                self.put(&[b"SREM", key, element, b"one"]);
                members.remove(element);
                members.remove(&b"one"[..]);
                self.change(key, |model| *model = Model::Set(members));
                return Ok(());
            }
            _ => {
                self.put(&[b"SADD", key, element]);
                members.insert(element.to_vec());
                self.change(key, |model| *model = Model::Set(members));
                return Ok(());
            }
        };
        let to = *u.choose(&KEYS)?;
        self.put(&[name, to, key, other]);
        let keys = &mut self.dbs[self.db];
        match result.is_empty() {
            true => keys.remove(to),
            false => keys.insert(to.to_vec(), (Model::Set(result), None)),
        };
        Ok(())
    }

    fn hash(&mut self, u: &mut Unstructured<'_>, key: &[u8]) -> Result<()> {
        let Some((Model::Hash(fields), _)) = self.dbs[self.db].get(key) else {
            return Ok(());
        };
        let mut fields = fields.clone();
        let (field, value) = (*u.choose(&ELEMENTS)?, *u.choose(&ELEMENTS)?);
        match u.int_in_range(0..=4)? {
            0 => {
                self.put(&[b"HDEL", key, field]);
                fields.remove(field);
            }
            1 => {
                self.put(&[b"HSETNX", key, field, value]);
                let put = || (value.to_vec(), None);
                fields.entry(field.to_vec()).or_insert_with(put);
            }
            2 => {
                let by = i64::from(u.arbitrary::<i8>()?);
                let old = fields.get(field).map(|(value, _)| value);
                let old: Option<i64> = match old.map(|old| std::str::from_utf8(old)) {
                    None => Some(0),
                    // Servers take no leading zeros, and no empty text since 3.2.
                    Some(Ok(old)) => old.parse().ok().filter(|n: &i64| n.to_string() == old),
                    Some(Err(_)) => None,
                };
                let Some(sum) = old.and_then(|old| old.checked_add(by)) else {
                    return Ok(());
                };
                self.put(&[b"HINCRBY", key, field, by.to_string().as_bytes()]);
                fields.insert(field.to_vec(), (sum.to_string().into_bytes(), None));
            }
            _ => {
                self.put(&[b"HSET", key, field, value]);
                fields.insert(field.to_vec(), (value.to_vec(), None));
            }
        }
        self.change(key, |model| *model = Model::Hash(fields));
        Ok(())
    }

    fn zset(&mut self, u: &mut Unstructured<'_>, key: &[u8]) -> Result<()> {
        let Some((Model::Zset(members), _)) = self.dbs[self.db].get(key) else {
            return Ok(());
        };
        let mut members = members.clone();
        let member = *u.choose(&ELEMENTS)?;
        let score = f64::from(u.arbitrary::<i8>()?) / 4.0;
        let text = score.to_string();
        let old = members.get(member).map(|bits| f64::from_bits(*bits));
        match u.int_in_range(0..=6)? {
            0 => {
                self.put(&[b"ZREM", key, member]);
                members.remove(member);
            }
            1 => {
                self.put(&[b"ZINCRBY", key, text.as_bytes(), member]);
                let sum = old.map_or(score, |old| old + score);
                members.insert(member.to_vec(), sum.to_bits());
            }
            2 => {
                self.put(&[b"ZADD", key, b"GT", text.as_bytes(), member]);
                if old.is_none_or(|old| score > old) {
                    members.insert(member.to_vec(), score.to_bits());
                }
            }
            3 => {
                self.put(&[b"ZADD", key, b"NX", text.as_bytes(), member]);
                members.entry(member.to_vec()).or_insert(score.to_bits());
            }
            4 => {
                self.put(&[b"ZREMRANGEBYSCORE", key, b"(1", text.as_bytes()]);
                members.retain(|_, bits| {
                    let is = f64::from_bits(*bits);
                    !(is > 1.0 && is <= score)
                });
            }
            5 => {
                let stop = u.int_in_range(0..=2)?;
                self.put(&[b"ZREMRANGEBYRANK", key, b"0", stop.to_string().as_bytes()]);
                let mut order: Vec<_> = members
                    .iter()
                    .map(|(m, bits)| (f64::from_bits(*bits), m.clone()))
                    .collect();
                order.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
                for (_, member) in order.into_iter().take(stop + 1) {
                    members.remove(&member);
                }
            }
            _ => {
                self.put(&[b"ZADD", key, text.as_bytes(), member]);
                members.insert(member.to_vec(), score.to_bits());
            }
        }
        self.change(key, |model| *model = Model::Zset(members));
        Ok(())
    }
}
