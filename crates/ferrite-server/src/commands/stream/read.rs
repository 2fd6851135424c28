//! XREAD and XREADGROUP: entries of several streams, at once or as soon as there are any.

use ferrite_store::types::Stream;
use ferrite_store::types::sorted_set::Direction;
use ferrite_store::types::stream::{ConsumerId, Group, Pending, StreamId, id};

use super::claim::{seen, told, told_place};
use super::group::made_consumer;
use super::words::{no_group, not_negative, strict_id};
use crate::ctx::{Ctx, Outcome, Stop, Within};
use crate::dispatch::block::Park;
use crate::error::CommandError;
use crate::number;
use crate::reply::Reply;

const ONLY_GROUPS: &str = "option is only supported by XREADGROUP. You called XREAD instead.";
const DOLLAR: CommandError = CommandError::text(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);
const GREATER: CommandError = CommandError::text(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);

/// From where on a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// Behind an id: of a group, what its consumer has not acknowledged.
    Behind(StreamId),
    /// `>`: what nobody of the group was given.
    New,
}

#[derive(Debug, Default)]
struct Request<'w> {
    /// Group and consumer.
    group: Option<(&'w [u8], &'w [u8])>,
    no_ack: bool,
    /// 0 for all.
    count: usize,
    block: Option<i64>,
    keys: &'w [&'w [u8]],
    ids: &'w [&'w [u8]],
}

/// `XREAD [COUNT count] [BLOCK ms] STREAMS key [key …] id [id …]`
pub(super) fn xread(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    read(ctx, words, "xread")
}

/// `XREADGROUP GROUP group consumer [COUNT count] [BLOCK ms] [NOACK] STREAMS key [key …] id [id …]`
pub(super) fn xreadgroup(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    read(ctx, words, "xreadgroup")
}

fn parse<'w>(words: &'w [&'w [u8]], name: &str) -> Result<Request<'w>, CommandError> {
    let of_group = name == "xreadgroup";
    let mut request = Request::default();
    let mut rest = words.get(1..).unwrap_or_default();
    loop {
        let Some((word, behind)) = rest.split_first() else { return Err(CommandError::SYNTAX) };
        rest = match (word.to_ascii_lowercase().as_slice(), behind) {
            (b"block", [time, behind @ ..]) => {
                request.block = Some(block_time(time)?);
                behind
            }
            (b"count", [count, behind @ ..]) => {
                request.count = not_negative(count)?;
                behind
            }
            (b"group", [group, consumer, behind @ ..]) if of_group => {
                request.group = Some((group, consumer));
                behind
            }
            (b"group", [_, _, ..]) => {
                return Err(CommandError::new(format!("ERR The GROUP {ONLY_GROUPS}")));
            }
            (b"noack", behind) if of_group => {
                request.no_ack = true;
                behind
            }
            (b"noack", _) => {
                return Err(CommandError::new(format!("ERR The NOACK {ONLY_GROUPS}")));
            }
            (b"streams", [_, ..]) => {
                if !behind.len().is_multiple_of(2) {
                    return Err(unbalanced(name));
                }
                (request.keys, request.ids) = behind.split_at(behind.len() / 2);
                break;
            }
            _ => return Err(CommandError::SYNTAX),
        };
    }
    if of_group && request.group.is_none() {
        return Err(CommandError::text("ERR Missing GROUP option for XREADGROUP"));
    }
    Ok(request)
}

fn unbalanced(name: &str) -> CommandError {
    let sign = if name == "xread" { "$" } else { ">" };
    CommandError::new(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{sign}' must be specified."
    ))
}

fn block_time(word: &[u8]) -> Result<i64, CommandError> {
    let wrong = CommandError::text("ERR timeout is not an integer or out of range");
    match number::parse_int(word).ok_or(wrong)? {
        ..0 => Err(CommandError::text("ERR timeout is negative")),
        time => Ok(time),
    }
}

fn read(ctx: &mut Ctx<'_>, words: &[&[u8]], name: &str) -> Outcome {
    let request = parse(words, name)?;
    if request.block.is_some() && ctx.within == Within::Script {
        let name = String::from_utf8_lossy(words[0]);
        return Err(CommandError::new(format!(
            "ERR {name} command is not allowed with BLOCK option from scripts"
        ))
        .into());
    }
    let mut from = Vec::with_capacity(request.keys.len());
    for (key, word) in request.keys.iter().zip(request.ids) {
        from.push(resolve(ctx, &request, key, word)?);
    }
    ctx.propagate_nothing();
    let mut streams = Reply::new(ctx.reply.resp3());
    let mut served = 0;
    for (key, from) in request.keys.iter().zip(&from) {
        let is_served = match request.group {
            None => read_plain(ctx, &request, key, *from, &mut streams)?,
            Some(group) => read_for_group(ctx, &request, key, group, *from, &mut streams)?,
        };
        served += usize::from(is_served);
    }
    if served > 0 {
        match ctx.reply.resp3() {
            true => ctx.reply.map(served),
            false => ctx.reply.array(served),
        }
        ctx.reply.raw(streams.as_bytes());
        return Ok(());
    }
    match request.block {
        Some(time) if ctx.may_park() => Err(wait(ctx, words, &request, &from, time)),
        _ => {
            ctx.reply.null_array();
            Ok(())
        }
    }
}

fn resolve(
    ctx: &mut Ctx<'_>,
    request: &Request<'_>,
    key: &[u8],
    word: &[u8],
) -> Result<From, CommandError> {
    let stream = ctx.read::<Stream>(key)?;
    if let Some((group, _)) = request.group {
        let is_there = stream.is_some_and(|stream| stream.groups().contains_key(group));
        if !is_there {
            return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
        }
    }
    match (word, request.group) {
        (b"$", None) => Ok(From::Behind(stream.map_or(id::MIN, Stream::last_id))),
        (b"$", Some(_)) => Err(DOLLAR),
        (b">", None) => Err(GREATER),
        (b">", Some(_)) => Ok(From::New),
        _ => strict_id(word, 0).map(From::Behind),
    }
}

