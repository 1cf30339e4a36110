//! Values: from a type byte to how it is stepped over and what it holds.
//!
//! [`Layout::of`] is the one match on type bytes; everything that depends on the
//! type (framing, decoding, verification, names) follows from its answer. Each
//! logical type has a file with the byte layout of its encodings.

pub mod array;
pub(crate) mod blobs;
pub(crate) mod canonical;
pub mod encode;
pub mod hash;
pub mod list;
pub mod module;
pub mod set;
pub mod stream;
pub mod string;
pub mod zset;

use super::constants::TypeByte;
use super::dialect::{Dialect, Family};
use super::string::skip_string;
use super::template::Templates;
use crate::bytes::Text;
use crate::error::{Code, Error, ErrorKind, Fail, Flaw, Parsed};
use crate::limits::KEPT_BYTES;
use crate::model::ValueType;

pub use array::{Array, ArrayElement};
pub use hash::Hash;
pub use list::List;
pub use module::ModuleValue;
pub use set::Set;
pub use stream::Stream;
pub use string::StringValue;
pub use zset::Zset;

/// How a value is stored: one variant per type byte and dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    String,
    List(list::Layout),
    Set(set::Layout),
    Zset(zset::Layout),
    Hash(hash::Layout),
    Stream(stream::Version),
    Array,
    Module,
}

impl Layout {
    /// The layout that a type byte stands for, or why there is none.
    #[inline]
    pub(crate) fn of(byte: TypeByte, dialect: Dialect) -> Result<Layout, ErrorKind> {
        use Family::{Redis, Valkey};
        let unsupported = |known| {
            Err(ErrorKind::UnknownType {
                byte: byte.0,
                dialect,
                known: Some(known),
            })
        };
        Ok(match (byte, dialect.family) {
            (TypeByte::STRING, _) => Layout::String,
            (TypeByte::LIST, _) => Layout::List(list::Layout::Strings),
            (TypeByte::SET, _) => Layout::Set(set::Layout::Strings),
            (TypeByte::ZSET, _) => Layout::Zset(zset::Layout::TextScores),
            (TypeByte::HASH, _) => Layout::Hash(hash::Layout::Strings),
            (TypeByte::ZSET_2, _) => Layout::Zset(zset::Layout::BinaryScores),
            (TypeByte::MODULE_PRE_GA, _) => {
                return unsupported(
                    "a module value of a Redis 4.0 release candidate, whose length only its module knows",
                );
            }
            (TypeByte::MODULE_2, _) => Layout::Module,
            (TypeByte::HASH_ZIPMAP, _) => Layout::Hash(hash::Layout::Zipmap),
            (TypeByte::LIST_ZIPLIST, _) => Layout::List(list::Layout::Ziplist),
            (TypeByte::SET_INTSET, _) => Layout::Set(set::Layout::Intset),
            (TypeByte::ZSET_ZIPLIST, _) => Layout::Zset(zset::Layout::Ziplist),
            (TypeByte::HASH_ZIPLIST, _) => Layout::Hash(hash::Layout::Ziplist),
            (TypeByte::LIST_QUICKLIST, _) => Layout::List(list::Layout::Quicklist),
            (TypeByte::STREAM_LISTPACKS, _) => Layout::Stream(stream::Version::V1),
            (TypeByte::HASH_LISTPACK, _) => Layout::Hash(hash::Layout::Listpack),
            (TypeByte::ZSET_LISTPACK, _) => Layout::Zset(zset::Layout::Listpack),
            (TypeByte::LIST_QUICKLIST_2, _) => Layout::List(list::Layout::Quicklist2),
            (TypeByte::STREAM_LISTPACKS_2, _) => Layout::Stream(stream::Version::V2),
            (TypeByte::SET_LISTPACK, _) => Layout::Set(set::Layout::Listpack),
            (TypeByte::STREAM_LISTPACKS_3, _) => Layout::Stream(stream::Version::V3),
            (TypeByte::HASH_METADATA_PRE_GA, Redis) => Layout::Hash(hash::Layout::MetadataPreGa),
            (TypeByte::VALKEY_HASH_2, Valkey) => Layout::Hash(hash::Layout::ValkeyHash2),
            (TypeByte::HASH_LISTPACK_EX_PRE_GA, Redis) => {
                Layout::Hash(hash::Layout::ListpackExPreGa)
            }
            (TypeByte::HASH_LISTPACK_EX_PRE_GA, Valkey) => {
                return unsupported("the path hash of Valkey 9.2 development builds");
            }
            (TypeByte::HASH_METADATA, Redis) => Layout::Hash(hash::Layout::Metadata),
            (TypeByte::HASH_LISTPACK_EX, Redis) => Layout::Hash(hash::Layout::ListpackEx),
            (TypeByte::STREAM_LISTPACKS_4, Redis) => Layout::Stream(stream::Version::V4),
            (TypeByte::STREAM_LISTPACKS_5, Redis) => Layout::Stream(stream::Version::V5),
            (TypeByte::ARRAY, Redis) if dialect.version >= 14 => Layout::Array,
            (TypeByte::HASH_TMPL_LP, Redis) if dialect.version >= 15 => {
                Layout::Hash(hash::Layout::TemplateListpack)
            }
            (TypeByte::HASH_TMPL_LP_REF, Redis) if dialect.version >= 15 => {
                Layout::Hash(hash::Layout::TemplateListpackRef)
            }
            (TypeByte::HASH_TMPL_ARRAY, Redis) if dialect.version >= 15 => {
                Layout::Hash(hash::Layout::TemplateArray)
            }
            (TypeByte::HASH_TMPL_ARRAY_REF, Redis) if dialect.version >= 15 => {
                Layout::Hash(hash::Layout::TemplateArrayRef)
            }
            (TypeByte(28..=32), Redis) => {
                return unsupported("a type of Redis 8.8 or 8.10 in an older file");
            }
            (TypeByte(24..=32), Valkey) => {
                return unsupported("a type of Redis 7.4 or newer, foreign to Valkey");
            }
            (TypeByte(33), Redis) => {
                return unsupported("a rate limiter (GCRA) of builds with ENABLE_GCRA");
            }
            (TypeByte(34), Redis) => {
                return unsupported("a HyperLogLog of unreleased Redis builds");
            }
            (TypeByte(_), _) => {
                return Err(ErrorKind::UnknownType {
                    byte: byte.0,
                    dialect,
                    known: None,
                });
            }
        })
    }

