//! What a server accepts in `RESTORE` and in an RDB file.

use crate::encode::BackLengths;
use crate::{Dialect, Format};

/// The first RDB version that is Valkey's own. Valkey refuses everything from
/// [`FIRST_FOREIGN_VERSION`] up to here, and Redis everything above its own version.
const FIRST_VALKEY_VERSION: u32 = 80;
/// The first RDB version of Redis after Valkey had parted from it.
const FIRST_FOREIGN_VERSION: u32 = 12;

/// RDB version by first Redis release (major, minor) that has it, newest first.
const REDIS_VERSIONS: &[((u32, u32), u32)] = &[
    ((8, 10), 15),
    ((8, 8), 14),
    ((8, 6), 13),
    ((7, 4), 12),
    ((7, 2), 11),
    ((7, 0), 10),
    ((5, 0), 9),
    ((4, 0), 8),
    ((3, 2), 7),
];
/// Redis 2.6 to 3.0.
const OLDEST_REDIS_VERSION: u32 = 6;

/// RDB version by first Valkey release (major, minor) from 9.0 on, newest first.
const VALKEY_VERSIONS: &[((u32, u32), u32)] = &[((9, 2), 81), ((9, 0), 80)];

/// Type names of the data that a module, named as in `MODULE LIST`, can load.
const MODULE_TYPES: &[(&str, &[&str])] = &[
    ("ReJSON", &["ReJSON-RL"]),
    ("json", &["ReJSON-RL"]),
    ("bf", &["MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE", "bloomfltr"]),
    ("timeseries", &["TSDB-TYPE"]),
    ("vectorset", &["vectorset"]),
    ("graph", &["graphdata"]),
];

/// A server that values are written for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its dialect and the highest RDB version it accepts; also the version written.
    pub format: Format,
    /// Type names (nine letters) of the modules whose data it can load.
    pub modules: Vec<String>,
    /// How it reads listpacks; `None` when that depends on a release we cannot tell.
    pub back_lengths: Option<BackLengths>,
    /// Added to the expiry of every hash field, in milliseconds: a target that follows another
    /// server must not expire fields by its own clock. 0 leaves them as they are.
    pub hold_fields_ms: u64,
}

impl Target {
    /// A server that accepts this format and has no modules.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        let back_lengths = match (format.dialect, format.version) {
            (Dialect::Redis, 0..=13) | (Dialect::KeyDb | Dialect::Dragonfly, _) => {
                Some(BackLengths::Wide)
            }
            (Dialect::Valkey, 81..) => Some(BackLengths::Narrow),
            _ => None,
        };
        Self { format, modules: Vec::new(), back_lengths, hold_fields_ms: 0 }
    }

    /// A server by what `INFO server` says of it: for Valkey its `valkey_version`, not the
    /// `redis_version` it claims. Unknown newer versions count as the newest known.
    #[must_use]
    pub fn for_server(dialect: Dialect, major: u32, minor: u32) -> Self {
        let newest = |table: &[((u32, u32), u32)]| {
            table.iter().find(|(since, _)| (major, minor) >= *since).map(|(_, version)| *version)
        };
        let mut target = Self::new(match dialect {
            Dialect::Redis => Format::redis(newest(REDIS_VERSIONS).unwrap_or(OLDEST_REDIS_VERSION)),
            // Up to 8.1, Valkey writes and reads what Redis 7.2 does.
            Dialect::Valkey => newest(VALKEY_VERSIONS).map_or(Format::redis(11), Format::valkey),
            Dialect::KeyDb | Dialect::Dragonfly => Format { dialect, version: 9 },
        });
        match (target.format.dialect, (major, minor)) {
            (Dialect::Valkey, (9, 0)) => target.back_lengths = Some(BackLengths::Wide),
            (Dialect::Valkey, _) => target.back_lengths = Some(BackLengths::Narrow),
            _ => {}
        }
        target
    }

    /// The same server with modules, named as in `MODULE LIST` or by the nine letters of a type.
    #[must_use]
    pub fn with_modules<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            let known = MODULE_TYPES.iter().find(|(module, _)| *module == name);
            match known {
                Some((_, types)) => {
                    self.modules.extend(types.iter().map(|name| (*name).to_owned()))
                }
                None => self.modules.push(name.to_owned()),
            }
        }
        self
    }

    /// Whether it keeps expiry times of hash fields: Redis 7.4 and Valkey 9 on.
    #[must_use]
    pub fn has_field_expiry(&self) -> bool {
        match self.format.dialect {
            Dialect::Redis => self.format.version >= 12,
            Dialect::Valkey => true,
            // Dragonfly's have a resolution of seconds, and a type of their own.
            Dialect::KeyDb | Dialect::Dragonfly => false,
        }
    }

    /// Whether a payload or file with this version in it is accepted as far as the version goes.
    #[must_use]
    pub fn accepts_version(&self, version: u32) -> bool {
        let foreign = FIRST_FOREIGN_VERSION..FIRST_VALKEY_VERSION;
        version <= self.format.version
            && !(self.format.dialect == Dialect::Valkey && foreign.contains(&version))
    }

    /// The version to write into a footer.
    #[must_use]
    pub fn footer_version(&self) -> u16 {
        // Every version in the tables above, and every one read from a header, fits.
        u16::try_from(self.format.version).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_the_releases() {
        let version =
            |dialect, major, minor| Target::for_server(dialect, major, minor).format.version;
        for (major, minor, expected) in [
            (2, 8, 6),
            (3, 2, 7),
            (4, 0, 8),
            (6, 2, 9),
            (7, 0, 10),
            (7, 2, 11),
            (8, 4, 12),
            (8, 6, 13),
            (9, 0, 15),
        ] {
            assert_eq!(version(Dialect::Redis, major, minor), expected, "Redis {major}.{minor}");
        }
        for (major, minor, expected) in
            [(7, 2, 11), (8, 1, 11), (9, 0, 80), (9, 1, 80), (10, 0, 81)]
        {
            assert_eq!(version(Dialect::Valkey, major, minor), expected, "Valkey {major}.{minor}");
        }
    }

    #[test]
    fn valkey_refuses_what_redis_wrote_after_the_fork() {
        let valkey = Target::for_server(Dialect::Valkey, 9, 1);
        let accepted: Vec<u32> = [9, 11, 12, 15, 79, 80, 81]
            .into_iter()
            .filter(|v| valkey.accepts_version(*v))
            .collect();
        assert_eq!(accepted, [9, 11, 80]);
        let redis = Target::for_server(Dialect::Redis, 8, 0);
        assert!(
            redis.accepts_version(12) && !redis.accepts_version(13) && !redis.accepts_version(80)
        );
    }
}
