//! What a client sends to a server: requests out of a stream of bytes, resumable.
//!
//! ```text
//! *2\r\n$3\r\nGET\r\n$1\r\nk\r\n     an array of bulk strings
//! GET k\r\n                          a line of words, quoted as in a shell ("a\x00b", 'a b')
//! ```
//!
//! A request that has not arrived whole is not looked at twice: the parser remembers the words it
//! has found. It copies nothing; a caller slices its own buffer with [`RequestParser::word`].

use std::fmt;

/// The longest line of an inline request and of a length, as in Redis (64 KiB).
pub const MAX_LINE: usize = 64 * 1024;

/// How large a request may be.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// The most words of one request.
    pub words: usize,
    /// The longest word in bytes (`proto-max-bulk-len`).
    pub word: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { words: 1024 * 1024, word: 512 * 1024 * 1024 }
    }
}

impl RequestLimits {
    /// What a client may send before it has said who it is: ten words of 16 KiB, as in Redis.
    pub const UNAUTHENTICATED: Self = Self { words: 10, word: 16 * 1024 };
}

/// Why bytes are no request. The text is what Redis answers behind `ERR Protocol error: `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The number of words is no number, or too large.
    Words,
    /// The same before the client has said who it is.
    UnauthenticatedWords,
    /// The length of a word is no number, or too large.
    Word,
    /// The same before the client has said who it is.
    UnauthenticatedWord,
    /// A word does not begin with `$`.
    NoDollar(u8),
    /// The line with the number of words does not end.
    LongCount,
    /// The line with the length of a word does not end.
    LongLength,
    /// A line of words does not end.
    LongLine,
    /// A quote of a line of words is not closed.
    Quotes,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "invalid multibulk length",
            Self::UnauthenticatedWords => "unauthenticated multibulk length",
            Self::Word => "invalid bulk length",
            Self::UnauthenticatedWord => "unauthenticated bulk length",
            Self::NoDollar(byte) => return write!(f, "expected '$', got '{}'", char::from(*byte)),
            Self::LongCount => "too big mbulk count string",
            Self::LongLength => "too big bulk count string",
            Self::LongLine => "too big inline request",
            Self::Quotes => "unbalanced quotes in request",
        })
    }
}

impl std::error::Error for RequestError {}

/// Words for which a parser keeps room while nothing comes: a connection that once sent a long
/// request costs no more than others.
const KEPT_WORDS: usize = 64;

/// What the parser found at the start of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not a whole request yet.
    Incomplete,
    /// A whole request of `used` bytes; its words are [`RequestParser::word`].
    Request {
        /// Bytes of the input it took.
        used: usize,
    },
    /// A line of words.
    Inline {
        /// Bytes of the input it took.
        used: usize,
        /// The words, unquoted; never empty.
        words: Vec<Vec<u8>>,
    },
    /// An empty line or an array without words: to be passed over.
    Nothing {
        /// Bytes of the input it took.
        used: usize,
    },
}

/// Finds requests in a buffer that grows at its end.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// Words that are still to come of a request that was begun.
    remaining: usize,
    /// How far the request was read.
    at: usize,
    words: Vec<(usize, usize)>,
}

