//! Administration, replication, introspection.

use crate::table::*;

commands! { Server;
    "acl" -2 [] [] [] since(6, 0, 0);
    {
        "acl|cat" -2 [NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|deluser" -3 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|dryrun" -4 [Admin NoScript Loading Stale] [] [] since(7, 0, 0);
        "acl|genpass" -2 [NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|getuser" 3 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|help" 2 [Loading Stale] [] [] since(6, 0, 0);
        "acl|list" 2 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|load" 2 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|log" -2 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|save" 2 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|setuser" -3 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|users" 2 [Admin NoScript Loading Stale] [] [] since(6, 0, 0);
        "acl|whoami" 2 [NoScript Loading Stale] [] [] since(6, 0, 0);
    }
    "backup" -2 [] [] [] redis(8, 10, 0);
    {
        "backup|abort" -2 [Admin NoScript] [] [] redis(8, 10, 0);
        "backup|cleanup" -2 [Admin NoScript] [] [] redis(8, 10, 0);
        "backup|help" -2 [] [] [] redis(8, 10, 0);
        "backup|list" -2 [Admin NoScript] [] [] redis(8, 10, 0);
        "backup|seal" -2 [Admin NoScript] [] [] redis(8, 10, 0);
        "backup|start" -2 [Admin NoScript] [] [] redis(8, 10, 0);
        "backup|status" -2 [Admin NoScript] [] [] redis(8, 10, 0);
    }
    "bgrewriteaof" 1 [Admin NoScript NoAsyncLoading] [] [] since(1, 0, 0);
    "bgsave" -1 [Admin NoScript NoAsyncLoading] [] [] since(1, 0, 0);
    "command" -1 [Loading Stale] [Connection] [] since(2, 8, 13);
    {
        "command|count" 2 [Loading Stale] [Connection] [] since(2, 8, 13);
        "command|docs" -2 [Loading Stale] [Connection] [] since(7, 0, 0);
        "command|getkeys" -3 [Loading Stale] [Connection] [] since(2, 8, 13);
        "command|getkeysandflags" -3 [Loading Stale] [Connection] [] since(7, 0, 0);
        "command|help" 2 [Loading Stale] [Connection] [] since(5, 0, 0);
        "command|info" -2 [Loading Stale] [Connection] [] since(2, 8, 13);
        "command|list" -2 [Loading Stale] [Connection] [] since(7, 0, 0);
    }
    "commandlog" -2 [] [] [] valkey(8, 1, 0);
    {
        "commandlog|get" 4 [Admin Loading Stale] [] [] valkey(8, 1, 0);
        "commandlog|help" 2 [Loading Stale] [] [] valkey(8, 1, 0);
        "commandlog|len" 3 [Admin Loading Stale] [] [] valkey(8, 1, 0);
        "commandlog|reset" 3 [Admin Loading Stale] [] [] valkey(8, 1, 0);
    }
    "config" -2 [] [] [] since(2, 0, 0);
    {
        "config|get" -3 [Admin NoScript Loading Stale] [] [] since(2, 0, 0);
        "config|help" 2 [Loading Stale] [] [] since(5, 0, 0);
        "config|resetstat" 2 [Admin NoScript Loading Stale] [] [] since(2, 0, 0);
        "config|rewrite" 2 [Admin NoScript Loading Stale] [] [] since(2, 8, 0);
        "config|set" -4 [Admin NoScript Loading Stale] [] [] since(2, 0, 0);
    }
    "dbsize" 1 [ReadOnly Fast] [Keyspace] [] since(1, 0, 0);
    "debug" -2 [Admin NoScript Loading Stale] [] [] since(1, 0, 0);
    "failover" -1 [Admin NoScript Stale] [] [] since(6, 2, 0);
    "flushall" -1 [Write] [Keyspace Dangerous] [] since(1, 0, 0);
    "flushdb" -1 [Write] [Keyspace Dangerous] [] since(1, 0, 0);
    "hotkeys" -2 [] [] [] redis(8, 6, 0);
    {
        "hotkeys|get" 2 [Admin NoScript] [] [] redis(8, 6, 0);
        "hotkeys|help" 2 [] [] [] redis(8, 6, 1);
        "hotkeys|reset" 2 [Admin NoScript] [] [] redis(8, 6, 0);
        "hotkeys|start" -2 [Admin NoScript] [] [] redis(8, 6, 0);
        "hotkeys|stop" 2 [Admin NoScript] [] [] redis(8, 6, 0);
    }
    "info" -1 [Loading Stale] [Dangerous] [] since(1, 0, 0);
    "lastsave" 1 [Loading Stale Fast] [Admin Dangerous] [] since(1, 0, 0);
    "latency" -2 [] [] [] since(2, 8, 13);
    {
        "latency|doctor" 2 [Admin NoScript Loading Stale] [] [] since(2, 8, 13);
        "latency|graph" 3 [Admin NoScript Loading Stale] [] [] since(2, 8, 13);
        "latency|help" 2 [Loading Stale] [] [] since(2, 8, 13);
        "latency|histogram" -2 [Admin NoScript Loading Stale] [] [] since(7, 0, 0);
        "latency|history" 3 [Admin NoScript Loading Stale] [] [] since(2, 8, 13);
        "latency|latest" 2 [Admin NoScript Loading Stale] [] [] since(2, 8, 13);
        "latency|reset" -2 [Admin NoScript Loading Stale] [] [] since(2, 8, 13);
    }
    "lolwut" -1 [ReadOnly Fast] [] [] since(5, 0, 0);
    "memory" -2 [] [] [] since(4, 0, 0);
    {
        "memory|doctor" 2 [] [] [] since(4, 0, 0);
        "memory|help" 2 [Loading Stale] [] [] since(4, 0, 0);
        "memory|malloc-stats" 2 [Loading] [] [] since(4, 0, 0);
        "memory|purge" 2 [Loading] [] [] since(4, 0, 0);
        "memory|stats" 2 [] [] [] since(4, 0, 0);
        "memory|usage" -3 [ReadOnly] [] [key(2, Read)] since(4, 0, 0);
    }
    "module" -2 [] [] [] since(4, 0, 0);
    {
        "module|help" 2 [Loading Stale] [] [] since(5, 0, 0);
        "module|list" 2 [Admin NoScript] [] [] since(4, 0, 0);
        "module|load" -3 [Admin NoScript NoAsyncLoading] [] [] since(4, 0, 0);
        "module|loadex" -3 [Admin NoScript NoAsyncLoading] [] [] since(7, 0, 0);
        "module|unload" 3 [Admin NoScript NoAsyncLoading] [] [] since(4, 0, 0);
    }
    "monitor" 1 [Admin NoScript Loading Stale] [] [] since(1, 0, 0);
    "psync" -3 [Admin NoScript NoMulti NoAsyncLoading] [] [] since(2, 8, 0);
    "replconf" -1 [Admin NoScript Loading Stale AllowBusy] [] [] since(3, 0, 0);
    "replicaof" 3 [Admin NoScript Stale NoAsyncLoading] [] [] since(5, 0, 0);
    "restore-asking" -4 [Write DenyOom Asking] [Keyspace Dangerous]
        [key(1, Overwrite)] since(3, 0, 0);
    "role" 1 [NoScript Loading Stale Fast] [Admin Dangerous] [] since(2, 8, 12);
    "save" 1 [Admin NoScript NoMulti NoAsyncLoading] [] [] since(1, 0, 0);
    "shutdown" -1 [Admin NoScript Loading Stale NoMulti AllowBusy] [] [] since(1, 0, 0);
    "slaveof" 3 [Admin NoScript Stale NoAsyncLoading] [] [] since(1, 0, 0);
    "slowlog" -2 [] [] [] since(2, 2, 12);
    {
        "slowlog|get" -2 [Admin Loading Stale] [] [] since(2, 2, 12);
        "slowlog|help" 2 [Loading Stale] [] [] since(6, 2, 0);
        "slowlog|len" 2 [Admin Loading Stale] [] [] since(2, 2, 12);
        "slowlog|reset" 2 [Admin Loading Stale] [] [] since(2, 2, 12);
    }
    "swapdb" 3 [Write Fast] [Keyspace Dangerous] [] since(4, 0, 0);
    "sync" 1 [Admin NoScript NoMulti NoAsyncLoading] [] [] since(1, 0, 0);
    "time" 1 [Loading Stale Fast] [] [] since(2, 6, 0);
}
