//! What the server knows of one connection while it executes its commands.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::acl::Account;
use crate::clients::Client;
use crate::commands::Entry;
use crate::dispatch::block::Waiter;
use crate::replication::{Introduction, Psync, Wait};
use crate::watch::Flag;

/// A command that waits for its EXEC.
#[derive(Debug)]
pub struct Queued {
    /// Which command.
    pub entry: &'static Entry,
    /// Its words.
    pub words: Vec<Vec<u8>>,
}

/// A transaction that was begun.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The commands so far.
    pub queued: Vec<Queued>,
    /// Whether one of them was refused, so that EXEC will be.
    pub refused: bool,
}

/// A key that is watched.
#[derive(Debug)]
pub struct WatchedKey {
    /// In which database.
    pub db: usize,
    /// Its name.
    pub key: Vec<u8>,
}

/// The keys a client watches.
#[derive(Debug, Default)]
pub struct Watch {
    /// The keys.
    pub keys: Vec<WatchedKey>,
    /// Raised when one of them changes.
    pub flag: Flag,
}

/// The channels a client listens to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// SUBSCRIBE.
    pub channels: HashSet<Vec<u8>>,
    /// PSUBSCRIBE.
    pub patterns: HashSet<Vec<u8>>,
    /// SSUBSCRIBE.
    pub shard_channels: HashSet<Vec<u8>>,
}

/// Which replies are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Muted {
    /// All are sent.
    #[default]
    No,
    /// The next one is not.
    Once,
    /// None is.
    Always,
}

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    /// The client as other threads see it.
    pub client: Arc<Client>,
    /// Who it has logged in as; nobody yet, where there is none.
    pub account: Option<Arc<Account>>,
    /// The selected database.
    pub db: usize,
    /// Whether replies are in RESP3.
    pub resp3: bool,
    /// MULTI was called.
    pub transaction: Option<Transaction>,
    /// WATCH was called.
    pub watch: Watch,
    /// What it is subscribed to.
    pub subscriptions: Subscriptions,
    /// The command it waits with.
    pub waiter: Option<Arc<Waiter>>,
    /// What the connection waits for, where that is replicas.
    pub wait: Option<Wait>,
    /// What it said of itself as a replica.
    pub introduction: Introduction,
    /// It is a replica's from now on.
    pub psync: Option<Psync>,
    /// Whether its replies are sent (`CLIENT REPLY`).
    pub muted: Muted,
    /// The connection is to be closed once its replies are sent.
    pub closing: bool,
}

impl Session {
    /// A client's first state.
    pub fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            account: None,
            db: 0,
            resp3: false,
            transaction: None,
            watch: Watch::default(),
            subscriptions: Subscriptions::default(),
            waiter: None,
            wait: None,
            introduction: Introduction::default(),
            psync: None,
            muted: Muted::No,
            closing: false,
        }
    }

    /// The same client for a command that another thread runs for it: what a command needs to
    /// know of its caller, and nothing of the connection.
    pub fn detached(&self) -> Self {
        let account = self.account.clone();
        Self { account, db: self.db, resp3: self.resp3, ..Self::new(Arc::clone(&self.client)) }
    }

    /// Others see that a transaction was begun, or that there is none any more.
    pub fn note_transaction(&self) {
        let begun = self.transaction.is_some();
        self.client.queued.store(if begun { 0 } else { -1 }, Ordering::Relaxed);
        self.client.queued_memory.store(0, Ordering::Relaxed);
    }

    /// Selects a database.
    pub fn select(&mut self, db: usize) {
        self.db = db;
        self.client.db.store(db, Ordering::Relaxed);
    }

    /// A reply was not sent: the next one is, unless none is.
    pub fn mute_once(&mut self) {
        if self.muted == Muted::Once {
            self.muted = Muted::No;
        }
    }

    /// Whether it waits, for keys or for replicas.
    pub fn is_parked(&self) -> bool {
        self.waiter.is_some() || self.wait.is_some()
    }

    /// Until when it waits, Unix milliseconds.
    pub fn deadline(&self) -> Option<i64> {
        let keys = self.waiter.as_ref().and_then(|waiter| waiter.park.deadline);
        keys.or(self.wait.as_ref().and_then(|wait| wait.deadline))
    }

    /// Whether it is subscribed to anything.
    pub fn is_subscribed(&self) -> bool {
        let all = &self.subscriptions;
        !(all.channels.is_empty() && all.patterns.is_empty() && all.shard_channels.is_empty())
    }
}