impl RequestParser {
    /// A parser at the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many words the request has that was found last.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether the request that was found last has no words.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words of the request that was found last, as slices of the same input.
    pub fn words<'i>(&self, input: &'i [u8]) -> impl Iterator<Item = &'i [u8]> {
        self.words.iter().map(move |(from, to)| input.get(*from..*to).unwrap_or_default())
    }

    /// Looks for a request at the start of `input`. After [`Progress::Incomplete`] the next call
    /// must be given the same bytes with more behind them; after anything else, what is behind
    /// the used ones.
    ///
    /// # Errors
    /// When the bytes are no request. The connection cannot be read on then.
    pub fn next(&mut self, input: &[u8], limits: &RequestLimits) -> Result<Progress, RequestError> {
        if self.remaining == 0 {
            self.words.clear();
            self.at = 0;
            match input.first() {
                None => {
                    self.words.shrink_to(KEPT_WORDS);
                    return Ok(Progress::Incomplete);
                }
                Some(b'*') => {}
                Some(_) => return inline(input),
            }
            let Some((count, at)) = line(input, 1, RequestError::LongCount)? else {
                return Ok(Progress::Incomplete);
            };
            let unauthenticated = limits.words <= RequestLimits::UNAUTHENTICATED.words;
            match number(count).ok_or(RequestError::Words)? {
                ..=0 => return Ok(Progress::Nothing { used: at }),
                count if count > 1024 * 1024 * 1024 => return Err(RequestError::Words),
                count if count as usize > limits.words && unauthenticated => {
                    return Err(RequestError::UnauthenticatedWords);
                }
                count if count as usize > limits.words => return Err(RequestError::Words),
                count => self.remaining = count as usize,
            }
            self.at = at;
        }
        self.bulks(input, limits)
    }

    fn bulks(&mut self, input: &[u8], limits: &RequestLimits) -> Result<Progress, RequestError> {
        while self.remaining > 0 {
            match input.get(self.at) {
                None => return Ok(Progress::Incomplete),
                Some(b'$') => {}
                Some(other) => return Err(RequestError::NoDollar(*other)),
            }
            let (length, from) = match short_number(input, self.at + 1) {
                Some(found) => found,
                None => match line(input, self.at + 1, RequestError::LongLength)? {
                    Some((length, from)) => {
                        let length = number(length).and_then(|length| usize::try_from(length).ok());
                        (length.ok_or(RequestError::Word)?, from)
                    }
                    None => return Ok(Progress::Incomplete),
                },
            };
            if length > limits.word {
                let unauthenticated = limits.words <= RequestLimits::UNAUTHENTICATED.words;
                return Err(match unauthenticated {
                    true => RequestError::UnauthenticatedWord,
                    false => RequestError::Word,
                });
            }
            let to = from + length;
            if input.len() < to + 2 {
                return Ok(Progress::Incomplete);
            }
            self.words.push((from, to));
            self.at = to + 2;
            self.remaining -= 1;
        }
        Ok(Progress::Request { used: self.at })
    }
}

/// The number in the line that begins at `from`, and where the next line begins, for the lines that
/// nearly all are: up to four digits and their end. Nothing for others, also for wrong ones.
fn short_number(input: &[u8], from: usize) -> Option<(usize, usize)> {
    let line = input.get(from..)?.first_chunk::<6>()?;
    let mut number = 0;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at < 4 => number = number * 10 + usize::from(byte - b'0'),
            b'\r' if at > 0 => return Some((number, from + at + 2)),
            _ => return None,
        }
    }
    None
}

/// The line that begins at `from`, without its end, and where the next one begins.
fn line(
    input: &[u8],
    from: usize,
    too_long: RequestError,
) -> Result<Option<(&[u8], usize)>, RequestError> {
    let rest = input.get(from..).unwrap_or_default();
    let within = rest.get(..rest.len().min(MAX_LINE)).unwrap_or_default();
    match within.iter().position(|byte| *byte == b'\r') {
        Some(end) if end + 1 < rest.len() => {
            Ok(Some((within.get(..end).unwrap_or_default(), from + end + 2)))
        }
        None if rest.len() > MAX_LINE => Err(too_long),
        _ => Ok(None),
    }
}

/// A decimal number, with nothing around it.
fn number(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    })?;
    Some(sign * value)
}

fn inline(input: &[u8]) -> Result<Progress, RequestError> {
    let Some(end) = input.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\n') else {
        return match input.len() > MAX_LINE {
            true => Err(RequestError::LongLine),
            false => Ok(Progress::Incomplete),
        };
    };
    let line = input.get(..end).unwrap_or_default();
    let words =
        split_words(line.strip_suffix(b"\r").unwrap_or(line)).ok_or(RequestError::Quotes)?;
    let used = end + 1;
    Ok(match words.is_empty() {
        true => Progress::Nothing { used },
        false => Progress::Inline { used, words },
    })
}

/// The words of a line, as Redis splits requests and configuration files: blanks part words,
/// `"…"` understands `\n \r \t \b \a \xff` and `\` before anything else, `'…'` only `\'`. Nothing
/// where a quote is not closed, or not followed by a blank.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        rest = rest.get(blanks..)?;
        if rest.is_empty() {
            return Some(words);
        }
        let (word, behind) = split_word(rest)?;
        words.push(word);
        rest = behind;
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}

fn split_word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] => return Some((word, rest)),
            [blank, ..] if is_blank(*blank) => return Some((word, rest)),
            [quote @ (b'"' | b'\''), behind @ ..] => {
                rest = quoted(*quote, behind, &mut word)?;
                if rest.first().is_some_and(|next| !is_blank(*next)) {
                    return None;
                }
                return Some((word, rest));
            }
            [byte, behind @ ..] => {
                word.push(*byte);
                rest = behind;
            }
        }
    }
}

