//! XINFO: what a stream, its groups and their consumers are.

use ferrite_store::types::Stream;
use ferrite_store::types::sorted_set::Direction;
use ferrite_store::types::stream::{Consumer, Group, id};

use super::help_lines;
use super::words::{no_group_of, not_negative, wrong_subcommand};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::reply::Reply;

/// Entries and pending entries shown of a whole stream where it is not told how many.
const COUNT: usize = 10;

/// `XINFO STREAM key [FULL [COUNT count]]`
pub(super) fn stream(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let full = match words.get(3..).unwrap_or_default() {
        [] => None,
        [word] if is(word, "full") => Some(COUNT),
        [word, option, count] if is(word, "full") && is(option, "count") => {
            Some(not_negative(count)?)
        }
        _ => return Err(wrong_subcommand("XINFO", words[1]).into()),
    };
    ctx.answer::<Stream, _>(words[2], |reply, stream| {
        let stream = stream.ok_or(CommandError::NO_SUCH_KEY)?;
        reply.map(if full.is_some() { 9 } else { 10 });
        general(reply, stream);
        match full {
            Some(0) => whole(reply, stream, usize::MAX),
            Some(count) => whole(reply, stream, count),
            None => ends(reply, stream),
        }
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}

fn number(reply: &mut Reply, name: &str, value: usize) {
    reply.text(name);
    reply.count(value);
}

fn general(reply: &mut Reply, stream: &Stream) {
    number(reply, "length", stream.len());
    number(reply, "radix-tree-keys", stream.nodes());
    // A tree has its root besides.
    number(reply, "radix-tree-nodes", stream.nodes() + 1);
    for (name, value) in
        [("last-generated-id", stream.last_id()), ("max-deleted-entry-id", stream.max_deleted_id())]
    {
        reply.text(name);
        super::id(reply, value);
    }
    number(reply, "entries-added", stream.entries_added() as usize);
    reply.text("recorded-first-entry-id");
    super::id(reply, stream.first_id());
}

/// The number of groups, the first and the last entry.
fn ends(reply: &mut Reply, stream: &Stream) {
    number(reply, "groups", stream.groups().len());
    for (name, direction) in
        [("first-entry", Direction::Ascending), ("last-entry", Direction::Descending)]
    {
        reply.text(name);
        let mut is_there = false;
        stream.walk(id::MIN, id::MAX, direction, &mut |entry| {
            super::entry(reply, &entry);
            is_there = true;
            false
        });
        if !is_there {
            reply.null();
        }
    }
}

/// Entries and groups.
fn whole(reply: &mut Reply, stream: &Stream, most: usize) {
    reply.text("entries");
    let (list, mut count) = (reply.defer(), 0);
    stream.walk(id::MIN, id::MAX, Direction::Ascending, &mut |entry| {
        super::entry(reply, &entry);
        count += 1;
        count < most
    });
    reply.settle_array(list, count);
    reply.text("groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.text("name");
        reply.bulk(name);
        place(reply, stream, group);
        number(reply, "pel-count", group.pending().len());
        reply.text("pending");
        reply.array(group.pending().len().min(most));
        for (id, pending) in group.pending().iter().take(most) {
            reply.array(4);
            super::id(reply, *id);
            reply.bulk(group.consumer(pending.consumer).map_or(&[], |it| &it.name));
            reply.int(pending.delivered_ms);
            reply.int(pending.deliveries.cast_signed());
        }
        reply.text("consumers");
        reply.array(group.consumer_count());
        for consumer in group.consumers() {
            whole_consumer(reply, group, consumer, most);
        }
    }
}

/// How far a group has come.
fn place(reply: &mut Reply, stream: &Stream, group: &Group) {
    reply.text("last-delivered-id");
    super::id(reply, group.last_id);
    for (name, value) in [("entries-read", group.entries_read), ("lag", stream.lag(group))] {
        reply.text(name);
        match value {
            Some(value) => reply.count(value as usize),
            None => reply.null(),
        }
    }
}

fn whole_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, most: usize) {
    reply.map(5);
    reply.text("name");
    reply.bulk(&consumer.name);
    reply.text("seen-time");
    reply.int(consumer.seen_ms);
    reply.text("active-time");
    reply.int(consumer.active_ms);
    let own = consumer.pending();
    number(reply, "pel-count", own.len());
    reply.text("pending");
    reply.array(own.len().min(most));
    for id in own.iter().take(most) {
        let pending = group.pending().get(id);
        reply.array(3);
        super::id(reply, *id);
        reply.int(pending.map_or(0, |it| it.delivered_ms));
        reply.int(pending.map_or(0, |it| it.deliveries.cast_signed()));
    }
}

/// `XINFO GROUPS key`
pub(super) fn groups(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.answer::<Stream, _>(words[2], |reply, stream| {
        let stream = stream.ok_or(CommandError::NO_SUCH_KEY)?;
        reply.array(stream.groups().len());
        for (name, group) in stream.groups() {
            reply.map(6);
            reply.text("name");
            reply.bulk(name);
            number(reply, "consumers", group.consumer_count());
            number(reply, "pending", group.pending().len());
            place(reply, stream, group);
        }
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}

/// `XINFO CONSUMERS key group`
pub(super) fn consumers(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let now = ctx.now;
    ctx.answer::<Stream, _>(words[2], |reply, stream| {
        let stream = stream.ok_or(CommandError::NO_SUCH_KEY)?;
        let group = stream.groups().get(words[3]);
        let group = group.ok_or_else(|| no_group_of(words[2], words[3]))?;
        reply.array(group.consumer_count());
        for consumer in group.consumers() {
            reply.map(4);
            reply.text("name");
            reply.bulk(&consumer.name);
            number(reply, "pending", consumer.pending().len());
            reply.text("idle");
            reply.int(now.saturating_sub(consumer.seen_ms).max(0));
            reply.text("inactive");
            reply.int(match consumer.active_ms {
                -1 => -1,
                active => now.saturating_sub(active).max(0),
            });
        }
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}

/// `XINFO HELP`
pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    help_lines(
        &mut ctx.reply,
        &[
            "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
            "HELP",
            "    Print this help.",
        ],
    );
    Ok(())
}
