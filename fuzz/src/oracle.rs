//! Our LZF and the `lzf` crate read each other's blocks, and agree on any others; the CRC64s agree.

use rdbkit::bytes::crc64::{combine, crc64};
use rdbkit::bytes::lzf::{compress_into, decompress_into};

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    let (mut block, mut out) = (Vec::new(), Vec::new());
    if compress_into(bytes, bytes.len(), &mut block) {
        decompress_into(&block, bytes.len(), &mut out).expect("our block expands");
        assert!(out == bytes);
        assert!(lzf::decompress(&block, bytes.len()).expect("theirs expands it") == bytes);
    }
    if let Ok(theirs) = lzf::compress(bytes) {
        decompress_into(&theirs, bytes.len(), &mut out).expect("their block expands");
        assert!(out == bytes);
    }
    let Some((&len, block)) = bytes.split_first() else {
        return;
    };
    let len = usize::from(len) * 4;
    let ours = decompress_into(block, len, &mut out).is_ok();
    if let Ok(theirs) = lzf::decompress(block, len) {
        // The crate takes a block that ends early.
        assert_eq!(ours, theirs.len() == len);
        assert!(!ours || theirs == out);
    }
    let (head, tail) = bytes.split_at(bytes.len() / 3);
    assert_eq!(crc64(bytes), crc64::crc64(0, bytes));
    assert_eq!(
        crc64(bytes),
        combine(crc64(head), crc64(tail), tail.len() as u64)
    );
}
