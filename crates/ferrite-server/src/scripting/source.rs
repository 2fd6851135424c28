//! Reads the text of a script as far as the interpreter leaves it to us: which numbers it may
//! hold, and in which line a call stands that the interpreter forgot.
//!
//! The interpreter forgets the caller of a tail call (`return redis.call(…)`): when the called
//! function fails there is no line to report. [`tail_call_line`] finds it in the text.

/// A piece of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A name or a keyword.
    Word(&'a [u8]),
    /// A number as it is written.
    Number(&'a [u8]),
    /// A string of any notation.
    Text,
    /// Anything else, a byte at a time.
    Sign(u8),
}

/// Gives the tokens of a script and their lines, comments left out.
#[derive(Debug)]
struct Tokens<'a> {
    rest: &'a [u8],
    line: u32,
}

impl<'a> Tokens<'a> {
    fn new(source: &'a [u8]) -> Self {
        Self { rest: source, line: 1 }
    }

    /// Takes `count` bytes and counts their lines.
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.line += taken.iter().filter(|byte| **byte == b'\n').count() as u32;
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, accepts: impl Fn(u8) -> bool) -> &'a [u8] {
        let count = self.rest.iter().take_while(|byte| accepts(**byte)).count();
        self.take(count)
    }

    /// The length of `[[…]]` or `[==[…]==]` at the start of `text`, if it starts so.
    fn long_bracket(text: &[u8]) -> Option<usize> {
        let inner = text.strip_prefix(b"[")?;
        let level = inner.iter().take_while(|byte| **byte == b'=').count();
        if inner.get(level) != Some(&b'[') {
            return None;
        }
        let mut at = level + 2;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(found) = rest.iter().position(|byte| *byte == b']') else { break };
            let end = at + found + 1;
            let tail = text.get(end..).unwrap_or_default();
            let equals = tail.iter().take_while(|byte| **byte == b'=').count();
            if equals == level && tail.get(level) == Some(&b']') {
                return Some(end + level + 1);
            }
            at = end;
        }
        Some(text.len())
    }

    fn quoted(&mut self, quote: u8) {
        let mut count = 1;
        while let Some(byte) = self.rest.get(count) {
            count += if *byte == b'\\' { 2 } else { 1 };
            if *byte == quote {
                break;
            }
        }
        self.take(count);
    }

    fn comment(&mut self) {
        self.take(2);
        match Self::long_bracket(self.rest) {
            Some(length) => self.take(length),
            None => self.take_while(|byte| byte != b'\n'),
        };
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token<'a>, u32);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.take_while(|byte| byte.is_ascii_whitespace() || byte == 0x0b);
            if !self.rest.starts_with(b"--") {
                break;
            }
            self.comment();
        }
        let line = self.line;
        let token = match self.rest {
            [] => return None,
            [b'"' | b'\'', ..] => {
                self.quoted(self.rest[0]);
                Token::Text
            }
            [b'[', b'[' | b'=', ..] if Self::long_bracket(self.rest).is_some() => {
                let length = Self::long_bracket(self.rest).unwrap_or(1);
                self.take(length);
                Token::Text
            }
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => Token::Number(self.number()),
            [first, ..] if is_word(*first) => Token::Word(self.take_while(is_word)),
            [sign, ..] => {
                let sign = *sign;
                self.take(1);
                Token::Sign(sign)
            }
        };
        Some((token, line))
    }
}

