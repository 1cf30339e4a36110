//! What `inspect` prints of an RDB, for people and for programs.

use std::fmt::Write as _;

use super::lines::Object;
use super::table::{Align, bytes, grouped, table};
use crate::error::escape_key;
use crate::ops::inspect::Inspection;
use crate::rdb::Checksum;

/// What is known of the input beside its RDB.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The input as the user named it.
    pub name: String,
    /// `RDB`, `hybrid AOF`, …
    pub kind: String,
    /// Bytes of the file, if that is known.
    pub bytes: Option<u64>,
    /// What follows the RDB, in words.
    pub tail: Option<String>,
}

/// The report for people.
#[must_use]
pub fn text(subject: &Subject, seen: &Inspection) -> String {
    let mut out = String::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "{name:<12} {value}");
        }
    };
    fact("file", subject.name.clone());
    let version = seen
        .dialect
        .map(|dialect| format!(", {} version {}", dialect.magic(), dialect.version))
        .unwrap_or_default();
    fact("kind", format!("{}{version}", subject.kind));
    let server = seen.server().unwrap_or_default();
    fact("server", server.escape_default().to_string());
    fact("size", bytes(subject.bytes.unwrap_or(seen.bytes)));
    // JSON has none.
    if subject.kind != "JSON" {
        fact("checksum", checksum(seen.checksum));
    }
    fact("then", subject.tail.clone().unwrap_or_default());
    if !seen.aux.is_empty() {
        out.push_str("\naux fields\n");
        let rows: Vec<_> = seen
            .aux
            .iter()
            .map(|(key, value)| {
                vec![
                    key.escape_ascii().to_string(),
                    value.escape_ascii().to_string(),
                ]
            })
            .collect();
        table(&[Align::Left, Align::Left], &rows, &mut out);
    }
    out.push_str("\ndatabases\n");
    table(
        &[
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Left,
        ],
        &database_rows(seen),
        &mut out,
    );
    if !seen.types.is_empty() {
        out.push_str("\ntypes\n");
        table(
            &[Align::Left, Align::Left, Align::Right, Align::Right],
            &type_rows(seen),
            &mut out,
        );
    }
    if !seen.functions.is_empty() {
        out.push_str("\nfunction libraries\n");
        for name in &seen.functions {
            let _ = writeln!(out, "  {}", name.escape_ascii());
        }
    }
    if !seen.modules.is_empty() {
        out.push_str("\nmodules\n");
        let rows: Vec<_> = std::iter::once(
            ["name", "encver", "keys", "aux records"]
                .map(String::from)
                .to_vec(),
        )
        .chain(seen.modules.iter().map(|(id, uses)| {
            vec![
                id.name(),
                id.encoding_version().to_string(),
                grouped(uses.keys),
                grouped(uses.aux_records),
            ]
        }))
        .collect();
        table(
            &[Align::Left, Align::Right, Align::Right, Align::Right],
            &rows,
            &mut out,
        );
    }
    let also: Vec<_> = extras(seen)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .chain(others(seen))
        .map(|(name, n)| vec![name.replace('_', " "), grouped(n)])
        .collect();
    if !also.is_empty() {
        out.push_str("\nalso\n");
        table(&[Align::Left, Align::Right], &also, &mut out);
    }
    if !seen.largest.is_empty() {
        out.push_str("\nlargest values\n");
        let rows: Vec<_> =
            std::iter::once(["bytes", "db", "type", "key"].map(String::from).to_vec())
                .chain(seen.largest.iter().map(|large| {
                    vec![
                        grouped(large.bytes),
                        large.db.to_string(),
                        large.value_type.name().to_owned(),
                        escape_key(&large.key),
                    ]
                }))
                .collect();
        table(
            &[Align::Right, Align::Right, Align::Left, Align::Left],
            &rows,
            &mut out,
        );
    }
    out
}

fn checksum(checksum: Option<Checksum>) -> String {
    match checksum {
        None => "not reached".to_owned(),
        Some(Checksum::Absent) => "none (version before 5)".to_owned(),
        Some(Checksum::Disabled) => "none stored (rdbchecksum no)".to_owned(),
        Some(Checksum::Unchecked(stored)) => format!("{stored:016x}, not compared"),
        Some(Checksum::Valid(stored)) => format!("{stored:016x}, correct"),
        Some(Checksum::Mismatch { stored, computed }) => {
            format!("{stored:016x}, WRONG: the bytes give {computed:016x}")
        }
    }
}

fn checksum_word(checksum: Option<Checksum>) -> &'static str {
    match checksum {
        None => "not_reached",
        Some(Checksum::Absent) => "absent",
        Some(Checksum::Disabled) => "disabled",
        Some(Checksum::Unchecked(_)) => "unchecked",
        Some(Checksum::Valid(_)) => "valid",
        Some(Checksum::Mismatch { .. }) => "mismatch",
    }
}

