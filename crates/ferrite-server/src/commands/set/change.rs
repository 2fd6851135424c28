//! SADD, SREM, SMOVE.

use ferrite_store::types::Set;

use crate::ctx::{Ctx, Outcome};
use crate::notify::Class;

pub(super) fn sadd(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, members, shared) = (words[1], &words[2..], ctx.shared);
    let first = members.first().copied().unwrap_or_default();
    let new = || Set::for_members(first, members.len(), &shared.limits());
    let set = ctx.write_or_new(key, new)?;
    set.grow_for(members.len(), &shared.limits());
    let added = members.iter().filter(|member| set.add(member, &shared.limits())).count();
    if added > 0 {
        ctx.changed(Class::Set, "sadd", key);
        ctx.counts_as(added);
    }
    ctx.reply.count(added);
    Ok(())
}

pub(super) fn srem(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    let (removed, is_empty) = ctx.write::<Set>(key)?.map_or((0, false), |set| {
        let removed = words[2..].iter().filter(|member| set.remove(member)).count();
        (removed, set.is_empty())
    });
    if removed > 0 {
        ctx.taken_from(Class::Set, "srem", key, is_empty);
        ctx.counts_as(removed);
    }
    ctx.reply.count(removed);
    Ok(())
}

pub(super) fn smove(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (source, target, member, shared) = (words[1], words[2], words[3], ctx.shared);
    if ctx.find(source).is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    let is_there = ctx.write::<Set>(source)?.is_some_and(|set| set.contains(member));
    ctx.write::<Set>(target)?;
    if source == target || !is_there {
        ctx.reply.int(i64::from(is_there));
        return Ok(());
    }
    let is_empty = ctx.write::<Set>(source)?.is_some_and(|set| {
        set.remove(member);
        set.is_empty()
    });
    ctx.taken_from(Class::Set, "srem", source, is_empty);
    let set = ctx.write_or_new(target, || Set::for_members(member, 1, &shared.limits()))?;
    if set.add(member, &shared.limits()) {
        ctx.changed(Class::Set, "sadd", target);
    }
    ctx.reply.int(1);
    Ok(())
}
