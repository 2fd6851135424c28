//! The end of a log that is written to.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use super::block::{self, BLOCK_DISK_MAX};
use super::recover::Found;
use super::shared::{Gauge, Segment, Shared};
use super::{BLOCK_RAW_MAX, SpoolError};

/// A reader so many bytes behind has blocks compressed: whoever lags has time, and disk counts.
const COMPRESS_BEHIND: u64 = 1024 * 1024;

/// Appends to a log.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    segment_bytes: u64,
    file: File,
    segment: Segment,
    raw_in_segment: u64,
    end: u64,
    /// Segments from this one on may not be on the disk yet.
    unsynced: u64,
    /// Names of segments may not be on the disk yet.
    folder_unsynced: bool,
    broken: bool,
    block: Vec<u8>,
}

impl Writer {
    /// Begins a log in an empty folder, or in place of the one that is there.
    pub(super) fn create(
        shared: Arc<Shared>,
        segment_bytes: u64,
        start: u64,
    ) -> Result<Self, SpoolError> {
        shared.folder.remove_all(&shared.folder.segments()?)?;
        let file = shared.folder.create_segment(start)?;
        shared.folder.sync()?;
        let segment = Segment { start, bytes: 0 };
        let mut writer = Self::new(shared, segment_bytes, file, segment, start);
        writer.folder_unsynced = false;
        writer.publish([segment], start);
        Ok(writer)
    }

    /// Goes on with a log that was found.
    pub(super) fn resume(
        shared: Arc<Shared>,
        segment_bytes: u64,
        found: Found,
    ) -> Result<Self, SpoolError> {
        let start = found.segments.last().map_or(found.end, |segment| segment.start);
        let bytes = found.segments.last().map_or(0, |segment| segment.bytes);
        let file = shared.folder.append_segment(start)?;
        let segment = Segment { start, bytes };
        let mut writer = Self::new(shared, segment_bytes, file, segment, found.end);
        writer.unsynced = found.segments.first().map_or(start, |segment| segment.start);
        writer.publish(found.segments, found.end);
        Ok(writer)
    }

    fn new(
        shared: Arc<Shared>,
        segment_bytes: u64,
        file: File,
        segment: Segment,
        end: u64,
    ) -> Self {
        let raw_in_segment = end - segment.start;
        let (unsynced, folder_unsynced, broken) = (segment.start, true, false);
        let block = Vec::with_capacity(BLOCK_DISK_MAX);
        Self {
            shared,
            segment_bytes,
            file,
            segment,
            raw_in_segment,
            end,
            unsynced,
            folder_unsynced,
            broken,
            block,
        }
    }

    fn publish(&self, segments: impl IntoIterator<Item = Segment>, end: u64) {
        self.shared.change(|state| {
            state.segments = segments.into_iter().collect();
            state.bytes = state.segments.iter().map(|segment| segment.bytes).sum();
            state.end = end;
        });
    }

    /// Appends bytes that came at a time, in milliseconds since 1970, in blocks of at most
    /// [`BLOCK_RAW_MAX`]; the reader sees each at once. Up to that many bytes fit for sure after
    /// [`Writer::room`].
    ///
    /// # Errors
    /// [`SpoolError::Quota`] and [`SpoolError::DiskFull`] leave the log whole: [`Writer::end`]
    /// tells how much was appended, the rest can be appended later. After other failures to write,
    /// all that follow are [`SpoolError::Broken`] if the log could not be brought back to where
    /// it was.
    pub fn append(&mut self, received_at_ms: u64, bytes: &[u8]) -> Result<(), SpoolError> {
        bytes.chunks(BLOCK_RAW_MAX).try_for_each(|raw| self.append_block(received_at_ms, raw))
    }

    fn append_block(&mut self, received_at_ms: u64, raw: &[u8]) -> Result<(), SpoolError> {
        self.check_whole()?;
        let (start, bytes) = (self.end, raw.len());
        let overflow = SpoolError::OffsetOverflow { end: start, bytes };
        let end = start.checked_add(bytes as u64).ok_or(overflow)?;
        let behind = start.saturating_sub(self.shared.state().read);
        block::encode(&mut self.block, start, received_at_ms, raw, behind > COMPRESS_BEHIND);
        self.check_quota()?;
        if self.segment.bytes.max(self.raw_in_segment) >= self.segment_bytes {
            self.begin_segment()?;
        }
        self.write_block()?;
        self.end = end;
        self.raw_in_segment += bytes as u64;
        self.publish_block();
        Ok(())
    }

