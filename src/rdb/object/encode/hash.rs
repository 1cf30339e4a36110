//! Hashes that are being written; the layouts are on the page of [`crate::rdb::object::hash`].

use super::Body;
use super::elements::{Elements, Gathered, Limits, PackedKind};
use crate::bytes::Text;
use crate::encoding::ListpackBuilder;
use crate::error::{Error, ErrorKind, Fail, Result};
use crate::rdb::constants::TypeByte;
use crate::rdb::length::encode_length;
use crate::rdb::object::hash::MAX_FIELD_DEADLINE_MS;
use crate::rdb::string::{StringEncoder, skip_string};
use crate::rdb::target::{Encodings, FieldDeadlines, Target};

/// Until when a hash is packed.
const SMALL: Limits = Limits {
    entries: 512,
    value_bytes: 64,
};

#[derive(Debug)]
pub(crate) struct HashEncoder {
    deadline_form: FieldDeadlines,
    limits: Limits,
    elements: Elements,
    /// Number of a field, and when it expires.
    deadlines: Vec<(u64, i64)>,
    timed: Vec<u8>,
}

impl FieldDeadlines {
    /// Whether a release of this form stores a field's deadline.
    pub(crate) fn carries(self, at_ms: i64) -> bool {
        match self {
            FieldDeadlines::None => false,
            // 0 means none.
            FieldDeadlines::Redis => {
                u64::try_from(at_ms).is_ok_and(|at| (1..=MAX_FIELD_DEADLINE_MS).contains(&at))
            }
            FieldDeadlines::Valkey => at_ms >= 0,
        }
    }
}

