//! What parsers say: one word that knows the broken rule and a place, not yet the file.

use std::fmt;

use super::{Code, Error, ErrorKind, Value};

/// A parser's failure: its kind, and how much input was left where it happened.
///
/// Counting from the end lets a parser that only sees a slice say where it
/// failed; whoever cut the slice knows where it ends. One word, so that results
/// of hot parsers stay small; made only when something is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fail(Box<FailInner>);

#[derive(Clone, Debug, PartialEq)]
struct FailInner {
    remaining: usize,
    kind: ErrorKind,
}

impl Fail {
    /// A failure at the start of `input`.
    #[cold]
    pub(crate) fn new(input: &[u8], kind: ErrorKind) -> Self {
        Fail(Box::new(FailInner {
            remaining: input.len(),
            kind,
        }))
    }

    /// A broken rule at the start of `input`.
    #[cold]
    pub(crate) fn broken(
        input: &[u8],
        code: Code,
        what: &'static str,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) -> Self {
        Fail::new(
            input,
            ErrorKind::Broken {
                code,
                at: None,
                what,
                expected: expected.into(),
                found: found.into(),
            },
        )
    }

    #[cfg(test)]
    pub(crate) fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Turns the failure into an error, given the file offset at which the parser's input ended.
    #[cold]
    pub(crate) fn locate(self, end_offset: u64) -> Error {
        let offset = end_offset.saturating_sub(self.0.remaining as u64);
        Error::new(self.0.kind).at_offset(offset)
    }
}

impl<'a> nom::error::ParseError<&'a [u8]> for Fail {
    fn from_error_kind(input: &'a [u8], _: nom::error::ErrorKind) -> Self {
        Fail::new(input, ErrorKind::Internal("a generic combinator failed"))
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// A parser's result: the rest of the input and the value.
///
/// `Incomplete` means that the input ended: a reader over a window answers it by
/// reading more, a reader at the end of its file by `unexpected_eof`.
pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Fail>;

/// A flaw inside a self-contained blob (ziplist, listpack, …), at a byte of it.
///
/// One word, like [`Fail`], because iterators return it once per element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw(Box<FlawInner>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FlawInner {
    code: Code,
    at: usize,
    what: &'static str,
    expected: Value,
    found: Value,
}

impl Flaw {
    /// Makes a flaw: the rule `what` of the family `code` is broken at byte `at` of the blob.
    #[cold]
    pub(crate) fn new(
        code: Code,
        at: usize,
        what: &'static str,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) -> Self {
        Flaw(Box::new(FlawInner {
            code,
            at,
            what,
            expected: expected.into(),
            found: found.into(),
        }))
    }

    /// The family of rules that is broken.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Offset in the (decompressed) blob.
    #[must_use]
    pub fn at(&self) -> usize {
        self.0.at
    }

    /// Places the flaw at the start of `input`, where the string that holds the blob begins.
    #[cold]
    pub(crate) fn in_string(self, input: &[u8]) -> Fail {
        Fail::new(input, self.into())
    }
}

impl From<Flaw> for ErrorKind {
    fn from(flaw: Flaw) -> Self {
        let FlawInner {
            code,
            at,
            what,
            expected,
            found,
        } = *flaw.0;
        ErrorKind::Broken {
            code,
            at: Some(at as u64),
            what,
            expected,
            found,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ErrorKind::from(self.clone()).fmt(f)
    }
}

impl std::error::Error for Flaw {}
