//! Streams that are being written; the layouts are on the pages of
//! [`crate::rdb::object::stream`] and [`crate::encoding::stream_node`].
//!
//! Nodes are filled as by a server with its defaults: 100 entries, 4096 bytes. A node's
//! fields are those of its first entry.

use std::ops::Range;

use super::Body;
use crate::bytes::Text;
use crate::encoding::listpack::BacklenWidth;
use crate::encoding::{ListpackBuilder, stream_node};
use crate::error::{Error, ErrorKind, Result};
use crate::model::stream::{Group, Idmp, StreamId, StreamState};
use crate::rdb::constants::TypeByte;
use crate::rdb::length::encode_length;
use crate::rdb::object::stream::Version;
use crate::rdb::string::StringEncoder;
use crate::rdb::target::Target;

/// A node gets no more entries than this.
const NODE_ENTRIES: u64 = 100;
/// A node that an entry would bring to so many bytes gets no more.
const NODE_BYTES: usize = 4096;

/// The consumer that gets the entries which nobody owns, where each must have an owner.
pub(crate) const NACKED_CONSUMER: &str = "nacked";

#[derive(Debug)]
pub(crate) struct StreamEncoder {
    version: Option<Version>,
    pub(crate) checks_counters: bool,
    width: BacklenWidth,
    /// The entries of the node that is being filled.
    entries: ListpackBuilder,
    entry_count: u64,
    master: StreamId,
    /// Names of the node's fields.
    names: Texts,
    /// Names and values of one entry.
    fields: Texts,
    blob: Vec<u8>,
    nodes: Vec<u8>,
    node_count: u64,
    last_id: Option<StreamId>,
}

/// Some texts, one behind the other.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Texts {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ranges.clear();
    }

    fn push(&mut self, text: Text<'_>) {
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(text.as_bytes(&mut itoa::Buffer::new()));
        self.ranges.push(start..self.bytes.len());
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.ranges.iter().map(|range| &self.bytes[range.clone()])
    }
}

impl StreamEncoder {
    pub(crate) fn new(target: &Target) -> Self {
        let width = target.backlen_width();
        StreamEncoder {
            version: target.stream_version(),
            checks_counters: target.checks_stream_counters(),
            width,
            entries: ListpackBuilder::new(width),
            entry_count: 0,
            master: StreamId::MIN,
            names: Texts::default(),
            fields: Texts::default(),
            blob: Vec::new(),
            nodes: Vec::new(),
            node_count: 0,
            last_id: None,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.entries.clear();
        self.entry_count = 0;
        self.nodes.clear();
        self.node_count = 0;
        self.last_id = None;
    }

    /// Adds an entry; ids ascend.
    pub(crate) fn push(
        &mut self,
        id: StreamId,
        fields: &mut dyn Iterator<Item = (Text<'_>, Text<'_>)>,
        strings: &mut StringEncoder,
    ) -> Result<()> {
        if self.last_id.is_some_and(|last| last >= id) {
            return Err(Error::new(ErrorKind::Internal(
                "ids of stream entries ascend",
            )));
        }
        self.last_id = Some(id);
        self.fields.clear();
        for (name, value) in fields {
            self.fields.push(name);
            self.fields.push(value);
        }
        let is_full = self.entry_count >= NODE_ENTRIES
            || self.entries.encoded_len() + self.fields.bytes.len() >= NODE_BYTES;
        if self.entry_count > 0 && is_full {
            self.close_node(strings)?;
        }
        let pairs = self.fields.ranges.len() / 2;
        if self.entry_count == 0 {
            self.master = id;
            self.names.clear();
            for name in self.fields.iter().step_by(2) {
                self.names.push(Text::Bytes(name));
            }
        }
        let same_fields =
            self.names.ranges.len() == pairs && self.names.iter().eq(self.fields.iter().step_by(2));
        let entries = &mut self.entries;
        entries.push_int(match same_fields {
            true => stream_node::SAME_FIELDS,
            false => 0,
        });
        entries.push_int(id.ms.wrapping_sub(self.master.ms) as i64);
        entries.push_int(id.seq.wrapping_sub(self.master.seq) as i64);
        let elements = match same_fields {
            true => {
                let values = self.fields.iter().skip(1).step_by(2);
                values.for_each(|value| entries.push(value));
                3 + pairs
            }
            false => {
                entries.push_int(pairs as i64);
                self.fields.iter().for_each(|text| entries.push(text));
                4 + 2 * pairs
            }
        };
        entries.push_int(elements as i64);
        self.entry_count += 1;
        Ok(())
    }

    fn close_node(&mut self, strings: &mut StringEncoder) -> Result<()> {
        if self.entry_count == 0 {
            return Ok(());
        }
        let mut node = ListpackBuilder::reuse(std::mem::take(&mut self.blob), self.width);
        // Live and deleted entries.
        node.push_int(self.entry_count as i64);
        node.push_int(0);
        node.push_int(self.names.ranges.len() as i64);
        self.names.iter().for_each(|name| node.push(name));
        node.push_int(0);
        node.append(&self.entries);
        self.blob = node.finish().ok_or_else(|| {
            Error::new(ErrorKind::LimitExceeded {
                what: "an entry of a stream in bytes",
                limit: u64::from(u32::MAX),
            })
        })?;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.master.ms.to_be_bytes());
        key[8..].copy_from_slice(&self.master.seq.to_be_bytes());
        strings.encode(&key, &mut self.nodes);
        strings.encode(&self.blob, &mut self.nodes);
        self.node_count += 1;
        self.entries.clear();
        self.entry_count = 0;
        Ok(())
    }

