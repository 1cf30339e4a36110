use proptest::prelude::*;

use super::*;
use crate::encoding::testing::{check_blob, hex, texts};

fn read(bytes: &[u8]) -> Result<Vec<Text<'_>>, Flaw> {
    Ziplist::new(bytes)?.iter().collect()
}

/// The grammar alone, without the hand-written loop.
fn read_by_grammar(bytes: &[u8]) -> Result<Vec<Text<'_>>, Flaw> {
    let ziplist = Ziplist::new(bytes)?;
    let mut entries = ziplist.iter();
    let mut texts = Vec::new();
    while !entries.rest.is_empty() {
        texts.push(entries.next_by_grammar()?);
    }
    match entries.finish() {
        Some(error) => error.map(|_| texts),
        None => Ok(texts),
    }
}

/// Wraps entries in header and terminator; `tail` is the offset of the last one.
fn wrap(tail: u32, count: u16, entries: &[u8]) -> Vec<u8> {
    let total = entries.len() as u32 + 11;
    let (total, tail) = (total.to_le_bytes(), tail.to_le_bytes());
    [&total, &tail, &count.to_le_bytes()[..], entries, &[0xff]].concat()
}

fn build(texts: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = ZiplistBuilder::new();
    for text in texts {
        builder.push(text);
    }
    let expected = builder.encoded_len();
    let blob = builder.finish().unwrap();
    assert_eq!(blob.len(), expected);
    blob
}

const SMALL: &str = "33000000 28000000 0800 000161 030162 03f2 02fefe 03c02c01 04f0701101 \
                     05e000f2052a01000000 0ae000007c1daf931983 ff";

