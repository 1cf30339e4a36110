//! JSON text, token by token, with the place of every mistake.
//!
//! The grammar is RFC 8259's; a test compares what it takes with `serde_json`. A
//! general parser would not do: members of a record may come in any order, so the
//! value is stepped over first and read when its type is known, without a tree of it;
//! numbers keep their digits; and mistakes are named by line and column.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr2;

use crate::limits::JSON_DEPTH;

/// What is wrong with the text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Index of the byte where it begins.
    pub(super) at: usize,
    /// What should be there.
    pub(super) expected: &'static str,
    /// What is there, if the byte does not tell.
    pub(super) found: Option<&'static str>,
}

pub(super) type Parsed<T> = Result<T, Mistake>;

/// A place in the text; copies of it look ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Cursor { text, at: 0 }
    }

    #[cold]
    pub(super) fn mistake<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(Mistake {
            at: self.at,
            expected,
            found: None,
        })
    }

    /// A mistake that begins at a place before.
    #[cold]
    pub(super) fn wrong<T>(
        &self,
        at: usize,
        expected: &'static str,
        found: &'static str,
    ) -> Parsed<T> {
        Err(Mistake {
            at,
            expected,
            found: Some(found),
        })
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The byte behind white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Takes the byte behind white space if it is this one.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Parsed<()> {
        match self.take(byte) {
            true => Ok(()),
            false => self.mistake(expected),
        }
    }

    /// Takes an array; `each` takes one element.
    pub(super) fn array(
        &mut self,
        expected: &'static str,
        mut each: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        self.expect(b'[', expected)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',', "`,` or `]`")?;
        }
    }

    /// Takes an object; `each` gets a name and where it stands, and takes the value.
    pub(super) fn object(
        &mut self,
        expected: &'static str,
        mut each: impl FnMut(&mut Self, Cow<'a, [u8]>, usize) -> Parsed<()>,
    ) -> Parsed<()> {
        self.expect(b'{', expected)?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.peek();
            let at = self.at;
            let name = self.string("the name of a member")?;
            self.expect(b':', "`:`")?;
            each(self, name, at)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',', "`,` or `}`")?;
        }
    }

    /// As [`object`](Self::object), where each member may stand once. `each` refuses names that
    /// it does not know, so that there are few to remember.
    pub(super) fn members(
        &mut self,
        expected: &'static str,
        mut each: impl FnMut(&mut Self, Cow<'a, [u8]>, usize) -> Parsed<()>,
    ) -> Parsed<()> {
        let mut seen: Vec<Cow<'a, [u8]>> = Vec::new();
        self.object(expected, |cursor, name, at| {
            if seen.contains(&name) {
                return cursor.wrong(at, "each member once", "one twice");
            }
            seen.push(name.clone());
            each(cursor, name, at)
        })
    }

    /// Takes an array of exactly two elements; the second may depend on the first.
    pub(super) fn pair<A, B>(
        &mut self,
        expected: &'static str,
        first: impl FnOnce(&mut Self) -> Parsed<A>,
        second: impl FnOnce(&mut Self, &A) -> Parsed<B>,
    ) -> Parsed<(A, B)> {
        self.expect(b'[', expected)?;
        let first = first(self)?;
        self.expect(b',', "`,` and a second element")?;
        let second = second(self, &first)?;
        self.expect(b']', "`]` after two elements")?;
        Ok((first, second))
    }

    /// Takes a JSON string.
    pub(super) fn string(&mut self, expected: &'static str) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', expected)?;
        let start = self.at;
        let plain = self.plain_end()?;
        if self.text[plain] == b'"' {
            self.at = plain + 1;
            return self.utf8(start, plain).map(Cow::Borrowed);
        }
        let mut text = Vec::new();
        loop {
            let begin = self.at;
            let end = self.plain_end()?;
            text.extend_from_slice(self.utf8(begin, end)?);
            self.at = end + 1;
            if self.text[end] == b'"' {
                return Ok(Cow::Owned(text));
            }
            self.escape(&mut text)?;
        }
    }

    /// Index of the next quote or backslash; no control character stands before it.
    fn plain_end(&mut self) -> Parsed<usize> {
        let rest = &self.text[self.at..];
        let Some(len) = memchr2(b'"', b'\\', rest) else {
            self.at = self.text.len();
            return self.mistake("the end of a string");
        };
        match rest[..len].iter().position(|byte| *byte < 0x20) {
            None => Ok(self.at + len),
            Some(control) => {
                self.at += control;
                self.mistake("an escape instead of a control character")
            }
        }
    }

    fn utf8(&self, start: usize, end: usize) -> Parsed<&'a [u8]> {
        let bytes = &self.text[start..end];
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => self.wrong(
                start + error.valid_up_to(),
                "UTF-8 (other bytes stand as {\"$b64\":\"..\"})",
                "other bytes",
            ),
        }
    }

    /// Takes what follows a backslash.
    fn escape(&mut self, text: &mut Vec<u8>) -> Parsed<()> {
        let start = self.at - 1;
        let byte = self.byte();
        self.at += 1;
        text.push(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let character = self.unicode_escape(start)?;
                let mut room = [0; 4];
                text.extend_from_slice(character.encode_utf8(&mut room).as_bytes());
                return Ok(());
            }
            _ => return self.wrong(start, "an escape of JSON", "another"),
        });
        Ok(())
    }

    fn unicode_escape(&mut self, start: usize) -> Parsed<char> {
        let first = self.four_digits(start)?;
        let code = match first {
            0xd800..0xdc00 => {
                let is_pair = self.text.get(self.at..self.at + 2) == Some(b"\\u");
                self.at += 2;
                let second = match is_pair {
                    true => self.four_digits(start)?,
                    false => 0,
                };
                match second {
                    0xdc00..0xe000 => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => first,
                }
            }
            code => code,
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.wrong(start, "a pair of surrogates", "one alone"),
        }
    }

    fn four_digits(&mut self, start: usize) -> Parsed<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        self.at += 4;
        let value = |digits: &[u8]| {
            digits.iter().try_fold(0, |code, digit| {
                Some(code << 4 | char::from(*digit).to_digit(16)?)
            })
        };
        match digits.and_then(value) {
            Some(code) => Ok(code),
            None => self.wrong(start, "four hexadecimal digits after \\u", "something else"),
        }
    }

    /// Takes a string of the schema: a JSON string, or an object with its base64.
    pub(super) fn text(&mut self, expected: &'static str) -> Parsed<Cow<'a, [u8]>> {
        if self.peek() != Some(b'{') {
            return self.string(expected);
        }
        let start = self.at;
        self.at += 1;
        let name = self.string("\"$b64\"")?;
        if *name != *b"$b64" {
            return self.wrong(start, expected, "an object");
        }
        self.expect(b':', "`:`")?;
        self.peek();
        let start = self.at;
        let encoded = self.string("base64")?;
        self.expect(b'}', "`}`")?;
        match STANDARD.decode(&*encoded) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(_) => self.wrong(start, "base64 with its padding", "something else"),
        }
    }

    /// Takes a number and gives its text.
    pub(super) fn number(&mut self, expected: &'static str) -> Parsed<&'a str> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.mistake(expected);
        }
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        // Only ASCII was taken.
        Ok(std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default())
    }

    fn digits(&mut self) -> Parsed<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => self.mistake("a digit"),
        }
    }

    /// Takes an integer of any width that `N` has.
    pub(super) fn integer<N: std::str::FromStr>(&mut self, expected: &'static str) -> Parsed<N> {
        self.peek();
        let start = self.at;
        match self.number(expected)?.parse() {
            Ok(n) => Ok(n),
            Err(_) => self.wrong(start, expected, "a number that is none or out of range"),
        }
    }

    /// Takes `null`, if it is there.
    pub(super) fn null(&mut self) -> bool {
        self.peek();
        let is_there = self.text[self.at..].starts_with(b"null");
        self.at += if is_there { 4 } else { 0 };
        is_there
    }

    /// Steps over a value of any kind and gives its text.
    pub(super) fn value(&mut self) -> Parsed<&'a [u8]> {
        self.peek();
        let start = self.at;
        // A bit for each open bracket: whether it is an object's.
        let mut open: Vec<bool> = Vec::new();
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    if !self.take(b'}') {
                        self.open(&mut open, true)?;
                        self.member_name()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if !self.take(b']') {
                        self.open(&mut open, false)?;
                        continue;
                    }
                }
                Some(b'"') => drop(self.string("a value")?),
                Some(b'-' | b'0'..=b'9') => drop(self.number("a value")?),
                _ => self.word()?,
            }
            // A value ended; so may what it is in.
            loop {
                let Some(&is_object) = open.last() else {
                    return Ok(&self.text[start..self.at]);
                };
                if self.take(b',') {
                    if is_object {
                        self.member_name()?;
                    }
                    break;
                }
                match is_object {
                    true => self.expect(b'}', "`,` or `}`")?,
                    false => self.expect(b']', "`,` or `]`")?,
                }
                open.pop();
            }
        }
    }

    fn open(&self, open: &mut Vec<bool>, is_object: bool) -> Parsed<()> {
        if open.len() >= JSON_DEPTH {
            return self.wrong(self.at, "at most 512 nested arrays and objects", "more");
        }
        open.push(is_object);
        Ok(())
    }

    fn member_name(&mut self) -> Parsed<()> {
        self.string("the name of a member")?;
        self.expect(b':', "`:`")
    }

    fn word(&mut self) -> Parsed<()> {
        let words: [&[u8]; 3] = [b"null", b"true", b"false"];
        let rest = &self.text[self.at..];
        match words.into_iter().find(|word| rest.starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Ok(())
            }
            None => self.mistake("a value"),
        }
    }

    /// What stands at a place, in words.
    pub(super) fn describe(text: &[u8], at: usize) -> String {
        match text.get(at) {
            None => "the end of the input".to_owned(),
            Some(b'"') => "a string".to_owned(),
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "an array".to_owned(),
            Some(b'-' | b'0'..=b'9') => "a number".to_owned(),
            Some(byte) => format!("`{}`", byte.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole_value(text: &[u8]) -> Parsed<()> {
        let mut cursor = Cursor::new(text);
        cursor.value()?;
        match cursor.peek() {
            None => Ok(()),
            Some(_) => cursor.mistake("the end"),
        }
    }

    fn is_json(text: &[u8]) -> bool {
        std::str::from_utf8(text)
            .is_ok_and(|text| serde_json::from_str::<serde_json::Value>(text).is_ok())
    }

    #[test]
    fn values_are_taken_as_the_grammar_says() {
        let table: &[(&[u8], bool)] = &[
            (b"null", true),
            (
                b" [1, -0.5e+3, \"a\\u00e9\", {}, [], {\"a\":{\"b\":[true,false]}}] ",
                true,
            ),
            (b"{\"a\":1,}", false),
            (b"[1,]", false),
            (b"[1 2]", false),
            (b"{\"a\" 1}", false),
            (b"{1:1}", false),
            (b"01", false),
            (b"1.", false),
            (b"1e", false),
            (b"-", false),
            (b"+1", false),
            (b"\"\x01\"", false),
            (b"\"\\x\"", false),
            (b"\"\\ud800\"", false),
            (b"\"\\ud83d\\ude00\"", true),
            (b"\"\\ude00\"", false),
            (b"\"\xff\"", false),
            (b"\"", false),
            (b"[", false),
            (b"]", false),
            (b"", false),
            (b"nul", false),
            (b"[[[[1]]]", false),
        ];
        for (text, expected) in table {
            assert_eq!(
                whole_value(text).is_ok(),
                *expected,
                "{}",
                text.escape_ascii()
            );
            assert_eq!(is_json(text), *expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert!(whole_value(&nested(JSON_DEPTH + 1)).is_ok());
        assert!(whole_value(&nested(JSON_DEPTH + 2)).is_err());
        assert!(whole_value(&b"[".repeat(10_000_000)).is_err());
    }

    #[test]
    fn strings_are_unescaped() {
        let table: &[(&[u8], &[u8])] = &[
            (b"\"plain\"", b"plain"),
            (b"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", b"\"\\/\x08\x0c\n\r\t"),
            (b"\"a\\u00e9z\"", "a\u{e9}z".as_bytes()),
            (b"\"\\ud83d\\ude00\"", "\u{1f600}".as_bytes()),
            (b"{\"$b64\": \"/wA=\"}", b"\xff\0"),
        ];
        for (text, expected) in table {
            let found = Cursor::new(text).text("a string").unwrap();
            assert_eq!(&*found, *expected, "{}", text.escape_ascii());
        }
        for text in [
            &b"{\"$b64\":\"/wA\"}"[..],
            b"{\"$b64\":1}",
            b"{\"b64\":\"\"}",
            b"[]",
        ] {
            assert!(Cursor::new(text).text("a string").is_err());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_as_serde_json_does(
            text in "[\\[\\]{},:\"\\\\ u0-9a-d.+-]{0,24}"
        ) {
            prop_assert_eq!(whole_value(text.as_bytes()).is_ok(), is_json(text.as_bytes()));
        }

        #[test]
        fn documents_are_taken(parts in prop::collection::vec(
            prop_oneof![Just("1"), Just("\"a\""), Just("[]"), Just("{\"k\":null}"), Just("[1,{\"a\":[]}]")],
            0..8,
        )) {
            let text = format!("[{}]", parts.join(" ,\n"));
            prop_assert!(whole_value(text.as_bytes()).is_ok());
        }
    }
}