    /// Appends the value: the entries that were added, and the state.
    pub(crate) fn finish(
        &mut self,
        state: &StreamState,
        strings: &mut StringEncoder,
        out: &mut Body,
    ) -> Result<TypeByte> {
        self.close_node(strings)?;
        encode_length(self.node_count, out);
        out.extend_from_slice(&self.nodes);
        self.state(state, strings, out)
    }

    /// Appends all that follows the nodes, in the newest layout that the target reads and for
    /// which the state has what it takes.
    pub(crate) fn state(
        &self,
        state: &StreamState,
        strings: &mut StringEncoder,
        out: &mut Body,
    ) -> Result<TypeByte> {
        let Some(newest) = self.version else {
            return Err(Error::new(ErrorKind::Internal(
                "the target of a stream has streams",
            )));
        };
        let possible;
        let state = match self.checks_counters && !state.counters_agree() {
            true => {
                possible = state.clone().with_possible_counters();
                &possible
            }
            false => state,
        };
        let version = newest.min(version_of(state));
        encode_length(state.length, out);
        encode_id(state.last_id, out);
        if version >= Version::V2 {
            encode_id(state.first_id.unwrap_or_default(), out);
            encode_id(state.max_deleted_id.unwrap_or_default(), out);
            encode_length(state.entries_added.unwrap_or(state.length), out);
        }
        encode_length(state.groups.len() as u64, out);
        for group in &state.groups {
            encode_group(version, group, strings, out);
        }
        if version >= Version::V4 {
            match &state.idmp {
                Some(idmp) => encode_idmp(idmp, strings, out),
                None => encode_idmp(&Idmp::default(), strings, out),
            }
        }
        Ok(version.type_byte())
    }

    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        for buffer in [
            &mut self.blob,
            &mut self.nodes,
            &mut self.names.bytes,
            &mut self.fields.bytes,
        ] {
            buffer.clear();
            buffer.shrink_to(kept_bytes);
        }
        self.names.clear();
        self.fields.clear();
    }
}

impl Version {
    fn type_byte(self) -> TypeByte {
        match self {
            Version::V1 => TypeByte::STREAM_LISTPACKS,
            Version::V2 => TypeByte::STREAM_LISTPACKS_2,
            Version::V3 => TypeByte::STREAM_LISTPACKS_3,
            Version::V4 => TypeByte::STREAM_LISTPACKS_4,
            Version::V5 => TypeByte::STREAM_LISTPACKS_5,
        }
    }
}