/// Begins the part of the reply that belongs to one stream.
fn begin(streams: &mut Reply, key: &[u8]) {
    if !streams.resp3() {
        streams.array(2);
    }
    streams.bulk(key);
}

/// Shows entries behind an id as an array.
fn entries(
    streams: &mut Reply,
    stream: &Stream,
    behind: StreamId,
    count: usize,
    mut seen: impl FnMut(StreamId),
) {
    let most = if count == 0 { usize::MAX } else { count };
    let (list, mut count) = (streams.defer(), 0);
    if let Some(first) = id::successor(behind) {
        stream.walk(first, id::MAX, Direction::Ascending, &mut |entry| {
            super::entry(streams, &entry);
            seen(entry.id);
            count += 1;
            count < most
        });
    }
    streams.settle_array(list, count);
}

fn read_plain(
    ctx: &mut Ctx<'_>,
    request: &Request<'_>,
    key: &[u8],
    from: From,
    streams: &mut Reply,
) -> Result<bool, CommandError> {
    let From::Behind(behind) = from else { return Ok(false) };
    let Some(stream) = ctx.peek_as::<Stream>(key)? else { return Ok(false) };
    if stream.is_empty() || stream.last_entry_id() <= behind {
        return Ok(false);
    }
    begin(streams, key);
    entries(streams, stream, behind, request.count, |_| {});
    Ok(true)
}

fn read_for_group(
    ctx: &mut Ctx<'_>,
    request: &Request<'_>,
    key: &[u8],
    (name, consumer_name): (&[u8], &[u8]),
    from: From,
    streams: &mut Reply,
) -> Result<bool, CommandError> {
    let now = ctx.now;
    let Some(stream) = ctx.write::<Stream>(key)? else { return Ok(false) };
    let Some(mut group) = stream.groups_mut().remove(name) else { return Ok(false) };
    let (consumer, is_new) = seen(&mut group, consumer_name, now);
    let mut told_all = Vec::new();
    let is_served = match from {
        From::Behind(behind) => {
            begin(streams, key);
            history(streams, stream, &mut group, consumer, behind, request.count, now);
            true
        }
        From::New if !stream.is_empty() && stream.last_entry_id() > group.last_id => {
            begin(streams, key);
            let given = deliver(streams, stream, &mut group, consumer, request, now);
            for (id, pending) in given {
                told_all.push(told(key, name, &group, id, &pending));
            }
            told_all.push(told_place(key, name, &group));
            true
        }
        From::New => false,
    };
    stream.groups_mut().insert(name.to_vec(), group);
    if is_new {
        made_consumer(ctx, key);
        if request.no_ack {
            let words: [&[u8]; 5] = [b"XGROUP", b"CREATECONSUMER", key, name, consumer_name];
            ctx.propagate_instead(&words);
        }
    }
    for words in &told_all {
        ctx.propagate_instead(words);
    }
    ctx.effects.dirty += u64::from(is_served);
    Ok(is_served)
}

/// Gives new entries to a consumer; those that it has to acknowledge.
fn deliver(
    streams: &mut Reply,
    stream: &Stream,
    group: &mut Group,
    consumer: ConsumerId,
    request: &Request<'_>,
    now: i64,
) -> Vec<(StreamId, Pending)> {
    let mut given = Vec::new();
    let behind = group.last_id;
    entries(streams, stream, behind, request.count, |id| {
        group.entries_read = stream.entries_read_after(group, id);
        group.last_id = id;
        let pending = Pending { delivered_ms: now, deliveries: 1, consumer };
        if !request.no_ack {
            group.deliver(id, pending);
            given.push((id, pending));
        }
    });
    // Whoever acknowledges nothing is not seen to be at work.
    if !request.no_ack
        && let Some(consumer) = group.consumer_mut(consumer)
    {
        consumer.active_ms = now;
    }
    given
}

/// Shows what a consumer has not acknowledged, once more.
fn history(
    streams: &mut Reply,
    stream: &Stream,
    group: &mut Group,
    consumer: ConsumerId,
    behind: StreamId,
    count: usize,
    now: i64,
) {
    let most = if count == 0 { usize::MAX } else { count };
    let own = group.consumer(consumer).zip(id::successor(behind));
    let own: Vec<_> = own.map_or_else(Vec::new, |(consumer, first)| {
        consumer.pending().range(first..).take(most).copied().collect()
    });
    streams.array(own.len());
    for entry in own {
        if !stream.get(entry, &mut |found| super::entry(streams, &found)) {
            streams.array(2);
            super::id(streams, entry);
            streams.null_array();
        } else if let Some(pending) = group.pending_mut(entry) {
            pending.delivered_ms = now;
            pending.deliveries += 1;
        }
    }
}

fn wait(
    ctx: &mut Ctx<'_>,
    words: &[&[u8]],
    request: &Request<'_>,
    from: &[From],
    time: i64,
) -> Stop {
    // What `$` means now it must mean later, too.
    let mut again: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    let first = again.len() - request.ids.len();
    for (word, from) in again.iter_mut().skip(first).zip(from) {
        if let From::Behind(id) = from {
            *word = id.to_string().into();
        }
    }
    ctx.effects.retry_words = Some(again);
    Stop::Park(Box::new(Park {
        keys: request.keys.iter().map(|key| key.to_vec()).collect(),
        deadline: (time > 0).then(|| ctx.now.saturating_add(time)),
        timeout: Reply::null_array,
        answers_errors: request.group.is_some(),
    }))
}
