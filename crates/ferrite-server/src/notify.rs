//! Keyspace notifications: which events are published, and where.

/// A kind of event; a letter of `notify-keyspace-events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Class {
    /// `K`: published under the key, `__keyspace@<db>__:<key>`.
    Keyspace = 1,
    /// `E`: published under the event, `__keyevent@<db>__:<event>`.
    Keyevent = 1 << 1,
    /// `g`: commands of no type (DEL, EXPIRE, RENAME …).
    Generic = 1 << 2,
    /// `$`: strings.
    String = 1 << 3,
    /// `l`: lists.
    List = 1 << 4,
    /// `s`: sets.
    Set = 1 << 5,
    /// `h`: hashes.
    Hash = 1 << 6,
    /// `z`: sorted sets.
    SortedSet = 1 << 7,
    /// `x`: keys that expired.
    Expired = 1 << 8,
    /// `e`: keys that were evicted.
    Evicted = 1 << 9,
    /// `t`: streams.
    Stream = 1 << 10,
    /// `m`: keys that were looked for and not there; not part of `A`.
    Miss = 1 << 11,
    /// `d`: module types.
    Module = 1 << 13,
    /// `n`: new keys; not part of `A`.
    New = 1 << 14,
}

/// The letters and their classes, in the order Redis prints them.
const LETTERS: [(char, Class); 14] = [
    ('g', Class::Generic),
    ('$', Class::String),
    ('l', Class::List),
    ('s', Class::Set),
    ('h', Class::Hash),
    ('z', Class::SortedSet),
    ('x', Class::Expired),
    ('e', Class::Evicted),
    ('t', Class::Stream),
    ('d', Class::Module),
    ('K', Class::Keyspace),
    ('E', Class::Keyevent),
    ('m', Class::Miss),
    ('n', Class::New),
];

/// What `A` stands for: the first ten.
const ALL: usize = 10;

fn all() -> u32 {
    LETTERS.iter().take(ALL).fold(0, |flags, (_, class)| flags | *class as u32)
}

/// The classes that a value of `notify-keyspace-events` names; nothing where a letter is unknown.
pub fn parse(letters: &str) -> Option<u32> {
    letters.chars().try_fold(0, |flags, letter| match letter {
        'A' => Some(flags | all()),
        _ => LETTERS.iter().find(|(its, _)| *its == letter).map(|(_, class)| flags | *class as u32),
    })
}

/// The value that names these classes, as `CONFIG GET` prints it.
pub fn text(flags: u32) -> String {
    let complete = flags & all() == all();
    let begin = if complete { "A" } else { "" };
    let rest = LETTERS.iter().skip(if complete { ALL } else { 0 });
    let letters = rest.filter(|(_, class)| flags & *class as u32 != 0).map(|(letter, _)| *letter);
    begin.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_printed_as_redis_does() {
        for (given, printed) in [("", ""), ("KEA", "AKE"), ("Elg", "glE"), ("g$lshzxetdKn", "AKn")]
        {
            assert_eq!(text(parse(given).unwrap()), printed, "{given}");
        }
        assert_eq!(parse("KQ"), None);
    }
}
