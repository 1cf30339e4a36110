//! Where bytes go: an output that is whole under its name, or not there at all.
//!
//! ```text
//! create   resolve links → refuse → temporary file beside the target, mode 0600
//! write    256 KiB at a time
//! commit   flush → mode and owner of the old file → fsync → rename → fsync of the folder
//! drop     without commit: the temporary file goes, the target is as it was
//! ```
//!
//! A target that is there and no regular file (`/dev/null`, a FIFO, a terminal) and
//! stdout are written straight, because nothing can be renamed over them. A signal
//! that ends the program removes the temporary file too, if the program asked for
//! that with [`super::map::install_interrupt_handler`].

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::cleanup::{self, Doomed};
use super::file_id::{FileId, display_path};
use crate::error::{Error, Result};
use crate::limits::OUTPUT_LINKS;

/// How much is gathered before the system is called.
const BUFFER_BYTES: usize = 256 * 1024;

/// What may be overwritten.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OutputOptions {
    force: bool,
    sources: Vec<FileId>,
}

impl OutputOptions {
    /// Nothing may.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets an existing file be replaced.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Names files that are being read: they are refused as targets, even with force.
    pub fn sources(mut self, sources: impl IntoIterator<Item = FileId>) -> Self {
        self.sources.extend(sources);
        self
    }
}

/// An output that appears under its name when it is complete.
///
/// ```
/// use std::io::Write;
/// use rdbkit::bytes::sink::{OutputFile, OutputOptions};
///
/// let folder = tempfile::tempdir()?;
/// let target = folder.path().join("out.json");
/// let mut output = OutputFile::create(&target, &OutputOptions::new())?;
/// output.write_all(b"[]")?;
/// assert!(!target.exists());
/// assert_eq!(output.commit()?, 2);
/// assert_eq!(std::fs::read(&target)?, b"[]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OutputFile {
    name: String,
    destination: Destination,
    written: u64,
}

enum Destination {
    Straight(BufWriter<File>),
    Temporary(Box<Temporary>),
}

// Fields drop in order: the path goes from the registry after its file is gone.
struct Temporary {
    writer: BufWriter<File>,
    path: tempfile::TempPath,
    doomed: Option<Doomed>,
    target: PathBuf,
    /// The file that is replaced.
    old: Option<Metadata>,
    force: bool,
}

impl OutputFile {
    /// Opens an output; the path `-` is stdout.
    ///
    /// # Errors
    /// Usage: the target is a folder, a file that is being read, or exists and may
    /// not be replaced. I/O: its folder is not there or not writable.
    pub fn create(path: impl AsRef<Path>, options: &OutputOptions) -> Result<OutputFile> {
        let path = path.as_ref();
        if path == Path::new("-") {
            return OutputFile::stdout();
        }
        let name = display_path(path);
        let destination = open(path, options).map_err(|error| error.in_file(&name))?;
        Ok(OutputFile {
            name,
            destination,
            written: 0,
        })
    }

    /// Writes to stdout, past the line buffer of [`std::io::stdout`].
    ///
    /// # Errors
    /// Stdout is closed.
    pub fn stdout() -> Result<OutputFile> {
        let open = || {
            let mut stdout = io::stdout().lock();
            stdout.flush()?;
            #[cfg(unix)]
            let copy = std::os::fd::AsFd::as_fd(&stdout).try_clone_to_owned()?;
            #[cfg(windows)]
            let copy = std::os::windows::io::AsHandle::as_handle(&stdout).try_clone_to_owned()?;
            Ok(File::from(copy))
        };
        let file = open().map_err(|e: io::Error| Error::io("cannot open", e).in_file("stdout"))?;
        Ok(OutputFile {
            name: "stdout".into(),
            destination: Destination::Straight(buffered(file)),
            written: 0,
        })
    }

