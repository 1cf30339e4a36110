//! Which files make a log: one file, or the parts that a manifest names.
//!
//! ```text
//! <dir>/appendonlydir/<prefix>.manifest             the names, authoritative
//!                     <prefix>.<seq>.base.{rdb,aof} loaded first
//!                     <prefix>.<seq>.incr.aof       loaded then, in the manifest's order
//!                     temp-<prefix>.manifest        a manifest that was being written
//!                     temp-<prefix>.incr            a log that was being switched on
//! <dir>/temp-rewriteaof-[bg-]<pid>.aof              a base that was being written
//! <dir>/<prefix>                                    the single file of 6.2 and older
//! ```
//!
//! A server that finds the single file and a manifest that names nothing, or only a
//! base of that name which is not there yet, moves it in (`aof.c
//! aofUpgradePrepare`); [`AofSet`] then reads it from where it lies. Beside a populated manifest
//! it is ignored. Listed history is never loaded, a listed part that is not there
//! is fatal to servers, and unlisted files are left alone, with one trap: a server
//! that starts without a manifest appends to an orphan `<prefix>.1.incr.aof` and
//! replays it at the start after.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::manifest::{self, Entry, EntryKind, Manifest};
use crate::error::{Code, Error, ErrorKind, Result};
use crate::limits::MANIFEST_BYTES;

/// The folder of the parts, unless `appenddirname` says otherwise.
pub const DEFAULT_DIR_NAME: &str = "appendonlydir";
/// How a manifest's name ends.
pub const MANIFEST_SUFFIX: &str = ".manifest";

/// What a file is, told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// No byte at all.
    Empty,
    /// `REDIS` or `VALKEY` and digits: an RDB, or a log with an RDB preamble.
    Rdb,
    /// `*`, or an annotation `#TS:`.
    Log,
    /// The first line that is no comment has the key `file`, or there are only comments.
    Manifest,
    /// Anything else.
    Other,
}

impl Content {
    /// Tells a file by its first bytes; 4 KiB are enough unless comments fill them.
    ///
    /// A log's `#` lines can only be told from a manifest's by what follows them, or
    /// by `#TS:`, which no manifest has; a file of other `#` lines alone is a manifest.
    #[must_use]
    pub fn of(prefix: &[u8]) -> Content {
        let magic = |word: &[u8]| {
            prefix
                .strip_prefix(word)
                .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_digit))
        };
        if prefix.is_empty() {
            return Content::Empty;
        }
        if magic(b"REDIS") || magic(b"VALKEY") {
            return Content::Rdb;
        }
        for line in prefix.split_inclusive(|b| *b == b'\n') {
            match line {
                [b'#', b'T', b'S', b':', ..] | [b'*', ..] => return Content::Log,
                [b'#', ..] => {}
                line if names_a_file(line) => return Content::Manifest,
                _ => return Content::Other,
            }
        }
        Content::Manifest
    }
}

/// Whether a line is an entry of a manifest, sound or not.
fn names_a_file(line: &[u8]) -> bool {
    let start = line.trim_ascii_start();
    let is_file = |key: &[u8]| key.eq_ignore_ascii_case(b"file");
    start.get(..4).is_some_and(is_file) && start.get(4).is_none_or(u8::is_ascii_whitespace)
        || line.len() <= manifest::MAX_LINE_BYTES
            && manifest::split_args(line).is_some_and(|tokens| {
                tokens.len() >= 6 && tokens.iter().step_by(2).any(|key| is_file(key))
            })
}

/// Whether a part is loaded first or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// The dataset at the last rewrite, or a single file.
    Base,
    /// Commands since then.
    Incr,
}

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Base or incr. Either may begin with an RDB: its content says so, not its name.
    pub kind: PartKind,
    /// Its sequence number; 0 for a single file.
    pub seq: i64,
    /// Its size when the set was opened.
    pub bytes: u64,
}

