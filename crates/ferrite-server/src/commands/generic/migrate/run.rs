//! Sending keys away, and deleting what has arrived unchanged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ferrite_rdb::dump;
use ferrite_store::table;

use super::Call;
use super::target::{Answers, Item};
use crate::commands;
use crate::ctx::{Counts, Ctx, Within};
use crate::dispatch::slices;
use crate::error::CommandError;
use crate::net::mail::Mail;
use crate::notify::Class;
use crate::persist::snapshot::{FORMAT, encode_value};
use crate::reply::Reply;
use crate::session::Session;
use crate::shared::{Shared, unix_ms};
use crate::store::{ShardSet, shard_of};
use crate::watch::Flag;

/// Rounds in which keys are sent while others may change them; those that changed again are sent
/// while nobody can.
const ROUNDS: usize = 3;

/// Calls that are worked on at once; each has a thread.
const AT_ONCE: usize = 64;

/// A key on its way, and whether it has changed since it was written down.
struct Sent {
    item: Item,
    changed: Flag,
}

/// Writes down keys that are there. Their shards are held.
fn collect<'k>(ctx: &mut Ctx<'_>, keys: impl Iterator<Item = &'k Vec<u8>>) -> Vec<Item> {
    let mut items = Vec::new();
    for key in keys {
        if ctx.find(key).is_none() {
            continue;
        }
        let expiry = ctx.expires_at(key);
        let payload = ctx.look(key).map(|value| {
            let (mut body, mut payload) = (Vec::new(), Vec::new());
            let type_byte = encode_value(&mut body, value);
            dump::write(&mut payload, type_byte, &body, FORMAT.version as u16);
            payload
        });
        items.extend(
            payload.map(|payload| Item { key: key.clone(), value: Some((expiry, payload)) }),
        );
    }
    items
}

/// Deletes keys that have arrived. Their shards are held.
fn delete(ctx: &mut Ctx<'_>, keys: &[&[u8]]) {
    let mut words: Vec<&[u8]> = vec![b"DEL"];
    for key in keys {
        if ctx.unlink(key) {
            ctx.changed(Class::Generic, "del", key);
            words.push(key);
        }
    }
    if words.len() > 1 {
        ctx.propagate_instead(&words);
    }
}

/// The first error that the target answered.
fn first_error(answers: &Answers) -> Result<(), CommandError> {
    let error = answers.iter().find_map(|answer| answer.as_ref().err());
    error.map_or(Ok(()), |why| {
        Err(CommandError::new(format!("ERR Target instance replied with error: {why}")))
    })
}

/// Everything at once, while the shards of the keys are held.
pub(super) fn at_once(ctx: &mut Ctx<'_>, call: &Call) -> Result<(), CommandError> {
    let items = collect(ctx, call.keys.iter());
    send_held(ctx, call, &items, call.replace)
}

fn send_held(
    ctx: &mut Ctx<'_>,
    call: &Call,
    items: &[Item],
    replace: bool,
) -> Result<(), CommandError> {
    let answers = send(ctx, call, &items.iter().collect::<Vec<_>>(), replace)?;
    if !call.copy {
        let arrived = items.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
        let arrived: Vec<&[u8]> = arrived.map(|(item, _)| item.key.as_slice()).collect();
        delete(ctx, &arrived);
    }
    first_error(&answers)
}

/// Has a thread of its own send the keys, and answer the client in the end.
pub(super) fn in_background(
    ctx: &mut Ctx<'_>,
    call: Call,
    words: &[&[u8]],
) -> Result<(), CommandError> {
    let shared = ctx.shared.in_background().map_err(|error| no_thread(&error))?;
    if !shared.targets.begin(AT_ONCE) {
        return Err(CommandError::text(
            "ERR too many calls of MIGRATE are being worked on: wait for their replies, or give \
             one call several keys (KEYS)",
        ));
    }
    let items = collect(ctx, call.keys.iter());
    let sent = watch(ctx, items);
    let session = ctx.session.detached();
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    let of_thread = Arc::clone(&shared);
    let spawned = std::thread::Builder::new().name("ferrite-migrate".into()).spawn(move || {
        work(&of_thread, session, &call, &words, sent);
        of_thread.targets.end();
    });
    spawned.map(drop).map_err(|error| {
        shared.targets.end();
        no_thread(&error)
    })
}

