//! The frame: opcodes, key records and the end of the file, one item at a time.
//!
//! ```text
//! magic (9)
//! { opcode, payload | [opcode 252..249, 243, 107 …] type, string key, value }*
//! ff, [CRC64 LE: version 5+]
//! ```
//!
//! [`next_item`] finds where the next item ends and borrows its parts; it never
//! decodes a value. What the opcodes before a key say (expiry, idle time,
//! frequency, metadata) stays until the next key, as in `rdb.c
//! rdbLoadRioWithLoadingCtx`. Nothing of [`State`] changes when the input ends
//! inside an item, so a reader can ask again with more of it.

use nom::number::streaming::{le_i32, le_i64, le_u64, u8};

use super::constants::{Opcode, TypeByte};
use super::dialect::{Dialect, Family};
use super::header::header;
use super::length::length;
use super::module::{KeyMeta, ModuleAux, key_meta, module_aux};
use super::object::{Layout, RawValue, Value, canonical};
use super::string::{RdbString, string};
use super::template::{self, TemplateRecord, Templates, template_record};
use crate::bytes::Text;
use crate::error::{Code, Error, ErrorKind, Fail, Parsed, Result};
use crate::model::ValueType;

/// What a file consists of, in file order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// The magic.
    Header(Dialect),
    /// A named fact about the file.
    Aux {
        /// Its name.
        key: RdbString<'a>,
        /// Its value.
        value: RdbString<'a>,
    },
    /// The keys that follow belong to this database.
    SelectDb(u32),
    /// How many keys and expiries the writer counted.
    ResizeDb {
        /// Keys of the database.
        keys: u64,
        /// How many of them expire.
        expires: u64,
    },
    /// How many keys of a cluster slot follow.
    SlotInfo {
        /// The slot.
        slot: u64,
        /// Its keys.
        keys: u64,
        /// How many of them expire.
        expires: u64,
    },
    /// A slot migration that was under way (Valkey 9).
    SlotImport(SlotImport<'a>),
    /// A function library's source.
    Function(RdbString<'a>),
    /// A function of a 7.0 release candidate, which no release loads.
    FunctionPreGa(FunctionPreGa<'a>),
    /// A module's own data.
    ModuleAux(ModuleAux<'a>),
    /// Field names that template hashes share.
    HashTemplate(TemplateRecord<'a>),
    /// A key and its value.
    Key(Record<'a>),
    /// The end of the file.
    End {
        /// The stored CRC64 and what became of it.
        checksum: Checksum,
        /// Whether an opcode spoke of a next key that did not come.
        key_expected: bool,
    },
}

/// The CRC64 at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// Versions before 5 have none.
    Absent,
    /// The writer stored 0: it ran with `rdbchecksum no`.
    Disabled,
    /// Stored, and nobody has compared it.
    Unchecked(u64),
    /// Stored, and that of the bytes.
    Valid(u64),
    /// Stored, and not that of the bytes.
    Mismatch {
        /// The file's own.
        stored: u64,
        /// That of its bytes.
        computed: u64,
    },
}

impl Checksum {
    fn stored(crc: u64) -> Self {
        match crc {
            0 => Checksum::Disabled,
            crc => Checksum::Unchecked(crc),
        }
    }

    /// Compares a stored checksum with that of the bytes.
    pub(crate) fn compare(self, computed: u64) -> Self {
        match self {
            Checksum::Unchecked(stored) if stored == computed => Checksum::Valid(stored),
            Checksum::Unchecked(stored) => Checksum::Mismatch { stored, computed },
            other => other,
        }
    }
}

/// A slot migration that was under way (opcode 243 of Valkey 9).
#[derive(Clone, Copy, Debug)]
pub struct SlotImport<'a> {
    /// The job's name.
    pub job: RdbString<'a>,
    ranges: &'a [u8],
    range_count: u64,
}

impl<'a> SlotImport<'a> {
    /// First and last slot of each range.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + use<'a> {
        let (mut input, mut left) = (self.ranges, self.range_count);
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (rest, first) = length(input).ok()?;
            let (rest, last) = length(rest).ok()?;
            input = rest;
            Some((first, last))
        })
    }
}

/// A function record of opcode 246.
#[derive(Clone, Copy, Debug)]
pub struct FunctionPreGa<'a> {
    /// The function's name.
    pub name: RdbString<'a>,
    /// The engine it is written for.
    pub engine: RdbString<'a>,
    /// What its author says of it.
    pub description: Option<RdbString<'a>>,
    /// Its source.
    pub code: RdbString<'a>,
}

