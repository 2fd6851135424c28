//! Vector sets, a module Redis 8 is built with.

use crate::table::*;

commands! { VectorSet;
    "vadd" -1 [Write DenyOom Module] [] [key(1, Update)] redis(8, 0, 0);
    "vcard" -1 [ReadOnly Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vdim" -1 [ReadOnly Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vemb" -1 [ReadOnly Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vgetattr" -1 [ReadOnly Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vinfo" -1 [ReadOnly Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vismember" -1 [ReadOnly Module] [] [key(1, Update)] redis(8, 0, 0);
    "vlinks" -1 [ReadOnly Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vrandmember" -1 [ReadOnly Module] [] [key(1, Update)] redis(8, 0, 0);
    "vrange" -4 [ReadOnly Module] [] [key(1, Read)] redis(8, 4, 0);
    "vrem" -1 [Write Module] [] [key(1, Update)] redis(8, 0, 0);
    "vsetattr" -1 [Write Fast Module] [] [key(1, Update)] redis(8, 0, 0);
    "vsim" -1 [ReadOnly Module] [] [key(1, Update)] redis(8, 0, 0);
}
