//! `cjson.decode`: laxer than JSON, as the servers' library is.
//!
//! A NUL ends the text. Numbers are what C's `strtod` reads (`0x10`, `1.`, `Infinity`,
//! `-nan`), unless the setting forbids what is not JSON. A decoded null is `cjson.null`.

use mlua::{MultiValue, Value};

use super::call::Call;
use super::cjson::{Settings, one};
use crate::num::strtod::prefix_f64;

/// Nesting at which Lua's stack is full, whatever the setting.
const MAX_STACK_DEPTH: i32 = 2600;

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    /// What error texts call it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

struct Parser<'c> {
    call: &'c Call<'c>,
    settings: &'c Settings,
    text: &'c [u8],
    at: usize,
    /// Where the last token begins.
    token_at: usize,
    depth: i32,
}

pub(super) fn decode(call: &Call<'_>, settings: &mut Settings) -> mlua::Result<MultiValue> {
    if call.len() != 1 {
        return Err(call.bad_argument(1, "expected 1 argument"));
    }
    let text = call.string(1)?;
    let text = text.as_bytes();
    if matches!(&*text, [0, _, ..] | [_, 0, ..]) {
        return Err(call.error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut parser = Parser {
        call,
        settings,
        text: &text,
        at: 0,
        token_at: 0,
        depth: 0,
    };
    let token = parser.next();
    let value = parser.value(token)?;
    match parser.next() {
        Token::End => one(value),
        token => Err(parser.expected("the end", &token)),
    }
}

impl Parser<'_> {
    /// The byte so far ahead; 0 behind the end, as C's strings have it.
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &str, found: &Token) -> mlua::Error {
        let (found, at) = (found.name(), self.token_at + 1);
        self.call.error(&format!(
            "Expected {what} but found {found} at character {at}"
        ))
    }

    fn next(&mut self) -> Token {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let single = match self.peek(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 => return Token::End,
            b'"' => {
                let token = self.string();
                if matches!(token, Token::Error(_)) {
                    self.token_at = self.at;
                }
                return token;
            }
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid_numbers && self.is_no_json_number() {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return Token::Error("invalid token"),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let words = [
            (&b"true"[..], Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decode_invalid_numbers && self.is_no_json_number() {
            return self.number();
        }
        Token::Error("invalid token")
    }

    /// Begins as only `strtod` would read on.
    fn is_no_json_number(&self) -> bool {
        if self.peek(0) == b'+' {
            return true;
        }
        let sign = usize::from(self.peek(0) == b'-');
        let first = self.peek(sign);
        if first == b'0' {
            return matches!(self.peek(sign + 1), b'x' | b'X' | b'0'..=b'9');
        }
        if first <= b'9' {
            return false;
        }
        let begins = |word: &[u8]| {
            let start = self.rest().get(sign..sign + word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        begins(b"inf") || begins(b"nan")
    }

    fn number(&mut self) -> Token {
        match prefix_f64(self.rest()) {
            Some((number, used)) => {
                self.at += used;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.peek(0) {
                b'"' => break,
                0 => return Token::Error("unexpected end of string"),
                b'\\' => {}
                byte => {
                    text.push(byte);
                    self.at += 1;
                    continue;
                }
            }
            let byte = match self.peek(1) {
                b'u' => match self.code_point() {
                    Some(code_point) => {
                        let mut utf8 = [0; 4];
                        text.extend(code_point.encode_utf8(&mut utf8).as_bytes());
                        continue;
                    }
                    None => return Token::Error("invalid unicode escape code"),
                },
                byte @ (b'"' | b'\\' | b'/') => byte,
                b'b' => 8,
                b't' => 9,
                b'n' => 10,
                b'f' => 12,
                b'r' => 13,
                _ => return Token::Error("invalid escape code"),
            };
            text.push(byte);
            self.at += 2;
        }
        self.at += 1;
        Token::Text(text)
    }

    /// Four hexadecimal digits so far ahead.
    fn hex(&self, ahead: usize) -> Option<u32> {
        (ahead..ahead + 4).try_fold(0, |number, ahead| {
            Some(number << 4 | char::from(self.peek(ahead)).to_digit(16)?)
        })
    }

    /// `\uXXXX`, or two of them that make a pair of surrogates.
    fn code_point(&mut self) -> Option<char> {
        let mut code_point = self.hex(2)?;
        let mut used = 6;
        if code_point & 0xf800 == 0xd800 {
            let second = self.hex(8).filter(|low| low & 0xfc00 == 0xdc00)?;
            if code_point & 0x400 != 0 || (self.peek(6), self.peek(7)) != (b'\\', b'u') {
                return None;
            }
            code_point = 0x1_0000 + ((code_point & 0x3ff) << 10 | second & 0x3ff);
            used = 12;
        }
        self.at += used;
        char::from_u32(code_point)
    }

    fn descend(&mut self) -> mlua::Result<()> {
        self.depth += 1;
        if self.depth > self.settings.decode_max_depth.min(MAX_STACK_DEPTH) {
            let (depth, at) = (self.depth, self.at);
            return Err(self.call.error(&format!(
                "Found too many nested data structures ({depth}) at character {at}"
            )));
        }
        Ok(())
    }

    fn value(&mut self, token: Token) -> mlua::Result<Value> {
        let lua = self.call.lua;
        match token {
            Token::Text(text) => Ok(Value::String(lua.create_string(text)?)),
            Token::Number(number) => Ok(Value::Number(number)),
            Token::Boolean(yes) => Ok(Value::Boolean(yes)),
            Token::Null => Ok(Value::NULL),
            Token::ObjectBegin => self.object(),
            Token::ArrayBegin => self.array(),
            token => Err(self.expected("value", &token)),
        }
    }

    fn object(&mut self) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.call.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token, Token::ObjectEnd) {
            loop {
                let key = match token {
                    Token::Text(key) => self.call.lua.create_string(key)?,
                    token => return Err(self.expected("object key string", &token)),
                };
                match self.next() {
                    Token::Colon => {}
                    token => return Err(self.expected("colon", &token)),
                }
                token = self.next();
                let value = self.value(token)?;
                table.raw_set(key, value)?;
                match self.next() {
                    Token::ObjectEnd => break,
                    Token::Comma => {}
                    token => return Err(self.expected("comma or object end", &token)),
                }
                token = self.next();
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn array(&mut self) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.call.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token, Token::ArrayEnd) {
            for at in 1.. {
                let value = self.value(token)?;
                table.raw_set(at, value)?;
                match self.next() {
                    Token::ArrayEnd => break,
                    Token::Comma => {}
                    token => return Err(self.expected("comma or array end", &token)),
                }
                token = self.next();
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}
