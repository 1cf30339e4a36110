//! Folders as inputs: which files a folder stands for.
//!
//! ```text
//! folder with one *.manifest      that multi-part set
//! folder with two or more         usage error: name one
//! folder with appendonlydir/      a data folder: the set in there, and each *.rdb for a survey
//! any other folder                a survey takes each file that is recognised, others refuse
//! ```
//!
//! A survey (`verify`, `inspect`) looks at everything; a single job (`convert`,
//! `digest`, …) needs one dataset. Folders are not searched recursively. Where a
//! file is not recognised, it is skipped and counted, with three exceptions, because
//! a survey that passes over a ruined backup would call it sound: files named `*.rdb`
//! are taken whatever they contain, as are files that cannot be read and archives
//! that are damaged. Temporary files of servers (`temp-*`) and hidden files are skipped.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Input, Kind, OpenOptions};
use crate::bytes::file_id::display_path;
use crate::error::{Code, Error, ErrorKind, Fault, Result};

/// Where servers put a multi-part AOF, unless `appenddirname` says otherwise.
const AOF_FOLDER: &str = "appendonlydir";
/// How many names a message lists.
const LISTED_NAMES: usize = 4;

/// What the inputs are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To look at everything there is.
    Survey,
    /// To get one dataset.
    Single,
}

/// What an argument stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expansion {
    /// The inputs, at least one, sorted by name after a set.
    pub inputs: Vec<Expanded>,
    /// How many entries of a folder were passed over.
    pub skipped: usize,
    /// What the user should know about that.
    pub warnings: Vec<String>,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expanded {
    /// Its path, or `-`.
    pub path: PathBuf,
    /// What it is, where that is known: for [`OpenOptions::as_kind`].
    pub kind: Option<Kind>,
}

impl Expanded {
    fn told_by_content(path: PathBuf) -> Self {
        Expanded { path, kind: None }
    }

    fn manifest(path: PathBuf) -> Self {
        Expanded {
            path,
            kind: Some(Kind::Manifest),
        }
    }
}

/// Finds the inputs that an argument stands for: itself, unless it is a folder.
///
/// # Errors
/// Usage: a folder with several manifests, with nothing that is recognised, or one that is no
/// single dataset where one is wanted. I/O: the folder cannot be read. A file that is not
/// there is found out by opening it.
pub fn expand(path: impl AsRef<Path>, purpose: Purpose) -> Result<Expansion> {
    let path = path.as_ref();
    if path == Path::new("-") || !path.is_dir() {
        return Ok(Expansion {
            inputs: vec![Expanded::told_by_content(path.to_path_buf())],
            ..Expansion::default()
        });
    }
    expand_folder(path, purpose).map_err(|error| error.in_file(display_path(path)))
}

fn expand_folder(folder: &Path, purpose: Purpose) -> Result<Expansion> {
    let entries = entries(folder)?;
    if let Some(manifest) = only_manifest(&entries)? {
        return Ok(Expansion {
            inputs: vec![Expanded::manifest(manifest)],
            ..Expansion::default()
        });
    }
    let aof_folder = folder.join(AOF_FOLDER);
    match (aof_folder.is_dir(), purpose) {
        (true, _) => data_folder(&aof_folder, entries, purpose),
        (false, Purpose::Survey) => survey(entries),
        (false, Purpose::Single) => Err(Error::usage(
            "is a folder without an AOF manifest; name one of its files",
        )),
    }
}

/// A folder's entries, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot_read = |e| Error::io("cannot read the folder", e);
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(cannot_read)?;
    paths.sort();
    Ok(paths)
}

fn only_manifest(entries: &[PathBuf]) -> Result<Option<PathBuf>> {
    let manifests: Vec<_> = entries
        .iter()
        .filter(|path| has_extension(path, "manifest") && !is_passing(path) && path.is_file())
        .collect();
    match manifests[..] {
        [] => Ok(None),
        [manifest] => Ok(Some(manifest.clone())),
        _ => Err(Error::usage(format!(
            "has {} manifests ({}); name one",
            manifests.len(),
            list(&manifests)
        ))),
    }
}

