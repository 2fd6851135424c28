//! SCARD, SISMEMBER, SMISMEMBER, SMEMBERS.

use ferrite_store::types::Set;

use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};

pub(super) fn scard(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let members = ctx.read::<Set>(words[1])?.map_or(0, Set::len);
    ctx.reply.count(members);
    Ok(())
}

pub(super) fn sismember(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let is_there = ctx.read::<Set>(words[1])?.is_some_and(|set| set.contains(words[2]));
    ctx.reply.int(i64::from(is_there));
    Ok(())
}

pub(super) fn smismember(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.answer::<Set, _>(words[1], |reply, set| {
        reply.array(words.len() - 2);
        for member in &words[2..] {
            reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
        }
    })?;
    Ok(())
}

pub(super) fn smembers(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.answer::<Set, _>(words[1], |reply, set| {
        reply.set(set.map_or(0, Set::len));
        set.into_iter().flat_map(Set::iter).for_each(|member| element(reply, member));
    })?;
    Ok(())
}
