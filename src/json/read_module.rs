//! Module data of the schema: items of any module, documents, key metadata.

use super::cursor::{Cursor, Parsed};
use super::reader::once;
use crate::model::sink::{KeyMetaEntry, ModuleData, ModuleField, ValueSink};
use crate::rdb::ModuleId;
use crate::rdb::module::{MAX_CLASSES, is_class_name};

/// What names the type of a module's value.
pub(super) const MODULE_NAME: &str =
    "nine characters of the alphabet of modules, and a version up to 1023";
/// What names a class of key metadata.
const CLASS_NAME: &str = "four characters of the alphabet of classes";

/// What the items of a module mean, by its type's name and encoding version.
pub type ModuleMeaning = fn(&str, u16, &[ModuleField]) -> Option<ModuleData>;

/// Takes `[["uint",1],["double","<16 hex>"],["string",".."],..]`.
pub(super) fn module_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<ModuleField>> {
    let mut items = Vec::new();
    cursor.array("items of a module: an array", |cursor| {
        cursor.peek();
        let at = cursor.at;
        let (_, item) = cursor.pair(
            "an item: its kind and value",
            |cursor| cursor.string("the kind of an item"),
            |cursor, kind| item(kind, at, cursor),
        )?;
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

fn item(kind: &[u8], at: usize, cursor: &mut Cursor<'_>) -> Parsed<ModuleField> {
    Ok(match kind {
        b"sint" => ModuleField::Sint(cursor.integer("a signed integer")?),
        b"uint" => ModuleField::Uint(cursor.integer("an unsigned integer")?),
        b"float" => {
            let bits = bits(cursor, 8, "8 hexadecimal digits")?;
            ModuleField::Float(f32::from_bits(bits as u32))
        }
        b"double" => {
            let bits = bits(cursor, 16, "16 hexadecimal digits")?;
            ModuleField::Double(f64::from_bits(bits))
        }
        b"string" => ModuleField::String(cursor.text("a string")?.into_owned()),
        _ => return cursor.wrong(at, "sint, uint, float, double or string", "another kind"),
    })
}

fn bits(cursor: &mut Cursor<'_>, digits: usize, expected: &'static str) -> Parsed<u64> {
    cursor.peek();
    let at = cursor.at;
    let text = cursor.string(expected)?;
    let value = std::str::from_utf8(&text)
        .ok()
        .filter(|text| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|text| u64::from_str_radix(text, 16).ok());
    match value {
        Some(bits) => Ok(bits),
        None => cursor.wrong(at, expected, "another string"),
    }
}

/// Takes a number of few bits.
fn small(cursor: &mut Cursor<'_>, most: u8, expected: &'static str) -> Parsed<u8> {
    cursor.peek();
    let at = cursor.at;
    match cursor.integer(expected)? {
        n if n <= most => Ok(n),
        _ => cursor.wrong(at, expected, "a greater one"),
    }
}

/// Takes the classes of a key's metadata.
pub(super) fn key_meta(cursor: &mut Cursor<'_>) -> Parsed<Vec<KeyMetaEntry>> {
    cursor.peek();
    let start = cursor.at;
    let mut classes = Vec::new();
    cursor.array("classes of key metadata: an array", |cursor| {
        let mut class = KeyMetaEntry {
            class: String::new(),
            version: 0,
            flags: 0,
            items: Vec::new(),
        };
        cursor.members("a class: an object", |cursor, name, at| {
            match &*name {
                b"class" => {
                    let name = cursor.string("the name of a class")?;
                    class.class = String::from_utf8_lossy(&name).into_owned();
                    if !is_class_name(&class.class) {
                        return cursor.wrong(at, CLASS_NAME, "another string");
                    }
                }
                b"version" => class.version = small(cursor, 31, "a version from 0 to 31")?,
                b"flags" => class.flags = small(cursor, 7, "flags from 0 to 7")?,
                b"items" => class.items = module_items(cursor)?,
                _ => return cursor.wrong(at, "a member of a class", "another name"),
            }
            Ok(())
        })?;
        if class.class.is_empty() {
            return cursor.wrong(start, "the name of each class", "one without");
        }
        classes.push(class);
        Ok(())
    })?;
    match classes.len() as u64 <= MAX_CLASSES {
        true => Ok(classes),
        false => cursor.wrong(start, "at most 7 classes of key metadata", "more"),
    }
}

/// Tells a module's value: its items, or the document that is its only item.
pub(super) fn export_module(
    cursor: &mut Cursor<'_>,
    meaning: ModuleMeaning,
    sink: &mut impl ValueSink,
) -> Parsed<()> {
    cursor.peek();
    let start = *cursor;
    let (mut module, mut encver, mut data, mut items) = (None, None, None, None);
    cursor.members("a module's value: an object", |cursor, name, at| {
        let member = match &*name {
            b"module" => &mut module,
            b"encver" => &mut encver,
            b"data" => &mut data,
            b"items" => &mut items,
            _ => return cursor.wrong(at, "a member of a module's value", "another name"),
        };
        once(cursor, member)
    })?;
    let (Some(mut module), Some(mut encver)) = (module, encver) else {
        return start.wrong(start.at, "`module` and `encver`", "an object without them");
    };
    let module_at = module.at;
    let name = module.string("the name of a module's type")?;
    let Ok(name) = std::str::from_utf8(&name) else {
        return start.wrong(module_at, MODULE_NAME, "another string");
    };
    let encoding_version = encver.integer("an encoding version")?;
    if ModuleId::new(name, encoding_version).is_none() {
        return start.wrong(
            module_at,
            MODULE_NAME,
            "another string, or a greater number",
        );
    }
    let items = match (items, data) {
        (Some(mut items), _) => module_items(&mut items)?,
        // The text of the document is all that the module stores.
        (None, Some(mut document)) if (name, encoding_version) == ("ReJSON-RL", 3) => {
            vec![ModuleField::String(document.value()?.to_vec())]
        }
        (None, _) => return start.wrong(start.at, "`items`", "a module's value without them"),
    };
    let encoded_len = (cursor.at - start.at) as u64;
    let data = meaning(name, encoding_version, &items);
    sink.module(
        name,
        encoding_version,
        data.as_ref(),
        &mut items.into_iter(),
        encoded_len,
    );
    Ok(())
}
