//! Client tracking: clients that keep copies of keys are told when these change.
//!
//! * By default a client is told of keys that it has read, once: what it read is noted in the
//!   shard of the key, under the shard's lock, so that no change can slip between.
//! * In broadcast mode it is told of every key that begins with one of its prefixes.
//!
//! ```text
//! RESP3   >2 invalidate [key]              RESP2, redirected   message __redis__:invalidate [key]
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ferrite_resp::encode;
use parking_lot::RwLock;
use smallvec::SmallVec;

use crate::clients::Client;
use crate::reply::Reply;
use crate::shared::Shared;

/// The channel of redirected messages.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Keys that are remembered in one shard (`tracking-table-max-keys` over all shards is 64 times
/// as many); above it a key is given up, as if it had changed.
const MOST_KEYS: usize = 1_000_000 / 64;

/// Which keys a client is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// All that it reads.
    #[default]
    All,
    /// Those that it reads by a command behind CLIENT CACHING YES.
    OptIn,
    /// All but those of a command behind CLIENT CACHING NO.
    OptOut,
}

/// How a client tracks.
#[derive(Debug, Clone, Default)]
pub struct Mode {
    /// By prefixes, whatever it reads.
    pub broadcast: bool,
    /// Not of its own changes.
    pub no_loop: bool,
    /// Which keys.
    pub choice: Choice,
    /// The client that is told instead.
    pub redirect: Option<u64>,
    /// That client is gone.
    pub broken: bool,
    /// CLIENT CACHING was called for the next command.
    pub caching: bool,
    /// Those of broadcast mode.
    pub prefixes: Vec<Vec<u8>>,
}

/// The keys of a shard that clients have read.
#[derive(Debug, Default)]
pub struct Tracked {
    keys: HashMap<Vec<u8>, SmallVec<[u64; 2]>>,
}

impl Tracked {
    /// Whether nothing is tracked: then a change costs nothing here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// A client has read a key. Gives a key that had to make room, and who is told.
    fn add(&mut self, key: &[u8], client: u64) -> Option<(Vec<u8>, SmallVec<[u64; 2]>)> {
        if let Some(clients) = self.keys.get_mut(key) {
            if !clients.contains(&client) {
                clients.push(client);
            }
            return None;
        }
        let given_up = match self.keys.len() >= MOST_KEYS {
            true => self.keys.keys().next().cloned(),
            false => None,
        };
        self.keys.insert(key.to_vec(), SmallVec::from_slice(&[client]));
        given_up.and_then(|key| self.keys.remove_entry(&key))
    }

    /// Whoever has read a key; they are forgotten.
    fn take(&mut self, key: &[u8]) -> SmallVec<[u64; 2]> {
        self.keys.remove(key).unwrap_or_default()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.keys.clear();
    }
}

/// What all threads know of tracking.
#[derive(Debug, Default)]
pub struct Tracking {
    /// How many clients track.
    clients: AtomicUsize,
    /// Who is told of keys by prefix.
    prefixes: RwLock<BTreeMap<Vec<u8>, Vec<u64>>>,
    /// Whether there are any.
    broadcasts: AtomicBool,
}

impl Tracking {
    /// How many clients track.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// A client tracks from now on, or otherwise than before.
    pub fn start(&self, client: &Client, mode: Mode) {
        let mut own = client.tracking.lock();
        if own.is_none() {
            self.clients.fetch_add(1, Ordering::Relaxed);
        }
        if mode.broadcast {
            let mut prefixes = self.prefixes.write();
            for prefix in &mode.prefixes {
                let clients = prefixes.entry(prefix.clone()).or_default();
                if !clients.contains(&client.id) {
                    clients.push(client.id);
                }
            }
            self.broadcasts.store(true, Ordering::Release);
        }
        let reads = !mode.broadcast;
        *own = Some(mode);
        client.tracks_reads.store(reads, Ordering::Release);
    }

