//! Values of a caller's own on their way into a file: what [`RdbWriter::key`] and
//! [`AofWriter::key`] hand out.
//!
//! [`RdbWriter::key`]: super::RdbWriter::key
//! [`AofWriter::key`]: crate::aof::AofWriter::key

use std::fmt;

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use super::target::Target;
use crate::bytes::Text;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ValueSink};
use crate::model::stream::{StreamId, StreamState};

/// Takes the parts of one value, in order.
///
/// What does not fit the type of the key, or what the release has no place for, is an error of
/// the call that handed this out; so is a member or a field that stands twice, as servers refuse
/// such a file.
pub struct ValueWriter<'w> {
    sink: &'w mut dyn ValueSink,
    target: &'static Target,
    value_type: ValueType,
    flaw: Option<ErrorKind>,
    /// Parts so far.
    parts: u64,
    /// Members or fields so far.
    seen: HashSet<Box<[u8]>, RandomState>,
    /// Members of a sorted set, which files have in the order of their scores.
    scored: Vec<(f64, Box<[u8]>)>,
    /// First and last id of a stream.
    ids: Option<(StreamId, StreamId)>,
    /// The last index of an array.
    index: Option<u64>,
    has_state: bool,
}

impl ValueWriter<'_> {
    /// The whole of a string.
    pub fn string(&mut self, text: &[u8]) {
        if self.parts > 0 {
            return self.refuse("a string has one text");
        }
        if self.fits(ValueType::String) {
            self.sink.string(Text::Bytes(text));
        }
    }

    /// The next element of a list, or a member of a set.
    pub fn element(&mut self, element: &[u8]) {
        let fits = match self.value_type {
            ValueType::Set => self.fits(ValueType::Set) && self.is_new(element),
            _ => self.fits(ValueType::List),
        };
        if fits {
            self.sink.element(Text::Bytes(element));
        }
    }

    /// A member of a sorted set and its score, in any order.
    pub fn scored(&mut self, member: &[u8], score: f64) {
        if score.is_nan() {
            return self.refuse("a score is a number");
        }
        if self.fits(ValueType::Zset) && self.is_new(member) {
            self.scored.push((score, member.into()));
        }
    }

    /// A field of a hash and its value.
    pub fn field(&mut self, field: &[u8], value: &[u8]) {
        if self.fits(ValueType::Hash) && self.is_new(field) {
            self.sink
                .field(Text::Bytes(field), Text::Bytes(value), None);
        }
    }

    /// A field of a hash that expires, in milliseconds since 1970.
    pub fn field_until(&mut self, field: &[u8], value: &[u8], expire_at_ms: i64) {
        if !self.target.field_deadlines().carries(expire_at_ms) {
            let what = format!("{} has no place for such a field deadline", self.target);
            self.flaw
                .get_or_insert(ErrorKind::Unsupported { what: what.into() });
        } else if self.fits(ValueType::Hash) && self.is_new(field) {
            let at = Some(expire_at_ms);
            self.sink.field(Text::Bytes(field), Text::Bytes(value), at);
        }
    }

    /// An entry of a stream; ids ascend.
    pub fn entry(&mut self, id: StreamId, fields: &[(&[u8], &[u8])]) {
        let last = self.ids.map_or(StreamId::default(), |(_, last)| last);
        if id <= last {
            return self.refuse("ids of a stream ascend from 0-1");
        }
        if fields.is_empty() {
            return self.refuse("an entry of a stream has fields");
        }
        if self.fits(ValueType::Stream) {
            let first = self.ids.map_or(id, |(first, _)| first);
            self.ids = Some((first, id));
            let mut fields = fields
                .iter()
                .map(|(field, value)| (Text::Bytes(field), Text::Bytes(value)));
            self.sink.entry(id, &mut fields);
        }
    }

    /// Counters and groups of a stream, behind its entries; without it there are no groups and
    /// the counters are those of a stream from which nothing was deleted.
    pub fn stream_state(&mut self, state: &StreamState) {
        if self.has_state || state.length != self.parts {
            return self.refuse("a stream's state comes once, with the number of its entries");
        }
        if self.value_type == ValueType::Stream {
            self.has_state = true;
            self.sink.stream_state(state);
        } else {
            self.refuse("only a stream has a stream's state");
        }
    }

    /// An item of an array; indexes ascend.
    pub fn item(&mut self, index: u64, text: &[u8]) {
        if self.index.is_some_and(|last| index <= last) {
            return self.refuse("indexes of an array ascend");
        }
        if self.fits(ValueType::Array) {
            self.index = Some(index);
            self.sink.item(index, Text::Bytes(text));
        }
    }

    fn is_new(&mut self, member: &[u8]) -> bool {
        let is_new = self.seen.insert(member.into());
        if !is_new {
            self.refuse("a member or field stands once");
        }
        is_new
    }

    fn fits(&mut self, wanted: ValueType) -> bool {
        if self.value_type != wanted {
            self.refuse("the parts of a value are those of its key's type");
        } else if self.has_state {
            self.refuse("a stream's state comes behind its entries");
        }
        self.parts += 1;
        self.flaw.is_none()
    }

    fn refuse(&mut self, rule: &'static str) {
        self.flaw.get_or_insert(ErrorKind::Usage(rule.to_owned()));
    }

    /// Completes what the caller may leave out.
    fn end(&mut self) {
        match self.value_type {
            ValueType::String if self.parts == 0 => self.refuse("a string has one text"),
            ValueType::Stream if !self.has_state && self.flaw.is_none() => {
                let (first, last) = self.ids.unwrap_or_default();
                let state = StreamState {
                    length: self.parts,
                    last_id: last,
                    first_id: Some(first),
                    max_deleted_id: Some(StreamId::default()),
                    entries_added: Some(self.parts),
                    ..StreamState::default()
                };
                self.sink.stream_state(&state);
            }
            ValueType::Array => self.sink.array_state(None),
            ValueType::Zset => {
                self.scored
                    .sort_by(|(a, one), (b, other)| a.total_cmp(b).then_with(|| one.cmp(other)));
                for (score, member) in &self.scored {
                    self.sink.scored(Text::Bytes(member), *score);
                }
            }
            _ => {}
        }
    }
}

