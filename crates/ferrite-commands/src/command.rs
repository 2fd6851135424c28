//! The record the catalogue is made of.

use crate::flags::{Categories, Category, Flag, Flags};
use crate::keys::{KeySpec, Place};

/// Which ACL categories follow from which flags; scripts that only read are not `@read`.
const DERIVED: &[(Flag, &[Category])] = &[
    (Flag::Write, &[Category::Write]),
    (Flag::ReadOnly, &[Category::Read]),
    (Flag::Admin, &[Category::Admin, Category::Dangerous]),
    (Flag::PubSub, &[Category::PubSub]),
    (Flag::Blocking, &[Category::Blocking]),
];

/// One command, or one subcommand of a container such as `CONFIG`.
#[derive(Debug)]
pub struct Command {
    /// Lower-case name as servers print it; a subcommand is `container|subcommand`.
    pub name: &'static str,
    /// Number of words including the name; negative means "at least". Where versions differ it
    /// is the widest. Module commands say -1: modules check their own arguments.
    pub arity: i16,
    /// What the command does, and where and when servers allow it.
    pub flags: Flags,
    /// ACL categories that do not follow from the flags; see [`Command::categories`].
    pub own_categories: Categories,
    /// Where its keys stand, at most [`crate::MAX_KEY_SPECS`] places.
    pub keys: &'static [KeySpec],
    /// The family the command belongs to.
    pub group: Group,
    /// Which servers have it, and since when.
    pub since: Since,
    /// The subcommands of a container; empty for everything else.
    pub subcommands: &'static [Command],
}

impl Command {
    /// Whether the command may change the data set. Scripts (`EVAL`, `FCALL`) are not marked:
    /// servers decide from what the script calls and replicate that.
    pub fn is_write(&self) -> bool {
        self.flags.contains(Flag::Write)
    }

    /// Whether a call of `words` words, name included, has an acceptable length.
    pub fn accepts(&self, words: usize) -> bool {
        let bound = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { words >= bound } else { words == bound }
    }

    /// Every ACL category of the command: its own ones and those that follow from its flags, as
    /// servers derive them. Modules declare all of theirs, nothing follows from their flags.
    pub fn categories(&self) -> Categories {
        if self.flags.contains(Flag::Module) {
            return self.own_categories;
        }
        let scripting = self.own_categories.contains(Category::Scripting);
        let derived = DERIVED.iter().filter(|(flag, _)| self.flags.contains(*flag));
        let derived = derived.filter(|(flag, _)| !(scripting && *flag == Flag::ReadOnly));
        let speed = if self.flags.contains(Flag::Fast) { Category::Fast } else { Category::Slow };
        derived.fold(self.own_categories.union(Categories::of(&[speed])), |all, (_, more)| {
            all.union(Categories::of(more))
        })
    }

    /// The key positions as one `first, last, step` triple, the form `COMMAND` has always
    /// answered: positions count from 1 (0: no such keys), a negative last counts from the end.
    /// Places that one triple cannot express are left out, as servers do.
    pub fn first_last_step(&self) -> (i16, i16, i16) {
        let mut ranges = self.keys.iter().filter_map(|spec| match spec.place {
            Place::Range { first, last, step } => Some((first, last, step)),
            _ => None,
        });
        let Some((first, mut last, step)) = ranges.next() else { return (0, 0, 0) };
        for (next, its_last, its_step) in ranges {
            let follows = i16::from(next) == last + 1;
            if follows && its_step == 1 && step == 1 {
                last = its_last;
            }
        }
        (i16::from(first), last, i16::from(step))
    }
}

/// A server version, as in `7.2.4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub patch: u8,
}

/// The versions a command appeared in, by server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// First Redis version with the command, if Redis has it.
    pub redis: Option<Version>,
    /// First Valkey version with the command, if Valkey has it; versions up to 7.2 are those of
    /// the Redis it was forked from. Both empty: a module's or another server's command.
    pub valkey: Option<Version>,
}

macro_rules! groups {
    ($($variant:ident $name:literal $doc:literal),* $(,)?) => {
        /// Families of commands, under the names `COMMAND DOCS` uses where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Group {
            $(#[doc = $doc] $variant,)*
        }

        impl Group {
            /// The group's name in lower case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

groups! {
    Generic "generic" "Keys of any type, expiry, scanning.",
    String "string" "Strings and counters.",
    List "list" "Lists.",
    Hash "hash" "Hashes and their field expiry.",
    Set "set" "Sets.",
    SortedSet "sorted-set" "Sorted sets.",
    Stream "stream" "Streams and consumer groups.",
    Bitmap "bitmap" "Strings as arrays of bits.",
    HyperLogLog "hyperloglog" "Approximate counting.",
    Geo "geo" "Coordinates in sorted sets.",
    Array "array" "Sparse arrays (Redis 8.8).",
    VectorSet "vector-set" "Vector sets (Redis 8.0).",
    PubSub "pubsub" "Channels.",
    Scripting "scripting" "Scripts and functions.",
    Transactions "transactions" "MULTI and its company.",
    Connection "connection" "The connection itself.",
    Server "server" "Administration, replication, introspection.",
    Cluster "cluster" "Cluster administration.",
    Sentinel "sentinel" "What a Sentinel answers.",
    Json "json" "RedisJSON.",
    Search "search" "RediSearch.",
    Bloom "bloom" "RedisBloom: Bloom and cuckoo filters, sketches, top-k, t-digest.",
    TimeSeries "timeseries" "RedisTimeSeries.",
    KeyDb "keydb" "Additions of KeyDB.",
    Dragonfly "dragonfly" "Additions of Dragonfly.",
}

#[cfg(test)]
mod tests {
    use crate::lookup;

    #[test]
    fn arity_is_exact_or_a_minimum() {
        let get = lookup(b"get").unwrap();
        assert!(get.accepts(2));
        assert!(!get.accepts(3));
        let del = lookup(b"del").unwrap();
        assert!(!del.accepts(1));
        assert!(del.accepts(2));
        assert!(del.accepts(1000));
    }

    #[test]
    fn categories_are_declared_or_follow_from_flags() {
        let names = |name: &[u8]| -> Vec<_> {
            lookup(name).unwrap().categories().iter().map(|category| category.name()).collect()
        };
        assert_eq!(names(b"get"), ["read", "string", "fast"]);
        assert_eq!(names(b"config|set"), ["admin", "slow", "dangerous"]);
        assert_eq!(names(b"eval_ro"), ["slow", "scripting"]);
    }

    #[test]
    fn triples_are_those_servers_answer() {
        let cases = [
            (&b"get"[..], (1, 1, 1)),
            (b"mset", (1, -1, 2)),
            (b"bitop", (2, -1, 1)),
            (b"rename", (1, 2, 1)),
            (b"eval", (0, 0, 0)),
            (b"sort", (1, 1, 1)),
            (b"blpop", (1, -2, 1)),
            (b"lcs", (1, 2, 1)),
        ];
        for (name, triple) in cases {
            assert_eq!(lookup(name).unwrap().first_last_step(), triple);
        }
    }
}
