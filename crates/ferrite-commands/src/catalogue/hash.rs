//! Hashes, and the expiry of their fields.

use crate::table::*;

commands! { Hash;
    "hdel" -3 [Write Fast] [Hash] [key(1, Update)] since(2, 0, 0);
    "hexists" 3 [ReadOnly Fast] [Hash] [key(1, Read)] since(2, 0, 0);
    "hexpire" -6 [Write Fast] [Hash] [key(1, Update)] both((7, 4, 0), (9, 0, 0));
    "hexpireat" -6 [Write Fast] [Hash] [key(1, Update)] both((7, 4, 0), (9, 0, 0));
    "hexpiretime" -5 [ReadOnly Fast] [Hash] [key(1, Read)] both((7, 4, 0), (9, 0, 0));
    "hget" 3 [ReadOnly Fast] [Hash] [key(1, Read)] since(2, 0, 0);
    "hgetall" 2 [ReadOnly] [Hash] [key(1, Read)] since(2, 0, 0);
    "hgetdel" -5 [Write Fast] [Hash] [key(1, Update)] both((8, 0, 0), (9, 1, 0));
    "hgetex" -5 [Write Fast] [Hash] [key(1, Update)] both((8, 0, 0), (9, 0, 0));
    "himport" -2 [] [Hash] [] redis(8, 10, 0);
    {
        "himport|discard" 3 [] [Hash] [] redis(8, 10, 0);
        "himport|discardall" 2 [] [Hash] [] redis(8, 10, 0);
        "himport|prepare" -4 [DenyOom] [Hash] [] redis(8, 10, 0);
        "himport|set" -5 [Write DenyOom] [Hash] [key(2, Overwrite)] redis(8, 10, 0);
    }
    "hincrby" 4 [Write DenyOom Fast] [Hash] [key(1, Update)] since(2, 0, 0);
    "hincrbyfloat" 4 [Write DenyOom Fast] [Hash] [key(1, Update)] since(2, 6, 0);
    "hkeys" 2 [ReadOnly] [Hash] [key(1, Read)] since(2, 0, 0);
    "hlen" 2 [ReadOnly Fast] [Hash] [key(1, Read)] since(2, 0, 0);
    "hmget" -3 [ReadOnly Fast] [Hash] [key(1, Read)] since(2, 0, 0);
    "hmset" -4 [Write DenyOom Fast] [Hash] [key(1, Update)] since(2, 0, 0);
    "hpersist" -5 [Write Fast] [Hash] [key(1, Update)] both((7, 4, 0), (9, 0, 0));
    "hpexpire" -6 [Write Fast] [Hash] [key(1, Update)] both((7, 4, 0), (9, 0, 0));
    "hpexpireat" -6 [Write Fast] [Hash] [key(1, Update)] both((7, 4, 0), (9, 0, 0));
    "hpexpiretime" -5 [ReadOnly Fast] [Hash] [key(1, Read)] both((7, 4, 0), (9, 0, 0));
    "hpttl" -5 [ReadOnly Fast] [Hash] [key(1, Read)] both((7, 4, 0), (9, 0, 0));
    "hrandfield" -2 [ReadOnly] [Hash] [key(1, Read)] since(6, 2, 0);
    "hscan" -3 [ReadOnly] [Hash] [key(1, Read)] since(2, 8, 0);
    "hset" -4 [Write DenyOom Fast] [Hash] [key(1, Update)] since(2, 0, 0);
    "hsetex" -6 [Write DenyOom Fast] [Hash] [key(1, Update)] both((8, 0, 0), (9, 0, 0));
    "hsetnx" 4 [Write DenyOom Fast] [Hash] [key(1, Update)] since(2, 0, 0);
    "hstrlen" 3 [ReadOnly Fast] [Hash] [key(1, Read)] since(3, 2, 0);
    "httl" -5 [ReadOnly Fast] [Hash] [key(1, Read)] both((7, 4, 0), (9, 0, 0));
    "hvals" 2 [ReadOnly] [Hash] [key(1, Read)] since(2, 0, 0);
}