    /// It does not any more.
    pub fn stop(&self, client: &Client) {
        let Some(mode) = client.tracking.lock().take() else { return };
        client.tracks_reads.store(false, Ordering::Release);
        self.clients.fetch_sub(1, Ordering::Relaxed);
        if mode.broadcast {
            let mut prefixes = self.prefixes.write();
            prefixes.retain(|_, clients| {
                clients.retain(|other| *other != client.id);
                !clients.is_empty()
            });
            self.broadcasts.store(!prefixes.is_empty(), Ordering::Release);
        }
    }

    /// Whether anybody is told of a change of `key`, by prefix.
    fn told_by_prefix(&self, key: &[u8]) -> Vec<u64> {
        if !self.broadcasts.load(Ordering::Acquire) {
            return Vec::new();
        }
        let prefixes = self.prefixes.read();
        let fitting = prefixes.iter().filter(|(prefix, _)| key.starts_with(prefix));
        fitting.flat_map(|(_, clients)| clients.iter().copied()).collect()
    }

    /// A key has changed, by a command of the client `by`. The lock of its shard is held.
    pub fn changed(&self, shared: &Shared, tracked: &mut Tracked, key: &[u8], by: u64) {
        if self.clients() == 0 {
            return;
        }
        for client in tracked.take(key).into_iter().chain(self.told_by_prefix(key)) {
            tell(shared, client, Some(key), by);
        }
    }

    /// A client has read a key. The lock of its shard is held.
    pub fn read(&self, shared: &Shared, tracked: &mut Tracked, key: &[u8], client: u64) {
        if let Some((key, clients)) = tracked.add(key, client) {
            for client in clients {
                tell(shared, client, Some(&key), 0);
            }
        }
    }

    /// All keys of a database, or of all, are gone: everybody who tracks is told so.
    pub fn flushed(&self, shared: &Shared) {
        if self.clients() == 0 {
            return;
        }
        for client in shared.clients.all() {
            if client.tracking.lock().is_some() {
                tell(shared, client.id, None, 0);
            }
        }
    }
}

/// Tells a client that a key has changed, or all have.
fn tell(shared: &Shared, id: u64, key: Option<&[u8]>, by: u64) {
    let Some(client) = shared.clients.get(id) else { return };
    let redirect = match &*client.tracking.lock() {
        None => return,
        Some(mode) if mode.no_loop && by == id => return,
        Some(mode) => mode.redirect,
    };
    let target = match redirect {
        None => client,
        Some(other) => match shared.clients.get(other) {
            Some(target) => target,
            None => return tell_broken(shared, &client, other),
        },
    };
    if let Some(bytes) = message(&target, redirect.is_some(), key) {
        shared.send(&target, bytes);
    }
}

fn message(target: &Client, redirected: bool, key: Option<&[u8]>) -> Option<Arc<[u8]>> {
    let resp3 = target.resp3.load(Ordering::Relaxed);
    let mut reply = Reply::new(resp3);
    if resp3 {
        reply.push(2);
        reply.text("invalidate");
    } else if redirected && target.subscribed() > 0 {
        reply.push(3);
        reply.text("message");
        reply.bulk(CHANNEL);
    } else {
        // RESP2 has no place for a message that nobody asked for.
        return None;
    }
    match key {
        Some(key) => {
            reply.array(1);
            reply.bulk(key);
        }
        None => reply.null_array(),
    }
    Some(reply.into_bytes().into())
}

/// Tells a client, once, that the one that is told in its place is gone.
fn tell_broken(shared: &Shared, client: &Arc<Client>, other: u64) {
    let mut own = client.tracking.lock();
    let Some(mode) = own.as_mut().filter(|mode| !mode.broken) else { return };
    mode.broken = true;
    drop(own);
    if client.resp3.load(Ordering::Relaxed) {
        let mut bytes = b">2\r\n".to_vec();
        encode::bulk(&mut bytes, b"tracking-redir-broken");
        bytes.push(b':');
        encode::integer(&mut bytes, i64::try_from(other).unwrap_or(i64::MAX));
        bytes.extend_from_slice(b"\r\n");
        shared.send(client, bytes.into());
    }
}
