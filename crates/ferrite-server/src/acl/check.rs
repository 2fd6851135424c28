//! Whether a user may run a command.

use ferrite_commands::{Access, Command, Flag, call_key_flags, keys};

use super::commands::CommandId;
use super::selector::Selector;
use super::user::User;

/// What a user lacks, from what is seen first to what is seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeniedBy {
    /// The right to the command.
    Command,
    /// The right to a key.
    Key,
    /// The right to a channel.
    Channel,
}

/// A refusal, and the word of the command that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// What the user lacks.
    pub by: DeniedBy,
    /// Which word: 0 for the command itself.
    pub word: usize,
}

impl Denied {
    /// The answer to the client, without `NOPERM `.
    pub fn message(&self, user: &User, command: &Command) -> Vec<u8> {
        match self.by {
            DeniedBy::Command => self.verbose(user, command, b""),
            DeniedBy::Key => b"No permissions to access a key".to_vec(),
            DeniedBy::Channel => b"No permissions to access a channel".to_vec(),
        }
    }

    /// The answer of ACL DRYRUN; `object` is the word that the refusal is about.
    pub fn verbose(&self, user: &User, command: &Command, object: &[u8]) -> Vec<u8> {
        let (what, object): (&[u8], _) = match self.by {
            DeniedBy::Command => (b"run the '", command.name.as_bytes()),
            DeniedBy::Key => (b"access the '", object),
            DeniedBy::Channel => (b"access the '", object),
        };
        let end: &[u8] = match self.by {
            DeniedBy::Command => b"' command",
            DeniedBy::Key => b"' key",
            DeniedBy::Channel => b"' channel",
        };
        [b"User ", self_name(user), b" has no permissions to ", what, object, end].concat()
    }
}

fn self_name(user: &User) -> &[u8] {
    &user.name
}

/// Which words of a command are channels, and whether they are patterns.
fn channels(command: &Command, words: usize) -> Option<(std::ops::Range<usize>, bool)> {
    match command.name {
        "publish" | "spublish" => Some((1..words.min(2), false)),
        "subscribe" | "ssubscribe" => Some((1..words, false)),
        "psubscribe" => Some((1..words, true)),
        _ => None,
    }
}

impl User {
    /// Whether the user may run a command with these words, its name first.
    pub fn check<A: AsRef<[u8]>>(
        &self,
        command: &Command,
        id: CommandId,
        words: &[A],
    ) -> Result<(), Denied> {
        let mut denied: Option<Denied> = None;
        for selector in self.selectors() {
            match selector.check(command, id, words) {
                Ok(()) => return Ok(()),
                // The selector that came furthest says what is missing.
                Err(next) => denied = denied.max(Some(next)),
            }
        }
        denied.map_or(Ok(()), Err)
    }

    /// Whether the user may run a command on any key at all for reading, as SORT with patterns
    /// of keys needs it.
    pub fn may_read_every_key<A: AsRef<[u8]>>(
        &self,
        command: &Command,
        id: CommandId,
        words: &[A],
    ) -> bool {
        self.selectors().any(|selector| {
            let all = selector.all_keys
                || selector.keys.iter().any(|key| key.read && key.pattern == b"*");
            all && selector.check(command, id, words).is_ok()
        })
    }
}

impl Selector {
    fn check<A: AsRef<[u8]>>(
        &self,
        command: &Command,
        id: CommandId,
        words: &[A],
    ) -> Result<(), Denied> {
        if !self.all_commands
            && !self.commands.contains(id)
            && !command.flags.contains(Flag::NoAuth)
            && !self.allows_first_argument(command, id, words)
        {
            return Err(Denied { by: DeniedBy::Command, word: 0 });
        }
        if !self.all_keys && !command.keys.is_empty() {
            self.check_keys(command, words)?;
        }
        if !self.all_channels
            && let Some((range, is_pattern)) = channels(command, words.len())
        {
            for at in range {
                let channel = words.get(at).map(AsRef::as_ref).unwrap_or_default();
                if !self.allows_channel(channel, is_pattern) {
                    return Err(Denied { by: DeniedBy::Channel, word: at });
                }
            }
        }
        Ok(())
    }

    fn allows_first_argument<A: AsRef<[u8]>>(
        &self,
        command: &Command,
        id: CommandId,
        words: &[A],
    ) -> bool {
        let place = if command.name.contains('|') { 2 } else { 1 };
        let Some(allowed) = self.first_arguments.get(&id) else { return false };
        let Some(word) = words.get(place) else { return false };
        allowed.iter().any(|known| known.eq_ignore_ascii_case(word.as_ref()))
    }

    fn check_keys<A: AsRef<[u8]>>(&self, command: &Command, words: &[A]) -> Result<(), Denied> {
        // A call whose keys cannot be told is refused by the command itself, before it looks at
        // any key.
        let Ok(found) = keys(command, words) else { return Ok(()) };
        for (place, range) in found.ranges().enumerate() {
            if range.access == Access::NotKey {
                continue;
            }
            let flags = call_key_flags(command, place, words);
            let (reads, writes) =
                flags.map_or((true, true), |flags| (flags.reads(), flags.writes()));
            for at in (range.first..range.end).step_by(range.step) {
                let key = words.get(at).map(AsRef::as_ref).unwrap_or_default();
                if !self.allows_key(key, reads, writes) {
                    return Err(Denied { by: DeniedBy::Key, word: at });
                }
            }
        }
        Ok(())
    }
}