fn database_rows(seen: &Inspection) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["db", "keys", "expires", "bytes", ""]
            .map(String::from)
            .to_vec(),
    ];
    for (number, database) in &seen.databases {
        let note = match database.declared {
            Some((keys, expires)) if (keys, expires) != (database.keys, database.expires) => {
                format!(
                    "RESIZEDB says {} keys, {} expires",
                    grouped(keys),
                    grouped(expires)
                )
            }
            _ => String::new(),
        };
        rows.push(vec![
            number.to_string(),
            grouped(database.keys),
            grouped(database.expires),
            grouped(database.bytes),
            note,
        ]);
    }
    let others = seen.others.databases;
    if others.keys > 0 {
        rows.push(vec![
            "others".to_owned(),
            grouped(others.keys),
            grouped(others.expires),
            grouped(others.bytes),
        ]);
    }
    if seen.databases.is_empty() {
        rows.push(vec!["(no keys)".to_owned()]);
    }
    rows
}

fn type_rows(seen: &Inspection) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["type", "encoding", "keys", "bytes"]
            .map(String::from)
            .to_vec(),
    ];
    for ((value_type, encoding), volume) in &seen.types {
        rows.push(vec![
            value_type.name().to_owned(),
            encoding.clone(),
            grouped(volume.keys),
            grouped(volume.bytes),
        ]);
    }
    rows
}

fn extras(seen: &Inspection) -> [(&'static str, u64); 5] {
    [
        ("scripts", seen.scripts),
        ("slots_with_info", seen.slots),
        ("hash_templates", seen.templates),
        ("slot_imports", seen.slot_imports),
        ("keys_with_metadata", seen.keys_with_metadata),
    ]
}

/// What is counted because there is too much of it to be listed.
fn others(seen: &Inspection) -> impl Iterator<Item = (&'static str, u64)> {
    let others = &seen.others;
    [
        ("other_aux_fields", others.aux),
        ("keys_of_other_databases", others.databases.keys),
        ("other_function_libraries", others.functions),
        ("keys_of_other_types", others.types.keys),
        ("keys_of_other_modules", others.modules.keys),
        ("aux_records_of_other_modules", others.modules.aux_records),
    ]
    .into_iter()
    .filter(|(_, n)| *n > 0)
}

/// The report for programs: the data of one `inspection` line.
#[must_use]
pub fn json(subject: &Subject, seen: &Inspection) -> Object {
    let (keys, expires) = seen.keys();
    let mut report = Object::new()
        .string("file", &subject.name)
        .string("kind", &subject.kind)
        .optional("magic", seen.dialect.map(|dialect| dialect.magic()))
        .optional_number("version", seen.dialect.map(|dialect| dialect.version))
        .optional("server", seen.server())
        .number("bytes", subject.bytes.unwrap_or(seen.bytes))
        .string("checksum", checksum_word(seen.checksum))
        .optional("tail", subject.tail.as_ref())
        .number("keys", keys)
        .number("expires", expires)
        .objects(
            "aux",
            seen.aux
                .iter()
                .map(|(name, value)| Object::new().string("name", name).string("value", value)),
        );
    report = report.objects(
        "databases",
        seen.databases.iter().map(|(number, db)| {
            Object::new()
                .number("db", *number)
                .number("keys", db.keys)
                .number("expires", db.expires)
                .number("bytes", db.bytes)
                .optional_number("declared_keys", db.declared.map(|(keys, _)| keys))
                .optional_number("declared_expires", db.declared.map(|(_, expires)| expires))
        }),
    );
    report = report.objects(
        "types",
        seen.types.iter().map(|((value_type, encoding), volume)| {
            Object::new()
                .string("type", value_type.name())
                .string("encoding", encoding)
                .number("keys", volume.keys)
                .number("bytes", volume.bytes)
        }),
    );
    report = report.objects(
        "functions",
        seen.functions
            .iter()
            .map(|name| Object::new().string("name", name)),
    );
    report = report.objects(
        "modules",
        seen.modules.iter().map(|(id, uses)| {
            Object::new()
                .string("name", id.name())
                .number("encver", id.encoding_version())
                .number("keys", uses.keys)
                .number("aux_records", uses.aux_records)
        }),
    );
    for (name, n) in extras(seen).into_iter().chain(others(seen)) {
        report = report.number(name, n);
    }
    report.objects(
        "largest",
        seen.largest.iter().map(|large| {
            Object::new()
                .number("bytes", large.bytes)
                .number("db", large.db)
                .string("type", large.value_type.name())
                .string("key", &large.key)
        }),
    )
}
