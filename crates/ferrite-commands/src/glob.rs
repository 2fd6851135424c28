//! Glob patterns over key names, exactly as the `MATCH` option of `SCAN` understands them.
//!
//! `*` any run of bytes, `?` one byte, `[abc]`, `[a-z]`, `[^a]` one byte of a class (an unclosed
//! class ends with the pattern), `\x` the byte `x` itself. Bytes, not characters; no `/` rule, no
//! `{a,b}`. The rules are those that Redis documents for `KEYS`.

/// A pattern that goes beyond so many runs of `*` matches nothing, as in Redis.
const MOST_STARS: usize = 1000;

/// Whether `text` matches `pattern`. Linear memory, at most `pattern` × `text` steps.
pub fn matches_glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut stars) = (0, 0, 0);
    // Where to go on after the latest `*` took one byte more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            let run = pattern.iter().skip(p).take_while(|byte| **byte == b'*').count();
            p += run;
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > MOST_STARS {
                return false;
            }
            star = Some((p, t));
            continue;
        }
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(&byte)) => match_one(pattern, p, byte),
            _ => None,
        };
        match (step, &mut star) {
            (Some(next), _) => (p, t) = (next, t + 1),
            (None, Some((after, from))) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            _ => return false,
        }
    }
}

/// Matches one byte at `pattern[p]`; the position after the element if it does match.
fn match_one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => match_class(pattern, p + 1, byte),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        &literal => (literal == byte).then_some(p + 1),
    }
}

/// Matches one byte against the class that begins at `pattern[p]`, after its `[`.
fn match_class(pattern: &[u8], mut p: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut found = false;
    loop {
        match (pattern.get(p), pattern.get(p + 1), pattern.get(p + 2)) {
            (None, _, _) => break,
            (Some(b']'), _, _) => {
                p += 1;
                break;
            }
            (Some(b'\\'), Some(&literal), _) => {
                found |= literal == byte;
                p += 2;
            }
            (Some(&a), Some(b'-'), Some(&b)) => {
                found |= (a.min(b)..=a.max(b)).contains(&byte);
                p += 3;
            }
            (Some(&literal), _, _) => {
                found |= literal == byte;
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_redis_documents() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("user:*", "user:1", true),
            ("user:*", "users:1", false),
            ("h?llo", "hallo", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("[\\]]", "]", true),
            ("[abc", "b", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("{a,b}", "a", false),
        ] {
            assert_eq!(
                matches_glob(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_stays_polynomial() {
        let pattern = b"*a".repeat(500);
        let text = b"a".repeat(499);
        assert!(!matches_glob(&pattern, &text));
    }
}
