//! rdbkit's own JSON: lossless, always valid, one object per key.
//!
//! ```text
//! {"db":0,"key":"user:1","type":"hash","encoding":"listpack","expire_at_ms":4102444800000,"value":{"name":"Ann"}}
//! ```
//!
//! The schema stands in the README. Members that a source does not have are
//! absent. A hash is an object if every field name is UTF-8, else an array of
//! pairs; the writer starts with an object and asks for the key again when a
//! name turns out otherwise.

use super::document::Document;
use super::escape::{write_string, write_utf8};
use super::parts::{write_id, write_number};
use super::pretty::indent;
use crate::bytes::spool::Spool;
use crate::bytes::{Text, double};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::SPOOLED_BYTES;
use crate::model::ValueType;
use crate::model::sink::{KeyHead, KeyMetaEntry, ModuleData, ModuleField, ValueSink};
use crate::model::stream::{Group, Idmp, StreamId, StreamState};
use crate::model::vectorset::VectorSet;

/// What stands between and around the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrangement {
    /// One object per line.
    #[default]
    Lines,
    /// An array with one object per line.
    Array,
    /// An array with two spaces per level.
    PrettyArray,
}

/// Writes keys into a buffer that its owner empties between keys.
#[derive(Debug, Default)]
pub struct NativeWriter {
    /// The text since it was emptied last; it ends behind a key, except during one. Of one
    /// that spools it is the end of the text: [`Document::write_out`] has all of it.
    pub out: Vec<u8>,
    /// What stands before `out`, and before that.
    spool: Spool,
    before_spool: Vec<u8>,
    /// How long `out` may become; `None`: as long as it must.
    max_out: Option<usize>,
    arrangement: Arrangement,
    /// Whether what stands before the first key is written by another writer.
    is_fragment: bool,
    records: u64,
    /// Where the record begins in `spool` and `out`.
    record_start: u64,
    key_start: usize,
    value_type: Option<ValueType>,
    /// Hash fields as pairs, because a name of this key is no UTF-8.
    as_pairs: bool,
    restart: bool,
    is_first: bool,
    /// How a key of the database `front_db` begins; the same for millions of keys.
    front: Vec<u8>,
    front_db: u32,
    /// The members `type` and `encoding` of a key of this kind.
    kind_members: Vec<u8>,
    kind: Option<(ValueType, Option<&'static str>)>,
    /// The member `field_expire_at_ms`, built beside the value.
    deadlines: Vec<u8>,
}

impl NativeWriter {
    /// Makes an empty writer.
    #[must_use]
    pub fn new(arrangement: Arrangement) -> Self {
        NativeWriter {
            arrangement,
            ..NativeWriter::default()
        }
    }

    /// Lets the text of a large key lie in a temporary file until it is written out.
    ///
    /// Has no effect on [`Arrangement::PrettyArray`].
    #[must_use]
    pub fn spooling(self) -> Self {
        NativeWriter {
            max_out: (self.arrangement != Arrangement::PrettyArray).then_some(SPOOLED_BYTES),
            ..self
        }
    }

    fn len(&self) -> u64 {
        self.spool.len() + self.out.len() as u64
    }

    fn truncate(&mut self, len: u64) {
        match len.checked_sub(self.spool.len()) {
            // It was as long as that, so it is no more now.
            Some(len) => self
                .out
                .truncate(usize::try_from(len).unwrap_or(usize::MAX)),
            None => {
                self.out.clear();
                self.spool.truncate(len);
            }
        }
    }

    fn begin_record(&mut self) {
        self.record_start = self.len();
        self.out
            .extend_from_slice(match (self.arrangement, self.records) {
                (Arrangement::Lines, _) => b"",
                (_, 0) if self.is_fragment => b"",
                (_, 0) => b"[\n",
                (_, _) => b",\n",
            });
        self.key_start = self.out.len();
    }

    fn end_record(&mut self) {
        match self.arrangement {
            Arrangement::Lines => self.out.push(b'\n'),
            Arrangement::Array => {}
            Arrangement::PrettyArray => {
                let compact = self.out.split_off(self.key_start);
                self.out.extend_from_slice(b"  ");
                indent(&compact, 1, &mut self.out);
            }
        }
        self.records += 1;
    }

