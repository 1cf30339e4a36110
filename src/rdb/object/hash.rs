//! Hashes, with and without field TTLs.
//!
//! ```text
//!  4 HASH                     length n, n × (string field, string value)
//!  9 HASH_ZIPMAP              string(zipmap)
//! 13 HASH_ZIPLIST             string(ziplist: field, value, …)
//! 16 HASH_LISTPACK            string(listpack: field, value, …)
//! 22 HASH_METADATA_PRE_GA     length n, n × (length at, string field, string value)       Redis 7.4-rc
//! 22 HASH_2                   length n, n × (string field, string value, i64 at)          Valkey 9
//! 23 HASH_LISTPACK_EX_PRE_GA  string(listpack: field, value, at, …)                       Redis 7.4-rc
//! 24 HASH_METADATA            i64 min, length n, n × (length t, string field, string value)
//! 25 HASH_LISTPACK_EX         i64 hint, string(listpack: field, value, at, …)
//! 29 HASH_TMPL_LP             FIELDS, string(listpack: ignored id, value, …)
//! 30 HASH_TMPL_LP_REF         string(listpack: template id, value, …)
//! 31 HASH_TMPL_ARRAY          FIELDS, n × string value
//! 32 HASH_TMPL_ARRAY_REF      length template id, n × string value
//! FIELDS = length 0, string(listpack of names) | length 1, length n, n × string name
//! ```
//!
//! Times are absolute milliseconds. "No TTL" is 0 in types 22 (Redis), 23 and 25,
//! -1 in Valkey's 22, and `t = 0` in type 24, where any other `t` means
//! `min + t - 1`. The `hint` of type 25 may be anything and is never used. A
//! listpack with TTLs is ordered: fields with a TTL first, ascending, then the
//! others. Sources: `rdb.c rdbLoadObject`, `t_hash.c`.

use nom::number::streaming::le_i64;

use super::blobs::Kind;
use super::{RawValue, Scratch, pairs, skip_strings};
use crate::bytes::Text;
use crate::encoding::{Listpack, Ziplist, Zipmap};
use crate::error::{Code, Fail, Flaw, Parsed, Result};
use crate::rdb::length::{count, length};
use crate::rdb::string::{blob, skip_string, string, text};
use crate::rdb::template::{self, Template, Templates};

/// The latest deadline that servers store for a field: 48 bits of milliseconds.
pub(crate) const MAX_FIELD_DEADLINE_MS: u64 = (1 << 48) - 1;

/// How a hash is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    Strings,
    Zipmap,
    Ziplist,
    Listpack,
    MetadataPreGa,
    ValkeyHash2,
    ListpackExPreGa,
    Metadata,
    ListpackEx,
    TemplateListpack,
    TemplateListpackRef,
    TemplateArray,
    TemplateArrayRef,
}

impl Layout {
    pub(super) fn skip<'a>(self, input: &'a [u8], templates: &Templates) -> Parsed<'a, ()> {
        match self {
            Layout::Zipmap
            | Layout::Ziplist
            | Layout::Listpack
            | Layout::ListpackExPreGa
            | Layout::TemplateListpackRef => skip_string(input),
            Layout::ListpackEx => {
                let (rest, _hint) = le_i64(input)?;
                skip_string(rest)
            }
            Layout::Strings => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    (rest, ()) = skip_strings(rest, 2)?;
                }
                Ok((rest, ()))
            }
            Layout::MetadataPreGa => skip_timed(input),
            Layout::Metadata => {
                let (rest, _min) = le_i64(input)?;
                skip_timed(rest)
            }
            Layout::ValkeyHash2 => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    (rest, ()) = skip_strings(rest, 2)?;
                    (rest, _) = le_i64(rest)?;
                }
                Ok((rest, ()))
            }
            Layout::TemplateListpack => {
                let (rest, _) = inline_fields(input)?;
                skip_string(rest)
            }
            Layout::TemplateArray => {
                let (rest, fields) = inline_fields(input)?;
                skip_strings(rest, fields.fields().len() as u64)
            }
            Layout::TemplateArrayRef => {
                let (rest, id) = length(input)?;
                skip_strings(rest, templates.resolve(id, input)?.fields().len() as u64)
            }
        }
    }
}

