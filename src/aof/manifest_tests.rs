//! The grammar table, each row as six servers (Redis 7.0.15, 7.4.1, 8.2.3, 8.6.2, Valkey 8.1.8,
//! 9.1.2) answered when they were started on it.

use proptest::prelude::*;

use super::*;

/// A manifest, and the server's message and line; or its entries as servers write them.
type Row = (&'static [u8], Result<&'static str, (ManifestFlaw, u64)>);

include!("manifest_table.rs");

#[test]
fn manifest_table_reads_as_servers_do() {
    for (text, expected) in TABLE {
        let name = text.escape_ascii();
        match (Manifest::parse(text), expected) {
            (Ok(manifest), Ok(written)) => {
                let encoded = manifest.encode();
                assert_eq!(
                    encoded.escape_ascii().to_string(),
                    written.as_bytes().escape_ascii().to_string(),
                    "{name}"
                );
            }
            (Err(error), Err((flaw, line))) => {
                assert_eq!(
                    (error.flaw(), error.line_number()),
                    (*flaw, *line),
                    "{name}"
                );
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn manifest_line_of_1024_bytes_is_the_longest() {
    let line = |len: usize| {
        let mut line = b"file a seq 1 type i x ".to_vec();
        line.resize(len - 1, b'y');
        line.push(b'\n');
        line
    };
    assert!(Manifest::parse(&line(1024)).is_ok());
    assert_eq!(
        Manifest::parse(&line(1025)).unwrap_err().flaw(),
        ManifestFlaw::LineTooLong
    );
    // A longer comment is cut, and its rest is a line.
    let mut comment = vec![b'#'; 1024];
    comment.extend_from_slice(b"file a seq 1 type b\n");
    assert_eq!(Manifest::parse(&comment).unwrap().base.unwrap().file, b"a");
}

#[test]
fn manifest_error_carries_code_line_and_offset() {
    let error = Manifest::parse(b"file a seq 1 type b\n  file b seq 1 type b \n").unwrap_err();
    assert_eq!(
        (error.line(), error.offset()),
        (&b"file b seq 1 type b"[..], 20)
    );
    let error = Error::from(error);
    assert_eq!(error.code(), Code::BadManifest);
    assert_eq!(
        error.to_string(),
        "bad manifest: Found duplicate base file information: line 2 (at 0x14)"
    );
}

#[test]
fn manifest_with_unknown_keys_keeps_them() {
    let manifest = Manifest::parse(b"file a seq 1 type b Colour \"dark red\"\n").unwrap();
    assert_eq!(
        manifest.base.unwrap().ignored,
        [(b"Colour".to_vec(), b"dark red".to_vec())]
    );
}

proptest! {
    #[test]
    fn manifest_reads_back_what_it_writes(
        names in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
        offsets in prop::option::of((0..i64::MAX, prop::option::of(0..i64::MAX))),
    ) {
        let mut manifest = Manifest::default();
        for (at, name) in names.into_iter().enumerate() {
            let name: Vec<u8> = name.into_iter().filter(|b| !matches!(b, b'/' | b'\\' | 0)).collect();
            let mut entry = Entry::new(name, at as i64 + 1, EntryKind::Incr);
            entry.start_offset = offsets.map(|(start, _)| start);
            entry.end_offset = offsets.and_then(|(_, end)| end);
            match at {
                0 => manifest.base = Some(Entry { kind: EntryKind::Base, ..entry }),
                1 => manifest.history.push(Entry { kind: EntryKind::History, ..entry }),
                _ => manifest.incrs.push(entry),
            }
        }
        prop_assert_eq!(Manifest::parse(&manifest.encode()), Ok(manifest));
    }

    #[test]
    fn manifest_of_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse(&bytes);
        let _ = split_args(&bytes);
    }
}
