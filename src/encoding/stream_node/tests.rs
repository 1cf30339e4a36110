use super::*;
use crate::encoding::listpack::{BacklenWidth, ListpackBuilder};
use crate::encoding::testing::{check_blob, hex};

type Shown = (u64, u64, bool, Vec<(String, String)>);

fn text(text: Text<'_>) -> String {
    String::from_utf8_lossy(&text.to_vec()).into_owned()
}

fn read_all(bytes: &[u8], master: (u64, u64)) -> Result<Vec<Shown>, Flaw> {
    let node = StreamNode::new(bytes, master)?;
    let mut entries = node.entries();
    let mut shown = Vec::new();
    while let Some(mut entry) = entries.next_entry()? {
        let fields = entry
            .fields()
            .map(|field| field.map(|(name, value)| (text(name), text(value))))
            .collect::<Result<Vec<_>, _>>()?;
        assert_eq!(entry.declared_fields(), fields.len() as u64);
        let (ms, seq) = entry.id();
        shown.push((ms, seq, entry.deleted(), fields));
    }
    assert!(matches!(entries.next_entry(), Ok(None)));
    Ok(shown)
}

/// Reads no fields, or only the first of each entry.
fn skim(bytes: &[u8], master: (u64, u64), fields: usize) -> Result<usize, Flaw> {
    let node = StreamNode::new(bytes, master)?;
    let mut entries = node.entries();
    let mut count = 0;
    while let Some(mut entry) = entries.next_entry()? {
        for field in entry.fields().take(fields) {
            field?;
        }
        count += 1;
    }
    Ok(count)
}

fn listpack(elements: &[&str]) -> Vec<u8> {
    let mut builder = ListpackBuilder::new(BacklenWidth::Wide);
    for element in elements {
        builder.push(element.as_bytes());
    }
    builder.finish().unwrap()
}

fn words(line: &str) -> Vec<u8> {
    listpack(&line.split_whitespace().collect::<Vec<_>>())
}