    /// The name for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether a person would get the bytes on a screen.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(&self.destination, Destination::Straight(writer) if writer.get_ref().is_terminal())
    }

    /// Whether [`OutputFile::patch`] works: not for what is written straight.
    #[must_use]
    pub fn can_patch(&self) -> bool {
        matches!(self.destination, Destination::Temporary(_))
    }

    /// Whether nobody gets the bytes before [`OutputFile::commit`], so that what was written
    /// can be taken back by dropping this: a file does not have its name yet, and nobody reads
    /// the null device.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        match &self.destination {
            Destination::Temporary(_) => true,
            Destination::Straight(writer) => is_null_device(writer.get_ref()),
        }
    }

    /// Writes all of `bytes`, with an error that names the output.
    ///
    /// # Errors
    /// The disk is full, or the reader of a pipe is gone: then the kind of
    /// [`Error::io_error`] is [`io::ErrorKind::BrokenPipe`].
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|e| self.error(e))
    }

    /// Turns an error of this output's [`Write`] into one that names it.
    #[must_use]
    pub fn error(&self, source: io::Error) -> Error {
        Error::io("cannot write", source).in_file(&self.name)
    }

    /// Writes over bytes that were written before.
    ///
    /// # Errors
    /// The output is written straight, the bytes were not written before, or the system refuses.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let inside = offset
            .checked_add(bytes.len() as u64)
            .is_some_and(|end| end <= self.written);
        let patched = match &mut self.destination {
            Destination::Temporary(temporary) if inside => {
                patch(&mut temporary.writer, offset, bytes)
            }
            _ => Err(io::Error::from(io::ErrorKind::NotSeekable)),
        };
        patched.map_err(|e| self.error(e))
    }

    /// Makes the output appear under its name, and returns its length.
    ///
    /// # Errors
    /// It could not be completed, and the target is as it was; or the folder could not be
    /// made durable, and the target is there but might not survive a power failure. Usage: a
    /// file of that name has appeared meanwhile.
    pub fn commit(self) -> Result<u64> {
        let OutputFile {
            name,
            destination,
            written,
        } = self;
        match destination {
            Destination::Straight(mut writer) => {
                writer.flush().map_err(|e| Error::io("cannot write", e))
            }
            Destination::Temporary(temporary) => temporary.commit(),
        }
        .map(|()| written)
        .map_err(|error| error.in_file(name))
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writer = match &mut self.destination {
            Destination::Straight(writer) => writer,
            Destination::Temporary(temporary) => &mut temporary.writer,
        };
        let n = writer.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.destination {
            Destination::Straight(writer) => writer.flush(),
            Destination::Temporary(temporary) => temporary.writer.flush(),
        }
    }
}

impl fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputFile")
            .field("name", &self.name)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// A folder for outputs. One that was not there before goes again if it is empty when this is
/// dropped, or when a signal ends the program.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    /// Of a folder that was not there before.
    doomed: Option<Doomed>,
}

impl OutputFolder {
    /// Makes a folder, unless it is there.
    ///
    /// ```
    /// use rdbkit::bytes::sink::OutputFolder;
    ///
    /// let place = tempfile::tempdir()?;
    /// let path = place.path().join("out");
    /// let folder = OutputFolder::create(&path)?;
    /// assert!(folder.is_new() && path.is_dir());
    /// drop(folder);
    /// assert!(!path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Usage: a file has its name. I/O: the folder above is not there or not writable.
    pub fn create(path: impl AsRef<Path>) -> Result<OutputFolder> {
        let path = path.as_ref().to_path_buf();
        let make = || {
            if path.is_dir() {
                return Ok(None);
            }
            // Registered first, so that no signal falls between.
            let doomed = cleanup::register_folder(&path);
            match fs::create_dir(&path) {
                Ok(()) => Ok(Some(doomed)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match path.is_dir() {
                    true => Ok(None),
                    false => Err(Error::usage("is a file, not a folder")),
                },
                Err(e) => Err(Error::io("cannot make the folder", e)),
            }
        };
        match make() {
            Ok(doomed) => Ok(OutputFolder { path, doomed }),
            Err(error) => Err(error.in_file(display_path(&path))),
        }
    }

    /// Whether it was not there before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.doomed.is_some()
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if self.is_new() {
            // One that holds something stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn is_null_device(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let device = |metadata: Metadata| {
            let is_device = metadata.file_type().is_char_device();
            is_device.then(|| metadata.rdev())
        };
        let null = fs::metadata("/dev/null").ok().and_then(device);
        null.is_some() && file.metadata().ok().and_then(device) == null
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Gathers small pieces, so that a sink is called for 128 KiB at a time.
#[derive(Debug)]
pub(crate) struct Chunks<W> {
    sink: W,
    buffer: Vec<u8>,
}

impl<W: Write> Chunks<W> {
    const CHUNK_BYTES: usize = 128 * 1024;

    pub(crate) fn new(sink: W) -> Self {
        Chunks {
            sink,
            buffer: Vec::with_capacity(Self::CHUNK_BYTES),
        }
    }

    pub(crate) fn sink_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Adds a piece that is encoded straight into the buffer.
    ///
    /// # Errors
    /// The sink's.
    pub(crate) fn encode(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        encode(&mut self.buffer);
        match self.buffer.len() < Self::CHUNK_BYTES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Adds a piece; a large one is not copied.
    ///
    /// # Errors
    /// The sink's.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() < Self::CHUNK_BYTES {
            return self.encode(|buffer| buffer.extend_from_slice(bytes));
        }
        self.flush()?;
        self.sink.write_all(bytes).map_err(cannot_write)
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.write_all(&self.buffer).map_err(cannot_write)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left, and gives the sink back, which is not flushed.
    ///
    /// # Errors
    /// The sink's.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.flush()?;
        Ok(self.sink)
    }
}

#[cold]
pub(crate) fn cannot_write(source: io::Error) -> Error {
    Error::io("cannot write", source)
}

/// Counts what goes to a sink.
#[derive(Debug)]
pub struct Counted<W> {
    sink: W,
    bytes: u64,
}

impl<W> Counted<W> {
    /// Counts from 0.
    pub fn new(sink: W) -> Self {
        Counted { sink, bytes: 0 }
    }

