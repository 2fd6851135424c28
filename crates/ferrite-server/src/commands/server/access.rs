//! ACL.

use std::sync::Arc;

use super::help as help_of;
use crate::acl::{Commands, Context, DEFAULT, Selector, User, generate};
use crate::config::choices::PubSubDefault;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

/// How many entries of ACL LOG are answered where nothing is said.
const LOG_ENTRIES: usize = 10;

fn failure(why: impl std::fmt::Display) -> CommandError {
    CommandError::new(format!("ERR {why}"))
}

impl Ctx<'_> {
    /// Whether new users have all channels.
    fn all_channels(&self) -> bool {
        self.shared.config.security.acl_pubsub_default.get() == PubSubDefault::AllChannels
    }

    /// Closes connections of users that are gone, and of those that listen to channels which
    /// their rules do not allow any more.
    fn expel(&self) {
        for client in self.shared.clients.all() {
            let name = client.user.lock().clone();
            let account = self.shared.acl.account(&name);
            let logged_in = !name.is_empty();
            let expelled = match account {
                None => logged_in,
                Some(account) => {
                    client.subscribed() > 0 && !self.may_listen(&client, &account.user())
                }
            };
            if expelled {
                self.shared.disconnect(&client);
            }
        }
    }

    /// Everybody but `default` has to log in again, as in Redis: what they logged in to was
    /// replaced by what stands in the file.
    fn expel_users(&mut self) {
        let own = self.session.client.id;
        for client in self.shared.clients.all() {
            let is_named = {
                let name = client.user.lock();
                !name.is_empty() && *name != crate::acl::DEFAULT
            };
            if is_named && client.id == own {
                self.session.closing = true;
            } else if is_named {
                self.shared.disconnect(&client);
            }
        }
    }

    fn may_listen(&self, client: &crate::clients::Client, user: &User) -> bool {
        let listened = self.shared.pubsub.listened_by(client);
        user.selectors().any(|selector| {
            listened.iter().all(|(name, is_pattern)| selector.allows_channel(name, *is_pattern))
        })
    }
}

pub(super) fn cat(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words.get(2..).unwrap_or_default() {
        [] => {
            let names: Vec<&str> = Commands::categories().map(|one| one.name()).collect();
            ctx.reply.array(names.len());
            names.iter().for_each(|name| ctx.reply.text(name));
        }
        [name] => {
            let category = Commands::category(name).ok_or_else(|| {
                failure(format!("Unknown category '{}'", String::from_utf8_lossy(name)))
            })?;
            let commands: Vec<_> = ctx.shared.acl.commands().in_category(category).collect();
            ctx.reply.array(commands.len());
            commands.iter().for_each(|command| ctx.reply.text(command.name));
        }
        _ => {
            let word = String::from_utf8_lossy(words[1]);
            return Err(failure(format!(
                "unknown subcommand or wrong number of arguments for '{word}'. Try ACL HELP."
            ))
            .into());
        }
    }
    Ok(())
}

pub(super) fn setuser(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let rules = words.get(3..).unwrap_or_default();
    let set = ctx.shared.acl.set_user(words[2], rules, ctx.all_channels());
    set.map_err(|why| failure(String::from_utf8_lossy(&why)))?;
    ctx.expel();
    ctx.reply.ok();
    Ok(())
}

pub(super) fn deluser(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let names = words.get(2..).unwrap_or_default();
    if names.contains(&DEFAULT) {
        return Err(CommandError::text("ERR The 'default' user cannot be removed").into());
    }
    let deleted = names.iter().filter(|name| ctx.shared.acl.delete_user(name)).count();
    // The caller's own connection ends behind its reply.
    ctx.session.closing |= ctx.session.account.as_ref().is_some_and(|own| own.is_gone());
    ctx.expel();
    ctx.reply.count(deleted);
    Ok(())
}

