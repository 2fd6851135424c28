//! Transactions.

use crate::table::*;

commands! { Transactions;
    "discard" 1 [NoScript Loading Stale Fast AllowBusy] [Transaction] [] since(2, 0, 0);
    "exec" 1 [NoScript Loading Stale SkipSlowlog] [Transaction] [] since(1, 2, 0);
    "multi" 1 [NoScript Loading Stale Fast NoMulti AllowBusy] [Transaction] [] since(1, 2, 0);
    "unwatch" 1 [NoScript Loading Stale Fast AllowBusy] [Transaction] [] since(2, 2, 0);
    "watch" -2 [NoScript Loading Stale Fast NoMulti AllowBusy] [Transaction]
        [range(1, -1, 1, Read)] since(2, 2, 0);
}
