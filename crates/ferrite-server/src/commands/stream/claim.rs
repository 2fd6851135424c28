//! XCLAIM and XAUTOCLAIM: entries that one consumer has not acknowledged become another's.

use ferrite_store::types::Stream;
use ferrite_store::types::stream::{ConsumerId, Group, Pending, StreamId, id};

use super::group::made_consumer;
use super::words::{first_id, no_group, strict_id};
use crate::commands::arguments::{at_least, is};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::reply::Reply;

/// Entries that XAUTOCLAIM returns where it is not told how many.
const COUNT: usize = 100;
/// Entries that XAUTOCLAIM looks at for each that it may return.
const LOOKS: usize = 10;

/// What becomes of an entry that is claimed.
#[derive(Debug, Default)]
struct Claim {
    min_idle: i64,
    delivered_ms: Option<i64>,
    deliveries: Option<u64>,
    creates: bool,
    only_ids: bool,
    last_id: Option<StreamId>,
}

/// What replicas are told of a claim.
type Told = Vec<Vec<Vec<u8>>>;

/// What replicas are told of an entry that was delivered.
pub(super) fn told(
    key: &[u8],
    name: &[u8],
    group: &Group,
    entry: StreamId,
    pending: &Pending,
) -> Vec<Vec<u8>> {
    let consumer = group.consumer(pending.consumer).map(|it| it.name.clone()).unwrap_or_default();
    let text = |value: &dyn std::fmt::Display| value.to_string().into_bytes();
    vec![
        b"XCLAIM".to_vec(),
        key.to_vec(),
        name.to_vec(),
        consumer,
        b"0".to_vec(),
        text(&entry),
        b"TIME".to_vec(),
        text(&pending.delivered_ms),
        b"RETRYCOUNT".to_vec(),
        text(&pending.deliveries),
        b"FORCE".to_vec(),
        b"JUSTID".to_vec(),
        b"LASTID".to_vec(),
        text(&group.last_id),
    ]
}

/// What replicas are told of a group's place in its stream.
pub(super) fn told_place(key: &[u8], name: &[u8], group: &Group) -> Vec<Vec<u8>> {
    let read = group.entries_read.map_or(-1, u64::cast_signed);
    vec![
        b"XGROUP".to_vec(),
        b"SETID".to_vec(),
        key.to_vec(),
        name.to_vec(),
        group.last_id.to_string().into(),
        b"ENTRIESREAD".to_vec(),
        read.to_string().into(),
    ]
}

fn min_idle(word: &[u8], command: &str) -> Result<i64, CommandError> {
    let wrong = || CommandError::new(format!("ERR Invalid min-idle-time argument for {command}"));
    Ok(number::parse_int(word).ok_or_else(wrong)?.max(0))
}

/// Whether the group is there.
fn check_group(ctx: &mut Ctx<'_>, key: &[u8], name: &[u8]) -> Result<(), CommandError> {
    let stream = ctx.write::<Stream>(key)?;
    let is_there = stream.is_some_and(|stream| stream.groups().contains_key(name));
    if is_there { Ok(()) } else { Err(no_group(key, name, "")) }
}

/// Makes the consumer where there is none, and notes that it asked.
pub(super) fn seen(group: &mut Group, name: &[u8], now: i64) -> (ConsumerId, bool) {
    let (id, is_new) = group.add_consumer(name, now);
    if let Some(consumer) = group.consumer_mut(id) {
        consumer.seen_ms = now;
    }
    (id, is_new)
}

/// `XCLAIM key group consumer min-idle id [id …] [IDLE ms] [TIME ms] [RETRYCOUNT count] [FORCE]
/// [JUSTID] [LASTID id]`
pub(super) fn xclaim(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, name) = (words[1], words[2]);
    check_group(ctx, key, name)?;
    let min_idle = min_idle(words[4], "XCLAIM")?;
    let rest = words.get(5..).unwrap_or_default();
    let ids: Vec<_> = rest.iter().map_while(|word| id::parse(word, 0)).collect();
    let options = rest.get(ids.len()..).unwrap_or_default();
    let claim = claim_options(options, min_idle, ctx.now)?;
    let now = ctx.now;
    let (told_all, is_new) = ctx.change::<Stream, _>(key, |reply, stream| {
        let Some(stream) = stream else { return (Told::new(), false) };
        claim_all(reply, stream, words, &ids, &claim, now)
    })?;
    finish(ctx, key, told_all, is_new);
    Ok(())
}

