//! Finds what a killed process left of a log.

use std::fs;

use super::SpoolError;
use super::cursor::Cursor;
use super::folder::Folder;
use super::shared::Segment;

/// What a folder holds of a log, from a wanted offset on.
#[derive(Debug)]
pub struct Found {
    /// The whole segments, at least one, each beginning where the one before it ends.
    pub segments: Vec<Segment>,
    /// Offset behind the last whole block.
    pub end: u64,
    /// Whether the last of the segments goes on with what is no whole block.
    torn: bool,
    /// Segments that lie wholly below the wanted offset.
    below: Vec<u64>,
    /// Segments behind a gap or a damaged block.
    behind: Vec<u64>,
}

/// Looks for the log that holds the offset `from`, without touching anything.
pub fn find(folder: &Folder, from: u64) -> Result<Option<Found>, SpoolError> {
    let mut below = folder.segments()?;
    let later = below.split_off(below.partition_point(|start| *start <= from));
    let Some(first) = below.pop() else {
        return Ok(None);
    };
    let (segments, behind) = (Vec::new(), Vec::new());
    let mut found = Found { segments, end: first, torn: false, below, behind };
    for start in std::iter::once(first).chain(later) {
        let follows = start == found.end && found.behind.is_empty() && !found.torn;
        if follows {
            found.take(folder, start)?;
        } else {
            found.behind.push(start);
        }
    }
    Ok((found.end >= from).then_some(found))
}

impl Found {
    /// Takes the whole blocks of a segment.
    fn take(&mut self, folder: &Folder, start: u64) -> Result<(), SpoolError> {
        let path = folder.segment(start);
        let metadata = fs::metadata(&path);
        let length = metadata.map_err(|cause| SpoolError::io("look at", &path, cause))?.len();
        let mut cursor = Cursor::open(path, start)?;
        self.torn = loop {
            match cursor.next(length) {
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(SpoolError::Damaged { .. }) => break true,
                Err(error) => return Err(error),
            }
        };
        self.segments.push(Segment { start, bytes: cursor.position });
        self.end = cursor.offset;
        Ok(())
    }
}

/// Cuts off what cannot be used any more and trims what is not needed any more.
pub fn cut(folder: &Folder, found: &Found) -> Result<(), SpoolError> {
    folder.remove_all(&found.behind)?;
    if let Some(last) = found.segments.last().filter(|_| found.torn) {
        folder.truncate(last.start, last.bytes)?;
    }
    found.below.iter().try_for_each(|start| folder.remove(*start))
}
