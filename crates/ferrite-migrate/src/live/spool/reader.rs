//! The end of a log that is read from.

use std::sync::Arc;

use tokio::sync::watch;

use super::SpoolError;
use super::cursor::Cursor;
use super::shared::{Gauge, Segment, Shared, State};

/// What [`Reader::next`] has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset behind the last byte.
    pub end: u64,
    /// When the bytes came, in milliseconds since 1970.
    pub received_at_ms: u64,
}

/// Reads a log, while it is written or after.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    changes: watch::Receiver<State>,
    generation: u64,
    /// Offset of the next byte to hand out.
    place: u64,
    /// The segment being read, by its first offset, and where in it.
    cursor: Option<(u64, Cursor)>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, place: u64) -> Self {
        let changes = shared.changes();
        let generation = shared.state().generation;
        shared.note_read(generation, place);
        Self { shared, changes, generation, place, cursor: None }
    }

    /// Waits for the next block and appends its raw bytes to `into`. Cancelling it loses nothing.
    ///
    /// # Errors
    /// * [`SpoolError::Closed`]: the writer is gone and everything was read.
    /// * [`SpoolError::Restarted`], once: the log was begun anew; the next call reads from there.
    /// * The log is damaged or cannot be read. The reader stays where it is, and `into` as it
    ///   was.
    pub async fn next(&mut self, into: &mut Vec<u8>) -> Result<Block, SpoolError> {
        tokio::task::consume_budget().await;
        let segment = self.wait().await?;
        let before = into.len();
        let result = self.read(segment, into);
        if let Some(restarted) = self.follow_restart() {
            into.truncate(before);
            return Err(restarted);
        }
        match &result {
            Ok(block) => self.move_to(block.end),
            Err(_) => self.cursor = None,
        }
        result
    }

    /// Waits until there is something to read; the segment it is in.
    async fn wait(&mut self) -> Result<Segment, SpoolError> {
        let (generation, place) = (self.generation, self.place);
        let ready = |state: &State| state.generation != generation || state.end > place;
        let waited = self.changes.wait_for(|state| ready(state) || state.closed).await;
        let state = waited.map_err(|_| SpoolError::Closed)?;
        if state.generation == generation && state.end > place {
            return state.segment_of(place).ok_or_else(|| not_held(&state, place));
        }
        drop(state);
        Err(self.follow_restart().unwrap_or(SpoolError::Closed))
    }

    /// Appends what the block at the reader's place holds from there on.
    fn read(&mut self, segment: Segment, into: &mut Vec<u8>) -> Result<Block, SpoolError> {
        let place = self.place;
        let cursor = self.cursor_in(segment.start)?;
        loop {
            let position = cursor.position;
            let Some((header, block)) = cursor.next(segment.bytes)? else {
                return Err(cursor.damaged("blocks are missing"));
            };
            if header.end <= place {
                continue;
            }
            let before = into.len();
            if let Err(why) = header.unpack(block, into) {
                let path = self.shared.folder.segment(segment.start);
                return Err(SpoolError::Damaged { path, position, why });
            }
            let start = header.start.max(place);
            into.drain(before..before + (start - header.start) as usize);
            return Ok(Block { start, end: header.end, received_at_ms: header.received_at_ms });
        }
    }

    fn cursor_in(&mut self, start: u64) -> Result<&mut Cursor, SpoolError> {
        let cursor = match self.cursor.take().filter(|(segment, _)| *segment == start) {
            Some((_, cursor)) => cursor,
            None => Cursor::open(self.shared.folder.segment(start), start)?,
        };
        let (_, cursor) = self.cursor.insert((start, cursor));
        Ok(cursor)
    }

    fn check_generation(&self) -> Result<(), SpoolError> {
        let state = self.shared.state();
        if state.generation == self.generation {
            return Ok(());
        }
        Err(SpoolError::Restarted { start: state.start() })
    }

    /// Goes to the new log if there is one, and says so.
    fn follow_restart(&mut self) -> Option<SpoolError> {
        let state = self.shared.state();
        if state.generation == self.generation {
            return None;
        }
        self.generation = state.generation;
        self.place = state.start();
        self.cursor = None;
        Some(SpoolError::Restarted { start: self.place })
    }

    fn move_to(&mut self, place: u64) {
        self.place = place;
        self.shared.note_read(self.generation, place);
    }

    /// Continues at an offset, the first of the bytes [`Reader::next`] will hand out.
    ///
    /// # Errors
    /// The log does not hold the offset, or was begun anew, which [`Reader::next`] has to tell
    /// first.
    pub fn seek(&mut self, offset: u64) -> Result<(), SpoolError> {
        self.check_generation()?;
        let state = self.shared.state();
        if offset < state.start() || offset > state.end {
            return Err(not_held(&state, offset));
        }
        drop(state);
        self.cursor = None;
        self.move_to(offset);
        Ok(())
    }

    /// Deletes the segments that lie wholly below an offset: what the target has for good. Those
    /// that are not read yet and the one being written stay.
    ///
    /// # Errors
    /// A segment could not be deleted, or the log was begun anew, which [`Reader::next`] has to
    /// tell first.
    pub fn trim(&mut self, upto: u64) -> Result<(), SpoolError> {
        let shared = Arc::clone(&self.shared);
        let deleting = shared.lock_deleting();
        self.check_generation()?;
        let upto = upto.min(self.place);
        loop {
            let oldest = shared.state().oldest_below(upto);
            let Some(oldest) = oldest else { break };
            shared.folder.remove(oldest.start)?;
            shared.change(|state| {
                state.segments.pop_front();
                state.bytes -= oldest.bytes;
            });
        }
        drop(deleting);
        Ok(())
    }

    /// Bytes between the reader's place and the end of the log.
    #[must_use]
    #[cfg(test)]
    pub fn lag(&self) -> u64 {
        self.shared.state().end.saturating_sub(self.place)
    }

    /// What shows how the log is doing.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge::new(&self.shared)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.change(|state| state.abandoned = true);
    }
}

fn not_held(state: &State, offset: u64) -> SpoolError {
    SpoolError::NotHeld { offset, start: state.start(), end: state.end }
}
