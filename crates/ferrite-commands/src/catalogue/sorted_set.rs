//! Sorted sets.

use crate::table::*;

commands! { SortedSet;
    "bzmpop" -5 [Write Blocking MovableKeys] [SortedSet] [counted(2, 3, 1, Update)] since(7, 0, 0);
    "bzpopmax" -3 [Write Blocking Fast] [SortedSet] [range(1, -2, 1, Update)] since(5, 0, 0);
    "bzpopmin" -3 [Write Blocking Fast] [SortedSet] [range(1, -2, 1, Update)] since(5, 0, 0);
    "zadd" -4 [Write DenyOom Fast] [SortedSet] [key(1, Update)] since(1, 2, 0);
    "zcard" 2 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(1, 2, 0);
    "zcount" 4 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(2, 0, 0);
    "zdiff" -3 [ReadOnly MovableKeys] [SortedSet] [counted(1, 2, 1, Read)] since(6, 2, 0);
    "zdiffstore" -4 [Write DenyOom MovableKeys] [SortedSet]
        [key(1, Overwrite), counted(2, 3, 1, Read)] since(6, 2, 0);
    "zincrby" 4 [Write DenyOom Fast] [SortedSet] [key(1, Update)] since(1, 2, 0);
    "zinter" -3 [ReadOnly MovableKeys] [SortedSet] [counted(1, 2, 1, Read)] since(6, 2, 0);
    "zintercard" -3 [ReadOnly MovableKeys] [SortedSet] [counted(1, 2, 1, Read)] since(7, 0, 0);
    "zinterstore" -4 [Write DenyOom MovableKeys] [SortedSet]
        [key(1, Overwrite), counted(2, 3, 1, Read)] since(2, 0, 0);
    "zlexcount" 4 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(2, 8, 9);
    "zmpop" -4 [Write MovableKeys] [SortedSet] [counted(1, 2, 1, Update)] since(7, 0, 0);
    "zmscore" -3 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(6, 2, 0);
    "zpopmax" -2 [Write Fast] [SortedSet] [key(1, Update)] since(5, 0, 0);
    "zpopmin" -2 [Write Fast] [SortedSet] [key(1, Update)] since(5, 0, 0);
    "zrandmember" -2 [ReadOnly] [SortedSet] [key(1, Read)] since(6, 2, 0);
    "zrange" -4 [ReadOnly] [SortedSet] [key(1, Read)] since(1, 2, 0);
    "zrangebylex" -4 [ReadOnly] [SortedSet] [key(1, Read)] since(2, 8, 9);
    "zrangebyscore" -4 [ReadOnly] [SortedSet] [key(1, Read)] since(1, 0, 5);
    "zrangestore" -5 [Write DenyOom] [SortedSet] [key(1, Overwrite), key(2, Read)] since(6, 2, 0);
    "zrank" -3 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(2, 0, 0);
    "zrem" -3 [Write Fast] [SortedSet] [key(1, Update)] since(1, 2, 0);
    "zremrangebylex" 4 [Write] [SortedSet] [key(1, Update)] since(2, 8, 9);
    "zremrangebyrank" 4 [Write] [SortedSet] [key(1, Update)] since(2, 0, 0);
    "zremrangebyscore" 4 [Write] [SortedSet] [key(1, Update)] since(1, 2, 0);
    "zrevrange" -4 [ReadOnly] [SortedSet] [key(1, Read)] since(1, 2, 0);
    "zrevrangebylex" -4 [ReadOnly] [SortedSet] [key(1, Read)] since(2, 8, 9);
    "zrevrangebyscore" -4 [ReadOnly] [SortedSet] [key(1, Read)] since(2, 2, 0);
    "zrevrank" -3 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(2, 0, 0);
    "zscan" -3 [ReadOnly] [SortedSet] [key(1, Read)] since(2, 8, 0);
    "zscore" 3 [ReadOnly Fast] [SortedSet] [key(1, Read)] since(1, 2, 0);
    "zunion" -3 [ReadOnly MovableKeys] [SortedSet] [counted(1, 2, 1, Read)] since(6, 2, 0);
    "zunionstore" -4 [Write DenyOom MovableKeys] [SortedSet]
        [key(1, Overwrite), counted(2, 3, 1, Read)] since(2, 0, 0);
}
