//! Sets, in all their encodings: one in three only gets numbers.

use super::Kind;
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

/// Numbers below this are added to sets of numbers.
const NUMBERS: u64 = 100_000;

pub(super) const KINDS: &[Kind] = &[
    Kind::new(8, "SADD", |m| members(m, "SADD")),
    Kind::new(4, "SADD", |m| {
        let mut command = command!["SADD", m.key("set")];
        command.extend((0..m.count()).map(|_| m.random.below(NUMBERS).to_string().into_bytes()));
        command
    }),
    Kind::new(4, "SREM", |m| members(m, "SREM")),
    Kind::new(3, "SPOP", |m| command!["SPOP", m.key("set")]),
    Kind::new(3, "SPOP", |m| command!["SPOP", m.key("set"), m.count()]),
    Kind::new(3, "SMOVE", |m| command!["SMOVE", m.key("set"), m.key("set"), m.member()]),
    Kind::new(1, "SUNIONSTORE", |m| store(m, "SUNIONSTORE")),
    Kind::new(2, "SINTERSTORE", |m| store(m, "SINTERSTORE")),
    Kind::new(2, "SDIFFSTORE", |m| store(m, "SDIFFSTORE")),
];

fn members(m: &mut Maker, name: &str) -> Command {
    let mut command = command![name, m.key("set")];
    command.extend((0..m.count()).map(|_| m.member()));
    command
}

fn store(m: &mut Maker, name: &str) -> Command {
    command![name, m.key("set"), m.key("set"), m.key("set")]
}
