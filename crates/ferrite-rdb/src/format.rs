//! Which format a sequence of bytes is in: who wrote it, and at which RDB version.
//!
//! One type byte means different things to different servers (22 is a hash with field expiry in
//! Valkey 9, another layout of the same in a Redis 7.4 release candidate), so nothing in this
//! crate looks at a type byte without its [`Format`].

use std::fmt;

/// The family of server that wrote, or will read, the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Redis, and everything that writes exactly what Redis writes (Valkey 7.2 to 8.1 included).
    Redis,
    /// Valkey 9 and later: magic `VALKEY`, versions from 80.
    Valkey,
    /// KeyDB: RDB 9 with its own AUX fields around keys and type 64.
    KeyDb,
    /// Dragonfly: RDB 9 with its own types from 30 upwards.
    Dragonfly,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::KeyDb => "KeyDB",
            Self::Dragonfly => "Dragonfly",
        })
    }
}

/// A dialect at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// Who wrote it.
    pub dialect: Dialect,
    /// RDB version: 1 to 15 for Redis, 80 and up for Valkey 9.
    pub version: u32,
}

impl Format {
    /// A Redis format of that version.
    #[must_use]
    pub const fn redis(version: u32) -> Self {
        Self { dialect: Dialect::Redis, version }
    }

    /// A Valkey format of that version.
    #[must_use]
    pub const fn valkey(version: u32) -> Self {
        Self { dialect: Dialect::Valkey, version }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} RDB {}", self.dialect, self.version)
    }
}
