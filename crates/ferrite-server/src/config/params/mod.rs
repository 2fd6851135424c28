//! Every parameter, one file a section, in the order users should see them.
//!
//! To add a parameter, write its descriptor into its section: reading and writing both kinds of
//! configuration file, CONFIG GET, SET and REWRITE and the documents follow from that.

use super::setting::Setting;

mod append_only;
mod clients;
mod cluster;
mod defrag;
mod encodings;
mod events;
mod general;
mod latency;
mod lazy_free;
mod memory;
mod network;
mod process;
mod replication;
mod scripting;
mod security;
mod shutdown;
mod slow_log;
mod snapshots;
mod threads;
mod tls;

pub use general::LogLevel;
pub use memory::EvictionPolicy;
pub use security::{Protection, PubSubDefault};
pub use tls::AuthClients;

macro_rules! sections {
    ($($(#[$doc:meta])* $field:ident: $kind:path,)*) => {
        /// The values of all parameters.
        #[derive(Debug)]
        pub struct Parameters {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl Parameters {
            pub(super) fn new() -> Self {
                Self { $($field: <$kind>::new(),)* }
            }

            /// All of them, by section.
            pub fn settings(&self) -> Vec<&dyn Setting> {
                let mut all = Vec::new();
                $(all.extend(self.$field.settings());)*
                all
            }
        }
    };
}

sections! {
    /// Addresses, ports and sockets.
    network: network::Network,
    /// Encrypted connections.
    tls: tls::Tls,
    /// Databases, logs, files of the process.
    general: general::General,
    /// How the process presents itself to the system.
    process: process::Process,
    /// Snapshots.
    snapshots: snapshots::Snapshots,
    /// The append-only file.
    append_only: append_only::AppendOnly,
    /// Replicas and primaries.
    replication: replication::Replication,
    /// Passwords, users, protected commands.
    security: security::Security,
    /// Clients and their buffers.
    clients: clients::Clients,
    /// How much memory, and what happens at the limit.
    memory: memory::Memory,
    /// What is freed in the background.
    lazy_free: lazy_free::LazyFree,
    /// Threads.
    threads: threads::Threads,
    /// The end of the process.
    shutdown: shutdown::Shutdown,
    /// Scripts.
    scripting: scripting::Scripting,
    /// Clusters.
    cluster: cluster::Cluster,
    /// The slow log.
    slow_log: slow_log::SlowLog,
    /// Latencies.
    latency: latency::Latency,
    /// Keyspace events.
    events: events::Events,
    /// When a value changes its encoding.
    encodings: encodings::Encodings,
    /// Defragmentation.
    defrag: defrag::Defrag,
}
