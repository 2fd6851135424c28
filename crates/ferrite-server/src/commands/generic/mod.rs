//! Keys of any type.

mod copy;
mod dump;
mod expire;
mod flush;
mod keys;
mod migrate;
mod object;
mod scan;
mod sort;

pub(super) use flush::forget_everything;
pub(super) use object::encoding_of;

use super::{Handler, handler};
use crate::ctx::Ctx;
use crate::error::CommandError;
use crate::number;

pub use migrate::Targets;

pub(super) const COMMANDS: &[Handler] = &[
    handler("copy", copy::copy),
    handler("dbsize", keys::dbsize).all(),
    handler("del", keys::del),
    handler("dump", dump::dump),
    handler("exists", keys::exists),
    handler("expire", expire::expire),
    handler("expireat", expire::expireat),
    handler("expiretime", expire::expiretime),
    handler("flushall", flush::flushall).all(),
    handler("flushdb", flush::flushdb).all(),
    handler("keys", scan::keys).all(),
    handler("migrate", migrate::migrate),
    handler("move", copy::move_to),
    handler("object|encoding", object::encoding),
    handler("object|freq", object::freq),
    handler("object|help", object::help),
    handler("object|idletime", object::idletime),
    handler("object|refcount", object::refcount),
    handler("persist", expire::persist),
    handler("pexpire", expire::pexpire),
    handler("pexpireat", expire::pexpireat),
    handler("pexpiretime", expire::pexpiretime),
    handler("pttl", expire::pttl),
    handler("randomkey", scan::randomkey).all(),
    handler("rename", copy::rename),
    handler("renamenx", copy::renamenx),
    handler("restore", dump::restore),
    handler("restore-asking", dump::restore),
    handler("scan", scan::scan).all(),
    handler("sort", sort::sort).all(),
    handler("sort_ro", sort::sort_ro).all(),
    handler("swapdb", flush::swapdb).all(),
    handler("touch", keys::touch),
    handler("ttl", expire::ttl),
    handler("type", keys::type_of),
    handler("unlink", keys::unlink),
];

/// Whether a word is this option; `option` is in lower case.
fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

/// A database by its number.
fn database(ctx: &Ctx<'_>, word: &[u8]) -> Result<usize, CommandError> {
    existing(ctx, number::int(word)?)
}

fn existing(ctx: &Ctx<'_>, number: i64) -> Result<usize, CommandError> {
    let databases = ctx.shared.store.databases();
    let db = usize::try_from(number).ok().filter(|db| *db < databases);
    db.ok_or(CommandError::text("ERR DB index is out of range"))
}

/// Does something as if another database were selected.
fn in_db<T>(ctx: &mut Ctx<'_>, db: usize, action: impl FnOnce(&mut Ctx<'_>) -> T) -> T {
    let selected = std::mem::replace(&mut ctx.session.db, db);
    let done = action(ctx);
    ctx.session.db = selected;
    done
}
