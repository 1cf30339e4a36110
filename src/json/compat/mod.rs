//! What the shapes of other tools share: the writer, its array of databases, escapes.
//!
//! [`CompatWriter`] prints what both older tools print alike; a [`Shape`] is the rest.

mod databases;
mod decimal;

use std::fmt::Debug;

pub use databases::Separators;
pub(super) use decimal::Decimal;

use super::document::Document;
use super::native::Header;
use super::parts::write_number;
use crate::bytes::Text;
use crate::error::Result;
use crate::model::ValueType;
use crate::model::sink::{KeyHead, ModuleData, ModuleField, StoredScore, ValueSink};
use crate::model::stream::{StreamId, StreamState};
use databases::Databases;

/// What one tool prints in its own way.
pub trait Shape: Debug + Send {
    /// Between keys and databases.
    const SEPARATORS: &'static Separators;
    /// Before the entries of a stream.
    const STREAM_START: &'static [u8];
    /// Behind the entries of a stream.
    const STREAM_END: &'static [u8];

    /// Appends the inside of a string that is not plain ASCII.
    fn write_escaped(bytes: &[u8], out: &mut Vec<u8>);

    /// Appends the text of a score.
    fn write_score(score: Score<'_>, out: &mut Vec<u8>);

    /// Appends an entry of a stream.
    fn write_entry(
        is_first: bool,
        id: StreamId,
        fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>,
        out: &mut Vec<u8>,
    );

    /// Appends what stands for the value of a module.
    fn write_module(name: &str, encoded_len: u64, out: &mut Vec<u8>);
}

/// A score, and how the file stores it.
#[derive(Clone, Copy, Debug)]
pub struct Score<'s> {
    /// The number.
    pub value: f64,
    /// Its text, or its integer of a blob; `None` for eight bytes, and after a replay.
    pub stored: Option<Text<'s>>,
    /// Whether it stands in a ziplist or listpack.
    pub in_blob: bool,
}

/// Writes keys into a buffer that its owner empties between keys.
#[derive(Debug)]
pub struct CompatWriter<S> {
    /// The text so far.
    pub out: Vec<u8>,
    databases: Databases,
    value_type: Option<ValueType>,
    in_blob: bool,
    is_first: bool,
    shape: std::marker::PhantomData<S>,
}

impl<S: Shape> Default for CompatWriter<S> {
    fn default() -> Self {
        CompatWriter::new()
    }
}

impl<S: Shape> CompatWriter<S> {
    /// Makes a writer of a whole document.
    #[must_use]
    pub fn document() -> Self {
        let mut writer = CompatWriter::new();
        writer.begin_file();
        writer
    }

    /// Makes an empty writer. Without [`begin_file`](Self::begin_file) it writes a fragment.
    #[must_use]
    pub fn new() -> Self {
        CompatWriter {
            out: Vec::new(),
            databases: Databases::new(S::SEPARATORS),
            value_type: None,
            in_blob: false,
            is_first: false,
            shape: std::marker::PhantomData,
        }
    }

    /// Opens the document.
    pub fn begin_file(&mut self) {
        self.databases.begin_file(&mut self.out);
    }

    /// Closes the document.
    pub fn end_file(&mut self) {
        self.databases.end_file(&mut self.out);
    }

    /// Takes over the keys of a fragment, which is empty afterwards.
    pub fn append(&mut self, fragment: &mut CompatWriter<S>) {
        self.databases
            .append(&mut self.out, &mut fragment.databases, &mut fragment.out);
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(b',');
        }
    }

    #[inline]
    fn text(&mut self, text: Text<'_>) {
        write_text::<S>(text, &mut self.out);
    }

    #[inline]
    fn member_with_score(&mut self, member: Text<'_>, value: f64, stored: Option<Text<'_>>) {
        let in_blob = self.in_blob;
        self.comma();
        self.text(member);
        self.out.extend_from_slice(b":\"");
        let score = Score {
            value,
            stored,
            in_blob,
        };
        S::write_score(score, &mut self.out);
        self.out.push(b'"');
    }
}

/// Appends a string in quotes.
#[inline]
pub(super) fn write_text<S: Shape>(text: Text<'_>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let bytes = text.as_bytes(&mut digits);
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        S::write_escaped(bytes, out);
    }
    out.push(b'"');
}