fn skip_timed(input: &[u8]) -> Parsed<'_, ()> {
    let (mut rest, n) = count(input)?;
    for _ in 0..n {
        (rest, _) = length(rest)?;
        (rest, ()) = skip_strings(rest, 2)?;
    }
    Ok((rest, ()))
}

/// Parses the field names that types 29 and 31 carry.
fn inline_fields(input: &[u8]) -> Parsed<'_, Template> {
    let (rest, form) = length(input)?;
    let mut fields: Vec<Box<[u8]>> = Vec::new();
    let rest = match form {
        0 => {
            let mut scratch = Vec::new();
            let (after, bytes) = blob(rest, &mut scratch)?;
            let flawed = |flaw: Flaw| nom::Err::Failure(flaw.in_string(rest));
            for name in Listpack::new(bytes).map_err(flawed)?.iter() {
                fields.push(name.map_err(flawed)?.to_vec().into());
            }
            after
        }
        1 => {
            let (mut rest, n) = count(rest)?;
            for _ in 0..n {
                let (after, name) = string(rest)?;
                fields.push(
                    name.to_vec()
                        .map_err(|flaw| nom::Err::Failure(flaw.in_string(rest)))?
                        .into(),
                );
                rest = after;
            }
            rest
        }
        _ => {
            return Err(nom::Err::Failure(Fail::broken(
                input,
                Code::BadTemplate,
                "form of the field names",
                "0 or 1",
                form,
            )));
        }
    };
    match template::checked(fields) {
        Some(template) => Ok((rest, template)),
        None => {
            let fail = Fail::broken(
                input,
                Code::BadTemplate,
                "fields of a template",
                "at least one, ascending by length and bytes",
                "others",
            );
            Err(nom::Err::Failure(fail))
        }
    }
}

/// A hash value.
#[derive(Clone, Debug)]
pub struct Hash<'a> {
    pub(crate) raw: RawValue<'a>,
    pub(crate) layout: Layout,
}

