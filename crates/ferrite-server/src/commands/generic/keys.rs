//! DEL, UNLINK, EXISTS, TOUCH, TYPE, DBSIZE.

use ferrite_store::table::Value;
use ferrite_store::types::Collection;

use crate::clients::Mark;
use crate::ctx::{Ctx, Outcome};
use crate::notify::Class;

pub(super) fn del(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    remove(ctx, words, |ctx, key| ctx.delete(key))
}

pub(super) fn unlink(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    remove(ctx, words, |ctx, key| ctx.unlink(key))
}

fn remove(
    ctx: &mut Ctx<'_>,
    words: &[&[u8]],
    remove: impl Fn(&mut Ctx<'_>, &[u8]) -> bool,
) -> Outcome {
    let mut removed = 0;
    for key in words.iter().skip(1) {
        if remove(ctx, key) {
            ctx.changed(Class::Generic, "del", key);
            removed += 1;
        }
    }
    ctx.reply.int(removed);
    Ok(())
}

pub(super) fn exists(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let there = words.iter().skip(1).filter(|key| ctx.look(key).is_some()).count();
    ctx.reply.count(there);
    Ok(())
}

pub(super) fn touch(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    // What it asks for is done for clients too whose commands leave the age of keys alone.
    let spares = ctx.session.client.has(Mark::NoTouch);
    ctx.session.client.mark(Mark::NoTouch, false);
    let there = words.iter().skip(1).filter(|key| ctx.value(key).is_some()).count();
    ctx.session.client.mark(Mark::NoTouch, spares);
    ctx.reply.count(there);
    Ok(())
}

pub(super) fn type_of(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let name = ctx.look(words[1]).map_or("none", type_name);
    ctx.reply.simple(name);
    Ok(())
}

/// The type of a value, as TYPE names it.
pub(super) fn type_name(value: Value<'_, Collection>) -> &'static str {
    match value {
        Value::Int(_) | Value::Bytes { .. } => "string",
        Value::Object(object) => object.type_name(),
    }
}

pub(super) fn dbsize(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let db = ctx.db();
    let size = ctx.held.shards().filter_map(|shard| shard.tables.get(db));
    let size = size.map(|table| table.len()).sum();
    ctx.reply.count(size);
    Ok(())
}
