//! From an input argument to something to read.

use rdbkit::error::{Error, Result};
use rdbkit::input::{self, Expanded, Expansion, Purpose};
use rdbkit::num::Flavor;
use rdbkit::ops::log::Log;
pub(crate) use rdbkit::ops::opened::Opened;
use rdbkit::ops::pipeline::Pipeline;
use rdbkit::ops::replay::{ReplayOptions, Replayed, Until};
use rdbkit::replay::Now;

use super::args::{InputArgs, Kind, ReplayArgs};
use super::printer::Printer;

impl InputArgs {
    /// The kind that the flags name.
    fn kind(&self) -> Option<input::Kind> {
        let kind = if self.dump_payload {
            Some(Kind::DumpPayload)
        } else {
            self.as_kind
        };
        kind.map(|kind| match kind {
            Kind::Rdb => input::Kind::Rdb,
            Kind::Aof => input::Kind::Aof,
            Kind::Manifest => input::Kind::Manifest,
            Kind::Json => input::Kind::Json,
            Kind::DumpPayload => input::Kind::DumpPayload,
        })
    }

    /// Opens what an argument stands for.
    pub(crate) fn open(&self, expanded: &Expanded) -> Result<Opened> {
        Opened::of_expanded(expanded, self.kind())
    }
}

impl ReplayArgs {
    /// How to replay a log.
    pub(crate) fn options(
        &self,
        now_ms: Option<i64>,
        log: &Log,
        pipeline: Pipeline,
    ) -> Result<ReplayOptions> {
        let mut options = ReplayOptions::default();
        options.pipeline = pipeline;
        if let Some(text) = &self.until {
            options.until = parse_until(text)?;
        }
        if let Some(now_ms) = now_ms {
            options.replay.now = Now::At(now_ms);
        }
        options.replay.flavor = self.release()?.unwrap_or(log.flavor());
        options.replay.scripts = !self.no_scripts;
        Ok(options)
    }

    /// The release that `--flavor` names.
    pub(crate) fn release(&self) -> Result<Option<Flavor>> {
        let Some(name) = &self.flavor else {
            return Ok(None);
        };
        let refuse = || {
            Error::usage(format!(
                "--flavor {name}: not a release, as redis-7.2 or valkey-9.1"
            ))
        };
        Flavor::parse(name).map(Some).ok_or_else(refuse)
    }
}

/// Parses `ts:UNIX`, `offset:N` or `command:N`.
fn parse_until(text: &str) -> Result<Until> {
    let refuse = || {
        Error::usage(format!(
            "--until {text}: must be ts:UNIX, offset:N or command:N"
        ))
    };
    let (unit, number) = text.split_once(':').ok_or_else(refuse)?;
    match unit {
        "ts" => number.parse().map(Until::Timestamp).map_err(|_| refuse()),
        "offset" => number.parse().map(Until::Offset).map_err(|_| refuse()),
        "command" => number.parse().map(Until::Command).map_err(|_| refuse()),
        _ => Err(refuse()),
    }
}

/// What a folder or file stands for; its warnings are said.
pub(crate) fn expand(spec: &str, purpose: Purpose, printer: &Printer) -> Result<Expansion> {
    let expansion = input::expand(spec, purpose)?;
    for warning in &expansion.warnings {
        printer.warning(warning);
    }
    Ok(expansion)
}

/// Replays a log for a command that needs its dataset; what is wrong is said.
///
/// # Errors
/// A keyspace that is not what a server would have, or under `strict` any warning.
pub(crate) fn replay<'l>(
    log: &'l Log,
    options: &ReplayOptions,
    strict: bool,
    printer: &Printer,
) -> Result<Replayed<'l>> {
    let replayed = log.replay_exactly(options, strict, &mut |finding| {
        printer.finding(&finding.in_file(log.name()));
    })?;
    printer.phase(&format!(
        "{}: {} records replayed",
        log.name(),
        replayed.records
    ));
    Ok(replayed)
}

/// Replays what can be replayed; what cannot is said.
///
/// # Errors
/// The log changed while it was read.
pub(crate) fn replay_as_far<'l>(
    log: &'l Log,
    options: &ReplayOptions,
    printer: &Printer,
) -> Result<Replayed<'l>> {
    let replayed = log.replay(options, &mut |finding| {
        printer.finding(&finding.in_file(log.name()))
    })?;
    log.check_unchanged()?;
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_takes_three_units() {
        assert!(matches!(
            parse_until("ts:1700000000"),
            Ok(Until::Timestamp(1_700_000_000))
        ));
        assert!(matches!(parse_until("offset:12"), Ok(Until::Offset(12))));
        assert!(matches!(parse_until("command:3"), Ok(Until::Command(3))));
        for text in ["", "12", "offset:", "offset:-1", "line:4", "command:x"] {
            assert!(parse_until(text).is_err(), "{text}");
        }
    }
}
