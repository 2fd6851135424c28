//! What a Sentinel answers besides what every server does.

use crate::table::*;

commands! { Sentinel;
    "sentinel" -2 [Admin] [] [] since(2, 8, 4);
    {
        "sentinel|ckquorum" 3 [Admin] [] [] since(2, 8, 4);
        "sentinel|config" -3 [Admin] [] [] since(6, 2, 0);
        "sentinel|debug" -2 [Admin] [] [] since(7, 0, 0);
        "sentinel|failover" -3 [Admin] [] [] since(2, 8, 4);
        "sentinel|flushconfig" 2 [Admin] [] [] since(2, 8, 4);
        "sentinel|get-master-addr-by-name" 3 [Admin] [] [] since(2, 8, 4);
        "sentinel|get-primary-addr-by-name" 3 [Admin] [] [] valkey(8, 0, 0);
        "sentinel|help" 2 [Loading Stale] [] [] since(6, 2, 0);
        "sentinel|info-cache" -3 [Admin] [] [] since(3, 2, 0);
        "sentinel|is-master-down-by-addr" 6 [Admin] [] [] since(2, 8, 4);
        "sentinel|is-primary-down-by-addr" 6 [Admin] [] [] valkey(8, 0, 0);
        "sentinel|master" 3 [Admin] [] [] since(2, 8, 4);
        "sentinel|masters" 2 [Admin] [] [] since(2, 8, 4);
        "sentinel|monitor" 6 [Admin] [] [] since(2, 8, 4);
        "sentinel|myid" 2 [Admin] [] [] since(6, 2, 0);
        "sentinel|pending-scripts" 2 [Admin] [] [] since(2, 8, 4);
        "sentinel|primaries" 2 [Admin] [] [] valkey(8, 0, 0);
        "sentinel|primary" 3 [Admin] [] [] valkey(8, 0, 0);
        "sentinel|remove" 3 [Admin] [] [] since(2, 8, 4);
        "sentinel|replicas" 3 [Admin] [] [] since(5, 0, 0);
        "sentinel|reset" 3 [Admin] [] [] since(2, 8, 4);
        "sentinel|sentinels" 3 [Admin] [] [] since(2, 8, 4);
        "sentinel|set" -5 [Admin] [] [] since(2, 8, 4);
        "sentinel|simulate-failure" -3 [Admin] [] [] since(3, 2, 0);
        "sentinel|slaves" 3 [Admin] [] [] since(2, 8, 0);
    }
}
