//! Module ids and the self-describing item streams of module data.
//!
//! ```text
//! value   = length id, item*, 00                type 7, opcode 247
//! item    = length opcode, payload
//!           1 SINT length | 2 UINT length | 3 FLOAT f32 LE | 4 DOUBLE f64 LE | 5 STRING string
//! id      = 9 characters of 6 bits, first one highest, then 10 bits of encoding version
//! ```
//!
//! Because every item says what it is, any module's value can be stepped over,
//! printed and copied without the module. Key metadata (opcode 243, Redis 8.6)
//! holds the same streams behind a 4-byte class id whose alphabet ends in `_-`,
//! not in `-_`. Source: `module.c`, `rdb.c rdbLoadCheckModuleValue`.

use nom::bytes::streaming::take;
use nom::number::streaming::{le_f32, le_f64, le_u32};

use super::constants::module_opcode;
use super::length::{encode_length, length};
use super::string::{RdbString, StringEncoder, string};
use crate::error::{Code, Fail, Flaw, Parsed};
use crate::model::sink::{KeyMetaEntry, ModuleField};

const MODULE_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CLASS_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// A module type's name and encoding version, packed into 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub u64);

impl ModuleId {
    /// Packs a name of nine characters; `None` if a character is not in the alphabet.
    ///
    /// ```
    /// use rdbkit::rdb::ModuleId;
    /// let id = ModuleId::new("ReJSON-RL", 3).unwrap();
    /// assert_eq!((id.name().as_str(), id.encoding_version()), ("ReJSON-RL", 3));
    /// ```
    #[must_use]
    pub fn new(name: &str, encoding_version: u16) -> Option<Self> {
        if name.len() != 9 || encoding_version > 1023 {
            return None;
        }
        let id = pack(name, MODULE_ALPHABET)?;
        Some(ModuleId(id << 10 | u64::from(encoding_version)))
    }

    /// The nine characters of the name.
    #[must_use]
    pub fn name(self) -> String {
        unpack::<9>(self.0 >> 10, MODULE_ALPHABET)
    }

    /// The encoding version, 0 to 1023.
    #[must_use]
    pub fn encoding_version(self) -> u16 {
        (self.0 & 1023) as u16
    }
}

/// Whether a class of key metadata can have this name: four characters of its alphabet.
pub(crate) fn is_class_name(name: &str) -> bool {
    name.len() == 4 && pack(name, CLASS_ALPHABET).is_some()
}

/// Packs characters into six bits each, the first one highest.
fn pack(name: &str, alphabet: &[u8; 64]) -> Option<u64> {
    name.bytes().try_fold(0, |packed, byte| {
        let index = alphabet.iter().position(|&known| known == byte)?;
        Some(packed << 6 | index as u64)
    })
}

/// Unpacks characters of six bits, the last one lowest.
fn unpack<const N: usize>(mut packed: u64, alphabet: &[u8; 64]) -> String {
    let mut name = [0; N];
    for byte in name.iter_mut().rev() {
        *byte = alphabet[(packed & 63) as usize];
        packed >>= 6;
    }
    name.iter().map(|&byte| char::from(byte)).collect()
}

/// One item of a module's data.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModuleItem<'a> {
    /// A signed integer.
    Sint(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// A string.
    String(RdbString<'a>),
}

/// Parses an item; `None` is the end of the stream.
pub(crate) fn item(input: &[u8]) -> Parsed<'_, Option<ModuleItem<'_>>> {
    let (rest, opcode) = length(input)?;
    match opcode {
        module_opcode::EOF => Ok((rest, None)),
        module_opcode::SINT => {
            length(rest).map(|(rest, n)| (rest, Some(ModuleItem::Sint(n as i64))))
        }
        module_opcode::UINT => length(rest).map(|(rest, n)| (rest, Some(ModuleItem::Uint(n)))),
        module_opcode::FLOAT => le_f32(rest).map(|(rest, x)| (rest, Some(ModuleItem::Float(x)))),
        module_opcode::DOUBLE => le_f64(rest).map(|(rest, x)| (rest, Some(ModuleItem::Double(x)))),
        module_opcode::STRING => string(rest).map(|(rest, s)| (rest, Some(ModuleItem::String(s)))),
        _ => Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadModule,
            "module opcode",
            "0 to 5",
            opcode,
        ))),
    }
}

