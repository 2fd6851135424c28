//! Commands on keys of any type.

use super::Kind;
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

pub(super) const KINDS: &[Kind] = &[
    Kind::new(3, "RENAME", |m| {
        let (from, to) = m.any_two_keys();
        command!["RENAME", from, to]
    }),
    Kind::new(1, "RENAMENX", |m| {
        let (from, to) = m.any_two_keys();
        command!["RENAMENX", from, to]
    }),
    Kind::new(2, "COPY", |m| {
        let (from, to) = m.any_two_keys();
        command!["COPY", from, to, "REPLACE"]
    }),
    Kind::new(1, "COPY", |m| {
        let (from, to) = m.any_two_keys();
        command!["COPY", from, to]
    }),
    Kind::new(4, "DEL", |m| command!["DEL", m.any_key(), m.any_key()]),
    Kind::new(3, "UNLINK", |m| command!["UNLINK", m.any_key()]),
    Kind::new(1, "SORT", |m| command!["SORT", m.key("list"), "ALPHA", "STORE", m.key("list")]),
    Kind::new(1, "SORT", |m| {
        let order = m.one_of(&["ASC", "DESC"]);
        let mut command = command!["SORT", m.key("set"), "BY", "nosort", "LIMIT", 0_u64];
        command.extend(command![m.below(30), order, "STORE", m.key("list")]);
        command
    }),
];

pub(super) const DATABASES: &[Kind] = &[
    Kind::new(3, "MOVE", |m| command!["MOVE", m.any_key(), m.other_database()]),
    Kind::new(2, "COPY", |m| {
        let key = m.any_key();
        command!["COPY", key.clone(), key, "DB", m.other_database(), "REPLACE"]
    }),
];

pub(super) const RESTORE: &[Kind] = &[
    Kind::new(2, "DUMP", |m| command!["DUMP", m.any_key()]),
    Kind::new(3, "RESTORE", |m| restore(m, 0, &["REPLACE"])),
    Kind::new(1, "RESTORE", |m| restore(m, 0, &["REPLACE", "FREQ", "7"])),
    Kind::new(1, "RESTORE", |m| {
        let life = m.any_ms();
        restore(m, life, &["REPLACE", "IDLETIME", "60"])
    }),
    Kind::new(1, "RESTORE", |m| {
        let at = m.now_ms() + m.any_ms();
        restore(m, at, &["ABSTTL", "REPLACE"])
    }),
];

/// RESTORE under a name of its own; DUMP as long as there is nothing to restore.
fn restore(m: &mut Maker, when: u64, options: &[&str]) -> Command {
    let Some(payload) = m.payload() else { return command!["DUMP", m.any_key()] };
    let mut command = command!["RESTORE", m.key("restored"), when, payload];
    command.extend(options.iter().map(|word| word.as_bytes().to_vec()));
    command
}
