//! Results that are stored: ZRANGESTORE, ZUNIONSTORE and their kin.

use ferrite_store::table::Content;
use ferrite_store::types::{Collection, SortedSet};

use crate::ctx::Ctx;
use crate::notify::Class;

/// Puts a result under its key, in place of whatever was there, and answers its size. Of an empty
/// result the key is deleted.
pub(in crate::commands) fn store(ctx: &mut Ctx<'_>, key: &[u8], result: SortedSet, event: &str) {
    let count = result.len();
    if count > 0 {
        ctx.put(key, Content::Object(Collection::SortedSet(result)), None);
        ctx.changed(Class::SortedSet, event, key);
    } else if ctx.delete(key) {
        ctx.changed(Class::Generic, "del", key);
    }
    ctx.reply.count(count);
}
