//! Strings as arrays of bits.

use crate::table::*;

commands! { Bitmap;
    "bitcount" -2 [ReadOnly] [Bitmap] [key(1, Read)] since(2, 6, 0);
    "bitfield" -2 [Write DenyOom] [Bitmap] [key(1, Update)] since(3, 2, 0);
    "bitfield_ro" -2 [ReadOnly Fast] [Bitmap] [key(1, Read)] since(6, 0, 0);
    "bitop" -4 [Write DenyOom] [Bitmap] [key(2, Overwrite), range(3, -1, 1, Read)] since(2, 6, 0);
    "bitpos" -3 [ReadOnly] [Bitmap] [key(1, Read)] since(2, 8, 7);
    "getbit" 3 [ReadOnly Fast] [Bitmap] [key(1, Read)] since(2, 2, 0);
    "setbit" 4 [Write DenyOom] [Bitmap] [key(1, Update)] since(2, 2, 0);
}
