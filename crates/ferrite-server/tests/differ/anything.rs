//! Calls of every command of the catalogue with words that seldom fit: they reach the checks of
//! arguments that well-formed calls do not.

use ferrite_commands::{Command, Flag, Place};
use ferrite_testkit::dataset::Random;

use crate::grammar::Grammar;
use crate::words;

/// Words beyond the least that a command takes.
const MORE: u64 = 4;

/// Not called with arbitrary words: what ends, stalls or leaves the connection, what says who or
/// when it is, what draws lots and changes something.
const NEVER: &[&str] = &[
    "acl",
    "auth",
    "bgrewriteaof",
    "bgsave",
    "client",
    "cluster",
    "command",
    "config",
    "debug",
    "failover",
    "function",
    "hello",
    "info",
    "lastsave",
    "latency",
    "lolwut",
    "memory",
    "migrate",
    "module",
    "monitor",
    "object",
    "pfdebug",
    "pfselftest",
    "psubscribe",
    "psync",
    "punsubscribe",
    "quit",
    "randomkey",
    "readonly",
    "readwrite",
    "replconf",
    "replicaof",
    "reset",
    "restore",
    "restore-asking",
    "role",
    "save",
    "script",
    "shutdown",
    "slaveof",
    "slowlog",
    "spop",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "sync",
    "time",
    "unsubscribe",
    "wait",
    "waitaof",
    "xadd",
    "xinfo",
    "flushall",
    "asking",
    "dump",
    // It turns sorted sets into skiplists, in Redis.
    "sort",
    "sort_ro",
    // Valkey takes a start without an end.
    "bitcount",
    // The least of all integers is an index for it.
    "lset",
    // With several scores the order by name says nothing.
    "zlexcount",
    "zrangebylex",
    "zrevrangebylex",
    "zremrangebylex",
    // Redis adds with 80 bits.
    "incrbyfloat",
    "hincrbyfloat",
    "multi",
    "exec",
    "discard",
    "watch",
    // A key might expire between the two servers' turns.
    "expire",
    "expireat",
    "pexpire",
    "pexpireat",
    "setex",
    "psetex",
    "hexpire",
    "hpexpire",
    "hexpireat",
    "hpexpireat",
    "hsetex",
    "hgetex",
    // Their scans end where a table's own order ends them.
    "scan",
    "sscan",
    "hscan",
    "zscan",
];

/// The commands that may be called so, of those that `known` knows.
pub fn commands(known: impl Fn(&[u8]) -> bool) -> Vec<&'static Command> {
    let fits = |command: &&Command| {
        let blocking = command.flags.contains(Flag::Blocking);
        !blocking && !NEVER.contains(&command.name) && known(command.name.as_bytes())
    };
    ferrite_commands::all().filter(fits).collect()
}

/// A call of one of them.
pub fn command(
    commands: &[&'static Command],
    grammar: &Grammar,
    random: &mut Random,
) -> Vec<Vec<u8>> {
    let command = commands[random.below(commands.len() as u64) as usize];
    let least = u64::from(command.arity.unsigned_abs());
    let more = match command.arity < 0 || random.below(20) == 0 {
        true => random.below(MORE),
        false => 0,
    };
    let less = u64::from(random.below(20) == 0);
    let first_key = command.keys.iter().find_map(|spec| match spec.place {
        Place::Range { first, .. } => Some(u64::from(first)),
        _ => None,
    });
    let mut words = vec![command.name.as_bytes().to_vec()];
    for place in 1..(least + more - less.min(least)) {
        let word = match (first_key == Some(place), random.below(6)) {
            (true, _) => words::word("any", random),
            (_, 0) => words::word("any", random),
            (_, 1) => grammar.literal(random),
            (_, 2) => words::word("m", random),
            (_, 3) => words::word("score", random),
            _ => words::word("small", random),
        };
        words.push(word);
    }
    words
}
