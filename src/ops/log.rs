//! From an input to the parts of a log: one file, or a set with its manifest.

use std::path::Path;

use crate::aof::in_place::{self, Claim};
use crate::aof::writer::BaseForm;
use crate::aof::{AofSet, InPlace, LogReader, LogStats};
use crate::bytes::file_id::{FileId, OpenFile};
use crate::bytes::source::Source as _;
use crate::error::{Code, Error, ErrorKind, Fault, Result};
use crate::input::{ByteSource, Input, Kind, MappedSource, OpenOptions, Origin};
use crate::num::{Flavor, Product};
use crate::ops::opened::Opened;
use crate::ops::replay::{LogPart, ReplayOptions, Replayed, Until, replay_log, writer_of};
use crate::rdb::{ChecksumMode, Item, Items, RdbReader, RdbString, ReadItems as _};
use crate::replay::Options;
use crate::report::{Finding, Level, Tally};

/// The open files of a log.
#[derive(Debug)]
pub struct Log {
    name: String,
    files: Vec<LogFile>,
    /// What folder and manifest say, for a set.
    pub set: Option<AofSet>,
}

#[derive(Debug)]
struct LogFile {
    /// The part's name in findings; none for a log of one file.
    part: Option<String>,
    origin: Origin,
    source: MappedSource,
}

