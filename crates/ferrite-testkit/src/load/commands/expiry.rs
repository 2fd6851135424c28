//! Keys that expire. Those named `session` live for a moment, keys of other types mostly longer.

use super::{Kind, SINCE_7_0};
use crate::load::words::command;

pub(super) const KINDS: &[Kind] = &[
    Kind::new(6, "SET", |m| {
        let (key, life) = m.short_lived();
        command!["SET", key, m.value(), "PX", life]
    }),
    Kind::new(3, "SET", |m| {
        let (key, life) = m.short_lived();
        command!["SET", key, m.value(), "PXAT", m.now_ms() + life]
    }),
    Kind::new(3, "PEXPIRE", |m| {
        let (key, life) = m.short_lived();
        command!["PEXPIRE", key, life]
    }),
    Kind::new(2, "PSETEX", |m| {
        let (key, life) = m.short_lived();
        command!["PSETEX", key, life, m.value()]
    }),
    Kind::new(2, "SET", |m| command!["SET", m.session(), m.value(), "EX", 1 + m.below(3)]),
    Kind::new(1, "SET", |m| {
        let at = m.now_ms() / 1000 + 1 + m.random.below(3);
        command!["SET", m.session(), m.value(), "EXAT", at]
    }),
    Kind::new(1, "SETEX", |m| command!["SETEX", m.session(), 1 + m.below(3), m.value()]),
    Kind::new(1, "APPEND", |m| command!["APPEND", m.session(), m.member()]),
    Kind::new(2, "GET", |m| command!["GET", m.session()]),
    Kind::new(2, "GETEX", |m| {
        let (key, life) = m.short_lived();
        command!["GETEX", key, "PX", life]
    }),
    Kind::new(1, "GETEX", |m| command!["GETEX", m.key("string"), "PERSIST"]),
    Kind::new(2, "EXPIRE", |m| command!["EXPIRE", m.any_key(), m.any_ms() / 1000 + 1]),
    Kind::new(3, "PEXPIRE", |m| command!["PEXPIRE", m.any_key(), m.any_ms()]),
    Kind::new(2, "EXPIREAT", |m| {
        command!["EXPIREAT", m.any_key(), (m.now_ms() + m.any_ms()) / 1000 + 1]
    }),
    Kind::new(2, "PEXPIREAT", |m| command!["PEXPIREAT", m.any_key(), m.now_ms() + m.any_ms()]),
    Kind::new(1, "PEXPIREAT", |m| command!["PEXPIREAT", m.any_key(), m.now_ms() - 1000]),
    Kind::new(2, SINCE_7_0, |m| {
        let option = m.one_of(&["NX", "XX", "GT", "LT"]);
        command!["PEXPIRE", m.any_key(), m.any_ms(), option]
    }),
    Kind::new(3, "PERSIST", |m| command!["PERSIST", m.any_key()]),
];
