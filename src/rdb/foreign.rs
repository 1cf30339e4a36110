//! What is no RDB, named where its first bytes tell what it is.
//!
//! A person who mixed up files reads which one it is. Each of these is
//! `unsupported` rather than damaged: there was an answer, and it is not in here.

/// How much of a text is looked at before it is called one.
const TEXT_BYTES: usize = 512;

/// Names what is no RDB, if its first bytes tell.
pub(crate) fn looks_like(input: &[u8]) -> Option<&'static str> {
    match input {
        [b'V', b'C', b'S', ..] => {
            Some("a compressed snapshot (VCS envelope) of Valkey 9.2 development builds")
        }
        [b'S', b'a', b'l', b't', b'e', b'd', b'_', b'_', ..] => Some("a file encrypted by openssl"),
        [b'a', b'g', b'e', b'-', b'e', b'n', b'c', ..] => Some("a file encrypted by age"),
        input if input.starts_with(b"-----BEGIN PGP MESSAGE") => Some("a file encrypted by PGP"),
        input if input.starts_with(b"-----BEGIN AGE ENCRYPTED") => Some("a file encrypted by age"),
        [b'P', b'K', 3, 4, ..] => Some("a zip archive"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some("a bzip2 file"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("an xz file"),
        [0x1f, 0x8b, ..] => Some("a gzip file"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("a zstd file"),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some("an lz4 file"),
        [0x02, 0x21, 0x4c, 0x18, ..] => Some("an lz4 file of the legacy format"),
        [b'D', b'F', b'S', ..] => Some("a Dragonfly snapshot"),
        [b'*', b'1'..=b'9', ..] => Some("a log of commands (AOF)"),
        input if input.get(257..262) == Some(b"ustar") => Some("a tar archive"),
        input if is_text(input) => Some("text"),
        _ => None,
    }
}

/// Whether the first bytes are lines that a person could read.
fn is_text(input: &[u8]) -> bool {
    let head = &input[..input.len().min(TEXT_BYTES)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut in two at the end of what is looked at.
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|c: char| c.is_control() && !c.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_bytes() {
        let long = "ä".repeat(TEXT_BYTES);
        for (input, expected) in [
            (&b""[..], false),
            (b"hello\n", true),
            (&long.as_bytes()[1..], false),
            (long.as_bytes(), true),
            (&long.as_bytes()[..TEXT_BYTES - 1], true),
            (b"REDIX0011\xfa\x09redis-ver", false),
            (b"a\0b", false),
        ] {
            assert_eq!(is_text(input), expected, "{}", input.escape_ascii());
        }
    }
}
