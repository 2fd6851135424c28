//! One user's rules at one time.

use super::commands::Commands;
use super::error::RuleError;
use super::password;
use super::selector::Selector;
use crate::config::words;

/// A user. It is not changed: a change of rules makes another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: Vec<u8>,
    enabled: bool,
    any_password: bool,
    /// Payloads of RESTORE are examined in any case; the flag is kept for ACL LIST.
    skip_sanitize: bool,
    passwords: Vec<[u8; 32]>,
    root: Selector,
    selectors: Vec<Selector>,
}

impl User {
    /// A user that may do nothing. `all_channels` is `acl-pubsub-default`.
    pub(super) fn new(name: &[u8], all_channels: bool) -> Self {
        Self {
            name: name.to_vec(),
            enabled: false,
            any_password: false,
            skip_sanitize: false,
            passwords: Vec::new(),
            root: Selector::nothing(all_channels),
            selectors: Vec::new(),
        }
    }

    /// A user that may do everything, without a password.
    pub(super) fn unlimited(name: &[u8]) -> Self {
        let root = Selector::everything();
        Self { enabled: true, any_password: true, root, ..Self::new(name, true) }
    }

    /// Takes one rule.
    pub(super) fn apply(
        &mut self,
        commands: &Commands,
        all_channels: bool,
        rule: &[u8],
    ) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule.split_first() {
            _ if is("on") => self.enabled = true,
            _ if is("off") => self.enabled = false,
            _ if is("nopass") => self.reset_passwords(true),
            _ if is("resetpass") => self.reset_passwords(false),
            _ if is("skip-sanitize-payload") => self.skip_sanitize = true,
            _ if is("sanitize-payload") => self.skip_sanitize = false,
            _ if is("clearselectors") => self.selectors.clear(),
            _ if is("reset") => *self = Self::new(&self.name, all_channels),
            Some((b'>', clear)) => self.add_password(password::hash(clear)),
            Some((b'#', hash)) => {
                self.add_password(password::parse(hash).ok_or(RuleError::Hash)?);
            }
            Some((b'<', clear)) => self.remove_password(password::hash(clear))?,
            Some((b'!', hash)) => {
                self.remove_password(password::parse(hash).ok_or(RuleError::Hash)?)?;
            }
            Some((b'(', rest)) => self.add_selector(commands, all_channels, rest)?,
            _ => self.root.apply(commands, rule)?,
        }
        Ok(())
    }

    fn reset_passwords(&mut self, any: bool) {
        self.any_password = any;
        self.passwords.clear();
    }

    fn add_password(&mut self, hash: [u8; 32]) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.any_password = false;
    }

    fn remove_password(&mut self, hash: [u8; 32]) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| *known == hash);
        self.passwords.remove(at.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// `(rules)`, the first parenthesis taken off.
    fn add_selector(
        &mut self,
        commands: &Commands,
        all_channels: bool,
        rest: &[u8],
    ) -> Result<(), RuleError> {
        let rules = rest.strip_suffix(b")").ok_or(RuleError::Syntax)?;
        let mut selector = Selector::nothing(all_channels);
        for rule in words::split(rules).ok_or(RuleError::Syntax)? {
            selector.apply(commands, &rule)?;
        }
        self.selectors.push(selector);
        Ok(())
    }

    /// Whether the user may log in with this password.
    pub(super) fn accepts(&self, clear: &[u8]) -> bool {
        let hash = password::hash(clear);
        // All are compared, so that the time does not say which one it was.
        let matching = self.passwords.iter().filter(|known| password::same(known, &hash)).count();
        self.enabled && (self.any_password || matching > 0)
    }

    /// Whether the user may log in at all.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether no password is needed.
    pub fn needs_no_password(&self) -> bool {
        self.any_password
    }

    /// Whether nothing is refused to the user.
    pub(super) fn is_unlimited(&self) -> bool {
        self.root.is_unlimited() || self.selectors.iter().any(Selector::is_unlimited)
    }

    /// The selectors, the user's own rules first.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// The words of ACL GETUSER's flags.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.enabled { "on" } else { "off" }];
        flags.extend(self.any_password.then_some("nopass"));
        let skip = self.skip_sanitize;
        flags.push(if skip { "skip-sanitize-payload" } else { "sanitize-payload" });
        flags
    }

    /// The hashes of the passwords, as digits.
    pub fn password_hashes(&self) -> impl Iterator<Item = String> {
        self.passwords.iter().map(|hash| password::hexadecimal(hash))
    }

    /// The user as ACL LIST and files of users have it, without `user` itself.
    pub fn describe(&self) -> Vec<u8> {
        let mut line = self.name.clone();
        for flag in self.flags() {
            line.push(b' ');
            line.extend(flag.bytes());
        }
        for hash in self.password_hashes() {
            line.extend(b" #");
            line.extend(hash.bytes());
        }
        line.push(b' ');
        line.extend(self.root.describe());
        for selector in &self.selectors {
            line.extend(b" (");
            line.extend(selector.describe());
            line.push(b')');
        }
        line
    }
}

/// Rules whose parentheses were split at spaces, put together again: `(+get`, `~a)` is one rule.
/// The error is the rule whose parenthesis does not close.
pub(super) fn merge<R: AsRef<[u8]>>(rules: &[R]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut merged = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    let mut first = Vec::new();
    for rule in rules {
        let rule = rule.as_ref();
        let mut whole = match open.take() {
            Some(before) => [before.as_slice(), rule].join(&b' '),
            None => {
                first = rule.to_vec();
                rule.to_vec()
            }
        };
        let selector = whole.starts_with(b"(");
        if selector && !rule.ends_with(b")") {
            open = Some(std::mem::take(&mut whole));
        } else {
            merged.push(whole);
        }
    }
    if open.is_some() { Err(first) } else { Ok(merged) }
}