#[test]
fn server_examples_read_and_are_written_again() {
    let list = [
        Text::Bytes(b"a"),
        Text::Bytes(b"b"),
        Text::Int(1),
        Text::Int(-2),
        Text::Int(300),
        Text::Int(70000),
        Text::Int(5_000_000_000),
        Text::Int(-9_000_000_000_000_000_000),
    ];
    let hash = [
        Text::Bytes(b"f1"),
        Text::Bytes(b"v1"),
        Text::Bytes(b"f2"),
        Text::Int(22),
        Text::Int(3),
        Text::Bytes(b"v3"),
    ];
    let table: [(&str, &[Text<'_>]); 4] = [
        (SMALL, &list),
        (
            "20000000 1b000000 0600 00026631 04027631 04026632 04fe16 03f4 02027633 ff",
            &hash,
        ),
        (
            "1200000 00a000000 0100 00056669727374 ff",
            &[Text::Bytes(b"first")],
        ),
        ("0b000000 0a000000 0000 ff", &[]),
    ];
    for (blob, expected) in table {
        let blob = hex(blob);
        assert_eq!(read(&blob).unwrap(), expected);
        assert_eq!(Ziplist::new(&blob).unwrap().non_canonical(), None);
        let texts: Vec<_> = expected.iter().map(|text| text.to_vec()).collect();
        assert_eq!(build(&texts), blob);
    }
}

#[test]
fn damage_is_survived_and_seen_alike_by_both_parsers() {
    check_blob(&hex(SMALL), |bytes| {
        let result = read(bytes);
        assert_eq!(result, read_by_grammar(bytes));
        result.map(|texts| texts.len())
    });
}

/// Name, tail offset, count, entries, and their texts or the offset of the flaw.
type Case<'a> = (&'a str, u32, u16, &'a str, Result<&'a [Text<'a>], usize>);

#[test]
fn entries_read_or_name_the_broken_rule() {
    let table: &[Case<'_>] = &[
        ("count not stored", 10, 65535, "00f1", Ok(&[Text::Int(0)])),
        ("immediate 12", 10, 1, "00fd", Ok(&[Text::Int(12)])),
        ("i8", 10, 1, "00fe80", Ok(&[Text::Int(-128)])),
        (
            "i32",
            10,
            1,
            "00d000000080",
            Ok(&[Text::Int(-2_147_483_648)]),
        ),
        ("i16, not minimal", 10, 1, "00c00100", Ok(&[Text::Int(1)])),
        (
            "long prevlen, small value",
            12,
            2,
            "00f1 fe02000000f2",
            Ok(&[Text::Int(0), Text::Int(1)]),
        ),
        (
            "14-bit header, not minimal",
            10,
            1,
            "00400161",
            Ok(&[Text::Bytes(b"a")]),
        ),
        (
            "32-bit header, odd bits",
            10,
            1,
            "00850000000161",
            Ok(&[Text::Bytes(b"a")]),
        ),
        ("empty string", 10, 1, "0000", Ok(&[Text::Bytes(b"")])),
        ("tail elsewhere", 11, 1, "00f1", Err(4)),
        ("tail of the empty one", 0, 0, "", Err(4)),
        ("one too few", 10, 2, "00f1", Err(8)),
        ("one too many", 10, 0, "00f1", Err(8)),
        ("first with a prevlen", 10, 1, "02f1", Err(10)),
        ("wrong prevlen", 12, 2, "00f1 03f1", Err(12)),
        ("wrong long prevlen", 12, 2, "00f1 fe03000000f1", Err(12)),
        ("prevlen alone", 10, 1, "00", Err(10)),
        ("long prevlen cut", 12, 2, "00f1 fe0200", Err(12)),
        ("string past the end", 10, 1, "000261", Err(10)),
        ("integer cut", 10, 1, "00e00000", Err(10)),
        ("length beyond any memory", 10, 1, "0080ffffffff61", Err(10)),
        ("encoding C1", 10, 1, "00c100", Err(11)),
        ("encoding D8", 10, 1, "00d800", Err(11)),
        ("encoding EF", 10, 1, "00ef00", Err(11)),
        ("encoding FF", 10, 1, "00ff", Err(11)),
        ("terminator in the middle", 12, 1, "00f1 ff", Err(12)),
    ];
    for (name, tail, count, entries, expected) in table {
        let blob = wrap(*tail, *count, &hex(entries));
        let result = read(&blob);
        assert_eq!(result, read_by_grammar(&blob), "{name}");
        match expected {
            Ok(texts) => assert_eq!(result.as_deref(), Ok(*texts), "{name}"),
            Err(at) => {
                let flaw = result.expect_err(name);
                assert_eq!(
                    (flaw.code(), flaw.at()),
                    (Code::BadZiplist, *at),
                    "{name}: {flaw}"
                );
            }
        }
    }
}

#[test]
fn broken_headers_are_refused() {
    let table = [
        ("nothing", ""),
        ("header cut", "0a000000 0a000000 00"),
        ("no terminator", "0a000000 0a000000 0000"),
        ("wrong terminator", "0b000000 0a000000 0000 00"),
        ("total too small", "0a000000 0a000000 0000 ff"),
        ("total beyond any memory", "ffffffff 0a000000 0000 ff"),
    ];
    for (name, blob) in table {
        let flaw = Ziplist::new(&hex(blob)).expect_err(name);
        assert_eq!(flaw.code(), Code::BadZiplist, "{name}");
    }
}

#[test]
fn iterator_is_fused_after_an_error() {
    for (tail, entries) in [(12, "00f1 05f1"), (10, "00f1 02f1")] {
        let blob = wrap(tail, 2, &hex(entries));
        let mut entries = Ziplist::new(&blob).unwrap().iter();
        assert!(entries.find(Result::is_err).is_some());
        assert!(entries.next().is_none());
    }
}

#[test]
fn non_canonical_names_the_first_entry() {
    let table = [
        ("00f1 02fe05", Some(12)),
        ("00f1 fe02000000fe05", Some(12)),
        ("00f1 fe02000000f2", None),
        ("00c0ff00", None),
        ("00fe7f", None),
        ("00d0ff000000", Some(10)),
        ("000135", Some(10)),
        ("00022d30", None),
        ("00400161", Some(10)),
        ("00810000000161", Some(10)),
        ("000161", None),
    ];
    for (entries, at) in table {
        let blob = wrap(10, 65535, &hex(entries));
        let flaw = Ziplist::new(&blob).unwrap().non_canonical();
        assert_eq!(flaw.as_ref().map(Flaw::at), at, "{entries}");
        assert!(flaw.is_none_or(|flaw| flaw.code() == Code::NotCanonical));
    }
}

proptest! {
    #[test]
    fn texts_survive_a_round_trip(texts in texts()) {
        let blob = build(&texts);
        let read: Vec<_> = read(&blob).unwrap().into_iter().map(Text::to_vec).collect();
        prop_assert_eq!(read, texts);
        prop_assert_eq!(Ziplist::new(&blob).unwrap().non_canonical(), None);
    }

    #[test]
    fn both_parsers_agree_on_damaged_blobs(
        texts in texts(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)
    ) {
        let mut blob = build(&texts);
        for (at, byte) in damage {
            let entries = &mut blob[4..];
            let at = at.index(entries.len());
            entries[at] = byte;
        }
        prop_assert_eq!(read(&blob), read_by_grammar(&blob));
    }

    #[test]
    fn both_parsers_agree_on_noise(entries in prop::collection::vec(any::<u8>(), 0..60)) {
        let blob = wrap(10, 65535, &entries);
        prop_assert_eq!(read(&blob), read_by_grammar(&blob));
    }
}
