//! What a command does with its keys in the terms servers have for it: `COMMAND` lists them, and
//! the key patterns of access control (`%R~`, `%W~`) go by them.
//!
//! [`Access`] says what a migration must know. Servers say more: whether the value itself is
//! looked at (`EXISTS` only asks whether there is one), and whether data is added, changed or
//! taken away.

use crate::command::Command;
use crate::flags::Flag;
use crate::keys::Access;

/// What happens to the keys of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFlags(u16);

macro_rules! key_flags {
    ($($name:ident $bit:literal $word:literal $doc:literal)*) => {
        impl KeyFlags {
            $(#[doc = $doc] pub const $name: Self = Self(1 << $bit);)*

            /// The words servers use, in their order.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                const WORDS: &[(KeyFlags, &str)] = &[$((KeyFlags::$name, $word),)*];
                WORDS.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, word)| *word)
            }
        }
    };
}

key_flags! {
    READ_WRITE 0 "RW" "Reads and changes."
    READ_ONLY 1 "RO" "Changes nothing."
    OVERWRITE 2 "OW" "Writes whatever was there."
    REMOVE 3 "RM" "Deletes the key."
    ACCESS 4 "access" "Answers, copies or acts on what the value holds."
    UPDATE 5 "update" "Changes what the value holds."
    INSERT 6 "insert" "Adds to the value, and changes nothing that is in it."
    DELETE 7 "delete" "Takes away from the value, or all of it."
    NOT_KEY 8 "not_key" "Is no key: a shard channel."
    INCOMPLETE 9 "incomplete" "One place does not say where all keys are."
    VARIABLE 10 "variable_flags" "The other flags depend on the words of the call."
}

impl KeyFlags {
    /// Both together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether what the value holds becomes known to the caller.
    pub const fn reads(self) -> bool {
        self.contains(Self::ACCESS)
    }

    /// Whether the value is changed.
    pub const fn writes(self) -> bool {
        self.0 & (Self::UPDATE.0 | Self::INSERT.0 | Self::DELETE.0) != 0
    }
}

const RW: KeyFlags = KeyFlags::READ_WRITE;
const RO: KeyFlags = KeyFlags::READ_ONLY;
const OW: KeyFlags = KeyFlags::OVERWRITE;
const ACCESS: KeyFlags = KeyFlags::ACCESS;
const UPDATE: KeyFlags = KeyFlags::UPDATE;
const INSERT: KeyFlags = KeyFlags::INSERT;
const DELETE: KeyFlags = KeyFlags::DELETE;
const INCOMPLETE: KeyFlags = KeyFlags::INCOMPLETE;

/// Commands whose first place of keys has other flags than follow from its [`Access`].
const FIRST: &[(KeyFlags, &[&str])] = &[
    (
        RO,
        &[
            "exists",
            "hexists",
            "hlen",
            "hstrlen",
            "llen",
            "memory|usage",
            "object|encoding",
            "object|freq",
            "object|idletime",
            "object|refcount",
            "scard",
            "sismember",
            "strlen",
            "touch",
            "type",
            "watch",
            "xlen",
            "zcard",
        ],
    ),
    (
        RW.with(ACCESS).with(DELETE),
        &[
            "blmove",
            "blmpop",
            "blpop",
            "brpop",
            "brpoplpush",
            "bzmpop",
            "bzpopmax",
            "bzpopmin",
            "getdel",
            "hgetdel",
            "lmove",
            "lmpop",
            "lpop",
            "migrate",
            "rename",
            "renamenx",
            "rpop",
            "rpoplpush",
            "smove",
            "spop",
            "zmpop",
            "zpopmax",
            "zpopmin",
        ],
    ),
    (
        RW.with(INSERT),
        &[
            "append",
            "hsetnx",
            "linsert",
            "lpush",
            "lpushx",
            "pfadd",
            "rpush",
            "rpushx",
            "sadd",
            "xgroup|create",
            "xgroup|createconsumer",
        ],
    ),
    (
        RW.with(ACCESS).with(UPDATE),
        &[
            "decr",
            "decrby",
            "eval",
            "evalsha",
            "fcall",
            "getex",
            "getset",
            "hgetex",
            "hincrby",
            "hincrbyfloat",
            "incr",
            "incrby",
            "incrbyfloat",
            "move",
            "setbit",
            "zincrby",
        ],
    ),
    (
        RW.with(DELETE),
        &[
            "hdel",
            "lrem",
            "ltrim",
            "srem",
            "xautoclaim",
            "xdel",
            "xgroup|delconsumer",
            "xgroup|destroy",
            "xtrim",
            "zrem",
            "zremrangebylex",
            "zremrangebyrank",
            "zremrangebyscore",
        ],
    ),
    (RW.with(ACCESS).with(UPDATE).with(KeyFlags::VARIABLE), &["bitfield", "set"]),
    (OW.with(INSERT), &["msetnx", "setnx"]),
    (RW.with(ACCESS), &["pfcount", "pfdebug"]),
    (RW.with(ACCESS).with(INSERT), &["pfmerge"]),
    (RO.with(ACCESS), &["xreadgroup"]),
];

