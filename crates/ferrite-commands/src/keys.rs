//! Which words of a call are keys.
//!
//! A command's entry lists its places of keys; here they are applied to the words of one call.
//! Positions count from 0, and word 0 is the command's name. A subcommand's positions count the
//! container's name too, so `MEMORY USAGE k` has its key at 2.
//!
//! ```text
//! SET k v                       Range   { first: 1, last: 1,  step: 1 }
//! MSET k v k v                  Range   { first: 1, last: -1, step: 2 }
//! EVAL script 2 k k arg         Counted { count: 2, first: 3, step: 1 }
//! XREAD COUNT 9 STREAMS k k i i Streams { from: 1 }
//! ```
//!
//! Each place gives one range, so nothing is allocated however long the call is.

use std::fmt;

use crate::command::Command;

/// The most places of keys one command has.
pub const MAX_KEY_SPECS: usize = 3;

/// One place where a command has keys, and what it does with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// How to find the keys.
    pub place: Place,
    /// What happens to them.
    pub access: Access,
}

/// How to find keys among the words of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// From word `first` to word `last` (negative: from the end, -1 is the last word), every
    /// `step` words.
    Range {
        /// First word.
        first: u8,
        /// Last word, inclusive.
        last: i16,
        /// Distance between two keys.
        step: u8,
    },
    /// Word `count` says how many keys start at word `first`, every `step` words.
    Counted {
        /// The word with the number of keys.
        count: u8,
        /// First key.
        first: u8,
        /// Distance between two keys.
        step: u8,
    },
    /// Behind the first word `STREAMS` at or after `from`: the first half of what follows.
    Streams {
        /// Where to start looking.
        from: u8,
    },
    /// Behind the last `STORE` among the options of `SORT`.
    SortStore,
    /// Behind the last `STORE` or `STOREDIST` at or after `from`.
    GeoStore {
        /// First option word.
        from: u8,
    },
    /// The `KEYS` option of `MIGRATE`: every word behind it, instead of the empty key before.
    MigrateKeys,
}

/// What a command does with the keys of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only.
    Read,
    /// Writes, and the outcome depends on what was there.
    Update,
    /// Writes, whatever was there.
    Overwrite,
    /// Deletes.
    Remove,
    /// Not a key: a shard channel, which decides the slot as a key would.
    NotKey,
}

/// One key of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPosition {
    /// Which word, the name being word 0.
    pub index: usize,
    /// What the command does with it.
    pub access: Access,
}

/// Evenly spaced keys of a call: words `first`, `first + step`, … below `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub first: usize,
    /// One past the last word that may be a key.
    pub end: usize,
    /// Distance between two keys, at least 1.
    pub step: usize,
    /// What the command does with them.
    pub access: Access,
}

/// The keys of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keys {
    ranges: [Option<KeyRange>; MAX_KEY_SPECS],
    hidden: bool,
}

impl Keys {
    /// The ranges, in the order of the command's places.
    pub fn ranges(&self) -> impl Iterator<Item = KeyRange> {
        self.ranges.into_iter().flatten()
    }

    /// Every key and shard channel of the call with its access.
    pub fn iter(&self) -> impl Iterator<Item = KeyPosition> {
        self.ranges().flat_map(|range| {
            let words = (range.first..range.end).step_by(range.step);
            words.map(move |index| KeyPosition { index, access: range.access })
        })
    }

    /// Which words are keys (shard channels left out).
    pub fn positions(&self) -> impl Iterator<Item = usize> {
        self.iter().filter(|key| key.access != Access::NotKey).map(|key| key.index)
    }

    /// Whether the call also reads keys that its words do not name: the patterns of `SORT … BY`
    /// and `GET`.
    pub fn reads_unnamed_keys(&self) -> bool {
        self.hidden
    }

    fn push(&mut self, range: KeyRange) {
        if let Some(free) = self.ranges.iter_mut().find(|range| range.is_none()) {
            *free = Some(range);
        }
    }
}

/// Why a call has no keys that could be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The call has a number of words the command does not accept.
    Arity {
        /// The command.
        command: &'static str,
        /// Words of the call, name included.
        words: usize,
    },
    /// The word that says how many keys there are is no number, or names more than there are.
    Count {
        /// The command.
        command: &'static str,
        /// Which word.
        position: usize,
    },
    /// An option that must be there is missing.
    MissingWord {
        /// The command.
        command: &'static str,
        /// The option.
        word: &'static str,
    },
    /// `STREAMS` is not followed by as many IDs as keys.
    UnevenStreams {
        /// The command.
        command: &'static str,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arity { command, words } => {
                write!(
                    f,
                    "looking for the keys of {command}: {words} words are too few or too many"
                )
            }
            Self::Count { command, position } => write!(
                f,
                "looking for the keys of {command}: word {position} is not a number of keys that follow"
            ),
            Self::MissingWord { command, word } => {
                write!(f, "looking for the keys of {command}: {word} is missing")
            }
            Self::UnevenStreams { command } => {
                write!(f, "looking for the keys of {command}: not one ID per key after STREAMS")
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// The keys of the call `arguments`, which starts with the name of `command` (for a subcommand:
/// of its container; [`crate::resolve`] finds the entry).
///
/// # Errors
/// When the call is one the server would refuse before touching a key: see [`KeyError`].
pub fn keys<A: AsRef<[u8]>>(command: &Command, arguments: &[A]) -> Result<Keys, KeyError> {
    if !command.accepts(arguments.len()) {
        return Err(KeyError::Arity { command: command.name, words: arguments.len() });
    }
    let call = Call { command, arguments };
    let mut keys = Keys::default();
    for spec in command.keys {
        call.find(spec, &mut keys)?;
    }
    Ok(keys)
}

struct Call<'a, A> {
    command: &'a Command,
    arguments: &'a [A],
}