fn data_folder(aof_folder: &Path, entries: Vec<PathBuf>, purpose: Purpose) -> Result<Expansion> {
    let manifest = only_manifest(&self::entries(aof_folder)?)
        .map_err(|error| error.in_file(display_path(aof_folder)))?;
    let all = entries.len();
    let snapshots: Vec<_> = entries
        .into_iter()
        .filter(|path| has_extension(path, "rdb") && !is_passing(path) && path.is_file())
        .collect();
    let mut expansion = Expansion::default();
    match (&manifest, purpose) {
        (None, Purpose::Single) => {
            return Err(Error::usage(format!(
                "{AOF_FOLDER} in it has no manifest; name a file"
            )));
        }
        (None, Purpose::Survey) => expansion
            .warnings
            .push(format!("{} has no manifest", display_path(aof_folder))),
        (Some(_), Purpose::Single) if !snapshots.is_empty() => {
            let names = list(&snapshots.iter().collect::<Vec<_>>());
            expansion.warnings.push(format!(
                "the data comes from {AOF_FOLDER}; ignored: {names}"
            ));
        }
        (Some(_), _) => {}
    }
    expansion.inputs.extend(manifest.map(Expanded::manifest));
    if purpose == Purpose::Survey {
        // The set is one of the entries.
        expansion.skipped = all - snapshots.len() - 1;
        let snapshots = snapshots.into_iter().map(Expanded::told_by_content);
        expansion.inputs.extend(snapshots);
    }
    not_empty(expansion)
}

fn survey(entries: Vec<PathBuf>) -> Result<Expansion> {
    let mut expansion = Expansion::default();
    for path in entries {
        match is_recognised(&path) {
            Ok(true) => expansion.inputs.push(Expanded::told_by_content(path)),
            Ok(false) => expansion.skipped += 1,
            Err(what) => {
                expansion.skipped += 1;
                let name = display_path(&path);
                expansion.warnings.push(format!("skipped {name}: {what}"));
            }
        }
    }
    not_empty(expansion)
}

fn not_empty(expansion: Expansion) -> Result<Expansion> {
    match expansion.inputs.is_empty() {
        false => Ok(expansion),
        true => Err(Error::usage(format!(
            "has no file that is recognised among its {} entries",
            expansion.skipped
        ))),
    }
}

/// Whether a survey takes a file; an error names one that is worth a word.
fn is_recognised(path: &Path) -> Result<bool, &'static str> {
    // A FIFO would be waited for, and nothing but a regular file is a backup.
    if is_passing(path) || !path.is_file() {
        return Ok(false);
    }
    if has_extension(path, "rdb") {
        return Ok(true);
    }
    match Input::open(path, &OpenOptions::new()) {
        Ok(mut input) => match input.origin().kind() {
            Kind::Json => Ok(input.peek().is_ok_and(is_own_json)),
            // A text that begins with the word "file" is none.
            Kind::Manifest => Ok(input
                .peek()
                .is_ok_and(|head| memchr::memmem::find(head, b" seq ").is_some())),
            _ => Ok(true),
        },
        Err(error) => match error.kind() {
            ErrorKind::BadMagic {
                looks_like: Some("text") | None,
                ..
            } => Ok(false),
            ErrorKind::BadMagic {
                looks_like: Some(what),
                ..
            } => Err(what),
            ErrorKind::Unsupported { .. } => Err("compressed, which this build does not read"),
            // Empty: an archive that is cut is not.
            ErrorKind::UnexpectedEof { .. } => Ok(fs::metadata(path).is_ok_and(|m| m.len() > 0)),
            _ => Ok(matches!(error.fault(), Fault::Io | Fault::Input)
                && error.code() != Code::BadLength),
        },
    }
}

/// Whether JSON begins with the header or a key as rdbkit writes them.
fn is_own_json(head: &[u8]) -> bool {
    let mut head = head.trim_ascii_start();
    for opening in [&b"["[..], b"{"] {
        head = head
            .strip_prefix(opening)
            .unwrap_or(head)
            .trim_ascii_start();
    }
    head.starts_with(b"\"rdbkit\"") || head.starts_with(b"\"db\"")
}

/// Whether it is hidden or a server's temporary file.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(b"temp-")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

