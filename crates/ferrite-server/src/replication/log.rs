//! The one log of writes: what replicas are sent, in the order in which it happened.
//!
//! A unit (a command, a transaction, a script) is appended while the locks of its shards are
//! held, so that the order of the log is one in which the same commands on the same keys give
//! the same values. The end of the log is kept (`repl-backlog-size`), so that a replica whose
//! link broke can go on; more is kept while a replica has not been sent it.
//!
//! ```text
//!        begin                                      offset
//!          │ chunk │ chunk │ … │ chunk being written │
//!                      ▲                  ▲
//!                      reader             reader
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ferrite_resp::encode;
use parking_lot::{Condvar, Mutex};

/// Bytes of a chunk; a unit that is longer has one of its own.
const CHUNK: usize = 64 * 1024;

/// How far a replica may be behind what it was sent, in bytes, before it is given up: the hard
/// limit of Redis's output buffers for replicas.
const FARTHEST_BEHIND: u64 = 256 * 1024 * 1024;

/// How much of the log is kept for replicas whose link broke, where nothing else is said.
pub const BACKLOG: u64 = 1024 * 1024;

/// The log.
#[derive(Debug)]
pub struct Log {
    /// Forty hexadecimal digits that no other log has.
    pub id: String,
    /// How many bytes are kept (`repl-backlog-size`).
    pub backlog: AtomicU64,
    listening: AtomicBool,
    offset: AtomicU64,
    inner: Mutex<Inner>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// The database the log selected last.
    db: Option<usize>,
    /// The offset of the first byte that is kept.
    begin: u64,
    chunks: VecDeque<Vec<u8>>,
    readers: Vec<(u64, u64)>,
    next_reader: u64,
    scratch: Vec<u8>,
}

/// Where somebody reads the log.
#[derive(Debug)]
pub struct Reader {
    number: u64,
    /// The offset of the next byte.
    pub at: u64,
}

/// What a reader found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// More of the log.
    Bytes(Vec<u8>),
    /// Nothing new in the time it waited.
    Nothing,
    /// It is too far behind; what it needs is not kept any more.
    Lost,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            id: crate::random::hex_digits(40),
            backlog: AtomicU64::new(BACKLOG),
            listening: AtomicBool::new(false),
            offset: AtomicU64::new(0),
            inner: Mutex::default(),
            grown: Condvar::new(),
        }
    }
}

impl Log {
    /// Whether anybody is or was told: otherwise nothing is kept.
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }

    /// How many bytes the log has had.
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// The first offset that is kept, and how many bytes are.
    pub fn kept(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.begin, self.offset() - inner.begin)
    }

    /// Reads from the end of the log on. Called while all shards are locked: every later unit
    /// is in it.
    pub fn follow(&self) -> Reader {
        let mut inner = self.inner.lock();
        // Whoever begins here does not know which database is selected.
        inner.db = None;
        if !self.is_listening() {
            inner.begin = self.offset();
            self.listening.store(true, Ordering::Relaxed);
        }
        inner.reader(self.offset())
    }

    /// Reads from an offset on, if everything from there is kept.
    pub fn follow_from(&self, at: u64) -> Option<Reader> {
        let mut inner = self.inner.lock();
        let kept = self.is_listening() && at >= inner.begin && at <= self.offset();
        kept.then(|| inner.reader(at))
    }

    /// Ends what [`Log::follow`] began.
    pub fn unfollow(&self, reader: &Reader) {
        let mut inner = self.inner.lock();
        inner.readers.retain(|(number, _)| *number != reader.number);
    }

    /// The next bytes for a reader, after a wait for them where there are none.
    pub fn read(&self, reader: &mut Reader, patience: Duration) -> Found {
        let mut inner = self.inner.lock();
        if reader.at == self.offset() {
            self.grown.wait_for(&mut inner, patience);
        }
        if reader.at < inner.begin || self.offset() - reader.at > FARTHEST_BEHIND {
            return Found::Lost;
        }
        let bytes = inner.bytes_from(reader.at);
        if bytes.is_empty() {
            return Found::Nothing;
        }
        reader.at += bytes.len() as u64;
        inner.moved(reader);
        Found::Bytes(bytes)
    }

    /// Appends a unit: its commands, wrapped in MULTI and EXEC where they belong together.
    pub fn append(&self, commands: &[(usize, Vec<u8>)], wrap: bool) {
        if commands.is_empty() {
            return;
        }
        let mut inner = self.inner.lock();
        let mut bytes = std::mem::take(&mut inner.scratch);
        bytes.clear();
        if wrap {
            encode::command(&mut bytes, &["MULTI"]);
        }
        for (db, command) in commands {
            inner.select(&mut bytes, *db);
            bytes.extend_from_slice(command);
        }
        if wrap {
            encode::command(&mut bytes, &["EXEC"]);
        }
        self.push(&mut inner, &bytes);
        inner.scratch = bytes;
    }

    /// Appends a command that belongs to no database: PING, REPLCONF GETACK.
    pub fn append_alone(&self, words: &[&str]) {
        let mut bytes = Vec::new();
        encode::command(&mut bytes, words);
        let mut inner = self.inner.lock();
        if !inner.readers.is_empty() {
            self.push(&mut inner, &bytes);
        }
    }

    fn push(&self, inner: &mut Inner, bytes: &[u8]) {
        match inner.chunks.back_mut() {
            Some(last) if last.len() + bytes.len() <= CHUNK => last.extend_from_slice(bytes),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK.max(bytes.len()));
                chunk.extend_from_slice(bytes);
                inner.chunks.push_back(chunk);
            }
        }
        let offset = self.offset() + bytes.len() as u64;
        self.offset.store(offset, Ordering::Release);
        inner.trim(offset, self.backlog.load(Ordering::Relaxed));
        self.grown.notify_all();
    }
}

