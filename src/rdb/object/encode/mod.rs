//! From keys and values to records of an RDB for a release.
//!
//! [`RecordEncoder`] is a [`ValueSink`]: whatever walks a value, a record of another file, a
//! keyspace or an import, writes it. Each type has a file with its encoder, which keeps
//! the smallest form as long as the value fits, so that no value is gone through twice
//! and nothing is allocated for each. What a release has no place for is left out; what
//! that is tells [`crate::ops::losses`] before anything is written.

pub(crate) mod elements;
mod hash;
mod list;
mod set;
pub(crate) mod stream;
mod zset;

use crate::bytes::Text;
use crate::encoding::Listpack;
use crate::encoding::listpack::LEAST_ODD_BYTES;
use crate::error::{Error, ErrorKind, Parsed, Result};
use crate::limits::KEPT_BYTES;
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{StreamId, StreamState};
use crate::rdb::constants::{Opcode, TypeByte, array_tag, module_opcode, quicklist_container};
use crate::rdb::frame::{PlainString, Record};
use crate::rdb::length::{count, encode_length, length};
use crate::rdb::module::{KeyMeta, ModuleId, ModuleItems, encode_item, encode_key_meta};
use crate::rdb::object::stream::nodes_of;
use crate::rdb::object::{Layout, Scratch, Value};
use crate::rdb::string::{RdbString, StringEncoder, encode_stored, skip_string, string};
use crate::rdb::target::{Encodings, Target};
use crate::rdb::vectorset;

/// The bytes of a value.
pub(crate) type Body = Vec<u8>;

/// Makes records for a release out of keys and values.
///
/// ```
/// use rdbkit::bytes::Text;
/// use rdbkit::model::ValueType;
/// use rdbkit::model::sink::{KeyHead, ValueSink as _};
/// use rdbkit::rdb::{Encodings, RecordEncoder, Target};
///
/// let target = Target::named("redis-7.2").unwrap();
/// let mut encoder = RecordEncoder::new(target, Encodings::Default);
/// let head = KeyHead::new(0, b"key", ValueType::Set);
/// encoder.begin_key(&head);
/// encoder.begin_value();
/// encoder.element(Text::Bytes(b"member"));
/// encoder.end_value();
/// assert!(encoder.end_key());
/// let mut record = Vec::new();
/// assert!(encoder.take(&mut record)?);
/// // SET_LISTPACK, the key, a listpack of one element
/// assert_eq!(record, b"\x14\x03key\x0f\x0f\0\0\0\x01\0\x86member\x07\xff");
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordEncoder {
    target: &'static Target,
    encodings: Encodings,
    strings: StringEncoder,
    /// Opcodes before the type byte.
    head: Vec<u8>,
    key: Vec<u8>,
    value_type: ValueType,
    /// The value, where it is not in the encoder of its type.
    body: Body,
    /// The type, once the value is complete; none if servers would drop the key.
    type_byte: Option<TypeByte>,
    state: Option<StreamState>,
    array_items: u64,
    array_index: Option<u64>,
    failure: Option<Error>,
    list: list::ListEncoder,
    set: set::SetEncoder,
    zset: zset::ZsetEncoder,
    hash: hash::HashEncoder,
    stream: stream::StreamEncoder,
}

impl RecordEncoder {
    /// Writes for a release.
    #[must_use]
    pub fn new(target: &'static Target, encodings: Encodings) -> Self {
        RecordEncoder {
            target,
            encodings,
            strings: StringEncoder::default(),
            head: Vec::new(),
            key: Vec::new(),
            value_type: ValueType::String,
            body: Vec::new(),
            type_byte: None,
            state: None,
            array_items: 0,
            array_index: None,
            failure: None,
            list: list::ListEncoder::new(target, encodings),
            set: set::SetEncoder::new(target, encodings),
            zset: zset::ZsetEncoder::new(target, encodings),
            hash: hash::HashEncoder::new(target, encodings),
            stream: stream::StreamEncoder::new(target),
        }
    }

    /// Leaves stream counters as they are that no server would load, for files that only pass
    /// values on.
    pub(crate) fn keep_all_counters(&mut self) {
        self.stream.checks_counters = false;
    }

