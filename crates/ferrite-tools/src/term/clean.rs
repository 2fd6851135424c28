//! Makes foreign text harmless: names of keys and words of servers must not command a terminal.

/// The text with everything escaped that a terminal would obey or that would reorder the line:
/// control characters (`\n`, ESC, C1) and Unicode's marks of direction.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// As [`clean`], but line breaks stay.
pub fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The text without what stands between `://` and the last `@` of a word, or behind `password=` in an
/// address: people do type passwords where they do not belong.
pub fn redact(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(redact_word).collect()
}

fn redact_word(word: &str) -> String {
    let Some(scheme) = word.find("://") else { return word.to_owned() };
    let word = match word.rfind('@') {
        Some(at) if scheme + 3 <= at => format!("{}…{}", &word[..scheme + 3], &word[at..]),
        _ => word.to_owned(),
    };
    match word.split_once("password=") {
        Some((before, _)) => format!("{before}password=…"),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(clean("a\x1b[2Jb\r\nc\x07"), "a\\u{1b}[2Jb\\r\\nc\\u{7}");
        assert_eq!(clean("\u{9b}31m\u{202e}"), "\\u{9b}31m\\u{202e}");
        assert_eq!(clean("größe 鍵 🔑"), "größe 鍵 🔑");
        assert_eq!(clean_lines("a\nb\x1bc\n"), "a\nb\\u{1b}c\n");
    }

    #[test]
    fn passwords_are_hidden_where_an_address_stands() {
        assert_eq!(
            redact("unexpected argument 'redis://u:p@ss@h:1/0' found"),
            "unexpected argument 'redis://…@h:1/0' found"
        );
        assert_eq!(redact("redis://h:1 a@b"), "redis://h:1 a@b");
        assert_eq!(redact("@ ://"), "@ ://");
        assert_eq!(
            redact("sentinel://:p@h/m?sentinel-password=s3cret"),
            "sentinel://…@h/m?sentinel-password=…"
        );
    }
}
