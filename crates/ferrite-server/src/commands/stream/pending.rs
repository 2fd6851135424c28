//! XACK and XPENDING.

use ferrite_store::types::Stream;
use ferrite_store::types::stream::{Group, StreamId};

use super::words::{first_id, last_id, no_group, not_negative, strict_id};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::reply::Reply;

/// `XACK key group id [id …]`
pub(super) fn xack(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let group = match ctx.write::<Stream>(words[1])? {
        Some(stream) => stream.groups_mut().get_mut(words[2]),
        None => None,
    };
    let Some(group) = group else {
        ctx.reply.int(0);
        return Ok(());
    };
    let ids = words.get(3..).unwrap_or_default();
    let ids: Vec<_> = ids.iter().map(|id| strict_id(id, 0)).collect::<Result<_, _>>()?;
    let acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id)).count();
    ctx.effects.dirty += acknowledged as u64;
    ctx.reply.count(acknowledged);
    Ok(())
}

/// What is asked for of the entries that are not acknowledged.
#[derive(Debug)]
struct Request<'a> {
    min_idle: i64,
    first: StreamId,
    last: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

/// `XPENDING key group [[IDLE min-idle] start end count [consumer]]`
pub(super) fn xpending(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let request = match words {
        [_, _, _] => None,
        [_, _, _, rest @ ..] if (3..=6).contains(&rest.len()) => Some(request(rest)?),
        _ => return Err(CommandError::SYNTAX.into()),
    };
    let now = ctx.now;
    ctx.answer::<Stream, _>(words[1], |reply, stream| {
        let group = stream.and_then(|stream| stream.groups().get(words[2]));
        let group = group.ok_or_else(|| no_group(words[1], words[2], ""))?;
        match &request {
            None => summary(reply, group),
            Some(request) => entries(reply, group, request, now),
        }
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}

fn request<'a>(words: &[&'a [u8]]) -> Result<Request<'a>, CommandError> {
    let (min_idle, rest) = match words {
        [word, idle, rest @ ..] if is(word, "idle") => (number::int(idle)?, rest),
        _ => (0, words),
    };
    let [first, last, count, rest @ ..] = rest else { return Err(CommandError::SYNTAX) };
    let count = not_negative(count)?;
    let (first, last) = (first_id(first)?, last_id(last)?);
    Ok(Request { min_idle, first, last, count, consumer: rest.first().copied() })
}

fn summary(reply: &mut Reply, group: &Group) {
    let pending = group.pending();
    reply.array(4);
    reply.count(pending.len());
    let (Some(first), Some(last)) = (pending.keys().next(), pending.keys().next_back()) else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    super::id(reply, *first);
    super::id(reply, *last);
    let (list, mut count) = (reply.defer(), 0);
    for consumer in group.consumers().filter(|consumer| !consumer.pending().is_empty()) {
        reply.array(2);
        reply.bulk(&consumer.name);
        reply.text(&consumer.pending().len().to_string());
        count += 1;
    }
    reply.settle_array(list, count);
}

fn entries(reply: &mut Reply, group: &Group, request: &Request<'_>, now: i64) {
    let all = request.first..=request.last;
    let consumer = request.consumer.map(|name| group.find_consumer(name));
    if consumer == Some(None) || request.first > request.last {
        return reply.array(0);
    }
    let consumer = consumer.flatten();
    let own = consumer.and_then(|id| group.consumer(id)).map(|it| it.pending());
    // A consumer's own entries where one is named, else all.
    let ids: Box<dyn Iterator<Item = &StreamId>> = match own {
        Some(own) => Box::new(own.range(all)),
        None => Box::new(group.pending().range(all).map(|(id, _)| id)),
    };
    let (list, mut count) = (reply.defer(), 0);
    let found = ids
        .filter_map(|id| Some((*id, group.pending().get(id)?)))
        .map(|(id, pending)| (id, pending, now.saturating_sub(pending.delivered_ms)))
        .filter(|(_, _, idle)| *idle >= request.min_idle)
        .take(request.count);
    for (id, pending, idle) in found {
        reply.array(4);
        super::id(reply, id);
        reply.bulk(group.consumer(pending.consumer).map_or(&[], |it| &it.name));
        reply.int(idle.max(0));
        reply.int(pending.deliveries.cast_signed());
        count += 1;
    }
    reply.settle_array(list, count);
}
