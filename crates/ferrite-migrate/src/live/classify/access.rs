//! The keys of one command, and what it does with them.

use ferrite_commands::{Access, Command, Flag, Group, KeyPosition, Keys, keys};

/// Commands on several keys in which each key's new value depends on that key alone. `MSETNX`
/// and `MSETEX … NX` look at all keys first, but are in a stream only when they wrote all.
pub(super) const KEY_BY_KEY: &[&str] =
    &["del", "json.mset", "mset", "msetex", "msetnx", "stick", "touch", "unlink"];

/// In which database the keys written are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The one selected.
    Here,
    /// Another one.
    There(u32),
    /// The one selected, and another one under the same name.
    Both(u32),
}

/// One key of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// Which word it is, the command's name being word 0.
    pub word: usize,
    /// The database it is in, where that is not the one selected.
    pub db: Option<u32>,
}

/// What a command does with which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAccess {
    keys: Keys,
    reach: Reach,
    /// Whether each written key's new value depends on that key and the command's words alone.
    /// Otherwise it depends on other keys too, named ones or not, or there may be written keys
    /// that are not named; and the command is right only if all of them are at its offset.
    pub independent: bool,
    /// Whether it is a command of a module, which the target may not have.
    pub module: bool,
}

impl KeyAccess {
    /// No keys that are known.
    pub(super) fn none() -> Self {
        Self { keys: Keys::default(), reach: Reach::Here, independent: false, module: false }
    }

    /// The keys a script's sender names, which may be all or not.
    pub(super) fn of_script(command: &Command, words: &[&[u8]]) -> Self {
        Self { keys: keys(command, words).unwrap_or_default(), ..Self::none() }
    }

    /// What a command of the catalogue does with the keys found in its words.
    pub(super) fn new(command: &Command, keys: Keys, reach: Reach) -> Self {
        let mut words = keys.positions();
        let has_one = words.next().is_some() && words.next().is_none();
        let is_plain = reach == Reach::Here && !keys.reads_unnamed_keys();
        // A time series may have rules by which a write to it is also one to another.
        let stays_put = command.group != Group::TimeSeries;
        Self {
            keys,
            reach,
            independent: is_plain && stays_put && (has_one || KEY_BY_KEY.contains(&command.name)),
            module: command.flags.contains(Flag::Module),
        }
    }

    /// The keys written, those also read included; a word twice when the command writes a key of
    /// that name in two databases.
    pub fn written(&self) -> impl Iterator<Item = KeyUse> {
        let dbs = match self.reach {
            Reach::Here => [Some(None), None],
            Reach::There(db) => [Some(Some(db)), None],
            Reach::Both(db) => [Some(None), Some(Some(db))],
        };
        let written = self.keys.iter().filter(|key| is_written(*key));
        written.flat_map(move |key| {
            dbs.into_iter().flatten().map(move |db| KeyUse { word: key.index, db })
        })
    }

    /// The keys read and not written: words of the call, in the database selected.
    pub fn only_read(&self) -> impl Iterator<Item = usize> {
        let read = self.keys.iter().filter(|key| key.access == Access::Read);
        read.map(|key| key.index)
    }

    /// Whether the command also reads keys that its words do not name (`SORT … BY`, `GET`).
    #[must_use]
    pub fn reads_unnamed_keys(&self) -> bool {
        self.keys.reads_unnamed_keys()
    }

    /// The database other than the one selected in which the command writes (`MOVE`, `COPY`).
    #[must_use]
    #[cfg(test)]
    pub fn other_db(&self) -> Option<u32> {
        match self.reach {
            Reach::Here => None,
            Reach::There(db) | Reach::Both(db) => Some(db),
        }
    }
}

fn is_written(key: KeyPosition) -> bool {
    matches!(key.access, Access::Update | Access::Overwrite | Access::Remove)
}