/// Something about the files of a set that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutFinding {
    /// A listed part is not there, or no regular file; servers refuse to start.
    Missing(PathBuf),
    /// Named like a part, and not in the manifest; servers leave it alone.
    Orphan(PathBuf),
    /// An orphan that the next server start would append to, and the one after replay.
    OrphanToBeReplayed(PathBuf),
    /// Left by an interrupted rewrite or switch.
    Temp(PathBuf),
    /// A single file of old that a server would move into the set; it is read as the base.
    Upgrade(PathBuf),
    /// A single file of old that a server would ignore.
    StraySingle(PathBuf),
}

impl LayoutFinding {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            LayoutFinding::Missing(_) => Code::MissingPart,
            LayoutFinding::Temp(_) => Code::RewriteTemp,
            LayoutFinding::Orphan(_)
            | LayoutFinding::OrphanToBeReplayed(_)
            | LayoutFinding::Upgrade(_)
            | LayoutFinding::StraySingle(_) => Code::OrphanPart,
        }
    }

    /// Whether the log cannot be loaded so.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, LayoutFinding::Missing(_))
    }

    /// The file it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            LayoutFinding::Missing(path)
            | LayoutFinding::Orphan(path)
            | LayoutFinding::OrphanToBeReplayed(path)
            | LayoutFinding::Temp(path)
            | LayoutFinding::Upgrade(path)
            | LayoutFinding::StraySingle(path) => path,
        }
    }
}

impl fmt::Display for LayoutFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LayoutFinding::Missing(_) => "a part that the manifest names is missing; servers refuse to start",
            LayoutFinding::Orphan(_) => "a part that the manifest does not name; servers ignore it",
            LayoutFinding::OrphanToBeReplayed(_) => {
                "a part that the manifest does not name; a server appends to it at the next start and replays it at the one after"
            }
            LayoutFinding::Temp(_) => "left by an interrupted rewrite; servers ignore it",
            LayoutFinding::Upgrade(_) => "a single file that a server would move into the set; read as its base",
            LayoutFinding::StraySingle(_) => "a single file beside a set that does not name it; servers ignore it",
        })
    }
}

/// The files that make one log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AofSet {
    /// The folder of the parts.
    pub dir: PathBuf,
    /// Where the manifest is; `None` for a single file.
    pub manifest_path: Option<PathBuf>,
    /// What it says; empty for a single file.
    pub manifest: Manifest,
    /// What is loaded, in order.
    pub parts: Vec<Part>,
    /// Listed parts that are not there.
    pub missing: Vec<PathBuf>,
    /// Files named like parts that are not listed.
    pub orphans: Vec<PathBuf>,
    /// Listed history that is still there.
    pub history: Vec<PathBuf>,
    /// All of it that a person should know.
    pub findings: Vec<LayoutFinding>,
}

impl AofSet {
    /// What the names of its parts begin with: the manifest's, without its end.
    #[must_use]
    pub fn prefix(&self) -> Option<String> {
        let name = self.manifest_path.as_ref()?.file_name()?.to_str()?;
        let prefix = name.strip_suffix(MANIFEST_SUFFIX)?;
        (!prefix.is_empty()).then(|| prefix.to_owned())
    }

    /// Finds the log that `path` stands for: a part folder, a folder with [`DEFAULT_DIR_NAME`], a manifest or a single file.
    ///
    /// # Errors
    ///
    /// `usage` for a folder without a manifest or with two; `bad_manifest` for one
    /// that servers refuse; `bad_resp` for a file that is no log; I/O.
    pub fn open(path: &Path) -> Result<AofSet> {
        let metadata = fs::metadata(path).map_err(|e| io(path, e))?;
        if metadata.is_dir() {
            return Self::open_dir(path);
        }
        if !metadata.is_file() {
            return Err(Error::usage("not a regular file").in_file(shown(path)));
        }
        match Content::of(&read_at_most(path, 1 << 16)?) {
            Content::Manifest => Self::open_manifest(path),
            Content::Log | Content::Rdb | Content::Empty => Ok(AofSet {
                dir: parent(path),
                manifest_path: None,
                manifest: Manifest::default(),
                parts: vec![Part {
                    path: path.to_path_buf(),
                    kind: PartKind::Base,
                    seq: 0,
                    bytes: metadata.len(),
                }],
                missing: Vec::new(),
                orphans: Vec::new(),
                history: Vec::new(),
                findings: Vec::new(),
            }),
            Content::Other => {
                let kind = ErrorKind::Broken {
                    code: Code::BadResp,
                    at: None,
                    what: "start of the file",
                    expected: "a log, an RDB or a manifest".into(),
                    found: "something else".into(),
                };
                Err(Error::new(kind).at_offset(0).in_file(shown(path)))
            }
        }
    }

