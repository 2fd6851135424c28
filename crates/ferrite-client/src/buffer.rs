//! The read buffer: one contiguous piece of memory that grows, slides and shrinks.
//!
//! ```text
//! | consumed | unread        | spare        |
//! 0          start           len            capacity
//! ```
//!
//! Reads go into the spare part. When it becomes small, the unread part slides to the front if
//! that is cheap (at most as many bytes move as were consumed), otherwise the memory doubles.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Memory set aside before the first read.
const FIRST_CAPACITY: usize = 64 << 10;
/// Memory once data flows: reads that fill the first are followed by larger ones.
const FLOWING_CAPACITY: usize = 256 << 10;
/// The spare part is never smaller than this when reading.
const MIN_READ: usize = 64 << 10;
/// Most bytes taken by one read, so that a huge buffer does not starve other tasks.
const MAX_READ: usize = 1 << 20;
/// Most unread bytes held unless more is asked for.
const DEFAULT_LIMIT: usize = 64 << 20;
/// How often the buffer must run empty without having needed a quarter of its memory before
/// the rest is given back.
const CALM_BEFORE_SHRINK: u32 = 64;

/// Why nothing was read.
#[derive(Debug)]
pub(crate) enum FillError {
    /// The limit of unread bytes is reached; the limit.
    Full(usize),
    /// The system says no.
    Io(io::Error),
}

/// Bytes read and not yet consumed.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    data: Vec<u8>,
    start: usize,
    limit: usize,
    /// Unread bytes the caller asked for beyond the limit.
    reserved: usize,
    /// Most bytes held since the buffer was last empty.
    high_water: usize,
    calm: u32,
}

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        let (limit, reserved) = (DEFAULT_LIMIT, 0);
        Self { data: Vec::new(), start: 0, limit, reserved, high_water: 0, calm: 0 }
    }

    /// Changes how many unread bytes are held at most; at least 64 KiB.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(MIN_READ);
    }

    /// Allows `unread` unread bytes, beyond the limit, until the buffer runs empty.
    pub(crate) fn reserve(&mut self, unread: usize) {
        self.reserved = self.reserved.max(unread);
    }

    /// The unread bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.data.get(self.start..).unwrap_or_default()
    }

    /// Number of unread bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.data.len() - self.start
    }

    /// Forgets the first `count` unread bytes (all, when there are fewer).
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
    }

    /// Reads once; gives the number of bytes added, 0 at the end of the stream. Nothing is lost
    /// when the future is dropped.
    pub(crate) async fn fill<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
    ) -> Result<usize, FillError> {
        let room = self.prepare()?;
        let mut target = bytes::BufMut::limit(&mut self.data, room);
        let count = from.read_buf(&mut target).await.map_err(FillError::Io)?;
        self.high_water = self.high_water.max(self.data.len());
        Ok(count)
    }

    /// Makes room and says how many bytes the next read may bring.
    fn prepare(&mut self) -> Result<usize, FillError> {
        let limit = self.limit.max(self.reserved);
        let unread = self.len();
        if unread >= limit {
            return Err(FillError::Full(limit));
        }
        if unread == 0 {
            self.restart();
        }
        if self.spare() < MIN_READ && self.start >= unread {
            self.slide();
        }
        if self.spare() < MIN_READ {
            self.slide();
            self.grow(limit);
        }
        Ok(self.spare().min(MAX_READ).min(limit - unread))
    }

    fn spare(&self) -> usize {
        self.data.capacity() - self.data.len()
    }

    fn slide(&mut self) {
        let unread = self.len();
        self.data.copy_within(self.start.., 0);
        self.data.truncate(unread);
        self.start = 0;
    }

    /// Doubles the memory, or takes at once what was reserved.
    fn grow(&mut self, limit: usize) {
        let capacity = match self.data.capacity() {
            0 => FIRST_CAPACITY,
            capacity => capacity.saturating_mul(2).max(FLOWING_CAPACITY),
        };
        let most = limit.saturating_add(MIN_READ);
        let wanted = capacity.max(self.reserved).min(most).max(self.data.len() + MIN_READ);
        self.data.reserve_exact(wanted - self.data.len());
    }

    /// Starts over with an empty buffer, and gives memory back that has not been needed lately.
    fn restart(&mut self) {
        self.data.clear();
        (self.start, self.reserved) = (0, 0);
        if self.high_water > self.data.capacity() / 4 {
            self.calm = 0;
        } else if self.data.capacity() > FLOWING_CAPACITY {
            self.calm += 1;
        }
        self.high_water = 0;
        if self.calm >= CALM_BEFORE_SHRINK {
            self.data = Vec::with_capacity(FLOWING_CAPACITY);
            self.calm = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of counted bytes, so that every byte can be checked.
    fn counted(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index % 251) as u8).collect()
    }

    #[tokio::test]
    async fn bytes_come_in_order_however_they_are_consumed() {
        let source = counted(3 << 20);
        for step in [1 << 10, 100_000, 1 << 20] {
            let (mut reader, mut buffer, mut out) = (source.as_slice(), ReadBuffer::new(), vec![]);
            while buffer.fill(&mut reader).await.unwrap() > 0 {
                while buffer.len() >= step {
                    out.extend_from_slice(&buffer.bytes()[..step]);
                    buffer.consume(step);
                }
            }
            out.extend_from_slice(buffer.bytes());
            assert!(out == source, "step {step}");
        }
    }

    #[tokio::test]
    async fn the_limit_holds_unless_more_is_reserved() {
        let source = counted(1 << 20);
        let (mut reader, mut buffer) = (source.as_slice(), ReadBuffer::new());
        buffer.set_limit(200_000);
        let full = loop {
            if let Err(error) = buffer.fill(&mut reader).await {
                break error;
            }
        };
        assert!(matches!(full, FillError::Full(200_000)));
        assert_eq!(buffer.len(), 200_000);
        buffer.reserve(1 << 20);
        while buffer.len() < 1 << 20 {
            assert!(buffer.fill(&mut reader).await.unwrap() > 0);
        }
        assert!(buffer.bytes() == source);
    }

    #[tokio::test]
    async fn memory_is_given_back_after_a_huge_reply() {
        let source = counted(9 << 20);
        let (mut reader, mut buffer) = (source.as_slice(), ReadBuffer::new());
        while buffer.fill(&mut reader).await.unwrap() > 0 {}
        assert!(buffer.data.capacity() >= 9 << 20);
        buffer.consume(usize::MAX);
        for _ in 0..=CALM_BEFORE_SHRINK {
            buffer.fill(&mut b"small".as_slice()).await.unwrap();
            buffer.consume(5);
        }
        buffer.fill(&mut b"small".as_slice()).await.unwrap();
        assert_eq!(buffer.data.capacity(), FLOWING_CAPACITY);
    }

    #[tokio::test]
    async fn reads_are_large_once_data_flows() {
        let source = counted(8 << 20);
        let (mut reader, mut buffer, mut reads) = (source.as_slice(), ReadBuffer::new(), 0);
        while buffer.fill(&mut reader).await.unwrap() > 0 {
            // A partial reply always stays behind.
            buffer.consume(buffer.len() - 10);
            reads += 1;
        }
        assert!(reads <= 8 * 16 + 4, "{reads} reads");
    }
}
