//! AUTH, and what logging in and being refused means.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ferrite_commands::{Command, Flag};

use crate::acl::{Account, Context, DEFAULT, DeniedBy, Entry, Reason};
use crate::ctx::{Ctx, Outcome, Within};
use crate::error::CommandError;

const WRONG_PASSWORD: CommandError =
    CommandError::text("WRONGPASS invalid username-password pair or user is disabled.");
const NOT_LOGGED_IN: CommandError = CommandError::text("NOAUTH Authentication required.");

/// `AUTH [user] password`.
pub(super) fn auth(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (user, password) = match words {
        [_, password] => {
            if ctx.shared.acl.default_account().user().needs_no_password() {
                let text = "ERR AUTH <password> called without any password configured for the \
                            default user. Are you sure your configuration is correct?";
                return Err(CommandError::text(text).into());
            }
            (DEFAULT, *password)
        }
        [_, user, password] => (*user, *password),
        _ => return Err(CommandError::SYNTAX.into()),
    };
    ctx.log_in(user, password)?;
    ctx.reply.ok();
    Ok(())
}

impl Ctx<'_> {
    /// Logs the caller in.
    ///
    /// # Errors
    /// `WRONGPASS` when name and password open no account; ACL LOG has it then.
    pub fn log_in(&mut self, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
        match self.shared.acl.authenticate(user, password) {
            Some(account) => {
                self.enter_account(account);
                Ok(())
            }
            None => {
                self.note_refusal(Reason::Auth, Context::TopLevel, b"AUTH", user);
                Err(WRONG_PASSWORD)
            }
        }
    }

    /// The caller has this account from now on.
    pub fn enter_account(&mut self, account: Arc<Account>) {
        self.session.client.user.lock().clone_from(&account.user().name);
        self.session.account = Some(account);
    }

    /// The caller has the account of new connections again.
    pub fn leave_account(&mut self) {
        self.session.account = None;
        self.session.client.user.lock().clear();
        let default = self.shared.acl.default_account();
        let open = default.user().is_enabled() && default.user().needs_no_password();
        if open {
            self.enter_account(default);
        }
    }

    /// Whether the caller may run a command with these words.
    ///
    /// # Errors
    /// `NOAUTH` where it has not logged in, `NOPERM` where its rules do not allow it; ACL LOG has
    /// it then.
    pub fn permit(&mut self, spec: &'static Command, words: &[&[u8]]) -> Result<(), CommandError> {
        match &self.session.account {
            Some(account) if account.is_unlimited() => Ok(()),
            None if spec.flags.contains(Flag::NoAuth) => Ok(()),
            None => Err(NOT_LOGGED_IN),
            Some(account) => {
                let account = Arc::clone(account);
                self.check_rules(&account, spec, words)
            }
        }
    }

    fn check_rules(
        &mut self,
        account: &Account,
        spec: &'static Command,
        words: &[&[u8]],
    ) -> Result<(), CommandError> {
        let Some(id) = self.shared.acl.commands().id(spec) else { return Ok(()) };
        let Err(denied) = account.check(spec, id, words) else { return Ok(()) };
        let context = match self.within {
            Within::Script => Context::Lua,
            Within::Transaction => Context::Multi,
            _ if self.session.transaction.is_some() => Context::Multi,
            _ => Context::TopLevel,
        };
        let user = account.user();
        let (reason, object) = match denied.by {
            DeniedBy::Command => (Reason::Command, spec.name.as_bytes()),
            DeniedBy::Key => (Reason::Key, words[denied.word]),
            DeniedBy::Channel => (Reason::Channel, words[denied.word]),
        };
        self.note_refusal(reason, context, object, &user.name);
        if self.within == Within::Transaction {
            let why = match denied.by {
                DeniedBy::Command => "no permission to execute the command or subcommand",
                DeniedBy::Key => "no permission to touch the specified keys",
                DeniedBy::Channel => {
                    "no permission to access one of the channels used as arguments to the command"
                }
            };
            return Err(CommandError::new(format!(
                "NOPERM ACLs rules changed between the moment the transaction was accumulated \
                 and the EXEC call. This command is no longer allowed for the following reason: \
                 {why}"
            )));
        }
        let message = denied.message(&user, spec);
        Err(CommandError::new(format!("NOPERM {}", String::from_utf8_lossy(&message))))
    }

    /// Puts a refusal into ACL LOG.
    fn note_refusal(&mut self, reason: Reason, context: Context, object: &[u8], user: &[u8]) {
        count_refusal(self, reason);
        let entry = Entry {
            id: 0,
            count: 1,
            reason,
            context,
            object: object.to_vec(),
            user: user.to_vec(),
            client: self.session.client.line(self.now).into_bytes(),
            created: self.now,
            updated: self.now,
        };
        let limit = self.shared.config.security.acllog_max_len.get();
        self.shared.acl.log().add(entry, limit);
    }
}

fn count_refusal(ctx: &Ctx<'_>, reason: Reason) {
    let place = match reason {
        Reason::Auth => 0,
        Reason::Command => 1,
        Reason::Key => 2,
        Reason::Channel => 3,
    };
    if let Some(count) = ctx.shared.refusals.get(place) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