fn no_thread(error: &std::io::Error) -> CommandError {
    CommandError::new(format!("ERR MIGRATE gets no thread to send keys with: {error}"))
}

/// Has the keys' changes noted. Their shards are held.
fn watch(ctx: &mut Ctx<'_>, items: Vec<Item>) -> Vec<Sent> {
    let db = ctx.db();
    let watched = items.into_iter().map(|item| {
        let changed = Flag::default();
        let shard = ctx.held.shard_mut(shard_of(table::hash(&item.key)));
        shard.watched.add(db, &item.key, &changed, false);
        Sent { item, changed }
    });
    watched.collect()
}

fn unwatch(ctx: &mut Ctx<'_>, sent: &[Sent]) {
    let db = ctx.db();
    for Sent { item, changed } in sent {
        let shard = ctx.held.shard_mut(shard_of(table::hash(&item.key)));
        shard.watched.remove(db, &item.key, changed);
    }
}

fn work(shared: &Arc<Shared>, session: Session, call: &Call, words: &[Vec<u8>], sent: Vec<Sent>) {
    let client = Arc::clone(&session.client);
    // Its own counts would be seen by nobody; those of the thread for scripts are counted by one
    // thread alone, and INFO can do without what is lost where both count at once.
    let own = Counts::default();
    let mut ctx = Ctx::apart(shared, shared.counts.last().unwrap_or(&own));
    ctx.reply = Reply::new(session.resp3);
    *ctx.session = session;
    let began = Instant::now();
    let outcome = rounds(&mut ctx, call, sent);
    let failed = outcome.is_err();
    match outcome {
        Ok(()) => ctx.reply.ok(),
        Err(error) => {
            ctx.observe_error(error.line());
            ctx.reply.error(&error);
        }
    }
    if let Some(entry) = commands::lookup(b"migrate") {
        ctx.observe(entry, &slices(words), began.elapsed(), failed);
    }
    let reply = std::mem::take(&mut ctx.reply).into_bytes();
    let (seat, id) = (client.address.seat, client.id);
    shared.mail(client.address.thread, Mail::Served { seat, id, reply, pushed: Vec::new() });
}

/// Sends keys until none has changed meanwhile.
fn rounds(ctx: &mut Ctx<'_>, call: &Call, mut sent: Vec<Sent>) -> Result<(), CommandError> {
    let mut outcome = Ok(());
    for round in 0..ROUNDS {
        let replace = call.replace || round > 0;
        let items: Vec<&Item> = sent.iter().map(|one| &one.item).collect();
        let answers = send(ctx, call, &items, replace);
        ctx.now = unix_ms();
        let all = sent.iter().map(|one| ShardSet::of_key(&one.item.key));
        ctx.held.acquire(all.fold(ShardSet::NONE, ShardSet::with));
        ctx.begin_unit(Within::Transaction);
        unwatch(ctx, &sent);
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                ctx.end_unit();
                ctx.held.release();
                return Err(error);
            }
        };
        outcome = outcome.and(first_error(&answers));
        let mut changed = Vec::new();
        if !call.copy {
            let arrived = sent.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
            let (dirty, clean): (Vec<_>, Vec<_>) =
                arrived.map(|(one, _)| one).partition(|one| one.changed.load(Ordering::Relaxed));
            let clean: Vec<&[u8]> = clean.iter().map(|one| one.item.key.as_slice()).collect();
            delete(ctx, &clean);
            changed = dirty.iter().map(|one| once_more(ctx, &one.item.key)).collect();
        }
        if round + 1 == ROUNDS && !changed.is_empty() {
            outcome = outcome.and(send_held(ctx, call, &changed, true));
            changed.clear();
        }
        sent = watch(ctx, changed);
        ctx.end_unit();
        ctx.held.release();
        if sent.is_empty() {
            break;
        }
    }
    outcome
}

/// A key as it is now; where it is gone here, it has to go there.
fn once_more(ctx: &mut Ctx<'_>, key: &Vec<u8>) -> Item {
    let item = collect(ctx, std::iter::once(key)).pop();
    item.unwrap_or_else(|| Item { key: key.clone(), value: None })
}

fn send(
    ctx: &Ctx<'_>,
    call: &Call,
    items: &[&Item],
    replace: bool,
) -> Result<Answers, CommandError> {
    let answers = ctx.shared.targets.send(call, items, replace, unix_ms());
    answers.map_err(|broken| CommandError::text(broken.reply()))
}