impl fmt::Debug for ValueWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueWriter")
            .field("value_type", &self.value_type)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// Tells a sink one key and its value; `value` may be asked twice.
pub(crate) fn tell(
    sink: &mut dyn ValueSink,
    target: &'static Target,
    head: &KeyHead<'_>,
    mut value: impl FnMut(&mut ValueWriter<'_>),
) -> Result<()> {
    let has_type = match head.value_type {
        ValueType::Stream => target.has_streams(),
        ValueType::Array => target.has_arrays(),
        // Their records are copied from other files.
        ValueType::Module => false,
        _ => true,
    };
    if !has_type {
        let what = format!("{target}: a {} of one's own", head.value_type.name());
        let error = Error::new(ErrorKind::Unsupported { what: what.into() });
        return Err(error.in_key(head.db, head.key));
    }
    if head.key_meta.is_some() && !target.has_key_meta() {
        let what = format!("{target}: metadata of a key");
        let error = Error::new(ErrorKind::Unsupported { what: what.into() });
        return Err(error.in_key(head.db, head.key));
    }
    let has_elements = head.value_type != ValueType::String;
    loop {
        sink.begin_key(head);
        if has_elements {
            sink.begin_value();
        }
        let mut writer = ValueWriter {
            sink: &mut *sink,
            target,
            value_type: head.value_type,
            flaw: None,
            parts: 0,
            seen: HashSet::default(),
            scored: Vec::new(),
            ids: None,
            index: None,
            has_state: false,
        };
        value(&mut writer);
        writer.end();
        if let Some(flaw) = writer.flaw {
            sink.abandon_key();
            return Err(Error::new(flaw).in_key(head.db, head.key));
        }
        if has_elements {
            sink.end_value();
        }
        if sink.end_key() {
            return Ok(());
        }
    }
}