/// A key with everything the file says about it; the value is not decoded yet.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The database.
    pub db: u32,
    /// The key.
    pub key: RdbString<'a>,
    /// Deadline in milliseconds since 1970.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the last access.
    pub idle_s: Option<u64>,
    /// LFU counter.
    pub freq: Option<u8>,
    /// What modules attached to the key.
    pub key_meta: Option<KeyMeta<'a>>,
    /// How the value is stored.
    pub type_byte: TypeByte,
    /// File offset of the type byte.
    pub offset: u64,
    /// How many opcodes set an expiry; more than one is odd.
    pub(crate) expiry_opcodes: u8,
    pub(crate) layout: Layout,
    pub(crate) value: &'a [u8],
    pub(crate) end_offset: u64,
    pub(crate) dialect: Dialect,
    pub(crate) templates: Templates,
}

impl<'a> Record<'a> {
    /// The logical type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.layout.value_type()
    }

    /// Length of the encoded value in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> u64 {
        self.value.len() as u64
    }

    /// The encoded value as it stands in the file.
    #[must_use]
    pub fn raw_value(&self) -> &'a [u8] {
        self.value
    }

    /// File offset just behind the value.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        self.end_offset
    }

    /// The value behind a view of its type. Nothing is decoded before the view is asked.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        Value::new(self.stored())
    }

    /// The stored form of the value.
    pub(crate) fn stored(&self) -> RawValue<'a> {
        RawValue {
            layout: self.layout,
            bytes: self.value,
            end_offset: self.end_offset,
            templates: self.templates.clone(),
        }
    }

    /// The first count, length or string of the value that is longer than need be, and where
    /// in the file.
    pub(crate) fn longer_than_need_be(&self) -> Option<(u64, &'static str)> {
        let (at, what) = canonical::longer_than_need_be(self.layout, self.value)?;
        let start = self.end_offset - self.value.len() as u64;
        Some((start + at as u64, what))
    }

    /// The key's bytes, expanded into `scratch` where needed.
    ///
    /// # Errors
    /// An LZF block that does not expand to its declared length.
    pub fn key_bytes<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8]>
    where
        'a: 's,
    {
        self.key
            .bytes(scratch)
            .map_err(|flaw| Error::new(flaw.into()).at_offset(self.offset + 1))
    }
}

/// What the opcodes before a key said about it.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    expire_at_ms: Option<i64>,
    expiry_opcodes: u8,
    idle_s: Option<u64>,
    freq: Option<u8>,
}

/// Where in the file the reader is.
#[derive(Clone, Debug)]
pub(crate) struct State {
    dialect: Option<Dialect>,
    db: u32,
    pending: Pending,
    templates: Templates,
    pub(crate) ended: bool,
}

impl State {
    pub(crate) fn new() -> Self {
        State {
            dialect: None,
            db: 0,
            pending: Pending::default(),
            templates: Templates::default(),
            ended: false,
        }
    }

    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    pub(crate) fn db(&self) -> u32 {
        self.db
    }
}

/// Parses the next item; `end_offset` is the file offset at which `input` ends.
#[inline(always)]
pub(crate) fn next_item<'a>(
    state: &mut State,
    input: &'a [u8],
    end_offset: u64,
) -> Parsed<'a, Item<'a>> {
    let Some(dialect) = state.dialect else {
        let (rest, dialect) = header(input)?;
        state.dialect = Some(dialect);
        return Ok((rest, Item::Header(dialect)));
    };
    let mut pending = state.pending;
    let mut at = input;
    // One way to the key below, so that it is compiled into this loop and its result is
    // not moved: an item is large.
    let (key_meta, typed) = loop {
        let (payload, byte) = u8(at)?;
        at = match (Opcode(byte), dialect.family) {
            (Opcode::EXPIRETIME_MS, _) => {
                let (rest, ms) = le_i64(payload)?;
                pending.set_expiry(written_as_ms(ms, dialect));
                rest
            }
            (Opcode::EXPIRETIME, _) => {
                let (rest, s) = le_i32(payload)?;
                pending.set_expiry(i64::from(s) * 1000);
                rest
            }
            (Opcode::IDLE, _) => {
                let (rest, s) = length(payload)?;
                pending.idle_s = Some(s);
                rest
            }
            (Opcode::FREQ, _) => {
                let (rest, counter) = u8(payload)?;
                pending.freq = Some(counter);
                rest
            }
            // Redis Enterprise: facts about where a value lived, of no use elsewhere.
            (Opcode::ENTERPRISE_SLOT | Opcode::ENTERPRISE_RAM_LRU, Family::Redis) => {
                length(payload)?.0
            }
            (Opcode::KEY_META, Family::Redis) if dialect.version >= 13 => {
                let (typed, meta) = key_meta(payload)?;
                break (Some(meta), typed);
            }
            (Opcode(242..), _) => {
                let (rest, item) = file_record(state, dialect, pending, Opcode(byte), at, payload)?;
                // An item between an expiry and its key does not clear the expiry.
                state.pending = pending;
                return Ok((rest, item));
            }
            _ => break (None, at),
        };
    };
    key_record(state, dialect, pending, key_meta, typed, end_offset)
}

