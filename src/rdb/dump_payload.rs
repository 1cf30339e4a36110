//! DUMP payloads: one value, as `DUMP` returns it and `RESTORE` takes it.
//!
//! ```text
//! [f3 key metadata: Redis 8.6+]  type (1)  value …  version u16 LE  CRC64 u64 LE
//! ```
//!
//! There is no key, no expiry and no magic; times inside the value are absolute.
//! The version decides the family: up to 79 is Redis, from 80 on Valkey. The CRC64
//! covers everything before it, with the version. Upstream: `cluster.c
//! createDumpPayload`, `verifyDumpPayload`.
//!
//! A checksum of zero means "not computed" to Redis 8.6 and newer (version 13);
//! everybody else refuses it, and so do we below that. Servers do not notice bytes
//! between the value and the version; here the value must end where they begin.
//! Hashes that name a template of their file (types 30 and 32) cannot stand alone.

use std::ops::Range;

use super::constants::{Opcode, TypeByte};
use super::dialect::{Dialect, Family};
use super::frame::{Checksum, Item, Record};
use super::module::{KeyMeta, key_meta};
use super::object::Layout;
use super::reader::{ChecksumMode, ReadItems};
use super::string::RdbString;
use super::template::Templates;
use crate::bytes::crc64::crc64;
use crate::error::{Code, Error, ErrorKind, Fail, Result};

/// Version and checksum at the end.
pub const FOOTER_BYTES: usize = VERSION_BYTES + CRC_BYTES;
const VERSION_BYTES: usize = size_of::<u16>();
const CRC_BYTES: usize = size_of::<u64>();
/// The first version whose servers take a checksum of zero for "not computed".
const FIRST_WITHOUT_CHECKSUM: u16 = 13;

/// A payload that is framed: its value is whole, and what is in it not looked at.
///
/// ```
/// use rdbkit::rdb::{ChecksumMode, DumpPayload, Scratch};
///
/// let dump = b"\x00\x03bar\x0b\x00\x8f\x61\xf4\x13\x13\xf9\x14\x9e";
/// let payload = DumpPayload::parse(dump, ChecksumMode::Require)?;
/// assert_eq!(payload.dialect().version, 11);
/// assert_eq!(payload.record().raw_value(), b"\x03bar");
/// # Ok::<(), rdbkit::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DumpPayload<'a> {
    dialect: Dialect,
    checksum: Checksum,
    record: Record<'a>,
}

impl<'a> DumpPayload<'a> {
    /// Frames a payload.
    ///
    /// # Errors
    /// A version or type that is not known, a value that does not end at the footer, or
    /// a checksum that differs.
    pub fn parse(bytes: &'a [u8], checksum: ChecksumMode) -> Result<DumpPayload<'a>> {
        let too_short = || {
            let needed = (1 + FOOTER_BYTES).saturating_sub(bytes.len()) as u64;
            Error::new(ErrorKind::UnexpectedEof { needed }).at_offset(bytes.len() as u64)
        };
        let (hashed, stored) = bytes.split_last_chunk().ok_or_else(too_short)?;
        let (body, version) = hashed.split_last_chunk().ok_or_else(too_short)?;
        if body.is_empty() {
            return Err(too_short());
        }
        let dialect = dialect(u16::from_le_bytes(*version))
            .map_err(|kind| Error::new(kind).at_offset(body.len() as u64))?;
        let checksum = check(dialect, hashed, u64::from_le_bytes(*stored), checksum)?;
        let record = record(dialect, body).map_err(|failure| match failure {
            nom::Err::Error(fail) | nom::Err::Failure(fail) => fail.locate(body.len() as u64),
            nom::Err::Incomplete(needed) => {
                let needed = match needed {
                    nom::Needed::Unknown => 0,
                    nom::Needed::Size(n) => n.get() as u64,
                };
                Error::new(ErrorKind::UnexpectedEof { needed }).at_offset(body.len() as u64)
            }
        })?;
        Ok(DumpPayload {
            dialect,
            checksum,
            record,
        })
    }

    /// Family and version of the server that wrote it.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What became of the checksum.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// What modules attached to the key.
    #[must_use]
    pub fn key_meta(&self) -> Option<KeyMeta<'a>> {
        self.record.key_meta
    }