/// Steps over the items of a module's data and the zero that ends them.
pub(crate) fn skip_items(mut input: &[u8]) -> Parsed<'_, ()> {
    loop {
        match item(input)? {
            (rest, Some(_)) => input = rest,
            (rest, None) => return Ok((rest, ())),
        }
    }
}

/// The items of one module value, aux record or metadata class, in order.
///
/// The bytes were framed before, so no item can fail to parse.
#[derive(Clone, Copy, Debug)]
pub struct ModuleItems<'a>(&'a [u8]);

impl<'a> ModuleItems<'a> {
    /// The items of a value that was framed before.
    pub(crate) fn new(framed: &'a [u8]) -> Self {
        ModuleItems(framed)
    }

    /// The encoded items as they stand in the file, the ending zero included.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for ModuleItems<'a> {
    type Item = ModuleItem<'a>;

    fn next(&mut self) -> Option<ModuleItem<'a>> {
        let (rest, next) = item(self.0).ok()?;
        // At the end the ending zero stays, so that asking again answers the same.
        self.0 = if next.is_some() { rest } else { self.0 };
        next
    }
}

/// The text of a `ReJSON-RL` 3 document, one string; `None` for any other module.
pub(crate) fn json_document<'i>(
    id: ModuleId,
    mut items: impl Iterator<Item = ModuleItem<'i>>,
) -> Result<Option<Vec<u8>>, Flaw> {
    match (
        id.name().as_str(),
        id.encoding_version(),
        items.next(),
        items.next(),
    ) {
        ("ReJSON-RL", 3, Some(ModuleItem::String(text)), None) => text.to_vec().map(Some),
        _ => Ok(None),
    }
}

/// Data that a module stored outside the keyspace (opcode 247).
#[derive(Clone, Copy, Debug)]
pub struct ModuleAux<'a> {
    /// The module.
    pub id: ModuleId,
    /// Whether it is to be loaded before (1) or after (2) the keys.
    pub when: u64,
    /// What it stored.
    pub items: ModuleItems<'a>,
}

/// Parses what follows opcode 247.
pub(crate) fn module_aux(input: &[u8]) -> Parsed<'_, ModuleAux<'_>> {
    let (rest, id) = length(input)?;
    let (items, when) = match item(rest)? {
        (items, Some(ModuleItem::Uint(when))) => (items, when),
        _ => {
            let fail = Fail::broken(
                rest,
                Code::BadModule,
                "first item of a module aux record",
                "an unsigned \"when\"",
                "another item",
            );
            return Err(nom::Err::Failure(fail));
        }
    };
    let (end, ()) = skip_items(items)?;
    let items = ModuleItems(&items[..items.len() - end.len()]);
    Ok((
        end,
        ModuleAux {
            id: ModuleId(id),
            when,
            items,
        },
    ))
}

/// The metadata that modules attached to one key (opcode 243, Redis 8.6+).
#[derive(Clone, Copy, Debug)]
pub struct KeyMeta<'a> {
    framed: &'a [u8],
}

/// What one class of metadata says about a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyMetaClass<'a> {
    /// Class name (4 × 6 bits), version (5 bits) and flags (3 bits).
    pub spec: u32,
    /// What the class stored.
    pub items: ModuleItems<'a>,
}

impl KeyMetaClass<'_> {
    /// The four characters of the class name.
    #[must_use]
    pub fn name(&self) -> String {
        unpack::<4>(u64::from(self.spec >> 8), CLASS_ALPHABET)
    }

    /// The class's version, 0 to 31.
    #[must_use]
    pub fn version(&self) -> u8 {
        (self.spec >> 3 & 31) as u8
    }

    /// Flags; bit 0 lets a server that does not know the class ignore it.
    #[must_use]
    pub fn flags(&self) -> u8 {
        (self.spec & 7) as u8
    }
}

impl<'a> KeyMeta<'a> {
    /// The record as it stands in the file, without its opcode.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.framed
    }

    /// The classes, in order.
    pub fn classes(&self) -> impl Iterator<Item = KeyMetaClass<'a>> + use<'a> {
        let (mut input, mut left) = length(self.framed).unwrap_or((&[], 0));
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (rest, class) = key_meta_class(input).ok()?;
            input = rest;
            Some(class)
        })
    }
}