fn list(paths: &[&PathBuf]) -> String {
    let names = paths.iter().take(LISTED_NAMES).map(|path| {
        let name = path.file_name().unwrap_or_default();
        display_path(Path::new(name))
    });
    let mut text = names.collect::<Vec<_>>().join(", ");
    if paths.len() > LISTED_NAMES {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn names(folder: &tempfile::TempDir, expansion: &Expansion) -> Vec<String> {
        let relative = |input: &Expanded| {
            let path = input.path.strip_prefix(folder.path()).unwrap();
            path.to_str().unwrap().to_owned()
        };
        expansion.inputs.iter().map(relative).collect()
    }

    const MANIFEST: &[u8] = b"file a.1.base.rdb seq 1 type b\n";
    const RDB: &[u8] = b"REDIS0003\xff";

    #[test]
    fn file_stands_for_itself_also_if_it_is_not_there() {
        for path in ["-", "/nowhere/dump.rdb"] {
            let expansion = expand(path, Purpose::Single).unwrap();
            assert_eq!(expansion.inputs.len(), 1);
            assert_eq!(expansion.inputs[0].path, Path::new(path));
        }
    }

    #[test]
    fn folder_with_one_manifest_is_that_set() {
        let folder = folder(&[
            ("a.manifest", b""),
            ("temp-a.manifest", MANIFEST),
            ("a.1.base.rdb", RDB),
        ]);
        for purpose in [Purpose::Survey, Purpose::Single] {
            let expansion = expand(folder.path(), purpose).unwrap();
            assert_eq!(names(&folder, &expansion), ["a.manifest"]);
            assert_eq!(expansion.inputs[0].kind, Some(Kind::Manifest));
        }
    }

    #[test]
    fn two_manifests_must_be_chosen_from() {
        let here = folder(&[("a.manifest", MANIFEST), ("b.manifest", MANIFEST)]);
        let inside = folder(&[
            ("appendonlydir/a.manifest", MANIFEST),
            ("appendonlydir/b.manifest", MANIFEST),
        ]);
        for folder in [here, inside] {
            for purpose in [Purpose::Survey, Purpose::Single] {
                let error = expand(folder.path(), purpose).unwrap_err();
                assert_eq!(error.code(), Code::Usage);
                let message = error.to_string();
                assert!(message.contains("a.manifest, b.manifest"), "{message}");
            }
        }
    }

    #[test]
    fn data_folder_is_its_set_and_for_a_survey_its_snapshots() {
        let folder = folder(&[
            ("appendonlydir/a.manifest", MANIFEST),
            ("dump.rdb", b""),
            ("other.rdb", RDB),
            ("temp-123.rdb", RDB),
            ("redis.conf", b"port 1\n"),
        ]);
        let survey = expand(folder.path(), Purpose::Survey).unwrap();
        let manifest = "appendonlydir/a.manifest";
        assert_eq!(names(&folder, &survey), [manifest, "dump.rdb", "other.rdb"]);
        assert_eq!((survey.skipped, survey.warnings.len()), (2, 0));
        let single = expand(folder.path(), Purpose::Single).unwrap();
        assert_eq!(names(&folder, &single), [manifest]);
        assert!(single.warnings[0].ends_with("ignored: dump.rdb, other.rdb"));
    }

    #[test]
    fn data_folder_without_manifest_is_only_surveyed() {
        let folder = folder(&[("appendonlydir/a.1.incr.aof", b""), ("dump.rdb", RDB)]);
        let survey = expand(folder.path(), Purpose::Survey).unwrap();
        assert_eq!(names(&folder, &survey), ["dump.rdb"]);
        assert_eq!(survey.warnings.len(), 1);
        let error = expand(folder.path(), Purpose::Single).unwrap_err();
        assert_eq!(error.code(), Code::Usage);
    }

    #[test]
    fn any_other_folder_is_surveyed_for_what_is_recognised() {
        let folder = folder(&[
            ("a.bin", RDB),
            ("b.log", b"*1\r\n$4\r\nPING\r\n"),
            ("c.json", b" [{\"db\":0}]"),
            ("d.json", b"{\"name\":\"rdbkit\"}"),
            ("e.rdb", b"\0\0"),
            ("f.rdb", b""),
            ("g.txt", b"file it away\n"),
            ("h.md", b"# Title\n\ntext\n"),
            ("i.gz", b"\x1f\x8b\x08\0\0\0\0"),
            ("j.bz2", b"BZh9\x31\x41"),
            ("k.empty", b""),
            (".hidden", RDB),
            ("nested/l.rdb", RDB),
            ("m.sh", b"$5 is the price\n"),
        ]);
        let survey = expand(folder.path(), Purpose::Survey).unwrap();
        let mut known = vec!["a.bin", "b.log", "c.json", "e.rdb", "f.rdb"];
        let mut unreadable = vec!["j.bz2: a bzip2 file"];
        match cfg!(feature = "compress") {
            true => known.push("i.gz"),
            false => unreadable.insert(0, "i.gz: compressed, which this build does not read"),
        }
        assert_eq!(names(&folder, &survey), known);
        assert_eq!(survey.skipped, 14 - known.len());
        assert_eq!(survey.warnings.len(), unreadable.len());
        for (warning, end) in survey.warnings.iter().zip(unreadable) {
            assert!(warning.ends_with(end), "{warning}");
        }
        let error = expand(folder.path(), Purpose::Single).unwrap_err();
        assert_eq!(error.code(), Code::Usage);
    }

    #[test]
    fn folder_with_nothing_to_survey_is_refused() {
        let folder = folder(&[("notes.txt", b"nothing\n")]);
        let error = expand(folder.path(), Purpose::Survey).unwrap_err();
        assert_eq!(error.code(), Code::Usage);
    }
}
