//! Real servers, data sets and faults for tests (development only).
//!
//! * [`peers`] gets and runs real Redis and Valkey servers of several versions, without root.
//! * [`client`] is a small blocking client, written apart from the product's own so that it can
//!   serve as an oracle for it.
//! * [`dataset`] fills servers with every kind of value, and takes logical pictures of them.
//! * [`load`] writes to servers from several threads while something happens to them.
//! * [`proxy`] is a TCP proxy that cuts, stalls and slows connections on demand.
//! * [`tls`] makes certificates for servers with TLS.
//! * [`interrupt`] lets the binaries of this crate clean up after Ctrl-C.
//!
//! Nothing here is shipped. Tests may treat a failure of the kit as a failure of the test, so some
//! functions panic with a message meant for the reader of a test log; each one says so.

pub mod client;
pub mod dataset;
pub mod interrupt;
pub mod load;
pub mod peers;
pub mod proxy;
pub mod tls;
mod wait;

pub use client::{Client, ClientError, Reply};
pub use dataset::{Dataset, Listing, snapshot};
pub use load::{Load, LoadReport};
pub use peers::{
    Binary, ClientLibrary, Cluster, ClusterBuilder, Etcd, Memcached, MemcachedClient, OtherServer,
    Peer, PeerBuilder, PeerError, Script, Scripted, Sentinels, Server,
};
pub use proxy::{Direction, Proxy};
pub use tls::TlsFiles;
pub use wait::wait_until;