    /// The logical type.
    pub(crate) fn value_type(self) -> ValueType {
        match self {
            Layout::String => ValueType::String,
            Layout::List(_) => ValueType::List,
            Layout::Set(_) => ValueType::Set,
            Layout::Zset(_) => ValueType::Zset,
            Layout::Hash(_) => ValueType::Hash,
            Layout::Stream(_) => ValueType::Stream,
            Layout::Array => ValueType::Array,
            Layout::Module => ValueType::Module,
        }
    }

    /// Steps over a value.
    #[inline]
    pub(crate) fn skip<'a>(self, input: &'a [u8], templates: &Templates) -> Parsed<'a, ()> {
        match self {
            Layout::String => skip_string(input),
            Layout::List(layout) => layout.skip(input),
            Layout::Set(layout) => layout.skip(input),
            Layout::Zset(layout) => layout.skip(input),
            Layout::Hash(layout) => layout.skip(input, templates),
            Layout::Stream(version) => version.skip(input),
            Layout::Array => array::skip(input),
            Layout::Module => module::skip(input),
        }
    }
}

/// Steps over `n` strings; `n` is untrusted, but each string takes a byte or the input ends.
#[inline]
pub(crate) fn skip_strings(mut input: &[u8], n: u64) -> Parsed<'_, ()> {
    for _ in 0..n {
        (input, ()) = skip_string(input)?;
    }
    Ok((input, ()))
}

/// Passes on the elements of a blob in twos; `what` they are is said where one is alone.
fn pairs<'b>(
    mut elements: impl Iterator<Item = Result<Text<'b>, Flaw>>,
    end: usize,
    code: Code,
    what: &'static str,
    mut f: impl FnMut(Text<'b>, Text<'b>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    while let Some(first) = elements.next() {
        let first = first?;
        let Some(second) = elements.next() else {
            return Err(Flaw::new(code, end, what, "an even number", "an odd one"));
        };
        f(first, second?)?;
    }
    Ok(())
}

/// The stored form of one value, framed: all its bytes are there.
#[derive(Clone, Debug)]
pub(crate) struct RawValue<'a> {
    pub(crate) layout: Layout,
    /// The value, from behind the key to its end.
    pub(crate) bytes: &'a [u8],
    /// File offset of the end of `bytes`.
    pub(crate) end_offset: u64,
    /// The templates that the value may name.
    pub(crate) templates: Templates,
}

impl RawValue<'_> {
    /// Turns what a parser said about a value into an error with its place.
    #[cold]
    pub(crate) fn locate(&self, failure: nom::Err<Fail>) -> Error {
        match failure {
            nom::Err::Error(fail) | nom::Err::Failure(fail) => fail.locate(self.end_offset),
            // The value was framed, so only a bug or a torn mapping can end it early.
            nom::Err::Incomplete(_) => {
                Error::new(ErrorKind::InputChanged).at_offset(self.end_offset)
            }
        }
    }
}

/// A value behind a view of its type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A string.
    String(StringValue<'a>),
    /// A list.
    List(List<'a>),
    /// A set.
    Set(Set<'a>),
    /// A sorted set.
    Zset(Zset<'a>),
    /// A hash, with or without field TTLs.
    Hash(Hash<'a>),
    /// A stream.
    Stream(Stream<'a>),
    /// A sparse array.
    Array(Array<'a>),
    /// A module's value.
    Module(ModuleValue<'a>),
}

impl<'a> Value<'a> {
    pub(crate) fn new(raw: RawValue<'a>) -> Self {
        match raw.layout {
            Layout::String => Value::String(StringValue(raw)),
            Layout::List(layout) => Value::List(List { raw, layout }),
            Layout::Set(layout) => Value::Set(Set { raw, layout }),
            Layout::Zset(layout) => Value::Zset(Zset { raw, layout }),
            Layout::Hash(layout) => Value::Hash(Hash { raw, layout }),
            Layout::Stream(version) => Value::Stream(Stream { raw, version }),
            Layout::Array => Value::Array(Array(raw)),
            Layout::Module => Value::Module(ModuleValue(raw)),
        }
    }
}

/// Buffers that decoding reuses from value to value.
///
/// A string that stands raw in the input is never copied; one that must be
/// expanded goes into one of these, which grow to the largest seen and are
/// given back by [`Scratch::trim`].
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) blob: Vec<u8>,
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
    pub(crate) form: blobs::Form,
}

impl Scratch {
    /// Makes empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Scratch::default()
    }

    /// Gives back what an unusually large value took.
    pub fn trim(&mut self) {
        for buffer in [&mut self.blob, &mut self.first, &mut self.second] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}
