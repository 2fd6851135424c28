//! Freeing large values away from those who serve clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use ferrite_store::table::{Removed, Table};
use ferrite_store::types::Collection;
use parking_lot::Mutex;

/// Collections with more elements than this are freed in the background, as in Redis.
const LARGE_COLLECTION: usize = 64;

/// Strings longer than this are freed in the background: giving back that much takes system calls.
const LARGE_STRING: usize = 1 << 20;

type Thing = Box<dyn Send>;

/// The way to the thread that frees.
#[derive(Debug, Default)]
pub struct Garbage {
    /// Begun when there is something to free for the first time.
    sender: Mutex<Option<Sender<Thing>>>,
    freed: Arc<AtomicU64>,
    pending: Arc<AtomicU64>,
}

impl Garbage {
    /// How many values and tables were freed in the background.
    pub fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    /// Counts those that were freed from 0 again.
    pub fn reset(&self) {
        self.freed.store(0, Ordering::Relaxed);
    }

    /// How many are waiting to be freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Frees a value in the background, if that takes long.
    pub fn free_value(&self, removed: Removed<Collection>) {
        let large = match &removed {
            Removed::Small => false,
            Removed::Heap(bytes) => bytes.capacity() > LARGE_STRING,
            Removed::Object(collection) => collection.len() > LARGE_COLLECTION,
        };
        if large {
            self.send(Box::new(removed), 1);
        }
    }

    /// Frees all of a table in the background.
    pub fn free_table(&self, table: Table<Collection>) {
        let count = table.len() as u64;
        self.send(Box::new(table), count);
    }

    fn send(&self, thing: Thing, count: u64) {
        let mut sender = self.sender.lock();
        if sender.is_none() {
            *sender = start(Arc::clone(&self.pending));
        }
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.freed.fetch_add(count, Ordering::Relaxed);
        // Where there is no thread, the thing comes back and is freed here.
        match &*sender {
            Some(sender) if sender.send(thing).is_ok() => {}
            _ => {
                self.pending.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

fn start(pending: Arc<AtomicU64>) -> Option<Sender<Thing>> {
    let (sender, receiver) = channel::<Thing>();
    let spawned = std::thread::Builder::new().name("ferrite-free".into()).spawn(move || {
        for thing in receiver {
            drop(thing);
            pending.fetch_sub(1, Ordering::Relaxed);
        }
    });
    spawned.ok().map(|_| sender)
}
