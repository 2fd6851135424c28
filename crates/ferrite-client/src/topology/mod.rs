//! Which servers there are: the nodes of a cluster with their slots, the primary that sentinels
//! name.
//!
//! Two commands tell all about a cluster, on every version since 4.0:
//!
//! ```text
//! CLUSTER SLOTS   where clients find the primary of each range of slots     -> SlotMap
//! CLUSTER NODES   what a node says of itself: its slots, its epoch, and     -> NodeView
//!                 the slots that are being moved to and from it
//! ```
//!
//! `CLUSTER SHARDS` (7.0) tells neither epochs nor open slots, and is not needed beside them.

mod cluster;
mod nodes;
mod redirect;
pub(crate) mod sentinel;
mod slots;

pub use cluster::Cluster;
pub use nodes::{NodeView, OpenSlot};
pub use redirect::Redirect;
pub use slots::{Shard, SlotMap};

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;
