//! Sorted sets that are being written; the layouts are on the page of
//! [`crate::rdb::object::zset`].
//!
//! A score of -0 survives in a listpack only as text: servers from 7.0 on turn a small
//! sorted set of another form into one whose -0 is the integer 0. So small sets are packed
//! even if only the plainest encodings are wanted, when they have such a score.

use super::Body;
use super::elements::{Packed, PackedKind, is_short};
use crate::bytes::{Text, double};
use crate::error::Result;
use crate::num::{Flavor, score_text};
use crate::rdb::constants::{TypeByte, text_score};
use crate::rdb::length::encode_length;
use crate::rdb::string::StringEncoder;
use crate::rdb::target::{Encodings, Target};

/// Until when a sorted set is packed.
pub(super) const SMALL_ENTRIES: usize = 128;
pub(super) const SMALL_VALUE_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct ZsetEncoder {
    encodings: Encodings,
    flavor: Flavor,
    kind: PackedKind,
    has_binary_scores: bool,
    /// Members and scores, as long as they are few and short.
    packed: Option<Packed>,
    blob: Vec<u8>,
    scores: Vec<f64>,
    has_negative_zero: bool,
    /// Members and scores as strings, and where each member begins.
    body: Vec<u8>,
    starts: Vec<usize>,
}

impl ZsetEncoder {
    pub(crate) fn new(target: &Target, encodings: Encodings) -> Self {
        ZsetEncoder {
            encodings,
            flavor: target.flavor(),
            kind: PackedKind::of(target),
            has_binary_scores: target.has_binary_scores(),
            packed: None,
            blob: Vec::new(),
            scores: Vec::new(),
            has_negative_zero: false,
            body: Vec::new(),
            starts: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        let buffer = match self.packed.take() {
            Some(packed) => packed.finish().unwrap_or_default(),
            None => std::mem::take(&mut self.blob),
        };
        self.packed = Some(self.kind.begin(buffer));
        self.scores.clear();
        self.has_negative_zero = false;
        self.body.clear();
        self.starts.clear();
    }

    /// Adds a member; they come ascending by score.
    pub(crate) fn push(
        &mut self,
        member: Text<'_>,
        score: f64,
        strings: &mut StringEncoder,
    ) -> Result<()> {
        let is_small = self.scores.len() < SMALL_ENTRIES && is_short(member, SMALL_VALUE_BYTES);
        if !is_small {
            self.unpack(strings)?;
        }
        match &mut self.packed {
            Some(packed) => {
                packed.push(member);
                push_score(score, self.kind, self.flavor, packed);
                self.has_negative_zero |= score == 0.0 && score.is_sign_negative();
                self.scores.push(score);
            }
            None => self.push_string(member, score, strings),
        }
        Ok(())
    }

    fn push_string(&mut self, member: Text<'_>, score: f64, strings: &mut StringEncoder) {
        self.starts.push(self.body.len());
        strings.encode_text(member, &mut self.body);
        match self.has_binary_scores {
            true => self.body.extend_from_slice(&score.to_le_bytes()),
            false => push_text_score(score, self.flavor, &mut self.body),
        }
    }

    /// Turns what is packed into strings.
    fn unpack(&mut self, strings: &mut StringEncoder) -> Result<()> {
        let Some(packed) = self.packed.take() else {
            return Ok(());
        };
        let blob = packed.finish()?;
        let scores = std::mem::take(&mut self.scores);
        let mut index = 0;
        self.kind.for_each(&blob, |text| {
            // Members and scores alternate.
            if index % 2 == 0
                && let Some(score) = scores.get(index / 2)
            {
                self.push_string(text, *score, strings);
            }
            index += 1;
        });
        self.blob = blob;
        self.scores = scores;
        Ok(())
    }

    /// Appends the value; `None` if there are no members.
    pub(crate) fn finish(
        &mut self,
        strings: &mut StringEncoder,
        out: &mut Body,
    ) -> Result<Option<TypeByte>> {
        if self.scores.is_empty() && self.starts.is_empty() {
            return Ok(None);
        }
        let keeps_packed = self.encodings == Encodings::Default
            || self.has_negative_zero && self.flavor.small_zsets_lose_negative_zero();
        if !keeps_packed {
            self.unpack(strings)?;
        }
        if let Some(packed) = self.packed.take() {
            self.blob = packed.finish()?;
            strings.encode(&self.blob, out);
            return Ok(Some(match self.kind {
                PackedKind::Listpack(_) => TypeByte::ZSET_LISTPACK,
                PackedKind::Ziplist => TypeByte::ZSET_ZIPLIST,
            }));
        }
        encode_length(self.starts.len() as u64, out);
        if !self.has_binary_scores {
            out.extend_from_slice(&self.body);
            return Ok(Some(TypeByte::ZSET));
        }
        // The highest score first, as servers write them and load them fastest.
        let mut end = self.body.len();
        for start in self.starts.iter().rev() {
            out.extend_from_slice(&self.body[*start..end]);
            end = *start;
        }
        Ok(Some(TypeByte::ZSET_2))
    }

    pub(crate) fn trim(&mut self, kept_bytes: usize) {
        for buffer in [&mut self.blob, &mut self.body] {
            buffer.clear();
            buffer.shrink_to(kept_bytes);
        }
        self.starts.clear();
        self.starts.shrink_to(kept_bytes / size_of::<usize>());
    }
}

/// Appends a score as a release has it in a listpack or ziplist.
fn push_score(score: f64, kind: PackedKind, flavor: Flavor, packed: &mut Packed) {
    match (kind, double::integral(score)) {
        // `t_zset.c zzlInsertAt` stores integral scores as integers since 7.0.
        (PackedKind::Listpack(_), Some(n)) => packed.push(Text::Int(n)),
        _ => packed.push(Text::Bytes(score_text(score, flavor).as_bytes())),
    }
}

/// Appends a score in the text form of type 3.
fn push_text_score(score: f64, flavor: Flavor, out: &mut Vec<u8>) {
    if score.is_infinite() {
        out.push(match score > 0.0 {
            true => text_score::POSITIVE_INFINITY,
            false => text_score::NEGATIVE_INFINITY,
        });
        return;
    }
    let text = score_text(score, flavor);
    // At most 24 characters.
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}
