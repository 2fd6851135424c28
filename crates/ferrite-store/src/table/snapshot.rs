//! Which entries a snapshot has already, told by versions: an item is of the version that was
//! current when it was added or last handed over, and a snapshot begins with a new one.

use super::content::Sink;
use super::item::VERSIONS;

pub(super) struct Snapshots<O> {
    version: u8,
    /// Snapshots begun since one was complete: items of so many versions may be about.
    begun: u8,
    running: Option<Running<O>>,
}

struct Running<O> {
    sink: Box<dyn Sink<O>>,
    /// Where the next slice begins; nothing once all is handed over.
    cursor: Option<u64>,
}

impl<O> Default for Snapshots<O> {
    fn default() -> Self {
        Self { version: 0, begun: 0, running: None }
    }
}

impl<O> Snapshots<O> {
    /// Begins a snapshot. Returns whether versions are used up, and [`Snapshots::restart`] is due.
    #[must_use]
    pub(super) fn begin(&mut self, sink: Box<dyn Sink<O>>) -> bool {
        self.running = Some(Running { sink, cursor: Some(0) });
        self.begun += 1;
        self.version = (self.version + 1) % VERSIONS;
        self.begun == VERSIONS
    }

    /// Counts versions anew. Returns the version that every item has to be given.
    pub(super) fn restart(&mut self) -> u8 {
        self.begun = 1;
        self.version = 1;
        0
    }

    pub(super) fn version(&self) -> u8 {
        self.version
    }

    /// The sink, if a snapshot is running that has no item of this version yet.
    pub(super) fn wants(&mut self, version: u8) -> Option<&mut dyn Sink<O>> {
        if version == self.version {
            return None;
        }
        self.running.as_mut().map(|running| &mut *running.sink as _)
    }

    /// Where the next slice begins.
    pub(super) fn cursor(&self) -> Option<u64> {
        self.running.as_ref().and_then(|running| running.cursor)
    }

    /// Remembers where the next slice begins: 0 says that there is none.
    pub(super) fn advance(&mut self, cursor: u64) {
        if let Some(running) = &mut self.running {
            running.cursor = (cursor != 0).then_some(cursor);
            if cursor == 0 {
                self.begun = 0;
            }
        }
    }

    pub(super) fn sink(&self) -> Option<&dyn Sink<O>> {
        self.running.as_ref().map(|running| &*running.sink)
    }

    pub(super) fn sink_mut(&mut self) -> Option<&mut (dyn Sink<O> + 'static)> {
        self.running.as_mut().map(|running| &mut *running.sink)
    }

    pub(super) fn end(&mut self) -> Option<Box<dyn Sink<O>>> {
        self.running.take().map(|running| running.sink)
    }
}
