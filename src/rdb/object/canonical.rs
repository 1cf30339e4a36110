//! The form of a value's own strings: whether a server would have written them shorter.
//!
//! Servers read any form. They write lengths and integers in the fewest bytes,
//! canonical 32-bit decimals as integers, and LZF blocks only where they are
//! smaller. Nodes of a quicklist are left out of the last rule: those that were
//! compressed in memory are saved as they are.

use super::{Layout, hash, list, set, stream, zset};
use crate::encoding::canonical_i64;
use crate::rdb::constants::{array_tag, module_opcode, string_encoding, text_score};
use crate::rdb::length::{Length, is_shortest, length, length_or_special};
use crate::rdb::string::{LONGEST_INTEGER_BYTES, RdbString, string_behind};

/// The first length, count or string that is longer than need be, and where in the value.
#[inline]
pub(crate) fn longer_than_need_be(layout: Layout, input: &[u8]) -> Option<(usize, &'static str)> {
    let mut walk = Walk {
        input,
        rest: input,
        found: None,
    };
    // The value was framed before, so nothing in it fails to parse.
    let _ = match layout {
        // By far the most, told apart here so that it is compiled into the callers.
        Layout::String => walk.string(),
        layout => walk.value(layout),
    };
    walk.found
}

/// Steps over the parts of a value. `None` ends the walk: at the first find, or where a part
/// cannot be told.
struct Walk<'i> {
    input: &'i [u8],
    rest: &'i [u8],
    found: Option<(usize, &'static str)>,
}

impl Walk<'_> {
    fn value(&mut self, layout: Layout) -> Option<()> {
        match layout {
            Layout::String
            | Layout::List(list::Layout::Ziplist)
            | Layout::Set(set::Layout::Intset | set::Layout::Listpack)
            | Layout::Zset(zset::Layout::Ziplist | zset::Layout::Listpack) => self.string(),
            Layout::Hash(layout) => self.hash(layout),
            Layout::List(list::Layout::Strings) | Layout::Set(set::Layout::Strings) => {
                self.each(Walk::string)
            }
            Layout::Zset(zset::Layout::BinaryScores) => self.each(|walk| {
                walk.string()?;
                walk.fixed(8)
            }),
            Layout::Zset(zset::Layout::TextScores) => self.each(|walk| {
                walk.string()?;
                let len = *walk.rest.first()?;
                let text = if len >= text_score::NAN { 0 } else { len };
                walk.fixed(1 + usize::from(text))
            }),
            Layout::List(list::Layout::Quicklist) => self.each(Walk::node),
            Layout::List(list::Layout::Quicklist2) => self.each(|walk| {
                walk.number()?;
                walk.node()
            }),
            Layout::Stream(version) => self.stream(version),
            Layout::Array => self.array(),
            Layout::Module => {
                self.number()?;
                self.module_items()
            }
        }
    }

    fn hash(&mut self, layout: hash::Layout) -> Option<()> {
        use hash::Layout as L;
        match layout {
            L::Zipmap | L::Ziplist | L::Listpack | L::ListpackExPreGa | L::TemplateListpackRef => {
                self.string()
            }
            L::ListpackEx => {
                self.fixed(8)?;
                self.string()
            }
            L::Strings => self.each(Walk::pair),
            L::ValkeyHash2 => self.each(|walk| {
                walk.pair()?;
                walk.fixed(8)
            }),
            L::Metadata | L::MetadataPreGa => {
                if layout == L::Metadata {
                    self.fixed(8)?;
                }
                self.each(|walk| {
                    walk.number()?;
                    walk.pair()
                })
            }
            L::TemplateListpack | L::TemplateArray => {
                match self.number()? {
                    0 => self.string()?,
                    _ => self.each(Walk::string)?,
                }
                self.strings_to_the_end()
            }
            L::TemplateArrayRef => {
                self.number()?;
                self.strings_to_the_end()
            }
        }
    }

    fn stream(&mut self, version: stream::Version) -> Option<()> {
        use stream::Version;
        self.each(Walk::pair)?;
        self.numbers(if version >= Version::V2 { 8 } else { 3 })?;
        self.each(|walk| {
            walk.string()?;
            walk.numbers(if version >= Version::V2 { 3 } else { 2 })?;
            walk.each(|walk| {
                walk.fixed(stream::RAW_ID_BYTES + 8)?;
                walk.number().map(drop)
            })?;
            walk.each(|walk| {
                walk.string()?;
                walk.fixed(if version >= Version::V3 { 16 } else { 8 })?;
                walk.each(|walk| walk.fixed(stream::RAW_ID_BYTES))
            })?;
            match version >= Version::V5 {
                true => walk.each(|walk| walk.fixed(stream::RAW_ID_BYTES)),
                false => Some(()),
            }
        })?;
        if version < Version::V4 {
            return Some(());
        }
        self.numbers(2)?;
        self.each(|walk| {
            walk.string()?;
            walk.each(|walk| {
                walk.string()?;
                walk.numbers(2)
            })
        })?;
        self.numbers(2)
    }

    fn array(&mut self) -> Option<()> {
        let elements = self.number()?;
        if self.number()? == 1 {
            self.number()?;
        }
        for _ in 0..elements {
            self.number()?;
            match self.number()? {
                array_tag::STRING | array_tag::SMALL_STRING => self.string()?,
                _ => self.fixed(8)?,
            }
        }
        Some(())
    }

    fn module_items(&mut self) -> Option<()> {
        loop {
            match self.number()? {
                module_opcode::EOF => return Some(()),
                module_opcode::SINT | module_opcode::UINT => self.number().map(drop)?,
                module_opcode::FLOAT => self.fixed(4)?,
                module_opcode::DOUBLE => self.fixed(8)?,
                _ => self.string()?,
            }
        }
    }

    /// Walks over a count and as many elements.
    fn each(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.number()? {
            element(self)?;
        }
        Some(())
    }

    fn strings_to_the_end(&mut self) -> Option<()> {
        while !self.rest.is_empty() {
            self.string()?;
        }
        Some(())
    }

    fn numbers(&mut self, n: u32) -> Option<()> {
        for _ in 0..n {
            self.number()?;
        }
        Some(())
    }

    /// Checks one number and steps over it.
    fn number(&mut self) -> Option<u64> {
        let (rest, n) = length(self.rest).ok()?;
        if !is_shortest(n, self.rest.len() - rest.len()) {
            return self.find("a number in the fewest bytes");
        }
        self.rest = rest;
        Some(n)
    }

    fn fixed(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn pair(&mut self) -> Option<()> {
        self.string()?;
        self.string()
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        self.string_or_node(true)
    }

    /// A node of a quicklist, which may be compressed to no use.
    fn node(&mut self) -> Option<()> {
        self.string_or_node(false)
    }

    /// Checks one string and steps over it.
    #[inline]
    fn string_or_node(&mut self, lzf_is_smaller: bool) -> Option<()> {
        let (behind_length, first) = length_or_special(self.rest).ok()?;
        let (rest, stored) = string_behind(self.rest, behind_length, first).ok()?;
        let used = self.rest.len() - behind_length.len();
        let flaw = match (first, stored) {
            (Length::Plain(n), _) if !is_shortest(n, used) => Some("a length in the fewest bytes"),
            (_, RdbString::Raw(text)) if is_short_integer(text) => Some("an integer in binary"),
            (Length::Special(string_encoding::INT16), RdbString::Int(n))
                if i8::try_from(n).is_ok() =>
            {
                Some("an integer in the fewest bytes")
            }
            (Length::Special(string_encoding::INT32), RdbString::Int(n))
                if i16::try_from(n).is_ok() =>
            {
                Some("an integer in the fewest bytes")
            }
            (
                _,
                RdbString::Lzf {
                    compressed,
                    expanded_len,
                },
            ) if lzf_is_smaller && compressed.len() as u64 >= expanded_len => {
                Some("a string without compression that does not make it smaller")
            }
            _ => None,
        };
        if let Some(what) = flaw {
            return self.find(what);
        }
        self.rest = rest;
        Some(())
    }

    #[cold]
    fn find<T>(&mut self, what: &'static str) -> Option<T> {
        self.found = Some((self.input.len() - self.rest.len(), what));
        None
    }
}

