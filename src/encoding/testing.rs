//! Checks that every encoding gets by one line.

use proptest::prelude::*;

use crate::error::Flaw;

/// An interpreter has no time for each of the 255 changes of a byte.
const MASK_STEP: usize = if cfg!(miri) { 127 } else { 1 };
/// The longest text of one letter.
const LONG_TEXT: usize = if cfg!(miri) { 300 } else { 20_000 };

/// Walks a sound blob cut and damaged in every way that takes one step.
///
/// `walk` reads all of a blob and returns how many elements it has. Every cut
/// must be refused, no changed byte may cause a panic or an endless walk, and a
/// flaw lies inside the blob. Returns how many of the changed blobs were accepted.
pub(crate) fn check_blob(bytes: &[u8], walk: impl Fn(&[u8]) -> Result<usize, Flaw>) -> usize {
    let walk = |bytes: &[u8]| match walk(bytes) {
        Ok(elements) => {
            assert!(elements <= bytes.len(), "more elements than bytes");
            Ok(elements)
        }
        Err(flaw) => {
            assert!(flaw.at() <= bytes.len(), "{flaw} lies outside");
            assert!(!flaw.to_string().is_empty());
            Err(flaw)
        }
    };
    walk(bytes).expect("the whole blob is sound");
    for cut in 0..bytes.len() {
        walk(&bytes[..cut]).expect_err("a cut blob is not sound");
    }
    let mut changed = bytes.to_vec();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for mask in (1..=255).step_by(MASK_STEP) {
            changed[at] = bytes[at] ^ mask;
            accepted += usize::from(walk(&changed).is_ok());
        }
        changed[at] = bytes[at];
    }
    accepted
}

/// Reads hexadecimal digits, as in the format's examples; spaces and bars are skipped.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits are ASCII");
            u8::from_str_radix(pair, 16).expect("two digits a byte")
        })
        .collect()
}

/// Elements that take every form of an encoding.
pub(crate) fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let integer = (any::<i64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift);
    let text = prop_oneof![
        4 => integer.prop_map(|value| value.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..80),
        1 => (any::<u8>(), 0..LONG_TEXT).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(text, 0..30)
}
