//! HPERSIST.

use ferrite_store::types::Hash;

use super::named::{NOT_POSITIVE, Told, fields};
use crate::ctx::{Ctx, Outcome};

const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;
const PERSISTED: i64 = 1;

/// `HPERSIST key FIELDS numfields field ...`
pub(super) fn hpersist(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    ctx.expire_fields(key)?;
    let names = fields(&words[2..], NOT_POSITIVE)?;
    let told = ctx.change::<Hash, _>(key, |reply, mut hash| {
        reply.array(names.len());
        let mut told = Told::default();
        for name in names {
            let old = hash.as_ref().and_then(|hash| hash.get(name)).map(|field| field.expires_at);
            match (old, hash.as_mut()) {
                (Some(Some(_)), Some(hash)) => {
                    hash.set_expiry(name, None);
                    told.persisted.push(*name);
                    reply.int(PERSISTED);
                }
                (Some(None), _) => reply.int(NO_EXPIRY),
                _ => reply.int(NO_FIELD),
            }
        }
        told
    })?;
    told.tell(ctx, key, 0, false);
    Ok(())
}