    fn open_dir(dir: &Path) -> Result<AofSet> {
        let manifests: Vec<PathBuf> = list(dir)?
            .into_iter()
            .filter(|path| {
                let name = file_name(path);
                name.ends_with(MANIFEST_SUFFIX.as_bytes()) && !name.starts_with(b"temp-")
            })
            .collect();
        match &manifests[..] {
            [manifest] => Self::open_manifest(manifest),
            [] if dir.join(DEFAULT_DIR_NAME).is_dir() => {
                Self::open_dir(&dir.join(DEFAULT_DIR_NAME))
            }
            [] => Err(Error::usage("no manifest in this folder").in_file(shown(dir))),
            [first, second, ..] => Err(Error::usage(format!(
                "several manifests in this folder, name one: {}, {}",
                file_name(first).escape_ascii(),
                file_name(second).escape_ascii()
            ))
            .in_file(shown(dir))),
        }
    }

    /// Reads a manifest and looks for what it names.
    ///
    /// # Errors
    ///
    /// `bad_manifest`, `limit_exceeded` beyond [`MANIFEST_BYTES`], I/O.
    pub fn open_manifest(path: &Path) -> Result<AofSet> {
        let bytes = read_at_most(path, MANIFEST_BYTES + 1)?;
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(Error::new(ErrorKind::LimitExceeded {
                what: "size of a manifest",
                limit: MANIFEST_BYTES,
            })
            .in_file(shown(path)));
        }
        let manifest =
            Manifest::parse(&bytes).map_err(|error| Error::from(error).in_file(shown(path)))?;
        let mut set = AofSet {
            dir: parent(path),
            manifest_path: Some(path.to_path_buf()),
            manifest: Manifest::default(),
            parts: Vec::new(),
            missing: Vec::new(),
            orphans: Vec::new(),
            history: Vec::new(),
            findings: Vec::new(),
        };
        let name = file_name(path);
        let prefix = name
            .strip_suffix(MANIFEST_SUFFIX.as_bytes())
            .unwrap_or(name)
            .to_vec();
        let upgraded = set.take_single_file(&manifest, &prefix)?;
        for entry in manifest
            .base
            .iter()
            .filter(|_| !upgraded)
            .chain(&manifest.incrs)
        {
            set.take_part(entry)?;
        }
        let history = manifest
            .history
            .iter()
            .map(|entry| set.path_of(&entry.file));
        set.history = history.filter(|path| path.is_file()).collect();
        set.manifest = manifest;
        set.take_unlisted(&prefix)?;
        Ok(set)
    }

    fn path_of(&self, name: &[u8]) -> PathBuf {
        self.dir.join(os_str(name))
    }

    fn take_part(&mut self, entry: &Entry) -> Result<()> {
        let path = self.path_of(&entry.file);
        let kind = match entry.kind {
            EntryKind::Base => PartKind::Base,
            _ => PartKind::Incr,
        };
        match regular_len(&path)? {
            Some(bytes) => self.parts.push(Part {
                path,
                kind,
                seq: entry.seq,
                bytes,
            }),
            None => {
                self.findings.push(LayoutFinding::Missing(path.clone()));
                self.missing.push(path);
            }
        }
        Ok(())
    }

    /// The old single file in the folder above: the base, if a server would upgrade it.
    fn take_single_file(&mut self, manifest: &Manifest, prefix: &[u8]) -> Result<bool> {
        let Some(above) = self.dir.parent().filter(|_| !prefix.is_empty()) else {
            return Ok(false);
        };
        let above = match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        };
        let single = above.join(os_str(prefix));
        // Only a folder of parts has a data folder above it.
        if self.dir.file_name() != Some(OsStr::new(DEFAULT_DIR_NAME)) {
            return Ok(false);
        }
        let Some(bytes) = regular_len(&single)? else {
            return Ok(false);
        };
        let half_done = manifest.base.as_ref().is_some_and(|base| {
            manifest.incrs.is_empty() && base.file == prefix && !self.path_of(prefix).exists()
        });
        if !manifest.is_empty() && !half_done {
            self.findings.push(LayoutFinding::StraySingle(single));
            return Ok(false);
        }
        self.findings.push(LayoutFinding::Upgrade(single.clone()));
        self.parts.push(Part {
            path: single,
            kind: PartKind::Base,
            seq: manifest.base.as_ref().map_or(1, |base| base.seq),
            bytes,
        });
        Ok(true)
    }

    fn take_unlisted(&mut self, prefix: &[u8]) -> Result<()> {
        let temp_manifest = [b"temp-", prefix, MANIFEST_SUFFIX.as_bytes()].concat();
        let temp_incr = [b"temp-", prefix, b".incr"].concat();
        for path in list(&self.dir)? {
            let name = file_name(&path);
            let listed = self.manifest.entries().any(|entry| entry.file == name);
            let finding = if listed {
                continue;
            } else if name == temp_manifest || name == temp_incr || is_rewrite_temp(name) {
                LayoutFinding::Temp(path)
            } else if let Some((kind, seq)) = part_name(name, prefix) {
                self.orphans.push(path.clone());
                // Without incrs a server opens number 1 for appending.
                if kind == PartKind::Incr && seq == 1 && self.manifest.incrs.is_empty() {
                    LayoutFinding::OrphanToBeReplayed(path)
                } else {
                    LayoutFinding::Orphan(path)
                }
            } else {
                continue;
            };
            self.findings.push(finding);
        }
        if self.dir.file_name() == Some(OsStr::new(DEFAULT_DIR_NAME)) {
            let above = list(&parent(&self.dir)).unwrap_or_default();
            let temps = above
                .into_iter()
                .filter(|path| is_rewrite_temp(file_name(path)));
            self.findings.extend(temps.map(LayoutFinding::Temp));
        }
        Ok(())
    }
}

