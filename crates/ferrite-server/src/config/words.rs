//! The words of a line as Redis splits and quotes them, in configuration files and in CONFIG SET.
//!
//! ```text
//! save 3600 1            three words
//! requirepass "a b\x00"  double quotes: \xHH \n \r \t \b \a, any other \c is c
//! requirepass 'a\'b'     single quotes: only \' is special
//! ```

/// The words of a line, or `None` where quotes do not close or are followed by no space.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let blank = rest.iter().take_while(|byte| is_space(**byte)).count();
        rest = rest.get(blank..)?;
        if rest.is_empty() || rest.first() == Some(&0) {
            return Some(words);
        }
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after;
    }
}

/// One word off the front of a line that begins with one, and what is behind it.
fn word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest.split_first() {
            None | Some((b' ' | b'\n' | b'\r' | b'\t' | 0, _)) => return Some((word, rest)),
            Some((b'"', after)) => {
                rest = double_quoted(after, &mut word)?;
                return closed(rest).then_some((word, rest));
            }
            Some((b'\'', after)) => {
                rest = single_quoted(after, &mut word)?;
                return closed(rest).then_some((word, rest));
            }
            Some((byte, after)) => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// Whether a closing quote ends its word: nothing or a space stands behind it.
fn closed(rest: &[u8]) -> bool {
    rest.first().is_none_or(|byte| is_space(*byte))
}

fn double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some(rest),
            b'\\' => {
                if let Some((value, after)) = hexadecimal(rest) {
                    word.push(value);
                    rest = after;
                } else {
                    let (escaped, after) = rest.split_first()?;
                    word.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        other => *other,
                    });
                    rest = after;
                }
            }
            other => word.push(*other),
        }
    }
}

/// `xHH` behind a backslash.
fn hexadecimal(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (b'x', [high, low, after @ ..]) = rest.split_first()? else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let value = digit(high)? * 16 + digit(low)?;
    Some((u8::try_from(value).ok()?, after))
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'\'' => return Some(rest),
            b'\\' if rest.first() == Some(&b'\'') => {
                word.push(b'\'');
                rest = rest.get(1..)?;
            }
            other => word.push(*other),
        }
    }
}

/// The white space of the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// A word in double quotes that [`split`] turns back into the same bytes.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in word {
        match byte {
            b'\\' | b'"' => quoted.extend([b'\\', *byte]),
            b'\n' => quoted.extend(b"\\n"),
            b'\r' => quoted.extend(b"\\r"),
            b'\t' => quoted.extend(b"\\t"),
            7 => quoted.extend(b"\\a"),
            8 => quoted.extend(b"\\b"),
            0x20..=0x7e => quoted.push(*byte),
            other => quoted.extend(format!("\\x{other:02x}").bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}

/// A line without the white space around it.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().take_while(|byte| blank(byte)).count();
    let line = line.get(start..).unwrap_or_default();
    let end = line.len() - line.iter().rev().take_while(|byte| blank(byte)).count();
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect())
    }

    #[test]
    fn words_are_split_as_redis_does() {
        assert_eq!(words("  save  3600 1\t").unwrap(), ["save", "3600", "1"]);
        assert_eq!(words(r#"a "b c" 'd\'e' "\x41\n\q""#).unwrap(), ["a", "b c", "d'e", "A\nq"]);
        assert_eq!(words(r#"a"b c""#).unwrap(), ["ab c"], "quotes may begin inside a word");
        assert_eq!(words("save \"\"").unwrap(), ["save", ""]);
        assert_eq!(words("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn open_quotes_and_quotes_followed_by_letters_are_refused() {
        for line in ["\"abc", "'abc", "\"a\"b", "'a'b", "\"abc\\", "\"\\x4"] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoting_and_splitting_are_inverse(word: Vec<u8>) {
            prop_assert_eq!(split(&quote(&word)), Some(vec![word]));
        }

        #[test]
        fn splitting_never_panics(line: Vec<u8>) {
            let words = split(&line).unwrap_or_default();
            prop_assert!(words.iter().map(Vec::len).sum::<usize>() <= line.len());
        }
    }
}
