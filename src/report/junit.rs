//! Reports as JUnit XML, which CI systems show as tests: one test case per input.

use super::finding::{Finding, Level};

/// The beginning of a document.
#[must_use]
pub fn head(cases: u64, failures: u64) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites><testsuite name=\"rdbkit verify\" tests=\"{cases}\" failures=\"{failures}\">\n"
    )
}

/// The end of a document.
pub const END: &str = "</testsuite></testsuites>\n";

/// The beginning of an input's case; failures follow, then notes.
#[must_use]
pub fn case(name: &str) -> String {
    let name = escape(name);
    format!("  <testcase classname=\"rdbkit\" name=\"{name}\">\n")
}

/// The end of a case.
pub const END_OF_CASE: &str = "  </testcase>\n";

/// Whether a finding fails its case even where warnings do not.
#[must_use]
pub fn is_failure(finding: &Finding) -> bool {
    finding.level == Level::Error
}

/// What fails a case.
#[must_use]
pub fn failure(finding: &Finding) -> String {
    let (code, message) = (finding.code, escape(&finding.message));
    let text = escape(&finding.to_string());
    format!("    <failure type=\"{code}\" message=\"{message}\">{text}</failure>\n")
}

/// What does not fail a case; the first one begins a list that [`END_OF_NOTES`] ends.
#[must_use]
pub fn note(finding: &Finding, is_first: bool) -> String {
    let begin = if is_first { "    <system-out>" } else { "\n" };
    format!("{begin}{}", escape(&finding.to_string()))
}

/// Ends the list of notes.
pub const END_OF_NOTES: &str = "</system-out>\n";

/// Escapes text for XML; characters that XML cannot hold at all become a replacement.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' | '\t' => escaped.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn document_escapes_what_xml_cannot_hold() {
        let error = Error::new(ErrorKind::ChecksumMismatch {
            stored: 1,
            computed: 2,
        })
        .in_key(0, b"<\"&\x01>");
        let finding = Finding::of_error(&error, Level::Error);
        assert!(is_failure(&finding));
        let xml = head(1, 1) + &case("a&b.rdb") + &failure(&finding) + END_OF_CASE + END;
        assert!(xml.contains("failures=\"1\"") && xml.contains("name=\"a&amp;b.rdb\""));
        assert!(
            xml.contains("type=\"checksum_mismatch\"")
                && !xml.contains('\x01')
                && xml.contains("&lt;")
        );
    }
}