impl Pending {
    fn is_some(&self) -> bool {
        self.expiry_opcodes > 0 || self.idle_s.is_some() || self.freq.is_some()
    }

    fn set_expiry(&mut self, at_ms: i64) {
        self.expire_at_ms = Some(at_ms);
        self.expiry_opcodes = self.expiry_opcodes.saturating_add(1);
    }
}

/// A key with a plain string, as most keys of many files are: nothing said of it but perhaps a
/// deadline in milliseconds, key and value short and not compressed.
#[derive(Clone, Copy, Debug)]
pub struct PlainString<'a> {
    /// The database.
    pub db: u32,
    /// Deadline in milliseconds since 1970.
    pub expire_at_ms: Option<i64>,
    /// File offset of the type byte.
    pub offset: u64,
    /// The key as it stands in the file.
    pub raw_key: &'a [u8],
    /// The value as it stands in the file.
    pub raw_value: &'a [u8],
    /// What begins with all of it, and how long that is.
    from: &'a [u8],
    size: usize,
}

impl<'a> PlainString<'a> {
    /// All of it as it stands in the file, from its deadline or type byte on.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.from.get(..self.size).unwrap_or_default()
    }

    /// The value.
    #[must_use]
    #[inline]
    pub fn value(&self) -> RdbString<'a> {
        string(self.raw_value).map_or(RdbString::Raw(&[]), |(_, value)| value)
    }

    /// The content of the value.
    #[must_use]
    #[inline]
    pub fn text(&self) -> Text<'a> {
        match self.value() {
            RdbString::Raw(bytes) => Text::Bytes(bytes),
            RdbString::Int(n) => Text::Int(n.into()),
            // It is not compressed.
            RdbString::Lzf { .. } => Text::Bytes(&[]),
        }
    }

    /// The key.
    #[must_use]
    #[inline]
    pub fn key(&self) -> RdbString<'a> {
        // It was framed before.
        string(self.raw_key).map_or(RdbString::Raw(&[]), |(_, key)| key)
    }
}

/// The next item and its size if it is a key with a plain string and all of it is there.
///
/// Framing those in full costs three times as much. `None` says nothing about what comes.
/// Always inlined: as a call it makes verifying a file of strings a tenth dearer.
#[inline(always)]
pub(crate) fn plain_string<'a>(
    state: &State,
    input: &'a [u8],
    end_offset: u64,
) -> Option<(usize, PlainString<'a>)> {
    let dialect = state.dialect.filter(|_| !state.pending.is_some())?;
    let (expire_at_ms, typed) = match input.split_first()? {
        (&opcode, behind) if Opcode(opcode) == Opcode::EXPIRETIME_MS => {
            let (ms, typed) = behind.split_first_chunk()?;
            (Some(written_as_ms(i64::from_le_bytes(*ms), dialect)), typed)
        }
        _ => (None, input),
    };
    let (&type_byte, key_and_more) = typed.split_first()?;
    if TypeByte(type_byte) != TypeByte::STRING {
        return None;
    }
    let (raw_key, value_and_more) = key_and_more.split_at_checked(short_string(key_and_more)?)?;
    let (raw_value, rest) = value_and_more.split_at_checked(short_string(value_and_more)?)?;
    let size = input.len() - rest.len();
    let string = PlainString {
        db: state.db,
        expire_at_ms,
        offset: end_offset.saturating_sub(typed.len() as u64),
        raw_key,
        raw_value,
        from: input,
        size,
    };
    Some((size, string))
}

/// The size of a string that is short and not compressed; not all of it need be there.
#[inline]
fn short_string(input: &[u8]) -> Option<usize> {
    Some(match *input {
        [lead @ 0..0x40, ..] => 1 + usize::from(lead),
        [lead @ 0x40..0x80, low, ..] => 2 + usize::from(u16::from_be_bytes([lead & 63, low])),
        [lead @ 0xc0..=0xc2, ..] => 1 + (1 << (lead & 3)),
        _ => return None,
    })
}

