//! Hashes, and fields of hashes that expire.

use super::Kind;
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

pub(super) const KINDS: &[Kind] = &[
    Kind::new(8, "HSET", |m| fields(m, "HSET")),
    Kind::new(1, "HMSET", |m| fields(m, "HMSET")),
    Kind::new(2, "HSETNX", |m| command!["HSETNX", m.key("hash"), m.field(), m.value()]),
    Kind::new(4, "HINCRBY", |m| {
        command!["HINCRBY", m.key("hash"), format!("count:{}", m.below(5)), m.number()]
    }),
    Kind::new(3, "HINCRBYFLOAT", |m| {
        command!["HINCRBYFLOAT", m.key("hash"), format!("sum:{}", m.below(5)), m.fraction()]
    }),
    Kind::new(4, "HDEL", |m| command!["HDEL", m.key("hash"), m.field(), m.field(), m.field()]),
    Kind::new(1, "HGETDEL", |m| command!["HGETDEL", m.key("hash"), "FIELDS", 1_u64, m.field()]),
];

pub(super) const FIELD_EXPIRY: &[Kind] = &[
    Kind::new(2, "HEXPIRE", |m| {
        let seconds = m.any_ms() / 1000 + 1;
        expire(m, "HEXPIRE", seconds)
    }),
    Kind::new(3, "HPEXPIRE", |m| {
        let life = m.short_ms();
        expire(m, "HPEXPIRE", life)
    }),
    Kind::new(2, "HPEXPIREAT", |m| {
        let at = m.now_ms() + m.any_ms();
        expire(m, "HPEXPIREAT", at)
    }),
    Kind::new(1, "HEXPIREAT", |m| {
        let at = (m.now_ms() + m.any_ms()) / 1000 + 1;
        expire(m, "HEXPIREAT", at)
    }),
    Kind::new(2, "HPERSIST", |m| command!["HPERSIST", m.key("hash"), "FIELDS", 1_u64, m.field()]),
    Kind::new(2, "HSETEX", |m| {
        let mut command = command!["HSETEX", m.key("hash"), "PX", m.any_ms(), "FIELDS", 2_u64];
        command.extend(command![m.field(), m.value(), m.field(), m.value()]);
        command
    }),
    Kind::new(1, "HSETEX", |m| {
        command!["HSETEX", m.key("hash"), "KEEPTTL", "FIELDS", 1_u64, m.field(), m.value()]
    }),
    Kind::new(2, "HGETEX", |m| {
        command!["HGETEX", m.key("hash"), "PX", m.any_ms(), "FIELDS", 1_u64, m.field()]
    }),
];

fn fields(m: &mut Maker, name: &str) -> Command {
    let mut command = command![name, m.key("hash")];
    for _ in 0..m.count() {
        command.extend(command![m.field(), m.value()]);
    }
    command
}

fn expire(m: &mut Maker, name: &str, when: u64) -> Command {
    let mut command = command![name, m.key("hash"), when];
    if m.once_in(4) {
        command.extend(command![m.one_of(&["NX", "XX", "GT", "LT"])]);
    }
    command.extend(command!["FIELDS", 2_u64, m.field(), m.field()]);
    command
}