    /// The sink, and how many bytes it took.
    pub fn into_parts(self) -> (W, u64) {
        (self.sink, self.bytes)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.sink.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn buffered(file: File) -> BufWriter<File> {
    BufWriter::with_capacity(BUFFER_BYTES, file)
}

fn patch(writer: &mut BufWriter<File>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    // Seeking a BufWriter flushes it first.
    let end = writer.stream_position()?;
    writer.seek(SeekFrom::Start(offset))?;
    writer.write_all(bytes)?;
    writer.seek(SeekFrom::Start(end)).map(drop)
}

fn open(path: &Path, options: &OutputOptions) -> Result<Destination> {
    let cannot_open = |e| Error::io("cannot open for writing", e);
    let open_straight = |path: &Path| {
        let file = File::options().write(true).open(path);
        let file = file.map_err(cannot_open)?;
        Ok(Destination::Straight(buffered(file)))
    };
    // What `/dev/stdout` leads to may be a pipe, which has no name.
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return open_straight(path);
    }
    let target = resolve(path).map_err(cannot_open)?;
    let old = match fs::metadata(&target) {
        Ok(metadata) => Some(metadata),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(cannot_open(e)),
    };
    if let Some(old) = &old {
        if old.is_dir() {
            return Err(Error::usage("is a folder"));
        }
        if !old.is_file() {
            return open_straight(&target);
        }
        let id = FileId::of_path(&target).map_err(cannot_open)?;
        if options.sources.contains(&id) {
            return Err(Error::usage("is both the input and the output"));
        }
        if !options.force {
            return Err(already_exists());
        }
    }
    let mut doomed = None;
    let temporary = tempfile::Builder::new()
        .prefix(".rdbkit-")
        .suffix(".tmp")
        .make_in(folder_of(&target), |path| {
            // Registered first, so that no signal falls between.
            let registered = cleanup::register(path);
            let file = create_private(path)?;
            doomed = Some(registered);
            Ok(file)
        })
        .map_err(|e| {
            // The error of a temporary file names a path that means nothing to the user.
            let source = e.raw_os_error().map_or(e, io::Error::from_raw_os_error);
            Error::io("cannot create a file in its folder", source)
        })?;
    let (file, path) = temporary.into_parts();
    Ok(Destination::Temporary(Box::new(Temporary {
        writer: buffered(file),
        path,
        doomed,
        target,
        old,
        force: options.force,
    })))
}

#[cold]
fn already_exists() -> Error {
    Error::usage("exists already; --force replaces it")
}

pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Follows symbolic links to what is written to, which need not exist, with an absolute folder.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_path_buf();
    for _ in 0..OUTPUT_LINKS {
        match fs::read_link(&target) {
            Ok(link) => target = folder_of(&target).join(link),
            // No link, or nothing there.
            Err(_) => {
                let name = match target.file_name() {
                    Some(name) => name.to_owned(),
                    // `/`, `..` and the like are folders, which opening refuses.
                    None => return target.canonicalize(),
                };
                return Ok(folder_of(&target).canonicalize()?.join(name));
            }
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Whether two outputs would be one, links followed.
#[must_use]
pub fn is_same_target(a: &Path, b: &Path) -> bool {
    match (resolve(a), resolve(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Temporary {
    fn commit(self) -> Result<()> {
        let Temporary {
            writer,
            path,
            doomed,
            target,
            old,
            force,
        } = self;
        let cannot_write = |e| Error::io("cannot write", e);
        let file = writer
            .into_inner()
            .map_err(|e| cannot_write(e.into_error()))?;
        if let Some(old) = &old {
            take_over(&file, old).map_err(|e| Error::io("cannot set the old file's mode", e))?;
        }
        file.sync_all().map_err(cannot_write)?;
        // Windows renames no open file.
        drop(file);
        let cannot_rename = |e| Error::io("cannot give the finished file its name", e);
        if force {
            path.persist(&target).map_err(|e| cannot_rename(e.error))?;
        } else {
            match path.persist_noclobber(&target) {
                Ok(()) => {}
                Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(already_exists());
                }
                // A file system without hard links and exclusive renames.
                Err(_) if target.symlink_metadata().is_ok() => return Err(already_exists()),
                Err(e) => e
                    .path
                    .persist(&target)
                    .map_err(|e| cannot_rename(e.error))?,
            }
        }
        drop(doomed);
        sync_folder(folder_of(&target))
            .map_err(|e| Error::io("cannot make the finished file's name durable", e))
    }
}

/// Gives a new file the mode of the old one and, where the system lets us, its owner and group.
fn take_over(file: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let new = file.metadata()?;
        let mut mode = old.mode();
        if new.uid() != old.uid() && fchown(file, Some(old.uid()), None).is_err() {
            // Only root may give it away. Nobody is to run it as another than was meant.
            mode &= !0o6000;
        }
        if new.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
            // What its group may do was meant for another one; it may do what all may.
            mode = mode & !0o2070 | (mode & 0o007) << 3;
        }
        file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))
    }
    #[cfg(not(unix))]
    file.set_permissions(old.permissions())
}

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match File::open(folder)?.sync_all() {
        // Some network file systems have no such thing.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) => {}
        other => return other,
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
