//! CLIENT: what one connection asks of all of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clients::{Client, Mark};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::net::mail::Mail;
use crate::number;

/// A class of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Normal,
    Primary,
    Replica,
    PubSub,
}

impl Class {
    fn named(word: &[u8]) -> Result<Self, CommandError> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"master" | b"primary" => Ok(Self::Primary),
            b"slave" | b"replica" => Ok(Self::Replica),
            b"pubsub" => Ok(Self::PubSub),
            _ => {
                let word = String::from_utf8_lossy(word);
                Err(CommandError::new(format!("ERR Unknown client type '{word}'")))
            }
        }
    }

    fn of(client: &Client) -> Self {
        match (client.has(Mark::Replica), client.subscribed()) {
            (true, _) => Self::Replica,
            (false, 0) => Self::Normal,
            (false, _) => Self::PubSub,
        }
    }
}

/// Which clients are meant.
#[derive(Debug, Default)]
struct Filter {
    ids: Option<Vec<u64>>,
    class: Option<Class>,
    peer: Option<String>,
    local: Option<String>,
    user: Option<Vec<u8>>,
    age: Option<i64>,
}

impl Filter {
    fn means(&self, client: &Client, now: i64) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&client.id))
            && self.class.is_none_or(|class| class == Class::of(client))
            && self.peer.as_ref().is_none_or(|peer| *peer == client.peer)
            && self.local.as_ref().is_none_or(|local| *local == client.local)
            && self.user.as_ref().is_none_or(|user| *user == *client.user.lock())
            && self.age.is_none_or(|age| now - client.since >= age * 1000)
    }
}

fn client_id(word: &[u8]) -> Result<u64, CommandError> {
    let id = number::parse_int(word).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or(CommandError::text("ERR client-id should be greater than 0"))
}

/// `CLIENT LIST [TYPE type] [ID id …]`.
pub(super) fn list(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mut filter = Filter::default();
    match words.get(2..).unwrap_or_default() {
        [] => {}
        [option, class] if option.eq_ignore_ascii_case(b"type") => {
            filter.class = Some(Class::named(class)?);
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
            let ids: Result<_, _> = ids.iter().map(|id| number::int(id)).collect();
            let ids: Vec<i64> = ids.map_err(|_| CommandError::text("ERR Invalid client ID"))?;
            filter.ids = Some(ids.into_iter().map(i64::cast_unsigned).collect());
        }
        _ => return Err(CommandError::SYNTAX.into()),
    }
    let clients = ctx.shared.clients.all();
    let meant = clients.iter().filter(|client| filter.means(client, ctx.now));
    let text: String = meant.map(|client| client.line(ctx.now) + "\n").collect();
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `CLIENT KILL address`, `CLIENT KILL option value …`.
pub(super) fn kill(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = words.get(2..).unwrap_or_default();
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    if let [peer] = options {
        let filter = Filter { peer: Some(text(peer)), ..Filter::default() };
        return match close(ctx, &filter, false) {
            0 => Err(CommandError::text("ERR No such client").into()),
            _ => {
                ctx.reply.ok();
                Ok(())
            }
        };
    }
    let (mut filter, mut spare) = (Filter::default(), true);
    let (pairs, rest) = options.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CommandError::SYNTAX.into());
    }
    for [option, value] in pairs {
        match option.to_ascii_lowercase().as_slice() {
            b"id" => filter.ids = Some(vec![client_id(value)?]),
            b"type" => filter.class = Some(Class::named(value)?),
            b"addr" => filter.peer = Some(text(value)),
            b"laddr" => filter.local = Some(text(value)),
            b"user" => {
                if ctx.shared.acl.account(value).is_none() {
                    let error = format!("ERR No such user '{}'", text(value));
                    return Err(CommandError::new(error).into());
                }
                filter.user = Some(value.to_vec());
            }
            b"maxage" => {
                let age = number::parse_int(value).filter(|age| *age > 0);
                filter.age =
                    Some(age.ok_or(CommandError::text("ERR maxage should be greater than 0"))?);
            }
            b"skipme" => match value.to_ascii_lowercase().as_slice() {
                b"yes" => spare = true,
                b"no" => spare = false,
                _ => return Err(CommandError::SYNTAX.into()),
            },
            _ => return Err(CommandError::SYNTAX.into()),
        }
    }
    let closed = close(ctx, &filter, spare);
    ctx.reply.count(closed);
    Ok(())
}

/// Closes the connections that are meant; how many. The caller's own ends behind its reply.
fn close(ctx: &mut Ctx<'_>, filter: &Filter, spare_caller: bool) -> usize {
    let own = ctx.session.client.id;
    let mut meant = ctx.shared.clients.all();
    meant.retain(|client| filter.means(client, ctx.now) && !(spare_caller && client.id == own));
    for client in &meant {
        if client.id == own {
            ctx.session.closing = true;
        } else if client.has(Mark::Replica) {
            ctx.shared.replicas.close(client.id);
            ctx.shared.clients.remove(client.id);
        } else {
            ctx.shared.disconnect(client);
        }
    }
    meant.len()
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`.
pub(super) fn unblock(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let error = match words.get(3..).unwrap_or_default() {
        [] => false,
        [how] if how.eq_ignore_ascii_case(b"timeout") => false,
        [how] if how.eq_ignore_ascii_case(b"error") => true,
        [_] => {
            let text = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
            return Err(CommandError::text(text).into());
        }
        _ => return Err(CommandError::arity("client|unblock").into()),
    };
    let id = number::int(words[2])?;
    let waits = |client: &Arc<Client>| client.parked.load(Ordering::Relaxed);
    let client = u64::try_from(id).ok().and_then(|id| ctx.shared.clients.get(id)).filter(waits);
    if let Some(client) = &client {
        let (seat, id) = (client.address.seat, client.id);
        ctx.shared.mail(client.address.thread, Mail::Unblock { seat, id, error });
    }
    ctx.reply.int(i64::from(client.is_some()));
    Ok(())
}

/// `CLIENT PAUSE milliseconds [WRITE|ALL]`.
pub(super) fn pause(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let reads = match words.get(3..).unwrap_or_default() {
        [] => true,
        [what] if what.eq_ignore_ascii_case(b"all") => true,
        [what] if what.eq_ignore_ascii_case(b"write") => false,
        [_] => {
            let text = "ERR CLIENT PAUSE mode must be WRITE or ALL";
            return Err(CommandError::text(text).into());
        }
        _ => return Err(CommandError::arity("client|pause").into()),
    };
    let time = number::parse_int(words[2])
        .ok_or(CommandError::text("ERR timeout is not an integer or out of range"))?;
    if time < 0 {
        return Err(CommandError::text("ERR timeout is negative").into());
    }
    let until = ctx.now.saturating_add(time);
    // A pause that is on is never made shorter or weaker by another.
    let before = ctx.shared.paused_until.fetch_max(until, Ordering::SeqCst);
    let goes_on = before > ctx.now && ctx.shared.paused_reads.load(Ordering::SeqCst);
    ctx.shared.paused_reads.store(reads || goes_on, Ordering::SeqCst);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn unpause(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.shared.paused_until.store(0, Ordering::SeqCst);
    ctx.shared.paused_reads.store(false, Ordering::SeqCst);
    ctx.shared.mail_all(|| Mail::Wake);
    ctx.reply.ok();
    Ok(())
}
