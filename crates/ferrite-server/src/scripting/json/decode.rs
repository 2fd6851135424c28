//! From JSON to values of the language.

use mlua::{Lua, Value};

use super::Options;
use crate::scripting::builtins::Outcome;

/// The value of one text.
pub(super) fn decode(lua: &Lua, options: &Options, text: &[u8]) -> Outcome<Value> {
    // Two zero bytes among the first four: another encoding than UTF-8.
    if let [first, second, ..] = text
        && (*first == 0 || *second == 0)
    {
        return Err("JSON parser does not support UTF-16 or UTF-32".into());
    }
    let mut decoder = Decoder { lua, options, text, at: 0, token_at: 0 };
    let token = decoder.token();
    let value = decoder.value(token, 0)?;
    match decoder.token() {
        Token::End => Ok(value),
        other => Err(decoder.unexpected("the end", &other)),
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Bad(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Bad(why) => why,
        }
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    options: &'a Options,
    text: &'a [u8],
    at: usize,
    /// Where the last token began.
    token_at: usize,
}

impl Decoder<'_> {
    fn unexpected(&self, wanted: &str, found: &Token) -> crate::scripting::builtins::Failure {
        let (found, character) = (found.name(), self.token_at + 1);
        format!("Expected {wanted} but found {found} at character {character}").into()
    }

    fn value(&mut self, token: Token, depth: i64) -> Outcome<Value> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(truth) => Value::Boolean(truth),
            Token::Null => Value::NULL,
            Token::ObjectBegin => self.object(depth + 1)?,
            Token::ArrayBegin => self.array(depth + 1)?,
            other => return Err(self.unexpected("value", &other)),
        })
    }

    fn descend(&self, depth: i64) -> Outcome<()> {
        if depth <= self.options.decode_max_depth {
            return Ok(());
        }
        let character = self.at;
        let message = "Found too many nested data structures";
        Err(format!("{message} ({depth}) at character {character}").into())
    }

    fn object(&mut self, depth: i64) -> Outcome<Value> {
        self.descend(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if token == Token::ObjectEnd {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::String(key) = token else {
                return Err(self.unexpected("object key string", &token));
            };
            token = self.token();
            if token != Token::Colon {
                return Err(self.unexpected("colon", &token));
            }
            token = self.token();
            let value = self.value(token, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            token = self.token();
            match token {
                Token::ObjectEnd => return Ok(Value::Table(table)),
                Token::Comma => token = self.token(),
                other => return Err(self.unexpected("comma or object end", &other)),
            }
        }
    }

    fn array(&mut self, depth: i64) -> Outcome<Value> {
        self.descend(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if token == Token::ArrayEnd {
            return Ok(Value::Table(table));
        }
        for index in 1_i64.. {
            let value = self.value(token, depth)?;
            table.raw_set(index, value)?;
            token = self.token();
            match token {
                Token::ArrayEnd => break,
                Token::Comma => token = self.token(),
                other => return Err(self.unexpected("comma or array end", &other)),
            }
        }
        Ok(Value::Table(table))
    }

    fn token(&mut self) -> Token {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.token_at = self.at;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (token, length) = match rest {
            [] => return Token::End,
            [b'{', ..] => (Token::ObjectBegin, 1),
            [b'}', ..] => (Token::ObjectEnd, 1),
            [b'[', ..] => (Token::ArrayBegin, 1),
            [b']', ..] => (Token::ArrayEnd, 1),
            [b',', ..] => (Token::Comma, 1),
            [b':', ..] => (Token::Colon, 1),
            [b'"', ..] => return self.string(),
            [b't', b'r', b'u', b'e', ..] => (Token::Boolean(true), 4),
            [b'f', b'a', b'l', b's', b'e', ..] => (Token::Boolean(false), 5),
            [b'n', b'u', b'l', b'l', ..] => (Token::Null, 4),
            _ => match number(rest, self.options.decode_invalid) {
                Ok((number, length)) => (Token::Number(number), length),
                Err(why) => (Token::Bad(why), 0),
            },
        };
        self.at += length;
        token
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.text.get(self.at..).unwrap_or_default() {
                [] => {
                    self.token_at = self.at;
                    return Token::Bad("unexpected end of string");
                }
                [b'"', ..] => {
                    self.at += 1;
                    return Token::String(out);
                }
                [b'\\', rest @ ..] => match escape(rest, &mut out) {
                    Ok(length) => self.at += 1 + length,
                    Err(why) => {
                        self.token_at = self.at;
                        return Token::Bad(why);
                    }
                },
                [byte, ..] => {
                    out.push(*byte);
                    self.at += 1;
                }
            }
        }
    }
}

/// Reads what follows a backslash; gives how many bytes that took.
fn escape(rest: &[u8], out: &mut Vec<u8>) -> Result<usize, &'static str> {
    let byte = match rest.first() {
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'b') => 0x08,
        Some(b't') => b'\t',
        Some(b'n') => b'\n',
        Some(b'f') => 0x0c,
        Some(b'r') => b'\r',
        Some(b'u') => return unicode(rest.get(1..).unwrap_or_default(), out).map(|used| used + 1),
        _ => return Err("invalid escape code"),
    };
    out.push(byte);
    Ok(1)
}