/// Appends a record of key metadata, without its opcode; a class whose name has no encoding
/// is left out.
pub(crate) fn encode_key_meta(
    classes: &[KeyMetaEntry],
    strings: &mut StringEncoder,
    out: &mut Vec<u8>,
) {
    let spec = |class: &KeyMetaEntry| {
        let name = pack(&class.class, CLASS_ALPHABET).filter(|_| class.class.len() == 4)?;
        Some((name as u32) << 8 | u32::from(class.version & 31) << 3 | u32::from(class.flags & 7))
    };
    let known: Vec<_> = classes
        .iter()
        .filter_map(|class| Some((spec(class)?, class)))
        .collect();
    encode_length(known.len() as u64, out);
    for (spec, class) in known {
        out.extend_from_slice(&spec.to_le_bytes());
        for item in &class.items {
            encode_item(item, strings, out);
        }
        encode_length(module_opcode::EOF, out);
    }
}

/// Appends an item of a module's data.
pub(crate) fn encode_item(item: &ModuleField, strings: &mut StringEncoder, out: &mut Vec<u8>) {
    match item {
        ModuleField::Sint(n) => {
            encode_length(module_opcode::SINT, out);
            encode_length(*n as u64, out);
        }
        ModuleField::Uint(n) => {
            encode_length(module_opcode::UINT, out);
            encode_length(*n, out);
        }
        ModuleField::Float(x) => {
            encode_length(module_opcode::FLOAT, out);
            out.extend_from_slice(&x.to_le_bytes());
        }
        ModuleField::Double(x) => {
            encode_length(module_opcode::DOUBLE, out);
            out.extend_from_slice(&x.to_le_bytes());
        }
        ModuleField::String(text) => {
            encode_length(module_opcode::STRING, out);
            strings.encode(text, out);
        }
    }
}

fn key_meta_class(input: &[u8]) -> Parsed<'_, KeyMetaClass<'_>> {
    let (items, spec) = le_u32(input)?;
    let (end, ()) = skip_items(items)?;
    let items = ModuleItems(&items[..items.len() - end.len()]);
    Ok((end, KeyMetaClass { spec, items }))
}

/// A key has metadata of at most so many classes.
pub(crate) const MAX_CLASSES: u64 = 7;

/// Parses what follows opcode 243 in a Redis file.
pub(crate) fn key_meta(input: &[u8]) -> Parsed<'_, KeyMeta<'_>> {
    let (mut rest, classes) = length(input)?;
    if classes > MAX_CLASSES {
        return Err(nom::Err::Failure(Fail::broken(
            input,
            Code::BadModule,
            "classes of key metadata",
            "at most 7",
            classes,
        )));
    }
    for _ in 0..classes {
        (rest, _) = key_meta_class(rest)?;
    }
    let (rest, framed) = take(input.len() - rest.len())(input)?;
    Ok((rest, KeyMeta { framed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_known_modules_unpack() {
        let table: &[(u64, &str, u16)] = &[
            (0x45e2_5238_df91_2c03, "ReJSON-RL", 3),
            (0x3016_e5a2_89be_f804, "MBbloom--", 4),
            (0x08c4_a4f9_360f_1000, "CMSk-TYPE", 0),
            (0x4d20_c1f9_360f_1008, "TSDB-TYPE", 8),
            (0xbde7_2da2_bb1e_b400, "vectorset", 0),
        ];
        for &(id, name, version) in table {
            assert_eq!(
                (
                    ModuleId(id).name().as_str(),
                    ModuleId(id).encoding_version()
                ),
                (name, version)
            );
            assert_eq!(ModuleId::new(name, version), Some(ModuleId(id)));
        }
    }

    #[test]
    fn metadata_classes_unpack_with_their_own_alphabet() {
        let items = ModuleItems(&[0]);
        let class = |bytes: [u8; 4]| {
            let class = KeyMetaClass {
                spec: u32::from_le_bytes(bytes),
                items,
            };
            (class.name(), class.version(), class.flags())
        };
        assert_eq!(class([0x19, 0xf5, 0xc4, 0x28]), ("KMT1".to_owned(), 3, 1));
        assert_eq!(class([0xf8, 0xbf, 0x3f, 0xcf]), ("zz_-".to_owned(), 31, 0));
    }
}