/// Reads `<prefix>.<seq>.base.rdb`, `….base.aof` and `….incr.aof`.
pub(super) fn part_name(name: &[u8], prefix: &[u8]) -> Option<(PartKind, i64)> {
    let rest = name.strip_prefix(prefix)?.strip_prefix(b".")?;
    let dot = rest.iter().position(|b| *b == b'.')?;
    let seq = std::str::from_utf8(&rest[..dot]).ok()?.parse().ok()?;
    match &rest[dot..] {
        b".base.rdb" | b".base.aof" => Some((PartKind::Base, seq)),
        b".incr.aof" => Some((PartKind::Incr, seq)),
        _ => None,
    }
}

fn is_rewrite_temp(name: &[u8]) -> bool {
    name.starts_with(b"temp-rewriteaof-") && name.ends_with(b".aof")
}

/// Size of a regular file, links followed; `None` for anything else, which must not even be opened.
fn regular_len(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
        Err(error) => match error.kind() {
            std::io::ErrorKind::NotFound
            | std::io::ErrorKind::NotADirectory
            | std::io::ErrorKind::InvalidFilename => Ok(None),
            _ => Err(io(path, error)),
        },
    }
}

/// The files of a folder by name, folders left out.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| io(dir, e))? {
        let path = entry.map_err(|e| io(dir, e))?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| io(path, e))?;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| io(path, e))?;
    Ok(bytes)
}

fn io(path: &Path, error: std::io::Error) -> Error {
    Error::io("cannot read", error).in_file(shown(path))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

pub(super) fn file_name(path: &Path) -> &[u8] {
    path.file_name().map_or(b"", OsStr::as_encoded_bytes)
}

/// A name of the manifest as the system takes it.
pub(super) fn os_str(name: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(OsStr::from_bytes(name))
    }
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
