//! Tells the server once a second how far we are, so that it neither drops us nor waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferrite_resp::encode;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::Sender;

const EVERY: Duration = Duration::from_secs(1);

/// A background task that writes `REPLCONF ACK <offset>`; ends with this value.
#[derive(Debug)]
pub(super) struct Acknowledger {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    offset: AtomicU64,
    at_once: Notify,
}

impl Acknowledger {
    /// Starts acknowledging `offset`, the first time at once.
    pub(super) fn start(sender: Sender, offset: u64) -> Self {
        let shared = Arc::new(Shared { offset: AtomicU64::new(offset), at_once: Notify::new() });
        let task = tokio::spawn(acknowledge(sender, Arc::clone(&shared)));
        Self { shared, task }
    }

    /// Acknowledges `offset` from now on.
    pub(super) fn set(&self, offset: u64) {
        self.shared.offset.store(offset, Ordering::Relaxed);
    }

    /// Does not wait for the next second: the server asked (`REPLCONF GETACK *`).
    pub(super) fn now(&self) {
        self.shared.at_once.notify_one();
    }
}

impl Drop for Acknowledger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs until the connection breaks, which the reading side reports.
async fn acknowledge(mut sender: Sender, shared: Arc<Shared>) {
    let mut clock = interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut command = Vec::with_capacity(64);
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            () = shared.at_once.notified() => {}
        }
        command.clear();
        encode::array_header(&mut command, 3);
        encode::bulk(&mut command, b"REPLCONF");
        encode::bulk(&mut command, b"ACK");
        let offset = shared.offset.load(Ordering::Relaxed);
        encode::bulk_integer(&mut command, i64::try_from(offset).unwrap_or(i64::MAX));
        if sender.send(&command).await.is_err() {
            return;
        }
    }
}
