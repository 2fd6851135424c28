//! CLUSTER, READONLY, READWRITE, ASKING: what a server answers that is no node of a cluster.
//!
//! Clients ask for it to find out; they are told so, as by Redis without `cluster-enabled`.

use super::{Handler, handler};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

pub(super) const COMMANDS: &[Handler] = &[
    handler("asking", no_cluster),
    handler("cluster|addslots", no_cluster),
    handler("cluster|addslotsrange", no_cluster),
    handler("cluster|bumpepoch", no_cluster),
    handler("cluster|count-failure-reports", no_cluster),
    handler("cluster|countkeysinslot", no_cluster),
    handler("cluster|delslots", no_cluster),
    handler("cluster|delslotsrange", no_cluster),
    handler("cluster|failover", no_cluster),
    handler("cluster|flushslots", no_cluster),
    handler("cluster|forget", no_cluster),
    handler("cluster|getkeysinslot", no_cluster),
    handler("cluster|help", no_cluster),
    handler("cluster|info", no_cluster),
    handler("cluster|keyslot", no_cluster),
    handler("cluster|links", no_cluster),
    handler("cluster|meet", no_cluster),
    handler("cluster|myid", no_cluster),
    handler("cluster|myshardid", no_cluster),
    handler("cluster|nodes", no_cluster),
    handler("cluster|replicas", no_cluster),
    handler("cluster|replicate", no_cluster),
    handler("cluster|reset", no_cluster),
    handler("cluster|saveconfig", no_cluster),
    handler("cluster|set-config-epoch", no_cluster),
    handler("cluster|setslot", no_cluster),
    handler("cluster|shards", no_cluster),
    handler("cluster|slaves", no_cluster),
    handler("cluster|slots", no_cluster),
    handler("readonly", no_cluster),
    handler("readwrite", no_cluster),
];

fn no_cluster(_: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    Err(CommandError::text("ERR This instance has cluster support disabled").into())
}