impl Hash<'_> {
    /// The name of the encoding.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self.layout {
            Layout::Strings => "hashtable",
            Layout::Zipmap => "zipmap",
            Layout::Ziplist => "ziplist",
            Layout::Listpack => "listpack",
            Layout::MetadataPreGa | Layout::Metadata => "hashtable_ex",
            Layout::ValkeyHash2 => "hash2",
            Layout::ListpackExPreGa | Layout::ListpackEx => "listpack_ex",
            Layout::TemplateListpack | Layout::TemplateListpackRef => "template_listpack",
            Layout::TemplateArray | Layout::TemplateArrayRef => "template_array",
        }
    }

    /// The earliest field deadline, where the encoding depends on it (type 24).
    pub(crate) fn declared_earliest(&self) -> Option<i64> {
        match self.layout {
            Layout::Metadata => le_i64::<_, Fail>(self.raw.bytes).ok().map(|(_, min)| min),
            _ => None,
        }
    }

    /// Whether servers use this encoding only while some field has a deadline.
    pub(crate) fn is_for_deadlines(&self) -> bool {
        matches!(self.layout, Layout::ValkeyHash2 | Layout::MetadataPreGa)
    }

    /// Whether the fields are those of a template that stands elsewhere in the file.
    pub(crate) fn names_template(&self) -> bool {
        matches!(
            self.layout,
            Layout::TemplateListpackRef | Layout::TemplateArrayRef
        )
    }

    /// Whether a field can have a deadline in this encoding.
    pub(crate) fn may_have_deadlines(&self) -> bool {
        matches!(
            self.layout,
            Layout::MetadataPreGa
                | Layout::ValkeyHash2
                | Layout::ListpackExPreGa
                | Layout::Metadata
                | Layout::ListpackEx
        )
    }

    /// Calls `f` with each field, its value and its deadline in milliseconds, in file order.
    ///
    /// # Errors
    /// A field that breaks a rule of its encoding; fields before it were passed on.
    pub fn for_each(
        &self,
        scratch: &mut Scratch,
        f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
    ) -> Result<()> {
        self.walk(scratch, f)
            .map_err(|failure| self.raw.locate(failure))
    }

    fn walk(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
    ) -> Result<(), nom::Err<Fail>> {
        let input = self.raw.bytes;
        let flawed = |flaw: Flaw| nom::Err::Failure(flaw.in_string(input));
        match self.layout {
            Layout::Strings => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    let (after, field) = text(rest, &mut scratch.first)?;
                    let (after, value) = text(after, &mut scratch.second)?;
                    f(field, value, None);
                    rest = after;
                }
                Ok(())
            }
            Layout::Zipmap => {
                let (_, bytes) = blob(input, &mut scratch.blob)?;
                scratch.form.look_at(Kind::Zipmap, bytes);
                for pair in Zipmap::new(bytes).map_err(flawed)?.iter() {
                    let (field, value) = pair.map_err(flawed)?;
                    f(Text::Bytes(field), Text::Bytes(value), None);
                }
                Ok(())
            }
            Layout::Ziplist => {
                let (_, bytes) = blob(input, &mut scratch.blob)?;
                scratch.form.look_at(Kind::Ziplist, bytes);
                fields(
                    Ziplist::new(bytes).map_err(flawed)?.iter(),
                    bytes.len(),
                    |field, value| f(field, value, None),
                )
                .map_err(flawed)
            }
            Layout::Listpack => {
                let (_, bytes) = blob(input, &mut scratch.blob)?;
                let mut elements = scratch.form.node(bytes).map_err(flawed)?.iter();
                fields(&mut elements, bytes.len(), |field, value| {
                    f(field, value, None)
                })
                .map_err(flawed)?;
                scratch.form.note(elements.non_canonical());
                Ok(())
            }
            Layout::ListpackExPreGa => timed_listpack(input, scratch, f),
            Layout::ListpackEx => {
                let (rest, _hint) = le_i64(input)?;
                timed_listpack(rest, scratch, f)
            }
            Layout::MetadataPreGa => timed_strings(input, scratch, f, |at| match at {
                0 => Some(None),
                at => deadline(at).map(Some),
            }),
            Layout::Metadata => {
                let (rest, min) = le_i64(input)?;
                timed_strings(rest, scratch, f, |t| match t {
                    0 => Some(None),
                    t => deadline(u64::try_from(min).ok()?.checked_add(t - 1)?).map(Some),
                })
            }
            Layout::ValkeyHash2 => valkey_hash_2(input, scratch, f),
            Layout::TemplateListpack => {
                let (rest, template) = inline_fields(input)?;
                template_listpack(rest, scratch, f, |_| Ok(template.clone()))
            }
            Layout::TemplateListpackRef => {
                let templates = &self.raw.templates;
                template_listpack(input, scratch, f, |id| {
                    let id = u64::try_from(id).unwrap_or(u64::MAX);
                    templates.resolve(id, input).cloned()
                })
            }
            Layout::TemplateArray => {
                let (rest, template) = inline_fields(input)?;
                template_array(rest, scratch, f, &template)
            }
            Layout::TemplateArrayRef => {
                let (rest, id) = length(input)?;
                template_array(rest, scratch, f, self.raw.templates.resolve(id, input)?)
            }
        }
    }
}

/// Passes on elements in twos.
fn fields<'b>(
    elements: impl Iterator<Item = Result<Text<'b>, Flaw>>,
    end: usize,
    mut f: impl FnMut(Text<'b>, Text<'b>),
) -> Result<(), Flaw> {
    let what = "elements of a hash";
    pairs(elements, end, Code::BadHash, what, |field, value| {
        f(field, value);
        Ok(())
    })
}

/// A deadline that a server would accept.
fn deadline(at: u64) -> Option<i64> {
    (at <= MAX_FIELD_DEADLINE_MS).then_some(at as i64)
}