fn claim_options(words: &[&[u8]], min_idle: i64, now: i64) -> Result<Claim, CommandError> {
    let mut claim = Claim { min_idle, ..Claim::default() };
    let read = |word: &[u8], option: &str| {
        let wrong = format!("ERR Invalid {option} option argument for XCLAIM");
        number::parse_int(word).ok_or(CommandError::new(wrong))
    };
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        rest = match (word.to_ascii_lowercase().as_slice(), behind) {
            (b"force", behind) => {
                claim.creates = true;
                behind
            }
            (b"justid", behind) => {
                claim.only_ids = true;
                behind
            }
            (b"idle", [idle, behind @ ..]) => {
                claim.delivered_ms = Some(now.wrapping_sub(read(idle, "IDLE")?));
                behind
            }
            (b"time", [time, behind @ ..]) => {
                claim.delivered_ms = Some(read(time, "TIME")?);
                behind
            }
            (b"retrycount", [count, behind @ ..]) => {
                claim.deliveries = u64::try_from(read(count, "RETRYCOUNT")?).ok();
                behind
            }
            (b"lastid", [last, behind @ ..]) => {
                claim.last_id = Some(strict_id(last, 0)?);
                behind
            }
            _ => {
                let word = String::from_utf8_lossy(word);
                let text = format!("ERR Unrecognized XCLAIM option '{word}'");
                return Err(CommandError::new(text));
            }
        };
    }
    // A time that cannot be is now.
    claim.delivered_ms = claim.delivered_ms.filter(|time| (0..=now).contains(time));
    Ok(claim)
}

fn claim_all(
    reply: &mut Reply,
    stream: &mut Stream,
    words: &[&[u8]],
    ids: &[StreamId],
    claim: &Claim,
    now: i64,
) -> (Told, bool) {
    let (key, name) = (words[1], words[2]);
    let Some(mut group) = stream.groups_mut().remove(name) else { return (Told::new(), false) };
    let mut all = Told::new();
    let moves = claim.last_id.filter(|last| *last > group.last_id);
    group.last_id = moves.unwrap_or(group.last_id);
    let (consumer, is_new) = seen(&mut group, words[3], now);
    let (list, mut count) = (reply.defer(), 0);
    for &entry in ids {
        let pending = group.pending().get(&entry).copied();
        if !stream.contains(entry) {
            if let Some(pending) = pending {
                all.push(told(key, name, &group, entry, &pending));
                group.acknowledge(entry);
            }
            continue;
        }
        let Some(pending) = pending.or_else(|| claim.creates.then_some(new_pending(consumer)))
        else {
            continue;
        };
        if group.pending().contains_key(&entry) && is_too_fresh(&pending, claim.min_idle, now) {
            continue;
        }
        let pending = take(&mut group, entry, pending, consumer, claim, now);
        give(reply, stream, entry, claim.only_ids);
        all.push(told(key, name, &group, entry, &pending));
        count += 1;
    }
    reply.settle_array(list, count);
    if moves.is_some() && all.is_empty() {
        all.push(told_place(key, name, &group));
    }
    stream.groups_mut().insert(name.to_vec(), group);
    (all, is_new)
}

fn new_pending(consumer: ConsumerId) -> Pending {
    Pending { delivered_ms: 0, deliveries: 1, consumer }
}

fn is_too_fresh(pending: &Pending, min_idle: i64, now: i64) -> bool {
    min_idle > 0 && now.saturating_sub(pending.delivered_ms) < min_idle
}

/// Makes an entry a consumer's.
fn take(
    group: &mut Group,
    entry: StreamId,
    before: Pending,
    consumer: ConsumerId,
    claim: &Claim,
    now: i64,
) -> Pending {
    let again = if claim.only_ids { before.deliveries } else { before.deliveries + 1 };
    let pending = Pending {
        delivered_ms: claim.delivered_ms.unwrap_or(now),
        deliveries: claim.deliveries.unwrap_or(again),
        consumer,
    };
    group.deliver(entry, pending);
    if let Some(consumer) = group.consumer_mut(consumer) {
        consumer.active_ms = now;
    }
    pending
}