/// Undoes the host byte order of big-endian writers before version 9.
///
/// Those wrote milliseconds as they lay in memory. A time that is absurd as it
/// stands and plausible when swapped was written so.
fn written_as_ms(ms: i64, dialect: Dialect) -> i64 {
    const YEAR_2000_MS: i64 = 946_684_800_000;
    const YEAR_2200_MS: i64 = 7_258_118_400_000;
    let plausible = YEAR_2000_MS..YEAR_2200_MS;
    let swapped = ms.swap_bytes();
    match dialect.version < 9 && !plausible.contains(&ms) && plausible.contains(&swapped) {
        true => swapped,
        false => ms,
    }
}

/// Parses type byte, key and value.
#[inline(always)]
fn key_record<'a>(
    state: &mut State,
    dialect: Dialect,
    pending: Pending,
    key_meta: Option<KeyMeta<'a>>,
    input: &'a [u8],
    end_offset: u64,
) -> Parsed<'a, Item<'a>> {
    let (rest, byte) = u8(input)?;
    if key_meta.is_some() && byte >= Opcode::HASH_TEMPLATE.0 {
        let what = "byte after key metadata";
        let fail = Fail::broken(input, Code::BadOpcode, what, "an object type", byte);
        return Err(nom::Err::Failure(fail));
    }
    let layout = Layout::of(TypeByte(byte), dialect)
        .map_err(|kind| nom::Err::Failure(Fail::new(input, kind)))?;
    let (value, key) = string(rest)?;
    let (rest, ()) = layout.skip(value, &state.templates)?;
    state.pending = Pending::default();
    let record = Record {
        db: state.db,
        key,
        expire_at_ms: pending.expire_at_ms,
        idle_s: pending.idle_s,
        freq: pending.freq,
        key_meta,
        type_byte: TypeByte(byte),
        offset: end_offset.saturating_sub(input.len() as u64),
        expiry_opcodes: pending.expiry_opcodes,
        layout,
        value: &value[..value.len() - rest.len()],
        end_offset: end_offset.saturating_sub(rest.len() as u64),
        dialect,
        templates: state.templates.clone(),
    };
    Ok((rest, Item::Key(record)))
}

/// Parses what belongs to no key; `at` begins with the opcode, `payload` behind it.
#[inline(never)]
fn file_record<'a>(
    state: &mut State,
    dialect: Dialect,
    pending: Pending,
    opcode: Opcode,
    at: &'a [u8],
    payload: &'a [u8],
) -> Parsed<'a, Item<'a>> {
    let unknown = |known| {
        let kind = ErrorKind::UnknownType {
            byte: opcode.0,
            dialect,
            known,
        };
        Err(nom::Err::Failure(Fail::new(at, kind)))
    };
    match (opcode, dialect.family) {
        (Opcode::EOF, _) => {
            let (rest, checksum) = match dialect.has_checksum() {
                true => le_u64(payload).map(|(rest, crc)| (rest, Checksum::stored(crc)))?,
                false => (payload, Checksum::Absent),
            };
            state.ended = true;
            let key_expected = pending.is_some();
            Ok((
                rest,
                Item::End {
                    checksum,
                    key_expected,
                },
            ))
        }
        (Opcode::SELECTDB, _) => {
            let (rest, db) = length(payload)?;
            match i32::try_from(db) {
                Ok(n) => {
                    state.db = n.unsigned_abs();
                    Ok((rest, Item::SelectDb(state.db)))
                }
                Err(_) => Err(nom::Err::Failure(Fail::broken(
                    at,
                    Code::BadOpcode,
                    "database number",
                    "below 2^31",
                    db,
                ))),
            }
        }
        (Opcode::RESIZEDB, _) => {
            let (rest, keys) = length(payload)?;
            let (rest, expires) = length(rest)?;
            Ok((rest, Item::ResizeDb { keys, expires }))
        }
        (Opcode::AUX, _) => {
            let (rest, key) = string(payload)?;
            let (rest, value) = string(rest)?;
            Ok((rest, Item::Aux { key, value }))
        }
        (Opcode::MODULE_AUX, _) => {
            module_aux(payload).map(|(rest, aux)| (rest, Item::ModuleAux(aux)))
        }
        (Opcode::FUNCTION2, _) => string(payload).map(|(rest, code)| (rest, Item::Function(code))),
        (Opcode::FUNCTION_PRE_GA, _) => function_pre_ga(payload),
        (Opcode::SLOT_INFO, _) => {
            let (rest, slot) = length(payload)?;
            let (rest, keys) = length(rest)?;
            let (rest, expires) = length(rest)?;
            Ok((
                rest,
                Item::SlotInfo {
                    slot,
                    keys,
                    expires,
                },
            ))
        }
        (Opcode::VALKEY_SLOT_IMPORT, Family::Valkey) => slot_import(payload),
        (Opcode::HASH_TEMPLATE, Family::Redis) if dialect.version >= 15 => {
            let (rest, record) = template_record(payload)?;
            template::define(&mut state.templates, &record, at)?;
            Ok((rest, Item::HashTemplate(record)))
        }
        (Opcode::KEY_META, Family::Redis) => {
            unknown(Some("key metadata of Redis 8.6 or newer in an older file"))
        }
        (Opcode::HASH_TEMPLATE, Family::Redis) => unknown(Some(
            "a hash template of Redis 8.10 or newer in an older file",
        )),
        (Opcode::HASH_TEMPLATE, Family::Valkey) => {
            unknown(Some("an update command of Valkey 9.2 development builds"))
        }
        _ => unknown(None),
    }
}

