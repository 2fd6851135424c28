//! Messages, functions, and what changes whole databases.

use super::Kind;
use crate::load::words::command;

/// A library with one function that writes.
const LIBRARY: &str = "#!lua name=load\n\
    redis.register_function('load_write', function(keys, args)\n\
      redis.call('SET', keys[1], args[1])\n\
      return redis.call('SADD', keys[2], args[1])\n\
    end)\n";

pub(super) const PUBLISH: &[Kind] = &[
    Kind::new(2, "PUBLISH", |m| command!["PUBLISH", m.field(), m.value()]),
    Kind::new(1, "SPUBLISH", |m| command!["SPUBLISH", m.field(), m.value()]),
];

pub(super) const FUNCTIONS: &[Kind] = &[
    Kind::new(2, "FUNCTION", |_| command!["FUNCTION", "LOAD", "REPLACE", LIBRARY]),
    Kind::new(1, "FUNCTION", |_| command!["FUNCTION", "DELETE", "load"]),
    Kind::new(3, "FCALL", |m| {
        command!["FCALL", "load_write", 2_u64, m.key("string"), m.key("set"), m.member()]
    }),
];

/// Commands asked for until one is made of those that change whole databases.
const RARELY: u64 = 250;

pub(super) const FLUSHDB: &[Kind] = &[Kind::new(1, "FLUSHDB", |m| {
    // The first database has the counters.
    if m.in_first_database() || !m.once_in(RARELY) {
        return command!["DBSIZE"];
    }
    command!["FLUSHDB"]
})];

pub(super) const SWAPDB: &[Kind] = &[Kind::new(1, "SWAPDB", |m| {
    let (one, other) = m.two_others();
    if m.once_in(RARELY) { command!["SWAPDB", one, other] } else { command!["DBSIZE"] }
})];

pub(super) const FLUSHALL: &[Kind] = &[Kind::new(1, "FLUSHALL", |m| {
    if m.once_in(RARELY) { command!["FLUSHALL"] } else { command!["DBSIZE"] }
})];
