//! From an input to the parts of a log: one file, or a set with its manifest.

use std::path::Path;

use crate::aof::AofSet;
use crate::bytes::source::Source as _;
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::input::{ByteSource, Input, Kind, MappedSource, OpenOptions, Origin};
use crate::ops::replay::LogPart;
use crate::rdb::{ChecksumMode, Item, Items, RdbReader, RdbString, ReadItems as _};
use crate::report::{Finding, Level};

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

impl LogFile {
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

/// Whether a log follows an RDB in memory.
///
/// Only the preamble of an AOF says so of itself (`aof-preamble`, `aof-base`), so
/// nothing else is framed to find out.
#[must_use]
pub fn is_preamble(bytes: &[u8]) -> bool {
    const FIRST_ITEMS: usize = 32;
    let says_so = |item: Result<Item<'_>>| {
        let Ok(Item::Aux {
            key: RdbString::Raw(key),
            value,
        }) = item
        else {
            return false;
        };
        let is_one = value.to_vec().is_ok_and(|value| value == b"1");
        is_one && (key == b"aof-preamble" || key == b"aof-base")
    };
    if !Items::new(bytes).take(FIRST_ITEMS).any(says_so) {
        return false;
    }
    let mut reader = RdbReader::from_slice(bytes).checksum(ChecksumMode::Skip);
    let framed = reader.for_each(|_, _| Ok(()));
    let offset = usize::try_from(reader.offset()).unwrap_or(usize::MAX);
    framed.is_ok() && matches!(bytes.get(offset), Some(b'*' | b'#'))
}
