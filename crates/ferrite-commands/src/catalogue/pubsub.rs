//! Publishing and subscribing. Shard channels have slots as keys do.

use crate::table::*;

commands! { PubSub;
    "psubscribe" -2 [PubSub NoScript Loading Stale] [] [] since(2, 0, 0);
    "publish" 3 [PubSub Loading Stale Fast] [] [] since(2, 0, 0);
    "pubsub" -2 [] [] [] since(2, 8, 0);
    {
        "pubsub|channels" -2 [PubSub Loading Stale] [] [] since(2, 8, 0);
        "pubsub|help" 2 [Loading Stale] [] [] since(6, 2, 0);
        "pubsub|numpat" 2 [PubSub Loading Stale] [] [] since(2, 8, 0);
        "pubsub|numsub" -2 [PubSub Loading Stale] [] [] since(2, 8, 0);
        "pubsub|shardchannels" -2 [PubSub Loading Stale] [] [] since(7, 0, 0);
        "pubsub|shardnumsub" -2 [PubSub Loading Stale] [] [] since(7, 0, 0);
    }
    "punsubscribe" -1 [PubSub NoScript Loading Stale] [] [] since(2, 0, 0);
    "spublish" 3 [PubSub Loading Stale Fast] [] [key(1, NotKey)] since(7, 0, 0);
    "ssubscribe" -2 [PubSub NoScript Loading Stale] [] [range(1, -1, 1, NotKey)] since(7, 0, 0);
    "subscribe" -2 [PubSub NoScript Loading Stale] [] [] since(2, 0, 0);
    "sunsubscribe" -1 [PubSub NoScript Loading Stale] [] [range(1, -1, 1, NotKey)] since(7, 0, 0);
    "unsubscribe" -1 [PubSub NoScript Loading Stale] [] [] since(2, 0, 0);
}
