//! Sorted sets.
//!
//! ```text
//!  3 ZSET           length n, n × (string member, text score)
//!  5 ZSET_2         length n, n × (string member, f64 LE score)   highest score first
//! 12 ZSET_ZIPLIST   string(ziplist: member, score, …)             ascending
//! 17 ZSET_LISTPACK  string(listpack: member, score, …)            ascending
//! text score = 1 byte n: 253 NaN, 254 inf, 255 -inf, else n bytes of decimal text
//! ```
//!
//! Sources: `rdb.c rdbLoadDoubleValue`, `t_zset.c`. No server checks the order of a
//! ziplist or listpack, nor that a score in it is a number; here a score that is
//! no number is an error, and order is restored where it matters.

use std::cmp::Ordering;

use nom::bytes::streaming::take;
use nom::number::streaming::{le_f64, u8};

use super::blobs::{Form, Kind, odd_score};
use super::{RawValue, Scratch, pairs};
use crate::bytes::Text;
use crate::encoding::Ziplist;
use crate::error::{Code, Fail, Flaw, Parsed, Result};
use crate::model::sink::StoredScore;
use crate::num::decimal::{PrintedScore, parse_printed_score, parse_score};
use crate::rdb::constants::text_score;
use crate::rdb::dialect::Dialect;
use crate::rdb::length::count;
use crate::rdb::string::{blob, skip_string, text};

/// How a sorted set is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    TextScores,
    BinaryScores,
    Ziplist,
    Listpack,
}

impl Layout {
    pub(super) fn skip(self, input: &[u8]) -> Parsed<'_, ()> {
        match self {
            Layout::Ziplist | Layout::Listpack => skip_string(input),
            Layout::BinaryScores => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    (rest, ()) = skip_string(rest)?;
                    (rest, _) = take(size_of::<f64>())(rest)?;
                }
                Ok((rest, ()))
            }
            Layout::TextScores => {
                let (mut rest, n) = count(input)?;
                for _ in 0..n {
                    (rest, ()) = skip_string(rest)?;
                    (rest, _) = text_score_bytes(rest)?;
                }
                Ok((rest, ()))
            }
        }
    }
}

/// Takes a score in text form: its length byte, and the text if the byte is a length.
fn text_score_bytes(input: &[u8]) -> Parsed<'_, (u8, &[u8])> {
    let (rest, first) = u8(input)?;
    match first {
        text_score::NAN | text_score::POSITIVE_INFINITY | text_score::NEGATIVE_INFINITY => {
            Ok((rest, (first, &[])))
        }
        len => take(usize::from(len))(rest).map(|(rest, digits)| (rest, (len, digits))),
    }
}

/// A score, and how the file stores it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score<'a> {
    /// The number.
    pub(crate) value: f64,
    /// Its text, or its integer of a blob; `None` for eight bytes.
    pub(crate) stored: Option<StoredScore<'a>>,
}

impl<'a> Score<'a> {
    /// Reads the number; what is none is NaN.
    #[inline]
    fn parse(stored: Text<'a>) -> Self {
        // `%.17g` prints integers as they are, as far as doubles tell them apart.
        const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
        let (value, is_17g) = match stored {
            Text::Int(n) => (n as f64, n.unsigned_abs() <= EXACT),
            Text::Bytes(digits) => (parse_score(digits).unwrap_or(f64::NAN), false),
        };
        Score::stored(value, stored, is_17g)
    }

    #[inline]
    fn stored(value: f64, text: Text<'a>, is_17g: bool) -> Self {
        let stored = Some(StoredScore { text, is_17g });
        Score { value, stored }
    }

    /// The same, and whether a server may have stored it so.
    #[inline]
    fn parse_printed(stored: Text<'a>) -> (Self, bool) {
        match stored {
            Text::Int(_) => (Score::parse(stored), true),
            Text::Bytes(digits) => {
                let printed = parse_printed_score(digits).unwrap_or(PrintedScore {
                    value: f64::NAN,
                    is_printed: true,
                    is_17g: false,
                });
                let score = Score::stored(printed.value, stored, printed.is_17g);
                (score, printed.is_printed)
            }
        }
    }
}

/// A sorted set value.
#[derive(Clone, Debug)]
pub struct Zset<'a> {
    pub(crate) raw: RawValue<'a>,
    pub(crate) layout: Layout,
}

