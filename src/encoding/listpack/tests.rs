use proptest::prelude::*;

use super::*;
use crate::encoding::testing::{check_blob, hex, texts};

fn read(bytes: &[u8]) -> Result<Vec<Text<'_>>, Flaw> {
    Listpack::new(bytes)?.iter().collect()
}

/// The grammar alone, without the hand-written loop.
fn read_by_grammar(bytes: &[u8]) -> Result<Vec<Text<'_>>, Flaw> {
    let listpack = Listpack::new(bytes)?;
    let mut elements = listpack.iter();
    let mut texts = Vec::new();
    while !elements.rest.is_empty() {
        texts.push(elements.next_by_grammar()?);
    }
    match elements.finish() {
        Some(error) => error.map(|_| texts),
        None => Ok(texts),
    }
}

/// Wraps elements in header and terminator.
fn wrap(count: u16, elements: &[u8]) -> Vec<u8> {
    let total = elements.len() as u32 + 7;
    [
        &total.to_le_bytes(),
        &count.to_le_bytes()[..],
        elements,
        &[0xff],
    ]
    .concat()
}

fn build(texts: &[Vec<u8>], width: BacklenWidth) -> Vec<u8> {
    let mut builder = ListpackBuilder::new(width);
    for text in texts {
        builder.push(text);
    }
    let expected = builder.encoded_len();
    let blob = builder.finish().unwrap();
    assert_eq!(blob.len(), expected);
    blob
}

const SMALL: &str = "2e000000 0800 816102 816202 0101 dffe02 c12c02 f270110104 \
                     f400f2052a0100000009 f400007c1daf93198309 ff";

#[test]
fn server_example_reads_and_is_written_again() {
    let blob = hex(SMALL);
    let expected = [
        Text::Bytes(b"a"),
        Text::Bytes(b"b"),
        Text::Int(1),
        Text::Int(-2),
        Text::Int(300),
        Text::Int(70000),
        Text::Int(5_000_000_000),
        Text::Int(-9_000_000_000_000_000_000),
    ];
    assert_eq!(read(&blob).unwrap(), expected);
    assert_eq!(Listpack::new(&blob).unwrap().non_canonical(), None);
    assert_eq!(Listpack::new(&blob).unwrap().declared_len(), Some(8));
    let texts: Vec<_> = expected.iter().map(|text| text.to_vec()).collect();
    assert_eq!(build(&texts, BacklenWidth::Wide), blob);
}

#[test]
fn damage_is_survived_and_seen_alike_by_both_parsers() {
    check_blob(&hex(SMALL), |bytes| {
        let result = read(bytes);
        assert_eq!(result, read_by_grammar(bytes));
        result.map(|texts| texts.len())
    });
}

