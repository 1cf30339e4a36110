//! Globs as servers match them: `KEYS`, `SCAN MATCH`, ACL patterns.
//!
//! ```text
//! *        any bytes, or none
//! ?        one byte
//! [a-z_]   one byte of these; ranges may run backwards
//! [^a]     one byte, none of these
//! \x       the byte x, here and in brackets
//! ```
//!
//! Everything is a byte: `?` does not match `é`. The corners are those of
//! `util.c stringmatchlen`: a bracket that is never closed ends with the
//! pattern; `[]` matches nothing and `[^]` any byte; `]` and `\` can end a range; a
//! last `\` stands for itself. Unlike there, a pattern of nothing but `*` also
//! matches the empty key, as `KEYS *` does, and no pattern takes exponential time.

use std::convert::Infallible;
use std::str::FromStr;

/// One step of a pattern.
#[derive(Clone, Debug)]
enum Token {
    Byte(u8),
    Any,
    /// A bit for each byte that matches.
    Class(Box<[u64; 4]>),
    Star,
}

impl Token {
    #[inline]
    fn matches(&self, byte: u8) -> bool {
        match self {
            Token::Byte(own) => *own == byte,
            Token::Any => true,
            Token::Class(bits) => bits[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1,
            Token::Star => false,
        }
    }
}

/// A pattern for keys.
///
/// ```
/// use rdbkit::select::Glob;
///
/// let glob = Glob::new(b"user:[0-9]*:name");
/// assert!(glob.matches(b"user:17:name"));
/// assert!(!glob.matches(b"user:x:name"));
/// ```
#[derive(Clone, Debug)]
pub struct Glob {
    /// What every match begins with.
    prefix: Vec<u8>,
    /// What follows; never two stars in a row.
    tokens: Vec<Token>,
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(pattern: &str) -> Result<Self, Infallible> {
        Ok(Glob::new(pattern.as_bytes()))
    }
}

impl Glob {
    /// Compiles a pattern; every sequence of bytes is one.
    #[must_use]
    pub fn new(pattern: &[u8]) -> Self {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some((&first, after)) = rest.split_first() {
            let (token, after) = match (first, after) {
                (b'*', _) => (Token::Star, after),
                (b'?', _) => (Token::Any, after),
                (b'[', _) => class(after),
                (b'\\', [escaped, after @ ..]) => (Token::Byte(*escaped), after),
                (byte, _) => (Token::Byte(byte), after),
            };
            if !matches!((&token, tokens.last()), (Token::Star, Some(Token::Star))) {
                tokens.push(token);
            }
            rest = after;
        }
        let literal = |token: &Token| match token {
            Token::Byte(byte) => Some(*byte),
            _ => None,
        };
        let prefix: Vec<u8> = tokens.iter().map_while(literal).collect();
        tokens.drain(..prefix.len());
        Glob { prefix, tokens }
    }

    /// Whether the whole key matches.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        let Some(key) = key.strip_prefix(&self.prefix[..]) else {
            return false;
        };
        let tokens = &self.tokens[..];
        let (mut token, mut at) = (0, 0);
        // Where to go on when something after the last star does not match: the
        // star then takes one byte more. Stars before it never need to.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (tokens.get(token), key.get(at)) {
                (Some(Token::Star), _) if token + 1 == tokens.len() => return true,
                (Some(Token::Star), _) => {
                    token += 1;
                    retry = Some((token, at));
                    continue;
                }
                (Some(own), Some(&byte)) if own.matches(byte) => {
                    token += 1;
                    at += 1;
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            match &mut retry {
                Some((after_star, from)) if *from < key.len() => {
                    *from += 1;
                    (token, at) = (*after_star, *from);
                }
                _ => return false,
            }
        }
    }
}

