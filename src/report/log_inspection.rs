//! What `inspect` prints of a log, for people and for programs.

use std::fmt::Write as _;

use super::lines::Object;
use super::table::{Align, bytes, grouped, table};
use crate::error::escape_key;
use crate::ops::inspect_log::LogInspection;

/// The report for people.
#[must_use]
pub fn text(name: &str, seen: &LogInspection) -> String {
    let mut out = String::new();
    let stats = &seen.framed.stats;
    let _ = writeln!(out, "{:<12} {name}", "file");
    let _ = writeln!(out, "{:<12} {}", "kind", kind(seen));
    let _ = writeln!(out, "{:<12} {}", "size", bytes(seen.bytes()));
    let _ = writeln!(
        out,
        "{:<12} {}, {} transactions",
        "records",
        grouped(stats.records.count),
        grouped(stats.multis)
    );
    if let (Some(first), Some(last)) = (stats.first_timestamp, stats.last_timestamp) {
        let _ = writeln!(
            out,
            "{:<12} {first} to {last} (seconds since 1970, {} annotations)",
            "time",
            grouped(stats.annotations)
        );
    }
    let dead = match (seen.dead_bytes(), seen.live_bytes) {
        (Some(dead), Some(live)) => format!(
            "{} ({:.1} %), {} live: as commands of a rewrite",
            bytes(dead),
            share(dead, seen.bytes()),
            bytes(live)
        ),
        _ => "unknown: the log cannot be replayed exactly".to_owned(),
    };
    let _ = writeln!(out, "{:<12} {dead}", "dead bytes");
    if seen.parts.iter().any(|part| part.name.is_some()) {
        out.push_str("\nparts\n");
        let rows: Vec<_> = seen
            .parts
            .iter()
            .map(|part| {
                vec![
                    part.name.clone().unwrap_or_default(),
                    bytes(part.bytes),
                    form(part.has_rdb).to_owned(),
                ]
            })
            .collect();
        table(&[Align::Left, Align::Right, Align::Left], &rows, &mut out);
    }
    let commands = stats.by_bytes();
    if !commands.is_empty() {
        out.push_str("\ncommands\n");
        let mut rows = vec![["name", "records", "bytes"].map(String::from).to_vec()];
        rows.extend(commands.iter().map(|(name, count)| {
            vec![
                name.escape_ascii().to_string(),
                grouped(count.count),
                grouped(count.bytes),
            ]
        }));
        table(&[Align::Left, Align::Right, Align::Right], &rows, &mut out);
    }
    if !seen.hot_keys.is_empty() {
        out.push_str("\nkeys most written\n");
        let mut rows = vec![["bytes", "records", "db", "key"].map(String::from).to_vec()];
        rows.extend(seen.hot_keys.iter().map(|hot| {
            vec![
                grouped(hot.bytes),
                grouped(hot.commands),
                hot.db.to_string(),
                escape_key(&hot.key),
            ]
        }));
        let aligns = [Align::Right, Align::Right, Align::Right, Align::Left];
        table(&aligns, &rows, &mut out);
    }
    out
}

/// Per cent of all bytes.
fn share(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

fn kind(seen: &LogInspection) -> &'static str {
    match seen.parts.as_slice() {
        [part] if part.name.is_none() && part.has_rdb => "hybrid AOF",
        [part] if part.name.is_none() => "AOF",
        _ => "multi-part AOF",
    }
}

fn form(has_rdb: bool) -> &'static str {
    if has_rdb { "RDB" } else { "commands" }
}

/// The report for programs: the data of one `inspection` line.
#[must_use]
pub fn json(name: &str, seen: &LogInspection) -> Object {
    let stats = &seen.framed.stats;
    Object::new()
        .string("file", name)
        .string("kind", kind(seen))
        .number("bytes", seen.bytes())
        .optional_number("live_bytes", seen.live_bytes)
        .optional_number("dead_bytes", seen.dead_bytes())
        .number("commands", stats.records.count)
        .number("transactions", stats.multis)
        .number("annotations", stats.annotations)
        .optional_number("first_timestamp", stats.first_timestamp)
        .optional_number("last_timestamp", stats.last_timestamp)
        .objects(
            "parts",
            seen.parts.iter().map(|part| {
                Object::new()
                    .optional("name", part.name.as_ref())
                    .number("bytes", part.bytes)
                    .string("form", form(part.has_rdb))
            }),
        )
        .objects(
            "by_command",
            stats.by_bytes().into_iter().map(|(name, count)| {
                Object::new()
                    .string("name", name)
                    .number("records", count.count)
                    .number("bytes", count.bytes)
            }),
        )
        .objects(
            "hot_keys",
            seen.hot_keys.iter().map(|hot| {
                Object::new()
                    .number("db", hot.db)
                    .string("key", &hot.key)
                    .number("records", hot.commands)
                    .number("bytes", hot.bytes)
            }),
        )
}
