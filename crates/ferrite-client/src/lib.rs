//! Connections to Redis-family servers, pipelines, the replication link.
//!
//! * [`Address`] says where a server is and who we are there; [`Connector`] adds TLS and time
//!   limits and makes connections.
//! * [`Connection`] calls commands one by one or in a [`Pipeline`]; [`Connection::into_split`]
//!   gives raw halves to those who stream gigabytes.
//! * [`server::ServerInfo`] says what kind of server answered.
//! * [`topology`] says which nodes a cluster has and which slots each owns; an address may also name
//!   sentinels, who are then asked at every connect.
//! * [`memcached::Memcached`] reads a Memcached: another protocol over the same connections.
//! * [`etcd::Etcd`] keeps what several machines agree upon.
//! * [`replication::ReplicationLink`] attaches to a server the way a replica does.
//!
//! Everything speaks RESP2 unless asked otherwise, so that the oldest servers work. Errors are
//! one type, [`ClientError`], whose text says what was going on and where, never a secret.

mod address;
mod backoff;
mod buffer;
mod connection;
mod connector;
mod error;
pub mod etcd;
mod greeting;
pub mod memcached;
mod pipeline;
mod receiver;
pub mod replication;
mod sender;
pub mod server;
mod stream;
mod tls;
pub mod topology;

pub use address::{Address, AddressError, Endpoint, Secret};
pub use backoff::Backoff;
pub use connection::Connection;
pub use connector::Connector;
pub use error::{AuthFailure, ClientError, ReplyError};
pub use pipeline::Pipeline;
pub use receiver::Receiver;
pub use sender::Sender;
pub use tls::TlsOptions;

/// The values replies are made of.
pub use ferrite_resp::{Limits, Value};