/// Parses what follows `[`.
fn class(mut rest: &[u8]) -> (Token, &[u8]) {
    let mut bits = [0u64; 4];
    let mut add = |byte: u8| bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    rest = loop {
        rest = match rest {
            [] => break rest,
            [b'\\', escaped, after @ ..] => {
                add(*escaped);
                after
            }
            [b']', after @ ..] => break after,
            [from, b'-', to, after @ ..] => {
                (*from.min(to)..=*from.max(to)).for_each(&mut add);
                after
            }
            [byte, after @ ..] => {
                add(*byte);
                after
            }
        };
    };
    if negated {
        bits.iter_mut().for_each(|word| *word = !*word);
    }
    (Token::Class(Box::new(bits)), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_the_server() {
        type Keys<'k> = &'k [&'k [u8]];
        let table: &[(&[u8], Keys<'_>, Keys<'_>)] = &[
            (b"", &[b""], &[b"a"]),
            (b"*", &[b"", b"a", b"\xff\x00"], &[]),
            (b"**", &[b"", b"ab"], &[]),
            (b"abc", &[b"abc"], &[b"ab", b"abcd", b"xabc", b""]),
            (b"a*", &[b"a", b"abc"], &[b"", b"ba"]),
            (b"*a", &[b"a", b"ba", b"aa"], &[b"", b"ab"]),
            (
                b"a*b*c",
                &[b"abc", b"axbxbxc", b"abbcc"],
                &[b"ab", b"acb", b"abcx"],
            ),
            (b"a?c", &[b"abc", b"a\xffc"], &[b"ac", "aéc".as_bytes()]),
            (b"h[ae]llo", &[b"hello", b"hallo"], &[b"hillo", b"hllo"]),
            (b"h[^e]llo", &[b"hallo"], &[b"hello", b"hllo"]),
            (b"h[a-c]llo", &[b"hbllo"], &[b"hdllo", b"h-llo"]),
            (b"h[c-a]llo", &[b"hbllo"], &[b"hdllo"]),
            (b"[\\]]", &[b"]"], &[b"\\", b""]),
            (b"[\\^a]", &[b"^", b"a"], &[b"\\"]),
            (b"[!a]", &[b"!", b"a"], &[b"b"]),
            (b"[]", &[], &[b"", b"]", b"a"]),
            (b"[]a]", &[], &[b"]", b"a", b"a]"]),
            (b"[^]", &[b"]", b"x"], &[b"", b"xx"]),
            (b"[abc", &[b"a", b"c"], &[b"[abc", b"d"]),
            (b"[a-]", &[b"a", b"]", b"^"], &[b"-", b"b"]),
            (b"[a-", &[b"a", b"-"], &[b"b"]),
            (b"[+-\\]x", &[b"+x", b"\\x", b"Ax"], &[b"]x", b"*x"]),
            (b"\\*", &[b"*"], &[b"a", b"\\*"]),
            (b"a\\", &[b"a\\"], &[b"a"]),
            (b"\\[a]", &[b"[a]"], &[b"a"]),
            (b"{a,b}", &[b"{a,b}"], &[b"a"]),
        ];
        for (pattern, yes, no) in table {
            let glob = Glob::new(pattern);
            for (keys, expected) in [(yes, true), (no, false)] {
                for key in *keys {
                    let shown = (pattern.escape_ascii(), key.escape_ascii());
                    assert_eq!(glob.matches(key), expected, "{} {}", shown.0, shown.1);
                }
            }
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let glob = Glob::new(&[&b"a*".repeat(100)[..], b"c"].concat());
        assert!(!glob.matches(&b"ab".repeat(5_000)));
    }

    /// The definition, by recursion: what `stringmatchlen` means without its shortcuts.
    fn defined(tokens: &[Token], key: &[u8]) -> bool {
        match (tokens, key) {
            ([], key) => key.is_empty(),
            ([Token::Star, rest @ ..], key) => {
                (0..=key.len()).any(|skipped| defined(rest, &key[skipped..]))
            }
            ([token, rest @ ..], [byte, key @ ..]) => token.matches(*byte) && defined(rest, key),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_follows_the_definition(pattern in "[ab*?\\[\\]^-]{0,10}", key in "[ab\\[-]{0,8}") {
            let glob = Glob::new(pattern.as_bytes());
            let mut tokens: Vec<Token> = glob.prefix.iter().map(|&byte| Token::Byte(byte)).collect();
            tokens.extend(glob.tokens.iter().cloned());
            prop_assert_eq!(glob.matches(key.as_bytes()), defined(&tokens, key.as_bytes()));
        }
    }
}