impl HashEncoder {
    pub(crate) fn new(target: &Target, encodings: Encodings) -> Self {
        HashEncoder {
            deadline_form: target.field_deadlines(),
            limits: match encodings {
                Encodings::Default => SMALL,
                Encodings::Universal => Limits::NOTHING,
            },
            elements: Elements::new(PackedKind::of(target)),
            deadlines: Vec::new(),
            timed: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.elements.begin(self.limits);
        self.deadlines.clear();
    }

    /// Adds a field; a deadline that the release does not store is left out.
    pub(crate) fn push(
        &mut self,
        field: Text<'_>,
        value: Text<'_>,
        expire_at_ms: Option<i64>,
        strings: &mut StringEncoder,
    ) -> Result<()> {
        if let Some(at) = expire_at_ms.filter(|at| self.deadline_form.carries(*at)) {
            self.deadlines.push((self.elements.count(), at));
        }
        self.elements.push(&[field, value], strings)
    }

    /// Appends the value; `None` if there are no fields.
    pub(crate) fn finish(
        &mut self,
        strings: &mut StringEncoder,
        out: &mut Body,
    ) -> Result<Option<TypeByte>> {
        if self.elements.count() == 0 {
            return Ok(None);
        }
        if !self.deadlines.is_empty() {
            return match self.deadline_form {
                FieldDeadlines::Redis if self.elements.is_packed() => {
                    self.listpack_ex(strings, out).map(Some)
                }
                FieldDeadlines::Redis => self.metadata(out).map(Some),
                _ => self.valkey_hash_2(strings, out).map(Some),
            };
        }
        let kind = self.elements.kind();
        Ok(Some(match self.elements.finish()? {
            Gathered::Packed(blob) => {
                strings.encode(blob, out);
                match kind {
                    PackedKind::Listpack(_) => TypeByte::HASH_LISTPACK,
                    PackedKind::Ziplist => TypeByte::HASH_ZIPLIST,
                }
            }
            Gathered::Strings(n, body) => {
                encode_length(n, out);
                out.extend_from_slice(body);
                TypeByte::HASH
            }
        }))
    }

    fn earliest(&self) -> i64 {
        let all = self.deadlines.iter().map(|(_, at)| *at);
        all.min().unwrap_or_default()
    }

    /// Type 25: fields with deadlines first, ascending, then the others.
    fn listpack_ex(&mut self, strings: &mut StringEncoder, out: &mut Body) -> Result<TypeByte> {
        let earliest = self.earliest();
        let kind = self.elements.kind();
        let (Gathered::Packed(blob), PackedKind::Listpack(width)) = (self.elements.finish()?, kind)
        else {
            return Err(Error::new(ErrorKind::Internal("a packed hash is packed")));
        };
        let elements = crate::encoding::Listpack::new(blob)
            .and_then(|listpack| listpack.iter().collect::<std::result::Result<Vec<_>, _>>())
            .map_err(|flaw| Error::new(flaw.into()))?;
        let mut order = self.deadlines.clone();
        order.sort_by_key(|(_, at)| *at);
        let mut listpack = ListpackBuilder::reuse(std::mem::take(&mut self.timed), width);
        let mut push = |index: usize, at: i64| {
            if let Some(&[field, value]) = elements.get(2 * index..2 * index + 2) {
                listpack.push_text(field);
                listpack.push_text(value);
                listpack.push_int(at);
            }
        };
        order
            .iter()
            .for_each(|(index, at)| push(*index as usize, *at));
        let mut timed = self.deadlines.iter().map(|(index, _)| *index as usize);
        let mut next_timed = timed.next();
        for index in 0..elements.len() / 2 {
            if next_timed == Some(index) {
                next_timed = timed.next();
            } else {
                push(index, 0);
            }
        }
        // As long as the three texts of its elements, of which there are 512 at most.
        self.timed = listpack.finish().unwrap_or_default();
        out.extend_from_slice(&earliest.to_le_bytes());
        strings.encode(&self.timed, out);
        Ok(TypeByte::HASH_LISTPACK_EX)
    }

    /// Type 24: deadlines as distances from the earliest.
    fn metadata(&mut self, out: &mut Body) -> Result<TypeByte> {
        let earliest = self.earliest();
        out.extend_from_slice(&earliest.to_le_bytes());
        self.each_pair(out, |pair, at, out| {
            let stored = at.map_or(0, |at| at.abs_diff(earliest) + 1);
            encode_length(stored, out);
            out.extend_from_slice(pair);
        })?;
        Ok(TypeByte::HASH_METADATA)
    }

    /// Type 22 of Valkey.
    fn valkey_hash_2(&mut self, strings: &mut StringEncoder, out: &mut Body) -> Result<TypeByte> {
        self.elements.unpack(strings)?;
        self.each_pair(out, |pair, at, out| {
            out.extend_from_slice(pair);
            out.extend_from_slice(&at.unwrap_or(-1).to_le_bytes());
        })?;
        Ok(TypeByte::VALKEY_HASH_2)
    }

    /// Appends the number of fields, then passes on each field with its value, as strings,
    /// and its deadline.
    fn each_pair(
        &mut self,
        out: &mut Body,
        mut f: impl FnMut(&[u8], Option<i64>, &mut Body),
    ) -> Result<()> {
        let internal = || Error::new(ErrorKind::Internal("fields that were written read back"));
        let Gathered::Strings(n, mut rest) = self.elements.finish()? else {
            return Err(internal());
        };
        encode_length(n, out);
        let mut deadlines = self.deadlines.iter().copied().peekable();
        for index in 0..n {
            let behind = skip_string(rest)
                .and_then(|(rest, ())| skip_string(rest))
                .map(|(rest, ())| rest)
                .map_err(|_: nom::Err<Fail>| internal())?;
            let pair = &rest[..rest.len() - behind.len()];
            let at = deadlines.next_if(|(timed, _)| *timed == index);
            f(pair, at.map(|(_, at)| at), out);
            rest = behind;
        }
        Ok(())
    }

    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        self.elements.trim(kept_bytes);
        self.deadlines.clear();
        self.deadlines
            .shrink_to(kept_bytes / size_of::<(u64, i64)>());
    }
}
