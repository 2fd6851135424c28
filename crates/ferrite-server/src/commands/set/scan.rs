//! SSCAN.

use ferrite_store::types::Set;

use crate::commands::scan::{cursor, element, nothing, options, run};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
pub(super) fn sscan(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let from = cursor(words[2])?;
    ctx.answer::<Set, _>(words[1], |reply, set| {
        let Some(set) = set else {
            nothing(reply);
            return Ok(());
        };
        run(reply, from, options(&words[3..], false)?, |from, found| {
            set.scan(from, |member| {
                found.visit(member, |reply| {
                    element(reply, member);
                    1
                });
            })
        });
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}
