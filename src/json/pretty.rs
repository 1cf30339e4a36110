//! Indentation for people: `--pretty`.

/// Appends one compact JSON value with two spaces per level, the first line at `level`.
///
/// The input is JSON of our own making, so only strings and brackets matter.
pub fn indent(compact: &[u8], mut level: usize, out: &mut Vec<u8>) {
    let newline = |level: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.resize(out.len() + 2 * level, b' ');
    };
    let mut bytes = compact.iter().copied().peekable();
    let (mut in_string, mut escaped) = (false, false);
    while let Some(byte) = bytes.next() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => {
                in_string = true;
                out.push(byte);
            }
            b'{' | b'[' => {
                out.push(byte);
                if let Some(close @ (b'}' | b']')) = bytes.peek().copied() {
                    bytes.next();
                    out.push(close);
                } else {
                    level += 1;
                    newline(level, out);
                }
            }
            b'}' | b']' => {
                level = level.saturating_sub(1);
                newline(level, out);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                newline(level, out);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::indent;

    #[test]
    fn indent_changes_nothing_but_white_space() {
        let compact = br#"{"a":[1,{"b":"x\"],{"}],"c":{},"d":[],"e":"\\"}"#;
        let mut out = Vec::new();
        indent(compact, 1, &mut out);
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(value(&out), value(compact));
        assert!(out.starts_with(b"{\n    \"a\": [\n      1,\n      {\n        \"b\""));
    }
}
