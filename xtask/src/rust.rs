//! Just enough of Rust's lexical rules to look at code without its comments and literals, and
//! to tell test code from the rest.

/// The text with comments and the insides of string and character literals replaced by spaces;
/// every character keeps its line.
pub fn blank(text: &str) -> String {
    let mut blanker = Blanker { rest: text, out: String::with_capacity(text.len()) };
    while !blanker.rest.is_empty() {
        blanker.step();
    }
    blanker.out
}

struct Blanker<'a> {
    rest: &'a str,
    out: String,
}

impl Blanker<'_> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(length) = raw_string(self.rest, self.out.chars().next_back()) {
            self.literal(length);
        } else if self.rest.starts_with('"') {
            self.literal(quoted(self.rest, '"'));
        } else if is_character(self.rest) {
            self.literal(quoted(self.rest, '\''));
        } else {
            let first = self.rest.chars().next().map_or(0, char::len_utf8);
            self.keep(first);
        }
    }

    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.out.push_str(kept);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (blanked, rest) = self.rest.split_at(length);
        self.out.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    /// Keeps the quotes so that code still looks like code.
    fn literal(&mut self, length: usize) {
        if length < 2 {
            return self.keep(length);
        }
        self.keep(1);
        self.blank(length - 2);
        self.keep(1);
    }
}

/// The length of the block comment at the start, comments inside included.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

/// The length of the raw string at the start, if there is one.
fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let after = text.get(prefix.len()..)?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after.get(hashes..)?.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(prefix.len() + hashes + 1 + end)
}

/// The length of the literal at the start, which opens and closes with `quote`.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Whether a character literal starts here, rather than a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars();
    let quote = characters.next() == Some('\'');
    let first = characters.next();
    quote && (first == Some('\\') || characters.next() == Some('\''))
}

/// Which lines of blanked code belong to tests: whole files under `tests/`, files called
/// `tests.rs`, and items behind `#[cfg(test)]` or a test attribute.
pub fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let count = code.lines().count();
    let whole =
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs");
    let mut lines = vec![whole; count];
    for (start, mark) in code.match_indices("#[") {
        let attribute = code.get(start + mark.len()..).unwrap_or_default();
        let is_test =
            ["cfg(test)]", "test]", "tokio::test"].iter().any(|it| attribute.starts_with(it));
        if is_test {
            let first = line_of(code, start);
            let last = line_of(code, item_end(code, start));
            lines.iter_mut().take(last).skip(first - 1).for_each(|line| *line = true);
        }
    }
    lines
}

/// Where the item with an attribute at `start` ends: behind its braces, or at its semicolon.
pub fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0usize;
    for (at, c) in code.char_indices().skip_while(|(at, _)| *at < start) {
        match c {
            '{' | '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            ';' if depth == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

/// The number of the line, from 1, that holds the byte `at`.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Whether `line` has `word` with no letter, digit or underscore on either side.
pub fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|it| it.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|it| it.chars().next());
        !inside(before) && !inside(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text =
            "let a = \"x // {\"; // }\n/* { /* } */ */ let b = '{'; let c: &'a str = r#\"\"}\"#;\n";
        let code = blank(text);
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains('{') && !code.contains('}'), "{code}");
        assert!(code.contains("let b = ' '") && code.contains("&'a str"), "{code}");
    }

    #[test]
    fn escapes_do_not_end_literals() {
        assert_eq!(blank(r#"f("\"{", '\'', b"\\");"#), r#"f("   ", '  ', b"  ");"#);
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["\"abc", "/* abc", "r#\"abc", "'\\", "'"] {
            assert_eq!(blank(text).len(), text.len());
        }
    }

    #[test]
    fn tests_are_told_from_code() {
        let code = "fn a() {\n}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let lines = test_lines("crates/x/src/lib.rs", code);
        assert_eq!(lines, [false, false, true, true, true, true, false]);
        assert!(test_lines("crates/x/tests/a.rs", "fn a() {}")[0]);
        assert!(
            test_lines("crates/x/src/lib.rs", "#[cfg(test)]\nmod tests;\nfn a() {}\n")
                == [true, true, false]
        );
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("a.sleep(1)", "sleep"));
        assert!(!has_word("asleep(1)", "sleep"));
    }
}