    /// The value as a record of a file, with an empty key in database 0.
    #[must_use]
    pub fn record(&self) -> &Record<'a> {
        &self.record
    }

    /// The value as the record that the reader of a file would have found under `key`.
    #[must_use]
    pub fn into_record(self, db: u32, key: &'a [u8]) -> Record<'a> {
        Record {
            db,
            key: RdbString::Raw(key),
            ..self.record
        }
    }

    /// The items of a file with this one key: header, key, end.
    #[must_use]
    pub fn items(self) -> [Item<'a>; 3] {
        [
            Item::Header(self.dialect),
            Item::Key(self.record),
            Item::End {
                checksum: self.checksum,
                key_expected: false,
            },
        ]
    }
}

/// Reads a payload as if it were a file with one key, which has no name.
#[derive(Clone, Debug)]
pub struct PayloadReader<'a> {
    bytes: &'a [u8],
    checksum: ChecksumMode,
    dialect: Option<Dialect>,
}

impl<'a> PayloadReader<'a> {
    /// Reads these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8], checksum: ChecksumMode) -> Self {
        PayloadReader {
            bytes,
            checksum,
            dialect: None,
        }
    }
}

impl ReadItems for PayloadReader<'_> {
    fn for_each_raw(
        &mut self,
        mut f: impl FnMut(&Item<'_>, &[u8], Range<u64>) -> Result<()>,
    ) -> Result<()> {
        let payload = DumpPayload::parse(self.bytes, self.checksum)?;
        self.dialect = Some(payload.dialect);
        let end = self.bytes.len() as u64;
        let value_end = end - FOOTER_BYTES as u64;
        let [header, key, footer] = payload.items();
        let (value, foot) = self.bytes.split_at(self.bytes.len() - FOOTER_BYTES);
        f(&header, &[], 0..0)?;
        f(&key, value, 0..value_end)?;
        f(&footer, foot, value_end..end)
    }

    fn offset(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    fn db(&self) -> u32 {
        0
    }

    fn look_back(&self) -> Option<&[u8]> {
        Some(self.bytes)
    }
}

/// Appends version and checksum to the value in `payload`, which is all of it.
pub(crate) fn seal(dialect: Dialect, payload: &mut Vec<u8>) {
    payload.extend_from_slice(&dialect.version.to_le_bytes());
    let crc = crc64(payload);
    payload.extend_from_slice(&crc.to_le_bytes());
}

fn dialect(version: u16) -> Result<Dialect, ErrorKind> {
    let (dialect, known) = match version {
        ..Dialect::FIRST_VALKEY => (Dialect::redis(version), 1..=Dialect::NEWEST_REDIS),
        _ => (
            Dialect::valkey(version),
            Dialect::FIRST_VALKEY..=Dialect::NEWEST_VALKEY,
        ),
    };
    match known.contains(&version) {
        true => Ok(dialect),
        false => Err(ErrorKind::UnsupportedVersion {
            magic: dialect.magic(),
            version,
        }),
    }
}

fn check(dialect: Dialect, hashed: &[u8], stored: u64, mode: ChecksumMode) -> Result<Checksum> {
    let may_be_absent =
        dialect.family == Family::Redis && dialect.version >= FIRST_WITHOUT_CHECKSUM;
    if stored == 0 && may_be_absent {
        return Ok(Checksum::Disabled);
    }
    let unchecked = Checksum::Unchecked(stored);
    if mode == ChecksumMode::Skip {
        return Ok(unchecked);
    }
    match unchecked.compare(crc64(hashed)) {
        Checksum::Mismatch { stored, computed } if mode == ChecksumMode::Require => {
            let kind = ErrorKind::ChecksumMismatch { stored, computed };
            Err(Error::new(kind).at_offset(hashed.len() as u64))
        }
        checksum => Ok(checksum),
    }
}

fn record(dialect: Dialect, body: &[u8]) -> Result<Record<'_>, nom::Err<Fail>> {
    let (typed, key_meta) = match body.split_first() {
        Some((&opcode, payload))
            if Opcode(opcode) == Opcode::KEY_META
                && dialect.family == Family::Redis
                && dialect.version >= 13 =>
        {
            let (rest, meta) = key_meta(payload)?;
            (rest, Some(meta))
        }
        _ => (body, None),
    };
    let Some((&byte, value)) = typed.split_first() else {
        return Err(nom::Err::Incomplete(nom::Needed::new(1)));
    };
    let type_byte = TypeByte(byte);
    let failure = |kind| nom::Err::Failure(Fail::new(typed, kind));
    let layout = Layout::of(type_byte, dialect).map_err(failure)?;
    if matches!(
        type_byte,
        TypeByte::HASH_TMPL_LP_REF | TypeByte::HASH_TMPL_ARRAY_REF
    ) {
        return Err(nom::Err::Failure(Fail::broken(
            typed,
            Code::BadTemplate,
            "type of a DUMP payload",
            "one that names no template of its file",
            byte,
        )));
    }
    let templates = Templates::default();
    let (rest, ()) = layout.skip(value, &templates)?;
    if !rest.is_empty() {
        return Err(nom::Err::Failure(Fail::broken(
            rest,
            Code::TrailingBytes,
            "bytes between the value and the footer of a DUMP payload",
            0_u64,
            rest.len(),
        )));
    }
    Ok(Record {
        db: 0,
        key: RdbString::Raw(b""),
        expire_at_ms: None,
        idle_s: None,
        freq: None,
        key_meta,
        type_byte,
        offset: (body.len() - typed.len()) as u64,
        expiry_opcodes: 0,
        layout,
        value,
        end_offset: body.len() as u64,
        dialect,
        templates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SET foo bar; DUMP foo` on seven servers.
    const REAL: &[(Dialect, &[u8])] = &[
        (
            Dialect::redis(9),
            b"\x00\x03bar\x09\x00\x36\x4c\x18\xac\xba\xe0\x9e\xa6",
        ),
        (
            Dialect::redis(10),
            b"\x00\x03bar\x0a\x00\xe6\xbe\x49\x60\xee\x66\xfd\x17",
        ),
        (
            Dialect::redis(12),
            b"\x00\x03bar\x0c\x00\x2d\xc8\x7d\xa0\x14\x4c\x63\x5e",
        ),
        (
            Dialect::redis(13),
            b"\x00\x03bar\x0d\x00\x44\x17\xc0\xd3\xe9\xd3\x8a\xd7",
        ),
        (
            Dialect::redis(11),
            b"\x00\x03bar\x0b\x00\x8f\x61\xf4\x13\x13\xf9\x14\x9e",
        ),
        (
            Dialect::valkey(80),
            b"\x00\x03bar\x50\x00\x29\x94\x80\xf1\x70\x34\x9a\xe3",
        ),
    ];

    fn code(bytes: &[u8]) -> Code {
        DumpPayload::parse(bytes, ChecksumMode::Require)
            .unwrap_err()
            .code()
    }

    /// A payload with the checksum it should have.
    fn sealed(body: &[u8], version: u16) -> Vec<u8> {
        let mut bytes = body.to_vec();
        seal(Dialect::redis(version), &mut bytes);
        bytes
    }

    #[test]
    fn payloads_of_real_servers_parse() {
        for &(dialect, bytes) in REAL {
            let payload = DumpPayload::parse(bytes, ChecksumMode::Require).unwrap();
            assert_eq!(payload.dialect(), dialect);
            assert!(matches!(payload.checksum(), Checksum::Valid(_)));
            assert_eq!(payload.record().raw_value(), b"\x03bar");
            assert_eq!(payload.items().len(), 3);
        }
    }

    #[test]
    fn payload_cut_or_flipped_anywhere_is_refused() {
        for &(_, bytes) in REAL {
            for len in 0..bytes.len() {
                let error = DumpPayload::parse(&bytes[..len], ChecksumMode::Require).unwrap_err();
                assert_ne!(error.code(), Code::Internal);
                if len <= FOOTER_BYTES {
                    assert_eq!(error.code(), Code::UnexpectedEof);
                }
            }
            for at in 0..bytes.len() {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1;
                assert!(DumpPayload::parse(&flipped, ChecksumMode::Require).is_err());
            }
        }
    }

    #[test]
    fn checksum_of_zero_is_none_from_version_13_of_redis_on() {
        for (version, expected) in [(12, None), (13, Some(Checksum::Disabled)), (80, None)] {
            let mut bytes = sealed(b"\x00\x01v", version);
            let crc_at = bytes.len() - CRC_BYTES;
            bytes[crc_at..].fill(0);
            let parsed = DumpPayload::parse(&bytes, ChecksumMode::Require);
            match expected {
                Some(checksum) => assert_eq!(parsed.unwrap().checksum(), checksum),
                None => assert_eq!(parsed.unwrap_err().code(), Code::ChecksumMismatch),
            }
            let reported = DumpPayload::parse(&bytes, ChecksumMode::Report).unwrap();
            assert_eq!(
                matches!(reported.checksum(), Checksum::Mismatch { stored: 0, .. }),
                expected.is_none()
            );
        }
    }

    #[test]
    fn value_must_end_at_the_footer() {
        assert_eq!(code(&sealed(b"\x00\x01v!", 11)), Code::TrailingBytes);
        assert_eq!(code(&sealed(b"\x00\x02v", 11)), Code::UnexpectedEof);
        assert_eq!(code(&sealed(b"", 11)), Code::UnexpectedEof);
        let bytes = sealed(b"\x00\x01v!", 11);
        let error = DumpPayload::parse(&bytes, ChecksumMode::Require);
        assert_eq!(error.unwrap_err().offset(), Some(3));
    }

    #[test]
    fn versions_and_types_are_those_of_the_family() {
        for version in [0, 16, 79, 81, u16::MAX] {
            assert_eq!(
                code(&sealed(b"\x00\x01v", version)),
                Code::UnsupportedVersion
            );
        }
        for byte in [30, 32] {
            assert_eq!(code(&sealed(&[byte, 0, 0], 15)), Code::BadTemplate);
        }
        assert_eq!(code(&sealed(&[30, 0, 0], 14)), Code::UnknownType);
        assert_eq!(code(&sealed(&[27, 0, 0], 80)), Code::UnknownType);
        assert_eq!(code(&sealed(&[200, 0, 0], 11)), Code::UnknownType);
    }

    #[test]
    fn template_hashes_with_their_own_fields_parse() {
        let list = b"\x1d\x00\x19\x19\x00\x00\x00\x03\x00\x83age\x04\x84name\x05\x85email\x06\xff\
            \x15\x15\x00\x00\x00\x04\x00\x00\x01\x1e\x01\x83bob\x04\x83b@x\x04\xff\x0f\x00\
            \x86\x19\xbb\x8f\x92\xb0\x01\xcf";
        let array = b"\x1f\x01\x03\x03age\x04name\x05email\xc0\x1e\x03bob\x03b@x\x0f\x00\
            \x71\xed\x9b\x52\xc6\x8a\xb0\x28";
        for bytes in [&list[..], array] {
            let payload = DumpPayload::parse(bytes, ChecksumMode::Require).unwrap();
            assert_eq!(payload.dialect(), Dialect::redis(15));
        }
    }

    #[test]
    fn key_metadata_stands_before_the_type_in_version_13() {
        // One class, without items.
        let body = b"\xf3\x01\x01\x02\x03\x04\x00\x00\x01v";
        let bytes = sealed(body, 13);
        let payload = DumpPayload::parse(&bytes, ChecksumMode::Require).unwrap();
        assert_eq!(payload.key_meta().unwrap().classes().count(), 1);
        assert_eq!(payload.record().offset, 7);
        let record = payload.into_record(3, b"k");
        assert_eq!((record.db, record.raw_value()), (3, &b"\x01v"[..]));
        assert_eq!(code(&sealed(body, 12)), Code::UnknownOpcode);
    }
}
