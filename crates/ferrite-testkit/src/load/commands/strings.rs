//! Strings, numbers, bitmaps, and HyperLogLogs, which are strings as well.

use super::Kind;
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

/// Bytes within which SETRANGE writes.
const MAX_OFFSET: usize = 2000;
/// Bits of a bitmap.
const BITS: u64 = 8192;

pub(super) const KINDS: &[Kind] = &[
    Kind::new(10, "SET", |m| command!["SET", m.key("string"), m.value()]),
    Kind::new(2, "SET", |m| command!["SET", m.key("string"), m.value(), "NX"]),
    Kind::new(2, "SET", |m| command!["SET", m.key("string"), m.value(), "XX", "GET"]),
    Kind::new(2, "SET", |m| command!["SET", m.key("string"), m.value(), "KEEPTTL"]),
    Kind::new(2, "SET", |m| command!["SET", m.key("number"), m.number()]),
    Kind::new(2, "SETNX", |m| command!["SETNX", m.key("string"), m.value()]),
    Kind::new(2, "GETSET", |m| command!["GETSET", m.key("string"), m.value()]),
    Kind::new(1, "GETDEL", |m| command!["GETDEL", m.key("string")]),
    Kind::new(4, "GET", |m| command!["GET", m.key("string")]),
    Kind::new(4, "APPEND", |m| command!["APPEND", m.key("string"), m.value()]),
    Kind::new(3, "SETRANGE", |m| {
        command!["SETRANGE", m.key("string"), m.below(MAX_OFFSET), m.member()]
    }),
    Kind::new(4, "INCR", |m| command!["INCR", m.key("number")]),
    Kind::new(2, "DECR", |m| command!["DECR", m.key("number")]),
    Kind::new(3, "INCRBY", |m| command!["INCRBY", m.key("number"), m.number()]),
    Kind::new(2, "DECRBY", |m| command!["DECRBY", m.key("number"), m.number()]),
    Kind::new(4, "INCRBYFLOAT", |m| command!["INCRBYFLOAT", m.key("float"), m.fraction()]),
    Kind::new(4, "SETBIT", |m| {
        command!["SETBIT", m.key("bits"), m.random.below(BITS), m.random.below(2)]
    }),
    Kind::new(4, "BITFIELD", bitfield),
    Kind::new(2, "BITOP", |m| {
        let operation = m.one_of(&["AND", "OR", "XOR"]);
        command!["BITOP", operation, m.key("bits"), m.key("bits"), m.key("bits")]
    }),
    Kind::new(4, "MSET", |m| pairs(m, "MSET")),
    Kind::new(1, "MSETNX", |m| pairs(m, "MSETNX")),
];

pub(super) const HYPERLOGLOGS: &[Kind] = &[
    Kind::new(5, "PFADD", |m| {
        let mut command = command!["PFADD", m.key("hll")];
        command.extend((0..m.count()).map(|_| m.value()));
        command
    }),
    Kind::new(2, "PFMERGE", |m| command!["PFMERGE", m.key("hll"), m.key("hll"), m.key("hll")]),
    Kind::new(1, "PFCOUNT", |m| command!["PFCOUNT", m.key("hll")]),
];

fn bitfield(m: &mut Maker) -> Command {
    let place = format!("#{}", m.random.below(BITS / 16));
    let overflow = m.one_of(&["WRAP", "SAT", "FAIL"]);
    let mut command = command!["BITFIELD", m.key("bits"), "OVERFLOW", overflow];
    command.extend(command!["INCRBY", "i16", place, m.number()]);
    command.extend(command!["SET", "u7", m.random.below(BITS), m.random.below(128)]);
    command
}

fn pairs(m: &mut Maker, name: &str) -> Command {
    let mut command = command![name];
    for _ in 0..m.count() {
        command.extend(command![m.key("string"), m.value()]);
    }
    command
}
