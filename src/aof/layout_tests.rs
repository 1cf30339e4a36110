use super::*;

const RECORD: &[u8] = b"*1\r\n$4\r\nPING\r\n";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn names(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.into_iter().map(|path| name(path.as_ref())).collect()
}

#[test]
fn content_is_told_by_first_bytes() {
    let table: &[(&[u8], Content)] = &[
        (b"", Content::Empty),
        (b"REDIS0011", Content::Rdb),
        (b"VALKEY080", Content::Rdb),
        (b"REDISTRIBUTE", Content::Other),
        (RECORD, Content::Log),
        (b"#TS:1\r\n", Content::Log),
        (b"# note\n*1\r\n", Content::Log),
        (b"# note\n#TS:1\r\n", Content::Log),
        (b"file a seq 1 type b\n", Content::Manifest),
        (b"# note\nFILE a seq 1 type b\n", Content::Manifest),
        (b"type b seq 1 file a\n", Content::Manifest),
        (b"file", Content::Manifest),
        (b"# note\n", Content::Manifest),
        (b"files are here\n", Content::Other),
        (b"PING\r\n", Content::Other),
        (b"\n", Content::Other),
        (b"\0\0", Content::Other),
        (b"{\"rdbkit\":1}", Content::Other),
    ];
    for (bytes, expected) in table {
        assert_eq!(Content::of(bytes), *expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn set_with_every_kind_of_file_is_sorted_out() {
    let dir = folder(&[
        (
            "appendonlydir/a.aof.manifest",
            b"file a.aof.2.base.rdb seq 2 type b\nfile a.aof.1.incr.aof seq 1 type h\n\
              file a.aof.2.incr.aof seq 2 type i\nfile gone seq 3 type i\n",
        ),
        ("appendonlydir/a.aof.2.base.rdb", b"REDIS0011"),
        ("appendonlydir/a.aof.1.base.rdb", b"REDIS0011"),
        ("appendonlydir/a.aof.1.incr.aof", RECORD),
        ("appendonlydir/a.aof.2.incr.aof", RECORD),
        ("appendonlydir/temp-a.aof.manifest", b""),
        ("appendonlydir/notes.txt", b""),
        ("temp-rewriteaof-bg-77.aof", b""),
        ("a.aof", RECORD),
    ]);
    for path in [dir.path().to_path_buf(), dir.path().join("appendonlydir")] {
        let set = AofSet::open(&path).unwrap();
        assert_eq!(
            names(set.parts.iter().map(|p| &p.path)),
            ["a.aof.2.base.rdb", "a.aof.2.incr.aof"]
        );
        assert_eq!(set.parts[1].bytes, RECORD.len() as u64);
        assert_eq!(names(&set.missing), ["gone"]);
        assert_eq!(names(&set.orphans), ["a.aof.1.base.rdb"]);
        assert_eq!(names(&set.history), ["a.aof.1.incr.aof"]);
        let codes: Vec<_> = set.findings.iter().map(|f| f.code().as_str()).collect();
        assert_eq!(
            codes,
            [
                "orphan_part",
                "missing_part",
                "orphan_part",
                "rewrite_temp",
                "rewrite_temp"
            ]
        );
        assert_eq!(set.findings.iter().filter(|f| f.is_error()).count(), 1);
    }
}

#[test]
fn single_file_that_a_server_would_upgrade_is_the_base() {
    for manifest in [&b"# nothing\n"[..], b"file a.aof seq 1 type b\n"] {
        let dir = folder(&[
            ("appendonlydir/a.aof.manifest", manifest),
            ("a.aof", RECORD),
        ]);
        let set = AofSet::open(dir.path()).unwrap();
        assert_eq!(set.parts[0].path, dir.path().join("a.aof"));
        assert!(
            matches!(set.findings[..], [LayoutFinding::Upgrade(_)]),
            "{:?}",
            set.findings
        );
    }
}

#[test]
fn orphan_incr_beside_a_manifest_of_comments_is_dangerous() {
    let dir = folder(&[("x.manifest", b"# nothing\n"), ("x.1.incr.aof", RECORD)]);
    let set = AofSet::open(&dir.path().join("x.manifest")).unwrap();
    assert!(set.parts.is_empty());
    assert!(matches!(
        set.findings[..],
        [LayoutFinding::OrphanToBeReplayed(_)]
    ));
}

#[test]
fn folder_that_is_no_set_is_refused() {
    let two = folder(&[("a.manifest", b"#\n"), ("b.manifest", b"#\n")]);
    assert_eq!(AofSet::open(two.path()).unwrap_err().code(), Code::Usage);
    let none = folder(&[("a.aof", RECORD)]);
    assert_eq!(AofSet::open(none.path()).unwrap_err().code(), Code::Usage);
    assert_eq!(
        AofSet::open(&none.path().join("a.aof"))
            .unwrap()
            .parts
            .len(),
        1
    );
    let empty = folder(&[("a.manifest", b"")]);
    assert_eq!(
        AofSet::open(empty.path()).unwrap_err().code(),
        Code::BadManifest
    );
    let text = folder(&[("a.txt", b"hello")]);
    assert_eq!(
        AofSet::open(&text.path().join("a.txt")).unwrap_err().code(),
        Code::BadResp
    );
}

#[test]
fn part_that_is_no_regular_file_is_missing() {
    let dir = folder(&[
        (
            "a.manifest",
            b"file .. seq 1 type b\nfile sub seq 1 type i\n",
        ),
        ("sub/x", b""),
    ]);
    assert_eq!(AofSet::open(dir.path()).unwrap().missing.len(), 2);
}
