//! Any bytes as a manifest: what is read and written again reads as the same.

use rdbkit::aof::manifest::Manifest;

/// Takes any bytes; panics where that does not hold.
pub fn run(bytes: &[u8]) {
    if let Ok(mut manifest) = Manifest::parse(bytes) {
        let base = manifest.base.iter_mut();
        for entry in base.chain(&mut manifest.incrs).chain(&mut manifest.history) {
            // Nobody writes these again.
            entry.ignored.clear();
            if entry.start_offset.is_none() {
                entry.end_offset = None;
            }
        }
        let text = manifest.encode();
        // Of comments alone nothing is left, and servers refuse an empty manifest.
        if text.is_empty() {
            return;
        }
        // A name that needs more quoting can be too long for a line.
        if let Ok(again) = Manifest::parse(&text) {
            assert_eq!(again, manifest);
        } else {
            assert!(
                text.split(|byte| *byte == b'\n')
                    .any(|line| line.len() > 900)
            );
        }
    }
}