/// Reads up to the closing quote; gives what is behind it.
fn quoted<'i>(quote: u8, mut rest: &'i [u8], word: &mut Vec<u8>) -> Option<&'i [u8]> {
    loop {
        let double = quote == b'"';
        match rest {
            [] => return None,
            [b'\\', b'x', high, low, behind @ ..]
                if double && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex(*high) << 4 | hex(*low));
                rest = behind;
            }
            [b'\\', escaped, behind @ ..] if double => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = behind;
            }
            [b'\\', b'\'', behind @ ..] if !double => {
                word.push(b'\'');
                rest = behind;
            }
            [byte, behind @ ..] if *byte == quote => return Some(behind),
            [byte, behind @ ..] => {
                word.push(*byte);
                rest = behind;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits { words: 100, word: 1000 };

    #[test]
    fn an_idle_parser_keeps_no_room_for_a_long_request() {
        let limits = RequestLimits { words: 10_000, word: 10 };
        let input = format!("*10000\r\n{}", "$1\r\na\r\n".repeat(10_000)).into_bytes();
        let mut parser = RequestParser::new();
        let found = parser.next(&input, &limits).unwrap();
        assert_eq!(found, Progress::Request { used: input.len() });
        assert_eq!(parser.len(), 10_000);
        assert_eq!(parser.next(&[], &limits), Ok(Progress::Incomplete));
        assert!(parser.words.capacity() <= KEPT_WORDS, "{}", parser.words.capacity());
    }

    fn all(input: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, RequestError> {
        let (mut parser, mut at, mut found) = (RequestParser::new(), 0, Vec::new());
        loop {
            let rest = &input[at..];
            match parser.next(rest, &LIMITS)? {
                Progress::Incomplete => return Ok(found),
                Progress::Nothing { used } => at += used,
                Progress::Request { used } => {
                    found.push(parser.words(rest).map(<[u8]>::to_vec).collect());
                    at += used;
                }
                Progress::Inline { used, words } => {
                    found.push(words);
                    at += used;
                }
            }
        }
    }

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn arrays_lines_and_empty_requests_follow_each_other() {
        let input =
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\n\r\nSET k v\r\n*-1\r\n*1\r\n$0\r\n\r\nPING\n";
        let found = all(input).unwrap();
        assert_eq!(found, [words("GET k"), words("SET k v"), vec![vec![]], words("PING")]);
    }

    #[test]
    fn a_request_that_arrives_byte_by_byte_is_the_same_request() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\n";
        let mut parser = RequestParser::new();
        for end in 0..input.len() {
            assert_eq!(parser.next(&input[..end], &LIMITS), Ok(Progress::Incomplete), "{end}");
        }
        let used = input.len();
        assert_eq!(parser.next(input, &LIMITS), Ok(Progress::Request { used }));
        let found: Vec<&[u8]> = parser.words(input).collect();
        assert_eq!(found, [&b"SET"[..], b"k", b"\r\n\r\n"]);
    }

    #[test]
    fn what_is_no_request_is_named_as_redis_names_it() {
        let cases: [(&[u8], &str); 8] = [
            (b"*x\r\n", "invalid multibulk length"),
            (b"*101\r\n", "invalid multibulk length"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$1001\r\n", "invalid bulk length"),
            (b"*1\r\n$\r\n", "invalid bulk length"),
            (b"*1\r\n+OK\r\n", "expected '$', got '+'"),
            (b"SET \"k\r\n", "unbalanced quotes in request"),
            (b"SET 'k'v\r\n", "unbalanced quotes in request"),
        ];
        for (input, text) in cases {
            assert_eq!(all(input).unwrap_err().to_string(), text);
        }
        let endless = [b"*", &[b'1'; MAX_LINE + 1][..]].concat();
        assert_eq!(all(&endless).unwrap_err(), RequestError::LongCount);
        let endless = vec![b'a'; MAX_LINE + 1];
        assert_eq!(all(&endless).unwrap_err(), RequestError::LongLine);
        let mut parser = RequestParser::new();
        let refused = parser.next(b"*11\r\n", &RequestLimits::UNAUTHENTICATED);
        assert_eq!(refused, Err(RequestError::UnauthenticatedWords));
    }

    #[test]
    fn quotes_are_read_as_in_a_configuration_file() {
        let line = br#"a "b c" "\x41\n\"" 'd\'e' "" f"g h" "#;
        let expected = [&b"a"[..], b"b c", b"A\n\"", b"d'e", b"", b"fg h"];
        assert_eq!(split_words(line).unwrap(), expected);
    }
}
