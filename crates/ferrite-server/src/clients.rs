//! The clients that are connected, as all threads see them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::tracking::Mode;

/// Where a connection lives: which thread, and which of its seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The thread.
    pub thread: usize,
    /// The seat among the thread's connections.
    pub seat: usize,
}

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
    /// Bytes that wait to be sent to it.
    pub output: AtomicUsize,
    /// Whether its command waits for keys.
    pub parked: AtomicBool,
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
            output: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
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

    /// Gives it a mark, or takes it away. Only its own thread does.
    pub fn mark(&self, mark: Mark, set: bool) {
        let marks = self.marks.load(Ordering::Relaxed);
        let marks = if set { marks | mark as u32 } else { marks & !(mark as u32) };
        self.marks.store(marks, Ordering::Relaxed);
    }

    /// Whether it connected from this machine.
    pub fn is_local(&self) -> bool {
        let address: Result<SocketAddr, _> = self.peer.parse();
        address.map_or(true, |address| address.ip().to_canonical().is_loopback())
    }

    /// The letters of its state, as `CLIENT LIST` shows them.
    pub fn flags(&self) -> String {
        let is = |set: bool, letter: char| set.then_some(letter);
        let all = [
            is(self.has(Mark::Monitor), 'O'),
            is(self.has(Mark::Replica), 'S'),
            is(self.subscribed() > 0, 'P'),
            is(self.queued.load(Ordering::Relaxed) >= 0, 'x'),
            is(self.parked.load(Ordering::Relaxed), 'b'),
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
        let output = load(&self.output);
        format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} \
             ssub={} multi={} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={output} \
             oll=0 omem={output} tot-mem={output} events=r cmd={} user={} redir=-1 resp={} \
             lib-name={} lib-ver={}",
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
        self.list.lock().remove(&id);
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
