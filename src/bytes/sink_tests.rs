use super::*;
use crate::error::{Code, Fault};

fn create(path: &Path, force: bool) -> Result<OutputFile> {
    OutputFile::create(path, &OutputOptions::new().force(force))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn output_dropped_without_commit_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let mut output = create(&target, false).unwrap();
    output.put(b"half").unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    drop(output);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn output_committed_has_the_bytes_and_a_private_mode() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let mut output = create(&target, false).unwrap();
    let bytes = vec![7; 3 * BUFFER_BYTES + 5];
    output.put(&bytes).unwrap();
    output.patch(1, b"ab").unwrap();
    output.put(b"end").unwrap();
    assert!(output.patch(bytes.len() as u64 + 2, b"xy").is_err());
    assert_eq!(output.commit().unwrap(), bytes.len() as u64 + 3);
    let written = fs::read(&target).unwrap();
    assert_eq!(written[..4], [7, b'a', b'b', 7]);
    assert!(written.ends_with(b"\x07end"));
    assert_eq!(names(folder.path()), ["out"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&target), 0o600);
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        create(&target, true).unwrap().commit().unwrap();
        assert_eq!(mode(&target), 0o644);
        assert_eq!(fs::read(&target).unwrap(), b"");
    }
}

#[test]
fn existing_target_without_force_is_refused_also_at_commit() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let output = create(&target, false).unwrap();
    fs::write(&target, "theirs").unwrap();
    assert_eq!(output.commit().unwrap_err().code(), Code::Usage);
    let error = create(&target, false).unwrap_err();
    assert_eq!(error.fault(), Fault::Usage);
    assert!(
        error
            .to_string()
            .ends_with("out: exists already; --force replaces it")
    );
    assert_eq!(fs::read(&target).unwrap(), b"theirs");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn source_as_target_is_refused_even_with_force() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    fs::write(&target, "input").unwrap();
    let options = OutputOptions::new()
        .force(true)
        .sources([FileId::of_path(&target).unwrap()]);
    for path in [target.clone(), folder.path().join("./out")] {
        let error = OutputFile::create(path, &options).unwrap_err();
        assert_eq!(error.code(), Code::Usage);
    }
}

#[test]
fn folders_and_missing_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(create(folder.path(), true).unwrap_err().code(), Code::Usage);
    let lost = folder.path().join("none/out");
    let error = create(&lost, true).unwrap_err();
    assert_eq!(error.code(), Code::Io);
    assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn symbolic_link_stays_and_its_target_is_replaced() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    let (real, link) = (folder.path().join("real/out"), folder.path().join("link"));
    symlink("real/out", &link).unwrap();
    // The target of the link need not be there yet.
    for (text, force) in [("one", false), ("two", true)] {
        let mut output = create(&link, force).unwrap();
        assert_eq!(names(folder.path()), ["link", "real"]);
        output.put(text.as_bytes()).unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), text);
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
    let ring = folder.path().join("ring");
    symlink("ring", &ring).unwrap();
    assert_eq!(create(&ring, true).unwrap_err().code(), Code::Io);
}

#[cfg(unix)]
#[test]
fn device_is_written_straight_without_force() {
    let mut output = create(Path::new("/dev/null"), false).unwrap();
    assert!(!output.can_patch() && !output.is_terminal());
    output.put(b"gone").unwrap();
    assert_eq!(output.commit().unwrap(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_says_what_was_being_done() {
    let mut output = create(Path::new("/dev/full"), false).unwrap();
    output.put(b"x").unwrap();
    let error = output.commit().unwrap_err();
    assert_eq!(error.code(), Code::Io);
    assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().starts_with("/dev/full: cannot write: "));
}

#[cfg(unix)]
#[test]
fn pipe_without_reader_is_a_broken_pipe() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut output = OutputFile {
        name: "stdout".into(),
        destination: Destination::Straight(buffered(File::from(std::os::fd::OwnedFd::from(
            writer,
        )))),
        written: 0,
    };
    let error = output.put(&vec![0; 2 * BUFFER_BYTES]).unwrap_err();
    assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::BrokenPipe);
}
