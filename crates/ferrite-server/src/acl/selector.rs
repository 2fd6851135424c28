//! A selector: commands, keys and channels that belong together. A user may do what one of its
//! selectors allows as a whole.

use std::collections::HashMap;

use ferrite_commands::{Command, matches_glob};

use super::commands::{CommandId, CommandSet, Commands, FUTURE};
use super::error::RuleError;

/// A pattern of keys and what may be done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPattern {
    /// The pattern.
    pub pattern: Vec<u8>,
    /// Whether values may be read.
    pub read: bool,
    /// Whether values may be changed.
    pub write: bool,
}

/// Commands, keys and channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub(super) commands: CommandSet,
    /// Whether every command is allowed, those of the future included.
    pub(super) all_commands: bool,
    /// Commands that are allowed only with one of these words behind their name.
    pub(super) first_arguments: HashMap<CommandId, Vec<Vec<u8>>>,
    pub(super) all_keys: bool,
    pub(super) keys: Vec<KeyPattern>,
    pub(super) all_channels: bool,
    pub(super) channels: Vec<Vec<u8>>,
    /// The rules for commands since everything was allowed or nothing, with their signs.
    rules: Vec<String>,
}

impl Selector {
    /// Nothing is allowed.
    pub(super) fn nothing(all_channels: bool) -> Self {
        Self {
            commands: CommandSet::NONE,
            all_commands: false,
            first_arguments: HashMap::new(),
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Everything is allowed.
    pub(super) fn everything() -> Self {
        let mut selector = Self::nothing(true);
        selector.all_keys = true;
        selector.base(true);
        selector
    }

    /// Whether nothing is refused.
    pub(super) fn is_unlimited(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Takes one rule.
    pub(super) fn apply(&mut self, commands: &Commands, rule: &[u8]) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule.split_first() {
            _ if is("allkeys") || is("~*") => self.every_key(true),
            _ if is("resetkeys") => self.every_key(false),
            _ if is("allchannels") || is("&*") => self.every_channel(true),
            _ if is("resetchannels") => self.every_channel(false),
            _ if is("allcommands") || is("+@all") => self.base(true),
            _ if is("nocommands") || is("-@all") => self.base(false),
            Some((b'~', pattern)) => self.key_pattern(pattern, true, true)?,
            Some((b'%', rest)) => self.limited_pattern(rest)?,
            Some((b'&', pattern)) => self.channel_pattern(pattern)?,
            Some((b'+', [b'@', category @ ..])) => self.category(commands, category, true)?,
            Some((b'-', [b'@', category @ ..])) => self.category(commands, category, false)?,
            Some((b'+', name)) => self.allow(commands, name)?,
            Some((b'-', name)) => {
                let (command, id) = commands.find(name).ok_or(RuleError::Unknown)?;
                self.command(commands, command, id, false);
                self.remember(name, false);
            }
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    fn every_key(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn every_channel(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    /// Begins anew with all commands or none.
    fn base(&mut self, all: bool) {
        self.commands = if all { CommandSet::ALL } else { CommandSet::NONE };
        self.all_commands = all;
        self.rules.clear();
        self.first_arguments.clear();
    }

    /// `%R~pattern`, `%W~pattern`, `%RW~pattern`.
    fn limited_pattern(&mut self, rest: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        let (mut read, mut write) = (false, false);
        for (at, letter) in rest.iter().enumerate() {
            match letter.to_ascii_uppercase() {
                b'R' if !read => read = true,
                b'W' if !write => write = true,
                b'~' if read || write => {
                    return self.key_pattern(rest.get(at + 1..).unwrap_or_default(), read, write);
                }
                _ => break,
            }
        }
        Err(RuleError::Syntax)
    }

    fn key_pattern(&mut self, pattern: &[u8], read: bool, write: bool) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => {
                known.read |= read;
                known.write |= write;
            }
            None => self.keys.push(KeyPattern { pattern: pattern.to_vec(), read, write }),
        }
        Ok(())
    }

    fn channel_pattern(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == pattern) {
            self.channels.push(pattern.to_vec());
        }
        Ok(())
    }

    fn category(
        &mut self,
        commands: &Commands,
        name: &[u8],
        allowed: bool,
    ) -> Result<(), RuleError> {
        let category = Commands::category(name).ok_or(RuleError::Unknown)?;
        for command in commands.in_category(category) {
            if let Some(id) = commands.id(command) {
                self.command(commands, command, id, allowed);
            }
        }
        self.remember(&[b"@", name].concat(), allowed);
        Ok(())
    }

    /// `+command`, `+container|subcommand`, `+command|first-argument`.
    fn allow(&mut self, commands: &Commands, name: &[u8]) -> Result<(), RuleError> {
        if let Some((command, id)) = commands.find(name) {
            self.command(commands, command, id, true);
            self.remember(name, true);
            return Ok(());
        }
        let bar = name.iter().rposition(|byte| *byte == b'|').ok_or(RuleError::Unknown)?;
        let (container, argument) = name.split_at(bar);
        let argument = argument.get(1..).unwrap_or_default();
        let (command, id) = commands.find(container).ok_or(RuleError::Unknown)?;
        if command.name.contains('|') {
            return Err(RuleError::FirstArgument);
        }
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if commands.is_container(command) {
            return Err(RuleError::Unknown);
        }
        let words = self.first_arguments.entry(id).or_default();
        if !words.iter().any(|word| word.eq_ignore_ascii_case(argument)) {
            words.push(argument.to_vec());
        }
        self.remember(name, true);
        Ok(())
    }

    /// Allows or forbids a command with all its subcommands.
    fn command(
        &mut self,
        commands: &Commands,
        command: &'static Command,
        id: CommandId,
        allowed: bool,
    ) {
        self.all_commands &= allowed;
        for id in std::iter::once(id).chain(commands.subcommands(command)) {
            self.commands.put(id, allowed);
            self.first_arguments.remove(&id);
        }
    }

    /// Keeps a rule for the description. Rules that it makes pointless are dropped: the same
    /// one before, and those for subcommands of what it names.
    fn remember(&mut self, rule: &[u8], allowed: bool) {
        let rule = String::from_utf8_lossy(rule).to_ascii_lowercase();
        self.rules.retain(|known| {
            let known = known.get(1..).unwrap_or_default();
            !known.strip_prefix(&rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        self.rules.push(format!("{}{rule}", if allowed { '+' } else { '-' }));
    }

    /// The rules for commands, as ACL LIST prints them.
    pub fn describe_commands(&self) -> String {
        let base = if self.commands.contains(FUTURE) { "+@all" } else { "-@all" };
        std::iter::once(base)
            .chain(self.rules.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The patterns of keys, as ACL LIST prints them.
    pub fn describe_keys(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let pattern = |key: &KeyPattern| {
            let sign: &[u8] = match (key.read, key.write) {
                (true, false) => b"%R~",
                (false, true) => b"%W~",
                _ => b"~",
            };
            [sign, &key.pattern].concat()
        };
        self.keys.iter().map(pattern).collect::<Vec<_>>().join(&b' ')
    }

    /// The patterns of channels, as ACL GETUSER prints them.
    pub fn describe_channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let patterns = self.channels.iter().map(|pattern| [b"&", pattern.as_slice()].concat());
        patterns.collect::<Vec<_>>().join(&b' ')
    }

    /// All rules, as ACL LIST prints them.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut parts = Vec::new();
        parts.push(self.describe_keys());
        if !self.all_channels {
            parts.push(b"resetchannels".to_vec());
        }
        parts.push(self.describe_channels());
        parts.push(self.describe_commands().into_bytes());
        parts.retain(|part| !part.is_empty());
        parts.join(&b' ')
    }

    /// Whether a channel may be used; the name of a pattern must be allowed word for word.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self.channels.iter().any(|allowed| match is_pattern {
                true => allowed == channel,
                false => matches_glob(allowed, channel),
            })
    }

    /// Whether a key may be read or written.
    pub(super) fn allows_key(&self, key: &[u8], reads: bool, writes: bool) -> bool {
        self.all_keys
            || self.keys.iter().any(|allowed| {
                (allowed.read || !reads)
                    && (allowed.write || !writes)
                    && matches_glob(&allowed.pattern, key)
            })
    }
}

/// Whether there is white space or a zero byte in it.
pub(super) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| *byte == 0 || crate::config::words::is_space(*byte))
}
