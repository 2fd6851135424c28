//! Commands on keys of any type.

use crate::table::*;

commands! { Generic;
    "copy" -3 [Write DenyOom] [Keyspace] [key(1, Read), key(2, Overwrite)] since(6, 2, 0);
    "del" -2 [Write] [Keyspace] [range(1, -1, 1, Remove)] since(1, 0, 0);
    "dump" 2 [ReadOnly] [Keyspace] [key(1, Read)] since(2, 6, 0);
    "exists" -2 [ReadOnly Fast] [Keyspace] [range(1, -1, 1, Read)] since(1, 0, 0);
    "expire" -3 [Write Fast] [Keyspace] [key(1, Update)] since(1, 0, 0);
    "expireat" -3 [Write Fast] [Keyspace] [key(1, Update)] since(1, 2, 0);
    "expiretime" 2 [ReadOnly Fast] [Keyspace] [key(1, Read)] since(7, 0, 0);
    "keys" 2 [ReadOnly] [Keyspace Dangerous] [] since(1, 0, 0);
    "migrate" -6 [Write MovableKeys] [Keyspace Dangerous]
        [key(3, Update), special(Place::MigrateKeys, Update)] since(2, 6, 0);
    "move" 3 [Write Fast] [Keyspace] [key(1, Update)] since(1, 0, 0);
    "object" -2 [] [] [] since(2, 2, 3);
    {
        "object|encoding" 3 [ReadOnly] [Keyspace] [key(2, Read)] since(2, 2, 3);
        "object|freq" 3 [ReadOnly] [Keyspace] [key(2, Read)] since(4, 0, 0);
        "object|help" 2 [Loading Stale] [Keyspace] [] since(6, 2, 0);
        "object|idletime" 3 [ReadOnly] [Keyspace] [key(2, Read)] since(2, 2, 3);
        "object|refcount" 3 [ReadOnly] [Keyspace] [key(2, Read)] since(2, 2, 3);
    }
    "persist" 2 [Write Fast] [Keyspace] [key(1, Update)] since(2, 2, 0);
    "pexpire" -3 [Write Fast] [Keyspace] [key(1, Update)] since(2, 6, 0);
    "pexpireat" -3 [Write Fast] [Keyspace] [key(1, Update)] since(2, 6, 0);
    "pexpiretime" 2 [ReadOnly Fast] [Keyspace] [key(1, Read)] since(7, 0, 0);
    "pttl" 2 [ReadOnly Fast] [Keyspace] [key(1, Read)] since(2, 6, 0);
    "randomkey" 1 [ReadOnly] [Keyspace] [] since(1, 0, 0);
    "rename" 3 [Write] [Keyspace] [key(1, Update), key(2, Overwrite)] since(1, 0, 0);
    "renamenx" 3 [Write Fast] [Keyspace] [key(1, Update), key(2, Overwrite)] since(1, 0, 0);
    "restore" -4 [Write DenyOom] [Keyspace Dangerous] [key(1, Overwrite)] since(2, 6, 0);
    "scan" -2 [ReadOnly] [Keyspace] [] since(2, 8, 0);
    "sort" -2 [Write DenyOom MovableKeys] [Set SortedSet List Dangerous]
        [key(1, Read), special(Place::SortStore, Overwrite)] since(1, 0, 0);
    "sort_ro" -2 [ReadOnly MovableKeys] [Set SortedSet List Dangerous]
        [key(1, Read), special(Place::SortStore, Overwrite)] since(7, 0, 0);
    "touch" -2 [ReadOnly Fast] [Keyspace] [range(1, -1, 1, Read)] since(3, 2, 1);
    "ttl" 2 [ReadOnly Fast] [Keyspace] [key(1, Read)] since(1, 0, 0);
    "type" 2 [ReadOnly Fast] [Keyspace] [key(1, Read)] since(1, 0, 0);
    "unlink" -2 [Write Fast] [Keyspace] [range(1, -1, 1, Remove)] since(4, 0, 0);
    "wait" 3 [Blocking] [Connection] [] since(3, 0, 0);
    "waitaof" 4 [Blocking] [Connection] [] since(7, 2, 0);
}
