//! What the writer and the reader of a log know in common.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::folder::Folder;

/// One file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of its first raw byte.
    pub start: u64,
    /// Bytes of whole blocks on disk.
    pub bytes: u64,
}

/// What there is to read, and how far it was read.
#[derive(Debug, Default)]
pub struct State {
    /// The segments from the oldest to the one being written.
    pub segments: VecDeque<Segment>,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Offset behind the last byte.
    pub end: u64,
    /// Offset the reader has come to.
    pub read: u64,
    /// How often the log was begun anew.
    pub generation: u64,
    /// The writer is gone.
    pub closed: bool,
    /// The reader is gone.
    pub abandoned: bool,
}

impl State {
    /// The first offset held.
    pub fn start(&self) -> u64 {
        self.segments.front().map_or(self.end, |segment| segment.start)
    }

    /// The segment that holds the byte at an offset.
    pub fn segment_of(&self, offset: u64) -> Option<Segment> {
        let later = self.segments.partition_point(|segment| segment.start <= offset);
        self.segments.get(later.checked_sub(1)?).copied()
    }

    /// The oldest segment, if it lies wholly below an offset and is not the one being written.
    pub fn oldest_below(&self, offset: u64) -> Option<Segment> {
        let next = self.segments.get(1)?;
        self.segments.front().copied().filter(|_| next.start <= offset)
    }
}

/// A log's folder, limit and state.
#[derive(Debug)]
pub struct Shared {
    /// Where the segments are.
    pub folder: Folder,
    /// Bytes they may take on disk.
    pub quota: u64,
    state: watch::Sender<State>,
    /// Held by whoever deletes segments, so that a reader that trims an old log cannot delete the
    /// segment of the same name in a new one.
    deleting: Mutex<()>,
}

impl Shared {
    /// A log without segments.
    pub fn new(folder: Folder, quota: u64) -> Self {
        let state = watch::Sender::new(State::default());
        Self { folder, quota, state, deleting: Mutex::new(()) }
    }

    /// The state now; to be let go at once.
    pub fn state(&self) -> watch::Ref<'_, State> {
        self.state.borrow()
    }

    /// To wait for another state.
    pub fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Changes the state and wakes who waits for it.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// Notes how far the log of that generation was read; nobody waits for that.
    pub fn note_read(&self, generation: u64, read: u64) {
        self.state.send_if_modified(|state| {
            if state.generation == generation {
                state.read = read;
            }
            false
        });
    }

    /// Waits for others who delete segments, and keeps them waiting.
    pub fn lock_deleting(&self) -> MutexGuard<'_, ()> {
        self.deleting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a log is at, for whoever shows it.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Shared>);

impl Gauge {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// Bytes the log takes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.state().bytes
    }

    /// Bytes it may take on disk.
    #[must_use]
    pub fn quota(&self) -> u64 {
        self.0.quota
    }

    /// Files it consists of.
    #[must_use]
    #[cfg(test)]
    pub fn segments(&self) -> usize {
        self.0.state().segments.len()
    }

    /// Offset behind the last byte written.
    #[must_use]
    #[cfg(test)]
    pub fn end(&self) -> u64 {
        self.0.state().end
    }

    /// Offset the reader has come to.
    #[must_use]
    #[cfg(test)]
    pub fn read(&self) -> u64 {
        self.0.state().read
    }
}