/// Reads `XXXX`, or `XXXX\uXXXX` for what UTF-16 needs two units for.
fn unicode(rest: &[u8], out: &mut Vec<u8>) -> Result<usize, &'static str> {
    const WRONG: &str = "invalid unicode escape code";
    let unit = hexadecimal(rest).ok_or(WRONG)?;
    let (code, used) = match unit {
        0xD800..=0xDBFF => {
            let tail = rest.get(4..).and_then(|tail| tail.strip_prefix(b"\\u")).ok_or(WRONG)?;
            let low =
                hexadecimal(tail).filter(|low| (0xDC00..=0xDFFF).contains(low)).ok_or(WRONG)?;
            (0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 10)
        }
        _ => (unit, 4),
    };
    match char::from_u32(code) {
        Some(character) => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        // Half of a pair, alone: written as the three bytes that it would have.
        None => out.extend_from_slice(&[
            0xE0 | (code >> 12) as u8,
            0x80 | ((code >> 6) & 0x3F) as u8,
            0x80 | (code & 0x3F) as u8,
        ]),
    }
    Ok(used)
}

fn hexadecimal(text: &[u8]) -> Option<u32> {
    text.get(..4)?
        .iter()
        .try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
}

/// Reads a number as C does, which takes more than JSON allows: hexadecimal, `inf`, `nan`.
fn number(text: &[u8], invalid_allowed: bool) -> Result<(f64, usize), &'static str> {
    const NONE: &str = "invalid token";
    const WRONG: &str = "invalid number";
    let unsigned = match text {
        [b'-' | b'+', rest @ ..] => rest,
        all => all,
    };
    let signed = text.len() - unsigned.len();
    let negative = text.first() == Some(&b'-');
    let sign = if negative { -1.0 } else { 1.0 };
    let lower: Vec<u8> = unsigned.iter().take(8).map(u8::to_ascii_lowercase).collect();
    for (word, value) in
        [(&b"infinity"[..], f64::INFINITY), (b"inf", f64::INFINITY), (b"nan", f64::NAN)]
    {
        if lower.starts_with(word) {
            let result = (sign * value, signed + word.len());
            return if invalid_allowed { Ok(result) } else { Err(NONE) };
        }
    }
    if lower.starts_with(b"0x") {
        return if invalid_allowed {
            hexadecimal_number(unsigned)
                .map(|(value, used)| (sign * value, signed + used))
                .ok_or(WRONG)
        } else {
            Err(NONE)
        };
    }
    if !unsigned.first().is_some_and(|byte| byte.is_ascii_digit()) {
        return Err(if negative { WRONG } else { NONE });
    }
    let leading_zero = matches!(unsigned, [b'0', b'0'..=b'9', ..]);
    if leading_zero && !invalid_allowed {
        return Err(NONE);
    }
    let used = decimal_length(unsigned);
    let digits =
        std::str::from_utf8(unsigned.get(..used).unwrap_or_default()).map_err(|_| WRONG)?;
    let value: f64 = digits.parse().map_err(|_| WRONG)?;
    Ok((sign * value, signed + used))
}

fn decimal_length(text: &[u8]) -> usize {
    let digits = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut used = digits(0);
    if text.get(used) == Some(&b'.') {
        used += 1 + digits(used + 1);
    }
    if matches!(text.get(used), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(text.get(used + 1), Some(b'+' | b'-')));
        let count = digits(used + 1 + signed);
        if count > 0 {
            used += 1 + signed + count;
        }
    }
    used
}

/// `0x1F`, with a fraction if there is one.
fn hexadecimal_number(text: &[u8]) -> Option<(f64, usize)> {
    let mut value = 0.0;
    let mut used = 2;
    let mut scale = None;
    while let Some(byte) = text.get(used) {
        match (char::from(*byte).to_digit(16), scale) {
            (Some(digit), None) => value = value * 16.0 + f64::from(digit),
            (Some(digit), Some(unit)) => {
                value += f64::from(digit) * unit;
                scale = Some(unit / 16.0);
            }
            (None, None) if *byte == b'.' => scale = Some(1.0 / 16.0),
            _ => break,
        }
        used += 1;
    }
    (used > 2).then_some((value, used))
}
