//! The master side of replication: the log of writes, and the replicas that are sent it.

pub mod log;
mod replica;
mod secure_link;

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::clients::Client;
use crate::net::mail::Mail;
use crate::persist::snapshot::Readers;
use crate::shared::Shared;

pub use replica::serve;

/// What a replica has said of itself before PSYNC.
#[derive(Debug, Clone, Default)]
pub struct Introduction {
    /// The port clients reach it at.
    pub port: u16,
    /// Its address, where it said one.
    pub address: Option<String>,
    /// It can take an RDB of unknown length (`capa eof`).
    pub eof: bool,
    /// It said its version, as Valkey does since 8.0 and no Redis: it reads RDB version 11.
    pub version: bool,
    /// It wants the RDB and nothing behind it.
    pub rdb_only: bool,
    /// It wants an RDB without keys (`rdb-filter-only`).
    pub without_keys: bool,
    /// And with libraries of functions (`rdb-filter-only functions`).
    pub with_functions: bool,
}

impl Introduction {
    /// What it may be as a reader of an RDB stream: Redis 7.0 says of itself what 8.0 says.
    fn readers(&self) -> Readers {
        if self.version { Readers::Current } else { Readers::Older }
    }
}

/// What PSYNC or SYNC asked for.
#[derive(Debug, Clone, Default)]
pub struct Psync {
    /// It was SYNC, as before Redis 2.8: all keys without a line before them, and then the log.
    pub is_sync: bool,
    /// The log it has followed.
    pub id: String,
    /// The first byte it does not have; -1 where it has none.
    pub offset: i64,
}

/// One replica.
#[derive(Debug)]
pub struct Replica {
    /// Its connection as a client.
    pub client: Arc<Client>,
    /// What it said of itself.
    pub introduction: Introduction,
    /// How far it says it has come.
    acknowledged: AtomicU64,
    /// When it said so, Unix milliseconds.
    pub heard: AtomicI64,
    /// Whether it has its RDB and is sent the log.
    pub online: std::sync::atomic::AtomicBool,
    link: replica::Link,
}

impl Replica {
    /// The address others reach it at.
    pub fn address(&self) -> String {
        let peer = || self.client.peer.rsplit_once(':').map_or("", |(host, _)| host).to_owned();
        self.introduction.address.clone().unwrap_or_else(peer)
    }

    /// How far it says it has come; 0 where it has not said anything.
    pub fn acknowledged(&self) -> u64 {
        let said = self.acknowledged.load(Ordering::Relaxed);
        if said == replica::NOTHING { 0 } else { said }
    }

    /// Ends its connection.
    pub fn close(&self) {
        self.link.shut_down(Shutdown::Both);
    }
}

/// A client that waits for replicas (`WAIT`).
#[derive(Debug, Clone)]
pub struct Wait {
    /// The offset that is to be acknowledged.
    pub offset: u64,
    /// By how many.
    pub replicas: usize,
    /// Until when, Unix milliseconds.
    pub deadline: Option<i64>,
}

/// All replicas, and who waits for them.
#[derive(Debug, Default)]
pub struct Replicas {
    list: Mutex<Vec<Arc<Replica>>>,
    waiting: Mutex<Vec<(Arc<Client>, Wait)>>,
    /// How often all keys were sent.
    pub full: AtomicU64,
    /// How often a replica went on where it was.
    pub partial: AtomicU64,
    /// How often a replica could not go on and was sent all keys instead.
    pub refused: AtomicU64,
    /// Bytes that replicas were sent.
    pub sent: AtomicU64,
    /// How many replicas a write needs (`min-replicas-to-write`).
    pub needed: AtomicI64,
    /// How long ago they must have been heard of, in seconds (`min-replicas-max-lag`).
    pub needed_lag: AtomicI64,
}

impl Replicas {
    /// Sets what CONFIG RESETSTAT resets to zero.
    pub fn reset_counts(&self) {
        for count in [&self.full, &self.partial, &self.refused, &self.sent] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Replica>> {
        self.list.lock().clone()
    }

    /// Ends the connection of the replica that is this client: it is none any more.
    pub fn close(&self, client: u64) {
        self.list.lock().retain(|replica| {
            let meant = replica.client.id == client;
            if meant {
                replica.close();
            }
            !meant
        });
    }

    fn add(&self, replica: &Arc<Replica>) {
        self.list.lock().push(Arc::clone(replica));
    }

    fn remove(&self, replica: &Arc<Replica>) {
        self.list.lock().retain(|other| !Arc::ptr_eq(other, replica));
    }

    /// How many have acknowledged an offset.
    pub fn at(&self, offset: u64) -> usize {
        let list = self.list.lock();
        let there = |replica: &&Arc<Replica>| {
            replica.acknowledged() >= offset && replica.online.load(Ordering::Relaxed)
        };
        list.iter().filter(there).count()
    }

    /// Whether too few replicas keep up for a write to be allowed.
    pub fn too_few(&self, now: i64) -> bool {
        let needed = self.needed.load(Ordering::Relaxed);
        needed > 0 && i64::try_from(self.good(now)).unwrap_or(i64::MAX) < needed
    }

    /// How many replicas keep up (`min-replicas-max-lag`).
    pub fn good(&self, now: i64) -> usize {
        let lag = self.needed_lag.load(Ordering::Relaxed) * 1000;
        let list = self.list.lock();
        let good = list.iter().filter(|replica| {
            replica.online.load(Ordering::Relaxed)
                && now.saturating_sub(replica.heard.load(Ordering::Relaxed)) <= lag
        });
        good.count()
    }

    /// A client waits.
    pub fn wait(&self, client: &Arc<Client>, wait: Wait) {
        self.waiting.lock().push((Arc::clone(client), wait));
    }

    /// It does not any more.
    pub fn end_wait(&self, client: &Client) {
        self.waiting.lock().retain(|(other, _)| other.id != client.id);
    }

    /// A replica has come further: whoever has enough of them now goes on.
    fn acknowledged(&self, shared: &Shared) {
        let waiting = self.waiting.lock().clone();
        for (client, wait) in waiting {
            if self.at(wait.offset) >= wait.replicas {
                let (seat, id) = (client.address.seat, client.id);
                shared.mail(client.address.thread, Mail::Unblock { seat, id, error: false });
            }
        }
    }
}
