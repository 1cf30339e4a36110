//! SORT (`sort.c`): compares bytes or numbers, of the elements or of keys that
//! their text leads to.

use std::cmp::Ordering;

use crate::num::strtod::prefix_f64;
use crate::store::{Bytes, List, Str, Value};

use super::reply::{SYNTAX, WRONG_TYPE};
use super::zset::with_set;
use super::{Args, Reject, Replayer, Reply};

/// What SORT says after the key.
#[derive(Default)]
struct Order<'r> {
    by: Option<&'r [u8]>,
    /// BY a pattern without `*`: leave the order as it is.
    keep: bool,
    gets: Vec<&'r [u8]>,
    descending: bool,
    alpha: bool,
    limit: Option<(i64, i64)>,
    to: Option<usize>,
}

fn options<'r>(args: Args<'r, '_>) -> Result<Order<'r>, Reject> {
    let mut order = Order::default();
    let mut at = 2;
    while at < args.len() {
        match () {
            () if args.is(at, "asc") => order.descending = false,
            () if args.is(at, "desc") => order.descending = true,
            () if args.is(at, "alpha") => order.alpha = true,
            () if args.is(at, "limit") && at + 2 < args.len() => {
                order.limit = Some((args.int(at + 1)?, args.int(at + 2)?));
                at += 2;
            }
            () if args.is(at, "store") => {
                at = args.value_of(at)?;
                order.to = Some(at);
            }
            () if args.is(at, "by") => {
                at = args.value_of(at)?;
                order.by = Some(args.get(at));
                order.keep = !args.get(at).contains(&b'*');
            }
            () if args.is(at, "get") => {
                at = args.value_of(at)?;
                order.gets.push(args.get(at));
            }
            () => return Err(SYNTAX),
        }
        at += 1;
    }
    Ok(order)
}

/// What an element's text leads to: `#` itself, `prefix*suffix` a key, `prefix*->field`
/// a field of a hash.
fn follow<'a>(replayer: &Replayer<'a>, pattern: &[u8], element: &Bytes<'a>) -> Option<Str<'a>> {
    if pattern == b"#" {
        return Some(element.clone().into());
    }
    let star = memchr::memchr(b'*', pattern)?;
    let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = memchr::memmem::find(rest, b"->").filter(|arrow| arrow + 2 < rest.len());
    let (suffix, field) = match arrow {
        Some(arrow) => (&rest[..arrow], Some(&rest[arrow + 2..])),
        None => (rest, None),
    };
    let key = [prefix, element, suffix].concat();
    let entry = replayer.store.db(replayer.db)?.get(&key)?;
    match (entry.value(), field) {
        (Value::String(text), None) => Some(text.clone()),
        (Value::Hash(hash), Some(field)) => Some(hash.get(field)?.value.clone()),
        _ => None,
    }
}

/// A number as SORT reads it: `strtod` of all of the text; the empty text is 0.
fn number(text: &Str<'_>) -> Result<f64, Reject> {
    const BAD: Reject = Reject::error("ERR One or more scores can't be converted into double");
    if let Some(n) = text.as_int() {
        return Ok(n as f64);
    }
    let mut buffer = itoa::Buffer::new();
    let text = text.as_bytes(&mut buffer);
    if text.is_empty() {
        return Ok(0.0);
    }
    let (x, used) = prefix_f64(text).ok_or(BAD)?;
    let nonzero = text.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    let is_word = text.iter().any(|byte| matches!(byte, b'i' | b'I'));
    let out_of_range = x.is_infinite() && !is_word || x == 0.0 && nonzero;
    if used != text.len() || x.is_nan() || out_of_range {
        return Err(BAD);
    }
    Ok(x)
}

enum Weight<'a> {
    Number(f64),
    Text(Option<Bytes<'a>>),
}

