//! What all threads of a server share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ferrite_store::types::Limits;
use parking_lot::Mutex;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;

use crate::acl::Acl;
use crate::clients::{Client, Clients};
use crate::commands::{Names, Switches, Targets};
use crate::config::Config;
use crate::ctx::Counts;
use crate::eviction::Eviction;
use crate::garbage::Garbage;
use crate::latency::Latency;
use crate::memory_use::MemoryUse;
use crate::monitor::Monitors;
use crate::net::mail::{Mail, Mailbox};
use crate::oom_score::OomScore;
use crate::persist::Persistence;
use crate::pubsub::PubSub;
use crate::rates::Rates;
use crate::replication::Replicas;
use crate::replication::log::Log;
use crate::scripting::Scripting;
use crate::slow_log::SlowLog;
use crate::store::Store;
use crate::tracking::Tracking;

/// What all threads share.
#[derive(Debug)]
pub struct Shared {
    /// The keys.
    pub store: Store,
    /// Who is connected.
    pub clients: Clients,
    /// Who listens to which channel.
    pub pubsub: PubSub,
    /// Who keeps copies of keys.
    pub tracking: Tracking,
    /// How much memory may be used, and which keys go.
    pub eviction: Eviction,
    /// What is freed in the background.
    pub garbage: Garbage,
    /// The log of writes.
    pub log: Log,
    /// The replicas.
    pub replicas: Replicas,
    /// Every parameter.
    pub config: Arc<Config>,
    /// What connections at `tls-port` are encrypted with.
    pub tls: ArcSwapOption<ServerConfig>,
    /// What commands are called by.
    pub names: Names,
    /// The users.
    pub acl: Acl,
    /// From which sizes on collections change their form; see [`Shared::limits`].
    pub live_limits: ArcSwap<Limits>,
    /// Which keyspace events are published (`notify-keyspace-events`); see [`crate::notify`].
    pub notify: AtomicU32,
    /// The counts of each thread, and of the one that runs scripts.
    pub counts: Vec<Counts>,
    /// A letterbox for each thread.
    pub mailboxes: Vec<Mailbox>,
    /// Raised when the server ends.
    pub stopping: AtomicBool,
    /// Raised when nobody can connect any more because of that.
    pub deaf: AtomicBool,
    /// Until when writes wait (`CLIENT PAUSE`), Unix milliseconds.
    pub paused_until: AtomicI64,
    /// Whether reads wait too.
    pub paused_reads: AtomicBool,
    /// Scripts.
    pub scripting: Scripting,
    /// Connections to servers that keys are sent to (`MIGRATE`).
    pub targets: Targets,
    /// Clients that are shown every command.
    pub monitors: Monitors,
    /// What took long.
    pub latency: Latency,
    /// Memory at the start and at most.
    pub memory: MemoryUse,
    /// How much of what happens in a second.
    pub rates: Rates,
    /// Commands that took long.
    pub slow_log: Mutex<SlowLog>,
    /// Error replies by their code.
    pub errors: Mutex<BTreeMap<String, u64>>,
    /// What was refused: passwords, commands, keys, channels.
    pub refusals: [AtomicU64; 4],
    /// Snapshots.
    pub persistence: Persistence,
    /// How early the kernel ends the process.
    pub oom_score: OomScore,
    /// Itself, for threads that outlive a command.
    pub this: Weak<Shared>,
    /// What tests have turned off.
    pub switches: Switches,
    /// When the server started.
    pub started: Instant,
    /// Forty hexadecimal digits that no other run of a server has.
    pub run_id: String,
    /// The network addresses that are listened at.
    pub listening: Mutex<Vec<SocketAddr>>,
    /// The port clients connect to; 0 where there is none.
    pub port: u16,
}

/// Milliseconds since 1970 by the system's clock.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Shared {
    /// Sends a client bytes that it did not ask for, in order with others sent so.
    pub fn send(&self, client: &Client, bytes: Arc<[u8]>) {
        let (seat, id) = (client.address.seat, client.id);
        self.mail(client.address.thread, Mail::Output { seat, id, bytes, uncounted: 0 });
    }

    /// The same for what a client is told because a key is gone: no more keys go for the memory
    /// that it takes on its way.
    pub fn tell(&self, client: &Client, bytes: Arc<[u8]>) {
        let (seat, id) = (client.address.seat, client.id);
        let uncounted = bytes.len() + size_of::<Mail>();
        self.eviction.uncounted.fetch_add(uncounted, Ordering::Relaxed);
        self.mail(client.address.thread, Mail::Output { seat, id, bytes, uncounted });
    }

    /// Disconnects a client. It is gone for everybody; its thread closes it when it comes to it.
    pub fn disconnect(&self, client: &Client) {
        let (seat, id) = (client.address.seat, client.id);
        self.clients.remove(id);
        self.mail(client.address.thread, Mail::Kill { seat, id });
    }

    /// From which sizes on collections change their form.
    pub fn limits(&self) -> Limits {
        **self.live_limits.load()
    }

    /// Puts something in a thread's letterbox.
    pub fn mail(&self, thread: usize, mail: Mail) {
        if let Some(mailbox) = self.mailboxes.get(thread) {
            mailbox.put(mail);
        }
    }

    /// Tells every thread.
    pub fn mail_all(&self, mail: impl Fn() -> Mail) {
        for mailbox in &self.mailboxes {
            mailbox.put(mail());
        }
    }

    /// Itself, for a thread that outlives a command.
    ///
    /// # Errors
    /// When the server ends just now.
    pub fn in_background(&self) -> std::io::Result<Arc<Self>> {
        self.this.upgrade().ok_or_else(|| std::io::Error::other("the server ends"))
    }

    /// Changes of keys since the server started.
    pub fn dirty(&self) -> u64 {
        self.counts.iter().map(|counts| counts.dirty.load(Ordering::Relaxed)).sum()
    }

    /// Whether keys have changed since the last snapshot.
    pub fn has_changes(&self) -> bool {
        self.dirty() != self.persistence.saved_dirty.load(Ordering::Relaxed)
    }

    /// Whether the server is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
