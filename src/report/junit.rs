//! Reports as JUnit XML, which CI systems show as tests: one test case per input.

use super::finding::{Finding, Level};

/// One input and what was found in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The input's name.
    pub name: String,
    /// Everything found.
    pub findings: Vec<Finding>,
    /// Whether warnings fail the case.
    pub strict: bool,
}

impl Case {
    fn fails(&self, finding: &Finding) -> bool {
        finding.level == Level::Error || self.strict
    }
}

/// The whole document.
#[must_use]
pub fn document(cases: &[Case]) -> String {
    let failures = cases
        .iter()
        .filter(|case| case.findings.iter().any(|finding| case.fails(finding)))
        .count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml += &format!(
        "<testsuites><testsuite name=\"rdbkit verify\" tests=\"{}\" failures=\"{failures}\">\n",
        cases.len()
    );
    for case in cases {
        xml += &format!(
            "  <testcase classname=\"rdbkit\" name=\"{}\">\n",
            escape(&case.name)
        );
        for finding in &case.findings {
            if case.fails(finding) {
                let (code, message) = (finding.code, escape(&finding.message));
                xml += &format!(
                    "    <failure type=\"{code}\" message=\"{message}\">{}</failure>\n",
                    escape(&finding.to_string())
                );
            }
        }
        let warnings: Vec<_> = case
            .findings
            .iter()
            .filter(|finding| !case.fails(finding))
            .map(|finding| escape(&finding.to_string()))
            .collect();
        if !warnings.is_empty() {
            xml += &format!("    <system-out>{}</system-out>\n", warnings.join("\n"));
        }
        xml += "  </testcase>\n";
    }
    xml + "</testsuite></testsuites>\n"
}

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
        let findings = vec![Finding::of_error(&error, Level::Error)];
        let xml = document(&[Case {
            name: "a&b.rdb".into(),
            findings,
            strict: false,
        }]);
        assert!(xml.contains("failures=\"1\"") && xml.contains("name=\"a&amp;b.rdb\""));
        assert!(
            xml.contains("type=\"checksum_mismatch\"")
                && !xml.contains('\x01')
                && xml.contains("&lt;")
        );
    }
}