impl Log {
    /// Opens a log of any kind by its file, folder or manifest, or `-` for stdin.
    ///
    /// # Errors
    /// Usage: it is no log. A manifest or a part that cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Log> {
        Opened::of_path(path, None)?.into_log()
    }

    /// Opens a set by its manifest, its folder or the data folder around it.
    ///
    /// # Errors
    /// No manifest or a bad one, a part that cannot be opened.
    pub fn open_set(path: &Path) -> Result<Log> {
        let name = path.display().to_string();
        let set = AofSet::open(path).map_err(|error| error.in_file(&name))?;
        let mut files = Vec::new();
        for part in &set.parts {
            let options = OpenOptions::new().map(true).as_kind(Kind::Aof);
            let label = part
                .path
                .file_name()
                .map(|file| file.to_string_lossy().into_owned());
            files.push(LogFile::open(Input::open(&part.path, &options)?, label)?);
        }
        Ok(Log {
            name,
            files,
            set: Some(set),
        })
    }

    /// Takes a log of one file.
    ///
    /// # Errors
    /// A pipe that cannot be read or kept.
    pub fn of_input(input: Input) -> Result<Log> {
        let name = input.origin().name().to_owned();
        Ok(Log {
            name,
            files: vec![LogFile::open(input, None)?],
            set: None,
        })
    }

    /// The log as the user named it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which files it is read from, so that none becomes an output.
    #[must_use]
    pub fn file_ids(&self) -> Vec<FileId> {
        self.files
            .iter()
            .filter_map(|file| file.origin.file_id())
            .collect()
    }

    /// The parts, in the order in which servers load them.
    #[must_use]
    pub fn parts(&self) -> Vec<LogPart<'_>> {
        self.files
            .iter()
            .map(|file| LogPart {
                name: file.part.clone(),
                bytes: file.source.data(),
            })
            .collect()
    }

    /// Bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .map(|file| file.source.data().len() as u64)
            .sum()
    }

    /// What a person should know of folder and manifest.
    #[must_use]
    pub fn layout_findings(&self) -> Vec<Finding> {
        let findings = self.set.iter().flat_map(|set| &set.findings);
        findings
            .map(|found| {
                let level = if found.is_error() {
                    Level::Error
                } else {
                    Level::Warning
                };
                let file = found.path().display().to_string();
                Finding::told(level, found.code(), Fault::Input, found.to_string()).in_file(file)
            })
            .collect()
    }

    /// The server that wrote the log, if its RDB says.
    #[must_use]
    pub fn writer(&self) -> Option<Flavor> {
        writer_of(self.files.first()?.source.data())
    }

    /// The release as which the log is replayed: the one that wrote it, or Redis 8.6 if its
    /// RDB does not say or there is none.
    ///
    /// A set may begin with what an older server left. One with offsets in its manifest is
    /// of Redis 8.0 or later, and any is of Redis 7.0 or later.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        let default = Options::default().flavor;
        match self.writer() {
            Some(writer) if !is_redis_before(writer, 8) => writer,
            Some(_) if self.has_offsets() => default,
            Some(_) if self.is_taken_over() => Flavor::redis(7, 0),
            Some(writer) => writer,
            None => default,
        }
    }

    /// Whether it is a set that begins with the RDB of a server that had no sets, and
    /// nothing says which later one went on with it.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        let is_set = self
            .set
            .as_ref()
            .is_some_and(|set| set.manifest_path.is_some());
        let is_older = self
            .writer()
            .is_some_and(|writer| is_redis_before(writer, 7));
        is_set && is_older && !self.has_offsets()
    }

    /// Whether the manifest has what Redis writes into it since 8.0.
    fn has_offsets(&self) -> bool {
        let incrs = self.set.iter().flat_map(|set| &set.manifest.incrs);
        incrs.into_iter().any(|entry| entry.start_offset.is_some())
    }

    /// Replays the log into a keyspace that borrows from it.
    ///
    /// What folder and manifest say is reported first; a missing part makes the
    /// keyspace inexact.
    ///
    /// # Errors
    /// A place to stop at that makes no sense.
    pub fn replay(
        &self,
        options: &ReplayOptions,
        report: &mut dyn FnMut(Finding),
    ) -> Result<Replayed<'_>> {
        let layout = self.layout_findings();
        let mut replayed = replay_log(&self.parts(), options, report)?;
        for finding in layout {
            replayed.exact &= finding.level != Level::Error;
            replayed.tally.add(&finding);
            report(finding);
        }
        if replayed.counters().relative_times > 0 {
            let message = format!(
                "{} times relative to now were taken as relative to the nearest annotation, or else to this moment (--now)",
                replayed.counters().relative_times
            );
            let finding =
                Finding::told(Level::Warning, Code::ReplayRejected, Fault::Usage, message);
            replayed.tally.add(&finding);
            report(finding);
        }
        Ok(replayed)
    }

    /// Replays the log for a job that needs the whole dataset.
    ///
    /// # Errors
    /// A keyspace that is not what a server would have, or under `strict` any warning: `report`
    /// has heard why. A file that changed meanwhile.
    pub fn replay_exactly(
        &self,
        options: &ReplayOptions,
        strict: bool,
        report: &mut dyn FnMut(Finding),
    ) -> Result<Replayed<'_>> {
        let mut worst = None;
        let replayed = self.replay(options, &mut |finding| {
            let blame = finding.level == Level::Error || strict;
            if blame && (worst.is_none() || finding.fault != Fault::Input) {
                worst = Some(finding.fault);
            }
            report(finding);
        })?;
        self.check_unchanged()?;
        if replayed.exact && (!strict || worst.is_none()) {
            return Ok(replayed);
        }
        let error = match worst {
            Some(Fault::Input) => Error::new(ErrorKind::Damaged {
                what: "the log cannot be replayed to its end",
            }),
            _ => Error::new(ErrorKind::Unsupported {
                what: "a log that cannot be replayed exactly to its end".into(),
            }),
        };
        Err(error.in_file(&self.name))
    }

    /// Reads only the framing, up to a place: records, annotations, transactions.
    pub fn frame(&self, until: Until, report: &mut dyn FnMut(Finding)) -> Framed {
        let mut framed = Framed::default();
        let mut part_start = 0;
        let mut add = |finding: Finding| {
            framed.tally.add(&finding);
            report(finding);
        };
        self.layout_findings().into_iter().for_each(&mut add);
        let last = self.files.len().saturating_sub(1);
        for (index, file) in self.files.iter().enumerate() {
            let bytes = file.source.data();
            let mut start = 0;
            if bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY") {
                let mut reader = RdbReader::from_slice(bytes);
                if let Err(error) = reader.for_each(|_, _| Ok(())) {
                    add(file.in_part(Finding::of_error(&error, Level::Error)));
                    continue;
                }
                start = usize::try_from(reader.offset()).unwrap_or(bytes.len());
            }
            let mut reader = LogReader::new(&bytes[start..], start as u64);
            while let Some(event) = reader.next_event() {
                if until.stops_before(&event, part_start, framed.stats.records.count) {
                    return framed;
                }
                framed.stats.record(&event);
            }
            part_start += bytes.len() as u64;
            let Some((end, error)) = reader.end().and_then(|end| Some((end, end.error()?))) else {
                continue;
            };
            let tolerated = end.server_accepts || (end.is_dropped_by_servers() && index == last);
            let level = if tolerated {
                Level::Warning
            } else {
                Level::Error
            };
            add(file.in_part(Finding::of_error(&error, level)));
        }
        framed
    }

    /// Begins to replace the log where it lies; what is written then is its new base in the
    /// form of a set, or its new file.
    ///
    /// The claim must have been made before the log was opened, and the log opened by its path.
    ///
    /// # Errors
    /// Usage: a log that is compressed, framed or no regular file cannot be replaced. Else as
    /// [`InPlace::of_set`] and [`InPlace::of_file`].
    pub fn in_place(
        &self,
        claim: Claim,
        form: BaseForm,
        options: in_place::Options,
    ) -> Result<InPlace> {
        let mut files = Vec::with_capacity(self.files.len());
        for file in &self.files {
            files.push(file.as_it_lies()?);
        }
        match (&self.set, files.pop()) {
            (Some(set), last) => {
                files.extend(last);
                InPlace::of_set(claim, set, files, form, options)
            }
            (None, Some(file)) => InPlace::of_file(claim, file, options),
            (None, None) => Err(Error::new(ErrorKind::Internal("a log has a file"))),
        }
    }

    /// Checks that every file is as it was when it was opened.
    ///
    /// # Errors
    /// `input_changed`.
    pub fn check_unchanged(&self) -> Result<()> {
        self.files
            .iter()
            .try_for_each(|file| file.origin.check_unchanged())
    }
}

