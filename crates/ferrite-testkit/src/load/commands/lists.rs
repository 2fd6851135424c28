//! Lists.

use super::{Kind, SINCE_7_0};
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

/// Elements LTRIM leaves.
const KEPT: usize = 60;
/// Highest index LSET uses, in either direction.
const MAX_INDEX: i64 = 20;

pub(super) const KINDS: &[Kind] = &[
    Kind::new(5, "LPUSH", |m| push(m, "LPUSH")),
    Kind::new(5, "RPUSH", |m| push(m, "RPUSH")),
    Kind::new(1, "RPUSHX", |m| push(m, "RPUSHX")),
    Kind::new(2, "RPUSH", |m| command!["RPUSH", m.key("list"), m.value()]),
    Kind::new(3, "LPOP", |m| command!["LPOP", m.key("list")]),
    Kind::new(2, "RPOP", |m| command!["RPOP", m.key("list"), m.count()]),
    Kind::new(2, "LMPOP", |m| {
        let end = m.one_of(&["LEFT", "RIGHT"]);
        command!["LMPOP", 2_u64, m.key("list"), m.key("list"), end, "COUNT", m.count()]
    }),
    Kind::new(3, "LMOVE", |m| {
        let (from, to) = (m.one_of(&["LEFT", "RIGHT"]), m.one_of(&["LEFT", "RIGHT"]));
        command!["LMOVE", m.key("list"), m.key("list"), from, to]
    }),
    Kind::new(2, "RPOPLPUSH", |m| command!["RPOPLPUSH", m.key("list"), m.key("list")]),
    Kind::new(4, "LTRIM", |m| command!["LTRIM", m.key("list"), m.below(3), m.below(KEPT)]),
    Kind::new(3, "LREM", |m| {
        let count = m.random.below(5) as i64 - 2;
        command!["LREM", m.key("list"), count, m.member()]
    }),
    Kind::new(3, "LSET", |m| {
        let index = m.random.below(2 * MAX_INDEX as u64) as i64 - MAX_INDEX;
        command!["LSET", m.key("list"), index, m.value()]
    }),
    Kind::new(3, "LINSERT", |m| {
        let place = m.one_of(&["BEFORE", "AFTER"]);
        command!["LINSERT", m.key("list"), place, m.member(), m.member()]
    }),
    Kind::new(1, SINCE_7_0, |m| command!["LPOP", m.key("list"), 0_u64]),
];

fn push(m: &mut Maker, name: &str) -> Command {
    let mut command = command![name, m.key("list")];
    command.extend((0..m.count()).map(|_| m.member()));
    command
}
