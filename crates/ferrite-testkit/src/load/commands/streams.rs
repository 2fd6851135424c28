//! Streams, their groups, and what consumers hold.

use super::{Kind, SINCE_7_0};
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

/// Names of groups and consumers.
const GROUPS: [&str; 2] = ["first", "second"];
const CONSUMERS: [&str; 3] = ["alice", "bob", "carol"];
/// Entries that trimming leaves.
const KEPT: usize = 50;

pub(super) const KINDS: &[Kind] = &[
    Kind::new(8, "XADD", |m| {
        let mut command = command!["XADD", m.key("stream"), "*", "text", m.value()];
        (0..m.below(3)).for_each(|_| command.extend(command![m.field(), m.member()]));
        command
    }),
    Kind::new(3, "XADD", |m| {
        let mut command = command!["XADD", m.key("stream"), "MAXLEN", "~", m.below(KEPT)];
        command.extend(command!["*", "number", m.number()]);
        command
    }),
    Kind::new(2, "XADD", |m| {
        command!["XADD", m.key("stream"), "NOMKSTREAM", "MAXLEN", m.below(KEPT), "*", "a", "b"]
    }),
    Kind::new(2, SINCE_7_0, |m| {
        command!["XADD", m.key("stream"), format!("{}-*", m.now_ms() + 2), "a", m.value()]
    }),
    Kind::new(2, "XTRIM", |m| command!["XTRIM", m.key("stream"), "MAXLEN", m.below(KEPT)]),
    Kind::new(1, "XTRIM", |m| {
        let (stream, id) = m.entry();
        command!["XTRIM", stream, "MINID", id]
    }),
    Kind::new(2, "XDEL", |m| {
        let (stream, id) = m.entry();
        command!["XDEL", stream, id]
    }),
    Kind::new(1, "XSETID", |m| {
        command!["XSETID", m.key("stream"), format!("{}-7", m.now_ms() + 5)]
    }),
    Kind::new(1, SINCE_7_0, |m| {
        let id = format!("{}-9", m.now_ms() + 5);
        command![
            "XSETID",
            m.key("stream"),
            id,
            "ENTRIESADDED",
            1_000_000_u64,
            "MAXDELETEDID",
            "1-1"
        ]
    }),
    Kind::several(4, "XGROUP", complete_group),
    Kind::new(1, "XGROUP", |m| {
        let from = m.one_of(&["0", "$"]);
        command!["XGROUP", "SETID", m.key("stream"), m.one_of(&GROUPS), from]
    }),
    Kind::new(1, "XGROUP", |m| command!["XGROUP", "DESTROY", m.key("stream"), m.one_of(&GROUPS)]),
    Kind::new(2, "XREADGROUP", |m| read(m, &["NOACK"])),
];

pub(super) const GROUP_READS: &[Kind] = &[
    Kind::new(6, "XREADGROUP", |m| read(m, &[])),
    Kind::new(4, "XACK", |m| {
        let (stream, id) = m.entry();
        command!["XACK", stream, m.one_of(&GROUPS), id]
    }),
];

pub(super) const CLAIMS: &[Kind] = &[
    Kind::new(3, "XCLAIM", |m| claim(m, &["RETRYCOUNT", "3"])),
    Kind::new(1, "XCLAIM", |m| claim(m, &["FORCE", "JUSTID"])),
    Kind::new(3, "XAUTOCLAIM", |m| {
        let (group, consumer) = (m.one_of(&GROUPS), m.one_of(&CONSUMERS));
        command!["XAUTOCLAIM", m.key("stream"), group, consumer, 0_u64, "0-0", "COUNT", m.count()]
    }),
];

pub(super) const UNTOLD_CONSUMERS: &[Kind] = &[
    Kind::new(3, "XGROUP", |m| {
        let from = m.one_of(&["0", "$"]);
        command!["XGROUP", "CREATE", m.key("stream"), m.one_of(&GROUPS), from, "MKSTREAM"]
    }),
    Kind::new(1, "XGROUP", |m| {
        let (group, consumer) = (m.one_of(&GROUPS), m.one_of(&CONSUMERS));
        command!["XGROUP", "DELCONSUMER", m.key("stream"), group, consumer]
    }),
];

/// A group with all its consumers.
fn complete_group(m: &mut Maker) -> Vec<Command> {
    let (stream, group, from) = (m.key("stream"), m.one_of(&GROUPS), m.one_of(&["0", "$"]));
    let (key, mut commands) = (stream.as_str(), Vec::new());
    commands.push(command!["XGROUP", "CREATE", key, group, from, "MKSTREAM"]);
    let consumers = CONSUMERS.iter();
    commands.extend(consumers.map(|name| command!["XGROUP", "CREATECONSUMER", key, group, *name]));
    commands
}

fn read(m: &mut Maker, options: &[&str]) -> Command {
    let mut command = command!["XREADGROUP", "GROUP", m.one_of(&GROUPS), m.one_of(&CONSUMERS)];
    command.extend(command!["COUNT", m.count()]);
    command.extend(options.iter().map(|word| word.as_bytes().to_vec()));
    command.extend(command!["STREAMS", m.key("stream"), ">"]);
    command
}

fn claim(m: &mut Maker, options: &[&str]) -> Command {
    let (stream, id) = m.entry();
    let mut command = command!["XCLAIM", stream, m.one_of(&GROUPS), m.one_of(&CONSUMERS)];
    command.extend(command![0_u64, id]);
    command.extend(options.iter().map(|word| word.as_bytes().to_vec()));
    command
}
