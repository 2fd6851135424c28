//! What COMMAND INFO tells proxies and clients of clusters about a command.

use ferrite_commands::Command;

const ORDER: &str = "nondeterministic_output_order";
const CHANCE: &str = "nondeterministic_output";
const ALL_SHARDS: &str = "request_policy:all_shards";
const ALL_NODES: &str = "request_policy:all_nodes";
const MULTI_SHARD: &str = "request_policy:multi_shard";
const SPECIAL: &str = "request_policy:special";
const SPECIAL_REPLY: &str = "response_policy:special";
const SUM: &str = "response_policy:agg_sum";
const MIN: &str = "response_policy:agg_min";
const ALL_SUCCEED: &str = "response_policy:all_succeeded";
const ONE_SUCCEEDS: &str = "response_policy:one_succeeded";
const LOGICAL_AND: &str = "response_policy:agg_logical_and";

/// The tips of a command.
#[rustfmt::skip]
pub(super) fn of(command: &Command) -> &'static [&'static str] {
    match command.name {
        "config|resetstat" | "config|rewrite" | "config|set" => &[ALL_NODES, ALL_SUCCEED],
        "latency|reset" => &[ALL_NODES, SUM],
        "latency|doctor" | "latency|graph" | "latency|histogram" | "latency|history"
        | "latency|latest" => &[CHANCE, ALL_NODES, SPECIAL_REPLY],
        "slowlog|get" => &[ALL_NODES, CHANCE],
        "slowlog|len" => &[ALL_NODES, SUM, CHANCE],
        "slowlog|reset" => &[ALL_NODES, ALL_SUCCEED],
        "memory|doctor" | "memory|malloc-stats" | "memory|stats" => {
            &[CHANCE, ALL_SHARDS, SPECIAL_REPLY]
        }
        "memory|purge" => &[ALL_SHARDS, ALL_SUCCEED],
        "script|exists" => &[ALL_SHARDS, LOGICAL_AND],
        "script|flush" | "script|load" => &[ALL_NODES, ALL_SUCCEED],
        "script|kill" | "function|kill" => &[ALL_SHARDS, ONE_SUCCEEDS],
        "function|delete" | "function|flush" | "function|load" | "function|restore" => {
            &[ALL_SHARDS, ALL_SUCCEED]
        }
        "function|list" => &[ORDER],
        "function|stats" => &[CHANCE, ALL_SHARDS, SPECIAL_REPLY],
        "flushall" | "flushdb" | "ping" => &[ALL_SHARDS, ALL_SUCCEED],
        "dbsize" => &[ALL_SHARDS, SUM],
        "wait" => &[ALL_SHARDS, MIN],
        "waitaof" => &[ALL_SHARDS, MIN],
        "info" => &[CHANCE, ALL_SHARDS, SPECIAL_REPLY],
        "keys" => &[ALL_SHARDS, ORDER],
        "randomkey" => &[ALL_SHARDS, SPECIAL_REPLY, CHANCE],
        "scan" => &[CHANCE, SPECIAL, SPECIAL_REPLY],
        "mset" => &[MULTI_SHARD, ALL_SUCCEED],
        "mget" => &[MULTI_SHARD],
        "del" | "exists" | "touch" | "unlink" => &[MULTI_SHARD, SUM],
        "hgetall" | "hkeys" | "hvals" | "sdiff" | "sinter" | "smembers" | "sunion"
        | "acl|cat" | "command|docs" | "command|info" | "command|list" => &[ORDER],
        "hrandfield" | "srandmember" | "zrandmember" | "spop" | "hscan" | "sscan" | "zscan"
        | "xadd" | "xtrim" | "xclaim" | "xautoclaim" | "xpending" | "dump" | "migrate"
        | "object|freq" | "object|idletime" | "object|refcount" | "pttl" | "ttl" | "time"
        | "client|id" | "client|info" | "client|list" | "lastsave" | "role" => &[CHANCE],
        _ => &[],
    }
}