    fn member(&mut self, name: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if self.max_out.is_some_and(|max| self.out.len() >= max) {
            self.spool.take_in(&mut self.out);
        }
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(b',');
        }
    }

    fn text(&mut self, text: Text<'_>) {
        write_text(text, &mut self.out);
    }
}

/// Appends a text as a string of the schema.
#[inline]
fn write_text(text: Text<'_>, out: &mut Vec<u8>) {
    match text {
        Text::Bytes(bytes) => write_string(bytes, out),
        Text::Int(n) => {
            out.push(b'"');
            write_number(n, out);
            out.push(b'"');
        }
    }
}

/// Appends a score: a JSON number, or a word that JSON has no number for.
#[inline]
fn write_score(score: f64, out: &mut Vec<u8>) {
    match double::integral(score) {
        Some(n) => write_number(n, out),
        None if score.is_finite() => double::shortest(score, out),
        None => {
            out.push(b'"');
            double::shortest(score, out);
            out.push(b'"');
        }
    }
}

/// Appends `[…]` with what `write` appends for each element.
fn write_list<T>(
    elements: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(element, out);
    }
    out.push(b']');
}

/// Appends an item of a module's data, `["uint",1]`; numbers in binary are hexadecimal.
pub(crate) fn write_module_field(field: &ModuleField, out: &mut Vec<u8>) {
    match field {
        ModuleField::Sint(n) => out.extend_from_slice(format!("[\"sint\",{n}]").as_bytes()),
        ModuleField::Uint(n) => out.extend_from_slice(format!("[\"uint\",{n}]").as_bytes()),
        ModuleField::Float(x) => {
            out.extend_from_slice(format!("[\"float\",\"{:08x}\"]", x.to_bits()).as_bytes())
        }
        ModuleField::Double(x) => {
            out.extend_from_slice(format!("[\"double\",\"{:016x}\"]", x.to_bits()).as_bytes())
        }
        ModuleField::String(bytes) => {
            out.extend_from_slice(b"[\"string\",");
            write_string(bytes, out);
            out.push(b']');
        }
    }
}

fn write_key_meta(entry: &KeyMetaEntry, out: &mut Vec<u8>) {
    let KeyMetaEntry {
        class,
        version,
        flags,
        items,
    } = entry;
    out.extend_from_slice(
        format!("{{\"class\":\"{class}\",\"version\":{version},\"flags\":{flags},\"items\":")
            .as_bytes(),
    );
    write_list(items, out, write_module_field);
    out.push(b'}');
}

