//! Command flags and ACL categories: enums for reading and writing tables, sets for asking.

macro_rules! named_set {
    (
        $(#[$enum_doc:meta])* $item:ident;
        $(#[$set_doc:meta])* $set:ident($bits:ty);
        $($variant:ident $name:literal $doc:literal),* $(,)?
    ) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $item {
            $(#[doc = $doc] $variant,)*
        }

        impl $item {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name servers use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        $(#[$set_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        pub struct $set($bits);

        impl $set {
            /// The set of these items.
            pub const fn of(items: &[$item]) -> Self {
                let mut bits = 0;
                let mut at = 0;
                while at < items.len() {
                    bits |= 1 << items[at] as $bits;
                    at += 1;
                }
                Self(bits)
            }

            /// Whether `item` is in the set.
            pub const fn contains(self, item: $item) -> bool {
                self.0 & (1 << item as $bits) != 0
            }

            /// Both sets together.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The items of the set, in the order of declaration.
            pub fn iter(self) -> impl Iterator<Item = $item> {
                $item::ALL.iter().copied().filter(move |item| self.contains(*item))
            }
        }

        impl std::fmt::Debug for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }
    };
}

named_set! {
    /// One property of a command, as `COMMAND` lists them.
    Flag;
    /// A set of [`Flag`]s.
    Flags(u32);
    Write "write" "May change the data set.",
    ReadOnly "readonly" "Reads keys and never changes them.",
    DenyOom "denyoom" "Refused when the server is over its memory limit.",
    Admin "admin" "Administration.",
    PubSub "pubsub" "Publish and subscribe.",
    NoScript "noscript" "Refused inside scripts.",
    Blocking "blocking" "May park the connection.",
    Loading "loading" "Allowed while the data set is loading.",
    Stale "stale" "Allowed on a replica with stale data.",
    SkipMonitor "skip_monitor" "Not shown by MONITOR.",
    SkipSlowlog "skip_slowlog" "Not recorded in the slow log (`skip_commandlog` in Valkey 8.1).",
    Asking "asking" "Implies ASKING in a cluster.",
    Fast "fast" "Takes constant or logarithmic time.",
    NoAuth "no_auth" "Allowed before authentication.",
    MovableKeys "movablekeys" "One first-last-step triple does not say where all keys are.",
    NoMulti "no_multi" "Refused inside MULTI.",
    AllowBusy "allow_busy" "Allowed while a script runs too long.",
    NoAsyncLoading "no_async_loading" "Refused while a replica loads beside the old data.",
    NoMandatoryKeys "no_mandatory_keys" "May have no keys although it has key positions.",
    Module "module" "Comes from a module.",
}

named_set! {
    /// An ACL category, without the leading `@`.
    Category;
    /// A set of [`Category`] values.
    Categories(u32);
    Keyspace "keyspace" "Keys regardless of type.",
    Read "read" "Reads data.",
    Write "write" "Writes data.",
    Set "set" "Sets.",
    SortedSet "sortedset" "Sorted sets.",
    List "list" "Lists.",
    Hash "hash" "Hashes.",
    String "string" "Strings.",
    Bitmap "bitmap" "Bitmaps.",
    HyperLogLog "hyperloglog" "HyperLogLog.",
    Geo "geo" "Coordinates.",
    Stream "stream" "Streams.",
    Array "array" "Arrays.",
    PubSub "pubsub" "Channels.",
    Admin "admin" "Administration.",
    Fast "fast" "Constant or logarithmic time.",
    Slow "slow" "Everything that is not fast.",
    Blocking "blocking" "May park the connection.",
    Dangerous "dangerous" "Think before granting it.",
    Connection "connection" "The connection itself.",
    Transaction "transaction" "MULTI and its company.",
    Scripting "scripting" "Scripts and functions.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let flags = Flags::of(&[Flag::Write, Flag::Module]);
        assert!(flags.contains(Flag::Write));
        assert!(!flags.contains(Flag::ReadOnly));
        assert_eq!(flags.iter().collect::<Vec<_>>(), [Flag::Write, Flag::Module]);
        assert_eq!(format!("{flags:?}"), "{Write, Module}");
    }
}
