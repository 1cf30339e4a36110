//! Sets that are being written; the layouts are on the page of [`crate::rdb::object::set`].

use super::Body;
use super::elements::{Elements, Gathered, Limits, PackedKind};
use crate::bytes::Text;
use crate::encoding::{Intset, integer};
use crate::error::{Error, Result};
use crate::rdb::constants::TypeByte;
use crate::rdb::length::encode_length;
use crate::rdb::string::StringEncoder;
use crate::rdb::target::{Encodings, Target};

/// The most members of an intset.
const INTSET_ENTRIES: usize = 512;
/// Until when a set is a listpack.
const SMALL: Limits = Limits {
    entries: 128,
    value_bytes: 64,
};

#[derive(Debug)]
pub(crate) struct SetEncoder {
    has_intsets: bool,
    limits: Limits,
    elements: Elements,
    /// The members, as long as all are integers and they are not too many.
    integers: Option<Vec<i64>>,
    intset: Vec<u8>,
}

impl SetEncoder {
    pub(crate) fn new(target: &Target, encodings: Encodings) -> Self {
        let is_default = encodings == Encodings::Default;
        SetEncoder {
            has_intsets: is_default,
            limits: match is_default && target.has_set_listpacks() {
                true => SMALL,
                false => Limits::NOTHING,
            },
            elements: Elements::new(PackedKind::of(target)),
            integers: None,
            intset: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.elements.begin(self.limits);
        let mut integers = self.integers.take().unwrap_or_default();
        integers.clear();
        self.integers = self.has_intsets.then_some(integers);
    }

    pub(crate) fn push(&mut self, member: Text<'_>, strings: &mut StringEncoder) -> Result<()> {
        if let Some(integers) = &mut self.integers {
            match integer(member) {
                Some(n) if integers.len() < INTSET_ENTRIES => {
                    integers.push(n);
                    return Ok(());
                }
                _ => {
                    for n in self.integers.take().unwrap_or_default() {
                        self.elements.push(&[Text::Int(n)], strings)?;
                    }
                }
            }
        }
        self.elements.push(&[member], strings)
    }

    /// Appends the value; `None` if there are no members.
    ///
    /// # Errors
    /// An integer that stands twice.
    pub(crate) fn finish(
        &mut self,
        strings: &mut StringEncoder,
        out: &mut Body,
    ) -> Result<Option<TypeByte>> {
        if let Some(integers) = self.integers.as_mut().filter(|all| !all.is_empty()) {
            integers.sort_unstable();
            self.intset.clear();
            Intset::encode_into(integers, &mut self.intset)
                .map_err(|flaw| Error::new(flaw.into()))?;
            strings.encode(&self.intset, out);
            return Ok(Some(TypeByte::SET_INTSET));
        }
        if self.elements.count() == 0 {
            return Ok(None);
        }
        Ok(Some(match self.elements.finish()? {
            Gathered::Packed(blob) => {
                strings.encode(blob, out);
                TypeByte::SET_LISTPACK
            }
            Gathered::Strings(n, body) => {
                encode_length(n, out);
                out.extend_from_slice(body);
                TypeByte::SET
            }
        }))
    }

    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        self.elements.trim(kept_bytes);
    }
}