/// The newest layout that a state fills.
fn version_of(state: &StreamState) -> Version {
    let has_counters = state.first_id.is_some()
        && state.max_deleted_id.is_some()
        && state.entries_added.is_some()
        && state
            .groups
            .iter()
            .all(|group| group.entries_read.is_some());
    let mut consumers = state.groups.iter().flat_map(|group| &group.consumers);
    let has_active_times = consumers.all(|consumer| consumer.active_at_ms.is_some());
    let has_nack_zones = state.groups.iter().all(|group| group.nacked.is_some());
    let has_nacked = state.groups.iter().any(|group| group.nacked.is_some());
    match state {
        _ if !has_counters => Version::V1,
        _ if !has_active_times => Version::V2,
        StreamState { idmp: None, .. } if !has_nacked => Version::V3,
        _ if has_nack_zones || has_nacked => Version::V5,
        _ => Version::V4,
    }
}

fn encode_id(id: StreamId, out: &mut Body) {
    encode_length(id.ms, out);
    encode_length(id.seq, out);
}

fn encode_raw_id(id: StreamId, out: &mut Body) {
    out.extend_from_slice(&id.ms.to_be_bytes());
    out.extend_from_slice(&id.seq.to_be_bytes());
}

fn encode_raw_ids(ids: &[StreamId], out: &mut Body) {
    encode_length(ids.len() as u64, out);
    ids.iter().for_each(|id| encode_raw_id(*id, out));
}

fn encode_group(version: Version, group: &Group, strings: &mut StringEncoder, out: &mut Body) {
    strings.encode(&group.name, out);
    encode_id(group.last_id, out);
    if version >= Version::V2 {
        // -1 is unknown, and written as 2^64-1.
        encode_length(group.entries_read.unwrap_or(-1) as u64, out);
    }
    encode_length(group.pending.len() as u64, out);
    let mut owned: Vec<Vec<StreamId>> = vec![Vec::new(); group.consumers.len()];
    let mut ownerless = Vec::new();
    for entry in &group.pending {
        encode_raw_id(entry.id, out);
        out.extend_from_slice(&entry.delivered_at_ms.to_le_bytes());
        encode_length(entry.count, out);
        let owner = entry
            .consumer
            .and_then(|consumer| owned.get_mut(consumer as usize));
        owner.unwrap_or(&mut ownerless).push(entry.id);
    }
    let needs_owner = version < Version::V5 && !ownerless.is_empty();
    encode_length((owned.len() + usize::from(needs_owner)) as u64, out);
    let mut consumer = |name: &[u8], seen_at_ms: i64, active_at_ms: i64, ids: &[StreamId]| {
        strings.encode(name, out);
        out.extend_from_slice(&seen_at_ms.to_le_bytes());
        if version >= Version::V3 {
            out.extend_from_slice(&active_at_ms.to_le_bytes());
        }
        encode_raw_ids(ids, out);
    };
    for (known, ids) in group.consumers.iter().zip(&owned) {
        let active_at_ms = known.active_at_ms.unwrap_or(known.seen_at_ms);
        consumer(&known.name, known.seen_at_ms, active_at_ms, ids);
    }
    if needs_owner {
        consumer(&free_name(group), 0, -1, &ownerless);
    }
    if version >= Version::V5 {
        encode_raw_ids(group.nacked.as_deref().unwrap_or_default(), out);
    }
}

/// A name that no consumer of the group has.
fn free_name(group: &Group) -> Vec<u8> {
    let mut name = NACKED_CONSUMER.as_bytes().to_vec();
    while group.consumers.iter().any(|known| known.name == name) {
        name.push(b'_');
    }
    name
}

fn encode_idmp(idmp: &Idmp, strings: &mut StringEncoder, out: &mut Body) {
    encode_length(idmp.duration_s, out);
    encode_length(idmp.max, out);
    let producers = || {
        let all = idmp.producers.iter();
        all.filter(|producer| !producer.entries.is_empty())
    };
    encode_length(producers().count() as u64, out);
    for producer in producers() {
        strings.encode(&producer.id, out);
        encode_length(producer.entries.len() as u64, out);
        for (iid, id) in &producer.entries {
            strings.encode(iid, out);
            encode_id(*id, out);
        }
    }
    encode_length(idmp.iids_added, out);
    encode_length(idmp.iids_duplicates, out);
}
