//! Values of the schema, told to a sink.

use std::collections::{HashMap, HashSet};

use super::cursor::{Cursor, Parsed};
use super::read_module::{ModuleMeaning, export_module};
use super::read_stream::export_stream;
use super::reader::once;
use crate::bytes::Text;
use crate::keyset::members::MemberSet;
use crate::model::ValueType;
use crate::model::sink::ValueSink;

/// Deadlines of a hash's fields by name.
type Deadlines = HashMap<Vec<u8>, i64>;

/// Takes a value and tells it; `deadlines` is where those of a hash's fields begin.
pub(super) fn export<'a>(
    value_type: ValueType,
    cursor: &mut Cursor<'a>,
    deadlines: Option<Cursor<'a>>,
    meaning: ModuleMeaning,
    sink: &mut impl ValueSink,
) -> Parsed<()> {
    if value_type == ValueType::String {
        let text = cursor.text("a string")?;
        sink.string(Text::Bytes(&text));
        return Ok(());
    }
    sink.begin_value();
    match value_type {
        ValueType::String => {}
        ValueType::List => cursor.array("a list: an array", |cursor| {
            sink.element(Text::Bytes(&cursor.text("an element: a string")?));
            Ok(())
        })?,
        ValueType::Set => each_once(Shape::Set, cursor, |_, member| {
            sink.element(Text::Bytes(member));
            Ok(())
        })?,
        ValueType::Zset => export_zset(cursor, sink)?,
        ValueType::Hash => export_hash(cursor, deadlines, sink)?,
        ValueType::Stream => export_stream(cursor, sink)?,
        ValueType::Array => export_array(cursor, sink)?,
        ValueType::Module => export_module(cursor, meaning, sink)?,
    }
    sink.end_value();
    Ok(())
}

/// How the members of a value stand in the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `["member", ..]`
    Set,
    /// `[["member", what belongs to it], ..]`
    Pairs,
    /// `{"member": what belongs to it, ..}`
    Object,
}

/// Takes members; `each` gets their names and takes what belongs to them. No name may stand
/// twice.
fn each_once<'a>(
    shape: Shape,
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &[u8]) -> Parsed<()>,
) -> Parsed<()> {
    let mut again = *cursor;
    let mut members = MemberSet::new();
    walk(shape, cursor, |cursor, name, _| {
        members.insert(members.hash(Text::Bytes(name)));
        each(cursor, name)
    })?;
    let hasher = members.clone();
    let candidates = members.candidates();
    if candidates.is_empty() {
        return Ok(());
    }
    let mut seen = HashSet::new();
    walk(shape, &mut again, |cursor, name, at| {
        let is_candidate = candidates
            .binary_search(&hasher.hash(Text::Bytes(name)))
            .is_ok();
        if is_candidate && !seen.insert(name.to_vec()) {
            return cursor.wrong(at, "each member once", "one twice");
        }
        match shape {
            Shape::Set => Ok(()),
            Shape::Pairs | Shape::Object => cursor.value().map(drop),
        }
    })
}

fn walk<'a>(
    shape: Shape,
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &[u8], usize) -> Parsed<()>,
) -> Parsed<()> {
    match shape {
        Shape::Set => cursor.array("a set: an array", |cursor| {
            cursor.peek();
            let at = cursor.at;
            let member = cursor.text("a member: a string")?;
            each(cursor, &member, at)
        }),
        Shape::Pairs => cursor.array("an array of pairs", |cursor| {
            cursor.peek();
            let at = cursor.at;
            cursor
                .pair(
                    "a pair: an array of two",
                    |cursor| cursor.text("a name: a string"),
                    |cursor, name| each(cursor, name, at),
                )
                .map(drop)
        }),
        Shape::Object => cursor.object("an object", |cursor, name, at| each(cursor, &name, at)),
    }
}

