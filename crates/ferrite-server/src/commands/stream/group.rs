//! XGROUP: groups and their consumers.

use std::collections::btree_map::Entry;

use ferrite_store::types::Stream;
use ferrite_store::types::stream::{Group, StreamId};

use super::help_lines;
use super::words::{bound, no_group_of, strict_id, wrong_subcommand};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

const NO_KEY: CommandError = CommandError::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
const THERE: CommandError = CommandError::text("BUSYGROUP Consumer Group name already exists");

/// The options of CREATE and SETID.
#[derive(Debug, Default)]
struct Options {
    makes: bool,
    entries_read: Option<u64>,
}

fn options(words: &[&[u8]], creates: bool) -> Result<Options, CommandError> {
    let mut options = Options::default();
    let mut rest = words.get(5..).unwrap_or_default();
    while !rest.is_empty() {
        rest = match rest {
            [word, rest @ ..] if creates && is(word, "mkstream") => {
                options.makes = true;
                rest
            }
            [word, count, rest @ ..] if is(word, "entriesread") => {
                let count = number::int(count)?;
                if count < -1 {
                    let text = "ERR value for ENTRIESREAD must be positive or -1";
                    return Err(CommandError::text(text));
                }
                options.entries_read = u64::try_from(count).ok();
                rest
            }
            _ => return Err(wrong_subcommand("XGROUP", words[1])),
        };
    }
    Ok(options)
}

/// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD count]`
pub(super) fn create(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = options(words, true)?;
    let (key, name) = (words[2], words[3]);
    let last = ctx.write::<Stream>(key)?.map(|stream| stream.last_id());
    if last.is_none() && !options.makes {
        return Err(NO_KEY.into());
    }
    let begin = begin_of(words[4], last.unwrap_or_default())?;
    let stream = ctx.write_or_new(key, Stream::new)?;
    match stream.groups_mut().entry(name.to_vec()) {
        Entry::Occupied(_) => return Err(THERE.into()),
        Entry::Vacant(place) => place.insert(Group::new(begin, options.entries_read)),
    };
    ctx.changed(Class::Stream, "xgroup-create", key);
    ctx.reply.ok();
    Ok(())
}

fn begin_of(word: &[u8], last: StreamId) -> Result<StreamId, CommandError> {
    if word == b"$" { Ok(last) } else { strict_id(word, 0) }
}

/// The group that a subcommand changes, and the stream's last id.
fn find<'c>(
    ctx: &'c mut Ctx<'_>,
    words: &[&[u8]],
) -> Result<(StreamId, &'c mut Group), CommandError> {
    let (key, name) = (words[2], words[3]);
    let stream = ctx.write::<Stream>(key)?.ok_or(NO_KEY)?;
    let last = stream.last_id();
    let group = stream.groups_mut().get_mut(name);
    group.map(|group| (last, group)).ok_or_else(|| no_group_of(key, name))
}

/// `XGROUP SETID key group id|$ [ENTRIESREAD count]`
pub(super) fn setid(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let options = options(words, false)?;
    let (last, group) = find(ctx, words)?;
    group.last_id = match words[4] {
        b"$" => last,
        word => bound(word, 0)?,
    };
    group.entries_read = options.entries_read;
    ctx.changed(Class::Stream, "xgroup-setid", words[2]);
    ctx.reply.ok();
    Ok(())
}

/// `XGROUP DESTROY key group`
pub(super) fn destroy(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let stream = ctx.write::<Stream>(words[2])?.ok_or(NO_KEY)?;
    let was_there = stream.groups_mut().remove(words[3]).is_some();
    if was_there {
        ctx.changed(Class::Stream, "xgroup-destroy", words[2]);
    }
    ctx.reply.int(i64::from(was_there));
    Ok(())
}

/// `XGROUP CREATECONSUMER key group consumer`
pub(super) fn createconsumer(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let now = ctx.now;
    let (_, group) = find(ctx, words)?;
    let (_, is_new) = group.add_consumer(words[4], now);
    if is_new {
        made_consumer(ctx, words[2]);
    }
    ctx.reply.int(i64::from(is_new));
    Ok(())
}

/// A consumer was made.
pub(super) fn made_consumer(ctx: &mut Ctx<'_>, key: &[u8]) {
    ctx.note_consumer(key);
    ctx.changed(Class::Stream, "xgroup-createconsumer", key);
}

/// `XGROUP DELCONSUMER key group consumer`
pub(super) fn delconsumer(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (_, group) = find(ctx, words)?;
    let given_up = group.delete_consumer(words[4]);
    if given_up.is_some() {
        ctx.changed(Class::Stream, "xgroup-delconsumer", words[2]);
    }
    ctx.reply.count(given_up.unwrap_or(0));
    Ok(())
}

/// `XGROUP HELP`
pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    help_lines(
        &mut ctx.reply,
        &[
            "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
            "HELP",
            "    Print this help.",
        ],
    );
    Ok(())
}
