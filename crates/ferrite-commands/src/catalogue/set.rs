//! Sets.

use crate::table::*;

commands! { Set;
    "sadd" -3 [Write DenyOom Fast] [Set] [key(1, Update)] since(1, 0, 0);
    "scard" 2 [ReadOnly Fast] [Set] [key(1, Read)] since(1, 0, 0);
    "sdiff" -2 [ReadOnly] [Set] [range(1, -1, 1, Read)] since(1, 0, 0);
    "sdiffcard" -3 [ReadOnly MovableKeys] [Set] [counted(1, 2, 1, Read)] redis(8, 10, 0);
    "sdiffstore" -3 [Write DenyOom] [Set] [key(1, Overwrite), range(2, -1, 1, Read)] since(1, 0, 0);
    "sinter" -2 [ReadOnly] [Set] [range(1, -1, 1, Read)] since(1, 0, 0);
    "sintercard" -3 [ReadOnly MovableKeys] [Set] [counted(1, 2, 1, Read)] since(7, 0, 0);
    "sinterstore" -3 [Write DenyOom] [Set]
        [key(1, Overwrite), range(2, -1, 1, Read)] since(1, 0, 0);
    "sismember" 3 [ReadOnly Fast] [Set] [key(1, Read)] since(1, 0, 0);
    "smembers" 2 [ReadOnly] [Set] [key(1, Read)] since(1, 0, 0);
    "smismember" -3 [ReadOnly Fast] [Set] [key(1, Read)] since(6, 2, 0);
    "smove" 4 [Write Fast] [Set] [key(1, Update), key(2, Update)] since(1, 0, 0);
    "spop" -2 [Write Fast] [Set] [key(1, Update)] since(1, 0, 0);
    "srandmember" -2 [ReadOnly] [Set] [key(1, Read)] since(1, 0, 0);
    "srem" -3 [Write Fast] [Set] [key(1, Update)] since(1, 0, 0);
    "sscan" -3 [ReadOnly] [Set] [key(1, Read)] since(2, 8, 0);
    "sunion" -2 [ReadOnly] [Set] [range(1, -1, 1, Read)] since(1, 0, 0);
    "sunioncard" -3 [ReadOnly MovableKeys] [Set] [counted(1, 2, 1, Read)] redis(8, 10, 0);
    "sunionstore" -3 [Write DenyOom] [Set]
        [key(1, Overwrite), range(2, -1, 1, Read)] since(1, 0, 0);
}