fn give(reply: &mut Reply, stream: &Stream, entry: StreamId, only_id: bool) {
    if only_id {
        return super::id(reply, entry);
    }
    stream.get(entry, &mut |found| super::entry(reply, &found));
}

fn finish(ctx: &mut Ctx<'_>, key: &[u8], told_all: Told, is_new: bool) {
    ctx.effects.dirty += told_all.len() as u64;
    ctx.propagate_nothing();
    if is_new {
        made_consumer(ctx, key);
    }
    for words in &told_all {
        ctx.propagate_instead(words);
    }
}

/// `XAUTOCLAIM key group consumer min-idle start [COUNT count] [JUSTID]`
pub(super) fn xautoclaim(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let min_idle = min_idle(words[4], "XAUTOCLAIM")?;
    let first = first_id(words[5])?;
    let (mut count, mut claim) = (COUNT, Claim { min_idle, ..Claim::default() });
    let mut rest = words.get(6..).unwrap_or_default();
    while let [word, behind @ ..] = rest {
        rest = match behind {
            [number, behind @ ..] if is(word, "count") => {
                let wrong = CommandError::text("ERR COUNT must be > 0");
                let most = i64::MAX as usize / 16;
                count = at_least(number, 1, wrong.clone())?;
                if count > most {
                    return Err(wrong.into());
                }
                behind
            }
            behind if is(word, "justid") => {
                claim.only_ids = true;
                behind
            }
            _ => return Err(CommandError::SYNTAX.into()),
        };
    }
    let (key, now) = (words[1], ctx.now);
    check_group(ctx, key, words[2])?;
    let (told_all, is_new) = ctx.change::<Stream, _>(key, |reply, stream| {
        let Some(stream) = stream else { return (Told::new(), false) };
        claim_from(reply, stream, words, first, count, &claim, now)
    })?;
    finish(ctx, key, told_all, is_new);
    Ok(())
}

fn claim_from(
    reply: &mut Reply,
    stream: &mut Stream,
    words: &[&[u8]],
    first: StreamId,
    count: usize,
    claim: &Claim,
    now: i64,
) -> (Told, bool) {
    let (key, name) = (words[1], words[2]);
    let Some(mut group) = stream.groups_mut().remove(name) else { return (Told::new(), false) };
    let (consumer, is_new) = seen(&mut group, words[3], now);
    let (mut all, mut deleted) = (Told::new(), Vec::new());
    let mut claimed = Reply::new(reply.resp3());
    let (mut claimed_count, mut left) = (0, count);
    let mut next = group.pending().range(first..).next().map(|(id, _)| *id);
    let mut looks = count.saturating_mul(LOOKS);
    while let Some(entry) = next.filter(|_| looks > 0 && left > 0) {
        looks -= 1;
        let pending = group.pending().get(&entry).copied().unwrap_or(new_pending(consumer));
        let behind = id::successor(entry);
        if !stream.contains(entry) {
            all.push(told(key, name, &group, entry, &pending));
            group.acknowledge(entry);
            deleted.push(entry);
            left -= 1;
        } else if !is_too_fresh(&pending, claim.min_idle, now) {
            let pending = take(&mut group, entry, pending, consumer, claim, now);
            give(&mut claimed, stream, entry, claim.only_ids);
            all.push(told(key, name, &group, entry, &pending));
            claimed_count += 1;
            left -= 1;
        }
        next = behind.and_then(|from| group.pending().range(from..).next().map(|(id, _)| *id));
    }
    reply.array(3);
    super::id(reply, next.unwrap_or_default());
    reply.array(claimed_count);
    reply.raw(claimed.as_bytes());
    reply.array(deleted.len());
    deleted.into_iter().for_each(|id| super::id(reply, id));
    stream.groups_mut().insert(name.to_vec(), group);
    (all, is_new)
}