fn function_pre_ga(payload: &[u8]) -> Parsed<'_, Item<'_>> {
    let (rest, name) = string(payload)?;
    let (rest, engine) = string(rest)?;
    let (rest, has_description) = length(rest)?;
    let (rest, description) = match has_description {
        0 => (rest, None),
        _ => string(rest).map(|(rest, description)| (rest, Some(description)))?,
    };
    let (rest, code) = string(rest)?;
    Ok((
        rest,
        Item::FunctionPreGa(FunctionPreGa {
            name,
            engine,
            description,
            code,
        }),
    ))
}

fn slot_import(payload: &[u8]) -> Parsed<'_, Item<'_>> {
    const JOB_NAME_BYTES: u64 = 40;
    let (rest, job) = string(payload)?;
    if job.declared_len() != JOB_NAME_BYTES {
        let fail = Fail::broken(
            payload,
            Code::BadOpcode,
            "length of a slot import's job name",
            JOB_NAME_BYTES,
            job.declared_len(),
        );
        return Err(nom::Err::Failure(fail));
    }
    let (ranges, range_count) = length(rest)?;
    let mut rest = ranges;
    for _ in 0..range_count {
        (rest, _) = length(rest)?;
        (rest, _) = length(rest)?;
    }
    let ranges = &ranges[..ranges.len() - rest.len()];
    Ok((
        rest,
        Item::SlotImport(SlotImport {
            job,
            ranges,
            range_count,
        }),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_string_is_what_framing_it_gives(
            head in prop::sample::select(vec![
                &b"\0"[..],
                b"\xfc\x01\x02\x03\x04\x05\x06\x07\x08\0",
                b"\xfc\x01\0",
                b"\x01",
            ]),
            key in prop_oneof![0..=20u8, 0x40..=0x41u8, 0xc0..=0xc4u8, any::<u8>()],
            tail in prop::collection::vec(prop_oneof![0..=20u8, Just(0x40u8), 0xc0..=0xc4u8], 0..60),
        ) {
            let input = [head, &[key], &tail].concat();
            let mut state = State::new();
            next_item(&mut state, b"REDIS0011", 9).unwrap();
            let end_offset = 1000 + input.len() as u64;
            if let Some((size, plain)) = plain_string(&state, &input, end_offset) {
                let before = format!("{state:?}");
                let (rest, item) = next_item(&mut state, &input, end_offset).unwrap();
                prop_assert_eq!(rest.len(), input.len() - size);
                prop_assert_eq!(format!("{state:?}"), before);
                let Item::Key(record) = item else { panic!("{item:?}") };
                prop_assert_eq!(plain.key(), record.key);
                prop_assert_eq!(plain.raw_value, record.raw_value());
                prop_assert_eq!(plain.raw(), &input[..size]);
                let Value::String(value) = record.value() else { panic!("{record:?}") };
                prop_assert_eq!(plain.value(), value.stored().unwrap());
                let mut scratch = crate::rdb::Scratch::new();
                let text = value.text(&mut scratch).unwrap();
                prop_assert_eq!(plain.text(), text);
                prop_assert_eq!(
                    (plain.db, plain.expire_at_ms, plain.offset),
                    (record.db, record.expire_at_ms, record.offset)
                );
                prop_assert!(record.expiry_opcodes <= 1 && record.layout == Layout::String);
            }
            state.pending.idle_s = Some(1);
            prop_assert!(plain_string(&state, &input, end_offset).is_none());
        }
    }
}
