//! The pattern of a name: what it shares with the names beside it.
//!
//! ```text
//! user:1000:profile      user:*:profile       numbers, and words with digits, are ids
//! session:abc123         session:*
//! queue:emails           queue:*              without an id, the last part of several is one
//! counter42              counter*             a number behind a word
//! 6f1c…-…-…              *
//! ```

/// What stands between the parts of a name.
const SEPARATORS: &[u8] = b":/|.";
/// Bytes of a word without digits from which it is taken for an id.
const LONG_WORD: usize = 24;
/// Bytes of a pattern at most; what is beyond is `*`.
const PATTERN_MAX: usize = 80;

/// Writes the pattern of a name into `out`, over what is there.
pub fn pattern(name: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = name;
    let mut found_id = false;
    let mut last = 0;
    let mut parts = 0;
    loop {
        let end = rest.iter().position(|byte| SEPARATORS.contains(byte)).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        last = if part.is_empty() { last } else { out.len() };
        parts += usize::from(!part.is_empty());
        found_id |= append(part, out);
        let Some((&separator, next)) = behind.split_first() else { break };
        out.push(separator);
        rest = next;
        if out.len() >= PATTERN_MAX {
            out.truncate(PATTERN_MAX);
            out.push(b'*');
            return;
        }
    }
    if !found_id && parts > 1 {
        out.truncate(last);
        out.push(b'*');
    } else if out.len() > PATTERN_MAX {
        out.truncate(PATTERN_MAX);
        out.push(b'*');
    }
}

/// Appends the pattern of a part; whether there is an id in it.
fn append(part: &[u8], out: &mut Vec<u8>) -> bool {
    let is_id = part.len() >= LONG_WORD || part.iter().any(|byte| is_binary(*byte));
    if is_id {
        out.push(b'*');
        return true;
    }
    let Some(first) = part.iter().position(u8::is_ascii_digit) else {
        out.extend_from_slice(part);
        return false;
    };
    let (word, digits) = part.split_at(first);
    if digits.iter().all(u8::is_ascii_digit) && !looks_random(word) {
        out.extend_from_slice(word);
    } else if let Some(end) = word.iter().rposition(|byte| matches!(byte, b'_' | b'-'))
        && digits.iter().all(u8::is_ascii_alphanumeric)
    {
        out.extend_from_slice(word.get(..=end).unwrap_or_default());
    }
    out.push(b'*');
    true
}

/// Whether letters in front of digits belong to the id: one or two, or hexadecimal ones.
fn looks_random(word: &[u8]) -> bool {
    let is_hex = word.iter().all(u8::is_ascii_hexdigit);
    !word.is_empty() && is_hex && word.len() != 1
}

fn is_binary(byte: u8) -> bool {
    byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_left_out() {
        let cases: &[(&str, &str)] = &[
            ("user:12345", "user:*"),
            ("user:1000:profile", "user:*:profile"),
            ("session:abc123", "session:*"),
            ("session:6f1c0a52-9c0e-4d6e-8f2b-1a2b3c4d5e6f", "session:*"),
            ("cache:product:789", "cache:product:*"),
            ("queue:emails", "queue:*"),
            ("{user:7}:cart", "{user:*:cart"),
            ("counter42", "counter*"),
            ("counter", "counter"),
            ("user_1000", "user_*"),
            ("user-1000", "user-*"),
            ("job-77af", "job-*"),
            ("k7", "k*"),
            ("abc123", "*"),
            ("12", "*"),
            ("", ""),
            (":", ":"),
            ("a:", "a:"),
            ("page.views.home", "page.views.*"),
            ("app/v2/users/7", "app/v*/users/*"),
            ("\u{1}\u{2}", "*"),
        ];
        let mut out = Vec::new();
        for (name, expected) in cases {
            pattern(name.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), *expected, "{name}");
        }
    }

    #[test]
    fn patterns_are_short() {
        let mut out = Vec::new();
        for name in ["a:".repeat(500), "word:".repeat(17) + &"b".repeat(23), "a".repeat(1 << 20)] {
            pattern(name.as_bytes(), &mut out);
            assert!(out.len() <= PATTERN_MAX + 1 && out.ends_with(b"*"), "{}", out.len());
        }
    }
}
