//! What a value of Memcached is in Redis.
//!
//! ```text
//! string: [length][bytes]          hash: [2]["value"][bytes]["flags"][decimal]
//! ```

use ferrite_rdb::{Format, encode};

use super::flags::{FIELDS, MemcachedFlags, SUFFIX, Seen};
use crate::model::RecordHead;

/// What the records are written in: every target reads it.
pub const FORMAT: Format = Format::redis(9);
/// Digits of the largest number that `incr` and `decr` know, 2^64 - 1.
const DIGITS_MAX: usize = 20;

/// A value that cannot be held whole and is to become a hash.
pub const TOO_LARGE: &str = "value with flags above the memory limit cannot become a field of a \
                             hash: raise --memory-limit, or choose --memcached-flags suffix";
/// A value with flags, where those are not wanted.
pub const HAS_FLAGS: &str = "has flags, which Redis has no room for (--memcached-flags strict)";

/// Turns values into records.
#[derive(Debug, Default)]
pub struct Records {
    policy: MemcachedFlags,
    /// What the operator should know.
    pub seen: Seen,
    value: Vec<u8>,
    name: Vec<u8>,
}

impl Records {
    /// Records by a policy.
    #[must_use]
    pub fn new(policy: MemcachedFlags) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Why a key with these flags is left out.
    #[must_use]
    pub fn refuses(&self, flags: u32, is_large: bool) -> Option<&'static str> {
        match self.policy {
            MemcachedFlags::Strict if flags != 0 => Some(HAS_FLAGS),
            MemcachedFlags::Hash if flags != 0 && is_large => Some(TOO_LARGE),
            _ => None,
        }
    }

    /// Gives the key, and what goes with it, to `take`, as name, head and stored value.
    pub fn of(
        &mut self,
        key: &[u8],
        (flags, expires_at_ms): (u32, Option<u64>),
        value: &[u8],
        mut take: impl FnMut(&[u8], RecordHead, &[u8]),
    ) {
        self.value.clear();
        if flags != 0 && self.policy == MemcachedFlags::Hash {
            self.seen.flags(flags);
            let [field, with] = FIELDS;
            encode::length(&mut self.value, 2);
            for part in [field, value, with, flags.to_string().as_bytes()] {
                encode::string(&mut self.value, part);
            }
            return take(key, head(encode::TYPE_HASH, expires_at_ms), &self.value);
        }
        let trimmed = without_padding(value);
        self.seen.trimmed += u64::from(trimmed.len() < value.len());
        encode::string(&mut self.value, trimmed);
        take(key, head(encode::TYPE_STRING, expires_at_ms), &self.value);
        self.beside(key, (flags, expires_at_ms), take);
    }

    /// Gives what goes with a key, whose value went another way, to `take`.
    pub fn beside(
        &mut self,
        key: &[u8],
        (flags, expires_at_ms): (u32, Option<u64>),
        mut take: impl FnMut(&[u8], RecordHead, &[u8]),
    ) {
        if flags == 0 {
            return;
        }
        self.seen.flags(flags);
        if self.policy == MemcachedFlags::Suffix {
            self.name.clear();
            self.name.extend_from_slice(key);
            self.name.extend_from_slice(SUFFIX);
            self.value.clear();
            encode::string(&mut self.value, flags.to_string().as_bytes());
            take(&self.name, head(encode::TYPE_STRING, expires_at_ms), &self.value);
        }
    }
}

/// The head of a record; Memcached tells nothing that its eviction could be told by.
#[must_use]
pub fn head(type_byte: u8, expires_at_ms: Option<u64>) -> RecordHead {
    RecordHead { type_byte, expires_at_ms, idle_s: None, freq: None }
}

/// `decr` keeps the length of a number: it puts spaces behind 9 where 10 was. Redis would take
/// that for no number.
fn without_padding(value: &[u8]) -> &[u8] {
    if value.len() > DIGITS_MAX || value.last() != Some(&b' ') {
        return value;
    }
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, padding) = value.split_at(digits);
    let is_number = !number.is_empty() && padding.iter().all(|byte| *byte == b' ');
    if is_number { number } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(policy: MemcachedFlags, flags: u32, value: &[u8]) -> Vec<(Vec<u8>, u8, Vec<u8>)> {
        let mut all = Vec::new();
        Records::new(policy).of(b"k", (flags, Some(5)), value, |name, head, value| {
            assert_eq!(head.expires_at_ms, Some(5));
            all.push((name.to_vec(), head.type_byte, value.to_vec()));
        });
        all
    }

    #[test]
    fn flags_go_where_the_policy_says() {
        use MemcachedFlags::{Drop, Hash, Strict, Suffix};
        let plain = || (b"k".to_vec(), 0, b"\x01v".to_vec());
        for policy in MemcachedFlags::ALL {
            assert_eq!(made(policy, 0, b"v"), [plain()], "{policy:?}");
        }
        assert_eq!(made(Drop, 77, b"v"), [plain()]);
        let beside = (b"k:flags".to_vec(), 0, b"\x0277".to_vec());
        assert_eq!(made(Suffix, 77, b"v"), [plain(), beside]);
        let hash = (b"k".to_vec(), 4, b"\x02\x05value\x01v\x05flags\x0277".to_vec());
        assert_eq!(made(Hash, 77, b"v"), [hash]);
        assert!(Records::new(Strict).refuses(77, false).is_some());
        assert!(Records::new(Strict).refuses(0, true).is_none());
        assert!(Records::new(Hash).refuses(77, true).is_some());
    }

    #[test]
    fn only_padded_numbers_lose_spaces() {
        for (value, kept) in [("9 ", "9"), ("0  ", "0"), ("18446744073709551615", "")] {
            let kept = if kept.is_empty() { value } else { kept };
            assert_eq!(without_padding(value.as_bytes()), kept.as_bytes());
        }
        for other in ["", " ", "a ", "9 a", "9 9 ", "-9 ", " 9 ", "9\n", "123456789012345678901 "] {
            assert_eq!(without_padding(other.as_bytes()), other.as_bytes(), "{other}");
        }
    }
}
