//! Strings and counters.

use crate::table::*;

commands! { String;
    "append" 3 [Write DenyOom Fast] [String] [key(1, Update)] since(2, 0, 0);
    "decr" 2 [Write DenyOom Fast] [String] [key(1, Update)] since(1, 0, 0);
    "decrby" 3 [Write DenyOom Fast] [String] [key(1, Update)] since(1, 0, 0);
    "delex" -2 [Write Fast] [String] [key(1, Remove)] redis(8, 4, 0);
    "delifeq" 3 [Write Fast] [String] [key(1, Remove)] valkey(9, 0, 0);
    "digest" 2 [ReadOnly Fast] [String] [key(1, Read)] redis(8, 4, 0);
    "get" 2 [ReadOnly Fast] [String] [key(1, Read)] since(1, 0, 0);
    "getdel" 2 [Write Fast] [String] [key(1, Update)] since(6, 2, 0);
    "getex" -2 [Write Fast] [String] [key(1, Update)] since(6, 2, 0);
    "getrange" 4 [ReadOnly] [String] [key(1, Read)] since(2, 4, 0);
    "getset" 3 [Write DenyOom Fast] [String] [key(1, Update)] since(1, 0, 0);
    "incr" 2 [Write DenyOom Fast] [String] [key(1, Update)] since(1, 0, 0);
    "incrby" 3 [Write DenyOom Fast] [String] [key(1, Update)] since(1, 0, 0);
    "incrbyfloat" 3 [Write DenyOom Fast] [String] [key(1, Update)] since(2, 6, 0);
    "increx" -2 [Write DenyOom Fast] [String] [key(1, Update)] redis(8, 8, 0);
    "lcs" -3 [ReadOnly] [String] [range(1, 2, 1, Read)] since(7, 0, 0);
    "mget" -2 [ReadOnly Fast] [String] [range(1, -1, 1, Read)] since(1, 0, 0);
    "mset" -3 [Write DenyOom] [String] [range(1, -1, 2, Overwrite)] since(1, 0, 1);
    "msetex" -4 [Write DenyOom MovableKeys] [String]
        [counted(1, 2, 2, Overwrite)] both((8, 4, 0), (9, 1, 0));
    "msetnx" -3 [Write DenyOom] [String] [range(1, -1, 2, Overwrite)] since(1, 0, 1);
    "psetex" 4 [Write DenyOom] [String] [key(1, Overwrite)] since(2, 6, 0);
    "set" -3 [Write DenyOom] [String] [key(1, Update)] since(1, 0, 0);
    "setex" 4 [Write DenyOom] [String] [key(1, Overwrite)] since(2, 0, 0);
    "setnx" 3 [Write DenyOom Fast] [String] [key(1, Overwrite)] since(1, 0, 0);
    "setrange" 4 [Write DenyOom] [String] [key(1, Update)] since(2, 2, 0);
    "strlen" 2 [ReadOnly Fast] [String] [key(1, Read)] since(2, 2, 0);
    "substr" 4 [ReadOnly] [String] [key(1, Read)] since(1, 0, 0);
}
