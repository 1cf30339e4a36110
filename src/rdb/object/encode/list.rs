//! Lists that are being written; the layouts are on the page of [`crate::rdb::object::list`].
//!
//! Nodes of a quicklist are filled like those of a server with `list-max-listpack-size -2`:
//! up to 8192 bytes each, and an element larger than that alone.

use super::Body;
use super::elements::{Elements, Gathered, Limits, Packed, PackedKind};
use crate::bytes::Text;
use crate::error::Result;
use crate::rdb::constants::{TypeByte, quicklist_container};
use crate::rdb::length::encode_length;
use crate::rdb::string::StringEncoder;
use crate::rdb::target::{Encodings, Lists, Target};

/// What a node may hold, in bytes.
const NODE_BYTES: usize = 8192;
/// What servers reckon for an element's header and back length.
const ELEMENT_OVERHEAD_BYTES: usize = 8;
/// Until when a list of before 3.2 is one ziplist.
const SMALL: Limits = Limits {
    entries: 512,
    value_bytes: 64,
};

#[derive(Debug)]
pub(crate) struct ListEncoder {
    form: Form,
    kind: PackedKind,
    /// Small lists before 3.2, and lists without nodes.
    elements: Elements,
    node: Option<Packed>,
    /// Keeps a node's allocation.
    blob: Vec<u8>,
    /// The nodes that are complete.
    nodes: Vec<u8>,
    node_count: u64,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Strings,
    Ziplist,
    /// `has_containers`, `has_plain`
    Nodes(bool, bool),
}

impl ListEncoder {
    pub(crate) fn new(target: &Target, encodings: Encodings) -> Self {
        let kind = PackedKind::of(target);
        let form = match (encodings, target.lists()) {
            (Encodings::Universal, _) => Form::Strings,
            (Encodings::Default, Lists::Ziplist) => Form::Ziplist,
            (Encodings::Default, Lists::Quicklist) => Form::Nodes(false, false),
            (Encodings::Default, Lists::Quicklist2) => Form::Nodes(true, false),
            (Encodings::Default, Lists::Quicklist2WithPlain) => Form::Nodes(true, true),
        };
        ListEncoder {
            form,
            kind,
            elements: Elements::new(kind),
            node: None,
            blob: Vec::new(),
            nodes: Vec::new(),
            node_count: 0,
            count: 0,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.elements.begin(match self.form {
            Form::Ziplist => SMALL,
            _ => Limits::NOTHING,
        });
        if let Some(node) = self.node.take() {
            self.blob = node.finish().unwrap_or_default();
        }
        self.nodes.clear();
        self.node_count = 0;
        self.count = 0;
    }

    pub(crate) fn push(&mut self, element: Text<'_>, strings: &mut StringEncoder) -> Result<()> {
        self.count += 1;
        let Form::Nodes(has_containers, has_plain) = self.form else {
            return self.elements.push(&[element], strings);
        };
        let len = match element {
            Text::Bytes(bytes) => bytes.len(),
            // Integers take at most nine bytes.
            Text::Int(_) => size_of::<i64>(),
        };
        if has_plain && len > NODE_BYTES {
            self.close_node(has_containers, strings)?;
            self.node_count += 1;
            encode_length(quicklist_container::PLAIN, &mut self.nodes);
            // An integer's text is never that long.
            if let Text::Bytes(bytes) = element {
                strings.encode(bytes, &mut self.nodes);
            }
            return Ok(());
        }
        let is_full = self
            .node
            .as_ref()
            .is_some_and(|node| node.encoded_len() + len + ELEMENT_OVERHEAD_BYTES > NODE_BYTES);
        if is_full {
            self.close_node(has_containers, strings)?;
        }
        let kind = self.kind;
        let blob = &mut self.blob;
        self.node
            .get_or_insert_with(|| kind.begin(std::mem::take(blob)))
            .push(element);
        Ok(())
    }

    fn close_node(&mut self, has_containers: bool, strings: &mut StringEncoder) -> Result<()> {
        let Some(node) = self.node.take() else {
            return Ok(());
        };
        self.blob = node.finish()?;
        self.node_count += 1;
        if has_containers {
            encode_length(quicklist_container::PACKED, &mut self.nodes);
        }
        strings.encode(&self.blob, &mut self.nodes);
        Ok(())
    }

    /// Appends the value; `None` if there are no elements.
    pub(crate) fn finish(
        &mut self,
        strings: &mut StringEncoder,
        out: &mut Body,
    ) -> Result<Option<TypeByte>> {
        if self.count == 0 {
            return Ok(None);
        }
        if let Form::Nodes(has_containers, _) = self.form {
            self.close_node(has_containers, strings)?;
            encode_length(self.node_count, out);
            out.extend_from_slice(&self.nodes);
            return Ok(Some(match has_containers {
                true => TypeByte::LIST_QUICKLIST_2,
                false => TypeByte::LIST_QUICKLIST,
            }));
        }
        Ok(Some(match self.elements.finish()? {
            Gathered::Packed(blob) => {
                strings.encode(blob, out);
                TypeByte::LIST_ZIPLIST
            }
            Gathered::Strings(n, body) => {
                encode_length(n, out);
                out.extend_from_slice(body);
                TypeByte::LIST
            }
        }))
    }

    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        self.elements.trim(kept_bytes);
        for buffer in [&mut self.blob, &mut self.nodes] {
            buffer.clear();
            buffer.shrink_to(kept_bytes);
        }
    }
}
