//! Values drawn from any bytes.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Result, Unstructured};
use rdbkit::model::sink::{KeyMetaEntry, ModuleField};
use rdbkit::model::stream::{Consumer, Group, Idmp, Pending, Producer, StreamId, StreamState};

use super::model::{Bytes, Model};

/// Lengths around which encodings change.
const EDGES: [usize; 12] = [0, 1, 20, 63, 64, 65, 127, 128, 253, 254, 4096, 16_384];

/// Numbers around which encodings change.
const NUMBERS: [i64; 12] = [
    0,
    -1,
    12,
    127,
    128,
    4095,
    -4097,
    32_768,
    8_388_608,
    2_147_483_648,
    i64::MAX,
    i64::MIN,
];

/// A text: any bytes, a number, or one long and regular.
pub(crate) fn bytes(u: &mut Unstructured<'_>) -> Result<Bytes> {
    Ok(match u.int_in_range(0..=7)? {
        0 => i64::to_string(u.choose(&NUMBERS)?).into_bytes(),
        1 => u.arbitrary::<i64>()?.to_string().into_bytes(),
        2 => u.arbitrary::<i8>()?.to_string().into_bytes(),
        3 => {
            let len = *u.choose(&EDGES)?;
            let unit = [u.arbitrary::<u8>()?, u.arbitrary()?, b'x'];
            unit.iter().copied().cycle().take(len).collect()
        }
        _ => {
            let len = u.int_in_range(0..=12)?;
            u.bytes(len)?.to_vec()
        }
    })
}

/// A score, which is a number.
pub(crate) fn score(u: &mut Unstructured<'_>) -> Result<f64> {
    Ok(match u.int_in_range(0..=4)? {
        0 => u.arbitrary::<i64>()? as f64,
        1 => f64::from(u.arbitrary::<i16>()?) / 8.0,
        2 => *u.choose(&[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e17, 5e-324])?,
        _ => {
            let any = u.arbitrary::<f64>()?;
            if any.is_nan() { 1.5 } else { any }
        }
    })
}

/// How many elements: few, or enough for another encoding.
fn count(u: &mut Unstructured<'_>) -> Result<usize> {
    Ok(match u.int_in_range(0..=15)? {
        0 => 130,
        1 => 520,
        _ => u.int_in_range(1..=12)?,
    })
}

/// So many elements; where the bytes have run out, no more but at least one.
fn several<T>(
    u: &mut Unstructured<'_>,
    count: usize,
    mut draw: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut all = vec![draw(u)?];
    while all.len() < count && !u.is_empty() {
        all.push(draw(u)?);
    }
    Ok(all)
}

/// A time of these years: what is stored of 1970 looks like a later one of a big-endian machine.
pub(crate) fn deadline(u: &mut Unstructured<'_>) -> Result<Option<i64>> {
    Ok(match u.ratio(1, 3)? {
        true => Some(u.int_in_range(1_300_000_000_000..=4_000_000_000_000)?),
        false => None,
    })
}

fn id(u: &mut Unstructured<'_>) -> Result<StreamId> {
    Ok(match u.arbitrary()? {
        true => StreamId::new(u.int_in_range(1..=50)?, u.int_in_range(0..=4)?),
        false => StreamId::new(u.arbitrary()?, u.arbitrary()?),
    })
}

fn group(u: &mut Unstructured<'_>, number: usize, entries_added: u64) -> Result<Group> {
    let consumers = u.int_in_range(0..=3u32)?;
    let consumers: Vec<_> = (0..consumers)
        .map(|n| Consumer {
            name: format!("consumer {n}").into_bytes(),
            seen_at_ms: 1_700_000_000_000 + i64::from(n),
            active_at_ms: Some(if n == 0 { -1 } else { 1_700_000_000_001 }),
        })
        .collect();
    let mut pending = BTreeMap::new();
    for _ in 0..u.int_in_range(0..=6)? {
        let owner = u.int_in_range(0..=consumers.len() as u32)?;
        pending.insert(id(u)?, (owner, u.arbitrary()?, u.arbitrary()?));
    }
    let pending: Vec<_> = pending
        .into_iter()
        .map(|(id, (owner, delivered_at_ms, count))| Pending {
            id,
            // One more than there are is nobody.
            consumer: Some(owner).filter(|owner| (*owner as usize) < consumers.len()),
            delivered_at_ms,
            count,
        })
        .collect();
    let nacked = pending.iter().filter(|entry| entry.consumer.is_none());
    let read = i64::from(u.arbitrary::<u16>()?).min(entries_added as i64);
    Ok(Group {
        name: format!("group {number}").into_bytes(),
        last_id: id(u)?,
        entries_read: Some(if u.arbitrary()? { -1 } else { read }),
        nacked: Some(nacked.map(|entry| entry.id).collect()),
        pending,
        consumers,
    })
}

fn idmp(u: &mut Unstructured<'_>) -> Result<Idmp> {
    let unused = Idmp {
        duration_s: 100,
        max: 100,
        ..Idmp::default()
    };
    if u.ratio(2, 3)? {
        return Ok(unused);
    }
    let mut producers = BTreeMap::new();
    for _ in 0..u.int_in_range(0..=2)? {
        let entries = (0..u.int_in_range(1..=3)?).map(|_| Ok((bytes(u)?, id(u)?)));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        producers.insert(bytes(u)?, entries);
    }
    Ok(Idmp {
        duration_s: u.int_in_range(1..=86_400)?,
        max: u.int_in_range(1..=10_000)?,
        producers: producers
            .into_iter()
            .map(|(id, entries)| Producer { id, entries })
            .collect(),
        iids_added: u.arbitrary::<u32>()?.into(),
        iids_duplicates: 3,
    })
}

