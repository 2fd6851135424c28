//! Streams.

use crate::table::*;

commands! { Stream;
    "xack" -4 [Write Fast] [Stream] [key(1, Update)] since(5, 0, 0);
    "xackdel" -6 [Write Fast] [Stream] [key(1, Update)] redis(8, 2, 0);
    "xadd" -5 [Write DenyOom Fast] [Stream] [key(1, Update)] since(5, 0, 0);
    "xautoclaim" -6 [Write Fast] [Stream] [key(1, Update)] since(6, 2, 0);
    "xcfgset" -2 [Write Fast] [Stream] [key(1, Update)] redis(8, 6, 0);
    "xclaim" -6 [Write Fast] [Stream] [key(1, Update)] since(5, 0, 0);
    "xdel" -3 [Write Fast] [Stream] [key(1, Update)] since(5, 0, 0);
    "xdelex" -5 [Write Fast] [Stream] [key(1, Update)] redis(8, 2, 0);
    "xgroup" -2 [] [] [] since(5, 0, 0);
    {
        "xgroup|create" -5 [Write DenyOom] [Stream] [key(2, Update)] since(5, 0, 0);
        "xgroup|createconsumer" 5 [Write DenyOom] [Stream] [key(2, Update)] since(6, 2, 0);
        "xgroup|delconsumer" 5 [Write] [Stream] [key(2, Update)] since(5, 0, 0);
        "xgroup|destroy" 4 [Write] [Stream] [key(2, Update)] since(5, 0, 0);
        "xgroup|help" 2 [Loading Stale] [Stream] [] since(5, 0, 0);
        "xgroup|setid" -5 [Write] [Stream] [key(2, Update)] since(5, 0, 0);
    }
    "xidmprecord" 5 [Write DenyOom Fast] [Stream] [key(1, Update)] redis(8, 6, 2);
    "xinfo" -2 [] [] [] since(5, 0, 0);
    {
        "xinfo|consumers" 4 [ReadOnly] [Stream] [key(2, Read)] since(5, 0, 0);
        "xinfo|groups" 3 [ReadOnly] [Stream] [key(2, Read)] since(5, 0, 0);
        "xinfo|help" 2 [Loading Stale] [Stream] [] since(5, 0, 0);
        "xinfo|stream" -3 [ReadOnly] [Stream] [key(2, Read)] since(5, 0, 0);
    }
    "xlen" 2 [ReadOnly Fast] [Stream] [key(1, Read)] since(5, 0, 0);
    "xnack" -7 [Write Fast] [Stream] [key(1, Update)] redis(8, 8, 0);
    "xpending" -3 [ReadOnly] [Stream] [key(1, Read)] since(5, 0, 0);
    "xrange" -4 [ReadOnly] [Stream] [key(1, Read)] since(5, 0, 0);
    "xread" -4 [ReadOnly Blocking MovableKeys] [Stream]
        [special(Place::Streams { from: 1 }, Read)] since(5, 0, 0);
    "xreadgroup" -7 [Write Blocking MovableKeys] [Stream]
        [special(Place::Streams { from: 4 }, Update)] since(5, 0, 0);
    "xrevrange" -4 [ReadOnly] [Stream] [key(1, Read)] since(5, 0, 0);
    "xsetid" -3 [Write DenyOom Fast] [Stream] [key(1, Update)] since(5, 0, 0);
    "xtrim" -4 [Write] [Stream] [key(1, Update)] since(5, 0, 0);
}
