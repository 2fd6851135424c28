//! The Ferrite server as a library: network, dispatch, commands, persistence, replication.
//!
//! ```
//! use ferrite_server::Server;
//!
//! let server = Server::builder().bind("127.0.0.1:0".parse()?).start()?;
//! println!("listening on {}", server.addresses()[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * [`net`]: threads that own their connections. Each reads, executes and answers by itself.
//! * [`dispatch`]: from the words of a request to its reply: rights, transactions, locks, clients
//!   that wait.
//! * [`commands`]: what each command does, a folder for each family. [`docs`]: what they are for.
//! * [`scripting`]: the Lua engine.
//! * [`ctx`]: what a command works with. [`store`]: the keys, behind 64 locks.
//! * [`config`]: every parameter. [`acl`]: who may do what.
//! * [`eviction`]: which keys go when memory is short. [`garbage`]: freeing in the background.
//! * [`persist`]: snapshots without fork. [`replication`]: the one log of writes.
//! * [`latency`]: how long things take.
//! * [`pubsub`]: messages. [`tracking`]: who is told of keys that change.

pub mod acl;
mod apply;
mod builder;
mod client_memory;
pub mod clients;
pub mod commands;
pub mod config;
pub mod ctx;
pub mod dispatch;
pub mod docs;
pub mod error;
pub mod eviction;
pub mod fields;
pub mod garbage;
pub mod huge_pages;
pub mod latency;
pub mod memory_use;
mod monitor;
pub mod net;
pub mod notify;
pub mod number;
mod oom_score;
pub mod persist;
pub mod pubsub;
pub mod random;
mod rates;
pub mod replication;
pub mod reply;
pub mod scripting;
pub mod session;
pub mod shared;
pub mod slow_log;
pub mod store;
mod tls;
pub mod tracking;
pub mod watch;

pub use ferrite_store::memory::Counting;

pub use builder::{Builder, MOST_THREADS, Server};
pub use commands::End;
