//! SRANDMEMBER.

use ferrite_store::types::{Element, Set};

use crate::commands::arguments::int_between;
use crate::commands::sample::{distinct, indexes, is_few};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::random;

/// `SRANDMEMBER key [count]`: with a negative count, members may be drawn again.
pub(super) fn srandmember(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let count = match words.get(2..).unwrap_or_default() {
        [] => None,
        [count] => Some(int_between(count, -i64::MAX, i64::MAX)?),
        _ => return Err(CommandError::SYNTAX.into()),
    };
    ctx.answer::<Set, _>(words[1], |reply, set| {
        let Some(set) = set else {
            return if count.is_some() { reply.array(0) } else { reply.null() };
        };
        let Some(count) = count else {
            return match set.random(random::next) {
                Some(member) => element(reply, member),
                None => reply.null(),
            };
        };
        let many = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count < 0 {
            reply.array(many);
            for _ in 0..many {
                let Some(member) = set.random(random::next).filter(|_| !reply.is_over()) else {
                    break;
                };
                element(reply, member);
            }
        } else if many >= set.len() {
            reply.array(set.len());
            set.iter().for_each(|member| element(reply, member));
        } else if is_few(many, set.len()) {
            reply.array(many);
            let draw = || set.random(random::next).map(|member| (bytes(member), member));
            distinct(many, draw).into_iter().for_each(|member| element(reply, member));
        } else {
            reply.array(many);
            let all: Vec<_> = set.iter().collect();
            indexes(many, all.len()).into_iter().for_each(|index| element(reply, all[index]));
        }
    })?;
    Ok(())
}

fn bytes(member: Element<'_>) -> Vec<u8> {
    member.as_bytes(&mut itoa::Buffer::new()).to_vec()
}