/// An object, or an array of pairs.
fn shape_of(cursor: &mut Cursor<'_>) -> Shape {
    match cursor.peek() {
        Some(b'{') => Shape::Object,
        _ => Shape::Pairs,
    }
}

fn export_zset(cursor: &mut Cursor<'_>, sink: &mut impl ValueSink) -> Parsed<()> {
    each_once(Shape::Pairs, cursor, |cursor, member| {
        let score = score(cursor)?;
        sink.scored(Text::Bytes(member), score);
        Ok(())
    })
}

/// Takes a number, or the word that stands for an infinite one.
fn score(cursor: &mut Cursor<'_>) -> Parsed<f64> {
    const EXPECTED: &str = "a score: a number, \"inf\" or \"-inf\"";
    let at = cursor.at;
    if cursor.peek() == Some(b'"') {
        return match &*cursor.string(EXPECTED)? {
            b"inf" => Ok(f64::INFINITY),
            b"-inf" => Ok(f64::NEG_INFINITY),
            _ => cursor.wrong(at, EXPECTED, "another word"),
        };
    }
    match cursor.number(EXPECTED)?.parse::<f64>() {
        Ok(score) if score.is_finite() => Ok(score),
        _ => cursor.wrong(at, EXPECTED, "a number out of range"),
    }
}

fn export_hash<'a>(
    cursor: &mut Cursor<'a>,
    deadlines: Option<Cursor<'a>>,
    sink: &mut impl ValueSink,
) -> Parsed<()> {
    let mut left = match deadlines {
        Some(mut deadlines) => read_deadlines(&mut deadlines)?,
        None => Deadlines::new(),
    };
    each_once(shape_of(cursor), cursor, |cursor, field| {
        let value = cursor.text("a field's value: a string")?;
        // Most hashes have none.
        let deadline = match left.is_empty() {
            true => None,
            false => left.remove(field),
        };
        sink.field(Text::Bytes(field), Text::Bytes(&value), deadline);
        Ok(())
    })?;
    match (left.is_empty(), deadlines) {
        (false, Some(deadlines)) => {
            deadlines.wrong(deadlines.at, "deadlines of fields that are there", "others")
        }
        _ => Ok(()),
    }
}

fn read_deadlines(cursor: &mut Cursor<'_>) -> Parsed<Deadlines> {
    let mut deadlines = Deadlines::new();
    each_once(shape_of(cursor), cursor, |cursor, field| {
        let deadline = cursor.integer("a deadline in milliseconds")?;
        deadlines.insert(field.to_vec(), deadline);
        Ok(())
    })?;
    Ok(deadlines)
}

fn export_array(cursor: &mut Cursor<'_>, sink: &mut impl ValueSink) -> Parsed<()> {
    cursor.peek();
    let start = *cursor;
    let (mut items, mut insert_index) = (None, None);
    cursor.members("an array's value: an object", |cursor, name, at| {
        let member = match &*name {
            b"items" => &mut items,
            b"insert_index" => &mut insert_index,
            _ => return cursor.wrong(at, "a member of an array's value", "another name"),
        };
        once(cursor, member)
    })?;
    let Some(mut items) = items else {
        return start.wrong(start.at, "`items`", "an object without them");
    };
    let mut least = Some(0u64);
    items.array("items: an array", |cursor| {
        cursor.peek();
        let at = cursor.at;
        let (index, text) = cursor.pair(
            "an item: its index and text",
            |cursor| cursor.integer("an index below 2^64-1"),
            |cursor, _| cursor.text("a string"),
        )?;
        if index == u64::MAX || least.is_none_or(|least| index < least) {
            return cursor.wrong(at, "ascending indexes below 2^64-1", "another");
        }
        least = Some(index + 1);
        sink.item(index, Text::Bytes(&text));
        Ok(())
    })?;
    let insert_index = insert_index.map(|mut cursor| cursor.integer("an index"));
    sink.array_state(insert_index.transpose()?);
    Ok(())
}