fn write_group(group: &Group, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    write_string(&group.name, out);
    out.extend_from_slice(b",\"last_id\":");
    write_id(group.last_id, out);
    if let Some(entries_read) = group.entries_read {
        out.extend_from_slice(b",\"entries_read\":");
        write_number(entries_read, out);
    }
    out.extend_from_slice(b",\"pending\":");
    write_list(&group.pending, out, |entry, out| {
        out.extend_from_slice(b"{\"id\":");
        write_id(entry.id, out);
        out.extend_from_slice(b",\"consumer\":");
        match entry
            .consumer
            .and_then(|index| group.consumers.get(index as usize))
        {
            Some(consumer) => write_string(&consumer.name, out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"delivered_at_ms\":");
        write_number(entry.delivered_at_ms, out);
        out.extend_from_slice(b",\"count\":");
        write_number(entry.count, out);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"consumers\":");
    write_list(&group.consumers, out, |consumer, out| {
        out.extend_from_slice(b"{\"name\":");
        write_string(&consumer.name, out);
        out.extend_from_slice(b",\"seen_at_ms\":");
        write_number(consumer.seen_at_ms, out);
        if let Some(active_at_ms) = consumer.active_at_ms {
            out.extend_from_slice(b",\"active_at_ms\":");
            write_number(active_at_ms, out);
        }
        out.push(b'}');
    });
    if let Some(nacked) = &group.nacked {
        out.extend_from_slice(b",\"nacked\":");
        write_list(nacked, out, |id, out| write_id(*id, out));
    }
    out.push(b'}');
}

fn write_idmp(idmp: &Idmp, out: &mut Vec<u8>) {
    out.extend_from_slice(
        format!(
            "{{\"duration_s\":{},\"max\":{},\"producers\":",
            idmp.duration_s, idmp.max
        )
        .as_bytes(),
    );
    write_list(&idmp.producers, out, |producer, out| {
        out.extend_from_slice(b"{\"id\":");
        write_string(&producer.id, out);
        out.extend_from_slice(b",\"entries\":");
        write_list(&producer.entries, out, |(iid, id), out| {
            out.push(b'[');
            write_string(iid, out);
            out.push(b',');
            write_id(*id, out);
            out.push(b']');
        });
        out.push(b'}');
    });
    out.extend_from_slice(
        format!(
            ",\"iids_added\":{},\"iids_duplicates\":{}}}",
            idmp.iids_added, idmp.iids_duplicates
        )
        .as_bytes(),
    );
}

fn write_vectorset(set: &VectorSet, out: &mut Vec<u8>) {
    out.extend_from_slice(
        format!(
            "{{\"dim\":{},\"quantization\":\"{}\"",
            set.dim,
            set.quantization.name()
        )
        .as_bytes(),
    );
    if let Some(input_dim) = set.projected_from {
        out.extend_from_slice(format!(",\"projected_from\":{input_dim}").as_bytes());
    }
    out.extend_from_slice(b",\"elements\":");
    write_list(&set.elements, out, |element, out| {
        out.extend_from_slice(b"{\"name\":");
        write_string(&element.name, out);
        out.extend_from_slice(b",\"vector\":");
        write_list(
            set.quantization.components(&element.vector, set.dim),
            out,
            write_score,
        );
        if let Some(attributes) = &element.attributes {
            out.extend_from_slice(b",\"attributes\":");
            write_string(attributes, out);
        }
        out.push(b'}');
    });
    out.push(b'}');
}

/// What a file says that belongs to no key.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// `rdb` or `aof`.
    pub source: &'static str,
    /// Magic word and version.
    pub magic: Option<(&'static str, u16)>,
    /// The release that wrote it, as `--target` names it.
    pub flavor: Option<String>,
    /// Aux fields, in file order.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Sources of function libraries.
    pub functions: Vec<Vec<u8>>,
    /// Data of modules.
    pub module_aux: Vec<ModuleAuxRecord>,
    /// Scripts of `lua` aux fields.
    pub lua: Vec<Vec<u8>>,
}

/// A module's record outside the keyspace.
#[derive(Clone, Debug)]
pub struct ModuleAuxRecord {
    /// The module type's name.
    pub module: String,
    /// Its encoding version.
    pub encoding_version: u16,
    /// 1 before the keys, 2 after them.
    pub when: u64,
    /// What it stored.
    pub items: Vec<ModuleField>,
}

fn write_header(header: &Header, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"rdbkit\":1,\"source\":\"{}\"", header.source).as_bytes());
    if let Some((magic, version)) = header.magic {
        out.extend_from_slice(format!(",\"magic\":\"{magic}\",\"version\":{version}").as_bytes());
    }
    if let Some(flavor) = &header.flavor {
        out.extend_from_slice(b",\"flavor\":");
        write_string(flavor.as_bytes(), out);
    }
    if !header.aux.is_empty() {
        out.extend_from_slice(b",\"aux\":");
        write_list(&header.aux, out, |(key, value), out| {
            out.push(b'[');
            write_string(key, out);
            out.push(b',');
            write_string(value, out);
            out.push(b']');
        });
    }
    for (name, texts) in [("functions", &header.functions), ("lua", &header.lua)] {
        if !texts.is_empty() {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            write_list(texts, out, |text, out| write_string(text, out));
        }
    }
    if !header.module_aux.is_empty() {
        out.extend_from_slice(b",\"module_aux\":");
        write_list(&header.module_aux, out, |record, out| {
            let ModuleAuxRecord {
                module,
                encoding_version,
                when,
                items,
            } = record;
            out.extend_from_slice(format!("{{\"module\":\"{module}\",\"encver\":{encoding_version},\"when\":{when},\"items\":").as_bytes());
            write_list(items, out, write_module_field);
            out.push(b'}');
        });
    }
    out.push(b'}');
}

impl Document for NativeWriter {
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn fragment(&self) -> Self {
        NativeWriter {
            is_fragment: true,
            max_out: self.max_out,
            ..NativeWriter::new(self.arrangement)
        }
    }

