//! Reports as JSON Lines: `{"type":..,"data":{..}}`, the summary last.
//!
//! Strings follow the JSON schema of the datasets: UTF-8 as it is, anything else
//! as `{"$b64":..}`.

use super::finding::{Finding, Tally};
use crate::json::escape::write_string;

/// One JSON object under construction.
#[derive(Debug)]
pub struct Object {
    text: Vec<u8>,
    is_empty: bool,
}

impl Object {
    /// Starts an object.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "an object is begun, not defaulted"
    )]
    pub fn new() -> Self {
        Object {
            text: vec![b'{'],
            is_empty: true,
        }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.text.push(b',');
        }
        write_string(name.as_bytes(), &mut self.text);
        self.text.push(b':');
    }

    /// Adds a string.
    #[must_use]
    pub fn string(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.name(name);
        write_string(value.as_ref(), &mut self.text);
        self
    }

    /// Adds a string if there is one.
    #[must_use]
    pub fn optional(self, name: &str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.string(name, value),
            None => self,
        }
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, name: &str, value: impl itoa::Integer) -> Self {
        self.name(name);
        self.text
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Adds a number if there is one.
    #[must_use]
    pub fn optional_number(self, name: &str, value: Option<impl itoa::Integer>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    /// Adds `true` or `false`.
    #[must_use]
    pub fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.text
            .extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds a value that is JSON already.
    #[must_use]
    pub fn raw(mut self, name: &str, json: &[u8]) -> Self {
        self.name(name);
        self.text.extend_from_slice(json);
        self
    }

    /// Adds an object.
    #[must_use]
    pub fn object(self, name: &str, value: Object) -> Self {
        let text = value.finish();
        self.raw(name, &text)
    }

    /// Adds an array of objects.
    #[must_use]
    pub fn objects(self, name: &str, values: impl IntoIterator<Item = Object>) -> Self {
        let texts: Vec<_> = values.into_iter().map(Object::finish).collect();
        let array = [&b"["[..], &texts.join(&b","[..]), b"]"].concat();
        self.raw(name, &array)
    }

    /// The text.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.text.push(b'}');
        self.text
    }
}

/// One line of a report, its newline included.
#[must_use]
pub fn line(kind: &str, data: Object) -> Vec<u8> {
    let mut line = Object::new()
        .string("type", kind)
        .object("data", data)
        .finish();
    line.push(b'\n');
    line
}

/// A finding as the data of a line.
#[must_use]
pub fn finding(finding: &Finding) -> Object {
    let place = &finding.place;
    Object::new()
        .optional("file", place.file.as_ref())
        .optional("part", place.part.as_ref())
        .optional_number("offset", place.offset)
        .optional_number("db", place.db)
        .optional("key", place.key.as_ref())
        .string("code", finding.code.as_str())
        .string("level", finding.level.as_str())
        .optional("expected", finding.expected.as_ref())
        .optional("found", finding.found.as_ref())
        .string("message", &finding.message)
}

/// How often each code was found.
#[must_use]
pub fn tally(tally: &Tally) -> Object {
    tally
        .by_code
        .iter()
        .fold(Object::new(), |object, (code, count)| {
            object.number(code, *count)
        })
}
