//! `notify-keyspace-events`: which events are published, one letter a class.

use super::super::setting::{Origin, Structure};
use super::super::words;

/// A set of classes of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventClasses(pub u32);

/// Letters and bits in the order servers print them. `A` stands for all of [`EventClasses::ALL`].
const LETTERS: &[(u8, EventClasses)] = &[
    (b'g', EventClasses::GENERIC),
    (b'$', EventClasses::STRING),
    (b'l', EventClasses::LIST),
    (b's', EventClasses::SET),
    (b'h', EventClasses::HASH),
    (b'z', EventClasses::SORTED_SET),
    (b'x', EventClasses::EXPIRED),
    (b'e', EventClasses::EVICTED),
    (b't', EventClasses::STREAM),
    (b'd', EventClasses::MODULE),
    (b'n', EventClasses::NEW),
    (b'K', EventClasses::KEYSPACE),
    (b'E', EventClasses::KEYEVENT),
    (b'm', EventClasses::KEY_MISS),
];

impl EventClasses {
    /// Published at the key's channel.
    pub const KEYSPACE: Self = Self(1);
    /// Published at the event's channel.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// DEL, EXPIRE, RENAME and their like.
    pub const GENERIC: Self = Self(1 << 2);
    /// Commands of strings.
    pub const STRING: Self = Self(1 << 3);
    /// Commands of lists.
    pub const LIST: Self = Self(1 << 4);
    /// Commands of sets.
    pub const SET: Self = Self(1 << 5);
    /// Commands of hashes.
    pub const HASH: Self = Self(1 << 6);
    /// Commands of sorted sets.
    pub const SORTED_SET: Self = Self(1 << 7);
    /// Keys that expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// Keys that were evicted.
    pub const EVICTED: Self = Self(1 << 9);
    /// Commands of streams.
    pub const STREAM: Self = Self(1 << 10);
    /// Reads of keys that are not there; not part of `A`.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// Types of modules.
    pub const MODULE: Self = Self(1 << 12);
    /// Keys that come to be; not part of `A`.
    pub const NEW: Self = Self(1 << 13);
    /// What `A` stands for.
    pub const ALL: Self = Self(0b1_0111_1111_1100);

    /// Whether it has all classes of `other`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any event is published at all.
    pub const fn publishes(self) -> bool {
        self.0 & (Self::KEYSPACE.0 | Self::KEYEVENT.0) != 0
    }
}

impl Structure for EventClasses {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        let [word] = words else { return Err("wrong number of arguments".to_owned()) };
        let classes = word.iter().try_fold(0, |classes, letter| {
            let known = LETTERS.iter().find(|(known, _)| known == letter);
            let class = match letter {
                b'A' => Self::ALL,
                _ => known.map(|(_, class)| *class)?,
            };
            Some(classes | class.0)
        });
        classes
            .map(Self)
            .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())
    }

    fn text(&self) -> Vec<u8> {
        let all = self.contains(Self::ALL);
        let mut text: Vec<u8> = if all { vec![b'A'] } else { Vec::new() };
        let single = |class: &Self| self.contains(*class) && !(all && Self::ALL.contains(*class));
        let set = LETTERS.iter().filter(|(_, class)| single(class));
        text.extend(set.map(|(letter, _)| *letter));
        text
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(&self.text())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<EventClasses, String> {
        EventClasses::parse(&[text.into()], &EventClasses::default(), Origin::Live)
    }

    #[test]
    fn texts_are_those_of_redis() {
        for (set, got) in [("KEA", "AKE"), ("", ""), ("KEgnxm", "gxnKEm"), ("Ed$", "$dE")] {
            assert_eq!(String::from_utf8(parse(set).unwrap().text()).unwrap(), got);
        }
        assert_eq!(parse("AnmKE").unwrap().text(), b"AnKEm", "Redis forgets the n here");
        assert!(parse("KEQ").unwrap_err().contains("Invalid event class character"));
    }
}
