//! The names that commands are called by: their own, unless `rename-command` says otherwise.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Entry, all, lookup, subcommand};

/// The names of one server. Rules of users, INFO and COMMAND speak of commands by their own names
/// whatever they are called by, as in Redis.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// What other names mean than by themselves, in lower case: nothing, or another command.
    changed: HashMap<Vec<u8>, Option<&'static Entry>>,
}

impl Names {
    /// Calls a command otherwise from now on; by no name, where the new one is empty.
    ///
    /// # Errors
    /// What Redis says of a name that means nothing, and of one that means something.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), &'static str> {
        let entry = self.lookup(old).ok_or("No such command in rename-command")?;
        self.changed.insert(old.to_ascii_lowercase(), None);
        if new.is_empty() {
            return Ok(());
        }
        if self.lookup(new).is_some() {
            return Err("Target command name already exists");
        }
        self.changed.insert(new.to_ascii_lowercase(), Some(entry));
        Ok(())
    }

    /// The command of a name in any case; of a container, not of its subcommand.
    pub fn lookup(&self, name: &[u8]) -> Option<&'static Entry> {
        match self.changed.is_empty() {
            true => lookup(name),
            false => self.changed(name),
        }
    }

    #[cold]
    fn changed(&self, name: &[u8]) -> Option<&'static Entry> {
        match self.changed.get(&name.to_ascii_lowercase()) {
            Some(entry) => *entry,
            None => lookup(name),
        }
    }

    /// The command of a full name in any case: `config|get`.
    pub fn full_name(&self, name: &[u8]) -> Option<&'static Entry> {
        let mut parts = name.splitn(2, |byte| *byte == b'|');
        let entry = self.lookup(parts.next()?)?;
        match parts.next() {
            Some(word) => subcommand(entry, word),
            None => Some(entry),
        }
    }

    /// All that can be called, containers with their subcommands inside.
    pub fn all(&self) -> impl Iterator<Item = &'static Entry> {
        all().iter().filter(|entry| {
            self.changed.is_empty()
                || self.lookup(entry.spec.name.as_bytes()).is_some_and(|own| own.is(entry))
                || self.changed.values().flatten().any(|other| other.is(entry))
        })
    }

    /// The words of a call with the command's own name before them, where they have another.
    pub fn in_own_words<'w>(
        &self,
        entry: &Entry,
        words: &[&'w [u8]],
    ) -> Option<SmallVec<[&'w [u8]; 8]>> {
        let (name, _) = entry.spec.name.split_once('|').unwrap_or((entry.spec.name, ""));
        let called = words.first()?;
        if self.changed.is_empty() || called.eq_ignore_ascii_case(name.as_bytes()) {
            return None;
        }
        let mut words = SmallVec::from_slice(words);
        *words.first_mut()? = name.as_bytes();
        Some(words)
    }
}

impl Entry {
    fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renamed_is_called_by_its_last_name() {
        let mut names = Names::default();
        let count = names.all().count();
        names.rename(b"FlushAll", b"Empty").unwrap();
        names.rename(b"keys", b"").unwrap();
        assert!(names.lookup(b"flushall").is_none());
        assert_eq!(names.lookup(b"EMPTY").unwrap().spec.name, "flushall");
        assert_eq!(names.all().count(), count - 1);
        names.rename(b"empty", b"keys").unwrap();
        assert!(names.lookup(b"empty").is_none());
        assert_eq!(names.lookup(b"keys").unwrap().spec.name, "flushall");
        assert!(!names.all().any(|entry| entry.spec.name == "keys"));
        assert!(names.all().any(|entry| entry.spec.name == "flushall"));
        assert!(names.rename(b"flushall", b"x").unwrap_err().starts_with("No such"));
        assert!(names.rename(b"get", b"set").unwrap_err().starts_with("Target"));
        names.rename(b"config", b"setting").unwrap();
        assert_eq!(names.full_name(b"setting|get").unwrap().spec.name, "config|get");
        let words: [&[u8]; 2] = [b"setting", b"get"];
        let own = names.in_own_words(names.full_name(b"setting|get").unwrap(), &words);
        assert_eq!(own.unwrap().as_slice(), [&b"config"[..], b"get"]);
        names.rename(b"type", b"TYPE").unwrap();
        assert!(names.lookup(b"type").is_some());
    }
}