/// The same for the second place.
const SECOND: &[(KeyFlags, &[&str])] = &[
    (RW.with(INSERT), &["blmove", "brpoplpush", "lmove", "rpoplpush", "smove"]),
    (OW.with(INSERT), &["renamenx"]),
    (OW.with(UPDATE).with(INCOMPLETE), &["georadius", "georadiusbymember"]),
    (RW.with(ACCESS).with(DELETE).with(INCOMPLETE), &["migrate"]),
];

/// What a command does with the keys of its place number `place`, from 0, whatever the words of
/// the call.
pub fn key_flags(command: &Command, place: usize) -> Option<KeyFlags> {
    let access = command.keys.get(place)?.access;
    let exceptions = match place {
        0 => FIRST,
        1 => SECOND,
        _ => &[],
    };
    let known = exceptions.iter().find(|(_, names)| names.contains(&command.name));
    // Modules say the most, because they cannot say less of a place.
    let module = command.flags.contains(Flag::Module) && access == Access::Update;
    let usual = if module { RW.with(ACCESS).with(UPDATE) } else { usual(access) };
    Some(known.map_or(usual, |(flags, _)| *flags))
}

/// What follows from the access of most commands.
const fn usual(access: Access) -> KeyFlags {
    match access {
        Access::Read => RO.with(ACCESS),
        Access::Update => RW.with(UPDATE),
        Access::Overwrite => OW.with(UPDATE),
        Access::Remove => KeyFlags::REMOVE.with(DELETE),
        Access::NotKey => KeyFlags::NOT_KEY,
    }
}

/// What one call does with the keys of its place number `place`: for commands whose words decide
/// (`SET … GET`, `BITFIELD` that only reads) what these words mean.
pub fn call_key_flags<A: AsRef<[u8]>>(
    command: &Command,
    place: usize,
    arguments: &[A],
) -> Option<KeyFlags> {
    let flags = key_flags(command, place)?;
    if !flags.contains(KeyFlags::VARIABLE) {
        return Some(flags);
    }
    let options = arguments.get(2..).unwrap_or_default();
    let has = |word: &str, from: usize| {
        let words = options.get(from..).unwrap_or_default();
        words.iter().any(|it| it.as_ref().eq_ignore_ascii_case(word.as_bytes()))
    };
    Some(match command.name {
        "set" if !has("get", 1) => OW.with(UPDATE),
        "bitfield" if !has("set", 0) && !has("incrby", 0) => RO.with(ACCESS),
        _ => RW.with(ACCESS).with(UPDATE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup;

    fn flags(words: &[&str], place: usize) -> Vec<&'static str> {
        let command = lookup(words[0].as_bytes()).unwrap();
        call_key_flags(command, place, words).unwrap().names().collect()
    }

    #[test]
    fn names_in_the_exceptions_are_commands() {
        for (_, names) in FIRST {
            for name in *names {
                assert!(lookup(name.as_bytes()).is_some_and(|it| !it.keys.is_empty()), "{name}");
            }
        }
        for (_, names) in SECOND {
            for name in *names {
                assert!(lookup(name.as_bytes()).is_some_and(|it| it.keys.len() > 1), "{name}");
            }
        }
    }

    #[test]
    fn words_of_the_call_decide_where_they_must() {
        assert_eq!(flags(&["set", "k", "v"], 0), ["OW", "update"]);
        assert_eq!(flags(&["set", "k", "get"], 0), ["OW", "update"], "a value is no option");
        assert_eq!(flags(&["set", "k", "v", "XX", "GET"], 0), ["RW", "access", "update"]);
        assert_eq!(flags(&["bitfield", "k", "get", "u8", "0"], 0), ["RO", "access"]);
        assert_eq!(
            flags(&["bitfield", "k", "incrby", "u8", "0", "1"], 0),
            ["RW", "access", "update"]
        );
        assert_eq!(flags(&["exists", "k"], 0), ["RO"]);
        assert_eq!(flags(&["lmove", "a", "b", "left", "left"], 1), ["RW", "insert"]);
    }
}