/// Whether a text is one that servers store as an integer of 32 bits.
#[inline]
pub(crate) fn is_short_integer(text: &[u8]) -> bool {
    text.len() <= LONGEST_INTEGER_BYTES
        && canonical_i64(text).is_some_and(|n| i32::try_from(n).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_longer_than_need_be_are_found() {
        let table: &[(&str, Layout, &[u8], Option<usize>)] = &[
            ("raw", Layout::String, b"\x01a", None),
            ("length of two bytes", Layout::String, b"\x40\x01a", Some(0)),
            ("text of an integer", Layout::String, b"\x0212", Some(0)),
            (
                "text of no canonical integer",
                Layout::String,
                b"\x03012",
                None,
            ),
            ("wide integer", Layout::String, b"\xc1\x01\x00", Some(0)),
            ("integer", Layout::String, b"\xc0\x01", None),
            ("useless LZF", Layout::String, b"\xc3\x02\x01\x00a", Some(0)),
            (
                "second member",
                Layout::Set(set::Layout::Strings),
                b"\x02\x01a\x0212",
                Some(3),
            ),
            (
                "count",
                Layout::Set(set::Layout::Strings),
                b"\x40\x01\x01a",
                Some(0),
            ),
            (
                "value of a field",
                Layout::Hash(hash::Layout::Strings),
                b"\x01\x01f\x40\x01v",
                Some(3),
            ),
            (
                "count of a stream's nodes",
                Layout::Stream(stream::Version::V1),
                b"\x40\x00\x00\x00\x00\x00",
                Some(0),
            ),
            (
                "last id of a stream",
                Layout::Stream(stream::Version::V1),
                b"\x00\x00\x40\x01\x00\x00",
                Some(2),
            ),
            (
                "groups of a stream",
                Layout::Stream(stream::Version::V2),
                b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x00\x00\x40\x00\x00\x00",
                Some(14),
            ),
            (
                "stream",
                Layout::Stream(stream::Version::V1),
                b"\x00\x00\x01\x02\x01\x01g\x00\x00\x00\x00",
                None,
            ),
            (
                "index in an array",
                Layout::Array,
                b"\x01\x00\x40\x05\x00\x01a",
                Some(2),
            ),
            ("array", Layout::Array, b"\x01\x00\x05\x00\x01a", None),
            (
                "integer of a module",
                Layout::Module,
                b"\x05\x02\x80\x00\x00\x00\x01\x00",
                Some(2),
            ),
            ("module", Layout::Module, b"\x05\x02\x01\x00", None),
            (
                "deadline of a field",
                Layout::Hash(hash::Layout::Metadata),
                b"........\x01\x40\x01\x01f\x01v",
                Some(9),
            ),
            (
                "value of a template's field",
                Layout::Hash(hash::Layout::TemplateArrayRef),
                b"\x05\x01a\x0212",
                Some(3),
            ),
        ];
        for (name, layout, input, expected) in table {
            let found = longer_than_need_be(*layout, input).map(|(at, _)| at);
            assert_eq!(found, *expected, "{name}");
        }
    }
}