    /// The release.
    #[must_use]
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Appends the record of the key that ended; `false` if it has no elements, which servers
    /// take for no key.
    ///
    /// # Errors
    /// A value that no encoding of the release holds: an element of 4 GiB, a type that it
    /// does not have, a module's name that is none.
    pub fn take(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        self.close()?;
        let Some(type_byte) = self.type_byte.take() else {
            return Ok(false);
        };
        out.extend_from_slice(&self.head);
        out.push(type_byte.0);
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.body);
        self.trim();
        Ok(true)
    }

    /// Appends type byte and value, without key, of the key that ended: what a DUMP payload has.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_value(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        self.close()?;
        let Some(type_byte) = self.type_byte.take() else {
            return Ok(false);
        };
        out.push(type_byte.0);
        out.extend_from_slice(&self.body);
        self.trim();
        Ok(true)
    }

    /// Whether a record's value can be copied as it is.
    #[must_use]
    pub fn can_copy(&self, record: &Record<'_>) -> bool {
        if !self.target.reads(record.type_byte, record.dialect.family) {
            return false;
        }
        if self.encodings == Encodings::Universal && !record.layout.is_plain() {
            return false;
        }
        // Lengths of 64 bits came with version 8, and so may the forms of small numbers.
        if self.target.dialect().version < 8
            && record.dialect.version >= 8
            && record.longer_than_need_be().is_some()
        {
            return false;
        }
        self.reads_backlens(record)
    }

    /// Whether the release reads the back lengths in a value's listpacks.
    fn reads_backlens(&self, record: &Record<'_>) -> bool {
        let width = self.target.backlen_width();
        let mut blob = Vec::new();
        let agrees = |stored: RdbString<'_>| {
            // A blob that does not expand or is broken is re-encoded, which says so.
            stored.declared_len() < LEAST_ODD_BYTES
                || stored.bytes(&mut blob).is_ok_and(|bytes| {
                    Listpack::new(bytes).is_ok_and(|listpack| listpack.has_backlens(width))
                })
        };
        all_listpacks(record.layout, record.raw_value(), agrees).unwrap_or(false)
    }

    /// Appends a record with the value of another file.
    ///
    /// Opcodes that the release does not have are left out.
    pub fn copy(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.head_of(record);
        out.extend_from_slice(&self.head);
        out.push(record.type_byte.0);
        encode_stored(record.key, out);
        out.extend_from_slice(record.raw_value());
    }

    /// Appends a plain string of another file, which every release reads as it is unless its
    /// form is longer than need be.
    pub(crate) fn copy_string(string: &PlainString<'_>, out: &mut Vec<u8>) {
        encode_expiry(string.expire_at_ms, out);
        out.push(TypeByte::STRING.0);
        encode_stored(string.key(), out);
        out.extend_from_slice(string.raw_value);
    }

    /// Appends a stream of another file, its nodes as they are, in the layout of the release.
    ///
    /// # Errors
    /// A broken state. `false`: the record is none whose nodes can be copied.
    pub fn copy_stream(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<bool> {
        let (Value::Stream(stream), true) = (record.value(), self.reads_backlens(record)) else {
            return Ok(false);
        };
        let state = stream.state()?;
        self.body.clear();
        self.body.extend_from_slice(nodes_of(record.raw_value()));
        let type_byte = self
            .stream
            .state(&state, &mut self.strings, &mut self.body)?;
        self.head_of(record);
        out.extend_from_slice(&self.head);
        out.push(type_byte.0);
        encode_stored(record.key, out);
        out.extend_from_slice(&self.body);
        self.trim();
        Ok(true)
    }

    fn head_of(&mut self, record: &Record<'_>) {
        self.head.clear();
        encode_expiry(record.expire_at_ms, &mut self.head);
        self.eviction(record.idle_s, record.freq);
        if let Some(meta) = &record.key_meta {
            self.key_meta(meta);
        }
    }

    fn key_meta(&mut self, meta: &KeyMeta<'_>) {
        if self.target.has_key_meta() {
            self.head.push(Opcode::KEY_META.0);
            self.head.extend_from_slice(meta.as_bytes());
        }
    }

    fn eviction(&mut self, idle_s: Option<u64>, freq: Option<u8>) {
        if !self.target.has_eviction_data() {
            return;
        }
        if let Some(idle_s) = idle_s {
            self.head.push(Opcode::IDLE.0);
            encode_length(idle_s, &mut self.head);
        } else if let Some(freq) = freq {
            self.head.extend_from_slice(&[Opcode::FREQ.0, freq]);
        }
    }

    fn attempt(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }

    /// Completes the value.
    fn close(&mut self) -> Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (strings, body) = (&mut self.strings, &mut self.body);
        match self.value_type {
            ValueType::List => self.type_byte = self.list.finish(strings, body)?,
            ValueType::Set => self.type_byte = self.set.finish(strings, body)?,
            ValueType::Zset => self.type_byte = self.zset.finish(strings, body)?,
            ValueType::Hash => self.type_byte = self.hash.finish(strings, body)?,
            ValueType::Stream => {
                let state = self.state.take().unwrap_or_default();
                self.type_byte = Some(self.stream.finish(&state, strings, body)?);
            }
            ValueType::Array => self.close_array()?,
            ValueType::String | ValueType::Module => {}
        }
        Ok(())
    }

    fn close_array(&mut self) -> Result<()> {
        if !self.target.has_arrays() {
            return Err(Error::new(ErrorKind::Internal(
                "the target of an array has arrays",
            )));
        }
        if self.array_items == 0 {
            return Ok(());
        }
        let mut value = Vec::with_capacity(self.body.len() + 32);
        encode_length(self.array_items, &mut value);
        encode_length(u64::from(self.array_index.is_some()), &mut value);
        if let Some(index) = self.array_index {
            encode_length(index, &mut value);
        }
        value.append(&mut self.body);
        self.body = value;
        self.type_byte = Some(TypeByte::ARRAY);
        Ok(())
    }

    /// Gives back what an unusually large value took.
    fn trim(&mut self) {
        if self.body.len() <= KEPT_BYTES {
            return;
        }
        self.body.clear();
        self.body.shrink_to(KEPT_BYTES);
        self.strings.trim(KEPT_BYTES);
        self.list.trim(KEPT_BYTES);
        self.set.trim(KEPT_BYTES);
        self.zset.trim(KEPT_BYTES);
        self.hash.trim(KEPT_BYTES);
        self.stream.trim(KEPT_BYTES);
    }
}