/// Name, count, elements, and their texts or the offset of the flaw.
type Case<'a> = (&'a str, u16, &'a str, Result<&'a [Text<'a>], usize>);

#[test]
fn elements_read_or_name_the_broken_rule() {
    let table: &[Case<'_>] = &[
        ("empty", 0, "", Ok(&[])),
        (
            "count not stored",
            65535,
            "0101 0201",
            Ok(&[Text::Int(1), Text::Int(2)]),
        ),
        (
            "127 and -4096",
            2,
            "7f01 d00002",
            Ok(&[Text::Int(127), Text::Int(-4096)]),
        ),
        ("4095", 1, "cfff02", Ok(&[Text::Int(4095)])),
        ("i16, not minimal", 1, "f1ffff03", Ok(&[Text::Int(-1)])),
        ("i24", 1, "f200008004", Ok(&[Text::Int(-8_388_608)])),
        ("i32", 1, "f30000008005", Ok(&[Text::Int(-2_147_483_648)])),
        ("empty string", 1, "8001", Ok(&[Text::Bytes(b"")])),
        (
            "12-bit header, not minimal",
            1,
            "e0016103",
            Ok(&[Text::Bytes(b"a")]),
        ),
        (
            "32-bit header, not minimal",
            1,
            "f0010000006106",
            Ok(&[Text::Bytes(b"a")]),
        ),
        (
            "bit 7 of the backlen set, and nothing before it",
            1,
            "f4 0000000000010000 89",
            Ok(&[Text::Int(1 << 40)]),
        ),
        (
            "bit 7 of the backlen set behind a byte that ends it at 127",
            1,
            "f4 0000000000010001 89",
            Err(15),
        ),
        ("backlen of bytes with bit 7 only", 1, "8280 8083", Err(9)),
        ("one too few", 2, "0101", Err(4)),
        ("one too many", 0, "0101", Err(4)),
        ("integer without backlen", 1, "01", Err(6)),
        ("integer with wrong backlen", 1, "0102", Err(7)),
        ("string with wrong backlen", 1, "816101", Err(8)),
        ("string past the end", 1, "826102", Err(6)),
        ("second element broken", 2, "0101 816103", Err(10)),
        ("backlen longer than needed", 1, "010001", Err(7)),
        ("backlen zero", 1, "0100", Err(7)),
        ("13-bit integer cut", 1, "df", Err(6)),
        ("i64 cut", 1, "f40000", Err(6)),
        ("12-bit string cut", 1, "e0", Err(6)),
        ("length beyond any memory", 1, "f0ffffffff61", Err(6)),
        ("reserved F5", 1, "f50002", Err(6)),
        ("reserved FE", 1, "fe0002", Err(6)),
        ("terminator in the middle", 1, "0101 ff", Err(8)),
        ("bytes behind the terminator", 1, "0101 ff 0101", Err(8)),
    ];
    for (name, count, elements, expected) in table {
        let blob = wrap(*count, &hex(elements));
        let result = read(&blob);
        assert_eq!(result, read_by_grammar(&blob), "{name}");
        match expected {
            Ok(texts) => assert_eq!(result.as_deref(), Ok(*texts), "{name}"),
            Err(at) => {
                let flaw = result.expect_err(name);
                assert_eq!(
                    (flaw.code(), flaw.at()),
                    (Code::BadListpack, *at),
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
        ("header cut", "0600000000"),
        ("no terminator", "06000000 0000"),
        ("wrong terminator", "07000000 0000 00"),
        ("total too small", "06000000 0000 ff"),
        ("total too large", "08000000 0000 ff"),
        ("total beyond any memory", "ffffffff 0000 ff"),
    ];
    for (name, blob) in table {
        let flaw = Listpack::new(&hex(blob)).expect_err(name);
        assert_eq!(flaw.code(), Code::BadListpack, "{name}");
    }
}

#[test]
fn iterator_is_fused_after_an_error() {
    for elements in ["0101 f5", "0101 0101"] {
        let blob = wrap(1, &hex(elements));
        let mut elements = Listpack::new(&blob).unwrap().iter();
        assert!(elements.find(Result::is_err).is_some());
        assert!(elements.next().is_none());
        assert!(elements.next().is_none());
    }
}

#[test]
fn odd_sizes_read_with_both_backlens_and_others_with_one() {
    for size in TWO_BACKLENS
        .into_iter()
        .take(2)
        .flat_map(|odd| odd - 2..odd + 3)
    {
        let header = if size < 4096 + 2 { 2 } else { 5 };
        let text = vec![b'x'; size - header];
        let wide = build(std::slice::from_ref(&text), BacklenWidth::Wide);
        let minimal = build(std::slice::from_ref(&text), BacklenWidth::Minimal);
        let odd = TWO_BACKLENS.contains(&size);
        assert_eq!(wide.len() - minimal.len(), usize::from(odd), "{size}");
        for blob in [&wide, &minimal] {
            assert_eq!(read(blob), Ok(vec![Text::Bytes(&text)]));
            assert_eq!(Listpack::new(blob).unwrap().non_canonical(), None);
        }
        // A byte more than the wide form is wrong everywhere.
        let backlen = Backlen::of(size, backlen_width(size) + 1 + usize::from(odd));
        let element = [&minimal[6..6 + size], backlen.as_bytes()].concat();
        assert!(read(&wrap(1, &element)).is_err(), "{size}");
    }
    // The example of the server.
    assert_eq!(Backlen::of(16383, 3).as_bytes(), hex("00ffff"));
    assert_eq!(Backlen::of(16383, 2).as_bytes(), hex("7fff"));
}

#[test]
fn non_canonical_names_the_first_element() {
    let table = [
        ("0101 f1010003", Some(8)),
        ("c00502", Some(6)),
        ("0101 f4000000000001000089", Some(8)),
        ("0101 f4000000000001000009", None),
        ("f3010000000005", None),
        ("f30100000005", Some(6)),
        ("81610203 01", None),
        ("816102 813502", Some(9)),
        ("822d3003", None),
        ("e0016103", Some(6)),
        ("f0010000006106", Some(6)),
        ("816102", None),
    ];
    for (elements, at) in table {
        let blob = wrap(65535, &hex(elements));
        let flaw = Listpack::new(&blob).unwrap().non_canonical();
        assert_eq!(flaw.as_ref().map(Flaw::at), at, "{elements}");
        assert!(flaw.is_none_or(|flaw| flaw.code() == Code::NotCanonical));
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes there")]
fn count_beyond_the_header_is_stored_as_unknown() {
    for count in [65534, 65535, 65536] {
        let blob = build(&vec![b"1".to_vec(); count], BacklenWidth::Minimal);
        let listpack = Listpack::new(&blob).unwrap();
        assert_eq!(
            listpack.declared_len(),
            Some(count).filter(|&count| count < 65535)
        );
        assert_eq!(read(&blob).unwrap().len(), count);
    }
}

proptest! {
    #[test]
    fn texts_survive_a_round_trip(texts in texts(), wide in any::<bool>()) {
        let width = if wide { BacklenWidth::Wide } else { BacklenWidth::Minimal };
        let blob = build(&texts, width);
        let read: Vec<_> = read(&blob).unwrap().into_iter().map(Text::to_vec).collect();
        prop_assert_eq!(read, texts);
        prop_assert_eq!(Listpack::new(&blob).unwrap().non_canonical(), None);
    }

    #[test]
    fn both_parsers_agree_on_damaged_blobs(
        texts in texts(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)
    ) {
        let mut blob = build(&texts, BacklenWidth::Wide);
        for (at, byte) in damage {
            let elements = &mut blob[4..];
            let at = at.index(elements.len());
            elements[at] = byte;
        }
        prop_assert_eq!(read(&blob), read_by_grammar(&blob));
    }

    #[test]
    fn both_parsers_agree_on_noise(elements in prop::collection::vec(any::<u8>(), 0..60)) {
        let blob = wrap(65535, &elements);
        prop_assert_eq!(read(&blob), read_by_grammar(&blob));
    }
}

#[test]
fn odd_backlens_are_told_apart() {
    for extra in [0, 1, 2] {
        // An element of 16382, 16383 or 16384 bytes with its header.
        let element = vec![b'z'; 16382 - 5 + extra];
        for width in [BacklenWidth::Wide, BacklenWidth::Minimal] {
            let mut builder = ListpackBuilder::new(width);
            builder.push(b"small");
            builder.push(&element);
            let blob = builder.finish().unwrap();
            let listpack = Listpack::new(&blob).unwrap();
            for asked in [BacklenWidth::Wide, BacklenWidth::Minimal] {
                let expected = extra != 1 || asked == width;
                assert_eq!(listpack.has_backlens(asked), expected, "{extra} {width:?}");
            }
        }
    }
}