    fn check_whole(&self) -> Result<(), SpoolError> {
        if self.broken { Err(SpoolError::Broken) } else { Ok(()) }
    }

    fn check_quota(&self) -> Result<(), SpoolError> {
        let (quota, bytes) = (self.shared.quota, self.shared.state().bytes);
        let fits = bytes.saturating_add(self.block.len() as u64) <= quota;
        if fits { Ok(()) } else { Err(SpoolError::Quota { quota, bytes }) }
    }

    fn begin_segment(&mut self) -> Result<(), SpoolError> {
        self.file = self.shared.folder.create_segment(self.end)?;
        self.segment = Segment { start: self.end, bytes: 0 };
        self.raw_in_segment = 0;
        self.folder_unsynced = true;
        self.shared.change(|state| state.segments.push_back(self.segment));
        Ok(())
    }

    /// Writes the encoded block, or nothing of it.
    fn write_block(&mut self) -> Result<(), SpoolError> {
        if let Err(cause) = self.file.write_all(&self.block) {
            self.broken = self.file.set_len(self.segment.bytes).is_err();
            let path = self.shared.folder.segment(self.segment.start);
            return Err(SpoolError::io("write", &path, cause));
        }
        self.segment.bytes += self.block.len() as u64;
        Ok(())
    }

    fn publish_block(&self) {
        self.shared.change(|state| {
            state.end = self.end;
            state.bytes += self.block.len() as u64;
            if let Some(last) = state.segments.back_mut() {
                last.bytes = self.segment.bytes;
            }
        });
    }

    /// The offset behind the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Brings everything appended so far to the disk, so that it survives a loss of power.
    ///
    /// # Errors
    /// The system could not do it. What is on the disk is then unknown, so nothing more is
    /// written.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        self.check_whole()?;
        self.broken = true;
        let starts: Vec<u64> = self.shared.state().segments.iter().map(|it| it.start).collect();
        let whole = starts.partition_point(|start| *start < self.unsynced);
        starts.iter().skip(whole).try_for_each(|start| self.shared.folder.sync_segment(*start))?;
        if self.folder_unsynced {
            self.shared.folder.sync()?;
        }
        self.unsynced = self.segment.start;
        self.folder_unsynced = false;
        self.broken = false;
        Ok(())
    }

    /// Waits until a block of any size fits: while the log is at its quota, until the reader has
    /// trimmed it. Returns at once where the reader is gone.
    pub async fn room(&self) {
        let quota = self.shared.quota;
        let fits = |bytes: u64| bytes.saturating_add(BLOCK_DISK_MAX as u64) <= quota;
        let mut changes = self.shared.changes();
        let waited = changes.wait_for(|state| state.abandoned || fits(state.bytes)).await;
        drop(waited);
    }

    /// Forgets everything and begins at another offset, as after a full resynchronisation. The
    /// reader is told by [`SpoolError::Restarted`]. Once this has returned, the old log does not
    /// come back, not even after a loss of power.
    ///
    /// # Errors
    /// The folder could not be written; nothing can be appended until it succeeds.
    #[cfg_attr(not(test), expect(dead_code, reason = "jobs begin a new log with `create`"))]
    pub fn restart(&mut self, start: u64) -> Result<(), SpoolError> {
        self.broken = true;
        let shared = Arc::clone(&self.shared);
        let deleting = shared.lock_deleting();
        shared.change(|state| {
            state.generation += 1;
            state.segments.clear();
            (state.bytes, state.end, state.read) = (0, start, start);
        });
        shared.folder.remove_all(&shared.folder.segments()?)?;
        self.end = start;
        self.begin_segment()?;
        shared.folder.sync()?;
        drop(deleting);
        (self.unsynced, self.folder_unsynced, self.broken) = (start, false, false);
        Ok(())
    }

    /// What shows how the log is doing.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge::new(&self.shared)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.change(|state| state.closed = true);
    }
}
