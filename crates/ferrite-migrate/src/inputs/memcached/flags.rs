//! What becomes of the flags of a value: 32 bits that a client library keeps with it, mostly to
//! know how it serialized or compressed it. Redis has no room for them.

use std::collections::BTreeMap;

/// Values of flags that are counted one by one.
const COUNTED_MAX: usize = 8;
/// What the name of the key that holds the flags ends with, by [`MemcachedFlags::Suffix`].
pub const SUFFIX: &[u8] = b":flags";
/// The fields of the hash that [`MemcachedFlags::Hash`] makes.
pub const FIELDS: [&[u8]; 2] = [b"value", b"flags"];

/// What becomes of values whose flags are not 0. All others become plain strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemcachedFlags {
    /// The value becomes a string and the flags are let go; how many there were is reported.
    #[default]
    Drop,
    /// The value becomes a string; a second string, `NAME:flags`, holds the flags in decimal and
    /// expires with it.
    Suffix,
    /// The key becomes a hash with the fields `value` and `flags`.
    Hash,
    /// The key is left out, and reported.
    Strict,
}

impl MemcachedFlags {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Drop, Self::Suffix, Self::Hash, Self::Strict];

    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Suffix => "suffix",
            Self::Hash => "hash",
            Self::Strict => "strict",
        }
    }
}

/// What was seen on the way that the operator should know.
#[derive(Debug, Default)]
pub struct Seen {
    /// Values by their flags, where those are not 0.
    flags: BTreeMap<u32, u64>,
    /// Values whose flags are not among those.
    others: u64,
    /// Numbers whose padding was taken off.
    pub trimmed: u64,
}

impl Seen {
    /// A value with these flags, which are not 0.
    pub fn flags(&mut self, flags: u32) {
        match self.flags.len() < COUNTED_MAX || self.flags.contains_key(&flags) {
            true => *self.flags.entry(flags).or_default() += 1,
            false => self.others += 1,
        }
    }

    /// Adds what somebody else has seen.
    pub fn add(&mut self, other: &Self) {
        for (&flags, &values) in &other.flags {
            match self.flags.len() < COUNTED_MAX || self.flags.contains_key(&flags) {
                true => *self.flags.entry(flags).or_default() += values,
                false => self.others += values,
            }
        }
        self.others += other.others;
        self.trimmed += other.trimmed;
    }

    /// In sentences, for the report.
    pub fn sentences(&self, policy: MemcachedFlags) -> Vec<String> {
        let mut sentences = Vec::new();
        let values = self.flags.values().sum::<u64>() + self.others;
        let became = match policy {
            MemcachedFlags::Drop => Some("were dropped; --memcached-flags keeps them"),
            MemcachedFlags::Suffix => Some("are in keys of their own, NAME:flags"),
            MemcachedFlags::Hash => Some("became hashes with the fields `value` and `flags`"),
            MemcachedFlags::Strict => None,
        };
        if let (Some(became), true) = (became, values > 0) {
            let mut each: Vec<String> =
                self.flags.iter().map(|(flags, values)| format!("{flags} × {values}")).collect();
            if self.others > 0 {
                each.push(format!("others × {}", self.others));
            }
            let subject = match policy {
                MemcachedFlags::Hash => format!("{} with flags", counted(values, "value")),
                _ => format!("the flags of {}", counted(values, "value")),
            };
            sentences.push(format!("{subject} {became} ({})", each.join(", ")));
        }
        if self.trimmed > 0 {
            let numbers = counted(self.trimmed, "number");
            sentences.push(format!("{numbers} lost the spaces that decr had put behind"));
        }
        sentences
    }
}

/// `1 key`, `2 keys`.
fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