impl<S: Shape> Document for CompatWriter<S> {
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn fragment(&self) -> Self {
        CompatWriter::new()
    }

    fn append(&mut self, fragment: &mut Self) -> Result<()> {
        self.append(fragment);
        Ok(())
    }

    fn header(&mut self, _header: &Header) {
        // The shapes have no place for it.
    }

    fn finish(&mut self) {
        self.end_file();
    }
}

impl<S: Shape> ValueSink for CompatWriter<S> {
    fn wants_score_order(&self) -> bool {
        false
    }

    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.databases.begin_key(head.db, &mut self.out);
        self.value_type = Some(head.value_type);
        self.in_blob = matches!(head.encoding, Some("ziplist" | "listpack"));
        self.text(Text::Bytes(head.key));
        self.out.push(b':');
    }

    fn string(&mut self, text: Text<'_>) {
        self.text(text);
    }

    fn begin_value(&mut self) {
        self.is_first = true;
        self.out.extend_from_slice(match self.value_type {
            Some(ValueType::List | ValueType::Set) => b"[",
            Some(ValueType::Stream) => S::STREAM_START,
            Some(ValueType::Module) => b"",
            _ => b"{",
        });
    }

    #[inline]
    fn element(&mut self, element: Text<'_>) {
        self.comma();
        self.text(element);
    }

    #[inline]
    fn scored(&mut self, member: Text<'_>, score: f64) {
        self.member_with_score(member, score, None);
    }

    #[inline]
    fn scored_as_stored(&mut self, member: Text<'_>, score: f64, stored: StoredScore<'_>) {
        self.member_with_score(member, score, Some(stored.text));
    }

    #[inline]
    fn field(&mut self, field: Text<'_>, value: Text<'_>, _expire_at_ms: Option<i64>) {
        self.comma();
        self.text(field);
        self.out.push(b':');
        self.text(value);
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        let is_first = std::mem::replace(&mut self.is_first, false);
        S::write_entry(is_first, id, fields, &mut self.out);
    }

    fn stream_state(&mut self, _state: &StreamState) {}

    fn item(&mut self, index: u64, text: Text<'_>) {
        self.comma();
        self.out.push(b'"');
        write_number(index, &mut self.out);
        self.out.extend_from_slice(b"\":");
        self.text(text);
    }

    fn array_state(&mut self, _insert_index: Option<u64>) {}

    fn module(
        &mut self,
        name: &str,
        _encoding_version: u16,
        _data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        encoded_len: u64,
    ) {
        // Walking them is what finds their flaws.
        items.for_each(drop);
        S::write_module(name, encoded_len, &mut self.out);
    }

    fn end_value(&mut self) {
        self.out.extend_from_slice(match self.value_type {
            Some(ValueType::List | ValueType::Set) => b"]",
            Some(ValueType::Stream) => S::STREAM_END,
            Some(ValueType::Module) => b"",
            _ => b"}",
        });
    }

    fn end_key(&mut self) -> bool {
        true
    }

    fn abandon_key(&mut self) {
        self.databases.abandon_key(&mut self.out);
    }
}

/// Whether both tools print all bytes as they are: printable ASCII without quote and backslash.
///
/// Folding over fixed chunks lets the compiler use vector registers.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    const LANES: usize = 16;
    let odd = |byte: u8| !(0x20..=0x7e).contains(&byte) | (byte == b'"') | (byte == b'\\');
    let (chunks, tail) = bytes.as_chunks::<LANES>();
    chunks
        .iter()
        .all(|chunk| !chunk.iter().fold(false, |any, &byte| any | odd(byte)))
        && !tail.iter().any(|&byte| odd(byte))
}

/// Appends one byte or code unit of a JSON string, escaped as both tools do.
pub(super) fn write_unit(unit: u16, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match unit {
        0x22 => b'"',
        0x5c => b'\\',
        0x0a => b'n',
        0x0d => b'r',
        0x09 => b't',
        0x08 => b'b',
        0x0c => b'f',
        0x20..=0x7e => return out.push(unit as u8),
        _ => {
            out.extend_from_slice(b"\\u");
            out.extend((0..4).map(|nibble| HEX[usize::from(unit >> (12 - 4 * nibble) & 15)]));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
