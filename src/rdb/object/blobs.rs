//! The listpacks and ziplists inside a value, whatever its type: expanding them, and checks of
//! their form on the way.

use super::Scratch;
use crate::bytes::{Text, double};
use crate::encoding::{Listpack, Ziplist, Zipmap};
use crate::error::{Code, Flaw, Parsed};
use crate::num::{Flavor, NumText, fpconv, score_text};
use crate::rdb::string::blob;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Listpack,
    Ziplist,
    Zipmap,
    /// A listpack whose every second element is a score.
    ScoredListpack,
    /// A ziplist whose every second entry is a score.
    ScoredZiplist,
}

/// Whether elements of blobs are in the form that servers give them.
#[derive(Debug, Default)]
pub(crate) enum Form {
    /// Nobody wants to know.
    #[default]
    Ignored,
    /// All that were seen are.
    Canonical,
    /// The first that the servers would have stored shorter.
    NotCanonical(Flaw),
}

impl Scratch {
    /// Parses a string that holds a listpack or ziplist and expands it where needed.
    ///
    /// Its form is looked at here, if it matters: expanding a blob a second time costs more
    /// than all other checks of it.
    #[inline]
    pub(super) fn blob<'a: 's, 's>(
        &'s mut self,
        kind: Kind,
        input: &'a [u8],
    ) -> Parsed<'a, &'s [u8]> {
        let (rest, bytes) = blob(input, &mut self.blob)?;
        if let Form::Canonical = self.form
            && let Some(flaw) = non_canonical(kind, bytes)
        {
            self.form = Form::NotCanonical(flaw);
        }
        Ok((rest, bytes))
    }

    /// From here on the form of blobs matters, if it does.
    pub(crate) fn watch_form(&mut self, does_matter: bool) {
        self.form = match does_matter {
            true => Form::Canonical,
            false => Form::Ignored,
        };
    }

    /// The first element seen since then that the servers would have stored shorter.
    ///
    /// Blobs that are broken may have none; that they are is said elsewhere.
    pub(crate) fn take_non_canonical(&mut self) -> Option<Flaw> {
        match std::mem::take(&mut self.form) {
            Form::NotCanonical(flaw) => Some(flaw),
            Form::Ignored | Form::Canonical => None,
        }
    }
}

fn non_canonical(kind: Kind, bytes: &[u8]) -> Option<Flaw> {
    match kind {
        Kind::Listpack => {
            let listpack = Listpack::new(bytes).ok()?;
            empty(listpack.is_empty()).or_else(|| listpack.non_canonical())
        }
        Kind::Ziplist => {
            let ziplist = Ziplist::new(bytes).ok()?;
            empty(ziplist.is_empty()).or_else(|| ziplist.non_canonical())
        }
        Kind::Zipmap => Zipmap::new(bytes).ok()?.non_canonical(),
        Kind::ScoredListpack => {
            let listpack = Listpack::new(bytes).ok()?;
            listpack
                .non_canonical()
                .or_else(|| odd_score(listpack.iter()))
        }
        Kind::ScoredZiplist => {
            let ziplist = Ziplist::new(bytes).ok()?;
            ziplist
                .non_canonical()
                .or_else(|| odd_score(ziplist.iter()))
        }
    }
}

/// Servers delete a node with its last element.
fn empty(is_empty: bool) -> Option<Flaw> {
    let what = "number of elements in a node";
    is_empty.then(|| Flaw::new(Code::NotCanonical, 0, what, "at least 1", "0"))
}

/// Whether a text is surely what Redis 7.2 and newer print: the shortest of its number, which a
/// decimal of up to 15 digits without idle zeros is, in plain notation, which six decimal
/// places never leave.
fn is_plain_decimal(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let Some(point) = digits.iter().position(|byte| *byte == b'.') else {
        return false;
    };
    let (whole, fraction) = (&digits[..point], &digits[point + 1..]);
    let is_whole = match whole {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let is_fraction = match fraction {
        [begin @ .., b'1'..=b'9'] => begin.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_whole && is_fraction && fraction.len() <= 6 && whole.len() + fraction.len() <= 15
}

/// The first score whose text no release would have written.
fn odd_score<'b>(elements: impl Iterator<Item = Result<Text<'b>, Flaw>>) -> Option<Flaw> {
    let scores = elements.skip(1).step_by(2);
    // Formatting is the costly part: begin with the likely release, stop at the first that
    // agrees. A text of 17 digits or more is that of `%.17g`.
    let is_odd = |text: &[u8]| {
        !is_plain_decimal(text)
            && double::parse(text).is_some_and(|score| {
                let differs = |known: NumText| known.as_bytes() != text;
                let (likely, other) = match text.len() {
                    ..17 => (Flavor::redis(8, 6), Flavor::redis(6, 2)),
                    _ => (Flavor::redis(6, 2), Flavor::redis(8, 6)),
                };
                differs(score_text(score, likely))
                    && differs(score_text(score, other))
                    && differs(fpconv::text(score))
            })
    };
    for score in scores {
        if let Ok(Text::Bytes(text)) = score
            && is_odd(text)
        {
            let what = "text of a score";
            return Some(Flaw::new(
                Code::NotCanonical,
                0,
                what,
                "that of a server",
                "another",
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::ListpackBuilder;
    use crate::encoding::listpack::BacklenWidth;

    #[test]
    fn scores_in_texts_of_no_server_are_found() {
        let table: &[(&[u8], bool)] = &[
            (b"1", false),
            (b"0.1", false),
            (b"0.10000000000000001", false),
            (b"1e+20", false),
            (b"inf", false),
            (b"1.0", true),
            (b"0.10", true),
            (b"+1.5", true),
            (b"-0.5", false),
            (b"00.5", true),
            (b"-1234.000125", false),
            (b"0.000001", false),
            (b"0.0000001", true),
            (b"1e-7", false),
            (b"1.5.5", false),
        ];
        for (score, odd) in table {
            let mut listpack = ListpackBuilder::new(BacklenWidth::Wide);
            listpack.push(b"member");
            listpack.push(score);
            let bytes = listpack.finish().unwrap();
            let found = non_canonical(Kind::ScoredListpack, &bytes);
            assert_eq!(found.is_some(), *odd, "{}", score.escape_ascii());
        }
    }

    #[test]
    fn an_empty_node_is_found() {
        let listpack = ListpackBuilder::new(BacklenWidth::Wide).finish().unwrap();
        assert!(non_canonical(Kind::Listpack, &listpack).is_some());
        let ziplist = [11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 255];
        assert!(non_canonical(Kind::Ziplist, &ziplist).is_some());
    }

    #[test]
    fn zipmap_with_much_garbage_is_found() {
        let fits = b"\x01\x01f\x01\x04v....\xff";
        let much = b"\x01\x01f\x01\x05v.....\xff";
        assert!(non_canonical(Kind::Zipmap, fits).is_none());
        assert!(non_canonical(Kind::Zipmap, much).is_some());
    }
}
