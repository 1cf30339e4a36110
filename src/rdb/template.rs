//! Hash templates: field names that many hashes share (opcode 242, Redis 8.10).
//!
//! ```text
//! f2, length id, length n (>= 1), n × string field
//! ```
//!
//! Fields ascend by length, then by bytes, and so are unique. Ids are any
//! number; records stand before the first database. Types 30 and 32 name an id.

use std::sync::Arc;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::length::{count, length};
use super::string::{RdbString, string};
use crate::error::{Code, Fail, Parsed};

/// The field names of one template, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Arc<[Box<[u8]>]>);

impl Template {
    /// The field names.
    #[must_use]
    pub fn fields(&self) -> &[Box<[u8]>] {
        &self.0
    }
}

/// All templates of a file that stood before the place reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates(Option<Arc<HashMap<u64, Template>>>);

impl Templates {
    pub(crate) fn get(&self, id: u64) -> Option<&Template> {
        self.0.as_ref()?.get(&id)
    }

    /// Adds a template; an id that is there already is the error.
    fn add(&mut self, id: u64, template: Template) -> Result<(), ()> {
        let table = Arc::make_mut(self.0.get_or_insert_default());
        match table.entry(id) {
            Entry::Occupied(_) => Err(()),
            Entry::Vacant(slot) => {
                slot.insert(template);
                Ok(())
            }
        }
    }

    /// Looks a template up, or fails at the place that names it.
    pub(crate) fn resolve(&self, id: u64, input: &[u8]) -> Result<&Template, nom::Err<Fail>> {
        self.get(id).ok_or_else(|| {
            nom::Err::Failure(Fail::broken(
                input,
                Code::BadTemplate,
                "template id",
                "one defined before",
                id,
            ))
        })
    }
}

/// A template as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub struct TemplateRecord<'a> {
    /// The id that hashes name.
    pub id: u64,
    fields: &'a [u8],
    field_count: u64,
}

impl<'a> TemplateRecord<'a> {
    /// The field names.
    pub fn fields(&self) -> impl Iterator<Item = RdbString<'a>> + use<'a> {
        let (mut input, mut left) = (self.fields, self.field_count);
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (rest, field) = string(input).ok()?;
            input = rest;
            Some(field)
        })
    }
}

/// Parses what follows opcode 242 in a Redis file.
pub(crate) fn template_record(input: &[u8]) -> Parsed<'_, TemplateRecord<'_>> {
    let (rest, id) = length(input)?;
    let (fields, field_count) = count(rest)?;
    let mut rest = fields;
    for _ in 0..field_count {
        (rest, _) = string(rest)?;
    }
    let fields = &fields[..fields.len() - rest.len()];
    Ok((
        rest,
        TemplateRecord {
            id,
            fields,
            field_count,
        },
    ))
}

/// Checks a template and adds it to the file's table.
pub(crate) fn define(
    templates: &mut Templates,
    record: &TemplateRecord<'_>,
    input: &[u8],
) -> Result<(), nom::Err<Fail>> {
    let broken = |what, expected: &'static str| {
        nom::Err::Failure(Fail::broken(
            input,
            Code::BadTemplate,
            what,
            expected,
            record.id,
        ))
    };
    let mut fields: Vec<Box<[u8]>> = Vec::new();
    for field in record.fields() {
        let field = field
            .to_vec()
            .map_err(|flaw| nom::Err::Failure(flaw.in_string(input)))?;
        fields.push(field.into_boxed_slice());
    }
    let template = checked(fields).ok_or_else(|| {
        broken(
            "fields of a template",
            "at least one, ascending by length and bytes",
        )
    })?;
    templates
        .add(record.id, template)
        .map_err(|()| broken("template id", "one not defined before"))
}

/// Makes a template of field names if they are in order.
pub(crate) fn checked(fields: Vec<Box<[u8]>>) -> Option<Template> {
    let ascending = fields
        .windows(2)
        .all(|pair| (pair[0].len(), &pair[0]) < (pair[1].len(), &pair[1]));
    (ascending && !fields.is_empty()).then(|| Template(fields.into()))
}