fn stream(u: &mut Unstructured<'_>) -> Result<Model> {
    let count = count(u)?;
    let entries = several(u, count, |u| {
        let fields = u.int_in_range(1..=3)?;
        let fields = several(u, fields, |u| Ok((bytes(u)?, bytes(u)?)))?;
        Ok((id(u)?, fields))
    })?;
    let entries: BTreeMap<_, _> = entries.into_iter().collect();
    let entries_added = entries.len() as u64 + u.int_in_range(0..=2)? * 70_000;
    let last_id = entries.keys().last().copied().unwrap_or_default();
    let groups = (0..u.int_in_range(0..=2)?).map(|n| group(u, n, entries_added));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    let state = StreamState {
        length: entries.len() as u64,
        last_id,
        first_id: entries.keys().next().copied(),
        max_deleted_id: Some(id(u)?.min(last_id)),
        entries_added: Some(entries_added),
        groups,
        idmp: Some(idmp(u)?),
    };
    Ok(Model::Stream(entries, state))
}

/// Items of a module's data.
fn module_items(u: &mut Unstructured<'_>) -> Result<Vec<ModuleField>> {
    (0..u.int_in_range(0..=4)?)
        .map(|_| {
            Ok(match u.int_in_range(0..=4)? {
                0 => ModuleField::Sint(u.arbitrary()?),
                1 => ModuleField::Uint(u.arbitrary()?),
                2 => ModuleField::Float(score(u)? as f32),
                3 => ModuleField::Double(score(u)?),
                _ => ModuleField::String(bytes(u)?),
            })
        })
        .collect()
}

/// What modules attached to a key: mostly nothing.
pub(crate) fn key_meta(u: &mut Unstructured<'_>) -> Result<Vec<KeyMetaEntry>> {
    let classes = match u.ratio(1, 4)? {
        true => u.int_in_range(1..=7)?,
        false => 0,
    };
    (0..classes)
        .map(|number| {
            Ok(KeyMetaEntry {
                class: format!("KMT{number}"),
                version: u.int_in_range(0..=31)?,
                flags: u.int_in_range(0..=7)?,
                items: module_items(u)?,
            })
        })
        .collect()
}

/// A vector set whose graph is a ring, each node knowing the one before and the one behind.
fn vector_set(u: &mut Unstructured<'_>) -> Result<Model> {
    let dim = u.int_in_range(1..=9_u64)?;
    let quantization = u.int_in_range(0..=2_u64)?;
    let vector_bytes = match quantization {
        0 => 4 * dim,
        1 => dim,
        _ => dim.div_ceil(64) * 8,
    };
    let has_attributes: bool = u.arbitrary()?;
    let names = several(u, 5, bytes)?;
    let names: BTreeSet<_> = names.into_iter().collect();
    let count = names.len() as u64;
    let mut items = vec![
        ModuleField::Uint(dim),
        ModuleField::Uint(count),
        ModuleField::Uint(quantization | 16 << 8),
        ModuleField::Uint(u64::from(has_attributes) << 1),
    ];
    for (name, node) in names.into_iter().zip(0..) {
        items.push(ModuleField::String(name));
        if has_attributes {
            items.push(ModuleField::String(bytes(u)?));
        }
        let vector = u.bytes(vector_bytes as usize)?.to_vec();
        items.push(ModuleField::String(vector));
        let around: BTreeSet<_> = [(node + 1) % count, (node + count - 1) % count].into();
        let links: Vec<_> = around.into_iter().filter(|other| *other != node).collect();
        let parameters = [
            vec![node, 1 << 24, links.len() as u64, 32],
            links,
            vec![0, 1],
        ]
        .concat();
        items.push(ModuleField::Uint(parameters.len() as u64));
        items.extend(parameters.into_iter().map(ModuleField::Uint));
    }
    Ok(Model::Module("vectorset".to_owned(), 0, items))
}

/// A value of any type.
pub(crate) fn model(u: &mut Unstructured<'_>) -> Result<Model> {
    let kind = u.int_in_range(0..=9)?;
    if kind == 0 {
        return bytes(u).map(Model::String);
    }
    let count = count(u)?;
    Ok(match kind {
        1 => Model::List(several(u, count, bytes)?),
        2 => Model::Set(several(u, count, bytes)?.into_iter().collect()),
        3 => {
            let text = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<i32>()?.to_string());
            let all: BTreeSet<_> = several(u, count, text)?.into_iter().collect();
            Model::Set(all.into_iter().map(String::into_bytes).collect())
        }
        4 => {
            let pairs = several(u, count, |u| Ok((bytes(u)?, score(u)?.to_bits())))?;
            Model::Zset(pairs.into_iter().collect())
        }
        5 => {
            let is_timed: bool = u.arbitrary()?;
            let pairs = several(u, count, |u| {
                let at = if is_timed { deadline(u)? } else { None };
                Ok((bytes(u)?, (bytes(u)?, at)))
            })?;
            Model::Hash(pairs.into_iter().collect())
        }
        6 => stream(u)?,
        7 => {
            let most = u64::MAX - 2;
            let items = several(u, count, |u| Ok((u.int_in_range(0..=most)?, bytes(u)?)))?;
            let insert_index = match u.arbitrary()? {
                true => Some(u.int_in_range(0..=most)?),
                false => None,
            };
            Model::Array(items.into_iter().collect(), insert_index)
        }
        8 => vector_set(u)?,
        _ => Model::Module("test-modu".to_owned(), 7, module_items(u)?),
    })
}
