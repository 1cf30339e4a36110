//! Each structure against a naive model, by random operations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Names short and long, few enough to meet again.
fn name(n: u8) -> Vec<u8> {
    match n % 3 {
        0 => vec![b'a' + n % 26; usize::from(n % 5)],
        1 => format!("{n}").into_bytes(),
        _ => vec![b'z' - n % 26; 20 + usize::from(n % 7)],
    }
}

proptest! {
    #[test]
    fn set_equals_model(ops in vec((any::<bool>(), 0u8..60), 0..300)) {
        let mut set = Set::default();
        let mut model = BTreeSet::new();
        for (adds, n) in ops {
            let member = name(n);
            match adds {
                true => prop_assert_eq!(set.insert(Bytes::copied(&member)), model.insert(member)),
                false => {
                    let removed = set.remove(&member).map(|member| member.to_vec());
                    prop_assert_eq!(removed, model.take(&member));
                }
            }
            prop_assert_eq!(set.len(), model.len());
        }
        let members: BTreeSet<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
        prop_assert_eq!(members, model);
    }

    #[test]
    fn hash_equals_model(ops in vec((0u8..6, 0u8..40, any::<i16>()), 0..300)) {
        let mut hash = Hash::default();
        let mut model: BTreeMap<Vec<u8>, (i64, Option<i64>)> = BTreeMap::new();
        for (op, n, value) in ops {
            let (field, value) = (name(n), i64::from(value));
            let key = Bytes::copied(&field);
            match op {
                0 => {
                    let is_new = hash.insert(key, value.into());
                    prop_assert_eq!(is_new, model.insert(field, (value, None)).is_none());
                }
                1 => {
                    let is_new = hash.insert_until(key, value.into(), Some(value));
                    prop_assert_eq!(is_new, model.insert(field, (value, Some(value))).is_none());
                }
                2 => {
                    let is_new = hash.insert_keeping(key, value.into());
                    let old = model.get(&field).and_then(|(_, deadline)| *deadline);
                    prop_assert_eq!(is_new, model.insert(field, (value, old)).is_none());
                }
                3 | 4 => {
                    let deadline = (op == 3).then_some(value);
                    let is_there = hash.set_expire_at_ms(&field, deadline);
                    prop_assert_eq!(is_there, model.contains_key(&field));
                    model.entry(field).and_modify(|found| found.1 = deadline);
                }
                _ => {
                    prop_assert_eq!(hash.remove(&field).is_some(), model.remove(&field).is_some());
                }
            }
            let deadlines = model.values().filter(|(_, deadline)| deadline.is_some()).count();
            prop_assert_eq!((hash.len(), hash.deadlines()), (model.len(), deadlines));
        }
        let fields: BTreeMap<_, _> = hash
            .iter()
            .map(|(name, field)| {
                (name.to_vec(), (field.value.parse_int().unwrap(), field.expire_at_ms()))
            })
            .collect();
        prop_assert_eq!(fields, model);
    }

    #[test]
    fn stream_equals_model(ops in vec((0u8..5, 0u64..30, 0usize..12), 0..200)) {
        let mut stream = Stream::default();
        let mut model: BTreeSet<StreamId> = BTreeSet::new();
        let (mut last, mut deleted, mut added) = (StreamId::MIN, StreamId::MIN, 0u64);
        for (op, ms, len) in ops {
            let id = StreamId::new(ms, len as u64);
            match op {
                0 | 1 => {
                    let is_added = stream.append(id, Default::default());
                    prop_assert_eq!(is_added, id > last);
                    if is_added {
                        model.insert(id);
                        (last, added) = (id, added + 1);
                    }
                }
                2 => {
                    let is_deleted = model.remove(&id);
                    prop_assert_eq!(stream.delete(id), is_deleted);
                    deleted = if is_deleted { deleted.max(id) } else { deleted };
                }
                3 => {
                    let surplus = model.len().saturating_sub(len);
                    let gone: Vec<_> = model.iter().copied().take(surplus).collect();
                    model.retain(|id| !gone.contains(id));
                    prop_assert_eq!(stream.trim_to_len(len), gone);
                }
                _ => {
                    let gone: Vec<_> = model.range(..id).copied().collect();
                    model.retain(|kept| *kept >= id);
                    prop_assert_eq!(stream.trim_below(id), gone);
                }
            }
            prop_assert_eq!(stream.len(), model.len());
            prop_assert_eq!(stream.first_id(), model.first().copied().unwrap_or_default());
            let counters = (stream.last_id, stream.max_deleted_id, stream.entries_added);
            prop_assert_eq!(counters, (last, deleted, added));
        }
    }

    #[test]
    fn array_equals_model(ops in vec((any::<bool>(), 0u64..40, 0u64..40), 0..200)) {
        let mut array = Array::default();
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        for (sets, first, second) in ops {
            match sets {
                true => {
                    array.items.insert(first, (second as i64).into());
                    model.insert(first, second);
                }
                false => {
                    let before = model.len();
                    model.retain(|index, _| !(first..=second).contains(index));
                    prop_assert_eq!(array.remove_range(first, second), before - model.len());
                }
            }
            let len = model.last_key_value().map_or(0, |(index, _)| index + 1);
            prop_assert_eq!((array.len(), array.is_empty()), (len, model.is_empty()));
        }
    }

    #[test]
    fn keyspace_equals_model(ops in vec((0u8..7, 0u32..4, 0u8..40), 0..300)) {
        let mut store = Store::new();
        let mut model: BTreeMap<(u32, Vec<u8>), i64> = BTreeMap::new();
        for (count, (op, db, n)) in ops.into_iter().enumerate() {
            let (key, value) = (name(n), count as i64);
            match op {
                0..=2 => {
                    let entry = Entry::new(Value::String(value.into()));
                    let old = store.db_mut(db).insert(Bytes::copied(&key), entry);
                    prop_assert_eq!(old.is_some(), model.insert((db, key), value).is_some());
                }
                3 => {
                    let removed = store.db_mut(db).remove(&key).is_some();
                    prop_assert_eq!(removed, model.remove(&(db, key)).is_some());
                }
                4 => {
                    let other = u32::from(n % 4);
                    store.swap_dbs(db, other);
                    let old = std::mem::take(&mut model).into_iter();
                    model = old
                        .map(|((at, key), value)| match at {
                            at if at == db => ((other, key), value),
                            at if at == other => ((db, key), value),
                            at => ((at, key), value),
                        })
                        .collect();
                }
                5 if n == 0 => {
                    let keys = model.keys().filter(|(at, _)| *at == db).count();
                    prop_assert_eq!(store.flush_db(db), keys);
                    model.retain(|(at, _), _| *at != db);
                }
                _ => match store.db_mut(db).entry(&key) {
                    KeySlot::Occupied(place) => {
                        prop_assert!(place.remove().is_some());
                        prop_assert!(model.remove(&(db, key)).is_some());
                    }
                    KeySlot::Vacant(place) => {
                        place.insert(Bytes::copied(&key), Value::String(value.into()).into());
                        prop_assert!(model.insert((db, key), value).is_none());
                    }
                },
            }
            prop_assert_eq!((store.len(), store.is_empty()), (model.len(), model.is_empty()));
        }
        let keys: BTreeMap<_, _> = store
            .iter()
            .map(|(db, key, entry)| {
                let Value::String(value) = entry.value() else {
                    unreachable!("only strings were put in");
                };
                ((db, key.to_vec()), value.as_int().unwrap())
            })
            .collect();
        prop_assert_eq!(keys, model);
    }

    #[test]
    fn strings_are_their_bytes_in_every_form(bytes in vec(any::<u8>(), 0..40), tail in vec(any::<u8>(), 0..40)) {
        for mut text in [Bytes::borrowed(&bytes), Bytes::copied(&bytes), bytes.clone().into()] {
            prop_assert_eq!(&*text, &bytes[..]);
            text.to_mut().extend_from_slice(&tail);
            prop_assert_eq!(&*text, &[&bytes[..], &tail[..]].concat()[..]);
            text.to_mut().truncate(bytes.len());
            prop_assert_eq!(&text, &Bytes::borrowed(&bytes));
        }
    }
}