fn encode_expiry(expire_at_ms: Option<i64>, out: &mut Vec<u8>) {
    // -1 means none to most servers and long ago to one, so nobody may write it.
    if let Some(at) = expire_at_ms.filter(|at| *at != -1) {
        out.push(Opcode::EXPIRETIME_MS.0);
        out.extend_from_slice(&at.to_le_bytes());
    }
}

impl ValueSink for RecordEncoder {
    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.head.clear();
        encode_expiry(head.expire_at_ms, &mut self.head);
        self.eviction(head.idle_s, head.freq);
        if let Some(classes) = head.key_meta
            && self.target.has_key_meta()
        {
            self.head.push(Opcode::KEY_META.0);
            encode_key_meta(classes, &mut self.strings, &mut self.head);
        }
        self.key.clear();
        self.strings.encode(head.key, &mut self.key);
        self.value_type = head.value_type;
        self.body.clear();
        self.type_byte = None;
        self.state = None;
        self.failure = None;
    }

    fn string(&mut self, text: Text<'_>) {
        self.strings.encode_text(text, &mut self.body);
        self.type_byte = Some(TypeByte::STRING);
    }

    fn begin_value(&mut self) {
        match self.value_type {
            ValueType::List => self.list.begin(),
            ValueType::Set => self.set.begin(),
            ValueType::Zset => self.zset.begin(),
            ValueType::Hash => self.hash.begin(),
            ValueType::Stream => self.stream.begin(),
            ValueType::Array => (self.array_items, self.array_index) = (0, None),
            ValueType::String | ValueType::Module => {}
        }
    }

    fn element(&mut self, element: Text<'_>) {
        let outcome = match self.value_type {
            ValueType::Set => self.set.push(element, &mut self.strings),
            _ => self.list.push(element, &mut self.strings),
        };
        self.attempt(outcome);
    }

    fn scored(&mut self, member: Text<'_>, score: f64) {
        let outcome = self.zset.push(member, score, &mut self.strings);
        self.attempt(outcome);
    }

    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        let outcome = self
            .hash
            .push(field, value, expire_at_ms, &mut self.strings);
        self.attempt(outcome);
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        let outcome = self.stream.push(id, fields, &mut self.strings);
        self.attempt(outcome);
    }

    fn stream_state(&mut self, state: &StreamState) {
        self.state = Some(state.clone());
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        self.array_items += 1;
        encode_length(index, &mut self.body);
        // Loaders turn strings into whatever holds them best.
        encode_length(array_tag::STRING, &mut self.body);
        self.strings.encode_text(text, &mut self.body);
    }

    fn array_state(&mut self, insert_index: Option<u64>) {
        self.array_index = insert_index;
    }

    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        _data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        _encoded_len: u64,
    ) {
        let Some(id) = ModuleId::new(name, encoding_version) else {
            let what = format!("the module type {name:?}, whose name has no encoding");
            let error = Error::new(ErrorKind::Unsupported { what: what.into() });
            return self.attempt(Err(error));
        };
        encode_length(id.0, &mut self.body);
        let start = self.body.len();
        for item in items {
            encode_item(&item, &mut self.strings, &mut self.body);
        }
        if name == vectorset::MODULE_NAME && self.body.len() == start {
            let what = "a vector set whose graph is not known";
            let error = Error::new(ErrorKind::Unsupported { what: what.into() });
            return self.attempt(Err(error));
        }
        encode_length(module_opcode::EOF, &mut self.body);
        if name == vectorset::MODULE_NAME && encoding_version == 0 {
            // Items may be the caller's own; servers refuse a graph that is none.
            let items = ModuleItems::new(&self.body[start..]);
            if let Err(flaw) = vectorset::check(items) {
                return self.attempt(Err(Error::new(flaw.into())));
            }
        }
        self.type_byte = Some(TypeByte::MODULE_2);
    }

    fn end_value(&mut self) {}

    fn end_key(&mut self) -> bool {
        true
    }

    fn abandon_key(&mut self) {
        self.type_byte = None;
        self.failure = None;
    }
}