impl<'a> Tokens<'a> {
    fn number(&mut self) -> &'a [u8] {
        let hexadecimal = matches!(self.rest, [b'0', b'x' | b'X', ..]);
        let mut count = 0;
        while let Some(byte) = self.rest.get(count) {
            let exponent = if hexadecimal { b'p' } else { b'e' };
            let signed = matches!(byte, b'+' | b'-')
                && self.rest.get(count.wrapping_sub(1)).map(u8::to_ascii_lowercase)
                    == Some(exponent);
            if !(is_word(*byte) || *byte == b'.' || signed) {
                break;
            }
            count += 1;
        }
        self.take(count)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The first number of the script that is none in Lua 5.1, and its line: the interpreter would
/// take `1LL` and `2i` for numbers of a library that no script may reach.
pub(super) fn foreign_number(source: &[u8]) -> Option<(&[u8], u32)> {
    Tokens::new(source).find_map(|(token, line)| match token {
        Token::Number(text) => {
            let hexadecimal = matches!(text, [b'0', b'x' | b'X', ..]);
            let foreign = match text.last()?.to_ascii_lowercase() {
                b'l' | b'u' | b'i' => true,
                // Binary digits and exponents of two came later.
                _ => text.get(1).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'b')),
            };
            (foreign && !(hexadecimal && text.len() < 3)).then_some((text, line))
        }
        _ => None,
    })
}

/// The line of the first `return` that hands over to another function, which is the call that
/// the interpreter forgets. `None` when there is none.
pub(super) fn tail_call_line(source: &[u8]) -> Option<u32> {
    let mut tokens = Tokens::new(source).peekable();
    let mut fallback = None;
    while let Some((token, _)) = tokens.next() {
        if token != Token::Word(b"return") {
            continue;
        }
        let Some((_, line)) = tokens.peek().copied() else { break };
        fallback = fallback.or(Some(line));
        let mut depth = 0_u32;
        let mut called = false;
        // One name or bracket, then only what continues a call expression.
        let mut after_value = false;
        while let Some((token, _)) = tokens.peek().copied() {
            match token {
                Token::Sign(b'(' | b'{' | b'[') => depth += 1,
                Token::Sign(b')' | b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    called = token != Token::Sign(b']');
                    after_value = true;
                }
                _ if depth > 0 => {}
                Token::Sign(b'.' | b':') => {
                    after_value = false;
                    called = false;
                }
                Token::Text => called = after_value,
                Token::Word(word) if is_keyword(word) || after_value => break,
                Token::Word(_) => {
                    after_value = true;
                    called = false;
                }
                Token::Sign(b';') => break,
                _ => {
                    called = false;
                    break;
                }
            }
            tokens.next();
        }
        if called && depth == 0 {
            return Some(line);
        }
    }
    fallback
}

fn is_keyword(word: &[u8]) -> bool {
    matches!(
        word,
        b"end" | b"else" | b"elseif" | b"until" | b"return" | b"function" | b"and" | b"or"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_other_dialects_are_found() {
        for source in ["return 1LL", "x = 0x10ULL", "local a = 3i", "return 0b11"] {
            assert!(foreign_number(source.as_bytes()).is_some(), "{source}");
        }
        for source in [
            "return 1, 1.5e-3, 0x1F, .5, 3..'x'",
            "return '1LL' -- 2LL",
            "return [[3LL]], [=[ ]] 4LL ]=] --[[ 5LL ]]",
            "local x1LL = 0xb return 'a\\'1LL'",
        ] {
            assert_eq!(foreign_number(source.as_bytes()), None, "{source}");
        }
    }

    #[test]
    fn unfinished_text_ends_with_the_script() {
        for source in
            ["return 'abc", "--[[ x", "[==[", "'\\", "[", "--", "return", "return (", "1e+"]
        {
            assert_eq!(foreign_number(source.as_bytes()), None);
            let _ = tail_call_line(source.as_bytes());
        }
    }

    #[test]
    fn the_line_of_a_tail_call() {
        for (source, line) in [
            ("return redis.call('x')", Some(1)),
            ("local a = 1\nreturn redis.call('set', KEYS[1], a)\n", Some(2)),
            ("if a then\n return 1\nend\nreturn\n  f(x)(y)[1]:z 'text'", Some(5)),
            ("if a then return a.b end\nreturn a.b[f(1)]\n", Some(1)),
            ("local x = 1", None),
        ] {
            assert_eq!(tail_call_line(source.as_bytes()), line, "{source}");
        }
    }
}
