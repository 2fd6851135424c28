//! Strings.

mod count;
mod get;
mod lcs;
mod range;
mod set;

use super::{Handler, handler};

pub(super) const COMMANDS: &[Handler] = &[
    handler("append", range::append),
    handler("decr", |ctx, words| count::by(ctx, words, -1)),
    handler("decrby", count::decrby),
    handler("get", get::get),
    handler("getdel", get::getdel),
    handler("getex", get::getex),
    handler("getrange", range::getrange),
    handler("getset", set::getset),
    handler("incr", |ctx, words| count::by(ctx, words, 1)),
    handler("incrby", count::incrby),
    handler("incrbyfloat", count::incrbyfloat),
    handler("lcs", lcs::lcs),
    handler("mget", get::mget),
    handler("mset", set::mset),
    handler("msetnx", set::msetnx),
    handler("psetex", set::psetex),
    handler("set", set::set),
    handler("setex", set::setex),
    handler("setnx", set::setnx),
    handler("setrange", range::setrange),
    handler("strlen", range::strlen),
    handler("substr", range::getrange),
];
