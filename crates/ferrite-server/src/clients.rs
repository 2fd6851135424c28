//! The clients that are connected, as all threads see them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::shared::Shared;
use crate::tracking::Mode;

/// Where a connection lives: which thread, and which of its seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The thread.
    pub thread: usize,
    /// The seat among the thread's connections.
    pub seat: usize,
}

/// The size of Redis's first buffer for replies.
const FIRST_BUFFER: usize = 16 * 1024;

/// One client. Its own thread writes the facts, everybody may read them.
#[derive(Debug)]
pub struct Client {
    /// Its number, never used again.
    pub id: u64,
    /// Where its connection lives.
    pub address: Address,
    /// Its peer's address, as in `CLIENT LIST`.
    pub peer: String,
    /// The address it connected to.
    pub local: String,
    /// When it connected, Unix milliseconds.
    pub since: i64,
    /// When it last sent a command, Unix milliseconds.
    pub active: AtomicI64,
    /// Its database.
    pub db: AtomicUsize,
    /// Whether it speaks RESP3.
    pub resp3: AtomicBool,
    /// `CLIENT SETNAME`, and the names of its library and version.
    pub names: Mutex<Names>,
    /// The command it sent last, by its number in the table of commands.
    pub last_command: AtomicUsize,
    /// Bytes that it has sent and that are not executed yet, or being executed.
    pub input: AtomicUsize,
    /// Bytes that wait to be sent to it.
    pub output: AtomicUsize,
    /// Bytes of the commands queued in its transaction.
    pub queued_memory: AtomicUsize,
    /// Bytes of what it watches, listens to and tracks.
    pub listening_memory: AtomicUsize,
    /// Bytes of it that the sum of all clients has; see [`Clients::account`].
    accounted: AtomicUsize,
    /// Whether its command waits for keys.
    pub parked: AtomicBool,
    /// Whether that ends at some time.
    pub timed: AtomicBool,
    /// Whether its command waits until a pause is over.
    pub paused: AtomicBool,
    /// Channels, patterns and shard channels it is subscribed to.
    pub subscriptions: [AtomicUsize; 3],
    /// Commands queued in its transaction; -1 where it has none.
    pub queued: AtomicI64,
    /// How many keys it watches.
    pub watched: AtomicUsize,
    /// How it tracks keys, if it does.
    pub tracking: Mutex<Option<Mode>>,
    /// Whether what it reads is tracked.
    pub tracks_reads: AtomicBool,
    /// The name of its user; empty before it has logged in.
    pub user: Mutex<Vec<u8>>,
    /// What it was marked with; see [`Mark`].
    pub marks: AtomicU32,
}

/// Something that is true of a client for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Mark {
    /// `CLIENT NO-EVICT ON`.
    NoEvict = 1,
    /// `CLIENT NO-TOUCH ON`.
    NoTouch = 1 << 1,
    /// `MONITOR`.
    Monitor = 1 << 2,
    /// It is a replica.
    Replica = 1 << 3,
    /// It is being disconnected because it takes too much memory.
    Evicted = 1 << 4,
}

/// Whose command sends messages: what is for itself waits until it has its reply.
#[derive(Debug)]
pub struct Caller<'a> {
    /// Its number.
    pub id: u64,
    /// What is for itself.
    pub own: &'a mut Vec<u8>,
}

impl Caller<'_> {
    /// As [`Shared::tell`].
    pub fn tell(&mut self, shared: &Shared, client: &Client, bytes: Arc<[u8]>) {
        match client.id == self.id {
            true => self.own.extend_from_slice(&bytes),
            false => shared.tell(client, bytes),
        }
    }

    /// Sends a client bytes that it did not ask for.
    pub fn send(&mut self, shared: &Shared, client: &Client, bytes: Arc<[u8]>) {
        match client.id == self.id {
            true => self.own.extend_from_slice(&bytes),
            false => shared.send(client, bytes),
        }
    }
}

