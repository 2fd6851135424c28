//! Approximate counting.

use crate::table::*;

commands! { HyperLogLog;
    "pfadd" -2 [Write DenyOom Fast] [HyperLogLog] [key(1, Update)] since(2, 8, 9);
    "pfcount" -2 [ReadOnly] [HyperLogLog] [range(1, -1, 1, Update)] since(2, 8, 9);
    "pfdebug" 3 [Write DenyOom Admin] [HyperLogLog] [key(2, Update)] since(2, 8, 9);
    "pfmerge" -2 [Write DenyOom] [HyperLogLog]
        [key(1, Update), range(2, -1, 1, Read)] since(2, 8, 9);
    "pfselftest" 1 [Admin] [HyperLogLog] [] since(2, 8, 9);
}