/// Passes on the fields of types 23 and 25.
fn timed_listpack(
    input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
) -> Result<(), nom::Err<Fail>> {
    let flawed = |flaw: Flaw| nom::Err::Failure(flaw.in_string(input));
    let (_, bytes) = blob(input, &mut scratch.blob)?;
    let bad = |what, expected: &'static str| {
        flawed(Flaw::new(
            Code::BadHash,
            bytes.len(),
            what,
            expected,
            "another",
        ))
    };
    let mut elements = scratch.form.node(bytes).map_err(flawed)?.iter();
    // The deadline of the triple before; after one without a deadline, none may follow.
    let mut earliest = 1;
    while let Some(field) = elements.next() {
        let field = field.map_err(flawed)?;
        let (Some(value), Some(at)) = (elements.next(), elements.next()) else {
            return Err(bad(
                "elements of a hash with field TTLs",
                "a multiple of three",
            ));
        };
        let value = value.map_err(flawed)?;
        let Text::Int(at) = at.map_err(flawed)? else {
            return Err(bad("field deadline", "an integer"));
        };
        match at {
            0 => {
                earliest = i64::MAX;
                f(field, value, None);
            }
            at if at < 0 || at as u64 > MAX_FIELD_DEADLINE_MS => {
                return Err(bad("field deadline", "0 to 2^48-1"));
            }
            at if at < earliest => {
                return Err(bad(
                    "order of field deadlines",
                    "ascending, fields without one last",
                ));
            }
            at => {
                earliest = at;
                f(field, value, Some(at));
            }
        }
    }
    scratch.form.note(elements.non_canonical());
    Ok(())
}

/// Passes on the fields of types 22 (Redis) and 24; `at` turns the stored number into a deadline.
fn timed_strings(
    input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
    at: impl Fn(u64) -> Option<Option<i64>>,
) -> Result<(), nom::Err<Fail>> {
    let (mut rest, n) = count(input)?;
    for _ in 0..n {
        let (after, stored) = length(rest)?;
        let deadline = at(stored).ok_or_else(|| {
            nom::Err::Failure(Fail::broken(
                rest,
                Code::BadHash,
                "field deadline",
                "at most 2^48-1",
                stored,
            ))
        })?;
        let (after, field) = text(after, &mut scratch.first)?;
        let (after, value) = text(after, &mut scratch.second)?;
        f(field, value, deadline);
        rest = after;
    }
    Ok(())
}

/// Passes on the fields of type 22 of Valkey.
fn valkey_hash_2(
    input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
) -> Result<(), nom::Err<Fail>> {
    let (mut rest, n) = count(input)?;
    for _ in 0..n {
        let (after, field) = text(rest, &mut scratch.first)?;
        let (after, value) = text(after, &mut scratch.second)?;
        let (end, at) = le_i64(after)?;
        match at {
            -1 => f(field, value, None),
            at if at < -1 => {
                return Err(nom::Err::Failure(Fail::broken(
                    after,
                    Code::BadHash,
                    "field deadline",
                    "at least -1",
                    at,
                )));
            }
            at => f(field, value, Some(at)),
        }
        rest = end;
    }
    Ok(())
}

/// Passes on the fields of types 29 and 30: a listpack of an id and the values.
fn template_listpack(
    input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
    template: impl Fn(i64) -> Result<Template, nom::Err<Fail>>,
) -> Result<(), nom::Err<Fail>> {
    let flawed = |flaw: Flaw| nom::Err::Failure(flaw.in_string(input));
    let (_, bytes) = blob(input, &mut scratch.blob)?;
    let mut elements = Listpack::new(bytes).map_err(flawed)?.iter();
    let Some(Text::Int(id)) = elements.next().transpose().map_err(flawed)? else {
        return Err(flawed(Flaw::new(
            Code::BadTemplate,
            0,
            "first element",
            "the template's id",
            "no integer",
        )));
    };
    let template = template(id)?;
    let mut fields = template.fields().iter();
    let wrong_count = || {
        Flaw::new(
            Code::BadTemplate,
            bytes.len(),
            "values of a template hash",
            template.fields().len(),
            "another number",
        )
    };
    for value in elements {
        let value = value.map_err(flawed)?;
        let field = fields.next().ok_or_else(|| flawed(wrong_count()))?;
        f(Text::Bytes(field), value, None);
    }
    match fields.next() {
        None => Ok(()),
        Some(_) => Err(flawed(wrong_count())),
    }
}

/// Passes on the fields of types 31 and 32: one string per field of the template.
fn template_array(
    mut input: &[u8],
    scratch: &mut Scratch,
    mut f: impl FnMut(Text<'_>, Text<'_>, Option<i64>),
    template: &Template,
) -> Result<(), nom::Err<Fail>> {
    for field in template.fields() {
        let (rest, value) = text(input, &mut scratch.second)?;
        f(Text::Bytes(field), value, None);
        input = rest;
    }
    Ok(())
}