/// What a client calls itself.
#[derive(Debug, Default, Clone)]
pub struct Names {
    /// `CLIENT SETNAME`.
    pub name: Vec<u8>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library: Vec<u8>,
    /// `CLIENT SETINFO LIB-VER`.
    pub version: Vec<u8>,
}

impl Client {
    /// A client that has just connected, or one that exists for the server itself.
    pub fn new(id: u64, address: Address, peer: String, local: String, now: i64) -> Self {
        Self {
            id,
            address,
            peer,
            local,
            since: now,
            active: AtomicI64::new(now),
            db: AtomicUsize::new(0),
            resp3: AtomicBool::new(false),
            names: Mutex::default(),
            last_command: AtomicUsize::new(usize::MAX),
            input: AtomicUsize::new(0),
            output: AtomicUsize::new(0),
            queued_memory: AtomicUsize::new(0),
            listening_memory: AtomicUsize::new(0),
            accounted: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            timed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            subscriptions: Default::default(),
            queued: AtomicI64::new(-1),
            watched: AtomicUsize::new(0),
            tracking: Mutex::default(),
            tracks_reads: AtomicBool::new(false),
            user: Mutex::default(),
            marks: AtomicU32::new(0),
        }
    }

    /// Whether it has a mark.
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.load(Ordering::Relaxed) & mark as u32 != 0
    }

    /// Gives it a mark, or takes it away.
    pub fn mark(&self, mark: Mark, set: bool) {
        match set {
            true => self.marks.fetch_or(mark as u32, Ordering::Relaxed),
            false => self.marks.fetch_and(!(mark as u32), Ordering::Relaxed),
        };
    }

    /// Whether it connected from this machine.
    pub fn is_local(&self) -> bool {
        let address: Result<SocketAddr, _> = self.peer.parse();
        address.map_or(true, |address| address.ip().to_canonical().is_loopback())
    }

    /// Whether it waits, for keys or until a pause is over.
    pub fn is_blocked(&self) -> bool {
        self.parked.load(Ordering::Relaxed) || self.paused.load(Ordering::Relaxed)
    }

    /// Whether it waits for keys, and not for ever.
    pub fn is_timed(&self) -> bool {
        self.parked.load(Ordering::Relaxed) && self.timed.load(Ordering::Relaxed)
    }

    /// Bytes that it takes, with its buffers.
    pub fn memory(&self) -> usize {
        /// What is there of a client that does nothing.
        const FIXED: usize = size_of::<Client>() + size_of::<crate::session::Session>() + 512;
        let parts = [&self.input, &self.output, &self.queued_memory, &self.listening_memory];
        FIXED + parts.iter().map(|part| part.load(Ordering::Relaxed)).sum::<usize>()
    }

    /// Whether it may be disconnected because clients take too much memory.
    fn may_be_evicted(&self) -> bool {
        !self.has(Mark::NoEvict) && !self.has(Mark::Replica) && !self.has(Mark::Evicted)
    }

    /// The letters of its state, as `CLIENT LIST` shows them.
    pub fn flags(&self) -> String {
        let is = |set: bool, letter: char| set.then_some(letter);
        let tracking = self.tracking.lock().clone();
        let all = [
            is(self.has(Mark::Monitor), 'O'),
            is(self.has(Mark::Replica), 'S'),
            is(self.subscribed() > 0, 'P'),
            is(self.queued.load(Ordering::Relaxed) >= 0, 'x'),
            is(self.is_blocked(), 'b'),
            is(tracking.is_some(), 't'),
            is(tracking.as_ref().is_some_and(|mode| mode.broken), 'R'),
            is(tracking.as_ref().is_some_and(|mode| mode.broadcast), 'B'),
            is(self.local.starts_with('/'), 'U'),
            is(self.has(Mark::NoEvict), 'e'),
            is(self.has(Mark::NoTouch), 'T'),
        ];
        let letters: String = all.into_iter().flatten().collect();
        if letters.is_empty() { "N".into() } else { letters }
    }

    /// Its line in `CLIENT LIST`. What Redis tells of buffers that are not kept here is 0.
    pub fn line(&self, now: i64) -> String {
        let names = self.names.lock().clone();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let [channels, patterns, shards] = &self.subscriptions;
        let (output, queued) = (load(&self.output), load(&self.queued_memory));
        // Redis sends from one buffer of a fixed size, and from a list of more behind it.
        let first = output.min(FIRST_BUFFER);
        let (listed, list) = (output - first, (output - first).div_ceil(FIRST_BUFFER));
        let redirect = self.tracking.lock().as_ref().map(|mode| mode.redirect.unwrap_or(0));
        let redirect = redirect.map_or(-1, |id| i64::try_from(id).unwrap_or(i64::MAX));
        format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} \
             ssub={} multi={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem={queued} rbs=0 rbp=0 \
             obl={first} oll={list} omem={listed} tot-mem={} events=r cmd={} user={} \
             redir={redirect} resp={} lib-name={} lib-ver={}",
            self.id,
            self.peer,
            self.local,
            self.address.seat,
            text(&names.name),
            (now - self.since).max(0) / 1000,
            (now - self.active.load(Ordering::Relaxed)).max(0) / 1000,
            self.flags(),
            load(&self.db),
            load(channels),
            load(patterns),
            load(shards),
            self.queued.load(Ordering::Relaxed),
            load(&self.input),
            self.memory(),
            crate::commands::name(load(&self.last_command)).unwrap_or("NULL"),
            text(&self.user.lock()),
            if self.resp3.load(Ordering::Relaxed) { 3 } else { 2 },
            text(&names.library),
            text(&names.version),
        )
    }

    /// How many subscriptions it has, of all kinds.
    pub fn subscribed(&self) -> usize {
        self.subscriptions.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// All clients by number.
#[derive(Debug, Default)]
pub struct Clients {
    next: AtomicU64,
    list: Mutex<BTreeMap<u64, Arc<Client>>>,
    /// Bytes that they take together, as far as they were accounted for.
    memory: AtomicUsize,
}

impl Clients {
    /// The number of the next client.
    pub fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A client has connected.
    pub fn add(&self, client: &Arc<Client>) {
        self.list.lock().insert(client.id, Arc::clone(client));
    }

    /// A client is gone.
    pub fn remove(&self, id: u64) {
        let gone = self.list.lock().remove(&id);
        if let Some(client) = gone {
            self.forget(&client);
        }
    }

    /// Notes how much memory a client takes now; whether all together take more than `limit`.
    pub fn account(&self, client: &Client, limit: usize) -> bool {
        if client.may_be_evicted() {
            let now = client.memory();
            let before = client.accounted.swap(now, Ordering::Relaxed);
            self.memory.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        } else {
            self.forget(client);
        }
        self.memory.load(Ordering::Relaxed) > limit
    }

    fn forget(&self, client: &Client) {
        let before = client.accounted.swap(0, Ordering::Relaxed);
        self.memory.fetch_sub(before, Ordering::Relaxed);
    }

    /// Chooses who is disconnected so that all together take no more than `limit`: those that
    /// take most. They are marked and count no more.
    pub fn evict(&self, limit: usize) -> Vec<Arc<Client>> {
        let mut all = self.all();
        for client in &all {
            self.account(client, limit);
        }
        all.retain(|client| client.may_be_evicted());
        all.sort_by_key(|client| std::cmp::Reverse(client.accounted.load(Ordering::Relaxed)));
        let mut evicted = Vec::new();
        for client in all {
            if self.memory.load(Ordering::Relaxed) <= limit {
                break;
            }
            client.mark(Mark::Evicted, true);
            self.forget(&client);
            evicted.push(client);
        }
        evicted
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.list.lock().get(&id).cloned()
    }

    /// All of them, by number.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.list.lock().values().cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.lock().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.list.lock().is_empty()
    }
}

/// An address as Redis writes it.
pub fn address_text(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "?:0".into(), |address| address.to_string())
}
