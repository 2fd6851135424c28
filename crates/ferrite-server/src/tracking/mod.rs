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

use crate::clients::{Caller, Client};
use crate::reply::Reply;
use crate::shared::Shared;

/// The channel of redirected messages.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Most keys that one visit to a shard gives up where too many are remembered.
const GIVEN_UP_PER_VISIT: usize = 200;

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

impl Mode {
    /// Bytes that are kept for its prefixes.
    fn memory(&self) -> usize {
        self.prefixes.iter().map(|prefix| 2 * (size_of::<Vec<u8>>() + prefix.len())).sum()
    }
}

/// A key, and who has read it.
pub type Readers = (Vec<u8>, SmallVec<[u64; 2]>);

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

    /// How many clients have read them, key by key.
    pub fn items(&self) -> usize {
        self.keys.values().map(|clients| clients.len()).sum()
    }

    /// A client has read a key; whether nobody had before.
    fn add(&mut self, key: &[u8], client: u64) -> bool {
        if let Some(clients) = self.keys.get_mut(key) {
            if !clients.contains(&client) {
                clients.push(client);
            }
            return false;
        }
        self.keys.insert(key.to_vec(), SmallVec::from_slice(&[client]));
        true
    }

    /// Takes any key out.
    fn give_up(&mut self) -> Option<Readers> {
        let key = self.keys.keys().next().cloned()?;
        self.keys.remove_entry(&key)
    }

    /// Whoever has read a key; they are forgotten.
    fn take(&mut self, key: &[u8]) -> Option<Readers> {
        self.keys.remove_entry(key)
    }
}

/// What all threads know of tracking.
#[derive(Debug, Default)]
pub struct Tracking {
    /// How many clients track.
    clients: AtomicUsize,
    /// How many keys are remembered, in all shards.
    keys: AtomicUsize,
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

    /// How many prefixes clients are told of.
    pub fn prefixes(&self) -> usize {
        self.prefixes.read().len()
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
        let before = own.as_ref().map_or(0, Mode::memory);
        client.listening_memory.fetch_add(mode.memory(), Ordering::Relaxed);
        client.listening_memory.fetch_sub(before, Ordering::Relaxed);
        let reads = !mode.broadcast;
        *own = Some(mode);
        client.tracks_reads.store(reads, Ordering::Release);
    }