/// What the framing of a log says.
#[derive(Clone, Debug, Default)]
pub struct Framed {
    /// Commands by name, annotations.
    pub stats: LogStats,
    /// Findings by code.
    pub tally: Tally,
}

impl LogFile {
    fn in_part(&self, mut finding: Finding) -> Finding {
        finding.place.part.clone_from(&self.part);
        finding
    }

    /// The file, if its bytes are those of the log.
    fn as_it_lies(&self) -> Result<OpenFile> {
        let what = match self.origin.open_file() {
            Some(_) if self.origin.compression().is_some() => "is compressed",
            Some(_) if self.origin.framing().is_some() => "has the framing of replication",
            Some(file) => return Ok(file.clone()),
            None => "is no regular file",
        };
        let error = Error::usage(format!("{what}: write it anew to another place"));
        Err(error.in_file(self.origin.name()))
    }

    fn open(input: Input, part: Option<String>) -> Result<LogFile> {
        let (origin, source) = input.spooled()?.into_parts();
        match source {
            ByteSource::Mapped(source) => Ok(LogFile {
                part,
                origin,
                source,
            }),
            _ => Err(Error::new(ErrorKind::Internal("a spooled input is mapped"))),
        }
    }
}

/// Whether the head of an RDB says that it is the preamble or base of an AOF
/// (`aof-preamble`, `aof-base`): then a log may follow it.
#[must_use]
pub fn says_preamble(head: &[u8]) -> bool {
    const FIRST_ITEMS: usize = 32;
    Items::new(head).take(FIRST_ITEMS).any(|item| match item {
        Ok(Item::Aux {
            key: RdbString::Raw(b"aof-preamble" | b"aof-base"),
            value,
        }) => value.to_vec().is_ok_and(|value| value == b"1"),
        _ => false,
    })
}

/// Whether a log follows an RDB that is all in memory.
#[must_use]
pub fn is_preamble(bytes: &[u8]) -> bool {
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip);
    let framed = reader.for_each(|_, _| Ok(()));
    let offset = usize::try_from(reader.offset()).unwrap_or(usize::MAX);
    framed.is_ok() && matches!(bytes.get(offset), Some(b'*' | b'#'))
}

fn is_redis_before(flavor: Flavor, major: u16) -> bool {
    flavor.product == Product::Redis && flavor.major < major
}
