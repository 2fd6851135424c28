//! Lists.

use crate::table::*;

commands! { List;
    "blmove" 6 [Write DenyOom Blocking] [List] [key(1, Update), key(2, Update)] since(6, 2, 0);
    "blmovem" -6 [Write DenyOom Blocking] [List] [key(1, Update), key(2, Update)] redis(8, 10, 0);
    "blmpop" -5 [Write Blocking MovableKeys] [List] [counted(2, 3, 1, Update)] since(7, 0, 0);
    "blpop" -3 [Write Blocking] [List] [range(1, -2, 1, Update)] since(2, 0, 0);
    "brpop" -3 [Write Blocking] [List] [range(1, -2, 1, Update)] since(2, 0, 0);
    "brpoplpush" 4 [Write DenyOom Blocking] [List] [key(1, Update), key(2, Update)] since(2, 2, 0);
    "lindex" 3 [ReadOnly] [List] [key(1, Read)] since(1, 0, 0);
    "linsert" 5 [Write DenyOom] [List] [key(1, Update)] since(2, 2, 0);
    "llen" 2 [ReadOnly Fast] [List] [key(1, Read)] since(1, 0, 0);
    "lmove" 5 [Write DenyOom] [List] [key(1, Update), key(2, Update)] since(6, 2, 0);
    "lmovem" -5 [Write DenyOom] [List] [key(1, Update), key(2, Update)] redis(8, 10, 0);
    "lmpop" -4 [Write MovableKeys] [List] [counted(1, 2, 1, Update)] since(7, 0, 0);
    "lpop" -2 [Write Fast] [List] [key(1, Update)] since(1, 0, 0);
    "lpos" -3 [ReadOnly] [List] [key(1, Read)] since(6, 0, 6);
    "lpush" -3 [Write DenyOom Fast] [List] [key(1, Update)] since(1, 0, 0);
    "lpushx" -3 [Write DenyOom Fast] [List] [key(1, Update)] since(2, 2, 0);
    "lrange" 4 [ReadOnly] [List] [key(1, Read)] since(1, 0, 0);
    "lrem" 4 [Write] [List] [key(1, Update)] since(1, 0, 0);
    "lset" 4 [Write DenyOom] [List] [key(1, Update)] since(1, 0, 0);
    "ltrim" 4 [Write] [List] [key(1, Update)] since(1, 0, 0);
    "rpop" -2 [Write Fast] [List] [key(1, Update)] since(1, 0, 0);
    "rpoplpush" 3 [Write DenyOom] [List] [key(1, Update), key(2, Update)] since(1, 2, 0);
    "rpush" -3 [Write DenyOom Fast] [List] [key(1, Update)] since(1, 0, 0);
    "rpushx" -3 [Write DenyOom Fast] [List] [key(1, Update)] since(2, 2, 0);
}
