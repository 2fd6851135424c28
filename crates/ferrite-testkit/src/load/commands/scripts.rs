//! Scripts: servers replicate their effects, also those of a script that fails later.

use super::Kind;
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

/// Writes to three keys.
const SEVERAL: &str = "redis.call('SET', KEYS[1], ARGV[1]) \
    redis.call('INCR', KEYS[2]) \
    return redis.call('RPUSH', KEYS[3], ARGV[1], ARGV[2])";
/// Writes what is different every time it runs.
const CHANCE: &str = "local now = redis.call('TIME') \
    redis.call('SADD', KEYS[1], ARGV[1], now[2]) \
    local taken = redis.call('SPOP', KEYS[1]) \
    return redis.call('ZADD', KEYS[2], now[1], taken)";
/// Writes and limits the life of what it wrote.
const EXPIRING: &str = "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) \
    return redis.call('PEXPIRE', KEYS[2], ARGV[2])";
/// Fails after its first write, which stays.
const FAILING: &str = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('LPOP', KEYS[1])";
/// Reads only.
const READING: &str = "return redis.call('EXISTS', KEYS[1])";

pub(super) const KINDS: &[Kind] = &[
    Kind::new(3, "EVAL", |m| {
        let mut command = command!["EVAL", SEVERAL, 3_u64, m.key("string"), m.key("number")];
        command.extend(command![m.key("list"), m.value(), m.member()]);
        command
    }),
    Kind::new(2, "EVAL", |m| {
        command!["EVAL", CHANCE, 2_u64, m.key("set"), m.key("zset"), m.member()]
    }),
    Kind::new(2, "EVAL", expiring),
    Kind::new(1, "EVAL", |m| command!["EVAL", FAILING, 1_u64, m.key("string"), m.value()]),
    Kind::new(1, "EVAL", |m| command!["EVAL", READING, 1_u64, m.any_key()]),
];

fn expiring(m: &mut Maker) -> Command {
    let (key, life) = m.short_lived();
    command!["EVAL", EXPIRING, 2_u64, key, m.session(), m.value(), life]
}
