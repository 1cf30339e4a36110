//! Any bytes as a manifest: what is read and written again reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdbkit::aof::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        let text = manifest.encode();
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
});
