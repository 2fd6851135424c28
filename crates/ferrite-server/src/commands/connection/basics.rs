//! PING, ECHO, SELECT, HELLO, QUIT, RESET.

use std::sync::atomic::Ordering;

use super::client::check_name;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

/// The version of Redis whose behaviour is the reference; clients choose by it what they send.
pub const REDIS_VERSION: &str = "7.2.5";

pub(super) fn ping(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    if words.len() > 2 {
        return Err(CommandError::arity("ping").into());
    }
    let message = words.get(1).copied();
    if ctx.session.is_subscribed() && !ctx.reply.resp3() {
        ctx.reply.array(2);
        ctx.reply.text("pong");
        ctx.reply.bulk(message.unwrap_or_default());
    } else {
        match message {
            Some(message) => ctx.reply.bulk(message),
            None => ctx.reply.simple("PONG"),
        }
    }
    Ok(())
}

pub(super) fn echo(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.reply.bulk(words[1]);
    Ok(())
}

pub(super) fn quit(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.session.closing = true;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn select(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let db = number::int(words[1])?;
    let databases = ctx.shared.store.databases();
    let db = usize::try_from(db).ok().filter(|db| *db < databases);
    let db = db.ok_or(CommandError::text("ERR DB index is out of range"))?;
    ctx.session.select(db);
    ctx.reply.ok();
    Ok(())
}

/// Back to a connection that has just begun.
pub(super) fn reset(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.forget_session();
    ctx.session.select(0);
    set_protocol(ctx, false);
    ctx.session.client.names.lock().name.clear();
    ctx.leave_account();
    ctx.reply.simple("RESET");
    Ok(())
}

fn set_protocol(ctx: &mut Ctx<'_>, resp3: bool) {
    ctx.session.resp3 = resp3;
    ctx.session.client.resp3.store(resp3, Ordering::Relaxed);
    ctx.reply.set_resp3(resp3);
}

/// `HELLO [2|3 [AUTH user password] [SETNAME name]]`.
pub(super) fn hello(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let resp3 = match words.get(1) {
        None => ctx.session.resp3,
        Some(version) => match number::parse_int(version) {
            Some(2) => false,
            Some(3) => true,
            Some(_) => {
                return Err(CommandError::text("NOPROTO unsupported protocol version").into());
            }
            None => {
                let text = "ERR Protocol version is not an integer or out of range";
                return Err(CommandError::text(text).into());
            }
        },
    };
    let mut options = words.get(2..).unwrap_or_default();
    let (mut name, mut account) = (None, None);
    while let [option, rest @ ..] = options {
        options = match rest {
            [given, rest @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                check_name(given)?;
                name = Some(*given);
                rest
            }
            [user, password, rest @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                account = Some((*user, *password));
                rest
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                let text = format!("ERR Syntax error in HELLO option '{option}'");
                return Err(CommandError::new(text).into());
            }
        };
    }
    if let Some((user, password)) = account {
        ctx.log_in(user, password)?;
    }
    if ctx.session.account.is_none() {
        let text = "NOAUTH HELLO must be called with the client already authenticated, otherwise \
                    the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the \
                    client and select the RESP protocol version at the same time";
        return Err(CommandError::text(text).into());
    }
    if let Some(name) = name {
        ctx.session.client.names.lock().name = name.to_vec();
    }
    set_protocol(ctx, resp3);
    let id = i64::try_from(ctx.session.client.id).unwrap_or(i64::MAX);
    let reply = &mut ctx.reply;
    reply.map(7);
    reply.text("server");
    reply.text("redis");
    reply.text("version");
    reply.text(REDIS_VERSION);
    reply.text("proto");
    reply.int(if resp3 { 3 } else { 2 });
    reply.text("id");
    reply.int(id);
    reply.text("mode");
    reply.text("standalone");
    reply.text("role");
    reply.text("master");
    reply.text("modules");
    reply.array(0);
    Ok(())
}
