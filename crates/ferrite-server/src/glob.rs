//! Glob patterns over bytes, as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules mean them.
//!
//! `*` any run of bytes, `?` one byte, `[abc]`, `[a-z]`, `[^a]` one byte of a class (an unclosed
//! class ends with the pattern), `\x` the byte `x` itself. The time is at most the product of the
//! two lengths: only the last star is ever tried again.

/// Whether `text` as a whole fits `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, false)
}

/// Whether `text` fits `pattern` when letters of ASCII count as equal in both cases.
pub fn matches_without_case(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, true)
}

fn search(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What stands behind the last star, and the text from which it is tried next.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', rest)) = pattern.split_first() {
            pattern = rest;
            again = Some((rest, text));
            if rest.is_empty() {
                return true;
            }
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        let step =
            text.split_first().and_then(|(byte, rest)| Some((one(pattern, *byte, fold)?, rest)));
        if let Some((rest_of_pattern, rest)) = step {
            pattern = rest_of_pattern;
            text = rest;
            continue;
        }
        let Some((after_star, from)) = again else { return false };
        let Some((_, from)) = from.split_first() else { return false };
        again = Some((after_star, from));
        pattern = after_star;
        text = from;
    }
}

/// What is left of a pattern that begins with no star, if its first element takes `byte`.
fn one(pattern: &[u8], byte: u8, fold: bool) -> Option<&[u8]> {
    let (first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(rest),
        b'[' => {
            let (takes, rest) = class(rest, byte, fold);
            takes.then_some(rest)
        }
        b'\\' if !rest.is_empty() => {
            let (escaped, rest) = rest.split_first()?;
            same(*escaped, byte, fold).then_some(rest)
        }
        plain => same(*plain, byte, fold).then_some(rest),
    }
}

fn same(a: u8, b: u8, fold: bool) -> bool {
    a == b || (fold && a.eq_ignore_ascii_case(&b))
}

/// Whether a class takes a byte, and what stands behind the class.
fn class(pattern: &[u8], byte: u8, fold: bool) -> (bool, &[u8]) {
    let negated = pattern.first() == Some(&b'^');
    let mut rest = pattern.get(usize::from(negated)..).unwrap_or_default();
    let mut found = false;
    loop {
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', escaped, after @ ..] => {
                found |= *escaped == byte;
                after
            }
            [low, b'-', high, after @ ..] => {
                found |= between(*low, *high, byte, fold);
                after
            }
            [plain, after @ ..] => {
                found |= same(*plain, byte, fold);
                after
            }
        };
    }
    (found != negated, rest)
}

fn between(low: u8, high: u8, byte: u8, fold: bool) -> bool {
    let (low, high) = (low.min(high), low.max(high));
    let within = |low: u8, high: u8, byte: u8| low <= byte && byte <= high;
    within(low, high, byte)
        || (fold
            && within(
                low.to_ascii_lowercase(),
                high.to_ascii_lowercase(),
                byte.to_ascii_lowercase(),
            ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_those_of_redis() {
        let fits = [
            ("*", ""),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("h[ae]llo", "hello"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("h[c-a]llo", "hbllo"),
            (r"a\*c", "a*c"),
            (r"[\]]", "]"),
            ("[a", "a"),
            ("**b*", "abc"),
            ("a\\", "a\\"),
        ];
        for (pattern, text) in fits {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        let others =
            [("", "a"), ("a?", "a"), ("h[^e]llo", "hello"), (r"a\*c", "abc"), ("*b", "ba")];
        for (pattern, text) in others {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        assert!(matches_without_case(b"H[A-C]*", b"hbX"));
        assert!(!matches(b"H*", b"h"));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "a*".repeat(2000);
        assert!(!matches(pattern.as_bytes(), "a".repeat(1999).as_bytes()));
        assert!(!matches(format!("{}b", "*?".repeat(50)).as_bytes(), &[b'a'; 5000]));
    }

    /// The same by its definition: slow, and easy to believe.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            Some(_) => text.split_first().is_some_and(|(byte, after)| {
                one(pattern, *byte, false).is_some_and(|rest| slow(rest, after))
            }),
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), slow(pattern, text));
        }

        #[test]
        fn nothing_panics(pattern: Vec<u8>, text: Vec<u8>) {
            let folded = matches_without_case(&pattern, &text);
            prop_assert!(folded || !matches(&pattern, &text));
        }
    }
}
