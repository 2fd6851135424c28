//! Arrays, new in Redis 8.8.

use crate::table::*;

commands! { Array;
    "arcount" 2 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "ardel" -3 [Write] [Array] [key(1, Update)] redis(8, 8, 0);
    "ardelrange" -4 [Write] [Array] [key(1, Update)] redis(8, 8, 0);
    "arget" 3 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "argetrange" 4 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "argrep" -6 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "arinfo" -2 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "arinsert" -3 [Write DenyOom] [Array] [key(1, Update)] redis(8, 8, 0);
    "arlastitems" -3 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "arlen" 2 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "armget" -3 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "armset" -4 [Write DenyOom] [Array] [key(1, Update)] redis(8, 8, 0);
    "arnext" 2 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "arop" -5 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "arring" -4 [Write DenyOom] [Array] [key(1, Update)] redis(8, 8, 0);
    "arscan" -4 [ReadOnly] [Array] [key(1, Read)] redis(8, 8, 0);
    "arseek" 3 [Write] [Array] [key(1, Update)] redis(8, 8, 0);
    "arset" -4 [Write DenyOom] [Array] [key(1, Update)] redis(8, 8, 0);
}
