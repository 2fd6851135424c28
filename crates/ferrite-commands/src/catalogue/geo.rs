//! Coordinates, stored in sorted sets.

use crate::table::*;

commands! { Geo;
    "geoadd" -5 [Write DenyOom] [Geo] [key(1, Update)] since(3, 2, 0);
    "geodist" -4 [ReadOnly] [Geo] [key(1, Read)] since(3, 2, 0);
    "geohash" -2 [ReadOnly] [Geo] [key(1, Read)] since(3, 2, 0);
    "geopos" -2 [ReadOnly] [Geo] [key(1, Read)] since(3, 2, 0);
    "georadius" -6 [Write DenyOom MovableKeys] [Geo]
        [key(1, Read), special(Place::GeoStore { from: 6 }, Overwrite)] since(3, 2, 0);
    "georadius_ro" -6 [ReadOnly] [Geo] [key(1, Read)] since(3, 2, 10);
    "georadiusbymember" -5 [Write DenyOom MovableKeys] [Geo]
        [key(1, Read), special(Place::GeoStore { from: 5 }, Overwrite)] since(3, 2, 0);
    "georadiusbymember_ro" -5 [ReadOnly] [Geo] [key(1, Read)] since(3, 2, 10);
    "geosearch" -7 [ReadOnly] [Geo] [key(1, Read)] since(6, 2, 0);
    "geosearchstore" -8 [Write DenyOom] [Geo] [key(1, Overwrite), key(2, Read)] since(6, 2, 0);
}