impl<'a> Zset<'a> {
    /// The name of the encoding.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self.layout {
            Layout::TextScores | Layout::BinaryScores => "skiplist",
            Layout::Ziplist => "ziplist",
            Layout::Listpack => "listpack",
        }
    }

    /// Whether it stands member by member, which loaders read into a skip list first.
    pub(crate) fn is_skiplist(&self) -> bool {
        matches!(self.layout, Layout::TextScores | Layout::BinaryScores)
    }

    /// How every server orders this encoding in a file: `Less` is ascending.
    ///
    /// Binary scores came with 4.0, whose release candidates still wrote hash order.
    pub(crate) fn file_order(&self, dialect: Dialect) -> Option<Ordering> {
        match self.layout {
            Layout::Ziplist | Layout::Listpack => Some(Ordering::Less),
            Layout::BinaryScores if dialect.version >= 9 => Some(Ordering::Greater),
            Layout::BinaryScores | Layout::TextScores => None,
        }
    }

    /// Calls `f` with each member and score, in file order.
    ///
    /// # Errors
    /// A member or score that breaks a rule; members before it were passed on.
    pub fn for_each(&self, scratch: &mut Scratch, mut f: impl FnMut(Text<'_>, f64)) -> Result<()> {
        self.for_each_as_stored(scratch, |member, score| f(member, score.value))
    }

    /// Calls `f` with each member and its score as the file has it, in file order.
    ///
    /// # Errors
    /// A member or score that breaks a rule; members before it were passed on.
    pub(crate) fn for_each_as_stored(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(Text<'_>, Score<'_>),
    ) -> Result<()> {
        let walked = match self.layout {
            Layout::TextScores | Layout::BinaryScores => {
                self.walk_strings(scratch, |_, member, score| f(member, score))
            }
            Layout::Ziplist | Layout::Listpack => self.walk_blob(scratch, f),
        };
        walked.map_err(|failure| self.raw.locate(failure))
    }

    /// Calls `f` with each member and score, ascending by score, then by the member's bytes.
    ///
    /// Takes memory for each member, but not of a large blob whose members ascend.
    ///
    /// # Errors
    /// A member or score that breaks a rule; nothing was passed on then.
    pub fn for_each_ascending(
        &self,
        scratch: &mut Scratch,
        f: impl FnMut(Text<'_>, f64),
    ) -> Result<()> {
        let walked = match self.layout {
            Layout::TextScores | Layout::BinaryScores => self.walk_strings_ascending(scratch, f),
            Layout::Ziplist | Layout::Listpack => self.walk_blob_ascending(scratch, f),
        };
        walked.map_err(|failure| self.raw.locate(failure))
    }

    /// Passes on offset of the member, member and score of types 3 and 5.
    fn walk_strings(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(usize, Text<'_>, Score<'_>),
    ) -> Result<(), nom::Err<Fail>> {
        let input = self.raw.bytes;
        let (mut rest, n) = count(input)?;
        for _ in 0..n {
            let at = input.len() - rest.len();
            let (after, member) = text(rest, &mut scratch.first)?;
            let (after, score) = self.score(after)?;
            f(at, member, score);
            rest = after;
        }
        Ok(())
    }

    /// Parses the score of types 3 and 5.
    fn score<'i>(&self, input: &'i [u8]) -> Parsed<'i, Score<'i>> {
        let word = |rest, text: &'static [u8], value| {
            (rest, Score::stored(value, Text::Bytes(text), false))
        };
        let (rest, score) = match self.layout {
            Layout::BinaryScores => {
                let (rest, value) = le_f64(input)?;
                let stored = None;
                (rest, Score { value, stored })
            }
            _ => match text_score_bytes(input)? {
                (rest, (text_score::NAN, _)) => word(rest, b"nan", f64::NAN),
                (rest, (text_score::POSITIVE_INFINITY, _)) => word(rest, b"inf", f64::INFINITY),
                (rest, (text_score::NEGATIVE_INFINITY, _)) => {
                    word(rest, b"-inf", f64::NEG_INFINITY)
                }
                (rest, (_, digits)) => (rest, Score::parse(Text::Bytes(digits))),
            },
        };
        match score.value.is_nan() {
            true => Err(nom::Err::Failure(Fail::broken(
                input,
                Code::BadZset,
                "score",
                "a number",
                "none",
            ))),
            false => Ok((rest, score)),
        }
    }

    fn walk_strings_ascending(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(Text<'_>, f64),
    ) -> Result<(), nom::Err<Fail>> {
        let input = self.raw.bytes;
        let mut order: Vec<(f64, usize)> = Vec::new();
        self.walk_strings(scratch, |at, _, score| order.push((score.value, at)))?;
        let Scratch { first, second, .. } = scratch;
        let mut compare = |a: &(f64, usize), b: &(f64, usize)| {
            let by_score = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
            by_score.then_with(|| member_at(input, a.1, first).cmp(member_at(input, b.1, second)))
        };
        // Servers write the highest score first, so reversing usually does it all.
        order.reverse();
        if !order.is_sorted_by(|a, b| compare(a, b).is_le()) {
            order.sort_by(&mut compare);
        }
        for &(score, at) in &order {
            let (_, member) = text(&input[at..], first)?;
            f(member, score);
        }
        Ok(())
    }

    fn walk_blob(
        &self,
        scratch: &mut Scratch,
        f: impl FnMut(Text<'_>, Score<'_>),
    ) -> Result<(), nom::Err<Fail>> {
        let input = self.raw.bytes;
        let (_, bytes) = blob(input, &mut scratch.blob)?;
        self.walk_elements(bytes, &mut scratch.form, f)
            .map_err(|flaw| nom::Err::Failure(flaw.in_string(input)))
    }

    fn walk_blob_ascending(
        &self,
        scratch: &mut Scratch,
        mut f: impl FnMut(Text<'_>, f64),
    ) -> Result<(), nom::Err<Fail>> {
        /// Members of a blob as small as nearly all are kept aside; a large one is walked twice.
        const SMALL_BYTES: usize = 64 << 10;
        let input = self.raw.bytes;
        let (_, bytes) = blob(input, &mut scratch.blob)?;
        let broken = |flaw: Flaw| nom::Err::Failure(flaw.in_string(input));
        if bytes.len() > SMALL_BYTES && self.elements_ascend(bytes).map_err(broken)? {
            let pass_on = |member: Text<'_>, score: Score<'_>| f(member, score.value);
            return self
                .walk_elements(bytes, &mut scratch.form, pass_on)
                .map_err(broken);
        }
        let mut members = Vec::new();
        let keep = |member, score: Score<'_>| members.push((member, score.value));
        self.walk_elements(bytes, &mut scratch.form, keep)
            .map_err(broken)?;
        let order = |a: &(Text<'_>, f64), b: &(Text<'_>, f64)| compare_members(*a, *b);
        if !members.is_sorted_by(|a, b| order(a, b).is_le()) {
            members.sort_by(order);
        }
        members
            .iter()
            .for_each(|(member, score)| f(*member, *score));
        Ok(())
    }

    /// Whether the members of a blob ascend by score, then by their bytes.
    fn elements_ascend(&self, bytes: &[u8]) -> Result<bool, Flaw> {
        let mut ascend = true;
        let mut last: Option<(Text<'_>, f64)> = None;
        // The form is looked at by those who look at scores.
        let mut form = Form::Ignored;
        self.walk_elements(bytes, &mut form, |member, score| {
            let this = (member, score.value);
            ascend &= last.is_none_or(|last| compare_members(last, this).is_le());
            last = Some(this);
        })?;
        Ok(ascend)
    }

    fn walk_elements<'b>(
        &self,
        bytes: &'b [u8],
        form: &mut Form,
        f: impl FnMut(Text<'b>, Score<'b>),
    ) -> Result<(), Flaw> {
        let wants_form = form.is_wanted();
        let has_odd_score = match self.layout {
            Layout::Ziplist => {
                form.look_at(Kind::ScoredZiplist, bytes);
                scored(Ziplist::new(bytes)?.iter(), bytes.len(), wants_form, f)?
            }
            _ => {
                let mut elements = form.listpack(bytes)?.iter();
                let has_odd_score = scored(&mut elements, bytes.len(), wants_form, f)?;
                form.note(elements.non_canonical());
                has_odd_score
            }
        };
        form.note(has_odd_score.then(odd_score));
        Ok(())
    }
}

/// The member that begins at an offset where one was parsed before.
fn member_at<'s>(input: &'s [u8], at: usize, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    blob(&input[at..], scratch).map_or(&[], |(_, member)| member)
}

