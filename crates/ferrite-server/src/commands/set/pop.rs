//! SPOP. Replicas are told which members were taken.

use ferrite_store::types::Set;

use crate::commands::arguments::positive;
use crate::commands::sample::{distinct, indexes, is_few};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome, deletion};
use crate::error::CommandError;
use crate::notify::Class;
use crate::random;

/// Members that one SREM for replicas names, at most.
const MEMBERS_PER_SREM: usize = 1024;

/// `SPOP key [count]`
pub(super) fn spop(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words.get(2..).unwrap_or_default() {
        [] => one(ctx, words[1]),
        [count] => many(ctx, words[1], positive(count)?),
        _ => Err(CommandError::SYNTAX.into()),
    }
}

fn one(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let popped = ctx.change::<Set, _>(key, |reply, set| {
        let Some(set) = set else {
            reply.null();
            return None;
        };
        let member = set.random(random::next)?.as_bytes(&mut itoa::Buffer::new()).to_vec();
        set.remove(&member);
        reply.bulk(&member);
        Some((member, set.is_empty()))
    })?;
    if let Some((member, is_empty)) = popped {
        ctx.propagate_instead(&[b"SREM", key, &member]);
        ctx.taken_from(Class::Set, "spop", key, is_empty);
    }
    Ok(())
}

fn many(ctx: &mut Ctx<'_>, key: &[u8], count: usize) -> Outcome {
    let popped = ctx.change::<Set, _>(key, |reply, set| {
        let Some(set) = set.filter(|_| count > 0) else {
            reply.set(0);
            return None;
        };
        if count >= set.len() {
            reply.set(set.len());
            set.iter().for_each(|member| element(reply, member));
            return Some((Vec::new(), set.len(), true));
        }
        let members = take(set, count);
        reply.set(members.len());
        members.iter().for_each(|member| reply.bulk(member));
        let count = members.len();
        Some((members, count, false))
    })?;
    let Some((members, count, is_all)) = popped else { return Ok(()) };
    if is_all {
        let lazy = ctx.shared.config.lazy_free.lazy_server_del.get();
        ctx.propagate_instead(&[deletion(lazy), key]);
    }
    for members in members.chunks(MEMBERS_PER_SREM) {
        let mut words = vec![&b"SREM"[..], key];
        words.extend(members.iter().map(Vec::as_slice));
        ctx.propagate_instead(&words);
    }
    ctx.taken_from(Class::Set, "spop", key, is_all);
    ctx.counts_as(count);
    Ok(())
}

/// Takes as many members out by chance, fewer than there are.
fn take(set: &mut Set, count: usize) -> Vec<Vec<u8>> {
    let members = if is_few(count, set.len()) {
        distinct(count, || {
            let member = set.random(random::next)?;
            let member = member.as_bytes(&mut itoa::Buffer::new()).to_vec();
            Some((member.clone(), member))
        })
    } else {
        let all: Vec<_> = set.iter().collect();
        let bytes = |index: usize| all[index].as_bytes(&mut itoa::Buffer::new()).to_vec();
        indexes(count, all.len()).into_iter().map(bytes).collect()
    };
    for member in &members {
        set.remove(member);
    }
    members
}
