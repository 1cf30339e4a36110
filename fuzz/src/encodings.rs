//! Any bytes as each encoding of a value: what a view takes it walks to its end without a panic,
//! and what it calls canonical is what our builder makes of the same elements.

use rdbkit::bytes::Text;
use rdbkit::bytes::lzf::{decompress_into, max_expanded_len};
use rdbkit::encoding::intset::Intset;
use rdbkit::encoding::listpack::Listpack;
use rdbkit::encoding::stream_node::StreamNode;
use rdbkit::encoding::ziplist::{Ziplist, ZiplistBuilder};
use rdbkit::encoding::zipmap::Zipmap;
use rdbkit::json::native::{Arrangement, NativeWriter};
use rdbkit::ops::export::export_record;
use rdbkit::rdb::{ChecksumMode, Item, RdbReader, ReadItems as _, Scratch};

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    match choice % 7 {
        0 => ziplist(bytes),
        1 => listpack(bytes),
        2 => intset(bytes),
        3 => zipmap(bytes),
        4 => quicklist(bytes),
        5 => stream_node(bytes),
        _ => lzf(bytes),
    }
}

fn ziplist(bytes: &[u8]) {
    let Ok(list) = Ziplist::new(bytes) else {
        return;
    };
    // Of more entries than its head can count a list says no number, and a server leaves it so
    // when there are fewer again.
    let is_counted = bytes[8..10] != [0xff, 0xff];
    let is_canonical = is_counted && list.non_canonical().is_none();
    let elements: Result<Vec<Text<'_>>, _> = list.iter().collect();
    if let (Ok(elements), true) = (elements, is_canonical) {
        let mut builder = ZiplistBuilder::new();
        for element in &elements {
            builder.push_text(*element);
        }
        assert!(builder.finish().as_deref() == Some(bytes));
    }
}

fn listpack(bytes: &[u8]) {
    let Ok(pack) = Listpack::new(bytes) else {
        return;
    };
    let _ = pack.non_canonical();
    let elements = pack.iter().take_while(Result::is_ok).count();
    assert!(elements <= bytes.len());
}

fn intset(bytes: &[u8]) {
    let Ok(set) = Intset::new(bytes) else {
        return;
    };
    let members: Vec<i64> = set.iter().filter_map(Result::ok).collect();
    let mut again = Vec::new();
    // A set that is wider than it needs to be is sound, too.
    if members.len() == set.len()
        && Intset::encoded_len(&members) == bytes.len()
        && Intset::encode_into(&members, &mut again).is_ok()
    {
        assert!(again == bytes);
    }
}

fn zipmap(bytes: &[u8]) {
    let Ok(map) = Zipmap::new(bytes) else {
        return;
    };
    let _ = map.non_canonical();
    assert!(map.iter().take_while(Result::is_ok).count() <= bytes.len());
}

/// One node of a list of version 2, packed.
fn quicklist(bytes: &[u8]) {
    let mut file = b"REDIS0011\xfe\x00\x12\x04list\x01\x02\x80".to_vec();
    file.extend((bytes.len() as u32).to_be_bytes());
    file.extend(bytes);
    file.push(0xff);
    let mut writer = NativeWriter::new(Arrangement::Lines);
    let (mut scratch, mut key_scratch) = (Scratch::new(), Vec::new());
    let mut reader = RdbReader::from_slice(&file).checksum(ChecksumMode::Skip);
    let _ = reader.for_each(|item, _| match item {
        Item::Key(record) => export_record(record, &mut scratch, &mut key_scratch, &mut writer),
        _ => Ok(()),
    });
}

fn stream_node(bytes: &[u8]) {
    let Ok(node) = StreamNode::new(bytes, (1, 2)) else {
        return;
    };
    let mut entries = node.entries();
    let mut seen = 0;
    while let Ok(Some(mut entry)) = entries.next_entry() {
        let mut fields = entry.fields();
        while let Some(Ok(_)) = fields.next() {
            seen += 1;
        }
        seen += 1;
        // An entry takes a few bytes; its names may be those of the master entry.
        assert!(seen <= bytes.len() * (bytes.len() + 1));
    }
}

fn lzf(bytes: &[u8]) {
    let mut out = Vec::new();
    let most = max_expanded_len(bytes.len()).min(1 << 20);
    let _ = decompress_into(bytes, most, &mut out);
    for len in [0, 1, bytes.len(), bytes.len() * 3] {
        if decompress_into(bytes, len, &mut out).is_ok() {
            assert_eq!(out.len(), len);
        }
    }
}
