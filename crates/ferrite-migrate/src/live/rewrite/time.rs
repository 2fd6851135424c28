//! How commands say when something expires, and when that is.

use super::hold::hold;

/// The latest expiry Redis accepts for the field of a hash, in milliseconds since 1970.
const MAX_FIELD_EXPIRY: i64 = (1 << 46) - 1;

/// What turns the times of one command into those to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The source's clock when the command was received, in milliseconds since 1970: what
    /// relative times count from. Sources from Redis 7.0 on send absolute times only.
    pub received_at_ms: u64,
    /// Added to every expiry: [`super::HOLD_MS`], or 0 to write expiries as they are.
    pub hold_ms: u64,
    /// Only expiries before this moment are held, in milliseconds since 1970; `u64::MAX` for all.
    pub hold_before_ms: u64,
}

/// A way to say when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    in_seconds: bool,
    is_relative: bool,
}

/// `EX`: seconds from now.
pub const IN_SECONDS: When = When { in_seconds: true, is_relative: true };
/// `PX`: milliseconds from now.
pub const IN_MILLISECONDS: When = When { in_seconds: false, is_relative: true };
/// `EXAT`: seconds since 1970.
pub const AT_SECOND: When = When { in_seconds: true, is_relative: false };
/// `PXAT`: milliseconds since 1970.
pub const AT_MILLISECOND: When = When { in_seconds: false, is_relative: false };

impl When {
    /// What an option says about the number behind it, if it is one of the four.
    #[must_use]
    pub fn option(word: &[u8]) -> Option<Self> {
        let options = [
            (&b"PXAT"[..], AT_MILLISECOND),
            (b"PX", IN_MILLISECONDS),
            (b"EX", IN_SECONDS),
            (b"EXAT", AT_SECOND),
        ];
        let known = options.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        known.map(|(_, when)| *when)
    }
}

impl Times {
    /// The moment to write for an expiry of the source.
    #[must_use]
    pub fn held(&self, at: u64) -> u64 {
        if at < self.hold_before_ms { hold(at, self.hold_ms) } else { at }
    }

    /// The moment to write for a key; at least 1, as servers take nothing below. `None` when the
    /// word is no number or the moment is beyond what servers count.
    #[must_use]
    pub fn key_expiry(&self, when: When, word: &[u8]) -> Option<i64> {
        let number = integer(word)?;
        let distance = if when.in_seconds { number.checked_mul(1000)? } else { number };
        let at = match when.is_relative {
            true => i64::try_from(self.received_at_ms).ok()?.checked_add(distance)?,
            false => distance,
        };
        let at = u64::try_from(at.max(1)).ok()?;
        i64::try_from(self.held(at)).ok()
    }

    /// The same for a field of a hash, whose expiry has a lower limit.
    #[must_use]
    pub fn field_expiry(&self, when: When, word: &[u8]) -> Option<i64> {
        self.key_expiry(when, word).filter(|at| *at <= MAX_FIELD_EXPIRY)
    }
}

/// A decimal number, as lenient as the servers that sent it were: Redis before 6 took `+5` and
/// `007`.
#[must_use]
pub fn integer(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A number of things that follow.
#[must_use]
pub fn count(word: &[u8]) -> Option<usize> {
    integer(word).and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::rewrite::HOLD_MS;

    const TIMES: Times = Times { received_at_ms: 1_000_000, hold_ms: 0, hold_before_ms: u64::MAX };

    #[test]
    fn every_form_becomes_absolute() {
        assert_eq!(TIMES.key_expiry(IN_SECONDS, b"5"), Some(1_005_000));
        assert_eq!(TIMES.key_expiry(IN_MILLISECONDS, b"5"), Some(1_000_005));
        assert_eq!(TIMES.key_expiry(AT_SECOND, b"5"), Some(5000));
        assert_eq!(TIMES.key_expiry(AT_MILLISECOND, b"5"), Some(5));
        assert_eq!(TIMES.key_expiry(IN_SECONDS, b"-999"), Some(1000));
        assert_eq!(TIMES.key_expiry(IN_SECONDS, b"-9999"), Some(1));
        assert_eq!(TIMES.key_expiry(AT_MILLISECOND, b"0"), Some(1));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        let large = i64::MAX.to_string();
        let words: [&[u8]; 6] = [b"", b"x", b"1.5", b" 1", b"99999999999999999999", b"\xff"];
        for word in words {
            assert_eq!(TIMES.key_expiry(AT_MILLISECOND, word), None, "{word:?}");
        }
        for when in [IN_SECONDS, IN_MILLISECONDS, AT_SECOND] {
            assert_eq!(TIMES.key_expiry(when, large.as_bytes()), None, "{when:?}");
        }
        assert_eq!(TIMES.key_expiry(AT_MILLISECOND, large.as_bytes()), Some(i64::MAX));
        let held = Times { hold_ms: HOLD_MS, ..TIMES };
        assert_eq!(held.key_expiry(AT_MILLISECOND, large.as_bytes()), None);
    }

    #[test]
    fn fields_have_a_lower_limit() {
        let last = (HOLD_MS - 1).to_string();
        let held = Times { hold_ms: HOLD_MS, ..TIMES };
        let at = held.field_expiry(AT_MILLISECOND, last.as_bytes());
        assert_eq!(at, Some(MAX_FIELD_EXPIRY));
        let beyond = HOLD_MS.to_string();
        assert_eq!(held.field_expiry(AT_MILLISECOND, beyond.as_bytes()), None);
    }
}
