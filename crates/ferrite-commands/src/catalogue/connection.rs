//! The connection: who, which database, which protocol.

use crate::table::*;

commands! { Connection;
    "auth" -2 [NoScript Loading Stale Fast NoAuth AllowBusy] [Connection] [] since(1, 0, 0);
    "client" -2 [] [] [] since(2, 4, 0);
    {
        "client|caching" 3 [NoScript Loading Stale AllowBusy] [Connection] [] since(6, 0, 0);
        "client|capa" -3 [NoScript Loading Stale AllowBusy] [Connection] [] valkey(8, 0, 0);
        "client|getname" 2 [NoScript Loading Stale AllowBusy] [Connection] [] since(2, 6, 9);
        "client|getredir" 2 [NoScript Loading Stale AllowBusy] [Connection] [] since(6, 0, 0);
        "client|help" 2 [Loading Stale] [Connection] [] since(5, 0, 0);
        "client|id" 2 [NoScript Loading Stale AllowBusy] [Connection] [] since(5, 0, 0);
        "client|import-source" 3 [NoScript Loading Stale] [Connection] [] valkey(8, 1, 0);
        "client|info" 2 [NoScript Loading Stale] [Connection] [] since(6, 2, 0);
        "client|kill" -3 [Admin NoScript Loading Stale] [Connection] [] since(2, 4, 0);
        "client|list" -2 [Admin NoScript Loading Stale] [Connection] [] since(2, 4, 0);
        "client|no-evict" 3 [Admin NoScript Loading Stale AllowBusy] [Connection] [] since(7, 0, 0);
        "client|no-touch" 3 [NoScript Loading Stale AllowBusy] [Connection] [] since(7, 2, 0);
        "client|pause" -3 [Admin NoScript Loading Stale] [Connection] [] since(3, 0, 0);
        "client|reply" 3 [NoScript Loading Stale NoMulti AllowBusy] [Connection] [] since(3, 2, 0);
        "client|setinfo" 4 [NoScript Loading Stale AllowBusy] [Connection] [] since(7, 2, 0);
        "client|setname" 3 [NoScript Loading Stale AllowBusy] [Connection] [] since(2, 6, 9);
        "client|tracking" -3 [NoScript Loading Stale] [Connection] [] since(6, 0, 0);
        "client|trackinginfo" 2 [NoScript Loading Stale] [Connection] [] since(6, 2, 0);
        "client|unblock" -3 [Admin NoScript Loading Stale] [Connection] [] since(5, 0, 0);
        "client|unpause" 2 [Admin NoScript Loading Stale] [Connection] [] since(6, 2, 0);
    }
    "echo" 2 [Loading Stale Fast] [Connection] [] since(1, 0, 0);
    "hello" -1 [NoScript Loading Stale Fast NoAuth AllowBusy] [Connection] [] since(6, 0, 0);
    "ping" -1 [Fast] [Connection] [] since(1, 0, 0);
    "quit" -1 [NoScript Loading Stale Fast NoAuth AllowBusy] [Connection] [] since(1, 0, 0);
    "reset" 1 [NoScript Loading Stale Fast NoAuth AllowBusy] [Connection] [] since(6, 2, 0);
    "select" 2 [Loading Stale Fast AllowBusy] [Connection] [] since(1, 0, 0);
}