fn server_example() -> Vec<u8> {
    hex("4a000000 1f00 0301 0101 0201 816102 816202 0001
         0201 0001 0001 0101 0201 0501
         0301 0001 0101 0301 0401 0501
         0001 0101 dfff02 0101 816302 0501 0601
         0201 0201 dfff02 0901 0801 0501 ff")
}

#[test]
fn server_example_shows_all_entries() {
    let fields = |pairs: &[(&str, &str)]| {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(own).collect::<Vec<_>>()
    };
    let node = server_example();
    let node_view = StreamNode::new(&node, (1, 1)).unwrap();
    assert_eq!((node_view.live(), node_view.deleted()), (3, 1));
    assert_eq!(node_view.listpack().non_canonical(), None);
    assert_eq!(
        read_all(&node, (1, 1)).unwrap(),
        [
            (1, 1, false, fields(&[("a", "1"), ("b", "2")])),
            (1, 2, true, fields(&[("a", "3"), ("b", "4")])),
            (2, 0, false, fields(&[("c", "5")])),
            (3, 0, false, fields(&[("a", "9"), ("b", "8")])),
        ]
    );
    for taken in 0..3 {
        assert_eq!(skim(&node, (1, 1), taken), Ok(4));
    }
}

#[test]
fn what_means_nothing_to_servers_is_told_and_read_over() {
    let mut unknown = words("1 0 1 a 0 2 0 0 1 4");
    unknown[4..6].copy_from_slice(&u16::MAX.to_le_bytes());
    let table = [
        ("nothing", words("1 0 1 a 0 2 0 0 1 4"), false, None),
        (
            "a third flag",
            words("1 0 1 a 0 6 0 0 1 4"),
            false,
            Some("the flags"),
        ),
        (
            "all flags",
            words("0 1 1 a 0 -1 0 0 1 4"),
            true,
            Some("the flags"),
        ),
        (
            "two of them",
            words("2 0 1 a 0 6 0 0 1 4 10 0 1 2 4"),
            false,
            Some("expected 0 to 3, found 6"),
        ),
        ("elements not counted", unknown, false, None),
    ];
    for (name, bytes, deleted, expected) in table {
        assert_eq!(read_all(&bytes, (1, 1)).unwrap()[0].2, deleted, "{name}");
        let node = StreamNode::new(&bytes, (1, 1)).unwrap();
        let mut entries = node.entries();
        while entries.next_entry().unwrap().is_some() {}
        let told = entries.non_canonical().map(|flaw| flaw.to_string());
        match (expected, &told) {
            (None, None) => {}
            (Some(part), Some(told)) if told.contains(part) => {}
            _ => panic!("{name}: {told:?}"),
        }
    }
}

#[test]
fn damage_is_survived_and_seen_alike_by_every_way_of_reading() {
    let node = server_example();
    check_blob(&node, |bytes| {
        let all = read_all(bytes, (1, 1)).map(|shown| shown.len());
        for taken in 0..2 {
            assert_eq!(skim(bytes, (1, 1), taken), all);
        }
        all
    });
}

#[test]
fn broken_nodes_name_the_rule() {
    let table = [
        ("empty listpack", "", Code::BadStream),
        ("count is text", "x 0 1 a 0", Code::BadStream),
        ("count is negative", "-1 0 1 a 0", Code::BadStream),
        (
            "deleted is negative",
            "1 -1 1 a 0 2 0 0 1 4",
            Code::BadStream,
        ),
        (
            "fields are negative",
            "1 0 -1 a 0 2 0 0 1 4",
            Code::BadStream,
        ),
        (
            "fields beyond the end",
            "1 0 9223372036854775807 a 0",
            Code::BadStream,
        ),
        ("no master terminator", "0 0 1 a", Code::BadStream),
        (
            "wrong master terminator",
            "1 0 1 a 1 2 0 0 1 4",
            Code::BadStream,
        ),
        ("no entry", "1 0 1 a 0", Code::BadStream),
        ("flags are text", "1 0 1 a 0 x 0 0 1 4", Code::BadStream),
        ("ms is text", "1 0 1 a 0 2 x 0 1 4", Code::BadStream),
        ("seq is text", "1 0 1 a 0 2 0 x 1 4", Code::BadStream),
        ("entry cut", "1 0 1 a 0 2 0 0", Code::BadStream),
        ("no lp-count", "1 0 1 a 0 2 0 0 1", Code::BadStream),
        ("wrong lp-count", "1 0 1 a 0 2 0 0 1 5", Code::BadStream),
        ("lp-count is text", "1 0 1 a 0 2 0 0 1 x", Code::BadStream),
        (
            "negative number of fields",
            "1 0 1 a 0 0 0 0 -1 2",
            Code::BadStream,
        ),
        (
            "fields of the entry missing",
            "1 0 1 a 0 0 0 0 9223372036854775807 a 1 6",
            Code::BadStream,
        ),
        (
            "one entry too many",
            "1 0 1 a 0 2 0 0 1 4 2 0 1 1 4",
            Code::BadStream,
        ),
        (
            "one element too many",
            "1 0 1 a 0 2 0 0 1 4 4",
            Code::BadStream,
        ),
        (
            "deleted, not counted",
            "1 0 1 a 0 3 0 0 1 4",
            Code::BadStream,
        ),
        (
            "counted, not deleted",
            "0 1 1 a 0 2 0 0 1 4",
            Code::BadStream,
        ),
        (
            "below the master ID",
            "1 0 1 a 0 2 0 -1 1 4",
            Code::BadOrder,
        ),
        (
            "same ID twice",
            "2 0 1 a 0 2 0 0 1 4 2 0 0 1 4",
            Code::BadOrder,
        ),
        (
            "descending",
            "2 0 1 a 0 2 1 0 1 4 2 0 5 1 4",
            Code::BadOrder,
        ),
    ];
    for (name, line, code) in table {
        let flaw = read_all(&words(line), (5, 5)).expect_err(name);
        assert_eq!(flaw.code(), code, "{name}: {flaw}");
        assert_eq!(skim(&words(line), (5, 5), 0), Err(flaw), "{name}");
    }
}

#[test]
fn sound_nodes_of_every_kind_are_read() {
    let table = [
        ("nothing at all", "0 0 0 0", 0),
        ("own fields", "1 0 1 a 0 0 0 0 2 x 1 y 2 8", 1),
        ("no fields", "1 0 0 0 2 0 0 3", 1),
        ("all deleted", "0 1 1 a 0 3 0 0 1 4", 1),
        ("first entry above the master ID", "1 0 1 a 0 2 0 1 1 4", 1),
        ("ms rises, seq falls", "2 0 1 a 0 2 0 9 1 4 2 1 -5 1 4", 2),
    ];
    for (name, line, count) in table {
        assert_eq!(
            read_all(&words(line), (5, 5)).expect(name).len(),
            count,
            "{name}"
        );
    }
}

#[test]
fn differences_wrap_like_the_servers() {
    // From 1-(2^64-1) to (2^64-1)-0: both differences leave the range of i64.
    let node = words("2 0 0 0 2 0 0 3 2 -2 1 3");
    let shown = read_all(&node, (1, u64::MAX)).unwrap();
    assert_eq!((shown[1].0, shown[1].1), (u64::MAX, 0));
}

#[test]
fn integers_stored_as_text_are_integers() {
    let mut bytes = words("1 0 1 a 0 2 0 0 1 4");
    // The last element, lp-count 4, as the string "4".
    bytes.truncate(bytes.len() - 3);
    bytes.extend_from_slice(&hex("8134 02 ff"));
    bytes[0] += 1;
    assert_eq!(read_all(&bytes, (0, 0)).unwrap().len(), 1);
    let node = StreamNode::new(&bytes, (0, 0)).unwrap();
    assert_eq!(
        node.listpack().non_canonical().unwrap().code(),
        Code::NotCanonical
    );
}
