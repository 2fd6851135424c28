//! How far a live migration is: numbers that its tasks write and its status reads.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::spool::Gauge;
use super::verify::Watched;
use crate::engine::now_ms;

/// Shared by the task that receives the stream, the one that applies it, and whoever asks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Offset up to which the stream was received and is kept.
    received: AtomicU64,
    /// Offset up to which the target has acknowledged.
    applied: AtomicU64,
    /// When the last applied byte was received, by the source's clock; Unix ms.
    applied_received_ms: AtomicU64,
    /// Added to our clock, gives the source's, in ms.
    clock_skew_ms: AtomicI64,
    /// Commands of the stream the target has acknowledged.
    commands: AtomicU64,
    /// Keys that were read again because no command could be applied to them.
    refetched: AtomicU64,
    /// Keys that have to be read again.
    dirty: AtomicU64,
    /// Names the source's history.
    replid: Mutex<String>,
    /// How much of the stream is on disk.
    spool: Mutex<Option<Gauge>>,
    /// Why the stream is not moving, by side.
    trouble: Mutex<[Option<String>; 2]>,
    /// Somebody asked the replica to acknowledge at once.
    pub acknowledge: Notify,
    /// Something was applied.
    pub moved: Notify,
    /// The keys that are being compared.
    pub watched: Arc<Watched>,
    /// What this is the sum of, where several streams are followed.
    parts: Mutex<Vec<Arc<Progress>>>,
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
        self.set_trouble(Side::Source, None);
        self.received.store(offset, Ordering::Relaxed);
        self.set_applied(offset, self.source_now_ms());
    }

    /// From here on this is the sum of others, each of one stream.
    pub fn set_parts(&self, parts: Vec<Arc<Progress>>) {
        *lock(&self.parts) = parts;
    }

    /// What this is the sum of; nothing where there is one stream.
    #[must_use]
    pub fn parts(&self) -> Vec<Arc<Progress>> {
        lock(&self.parts).clone()
    }

    fn sum(&self, number: impl Fn(&Self) -> u64) -> u64 {
        lock(&self.parts).iter().map(|part| number(part)).sum()
    }

    /// The source's clock is ours plus this, in ms.
    pub fn set_clock_skew_ms(&self, skew_ms: i64) {
        self.clock_skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    fn source_now_ms(&self) -> u64 {
        now_ms().saturating_add_signed(self.clock_skew_ms.load(Ordering::Relaxed))
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

    /// What tells how much of the stream is on disk.
    pub fn set_spool(&self, gauge: Gauge) {
        *lock(&self.spool) = Some(gauge);
    }

    /// Bytes of the stream on disk.
    #[must_use]
    pub fn spool_bytes(&self) -> u64 {
        let ours = lock(&self.spool).as_ref().map_or(0, Gauge::bytes);
        ours + self.sum(Self::spool_bytes)
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
        let parts = self.parts();
        let of_parts = parts.iter().flat_map(|part| part.trouble());
        let ours = |side| lock(&self.trouble)[side as usize].clone();
        Side::ALL.into_iter().filter_map(ours).chain(of_parts).collect()
    }

    /// Why this side does not move.
    #[must_use]
    pub fn trouble_of(&self, side: Side) -> Option<String> {
        let ours = lock(&self.trouble)[side as usize].clone();
        ours.or_else(|| self.parts().iter().find_map(|part| part.trouble_of(side)))
    }

    /// Offset up to which the stream was received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed) + self.sum(Self::received)
    }

    /// Offset up to which the target has acknowledged.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed) + self.sum(Self::applied)
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
        let parts = self.parts();
        if !parts.is_empty() {
            return parts.iter().map(|part| part.lag_ms()).max().unwrap_or(0);
        }
        match self.lag_bytes() {
            0 => 0,
            _ => {
                let received_ms = self.applied_received_ms.load(Ordering::Relaxed);
                self.source_now_ms().saturating_sub(received_ms)
            }
        }
    }

    /// Waits until the target has acknowledged everything up to these offsets: one for each part,
    /// or for the one stream there is.
    pub async fn reaches_all(&self, offsets: &[u64]) {
        let parts = self.parts();
        if let (true, [only]) = (parts.is_empty(), offsets) {
            return self.reaches(*only).await;
        }
        // None goes back, so one can be waited for after the other.
        for (part, offset) in parts.iter().zip(offsets) {
            part.reaches(*offset).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_streams_are_behind_together_by_their_sum_and_the_oldest() {
        let all = Progress::default();
        let parts: Vec<Arc<Progress>> = (0..2).map(|_| Arc::default()).collect();
        all.set_parts(parts.clone());
        for (part, applied) in parts.iter().zip([150, 190]) {
            part.restart("history", 100);
            part.set_received(200);
            part.set_applied(applied, now_ms() - 10_000 * (200 - applied));
        }
        assert_eq!((all.received(), all.applied(), all.lag_bytes()), (400, 340, 60));
        assert!((500_000..560_000).contains(&all.lag_ms()), "{}", all.lag_ms());
        parts[1].set_trouble(Side::Target, Some(String::from("gone")));
        assert_eq!((all.trouble().len(), all.trouble_of(Side::Source)), (1, None));
        assert_eq!(all.trouble_of(Side::Target).as_deref(), Some("gone"));
    }

    #[test]
    fn lag_is_told_by_the_clock_the_stream_was_received_with() {
        for skew_ms in [-3_600_000, 0, 3_600_000] {
            let progress = Progress::default();
            progress.set_clock_skew_ms(skew_ms);
            progress.restart("history", 100);
            progress.set_received(200);
            assert!(progress.lag_ms() < 60_000, "{skew_ms}: {}", progress.lag_ms());
            let received_ms = now_ms().saturating_add_signed(skew_ms) - 120_000;
            progress.set_applied(150, received_ms);
            assert!((120_000..180_000).contains(&progress.lag_ms()), "{skew_ms}");
        }
    }
}