    /// It does not any more.
    pub fn stop(&self, client: &Client) {
        let Some(mode) = client.tracking.lock().take() else { return };
        client.tracks_reads.store(false, Ordering::Release);
        client.listening_memory.fetch_sub(mode.memory(), Ordering::Relaxed);
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

    /// Whether anybody is told of keys by prefix.
    pub fn broadcasts(&self) -> bool {
        self.broadcasts.load(Ordering::Acquire)
    }

    /// Tells whoever listens to their prefixes of the keys that a unit has changed, each prefix
    /// in one message.
    pub fn broadcast(&self, shared: &Shared, mut keys: Vec<(Vec<u8>, u64)>) {
        // These come last of all, whoever they are for.
        let mut nobody = Caller { id: 0, own: &mut Vec::new() };
        keys.sort_unstable();
        keys.dedup_by(|one, other| one.0 == other.0);
        for (prefix, clients) in self.prefixes.read().iter() {
            for client in clients {
                let fitting = keys.iter().filter(|(key, _)| key.starts_with(prefix));
                let told: Vec<_> = fitting.map(|(key, by)| (key.as_slice(), *by)).collect();
                tell(shared, &mut nobody, *client, Some(&told), true);
            }
        }
    }

    /// A key has changed, by a command of the caller. The lock of its shard is held.
    pub fn changed(
        &self,
        shared: &Shared,
        tracked: &mut Tracked,
        key: &[u8],
        caller: &mut Caller<'_>,
    ) {
        if let Some(readers) = self.take(tracked, key) {
            self.tell_readers(shared, &readers, caller.id, caller);
        }
    }

    /// Whoever has read a key; they are forgotten, and told later.
    pub fn take(&self, tracked: &mut Tracked, key: &[u8]) -> Option<Readers> {
        let readers = tracked.take(key)?;
        self.keys.fetch_sub(1, Ordering::Relaxed);
        Some(readers)
    }

    /// Tells whoever has read a key that it has changed, by a command of the client `by`.
    pub fn tell_readers(
        &self,
        shared: &Shared,
        (key, clients): &Readers,
        by: u64,
        caller: &mut Caller<'_>,
    ) {
        for client in clients {
            tell(shared, caller, *client, Some(&[(key, by)]), false);
        }
    }

    /// A client has read a key. The lock of its shard is held.
    pub fn read(&self, tracked: &mut Tracked, key: &[u8], client: u64) {
        if tracked.add(key, client) {
            self.keys.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether more keys are remembered than may be (`tracking-table-max-keys`).
    pub fn has_too_many(&self, shared: &Shared) -> bool {
        let most = shared.config.clients.tracking_table_max_keys.get();
        most > 0 && self.keys.load(Ordering::Relaxed) > most
    }

    /// Gives up keys of a shard while too many are remembered. Called by the clock, and before a
    /// command runs.
    pub fn give_up(&self, shared: &Shared, tracked: &mut Tracked, caller: &mut Caller<'_>) {
        for _ in 0..GIVEN_UP_PER_VISIT {
            if tracked.is_empty() || !self.has_too_many(shared) {
                return;
            }
            let Some(readers) = tracked.give_up() else { return };
            self.keys.fetch_sub(1, Ordering::Relaxed);
            // As if it had changed.
            self.tell_readers(shared, &readers, 0, caller);
        }
    }

    /// All keys of a shard are gone.
    pub fn clear(&self, tracked: &mut Tracked) {
        self.keys.fetch_sub(tracked.keys.len(), Ordering::Relaxed);
        tracked.keys.clear();
    }

    /// All keys of a database, or of all, are gone: everybody who tracks is told so.
    pub fn flushed(&self, shared: &Shared, caller: &mut Caller<'_>) {
        if self.clients() == 0 {
            return;
        }
        for client in shared.clients.all() {
            if client.tracking.lock().is_some() {
                tell(shared, caller, client.id, None, false);
            }
        }
    }
}

/// Tells a client that keys have changed, each by whom, or that all have. `by_prefix`: it hears
/// of them by their prefix, not because it has read them.
fn tell(
    shared: &Shared,
    caller: &mut Caller<'_>,
    id: u64,
    keys: Option<&[(&[u8], u64)]>,
    by_prefix: bool,
) {
    if let Some((target, bytes)) = told(shared, id, keys, by_prefix) {
        caller.tell(shared, &target, bytes);
    }
}

/// Who is told, and what.
fn told(
    shared: &Shared,
    id: u64,
    keys: Option<&[(&[u8], u64)]>,
    by_prefix: bool,
) -> Option<(Arc<Client>, Arc<[u8]>)> {
    let client = shared.clients.get(id)?;
    let (redirect, no_loop) = match &*client.tracking.lock() {
        // What it read before it wanted prefixes is of no interest any more.
        Some(mode) if keys.is_none() || mode.broadcast == by_prefix => {
            (mode.redirect, mode.no_loop)
        }
        _ => return None,
    };
    let keys = keys.map(|keys| -> Vec<&[u8]> {
        keys.iter().filter(|(_, by)| !(no_loop && *by == id)).map(|(key, _)| *key).collect()
    });
    if keys.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    let target = match redirect {
        None => client,
        Some(other) => match shared.clients.get(other) {
            Some(target) => target,
            None => {
                tell_broken(shared, &client, other);
                return None;
            }
        },
    };
    let bytes = message(&target, redirect.is_some(), keys.as_deref())?;
    Some((target, bytes))
}

fn message(target: &Client, redirected: bool, keys: Option<&[&[u8]]>) -> Option<Arc<[u8]>> {
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
    match keys {
        Some(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
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