pub(super) fn getuser(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let Some(account) = ctx.shared.acl.account(words[2]) else {
        ctx.reply.null_array();
        return Ok(());
    };
    let user = account.user();
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.text("flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.text(flag));
    reply.text("passwords");
    let passwords: Vec<String> = user.password_hashes().collect();
    reply.array(passwords.len());
    passwords.iter().for_each(|password| reply.text(password));
    let mut selectors = user.selectors();
    if let Some(root) = selectors.next() {
        describe(ctx, root);
    }
    let others: Vec<&Selector> = selectors.collect();
    ctx.reply.text("selectors");
    ctx.reply.array(others.len());
    for selector in others {
        ctx.reply.map(3);
        describe(ctx, selector);
    }
    Ok(())
}

/// Three pairs of a map.
fn describe(ctx: &mut Ctx<'_>, selector: &Selector) {
    ctx.reply.text("commands");
    ctx.reply.text(&selector.describe_commands());
    ctx.reply.text("keys");
    ctx.reply.bulk(&selector.describe_keys());
    ctx.reply.text("channels");
    ctx.reply.bulk(&selector.describe_channels());
}

pub(super) fn list(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let users = ctx.shared.acl.users();
    ctx.reply.array(users.len());
    for user in users {
        ctx.reply.bulk(&[b"user ".as_slice(), &user.describe()].concat());
    }
    Ok(())
}

pub(super) fn users(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let users = ctx.shared.acl.users();
    ctx.reply.array(users.len());
    users.iter().for_each(|user| ctx.reply.bulk(&user.name));
    Ok(())
}

pub(super) fn whoami(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let _ = words;
    match ctx.session.account.clone() {
        Some(account) => ctx.reply.bulk(&account.user().name),
        None => ctx.reply.null(),
    }
    Ok(())
}

pub(super) fn genpass(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let wrong = CommandError::text(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive \
         number up to 4096",
    );
    let bits = match words.get(2..).unwrap_or_default() {
        [] => 256,
        [bits] => number::int(bits)?,
        _ => return Err(CommandError::arity("acl|genpass").into()),
    };
    let generated = u32::try_from(bits).ok().and_then(generate).ok_or(wrong)?;
    ctx.reply.text(&generated.map_err(failure)?);
    Ok(())
}

pub(super) fn log(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let most = match words.get(2..).unwrap_or_default() {
        [] => LOG_ENTRIES,
        [word] if word.eq_ignore_ascii_case(b"reset") => {
            ctx.shared.acl.log().reset();
            ctx.reply.ok();
            return Ok(());
        }
        [count] => usize::try_from(number::int(count)?).unwrap_or(0),
        _ => return Err(CommandError::arity("acl|log").into()),
    };
    let log = ctx.shared.acl.log();
    let entries: Vec<_> = log.entries().take(most).collect();
    let (reply, now) = (&mut ctx.reply, ctx.now);
    reply.array(entries.len());
    for entry in entries {
        reply.map(10);
        reply.text("count");
        reply.int(entry.count.cast_signed());
        for (name, value) in
            [("reason", entry.reason.name()), ("context", Context::name(entry.context))]
        {
            reply.text(name);
            reply.text(value);
        }
        reply.text("object");
        reply.bulk(&entry.object);
        reply.text("username");
        reply.bulk(&entry.user);
        reply.text("age-seconds");
        reply.double((now - entry.updated) as f64 / 1000.0);
        reply.text("client-info");
        reply.bulk(&entry.client);
        for (name, value) in [
            ("entry-id", entry.id.cast_signed()),
            ("timestamp-created", entry.created),
            ("timestamp-last-updated", entry.updated),
        ] {
            reply.text(name);
            reply.int(value);
        }
    }
    Ok(())
}

pub(super) fn dryrun(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let account = ctx.shared.acl.account(words[2]);
    let account =
        account.ok_or_else(|| failure(format!("User '{}' not found", shown(words[2]))))?;
    let call = words.get(3..).unwrap_or_default();
    let found = ferrite_commands::resolve(call);
    let found = found.and_then(|spec| Some((spec, ctx.shared.acl.commands().id(spec)?)));
    let (spec, id) =
        found.ok_or_else(|| failure(format!("Command '{}' not found", shown(words[3]))))?;
    if !spec.accepts(call.len()) {
        return Err(CommandError::arity(spec.name).into());
    }
    match account.check(spec, id, call) {
        Ok(()) => ctx.reply.ok(),
        Err(denied) => {
            let object = call.get(denied.word).copied().unwrap_or_default();
            ctx.reply.bulk(&denied.verbose(&account.user(), spec, object));
        }
    }
    Ok(())
}

const NO_FILE: &str = "This Redis instance is not configured to use an ACL file. You may want to specify users via \
     the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
     configuration file set) in order to store users in the Redis configuration.";

impl Ctx<'_> {
    /// The file of users.
    fn users_file(&self) -> Result<std::path::PathBuf, CommandError> {
        let file = Arc::clone(&self.shared.config.security.aclfile.get());
        if file.is_empty() {
            return Err(failure(NO_FILE));
        }
        Ok(self.shared.config.folder().join(&*file.as_text()))
    }
}

pub(super) fn load(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let path = ctx.users_file()?;
    ctx.shared.acl.load(&path, ctx.all_channels()).map_err(failure)?;
    ctx.expel();
    ctx.expel_users();
    ctx.reply.ok();
    Ok(())
}

pub(super) fn save(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let path = ctx.users_file()?;
    ctx.shared.acl.save(&path).map_err(|error| {
        tracing::warn!("{error}");
        failure("There was an error trying to save the ACLs. Please check the server logs for more information")
    })?;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    help_of::help(
        ctx,
        "ACL",
        &[
            ("CAT [<category>]", "List the categories, or the commands of one."),
            ("DELUSER <username> [<username> ...]", "Delete users and close their connections."),
            ("DRYRUN <username> <command> [<arg> ...]", "Say whether a user may run a command."),
            ("GENPASS [<bits>]", "Make a password by chance."),
            ("GETUSER <username>", "Show a user's rules one by one."),
            ("LIST", "Show all users as a configuration file has them."),
            ("LOAD", "Take the users from the file of users."),
            ("LOG [<count> | RESET]", "Show what was refused lately."),
            ("SAVE", "Write the users to the file of users."),
            ("SETUSER <username> <attribute> [<attribute> ...]", "Create or change a user."),
            ("USERS", "List the names of all users."),
            ("WHOAMI", "Answer the name of the caller's user."),
        ],
    );
    Ok(())
}
