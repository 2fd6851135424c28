//! Cluster administration.

use crate::table::*;

commands! { Cluster;
    "asking" 1 [Fast] [Connection] [] since(3, 0, 0);
    "cluster" -2 [] [] [] since(3, 0, 0);
    {
        "cluster|addslots" -3 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|addslotsrange" -4 [Admin Stale NoAsyncLoading] [] [] since(7, 0, 0);
        "cluster|bumpepoch" 2 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|cancelslotmigrations" 2 [Admin Stale NoAsyncLoading] [] [] valkey(9, 0, 0);
        "cluster|count-failure-reports" 3 [Admin Stale] [] [] since(3, 0, 0);
        "cluster|countkeysinslot" 3 [Stale] [] [] since(3, 0, 0);
        "cluster|delslots" -3 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|delslotsrange" -4 [Admin Stale NoAsyncLoading] [] [] since(7, 0, 0);
        "cluster|failover" -2 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|flushslot" -3 [Write Admin NoAsyncLoading] [Keyspace] [] valkey(9, 0, 0);
        "cluster|flushslots" 2 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|forget" 3 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|getkeysinslot" 4 [Stale] [] [] since(3, 0, 0);
        "cluster|getslotmigrations" 2 [Admin Stale NoAsyncLoading] [] [] valkey(9, 0, 0);
        "cluster|help" 2 [Loading Stale] [] [] since(5, 0, 0);
        "cluster|info" 2 [Loading Stale] [] [] since(3, 0, 0);
        "cluster|keyslot" 3 [Stale] [] [] since(3, 0, 0);
        "cluster|links" 2 [Stale] [] [] since(7, 0, 0);
        "cluster|meet" -4 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|migrateslots" -4 [Admin Stale NoAsyncLoading] [] [] valkey(9, 0, 0);
        "cluster|migration" -4 [NoAsyncLoading Admin Stale] [] [] redis(8, 4, 0);
        "cluster|myid" 2 [Loading Stale] [] [] since(3, 0, 0);
        "cluster|myshardid" 2 [Loading Stale] [] [] since(7, 2, 0);
        "cluster|nodes" 2 [Loading Stale] [] [] since(3, 0, 0);
        "cluster|replicas" 3 [Admin Stale] [] [] since(5, 0, 0);
        "cluster|replicate" -3 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|reset" -2 [Admin NoScript Stale] [] [] since(3, 0, 0);
        "cluster|saveconfig" 2 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|set-config-epoch" 3 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|setslot" -4 [Admin Stale NoAsyncLoading] [] [] since(3, 0, 0);
        "cluster|shards" 2 [Loading Stale] [] [] since(7, 0, 0);
        "cluster|slaves" 3 [Admin Stale] [] [] since(3, 0, 0);
        "cluster|slot-stats" -4 [Loading Stale] [] [] both((8, 2, 0), (8, 0, 0));
        "cluster|slots" 2 [Loading Stale] [] [] since(3, 0, 0);
        "cluster|syncslots" -3 [Admin Stale NoAsyncLoading] [] [] both((8, 4, 0), (9, 0, 0));
    }
    "clusterscan" -2 [ReadOnly] [Keyspace] [key(1, NotKey)] valkey(9, 1, 0);
    "readonly" 1 [Loading Stale Fast] [Connection] [] since(3, 0, 0);
    "readwrite" 1 [Loading Stale Fast] [Connection] [] since(3, 0, 0);
    "trimslots" -5 [Write] [Keyspace Dangerous] [] redis(8, 4, 0);
}
