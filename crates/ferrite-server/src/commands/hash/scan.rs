//! HSCAN.

use ferrite_store::types::Hash;

use crate::commands::scan::{cursor, element, nothing, options, run};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`
pub(super) fn hscan(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let from = cursor(words[2])?;
    let now = ctx.now_of_fields();
    ctx.answer::<Hash, _>(words[1], |reply, hash| {
        let Some(hash) = hash else {
            nothing(reply);
            return Ok(());
        };
        let options = options(&words[3..], true)?;
        run(reply, from, options, |from, found| {
            hash.scan(from, |name, field| {
                if !field.is_live(now) {
                    return;
                }
                found.visit(name, |reply| {
                    element(reply, name);
                    if options.names_only {
                        return 1;
                    }
                    element(reply, field.value);
                    2
                });
            })
        });
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}
