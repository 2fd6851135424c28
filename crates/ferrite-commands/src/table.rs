//! The notation of the tables in `catalogue/`: one entry, one or two lines.

pub(crate) use crate::command::{Command, Group, Since, Version};
pub(crate) use crate::flags::{Categories, Category, Flag, Flags};
pub(crate) use crate::keys::Access::{NotKey, Overwrite, Read, Remove, Update};
pub(crate) use crate::keys::{Access, KeySpec, Place};

/// One group's table: `name arity [flags] [own categories] [keys] since;` a line, a container
/// followed by its subcommands in braces.
macro_rules! commands {
    ($group:ident; $($row:tt)*) => {
        /// The group's commands by name.
        pub(super) static COMMANDS: &[Command] = commands!(@rows $group; $($row)*);
    };
    (@rows $group:ident; $(
        $name:literal $arity:literal [$($flag:ident)*] [$($category:ident)*] [$($key:expr),*]
        $since:expr; $({ $($subcommand:tt)* })?
    )*) => {
        &[$(Command {
            name: $name,
            arity: $arity,
            flags: Flags::of(&[$(Flag::$flag),*]),
            own_categories: Categories::of(&[$(Category::$category),*]),
            keys: &[$($key),*],
            group: Group::$group,
            since: $since,
            subcommands: commands!(@rows $group; $($($subcommand)*)?),
        }),*]
    };
}
pub(crate) use commands;

/// One key at word `at`.
pub(crate) const fn key(at: u8, access: Access) -> KeySpec {
    range(at, at as i16, 1, access)
}

/// Keys from word `first` to word `last`.
pub(crate) const fn range(first: u8, last: i16, step: u8, access: Access) -> KeySpec {
    KeySpec { place: Place::Range { first, last, step }, access }
}

/// As many keys from word `first` as word `count` says.
pub(crate) const fn counted(count: u8, first: u8, step: u8, access: Access) -> KeySpec {
    KeySpec { place: Place::Counted { count, first, step }, access }
}

/// Keys at a place of their own kind.
pub(crate) const fn special(place: Place, access: Access) -> KeySpec {
    KeySpec { place, access }
}

const fn version(major: u8, minor: u8, patch: u8) -> Option<Version> {
    Some(Version { major, minor, patch })
}

/// In Redis since this version, and in Valkey from its start.
pub(crate) const fn since(major: u8, minor: u8, patch: u8) -> Since {
    Since { redis: version(major, minor, patch), valkey: version(major, minor, patch) }
}

/// In Redis only.
pub(crate) const fn redis(major: u8, minor: u8, patch: u8) -> Since {
    Since { redis: version(major, minor, patch), valkey: None }
}

/// In Valkey only.
pub(crate) const fn valkey(major: u8, minor: u8, patch: u8) -> Since {
    Since { redis: None, valkey: version(major, minor, patch) }
}

/// In both, added to each in its own time.
pub(crate) const fn both(redis: (u8, u8, u8), valkey: (u8, u8, u8)) -> Since {
    Since {
        redis: version(redis.0, redis.1, redis.2),
        valkey: version(valkey.0, valkey.1, valkey.2),
    }
}

/// In neither: a module's command or another server's.
pub(crate) const ELSEWHERE: Since = Since { redis: None, valkey: None };
