//! The users of a server, each in an account that connections hold.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::{ArcSwap, Guard};
use ferrite_commands::Command;

use super::DEFAULT;
use super::check::Denied;
use super::commands::{CommandId, Commands};
use super::log::Log;
use super::selector::has_spaces;
use super::user::{User, merge};

/// A user as connections hold it.
pub struct Account {
    user: ArcSwap<User>,
    unlimited: AtomicBool,
    gone: AtomicBool,
}

impl Account {
    fn new(user: User) -> Self {
        Self {
            unlimited: AtomicBool::new(user.is_unlimited()),
            user: ArcSwap::from_pointee(user),
            gone: AtomicBool::new(false),
        }
    }

    fn replace(&self, user: User) {
        // Between the two stores the narrower of both rules counts.
        let unlimited = user.is_unlimited();
        self.unlimited.store(false, Ordering::SeqCst);
        self.user.store(Arc::new(user));
        self.unlimited.store(unlimited, Ordering::SeqCst);
    }

    /// The rules of now.
    pub fn user(&self) -> Guard<Arc<User>> {
        self.user.load()
    }

    /// Whether nothing is refused to the user.
    #[inline]
    pub fn is_unlimited(&self) -> bool {
        self.unlimited.load(Ordering::Relaxed)
    }

    /// Whether the user was deleted: its connections are to be closed.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Whether the user may run a command with these words, its name first.
    #[inline]
    pub fn check<A: AsRef<[u8]>>(
        &self,
        command: &Command,
        id: CommandId,
        words: &[A],
    ) -> Result<(), Denied> {
        if self.is_unlimited() {
            return Ok(());
        }
        self.user.load().check(command, id, words)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.user.load()).finish()
    }
}

/// All users, and what they were refused.
#[derive(Debug)]
pub struct Acl {
    pub(super) commands: Commands,
    pub(super) accounts: RwLock<BTreeMap<Vec<u8>, Arc<Account>>>,
    log: Mutex<Log>,
}

impl Acl {
    /// The users of a server that nobody configured: `default`, who may do everything.
    pub fn new(commands: Commands) -> Self {
        let default = Arc::new(Account::new(User::unlimited(DEFAULT)));
        let accounts = RwLock::new(BTreeMap::from([(DEFAULT.to_vec(), default)]));
        Self { commands, accounts, log: Mutex::default() }
    }

    /// The commands that rules speak of.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// The log of refusals.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user's account.
    pub fn account(&self, name: &[u8]) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The account of `default`, which cannot be deleted.
    pub fn default_account(&self) -> Arc<Account> {
        let anew = || Arc::new(Account::new(User::new(DEFAULT, false)));
        self.account(DEFAULT).unwrap_or_else(anew)
    }

    /// The account that a name and a password open.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<Account>> {
        self.account(name).filter(|account| account.user().accepts(password))
    }

    /// Creates or changes a user: all rules are taken, or none. The error is the answer behind
    /// `ERR `.
    pub fn set_user<R: AsRef<[u8]>>(
        &self,
        name: &[u8],
        rules: &[R],
        all_channels: bool,
    ) -> Result<(), Vec<u8>> {
        if has_spaces(name) {
            return Err(b"Usernames can't contain spaces or null characters".to_vec());
        }
        let rules = merge(rules).map_err(|open| {
            let before: &[u8] = b"Unmatched parenthesis in acl selector starting at '";
            [before, &open, b"'."].concat()
        })?;
        let account = self.account(name);
        let now = account.as_ref().map(|account| User::clone(&account.user()));
        let mut user = now.unwrap_or_else(|| User::new(name, all_channels));
        for rule in &rules {
            user.apply(&self.commands, all_channels, rule).map_err(|why| {
                let why = format!("': {why}").into_bytes();
                [b"Error in ACL SETUSER modifier '", rule.as_slice(), &why].concat()
            })?;
        }
        self.put(user);
        Ok(())
    }

    /// Puts a user's rules into its account.
    pub(super) fn put(&self, user: User) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        match accounts.get(&user.name) {
            Some(account) => account.replace(user),
            None => {
                accounts.insert(user.name.clone(), Arc::new(Account::new(user)));
            }
        }
    }

    /// Deletes a user; whether there was one. `default` stays.
    pub fn delete_user(&self, name: &[u8]) -> bool {
        if name == DEFAULT {
            return false;
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        let gone = accounts.remove(name);
        if let Some(account) = &gone {
            account.unlimited.store(false, Ordering::SeqCst);
            account.gone.store(true, Ordering::SeqCst);
        }
        gone.is_some()
    }

    /// All users by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.values().map(|account| account.user.load_full()).collect()
    }

    /// Gives `default` this password, or none: `requirepass`.
    pub fn require_password(&self, clear: &[u8]) {
        let mut user = User::clone(&self.default_account().user());
        let rule = if clear.is_empty() { b"nopass".to_vec() } else { [b">", clear].concat() };
        for rule in [b"resetpass".as_slice(), &rule] {
            // Neither rule can be refused.
            let _ = user.apply(&self.commands, false, rule);
        }
        self.put(user);
    }
}
