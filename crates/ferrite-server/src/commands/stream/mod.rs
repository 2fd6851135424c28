//! Streams, and the groups that read them.

mod add;
mod claim;
mod group;
mod info;
mod pending;
mod range;
mod read;
mod trim;
mod words;

use ferrite_store::types::stream::{Entry, StreamId};

use super::scan::element;
use super::{Handler, handler};
use crate::reply::Reply;

pub(super) const COMMANDS: &[Handler] = &[
    handler("xack", pending::xack),
    handler("xadd", add::xadd),
    handler("xautoclaim", claim::xautoclaim),
    handler("xclaim", claim::xclaim),
    handler("xdel", range::xdel),
    handler("xgroup|create", group::create),
    handler("xgroup|createconsumer", group::createconsumer),
    handler("xgroup|delconsumer", group::delconsumer),
    handler("xgroup|destroy", group::destroy),
    handler("xgroup|help", group::help),
    handler("xgroup|setid", group::setid),
    handler("xinfo|consumers", info::consumers),
    handler("xinfo|groups", info::groups),
    handler("xinfo|help", info::help),
    handler("xinfo|stream", info::stream),
    handler("xlen", range::xlen),
    handler("xpending", pending::xpending),
    handler("xrange", range::xrange),
    handler("xread", read::xread),
    handler("xreadgroup", read::xreadgroup),
    handler("xrevrange", range::xrevrange),
    handler("xsetid", add::xsetid),
    handler("xtrim", trim::xtrim),
];

/// Writes an id.
fn id(reply: &mut Reply, id: StreamId) {
    reply.text(&id.to_string());
}

/// Writes an entry: its id, and its names and values in turns.
fn entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    id(reply, entry.id);
    reply.array(2 * entry.len());
    for (name, value) in entry.pairs() {
        element(reply, name);
        element(reply, value);
    }
}

/// Writes lines of help.
fn help_lines(reply: &mut Reply, lines: &[&str]) {
    reply.array(lines.len());
    for line in lines {
        reply.simple(line);
    }
}
