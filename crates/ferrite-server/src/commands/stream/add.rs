//! XADD and XSETID.

use ferrite_store::types::Stream;
use ferrite_store::types::stream::{MAX_NODE_BYTES, StreamId, Trim, id};

use super::trim::{Options, exactly};
use super::words::strict_id;
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

const TOO_SMALL: CommandError = CommandError::text(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const ZERO: CommandError =
    CommandError::text("ERR The ID specified in XADD must be greater than 0-0");
const EXHAUSTED: CommandError = CommandError::text(
    "ERR The stream has exhausted the last possible ID, unable to add more items",
);
const TOO_LARGE: CommandError = CommandError::text("ERR Elements are too large to be stored");

/// The id that an entry is to get.
#[derive(Debug, Clone, Copy)]
enum NewId {
    /// `*`
    Auto,
    /// `ms-*`
    AutoSequence(u64),
    Given(StreamId),
}

impl NewId {
    fn parse(word: &[u8]) -> Result<Self, CommandError> {
        if word == b"*" {
            return Ok(Self::Auto);
        }
        if let Some(ms) = word.strip_suffix(b"-*") {
            return strict_id(ms, 0).map(|id| Self::AutoSequence(id.ms));
        }
        match strict_id(word, 0)? {
            id::MIN => Err(ZERO),
            given => Ok(Self::Given(given)),
        }
    }

    /// The id behind the last one.
    fn resolve(self, last: StreamId, now: i64) -> Result<StreamId, CommandError> {
        if last == id::MAX {
            return Err(EXHAUSTED);
        }
        let now = u64::try_from(now).unwrap_or(0);
        let new = match self {
            Self::Auto if now > last.ms => StreamId { ms: now, seq: 0 },
            Self::Auto => id::successor(last).ok_or(TOO_SMALL)?,
            Self::AutoSequence(ms) if ms == last.ms => {
                StreamId { ms, seq: last.seq.checked_add(1).ok_or(TOO_SMALL)? }
            }
            Self::AutoSequence(ms) => StreamId { ms, seq: 0 },
            Self::Given(given) => given,
        };
        if new > last { Ok(new) } else { Err(TOO_SMALL) }
    }
}

/// `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value …`
pub(super) fn xadd(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mut options = Options::default();
    let mut may_make = true;
    let mut rest = words.get(2..).unwrap_or_default();
    let (new_id, fields) = loop {
        let Some((word, behind)) = rest.split_first() else {
            return Err(CommandError::arity("xadd").into());
        };
        if *word == b"*" {
            break (NewId::Auto, behind);
        }
        if let Some(behind) = options.read(rest)? {
            rest = behind;
        } else if is(word, "nomkstream") {
            may_make = false;
            rest = behind;
        } else {
            let first_of_zero = *word == b"0-0" || *word == b"0";
            match NewId::parse(word) {
                // The number of words is looked at before this.
                Err(error) if first_of_zero && behind.len().is_multiple_of(2) => {
                    return Err(error.into());
                }
                Err(error) if !first_of_zero => return Err(error.into()),
                Ok(new_id) => break (new_id, behind),
                Err(_) => return Err(CommandError::arity("xadd").into()),
            }
        }
    };
    let trim = options.finish(ctx.shared.limits().stream_node_max_entries)?;
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(CommandError::arity("xadd").into());
    }
    if fields.iter().map(|field| field.len()).sum::<usize>() > MAX_NODE_BYTES {
        return Err(TOO_LARGE.into());
    }
    add(ctx, words[1], new_id, fields, trim.as_ref(), may_make)
}

fn add(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    new_id: NewId,
    fields: &[&[u8]],
    trim: Option<&Trim>,
    may_make: bool,
) -> Outcome {
    let (now, limits) = (ctx.now, ctx.shared.limits());
    let listening = ctx.effects.listening;
    let last = ctx.write::<Stream>(key)?.map(|stream| stream.last_id());
    if last.is_none() && !may_make {
        ctx.reply.null();
        return Ok(());
    }
    let added = new_id.resolve(last.unwrap_or_default(), now)?;
    let stream = ctx.write_or_new(key, Stream::new)?;
    stream.append(added, fields, &limits);
    let taken = trim.map_or(0, |trim| stream.trim(trim));
    let text = added.to_string();
    let mut told: Vec<Vec<u8>> = Vec::new();
    if listening {
        told.extend([b"XADD".to_vec(), key.to_vec()]);
        told.extend(trim.into_iter().flat_map(|trim| exactly(trim, stream)));
        told.push(text.clone().into());
        told.extend(fields.iter().map(|field| field.to_vec()));
    }
    ctx.changed(Class::Stream, "xadd", key);
    if taken > 0 {
        ctx.notify(Class::Stream, "xtrim", key);
    }
    ctx.propagate_instead(&told);
    ctx.reply.text(&text);
    Ok(())
}

/// `XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]`
pub(super) fn xsetid(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let last = strict_id(words[2], 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut rest = words.get(3..).unwrap_or_default();
    while !rest.is_empty() {
        rest = match rest {
            [word, count, rest @ ..] if is(word, "entriesadded") => {
                let negative = CommandError::text("ERR entries_added must be positive");
                added = Some(u64::try_from(number::int(count)?).map_err(|_| negative)?);
                rest
            }
            [word, deleted, rest @ ..] if is(word, "maxdeletedid") => {
                max_deleted = Some(strict_id(deleted, 0)?);
                rest
            }
            _ => return Err(CommandError::SYNTAX.into()),
        };
        if max_deleted.is_some_and(|deleted| last < deleted) {
            let text =
                "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
            return Err(CommandError::text(text).into());
        }
    }
    let stream = ctx.write::<Stream>(words[1])?.ok_or(CommandError::NO_SUCH_KEY)?;
    if let Some(text) = refusal(stream, last, added) {
        return Err(CommandError::text(text).into());
    }
    stream.set_ids(last, added, max_deleted.filter(|id| *id != id::MIN));
    ctx.changed(Class::Stream, "xsetid", words[1]);
    ctx.reply.ok();
    Ok(())
}

/// Why a stream cannot have this last id.
fn refusal(stream: &Stream, last: StreamId, added: Option<u64>) -> Option<&'static str> {
    if last < stream.max_deleted_id() {
        return Some("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    }
    if stream.is_empty() {
        return None;
    }
    if last < stream.last_entry_id() {
        return Some("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    added.is_some_and(|added| added < stream.len() as u64).then_some(
        "ERR The entries_added specified in XSETID is smaller than the target stream length",
    )
}