impl<A: AsRef<[u8]>> Call<'_, A> {
    fn find(&self, spec: &KeySpec, keys: &mut Keys) -> Result<(), KeyError> {
        let range = match spec.place {
            Place::Range { first, last, step } => self.range(first, last, step),
            Place::Counted { count, first, step } => self.counted(count, first, step)?,
            Place::Streams { from } => self.streams(from)?,
            Place::SortStore => return self.sort(spec.access, keys),
            Place::GeoStore { from } => {
                let options = usize::from(from)..self.arguments.len();
                match self.last_value(options, &["STORE", "STOREDIST"]) {
                    Some(at) => (at, at + 1, 1),
                    None => return Ok(()),
                }
            }
            Place::MigrateKeys => return self.migrate(spec.access, keys),
        };
        let (first, end, step) = range;
        keys.push(KeyRange { first, end, step, access: spec.access });
        Ok(())
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.arguments.get(at).is_some_and(|it| it.as_ref().eq_ignore_ascii_case(word.as_bytes()))
    }

    fn range(&self, first: u8, last: i16, step: u8) -> (usize, usize, usize) {
        let words = self.arguments.len();
        let end = match usize::try_from(last) {
            Ok(last) => (last + 1).min(words),
            Err(_) => words.saturating_sub(usize::from(last.unsigned_abs()) - 1),
        };
        (usize::from(first), end, usize::from(step))
    }

    fn counted(&self, count: u8, first: u8, step: u8) -> Result<(usize, usize, usize), KeyError> {
        let (position, first, step) = (usize::from(count), usize::from(first), usize::from(step));
        let error = || KeyError::Count { command: self.command.name, position };
        let keys = self.arguments.get(position).and_then(|word| number(word.as_ref()));
        let keys = keys.ok_or_else(error)?;
        let words = keys.checked_mul(step).ok_or_else(error)?;
        let end = first.checked_add(words).ok_or_else(error)?;
        // The last key need not be followed by step - 1 more words to be found.
        let fits = keys == 0 || end - step < self.arguments.len();
        if fits { Ok((first, end.min(self.arguments.len()), step)) } else { Err(error()) }
    }

    fn streams(&self, from: u8) -> Result<(usize, usize, usize), KeyError> {
        let command = self.command.name;
        let options = usize::from(from)..self.arguments.len();
        let word = options.into_iter().find(|at| self.is(*at, "STREAMS"));
        let first = word.ok_or(KeyError::MissingWord { command, word: "STREAMS" })? + 1;
        let rest = self.arguments.len() - first;
        if rest == 0 || !rest.is_multiple_of(2) {
            return Err(KeyError::UnevenStreams { command });
        }
        Ok((first, first + rest / 2, 1))
    }

    /// The value of the last option among `words`.
    fn last_value(&self, options: std::ops::Range<usize>, words: &[&str]) -> Option<usize> {
        let names = options.filter(|at| words.iter().any(|word| self.is(*at, word)));
        names.map(|at| at + 1).filter(|value| *value < self.arguments.len()).last()
    }

    /// `SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [STORE key]`
    fn sort(&self, access: Access, keys: &mut Keys) -> Result<(), KeyError> {
        let mut at = 2;
        let mut store = None;
        while at < self.arguments.len() {
            if self.is(at, "LIMIT") {
                at += 2;
            } else if self.is(at, "BY") || self.is(at, "GET") {
                at += 1;
                keys.hidden |= self.names_keys(at);
            } else if self.is(at, "STORE") && at + 1 < self.arguments.len() {
                at += 1;
                store = Some(at);
            }
            at += 1;
        }
        if let Some(at) = store {
            keys.push(KeyRange { first: at, end: at + 1, step: 1, access });
        }
        Ok(())
    }

    /// Whether a `BY` or `GET` pattern stands for keys: without a star it is a constant.
    fn names_keys(&self, at: usize) -> bool {
        self.arguments.get(at).is_some_and(|pattern| pattern.as_ref().contains(&b'*'))
    }

    /// `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH p] [AUTH2 u p] [KEYS key …]`
    fn migrate(&self, access: Access, keys: &mut Keys) -> Result<(), KeyError> {
        let mut at = 6;
        while at < self.arguments.len() {
            if self.is(at, "AUTH2") {
                at += 2;
            } else if self.is(at, "AUTH") {
                at += 1;
            } else if self.is(at, "KEYS") {
                let end = self.arguments.len();
                *keys = Keys::default();
                keys.push(KeyRange { first: at + 1, end, step: 1, access });
                return Ok(());
            }
            at += 1;
        }
        Ok(())
    }
}

/// A number of keys: decimal digits without sign or leading zeros, as servers parse it.
fn number(word: &[u8]) -> Option<usize> {
    let padded = word.len() > 1 && word.starts_with(b"0");
    if padded || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