    fn write_out(&mut self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.is_spooled() {
            sink(&self.before_spool)?;
            self.before_spool = Vec::new();
            self.spool.drain(sink)?;
        }
        sink(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn is_spooled(&self) -> bool {
        self.spool.len() > 0
    }

    fn append(&mut self, fragment: &mut Self) -> Result<()> {
        if fragment.records > 0 {
            self.begin_record();
            self.records += std::mem::take(&mut fragment.records);
        }
        if fragment.is_spooled() {
            if self.is_spooled() {
                return Err(Error::new(ErrorKind::Internal(
                    "a large key was not written out before the next",
                )));
            }
            self.before_spool = std::mem::take(&mut self.out);
            std::mem::swap(&mut self.spool, &mut fragment.spool);
        }
        if self.out.is_empty() {
            std::mem::swap(&mut self.out, &mut fragment.out);
        } else {
            self.out.append(&mut fragment.out);
        }
        Ok(())
    }

    fn header(&mut self, header: &Header) {
        self.begin_record();
        write_header(header, &mut self.out);
        self.end_record();
    }

    fn finish(&mut self) {
        self.out
            .extend_from_slice(match (self.arrangement, self.records) {
                (Arrangement::Lines, _) => b"",
                (_, 0) => b"[]\n",
                (_, _) => b"\n]\n",
            });
    }
}

impl ValueSink for NativeWriter {
    fn begin_key(&mut self, head: &KeyHead<'_>) {
        self.begin_record();
        self.value_type = Some(head.value_type);
        self.as_pairs = std::mem::take(&mut self.restart);
        self.deadlines.clear();
        if self.front.is_empty() || self.front_db != head.db {
            self.front_db = head.db;
            self.front.clear();
            self.front.extend_from_slice(b"{\"db\":");
            write_number(head.db, &mut self.front);
            self.front.extend_from_slice(b",\"key\":");
        }
        self.out.extend_from_slice(&self.front);
        write_string(head.key, &mut self.out);
        let kind = (head.value_type, head.encoding);
        if self.kind != Some(kind) {
            self.kind = Some(kind);
            self.kind_members.clear();
            let members = [
                ("type", Some(head.value_type.name())),
                ("encoding", head.encoding),
            ];
            for (name, word) in members {
                if let Some(word) = word {
                    for part in [",\"", name, "\":\"", word, "\""] {
                        self.kind_members.extend_from_slice(part.as_bytes());
                    }
                }
            }
        }
        self.out.extend_from_slice(&self.kind_members);
        if let Some(expire_at_ms) = head.expire_at_ms {
            self.member("expire_at_ms");
            write_number(expire_at_ms, &mut self.out);
        }
        if let Some(idle_s) = head.idle_s {
            self.member("idle_s");
            write_number(idle_s, &mut self.out);
        }
        if let Some(freq) = head.freq {
            self.member("freq");
            write_number(freq, &mut self.out);
        }
        if let Some(key_meta) = head.key_meta {
            self.member("key_meta");
            write_list(key_meta, &mut self.out, write_key_meta);
        }
        self.member("value");
    }

    fn string(&mut self, text: Text<'_>) {
        self.text(text);
    }

    fn begin_value(&mut self) {
        self.is_first = true;
        self.out.extend_from_slice(match self.value_type {
            Some(ValueType::Hash) if !self.as_pairs => b"{",
            Some(ValueType::Stream) => b"{\"entries\":[",
            Some(ValueType::Array) => b"{\"items\":[",
            Some(ValueType::Module) => b"",
            _ => b"[",
        });
    }

    #[inline]
    fn element(&mut self, element: Text<'_>) {
        self.comma();
        self.text(element);
    }

    #[inline]
    fn scored(&mut self, member: Text<'_>, score: f64) {
        self.comma();
        self.out.push(b'[');
        self.text(member);
        self.out.push(b',');
        write_score(score, &mut self.out);
        self.out.push(b']');
    }

    #[inline]
    fn field(&mut self, field: Text<'_>, value: Text<'_>, expire_at_ms: Option<i64>) {
        self.comma();
        if self.as_pairs {
            self.out.push(b'[');
            self.text(field);
            self.out.push(b',');
            self.text(value);
            self.out.push(b']');
        } else {
            match field {
                Text::Int(_) => self.text(field),
                Text::Bytes(bytes) => self.restart |= !write_utf8(bytes, &mut self.out),
            }
            self.out.push(b':');
            self.text(value);
        }
        if let Some(at) = expire_at_ms {
            let (open, close, between): (&[u8], &[u8], u8) = if self.as_pairs {
                (b"[", b"]", b',')
            } else {
                (b"", b"", b':')
            };
            if !self.deadlines.is_empty() {
                self.deadlines.push(b',');
            }
            self.deadlines.extend_from_slice(open);
            write_text(field, &mut self.deadlines);
            self.deadlines.push(between);
            write_number(at, &mut self.deadlines);
            self.deadlines.extend_from_slice(close);
        }
    }

    fn entry(&mut self, id: StreamId, fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>) {
        self.comma();
        self.out.extend_from_slice(b"{\"id\":");
        write_id(id, &mut self.out);
        self.out.extend_from_slice(b",\"fields\":");
        write_list(fields, &mut self.out, |(field, value), out| {
            out.push(b'[');
            write_text(field, out);
            out.push(b',');
            write_text(value, out);
            out.push(b']');
        });
        self.out.push(b'}');
    }

    fn stream_state(&mut self, state: &StreamState) {
        self.out.push(b']');
        self.member("length");
        write_number(state.length, &mut self.out);
        let ids = [
            ("last_id", Some(state.last_id)),
            ("first_id", state.first_id),
            ("max_deleted_id", state.max_deleted_id),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                self.member(name);
                write_id(id, &mut self.out);
            }
        }
        if let Some(entries_added) = state.entries_added {
            self.member("entries_added");
            write_number(entries_added, &mut self.out);
        }
        self.member("groups");
        write_list(&state.groups, &mut self.out, write_group);
        if let Some(idmp) = &state.idmp {
            self.member("idmp");
            write_idmp(idmp, &mut self.out);
        }
    }

    fn item(&mut self, index: u64, text: Text<'_>) {
        self.comma();
        self.out.push(b'[');
        write_number(index, &mut self.out);
        self.out.push(b',');
        self.text(text);
        self.out.push(b']');
    }

    fn array_state(&mut self, insert_index: Option<u64>) {
        self.out.push(b']');
        if let Some(insert_index) = insert_index {
            self.member("insert_index");
            write_number(insert_index, &mut self.out);
        }
    }

    fn module(
        &mut self,
        name: &str,
        encoding_version: u16,
        data: Option<&ModuleData>,
        items: &mut dyn Iterator<Item = ModuleField>,
        _encoded_len: u64,
    ) {
        self.out.extend_from_slice(
            format!("{{\"module\":\"{name}\",\"encver\":{encoding_version}").as_bytes(),
        );
        match data {
            Some(ModuleData::Json(text)) => {
                self.member("data");
                // A line break can only stand between tokens; in NDJSON it must not stand at all.
                self.out.extend(text.iter().map(|&byte| {
                    if matches!(byte, b'\n' | b'\r') {
                        b' '
                    } else {
                        byte
                    }
                }));
                self.out.push(b'}');
                return;
            }
            Some(ModuleData::VectorSet(set)) => {
                self.member("data");
                write_vectorset(set, &mut self.out);
            }
            None => {}
        }
        self.member("items");
        write_list(items, &mut self.out, |field, out| {
            write_module_field(&field, out)
        });
        self.out.push(b'}');
    }

    fn end_value(&mut self) {
        self.out.extend_from_slice(match self.value_type {
            Some(ValueType::Hash) if !self.as_pairs => b"}",
            Some(ValueType::Stream | ValueType::Array) => b"}",
            Some(ValueType::Module) => b"",
            _ => b"]",
        });
    }

    fn end_key(&mut self) -> bool {
        if self.restart {
            self.truncate(self.record_start);
            return false;
        }
        if !self.deadlines.is_empty() {
            self.member("field_expire_at_ms");
            self.out.push(if self.as_pairs { b'[' } else { b'{' });
            self.out.extend_from_slice(&self.deadlines);
            self.out.push(if self.as_pairs { b']' } else { b'}' });
        }
        self.out.push(b'}');
        self.end_record();
        true
    }

    fn abandon_key(&mut self) {
        self.truncate(self.record_start);
        self.restart = false;
    }
}

#[cfg(test)]
#[path = "native_tests.rs"]
mod tests;