fn elements<'a>(
    replayer: &mut Replayer<'a>,
    key: &[u8],
    order: &mut Order<'_>,
) -> Result<Vec<Bytes<'a>>, Reject> {
    let sorts_lists = replayer.flavor().sorts_lists_by_nothing();
    let Some(entry) = replayer.db().get(key) else {
        return Ok(Vec::new());
    };
    // A set has no order that could be kept.
    let has_order = match entry.value() {
        Value::List(_) => !sorts_lists,
        Value::Set(_) => false,
        _ => true,
    };
    if order.keep && !has_order {
        order.keep = false;
        order.alpha = true;
        order.by = None;
    }
    match entry.value() {
        Value::List(list) => Ok(list.iter().cloned().map(Bytes::from).collect()),
        Value::Set(set) => Ok(set.iter().cloned().collect()),
        Value::SortedSet(_) => {
            let (keep, descending) = (order.keep, order.descending);
            let members = with_set(replayer, key, |set| {
                // A server turns it into a skip list for the purpose, and leaves it so.
                set.unpack();
                let all = 0..set.len();
                let members = set.range(all);
                let mut members: Vec<_> = members.into_iter().map(|(m, _)| m.clone()).collect();
                if keep && descending {
                    members.reverse();
                }
                members
            })?;
            Ok(members.unwrap_or_default())
        }
        _ => Err(WRONG_TYPE),
    }
}

fn compare<'a>(a: &(Weight<'a>, Bytes<'a>), b: &(Weight<'a>, Bytes<'a>)) -> Ordering {
    match (&a.0, &b.0) {
        (Weight::Number(x), Weight::Number(y)) => x
            .partial_cmp(y)
            .unwrap_or(Ordering::Equal)
            .then_with(|| a.1.cmp(&b.1)),
        (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
        _ => Ordering::Equal,
    }
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern ..] [ASC|DESC] [ALPHA] [STORE destination]`
pub(super) fn sort<'a>(
    replayer: &mut Replayer<'a>,
    args: Args<'_, 'a>,
) -> Result<Reply<'a>, Reject> {
    let mut order = options(args)?;
    let mut elements = elements(replayer, args.get(1), &mut order)?;
    if !order.keep {
        elements = sorted(replayer, elements, &order)?;
    }
    let range = limited(elements.len(), order.limit);
    let elements = elements.get(range).unwrap_or_default();
    let Some(to) = order.to else {
        let mut found = Vec::new();
        for element in elements {
            if order.gets.is_empty() {
                found.push(Reply::Bulk(element.clone().into()));
            }
            for pattern in &order.gets {
                found.push(follow(replayer, pattern, element).map_or(Reply::Nil, Reply::Bulk));
            }
        }
        return Ok(Reply::Array(found));
    };
    let mut list = List::default();
    for element in elements {
        if order.gets.is_empty() {
            list.push_back(element.clone().into());
        }
        for pattern in &order.gets {
            list.push_back(follow(replayer, pattern, element).unwrap_or_default());
        }
    }
    let len = list.len();
    replayer.store_result(args, to, list);
    Ok(Reply::count(len))
}

fn sorted<'a>(
    replayer: &Replayer<'a>,
    elements: Vec<Bytes<'a>>,
    order: &Order<'_>,
) -> Result<Vec<Bytes<'a>>, Reject> {
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        let text = match order.by {
            Some(pattern) => follow(replayer, pattern, &element),
            None => Some(Str::from(element.clone())),
        };
        let weight = match (order.alpha, text) {
            (true, text) => Weight::Text(text.map(Bytes::from)),
            (false, Some(text)) => Weight::Number(number(&text)?),
            (false, None) => Weight::Number(0.0),
        };
        weighed.push((weight, element));
    }
    weighed.sort_by(|a, b| {
        let ordering = compare(a, b);
        if order.descending {
            ordering.reverse()
        } else {
            ordering
        }
    });
    // Where texts decide, the servers leave those of equal weight as chance has them.
    let undecided = weighed
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if compare(a, b).is_eq() && a.1 != b.1));
    if undecided {
        return Err(Reject::unsupported(
            "SORT BY .. ALPHA of different elements of one weight",
        ));
    }
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

fn limited(len: usize, limit: Option<(i64, i64)>) -> std::ops::Range<usize> {
    let Some((offset, count)) = limit else {
        return 0..len;
    };
    let start = usize::try_from(offset).unwrap_or(0).min(len);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    start..start.saturating_add(count).min(len)
}