/// Passes on elements in twos, the second one as a score; says, if that is wanted, whether
/// some score has a text that no server prints.
fn scored<'b>(
    elements: impl Iterator<Item = Result<Text<'b>, Flaw>>,
    end: usize,
    wants_form: bool,
    mut f: impl FnMut(Text<'b>, Score<'b>),
) -> Result<bool, Flaw> {
    let mut has_odd_score = false;
    let what = "elements of a sorted set";
    pairs(elements, end, Code::BadZset, what, |member, stored| {
        let (score, is_printed) = match wants_form {
            true => Score::parse_printed(stored),
            false => (Score::parse(stored), true),
        };
        if score.value.is_nan() {
            return Err(Flaw::new(Code::BadZset, end, "score", "a number", "none"));
        }
        has_odd_score |= !is_printed;
        f(member, score);
        Ok(())
    })?;
    Ok(has_odd_score)
}

/// The order of sorted sets. No score is NaN.
fn compare_members(a: (Text<'_>, f64), b: (Text<'_>, f64)) -> Ordering {
    let by_score = a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal);
    by_score.then_with(|| compare_texts(a.0, b.0))
}

/// Orders two texts by the bytes that a client sees.
pub(crate) fn compare_texts(a: Text<'_>, b: Text<'_>) -> Ordering {
    a.as_bytes(&mut itoa::Buffer::new())
        .cmp(b.as_bytes(&mut itoa::Buffer::new()))
}
