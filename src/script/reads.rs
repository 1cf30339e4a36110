//! What read commands answer to scripts.
//!
//! Answers whose order is the server's hash table are sorted, where servers of that
//! time sorted them for scripts (SMEMBERS, HKEYS, HVALS, KEYS, SINTER ..); where they
//! did not, they are not known.

use super::Answer;
use crate::num::{parse_i64, score_text};
use crate::replay::Replayer;
use crate::select::Glob;
use crate::store::{Hash, List, Set, SortedSet, Str, Value};

/// The answer of a read command; `None` if the command is not one of those known here.
pub(super) fn answer(replayer: &mut Replayer<'_>, words: &[&[u8]]) -> Option<Answer> {
    let (name, args) = words.split_first()?;
    let name = name.to_ascii_lowercase();
    let read = Read { replayer };
    let answer = match (name.as_slice(), args) {
        (b"get", [key]) => read.string(key, bulk),
        (b"mget", keys) if !keys.is_empty() => Ok(Answer::Array(
            keys.iter()
                .map(|key| read.string(key, bulk).unwrap_or(Answer::Nil))
                .collect(),
        )),
        (b"strlen", [key]) => read.string(key, |text| count(text.len())).map(or_zero),
        (b"getrange" | b"substr", [key, start, end]) => match (parse_i64(start), parse_i64(end)) {
            (Some(start), Some(end)) => read.get_range(key, start, end),
            _ => Err(NOT_INTEGER),
        },
        (b"exists", keys) if !keys.is_empty() => Ok(count(
            keys.iter().filter(|key| read.value(key).is_some()).count(),
        )),
        (b"type", [key]) => Ok(Answer::Status(
            read.value(key).map_or("none", Value::type_name),
        )),
        (b"dbsize", []) => Ok(count(
            read.replayer
                .store
                .db(read.replayer.selected())
                .map_or(0, crate::store::Db::len),
        )),
        (b"keys", [pattern]) => Ok(read.keys(pattern)),
        (b"ttl", [key]) => return Some(read.remaining(key, 1000)),
        (b"pttl", [key]) => return Some(read.remaining(key, 1)),
        (b"hget", [key, field]) => read.hash(key, Answer::Nil, |hash| value_of(hash, field)),
        (b"hmget", [key, fields @ ..]) if !fields.is_empty() => {
            let nothing = Answer::Array(vec![Answer::Nil; fields.len()]);
            read.hash(key, nothing, |hash| {
                Answer::Array(fields.iter().map(|field| value_of(hash, field)).collect())
            })
        }
        (b"hexists", [key, field]) => read.hash(key, Answer::Int(0), |hash| {
            Answer::Int(i64::from(hash.contains(field)))
        }),
        (b"hlen", [key]) => read.hash(key, Answer::Int(0), |hash| count(hash.len())),
        (b"hstrlen", [key, field]) => read.hash(key, Answer::Int(0), |hash| {
            count(hash.get(field).map_or(0, |field| field.value.len()))
        }),
        (b"hkeys", [key]) => read.hash(key, EMPTY, |hash| {
            sorted(hash.iter().map(|(name, _)| name.to_vec()))
        }),
        (b"hvals", [key]) => read.hash(key, EMPTY, |hash| {
            sorted(hash.iter().map(|(_, field)| bytes(&field.value)))
        }),
        (b"hgetall", [key]) => read.hash(key, EMPTY, |hash| match hash.len() {
            0 | 1 => Answer::Array(
                hash.iter()
                    .flat_map(|(name, field)| [Answer::Bulk(name.to_vec()), bulk(&field.value)])
                    .collect(),
            ),
            _ => Answer::Unsupported(
                "a script that calls HGETALL, whose order only the server knows".into(),
            ),
        }),
        (b"llen", [key]) => read.list(key, Answer::Int(0), |list| count(list.len())),
        (b"lindex", [key, index]) => match parse_i64(index) {
            Some(index) => read.list(key, Answer::Nil, |list| {
                let item = list.place(index).and_then(|place| list.iter().nth(place));
                item.map_or(Answer::Nil, bulk)
            }),
            None => Err(NOT_INTEGER),
        },
        (b"lrange", [key, start, stop]) => match (parse_i64(start), parse_i64(stop)) {
            (Some(start), Some(stop)) => read.list(key, EMPTY, |list| {
                let range = ranks(start, stop, list.len());
                let items = list.iter().skip(range.start).take(range.len());
                Answer::Array(items.map(bulk).collect())
            }),
            _ => Err(NOT_INTEGER),
        },
        (b"scard", [key]) => read.set(key, Answer::Int(0), |set| count(set.len())),
        (b"sismember", [key, member]) => read.set(key, Answer::Int(0), |set| {
            Answer::Int(i64::from(set.contains(member)))
        }),
        (b"smembers", [key]) => read.set(key, EMPTY, |set| {
            sorted(set.iter().map(|member| member.to_vec()))
        }),
        (b"zcard", [key]) => read.zset(key, Answer::Int(0), |zset| count(zset.len())),
        (b"zscore", [key, member]) => {
            let flavor = read.replayer.options().flavor;
            read.zset(key, Answer::Nil, |zset| match zset.score(member) {
                Some(score) => Answer::Bulk(score_text(score, flavor).as_bytes().to_vec()),
                None => Answer::Nil,
            })
        }
        (b"zrank", [key, member]) => read.zset(key, Answer::Nil, |zset| rank(zset, member, false)),
        (b"zrevrank", [key, member]) => {
            read.zset(key, Answer::Nil, |zset| rank(zset, member, true))
        }
        (b"zrange", [key, start, stop]) => read.zrange(key, start, stop, false, false),
        (b"zrevrange", [key, start, stop]) => read.zrange(key, start, stop, true, false),
        (b"zrange", [key, start, stop, word]) if is_with_scores(word) => {
            read.zrange(key, start, stop, false, true)
        }
        (b"zrevrange", [key, start, stop, word]) if is_with_scores(word) => {
            read.zrange(key, start, stop, true, true)
        }
        (b"xlen", [key]) => match read.value(key) {
            None => Ok(Answer::Int(0)),
            Some(Value::Stream(stream)) => Ok(count(stream.len())),
            Some(_) => Err(WRONG_TYPE),
        },
        _ => return None,
    };
    Some(answer.unwrap_or_else(|text| Answer::Error(text.into())))
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
const EMPTY: Answer = Answer::Array(Vec::new());

type Outcome = Result<Answer, &'static str>;

struct Read<'r, 'a> {
    replayer: &'r mut Replayer<'a>,
}

macro_rules! typed {
    ($($name:ident $type:ident $variant:ident)*) => {$(
        fn $name(&self, key: &[u8], missing: Answer, read: impl FnOnce(&$type<'_>) -> Answer) -> Outcome {
            match self.value(key) {
                None => Ok(missing),
                Some(Value::$variant(value)) => Ok(read(value)),
                Some(_) => Err(WRONG_TYPE),
            }
        }
    )*};
}

impl<'a> Read<'_, 'a> {
    typed! { hash Hash Hash list List List set Set Set zset SortedSet SortedSet }

    fn entry(&self, key: &[u8]) -> Option<&crate::store::Entry<'a>> {
        self.replayer.store.db(self.replayer.selected())?.get(key)
    }

    fn value(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn string(&self, key: &[u8], read: impl FnOnce(&Str<'_>) -> Answer) -> Outcome {
        match self.value(key) {
            None => Ok(Answer::Nil),
            Some(Value::String(text)) => Ok(read(text)),
            Some(_) => Err(WRONG_TYPE),
        }
    }

    fn get_range(&self, key: &[u8], start: i64, end: i64) -> Outcome {
        let answer = self.string(key, |text| {
            let text = bytes(text);
            if start < 0 && end < 0 && start > end {
                return Answer::Bulk(Vec::new());
            }
            let range = ranks(start, end, text.len());
            Answer::Bulk(text.get(range).unwrap_or_default().to_vec())
        })?;
        Ok(match answer {
            Answer::Nil => Answer::Bulk(Vec::new()),
            answer => answer,
        })
    }

    fn keys(&self, pattern: &[u8]) -> Answer {
        let glob = Glob::new(pattern);
        let db = self.replayer.store.db(self.replayer.selected());
        let keys = db.into_iter().flat_map(|db| db.iter());
        sorted(
            keys.filter(|(key, _)| glob.matches(key))
                .map(|(key, _)| key.to_vec()),
        )
    }

    /// TTL and PTTL; depends on the time of the replay, which is counted.
    fn remaining(self, key: &[u8], unit_ms: i64) -> Answer {
        let deadline = match self.entry(key) {
            None => return Answer::Int(-2),
            Some(entry) => match entry.expire_at_ms() {
                None => return Answer::Int(-1),
                Some(deadline) => deadline,
            },
        };
        let left = deadline.saturating_sub(self.replayer.now_ms()).max(0);
        Answer::Int(left.saturating_add(unit_ms / 2) / unit_ms)
    }

    fn zrange(
        &self,
        key: &[u8],
        start: &[u8],
        stop: &[u8],
        reverse: bool,
        scores: bool,
    ) -> Outcome {
        let (Some(start), Some(stop)) = (parse_i64(start), parse_i64(stop)) else {
            return Err(NOT_INTEGER);
        };
        let flavor = self.replayer.options().flavor;
        self.zset(key, EMPTY, |zset| {
            let mut members = zset.sorted();
            if reverse {
                members.reverse();
            }
            let range = ranks(start, stop, members.len());
            let mut items = Vec::new();
            for (member, score) in members.get(range).unwrap_or_default() {
                items.push(Answer::Bulk(member.to_vec()));
                if scores {
                    items.push(Answer::Bulk(score_text(*score, flavor).as_bytes().to_vec()));
                }
            }
            Answer::Array(items)
        })
    }
}

fn bytes(text: &Str<'_>) -> Vec<u8> {
    text.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

fn bulk(text: &Str<'_>) -> Answer {
    Answer::Bulk(bytes(text))
}

fn count(n: usize) -> Answer {
    Answer::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn or_zero(answer: Answer) -> Answer {
    match answer {
        Answer::Nil => Answer::Int(0),
        answer => answer,
    }
}

fn value_of(hash: &Hash<'_>, field: &[u8]) -> Answer {
    hash.get(field)
        .map_or(Answer::Nil, |field| bulk(&field.value))
}

fn sorted(texts: impl Iterator<Item = Vec<u8>>) -> Answer {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    Answer::Array(texts.into_iter().map(Answer::Bulk).collect())
}

fn is_with_scores(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"WITHSCORES")
}

fn rank(zset: &SortedSet<'_>, member: &[u8], reverse: bool) -> Answer {
    let members = zset.sorted();
    match members.iter().position(|(other, _)| ***other == *member) {
        Some(rank) if reverse => count(members.len() - 1 - rank),
        Some(rank) => count(rank),
        None => Answer::Nil,
    }
}

/// Indexes as commands give them, negative from the end, as a range.
fn ranks(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let place = |index: i64| {
        if index < 0 {
            index.saturating_add(signed)
        } else {
            index
        }
    };
    let start = place(start).clamp(0, signed);
    let end = place(stop).saturating_add(1).clamp(start, signed);
    start as usize..end as usize
}
