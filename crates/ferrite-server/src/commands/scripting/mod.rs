//! Scripts: EVAL and its kin, SCRIPT; functions: FCALL, FUNCTION.

mod eval;
mod fcall;
mod function;
mod host;
mod script;

use super::{Handler, handler};

pub(super) const COMMANDS: &[Handler] = &[
    handler("eval", eval::eval).all(),
    handler("eval_ro", eval::eval_ro).all(),
    handler("evalsha", eval::evalsha).all(),
    handler("evalsha_ro", eval::evalsha_ro).all(),
    handler("fcall", fcall::fcall).all(),
    handler("fcall_ro", fcall::fcall_ro).all(),
    handler("function|delete", function::delete).all(),
    handler("function|dump", function::dump).all(),
    handler("function|flush", function::flush).all(),
    handler("function|help", function::help),
    handler("function|kill", function::kill),
    handler("function|list", function::list).all(),
    handler("function|load", function::load).all(),
    handler("function|restore", function::restore).all(),
    handler("function|stats", function::stats),
    handler("script|exists", script::exists).all(),
    handler("script|flush", script::flush).all(),
    handler("script|help", script::help),
    handler("script|kill", script::kill),
    handler("script|load", script::load).all(),
];