impl Layout {
    /// Whether each element is a string of its own, or there is no plainer form.
    fn is_plain(self) -> bool {
        use super::{hash, list, set, zset};
        match self {
            Layout::String | Layout::Stream(_) | Layout::Array | Layout::Module => true,
            Layout::List(layout) => layout == list::Layout::Strings,
            Layout::Set(layout) => layout == set::Layout::Strings,
            Layout::Zset(layout) => {
                matches!(
                    layout,
                    zset::Layout::TextScores | zset::Layout::BinaryScores
                )
            }
            Layout::Hash(layout) => matches!(
                layout,
                hash::Layout::Strings | hash::Layout::Metadata | hash::Layout::ValkeyHash2
            ),
        }
    }
}

/// Whether all strings of a value that are listpacks agree with something; `None` if finding
/// them takes more than a look.
fn all_listpacks(
    layout: Layout,
    input: &[u8],
    mut agrees: impl FnMut(RdbString<'_>) -> bool,
) -> Option<bool> {
    use super::{hash, list, set, zset};
    let mut all = |mut rest: &[u8], strings: u64, skipped: fn(&[u8]) -> Parsed<'_, ()>| {
        for _ in 0..strings {
            (rest, ()) = skipped(rest).ok()?;
            let stored;
            (rest, stored) = string(rest).ok()?;
            if !agrees(stored) {
                return Some(false);
            }
        }
        Some(true)
    };
    let nothing: fn(&[u8]) -> Parsed<'_, ()> = |input| Ok((input, ()));
    match layout {
        Layout::List(list::Layout::Quicklist2) => {
            let (mut rest, nodes) = count(input).ok()?;
            for _ in 0..nodes {
                let (node, container) = length(rest).ok()?;
                (rest, ()) = skip_string(node).ok()?;
                if container == quicklist_container::PACKED && !all(node, 1, nothing)? {
                    return Some(false);
                }
            }
            Some(true)
        }
        Layout::Stream(_) => {
            let (rest, nodes) = count(input).ok()?;
            all(rest, nodes, skip_string)
        }
        Layout::Set(set::Layout::Listpack)
        | Layout::Zset(zset::Layout::Listpack)
        | Layout::Hash(
            hash::Layout::Listpack
            | hash::Layout::ListpackExPreGa
            | hash::Layout::TemplateListpackRef,
        ) => all(input, 1, nothing),
        Layout::Hash(hash::Layout::ListpackEx) => all(input.get(size_of::<i64>()..)?, 1, nothing),
        Layout::Hash(hash::Layout::TemplateListpack) => None,
        Layout::String
        | Layout::Array
        | Layout::Module
        | Layout::List(_)
        | Layout::Set(_)
        | Layout::Zset(_)
        | Layout::Hash(_) => Some(true),
    }
}

/// Whether a record is a sorted set whose score of -0 would become 0 if the target loaded it as
/// it is: a small one that is not packed.
///
/// # Errors
/// A broken member or score.
pub(crate) fn negative_zero_would_vanish(
    record: &Record<'_>,
    target: &Target,
    scratch: &mut Scratch,
) -> Result<bool> {
    let Value::Zset(zset) = record.value() else {
        return Ok(false);
    };
    if !zset.is_skiplist() || !target.flavor().small_zsets_lose_negative_zero() {
        return Ok(false);
    }
    let (mut members, mut found, mut all_short) = (0_usize, false, true);
    zset.for_each(scratch, |member, score| {
        members += 1;
        found |= score == 0.0 && score.is_sign_negative();
        all_short &= elements::is_short(member, zset::SMALL_VALUE_BYTES);
    })?;
    Ok(found && all_short && members <= zset::SMALL_ENTRIES)
}