impl Inner {
    fn select(&mut self, bytes: &mut Vec<u8>, db: usize) {
        if self.db != Some(db) {
            encode::command(bytes, &["SELECT", &db.to_string()]);
            self.db = Some(db);
        }
    }

    fn reader(&mut self, at: u64) -> Reader {
        self.next_reader += 1;
        self.readers.push((self.next_reader, at));
        Reader { number: self.next_reader, at }
    }

    fn moved(&mut self, reader: &Reader) {
        let place = self.readers.iter_mut().find(|(number, _)| *number == reader.number);
        if let Some((_, at)) = place {
            *at = reader.at;
        }
    }

    /// What is left of the chunk that an offset is in.
    fn bytes_from(&self, at: u64) -> Vec<u8> {
        let mut skip = at.saturating_sub(self.begin);
        for chunk in &self.chunks {
            let length = chunk.len() as u64;
            if skip < length {
                let from = usize::try_from(skip).unwrap_or(usize::MAX);
                return chunk.get(from..).unwrap_or_default().to_vec();
            }
            skip -= length;
        }
        Vec::new()
    }

    /// Lets go of chunks that neither the backlog nor a reader needs. A reader that is too far
    /// behind to be waited for is not: it finds out.
    fn trim(&mut self, offset: u64, backlog: u64) {
        let farthest = offset.saturating_sub(FARTHEST_BEHIND);
        let needed = self.readers.iter().map(|(_, at)| (*at).max(farthest)).min();
        let keep = needed.unwrap_or(offset).min(offset.saturating_sub(backlog));
        while let Some(first) = self.chunks.front() {
            let end = self.begin + first.len() as u64;
            if end > keep {
                break;
            }
            self.begin = end;
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(word: &str) -> Vec<(usize, Vec<u8>)> {
        vec![(0, word.as_bytes().to_vec())]
    }

    #[test]
    fn a_reader_gets_everything_in_order_and_the_database_first() {
        let log = Log::default();
        assert!(log.follow_from(0).is_none());
        let mut reader = log.follow();
        log.append(&unit("one"), false);
        log.append(&unit("two"), true);
        let Found::Bytes(bytes) = log.read(&mut reader, Duration::ZERO) else { panic!("bytes") };
        let text = String::from_utf8(bytes).unwrap();
        let expected =
            "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\none*1\r\n$5\r\nMULTI\r\ntwo*1\r\n$4\r\nEXEC\r\n";
        assert_eq!(text, expected);
        assert_eq!(log.read(&mut reader, Duration::ZERO), Found::Nothing);
        assert_eq!(reader.at, log.offset());
    }

    #[test]
    fn what_is_kept_is_the_backlog_and_what_a_reader_needs() {
        let log = Log::default();
        log.backlog.store(1000, Ordering::Relaxed);
        let mut slow = log.follow();
        let large = "x".repeat(CHUNK);
        for _ in 0..10 {
            log.append(&unit(&large), false);
        }
        assert_eq!(log.kept().0, 0);
        while let Found::Bytes(_) = log.read(&mut slow, Duration::ZERO) {}
        log.append(&unit("x"), false);
        let (begin, kept) = log.kept();
        assert!(kept < 2 * CHUNK as u64 + 1000, "{kept}");
        assert!(log.follow_from(begin.saturating_sub(1)).is_none());
        assert!(log.follow_from(begin).is_some());
        log.unfollow(&slow);
    }
}
