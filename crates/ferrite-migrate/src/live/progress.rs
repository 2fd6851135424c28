//! How far a live migration is: numbers that its tasks write and its status reads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::engine::now_ms;

/// Shared by the task that receives the stream, the one that applies it, and whoever asks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Offset up to which the stream was received and is kept.
    received: AtomicU64,
    /// Offset up to which the target has acknowledged.
    applied: AtomicU64,
    /// When the last applied byte was received; Unix ms.
    applied_received_ms: AtomicU64,
    /// Commands of the stream the target has acknowledged.
    commands: AtomicU64,
    /// Keys that were read again because no command could be applied to them.
    refetched: AtomicU64,
    /// Keys that have to be read again.
    dirty: AtomicU64,
    /// Names the source's history.
    replid: Mutex<String>,
    /// Why the stream is not moving, by side.
    trouble: Mutex<[Option<String>; 2]>,
    /// Somebody asked the replica to acknowledge at once.
    pub acknowledge: Notify,
    /// Something was applied.
    pub moved: Notify,
}

/// Which side of the stream has trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Receiving from the source.
    Source,
    /// Applying to the target.
    Target,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Source, Self::Target];

    /// As events name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

impl Progress {
    /// The stream begins anew.
    pub fn restart(&self, replid: &str, offset: u64) {
        self.set_replid(replid);
        self.received.store(offset, Ordering::Relaxed);
        self.set_applied(offset, now_ms());
    }

    /// Everything up to `offset` is kept.
    pub fn set_received(&self, offset: u64) {
        self.received.store(offset, Ordering::Relaxed);
    }

    /// Everything up to `offset`, received at this time, is on the target.
    pub fn set_applied(&self, offset: u64, received_ms: u64) {
        self.applied.store(offset, Ordering::Relaxed);
        self.applied_received_ms.store(received_ms, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Counts commands that were applied.
    pub fn count(&self, commands: u64, refetched: u64, dirty: u64) {
        self.commands.fetch_add(commands, Ordering::Relaxed);
        self.refetched.fetch_add(refetched, Ordering::Relaxed);
        self.dirty.store(dirty, Ordering::Relaxed);
    }

    /// Names the source's history.
    pub fn set_replid(&self, replid: &str) {
        replid.clone_into(&mut lock(&self.replid));
    }

    /// What names the source's history.
    #[must_use]
    pub fn replid(&self) -> String {
        lock(&self.replid).clone()
    }

    /// Why this side does not move; `None` when it does again.
    pub fn set_trouble(&self, side: Side, why: Option<String>) {
        lock(&self.trouble)[side as usize] = why;
    }

    /// Why the stream does not move.
    #[must_use]
    pub fn trouble(&self) -> Vec<String> {
        self.trouble_of(Side::Source).into_iter().chain(self.trouble_of(Side::Target)).collect()
    }

    /// Why this side does not move.
    #[must_use]
    pub fn trouble_of(&self, side: Side) -> Option<String> {
        lock(&self.trouble)[side as usize].clone()
    }

    /// Offset up to which the stream was received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Offset up to which the target has acknowledged.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// Commands applied.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Keys read again.
    #[must_use]
    pub fn refetched(&self) -> u64 {
        self.refetched.load(Ordering::Relaxed)
    }

    /// Keys that have to be read again.
    #[must_use]
    pub fn dirty(&self) -> u64 {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Bytes received and not applied.
    #[must_use]
    pub fn lag_bytes(&self) -> u64 {
        self.received().saturating_sub(self.applied())
    }

    /// How old the oldest byte is that is not applied, in ms; 0 when all is applied.
    #[must_use]
    pub fn lag_ms(&self) -> u64 {
        match self.lag_bytes() {
            0 => 0,
            _ => now_ms().saturating_sub(self.applied_received_ms.load(Ordering::Relaxed)),
        }
    }

    /// Waits until the target has acknowledged everything up to `offset`.
    pub async fn reaches(&self, offset: u64) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Counts from here on, not from the first poll.
            moved.as_mut().enable();
            if self.applied() >= offset {
                return;
            }
            moved.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
